"""Sessions and counted tries by a clock of the test's own, and what the operator says about tokens and names."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from orcredit.errors import ConfigurationError, UsageError
from orcredit.server.access import check_access, checked_hosts, load_token
from orcredit.server.sessions import LOGIN_TRIES, SESSION_SECONDS, Session, Sessions, Tries

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "a-token-that-nobody-guesses"


class Clock:
    """Stands still until it is told."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_only_the_token_is_the_token() -> None:
    sessions = Sessions(TOKEN)
    assert sessions.knows(TOKEN)
    for other in ("", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), f" {TOKEN}", "\u00e9", "\ud800"):
        assert not sessions.knows(other)


def test_a_session_lasts_a_week(clock: Clock) -> None:
    sessions = Sessions(TOKEN, clock)
    session, cookie = sessions.begin()
    assert SESSION_SECONDS == 7 * 86400
    assert session.expires_at == datetime.fromtimestamp(clock.now + SESSION_SECONDS, UTC)
    clock.now += SESSION_SECONDS - 1
    assert sessions.read(cookie) == session
    clock.now += 1
    assert sessions.read(cookie) is None
    assert not sessions.is_valid(session)


def test_sessions_are_told_apart(clock: Clock) -> None:
    sessions = Sessions(TOKEN, clock)
    (first, one), (second, two) = sessions.begin(), sessions.begin()
    assert (first.name, one) != (second.name, two)
    sessions.end(first)
    assert sessions.read(one) is None
    assert sessions.read(two) == second


def test_an_ended_session_has_ended_for_every_copy_of_its_cookie() -> None:
    sessions = Sessions(TOKEN)
    session, cookie = sessions.begin()
    assert sessions.read(cookie) == session
    sessions.end(session)
    assert not sessions.is_valid(session)
    assert sessions.read(cookie) is None


def test_a_restart_ends_no_session_and_another_token_ends_all(clock: Clock) -> None:
    session, cookie = Sessions(TOKEN, clock).begin()
    assert Sessions(TOKEN, clock).read(cookie) == session
    assert Sessions(f"{TOKEN}!", clock).read(cookie) is None


def test_a_cookie_holds_neither_the_token_nor_anything_that_breaks_a_header() -> None:
    sessions = Sessions(TOKEN)
    for _ in range(50):
        _, cookie = sessions.begin()
        assert TOKEN not in cookie
        assert re.fullmatch(r"[0-9]+\.[A-Za-z0-9_-]{20,}\.[0-9a-f]{64}", cookie)


def test_a_tampered_cookie_is_none(clock: Clock) -> None:
    sessions = Sessions(TOKEN, clock)
    _, cookie = sessions.begin()
    expires, name, signature = cookie.split(".")
    forged = [
        f"{int(expires) + 1}.{name}.{signature}",
        f"{expires}.{name}x.{signature}",
        f"{expires}.{name}.{signature[:-1]}",
        f"{expires}.{name}.{signature.upper()}",
        f"{expires}.{name}.",
        f"{expires}.{name}",
        f"+{expires}.{name}.{signature}",
        f"\u0661.{name}.{signature}",
        f"{'9' * 5000}.{name}.{signature}",
        f"{expires}..{signature}",
        f"{cookie}.",
        f"{cookie}\u00e9",
        f"{expires}.\ud800.{signature}",
        "..",
        "",
    ]
    for one in forged:
        assert sessions.read(one) is None
    for position in range(len(cookie)):
        changed = "0" if cookie[position] != "0" else "1"
        assert sessions.read(cookie[:position] + changed + cookie[position + 1 :]) is None
    assert sessions.read(cookie) is not None


def test_what_ended_is_remembered_within_bounds() -> None:
    sessions = Sessions(TOKEN)
    kept, cookie = sessions.begin()
    for number in range(5000):
        sessions.end(Session(f"someone-{number}", 2_000_000_000))
    sessions.end(kept)
    assert sessions.read(cookie) is None


# Tries


def test_five_tries_a_minute(clock: Clock) -> None:
    tries = Tries(LOGIN_TRIES, clock)
    for _ in range(5):
        assert tries.wait("192.0.2.1") == 0
        tries.fail("192.0.2.1")
        clock.now += 10
    assert tries.wait("192.0.2.1") == 10  # the first was 50 seconds ago
    clock.now += 9.5
    assert tries.wait("192.0.2.1") == 0.5
    clock.now += 0.5
    assert tries.wait("192.0.2.1") == 0
    tries.fail("192.0.2.1")
    assert tries.wait("192.0.2.1") == 10


