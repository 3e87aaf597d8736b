"""The terminal while `watch` fills it: taken over, drawn on, given back at the end, on Ctrl-Z and after an error."""

from __future__ import annotations

import select
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from rich.live import Live

from orcredit.render.keyboard import is_in_foreground

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console

    from orcredit.render.keyboard import Keyboard
    from orcredit.render.live import LiveView
    from orcredit.render.live_all import ProfilesView

_PUSH_TITLE, _POP_TITLE = "\x1b[22;2t", "\x1b[23;2t"
"""Have the terminal remember its window's title, and put it back (xterm's; others ignore it)."""


class Screen:
    """The alternate screen, the cursor, the window's title and the keyboard; a context manager that restores them.

    While this process is a background job of its shell, nothing is drawn and the terminal is left alone; it is taken
    over when the job comes to the foreground.

    Args:
        console: writes to the terminal.
        view: what to show.
        keyboard: reads from the terminal.
    """

    def __init__(self, console: Console, view: LiveView | ProfilesView, keyboard: Keyboard) -> None:
        self._console = console
        self._view = view
        self._keyboard = keyboard
        self._live: Live | None = None
        self._title = ""

    def __enter__(self) -> Self:
        if self._is_in_foreground():
            self._take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._release()

    def draw(self) -> None:
        """Show the view as it is now, unless the terminal takes no output (Ctrl-S), or is another job's."""
        if not self._is_in_foreground() or not self._takes_output():
            return
        live = self._live or self._take()
        if self._view.title != self._title:
            self._title = self._view.title
            self._console.set_window_title(self._title)
        live.update(self._view, refresh=True)

    def ring(self) -> None:
        """Ring the terminal's bell."""
        if self._live is not None:
            self._console.bell()

    def suspend(self) -> None:
        """Give the terminal back and stop this process, as Ctrl-Z asks; returns when it is continued.

        The action of SIGTSTP must be the system's. It is not obeyed where no shell could continue the process.
        """
        self._release()
        signal.raise_signal(signal.SIGTSTP)

    def resume(self) -> None:
        """Take the terminal over again after SIGCONT: while the process was stopped, others wrote and changed it."""
        self._release()
        self.draw()

    def _take(self) -> Live:
        self._keyboard.listen()
        self._live = Live(self._view, console=self._console, screen=True, auto_refresh=False, vertical_overflow="crop")
        self._live.start()
        self._write(_PUSH_TITLE)
        self._title = ""
        return self._live

    def _release(self) -> None:
        if self._live is None:
            return
        live, self._live = self._live, None
        is_ours = self._is_in_foreground()
        if is_ours:
            self._resume_output()
        self._write(_POP_TITLE)
        live.stop()
        if is_ours:
            self._keyboard.release()
        else:
            self._keyboard.forget()

    def _is_in_foreground(self) -> bool:
        with suppress(OSError, ValueError):  # no file of the system's
            return is_in_foreground(self._console.file.fileno())
        return True

    def _takes_output(self) -> bool:
        with suppress(OSError, ValueError):  # Windows: not for files
            return bool(select.select([], [self._console.file], [], 0)[1])
        return True

    def _resume_output(self) -> None:
        """Undo a Ctrl-S: restoring the terminal would wait for a Ctrl-Q."""
        with suppress(ImportError, OSError, ValueError):
            import termios  # noqa: PLC0415 - not on Windows

            with suppress(termios.error):
                termios.tcflow(self._console.file.fileno(), termios.TCOON)

    def _write(self, sequence: str) -> None:
        if not self._console.is_dumb_terminal:
            self._console.file.write(sequence)
            self._console.file.flush()
