"""Make a report safe to paste into an issue.

The checks put no secret into their texts. This is the second line of defence: whole keys, tokens and the home directory
are replaced wherever they are, in a path for example, and control characters are removed.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orcredit.diagnosis.check import Check

SECRETS = ("OPENROUTER_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENROUTER_MANAGEMENT_KEY", "ORCREDIT_TOKEN")
"""The variables whose values are secret as a whole."""

_SHORTEST_SECRET = 8
"""Characters. Shorter words may be in the report by chance."""


def shareable(check: Check) -> Check:
    """Return the check with texts that are safe to show to others."""
    return replace(check, detail=_safe(check.detail), remedy=_safe(check.remedy))


def shown(path: str | Path) -> str:
    """Return a path for people, with `~` for the home directory."""
    return _safe(str(path))


def _safe(text: str) -> str:
    for secret in _secrets():
        text = re.sub(re.escape(secret), "[hidden]", text, flags=re.IGNORECASE)
    for home in _homes():
        text = re.sub(rf"{re.escape(home)}(?![^/\\\s:;,.'\"])", "~", text)
    return "".join(char if char.isprintable() else "?" for char in text)


def _secrets() -> Iterator[str]:
    for name in SECRETS:
        for piece in re.split(r"[\s'\"`]+", os.environ.get(name, "")):
            if len(piece) >= _SHORTEST_SECRET:
                yield piece


def _homes() -> Iterator[str]:
    """Yield the home directory by its variable, and as it is without links."""
    home = os.environ.get("HOME", "")
    with suppress(RuntimeError):
        home = home or str(Path.home())
    for path in (home, os.path.realpath(home) if home else ""):
        if len(path) > 1:
            yield path.rstrip("/")
