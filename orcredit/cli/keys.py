"""`orcredit keys`: every key of the account, with a management key."""

from __future__ import annotations

import sys
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from orcredit.cli.logs import show_requests
from orcredit.cli.options import (
    DEFAULT_TIMEOUT,
    BaseUrl,
    Demo,
    Profile,
    Timeout,
    Verbose,
    WarnBelow,
    checked_timeout,
)
from orcredit.cli.output import complain, encodable_json, show, teller, write
from orcredit.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from orcredit.balance.account import AccountKey, KeyList

HELP = """Show every key of the account, and what is left of each.

It needs a management key: that of the profile, or of the variable
OPENROUTER_MANAGEMENT_KEY, or the key itself where it is one.
Make one at https://openrouter.ai/settings/management-keys
The level of a key is that of the key's limit; the credit is shown above.
"""

EPILOG = """[b]Exit codes[/b]
   0  shown, or with --audit: nothing to do
   1  with --check: a key or the credit is low; with --audit: something to do
   2  wrong usage
   3  with --check: a key or the credit is exhausted
  69  OpenRouter could not be reached, or a page of keys is missing
  77  OpenRouter refused the key, or it is not a management key
  78  no usable key

[b]Examples[/b]
  orcredit keys --demo
  orcredit keys --low --workspace Customers
  orcredit keys --audit
  orcredit keys --json | jq '.keys[] | select(.level == "low") | .name'
"""

_HELP_HINT = "See 'orcredit keys --help'."


class Sort(Enum):
    """The orders; the amounts begin with the largest, the rest with what comes first."""

    level = "level"
    name = "name"
    workspace = "workspace"
    left = "left"
    percent = "percent"
    limit = "limit"
    today = "today"
    week = "week"
    month = "month"
    total = "all-time"
    used = "used"
    expires = "expires"
    runs_out = "runs-out"


Include = Annotated[
    str | None,
    typer.Option(
        "--include",
        metavar="WHICH",
        help="Also show [b]disabled[/b] or [b]expired[/b] keys, or both: disabled,expired.",
        autocompletion=lambda: ["disabled", "expired", "disabled,expired"],
    ),
]
SortBy = Annotated[
    Sort,
    typer.Option(
        "--sort",
        metavar="COLUMN",
        help="The order: level (the worst first), name, workspace, left, percent, limit, today, week, month, all-time, "
        "used, expires or runs-out.",
        case_sensitive=False,
    ),
]
Low = Annotated[bool, typer.Option("--low", metavar="", help="Show only keys that are low or exhausted.")]
WorkspaceName = Annotated[
    str | None,
    typer.Option("--workspace", metavar="NAME", help="List only the keys of this workspace: its name, slug or id."),
]
Audit = Annotated[
    bool,
    typer.Option(
        "--audit", metavar="", help="Show what should be changed about the keys instead, one line each; 1 if anything."
    ),
]
Check = Annotated[
    bool,
    typer.Option("--check", metavar="", help="Exit with the worst level of the keys shown and of the credit: 0, 1, 3."),
]
Json = Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON document; with --audit a JSON list.")]
Csv = Annotated[bool, typer.Option("--csv", metavar="", help="Print comma-separated values with a header.")]


def keys(
    *,
    profile: Profile = None,
    include: Include = None,
    sort: SortBy = Sort.level,
    low: Low = False,
    workspace: WorkspaceName = None,
    audit: Audit = False,
    check: Check = False,
    json: Json = False,
    csv: Csv = False,
    warn_below: WarnBelow = None,
    base_url: BaseUrl = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
    demo: Demo = False,
    verbose: Verbose = False,
) -> int:
    """Run the command.

    Returns:
        0; 69 where a page is missing; with `--check` and `--audit` what they say.

    Raises:
        OrcreditError: anything that failed; `orcredit.cli.main` prints it.
    """
    included = _included(include)
    _check_usage(json=json, csv=csv, audit=audit, low=low, check=check, is_sorted=sort is not Sort.level)
    seconds = checked_timeout(timeout)
    if verbose:
        show_requests(is_demo=demo)
    from orcredit.blocking_client import ask_account  # noqa: PLC0415 - likewise
    from orcredit.cli.account import open_client  # noqa: PLC0415 - so that --help loads no HTTP client

    client, chosen = open_client(
        profile, demo=demo, base_url=base_url, timeout=seconds, help_hint=_HELP_HINT, warn_below=warn_below
    )
    tell = None
    if chosen is not None and not verbose:
        tell = teller(chosen.base_url, is_loopback=chosen.is_loopback)
    found = ask_account(
        client,
        lambda asked, on_attempt: asked.ask_key_list(
            workspace,
            include_disabled=audit or "disabled" in included,
            include_expired="expired" in included,
            on_attempt=on_attempt,
        ),
        tell=tell,
    )
    if found.account.credit_error is not None:
        complain(f"the account's credit is not known: {found.account.credit_error}")
    if audit:
        code = _audit(found, json=json, csv=csv)
    else:
        shown = _ordered([key for key in found.keys if not low or key.level.is_warning], sort)
        _show(found, shown, json=json, csv=csv, is_demo=demo)
        code = _worst(shown, found) if check else ExitCode.OK
    if found.complete:
        return code
    from orcredit.render.keys import incomplete  # noqa: PLC0415 - Rich

    # Only an answer that was too late comes sooner with another timeout.
    more_time = ", or allow more time with --timeout" if " within " in str(found.incomplete_reason) else ""
    complain(incomplete(found), f"Try again later{more_time}.")
    return code if code is ExitCode.EXHAUSTED else ExitCode.UNAVAILABLE


