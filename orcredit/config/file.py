"""Reads `config.toml`: defaults for options, and profiles. The file is checked as a whole, and errors name the line.

The file may run commands and says where keys are sent, so it is used only if no one but its owner, who must be the
user, can write it. It never holds a key; a key in it is refused, and not repeated.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from orcredit.config.options import NOT_IN_THE_FILE, OF_SERVER, OPTIONS
from orcredit.config.place import existing, shown
from orcredit.errors import ConfigurationError, UsageError
from orcredit.private_files import is_ours

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LARGEST = 1 << 20
"""Bytes."""

KINDS = ("key", "management_key")
"""The two keys of a profile."""

SOURCES = ("env", "file", "command")
"""Where a key may come from, as suffixes of its name; a keychain is the fourth."""

KEYRING = {"key": "keyring", "management_key": "management_key_keyring"}
"""The name of the fourth source, by the kind of key."""

_MOST_WORDS = 100
_KEY_NAMES = re.compile(
    r"(open_?router_?|anthropic_?)?(management_|provisioning_)?(api_?)?(key|token|auth_token|secret)"
)
_KEY_VALUE = re.compile(r"sk-(or|ant)-[A-Za-z0-9_-]{12,}|eyJ[\w-]{8,}\.[\w-]+\.[\w-]+")
_PROFILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

NAME_FORMS = "Names have up to 64 letters, digits, dots, hyphens and underscores, and begin with a letter or digit."

_REASON = (
    "A key in this file would be in every backup and copy of it, so it is not used. Remove it, and name where it is: "
    "see 'orcredit profile add --help'."
)


@dataclass(frozen=True, slots=True)
class Source:
    """Where one key of a profile comes from.

    Attributes:
        profile: the profile's name.
        kind: `key` or `management_key`.
        how: `env`, `file`, `command` or `keyring`.
        value: the variable, the path, or the command's words; the profile's name for a keychain.
        folder: the directory of the configuration file, to which a path is relative.
    """

    profile: str
    kind: str
    how: str
    value: Any
    folder: str

    @property
    def option(self) -> str:
        """Its name in the file."""
        return KEYRING[self.kind] if self.how == "keyring" else f"{self.kind}_{self.how}"

    @property
    def name(self) -> str:
        """Its name in messages: the variable, else the option and the profile."""
        return self.value if self.how == "env" else f"{self.option} of profile {self.profile}"


@dataclass(frozen=True, slots=True)
class ProfileTable:
    """A profile as it is in the file.

    Attributes:
        name: of the profile.
        options: the options that it sets, checked.
        key: where its key comes from.
        management_key: where its management key comes from; None without.
    """

    name: str
    options: dict[str, Any]
    key: Source
    management_key: Source | None


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The file, checked.

    Attributes:
        path: absolute.
        text: its content.
        options: the options that it sets for all profiles.
        default: the profile that is used where none is chosen; None for the unnamed one.
        profiles: by their names, in the order of the file.
    """

    path: str
    text: str = field(repr=False)
    options: dict[str, Any]
    default: str | None
    profiles: dict[str, ProfileTable]

    def line_of(self, option: str, profile: str | None = None) -> int | None:
        """Return the number of the line, from 1, that sets an option; None if it is not found."""
        return line_of(self.text, option, profile)

    def profile(self, name: str, source: str) -> ProfileTable:
        """Return a profile.

        Args:
            name: of the profile.
            source: the option or variable that names it.

        Raises:
            ConfigurationError: there is none of this name.
        """
        if name in self.profiles:
            return self.profiles[name]
        raise unknown_profile(name, source, self.profiles, self.path)


def unknown_profile(name: str, source: str, known: Iterable[str], path: str | None) -> ConfigurationError:
    """Make the error of a profile that is not in the file."""
    names = list(known)
    where = "there is no config.toml" if path is None else f"it is not in {shown(path)}"
    if not is_profile_name(name):  # perhaps a key: it is not repeated
        return ConfigurationError(f"{source}: this is not the name of a profile.", hint=NAME_FORMS)
    if near := _nearest(name, names):
        hint = f"The nearest name is {near}; 'orcredit profile list' shows all."
    elif names:
        hint = f"There is {', '.join(names[:10])}{', ...' if len(names) > 10 else ''}."
    else:
        hint = "Add it with 'orcredit profile add NAME'."
    return ConfigurationError(f"{source}: no profile {_quoted(name)}: {where}.", hint=hint)


def load(environ: Mapping[str, str] | None = None) -> ConfigFile | None:
    """Read the user's configuration file; None if there is none.

    Raises:
        ConfigurationError: others can write it, it cannot be read, or it is not valid; the message names the line.
    """
    path = existing(environ)
    return None if path is None else parse(trusted_text(path), path)


