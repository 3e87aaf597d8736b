"""Sessions and the rate limiter with a clock of the tests, and the checks of token and host options."""

from __future__ import annotations

import os
import re
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from orcredit.errors import ConfigurationError, UsageError
from orcredit.server.access import check_access, checked_hosts, load_token
from orcredit.server.rate_limiter import LOGIN_ATTEMPTS, RateLimiter
from orcredit.server.revocations import Revocations, Unusable, file_for, keep, take
from orcredit.server.sessions import SESSION_SECONDS, Session, Sessions

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "a-token-that-is-not-guessed"


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_only_the_token_is_accepted() -> None:
    sessions = Sessions(TOKEN, port=4000)
    assert sessions.knows(TOKEN)
    for other in ("", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), f" {TOKEN}", "\u00e9", "\ud800"):
        assert not sessions.knows(other)


def test_a_session_lasts_a_week(clock: Clock) -> None:
    sessions = Sessions(TOKEN, clock, port=4000)
    session, cookie = sessions.begin()
    assert SESSION_SECONDS == 7 * 86400
    assert session.expires_at == datetime.fromtimestamp(clock.now + SESSION_SECONDS, UTC)
    clock.now += SESSION_SECONDS - 1
    assert sessions.read(cookie) == session
    clock.now += 1
    assert sessions.read(cookie) is None
    assert not sessions.is_valid(session)


def test_sessions_are_independent(clock: Clock) -> None:
    sessions = Sessions(TOKEN, clock, port=4000)
    (first, one), (second, two) = sessions.begin(), sessions.begin()
    assert (first.name, one) != (second.name, two)
    sessions.end(first)
    assert sessions.read(one) is None
    assert sessions.read(two) == second


def test_a_revoked_session_is_invalid_for_every_copy_of_its_cookie() -> None:
    sessions = Sessions(TOKEN, port=4000)
    session, cookie = sessions.begin()
    assert sessions.read(cookie) == session
    sessions.end(session)
    assert not sessions.is_valid(session)
    assert sessions.read(cookie) is None


def restarted(before: Sessions, clock: Clock, token: str = TOKEN, port: int = 4000) -> Sessions:
    sessions = Sessions(token, clock, port=port)
    sessions.resume(before.revocations)
    return sessions


def test_a_restart_ends_no_session_and_another_token_or_port_ends_all(clock: Clock) -> None:
    first = Sessions(TOKEN, clock, port=4000)
    session, cookie = first.begin()
    assert restarted(first, clock).read(cookie) == session
    assert restarted(first, clock, token=f"{TOKEN}!").read(cookie) is None
    assert restarted(first, clock, port=4001).read(cookie) is None


def test_a_restart_without_the_file_ends_all_sessions(clock: Clock) -> None:
    _, cookie = Sessions(TOKEN, clock, port=4000).begin()
    assert Sessions(TOKEN, clock, port=4000).read(cookie) is None


def test_a_restart_restores_no_revoked_session(clock: Clock) -> None:
    first = Sessions(TOKEN, clock, port=4000)
    (session, cookie), (other, another) = first.begin(), first.begin()
    first.end(session)
    second = restarted(first, clock)
    assert second.read(cookie) is None
    assert second.read(another) == other
    clock.now += SESSION_SECONDS
    third = restarted(second, clock)
    assert third.revocations.ended == {session.name: session.expires}
    clock.now -= 60  # the clock is set back
    assert third.read(cookie) is None
    assert third.read(another) == other
    clock.now += 2 * 86400
    assert restarted(third, clock).revocations.ended == {}


def test_a_cookie_contains_no_token_and_is_valid_in_a_header() -> None:
    sessions = Sessions(TOKEN, port=4000)
    for _ in range(50):
        _, cookie = sessions.begin()
        assert TOKEN not in cookie
        assert re.fullmatch(r"[0-9]+\.[A-Za-z0-9_-]{20,}\.[0-9a-f]{64}", cookie)


def test_a_changed_cookie_is_invalid(clock: Clock) -> None:
    sessions = Sessions(TOKEN, clock, port=4000)
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


