"""The command line: parse, call the library, render, exit.

`run` is the console script; `main` turns every failure into one or two lines on stderr and its documented exit code.
"""

from __future__ import annotations

import gc
import os
import sys
import time

from orcredit.cli.leaving import leave
from orcredit.cli.output import (
    complain,
    discard_output,
    flush_errors,
    is_write_error,
    prepare_streams,
    remove_invalid_sizes,
    write,
    write_error,
)
from orcredit.errors import ConfigurationError, ExitCode, OrcreditError, UsageError, unexpected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Never


def run() -> Never:
    """Run the command line and exit with its code: the console script, and `python -m orcredit`."""
    # Pydantic would load the plugins of all installed packages; they could read the keys.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    leave(main())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: replaces `sys.argv[1:]`.

    Returns:
        The exit code (see `orcredit.errors.ExitCode`); nothing is raised.
    """
    gc.disable()  # collections during the imports take a tenth of the time, and most commands end soon after
    try:
        prepare_streams()
        remove_invalid_sizes()
        code = _dispatch(arguments)
        write("")  # flushes what Typer and Rich wrote, while a failure can still set the exit code
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except OrcreditError as error:
        code = _fail(error)
    except (SystemExit, BrokenPipeError) as leaving:
        # Typer and Rich turn a BrokenPipeError (`| head`) into SystemExit.
        if isinstance(leaving, BrokenPipeError) or isinstance(leaving.__context__, BrokenPipeError):
            discard_output()
            code = ExitCode.OK
        else:
            code = leaving.code if isinstance(leaving.code, int) else ExitCode.OK
    except Exception as error:  # noqa: BLE001 - a traceback or the message might show a key
        code = _fail(_explain(error))
    flush_errors()
    return code


def _explain(error: Exception) -> OrcreditError:
    """Convert an unexpected error to one with a message, a hint and an exit code."""
    if is_write_error(error):
        return write_error(error)
    if isinstance(error, OverflowError) and not _clock_can_be_read():
        return ConfigurationError(
            "This machine's clock shows a time that Python cannot represent.", hint="Set the clock."
        )
    return unexpected(error)


def _clock_can_be_read() -> bool:
    """Whether Python can represent the time of day: beyond the year 2262 its clock, and with it `logging`, fails."""
    try:
        time.time()
    except OverflowError:
        return False
    return True


def _dispatch(arguments: Sequence[str] | None) -> int:
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["line"] and (code := _line(words[1:])) is not None:
        return code  # it runs before every prompt: importing Typer alone would take ten times as long
    from typer import TyperException  # noqa: PLC0415 - inside main(), which handles Ctrl-C during the import

    from orcredit.cli import completion  # noqa: PLC0415
    from orcredit.cli.app import COMMANDS, application  # noqa: PLC0415
    from orcredit.cli.arguments import NO_COLOR, arranged  # noqa: PLC0415

    if words and words[0].partition("=")[0] in {completion.INSTALL, completion.SHOW}:
        return completion.run(words)  # Typer does not support optional values
    if NO_COLOR in words:
        os.environ["NO_COLOR"] = "1"  # which Rich reads, also for Typer's help
    if completion.VARIABLE not in os.environ:
        words = arranged(words, COMMANDS)
    if words[:1] == ["line"] and (code := _line(words[1:])) is not None:
        return code
    command = words[0] if words and words[0] in COMMANDS else None
    app = application(command)
    try:
        return app.main(args=words, prog_name="orcredit", standalone_mode=False) or ExitCode.OK
    except TyperException as error:
        raise UsageError(
            error.format_message().replace("Value error, ", ""), hint=_usage_hint(error.format_message(), command)
        ) from None


def _line(words: Sequence[str]) -> int | None:
    """Run `orcredit line`; None for what Typer handles: its help and usage errors."""
    from orcredit.cli import line  # noqa: PLC0415 - not for other commands

    options = line.parse(words)
    return None if options is None else line.run(options)


def _usage_hint(message: str, command: str | None) -> str:
    if "sk-" in message:  # a key was typed as an argument; the message redacts it
        return "A key is not an argument (it would stay in the shell's history): set OPENROUTER_API_KEY."
    if message.startswith("Option '--warn-below' requires"):
        return "A shell replaces $5 by nothing: quote it ('$5'), or write 5."
    return f"See 'orcredit {command} --help'." if command else "Try 'orcredit status', or see 'orcredit --help'."


def _fail(error: OrcreditError) -> ExitCode:
    complain(str(error), error.hint)
    return error.exit_code
