"""`orcredit doctor` names what is broken first, with what to do: one fault or one warning each."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

import pytest
import sqlalchemy as sa

from orcredit import simulator
from tests.machines import (
    ANTHROPIC_KEY,
    DATABASE_PASSWORD,
    KEY,
    OPENAI_KEY,
    PROXY_PASSWORD,
    Machine,
    damaged_history,
    dumb_terminal,
    no_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import trustme

    from tests.conftest import Finished

pytest_plugins = ["tests.machines", "tests.tls_fixtures"]

BreakIt: TypeAlias = "Callable[[Machine], tuple[str, str]]"
"""Breaks the set-up; returns the name and the words of the first line."""

NOWHERE = "https://openrouter.invalid/api/v1"


def setting(name: str, words: str, **variables: str) -> BreakIt:
    """Return what breaks the set-up by these variables."""

    def break_it(machine: Machine) -> tuple[str, str]:
        machine.use(**variables)
        return name, words

    return break_it


def _set_version(file: Path, version: int) -> None:
    engine = sa.create_engine(f"sqlite:///{file}", poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE orcredit_schema SET version = {version}"))  # noqa: S608 - our number


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


def missing_certificates(machine: Machine) -> tuple[str, str]:
    machine.use(OPENROUTER_BASE_URL=NOWHERE, SSL_CERT_FILE=str(machine.home / "no" / "ca.pem"))
    return "certificates", "cannot be read (SSL_CERT_FILE: ~/no/ca.pem): no such file or directory."


def empty_certificates(machine: Machine) -> tuple[str, str]:
    (machine.home / "ca.pem").write_text("none\n")
    machine.use(OPENROUTER_BASE_URL=NOWHERE, SSL_CERT_FILE=str(machine.home / "ca.pem"))
    return "certificates", "There are no certificates in SSL_CERT_FILE: ~/ca.pem."


def clock_that_is_days_off(machine: Machine) -> tuple[str, str]:
    server = simulator.Server(clock=lambda: datetime.now(UTC) + timedelta(days=3, hours=2, seconds=30))
    machine.use(OPENROUTER_BASE_URL=machine.cleanup.enter_context(server).base_url)
    return "clock", "This machine's clock is 3 d 2 h behind OpenRouter's: forecasts and resets are wrong."


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


def newer_history(machine: Machine) -> tuple[str, str]:
    _set_version(machine.history(), 99)
    return "history", "The history was written by a newer orcredit."


def history_that_cannot_be_written(machine: Machine) -> tuple[str, str]:
    (machine.home / ".local").write_text("a file")
    return "history", "cannot be"


FAULTS = {
    "no_key": no_key,
    "key_in_quotes": setting("key", "quotes", OPENROUTER_API_KEY=f'"{KEY}"'),
    "key_of_anthropic": setting("key", "OPENROUTER_API_KEY holds an Anthropic key", OPENROUTER_API_KEY=ANTHROPIC_KEY),
    "token_of_another_service": token_of_another_service,
    "key_of_another_service": key_of_another_service,
    "key_with_a_line_break": setting("key", "line breaks", OPENROUTER_API_KEY=f"{KEY[:30]}\n{KEY[30:]}"),
    "refused_key": setting(
        "answer",
        "does not accept the key in OPENROUTER_API_KEY (sk-or-v1-",
        OPENROUTER_API_KEY=simulator.key_for("error-401"),
    ),
    "management_key_in_quotes": setting(
        "management key",
        "OPENROUTER_MANAGEMENT_KEY is not a key: it has quotes around it.",
        OPENROUTER_MANAGEMENT_KEY=f"'{KEY}'",
    ),
    "plain_http": setting(
        "address",
        "Plain http to openrouter.ai would send the key unencrypted.",
        OPENROUTER_BASE_URL="http://openrouter.ai/api/v1",
    ),
    "address_with_a_password": setting(
        "address",
        "OPENROUTER_BASE_URL contains a user name or password",
        OPENROUTER_BASE_URL=f"https://proxy-user:{PROXY_PASSWORD}@proxy-host/v1",
    ),
    "dead_proxy": setting(
        "answer",
        " The request went through the proxy of HTTPS_PROXY.",
        OPENROUTER_BASE_URL=NOWHERE,
        HTTPS_PROXY=f"http://proxy-user:{PROXY_PASSWORD}@127.0.0.1:9",
    ),
    "proxy_that_is_no_address": setting(
        "proxy",
        "all_proxy is not the address of a proxy.",
        OPENROUTER_BASE_URL=NOWHERE,
        all_proxy=f"http://proxy-host:{PROXY_PASSWORD}",
    ),
    "socks_proxy": setting(
        "proxy",
        "ALL_PROXY: a SOCKS proxy, which orcredit does not support.",
        OPENROUTER_BASE_URL=NOWHERE,
        ALL_PROXY=f"socks5://proxy-user:{PROXY_PASSWORD}@proxy-host:1080",
    ),
    "missing_certificates": missing_certificates,
    "empty_certificates": empty_certificates,
    "captive_portal": setting(
        "answer",
        "The server answered with a web page (HTML), not JSON.",
        OPENROUTER_API_KEY=simulator.key_for("html"),
    ),
    "clock_that_is_days_off": clock_that_is_days_off,
    "threshold_that_is_none": setting("thresholds", "ORCREDIT_WARN_BELOW: ", ORCREDIT_WARN_BELOW="a lot"),
    "cache_that_cannot_be_written": cache_that_cannot_be_written,
    "cache_that_is_a_link": cache_that_is_a_link,
    "cache_of_another_user": cache_of_another_user,
    "damaged_history": damaged_history,
    "newer_history": newer_history,
    "history_that_cannot_be_written": history_that_cannot_be_written,
    "database_without_its_driver": setting(
        "history",
        "The driver of the database in the URL is not installed.",
        ORCREDIT_DATABASE_URL=f"postgresql+psycopg2://data-user:{DATABASE_PASSWORD}@data-host/name",
    ),
    "database_out_of_reach": setting(
        "history",
        "(a PostgreSQL database)",
        ORCREDIT_DATABASE_URL=f"postgresql://data-user:{DATABASE_PASSWORD}@127.0.0.1:9/data-host",
    ),
}


def assert_first(done: Finished, state: str, name: str, words: str) -> None:
    """Check that this is the only fault or warning, and stands first, with what to do below it."""
    first, remedy, *rest = done.stdout.splitlines()
    assert re.match(rf"{state} +{name} ", first)
    assert words in first
    assert remedy.startswith("    "), "it does not say what to do"
    assert rest[-1].startswith(f"1 {state.lower()}. ")


@pytest.mark.parametrize("break_it", FAULTS.values(), ids=FAULTS)
def test_the_fault_is_named_first(break_it: BreakIt, machine: Machine) -> None:
    name, words = break_it(machine)
    done = machine.examine()
    assert done.code == 78
    assert_first(done, "FAULT", name, words)


def clock_that_is_minutes_off(machine: Machine) -> tuple[str, str]:
    server = simulator.Server(clock=lambda: datetime.now(UTC) - timedelta(minutes=5, seconds=30))
    machine.use(OPENROUTER_BASE_URL=machine.cleanup.enter_context(server).base_url)
    return "clock", "This machine's clock is 5 min ahead of OpenRouter's"


def locale_unset(machine: Machine) -> tuple[str, str]:
    del machine.environ["LANG"]
    return "locale", "No locale is set: not UTF-8"


def older_history(machine: Machine) -> tuple[str, str]:
    _set_version(machine.history(), 1)
    return "history", "was written by an older orcredit (version 1 of its tables, now "


WARNINGS = {
    "clock_that_is_minutes_off": clock_that_is_minutes_off,
    "no_locale": setting("locale", "LANG=C: not UTF-8", LANG="C"),
    "locale_unset": locale_unset,
    "dumb_terminal": dumb_terminal,
    "older_history": older_history,
}


@pytest.mark.parametrize("break_it", WARNINGS.values(), ids=WARNINGS)
def test_a_warning_is_named_first_and_is_no_fault(break_it: BreakIt, machine: Machine) -> None:
    name, words = break_it(machine)
    done = machine.examine()
    assert done.code == 0
    assert_first(done, "warning", name, words)


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
