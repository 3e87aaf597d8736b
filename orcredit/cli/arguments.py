"""The command line before Typer reads it: a bare `orcredit`, `help`, and options before the command."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Sequence

DEFAULT_COMMAND = "status"
"""The command of a command line without one."""

NO_COLOR = "--no-color"

_ENDING = ("--version", "-V", "--help", "-h")
"""Options that show something and exit, whatever else is given before the command."""

_SWITCHES = frozenset({"--json", "--quiet", "-q", "--demo", "--verbose", "-v", "--all", NO_COLOR})
"""Options without a value; the word after any other option may be its value."""


def arranged(words: Sequence[str], commands: Container[str]) -> list[str]:
    """Put the command first.

    `help` and `help COMMAND` become `--help` and `COMMAND --help`. Options before the command go behind it:
    `--json status` becomes `status --json`, and `--json` alone `status --json`.

    Args:
        words: the command line.
        commands: the names of all commands.

    Returns:
        The command and its options; options of the program itself, or a word that is no command, as they are.
    """
    if words[:1] == ["help"]:
        topic = [word for word in words[1:] if word != "help" and word not in _ENDING]
        return [*topic, "--help"]
    before: list[str] = []
    for index, word in enumerate(words):
        if word in _ENDING:
            return [word]
        if word in commands:
            return [word, *before, *words[index + 1 :]]
        is_value = bool(before) and before[-1] not in _SWITCHES and "=" not in before[-1]
        if not word.startswith("-") and not is_value:
            return list(words[index:])
        before.append(word)
    return [DEFAULT_COMMAND, *before]
