"""What one question to OpenRouter needs: the keys and the address, thresholds and a timeout.

Arguments first, then the environment. Nothing here talks to anybody, and no `repr` shows a key.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from pydantic import SecretStr

from orcredit.config import credentials
from orcredit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orcredit.balance import Threshold

DEFAULT_TIMEOUT = 10.0
"""Seconds for the whole answer, retries included."""

LONGEST_TIMEOUT = 86400.0
"""Seconds; whoever wants to wait longer than a day meant something else."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What one question to OpenRouter needs.

    Attributes:
        key: the key whose balance is asked for.
        management_key: the key that may ask for the account's credit, when it is another one.
        base_url: without a trailing slash.
        timeout: seconds for the whole answer.
        given_thresholds: as arguments or in the variable; None for the default.
        is_loopback: whether the server is on this machine.
    """

    key: SecretStr
    management_key: SecretStr | None
    base_url: str
    timeout: float
    given_thresholds: tuple[Threshold, ...] | None
    is_loopback: bool

    @property
    def thresholds(self) -> tuple[Threshold, ...]:
        """When the level is low."""
        from orcredit.balance import DEFAULT_THRESHOLDS  # noqa: PLC0415 - not needed before the request

        return DEFAULT_THRESHOLDS if self.given_thresholds is None else self.given_thresholds

    @classmethod
    def load(
        cls,
        *,
        api_key: str | None = None,
        management_key: str | None = None,
        base_url: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        warn_below: str | Iterable[str] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Self:
        """Gather the settings; an argument that is given wins over its variable.

        Args:
            api_key: else `OPENROUTER_API_KEY`, else `ANTHROPIC_AUTH_TOKEN` where that is OpenRouter's.
            management_key: else `OPENROUTER_MANAGEMENT_KEY`.
            base_url: else `OPENROUTER_BASE_URL`, else OpenRouter.
            timeout: seconds.
            warn_below: thresholds as text; else `ORCREDIT_WARN_BELOW`, comma-separated.
            environ: in place of `os.environ`.

        Raises:
            UsageError: a value that is not of its kind.
            ConfigurationError: no key, one that must not be sent, or plain http to another host.
        """
        environ = os.environ if environ is None else environ
        # Bad values first: they are wrong whatever the key is.
        thresholds = load_thresholds(warn_below, environ)
        timeout = checked_timeout(timeout)
        chosen = credentials.load(api_key=api_key, management_key=management_key, base_url=base_url, environ=environ)
        return cls(
            key=SecretStr(chosen.key),
            management_key=SecretStr(chosen.management_key) if chosen.management_key else None,
            base_url=chosen.base_url,
            timeout=timeout,
            given_thresholds=thresholds,
            is_loopback=chosen.is_loopback,
        )


def checked_timeout(timeout: float) -> float:
    """Give a timeout back, in seconds.

    Raises:
        UsageError: it is not above 0, or more than a day.
    """
    if not (math.isfinite(timeout) and 0 < timeout <= LONGEST_TIMEOUT):
        raise UsageError(f"{timeout:g} is not a timeout.", hint="Accepted: seconds above 0, at most a day (86400).")
    return timeout


def load_thresholds(warn_below: str | Iterable[str] | None, environ: Mapping[str, str]) -> tuple[Threshold, ...] | None:
    """Read the thresholds given, else those of `ORCREDIT_WARN_BELOW`; None where neither holds one: the default.

    Raises:
        UsageError: one of them is not a threshold; the hint shows the accepted forms.
    """
    if isinstance(warn_below, str):  # a string is a sequence of strings too, of one character each
        warn_below = warn_below.split(",")
    given = list(warn_below or ())
    variable = [] if given else [text for text in environ.get("ORCREDIT_WARN_BELOW", "").split(",") if text.strip()]
    if not given and not variable:
        return None
    from orcredit.balance import THRESHOLD_FORMS, Threshold  # noqa: PLC0415 - rarely needed before the request

    if given:
        return tuple(Threshold.parse(text) for text in given)
    try:
        return tuple(Threshold.parse(text) for text in variable)
    except UsageError as error:
        raise UsageError(
            f"ORCREDIT_WARN_BELOW: {error}", hint=f"{THRESHOLD_FORMS[:-1]}, separated by commas."
        ) from None
