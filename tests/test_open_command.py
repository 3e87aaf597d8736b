"""`orcredit open`, as it is run."""

from __future__ import annotations

import hashlib
import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests import launcher
from tests.in_process import run_here
from tests.pseudo_terminal import read_to_end

if TYPE_CHECKING:
    from pathlib import Path

KEY = "sk-or-v1-" + "0123456789abcdef" * 4
NAME = hashlib.sha256(KEY.encode()).hexdigest()
PAGES = {
    (): f"https://openrouter.ai/keys/{NAME}",
    ("key",): f"https://openrouter.ai/keys/{NAME}",
    ("logs",): f"https://openrouter.ai/logs?api_key_hash={NAME}",
    ("credits",): "https://openrouter.ai/settings/credits",
}

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")


def on_a_terminal(*arguments: str, environ: dict[str, str]) -> tuple[int, str]:
    """Run the program on a pseudo-terminal; return its exit code and output."""
    ours, theirs = os.openpty()
    with launcher.start(arguments, environ=environ, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = read_to_end(ours)
    return process.returncode, shown


@pytest.mark.parametrize(("arguments", "address"), PAGES.items())
@pytest.mark.parametrize("option", [(), ("--print",)])
def test_addresses_are_printed_where_the_output_is_no_terminal(
    arguments: tuple[str, ...], option: tuple[str, ...], address: str, bare_environ: dict[str, str]
) -> None:
    environ = bare_environ | {"OPENROUTER_API_KEY": KEY, "BROWSER": "/does/not/exist"}
    done = run_here("open", *arguments, *option, environ=environ)
    assert (done.code, done.stdout, done.stderr) == (0, f"{address}\n", "")
    assert KEY not in address


@posix
@pytest.mark.process
def test_pages_are_opened_in_a_terminal(tmp_path: Path, bare_environ: dict[str, str]) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    environ = bare_environ | {"OPENROUTER_API_KEY": KEY, "BROWSER": str(browser)}
    address = PAGES["logs",]
    assert on_a_terminal("open", "logs", environ=environ) == (0, f"Opened {address}\n")
    assert (tmp_path / "opened").read_text().strip() == address
    (tmp_path / "opened").unlink()
    assert on_a_terminal("open", "logs", "--print", environ=environ) == (0, f"{address}\n")
    assert not (tmp_path / "opened").exists()


@posix
@pytest.mark.process
@pytest.mark.parametrize("browser", ["false", "/does/not/exist"])
def test_a_browser_that_fails_is_said_and_the_address_printed(browser: str, bare_environ: dict[str, str]) -> None:
    environ = bare_environ | {"OPENROUTER_API_KEY": KEY, "BROWSER": browser}
    said = "orcredit: no browser could be opened; this is the address:\n"
    assert on_a_terminal("open", "credits", environ=environ) == (0, f"{said}{PAGES['credits',]}\n")


@posix
@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a browser")
def test_without_a_display_the_address_is_printed(bare_environ: dict[str, str]) -> None:
    environ = bare_environ | {"OPENROUTER_API_KEY": KEY}
    assert on_a_terminal("open", environ=environ) == (0, f"{PAGES[()]}\n")


@pytest.mark.parametrize("page", ["key", "logs", "credits"])
def test_other_hosts_have_no_such_pages(page: str, bare_environ: dict[str, str]) -> None:
    environ = bare_environ | {"OPENROUTER_API_KEY": KEY, "OPENROUTER_BASE_URL": "https://proxy.example/v1"}
    done = run_here("open", page, environ=environ)
    assert (done.code, done.stdout) == (78, "")
    assert done.stderr.startswith("orcredit: proxy.example is not OpenRouter, and has no such pages.\n")


def test_openrouters_regions_have_the_same_pages(bare_environ: dict[str, str]) -> None:
    environ = bare_environ | {"OPENROUTER_API_KEY": KEY, "OPENROUTER_BASE_URL": "https://eu.openrouter.ai/api/v1"}
    assert run_here("open", environ=environ).stdout == f"{PAGES[()]}\n"
    environ["OPENROUTER_BASE_URL"] = "https://notopenrouter.ai/api/v1"
    assert run_here("open", environ=environ).code == 78


def test_only_the_page_for_credit_needs_no_key(bare_environ: dict[str, str]) -> None:
    assert run_here("open", "credits", environ=bare_environ).code == 0
    for page in ("key", "logs"):
        done = run_here("open", page, environ=bare_environ)
        assert (done.code, done.stdout) == (78, "")
        assert "No OpenRouter key is set." in done.stderr


def test_an_identity_token_has_no_page(bare_environ: dict[str, str]) -> None:
    done = run_here("open", environ=bare_environ | {"OPENROUTER_API_KEY": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln"})
    assert (done.code, done.stdout) == (78, "")
    assert done.stderr.startswith("orcredit: The key is an identity token")
    assert "eyJ" not in done.stderr


def test_an_unknown_page_is_an_error(bare_environ: dict[str, str]) -> None:
    done = run_here("open", "nonsense", environ=bare_environ | {"OPENROUTER_API_KEY": KEY})
    assert (done.code, done.stdout) == (2, "")
    assert "'credits', 'key', 'logs'" in done.stderr
