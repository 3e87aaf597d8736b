"""`orcredit profile`: add, list, remove and rename profiles, and choose the default one."""

from __future__ import annotations

import codecs
import os
import sys
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from orcredit.cli.options import DEFAULT_TIMEOUT, Timeout, checked_timeout, profile_names
from orcredit.cli.output import complain, show, write
from orcredit.config.place import shown
from orcredit.errors import ConfigurationError, ExitCode, OrcreditError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orcredit.config.file import ConfigFile, ProfileTable

HELP = """Give keys names, and choose among them with -p.

[b]add NAME[/b] asks for a key, or reads it from standard input, checks it
with one request, and keeps it in the operating system's keychain, or in
a file with --key-file. [b]list[/b] shows the profiles, with masked keys.
[b]remove NAME[/b], [b]rename NAME NEW[/b]. [b]default NAME[/b] sets the profile that
is used when none is chosen and no variable holds a key.
"""

EPILOG = """[b]Exit codes[/b]
  0 done   2 wrong usage   69 OpenRouter could not be asked
  77 OpenRouter refused the key   78 no keychain, or no such profile

[b]Examples[/b]
  orcredit profile add work
  orcredit profile add home --key-file ~/.secrets/home < key.txt
  orcredit profile list
"""

_HINT = "See 'orcredit profile --help'."
_LONGEST_INPUT = 1 << 16


class Action(StrEnum):
    """What is to be done."""

    ADD = "add"
    LIST = "list"
    REMOVE = "remove"
    RENAME = "rename"
    DEFAULT = "default"


ActionName = Annotated[
    Action, typer.Argument(metavar="ACTION", help="What to do: add, list, remove, rename or default.")
]
Name = Annotated[
    str | None, typer.Argument(metavar="NAME", help="The profile.", show_default=False, autocompletion=profile_names)
]
NewName = Annotated[str | None, typer.Argument(metavar="NEW", help="Its new name.", show_default=False)]
KeyFile = Annotated[
    str | None,
    typer.Option(
        "--key-file", metavar="FILE", help="Keep the key in this new file, which only you may read.", show_default=False
    ),
]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        metavar="URL",
        help="Where the API of this profile is. Default: base_url at the top of config.toml, else OpenRouter's.",
        show_default=False,
    ),
]
Management = Annotated[
    bool,
    typer.Option(
        "--management", metavar="", help="Add a management key to the profile, which shows the account's credit."
    ),
]


def profile(
    *,
    action: ActionName = Action.LIST,
    name: Name = None,
    new_name: NewName = None,
    key_file: KeyFile = None,
    management: Management = False,
    base_url: BaseUrl = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
) -> int:
    """Run the command.

    Returns:
        0.

    Raises:
        OrcreditError: wrong usage, no such profile, no keychain, a key that is refused.
    """
    seconds = checked_timeout(timeout)
    is_adding = action is Action.ADD
    if not is_adding and (key_file is not None or management or base_url is not None):
        raise UsageError("--key-file, --management and --base-url are for 'profile add'.", hint=_HINT)
    if (name is None) is not (action is Action.LIST) or (new_name is None) is (action is Action.RENAME):
        raise UsageError(f"profile {action}: {_USAGE[action]} is expected.", hint=_HINT)
    match action:
        case Action.ADD:
            key, url, is_local = _add(str(name), key_file, is_management=management, base_url=base_url, timeout=seconds)
            if management:
                _warn_of_another_account(str(name), key, url, is_loopback=is_local, timeout=seconds)
        case Action.LIST:
            _list(seconds)
        case Action.REMOVE:
            _remove(str(name))
        case Action.RENAME:
            _rename(str(name), str(new_name))
        case _:
            _set_default(str(name))
    return ExitCode.OK


_USAGE = {
    Action.ADD: "the name of the profile",
    Action.LIST: "no name",
    Action.REMOVE: "the name of the profile",
    Action.RENAME: "the name of the profile and the new one",
    Action.DEFAULT: "the name of the profile",
}


def _existing(name: str) -> tuple[ConfigFile, ProfileTable]:
    from orcredit.config.file import unknown_profile  # noqa: PLC0415 - not for --help
    from orcredit.config.writing import existing_file  # noqa: PLC0415 - tomlkit

    file = existing_file()
    if file is None:
        raise unknown_profile(name, "profile", (), None)
    return file, file.profile(name, "profile")


def _check_new(name: str, file: ConfigFile | None) -> None:
    from orcredit.config.file import NAME_FORMS, is_profile_name  # noqa: PLC0415 - not for --help

    if not is_profile_name(name):
        raise UsageError("This is not the name of a profile.", hint=NAME_FORMS)
    if file is not None and name in file.profiles:
        raise ConfigurationError(
            f"There is a profile {name} already.", hint=f"Remove it first: 'orcredit profile remove {name}'."
        )


# Adding


