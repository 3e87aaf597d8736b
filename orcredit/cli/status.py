"""`orcredit status`: ask once, show the answer, exit with its level."""

from __future__ import annotations

import sys

from orcredit import cache, credentials
from orcredit.cli.logs import show_requests
from orcredit.cli.options import BaseUrl, Demo, Json, Quiet, Timeout, Verbose, WarnBelow
from orcredit.cli.output import complain, show, write
from orcredit.errors import UsageError

HELP = """Show what the key can still spend, and what limits it.

The key comes from OPENROUTER_API_KEY, else ANTHROPIC_AUTH_TOKEN.
OPENROUTER_MANAGEMENT_KEY, when set, adds the account's credit.
"""

EPILOG = """[b]Exit codes[/b]
   0  all is well
   1  low
   2  wrong usage
   3  exhausted
  69  OpenRouter could not be asked, or made no sense
  70  a bug in orcredit
  77  OpenRouter refused the key
  78  no usable key, or something else to set right first
 130  Ctrl-C

[b]Examples[/b]
  orcredit status --demo
  orcredit status --json | jq .spendable
  orcredit status -q --warn-below '$5' || echo "top up first"
"""

_HELP_HINT = "See 'orcredit status --help'."


def status(
    *,
    json: Json = False,
    quiet: Quiet = False,
    warn_below: WarnBelow = None,
    base_url: BaseUrl = None,
    timeout: Timeout = 10.0,
    demo: Demo = False,
    verbose: Verbose = False,
) -> int:
    """Run the command.

    Returns:
        The exit code of the level.

    Raises:
        OrcreditError: whatever went wrong; `orcredit.cli.main` tells the user.
    """
    if json and quiet:
        raise UsageError("--json prints and --quiet does not: choose one.", hint=_HELP_HINT)
    if demo and base_url is not None:
        raise UsageError("--demo asks no server: leave out --base-url.", hint=_HELP_HINT)
    if verbose:
        show_requests(is_demo=demo)
    # Imported here so that --help and --version load no HTTP client.
    from orcredit.client import Client  # noqa: PLC0415

    client = (
        Client.demo(timeout=timeout, warn_below=warn_below)
        if demo
        else Client(base_url=base_url, timeout=timeout, warn_below=warn_below)
    )
    balance = client.balance()
    if not demo:
        chosen = credentials.load(base_url=base_url)
        cache.store(chosen.base_url, chosen.key, balance.model_dump_json())
    if balance.account_error is not None:
        complain(f"the account's credit is not known, {balance.account_error}")
    if json:
        write(balance.model_dump_json(indent=2 if sys.stdout.isatty() else None) + "\n")
    elif not quiet:
        from orcredit.terminal.status import StatusTable  # noqa: PLC0415 - Rich

        show(StatusTable(balance, is_demo=demo))
    return balance.level.exit_code
