"""Options that `config.toml` sets: what the command line and the environment do not say is taken from there."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from orcredit.config.place import existing
from orcredit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from orcredit.config.profiles import Selected

COMMANDS = frozenset({"status", "watch", "serve", "history", "keys", "activity"})
"""The commands that take options from the file here; `line` and `doctor` read it in their own way."""

FOR_TIMEOUT = frozenset({"doctor", "profile"})
"""The commands that take their timeout from it, and report what is wrong with the file in their own way."""

EACH_ITS_OWN = ""
"""The timeout or interval of several profiles where the command line says none: each has that which the file gives."""

_IN_VARIABLES = {"database_url": "ORCREDIT_DATABASE_URL", "no_history": "ORCREDIT_NO_HISTORY"}
"""Options that apply as their variables do: to what a command records, though it may have no such option."""

_READ_LATER = frozenset({"base_url", "warn_below"})
"""Options that are read with the profile (`orcredit.config.load.resolve`)."""


def apply(command: str, params: dict[str, Any], given: Collection[str]) -> None:
    """Set the options that the command line does not give.

    Args:
        command: its name.
        params: the values of its options by their names, which are changed.
        given: those that the command line gives.

    Raises:
        ConfigurationError: the file is not valid, or has no such profile.
    """
    if command not in {*COMMANDS, *FOR_TIMEOUT} or params.get("demo"):
        return  # the demo is the same for everybody
    if params.get("all"):
        params |= dict.fromkeys({"timeout", "interval"} & set(params) - set(given), EACH_ITS_OWN)
    if command in FOR_TIMEOUT:
        with suppress(ConfigurationError):
            if existing() is not None:
                _apply(command, params, given, ["timeout"])
    elif existing() is not None:
        from orcredit.config.options import OPTIONS  # noqa: PLC0415 - most users have no file

        _apply(command, params, given, [name for name in OPTIONS if name not in _READ_LATER])


def _apply(command: str, params: dict[str, Any], given: Collection[str], names: Iterable[str]) -> None:
    from orcredit.config.profiles import select  # noqa: PLC0415 - most users have no file

    if command == "serve":
        selected = _of_server(params, given)
    else:
        selected = select() if params.get("all") else select(params.get("profile"))
    for name in names:
        if name not in given and not _is_contradicted(command, name, params, given):
            _set(name, params, selected)


def _of_server(params: dict[str, Any], given: Collection[str]) -> Selected:
    """Choose whose options a server has: those of its only profile, else those of the whole file."""
    from orcredit.config.profiles import Selected, select_for_server  # noqa: PLC0415 - as above

    every, _ = select_for_server(params.get("profile"))
    if len(every) == 1:
        return every[0]
    for name in {"timeout", "interval"} - set(given):
        params[name] = EACH_ITS_OWN
    return Selected(None, every[0].file, None, None)


def _set(name: str, params: dict[str, Any], selected: Selected) -> None:
    value, _ = selected.option(name)
    if value is None:
        return
    if variable := _IN_VARIABLES.get(name):
        if not os.environ.get(variable, "").strip():
            os.environ[variable] = ("1" if value else "0") if isinstance(value, bool) else value
    elif name == "token_file" and name in params and selected.file is not None:
        params[name] = os.path.join(os.path.dirname(selected.file.path), os.path.expanduser(value))  # noqa: PTH111, PTH118, PTH120
    elif name in params and params[name] != EACH_ITS_OWN:
        params[name] = value


def _is_contradicted(command: str, name: str, params: dict[str, Any], given: Collection[str]) -> bool:
    """Whether the command line says something that the file's value would not go with."""
    match name:
        case "no_history":
            return "database_url" in given
        case "database_url":
            return bool(params.get("no_history"))
        case "verbose":
            return command == "watch" and sys.stdout.isatty()  # the requests would be written across the screen
        case "token_file":
            return bool(os.environ.get("ORCREDIT_TOKEN", "").strip())
        case _:
            return False