def _add(
    name: str, key_file: str | None, *, is_management: bool, base_url: str | None, timeout: float
) -> tuple[str, str, bool]:
    """Add a key; return it, its base URL, and whether that is this machine."""
    from orcredit.config import sources, writing  # noqa: PLC0415 - tomlkit, subprocess
    from orcredit.config.credentials import DEFAULT_BASE_URL, check_key, checked_address  # noqa: PLC0415 - as above

    file = writing.existing_file()
    options: dict[str, str | bool] = {}
    kind = "management_key" if is_management else "key"
    if is_management:
        table = _existing(name)[1]
        if table.management_key is not None:
            raise ConfigurationError(
                f"Profile {name} has a management key already: {table.management_key.option}.",
                hint="Remove it with 'orcredit config edit' first.",
            )
        url = base_url or table.options.get("base_url")
    else:
        _check_new(name, file)
        url = base_url
        if base_url is not None:
            options["base_url"] = base_url
    url = url or (file.options.get("base_url") if file is not None else None) or DEFAULT_BASE_URL
    url, host, is_loopback = checked_address(url, "--base-url")
    if key_file is not None:
        key_file = os.path.abspath(os.path.expanduser(key_file))  # noqa: PTH100, PTH111
        if os.path.lexists(key_file):
            raise ConfigurationError(
                f"{shown(key_file)} exists already, and was not changed.",
                hint="Name a new file, or let key_file in config.toml name this one: 'orcredit config edit'.",
            )
    else:
        with _hinting("With --key-file FILE, the key is kept in a file that only you may read."):
            sources.check_keychain()  # before the key is asked for
    key = _ask_for_key(name, kind)
    check_key(key, "what was given", host)
    label = _checked_key(key, url, is_loopback=is_loopback, is_management=is_management, timeout=timeout)
    if key_file is None:
        sources.keep_in_keychain(name, kind, key)
        options["keyring" if kind == "key" else "management_key_keyring"] = True
        where = "the keychain"
    else:
        _write_key(key_file, key)
        options[f"{kind}_file"] = key_file
        where = shown(key_file)
    try:
        writing.add(name, options)
    except BaseException:  # Ctrl-C, too: a key that no profile names would be forgotten
        if key_file is None:
            sources.remove_from_keychain(name, kind)
        else:
            os.unlink(key_file)  # noqa: PTH108
        raise
    what = "management key" if is_management else "key"
    write(f"Added the {what} {label} to profile {name}; it is in {where}. Try: orcredit status -p {name}\n")
    return key, url, is_loopback


@contextmanager
def _hinting(hint: str) -> Iterator[None]:
    """Add to the hint of a keychain that cannot be used what this command can do instead."""
    try:
        yield
    except ConfigurationError as error:
        problem, hint = str(error), f"{error.hint} {hint}"
    else:
        return
    raise ConfigurationError(problem, hint=hint)


def _ask_for_key(name: str, kind: str) -> str:
    """Ask without showing what is typed; else read the first line of standard input."""
    if sys.stdin is None or sys.stdin.closed:
        raise UsageError("There is no key: standard input is closed.", hint=_HINT)
    if sys.stdin.isatty():
        from getpass import getpass  # noqa: PLC0415 - only on a terminal

        try:
            text = getpass(f"{kind.replace('_', ' ').capitalize()} of profile {name} (it is not shown): ")
        except EOFError:
            text = ""
    else:
        text = _first_lines(sys.stdin.fileno()).removeprefix(codecs.BOM_UTF8).decode(errors="replace")
    lines = text.strip().splitlines()
    if not lines:
        raise UsageError(
            "There is no key: nothing was given.", hint="Paste it when asked, or pipe it into the command."
        )
    return lines[0].strip()


def _first_lines(descriptor: int) -> bytes:
    """Read until a line has ended that is not empty: a pipe may bring a key in pieces."""
    given = b""
    while len(given) < _LONGEST_INPUT and b"\n" not in given.lstrip():
        piece = os.read(descriptor, _LONGEST_INPUT)
        if not piece:
            break
        given += piece
    return given


def _checked_key(key: str, base_url: str, *, is_loopback: bool, is_management: bool, timeout: float) -> str:
    """Ask OpenRouter whether it takes the key; return the key, masked."""
    from pydantic import SecretStr  # noqa: PLC0415 - not for --help

    from orcredit.blocking_client import probe  # noqa: PLC0415 - the HTTP client
    from orcredit.config.profile import Profile  # noqa: PLC0415 - as above
    from orcredit.openrouter import mask  # noqa: PLC0415 - as above

    asked = Profile(
        name=None,
        key=SecretStr(key),
        management_key=None,
        base_url=base_url,
        is_loopback=is_loopback,
        given_thresholds=None,
        timeout=timeout,
    )
    known = probe(asked)
    if is_management and not known.is_management:
        raise ConfigurationError(
            "This is not a management key, so it was not kept.",
            hint="Make one at https://openrouter.ai/settings/management-keys",
        )
    return mask(key)


