"""`orcredit line`: what is left, in one short line from the cache, at once.

It runs before every prompt, so it has a parser of its own, which loads nothing. `OPTIONS` is what that parser reads;
the Typer command, which shows the help and reports wrong usage, is built from it as well.
"""

from __future__ import annotations

import os
import sys
import time

from orcredit import cache
from orcredit.cli.output import complain, write
from orcredit.config import credentials
from orcredit.errors import ExitCode, OrcreditError, UsageError
from orcredit.render.line import FIELDS, WAITING, Line, parse_template, waiting_for_waybar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Options = dict[str, str | bool | None]


class Option:
    """An option of this command.

    Attributes:
        flag: such as `--max-age`; its value is passed on under `name`, `max_age`.
        metavar: what its value is called; empty for a switch.
        default: None and False are not shown.
        help: one sentence or two.
        values: those that a shell's completion offers.
    """

    __slots__ = ("default", "flag", "help", "metavar", "name", "values")

    def __init__(
        self,
        flag: str,
        metavar: str,
        default: str | bool | None,  # noqa: FBT001 - a row
        help_: str,
        *values: str,
    ) -> None:
        self.values = values
        self.flag = flag
        self.name = flag[2:].replace("-", "_")
        self.metavar = metavar
        self.default = default
        self.help = help_

    def complete(self) -> list[str]:
        """Give what a shell's completion offers after the flag."""
        return list(self.values)


COLORS = ("always", "never")

OPTIONS = (
    Option(
        "--max-age",
        "DURATION",
        "60s",
        "From this age on the numbers are marked stale and renewed in the background: 90 or 90s, 5m (minutes), 1h, 1d.",
    ),
    Option("--format", "TEMPLATE", None, "Print this, with the fields below filled in, such as '{spendable} {stale}'."),
    Option("--waybar", "", False, "Print Waybar's JSON: text, tooltip, class (the level) and percentage."),  # noqa: FBT003
    Option("--color", "WHEN", "never", "always: wrap the line into the level's ANSI colour. Or never.", *COLORS),
    Option("--exit-zero", "", False, "Exit with 0 whatever the level is, and also when something is wrong."),  # noqa: FBT003
)

HELP = """Print what is left in one short line, for prompts and status bars.

It comes from the newest balance that any orcredit command left in a cache.
It never waits: numbers that are too old are marked, and renewed in the background.
"""

EPILOG = (
    "[b]Fields of --format[/b]\n"
    + "".join(f"  {name:<11}{meaning}\n" for name, meaning in FIELDS.items())
    + """
[b]Exit codes[/b]
  0 all is well   1 low   3 exhausted, by the thresholds of whoever asked last
  2 wrong usage   69 nothing is known yet   78 no usable key
"""
)

_SHORTEST_MAX_AGE = 1


def parse(words: Sequence[str]) -> Options | None:
    """Read the command line as Typer would.

    Returns:
        The value of every option by its name; None for whatever is better left to Typer: the help, and mistakes.
    """
    values: Options = {option.name: option.default for option in OPTIONS}
    by_flag = {option.flag: option for option in OPTIONS}
    rest = iter(words)
    for word in rest:
        flag, equals, value = word.partition("=")
        option = by_flag.get(flag)
        if option is None or (equals and not option.metavar):
            return None
        if not option.metavar:
            values[option.name] = True
            continue
        given = value if equals else next(rest, None)
        if given is None:
            return None
        values[option.name] = given
    return values


def run(options: Options) -> int:
    """Run the command.

    Args:
        options: a value for each of `OPTIONS`, by its name.

    Returns:
        The exit code of the level.

    Raises:
        OrcreditError: whatever went wrong, unless the exit code is to be 0: then it is only said.
    """
    try:
        code = _print_line(options)
    except OrcreditError as error:
        if not options["exit_zero"]:
            raise
        complain(str(error), error.hint)
        code = ExitCode.OK
    return ExitCode.OK if options["exit_zero"] else code


