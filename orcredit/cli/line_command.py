"""The Typer command of `orcredit line`: its help, completion and usage errors. `orcredit.cli.line` does the work."""

from __future__ import annotations

from typing import Annotated

import typer

from orcredit.cli.line import COLORS, DEFAULT_COLOR, DEFAULT_MAX_AGE, run
from orcredit.cli.options import Demo, Profile
from orcredit.render.line import FIELDS
from orcredit.render.prompts import TARGETS

HELP = """Print what is left in one short line, for prompts and status bars.

It shows the newest balance that any orcredit command stored in the cache.
It never waits for OpenRouter: old numbers are marked, and refreshed in the background.
"""

EPILOG = (
    "[b]Fields of --format[/b]\n"
    + "".join(f"  {name:<11}{meaning}\n" for name, meaning in FIELDS.items())
    + """
[b]Exit codes[/b]
  0 ok   1 low   3 exhausted, by the last poll's thresholds
  2 wrong usage   69 no balance yet
  77 OpenRouter refused the key   78 no usable key
"""
)

MaxAge = Annotated[
    str | None,
    typer.Option(
        "--max-age",
        metavar="DURATION",
        help="Older numbers are marked stale and refreshed in the background: 90 or 90s, 5m (minutes), 1h, 1d.",
        show_default=DEFAULT_MAX_AGE,
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="TEMPLATE",
        help="Print this, with the fields below filled in, such as '{spendable} {stale}'.",
        show_default=False,
    ),
]
For = Annotated[
    str | None,
    typer.Option(
        "--for",
        metavar="TARGET",
        help="Print it in the escapes and colours of a prompt or status bar: [b]"
        + "[/b], [b]".join(TARGETS)
        + "[/b]. Exits with 0, and prints nothing without a key.",
        autocompletion=lambda: list(TARGETS),
        show_default=False,
    ),
]
Color = Annotated[
    str | None,
    typer.Option(
        "--color",
        metavar="WHEN",
        help="always: red when low, exhausted or refused, yellow when it soon runs out. Or never.",
        autocompletion=lambda: list(COLORS),
        show_default=DEFAULT_COLOR,
    ),
]
All = Annotated[
    bool,
    typer.Option(
        "--all", metavar="", help="Show the worst of all profiles, with its name and how many others are low."
    ),
]
ExitZero = Annotated[
    bool, typer.Option("--exit-zero", metavar="", help="Exit with 0 at every level, and also after an error.")
]


def line(
    *,
    profile: Profile = None,
    all: All = False,  # noqa: A002 - the option's name
    max_age: MaxAge = None,
    format: Format = None,  # noqa: A002 - the option's name
    for_: For = None,
    color: Color = None,
    exit_zero: ExitZero = False,
    demo: Demo = False,
) -> int:
    """Run the command; see `orcredit.cli.line.run`."""
    return run(
        {
            "profile": profile,
            "all": all,
            "max_age": max_age,
            "format": format,
            "for_": for_,
            "color": color,
            "exit_zero": exit_zero,
            "demo": demo,
        }
    )
