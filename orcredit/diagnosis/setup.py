"""What is to be checked: the options, and what the environment makes of them."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orcredit.config import credentials
from orcredit.config.load import DEFAULT_TIMEOUT
from orcredit.config.profiles import Selected, select
from orcredit.errors import ConfigurationError, OrcreditError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

_ANY_KEY = "sk-or-v1-any"


@dataclass(frozen=True, slots=True)
class Setup:
    """The options of the command; all else comes from the environment.

    Attributes:
        profile: else `ORCREDIT_PROFILE`, else the unnamed one where a variable holds a key, else the file's default.
        base_url: else `OPENROUTER_BASE_URL`, else OpenRouter's.
        database_url: else `ORCREDIT_DATABASE_URL`, else the default file.
        timeout: seconds for all checks together.
    """

    profile: str | None = None
    base_url: str | None = None
    database_url: str | None = None
    timeout: float = DEFAULT_TIMEOUT
    _keys: list[credentials.Credentials | OrcreditError] = field(default_factory=list, repr=False, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def selected(self) -> Selected:
        """Return the profile to be checked.

        Raises:
            ConfigurationError: there is no such profile, or config.toml is not valid.
        """
        return select(self.profile, self.base_url)

    def _named(self) -> Selected | None:
        """Return the profile if it has a name; None where variables describe it, or the file is not valid."""
        try:
            selected = self.selected()
        except ConfigurationError:
            return None
        return selected if selected.table is not None else None

    def _keys_of(self, selected: Selected) -> credentials.Credentials:
        """Get the keys of a named profile, once: several checks need them, on several threads."""
        with self._lock:
            if not self._keys:
                try:
                    self._keys.append(selected.credentials(self.timeout))
                except OrcreditError as error:
                    self._keys.append(error)
        (known,) = self._keys
        if isinstance(known, OrcreditError):
            raise known
        return known

    def address(self) -> credentials.Credentials:
        """Return the address, with a key that is not the user's.

        Raises:
            UsageError, ConfigurationError: it is invalid, or plain http to another host.
        """
        if (named := self._named()) is not None:
            url, _, is_loopback, source = named.address()
            return credentials.Credentials(
                key=_ANY_KEY,
                key_source="",
                management_key=None,
                management_key_source=None,
                base_url=url,
                base_url_source=source,
                is_loopback=is_loopback,
            )
        return credentials.load(
            api_key=_ANY_KEY,
            base_url=self.base_url,
            environ=_only("OPENROUTER_BASE_URL"),
            default_base_url=self._default_base_url(),
        )

    def _default_base_url(self) -> tuple[str, str | None]:
        """Return where config.toml sets the base URL of all profiles, and the URL."""
        with suppress(ConfigurationError):
            in_file, place = self.selected().option("base_url")
            return place or "", in_file
        return "", None

    def key(self) -> credentials.Credentials:
        """Return the key, with an address that may be OpenRouter's instead of the user's, if that is invalid.

        Raises:
            ConfigurationError: there is none, or it is not one.
        """
        if (named := self._named()) is not None:
            return self._keys_of(named)
        if self.profile is not None or os.environ.get("ORCREDIT_PROFILE", "").strip():
            self.selected()  # there is no such profile: another key must not be used
        names: list[str] = []
        with suppress(ConfigurationError):
            file = self.selected().file
            if file is not None and file.profiles and not credentials.has_key():
                names = list(file.profiles)
        if names:
            raise credentials.none_chosen(names)
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
        if (named := self._named()) is not None:
            return (
                None
                if named.table is None or named.table.management_key is None
                else self._keys_of(named).management_key
            )
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
