"""Programs on a pseudo-terminal: what they draw, as it comes."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PATIENCE = 30.0
"""Seconds for what must happen soon."""

_TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execvp(sys.argv[1], sys.argv[1:])"
)
"""Makes the pseudo-terminal the controlling one, without which shells have no job control."""


def needed(program: str) -> str:
    """Return a program's path; without it the test is skipped, and fails in CI but where `TESTS_WITHOUT` names it."""
    path = shutil.which(program)
    if path is None and "CI" in os.environ and os.environ.get("TESTS_WITHOUT") != program:
        pytest.fail(f"{program} is not installed, and in CI it must be")
    if path is None:
        pytest.skip(f"{program} is not installed")
    return path


_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[()]B|\][^\x07]*\x07|[=>])")


def rest_of(ours: int) -> bytes:
    """Read our side of a pseudo-terminal until the other one is closed; one read gives 4 KiB at most."""
    shown = b""
    with suppress(OSError):  # on Linux, when the other side is closed
        while chunk := os.read(ours, 65536):
            shown += chunk
    return shown


def read_to_end(ours: int) -> str:
    """Read our side of a pseudo-terminal until the other one is closed, and close it."""
    shown = rest_of(ours)
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


class PseudoTerminal:
    """A program on a terminal of this size, within a `with` block; killed at its end."""

    def __init__(
        self, command: Sequence[str], *, environ: Mapping[str, str], cwd: Path, columns: int = 80, lines: int = 24
    ) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a character may come in two reads
        self._shown = ""
        self._process = subprocess.Popen(
            [sys.executable, "-ISc", _TAKE_TERMINAL, *command],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=dict(environ),
            cwd=cwd,
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def until(self, pattern: str, *, with_escapes: bool = False) -> str:
        """Wait until what was drawn so far matches a pattern, by default apart from escape sequences; return all of it.

        What follows the match may not have come yet.
        """
        deadline = time.monotonic() + PATIENCE
        while not re.search(pattern, self._shown if with_escapes else _ESCAPES.sub("", self._shown)):
            ready, _, _ = select.select([self._ours], [], [], max(deadline - time.monotonic(), 0))
            assert ready, f"{pattern!r} was not drawn: {self._shown!r}"
            try:
                chunk = os.read(self._ours, 1 << 16)
            except OSError:  # Linux's end of file: the program ended
                chunk = b""
            assert chunk, f"the program ended: {self._shown!r}"
            self._shown += self._decoder.decode(chunk)
        return self._shown

    def type(self, text: str) -> None:
        """Type a text."""
        os.write(self._ours, text.encode())
