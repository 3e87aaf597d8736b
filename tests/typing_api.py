"""The public API as mypy sees it. This file is only type-checked, never run: `make test` does so by `mypy`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import assert_type

from orcredit import (
    AccountBalance,
    AccountKey,
    Activity,
    AsyncClient,
    Balance,
    Client,
    ExitCode,
    KeyList,
    KeysPage,
    Level,
    OrcreditError,
    Spend,
    UnreachableError,
)

client = Client("sk-or-v1-…", management_key=None, base_url="https://example.com", timeout=5, warn_below=["10%", "$5"])
balance = client.balance()
assert_type(balance, Balance)
assert_type(balance.spendable, Decimal | None)
assert_type(balance.level, Level)
assert_type(balance.level.exit_code, ExitCode)
assert_type(balance.limited_by, str | None)
assert_type(balance.budgets[0].remaining, Decimal)
assert_type(balance.model_dump_json(), str)
assert_type(Client.demo(), Client)
assert_type(Client.named("work", warn_below="3d"), Client)
assert_type(client.account(), AccountBalance)
assert_type(client.keys(workspace="Default"), Iterator[KeysPage])
assert_type(client.key_list(include_disabled=True), KeyList)
assert_type(client.key_list().keys, tuple[AccountKey, ...])
assert_type(client.key_list().keys[0].remaining, Decimal | None)
assert_type(client.activity(["model", "day"], since=timedelta(days=1), top=5), Activity)
assert_type(client.activity().rows, tuple[Spend, ...])


async def ask() -> None:
    """Use the asynchronous client."""
    assert_type(await AsyncClient().balance(), Balance)
    assert_type(AsyncClient.demo(warn_below=["5"]), AsyncClient)
    assert_type(AsyncClient().keys(), AsyncGenerator[KeysPage, None])
    async for page in AsyncClient().keys():
        assert_type(page, KeysPage)
    assert_type(await AsyncClient().account(), AccountBalance)
    assert_type(await AsyncClient().key_list(), KeyList)
    assert_type(await AsyncClient().activity(["key"], this_key=True), Activity)


try:
    client.balance()
except UnreachableError as error:
    assert_type(error.retry_after, float | None)
except OrcreditError as error:
    assert_type(error.exit_code, ExitCode)
    assert_type(error.hint, str)
