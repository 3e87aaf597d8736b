"""Standard output, where every command writes: at once, with a clear error when it cannot; and where errors go."""

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
    """Make sure that there are streams, and that no character can break them."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller (>&-)
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - open until exit
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


_SIZES = ("COLUMNS", "LINES", "TERMINAL_WIDTH")
_LONGEST_SIZE = 5  # digits


def ignore_odd_sizes() -> None:
    """Drop what cannot be a terminal's size from the environment: Rich and Typer take every digit for a number."""
    for name in _SIZES:
        size = os.environ.get(name, "0")
        if not (size.isascii() and size.isdecimal() and len(size) <= _LONGEST_SIZE):
            del os.environ[name]


_NOT_WRITTEN = frozenset({errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EDQUOT, errno.EBADF})
"""What the system says when it cannot write: the disk is full, broken, or a limit is reached."""


def is_not_written(error: Exception) -> TypeGuard[OSError]:
    """Whether an error is about output that could not be written (Typer and Rich write some of it themselves)."""
    return isinstance(error, OSError) and error.errno in _NOT_WRITTEN


def cannot_write(error: OSError) -> ConfigurationError:
    """Make the error that says so, and keep the interpreter from trying once more."""
    discard_output()
    return ConfigurationError(
        f"The output could not be written: {error.strerror}.", hint="Check where standard output goes."
    )


def write(text: str) -> None:
    """Write to standard output and flush it.

    Raises:
        ConfigurationError: the disk is full, or whatever else keeps it from being written.
        BrokenPipeError: whoever read has seen enough; `orcredit.cli.main` ends the program quietly.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise cannot_write(error) from None


def complain(message: str, hint: str = "") -> None:
    """Say on standard error what went wrong, and what to do about it.

    Where that cannot be written either, nothing is said: the exit code still tells, and must not become another one.
    """
    with suppress(OSError):
        sys.stderr.write(f"orcredit: {message}\n" + (f"{hint}\n" if hint else ""))
        sys.stderr.flush()


def write_unbuffered(text: str) -> None:
    """Write past every buffer, for a thread that may have to be abandoned in the middle of it.

    A buffer's lock would be held by that thread, and the interpreter's last flush would wait for it. Raises what
    `write` raises.
    """
    try:
        write_all(sys.stdout, text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise cannot_write(error) from None


def write_all(stream: TextIO, text: str) -> None:
    """Write to a stream's file itself, past its buffer. Raises OSError."""
    rest = text.encode(stream.encoding or "utf-8", errors="replace")
    while rest:
        rest = rest[os.write(stream.fileno(), rest) :]


SMALLEST_WIDTH = 40
"""Columns; a terminal that has fewer, or says that it has none, gets lines that it may wrap."""


def show(renderable: RenderableType) -> None:
    """Render for the terminal, or for whatever standard output is, and write it. Raises what `write` raises."""
    from rich.console import Console  # noqa: PLC0415 - JSON, CSV and silence need no Rich

    console = Console(markup=False, emoji=False, highlight=False)
    console.width = max(console.width, SMALLEST_WIDTH)
    with console.capture() as captured:
        console.print(renderable)
    # A table pads its lines to its width, which only terminals do not show.
    write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def discard_output() -> None:
    """Point standard output at nothing, so that the interpreter's own last flush has nothing to complain about."""
    _discard(sys.stdout)


def settle_errors() -> None:
    """Flush standard error, or give up on it: what the interpreter cannot flush at the end changes the exit code."""
    try:
        sys.stderr.flush()
    except OSError:
        _discard(sys.stderr)


def _discard(stream: TextIO) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
