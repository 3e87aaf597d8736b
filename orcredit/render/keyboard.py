"""Single keys from the terminal while a live view is shown."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from contextlib import suppress
from typing import Any

_KEY = re.compile(r"\x1b(?:\[[0-9;]*[~A-Za-z]|O.|.|$)|.", re.DOTALL)
"""A character; or a function key, an arrow or Alt with a key, the letters in whose sequences are not key presses."""

_NAMES = {
    "A": "up",
    "B": "down",
    "H": "home",
    "F": "end",
    "1~": "home",
    "4~": "end",
    "5~": "page up",
    "6~": "page down",
    "7~": "home",
    "8~": "end",
}
"""The keys that have names here, by the end of their sequence, after `ESC [` or `ESC O`."""


def is_in_foreground(file: int) -> bool:
    """Whether this process may use a terminal: a shell's background jobs are stopped when they change its settings.

    Args:
        file: the terminal's descriptor. One that is not this session's terminal has no job control.
    """
    try:
        group = os.tcgetpgrp(file)
    except (AttributeError, OSError):  # AttributeError: Windows
        return True
    return group in {0, os.getpgrp()}  # 0: of another PID namespace


class Keyboard:
    """Reads keys one by one without echo, between `listen` and `release`.

    If standard input is no terminal, and on Windows, there are no keys.
    """

    def __init__(self) -> None:
        self._keys: asyncio.Queue[str] = asyncio.Queue()
        self._before: list[Any] | None = None
        """The terminal's settings, to be restored."""
        self._file: int | None = None
        """The terminal, while keys are read."""

    def listen(self) -> None:
        """Begin to read keys, in the foreground only."""
        try:
            import termios  # noqa: PLC0415 - not on Windows
            import tty  # noqa: PLC0415
        except ImportError:
            return
        with suppress(OSError, ValueError, termios.error):
            file = sys.stdin.fileno()
            before = termios.tcgetattr(file)
            tty.setcbreak(file, termios.TCSANOW)
            if self._before is None:  # else `forget` left the settings as they were changed here
                self._before = before
            asyncio.get_running_loop().add_reader(file, self._read, file)
            self._file = file

    def release(self) -> None:
        """Read no more keys, and restore the terminal's settings, in the foreground only."""
        self.forget()
        if self._before is None:
            return
        import termios  # noqa: PLC0415 - imported when `_before` was set

        with suppress(OSError, ValueError, termios.error):  # the terminal may be gone
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, self._before)
        self._before = None

    def forget(self) -> None:
        """Read no more keys, and leave the terminal's settings alone: it is another process's at the moment."""
        if self._file is not None:
            asyncio.get_running_loop().remove_reader(self._file)
            self._file = None

    async def key(self) -> str:
        """Wait for the next key: a character, or the name of one that moves, such as "page down"."""
        return await self._keys.get()

    def _read(self, file: int) -> None:
        if not is_in_foreground(file):
            return  # reading would stop this process
        typed = b""
        with suppress(OSError):
            typed = os.read(file, 64)
        if not typed:  # the terminal is gone; a reader that is always ready would spin
            self.forget()
        for key in _KEY.findall(typed.decode(errors="replace")):
            if not key.startswith("\x1b"):
                self._keys.put_nowait(key)
            elif key[1:2] in {"[", "O"} and (name := _NAMES.get(key[2:])):
                self._keys.put_nowait(name)
