"""Single keys from the terminal while a live view is shown."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType


_ESCAPE_SEQUENCE = re.compile(r"\x1b(\[[0-9;]*[~A-Za-z]|O.|.|$)")
"""Function keys, arrows and Alt with a key: the letters in their sequences are not key presses."""


class Keyboard:
    """Reads keys one by one without echo; a context manager that restores the terminal.

    If standard input is no terminal, and on Windows, there are no keys.
    """

    def __init__(self) -> None:
        self._keys: asyncio.Queue[str] = asyncio.Queue()
        self._before: list[Any] | None = None

    def __enter__(self) -> Self:
        try:
            import termios  # noqa: PLC0415 - not on Windows
            import tty  # noqa: PLC0415
        except ImportError:
            return self
        with suppress(OSError, ValueError, termios.error):
            file = sys.stdin.fileno()
            before = termios.tcgetattr(file)
            tty.setcbreak(file, termios.TCSANOW)
            # Ctrl-Z is disabled: it would leave the alternate screen to the shell.
            keys = termios.tcgetattr(file)
            keys[6][termios.VSUSP] = os.fpathconf(file, "PC_VDISABLE").to_bytes()
            termios.tcsetattr(file, termios.TCSANOW, keys)
            self._before = before
            asyncio.get_running_loop().add_reader(file, self._read, file)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._before is None:
            return
        import termios  # noqa: PLC0415 - imported when `_before` was set

        file = sys.stdin.fileno()
        asyncio.get_running_loop().remove_reader(file)
        with suppress(OSError, termios.error):  # the terminal may be gone
            termios.tcsetattr(file, termios.TCSANOW, self._before)

    async def key(self) -> str:
        """Wait for the next key."""
        return await self._keys.get()

    def _read(self, file: int) -> None:
        typed = b""
        with suppress(OSError):
            typed = os.read(file, 64)
        if not typed:  # the terminal is gone; a reader that is always ready would spin
            asyncio.get_running_loop().remove_reader(file)
        for char in _ESCAPE_SEQUENCE.sub("", typed.decode(errors="replace")):
            self._keys.put_nowait(char)
