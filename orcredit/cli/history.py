"""`orcredit history`: what was spent in each interval and what was left, from the local history only."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from orcredit.cli.options import DEFAULT_TIMEOUT, DatabaseUrl, Demo, Profile, Timeout, Verbose
from orcredit.cli.output import encodable_json, show, write
from orcredit.config import credentials
from orcredit.durations import parse_duration, parse_since
from orcredit.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orcredit.history import History, Interval

HELP = """Show what the key spent, and what was left.

It shows what [b]orcredit watch[/b] and [b]serve[/b] recorded, and what
[b]status[/b] and [b]line[/b] saw, and sends no request: but for [b]--backfill[/b],
which asks what was spent before, and needs a management key.
The key comes from OPENROUTER_API_KEY, else ANTHROPIC_AUTH_TOKEN.
"""

EPILOG = """[b]Exit codes[/b]
   0  shown, or nothing to show; filled   2  wrong usage
  78  no usable key, or a database that cannot be used
With --backfill also
  69  OpenRouter could not be reached; what it told before is filled in.
      Or it told no amount, or may have told those of other keys
  77  OpenRouter refused the key, or it is not a management key

[b]Examples[/b]
  orcredit history --since month --every 1d
  orcredit history --since 1d --every 15m --csv > spend.csv
  orcredit history --json | jq 'map(.spend) | add'
  orcredit history --backfill 365d
"""

_LATELY = timedelta(minutes=30)
"""Before now: more than the rate right now needs, which is of 15 minutes."""

_HELP_HINT = "See 'orcredit history --help'."

Since = Annotated[
    str,
    typer.Option(
        "--since",
        metavar="TIME",
        help="Since when to show: 90s, 5m (minutes), 12h or 3d ago; today, week (Monday), month (the 1st); "
        "or a date, 2026-11-01 or 2026-11-01T12:00; in UTC.",
    ),
]
Every = Annotated[
    str,
    typer.Option("--every", metavar="DURATION", help="How long the intervals are; they begin at UTC multiples of it."),
]
Csv = Annotated[
    bool, typer.Option("--csv", metavar="", help="Print comma-separated values with a header, times in UTC.")
]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        metavar="",
        help="Print a JSON list of {from, to, spend, spendable, remaining, estimated, partial, reported}, times in "
        "UTC. With --backfill one document about what was filled in.",
    ),
]
Backfill = Annotated[
    str | None,
    typer.Option(
        "--backfill",
        metavar="DURATION",
        help="Show nothing, but fill the history's past with what OpenRouter reports that the key spent, by the hour "
        "where it tells that: 30d, at most 365d. It counts where the key was not watched. Again, it adds what is new.",
        show_default=False,
    ),
]


def history(
    *,
    profile: Profile = None,
    since: Since = "7d",
    every: Every = "1h",
    csv: Csv = False,
    json: Json = False,
    backfill: Backfill = None,
    database_url: DatabaseUrl = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
    demo: Demo = False,
    verbose: Verbose = False,
) -> int:
    """Run the command.

    Returns:
        0; with `--backfill` what `orcredit.cli.backfill.run` returns.

    Raises:
        OrcreditError: anything that failed; `orcredit.cli.main` prints it.
    """
    if csv and json:
        raise UsageError("--csv and --json are two formats; only one can be printed.", hint="Leave one of them out.")
    if demo and database_url is not None:
        raise UsageError("The demo's history is in no database: leave out --database-url.", hint=_HELP_HINT)
    if demo and profile is not None:
        raise UsageError("--demo uses no key: leave out --profile.", hint=_HELP_HINT)
    if backfill is not None:
        if csv or demo:
            option = "--csv" if csv else "--demo"
            raise UsageError(f"--backfill fills a history: leave out {option}.", hint=_HELP_HINT)
        from orcredit.cli.backfill import run  # noqa: PLC0415 - an HTTP client

        return run(backfill, profile=profile, json=json, timeout=timeout, verbose=verbose, database_url=database_url)
    now = datetime.now(UTC)
    beginning, width = parse_since(since, now, source="--since"), parse_duration(every, source="--every")
    # Imported here so that --help and --version load no database library.
    from orcredit.history import as_csv  # noqa: PLC0415

    key, database = _demo(now) if demo else _recorded(profile, database_url)
    with database:
        intervals = database.spend(key, beginning, now, width)
        recent = None if json or csv else database.recent(key, now)
        lately = database.usages(key, now - _LATELY, now) if recent is not None else []
    if recent is not None:
        from orcredit.monitor import rate_of_usage  # noqa: PLC0415 - an event loop
        from orcredit.render.history import HistoryTable, nothing_to_show  # noqa: PLC0415 - Rich

        is_day_known = recent.since is not None and now - recent.since >= timedelta(days=1)
        rate = rate_of_usage(lately, now, recent.last_day if is_day_known else None)
        if intervals:
            show(HistoryTable(intervals, recent, rate, is_demo=demo))
        else:
            show(nothing_to_show(recent, beginning, now))
    elif json:
        _print_json(intervals)
    else:
        write(as_csv(intervals))
    return ExitCode.OK


def _recorded(profile: str | None, database_url: str | None) -> tuple[str, History]:
    """Open the user's history, with what the spool has for it."""
    from orcredit.config import load  # noqa: PLC0415
    from orcredit.config.profiles import select  # noqa: PLC0415
    from orcredit.history import History, spool, week  # noqa: PLC0415

    database = History.load(database_url)
    chosen = select(profile).credentials(load.DEFAULT_TIMEOUT)
    if load.keeps_history() and database_url is None:
        spool.take_in(database)
        week.refresh(database, chosen.base_url, chosen.key)
    return credentials.fingerprint(chosen.key), database


def _demo(now: datetime) -> tuple[str, History]:
    from orcredit import demo  # noqa: PLC0415
    from orcredit.history import History  # noqa: PLC0415

    database = History.in_memory()
    demo.fill(database, now)
    return demo.KEY, database


def _print_json(intervals: Sequence[Interval]) -> None:
    from pydantic_core import to_json  # noqa: PLC0415

    write(encodable_json(to_json(intervals, indent=2 if sys.stdout.isatty() else None).decode()) + "\n")
