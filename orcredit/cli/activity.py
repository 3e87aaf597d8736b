"""`orcredit activity`: where the account's money went, with a management key."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, cast

import typer

from orcredit.cli.logs import show_requests
from orcredit.cli.options import DEFAULT_TIMEOUT, BaseUrl, Demo, Profile, Timeout, Verbose, checked_timeout
from orcredit.cli.output import complain, encodable_json, show, teller, write
from orcredit.durations import parse_duration, parse_since
from orcredit.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from orcredit.balance.activity import Activity, By

HELP = """Show what spent the account's money: models, keys, users or days.

It needs a management key: that of the profile, or of the variable
OPENROUTER_MANAGEMENT_KEY, or the key itself where it is one.
Make one at https://openrouter.ai/settings/management-keys
Where OpenRouter has no analytics, it shows completed days (UTC) only.
"""

EPILOG = """[b]Exit codes[/b]
   0  shown, or nothing was spent   2  wrong usage
  69  OpenRouter could not be reached, or does not know this
  77  OpenRouter refused the key, or it is not a management key
  78  no usable key

[b]Examples[/b]
  orcredit activity --demo
  orcredit activity --since 15m --by key,model
  orcredit activity --since 30d --by day --this-key
  orcredit activity --by key --json | jq '.rows[0].key'
"""

_HELP_HINT = "See 'orcredit activity --help'."
_WORDS = ("model", "key", "workspace", "user", "app", "provider", "day", "hour")
_SHOWN = 20
"""Rows on a terminal, where not more are asked for; times are shown in full."""


def _suggest(incomplete: str) -> list[str]:
    """Complete the last word of `--by`."""
    first, comma, last = incomplete.rpartition(",")
    return [f"{first}{comma}{word}" for word in _WORDS if word.startswith(last) and word != first]


ByWords = Annotated[
    str,
    typer.Option(
        "--by",
        metavar="WHAT",
        help="What a row is about: model, key, workspace, user, app, provider, day or hour; two of them cross: "
        "[b]key,model[/b].",
        autocompletion=_suggest,
    ),
]
Since = Annotated[
    str,
    typer.Option(
        "--since",
        metavar="TIME",
        help="Since when: 15m (minutes), 12h or 30d ago, at most 365d, by provider 31d; today, week (Monday), month "
        "(the 1st); or a date, 2026-11-01 or 2026-11-01T12:00; in UTC.",
    ),
]
Top = Annotated[
    int | None,
    typer.Option(
        "--top",
        metavar="N",
        min=1,
        help=f"Show the N largest, and sum the others up. Default: {_SHOWN} in the table, but all days or hours.",
        show_default=False,
    ),
]
ThisKey = Annotated[
    bool,
    typer.Option("--this-key", metavar="", help="Count only what the key in OPENROUTER_API_KEY spent."),
]
Json = Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON document, with all rows.")]
Csv = Annotated[bool, typer.Option("--csv", metavar="", help="Print comma-separated values with a header.")]


def activity(
    *,
    profile: Profile = None,
    by: ByWords = "model",
    since: Since = "7d",
    top: Top = None,
    this_key: ThisKey = False,
    json: Json = False,
    csv: Csv = False,
    base_url: BaseUrl = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
    demo: Demo = False,
    verbose: Verbose = False,
) -> int:
    """Run the command.

    Returns:
        0.

    Raises:
        OrcreditError: anything that failed; `orcredit.cli.main` prints it.
    """
    if csv and json:
        raise UsageError("--csv and --json are two formats; only one can be printed.", hint="Leave one of them out.")
    if demo and this_key:
        raise UsageError("The demo's team has no key that is yours: leave out --this-key.", hint=_HELP_HINT)
    words = _by(by)
    span = _since(since)
    if top is None and not (json or csv or {"day", "hour"} & {*words}):
        top = _SHOWN
    seconds = checked_timeout(timeout)
    if verbose:
        show_requests(is_demo=demo)
    from orcredit.blocking_client import ask_account  # noqa: PLC0415 - likewise
    from orcredit.cli.account import open_client  # noqa: PLC0415 - so that --help loads no HTTP client

    client, chosen = open_client(profile, demo=demo, base_url=base_url, timeout=seconds, help_hint=_HELP_HINT)
    if this_key and chosen is not None and chosen.key_source == "OPENROUTER_MANAGEMENT_KEY":
        raise UsageError("--this-key: the management key is the only one that is set.", hint="Set OPENROUTER_API_KEY.")
    tell = None
    if chosen is not None and not verbose:
        tell = teller(chosen.base_url, is_loopback=chosen.is_loopback)
    found = ask_account(
        client,
        lambda asked, on_attempt: asked.ask_activity(
            words, since=span, top=top, this_key=this_key, on_attempt=on_attempt
        ),
        tell=tell,
    )
    _show(found, json=json, csv=csv, is_demo=demo)
    return ExitCode.OK


def _since(text: str) -> timedelta | datetime:
    """Return how far back, or the beginning where a date or a word such as `today` gives it."""
    beginning = parse_since(text, datetime.now(UTC), source="--since")
    try:
        return parse_duration(text)
    except UsageError:
        return beginning


def _by(text: str) -> list[By]:
    words = [word.strip().lower() for word in text.split(",")]
    unknown = [word for word in words if word not in _WORDS]
    if unknown or len({*words}) != len(words) or len(words) > 2:
        problem = f"{unknown[0][:40]!r} is unknown" if unknown else f"{text[:40]!r} is not one or two different words"
        raise UsageError(f"--by: {problem}.", hint=f"Accepted: {', '.join(_WORDS)}; or two with a comma.")
    return cast("list[By]", words)


def _show(found: Activity, *, json: bool, csv: bool, is_demo: bool) -> None:
    if not (json or csv):
        from orcredit.render.activity import ActivityTable  # noqa: PLC0415 - Rich

        show(ActivityTable(found, is_demo=is_demo))
        return
    if json:
        write(encodable_json(found.model_dump_json(indent=2 if sys.stdout.isatty() else None)) + "\n")
    else:
        from orcredit.balance.activity import Spend  # noqa: PLC0415 - pydantic
        from orcredit.balance.tables import as_csv  # noqa: PLC0415 - likewise

        write(as_csv(Spend, found.rows))
    if found.truncated:
        complain("OpenRouter left rows out (truncated).", "Ask for less: a shorter --since, or another --by.")
    for note in found.notes:
        complain(note)
