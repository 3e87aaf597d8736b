"""How much an OpenRouter API key can still spend, and until when.

    >>> from orcredit import Client
    >>> Client().balance().spendable  # doctest: +SKIP
    Decimal('158.61')

The names below are the public API. They are imported on first use, so that `orcredit --version` and the prompt line
load no HTTP client.
"""

from __future__ import annotations

# Type checkers treat this name as true. Importing `typing` would take longer than the rest of the prompt line.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from orcredit.balance import Balance, Level
    from orcredit.balance.account import AccountBalance, AccountKey, KeyList, KeysPage
    from orcredit.balance.activity import Activity, Spend
    from orcredit.blocking_client import Client
    from orcredit.client import AsyncClient
    from orcredit.errors import (
        ConfigurationError,
        ExitCode,
        KeyRefusedError,
        NonsenseError,
        OrcreditError,
        UnavailableError,
        UnreachableError,
        UsageError,
    )

__version__ = "0.1.0"

__all__ = [
    "AccountBalance",
    "AccountKey",
    "Activity",
    "AsyncClient",
    "Balance",
    "Client",
    "ConfigurationError",
    "ExitCode",
    "KeyList",
    "KeyRefusedError",
    "KeysPage",
    "Level",
    "NonsenseError",
    "OrcreditError",
    "Spend",
    "UnavailableError",
    "UnreachableError",
    "UsageError",
    "__version__",
]

_MODULES = {
    "AsyncClient": "client",
    "Client": "blocking_client",
    "Balance": "balance",
    "Level": "balance",
    "AccountBalance": "balance.account",
    "AccountKey": "balance.account",
    "KeyList": "balance.account",
    "KeysPage": "balance.account",
    "Activity": "balance.activity",
    "Spend": "balance.activity",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - only on first use of a public name

    return getattr(import_module(f"orcredit.{_MODULES.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return __all__
