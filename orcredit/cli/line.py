"""`orcredit line`: the balance in one short line, from the cache.

It runs before every prompt, and importing Typer would take most of its time. So `parse` reads the options, and the
Typer command (`orcredit.cli.line_command`) is only used for the help, completion and usage errors; a test holds that
both have the same options.
"""

from __future__ import annotations

import os
import sys
import time

from orcredit import cache
from orcredit.cli import line_profile
from orcredit.cli.output import complain, write
from orcredit.errors import ExitCode, OrcreditError, UsageError
from orcredit.render.line import SEPARATOR, WAITING, Line, Refusal, parse_template, waiting_for_waybar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orcredit.cli.line_all import Profiles
    from orcredit.cli.line_profile import LineProfile

    Options = dict[str, str | bool | None]


COLORS = ("always", "never")

VALUES = ("--profile", "--max-age", "--format", "--color", "--for")
"""The options that take a value."""

DEFAULT_MAX_AGE = "60s"
DEFAULT_COLOR = "never"

SWITCHES = ("--all", "--exit-zero", "--demo")

_SHORTEST_MAX_AGE = 1


def parse(words: Sequence[str]) -> Options | None:
    """Read the command line as Typer would.

    Returns:
        The value of every option by its name; None for what Typer handles: the help and usage errors.
    """
    values: Options = {_name(flag): None for flag in VALUES}
    values |= {_name(flag): False for flag in SWITCHES}
    rest = iter(words)
    for word in rest:
        flag, equals, value = word.partition("=")
        flag = "--profile" if word == "-p" else flag
        if word == "--no-color":
            values["color"] = "never"
            continue
        if word in SWITCHES:
            values[_name(word)] = True
            continue
        given = value if equals else next(rest, None)
        if flag not in VALUES or given is None:
            return None
        values[_name(flag)] = given
    return values


def _name(flag: str) -> str:
    return "for_" if flag == "--for" else flag[2:].replace("-", "_")  # a keyword of Python


def run(options: Options) -> int:
    """Run the command.

    Args:
        options: the value of every option by its name, such as `max_age`.

    Returns:
        The exit code of the level; that of a refusal where OpenRouter refused the key.

    Raises:
        OrcreditError: any failure; with `--exit-zero` it is only printed.
    """
    try:
        code = _print_line(options)
    except OrcreditError as error:
        if not options["exit_zero"]:
            raise
        complain(str(error), error.hint)
        code = ExitCode.OK
    return ExitCode.OK if options["exit_zero"] else code


def _print_line(options: Options) -> int:
    """Print the line; whether the file says `exit_zero` is only known here, and added to the options."""
    is_demo, name, target = bool(options["demo"]), options["profile"], options["for_"]
    if is_demo + (name is not None) + bool(options["all"]) > 1:
        raise UsageError("--demo, --profile and --all are three things to show: choose one.", hint=_HELP_HINT)
    if target is not None and options["color"] == "always":
        raise UsageError("--for and --color cannot be combined: --for adds the colours.", hint=_HELP_HINT)
    _check(options)
    try:
        chosen = None if is_demo else _chosen(None if name is None else str(name), is_all=bool(options["all"]))
    except OrcreditError:
        if target is None:
            raise
        _check_target(str(target))
        return ExitCode.OK  # errors have no place in a prompt: without a key it is empty, and `doctor` says why
    if chosen is not None:
        for option, value in chosen.options.items():
            options[option] = value if options[option] in {None, False} else options[option]
    max_age, template = _check(options)
    if target is not None:
        return _print_for(str(target), template, max_age, chosen)
    line, code = _newest(chosen, max_age, is_quiet=False)
    if line is None:
        write(f"{WAITING}\n")
        return code
    text = _filled(line, template)
    write(f"{line.colored(text) if options['color'] == 'always' else text}\n")
    return code


def _chosen(name: str | None, *, is_all: bool) -> LineProfile | Profiles:
    if not is_all:
        return line_profile.choose(name)
    from orcredit.cli.line_all import Profiles  # noqa: PLC0415 - for --all alone

    return Profiles()


def _check(options: Options) -> tuple[float, list[str] | None]:
    """Check the options, and return the maximum age and the template. Raises UsageError."""
    max_age = _max_age(DEFAULT_MAX_AGE if options["max_age"] is None else str(options["max_age"]))
    template = None if options["format"] is None else parse_template(str(options["format"]))
    color = DEFAULT_COLOR if options["color"] is None else options["color"]
    if color not in COLORS:
        raise UsageError(f"--color: {str(color)[:40]!r} is neither always nor never.", hint=_HELP_HINT)
    return max_age, template


def _check_target(target: str) -> None:
    from orcredit.render import prompts  # noqa: PLC0415 - for prompts that were set up with `init`

    if target not in prompts.TARGETS:
        raise UsageError(f"--for: {target[:40]!r} is not known.", hint=f"Accepted: {', '.join(prompts.TARGETS)}.")


