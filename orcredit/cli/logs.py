"""`--verbose`: the library's log records on standard error."""

from __future__ import annotations

import logging
import sys


def show_requests(*, is_demo: bool) -> None:
    """Show each request's method, path, status and duration on standard error; never a key."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(f"orcredit{' (simulated)' if is_demo else ''}: %(message)s"))
    logger = logging.getLogger("orcredit")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
