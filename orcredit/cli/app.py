"""The Typer application; each command is a module."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Annotated

import typer

from orcredit import __version__
from orcredit.cli import completion

COMMANDS = {
    "status": "Show what the key can still spend.",
    "watch": "Show the balance and keep polling.",
    "serve": "Show the balance in a browser.",
    "history": "Show what the key spent lately.",
    "line": "Print one short line for prompts and status bars.",
}
"""The commands, named like their modules and functions, and their short help."""


def application(command: str | None = None) -> typer.Typer:
    """Build the application.

    Args:
        command: the only one to add; None for all. Building the options of all commands takes as long as a request.
    """
    app = typer.Typer(
        help="How much an [b]OpenRouter[/b] API key can still spend, and until when.",
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        add_completion=False,  # replaced by `orcredit.cli.completion`
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="Start with [b]orcredit status --demo[/b], or set OPENROUTER_API_KEY and run [b]orcredit status[/b].",
    )
    app.callback()(_root)
    if os.environ.get(completion.VARIABLE):
        completion.prepare(os.environ)
    for name, short_help in COMMANDS.items():
        if command in {None, name}:
            # `line`'s own module does without Typer.
            module = import_module("orcredit.cli.line_command" if name == "line" else f"orcredit.cli.{name}")
            function = getattr(module, name)
            app.command(name, help=module.HELP, short_help=short_help, epilog=module.EPILOG)(function)
    return app


def _show_version(is_wanted: bool) -> None:  # noqa: FBT001 - Typer's callback signature
    if is_wanted:
        typer.echo(f"orcredit {__version__}")
        raise typer.Exit


def _root(
    _version: Annotated[
        bool,
        typer.Option("--version", metavar="", help="Show the version and exit.", callback=_show_version, is_eager=True),
    ] = False,
    _install: Annotated[
        bool,
        typer.Option(
            completion.INSTALL,
            metavar="[SHELL]",
            help="Install completion for the current shell, or for bash, zsh or fish.",
        ),
    ] = False,
    _show: Annotated[
        bool,
        typer.Option(
            completion.SHOW,
            metavar="[SHELL]",
            help="Print the completion script for the current shell, or for the one named.",
        ),
    ] = False,
) -> None:
    """Declare the options before a command; `orcredit.cli` runs those for completion."""
