"""`orcredit config`: where every option comes from, where the file is, and how to change it."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from orcredit.cli.options import DEFAULT_INTERVAL, DEFAULT_TIMEOUT, Profile
from orcredit.cli.output import complain, encodable_json, show, write
from orcredit.config.place import NAME, VARIABLE, path, shown
from orcredit.errors import ConfigurationError, ExitCode, UsageError

if TYPE_CHECKING:
    from orcredit.config.file import Source
    from orcredit.config.profiles import Selected

HELP = """Show where options come from, or change config.toml.

[b]show[/b] lists every option with its value and its source, for the
profile that the other commands would use. It reads no key.
[b]path[/b] prints the path of config.toml. [b]edit[/b] opens it in $VISUAL
or $EDITOR, and keeps the change if the file is valid.
"""

EPILOG = """[b]Exit codes[/b]
  0 shown or changed   2 wrong usage
  78 config.toml is not valid, or cannot be used or written

[b]Examples[/b]
  orcredit config
  orcredit config show -p work
  orcredit config path
"""


class Action(StrEnum):
    """What is to be done."""

    SHOW = "show"
    PATH = "path"
    EDIT = "edit"


ActionName = Annotated[Action, typer.Argument(metavar="ACTION", help="What to do: show, path or edit.")]
Json = Annotated[
    bool, typer.Option("--json", metavar="", help="With show: print a JSON list of {name, value, source}.")
]


class Row(NamedTuple):
    """An option with its value, and where that comes from; None for what is not set."""

    name: str
    value: str | None
    source: str


def config(*, action: ActionName = Action.SHOW, profile: Profile = None, json: Json = False) -> int:
    """Run the command.

    Returns:
        0.

    Raises:
        OrcreditError: the file is not valid, cannot be used, or there is no such profile.
    """
    if action is not Action.SHOW and (json or profile is not None):
        raise UsageError("--json and --profile are for 'config show'.", hint="See 'orcredit config --help'.")
    match action:
        case Action.SHOW:
            _show(profile, as_json=json)
        case Action.PATH:
            _print_path()
        case _:
            _edit()
    return ExitCode.OK


def _print_path() -> None:
    file = path()
    if file is None:
        raise ConfigurationError(
            "There is no configuration file.", hint=f"{VARIABLE} names the null device, or HOME is not set."
        )
    write(f"{file}\n")
    if not os.path.lexists(file):
        complain("this file does not exist yet.", "Make it with 'orcredit config edit' or 'orcredit profile add NAME'.")


def _show(profile: str | None, *, as_json: bool) -> None:
    from orcredit.config.profiles import select  # noqa: PLC0415 - not for --help

    rows = rows_of(select(profile))
    if as_json:
        import json  # noqa: PLC0415 - not for --help

        listed = [row._asdict() for row in rows]
        write(encodable_json(json.dumps(listed, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None)) + "\n")
        return
    from rich.table import Table  # noqa: PLC0415 - Rich
    from rich.text import Text  # noqa: PLC0415 - likewise

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_column(style="dim", overflow="fold")
    for row in rows:
        grid.add_row(row.name, Text(row.value or ""), Text(row.source))
    show(grid)


DEFAULTS: dict[str, str | None] = {
    "warn_below": "10%, and $1 of the account's credit",
    "timeout": DEFAULT_TIMEOUT,
    "interval": DEFAULT_INTERVAL,
    "verbose": "false",
    "no_history": "false",
    "no_bell": "false",
    "database_url": "a file in your data directory",
    "since": "7d",
    "every": "1h",
    "max_age": "60s",
    "format": None,
    "color": "never",
    "exit_zero": "false",
    "host": "127.0.0.1",
    "port": "4000",
    "open": "false",
    "token_file": None,
    "allow_host": None,
}
"""The options besides the base URL, with their defaults as text; a test compares them with the commands'."""

_VARIABLES = {
    "warn_below": "ORCREDIT_WARN_BELOW",
    "database_url": "ORCREDIT_DATABASE_URL",
    "no_history": "ORCREDIT_NO_HISTORY",
    "token_file": "ORCREDIT_TOKEN",
}


def rows_of(selected: Selected) -> list[Row]:
    """Return every option with its value and source. No key is read.

    Raises:
        UsageError, ConfigurationError: the base URL is invalid.
    """
    file = path()
    is_there = selected.file is not None
    rows = [Row("file", shown(file) if file else None, "exists" if is_there else "does not exist")]
    is_default = selected.source not in {None, "--profile", "ORCREDIT_PROFILE"}
    source = _in_short("profile", selected.option_place("profile"), selected) if is_default else selected.source
    rows.append(Row("profile", selected.name, source or "the unnamed profile: variables"))
    rows += _keys(selected)
    url, _, _, source = selected.address()
    rows.append(Row("base_url", url, _in_short("base_url", source or "default", selected)))
    return rows + [_row(name, default, selected) for name, default in DEFAULTS.items()]


