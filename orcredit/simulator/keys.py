"""The simulator's keys: derived from the names of accounts and faults, in OpenRouter's format."""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING

from orcredit.simulator.accounts import ACCOUNTS, Account
from orcredit.simulator.faults import FAULTS, Fault
from orcredit.simulator.teams import TEAMS

if TYPE_CHECKING:
    from collections.abc import Mapping


def key_of(name: str) -> str:
    """Derive the key of a name."""
    return "sk-or-v1-" + hashlib.sha256(f"orcredit simulator: {name}".encode()).hexdigest()


def hash_of(key: str) -> str:
    """Return OpenRouter's `hash` of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def mask(key: str) -> str:
    """Mask a key as OpenRouter's labels do."""
    return f"{key[:12]}...{key[-3:]}"


def key_for(name: str) -> str:
    """Return the API key of the account, team or fault of that name; KeyError if there is none."""
    if name not in ACCOUNTS and name not in TEAMS and name not in FAULTS:
        message = f"the simulator has no account or fault named {name!r}"
        raise KeyError(message)
    return key_of(name)


def management_key_for(name: str) -> str:
    """Return the management key of that account or team; KeyError if there is no such account or no such key."""
    if name in TEAMS:
        return key_of(name)
    if name not in ACCOUNTS or ACCOUNTS[name].purchased is None:
        message = f"the simulator has no account named {name!r} with a management key"
        raise KeyError(message)
    return key_of(name) if ACCOUNTS[name].management else key_of(f"management of {name}")


@functools.cache
def keyring() -> Mapping[str, tuple[str, Account]]:
    """Return for every key the name of its account or team, and the account as `/key` shows it for this key."""
    ring = {}
    for name, account in ACCOUNTS.items():
        if account.purchased is not None:
            manager = Account(account.about, management=True, free_tier=account.free_tier)
            ring[management_key_for(name)] = (name, manager)
        ring[key_of(name)] = (name, account)
    for name, team in TEAMS.items():
        ring[key_of(name)] = (name, Account(team.about, management=True))
    return ring


@functools.cache
def faults_by_key() -> Mapping[str, Fault]:
    """Return the fault of each fault's key."""
    return {key_of(name): fault for name, fault in FAULTS.items()}
