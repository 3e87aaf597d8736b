"""How much an OpenRouter API key can still spend, and until when.

    >>> from orcredit import Client
    >>> Client().balance().spendable  # doctest: +SKIP
    Decimal('158.61')

The names below are the public API. They are loaded when first used, so that `orcredit --version` and the prompt
line do not pay for an HTTP client.
"""

from __future__ import annotations

# What type checkers take for true. Importing `typing` would cost the prompt line more than all the rest.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from orcredit.balance import Balance, Level
    from orcredit.client import AsyncClient, Client
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
    "AsyncClient",
    "Balance",
    "Client",
    "ConfigurationError",
    "ExitCode",
    "KeyRefusedError",
    "Level",
    "NonsenseError",
    "OrcreditError",
    "UnavailableError",
    "UnreachableError",
    "UsageError",
    "__version__",
]

_HOMES = {"AsyncClient": "client", "Client": "client", "Balance": "balance", "Level": "balance"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - only on first use of a public name

    return getattr(import_module(f"orcredit.{_HOMES.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return __all__
