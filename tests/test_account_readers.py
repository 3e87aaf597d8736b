"""Which profiles share a reader of their account: also when their keys come late, or change."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from orcredit import AsyncClient, simulator
from orcredit.monitor import Hub
from orcredit.server.account_readers import AccountReaders
from orcredit.server.problems import ProblemError
from orcredit.server.readings import Readings
from orcredit.server.state import Source

if TYPE_CHECKING:
    from orcredit.monitor import Snapshot

pytestmark = pytest.mark.usefixtures("no_variables")
URL = "https://openrouter.ai/api/v1"


def client(account: str = "normal", management: str | None = "team", url: str = URL) -> AsyncClient:
    key = None if management is None else simulator.management_key_for(management)
    return AsyncClient(simulator.key_for(account), management_key=key, base_url=url)


def source(clients: dict[str, AsyncClient | None], name: str) -> Source:
    return Source(timedelta(minutes=1), lambda: None, lambda: True, lambda: clients[name])


def readers(clients: dict[str, AsyncClient | None]) -> AccountReaders:
    return AccountReaders(
        {name: source(clients, name) for name in clients},
        history=None,
        readings=Readings(),
        clock=lambda: datetime.now(UTC),
    )


def starting() -> Snapshot:
    raise ProblemError(503, "starting", "Not yet.")


def test_one_reader_for_each_management_key_and_address() -> None:
    made = readers(
        {
            "a": client("normal"),
            "b": client("low"),
            "elsewhere": client("low", url="https://example.org/v1"),
            "other": client("low", "fleet"),
        }
    )
    found = {name: made.of(name, starting) for name in ("a", "b", "elsewhere", "other")}
    assert found["a"] is found["b"]
    assert len({id(reader) for reader in found.values()}) == 3
    assert found["elsewhere"].client.identity[0] == "https://example.org/v1"
    assert made.of("b", starting) is found["a"]


def test_a_key_that_comes_late() -> None:
    clients: dict[str, AsyncClient | None] = {"a": None, "b": None}
    made = readers(clients)
    with pytest.raises(ProblemError):
        made.of("a", starting)
    clients.update(a=client(), b=client("low"))
    assert made.of("a", starting) is made.of("b", starting)


def test_a_key_that_was_got_anew_keeps_the_reader_with_what_it_knows() -> None:
    clients: dict[str, AsyncClient | None] = {"a": client(), "b": client("low")}
    made = readers(clients)
    shared = made.of("b", starting)
    clients["a"] = client("normal", "fleet")
    assert made.of("a", starting) is shared
    assert shared.client.identity[1].get_secret_value() == simulator.management_key_for("fleet")
    # The other one still has the key of before: it is not told of what may be another account.
    own = made.of("b", starting)
    assert own is not shared
    assert own.client.identity[1].get_secret_value() == simulator.management_key_for("team")
    clients["b"] = client("low", "fleet")
    assert made.of("b", starting) is own


def test_a_profile_that_loses_its_key_for_a_while_keeps_its_reader() -> None:
    clients: dict[str, AsyncClient | None] = {"a": client()}
    made = readers(clients)
    reader = made.of("a", starting)
    clients["a"] = None
    assert made.of("a", starting) is reader


def test_its_end_leaves_nothing_running() -> None:
    async def run() -> None:
        made = readers({"a": client(url="http://127.0.0.1:9/api/v1")})
        running = asyncio.ensure_future(made.run(Hub([], clock=lambda: datetime.now(UTC))))
        await asyncio.sleep(0)
        before = asyncio.all_tasks()
        assert len(before) > 2
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        for _ in range(5):
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())