def test_revoked_sessions_take_bounded_memory_and_stay_revoked(clock: Clock) -> None:
    sessions = Sessions(TOKEN, clock, port=4000)
    ended, cookie = sessions.begin()
    staying, another = sessions.begin()
    sessions.end(ended)
    for number in range(5000):
        sessions.end(Session(f"someone-{number}", int(clock.now) + 60, ended.epoch))
        assert sessions.read(cookie) is None
        assert len(sessions.revocations.ended) <= 4096
    assert sessions.read(another) is None  # all were ended when there were too many
    assert not sessions.is_valid(staying)
    session, newer = sessions.begin()
    assert sessions.read(newer) == session


def test_expired_sessions_are_forgotten_before_all_are_ended(clock: Clock) -> None:
    sessions = Sessions(TOKEN, clock, port=4000)
    for _ in range(3):
        for number in range(3000):
            sessions.end(Session(f"{clock.now}-{number}", int(clock.now), ""))
        clock.now += 2 * 86400
    session, cookie = sessions.begin()
    for number in range(2000):
        sessions.end(Session(f"{clock.now}-{number}", int(clock.now), ""))
    assert sessions.read(cookie) == session


# Their file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "sessions-4000.json"


KEPT = Revocations(ended={"x" * 22: 2_000_000_000})


def test_a_server_writes_a_private_file_and_the_next_one_deletes_it(file: Path) -> None:
    assert take(file) is None
    keep(file, KEPT)
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    if sys.platform != "win32":
        assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert take(file) == KEPT
    assert list(file.parent.iterdir()) == []
    assert take(file) is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"{}", b"\xff", b"[" * 100_000, b'{"a":' * 100_000,
     b'{"format":1,"epoch":"","ended":{}}', b'{"format":2,"epoch":"%b","ended":{}}',
     b'{"format":1,"epoch":"%b"}', b'{"format":1,"epoch":"%b","ended":[]}',
     b'{"format":1,"epoch":"%b","ended":{},"x":1}',
     b'{"format":1,"epoch":"%b","ended":{"":1}}', b'{"format":1,"epoch":"%b","ended":{"xxxxxxxxxxxxxxxxxxxxxx":"1"}}',
     b'{"format":1,"epoch":"%b","ended":{"xxxxxxxxxxxxxxxxxxxxxx":-1}}',
     b'{"format":1,"epoch":"%b","ended":{"xxxxxxxxxxxxxxxxxxxxxx":1' + b"0" * 5000 + b"}}", b" " * 2_000_000],
)  # fmt: skip
def test_a_damaged_file_is_refused(file: Path, content: bytes) -> None:
    keep(file, KEPT)
    file.write_bytes(content.replace(b"%b", KEPT.epoch.encode()))
    with pytest.raises(Unusable):
        take(file)
    keep(file, KEPT)
    assert take(file) == KEPT


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")
@pytest.mark.parametrize("kind", ["readable", "symlink", "link", "pipe", "directory", "device", "dangling"])
def test_a_file_that_is_not_private_is_refused(file: Path, kind: str) -> None:
    keep(file, KEPT)
    other = file.with_name("other")
    match kind:
        case "readable":
            file.chmod(0o640)
        case "symlink":
            file.rename(other)
            file.symlink_to(other)
        case "link":
            os.link(file, other)
        case "pipe":
            file.unlink()
            os.mkfifo(file)
        case "directory":
            file.unlink()
            file.mkdir()
        case "device":
            file.unlink()
            file.symlink_to("/dev/zero")
        case "dangling":
            file.unlink()
            file.symlink_to(other)
    with pytest.raises(Unusable):
        take(file)
    if kind == "directory":
        with pytest.raises(Unusable):
            keep(file, KEPT)
        assert [path.name for path in file.parent.iterdir()] == [file.name]
    else:
        keep(file, KEPT)
        assert not file.is_symlink()
        assert take(file) == KEPT


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_refused(file: Path) -> None:
    keep(file, KEPT)
    os.chown(file, 65534, 65534)
    with pytest.raises(Unusable):
        take(file)


def test_a_file_in_place_of_the_folder_is_an_error(file: Path) -> None:
    file.parent.write_bytes(b"")
    with pytest.raises(Unusable):
        take(file)
    with pytest.raises(Unusable):
        keep(file, KEPT)


