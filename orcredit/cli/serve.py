"""`orcredit serve`: the balance for browsers and programs, as a page, a JSON API and an event stream."""

from __future__ import annotations

import logging
import threading
import webbrowser
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orcredit.cli.browser import has_display
from orcredit.cli.options import (
    DEFAULT_INTERVAL,
    DEFAULT_TIMEOUT,
    BaseUrl,
    DatabaseUrl,
    Demo,
    Interval,
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
from orcredit.cli.output import complain, write
from orcredit.errors import ExitCode

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine

    from orcredit.cli.journal import Journal
    from orcredit.server.running import Place

HELP = """Show the balance in a browser, and to programs as JSON.

It polls OpenRouter once per interval, however many clients it has.
When OpenRouter does not answer, it keeps the last balance and tries
again. Only this machine can reach it, unless --host says otherwise;
then a token is required.

It shows all profiles of config.toml at once, or with -p one of them.
Without profiles, the key comes from OPENROUTER_API_KEY, else ANTHROPIC_AUTH_TOKEN.
OPENROUTER_MANAGEMENT_KEY adds the account's credit; alone, it is the key.
"""

EPILOG = """[b]Exit codes[/b]
   0  stopped by Ctrl-C or SIGTERM
   2  wrong usage
  78  wrong configuration: no usable key, a port in use, a bad host,
      or a host that others can reach without a token

[b]Examples[/b]
  orcredit serve --demo --open
  orcredit serve --port 0 --interval 5m
  curl -s http://127.0.0.1:4000/api/openrouter/balance | jq .spendable
  ORCREDIT_TOKEN=... orcredit serve --host 0.0.0.0 --allow-host nas.lan
"""

_DRAIN_SECONDS = 1.0
"""At the end, for the history to finish what it has begun; all in all the server ends within three."""

Host = Annotated[
    str,
    typer.Option(
        "--host", metavar="HOST", help="Name or address to listen at. Non-loopback addresses require a token."
    ),
]
Port = Annotated[
    int, typer.Option("--port", metavar="PORT", min=0, max=65535, help="Port to listen at; 0 chooses a free one.")
]
Open = Annotated[bool, typer.Option("--open", metavar="", help="Open the page in your browser.")]
TokenFile = Annotated[
    str | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        help="Read the token from this file; else from ORCREDIT_TOKEN. Once set, every client needs it.",
        show_default=False,
    ),
]
AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host",
        metavar="NAME",
        help="Also accept this name or address in the Host header, such as a proxy's. Repeatable.",
        show_default=False,
    ),
]


def serve(
    *,
    profile: Profile = None,
    host: Host = "127.0.0.1",
    port: Port = 4000,
    interval: Interval = DEFAULT_INTERVAL,
    open: Open = False,  # noqa: A002 - the option's name
    warn_below: WarnBelow = None,
    base_url: BaseUrl = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
    database_url: DatabaseUrl = None,
    no_history: NoHistory = False,
    token_file: TokenFile = None,
    allow_host: AllowHost = None,
    demo: Demo = False,
    verbose: Verbose = False,
) -> int:
    """Run the command.

    Returns:
        0 when the user stops it.

    Raises:
        OrcreditError: an invalid value, no usable key, or an address that cannot be listened at. Failed polls raise
            nothing, except a first one that shows a wrong configuration.
    """
    if interval:
        checked_interval(interval)
    if timeout:
        checked_timeout(timeout)
    check_demo(
        demo=demo,
        profile=profile,
        base_url=base_url,
        database_url=database_url,
        no_history=no_history,
        command="serve",
    )
    has_history = keeps_history(no_history=no_history, database_url=database_url)
    # Imported here so that --help and --version load neither an event loop nor a server.
    from orcredit.cli import monitoring, runtime  # noqa: PLC0415
    from orcredit.cli.choosing import interval_of, timeout_of  # noqa: PLC0415
    from orcredit.cli.journal import Journal  # noqa: PLC0415
    from orcredit.config.profiles import select_for_server  # noqa: PLC0415
    from orcredit.server.access import check_access, checked_hosts, load_token  # noqa: PLC0415
    from orcredit.server.connections import LoopErrorLog  # noqa: PLC0415
    from orcredit.server.running import Place  # noqa: PLC0415
    from orcredit.server.running import serve as serve_until_stopped  # noqa: PLC0415
    from orcredit.server.state import Source  # noqa: PLC0415

    allow_hosts = checked_hosts(allow_host or ())
    token = load_token(token_file)
    if demo:
        monitored = monitoring.demo_monitored(
            checked_interval(interval),
            timeout=checked_timeout(timeout),
            warn_below=warn_below,
            has_history=has_history,
            hurries=True,
        )
    else:
        every, default = select_for_server(profile, base_url)
        monitored = monitoring.fleet_monitored(
            [monitoring.Chosen(each, interval_of(each, interval), timeout_of(each, timeout)) for each in every],
            default=default,
            warn_below=warn_below,
            database_url=database_url,
            has_history=has_history,
            hurries=True,
            tells_recent=False,
        )
    place = Place.take(host, port)
    for warning in check_access(token, is_loopback=place.is_loopback, token_file=token_file, allow_hosts=allow_hosts):
        complain(warning)
    sources = {
        name: Source(watched.interval, watched.key, watched.has_management_key, watched.client, watched.renew)
        for name, watched in monitored.profiles.items()
    }
    with Journal(monitored.poller.clock, shows_requests=verbose) as journal:

        def announce() -> None:
            write(f"Listening on {place.url}\n")
            if open:
                _open_browser(place, journal)

        def work(stopping: asyncio.Future[None]) -> Coroutine[Any, Any, None]:
            return serve_until_stopped(
                monitored.hub,
                sources,
                place,
                default=monitored.default,
                history=monitored.history,
                recorded=monitored.recorded_of,
                token=token,
                keeps_sessions=not demo and port != 0,  # a free port is another one the next time
                allow_hosts=allow_hosts,
                on_listening=announce,
                stopping=stopping,
            )

        runtime.run(
            monitored.hub,
            work,
            drain_seconds=_DRAIN_SECONDS,
            on_loop_error=LoopErrorLog(logging.getLogger("orcredit.server").warning),
        )
    return ExitCode.OK


def _open_browser(place: Place, journal: Journal) -> None:
    """Open the page on a thread, because some browsers return only when they are closed."""
    if not has_display():
        journal.write("no browser was opened: this session has no display")
        return

    def open_page() -> None:
        if not webbrowser.open(place.browser_url):
            journal.write("no browser could be opened")

    try:
        threading.Thread(target=open_page, daemon=True).start()
    except RuntimeError:
        journal.write("no browser could be opened")
