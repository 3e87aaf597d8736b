"""The prompt line: its text, templates, options, and the refresh in the background."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcredit import cache, simulator
from orcredit.balance import Level
from orcredit.cli import line as command
from orcredit.config import credentials
from orcredit.errors import UsageError
from orcredit.render.line import FIELDS, Line, format_seconds, parse_template
from tests.in_process import run_here
from tests.test_balance import assess_account
from tests.test_cli import assert_failed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typer.core import TyperOption

    from tests.conftest import Orcredit

URL = credentials.DEFAULT_BASE_URL
KEY = simulator.key_for("normal")
HOUR, DAY = 3600, 86400
FETCHED_AT = 1770914387.0  # simulator.DEMO_INSTANT

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX descriptors and sessions")


def line(age: float = 0, max_age: float = 60, **changes: Any) -> Line:  # noqa: ANN401
    """Return the demo account's line at this age of the cache; `changes` are to the cached values."""
    values: dict[str, Any] = {
        "spendable": "$158.61",
        "percent": "31.7%",
        "percentage": 31.7,
        "limitedBy": "key_limit",
        "label": "sk-or-v1-au7...890",
        "resetsAt": FETCHED_AT + 16 * DAY,
        "refusedUntil": None,
        "expiresAt": None,
        "runsOutAt": FETCHED_AT + 8 * DAY + HOUR,
    }
    level = changes.pop("level", "ok")
    written_at = 5000.0  # by a clock that is years behind OpenRouter's
    return Line(cache.Cached(values | changes, level, FETCHED_AT, written_at), written_at + age, max_age)


def text(age: float = 0, **changes: Any) -> str:  # noqa: ANN401
    return line(age, **changes).text()


