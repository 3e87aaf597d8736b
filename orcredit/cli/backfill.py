"""`orcredit history --backfill`: fills the history's past with what OpenRouter reports of it."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

from orcredit.cli.account import open_client
from orcredit.cli.logs import show_requests
from orcredit.cli.options import checked_timeout, keeps_history
from orcredit.cli.output import complain, encodable, encodable_json, write
from orcredit.durations import parse_duration
from orcredit.errors import ExitCode, HistoryError, OrcreditError, UnavailableError, UsageError
from orcredit.money import ZERO, format_usd

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from orcredit.backfill import Filled, Part, Width
    from orcredit.blocking_client import Client
    from orcredit.history import History

LONGEST = timedelta(days=365)
"""`orcredit.balance.activity.LONGEST_SPAN`, which is not loaded for a wrong option."""

SHORTEST = timedelta(hours=1)

_WIDTHS: tuple[Width, ...] = ("hour", "day")

_HELP_HINT = "See 'orcredit history --help'."


class _Progress:
    """What was filled so far, shown on standard error where that is a terminal.

    Args:
        span: how far back the past is to be filled.
        is_shown: whether it may be shown.
    """

    def __init__(self, span: timedelta, *, is_shown: bool) -> None:
        self.parts: list[Part] = []
        self.is_told = False
        """Whether any amount was: else the account may not hold the key, and nothing is filled in."""
        self._span = span
        is_terminal = sys.stderr.isatty() and os.environ.get("TERM", "dumb") not in {"dumb", "unknown", ""}
        self._is_shown = is_shown and is_terminal

    def add(self, part: Part) -> None:
        """Note a part that was told; each ends where the one before begins."""
        self.parts.append(part)
        self.is_told |= _has_amount(part)
        self.show()

    @property
    def since(self) -> datetime | None:
        """From when on the past is filled; None where nothing is."""
        return self.parts[-1].since if self.is_told else None

    def show(self) -> None:
        """Show how far it is."""
        text = "Asking OpenRouter …"
        if self.parts:
            since = self.parts[-1].since
            done = min((self.parts[0].until - since) / self._span, 1)
            text = f"{'Filled' if self.is_told else 'Asked'} back to {since:%Y-%m-%d} ({done:.0%}) …"
        self._say(text)

    def remove(self) -> None:
        """Remove the line."""
        self._say("")

    def _say(self, text: str) -> None:
        if self._is_shown:
            from orcredit.cli import waiting  # noqa: PLC0415 - only on a terminal

            waiting.say(text)

    def filled(self, profile: str | None, failure: OrcreditError | None) -> Filled:
        """Sum it up."""
        from orcredit.backfill import Filled  # noqa: PLC0415 - pydantic

        return Filled(
            profile=profile,
            since=self.since,
            until=self.parts[0].until if self.is_told else None,
            usd=sum((one.spend for part in self.parts for one in part.spent), ZERO),
            by=tuple(width for width in _WIDTHS if any(part.by == width for part in self.parts)),
            source=self.parts[0].source if self.parts else None,
            complete=failure is None,
            incomplete_reason=None if failure is None else str(failure),
            notes=tuple(dict.fromkeys(note for part in self.parts for note in part.notes)),
        )


def parse_span(text: str) -> timedelta:
    """Read `--backfill`.

    Raises:
        UsageError: not a duration of an hour to 365 days.
    """
    span = parse_duration(text, source="--backfill")
    if span < SHORTEST:
        raise UsageError(
            "--backfill: the past to fill in is at least 1h.",
            hint=f"Accepted: from 1h to {LONGEST.days}d; whole days (UTC) are filled in.",
        )
    if span > LONGEST:
        raise UsageError(
            f"--backfill: OpenRouter tells what was spent in the last {LONGEST.days} days.",
            hint=f"Accepted: from 1h to {LONGEST.days}d; whole days (UTC) are filled in.",
        )
    return span


def run(
    text: str, *, profile: str | None, json: bool, timeout: str, verbose: bool, database_url: str | None
) -> ExitCode:
    """Fill the history of the profile's key.

    Returns:
        0; 69 or 77 where a part could not be had, after those that could; 69 where no amount was told.

    Raises:
        OrcreditError: anything that failed before the first part.
    """
    from orcredit.history import History  # noqa: PLC0415 - not for the help

    span, seconds = parse_span(text), checked_timeout(timeout)
    if not keeps_history(no_history=False, database_url=database_url):
        raise UsageError(
            "--backfill fills a history, and ORCREDIT_NO_HISTORY keeps none.", hint="Set ORCREDIT_NO_HISTORY=0."
        )
    if verbose:
        show_requests(is_demo=False)
    client, chosen = open_client(profile, demo=False, base_url=None, timeout=seconds, help_hint=_HELP_HINT)
    if chosen is None or chosen.key_source == "OPENROUTER_MANAGEMENT_KEY":
        raise UsageError(
            "--backfill: the management key is the only one that is set, and it spends nothing.",
            hint="Set OPENROUTER_API_KEY to the key whose past is to be filled in.",
        )
    progress = _Progress(span, is_shown=not verbose)
    with History.load(database_url) as database:
        database.check_writable()
        failure = _fill(database, client, chosen.fingerprint, span, progress)
        if database_url is None and progress.since is not None:
            from orcredit.history import week  # noqa: PLC0415 - as above

            week.refresh(database, chosen.base_url, chosen.key.get_secret_value())
    filled = progress.filled(chosen.name, failure)
    if json:
        write(encodable_json(filled.model_dump_json(indent=2 if sys.stdout.isatty() else None)) + "\n")
    elif progress.is_told:
        write(encodable(_text(filled, progress.parts), sys.stdout))
    for note in filled.notes:
        complain(note)
    if failure is None:
        return ExitCode.OK
    complain(f"{str(failure).rstrip('.')}: {_done(progress)}.", failure.hint)
    return failure.exit_code


def _fill(database: History, client: Client, key: str, span: timedelta, progress: _Progress) -> OrcreditError | None:
    """Fill in each part as it arrives, so that what is there stays where the next one fails; return why it failed.

    Until the first amount shows that the account holds the key, parts without one are kept back.
    """
    from orcredit.blocking_client import ask_past  # noqa: PLC0415 - not for the help

    progress.show()
    kept_back: list[Part] = []
    try:
        for part in ask_past(client, span):
            kept_back.append(part)
            if progress.is_told or _has_amount(part):
                for told in kept_back:
                    if told.since < told.until:
                        database.fill(key, told.since, told.until, told.spent)
                kept_back.clear()
            progress.add(part)
    except KeyboardInterrupt:
        progress.remove()
        complain(f"Interrupted: {_done(progress)}.")
        raise
    except HistoryError:
        raise
    except OrcreditError as error:
        if not progress.is_told:
            raise
        return error.with_traceback(None)
    finally:
        progress.remove()
    return None if progress.is_told else _nothing_told(progress.parts)


def _nothing_told(parts: Sequence[Part]) -> OrcreditError:
    """Make the error of answers without any amount: of an account that does not hold the key, or of an idle key."""
    from orcredit.backfill import ACCOUNT_HINT  # noqa: PLC0415 - pydantic

    since, until = parts[-1].since, parts[0].until
    if since == until:  # no day of that time is completed
        return UnavailableError("OpenRouter tells nothing of that time.", hint="Use a longer time.")
    span = f"from {_utc(since)} to {_utc(until)} UTC"
    return UnavailableError(
        f"OpenRouter tells nothing that this key spent {span}.", hint=f"If it spent: {ACCOUNT_HINT}"
    )


def _has_amount(part: Part) -> bool:
    return any(one.spend > 0 for one in part.spent)


def _done(progress: _Progress) -> str:
    if progress.since is None:
        return "nothing was filled in"
    return f"what was spent since {progress.since:%Y-%m-%d} is filled in, and what was spent before is not"


def _text(filled: Filled, parts: Sequence[Part]) -> str:
    first = min(part.spent[0].start for part in parts if part.spent)
    span = "" if filled.since is None or filled.until is None else f" from {_utc(filled.since)} to {_utc(filled.until)}"
    return (
        f"Filled in{span} UTC, by the {' and the '.join(filled.by)}: OpenRouter reports {format_usd(filled.usd)}.\n"
        "Where the key was watched, what was seen counts.\n"
        f"See it with: orcredit history --since {first:%Y-%m-%d} --every 1d\n"
    )


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d}" if at.hour == at.minute == at.second == 0 else f"{at:%Y-%m-%d %H:%M}"
