"""The command line: parse, call the library, render, exit.

`main` is the console script. It turns every failure into one or two lines on stderr and the documented exit code.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from orcredit.errors import ConfigurationError, ExitCode, OrcreditError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: in place of `sys.argv[1:]`.

    Returns:
        The exit code (see `orcredit.errors.ExitCode`); nothing is raised.
    """
    try:
        _prepare_streams()
        code = _dispatch(arguments)
        _flush()
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except OrcreditError as error:
        return _fail(str(error), error.hint, error.exit_code)
    except BrokenPipeError:
        # Whoever read has seen enough (`| head`). The interpreter's own last flush must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback, and no message that may quote a key
        return _fail(f"internal error: {_where(error)}.", OrcreditError.hint, ExitCode.BUG)
    return code


def _dispatch(arguments: Sequence[str] | None) -> int:
    from typer import TyperException  # noqa: PLC0415 - inside main(), so that Ctrl-C during the import is quiet too

    from orcredit.cli.app import app  # noqa: PLC0415

    try:
        return app(args=arguments, prog_name="orcredit", standalone_mode=False) or ExitCode.OK
    except TyperException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "orcredit"
        hint = (
            f"See '{command} --help'." if command != "orcredit" else "Try 'orcredit status', or see 'orcredit --help'."
        )
        raise UsageError(error.format_message(), hint=hint) from None


def _prepare_streams() -> None:
    """Make sure that there are streams, and that no character can break them."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller (>&-)
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - open until exit
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _flush() -> None:
    """Flush here, where a full disk can still become an error and an exit code."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise ConfigurationError(
            f"The output could not be written: {error.strerror}.", hint="Check where standard output goes."
        ) from None


def _fail(message: str, hint: str, code: ExitCode) -> int:
    sys.stderr.write(f"orcredit: {message}\n{hint}\n")
    return code


def _where(error: Exception) -> str:
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    place = f"{os.path.basename(traceback.tb_frame.f_code.co_filename)}:{traceback.tb_lineno}" if traceback else "?"  # noqa: PTH119
    return f"{type(error).__name__} at {place}"
