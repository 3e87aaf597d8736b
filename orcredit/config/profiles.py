"""Chooses the profile that a command uses, before any key is read; then gets its keys.

`-p` wins over `ORCREDIT_PROFILE`, which wins over a key in the environment, which wins over the file's default. A named
profile takes nothing from `OPENROUTER_*` and `ANTHROPIC_AUTH_TOKEN`: they describe the unnamed one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orcredit.config import credentials
from orcredit.config.credentials import DEFAULT_BASE_URL, Credentials, check_key, checked_address
from orcredit.config.file import ConfigFile, ProfileTable, load, unknown_profile
from orcredit.config.place import existing, path, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "ORCREDIT_PROFILE"


@dataclass(frozen=True, slots=True)
class Selected:
    """The profile of a command; its keys are not read yet.

    Attributes:
        table: as in the file; None for the unnamed profile.
        file: the configuration file; None where there is none, or none was needed.
        base_url: the option of the command line; None without.
        source: the option or variable that names the profile, or the file; None for the unnamed one.
    """

    table: ProfileTable | None
    file: ConfigFile | None
    base_url: str | None
    source: str | None

    @property
    def name(self) -> str | None:
        """The profile's name; None for the unnamed one."""
        return self.table.name if self.table is not None else None

    def option(self, name: str) -> tuple[Any, str | None]:
        """Return an option of the profile, else of the whole file, and where it is set; None and None without."""
        if self.table is not None and name in self.table.options:
            return self.table.options[name], self.option_place(name, self.table.name)
        if self.file is not None and name in self.file.options:
            return self.file.options[name], self.option_place(name)
        return None, None

    def option_place(self, option: str, profile: str | None = None) -> str:
        """Return where an option of the file is: its name, the file and the line."""
        if self.file is None:
            return ""
        line = self.file.line_of(option, profile)
        return f"{option} in {shown(self.file.path)}" + (f", line {line}" if line is not None else "")

    def address(self, environ: Mapping[str, str] | None = None) -> tuple[str, str, bool, str | None]:
        """Return the base URL, its host, whether that is this machine, and where it is set (None: the default).

        Raises:
            UsageError: it is invalid.
            ConfigurationError: it is plain http to another host.
        """
        environ = os.environ if environ is None else environ
        variable = environ.get("OPENROUTER_BASE_URL") if self.table is None else None
        in_file, place = self.option("base_url")
        for source, url in (("--base-url", self.base_url), ("OPENROUTER_BASE_URL", variable), (place, in_file)):
            if url and url.strip():
                return *checked_address(url.strip(), str(source)), source
        return *checked_address(DEFAULT_BASE_URL, "the default"), None

    def credentials(self, timeout: float, environ: Mapping[str, str] | None = None) -> Credentials:
        """Get the keys.

        Args:
            timeout: seconds that a command or a keychain may take.
            environ: in place of `os.environ`.

        Raises:
            UsageError, ConfigurationError: a key or the base URL is missing or invalid.
        """
        if self.table is None:
            if self.file is not None and self.file.profiles and not credentials.has_key(environ):
                raise credentials.none_chosen(list(self.file.profiles))
            in_file, place = self.option("base_url")
            return credentials.load(base_url=self.base_url, environ=environ, default_base_url=(place or "", in_file))
        from orcredit.config import sources  # noqa: PLC0415 - subprocess, threads

        url, host, is_loopback, url_source = self.address(environ)
        key = sources.read(self.table.key, timeout=timeout, environ=environ)
        check_key(key, self.table.key.name, host)
        management = None
        if self.table.management_key is not None:
            management = sources.read(self.table.management_key, timeout=timeout, environ=environ)
            check_key(management, self.table.management_key.name, host)
        return Credentials(
            key=key,
            key_source=self.table.key.name,
            management_key=management,
            management_key_source=self.table.management_key.name if self.table.management_key is not None else None,
            base_url=url,
            base_url_source=url_source,
            is_loopback=is_loopback,
        )


def select(
    profile: str | None = None, base_url: str | None = None, environ: Mapping[str, str] | None = None
) -> Selected:
    """Choose the profile of a command.

    Args:
        profile: of the command line; None without.
        base_url: likewise.
        environ: in place of `os.environ`.

    Raises:
        ConfigurationError: there is no such profile, or the file is not valid.
    """
    environ = os.environ if environ is None else environ
    source, name = "--profile", profile
    if name is None:
        source, name = VARIABLE, environ.get(VARIABLE, "").strip() or None
    file = load(environ) if existing(environ) is not None else None
    if name is not None:
        if file is None:
            raise unknown_profile(name, source, (), None)
        return Selected(file.profile(name, source), file, base_url, source)
    if file is None or file.default is None or credentials.has_key(environ):
        return Selected(None, file, base_url, None)
    return Selected(file.profiles[file.default], file, base_url, shown(file.path))


def select_all(base_url: str | None = None, environ: Mapping[str, str] | None = None) -> list[Selected]:
    """Choose every profile: those of the file in its order, and the unnamed one first where a variable holds its key.

    Raises:
        ConfigurationError: the file is not valid, or there is no profile at all.
    """
    environ = os.environ if environ is None else environ
    chosen = _all_of(load(environ), base_url, environ)
    if not chosen:
        raise no_profiles(environ)
    return chosen


def select_for_server(
    profile: str | None = None, base_url: str | None = None, environ: Mapping[str, str] | None = None
) -> tuple[list[Selected], str | None]:
    """Choose what a server shows: the profile that is named, else all that there are.

    Args:
        profile: of the command line; None without.
        base_url: likewise.
        environ: in place of `os.environ`.

    Returns:
        At least one profile; and the name of the one that `orcredit status` would show, else of the first.

    Raises:
        ConfigurationError: the file is not valid, or there is no such profile.
    """
    environ = os.environ if environ is None else environ
    one = select(profile, base_url, environ)
    is_named = profile is not None or bool(environ.get(VARIABLE, "").strip())
    if is_named or one.file is None or not one.file.profiles:
        return [one], one.name
    every = _all_of(one.file, base_url, environ)
    return every, one.name if any(each.name == one.name for each in every) else every[0].name


def _all_of(file: ConfigFile | None, base_url: str | None, environ: Mapping[str, str]) -> list[Selected]:
    chosen = [Selected(None, file, base_url, None)] if credentials.has_key(environ) else []
    tables = file.profiles.values() if file is not None else ()
    return chosen + [Selected(table, file, base_url, shown(file.path)) for table in tables if file is not None]


def no_profiles(environ: Mapping[str, str] | None = None) -> Exception:
    """Make the error of a user without any profile."""
    from orcredit.errors import ConfigurationError  # noqa: PLC0415 - only for mistakes

    file = path(environ)
    return ConfigurationError(
        f"There are no profiles in {shown(file) if file else 'a configuration file'}, and no key is set.",
        hint="Add one with 'orcredit profile add NAME'.",
    )
