"""The documentation: every command in it is run, and every option, variable and field is documented.

A comment on the line before a fenced block changes how it is run:

    <!-- not run: REASON -->        not run
    <!-- run: TERM, TERM -->        with any of these terms:
        account NAME                with that account's key of the simulator; `normal` otherwise
        exit code N                 each command ends with N; 0 otherwise
        until the first line        stopped with Ctrl-C after its first line of output
        server                      with `orcredit serve` running; localhost:4000 is replaced by its address
        server with a token         likewise, with a token, which is in ORCREDIT_TOKEN
        with a token                with a token in ORCREDIT_TOKEN
        by TEST                     run by that test in this file

`orcredit watch`, `orcredit serve` and the simulator are always stopped after their first line of output. An exported
value with an ellipsis is replaced by a key of the simulator.
"""

from __future__ import annotations

import configparser
import io
import json
import os
import re
import shutil
import sys
import time
import tomllib
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from orcredit import Client, simulator
from orcredit.balance import Balance
from orcredit.cli.line import parse
from orcredit.errors import ExitCode
from orcredit.history import as_csv
from orcredit.render.line import FIELDS
from orcredit.render.status import StatusTable
from tests.in_process import run_here
from tests.markdown import PAGES, ROOT, anchors, blocks, first_column, links, prose, read, section
from tests.reader import UNTIL_FIRST_LINE, Reader
from tests.serving import ACCOUNT, BALANCE, TOKEN, serving, wait_until
from tests.simulated import assess_account

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.markdown import Block

COMMANDS = (
    *("status", "watch", "serve", "history", "keys", "activity", "explain", "open", "line", "init"),
    *("profile", "config", "doctor"),
)
CONFIGURATION = "docs/configuration.md"
MOST_README_LINES = 150

BLOCKS = [block for page in PAGES for block in blocks(page)]

CONFIGURATIONS = {"json", "jsonc", "toml", "ini", "tmux", "css", "nginx"}
TERMS = rf"account [\w-]+|exit code \d+|{UNTIL_FIRST_LINE}|server( with a token)?|with a token|by test_\w+"

HOSTS = {
    "127.0.0.1:4000",
    "github.com",
    "keepachangelog.com",
    "openrouter.ai",
    "semver.org",
    "starship.rs",
}
"""The hosts that the documentation may name."""

FORMS = [
    path.relative_to(ROOT).as_posix()
    for path in [*sorted((ROOT / ".github").rglob("*.yml")), ROOT / ".pre-commit-config.yaml"]
]

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals and shells")


def chosen(*languages: str, in_shell: bool | None = None) -> list[Any]:
    """Return the blocks of these languages that are run, as parameters with their position as id."""
    return [
        pytest.param(block, id=str(block))
        for block in BLOCKS
        if block.language in languages
        and block.reason is None
        and not any(term.startswith("by test_") for term in block.terms)
        and in_shell in {None, block.commands is None}
    ]


