"""Standard output, where every command writes: at once, with a clear error when it cannot; and where errors go."""

from __future__ import annotations

import os
import sys

from orcredit.errors import ConfigurationError


def prepare_streams() -> None:
    """Make sure that there are streams, and that no character can break them."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller (>&-)
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - open until exit
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


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
        discard_output()
        message = f"The output could not be written: {error.strerror}."
        raise ConfigurationError(message, hint="Check where standard output goes.") from None


def complain(message: str, hint: str) -> None:
    """Say on standard error what went wrong, and what to do about it."""
    sys.stderr.write(f"orcredit: {message}\n{hint}\n")


def discard_output() -> None:
    """Point standard output at nothing, so that the interpreter's own last flush has nothing to complain about."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