def command() -> Callable[..., int]:
    """Build the Typer command from `OPTIONS`."""
    from inspect import Parameter, Signature  # noqa: PLC0415 - only who shows the help needs these
    from typing import Annotated  # noqa: PLC0415

    import typer  # noqa: PLC0415

    def line(**options: str | bool | None) -> int:
        return run(options)

    parameters = []
    for option in OPTIONS:
        info = typer.Option(
            option.flag,
            metavar=option.metavar,
            help=option.help,
            show_default=bool(option.default),
            autocompletion=option.complete,
        )
        kind = (str | None) if option.metavar else bool
        parameters.append(
            Parameter(option.name, Parameter.KEYWORD_ONLY, default=option.default, annotation=Annotated[kind, info])
        )
    line.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return line


def _print_line(options: Options) -> int:
    max_age = _max_age(str(options["max_age"]))
    template = None if options["format"] is None else parse_template(str(options["format"]))
    color = options["color"]
    if color not in COLORS:
        raise UsageError(f"--color: {str(color)[:40]!r} is neither always nor never.", hint=_HELP_HINT)
    if color == "always" and options["waybar"]:
        raise UsageError("--waybar tells the level by its class and --color by an escape: choose one.", hint=_HELP_HINT)
    chosen = credentials.load()
    now = time.time()
    cached = cache.load(chosen.base_url, chosen.key)
    line = Line(cached, now, max_age) if cached is not None else None
    if line is None or line.is_stale:
        _renew(chosen, max_age, now, is_urgent=line is None)
    if line is None or cached is None:
        write(f"{waiting_for_waybar() if options['waybar'] else WAITING}\n")
        return ExitCode.UNAVAILABLE
    text = line.text() if template is None else line.fill(template)
    if options["waybar"]:
        text = line.waybar(text)
    elif color == "always":
        text = line.colored(text)
    write(f"{text}\n")
    return _EXIT_CODES.get(cached.level, ExitCode.OK)


_HELP_HINT = "See 'orcredit line --help'."
_EXIT_CODES = {"low": ExitCode.LOW, "exhausted": ExitCode.EXHAUSTED}  # Level.exit_code, which would load pydantic


def _max_age(text: str) -> float:
    if text == "60s":
        return 60.0  # the default, without loading what reads all the others
    from orcredit.durations import DURATION_FORMS, parse_duration  # noqa: PLC0415

    try:
        seconds = parse_duration(text).total_seconds()
    except UsageError as error:
        raise UsageError(f"--max-age: {error}", hint=error.hint) from None
    if seconds < _SHORTEST_MAX_AGE:
        raise UsageError("--max-age is at least 1 second.", hint=DURATION_FORMS)
    return seconds


def _renew(chosen: credentials.Credentials, max_age: float, now: float, *, is_urgent: bool) -> None:
    """Have the cache renewed in the background, unless somebody did within the maximum age."""
    try:
        if cache.claim_refresh(chosen.base_url, chosen.key, max_age, now):
            _start_status()
    except OSError as error:
        if is_urgent:  # else there is something to show, and a prompt is no place for a lecture
            complain(
                f"the cache cannot be written: {error.strerror or error}.",
                f"The line will stay empty; look at {cache.directory() or 'your home directory'}.",
            )


def _start_status() -> None:
    """Start `orcredit status -q` in a session of its own, with none of our descriptors, and do not wait for it.

    Raises:
        OSError: the system cannot start it.
    """
    # -P: prompts are drawn in any directory, and an orcredit.py that lies there is not to be run.
    command = [sys.executable, "-P", "-m", "orcredit", "status", "-q"]
    if sys.platform != "win32":
        try:
            # What a shell has left open; Python's own are closed on exec anyway. The listing's is gone by now.
            for name in os.listdir("/dev/fd"):  # noqa: PTH208
                if int(name) > 2 and _is_open(int(name)):
                    os.set_inheritable(int(name), False)  # noqa: FBT003
            nowhere = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
            os.posix_spawn(command[0], command, os.environ, file_actions=nowhere, setsid=True)
        except (OSError, NotImplementedError):
            pass
        else:
            return
    import subprocess  # noqa: PLC0415 - takes as long to load as all the rest

    null = subprocess.DEVNULL
    subprocess.Popen(  # noqa: S603 - our own command
        command,
        stdin=null,
        stdout=null,
        stderr=null,
        start_new_session=True,
        creationflags=getattr(subprocess, "DETACHED_PROCESS", 0),
    )


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
