"""`python -m orcredit.simulator`: list the accounts and serve them until Ctrl-C."""

from __future__ import annotations

import argparse
import threading
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from orcredit.simulator.accounts import ACCOUNTS, Account
from orcredit.simulator.faults import FAULTS, Fault
from orcredit.simulator.keys import key_for, management_key_for
from orcredit.simulator.server import Server
from orcredit.simulator.teams import TEAMS, Team

_RUNAWAY_DELAY = timedelta(minutes=2)


def _guide() -> str:
    """Return all names with their descriptions and keys."""
    lines = []
    entries: dict[str, Account | Team | Fault] = {**ACCOUNTS, **TEAMS, **FAULTS}
    for name, entry in entries.items():
        lines += [f"{name}: {entry.about}", f"    key         {key_for(name)}"]
        if isinstance(entry, Team) or (isinstance(entry, Account) and entry.purchased is not None):
            lines.append(f"    management  {management_key_for(name)}")
    return "\n".join(lines)


def _exports(name: str, base_url: str) -> str:
    """Return the `export` lines with which a shell uses an account."""
    lines = [f"export OPENROUTER_BASE_URL={base_url}", f"export OPENROUTER_API_KEY={key_for(name)}"]
    with suppress(LookupError):
        lines.append(f"export OPENROUTER_MANAGEMENT_KEY={management_key_for(name)}")
    return "\n".join(lines)


def main() -> None:
    """Serve on a loopback socket until Ctrl-C; print the base URL and the keys."""
    # Before the first request: a runaway is to be watched from its beginning.
    begins_at = datetime.now(UTC) + _RUNAWAY_DELAY
    ACCOUNTS["runaway"] = replace(ACCOUNTS["runaway"], runs_away_at=begins_at)
    parser = argparse.ArgumentParser("python -m orcredit.simulator", description="A simulated OpenRouter.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: any free one)")
    parser.add_argument(
        "account", nargs="?", help="print the export lines for this account (default: list all accounts)"
    )
    arguments = parser.parse_args()
    port: int = arguments.port
    if arguments.account is not None and arguments.account not in {*ACCOUNTS, *TEAMS, *FAULTS}:
        parser.error(f"no such account; there are: {', '.join([*ACCOUNTS, *TEAMS, *FAULTS])}")
    try:
        server = Server(port)
    except (OSError, OverflowError) as error:
        parser.error(f"cannot listen on port {port}: {error}")
    with server, suppress(KeyboardInterrupt):
        if arguments.account is None:
            where = f"OPENROUTER_BASE_URL={server.base_url}\nCtrl-C stops."
            print(f"{_guide()}\n\n{where}", flush=True)  # noqa: T201 - this is the program's output
        else:
            print(_exports(arguments.account, server.base_url), flush=True)  # noqa: T201
        threading.Event().wait()


if __name__ == "__main__":
    main()
