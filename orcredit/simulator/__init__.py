"""A simulated OpenRouter: it answers like OpenRouter, without a network, a key or an account.

`respond` is a pure function from a request and a time to a response. `transport` mounts it in the same process
(for `--demo`), `Server` on a loopback socket (for tests, and manually: `python -m orcredit.simulator`). Every kind of
account, team and fault has a name in `ACCOUNTS`, `TEAMS` or `FAULTS`, and a key, `key_for(name)`.

Amounts are US dollars, times are UTC. The wire format is the one that OpenRouter's official Python SDK
(`openrouter` 1.3.84) requires. Only the standard library is used; `transport` needs `httpx2`.
"""

from __future__ import annotations

from orcredit.simulator.accounts import ACCOUNTS, Account, Budget, Usage
from orcredit.simulator.faults import FAULTS, Fault
from orcredit.simulator.keys import key_for, management_key_for
from orcredit.simulator.routes import Request, Response, respond
from orcredit.simulator.server import API_PREFIX, Server, transport
from orcredit.simulator.spending import DEMO_INSTANT, demo_usage
from orcredit.simulator.teams import TEAMS, Team, TeamKey

__all__ = [
    "ACCOUNTS",
    "API_PREFIX",
    "DEMO_INSTANT",
    "FAULTS",
    "TEAMS",
    "Account",
    "Budget",
    "Fault",
    "Request",
    "Response",
    "Server",
    "Team",
    "TeamKey",
    "Usage",
    "demo_usage",
    "key_for",
    "management_key_for",
    "respond",
    "transport",
]
