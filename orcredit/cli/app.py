"""The Typer application; each command is a module."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

from orcredit import __version__
from orcredit.cli import completion, file_options
from orcredit.cli.arguments import NO_COLOR

if TYPE_CHECKING:
    from typer.core import TyperOption

COMMANDS = {
    "status": "Show what the key can still spend.",
    "watch": "Show the balance and keep polling.",
    "serve": "Show the balance in a browser.",
    "history": "Show what the key spent lately.",
    "keys": "Show every key of the account.",
    "activity": "Show what spent the account's money.",
    "explain": "Explain an error of OpenRouter.",
    "open": "Open the page of this key in a browser.",
    "line": "Print one short line for prompts and status bars.",
    "init": "Set up a prompt or status bar.",
    "profile": "Give keys names, and list them.",
    "config": "Show where options come from, or change them.",
    "doctor": "Say what is wrong, and what to do.",
}
"""The commands, named like their modules and functions, and their short help."""


DOCUMENTATION = "\n[b]Documentation[/b]\n  README.md and docs/index.md, in the source code of orcredit\n"
"""The end of every help."""


class _Command(TyperCommand):
    """A command, whose help shows `--help` without its type, like every other switch."""

    def get_help_option(self, ctx: Any) -> TyperOption | None:  # noqa: ANN401 - Typer's context, which has no public name
        return _without_type(super().get_help_option(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - likewise
        """Read the command line, then what the configuration file says of the options that it does not give."""
        rest: list[str] = super().parse_args(ctx, args)
        if not ctx.resilient_parsing:  # a completion
            given = {name for name in ctx.params if ctx.get_parameter_source(name).name == "COMMANDLINE"}
            file_options.apply(self.name or "", ctx.params, given)
        return rest


class _Group(TyperGroup):
    """The program, likewise."""

    def get_help_option(self, ctx: Any) -> TyperOption | None:  # noqa: ANN401 - as above
        return _without_type(super().get_help_option(ctx))


def _without_type(option: TyperOption | None) -> TyperOption | None:
    if option is not None:
        option.metavar = ""
    return option


def application(command: str | None = None) -> TyperGroup:
    """Build the application.

    Args:
        command: the only one to add; None for all. Building the options of all commands takes as long as a request.
    """
    app = typer.Typer(
        cls=_Group,
        help="How much an [b]OpenRouter[/b] API key can still spend, and until when.\n\n"
        "Without a command: [b]orcredit status[/b], with its options. "
        "[b]orcredit help COMMAND[/b] shows the options of a command.",
        subcommand_metavar="[COMMAND] [ARGS]...",
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        add_completion=False,  # replaced by `orcredit.cli.completion`
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="Start with [b]orcredit status --demo[/b], or set OPENROUTER_API_KEY and run [b]orcredit[/b].\n"
        + DOCUMENTATION,
    )
    app.callback()(_root)
    if os.environ.get(completion.VARIABLE):
        completion.prepare(os.environ)
    for name, short_help in COMMANDS.items():
        if command in {None, name}:
            # `line`'s own module does without Typer.
            module = import_module("orcredit.cli.line_command" if name == "line" else f"orcredit.cli.{name}")
            function = getattr(module, name)
            epilog = module.EPILOG + DOCUMENTATION
            app.command(name, cls=_Command, help=module.HELP, short_help=short_help, epilog=epilog)(function)
    group = cast("TyperGroup", typer.main.get_command(app))
    (no_color,) = (option for option in group.params if NO_COLOR in option.opts)
    no_color.expose_value = False  # `orcredit.cli` obeys it
    for added in group.commands.values():
        added.params.append(no_color)
    return group


def _show_version(is_wanted: bool) -> None:  # noqa: FBT001 - Typer's callback signature
    if is_wanted:
        typer.echo(f"orcredit {__version__}")
        raise typer.Exit


def _root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", metavar="", help="Show the version and exit.", callback=_show_version, is_eager=True
        ),
    ] = False,
    _no_color: Annotated[
        bool, typer.Option(NO_COLOR, metavar="", help="Use no colours, as if NO_COLOR were set.")
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
    """Declare the options before a command; `orcredit.cli` obeys all but `--version`."""
