"""The options that several commands share, and checks of their values."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from orcredit.durations import parse_duration
from orcredit.errors import ConfigurationError, UsageError

SHORTEST_INTERVAL = timedelta(seconds=1)

DEFAULT_INTERVAL = "60"
DEFAULT_TIMEOUT = "10s"
"""`orcredit.config.load.DEFAULT_TIMEOUT`, which --help must not load (a test compares them)."""

LONGEST_TIMEOUT = timedelta(days=1)
"""`orcredit.config.load.LONGEST_TIMEOUT`, likewise."""


def profile_names() -> list[str]:
    """Return the names of all profiles, for completion; none where the file is not valid."""
    from orcredit.config.file import load  # noqa: PLC0415 - only for completion

    try:
        file = load()
    except ConfigurationError:
        return []
    return list(file.profiles) if file is not None else []


WarnBelow = Annotated[
    list[str] | None,
    typer.Option(
        "--warn-below",
        metavar="THRESHOLD",
        help="The level is low when less is left: [b]10%[/b] of a limit, [b]5[/b] dollars still spendable, or "
        "[b]3d[/b], [b]12h[/b] until the money runs out. Repeatable; any one breached counts. "
        "Default: ORCREDIT_WARN_BELOW, comma-separated, else 10%, and 1 dollar of the account's credit.",
        show_default=False,
    ),
]
Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        "-p",
        metavar="NAME",
        help="Use this profile of config.toml. Default: ORCREDIT_PROFILE, else the key in the environment, else the "
        "default that the file names.",
        autocompletion=profile_names,
        show_default=False,
    ),
]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        metavar="URL",
        help="Base URL of the API. Default: OPENROUTER_BASE_URL, else https://openrouter.ai/api/v1. "
        "Plain http:// only to this machine.",
        show_default=False,
    ),
]
Timeout = Annotated[
    str,
    typer.Option("--timeout", metavar="TIME", help="Time for the whole answer, retries included: 10, 10s, 1m."),
]
Json = Annotated[bool, typer.Option("--json", metavar="", help="Print the balance as one JSON document.")]
JsonLines = Annotated[
    bool, typer.Option("--json", metavar="", help="Print the balance after each poll as one line of JSON.")
]
All = Annotated[
    bool,
    typer.Option(
        "--all", metavar="", help="Show every profile, the worst first, which sets the exit code: 78, 77, 3, 69, 1, 0."
    ),
]
AllWatched = Annotated[
    bool,
    typer.Option("--all", metavar="", help="Show every profile, the worst first, in one process."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", metavar="", help="Print nothing; use the exit code.")]
Demo = Annotated[bool, typer.Option("--demo", metavar="", help="Show a simulated account: no key, no network.")]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", metavar="", help="Show each request on stderr: path, status, duration; no keys."),
]
Interval = Annotated[
    str,
    typer.Option("--interval", metavar="TIME", help="Time between polls: 60, 90s, 5m, 1h; at least 1s."),
]
Count = Annotated[
    int | None,
    typer.Option("--count", metavar="N", min=1, help="Stop after poll N; the exit code is that of its result."),
]
NoBell = Annotated[bool, typer.Option("--no-bell", metavar="", help="Do not ring when the level gets worse.")]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        metavar="URL",
        help="Database of the history: [b]postgresql://user@host/name[/b] or [b]sqlite:////path[/b]; a password only "
        "in the variable. Default: ORCREDIT_DATABASE_URL, else a file in your data directory.",
        show_default=False,
    ),
]
NoHistory = Annotated[
    bool,
    typer.Option("--no-history", metavar="", help="Do not record a history. Also: ORCREDIT_NO_HISTORY=1."),
]


def checked_interval(text: str) -> timedelta:
    """Read `--interval`.

    Raises:
        UsageError: not a duration, or too short.
    """
    interval = parse_duration(text, source="--interval")
    if interval < SHORTEST_INTERVAL:
        raise UsageError(f"--interval: {text[:40]!r} is too short.", hint="Accepted: 1s or more; the default is 60s.")
    return interval


def checked_timeout(text: str) -> float:
    """Read `--timeout`; return seconds.

    Raises:
        UsageError: not a duration, 0, or more than a day.
    """
    timeout = parse_duration(text, source="--timeout")
    if not timedelta(0) < timeout <= LONGEST_TIMEOUT:
        raise UsageError(
            f"--timeout: {text[:40]!r} is not above 0 and at most a day.",
            hint="Accepted: seconds (10 or 10s) or minutes (1m); the default is 10s.",
        )
    return timeout.total_seconds()


def check_demo(
    *,
    demo: bool,
    profile: str | None,
    base_url: str | None,
    database_url: str | None,
    no_history: bool,
    command: str,
) -> None:
    """Check that the options do not contradict each other.

    Raises:
        UsageError: they do.
    """
    hint = f"See 'orcredit {command} --help'."
    if demo and profile is not None:
        raise UsageError("--demo uses no key: leave out --profile.", hint=hint)
    if demo and base_url is not None:
        raise UsageError("--demo uses no server: leave out --base-url.", hint=hint)
    if (demo or no_history) and database_url is not None:
        raise UsageError("No history is recorded in a database here: leave out --database-url.", hint=hint)


def keeps_history(*, no_history: bool, database_url: str | None) -> bool:
    """Whether `watch` and `serve` record: unless `--no-history` or `ORCREDIT_NO_HISTORY` says otherwise.

    Raises:
        UsageError: the variable and `--database-url` contradict each other.
    """
    from orcredit.config import load  # noqa: PLC0415 - not for --help

    if no_history or load.keeps_history():
        return not no_history
    if database_url is not None:
        raise UsageError(
            "--database-url is for a history, and ORCREDIT_NO_HISTORY keeps none.",
            hint="Leave out the option, or set ORCREDIT_NO_HISTORY=0.",
        )
    return False
