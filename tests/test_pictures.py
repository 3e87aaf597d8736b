"""The documentation's pictures of the account's tables show what the commands print."""

from __future__ import annotations

import html
import re
import runpy
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.markdown import ROOT

if TYPE_CHECKING:
    from pathlib import Path

DRAW: dict[str, Any] = runpy.run_path(str(ROOT / "docs/picture.py"))


def shown(picture: Path) -> str:
    """Return the text of a picture without blanks."""
    text = re.sub(r"<style>.*?</style>|<[^>]*>", "", picture.read_text(encoding="utf-8"), flags=re.DOTALL)
    return "".join(html.unescape(text).split())


@pytest.mark.parametrize("name", ["several", "keys", "activity"])
def test_a_picture_is_as_it_would_be_drawn_now(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patching:
        patching.setenv("TZ", "UTC")
        patching.setitem(DRAW["draw"].__globals__, "FOLDER", tmp_path)
        DRAW["main"]()
    time.tzset()
    assert shown(ROOT / "docs" / f"{name}.svg") == shown(tmp_path / f"{name}.svg"), "run: python docs/picture.py"
