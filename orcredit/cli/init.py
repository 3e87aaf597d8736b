"""`orcredit init`: print what to put into which file, so that a prompt or status bar shows the balance."""

from __future__ import annotations

import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from orcredit.cli.output import write
from orcredit.cli.startup_file import append_once, start_up_file
from orcredit.errors import ConfigurationError, ExitCode, UsageError
from orcredit.render.prompts import TARGETS
from orcredit.render.snippets import SNIPPETS

WRITABLE = ("bash", "zsh", "fish", "tmux")
"""The targets whose files can be appended to; those of the others are JSON or TOML, and may hold secrets."""

MARK = "orcredit line"
"""What every snippet calls, and by which one that the user changed is recognised."""

HELP = """Print the snippet that shows the balance in a prompt or status bar.

It goes to standard output; where it belongs is said on standard error.
[b]--write[/b] adds it to the file of bash, zsh, fish or tmux, once, and keeps a copy
of the file as it was.
"""

EPILOG = """[b]Exit codes[/b]
  0 printed, or added, or already there   2 wrong usage
  78 a file that cannot be changed: the snippet is printed instead

[b]Examples[/b]
  orcredit init zsh --write
  orcredit init starship >> ~/.config/starship.toml
"""

Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help=f"What draws it: [b]{'[/b], [b]'.join(TARGETS)}[/b].",
        autocompletion=lambda: list(TARGETS),
        show_default=False,
    ),
]
Write = Annotated[
    bool,
    typer.Option("--write", metavar="", help=f"Add it to the start-up file: {', '.join(WRITABLE)}."),
]


def init(target: Target, *, write_: Write = False) -> int:
    """Run the command.

    Returns:
        0.

    Raises:
        UsageError: an unknown target, or one whose file orcredit does not write.
        ConfigurationError: the file cannot be changed; the snippet was printed.
    """
    if target not in TARGETS:
        raise UsageError(f"{target[:40]!r} is not known.", hint=f"Accepted: {', '.join(TARGETS)}.")
    if write_ and target not in WRITABLE:
        raise UsageError(
            f"--write: orcredit does not change {SNIPPETS[target].file}.",
            hint=f"Print the snippet with 'orcredit init {target}', and add it yourself.",
        )
    if write_:
        _add(target)
    else:
        _print(target)
    if shutil.which("orcredit") is None:
        _say("The snippet needs 'orcredit' on the PATH, where it is not now: see the README on how to install it.")
    return ExitCode.OK


def _print(target: str) -> None:
    snippet = SNIPPETS[target]
    file, by_option = snippet.file, ""
    if target in WRITABLE:
        file, by_option = _shown(start_up_file(target)), f", or run 'orcredit init {target} --write'"
    write(snippet.text)
    _say(f"Add this to {file}{by_option}. {snippet.effect.format(file=file)}")


def _add(target: str) -> None:
    snippet = SNIPPETS[target]
    path: Path | None = None
    try:
        path = start_up_file(target)
        change = append_once(path, snippet.text, MARK)
    except OSError as error:
        write(snippet.text)
        reason = (error.strerror or type(error).__name__).lower()
        raise ConfigurationError(
            f"Nothing was added: {_shown(Path(error.filename or str(path)))} {_predicate(reason)}.",
            hint="Add the lines above yourself.",
        ) from None
    if not change.is_changed:
        write(f"{_shown(path)} already calls '{MARK}': nothing was changed.\n")
        return
    copy = f" A copy of it as it was: {_shown(change.backup)}." if change.backup is not None else ""
    write(f"The lines were added to {_shown(path)}.{copy}\n{snippet.effect.format(file=_shown(path))}\n")


def _predicate(reason: str) -> str:
    """Complete a sentence about a file: our reasons are predicates, the system's are not."""
    return reason if reason.startswith(("is ", "has ", "was ", "belongs ")) else f"cannot be changed: {reason}"


def _shown(path: Path) -> str:
    """Return a path with `~` for the home directory."""
    try:
        return f"~/{path.relative_to(Path.home())}"
    except (ValueError, RuntimeError):
        return str(path)


def _say(text: str) -> None:
    """Print on standard error, so that standard output can be appended to a file."""
    with suppress(OSError):
        sys.stderr.write(f"{text}\n")
