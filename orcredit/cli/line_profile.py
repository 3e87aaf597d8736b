"""Which profile the prompt line shows, without reading a key from a file, a command or a keychain.

A key in a variable is at hand. For all others, `orcredit.config.index` has what the last command left that got the key.
"""

from __future__ import annotations

import os

from orcredit import cache
from orcredit.config import credentials, place
from orcredit.config.credentials import Fingerprint, fingerprint
from orcredit.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orcredit.config.index import Known


class LineProfile:
    """A profile as the cache knows it.

    Attributes:
        name: None for the unnamed profile.
        base_url: the text, or its fingerprint.
        key: likewise.
        options: of the line, from `config.toml`.
    """

    __slots__ = ("base_url", "key", "name", "options")

    def __init__(self, name: str | None, base_url: str, key: str, options: dict[str, Any]) -> None:
        self.name = name
        self.base_url = base_url
        self.key = key
        self.options = options

    @property
    def refresh(self) -> tuple[str, ...]:
        """The options of `orcredit status` that ask about it."""
        return () if self.name is None else ("-p", self.name)


def unnamed() -> LineProfile:
    """Return the unnamed profile.

    Raises:
        UsageError: `OPENROUTER_BASE_URL` is invalid.
        ConfigurationError: no usable key.
    """
    config = place.existing()
    if config is None:
        return _unnamed(None)
    from orcredit.config import index  # noqa: PLC0415 - most users have no file

    return _unnamed(index.load(cache.directory(), config).unnamed)


def choose(name: str | None) -> LineProfile:
    """Choose the profile as all commands do (`orcredit.config.profiles.select`).

    Args:
        name: of the command line.

    Raises:
        UsageError: `OPENROUTER_BASE_URL` is invalid.
        ConfigurationError: no such profile, no usable key, or a configuration file that is not valid.
    """
    source = "--profile" if name is not None else "ORCREDIT_PROFILE"
    name = name if name is not None else os.environ.get("ORCREDIT_PROFILE", "").strip() or None
    config = place.existing()
    if config is None:
        if name is not None:
            raise _unknown(name, source, [], None)
        return _unnamed(None)
    from orcredit.config import index  # noqa: PLC0415 - most users have no file

    whole = index.load(cache.directory(), config)
    if name is None and (whole.default is None or credentials.has_key()):
        if whole.profiles and not credentials.has_key():
            raise credentials.none_chosen(list(whole.profiles))
        return _unnamed(whole.unnamed)
    name = name or whole.default or ""
    if name not in whole.profiles:
        raise _unknown(name, source, list(whole.profiles), config)
    return _named(name, whole.profiles[name])


def _unknown(name: str, source: str, known: list[str], config: str | None) -> ConfigurationError:
    from orcredit.config.file import unknown_profile  # noqa: PLC0415 - only for mistakes

    return unknown_profile(name, source, known, config)


def _unnamed(known: Known | None) -> LineProfile:
    address, options = (known.base_url, known.options) if known is not None else ("", {})
    chosen = credentials.load(default_base_url=("base_url", address))
    return LineProfile(None, chosen.base_url, chosen.key, options)


def _named(name: str, known: Known) -> LineProfile:
    key = known.key
    if known.variable is not None:
        text = os.environ.get(known.variable, "").strip()
        if not text:
            raise ConfigurationError(
                f"Profile {name} takes its key from {known.variable}, which is not set.",
                hint="Set it, or change key_env with 'orcredit config edit'.",
            )
        key = fingerprint(text)
    # Before a command has read the key, no balance is found; the name stands for it where the refresh is claimed.
    return LineProfile(name, known.base_url, Fingerprint(key or fingerprint(f"profile {name}")), known.options)
