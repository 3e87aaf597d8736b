"""Writing to standard output and standard error, with an exit code and a message when that fails."""

from __future__ import annotations

import codecs
import errno
import os
import sys
from contextlib import suppress

from orcredit.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO, TypeGuard

    from rich.console import RenderableType


READABLE = "orcredit.readable"
"""The error handler of the streams: what a stream cannot encode becomes what is readable in its place, else `?`."""

_ESCAPED = "orcredit.escaped"
"""An error handler for JSON: what a stream cannot encode becomes an escape, which means the same."""

_ASCII = {
    "·": "-",
    "…": "...",
    "—": "-",
    "\N{EN DASH}": "-",
    "\N{MULTIPLICATION SIGN}": "x",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "→": "->",
    "━": "#",
    "█": "#",
    "╌": "-",
}


def _readable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_ASCII.get(char, "?") for char in error.object[error.start : error.end]), error.end


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", errors="surrogatepass").hex()
    return "".join(f"\\u{units[place : place + 4]}" for place in range(0, len(units), 4)), error.end


codecs.register_error(READABLE, _readable)
codecs.register_error(_ESCAPED, _escaped)


def prepare_streams() -> None:
    """Replace missing streams, and characters that a stream cannot encode, or that the locale C does not have."""
    encoding = "ascii" if _is_c_locale() else None  # None leaves it
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller (>&-)
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - open until exit
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding=encoding, errors=READABLE)


def _is_c_locale() -> bool:
    """Whether the user chose the locale C (or POSIX): Python writes UTF-8 there, which its terminals may not show.

    An environment without any locale, as in containers and services, is no choice.
    """
    environ = os.environ
    if not sys.flags.utf8_mode or environ.get("PYTHONUTF8") or environ.get("PYTHONIOENCODING"):
        return False
    # Not LC_CTYPE, which Python itself has set then.
    return (environ.get("LC_ALL") or environ.get("LANG")) in {"C", "POSIX"}


def encodable(text: str, stream: TextIO, errors: str = READABLE) -> str:
    """Replace what a stream cannot encode, as writing to it would."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, errors).decode(encoding)


def encodable_json(text: str) -> str:
    """Escape what standard output cannot encode in a JSON text."""
    return text if text.isascii() else encodable(text, sys.stdout, _ESCAPED)


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


def teller(base_url: str, *, is_loopback: bool) -> Callable[[int | None], None] | None:
    """Return what shows on standard error that an answer is waited for (`orcredit.blocking_client.ask`).

    Args:
        base_url: what is asked.
        is_loopback: whether that is on this machine.

    Returns:
        None where standard error is no terminal, or one that cannot remove a line.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM", "dumb") in {"dumb", "unknown", ""}:
        return None

    def tell(attempt: int | None) -> None:
        from orcredit.cli import waiting  # noqa: PLC0415 - most answers come sooner
        from orcredit.config.credentials import server_name  # noqa: PLC0415 - likewise

        waiting.show(server_name(base_url, is_loopback=is_loopback), attempt)

    return tell


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
    rest = text.encode(stream.encoding or "utf-8", READABLE)
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
    text = captured.get()
    if console.options.ascii_only:
        text = text.replace("…", ".")  # where Rich cut a text: three dots would be too wide
    # Tables pad their lines with blanks, which are invisible on terminals only.
    write("".join(f"{line.rstrip()}\n" for line in text.splitlines()))


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