@pytest.fixture
def prompt(bare_environ: dict[str, str], orcredit: Orcredit, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run `orcredit line` with a cache of this age, and with a base URL where nothing listens.

    In this process, unless it starts a refresh, which would remain a child of the tests.
    """
    monkeypatch.setenv("HOME", bare_environ["HOME"])
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def run(
        *arguments: str, account: str | None = "demo", age: float = 0, environ: Mapping[str, str] | None = None
    ) -> Any:  # noqa: ANN401
        url = "http://127.0.0.1:9"
        if account is not None:
            cache.store(url, KEY, assess_account(account))
            file = Path(cache.path_of(url, KEY, ".json") or "")
            whole = json.loads(file.read_text())
            file.write_text(json.dumps(whole | {"writtenAt": time.time() - age}))
        variables = {"OPENROUTER_BASE_URL": url, "OPENROUTER_API_KEY": KEY} | dict(environ or {})
        if account is None or age > 60:
            return orcredit("line", *arguments, environ=variables)
        return run_here("line", *arguments, environ=bare_environ | variables)

    return run


# The text


def test_it_shows_spendable_percentage_and_run_out() -> None:
    assert text() == "$158.61 · 31.7% · 8d"


def test_unknown_values_are_left_out() -> None:
    assert text(runsOutAt=None) == "$158.61 · 31.7%"
    assert text(percent=None, runsOutAt=None) == "$158.61"
    assert text(level="unlimited", spendable=None, percent=None, runsOutAt=None) == "unlimited"


def test_an_exhausted_key_shows_its_reset_when_it_has_one() -> None:
    exhausted: dict[str, Any] = {"level": "exhausted", "spendable": "$0.00", "percent": "0.0%", "runsOutAt": FETCHED_AT}
    assert text(**exhausted) == "exhausted"
    assert text(**exhausted, refusedUntil=FETCHED_AT + 5 * HOUR) == "exhausted · resets in 5h"
    assert text(6 * HOUR, **exhausted, refusedUntil=FETCHED_AT + 5 * HOUR) == "exhausted (6h old)"


def test_an_expiry_before_the_run_out_is_shown_first() -> None:
    assert text(expiresAt=FETCHED_AT + 3 * HOUR) == "key expires in 3h · $158.61 · 31.7%"
    assert text(expiresAt=FETCHED_AT + 9 * DAY) == "$158.61 · 31.7% · 8d"
    assert text(expiresAt=FETCHED_AT) == "key expired · $158.61 · 31.7%"


def test_an_expiry_within_a_week_is_shown_first_if_the_run_out_is_unknown() -> None:
    assert text(runsOutAt=None, expiresAt=FETCHED_AT + 7 * DAY) == "key expires in 7d · $158.61 · 31.7%"
    assert text(runsOutAt=None, expiresAt=FETCHED_AT + 7 * DAY + 1) == "$158.61 · 31.7%"


def test_durations_count_from_now() -> None:
    assert text(2 * DAY) == "$158.61 · 31.7% · 6d (2d old)"
    assert text(30 * DAY) == "$158.61 · 31.7% · 0s (30d old)"


def test_the_age_is_shown_beyond_the_maximum_age() -> None:
    assert text(60) == "$158.61 · 31.7% · 8d"
    assert text(61) == "$158.61 · 31.7% · 8d (1m old)"
    assert text(-HOUR) == "$158.61 · 31.7% · 8d (old)"  # the clock was set back: the age is unknown


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(-5, "0s"), (0, "0s"), (59.9, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (86399, "23h"), (10**9, "11574d")],
)
def test_durations_are_formatted_in_their_largest_unit_rounded_down(seconds: float, written: str) -> None:
    assert format_seconds(seconds) == written


HOSTILE = "\x1b]0;owned\x07\x1b[31m\u202e\u009b2Jno\nlines\r\x00"


@pytest.mark.parametrize("field", ["spendable", "percent", "limitedBy", "label"])
def test_control_characters_are_removed_from_texts_of_the_cache(field: str) -> None:
    hostile: dict[str, Any] = {field: HOSTILE + "x" * 5000}
    shown = line(**hostile)
    for shown_text in (shown.text(), shown.fill(parse_template("".join(f"{{{name}}}" for name in FIELDS)))):
        assert shown_text.isprintable()
        assert len(shown_text) < 300
    assert "".join(json.loads(shown.waybar(shown.text()))["tooltip"].split("\n")).isprintable()


# Templates


def test_a_template_is_filled() -> None:
    shown = line(90, expiresAt=FETCHED_AT + 2 * DAY)
    template = "|".join(f"{{{name}}}" for name in FIELDS)
    assert shown.fill(parse_template(template)) == (
        "$158.61|31.7%|8d|ok|key_limit|15d|1d|sk-or-v1-au7...890|1m|(1m old)"
    )


def test_unknown_fields_are_empty_and_other_text_is_unchanged() -> None:
    shown = line(runsOutAt=None, percent=None, limitedBy=None, label=None, resetsAt=None)
    template = "a{percent}{runway}{limited_by}{label}{reset}{expires}{stale}b\t{{{level}}} 100%\\n"
    assert shown.fill(parse_template(template)) == "ab\t{ok} 100%\\n"


@pytest.mark.parametrize(
    "template",
    [
        "{nonsense}",
        "{}",
        "{0}",
        "{level.__class__}",
        "{level[0]}",
        "{level!r}",
        "{level:>80000000}",
        "{ level }",
        "{level",
        "level}",
        "{{level}",
        "{",
        "}}}",
        "{level{level}}",
    ],
)
def test_anything_else_in_braces_is_a_usage_error_that_lists_the_fields(template: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_template(template)
    assert all(f"{{{name}}}" in caught.value.hint for name in FIELDS)


@given(st.text())
def test_text_with_escaped_braces_is_unchanged(anything: str) -> None:
    escaped = anything.replace("{", "{{").replace("}", "}}")
    assert line().fill(parse_template(escaped)) == anything


@given(st.text(st.sampled_from("{}level .[0]!:")))
def test_every_template_is_filled_or_a_usage_error(template: str) -> None:
    try:
        pieces = parse_template(template)
    except UsageError:
        return
    assert isinstance(line().fill(pieces), str)


# Colour and Waybar


@pytest.mark.parametrize(("level", "color"), [("ok", 32), ("unlimited", 32), ("low", 33), ("exhausted", 31)])
def test_the_colour_is_the_levels(level: str, color: int) -> None:
    assert line(level=level).colored("x") == f"\x1b[{color}mx\x1b[0m"


def test_waybar_gets_text_tooltip_class_and_percentage() -> None:
    shown = line(level="low")
    assert json.loads(shown.waybar(shown.text())) == {
        "text": "$158.61 · 31.7% · 8d",
        "tooltip": "$158.61 can be spent\nlimited by key_limit\n31.7% of the key's limit left\nruns out in 8d\n"
        "resets in 16d\nsk-or-v1-au7...890\nas of 0s ago",
        "class": "low",
        "percentage": 32,
    }


def test_waybar_gets_the_class_stale_and_no_unknown_percentage() -> None:
    bar = json.loads(line(90, percentage=None).waybar("x"))
    assert bar["class"] == ["ok", "stale"]
    assert "percentage" not in bar
    assert json.loads(line(percentage=-3.0).waybar("x"))["percentage"] == 0


def test_markup_is_escaped_for_waybar() -> None:
    bar = json.loads(line(percent="<0.1%", label="<b>&").waybar("a <b> & c"))
    assert bar["text"] == "a &lt;b&gt; &amp; c"
    assert "&lt;0.1% of the key's limit left" in bar["tooltip"]
    assert "&lt;b&gt;&amp;" in bar["tooltip"]


# The command


@pytest.mark.parametrize(
    ("account", "code", "words"),
    [
        ("demo", 0, "$158.61 · 31.7%"),
        ("low", 1, "$8.00 · 8.0%"),
        ("exhausted", 3, "exhausted"),
        ("unlimited", 0, "unlimited"),
    ],
)
def test_it_exits_with_the_level_unless_exit_zero_is_set(
    prompt: Callable[..., Any], account: str, code: int, words: str
) -> None:
    done = prompt(account=account)
    assert (done.code, done.stderr) == (code, "")
    assert done.stdout.startswith(words)
    assert done.stdout.count("\n") == 1
    assert prompt("--exit-zero", account=account).code == 0


def test_each_level_has_the_exit_code_of_status() -> None:
    assert all(command._EXIT_CODES.get(level.value, 0) == level.exit_code for level in Level)  # noqa: SLF001


def test_options_can_be_combined_and_the_last_of_two_wins(prompt: Callable[..., Any]) -> None:
    template = ["--format={level} {percent}", "--format", "{level}", "--max-age=5m"]
    assert prompt(*template, age=200).stdout == "ok\n"
    assert prompt(*template, "--color", "always").stdout == "\x1b[32mok\x1b[0m\n"
    assert json.loads(prompt(*template, "--for", "waybar").stdout)["text"] == "ok"


def test_a_command_line_that_only_typer_parses_is_run(prompt: Callable[..., Any]) -> None:
    assert command.parse(["--exit-zero", "--"]) is None
    done = prompt("--exit-zero", "--format", "{level}", "--", account="low")
    assert (done.code, done.stdout, done.stderr) == (0, "low\n", "")


def test_a_cache_within_the_maximum_age_starts_no_refresh(
    prompt: Callable[..., Any], bare_environ: dict[str, str]
) -> None:
    assert "old" not in prompt("--max-age", "1h", age=3000).stdout
    assert list(Path(bare_environ["HOME"]).rglob("*.attempt")) == []
    assert "(1h old)" in prompt("--max-age", "1h", age=3700).stdout
    assert len(list(Path(bare_environ["HOME"]).rglob("*.attempt"))) == 1


def test_without_a_cache_it_prints_an_ellipsis_and_exits_with_69(prompt: Callable[..., Any]) -> None:
    done = prompt(account=None)
    assert (done.code, done.stdout, done.stderr) == (69, "…\n", "")
    done = prompt("--for", "waybar", account=None)
    assert (done.code, json.loads(done.stdout)["text"], json.loads(done.stdout)["class"]) == (0, "…", "unknown")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--format", "{nonsense}"], ["'{nonsense}' is not a field", "{spendable}", "{stale}"]),
        (["--format", "{level"], ["lone '{'"]),
        (["--max-age", "soon"], ["--max-age", "5m"]),
        (["--max-age", "0"], ["--max-age", "1 second"]),
        (["--color", "sometimes"], ["--color", "always", "never"]),
        (["--for", "fish", "--color", "always"], ["--for", "--color"]),
        (["--for", "tcsh"], ["'tcsh'", "bash, zsh, fish"]),
        (["--nonsense"], ["--nonsense", "orcredit line --help"]),
        (["--format"], ["--format"]),
        (["--exit-zero=yes"], ["--exit-zero"]),
        (["surplus"], ["surplus"]),
        (["--exit-zero", "--nonsense"], ["--nonsense"]),
    ],
)
def test_wrong_usage_exits_with_2_and_a_hint(
    prompt: Callable[..., Any], arguments: list[str], words: list[str]
) -> None:
    assert_failed(prompt(*arguments), 2, *words)


@pytest.mark.parametrize(
    ("environ", "code"),
    [
        ({"OPENROUTER_API_KEY": ""}, 78),
        ({"OPENROUTER_API_KEY": "sk-ant-secret"}, 78),
        ({"OPENROUTER_BASE_URL": "http://example.com"}, 78),
        ({"OPENROUTER_MANAGEMENT_KEY": "two words"}, 78),
        ({"OPENROUTER_BASE_URL": "nonsense"}, 2),
    ],
)
def test_configuration_errors_are_printed_and_exit_zero_still_exits_with_0(
    prompt: Callable[..., Any], environ: dict[str, str], code: int
) -> None:
    failed = prompt(environ=environ)
    assert_failed(failed, code)
    assert "secret" not in failed.stderr
    done = prompt("--exit-zero", environ=environ)
    assert (done.code, done.stdout, done.stderr) == (0, "", failed.stderr)


@pytest.mark.skipif(not os.path.exists("/proc/self"), reason="needs Linux")  # noqa: PTH110
def test_a_cache_that_cannot_be_written_is_reported(prompt: Callable[..., Any]) -> None:
    done = prompt(account=None, environ={"XDG_CACHE_HOME": "/proc"})
    assert (done.code, done.stdout) == (69, "…\n")
    assert "the cache cannot be written" in done.stderr


@on_posix
def test_a_closed_pipe_is_no_error(prompt: Callable[..., Any], bare_environ: dict[str, str]) -> None:
    prompt()
    environ = bare_environ | {"OPENROUTER_BASE_URL": "http://127.0.0.1:9", "OPENROUTER_API_KEY": KEY}
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "orcredit", "line"], env=environ, stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


# The two parsers


FLAGS = (*command.DEFAULTS, *command.SWITCHES)


def test_both_parsers_have_the_same_options_and_defaults() -> None:
    from orcredit.cli.app import application  # noqa: PLC0415 - as the program does

    options = [cast("TyperOption", option) for option in application().commands["line"].params if option.expose_value]
    typers = {option.opts[0]: (option.is_flag, option.default) for option in options}
    assert typers == {
        **{flag: (False, default) for flag, default in command.DEFAULTS.items()},
        **dict.fromkeys(command.SWITCHES, (True, False)),
    }


def test_help_shows_every_option_and_every_field(bare_environ: dict[str, str]) -> None:
    assert re.search(r"line +Print one short line", run_here("--help", environ=bare_environ).stdout)
    for flag in ("--help", "-h"):
        shown = run_here("line", flag, environ=bare_environ | {"COLUMNS": "200"}).stdout
        assert all(flag in shown for flag in FLAGS)
        assert all(name in shown and meaning in shown for name, meaning in FIELDS.items())


def test_no_color_is_color_never() -> None:
    assert command.parse(["--color", "always", "--no-color"]) == command.parse([])
    assert command.parse(["--no-color", "--color", "always"]) == command.parse(["--color", "always"])


WORDS = st.sampled_from([
    *FLAGS,
    *(f"{flag}=x" for flag in FLAGS),
    *("--max-age=", "--form", "--", "-", "-h", "x", "", "=", "--format=a=b", "--exit-zero="),
])  # fmt: skip


@given(st.lists(WORDS, max_size=6))
def test_what_the_quick_parser_accepts_typer_parses_alike(words: list[str]) -> None:
    quick = command.parse(words)
    if quick is not None:
        from orcredit.cli.app import application  # noqa: PLC0415 - as the program does

        parsed = application().commands["line"].make_context("line", list(words)).params
        assert quick == parsed


# The refresh


def wait_for_a_balance(home: Path) -> None:
    deadline = time.monotonic() + 60
    while not list((home / ".cache").rglob("*.json")):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@on_posix
def test_it_is_refreshed_in_the_background(orcredit: Orcredit, bare_environ: dict[str, str]) -> None:
    assert orcredit("line", account="low").code == 69
    wait_for_a_balance(Path(bare_environ["HOME"]))
    done = orcredit("line", account="low")
    assert (done.code, done.stdout[:12]) == (1, "$8.00 · 8.0%")


# A sitecustomize.py that records the arguments, session and descriptors of the refresh, and exits.
RECORDER = """
import json, os, sys
if "WITHOUT_SETSID" in os.environ:
    def posix_spawn(*args, **kwargs): raise NotImplementedError
    os.posix_spawn = posix_spawn
if "status" in sys.orig_argv:
    listing = os.listdir("/proc/self/fd")
    record = {
        "argv": sys.orig_argv[1:], "leads its session": os.getsid(0) == os.getpid(),
        "open": {fd: os.readlink(f"/proc/self/fd/{fd}") for fd in listing if os.path.exists(f"/proc/self/fd/{fd}")},
    }
    with open(os.path.expanduser("~/started"), "a") as file:
        file.write(json.dumps(record) + "\\n")
    os._exit(1)
"""

# Runs prompts at once, becomes the parent of the processes they start, and waits for all of them.
SUBREAPER = """
import ctypes, os, subprocess, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
inherited = os.open(os.devnull, os.O_RDONLY)
command = [sys.executable, "-m", "orcredit", "line", *sys.argv[2:]]
for turn in range(2):
    prompts = [subprocess.Popen(command, pass_fds=[inherited]) for number in range(int(sys.argv[1]))]
    while True:
        try:
            os.wait()
        except ChildProcessError:
            break
"""


def started_by(count: int, bare_environ: dict[str, str], **environ: str) -> list[dict[str, Any]]:
    """Run this many prompts at once, twice, and return the records of the refreshes started; each of them fails."""
    home = Path(bare_environ["HOME"])
    (home / "site").mkdir()
    (home / "site" / "sitecustomize.py").write_text(RECORDER)
    variables = {
        "PYTHONPATH": os.pathsep.join([str(home / "site"), *sys.path[1:]]),
        "OPENROUTER_API_KEY": KEY,
        "OPENROUTER_BASE_URL": "http://127.0.0.1:9",
    }
    subprocess.run(
        [sys.executable, "-c", SUBREAPER, str(count)],
        env={name: value for name, value in bare_environ.items() if not name.startswith("COV")} | variables | environ,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    records = home / "started"
    return [json.loads(line) for line in records.read_text().splitlines()] if records.exists() else []


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")
@pytest.mark.parametrize("system", [{}, {"WITHOUT_SETSID": "1"}])
@pytest.mark.process
def test_many_prompts_start_one_refresh_which_inherits_no_descriptors(
    bare_environ: dict[str, str], system: dict[str, str]
) -> None:
    [started] = started_by(6, bare_environ, **system)

    assert started["argv"] == ["-P", "-m", "orcredit", "status", "-q"]
    assert started["leads its session"]
    assert started["open"] == dict.fromkeys("012", os.devnull)


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")
@pytest.mark.parametrize("environ", [{"OPENROUTER_API_KEY": ""}, {"XDG_CACHE_HOME": "/proc"}])
@pytest.mark.process
def test_no_refresh_is_started_without_a_key_or_a_claim(bare_environ: dict[str, str], environ: dict[str, str]) -> None:
    assert started_by(1, bare_environ, **environ) == []


@pytest.mark.process
def test_modules_in_the_current_directory_are_not_imported(
    bare_environ: dict[str, str], server: simulator.Server, tmp_path: Path
) -> None:
    current = tmp_path / "checkout"
    current.mkdir()
    for name in ("orcredit", "typer", "json"):
        (current / f"{name}.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w').close(); raise SystemExit(1)")
    environ = bare_environ | {
        "OPENROUTER_BASE_URL": server.base_url,
        "OPENROUTER_API_KEY": KEY,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if os.path.isabs(path)),  # noqa: PTH117
    }
    script = "import sys; from orcredit.cli import main; sys.exit(main(['line']))"
    subprocess.run([sys.executable, "-P", "-c", script], cwd=current, env=environ, check=False)
    wait_for_a_balance(tmp_path)
    assert not (tmp_path / "imported").exists()


def test_a_clock_that_python_cannot_represent_is_an_error(
    monkeypatch: pytest.MonkeyPatch, bare_environ: dict[str, str]
) -> None:
    def beyond() -> float:
        raise OverflowError("timestamp too large to convert to C _PyTime_t")

    monkeypatch.setattr(time, "time", beyond)
    done = run_here("line", environ=bare_environ | {"OPENROUTER_API_KEY": simulator.key_for("normal")})
    assert (done.code, done.stdout) == (78, "")
    assert "clock" in done.stderr