def _row(name: str, default: str | None, selected: Selected) -> Row:
    variable = _VARIABLES.get(name)
    value = os.environ.get(variable, "").strip() if variable else ""
    if variable and value:
        is_secret = name in {"database_url", "token_file"}
        return Row(name, "set (not shown)" if is_secret else value, variable)
    in_file, place = selected.option(name)
    if in_file is None:
        return Row(name, default, "default")
    return Row(name, _text(in_file), _in_short(name, place or "", selected))


def _in_short(name: str, place: str, selected: Selected) -> str:
    """Name a line of the file, whose path stands in the first row."""
    file = shown(selected.file.path) if selected.file is not None else ""
    return place.replace(f"{name} in {file}", NAME)


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _keys(selected: Selected) -> list[Row]:
    if selected.table is not None:
        sources = (("key", selected.table.key), ("management_key", selected.table.management_key))
        return [_key(kind, source, selected) for kind, source in sources]
    rows = []
    for kind, names in (
        ("key", ("OPENROUTER_API_KEY", "ANTHROPIC_AUTH_TOKEN")),
        ("management_key", ("OPENROUTER_MANAGEMENT_KEY",)),
    ):
        name = next((name for name in names if os.environ.get(name, "").strip()), None)
        rows.append(Row(kind, None if name is None else "set (not shown)", name or "no variable is set"))
    return rows


def _key(kind: str, source: Source | None, selected: Selected) -> Row:
    if source is None or selected.file is None:
        return Row(kind, None, "not set")
    # Of a command only the program: its arguments may say more than others should see.
    value = {"env": f"${source.value}", "file": str(source.value), "keyring": "the keychain"}.get(source.how)
    line = selected.file.line_of(source.option, source.profile)
    where = f"{source.option} in {NAME}" + (f", line {line}" if line is not None else "")
    return Row(kind, value or f"what {shown(str(source.value[0]))} prints", where)


# Editing


def _edit() -> None:
    from orcredit.config import writing  # noqa: PLC0415 - tomlkit

    before = writing.read_text()
    file = writing.file_path()
    draft = _draft(file, before or writing.TEMPLATE)
    try:
        _run_editor(draft)
        text = _edited(draft)
    except BaseException:
        with suppress(OSError):  # an editor may have removed it
            os.unlink(draft)  # noqa: PTH108
        raise
    if text == before:
        os.unlink(draft)  # noqa: PTH108
        write("Nothing was changed.\n")
        return
    try:
        writing.write(text)
    except ConfigurationError as error:
        problem, hint = str(error), error.hint
    else:
        os.unlink(draft)  # noqa: PTH108
        write(f"Wrote {shown(file)}\n")
        return
    raise ConfigurationError(
        f"{problem.rstrip('.')}; the file was not changed.", hint=f"{hint} What you wrote is in {shown(draft)}".strip()
    )


def _edited(draft: str) -> str:
    try:
        with open(draft, encoding="utf-8", errors="replace") as edited:  # noqa: PTH123
            return edited.read()
    except OSError as error:
        reason = error.strerror or type(error).__name__
    raise ConfigurationError(
        f"What the editor left cannot be read: {reason}; nothing was changed.",
        hint=f"It has to save the file in its place: {shown(draft)}",
    )


def _draft(file: str, text: str) -> str:
    """Write a text beside the file, so that an editor knows what it is."""
    from orcredit.private_files import make_private, replace  # noqa: PLC0415 - only for editing

    folder, name = os.path.split(os.path.realpath(file))
    draft = os.path.join(folder, f"{name.removesuffix('.toml')}-draft.toml")  # noqa: PTH118
    try:
        if not os.path.isdir(folder):  # noqa: PTH112
            make_private(folder)
        replace(draft, text.encode())
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigurationError(
            f"{shown(draft)} cannot be written: {reason}.", hint=f"Check its folder, or set {VARIABLE}."
        ) from None
    return draft


def _run_editor(draft: str) -> None:
    import shlex  # noqa: PLC0415 - not for --help
    import subprocess  # noqa: PLC0415 - likewise

    chosen = (os.environ.get(name, "").strip() for name in ("VISUAL", "EDITOR"))
    editor = next((name for name in chosen if name), "notepad" if sys.platform == "win32" else "vi")
    hint = "Set VISUAL or EDITOR to an editor that returns when you close the file."
    try:
        code = subprocess.call([*shlex.split(editor), draft])  # noqa: S603 - the user's editor
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name cannot be read"
        raise ConfigurationError(f"The editor could not be started: {reason}.", hint=hint) from None
    if code != 0:
        raise ConfigurationError(f"The editor ended with exit code {code}; nothing was changed.", hint=hint)
