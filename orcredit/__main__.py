"""`python -m orcredit`."""

from __future__ import annotations

from orcredit.cli import run

run()
