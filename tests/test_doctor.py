"""`orcredit doctor` as a whole: a set-up that works, the order of faults, the documents, options and the end."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys

import pytest

from orcredit import simulator
from tests.broken_server import BrokenServer
from tests.in_process import run_here
from tests.machines import DATABASE_PASSWORD, KEY, TOKEN, Machine, damaged_history, dumb_terminal, no_key

pytest_plugins = ["tests.machines"]


def test_a_set_up_that_works(machine: Machine) -> None:
    machine.history()
    done = machine.examine()
    assert done.code == 0
    lines = done.stdout.splitlines()
    states = {line.split()[0] for line in lines[:-2]}
    assert states == {"ok"}
    assert lines[-1] == "Nothing is wrong. No secret is shown: this is safe to paste into an issue."
    for shown in (
        f"key             OPENROUTER_API_KEY ({KEY[:12]}...{KEY[-3:]})",
        "http://127.0.0.1:",
        "none: the address is on this machine",
        "OpenRouter accepted the key, after ",
        "within a minute of OpenRouter's",
        "~/.cache/orcredit, no balance of this key yet",
        "~/.local/share/orcredit/history.db\n",
        "LANG=C.UTF-8",
        "OPENROUTER_BASE_URL, ORCREDIT_TOKEN",
        f"Python {sys.version.split()[0]}, ",
    ):
        assert shown in done.stdout


def test_the_cached_balance_is_dated(machine: Machine) -> None:
    run_here("status", "-q", environ=machine.environ)
    assert re.search(r"~/.cache/orcredit, a balance of this key, \d+ s old", machine.examine().stdout)


def test_the_account_of_the_management_key_has_the_key(machine: Machine) -> None:
    assert re.search(r"ok +account +the account of the management key has the key\n", machine.examine().stdout)
    machine.use(OPENROUTER_MANAGEMENT_KEY=simulator.management_key_for("low"))
    done = machine.examine()
    assert done.code == 0
    assert re.match(r"warning +account +The account of the management key does not have the key", done.stdout)
    machine.use(OPENROUTER_MANAGEMENT_KEY=simulator.key_for("low"))
    assert re.match(r"warning +account +The management key: .* 403", machine.examine().stdout)


def test_a_management_key_alone_is_the_key(machine: Machine) -> None:
    del machine.environ["OPENROUTER_API_KEY"]
    done = machine.examine()
    assert done.code == 0
    assert re.search(r"ok +key +OPENROUTER_MANAGEMENT_KEY \(sk-or-v1-", done.stdout)
    assert re.search(r"ok +management key +it is the key\n", done.stdout)


def test_the_cause_comes_before_other_faults_and_those_before_warnings(machine: Machine) -> None:
    for break_it in (dumb_terminal, damaged_history, no_key):
        break_it(machine)
    rows = re.findall(r"^([A-Za-z]+)  +([\w ]+?)  ", machine.examine().stdout, re.MULTILINE)
    assert rows[:4] == [("FAULT", "key"), ("FAULT", "history"), ("warning", "terminal"), ("skipped", "answer")]


def test_the_json_document_has_all_checks_in_the_same_order(machine: Machine) -> None:
    no_key(machine)
    done = machine.examine("--json")
    document = json.loads(done.stdout)
    assert done.code == 78
    assert document["ok"] is False
    assert document["checks"][0] == {
        "name": "key",
        "state": "fault",
        "detail": "No OpenRouter key is set.",
        "remedy": "Set OPENROUTER_API_KEY to a key from https://openrouter.ai/settings/keys, "
        "or try 'orcredit status --demo'.",
    }
    assert {"name": "proxy", "state": "ok", "detail": "none: the address is on this machine", "remedy": None} in (
        document["checks"]
    )
    shown = machine.examine().stdout
    positions = [shown.index(f"  {check['name']} ") for check in document["checks"]]
    assert positions == sorted(positions)


def test_it_ends_within_the_timeout(machine: Machine) -> None:
    with BrokenServer("hang") as server, socket.create_server(("127.0.0.1", 0)) as database:
        url = f"postgresql://data-user:{DATABASE_PASSWORD}@127.0.0.1:{database.getsockname()[1]}/data-host"
        machine.use(OPENROUTER_BASE_URL=server.base_url, ORCREDIT_DATABASE_URL=url)
        done = machine.examine("--timeout", "2")
    assert done.code == 78
    assert re.search(r"FAULT +answer +OpenRouter .*did not answer within 2 s", done.stdout)
    assert re.search(r"FAULT +history +This could not be checked within 2 s", done.stdout)


def test_certificates_on_a_disk_that_hangs_end_within_the_timeout(machine: Machine) -> None:
    pipe = machine.home / "ca.pem"
    os.mkfifo(pipe)
    machine.use(OPENROUTER_BASE_URL="https://openrouter.invalid/v1", SSL_CERT_FILE=str(pipe))
    done = machine.examine("--timeout", "0.5")
    pipe.write_bytes(b"")  # lets the thread go
    assert re.match(r"FAULT +certificates +They could not be read within 0.5 s", done.stdout)


def test_a_check_that_fails_unexpectedly_is_a_fault_of_that_check(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sqlite3", None)  # as in a Python that was built without it
    done = machine.examine()
    assert done.code == 78
    failed = r"FAULT +versions +This could not be checked: internal error: ModuleNotFoundError at local.py:"
    assert re.search(failed, done.stdout)
    assert "accepted the key" in done.stdout


@pytest.mark.parametrize("timeout", ["0", "-1", "nan", "86401"])
def test_an_invalid_timeout_is_wrong_usage(timeout: str, machine: Machine) -> None:
    done = run_here("doctor", f"--timeout={timeout}", environ=machine.environ)
    assert (done.code, done.stdout) == (2, "")


@pytest.mark.parametrize("columns", ["40", "80"])
def test_it_fits_the_terminal_without_breaking_words_of_advice(columns: str, machine: Machine) -> None:
    no_key(machine)
    machine.use(COLUMNS=columns)
    lines = machine.examine().stdout.splitlines()
    assert max(map(len, lines)) <= int(columns)
    assert lines[0].split()[:2] == ["FAULT", "key"]


def test_options_override_the_variables(machine: Machine, server: simulator.Server) -> None:
    machine.use(OPENROUTER_BASE_URL="http://elsewhere.example", ORCREDIT_DATABASE_URL="nonsense")
    done = machine.examine("--base-url", server.base_url, "--database-url", f"sqlite:///{machine.home}/other.db")
    assert done.code == 0
    assert " (--base-url)" in done.stdout
    assert "~/other.db, nothing is recorded yet" in done.stdout


def test_a_password_in_the_option_is_a_fault(machine: Machine) -> None:
    done = machine.examine("--database-url", f"postgresql://data-user:{DATABASE_PASSWORD}@data-host/name")
    assert done.code == 78
    assert "--database-url holds a password" in done.stdout


def test_secrets_that_ended_up_in_paths_are_hidden(machine: Machine) -> None:
    machine.use(ORCREDIT_DATABASE_URL=f"sqlite:///{machine.home}/{KEY}/{TOKEN.upper()}.db")
    done = machine.examine()
    assert "~/[hidden]/[hidden].db" in done.stdout


@pytest.mark.process
@pytest.mark.parametrize("variable", ["LANG", "LC_ALL"])
def test_pythons_own_replacement_of_a_missing_locale_is_not_taken_for_the_user_s(
    variable: str, machine: Machine
) -> None:
    environ = {name: value for name, value in machine.environ.items() if name != "LANG"}
    program = [sys.executable, "-m", "orcredit", "doctor", "--timeout", "5"]
    done = subprocess.run(
        program, env=environ | {variable: "C"}, capture_output=True, check=False, timeout=60, encoding="utf-8"
    )
    assert re.match(rf"warning +locale +{variable}=C: not UTF-8", done.stdout)
