"""`orcredit open`: the pages of OpenRouter about this very key, in a browser."""

from __future__ import annotations

import sys
import webbrowser
from enum import StrEnum
from hashlib import sha256
from typing import Annotated

import typer

from orcredit.cli.browser import has_display
from orcredit.cli.options import Profile
from orcredit.cli.output import complain, write
from orcredit.errors import ConfigurationError, ExitCode

HELP = """Open the page of OpenRouter about this very key.

[b]key[/b] shows its limit and budgets, [b]logs[/b] its requests, and [b]credits[/b]
is where credit is bought. Without a browser, or when the output is
not a terminal, it prints the address. The address holds the key's
SHA-256, never the key.

The key comes from OPENROUTER_API_KEY, else ANTHROPIC_AUTH_TOKEN.
"""

EPILOG = """[b]Exit codes[/b]
  0 opened or printed   2 wrong usage
  78 no usable key, or the base URL is not OpenRouter's

[b]Examples[/b]
  orcredit open
  orcredit open credits
  orcredit open logs --print
"""

COMMAND_SECONDS = 10.0
"""For a command that prints the key."""

SITE = "https://openrouter.ai"
_HOST = "openrouter.ai"


class Page(StrEnum):
    """The pages."""

    CREDITS = "credits"
    KEY = "key"
    LOGS = "logs"


PageName = Annotated[Page, typer.Argument(metavar="PAGE", help="Which page: credits, key or logs.")]
Print = Annotated[bool, typer.Option("--print", metavar="", help="Print the address and open nothing.")]


def open(*, page: PageName = Page.KEY, profile: Profile = None, print: Print = False) -> int:  # noqa: A001, A002 - the command's and option's names
    """Run the command.

    Returns:
        0.

    Raises:
        OrcreditError: no usable key, or a base URL that is not OpenRouter's.
    """
    address = address_of(page, profile)
    if not print and sys.stdout.isatty() and has_display():
        if _open(address):
            write(f"Opened {address}\n")
            return ExitCode.OK
        complain("no browser could be opened; this is the address:")
    write(f"{address}\n")
    return ExitCode.OK


def address_of(page: Page, profile: str | None = None) -> str:
    """Return the address of a page.

    Raises:
        OrcreditError: no usable key (the page where credit is bought needs none), or a base URL of another host.
    """
    from orcredit.config.profiles import select  # noqa: PLC0415 - not for --help

    selected = select(profile)
    _, host, _, source = selected.address()
    if host != _HOST and not host.endswith(f".{_HOST}"):
        raise ConfigurationError(
            f"{host} is not OpenRouter, and has no such pages.",
            hint=f"Unset {source} for this command." if source == "OPENROUTER_BASE_URL" else f"See {source}.",
        )
    if page is Page.CREDITS:
        return f"{SITE}/settings/credits"
    loaded = selected.credentials(COMMAND_SECONDS)
    if loaded.key.startswith("eyJ") and loaded.key.count(".") == 2:
        raise ConfigurationError(
            "The key is an identity token of a few minutes, which has no page.",
            hint="'orcredit open credits' works with any key.",
        )
    # OpenRouter's `hash` of a key, by which its pages and its API name it.
    name = sha256(loaded.key.encode()).hexdigest()
    return f"{SITE}/keys/{name}" if page is Page.KEY else f"{SITE}/logs?api_key_hash={name}"


def _open(address: str) -> bool:
    try:
        return webbrowser.open(address)
    except webbrowser.Error:
        return False