def test_an_address_does_not_use_up_anothers_tries(clock: Clock) -> None:
    tries = Tries(2, clock)
    for _ in range(3):
        tries.fail("192.0.2.1")
    assert tries.wait("192.0.2.1") == 60
    assert tries.wait("192.0.2.2") == 0
    assert tries.wait("") == 0


def test_an_ipv6_network_counts_as_one(clock: Clock) -> None:
    tries = Tries(2, clock)
    tries.fail("2001:db8::1")
    tries.fail("2001:db8::ffff:2")
    assert tries.wait("2001:db8:0:0:1:2:3:4") == 60
    assert tries.wait("2001:db8:0:1::1") == 0


def test_whoever_knew_the_token_begins_anew(clock: Clock) -> None:
    tries = Tries(2, clock)
    tries.fail("192.0.2.1")
    tries.forget("192.0.2.1")
    tries.fail("192.0.2.1")
    assert tries.wait("192.0.2.1") == 0


def test_many_addresses_take_bounded_memory(clock: Clock) -> None:
    tries = Tries(1, clock)
    for number in range(10_000):
        tries.fail(f"10.0.{number // 250}.{number % 250}")
    assert tries.wait("10.0.39.249") == 60
    assert tries.wait("10.0.0.0") == 0


# What the operator says


def test_a_token_comes_from_the_variable_or_the_file(tmp_path: Path) -> None:
    assert load_token(None, {}) is None
    assert load_token(None, {"ORCREDIT_TOKEN": " \n"}) is None
    assert load_token(None, {"ORCREDIT_TOKEN": f" {TOKEN}\n"}) == TOKEN
    assert load_token(None, {"ORCREDIT_TOKEN": "x" * 1024}) == "x" * 1024
    with pytest.raises(ConfigurationError):
        load_token(f"{tmp_path}/none", {"ORCREDIT_TOKEN": TOKEN})
    with pytest.raises(ConfigurationError):
        load_token(f"{tmp_path}/\0", {})


SECRET = "correct-horse-battery-staple"


@pytest.mark.parametrize(
    "content",
    ["", f"{SECRET}\n{SECRET}", f"{SECRET} {SECRET}", f"{SECRET}\t{SECRET}", f"{SECRET}\0", f"{SECRET}\u00e9",
     f"{SECRET}\x1b[31m", SECRET * 100],
)  # fmt: skip
def test_what_could_not_travel_is_no_token_and_is_not_shown(tmp_path: Path, content: str) -> None:
    file = tmp_path / "token"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_token(str(file), {})
    assert "horse" not in f"{caught.value} {caught.value.hint}"
    if content:
        with pytest.raises(ConfigurationError) as caught:
            load_token(None, {"ORCREDIT_TOKEN": content})
        assert "horse" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    "name",
    [
        "nas.lan",
        "NAS",
        "nas.lan.",
        "10.0.0.1",
        "_dns",
        "a-b.example",
        "::1",
        "[fd00::2]",
        f"{'x' * 63}.lan",
        "n\u00e4s.lan",
    ],
)
def test_names_that_may_be_allowed(name: str) -> None:
    assert checked_hosts([name]) == [name]


@pytest.mark.parametrize(
    "name",
    ["", " ", "nas lan", "nas.lan:80", "http://nas.lan", "nas.lan/", "*", "-nas", "nas-", ".", "user@nas", "nas\n",
     "x" * 64, f"{'x.' * 127}x", "[::1]:80", "[::1", "::1]", "[:"],
)  # fmt: skip
def test_names_that_may_not(name: str) -> None:
    with pytest.raises(UsageError):
        checked_hosts(["nas.lan", name])


def test_ipv4_addresses_seen_from_an_ipv6_socket_are_told_apart() -> None:
    tries = Tries(1, lambda: 0.0)
    tries.fail("::ffff:10.0.0.1")
    assert tries.wait("10.0.0.1") > 0
    assert tries.wait("::ffff:10.0.0.2") == tries.wait("::1") == 0


def test_names_without_a_token_are_warned_of() -> None:
    warnings = list(check_access(None, is_loopback=True, allow_hosts=["nas.lan"]))
    assert len(warnings) == 1
    assert "There is no token" in warnings[0]


def test_an_open_host_wants_a_token() -> None:
    with pytest.raises(ConfigurationError, match="wants a token"):
        check_access(None, is_loopback=False)
    assert list(check_access(None, is_loopback=True)) == []
    assert list(check_access(TOKEN, is_loopback=True)) == []
    assert [("in clear" in text, "guessed" in text) for text in check_access("short", is_loopback=False)] == [
        (True, False),
        (False, True),
    ]
