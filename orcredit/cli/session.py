"""What Claude Code writes to the standard input of its status line: JSON, of which the cost of the session is used.

https://code.claude.com/docs/en/statusline describes it. Only light standard modules are imported.
"""

from __future__ import annotations

import os
import sys

LARGEST = 1 << 20
"""Bytes; Claude Code writes about two thousand."""

PATIENCE = 0.5
"""Seconds to wait for all of it. It is written at once; a prompt must not hang on what another program left open."""

_LARGEST_COST = 1e9
"""USD. Larger amounts are mistakes."""


def read_cost() -> float | None:
    """Return the session's cost so far in USD; None if standard input does not say it, or is a terminal."""
    try:
        descriptor = sys.stdin.fileno()
        if os.isatty(descriptor):
            return None
        return _cost(_read(descriptor))
    except (OSError, ValueError, AttributeError):  # closed, or no file of the system's
        return None


def _read(descriptor: int) -> bytes:
    import time  # noqa: PLC0415 - for this target alone

    content = bytearray()
    deadline = time.monotonic() + PATIENCE
    while _is_ready(descriptor, deadline - time.monotonic()):
        chunk = os.read(descriptor, 1 << 16)
        content += chunk
        if not chunk or len(content) > LARGEST:
            break
    return bytes(content)


def _is_ready(descriptor: int, wait: float) -> bool:
    if sys.platform == "win32":
        return True  # its pipes cannot be waited for
    import select  # noqa: PLC0415 - as above

    return bool(select.select([descriptor], [], [], max(wait, 0.0))[0])


def _cost(content: bytes) -> float | None:
    import json  # noqa: PLC0415 - as above

    try:
        cost = json.loads(content)["cost"]["total_cost_usd"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    is_amount = isinstance(cost, int | float) and not isinstance(cost, bool) and 0 <= cost <= _LARGEST_COST
    return float(cost) if is_amount else None