def trusted_text(path: str) -> str:
    """Read the file if no other user can write it.

    Raises:
        ConfigurationError: others can, or it cannot be read.
    """
    name = shown(path)
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigurationError(f"{name} cannot be read: {reason}.", hint="Make it readable for you.") from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise ConfigurationError(f"{name} is not a file.", hint="Move it away.")
    with open(descriptor, "rb") as file:  # noqa: PTH123
        if not is_ours(status):
            raise ConfigurationError(
                f"{name} is another user's, so it is not used: it can run commands and send keys elsewhere.",
                hint="Make a copy of it that belongs to you, or name another file with ORCREDIT_CONFIG.",
            )
        if status.st_mode & 0o022 and sys.platform != "win32":
            raise ConfigurationError(
                f"{name} can be written by others, so it is not used: it can run commands and send keys elsewhere.",
                hint="Check what is in it, then run: chmod go-w on it.",
            )
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ConfigurationError(f"{name} is larger than a megabyte.", hint="It is not one of orcredit's.")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
    raise ConfigurationError(f"{name}, line {line}: not UTF-8.", hint="Save it as UTF-8.")


def parse(text: str, path: str) -> ConfigFile:
    """Check the content of a configuration file.

    Raises:
        ConfigurationError: it is not valid; the message names the line.
    """
    import tomllib  # noqa: PLC0415 - most users have no file

    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:  # whose message may quote the text
        found = re.search(r"at line (\d+)", str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        is_twice = re.search(r"twice|overwrite|mutate", str(error)) is not None
    else:
        return _Reader(text, path).read(content)
    if is_twice:
        raise ConfigurationError(
            f"{shown(path)}, line {line}: this is defined twice.",
            hint="It is in a line above, too: remove or rename one of the two.",
        )
    raise ConfigurationError(
        f"{shown(path)}, line {line}: this is not TOML.",
        hint='Texts are in quotes (timeout = "10s"), and a profile begins with a line such as [profiles.work].',
    )


class _Reader:
    """Checks the content of a file; every error names its line."""

    def __init__(self, text: str, path: str) -> None:
        self._text = text
        self._path = path

    def read(self, content: dict[str, Any]) -> ConfigFile:
        tables = content.pop("profiles", {})
        if not isinstance(tables, dict):
            self._fail("profiles", None, "'profiles' is not a table", "Write [profiles.NAME] in a line before it.")
        default = content.pop("profile", None)
        if default is not None and not isinstance(default, str):
            hint = "Write [profiles.NAME], with an s, before a profile's options." if isinstance(default, dict) else ""
            self._fail("profile", None, "profile: the name of a profile in quotes is expected", hint)
        options = self._options(content, None, [*OPTIONS, "profile", "profiles"])
        profiles = {name: self._profile(name, table) for name, table in tables.items()}
        if default is not None and default not in profiles:
            near = _nearest(default, profiles)
            hint = f"The nearest name is {near}." if near else "Name one that this file has."
            shown_name = _quoted(default) if is_profile_name(default) else "of this name"
            self._fail("profile", None, f"profile: there is no profile {shown_name}", hint)
        return ConfigFile(self._path, self._text, options, default, profiles)

    def _fail(self, option: str | None, profile: str | None, problem: str, hint: str) -> NoReturn:
        line = line_of(self._text, option, profile)
        where = shown(self._path) + (f", line {line}" if line is not None else "")
        raise ConfigurationError(f"{where}: {problem.rstrip('.')}.", hint=hint)

    def _options(self, given: dict[str, Any], profile: str | None, known: Iterable[str]) -> dict[str, Any]:
        checked: dict[str, Any] = {}
        names = list(known)
        for name, value in given.items():
            if _KEY_NAMES.fullmatch(name.lower().replace("-", "_")) or _holds_key(value) or _KEY_VALUE.search(name):
                self._fail(name, profile, "a key does not belong here", _REASON)
            if name not in names:
                self._fail(name, profile, *self._unknown(name, profile, names))
            if name not in OPTIONS:
                continue
            try:
                checked[name] = OPTIONS[name](value)
            except (UsageError, ConfigurationError) as error:
                problem, hint = str(error), error.hint
            else:
                continue
            problem = problem if problem.startswith(name) else f"{name}: {problem}"
            self._fail(name, profile, problem, hint)
        return checked

    @staticmethod
    def _unknown(name: str, profile: str | None, names: list[str]) -> tuple[str, str]:
        plain = name.replace("-", "_")
        if plain in NOT_IN_THE_FILE:
            return f"{plain} is not taken from this file", f"Give it with the command: {NOT_IN_THE_FILE[plain]}."
        if profile is not None and plain in OF_SERVER:
            return f"{plain} is an option of a server, not of a profile", "Move it above the first [profiles.NAME]."
        if profile is None and plain in _KEY_OPTIONS:
            return f"{plain} belongs to a profile", "Write a line [profiles.NAME] before it."
        near = plain if plain in names else _nearest(plain, names)
        hint = f"The nearest name is {near}." if near else f"Known are {', '.join(sorted(names))}."
        return f"{_quoted(name)} is not an option", hint

    def _profile(self, name: str, table: object) -> ProfileTable:
        if not _PROFILE_NAME.fullmatch(name) or _KEY_VALUE.search(name):
            self._fail(None, name, "this is not the name of a profile", NAME_FORMS)
        if not isinstance(table, dict):
            self._fail(None, name, f"{name} is not a table", f"Write [profiles.{name}] in a line before its options.")
        known = [*(option for option in OPTIONS if option not in OF_SERVER), *_KEY_OPTIONS]
        options = self._options(table, name, known)
        key = self._source(name, table, "key")
        if key is None:
            self._fail(None, name, f"profile {name} has no key", f"Add one of {', '.join(_options_of('key'))}.")
        return ProfileTable(name, options, key, self._source(name, table, "management_key"))

    def _source(self, profile: str, table: dict[str, Any], kind: str) -> Source | None:
        given = [option for option in _options_of(kind) if table.get(option, False) is not False]
        if not given:
            return None
        if len(given) > 1:
            problem = (
                f"profile {profile} has {' and '.join(given)}: its {kind.replace('_', ' ')} comes from one of them"
            )
            self._fail(given[1], profile, problem, "Remove the other.")
        (option,) = given
        value = table[option]
        folder = os.path.dirname(self._path)  # noqa: PTH120
        if option == KEYRING[kind]:
            if value is not True:
                self._fail(option, profile, f"{option}: true or false is expected", "")
            return Source(profile, kind, "keyring", profile, folder)
        how = option.removeprefix(f"{kind}_")
        if how == "command":
            is_list = isinstance(value, list) and 0 < len(value) <= _MOST_WORDS
            if not is_list or not all(isinstance(word, str) and "\0" not in word for word in value) or not value[0]:
                self._fail(
                    option,
                    profile,
                    f"{option}: a list of texts is expected, the program first",
                    f'It is run without a shell. Example: {option} = ["pass", "show", "openrouter"]',
                )
        elif not isinstance(value, str) or not value.strip() or "\0" in value or "\n" in value:
            what = "a path" if how == "file" else "the name of a variable"
            self._fail(option, profile, f"{option}: {what} in quotes is expected", "")
        elif how == "env" and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,199}", value):
            self._fail(
                option, profile, f"{option}: this is not the name of a variable", f'Example: {option} = "WORK_KEY"'
            )
        return Source(profile, kind, how, value, folder)


