"""The page's types are made from the server's own description of its answers.

That `web/src/generated.ts` is what `web/openapi.json` gives is checked where the page is built.
"""

from __future__ import annotations

import runpy
from pathlib import Path

WEB = Path(__file__).parent.parent / "web"


def test_the_committed_description_is_the_servers() -> None:
    described = runpy.run_path(str(WEB / "describe.py"))["description"]()
    assert (WEB / "openapi.json").read_text(encoding="utf-8") == described, "run 'make web' and commit web/"