def need(*programs: str) -> None:
    """Skip the test if a program is missing."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


# The comments of blocks


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_every_block_is_run_or_has_a_reason(block: Block) -> None:
    if block.comment.startswith("not run"):
        assert block.reason, "the reason is missing"
        return
    assert block.language in {"sh", "python", "text", *CONFIGURATIONS}, "no test runs this language"
    for term in block.terms:
        assert re.fullmatch(TERMS, term)
        assert not term.startswith("by ") or term.removeprefix("by ") in globals()
    if block.language == "text":
        assert not re.search(r"^ *(\$|orcredit|make|curl|pip) ", block.text, re.MULTILINE), (
            "this is a command: use the language sh"
        )


@pytest.mark.parametrize("page", PAGES)
def test_there_are_no_indented_blocks(page: str) -> None:
    """Indented blocks have neither a language nor a comment."""
    assert not re.search(r"^\n {4}", prose(page), re.MULTILINE)


# Commands


@pytest.fixture
def reader(block: Block, tmp_path: Path, bare_environ: dict[str, str], server: simulator.Server) -> Reader:
    """Return a reader who runs this block."""
    return Reader(block, tmp_path, bare_environ, server)


@posix
@pytest.mark.process
@pytest.mark.parametrize("block", chosen("sh", in_shell=False))
def test_commands_work(block: Block, reader: Reader) -> None:
    for words in block.commands or ():
        reader.run(words)


@posix
@pytest.mark.process
@pytest.mark.parametrize("block", chosen("sh", in_shell=True))
def test_commands_that_need_a_shell_work(block: Block, reader: Reader, server: simulator.Server) -> None:
    need("bash", *re.findall(r"(?m)(?:^|\| )(curl|jq)\b", block.text))
    text = block.text
    with ExitStack() as stack:
        if reader.needs_server:
            token = {"ORCREDIT_TOKEN": reader.environ["ORCREDIT_TOKEN"]} if reader.has_token else {}
            serve = stack.enter_context(
                serving(home=reader.home, upstream=server.base_url, account=reader.account, environ=token)
            )
            wait_until(lambda: serve.ask(BALANCE, Authorization=f"Bearer {TOKEN}").status == 200)
            wait_until(lambda: serve.ask(ACCOUNT, Authorization=f"Bearer {TOKEN}").status != 503)
            text = text.replace("localhost:4000", f"localhost:{serve.port}")
        done = reader.run_in_shell(text)
    if UNTIL_FIRST_LINE in block.terms:
        assert done.stdout.strip()
    else:
        assert done.returncode == reader.code, done.stderr
    assert not reader.needs_server or "null" not in done.stdout.split()


@posix
@pytest.mark.process
@pytest.mark.parametrize(
    ("account", "code", "stdout", "stderr"),
    [
        ("normal", 0, "the job ran\n", ""),
        ("low", 1, "", "too little credit left\n"),
        ("exhausted", 1, "", "too little credit left\n"),
        ("retry-after-3600", 0, "the job ran\n", "starting anyway\n"),
        ("error-401", 1, "", "https://openrouter.ai/settings/keys\n"),
    ],
)
def test_the_job_starts_only_with_enough_credit(
    account: str,
    code: int,
    stdout: str,
    stderr: str,
    server: simulator.Server,
    bare_environ: dict[str, str],
    tmp_path: Path,
) -> None:
    (block,) = (
        block for block in BLOCKS if f"by {test_the_job_starts_only_with_enough_credit.__name__}" in block.terms
    )
    job = tmp_path / "nightly-job"
    job.write_text("#!/bin/sh\necho the job ran\n")
    job.chmod(0o755)
    reader = Reader(block, tmp_path, bare_environ, server)
    reader.environ["OPENROUTER_API_KEY"] = simulator.key_for(account)
    done = reader.run_in_shell(block.text, "/bin/sh", "-c")
    assert (done.returncode, done.stdout) == (code, stdout)
    assert done.stderr.endswith(stderr)
    assert stderr or not done.stderr


@pytest.mark.parametrize("block", chosen("python"))
def test_python_works(
    block: Block, server: simulator.Server, bare_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name not in bare_environ]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OPENROUTER_BASE_URL", server.base_url)
    monkeypatch.setenv("OPENROUTER_API_KEY", simulator.key_for("low"))
    exec(compile(block.text, str(block), "exec"), {"__name__": "__main__"})  # noqa: S102 - our own documentation


# Configuration files, options and links


@pytest.mark.parametrize("block", chosen("json", "jsonc", "toml", "ini"))
def test_configurations_can_be_parsed(block: Block) -> None:
    match block.language:
        case "json":
            assert json.loads(block.text)
        case "jsonc":
            assert json.loads(f"{{{block.text}}}")  # part of a file
        case "toml":
            assert tomllib.loads(block.text)
        case _:
            service = configparser.ConfigParser(interpolation=None)
            service.read_string(block.text)
            assert service.sections()


@pytest.fixture(scope="session")
def options(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Return the options of each command from its help; those before the command under an empty name."""
    environ = {"HOME": str(tmp_path_factory.mktemp("home")), "LANG": "C.UTF-8", "COLUMNS": "200"}
    found = {}
    for name in ("", *COMMANDS):
        shown = run_here(*([name] if name else []), "--help", environ=environ).stdout
        rows = re.findall(r"^│ ((?:--?[a-z-]+ +)+)", shown, re.MULTILINE)
        found[name] = set(" ".join(rows).split())
        assert "--help" in found[name]
        assert name or tuple(re.findall(r"^│ ([a-z]+) ", shown, re.MULTILINE)) == COMMANDS
    return found


