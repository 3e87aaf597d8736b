"""A server for the tests of a module, whose numbers do not change while they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.serving import Serving, Upstream, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def steady() -> Iterator[Upstream]:
    with Upstream() as openrouter:
        yield openrouter


@pytest.fixture(scope="module", name="server")
def steady_server(tmp_path_factory: pytest.TempPathFactory, steady: Upstream) -> Iterator[Serving]:
    """A server that has polled once, and polls again on request only."""
    with serving("--interval", "1h", home=tmp_path_factory.mktemp("home"), upstream=steady) as running:
        running.wait_for_answer()
        yield running
