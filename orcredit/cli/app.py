"""The Typer application; each command is a module of its own."""

from __future__ import annotations

from typing import Annotated

import typer

from orcredit import __version__
from orcredit.cli import history, line, serve, status, watch

app = typer.Typer(
    help="How much an [b]OpenRouter[/b] API key can still spend, and until when.",
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with [b]orcredit status --demo[/b], or set OPENROUTER_API_KEY and run [b]orcredit status[/b].",
)


def _show_version(is_wanted: bool) -> None:  # noqa: FBT001 - Typer's callback signature
    if is_wanted:
        typer.echo(f"orcredit {__version__}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool,
        typer.Option("--version", metavar="", help="Show the version and exit.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Take the options that stand before a command."""


app.command("status", help=status.HELP, short_help="Show what the key can still spend.", epilog=status.EPILOG)(
    status.status
)
app.command("watch", help=watch.HELP, short_help="Keep the balance current.", epilog=watch.EPILOG)(watch.watch)
app.command("serve", help=serve.HELP, short_help="Show the balance in a browser.", epilog=serve.EPILOG)(serve.serve)
app.command("history", help=history.HELP, short_help="Show what the key spent lately.", epilog=history.EPILOG)(
    history.history
)
app.command("line", help=line.HELP, short_help="Print one short line for prompts and status bars.", epilog=line.EPILOG)(
    line.command()
)