def _warn_of_another_account(
    name: str,
    management_key: str,
    base_url: str,
    *,
    is_loopback: bool,
    timeout: float,
) -> None:
    """Warn where the management key's account does not have the profile's key; it is kept all the same."""
    from dataclasses import replace  # noqa: PLC0415 - not for --help

    from pydantic import SecretStr  # noqa: PLC0415 - likewise

    from orcredit.blocking_client import has_key, probe  # noqa: PLC0415 - the HTTP client
    from orcredit.config import sources  # noqa: PLC0415 - subprocess
    from orcredit.config.profile import Profile  # noqa: PLC0415 - as above

    with suppress(OrcreditError):  # whatever the key lacks, `status` says
        key = sources.read(_existing(name)[1].key, timeout=timeout)
        if key == management_key or not key.startswith("sk-or-"):
            return
        asked = Profile(
            name=name,
            key=SecretStr(key),
            management_key=None,
            base_url=base_url,
            is_loopback=is_loopback,
            given_thresholds=None,
            timeout=timeout,
        )
        # Management keys are not in the list of keys.
        if probe(asked).is_management or has_key(replace(asked, management_key=SecretStr(management_key))):
            return
        complain(
            f"the account of this management key does not have the key of profile {name}, so the credit would be "
            "another account's.",
            "It was kept. To take it out, remove its line with 'orcredit config edit', then add the right one.",
        )


def _write_key(path: str, key: str) -> None:
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)  # noqa: PTH103, PTH120
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123
                file.write(f"{key}\n")
        except BaseException:  # a full disk: what is there is no key
            os.unlink(path)  # noqa: PTH108
            raise
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigurationError(f"{shown(path)} cannot be written: {reason}.", hint="Name another file.") from None


# Listing


def _list(timeout: float) -> None:
    from orcredit.config.file import load  # noqa: PLC0415 - not for --help

    file = load()
    if file is None or not file.profiles:
        write("There are no profiles yet. Add one: orcredit profile add NAME\n")
        return
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - slow to import

    with ThreadPoolExecutor(max_workers=16) as threads:
        keys = list(threads.map(lambda table: _masked(table, file, timeout), file.profiles.values()))
    from rich.table import Table  # noqa: PLC0415 - Rich
    from rich.text import Text  # noqa: PLC0415 - likewise

    grid = Table.grid(padding=(0, 2, 0, 0))
    for column in ("name", "key", "from", ""):
        grid.add_column(column, no_wrap=column == "name", overflow="fold")
    for table, key in zip(file.profiles.values(), keys, strict=True):
        options = [source.option for source in (table.key, table.management_key) if source is not None]
        default = "default" if table.name == file.default else ""
        grid.add_row(table.name, Text(key), Text(", ".join(options), style="dim"), default)
    show(grid)


def _masked(table: ProfileTable, file: ConfigFile, timeout: float) -> str:
    """Return the key as OpenRouter masks it, or why it cannot be had."""
    from orcredit.config import sources  # noqa: PLC0415 - subprocess
    from orcredit.config.credentials import check_key  # noqa: PLC0415 - not for --help
    from orcredit.config.profiles import Selected  # noqa: PLC0415 - likewise
    from orcredit.openrouter import mask  # noqa: PLC0415 - the HTTP client

    try:
        _, host, _, _ = Selected(table, file, None, None).address()
        key = sources.read(table.key, timeout=timeout)
        check_key(key, table.key.name, host)
    except OrcreditError as error:
        return str(error)
    return mask(key) if key.startswith("sk-or-") else "not shown, as it does not begin with sk-or-"


# Changing


def _remove(name: str) -> None:
    from orcredit.config import sources, writing  # noqa: PLC0415 - tomlkit, subprocess

    _, table = _existing(name)
    left = []
    for source in (table.key, table.management_key):
        if source is not None and source.how == "keyring":
            with _hinting(f"To leave the keychain as it is, remove [profiles.{name}] with 'orcredit config edit'."):
                sources.remove_from_keychain(name, source.kind)
        elif source is not None and source.how == "file":
            left.append(shown(sources.path_of(source)))
    writing.remove(name)
    write(f"Removed profile {name}." + (f" Its key is still in {' and '.join(left)}" if left else "") + "\n")


def _rename(name: str, new_name: str) -> None:
    from orcredit.config import sources, writing  # noqa: PLC0415 - tomlkit, subprocess

    file, table = _existing(name)
    _check_new(new_name, file)
    kinds = [source.kind for source in (table.key, table.management_key) if source and source.how == "keyring"]
    for kind in kinds:
        sources.copy_in_keychain(name, new_name, kind)
    writing.rename(name, new_name)
    for kind in kinds:
        sources.remove_from_keychain(name, kind)
    write(f"Renamed profile {name} to {new_name}.\n")


def _set_default(name: str) -> None:
    from orcredit.config import writing  # noqa: PLC0415 - tomlkit

    _existing(name)
    writing.set_default(name)
    write(f"Profile {name} is used where none is chosen and no variable holds a key.\n")
