"""Writes `web/openapi.json`: the schemas of the server's answers, which the page's types are made from."""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import json
from pathlib import Path

from orcredit.server.openapi import describe
from orcredit.server.routes import API_ROUTES

OPENAPI = Path(__file__).with_name("openapi.json")


def description() -> str:
    """Give the file's text: of `GET /openapi.json` the part that types depend on."""
    document = json.loads(describe(API_ROUTES, "orcredit_session"))
    kept = {"openapi": document["openapi"], "components": {"schemas": document["components"]["schemas"]}}
    return json.dumps(kept, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    OPENAPI.write_text(description(), encoding="utf-8")