def commands(page: str) -> Iterator[list[str]]:
    """Yield every command that a page names, also in its prose and in other programs' files."""
    for command in re.findall(r"(?<![\w/.-])orcredit ([a-z]+\b[^\n\"')`|>#]*)", read(page)):
        if command.split()[0] in COMMANDS:
            yield command.split()


@pytest.mark.process
@pytest.mark.parametrize("page", PAGES)
def test_all_options_named_exist(page: str, options: dict[str, set[str]]) -> None:
    for name, *words in commands(page):
        flags = {word.partition("=")[0] for word in words if word.startswith("-")}
        assert flags <= options[name], words
        if name == "line" and not flags & {"-h", "--help", "--format"}:
            assert parse(words) is not None, words


@pytest.mark.parametrize("page", PAGES)
def test_all_make_targets_and_files_named_exist(page: str) -> None:
    targets = set(re.findall(r"^([\w./-]+):", read("Makefile").replace("$(VENV)", ".venv"), re.MULTILINE))
    assert {*re.findall(r"^make ([\w./]+)|`make ([\w./]+)`", read(page), re.MULTILINE)} <= {
        pair for target in targets for pair in ((target, ""), ("", target))
    }
    for path in re.findall(r"`((?:\.ci|\.github|benchmarks|docs|orcredit|tests|web)/[\w./-]*)`", prose(page)):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", [*PAGES, "ARCHITECTURE.md", "CHANGELOG.md"])
def test_links_have_targets(page: str) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.resolve().relative_to(ROOT).as_posix()), link


@pytest.mark.parametrize("path", sorted({*PAGES, "CHANGELOG.md", *FORMS}))
def test_only_known_hosts_are_named(path: str) -> None:
    assert set(re.findall(r"https?://([\w.:-]+\w)", read(path))) <= HOSTS


# Completeness


def test_the_readme_is_short_and_the_index_complete() -> None:
    assert read("README.md").count("\n") <= MOST_README_LINES
    pages = {Path(page).name for page in PAGES if page.startswith("docs/")} - {"index.md"}
    assert pages <= set(links("docs/index.md"))


def test_every_exit_code_has_its_row() -> None:
    assert {int(code) for code in first_column(section("README.md", "## Exit codes"))} == set(ExitCode)


@pytest.mark.process
@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_its_row(command: str, options: dict[str, set[str]]) -> None:
    rows = first_column(section(CONFIGURATION, f"## `orcredit {command}`"))
    documented = set(re.findall(r"`(--?[a-z-]+)", " ".join(rows)))
    everywhere = {"--help", "--no-color"}  # documented once, above
    assert {flag for flag in options[command] if flag.startswith("--")} - documented == everywhere
    assert documented <= options[command]


@pytest.mark.process
def test_every_option_before_the_command_is_documented(options: dict[str, set[str]]) -> None:
    introduction = read(CONFIGURATION).split("## ")[0]
    assert options[""] == set(re.findall(r"`(--?[a-z-]+)`", introduction))


def test_every_field_of_the_line_has_its_row() -> None:
    assert first_column(section("docs/prompt.md", "## Your own format")) == [f"`{{{name}}}`" for name in FIELDS]


def test_every_variable_the_program_reads_has_its_row() -> None:
    ours = r"\b(?:OPENROUTER|ANTHROPIC|ORCREDIT)_[A-Z_]+\b"
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "orcredit").rglob("*.py"))
    read_by_us = set(re.findall(ours, "\n".join(sources)))
    assert read_by_us == set(re.findall(ours, section(CONFIGURATION, "## Variables")))


def test_every_column_of_the_history_has_its_row() -> None:
    columns = re.findall(r"`(\w+)`", " ".join(first_column(section("docs/history.md", "## CSV and JSON"))))
    assert columns == as_csv([]).strip().split(",")


