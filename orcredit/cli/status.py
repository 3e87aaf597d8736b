"""`orcredit status`: ask once, show the answer, exit with its level."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

from orcredit import cache
from orcredit.cli.logs import show_requests
from orcredit.cli.options import (
    DEFAULT_TIMEOUT,
    All,
    BaseUrl,
    Demo,
    Json,
    Profile,
    Quiet,
    Timeout,
    Verbose,
    WarnBelow,
    checked_timeout,
)
from orcredit.cli.output import complain, encodable_json, show, teller, write
from orcredit.errors import OrcreditError, UnreachableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from ssl import SSLContext

    from pydantic import BaseModel

    from orcredit.balance import Balance
    from orcredit.blocking_client import Client
    from orcredit.config.profile import Profile as ChosenProfile
    from orcredit.config.profiles import Selected


HELP = """Show what the key can still spend, and what limits it.

The key comes from OPENROUTER_API_KEY, else ANTHROPIC_AUTH_TOKEN.
OPENROUTER_MANAGEMENT_KEY adds the account's credit; alone, it is the key.
"""

EPILOG = """[b]Exit codes[/b]
   0  ok, or nothing limits the key
   1  low
   2  wrong usage
   3  exhausted
  69  OpenRouter could not be reached, or its answer is invalid
  70  a bug in orcredit
  77  OpenRouter refused the key
  78  no usable key, or something else to set right first
 130  Ctrl-C

[b]Examples[/b]
  orcredit status --demo
  orcredit status --json | jq .spendable
  orcredit status --all
  orcredit status -q --warn-below 5 || echo "top up first"
