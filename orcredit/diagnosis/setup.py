"""What is to be checked: the options, and what the environment makes of them."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orcredit.config import credentials
from orcredit.config.load import DEFAULT_TIMEOUT
from orcredit.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

_ANY_KEY = "sk-or-v1-any"


@dataclass(frozen=True, slots=True)
class Setup:
    """The options of the command; all else comes from the environment.

    Attributes:
        base_url: else `OPENROUTER_BASE_URL`, else OpenRouter's.
        database_url: else `ORCREDIT_DATABASE_URL`, else the default file.
        timeout: seconds for all checks together.
    """

    base_url: str | None = None
    database_url: str | None = None
    timeout: float = DEFAULT_TIMEOUT

    def address(self) -> credentials.Credentials:
        """Return the address, with a key that is not the user's.

        Raises:
            UsageError, ConfigurationError: it is invalid, or plain http to another host.
        """
        return credentials.load(api_key=_ANY_KEY, base_url=self.base_url, environ=_only("OPENROUTER_BASE_URL"))

    def key(self) -> credentials.Credentials:
        """Return the key, with an address that may be OpenRouter's instead of the user's, if that is invalid.

        Raises:
            ConfigurationError: there is none, or it is not one.
        """
        names = ["OPENROUTER_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"]
        with suppress(ConfigurationError):
            self.management_key()
            names.append("OPENROUTER_MANAGEMENT_KEY")  # which is the key where there is no other one
        return credentials.load(base_url=self._usable_base_url(), environ=_only(*names))

    def management_key(self) -> str | None:
        """Return the management key; None where none is set.

        Raises:
            ConfigurationError: it is not a key.
        """
        environ = _only("OPENROUTER_MANAGEMENT_KEY")
        chosen = credentials.load(api_key=_ANY_KEY, base_url=self._usable_base_url(), environ=environ)
        return chosen.management_key

    def _usable_base_url(self) -> str | None:
        try:
            return self.address().base_url
        except (UsageError, ConfigurationError):
            return None


def _only(*names: str) -> dict[str, str]:
    """Return these variables alone, so that no other one is complained of."""
    return {name: os.environ[name] for name in names if name in os.environ}


def variable_of(names: Iterable[str]) -> str | None:
    """Return the first of these variables that is set and not blank."""
    return next((name for name in names if os.environ.get(name, "").strip()), None)
