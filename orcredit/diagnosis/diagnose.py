"""Make all checks at the same time, within one deadline."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from orcredit.background import in_background
from orcredit.blocking import EventLoop
from orcredit.diagnosis.check import Check, State, fault
from orcredit.diagnosis.connection import ACCOUNT, ANSWER, CERTIFICATES, CLOCK, check_connection
from orcredit.diagnosis.local import LOCAL_CHECKS
from orcredit.diagnosis.shareable import shareable
from orcredit.errors import unexpected

if TYPE_CHECKING:
    from collections.abc import Callable

    from orcredit.diagnosis.setup import Setup

_ORDER = (
    "configuration",
    "key",
    "management key",
    "address",
    "proxy",
    CERTIFICATES,
    ANSWER,
    ACCOUNT,
    CLOCK,
    "thresholds",
    "cache",
    "history",
    "terminal",
    "locale",
    "variables",
    "versions",
)
"""From what everything needs to what is only informative: of several faults, the first is likely to be the cause."""


def diagnose(setup: Setup) -> list[Check]:
    """Make all checks, and return them with the faults first, then the warnings.

    It ends within `setup.timeout` seconds. A check that fails in an unexpected way is a fault. Nothing is raised.

    Args:
        setup: the options.
    """
    with asyncio.Runner(loop_factory=EventLoop) as runner:
        checks = runner.run(_diagnose(setup))
    severity = list(State)
    checks.sort(key=lambda check: (severity.index(check.state), _ORDER.index(check.name)))
    return [shareable(check) for check in checks]


async def _diagnose(setup: Setup) -> list[Check]:
    deadline = asyncio.get_running_loop().time() + setup.timeout
    pending = [asyncio.ensure_future(_local(name, check, setup, deadline)) for name, check in LOCAL_CHECKS]
    found = await _connection(setup, deadline)
    return [*await asyncio.gather(*pending), *found]


async def _local(name: str, check: Callable[[Setup], Check], setup: Setup, deadline: float) -> Check:
    try:
        async with asyncio.timeout_at(deadline):
            return await in_background(check, setup)
    except TimeoutError:
        return fault(
            name,
            f"This could not be checked within {setup.timeout:g} s.",
            "Check whether the disk or the server that it is on hangs, or allow more time with --timeout.",
        )
    except Exception as error:  # noqa: BLE001 - the other checks are still wanted
        return _failed(name, error)


async def _connection(setup: Setup, deadline: float) -> list[Check]:
    try:
        return await check_connection(setup, deadline)
    except Exception as error:  # noqa: BLE001 - as above
        return [_failed(ANSWER, error)]


def _failed(name: str, error: Exception) -> Check:
    problem = unexpected(error)
    return fault(name, f"This could not be checked: {problem}", problem.hint)
