"""`--install-completion` and `--show-completion`, for a named shell or the one that runs the command.

The scripts are Typer's. Its installer is not used: its options take no value, it rewrites the whole start-up file
(a full disk would empty it), and for zsh it changes the completion menus of all programs.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from orcredit.cli.output import write
from orcredit.cli.startup_file import check_kind, contains, start_up_file
from orcredit.errors import ConfigurationError, ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VARIABLE = "_ORCREDIT_COMPLETE"
"""Set by a shell to request completions; Typer derives the name from the program's."""

INSTALL = "--install-completion"
SHOW = "--show-completion"

SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")
_FORMS = f"Accepted: {', '.join(SHELLS)}."


def run(words: Sequence[str]) -> int:
    """Run one of the two options.

    Args:
        words: the command line from the option on: a shell's name may follow.

    Raises:
        UsageError: an unknown shell, a shell that cannot be detected, or a surplus argument.
        ConfigurationError: the files cannot be written.
    """
    option, equals, shell = words[0].partition("=")
    given = [shell] if equals else list(words[1:2])
    surplus = words[len(given) + (0 if equals else 1) :][:1]
    if surplus:
        raise UsageError(f"{option} takes at most one shell's name, not also {surplus[0][:40]!r}.", hint=_FORMS)
    name = given[0] if given else _running_shell(option)
    if name not in SHELLS:
        raise UsageError(f"{option}: {name[:40]!r} is not a shell with completion for orcredit.", hint=_FORMS)
    if option == SHOW:
        write(f"{_script(name)}\n")
    else:
        path = install(name)
        write(f"{name} completion is installed in {path}.\nIt takes effect in new shells.\n")
    return ExitCode.OK


def install(shell: str) -> Path:
    """Install the completion script of a shell, and source it from the start-up file where needed.

    Returns:
        The script's path.

    Raises:
        UsageError: PowerShell, whose profile orcredit does not edit.
        ConfigurationError: a file cannot be read or written, or there is no home directory.
    """
    if shell not in {"bash", "zsh", "fish"}:
        raise UsageError(
            f"{shell} completion is not installed by orcredit.", hint=f"Run: orcredit {SHOW} {shell} >> $PROFILE"
        )
    by_hand = f"Save the output of 'orcredit {SHOW} {shell}' in a file that your shell reads when it starts."
    try:
        home = Path.home()
    except RuntimeError:
        raise ConfigurationError(
            "The completion could not be installed: there is no home directory.", hint=by_hand
        ) from None
    start_up: Path | None = None
    line = ""
    if shell == "bash":
        script, start_up = home / ".bash_completions" / "orcredit.sh", start_up_file(shell)
        line = "source '" + str(script).replace("'", "'\\''") + "'"
    elif shell == "zsh":
        script, start_up = home / ".zfunc" / "_orcredit", start_up_file(shell)
        line = "fpath+=~/.zfunc; autoload -Uz compinit; compinit"
    else:
        script = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "fish" / "completions" / "orcredit.fish"
    path = script
    try:
        script.parent.mkdir(parents=True, exist_ok=True)
        check_kind(script)
        script.write_text(f"{_script(shell)}\n", encoding="utf-8")
        if start_up is not None:
            path = start_up
            check_kind(start_up)
            _add_line(start_up, line)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise ConfigurationError(
            f"The completion could not be installed: {error.filename or path}: {reason}.", hint=by_hand
        ) from None
    return script


def prepare(environ: Mapping[str, str]) -> None:
    """Check the variables of a completion request, and register the shells with Typer.

    Raises:
        UsageError: the variables are not those of the installed scripts.
    """
    action, _, shell = environ[VARIABLE].partition("_")
    has_words = shell != "bash" or (
        "COMP_WORDS" in environ
        and environ.get("COMP_CWORD", "").isascii()
        and environ.get("COMP_CWORD", "").isdecimal()
    )
    if shell not in SHELLS or action not in {"complete", "source"} or (action == "complete" and not has_words):
        raise UsageError(
            f"{VARIABLE} or a variable that belongs to it is invalid.",
            hint=f"They are set by a shell's completion; install it again with 'orcredit {INSTALL}'.",
        )
    from typer._completion_classes import completion_init  # noqa: PLC0415 - Typer calls it only for its own options

    completion_init()


def _add_line(path: Path, line: str) -> None:
    """Append a line to a shell's start-up file unless it is there, wholly or not at all. Raises OSError."""
    before = path.read_bytes() if path.is_file() else b""
    encoded = os.fsencode(line)
    if contains(before, encoded):  # a directory's name may hold line breaks
        return
    with path.open("ab", buffering=0) as file:
        rest = (b"" if before.endswith(b"\n") or not before else b"\n") + encoded + b"\n"
        size = os.fstat(file.fileno()).st_size
        try:
            while rest:
                rest = rest[file.write(rest) :]
        except OSError:  # the disk is full: half a line would be an error in every new shell
            with suppress(OSError):
                file.truncate(size)
            raise


def _script(shell: str) -> str:
    from typer._completion_shared import get_completion_script  # noqa: PLC0415 - there is no public function for it

    return get_completion_script(prog_name="orcredit", complete_var=VARIABLE, shell=shell)


def _running_shell(option: str) -> str:
    import shellingham  # type: ignore[import-untyped]  # noqa: PLC0415 - as Typer does; a dependency of it

    try:
        name, _ = shellingham.detect_shell()
    except (shellingham.ShellDetectionFailure, RuntimeError, OSError):  # the latter two: on unsupported systems
        raise UsageError(
            "The shell could not be detected.", hint=f"Name it: orcredit {option} bash. {_FORMS}"
        ) from None
    return str(name)
