"""`orcredit watch`: keep the balance current, on a full screen, as lines, or as JSON."""

from __future__ import annotations

import os
import sys

from orcredit.cli.logs import show_requests
from orcredit.cli.options import (
    DEFAULT_INTERVAL,
    DEFAULT_TIMEOUT,
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

HELP = """Keep the balance current, until you press q.

On a terminal a full-screen view: q quits, r refreshes now,
? shows help, Ctrl-Z suspends it.
Otherwise a line for each refresh. It goes on when OpenRouter
does not answer, and recovers by itself.

The key comes from OPENROUTER_API_KEY, else ANTHROPIC_AUTH_TOKEN.
OPENROUTER_MANAGEMENT_KEY adds the account's credit; alone, it is the key.
"""

EPILOG = """[b]Exit codes[/b]
   0  ended by q, Ctrl-C or SIGTERM
   2  wrong usage
  78  no usable key, or something else to set right first
 with --count: the level's (0, 1 or 3), or 69 or 77 if the last refresh failed

[b]Examples[/b]
  orcredit watch --demo
  orcredit watch --interval 5m --warn-below 5
  orcredit watch --json | jq --unbuffered .spendable
"""


def watch(
    *,
    profile: Profile = None,
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
    every, seconds = checked_interval(interval), checked_timeout(timeout)
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
