"""What every failure of a command has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Finished


def assert_failed(done: Finished, code: int, *words: str) -> None:
    """Check a failure: nothing on stdout, one or two lines on stderr, no traceback."""
    assert (done.code, done.stdout) == (code, "")
    lines = done.stderr.splitlines()
    assert 1 <= len(lines) <= 2
    assert lines[0].startswith("orcredit: ")
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
