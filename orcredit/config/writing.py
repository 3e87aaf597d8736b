"""Changes `config.toml` and keeps its comments: only `orcredit profile` and `config edit` do.

Every change is checked as a whole before it replaces the file, so that no command can make it unusable.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import tomlkit

from orcredit.config.file import ConfigFile, load, parse, trusted_text
from orcredit.config.place import path, shown
from orcredit.errors import ConfigurationError
from orcredit.private_files import make_private, replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TEMPLATE = """\
# orcredit's configuration: https://toml.io. Options are named as on the command line, with _ for -.
# What is here is used where neither the command line nor a variable says otherwise.

# warn_below = ["10%", "5"]
# interval = "5m"

# A profile is a key with a name. The key itself never stands here: 'orcredit profile add work' keeps it in the
# operating system's keychain.
#
# [profiles.work]
# keyring = true                                 # or one of these three:
# key_env = "WORK_KEY"
# key_file = "~/.secrets/work"
# key_command = ["pass", "show", "openrouter/work"]
"""


def file_path() -> str:
    """Return the path of the file that is to be written.

    Raises:
        ConfigurationError: there is none: no home directory, or `ORCREDIT_CONFIG` says so.
    """
    file = path()
    if file is None:
        raise ConfigurationError(
            "There is no place for config.toml: no home directory, or ORCREDIT_CONFIG names the null device.",
            hint="Set ORCREDIT_CONFIG to the path of a file.",
        )
    return file


def read_text() -> str:
    """Return the file's text, valid or not; empty where there is no file.

    Raises:
        ConfigurationError: it cannot be read, or others can write it.
    """
    file = file_path()
    return trusted_text(file) if os.path.lexists(file) else ""


def write(text: str) -> ConfigFile:
    """Check a new text and replace the file by it.

    Raises:
        ConfigurationError: it is not valid, or the file cannot be written.
    """
    file = file_path()
    checked = parse(text, file)
    target = os.path.realpath(file)  # a link stays one
    try:
        folder = os.path.dirname(target)  # noqa: PTH120
        if not os.path.isdir(folder):  # noqa: PTH112
            make_private(folder)
        replace(target, text.encode())
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigurationError(
            f"{shown(file)} cannot be written: {reason}.", hint="Check its folder, or set ORCREDIT_CONFIG."
        ) from None
    return checked


@contextmanager
def _alone() -> Iterator[None]:
    """Wait until no other command changes the file: two that read it at once would lose the first one's change.

    The folder is locked, as a replaced file would keep the lock of the old one. Without effect on Windows, and where
    the folder cannot be made or its file system has no locks.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl  # noqa: PLC0415 - not on Windows

    folder = os.path.dirname(os.path.realpath(file_path()))  # noqa: PTH120
    try:
        if not os.path.isdir(folder):  # noqa: PTH112
            make_private(folder)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # `write` says what is wrong
        yield
        return
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def existing_file() -> ConfigFile | None:
    """Return the file, checked; None if there is none yet.

    Raises:
        ConfigurationError: it is not valid: that is to be set right first.
    """
    return load() if os.path.lexists(file_path()) else None


@_alone()
def add(name: str, options: Mapping[str, str | bool]) -> None:
    """Add a profile, or options to one that is there. Raises what `write` raises."""
    document = tomlkit.parse(read_text())
    profiles = document.get("profiles")
    if profiles is None:
        profiles = tomlkit.table(is_super_table=True)
        document["profiles"] = profiles
    table = profiles.get(name)
    if table is None:
        is_inline = isinstance(profiles, tomlkit.items.InlineTable)  # which takes no other tables
        table = tomlkit.inline_table() if is_inline else tomlkit.table()
        for option, value in options.items():
            table[option] = value
        profiles[name] = table
    else:
        for option, value in options.items():
            table[option] = value
    write(tomlkit.dumps(document))


@_alone()
def remove(name: str) -> None:
    """Remove a profile, and the default if it is that. Raises what `write` raises."""
    document = tomlkit.parse(read_text())
    del document["profiles"][name]
    if document.get("profile") == name:
        document.remove("profile")
    write(tomlkit.dumps(document))


@_alone()
def rename(old: str, new: str) -> None:
    """Rename a profile, and the default if it is that. Raises what `write` raises."""
    header = re.compile(rf"^(\s*\[\s*profiles\s*\.\s*)(['\"]?){re.escape(old)}\2(\s*\])", re.MULTILINE)
    quoted = f'"{new}"' if "." in new else new
    # In its place, with the comments above it, where the profile begins with a separate line.
    text, count = header.subn(lambda found: f"{found[1]}{quoted}{found[3]}", read_text())
    document = tomlkit.parse(text)
    if count != 1:
        profiles = document["profiles"]
        table = profiles[old]
        del profiles[old]
        profiles[new] = table
    if document.get("profile") == old:
        document["profile"] = new
    write(tomlkit.dumps(document))


@_alone()
def set_default(name: str) -> None:
    """Set the profile that is used where none is chosen. Raises what `write` raises."""
    text = read_text()
    document = tomlkit.parse(text)
    if "profile" in document:
        document["profile"] = name
        text = tomlkit.dumps(document)
    else:  # first: elsewhere it could come between a table and the comment above it
        text = f'profile = "{name}"\n\n{text}'
    write(text)