"""

_HELP_HINT = "See 'orcredit status --help'."


def status(
    *,
    profile: Profile = None,
    all: All = False,  # noqa: A002 - the option's name
    json: Json = False,
    quiet: Quiet = False,
    warn_below: WarnBelow = None,
    base_url: BaseUrl = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
    demo: Demo = False,
    verbose: Verbose = False,
) -> int:
    """Run the command.

    Returns:
        The exit code of the level.

    Raises:
        OrcreditError: whatever went wrong; `orcredit.cli.main` tells the user.
    """
    _check(json=json, quiet=quiet, demo=demo, profile=profile, base_url=base_url)
    if all:
        if demo or profile is not None or base_url is not None:
            raise UsageError("--all shows every profile: leave out --demo, --profile and --base-url.", hint=_HELP_HINT)
        return _every(timeout, warn_below, json=json, quiet=quiet, verbose=verbose)
    seconds = checked_timeout(timeout)
    if verbose:
        show_requests(is_demo=demo)
    client = _demo(seconds, warn_below) if demo else _client(profile, base_url, timeout=seconds, warn_below=warn_below)
    is_table = not (json or quiet)
    tell = None
    if not (demo or quiet or verbose):
        tell = teller(client.profile.base_url, is_loopback=client.profile.is_loopback)
    balance = _ask(client, is_demo=demo, is_table=is_table, tell=tell)
    if balance.account_error is not None:
        complain(f"the account's credit is not known: {balance.account_error}")
    if json:
        write(encodable_json(balance.model_dump_json(indent=2 if sys.stdout.isatty() else None)) + "\n")
    elif is_table:
        from orcredit.render.status import StatusTable  # noqa: PLC0415 - Rich

        show(StatusTable(balance, is_demo=demo))
    return balance.level.exit_code


def _every(timeout: str, warn_below: list[str] | None, *, json: bool, quiet: bool, verbose: bool) -> int:
    """Show every profile."""
    if timeout:
        checked_timeout(timeout)
    if verbose:
        show_requests(is_demo=False)
    from orcredit.cli import several  # noqa: PLC0415 - an event loop, the HTTP client

    return several.run(timeout=timeout, warn_below=warn_below, as_json=json, is_quiet=quiet)


def _demo(timeout: float, warn_below: list[str] | None) -> Client:
    from orcredit.blocking_client import Client  # noqa: PLC0415 - --help and --version load no HTTP client

    return Client.demo(timeout=timeout, warn_below=warn_below)


def _client(profile: str | None, base_url: str | None, *, timeout: float, warn_below: list[str] | None) -> Client:
    """Make the client of a profile, whose certificates are loaded while its key and the modules are."""
    from orcredit.config.profiles import select  # noqa: PLC0415 - not for --help

    began = time.monotonic()
    selected = select(profile, base_url)
    tls = _prepare_tls(selected)
    # Imported here so that --help and --version load no HTTP client.
    from orcredit.blocking_client import Client  # noqa: PLC0415
    from orcredit.cli.choosing import with_keys, within  # noqa: PLC0415
    from orcredit.openrouter.transport import Transport  # noqa: PLC0415

    chosen = with_keys(selected, timeout=timeout, warn_below=warn_below)
    return Client.of(within(chosen, timeout, began), Transport(tls=tls))


def _ask(client: Client, *, is_demo: bool, is_table: bool, tell: Callable[[int | None], None] | None) -> Balance:
    """Ask, and keep the answer or the failure for the prompt line; nothing is kept of the demo."""
    from orcredit.blocking_client import ask  # noqa: PLC0415 - loaded above

    meanwhile = _get_ready(is_table=is_table, has_management_key=client.profile.management_key is not None)
    if is_demo:
        return ask(client, meanwhile=meanwhile, tell=tell)
    client.credit_wait = cache.credit_wait(*_cached_as(client.profile), time.time())
    try:
        balance = ask(client, meanwhile=meanwhile, tell=tell)
    except OrcreditError as error:
        cached_as = _cached_as(client.profile)
        cache.store_failure(*cached_as, error)
        if isinstance(error, UnreachableError) and error.retry_after:
            cache.postpone_refresh(*cached_as, error.retry_after)
        raise
    cache.store(*_cached_as(client.profile), balance, client.credit_wait)
    _keep_for_history(client.profile, balance)
    return balance


def _cached_as(profile: ChosenProfile) -> tuple[str, str]:
    """Return the base URL and the key; another one after it was renewed."""
    return profile.base_url, profile.key.get_secret_value()


def _check(*, json: bool, quiet: bool, demo: bool, profile: str | None, base_url: str | None) -> None:
    """Check that the options do not contradict each other. Raises UsageError."""
    if json and quiet:
        raise UsageError("--json prints and --quiet does not: choose one.", hint=_HELP_HINT)
    if demo and profile is not None:
        raise UsageError("--demo uses no key: leave out --profile.", hint=_HELP_HINT)
    if demo and base_url is not None:
        raise UsageError("--demo uses no server: leave out --base-url.", hint=_HELP_HINT)


KEEPING_SECONDS = 1.0
"""Writing a line takes a thousandth of that."""


def _keep_for_history(profile: ChosenProfile, balance: Balance) -> None:
    """Keep the answer for the history; a disk that does not answer at once is not waited for."""
    import threading  # noqa: PLC0415 - loaded by the event loop

    from orcredit.config.load import keeps_history  # noqa: PLC0415 - loaded above
    from orcredit.history import spool  # noqa: PLC0415 - without SQLAlchemy; likewise

    if not keeps_history():
        return
    keeping = threading.Thread(target=spool.add, args=(profile.fingerprint, balance), daemon=True)
    with suppress(RuntimeError):  # no thread could be started
        keeping.start()
        keeping.join(KEEPING_SECONDS)


def _prepare_tls(selected: Selected) -> Future[SSLContext] | None:
    """Begin to load certificates, unless no connection will be made, or one without TLS."""
    try:
        if selected.address()[0].startswith("http:"):
            return None
        if selected.table is None:
            selected.credentials(0)  # from variables
    except OrcreditError:
        return None  # said by the client, in its order
    from orcredit.openrouter import tls  # noqa: PLC0415 - the HTTP client, as above

    return tls.prepare()


_FOR_THE_ANSWER = (
    "orcredit.openrouter.wire",
    "orcredit.document",
    "orcredit.balance.forecast",
    "orcredit.balance",
    "json",
    "orcredit.history.week",
    "orcredit.history.spool",
)
_FOR_THE_TABLE = ("rich.console", "rich.table", "rich.progress_bar", "orcredit.render.status")


def _get_ready(*, is_table: bool, has_management_key: bool) -> Iterator[None]:
    """Load and build what showing the answer takes, in steps of a few milliseconds.

    All of it would be loaded later anyway: nothing is lost when the answer comes before the end.
    """
    of_account = ("orcredit.openrouter.account_wire",) if has_management_key else ()
    for name in (*_FOR_THE_ANSWER, *of_account):
        import_module(name)
        yield
    from orcredit.document import Document  # noqa: PLC0415 - loaded above
    from orcredit.openrouter import KeyInfo  # noqa: PLC0415 - likewise

    # In the order of their definitions: the parts before the whole.
    models: tuple[type[BaseModel], ...] = (KeyInfo, *Document.__subclasses__())
    for model in models:
        model.model_rebuild()  # they are built when first used, else
        yield
    if is_table:
        for name in _FOR_THE_TABLE:
            import_module(name)
            yield
