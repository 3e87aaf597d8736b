"""The options that commands share, each defined once, and what is wrong with some values of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from orcredit.durations import parse_duration
from orcredit.errors import UsageError

SHORTEST_INTERVAL = timedelta(seconds=1)

WarnBelow = Annotated[
    list[str] | None,
    typer.Option(
        "--warn-below",
        metavar="LINE",
        help="Call the balance low when less than this is left: [b]10%[/b] of a limit, [b]$5[/b] (or 5) still "
        "spendable, or [b]3d[/b], [b]12h[/b] until it runs out. Repeatable; any one crossed counts. "
        "Else ORCREDIT_WARN_BELOW, comma-separated; else 10%.",
        show_default=False,
    ),
]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        metavar="URL",
        help="Where the API lives. Else OPENROUTER_BASE_URL; else https://openrouter.ai/api/v1. "
        "Plain http:// only to this machine.",
        show_default=False,
    ),
]
Timeout = Annotated[
    float,
    typer.Option("--timeout", metavar="SECONDS", help="Seconds for the whole answer, retries included."),
]
Json = Annotated[bool, typer.Option("--json", metavar="", help="Print the balance as one JSON document.")]
JsonLines = Annotated[bool, typer.Option("--json", metavar="", help="Print each refresh as one JSON document a line.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", metavar="", help="Print nothing; only the exit code tells.")]
Demo = Annotated[bool, typer.Option("--demo", metavar="", help="Show a simulated account: no key, no network.")]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose", "-v", metavar="", help="Show each request on stderr: path, status, duration; never a key."
    ),
]
Interval = Annotated[
    str,
    typer.Option("--interval", metavar="TIME", help="Time between refreshes: 60, 90s, 5m, 1h; at least 1s."),
]
Count = Annotated[
    int | None,
    typer.Option("--count", metavar="N", min=1, help="Stop right after refresh N; the exit code tells how it went."),
]
NoBell = Annotated[bool, typer.Option("--no-bell", metavar="", help="Do not ring when the level gets worse.")]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        metavar="URL",
        help="Where the history is kept: [b]postgresql://user@host/name[/b] or [b]sqlite:////path[/b]; a password only "
        "in the variable. Else ORCREDIT_DATABASE_URL; else a file in your data directory.",
        show_default=False,
    ),
]
NoHistory = Annotated[bool, typer.Option("--no-history", metavar="", help="Keep no history of what is seen.")]


def checked_interval(text: str) -> timedelta:
    """Read `--interval`.

    Raises:
        UsageError: no duration, or one too short.
    """
    interval = parse_duration(text)
    if interval < SHORTEST_INTERVAL:
        raise UsageError(f"{text!r} is too short an interval.", hint="Accepted: 1s or more; 60 seconds is usual.")
    return interval


def check_demo(*, demo: bool, base_url: str | None, database_url: str | None, no_history: bool, command: str) -> None:
    """Check that the options do not contradict each other.

    Raises:
        UsageError: they do.
    """
    hint = f"See 'orcredit {command} --help'."
    if demo and base_url is not None:
        raise UsageError("--demo asks no server: leave out --base-url.", hint=hint)
    if (demo or no_history) and database_url is not None:
        raise UsageError("There is no history to keep: leave out --database-url.", hint=hint)