def _print_for(target: str, template: list[str] | None, max_age: float, chosen: LineProfile | Profiles | None) -> int:
    """Print the line for a prompt."""
    from orcredit.render import prompts  # noqa: PLC0415 - as above

    _check_target(target)
    line, _ = _newest(chosen, max_age, is_quiet=True)
    if target == "waybar":
        write(f"{waiting_for_waybar() if line is None else line.waybar(_filled(line, template))}\n")
        return ExitCode.OK
    session = ""
    if target == "claude-code":
        from orcredit.cli.session import read_cost  # noqa: PLC0415 - for this target alone

        cost = read_cost()
        session = "" if cost is None else f"{prompts.session_text(cost)}{SEPARATOR}"
    text, tone = WAITING, "dim"
    if line is not None:
        has_left = target == "claude-code" and template is None
        text, tone = line.text_left() if has_left else _filled(line, template), line.tone
    if os.environ.get("NO_COLOR"):
        tone = "neutral"
    text = session + text
    if not (sys.stdout.encoding or "").lower().startswith("utf"):
        text = text.replace("·", "-").replace("…", "...")
    write(f"{prompts.for_target(target, text, tone)}\n")
    return ExitCode.OK


def _filled(line: Line | Refusal, template: list[str] | None) -> str:
    return line.text() if template is None else line.fill(template)


def _newest(
    chosen: LineProfile | Profiles | None, max_age: float, *, is_quiet: bool
) -> tuple[Line | Refusal | None, int]:
    """Return the newest line, or a refusal after it, and have it refreshed where it is old.

    Args:
        chosen: the profile, or all of them; None for the demo.
        max_age: seconds.
        is_quiet: whether a cache that cannot be written is not reported.

    Returns:
        The line, None before the first answer; and the exit code.
    """
    now = time.time()
    if chosen is None:
        line: Line | Refusal | None = Line(_demo_cached(), now, max_age)
        return line, _exit_code(line)
    if isinstance(chosen, line_profile.LineProfile):
        line, is_old = _line_of(chosen, max_age, now)
        code = _exit_code(line)
    else:
        line, code, is_old = chosen.worst(max_age)
    if is_old:
        _refresh(chosen, max_age, now, is_reported=line is None and not is_quiet)
    return line, code


def _line_of(chosen: LineProfile, max_age: float, now: float) -> tuple[Line | Refusal | None, bool]:
    """Return the line of a profile, and whether it should be refreshed."""
    cached = cache.load(chosen.base_url, chosen.key)
    failure = cache.load_failure(chosen.base_url, chosen.key, cached)
    line = Line(cached, now, max_age, failure, profile=chosen.name) if cached is not None else None
    is_old = line is None or line.is_stale
    return (Refusal(failure, now, max_age) if failure is not None and failure.is_refusal else line), is_old


def _exit_code(line: Line | Refusal | None) -> int:
    return ExitCode.UNAVAILABLE if line is None else _EXIT_CODES.get(line.level, ExitCode.OK)


_HELP_HINT = "See 'orcredit line --help'."
_EXIT_CODES = {
    "low": ExitCode.LOW,
    "exhausted": ExitCode.EXHAUSTED,
    "refused": ExitCode.REFUSED,
}  # as Level.exit_code, whose import would load pydantic


def _demo_cached() -> cache.Cached:
    """Ask the simulated account, which takes ten times as long as a line from the cache."""
    from orcredit.blocking_client import Client  # noqa: PLC0415 - only the demo needs it

    return cache.of(Client.demo().balance(), time.time())


def _max_age(text: str) -> float:
    if text == "60s":
        return 60.0  # the default, without importing the parser
    from orcredit.durations import DURATION_FORMS, parse_duration  # noqa: PLC0415

    seconds = parse_duration(text, source="--max-age").total_seconds()
    if seconds < _SHORTEST_MAX_AGE:
        raise UsageError("--max-age is at least 1 second.", hint=DURATION_FORMS)
    return seconds


def _refresh(chosen: LineProfile | Profiles, max_age: float, now: float, *, is_reported: bool) -> None:
    """Refresh the cache in the background, unless another process did so within the maximum age."""
    try:
        if cache.claim_refresh(chosen.base_url, chosen.key, max_age, now):
            _start_status(chosen.refresh)
    except OSError as error:
        if is_reported:  # an error before every prompt would be worse than an old line
            complain(
                f"the cache cannot be written: {error.strerror or error}.",
                f"The line stays empty until it can; check {cache.directory() or 'your home directory'}.",
            )


def _start_status(options: tuple[str, ...]) -> None:
    """Start `orcredit status -q` in a new session, without inherited descriptors, and do not wait for it.

    Raises:
        OSError: it could not be started.
    """
    # -P: an orcredit.py in the current directory, which may be any, must not be run.
    command = [sys.executable, "-P", "-m", "orcredit", "status", "-q", *options]
    if sys.platform != "win32":
        try:
            # Descriptors inherited from the shell; Python's own are not inheritable.
            for name in os.listdir("/dev/fd"):  # noqa: PTH208
                if int(name) > 2 and _is_open(int(name)):
                    os.set_inheritable(int(name), False)  # noqa: FBT003
            to_null = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
            os.posix_spawn(command[0], command, os.environ, file_actions=to_null, setsid=True)
        except (OSError, NotImplementedError):
            pass
        else:
            return
    import subprocess  # noqa: PLC0415 - its import takes as long as the rest of the command

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
