"""Whether this session can show a browser."""

from __future__ import annotations

import os
import sys


def has_display() -> bool:
    """Whether a browser can be opened: on Linux, without a display, a text browser would take the terminal."""
    return sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
