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
from orcredit.cli.output import complain, write
from orcredit.config import credentials
from orcredit.errors import ExitCode, OrcreditError, UsageError
from orcredit.render.line import SEPARATOR, WAITING, Line, Refusal, parse_template, waiting_for_waybar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Options = dict[str, str | bool | None]


COLORS = ("always", "never")

DEFAULTS: dict[str, str | None] = {"--max-age": "60s", "--format": None, "--color": "never", "--for": None}
"""The options that take a value, with their defaults."""

SWITCHES = ("--exit-zero", "--demo")

_SHORTEST_MAX_AGE = 1


def parse(words: Sequence[str]) -> Options | None:
    """Read the command line as Typer would.

    Returns:
        The value of every option by its name; None for what Typer handles: the help and usage errors.
    """
    values: Options = {_name(flag): default for flag, default in DEFAULTS.items()}
    values |= {_name(flag): False for flag in SWITCHES}
    rest = iter(words)
    for word in rest:
        flag, equals, value = word.partition("=")
        if word == "--no-color":
            values["color"] = "never"
            continue
        if word in SWITCHES:
            values[_name(word)] = True
            continue
        given = value if equals else next(rest, None)
        if flag not in DEFAULTS or given is None:
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
    max_age = _max_age(str(options["max_age"]))
    template = None if options["format"] is None else parse_template(str(options["format"]))
    color = options["color"]
    if color not in COLORS:
        raise UsageError(f"--color: {str(color)[:40]!r} is neither always nor never.", hint=_HELP_HINT)
    if options["for_"] is not None:
        if color == "always":
            raise UsageError("--for and --color cannot be combined: --for adds the colours.", hint=_HELP_HINT)
        return _print_for(str(options["for_"]), template, max_age, is_demo=bool(options["demo"]))
    line = _newest(max_age, is_demo=bool(options["demo"]), is_quiet=False)
    if line is None:
        write(f"{WAITING}\n")
        return ExitCode.UNAVAILABLE
    text = _filled(line, template)
    write(f"{line.colored(text) if color == 'always' else text}\n")
    return _EXIT_CODES.get(line.level, ExitCode.OK)


def _print_for(target: str, template: list[str] | None, max_age: float, *, is_demo: bool) -> int:
    """Print the line for a prompt, where errors have no place: without a key it is empty, and `doctor` says why."""
    from orcredit.render import prompts  # noqa: PLC0415 - for prompts that were set up with `init`

    if target not in prompts.TARGETS:
        raise UsageError(f"--for: {target[:40]!r} is not known.", hint=f"Accepted: {', '.join(prompts.TARGETS)}.")
    try:
        line = _newest(max_age, is_demo=is_demo, is_quiet=True)
    except OrcreditError:
        return ExitCode.OK
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


def _newest(max_age: float, *, is_demo: bool, is_quiet: bool) -> Line | Refusal | None:
    """Return the newest line, or a refusal after it, and have it refreshed where it is old.

    Returns:
        None before the first answer.

    Raises:
        OrcreditError: no usable key.
    """
    chosen = None if is_demo else credentials.load()
    cached = _demo_cached() if chosen is None else cache.load(chosen.base_url, chosen.key)
    now = time.time()
    failure = None if chosen is None else cache.load_failure(chosen.base_url, chosen.key, cached)
    line = Line(cached, now, max_age, failure) if cached is not None else None
    if chosen is not None and (line is None or line.is_stale):
        _refresh(chosen, max_age, now, is_reported=line is None and not is_quiet)
    return Refusal(failure, now, max_age) if failure is not None and failure.is_refusal else line


_HELP_HINT = "See 'orcredit line --help'."
_EXIT_CODES = {
    "low": ExitCode.LOW,
    "exhausted": ExitCode.EXHAUSTED,
    "refused": ExitCode.REFUSED,
}  # as Level.exit_code, whose import would load pydantic


def _demo_cached() -> cache.Cached:
    """Ask the simulated account, which takes ten times as long as a line from the cache."""
    from orcredit.client import Client  # noqa: PLC0415 - only the demo needs it

    return cache.of(Client.demo().balance(), time.time())


def _max_age(text: str) -> float:
    if text == "60s":
        return 60.0  # the default, without importing the parser
    from orcredit.durations import DURATION_FORMS, parse_duration  # noqa: PLC0415

    seconds = parse_duration(text, source="--max-age").total_seconds()
    if seconds < _SHORTEST_MAX_AGE:
        raise UsageError("--max-age is at least 1 second.", hint=DURATION_FORMS)
    return seconds


def _refresh(chosen: credentials.Credentials, max_age: float, now: float, *, is_reported: bool) -> None:
    """Refresh the cache in the background, unless another process did so within the maximum age."""
    try:
        if cache.claim_refresh(chosen.base_url, chosen.key, max_age, now):
            _start_status()
    except OSError as error:
        if is_reported:  # an error before every prompt would be worse than an old line
            complain(
                f"the cache cannot be written: {error.strerror or error}.",
                f"The line stays empty until it can; check {cache.directory() or 'your home directory'}.",
            )


def _start_status() -> None:
    """Start `orcredit status -q` in a new session, without inherited descriptors, and do not wait for it.

    Raises:
        OSError: it could not be started.
    """
    # -P: an orcredit.py in the current directory, which may be any, must not be run.
    command = [sys.executable, "-P", "-m", "orcredit", "status", "-q"]
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
