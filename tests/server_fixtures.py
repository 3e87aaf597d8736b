"""Servers and a simulated OpenRouter as fixtures: a plugin of the test modules that name it in `pytest_plugins`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.serving import BALANCE, BEARER, TOKEN, ReservedPort, Serving, Upstream, serving, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A simulated OpenRouter that the test controls."""
    with Upstream() as openrouter:
        yield openrouter


@pytest.fixture
def port() -> Iterator[str]:
    """A port for a server that is started again, see `ReservedPort`."""
    with ReservedPort() as reserved:
        yield str(reserved.number)


@pytest.fixture
def other_port() -> Iterator[str]:
    """Another one."""
    with ReservedPort() as reserved:
        yield str(reserved.number)


@pytest.fixture(scope="session")
def unguarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server without a token, for all tests that leave it as it is."""
    arguments = ["--interval", "1h", "--allow-host", "nas.lan", "--allow-host", "10.1.2.3", "--allow-host", "fd00::2"]
    with Upstream() as openrouter, serving(*arguments, home=tmp_path_factory.mktemp("home"), upstream=openrouter) as it:
        it.wait_for_answer()
        yield it


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server with a token, for all tests that leave it as it is."""
    home, environ = tmp_path_factory.mktemp("home"), {"ORCREDIT_TOKEN": TOKEN}
    with Upstream() as openrouter, serving("--interval", "1h", home=home, upstream=openrouter, environ=environ) as it:
        wait_until(lambda: it.ask(BALANCE, Authorization=BEARER).status != 503)
        yield it
