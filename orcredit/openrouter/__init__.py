"""OpenRouter's side of the conversation: the calls orcredit makes and the shapes of their answers."""

from __future__ import annotations

from orcredit.openrouter.answer import read_data
from orcredit.openrouter.api import Api
from orcredit.openrouter.wire import Budget, Credits, FreeModelRequests, KeyInfo, mask

__all__ = ["Api", "Budget", "Credits", "FreeModelRequests", "KeyInfo", "mask", "read_data"]
