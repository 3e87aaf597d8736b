"""Reads the environment: which profile, which database, which token. Arguments come first.

The prompt line, which cannot afford these imports, reads its key by `orcredit.config.credentials` alone.
"""

from __future__ import annotations

import math
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import SecretStr

from orcredit.config import credentials
from orcredit.config.profile import Profile
from orcredit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orcredit.balance import Threshold
    from orcredit.config.profiles import Selected

DEFAULT_TIMEOUT = 10.0
"""Seconds for the whole answer, retries included."""

LONGEST_TIMEOUT = 86400.0
"""Seconds: a day. Larger values are mistakes."""


def load_profile(
    *,
    api_key: str | None = None,
    management_key: str | None = None,
    base_url: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    warn_below: str | Iterable[str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Profile:
    """Give the unnamed profile; an argument wins over its variable.

    Args:
        api_key: else `OPENROUTER_API_KEY`, else `ANTHROPIC_AUTH_TOKEN` where that is OpenRouter's, else the
            management key.
        management_key: else `OPENROUTER_MANAGEMENT_KEY`.
        base_url: else `OPENROUTER_BASE_URL`, else OpenRouter.
        timeout: seconds.
        warn_below: thresholds as text; else `ORCREDIT_WARN_BELOW`, comma-separated.
        environ: in place of `os.environ`.

    Raises:
        UsageError: a value that is not of its kind.
        ConfigurationError: no key, one that must not be sent, or plain http to another host.
    """
    # Bad values first: they are wrong with any key.
    thresholds = load_thresholds(warn_below, environ)
    timeout = checked_timeout(timeout)
    chosen = credentials.load(api_key=api_key, management_key=management_key, base_url=base_url, environ=environ)
    return _profile(None, chosen, thresholds, timeout)


def resolve(
    selected: Selected,
    *,
    timeout: float = DEFAULT_TIMEOUT,
    warn_below: Iterable[str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Profile:
    """Get the keys of a profile that was chosen; blocks, as a command or a keychain may be asked for them.

    Args:
        selected: the profile.
        timeout: seconds; of the answer, and at most for the command or keychain.
        warn_below: thresholds of the command line; else `ORCREDIT_WARN_BELOW`, else those of the profile, else those
            of the file.
        environ: in place of `os.environ`.

    Raises:
        UsageError: a value that is not of its kind.
        ConfigurationError: a key is missing or invalid, or must not be sent.
    """
    thresholds = load_thresholds(warn_below, environ)
    if thresholds is None:
        in_file, _ = selected.option("warn_below")
        thresholds = load_thresholds(in_file, {})
    timeout = checked_timeout(timeout)
    profile = _profile(selected.name, selected.credentials(timeout, environ), thresholds, timeout)
    if selected.table is None or selected.table.key.how != "command":
        return profile

    def renew(seconds: float) -> Profile:
        chosen = selected.credentials(seconds, environ)
        return replace(_profile(selected.name, chosen, thresholds, timeout), renew=renew)

    return replace(profile, renew=renew)


def _profile(
    name: str | None, chosen: credentials.Credentials, thresholds: tuple[Threshold, ...] | None, timeout: float
) -> Profile:
    return Profile(
        name=name,
        key=SecretStr(chosen.key),
        management_key=SecretStr(chosen.management_key) if chosen.management_key else None,
        base_url=chosen.base_url,
        is_loopback=chosen.is_loopback,
        given_thresholds=thresholds,
        timeout=timeout,
        key_source=chosen.key_source,
        management_key_source=chosen.management_key_source,
        base_url_source=chosen.base_url_source,
    )


def database_url(environ: Mapping[str, str] | None = None) -> str | None:
    """Read `ORCREDIT_DATABASE_URL`: where the history is kept; None for the default."""
    return _variable("ORCREDIT_DATABASE_URL", environ)


def keeps_history(environ: Mapping[str, str] | None = None) -> bool:
    """Read `ORCREDIT_NO_HISTORY`: anything but `0` keeps none."""
    return _variable("ORCREDIT_NO_HISTORY", environ) in {None, "0"}


def token(environ: Mapping[str, str] | None = None) -> str | None:
    """Read `ORCREDIT_TOKEN`: what a server's clients must know; None where it is not set."""
    return _variable("ORCREDIT_TOKEN", environ)


def _variable(name: str, environ: Mapping[str, str] | None) -> str | None:
    environ = os.environ if environ is None else environ
    return environ.get(name, "").strip() or None


def checked_timeout(timeout: float) -> float:
    """Check a timeout, and give it back; seconds.

    Raises:
        UsageError: it is not above 0, or more than a day.
    """
    if not (math.isfinite(timeout) and 0 < timeout <= LONGEST_TIMEOUT):
        raise UsageError(f"{timeout:g} is not a timeout.", hint="Accepted: seconds above 0, at most a day (86400).")
    return timeout


def load_thresholds(
    warn_below: str | Iterable[str] | None, environ: Mapping[str, str] | None = None
) -> tuple[Threshold, ...] | None:
    """Read the thresholds given, else those of `ORCREDIT_WARN_BELOW`; None where neither holds one: the default.

    Raises:
        UsageError: one of them is not a threshold; the hint shows the accepted forms.
    """
    if isinstance(warn_below, str):  # a string is a sequence of strings too, of one character each
        warn_below = warn_below.split(",")
    given = list(warn_below or ())
    variable = (_variable("ORCREDIT_WARN_BELOW", environ) or "").split(",") if not given else []
    variable = [text for text in variable if text.strip()]
    if not given and not variable:
        return None
    from orcredit.balance import THRESHOLD_FORMS, Threshold  # noqa: PLC0415 - rarely needed before the request

    try:
        return tuple(Threshold.parse(text) for text in given or variable)
    except UsageError as error:
        if given:
            raise UsageError(f"--warn-below: {error}", hint=error.hint) from None
        raise UsageError(
            f"ORCREDIT_WARN_BELOW: {error}", hint=f"{THRESHOLD_FORMS[:-1]}, separated by commas."
        ) from None
