"""OpenRouter's API: the requests that orcredit sends, and the models of their responses.

The names are imported on first use, so that a request can be sent before the models of its response are loaded.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orcredit.openrouter.api import Api
    from orcredit.openrouter.response import read_data
    from orcredit.openrouter.wire import BudgetInfo, Credits, FreeModelRequests, KeyInfo, mask

__all__ = ["Api", "BudgetInfo", "Credits", "FreeModelRequests", "KeyInfo", "mask", "read_data"]

_MODULES = {"Api": "api", "read_data": "response"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'wire')}"), name)
