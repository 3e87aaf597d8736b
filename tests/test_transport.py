"""The HTTP clients and the TLS context that all polls of a process share."""

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

    async def poll() -> tuple[list[Level], set[int]]:
        clients = [AsyncClient.of(profile(server, account), transport) for account in ("normal", "low", "normal")]
        balances = await asyncio.gather(*(client.balance() for client in clients))
        used = {id(await transport.client(server.base_url, on_loopback=True)) for _ in clients}
        return [balance.level for balance in balances], used

    levels, used = asyncio.run(poll())
    assert levels == [Level.OK, Level.LOW, Level.OK]
    assert len(used) == 1


def test_a_new_loop_uses_no_client_of_a_closed_one(server: simulator.Server) -> None:
    transport = Transport()
    client = Client.of(profile(server), transport)
    assert [client.balance().level for _ in range(3)] == [Level.OK] * 3  # a new loop each

    async def new_client() -> httpx2.AsyncClient:
        return await transport.client(server.base_url, on_loopback=True)

    first, second = asyncio.run(new_client()), asyncio.run(new_client())
    assert first is not second
    reference = weakref.ref(first)
    del first
    gc.collect()
    assert reference() is None


def test_connections_are_closed_after_each_response(server: simulator.Server) -> None:
    transport = Transport()

    async def poll() -> list[str]:
        await AsyncClient.of(profile(server), transport).balance()
        used = await transport.client(server.base_url, on_loopback=True)
        # Nothing public tells; a server that sees a connection close sees it too late to be sure.
        return [repr(one) for one in used._transport._pool.connections]  # type: ignore[attr-defined]  # noqa: SLF001

    assert asyncio.run(poll()) == []


def test_cookies_are_refused() -> None:
    cookies: list[str | None] = []

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        cookies.append({name.lower(): value for name, value in request.headers.items()}.get("cookie"))
        answer = simulator.respond(request, now)
        return simulator.Response(answer.status, dict(answer.headers) | {"set-cookie": "a=b; Path=/"}, answer.body)

    async def poll(server: simulator.Server) -> None:
        transport = Transport()
        for account in ("normal", "low"):
            await AsyncClient.of(profile(server, account), transport).balance()

    with simulator.Server(responder=respond) as server:
        asyncio.run(poll(server))
    assert cookies == [None] * 4  # two requests in each poll


def test_an_invalid_environment_is_read_again_on_the_next_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = Transport()

    async def new_client() -> httpx2.AsyncClient:
        return await transport.client("https://openrouter.ai/api/v1", on_loopback=False)

    monkeypatch.setenv("HTTPS_PROXY", "http://")
    with pytest.raises(ConfigurationError, match="proxy"):
        asyncio.run(new_client())
    monkeypatch.delenv("HTTPS_PROXY")
    assert asyncio.run(new_client()) is not None
