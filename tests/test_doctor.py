"""`orcredit doctor` in broken set-ups: it names the fault first, and shows no secret."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from orcredit import simulator
from orcredit.history import History
from tests.broken_server import BrokenServer
from tests.in_process import run_here
from tests.simulated import assess_account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import trustme

    from tests.conftest import Finished

pytest_plugins = ["tests.tls_fixtures"]

KEY = simulator.key_for("normal")
ANTHROPIC_KEY = "sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789"
OPENAI_KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"
PROXY_PASSWORD, DATABASE_PASSWORD, TOKEN = "proxy-pass-word", "data-pass-word", "token-0123456789abcdef"
SECRETS = {
    KEY,
    KEY.removeprefix("sk-or-v1-"),
    simulator.key_for("error-401"),
    simulator.key_for("html"),
    simulator.management_key_for("normal"),
    ANTHROPIC_KEY,
    OPENAI_KEY,
    PROXY_PASSWORD,
    "proxy-user",
    "proxy-host",
    DATABASE_PASSWORD,
    "data-user",
    "data-host",
    TOKEN,
}
"""What no output may hold: keys, tokens, and of proxies and databases the host, the user and the password."""


class Machine:
    """A set-up that works; tests break it.

    Attributes:
        environ: of the command, with every secret that may be set.
        home: the home directory, empty at first.
    """

    def __init__(self, home: Path, url: str) -> None:
        self.home = home
        self.environ = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "COLUMNS": "400",
            "OPENROUTER_API_KEY": KEY,
            "OPENROUTER_MANAGEMENT_KEY": simulator.management_key_for("normal"),
            "OPENROUTER_BASE_URL": url,
            "ORCREDIT_TOKEN": TOKEN,
        }
        self.cleanup = ExitStack()

    @property
    def cache(self) -> Path:
        return self.home / ".cache" / "orcredit"

    def history(self) -> Path:
        """Return the default database, with what was recorded of a key."""
        file = self.home / ".local" / "share" / "orcredit" / "history.db"
        file.parent.mkdir(parents=True)
        with History(f"sqlite:///{file}") as history:
            history.record("0" * 12, assess_account("normal"))
        return file

    def use(self, **variables: str) -> None:
        self.environ |= variables

    def examine(self, *arguments: str) -> Finished:
        done = run_here("doctor", *arguments, environ=self.environ)
        assert done.stderr == ""
        for secret in SECRETS | {str(self.home)}:
            assert secret not in done.stdout
        return done


@pytest.fixture
def machine(tmp_path: Path, server: simulator.Server) -> Iterator[Machine]:
    made = Machine(tmp_path, server.base_url)
    with made.cleanup:
        yield made


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
        "OpenRouter accepted the key, after 0.",
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


def test_a_management_key_alone_is_the_key(machine: Machine) -> None:
    del machine.environ["OPENROUTER_API_KEY"]
    done = machine.examine()
    assert done.code == 0
    assert re.search(r"ok +key +OPENROUTER_MANAGEMENT_KEY \(sk-or-v1-", done.stdout)
    assert re.search(r"ok +management key +it is the key\n", done.stdout)


# What is broken: each returns the name and the words of the first line


def no_key(machine: Machine) -> tuple[str, str]:
    del machine.environ["OPENROUTER_API_KEY"], machine.environ["OPENROUTER_MANAGEMENT_KEY"]
    return "key", "No OpenRouter key is set."


def key_in_quotes(machine: Machine) -> tuple[str, str]:
    machine.use(OPENROUTER_API_KEY=f'"{KEY}"')
    return "key", "quotes"


def key_of_anthropic(machine: Machine) -> tuple[str, str]:
    machine.use(OPENROUTER_API_KEY=ANTHROPIC_KEY)
    return "key", "OPENROUTER_API_KEY holds an Anthropic key"


def token_of_another_service(machine: Machine) -> tuple[str, str]:
    del machine.environ["OPENROUTER_MANAGEMENT_KEY"]  # which would be the key
    machine.use(
        OPENROUTER_API_KEY=" ", ANTHROPIC_AUTH_TOKEN=OPENAI_KEY, ANTHROPIC_BASE_URL="https://elsewhere.example/v1"
    )
    return "key", "according to ANTHROPIC_BASE_URL, it belongs to another service"


def key_of_another_service(machine: Machine) -> tuple[str, str]:
    del machine.environ["OPENROUTER_BASE_URL"]  # the key would be sent to OpenRouter
    machine.use(OPENROUTER_API_KEY=OPENAI_KEY)
    return "key", "does not hold an OpenRouter key, so it was not sent: those begin with sk-or-."


def key_with_a_line_break(machine: Machine) -> tuple[str, str]:
    machine.use(OPENROUTER_API_KEY=f"{KEY[:30]}\n{KEY[30:]}")
    return "key", "line breaks"


def refused_key(machine: Machine) -> tuple[str, str]:
    machine.use(OPENROUTER_API_KEY=simulator.key_for("error-401"))
    return "answer", "does not accept the key in OPENROUTER_API_KEY (sk-or-v1-"


def management_key_in_quotes(machine: Machine) -> tuple[str, str]:
    machine.use(OPENROUTER_MANAGEMENT_KEY=f"'{KEY}'")
    return "management key", "OPENROUTER_MANAGEMENT_KEY is not a key: it has quotes around it."


def plain_http(machine: Machine) -> tuple[str, str]:
    machine.use(OPENROUTER_BASE_URL="http://openrouter.ai/api/v1")
    return "address", "Plain http to openrouter.ai would send the key unencrypted."


def address_with_a_password(machine: Machine) -> tuple[str, str]:
    machine.use(OPENROUTER_BASE_URL=f"https://proxy-user:{PROXY_PASSWORD}@proxy-host/v1")
    return "address", "OPENROUTER_BASE_URL contains a user name or password"


def dead_proxy(machine: Machine) -> tuple[str, str]:
    machine.use(
        OPENROUTER_BASE_URL="https://openrouter.invalid/api/v1",
        HTTPS_PROXY=f"http://proxy-user:{PROXY_PASSWORD}@127.0.0.1:9",
    )
    return "answer", " The request went through the proxy of HTTPS_PROXY."


def proxy_that_is_no_address(machine: Machine) -> tuple[str, str]:
    machine.use(
        OPENROUTER_BASE_URL="https://openrouter.invalid/api/v1", all_proxy=f"http://proxy-host:{PROXY_PASSWORD}"
    )
    return "proxy", "all_proxy is not the address of a proxy."


def socks_proxy(machine: Machine) -> tuple[str, str]:
    machine.use(
        OPENROUTER_BASE_URL="https://openrouter.invalid/api/v1",
        ALL_PROXY=f"socks5://proxy-user:{PROXY_PASSWORD}@proxy-host:1080",
    )
    return "proxy", "ALL_PROXY: a SOCKS proxy, which orcredit does not support."


def missing_certificates(machine: Machine) -> tuple[str, str]:
    machine.use(
        OPENROUTER_BASE_URL="https://openrouter.invalid/api/v1", SSL_CERT_FILE=str(machine.home / "no" / "ca.pem")
    )
    return "certificates", "cannot be read (SSL_CERT_FILE: ~/no/ca.pem): no such file or directory."


def empty_certificates(machine: Machine) -> tuple[str, str]:
    (machine.home / "ca.pem").write_text("none\n")
    machine.use(OPENROUTER_BASE_URL="https://openrouter.invalid/api/v1", SSL_CERT_FILE=str(machine.home / "ca.pem"))
    return "certificates", "There are no certificates in SSL_CERT_FILE: ~/ca.pem."


def captive_portal(machine: Machine) -> tuple[str, str]:
    machine.use(OPENROUTER_API_KEY=simulator.key_for("html"))
    return "answer", "The server answered with a web page (HTML), not JSON."


def clock_that_is_days_off(machine: Machine) -> tuple[str, str]:
    server = simulator.Server(clock=lambda: datetime.now(UTC) + timedelta(days=3, hours=2, seconds=30))
    machine.use(OPENROUTER_BASE_URL=machine.cleanup.enter_context(server).base_url)
    return "clock", "This machine's clock is 3 d 2 h behind OpenRouter's: forecasts and resets are wrong."


def threshold_that_is_none(machine: Machine) -> tuple[str, str]:
    machine.use(ORCREDIT_WARN_BELOW="a lot")
    return "thresholds", "ORCREDIT_WARN_BELOW: "


def cache_that_cannot_be_written(machine: Machine) -> tuple[str, str]:
    (machine.home / ".cache").write_text("a file")
    return "cache", "~/.cache/orcredit cannot be written: "


def cache_that_is_a_link(machine: Machine) -> tuple[str, str]:
    (machine.home / "elsewhere").mkdir()
    machine.cache.parent.mkdir()
    machine.cache.symlink_to(machine.home / "elsewhere")
    return "cache", "~/.cache/orcredit cannot be written: orcredit is a link"


def cache_of_another_user(machine: Machine) -> tuple[str, str]:
    if os.geteuid() != 0:
        pytest.skip("needs root, to give a folder to another user")
    machine.cache.mkdir(parents=True)
    os.chown(machine.cache, 12345, 12345)
    return "cache", "or another user's"


def damaged_history(machine: Machine) -> tuple[str, str]:
    machine.history().write_bytes(b"SQLite format 3\0" + b"damaged" * 1000)
    return "history", "(~/.local/share/orcredit/history.db)"


def newer_history(machine: Machine) -> tuple[str, str]:
    _set_version(machine.history(), 99)
    return "history", "The history was written by a newer orcredit."


def history_that_cannot_be_written(machine: Machine) -> tuple[str, str]:
    (machine.home / ".local").write_text("a file")
    return "history", "cannot be"


def database_without_its_driver(machine: Machine) -> tuple[str, str]:
    url = f"postgresql+psycopg2://data-user:{DATABASE_PASSWORD}@data-host/name"
    machine.use(ORCREDIT_DATABASE_URL=url)
    return "history", "The driver of the database in the URL is not installed."


def database_out_of_reach(machine: Machine) -> tuple[str, str]:
    url = f"postgresql://data-user:{DATABASE_PASSWORD}@127.0.0.1:9/data-host"
    machine.use(ORCREDIT_DATABASE_URL=url)
    return "history", "(a PostgreSQL database)"


FAULTS = (
    no_key,
    key_in_quotes,
    key_of_anthropic,
    token_of_another_service,
    key_of_another_service,
    key_with_a_line_break,
    refused_key,
    management_key_in_quotes,
    plain_http,
    address_with_a_password,
    dead_proxy,
    proxy_that_is_no_address,
    socks_proxy,
    missing_certificates,
    empty_certificates,
    captive_portal,
    clock_that_is_days_off,
    threshold_that_is_none,
    cache_that_cannot_be_written,
    cache_that_is_a_link,
    cache_of_another_user,
    damaged_history,
    newer_history,
    history_that_cannot_be_written,
    database_without_its_driver,
    database_out_of_reach,
)


@pytest.mark.parametrize("break_it", FAULTS)
def test_the_fault_is_named_first(break_it: Callable[[Machine], tuple[str, str]], machine: Machine) -> None:
    name, words = break_it(machine)
    done = machine.examine()
    first, remedy, *rest = done.stdout.splitlines()
    assert done.code == 78
    assert re.match(rf"FAULT +{name} ", first)
    assert words in first
    assert remedy.startswith("    "), "it does not say what to do"
    assert rest[-1].startswith("1 fault. ")


def clock_that_is_minutes_off(machine: Machine) -> tuple[str, str]:
    server = simulator.Server(clock=lambda: datetime.now(UTC) - timedelta(minutes=5, seconds=30))
    machine.use(OPENROUTER_BASE_URL=machine.cleanup.enter_context(server).base_url)
    return "clock", "This machine's clock is 5 min ahead of OpenRouter's"


def no_locale(machine: Machine) -> tuple[str, str]:
    machine.use(LANG="C")
    return "locale", "LANG=C: not UTF-8"


def locale_unset(machine: Machine) -> tuple[str, str]:
    del machine.environ["LANG"]
    return "locale", "No locale is set: not UTF-8"


def dumb_terminal(machine: Machine) -> tuple[str, str]:
    machine.use(TERM="dumb")
    return "terminal", "TERM is dumb: no colours"


def older_history(machine: Machine) -> tuple[str, str]:
    _set_version(machine.history(), 1)
    return "history", "was written by an older orcredit (version 1 of its tables, now "


@pytest.mark.parametrize("break_it", [clock_that_is_minutes_off, no_locale, locale_unset, dumb_terminal, older_history])
def test_a_warning_is_named_first_and_is_no_fault(
    break_it: Callable[[Machine], tuple[str, str]], machine: Machine
) -> None:
    name, words = break_it(machine)
    done = machine.examine()
    first, remedy, *rest = done.stdout.splitlines()
    assert done.code == 0
    assert re.match(rf"warning +{name} ", first)
    assert words in first
    assert remedy.startswith("    ")
    assert rest[-1].startswith("1 warning. ")


def _set_version(file: Path, version: int) -> None:
    engine = sa.create_engine(f"sqlite:///{file}", poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE orcredit_schema SET version = {version}"))  # noqa: S608 - our number


def test_a_certificate_that_is_not_trusted_is_named_first(machine: Machine, tls_url: str) -> None:
    machine.use(OPENROUTER_BASE_URL=tls_url)
    done = machine.examine()
    first, remedy, *_ = done.stdout.splitlines()
    assert done.code == 78
    assert re.match(r"FAULT +answer .* its certificate could not be verified", first)
    assert "set SSL_CERT_FILE. Check the clock, too: it shows 2" in remedy


def test_a_companys_certificate_is_used(machine: Machine, tls_url: str, authority: trustme.CA) -> None:
    authority.cert_pem.write_to_path(machine.home / "company.pem")
    machine.use(OPENROUTER_BASE_URL=tls_url, SSL_CERT_FILE=str(machine.home / "company.pem"))
    done = machine.examine()
    assert done.code == 0
    assert re.search(r"ok +certificates +SSL_CERT_FILE: ~/company.pem\n", done.stdout)


# The order of several faults, the documents, and the end


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
        done = machine.examine("--timeout", "0.5")
    assert done.code == 78
    assert re.search(r"FAULT +answer +OpenRouter .*did not answer within 0.5 s", done.stdout)
    assert re.search(r"FAULT +history +This could not be checked within 0.5 s", done.stdout)


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