def _included(include: str | None) -> set[str]:
    words = {word.strip().lower() for word in (include or "").split(",")} - {""}
    if not words <= {"disabled", "expired"} or include == "":
        raise UsageError(f"--include: {str(include)[:40]!r} is unknown.", hint="Accepted: disabled, expired, or both.")
    return words


def _check_usage(*, json: bool, csv: bool, audit: bool, low: bool, check: bool, is_sorted: bool) -> None:
    if csv and json:
        raise UsageError("--csv and --json are two formats; only one can be printed.", hint="Leave one of them out.")
    if audit and (low or check or is_sorted):
        raise UsageError(
            "--audit checks all keys, in its own order: leave out --low, --check and --sort.", hint=_HELP_HINT
        )


def _ordered(keys: Iterable[AccountKey], sort: Sort) -> list[AccountKey]:
    from orcredit.balance.account import badness  # noqa: PLC0415 - pydantic

    worst_first = sorted(keys, key=badness)
    if sort is Sort.level:
        return worst_first
    largest: dict[Sort, Callable[[AccountKey], Any]] = {
        Sort.limit: lambda key: key.total_limit,
        Sort.today: lambda key: key.usage_daily,
        Sort.week: lambda key: key.usage_weekly,
        Sort.month: lambda key: key.usage_monthly,
        Sort.total: lambda key: key.usage,
        Sort.used: lambda key: key.last_used_at,
    }
    smallest: dict[Sort, Callable[[AccountKey], Any]] = {
        Sort.name: lambda key: key.name.casefold(),
        Sort.workspace: lambda key: (key.workspace or "").casefold(),
        Sort.left: lambda key: key.remaining,
        Sort.percent: lambda key: key.percent_remaining,
        Sort.expires: lambda key: key.expires_at,
        Sort.runs_out: lambda key: key.runs_out_at,
    }
    value = largest.get(sort) or smallest[sort]
    known = [key for key in worst_first if value(key) is not None]
    known.sort(key=value, reverse=sort in largest)
    return known + [key for key in worst_first if value(key) is None]


def _worst(shown: Sequence[AccountKey], found: KeyList) -> ExitCode:
    from orcredit.balance.account import worst_level  # noqa: PLC0415 - pydantic

    return worst_level(shown, found.account).exit_code


def _show(found: KeyList, shown: Sequence[AccountKey], *, json: bool, csv: bool, is_demo: bool) -> None:
    if json:
        document = found.model_copy(update={"keys": tuple(shown)})
        write(encodable_json(document.model_dump_json(indent=2 if sys.stdout.isatty() else None)) + "\n")
    elif csv:
        from orcredit.balance.account import AccountKey  # noqa: PLC0415 - pydantic
        from orcredit.balance.tables import as_csv  # noqa: PLC0415 - likewise

        write(as_csv(AccountKey, shown))
    else:
        from orcredit.render.keys import KeysTable  # noqa: PLC0415 - Rich

        show(KeysTable(found, shown, is_demo=is_demo))


def _audit(found: KeyList, *, json: bool, csv: bool) -> ExitCode:
    from orcredit.balance.audit import Finding, audit  # noqa: PLC0415 - pydantic

    findings = audit(found.keys, found.fetched_at)
    if json:
        from pydantic_core import to_json  # noqa: PLC0415 - likewise

        write(encodable_json(to_json(findings, indent=2 if sys.stdout.isatty() else None).decode()) + "\n")
    elif csv:
        from orcredit.balance.tables import as_csv  # noqa: PLC0415 - likewise

        write(as_csv(Finding, findings))
    else:
        from orcredit.render.keys import Findings  # noqa: PLC0415 - Rich

        show(Findings(findings, found))
    return ExitCode.LOW if findings else ExitCode.OK
