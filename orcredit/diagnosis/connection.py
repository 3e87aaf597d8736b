"""The checks that need OpenRouter: certificates, its answer, the clock, and the account of a management key."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import SecretStr

from orcredit.answer_clock import CLOCK_TOLERANCE, DATE_TOLERANCE
from orcredit.diagnosis.check import Check, State, fault, ok, skipped, warning
from orcredit.diagnosis.local import check_address, check_key, check_proxy, proxy_of
from orcredit.diagnosis.setup import variable_of
from orcredit.diagnosis.shareable import shown
from orcredit.durations import format_duration
from orcredit.errors import KeyRefusedError, OrcreditError, UnreachableError
from orcredit.openrouter import Api, tls
from orcredit.openrouter.account import MANAGEMENT_KEYS, has_key
from orcredit.openrouter.transport import Transport

if TYPE_CHECKING:
    from concurrent.futures import Future

    from orcredit.diagnosis.setup import Setup

CERTIFICATES, ANSWER, CLOCK, ACCOUNT = "certificates", "answer", "clock", "account"
_CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_CLOCK_REMEDY = "Set this machine's clock, and let it be kept right by NTP."


async def check_connection(setup: Setup, deadline: float) -> list[Check]:
    """Make the checks, one after the other.

    Args:
        setup: the key and the address.
        deadline: the event loop's time (seconds) by which they all have ended.
    """
    before = [check(setup) for check in (check_key, check_address, check_proxy)]
    problem = next((check for check in before if check.state is State.FAULT), None)
    context: Future[ssl.SSLContext] | None = None
    if before[1].state is State.FAULT:
        certificates = skipped(CERTIFICATES, "the address is not known")
    elif setup.address().base_url.startswith("http:"):
        certificates = ok(CERTIFICATES, "not used: plain http on this machine")
    else:
        context = tls.prepare()
        certificates = await _certificates(context, setup, deadline)
    problem = problem or (certificates if certificates.state is State.FAULT else None)
    if problem is not None:
        return [
            certificates,
            skipped(ANSWER, f"OpenRouter was not asked: see {problem.name}"),
            skipped(CLOCK, "not compared, as OpenRouter was not asked"),
        ]
    return [certificates, *await _ask(setup, Transport(tls=context), deadline)]


async def _certificates(context: Future[ssl.SSLContext], setup: Setup, deadline: float) -> Check:
    name = variable_of(_CERTIFICATE_VARIABLES)
    source = "the system's" if name is None else f"{name}: {shown(os.environ[name])}"
    remedy = "Point SSL_CERT_FILE at a file with certificates in PEM form, or unset it to use the system's."
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                await asyncio.wrap_future(context)
                return ok(CERTIFICATES, source)
    except ssl.SSLError:
        return fault(CERTIFICATES, f"There are no certificates in {source}.", remedy)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not valid"
        return fault(
            CERTIFICATES, f"The certificates cannot be read ({source}): {reason[:1].lower()}{reason[1:]}.", remedy
        )
    return fault(
        CERTIFICATES, f"They could not be read within {setup.timeout:g} s ({source}).", "Check whether that disk hangs."
    )


async def _ask(setup: Setup, transport: Transport, deadline: float) -> list[Check]:
    chosen = setup.key()
    key = SecretStr(chosen.key)
    management_key = SecretStr(chosen.management_key) if chosen.management_key else None
    sources = {key: chosen.key_source}
    if management_key is not None and management_key != key:
        sources[management_key] = str(chosen.management_key_source)
    api = Api(
        chosen.base_url,
        transport,
        deadline=deadline,
        timeout=setup.timeout,
        secrets=[*sources],
        key_sources=sources,
        base_url_source=setup.address().base_url_source,
        on_loopback=chosen.is_loopback,
    )
    began = time.monotonic()
    try:
        known, date = await api.key(key)
    except OrcreditError as error:
        proxy = proxy_of(chosen)
        way = f" The request went through the proxy of {proxy}." if proxy else ""
        hint = error.hint
        if isinstance(error, UnreachableError) and not error.transient:
            # Certificates are also refused where the clock says that they have expired, or are of the future.
            hint += f" Check the clock, too: it shows {datetime.now(UTC):%Y-%m-%d %H:%M} UTC."
        return [fault(ANSWER, f"{error}{way}", hint), skipped(CLOCK, "not compared, as no balance came")]
    answer = ok(ANSWER, f"OpenRouter accepted the key, after {time.monotonic() - began:.1f} s")
    checks = [answer, _clock(date, datetime.now(UTC))]
    # Management keys, and what stands in a key's place on other servers, are not in the list of keys.
    if len(sources) > 1 and management_key is not None and not known.is_management and chosen.key.startswith("sk-or-"):
        checks.append(await _account(api, management_key, key))
    return checks


async def _account(api: Api, management_key: SecretStr, key: SecretStr) -> Check:
    """Check that the management key's account has the key: else the credit is another account's."""
    try:
        is_same = await has_key(api, management_key, key)
    except KeyRefusedError as error:
        return warning(ACCOUNT, f"The management key: {error}", error.hint)
    except OrcreditError as error:
        return skipped(ACCOUNT, f"not known whether both keys are of one account: {error}")
    if is_same:
        return ok(ACCOUNT, "the account of the management key has the key")
    return warning(
        ACCOUNT,
        "The account of the management key does not have the key: the credit that is shown is another account's.",
        f"Make a management key in the account of the key, at {MANAGEMENT_KEYS}",
    )


def _clock(date: datetime | None, now: datetime) -> Check:
    """Compare this machine's clock with an answer's Date header, which has whole seconds."""
    if date is None:
        return skipped(CLOCK, "not compared, as the answer has no date")
    off = abs(now - date)
    if off <= CLOCK_TOLERANCE:
        return ok(CLOCK, "within a minute of OpenRouter's")
    direction = "ahead of" if now > date else "behind"
    detail = f"This machine's clock is {format_duration(off)} {direction} OpenRouter's"
    if off >= DATE_TOLERANCE:
        return fault(CLOCK, f"{detail}: forecasts and resets are wrong.", _CLOCK_REMEDY)
    return warning(CLOCK, f"{detail}; forecasts are made by OpenRouter's.", _CLOCK_REMEDY)
