"""`orcredit watch`: keep the balance current, on a full screen, as lines, or as JSON."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from orcredit.cli.logs import show_requests
from orcredit.cli.options import (
    DEFAULT_INTERVAL,
    DEFAULT_TIMEOUT,
    AllWatched,
    BaseUrl,
    Count,
    DatabaseUrl,
    Demo,
    Interval,
    JsonLines,
    NoBell,
    NoHistory,
    Profile,
    Timeout,
    Verbose,
    WarnBelow,
    check_demo,
    checked_interval,
    checked_timeout,
    keeps_history,
)
from orcredit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orcredit.cli.monitoring import Monitored

HELP = """Keep the balance current, until you press q.

On a terminal a full-screen view: q quits, r refreshes now,
? shows help, Ctrl-Z suspends it.
Otherwise a line for each refresh. It goes on when OpenRouter
does not answer, and recovers by itself. --all shows every
profile of config.toml.

The key comes from OPENROUTER_API_KEY, else ANTHROPIC_AUTH_TOKEN.
OPENROUTER_MANAGEMENT_KEY adds the account's credit; alone, it is the key.
"""

EPILOG = """[b]Exit codes[/b]
   0  ended by q, Ctrl-C or SIGTERM
   2  wrong usage
  78  no usable key, or something else to set right first
 with --count: the level's (0, 1 or 3), or 69 or 77 if the last refresh failed;
   with --all the worst, in the order 78, 77, 3, 69, 1, 0

[b]Examples[/b]
  orcredit watch --demo
  orcredit watch --interval 5m --warn-below 5
  orcredit watch --all
  orcredit watch --json | jq --unbuffered .spendable
"""


def watch(
    *,
    profile: Profile = None,
    all: AllWatched = False,  # noqa: A002 - the option's name
    interval: Interval = DEFAULT_INTERVAL,
    json: JsonLines = False,
    count: Count = None,
    warn_below: WarnBelow = None,
    base_url: BaseUrl = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
    database_url: DatabaseUrl = None,
    no_history: NoHistory = False,
    no_bell: NoBell = False,
    demo: Demo = False,
    verbose: Verbose = False,
) -> int:
    """Run the command.

    Returns:
        0 when the user ends it; with `--count`, the code of the last refresh.

    Raises:
        OrcreditError: a bad value, or nothing to ask with; what OpenRouter does later raises nothing.
    """
    if all:
        _check_all(demo=demo, profile=profile, base_url=base_url, interval=interval, timeout=timeout)
    check_demo(
        demo=demo,
        profile=profile,
        base_url=base_url,
        database_url=database_url,
        no_history=no_history,
        command="watch",
    )
    has_history = keeps_history(no_history=no_history, database_url=database_url)
    is_full_screen = sys.stdout.isatty() and not json and os.environ.get("TERM") not in {"dumb", "unknown"}
    if verbose and is_full_screen and sys.stderr.isatty():
        raise UsageError("--verbose would write across the full screen.", hint="Send it elsewhere: 2>orcredit.log")
    if verbose:
        show_requests(is_demo=demo)
    # Imported here so that --help and --version load neither an event loop nor an HTTP client.
    from orcredit.cli import following, monitoring  # noqa: PLC0415

    hurries = count is None and not json  # so many polls, or documents at so many seconds, were asked for
    if all:
        from orcredit.cli import following_all  # noqa: PLC0415 - as above

        monitored = _all_monitored(
            interval,
            timeout,
            warn_below=warn_below,
            database_url=database_url,
            has_history=has_history,
            hurries=hurries,
        )
        of_all = (
            following_all.show_screen(monitored, count=count, has_bell=not no_bell)
            if is_full_screen
            else following_all.show_lines(monitored, count=count, as_json=json)
        )
        return following_all.follow(monitored, of_all)
    every, seconds = checked_interval(interval), checked_timeout(timeout)
    monitored = (
        monitoring.demo_monitored(
            every, timeout=seconds, warn_below=warn_below, has_history=has_history, hurries=hurries
        )
        if demo
        else monitoring.new_monitored(
            every,
            profile=profile,
            base_url=base_url,
            timeout=seconds,
            warn_below=warn_below,
            database_url=database_url,
            has_history=has_history,
            hurries=hurries,
        )
    )
    if is_full_screen:
        showing = following.show_screen(monitored, count=count, has_bell=not no_bell, is_demo=demo)
    else:
        showing = following.show_lines(monitored.poller, count=count, as_json=json)
    return following.follow(monitored, showing, is_full_screen=is_full_screen)


def _check_all(*, demo: bool, profile: str | None, base_url: str | None, interval: str, timeout: str) -> None:
    """Check the options beside --all. Raises UsageError."""
    if demo or profile is not None or base_url is not None:
        raise UsageError(
            "--all shows every profile: leave out --demo, --profile and --base-url.",
            hint="See 'orcredit watch --help'.",
        )
    if interval:
        checked_interval(interval)
    if timeout:
        checked_timeout(timeout)


def _all_monitored(
    interval: str,
    timeout: str,
    *,
    warn_below: Iterable[str] | None,
    database_url: str | None,
    has_history: bool,
    hurries: bool,
) -> Monitored:
    """Poll every profile, each with its interval and timeout where the command line says none."""
    from orcredit.cli import monitoring  # noqa: PLC0415 - as above
    from orcredit.cli.choosing import interval_of, timeout_of  # noqa: PLC0415 - likewise
    from orcredit.config.profiles import select_all  # noqa: PLC0415 - likewise

    every = select_all()
    return monitoring.fleet_monitored(
        [monitoring.Chosen(each, interval_of(each, interval), timeout_of(each, timeout)) for each in every],
        default=every[0].name,
        warn_below=warn_below,
        database_url=database_url,
        has_history=has_history,
        hurries=hurries,
        tells_recent=False,
    )