def test_the_file_is_in_the_users_state_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    one, other = file_for(4000), file_for(4001)
    assert one is not None
    assert one != other
    if sys.platform == "linux":
        assert one == tmp_path / "orcredit" / "sessions-4000.json"


# The rate limiter


def test_five_failures_a_minute(clock: Clock) -> None:
    limiter = RateLimiter(LOGIN_ATTEMPTS, clock)
    for _ in range(5):
        assert limiter.wait("192.0.2.1") == 0
        limiter.fail("192.0.2.1")
        clock.now += 10
    assert limiter.wait("192.0.2.1") == 10  # the first was 50 seconds ago
    clock.now += 9.5
    assert limiter.wait("192.0.2.1") == 0.5
    clock.now += 0.5
    assert limiter.wait("192.0.2.1") == 0
    limiter.fail("192.0.2.1")
    assert limiter.wait("192.0.2.1") == 10


def test_addresses_are_counted_separately(clock: Clock) -> None:
    limiter = RateLimiter(2, clock)
    for _ in range(3):
        limiter.fail("192.0.2.1")
    assert limiter.wait("192.0.2.1") == 60
    assert limiter.wait("192.0.2.2") == 0
    assert limiter.wait("") == 0


def test_an_ipv6_network_counts_as_one(clock: Clock) -> None:
    limiter = RateLimiter(2, clock)
    limiter.fail("2001:db8::1")
    limiter.fail("2001:db8::ffff:2")
    assert limiter.wait("2001:db8:0:0:1:2:3:4") == 60
    assert limiter.wait("2001:db8:0:1::1") == 0


def test_a_right_token_resets_the_count(clock: Clock) -> None:
    limiter = RateLimiter(2, clock)
    limiter.fail("192.0.2.1")
    limiter.reset("192.0.2.1")
    limiter.fail("192.0.2.1")
    assert limiter.wait("192.0.2.1") == 0


def test_many_addresses_take_bounded_memory(clock: Clock) -> None:
    limiter = RateLimiter(1, clock)
    for number in range(10_000):
        limiter.fail(f"10.0.{number // 250}.{number % 250}")
    assert limiter.wait("10.0.39.249") == 60
    assert limiter.wait("10.0.0.0") == 0


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
def test_a_token_that_cannot_be_sent_is_refused_and_not_shown(tmp_path: Path, content: str) -> None:
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
def test_valid_names_for_allow_host(name: str) -> None:
    assert checked_hosts([name]) == [name]


@pytest.mark.parametrize(
    "name",
    ["", " ", "nas lan", "nas.lan:80", "http://nas.lan", "nas.lan/", "*", "-nas", "nas-", ".", "user@nas", "nas\n",
     "x" * 64, f"{'x.' * 127}x", "[::1]:80", "[::1", "::1]", "[:"],
)  # fmt: skip
def test_invalid_names_for_allow_host(name: str) -> None:
    with pytest.raises(UsageError):
        checked_hosts(["nas.lan", name])


def test_ipv4_addresses_of_an_ipv6_socket_are_counted_separately() -> None:
    limiter = RateLimiter(1, lambda: 0.0)
    limiter.fail("::ffff:10.0.0.1")
    assert limiter.wait("10.0.0.1") > 0
    assert limiter.wait("::ffff:10.0.0.2") == limiter.wait("::1") == 0


def test_allow_host_without_a_token_gives_a_warning() -> None:
    warnings = list(check_access(None, is_loopback=True, allow_hosts=["nas.lan"]))
    assert len(warnings) == 1
    assert "No token is set" in warnings[0]


def test_a_host_that_others_can_reach_requires_a_token() -> None:
    with pytest.raises(ConfigurationError, match="a token is required"):
        check_access(None, is_loopback=False)
    assert list(check_access(None, is_loopback=True)) == []
    assert list(check_access(TOKEN, is_loopback=True)) == []
    assert [("in clear" in text, "guessed" in text) for text in check_access("short", is_loopback=False)] == [
        (True, False),
        (False, True),
    ]
