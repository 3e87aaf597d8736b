"""Writing to standard output and standard error, with an exit code and a message when that fails."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress

from orcredit.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO, TypeGuard

    from rich.console import RenderableType


def prepare_streams() -> None:
    """Replace missing streams, and characters that a stream cannot encode."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller (>&-)
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - open until exit
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


_SIZES = ("COLUMNS", "LINES", "TERMINAL_WIDTH")
_LONGEST_SIZE = 5  # digits


def remove_invalid_sizes() -> None:
    """Remove invalid terminal sizes from the environment: Rich and Typer fail on digits that `int` does not accept."""
    for name in _SIZES:
        size = os.environ.get(name, "0")
        if not (size.isascii() and size.isdecimal() and len(size) <= _LONGEST_SIZE):
            del os.environ[name]


_WRITE_ERRORS = frozenset({errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EDQUOT, errno.EBADF})
"""Errors of failed writes: the disk is full or broken, or a limit is reached."""


def is_write_error(error: Exception) -> TypeGuard[OSError]:
    """Whether an error comes from a failed write (Typer and Rich also write)."""
    return isinstance(error, OSError) and error.errno in _WRITE_ERRORS


def write_error(error: OSError) -> ConfigurationError:
    """Return our error for a failed write; discards further output, so that the interpreter's last flush succeeds."""
    discard_output()
    return ConfigurationError(
        f"The output could not be written: {error.strerror}.", hint="Check where standard output goes."
    )


def write(text: str) -> None:
    """Write to standard output and flush it.

    Raises:
        ConfigurationError: it could not be written; the disk may be full.
        BrokenPipeError: the reader closed the pipe; `orcredit.cli.main` then exits without a message.
    """
    try:
        if _may_refuse(sys.stdout):
            write_all(sys.stdout, text)  # a buffer would lose the rest
        else:
            sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise write_error(error) from None


def complain(message: str, hint: str = "") -> None:
    """Print an error message and a hint on standard error.

    A failure to do so is ignored, as it must not change the exit code.
    """
    with suppress(OSError):
        sys.stderr.write(f"orcredit: {message}\n" + (f"{hint}\n" if hint else ""))
        sys.stderr.flush()


def write_unbuffered(text: str) -> None:
    """Write without Python's buffers, for a thread that may be abandoned while it is blocked.

    It would hold the buffer's lock, for which the interpreter's last flush would wait. Raises what `write` raises.
    """
    try:
        write_all(sys.stdout, text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise write_error(error) from None


def write_all(stream: TextIO, text: str) -> None:
    """Write to a stream's file descriptor, bypassing its buffer. Raises OSError."""
    rest = text.encode(stream.encoding or "utf-8", errors="replace")
    while rest:
        try:
            rest = rest[os.write(stream.fileno(), rest) :]
        except BlockingIOError:
            import select  # noqa: PLC0415 - rare, and the prompt line pays for every import

            select.select([], [stream], [])


def _may_refuse(stream: TextIO) -> bool:
    """Whether a write may fail as the reader is slow: another program set O_NONBLOCK on the same pipe or terminal."""
    if sys.platform == "win32":
        return False
    try:
        return not os.get_blocking(stream.fileno())
    except (OSError, ValueError):  # no file of the system's
        return False


SMALLEST_WIDTH = 40
"""Columns. Narrower terminals, and those that report a width of 0, wrap the lines."""


def show(renderable: RenderableType) -> None:
    """Render for standard output, and write it. Raises what `write` raises."""
    from rich.console import Console  # noqa: PLC0415 - `--json`, `--csv` and `--quiet` need no Rich

    console = Console(markup=False, emoji=False, highlight=False)
    console.width = max(console.width, SMALLEST_WIDTH)
    with console.capture() as captured:
        console.print(renderable)
    # Tables pad their lines with blanks, which are invisible on terminals only.
    write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def discard_output() -> None:
    """Redirect standard output to the null device, so that the interpreter's last flush succeeds."""
    _discard(sys.stdout)


def flush_errors() -> None:
    """Flush standard error, or discard it: a failing flush at exit would change the exit code."""
    try:
        sys.stderr.flush()
    except OSError:
        _discard(sys.stderr)


def _discard(stream: TextIO) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
