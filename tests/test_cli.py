"""The commands' exit codes: for each level, each fault, wrong usage, and the account's credit."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from orcredit import simulator
from tests import launcher
from tests.broken_server import BrokenServer
from tests.failures import assert_failed

if TYPE_CHECKING:
    from tests.conftest import Orcredit

pytestmark = pytest.mark.process

# Exit codes where the system refuses resources


@pytest.mark.parametrize("arguments", [["status"], ["watch", "--count", "1"], ["serve", "--port", "0"]])
def test_without_threads_no_command_calls_it_a_bug(
    arguments: list[str], orcredit: Orcredit, bare_environ: dict[str, str]
) -> None:
    with open(f"{bare_environ['HOME']}/sitecustomize.py", "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write("import threading\n")
        file.write('def refuse(*_): raise RuntimeError("can\'t start new thread")\n')
        file.write("threading.Thread.start = refuse\n")
    path = f"{bare_environ['HOME']}:{bare_environ.get('PYTHONPATH', '')}"
    environ = {"PYTHONPATH": path, "OPENROUTER_BASE_URL": "https://openrouter.invalid/v1"}
    assert_failed(orcredit(*arguments, account="normal", environ=environ), 69, "no thread could be started")


@pytest.mark.skipif(sys.platform != "linux", reason="counts the files of a start on Linux")
@pytest.mark.parametrize("arguments", [["watch", "--count", "1", "--no-history"], ["serve", "--port", "0"]])
def test_too_few_files_are_not_called_a_bug(arguments: list[str], bare_environ: dict[str, str]) -> None:
    environ = bare_environ | {"OPENROUTER_API_KEY": simulator.key_for("normal")}
    environ["OPENROUTER_BASE_URL"] = "http://127.0.0.1:9/v1"
    with launcher.start(
        arguments, environ=environ, files=5, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        stdout, stderr = process.communicate()
    assert (process.returncode, stdout) == (69, b"")
    assert b"too many files are open" in stderr


# Exit codes of levels

LEVELS = (
    ("LOW", 1, {"low", "workspace-first", "credits-told"}),
    ("EXHAUSTED", 3, {"exhausted", "workspace-spent", "two-spent", "zero-limit"}),
    ("no limit on this key", 0, {"unlimited", "grant-only", "negative-credit", "credits-overused"}),
    ("free models only", 0, {"free-tier", "free-tier-used-up"}),
)
UNANSWERABLE = {"older-broken"}
SOMETIMES_REFUSED = {"refused-later"}  # in the second half of every minute


@pytest.mark.parametrize(
    "account", [name for name in simulator.ACCOUNTS if name not in UNANSWERABLE | SOMETIMES_REFUSED]
)
def test_status_shows_the_level_and_exits_with_its_code(orcredit: Orcredit, account: str) -> None:
    table, document = orcredit("status", account=account), orcredit("status", "--json", account=account)
    word, code = next(((word, code) for word, code, names in LEVELS if account in names), ("ok", 0))

    assert [(done.code, done.stderr) for done in (table, document)] == [(code, "")] * 2
    assert word in table.stdout.splitlines()[0]
    level = word.lower() if " " not in word else "unlimited"
    assert json.loads(document.stdout)["level"] == level


@pytest.mark.parametrize(
    ("account", "code"),
    [("normal", 0), ("low", 1), ("two-spent", 3), ("unlimited", 0), ("error-401", 77), ("html", 69)],
)
def test_quiet_has_the_same_exit_codes_and_no_output(orcredit: Orcredit, account: str, code: int) -> None:
    done = orcredit("status", "-q", account=account)
    assert (done.code, done.stdout) == (code, "")
    assert bool(done.stderr) == (code >= 69)


def test_quiet_applies_thresholds(orcredit: Orcredit) -> None:
    done = orcredit("status", "-q", "--warn-below", "99%", account="normal")
    assert (done.code, done.stdout, done.stderr) == (1, "", "")


def test_thresholds_can_be_repeated_and_override_the_variable(orcredit: Orcredit) -> None:
    environ = {"ORCREDIT_WARN_BELOW": "99%"}
    assert orcredit("status", "-q", account="normal", environ=environ).code == 1
    assert orcredit("status", "-q", "--warn-below", "1%", account="normal", environ=environ).code == 0
    assert orcredit("status", "-q", "--warn-below", "1%", "--warn-below", "$52", account="normal").code == 1


# Exit codes of failures

ANSWERS = {"control-characters", "echo-key", "credits-503", "slow-credits"}
REFUSALS = {"error-401", "error-403"}


@pytest.mark.parametrize("account", [*UNANSWERABLE, *(name for name in simulator.FAULTS if name not in ANSWERS)])
def test_faults_have_their_exit_code_and_message(orcredit: Orcredit, account: str) -> None:
    code = 77 if account in REFUSALS else 69
    how = ["--json"] if len(account) % 2 else []  # half of them each way, as failures render nothing
    assert_failed(orcredit("status", *how, account=account), code)


@pytest.mark.parametrize("fault", ["hang", "reset", "truncated", "huge", "drip-body"])
def test_transport_faults_exit_with_69(orcredit: Orcredit, fault: str) -> None:
    with BrokenServer(fault) as server:
        assert_failed(orcredit("status", "--timeout", "1", "--base-url", server.base_url, account="normal"), 69)


def test_quiet_prints_failures_on_stderr(orcredit: Orcredit) -> None:
    assert_failed(orcredit("status", "-q", account="error-401"), 77, "401")


def test_a_retry_after_is_shown(orcredit: Orcredit) -> None:
    assert_failed(
        orcredit("status", account="retry-after-3600"), 69, "429", "it asks to wait until 20", "Try again in 1 h."
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["status", "--warn-below", "-3"], ["--warn-below: '-3' is not a threshold", "10%", "$5"]),
        (["status", "--warn-below", "00"], ["--warn-below: '00' is not a threshold", "quote it ('$50'), or write 50"]),
        (["--warn-below", ""], ["--warn-below: '' is not a threshold", "quote it ('$50'), or write 50"]),
        (["--warn-below"], ["--warn-below", "quote it ('$5'), or write 5"]),
        (["status", "--warn-below", "110%"], ["'110%' is not a threshold", "10%", "$5"]),
        (["status", "--warn-below", "ten"], ["'ten' is not a threshold", "10%", "$5"]),
        (["status", "--json", "-q"], ["--json", "--quiet"]),
        (["status", "--timeout", "0"], ["timeout"]),
        (["status", "--timeout", "nan"], ["timeout"]),
        (["status", "--demo", "--timeout", "0"], ["timeout"]),
        (["status", "--timeout"], ["--timeout", "orcredit status --help"]),
        (["status", "--timeout", "soon"], ["--timeout"]),
        (["status", "--base-url", "nonsense"], ["--base-url", "https://"]),
        (["status", "--demo", "--base-url", "https://example.com"], ["--demo"]),
        (["status", "--api-key", "sk-or-v1-secret"], ["--api-key"]),
        (["status", "surplus"], ["surplus"]),
        (["statsu"], ["statsu"]),
        (["\udcff\udcfe"], ["No such command"]),
        (["status", "--\udcff"], ["No such option"]),
        (["status", "--warn-below", "\udcff"], ["is not a threshold"]),
        (["status", "--timeout", "\udcff"], ["--timeout"]),
        (["--timeout", "soon"], ["--timeout: 'soon' is not a duration"]),
        (["--interval", "5m"], ["--interval", "orcredit status --help"]),
    ],
)
def test_wrong_usage_exits_with_2_and_a_hint(orcredit: Orcredit, arguments: list[str], words: list[str]) -> None:
    assert_failed(orcredit(*arguments, account="normal"), 2, *words)


@pytest.mark.parametrize(
    "environ",
    [{"ORCREDIT_WARN_BELOW": "ten"}, {"OPENROUTER_BASE_URL": "nonsense"}, {"OPENROUTER_BASE_URL": "https://u:p@x.y"}],
)
def test_an_invalid_variable_is_wrong_usage_and_named(orcredit: Orcredit, environ: dict[str, str]) -> None:
    assert_failed(orcredit("status", account="normal", environ=environ), 2, *environ)


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, ["No OpenRouter key", "OPENROUTER_API_KEY", "--demo"]),
        ({"OPENROUTER_API_KEY": " \n"}, ["No OpenRouter key"]),
        ({"OPENROUTER_API_KEY": "sk-or-v1-\x07bell"}, ["OPENROUTER_API_KEY is not a key"]),
        (
            {"OPENROUTER_API_KEY": "hello", "OPENROUTER_BASE_URL": ""},
            ["OPENROUTER_API_KEY does not hold an OpenRouter"],
        ),
        ({"ANTHROPIC_AUTH_TOKEN": "sk-ant-oat01-x"}, ["ANTHROPIC_AUTH_TOKEN", "sk-ant-"]),
        (
            {"ANTHROPIC_AUTH_TOKEN": "other-service", "ANTHROPIC_BASE_URL": "https://llm.example.com"},
            ["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"],
        ),
        (
            {"OPENROUTER_API_KEY": "sk-or-v1-x", "OPENROUTER_BASE_URL": "http://example.com"},
            ["Plain http", "example.com"],
        ),
    ],
)
def test_configuration_errors_exit_with_78(orcredit: Orcredit, environ: dict[str, str], words: list[str]) -> None:
    assert_failed(orcredit("status", environ=environ), 78, *words)


def test_claude_codes_token_for_another_service_is_sent_to_no_server(orcredit: Orcredit) -> None:
    with simulator.Server() as server:
        environ = {"OPENROUTER_BASE_URL": server.base_url, "ANTHROPIC_AUTH_TOKEN": "sk-ant-oat01-x"}
        orcredit("status", environ=environ)
        environ |= {"ANTHROPIC_AUTH_TOKEN": "other", "ANTHROPIC_BASE_URL": "https://llm.example.com"}
        orcredit("status", environ=environ)
        assert server.requests == []


def test_claude_codes_openrouter_key_is_used(orcredit: Orcredit) -> None:
    environ = {
        "ANTHROPIC_AUTH_TOKEN": f" {simulator.key_for('low')}\n",
        "ANTHROPIC_BASE_URL": "https://openrouter.ai/api",
    }
    assert orcredit("status", "-q", environ=environ).code == 1


# The account's credit


def test_a_management_key_adds_the_accounts_credit(orcredit: Orcredit) -> None:
    management = simulator.management_key_for("credit-below-limit")
    done = orcredit("status", account="credit-below-limit", management=management)

    assert done.stdout.startswith("Can spend    $0.13")
    assert "limited by the account's credit" in done.stdout
    assert f"{management[:12]}...{management[-3:]}" in done.stdout


def test_an_account_error_is_on_stderr_and_in_the_document(orcredit: Orcredit) -> None:
    done = orcredit("status", "--json", account="normal", management=simulator.key_for("error-401"))

    assert done.code == 0
    assert json.loads(done.stdout)["account"] is None
    assert "401" in json.loads(done.stdout)["accountError"]
    assert done.stderr.startswith("orcredit: the account's credit is not known: asked with the management key: ")