def _options_of(kind: str) -> list[str]:
    return [*(f"{kind}_{how}" for how in SOURCES), KEYRING[kind]]


_KEY_OPTIONS = [option for kind in KINDS for option in _options_of(kind)]


def _holds_key(value: object) -> bool:
    """Whether a value, or any part of it, looks like a key."""
    if isinstance(value, dict):
        return any(_holds_key(part) for part in value.values())
    if isinstance(value, list):
        return any(_holds_key(part) for part in value)
    return isinstance(value, str) and _KEY_VALUE.search(value) is not None


def _nearest(name: str, names: Iterable[str]) -> str | None:
    from difflib import get_close_matches  # noqa: PLC0415 - only for mistakes

    return next(iter(get_close_matches(name, list(names), n=1, cutoff=0.65)), None)


def _quoted(text: str) -> str:
    return repr("".join(char if char.isprintable() else "?" for char in text[:40]))


def is_profile_name(name: str) -> bool:
    """Whether a text can be the name of a profile."""
    return _PROFILE_NAME.fullmatch(name) is not None and not _KEY_VALUE.search(name)


def line_of(text: str, option: str | None, profile: str | None = None) -> int | None:
    """Return the number of the line, from 1, that sets an option; None if it is not found.

    Args:
        text: of the file, valid TOML.
        option: its name; None for the line with which the profile begins.
        profile: whose option it is; None for an option of all.
    """
    table: list[str] = []
    wanted = [] if profile is None else ["profiles", profile]
    wanted += [] if option is None else [option]
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"""\s*\[+((?:"(?:\\.|[^"\\])*"|'[^']*'|[^]"'])*)\]""", line):
            table = _names(header[1])
            if table == wanted if option is None else table[: len(wanted)] == wanted:
                return number
        elif assigned := re.match(r"""\s*((?:"(?:\\.|[^"\\])*"|'[^']*'|[^="'#])+?)\s*=""", line):
            names = [*table, *_names(assigned[1])]
            if names[: len(wanted)] == wanted:
                return number
    # Inline tables: where the name is.
    name = option or profile
    lines = (number for number, line in enumerate(text.splitlines(), 1) if name and name in line)
    return next(lines, None)


def _names(dotted: str) -> list[str]:
    """Split a dotted name of TOML, whose parts may be in quotes, with escapes."""
    import tomllib  # noqa: PLC0415 - only for messages

    try:
        inner: object = tomllib.loads(f"{dotted} = 0")
    except tomllib.TOMLDecodeError:  # a line of a text over several lines
        return []
    names: list[str] = []
    while isinstance(inner, dict):
        [(name, inner)] = inner.items()
        names.append(name)
    return names
