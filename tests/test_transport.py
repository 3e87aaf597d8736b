"""The HTTP client that all questions of a process share."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING

import pytest

from orcredit import AsyncClient, Client, ConfigurationError, Level, simulator
from orcredit.config.load import load_profile
from orcredit.openrouter.transport import Transport

if TYPE_CHECKING:
    from datetime import datetime

    import httpx2

    from orcredit.config.profile import Profile


def profile(server: simulator.Server, account: str = "normal") -> Profile:
    return load_profile(api_key=simulator.key_for(account), base_url=server.base_url, environ={})


def test_clients_of_one_loop_share_an_http_client(server: simulator.Server) -> None:
    transport = Transport()

    async def story() -> tuple[list[Level], set[int]]:
        clients = [AsyncClient.of(profile(server, account), transport) for account in ("normal", "low", "normal")]
        balances = await asyncio.gather(*(client.balance() for client in clients))
        used = {id(await transport.client(server.base_url, on_loopback=True)) for _ in clients}
        return [balance.level for balance in balances], used

    levels, used = asyncio.run(story())
    assert levels == [Level.OK, Level.LOW, Level.OK]
    assert len(used) == 1


def test_a_loop_that_ended_leaves_nothing_that_a_later_one_uses(server: simulator.Server) -> None:
    transport = Transport()
    client = Client.of(profile(server), transport)
    assert [client.balance().level for _ in range(3)] == [Level.OK] * 3  # a loop each

    async def ours() -> httpx2.AsyncClient:
        return await transport.client(server.base_url, on_loopback=True)

    first, second = asyncio.run(ours()), asyncio.run(ours())
    assert first is not second
    seen = weakref.ref(first)
    del first
    gc.collect()
    assert seen() is None


def test_no_connection_is_kept(server: simulator.Server) -> None:
    transport = Transport()

    async def story() -> list[str]:
        await AsyncClient.of(profile(server), transport).balance()
        used = await transport.client(server.base_url, on_loopback=True)
        # Nothing public tells; a server that sees a connection close sees it too late to be sure.
        return [repr(one) for one in used._transport._pool.connections]  # type: ignore[attr-defined]  # noqa: SLF001

    assert asyncio.run(story()) == []


def test_no_cookie_of_an_answer_comes_back_with_another_key() -> None:
    cookies: list[str | None] = []

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        cookies.append({name.lower(): value for name, value in request.headers.items()}.get("cookie"))
        answer = simulator.respond(request, now)
        return simulator.Response(answer.status, dict(answer.headers) | {"set-cookie": "a=b; Path=/"}, answer.body)

    async def story(server: simulator.Server) -> None:
        transport = Transport()
        for account in ("normal", "low"):
            await AsyncClient.of(profile(server, account), transport).balance()

    with simulator.Server(responder=respond) as server:
        asyncio.run(story(server))
    assert cookies == [None, None]


def test_an_environment_that_was_unusable_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = Transport()

    async def made() -> httpx2.AsyncClient:
        return await transport.client("https://openrouter.ai/api/v1", on_loopback=False)

    monkeypatch.setenv("HTTPS_PROXY", "http://")
    with pytest.raises(ConfigurationError, match="proxy"):
        asyncio.run(made())
    monkeypatch.delenv("HTTPS_PROXY")
    assert asyncio.run(made()) is not None