DOCUMENT = "docs/document.md"
SCHEMA = Balance.model_json_schema(mode="serialization", by_alias=True)


def parts() -> dict[str, set[str]]:
    """Return the fields of every part of the document, by the name of the part."""
    found = {}
    for name, described in SCHEMA["properties"].items():
        for reference in re.findall(r"#/\$defs/(\w+)", json.dumps(described)):
            if "properties" in SCHEMA["$defs"][reference]:
                found[name] = set(SCHEMA["$defs"][reference]["properties"])
    return found


def named(rows: Iterable[str]) -> set[str]:
    return set(re.findall(r"`(\w+)`", " ".join(rows)))


def test_every_field_of_the_document_has_its_row() -> None:
    assert named(first_column(section(DOCUMENT, "## Fields"))) == set(SCHEMA["properties"])


@pytest.mark.parametrize("name", parts())
def test_every_field_of_a_part_of_the_document_has_its_row(name: str) -> None:
    assert named(first_column(section(DOCUMENT, f"### `{name}`"))) == parts()[name]


def test_the_documents_example_is_valid() -> None:
    (block,) = (block for block in blocks(DOCUMENT) if block.language == "json")
    shown = json.loads(block.text)
    Balance.model_validate(shown)
    demo = Client.demo(clock=lambda: simulator.DEMO_INSTANT).balance()
    assert shape(shown) == shape(json.loads(demo.model_dump_json()))


def shape(value: object) -> object:
    """Return the names in a document without its values."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items()}
    return [shape(part) for part in value] if isinstance(value, list) else None


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads(read("pyproject.toml"))
    table = section("README.md", "## Dependencies")
    cells = ", ".join(row.split("|")[2] for row in table.splitlines() if row.startswith("|"))
    ours = {re.split(r"[<>=\[]", requirement)[0] for requirement in project["project"]["dependencies"]}
    assert ours <= set(cells.lower().replace(" ", "").split(","))
    groups = [line for group in project["dependency-groups"].values() for line in group if isinstance(line, str)]
    reasons = ", ".join(first_column(read("docs/dependencies.md")))
    assert {re.split(r"[<>=\[]", requirement)[0] for requirement in groups} == set(reasons.split(", "))


def test_every_line_of_the_table_has_its_row() -> None:
    labels: set[str] = set()
    for account, with_credit in (("many-budgets", False), ("byok", False), ("daily", False), ("normal", True)):
        console = Console(file=io.StringIO(), width=100, color_system=None)
        with console.capture() as capture:
            console.print(StatusTable(assess_account(account, with_credit=with_credit)))
        labels |= set(re.findall(r"^(\w[\w ()]*?)(?: {2}|$)", capture.get(), re.MULTILINE))
    assert labels == set(", ".join(first_column(section("docs/first-steps.md", "## What the table says"))).split(", "))


def test_the_picture_shows_the_demo_at_the_samples_time(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = re.sub(r"<[^>]*>", "", (ROOT / "docs" / "status.svg").read_text(encoding="utf-8")).replace("&#160;", "")
    drawn = "".join(drawn.replace("&#x27;", "'").split())
    console = Console(file=io.StringIO(), width=80, color_system=None)
    balance = Client.demo(clock=lambda: simulator.DEMO_INSTANT).balance()
    with monkeypatch.context() as patching, console.capture() as capture:
        patching.setenv("TZ", "UTC")
        time.tzset()
        console.print(StatusTable(balance, is_demo=True))
    time.tzset()
    for line in capture.get().splitlines():
        for word in line.split():
            if "━" not in word:  # the bar, which looks different with colour
                assert word in drawn


# The forms on GitHub


@pytest.mark.parametrize("path", FORMS)
def test_the_forms_are_yaml(path: str) -> None:
    yaml = pytest.importorskip("yaml")
    assert isinstance(yaml.safe_load(read(path)), dict)


def test_issue_forms_warn_against_pasting_keys() -> None:
    for path in FORMS:
        if "ISSUE_TEMPLATE" in path and "body:" in read(path):
            assert "Never paste a key" in read(path)
