"""The server's token, its login, and its sessions: over restarts, too."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.serving import (
    ACCOUNT,
    ACTIVITY,
    BALANCE,
    BEARER,
    CSV,
    EVENTS,
    HISTORY,
    KEY_DAYS,
    KEYS,
    REFRESH,
    SESSION,
    SNAPSHOT,
    TOKEN,
    Answer,
    Serving,
    Upstream,
    asset,
    has_security_headers,
    is_open,
    serving,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

pytest_plugins = ["tests.server_fixtures"]
pytestmark = pytest.mark.process

DATA = [
    (BALANCE, "GET"),
    (SNAPSHOT, "GET"),
    (REFRESH, "POST"),
    (HISTORY, "GET"),
    (CSV, "GET"),
    (ACCOUNT, "GET"),
    (KEYS, "GET"),
    (KEY_DAYS, "GET"),
    (ACTIVITY, "GET"),
    (EVENTS, "GET"),
    (SESSION, "GET"),
    (SESSION, "DELETE"),
    ("/readyz", "GET"),
    ("/openapi.json", "GET"),
    ("/nothing", "GET"),
    ("/api/openrouter/nothing", "GET"),
]
"""What requires the token."""


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Serving]:
    """A server with a token for one test only: wrong tokens are counted."""
    with serving("--demo", "--no-history", home=tmp_path, environ={"ORCREDIT_TOKEN": TOKEN}) as running:
        wait_until(lambda: running.ask(BALANCE, Authorization=BEARER).status != 503)
        yield running


@pytest.mark.parametrize(("path", "method"), DATA)
def test_data_requires_the_token_even_on_loopback(guarded: Serving, path: str, method: str) -> None:
    for answer in (
        guarded.ask(path, method),
        guarded.ask(path, method, Authorization="Basic YTpi"),
        guarded.ask(path, method, Authorization=""),
        guarded.ask(path, method, Cookie=f"orcredit_session_{guarded.port}=1.2.3"),
        guarded.ask(f"{path}?token={TOKEN}", method),
    ):
        assert answer.problem == (401, "unauthorized")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.headers["Set-Cookie"] is None


def test_page_and_health_require_no_token(guarded: Serving) -> None:
    assert guarded.ask("/").status == 200
    assert guarded.ask(f"/assets/{asset()}").status == 200
    assert guarded.ask("/healthz").json == {"status": "ok"}


@pytest.mark.parametrize("text", [BEARER, f"bearer {TOKEN}", f"BEARER  {TOKEN} "])
def test_the_bearer_token_is_accepted(guarded: Serving, text: str) -> None:
    for path, method in DATA:
        if path != EVENTS:
            answer = guarded.ask(path, method, Authorization=text)
            is_plain = path in {ACCOUNT, KEYS, KEY_DAYS, ACTIVITY}  # what the server's plain key may not ask
            assert answer.status in {200, 204, 404} or (is_plain and answer.problem[1] == "management_key_required")
    with guarded.stream(Authorization=text) as stream:
        assert stream.next().data["balance"]["remaining"] == 51.25
    assert guarded.ask(SESSION, Authorization=text).json == {"loginRequired": True, "expiresAt": None}


@pytest.mark.parametrize(
    "text", [f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"Bearer {TOKEN.upper()}", "Bearer", "Bearer ", TOKEN,
             f"Basic {TOKEN}", f"Bearer {TOKEN}, Bearer x", "Bearer \u00e9", f"Bearer={TOKEN}"]
)  # fmt: skip
def test_another_bearer_token_is_refused(guarded: Serving, text: str) -> None:
    assert guarded.ask(BALANCE, Authorization=text).problem == (401, "unauthorized")


# The login


def test_a_login_begins_a_session_and_a_logout_revokes_all_copies_of_its_cookie(guarded: Serving) -> None:
    before = datetime.now(UTC)
    answer = guarded.log_in()
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
    assert answer.json["loginRequired"] is True
    lasts = datetime.fromisoformat(answer.json["expiresAt"]) - before
    assert timedelta(days=7, seconds=-2) < lasts < timedelta(days=7, seconds=60)

    cookie, *attributes = answer.headers["Set-Cookie"].split("; ")
    assert {text.lower() for text in attributes} == {"httponly", "samesite=strict", "max-age=604800", "path=/"}
    name, _, value = cookie.partition("=")
    assert name == f"orcredit_session_{guarded.port}"
    assert TOKEN not in value

    assert is_open(guarded.ask(BALANCE, Cookie=cookie))
    assert is_open(guarded.ask(BALANCE, Cookie=f"theme=dark; {cookie}; other=1"))
    assert guarded.post(REFRESH, Cookie=cookie).status == 200
    assert guarded.ask(SESSION, Cookie=cookie).json == answer.json
    for broken in (f"{cookie}0", cookie[:-1], f"x{cookie}", cookie.replace("session", "Session"), f"other={value}"):
        assert guarded.ask(BALANCE, Cookie=broken).problem == (401, "unauthorized")

    another = guarded.log_in().headers["Set-Cookie"].partition(";")[0]
    gone = guarded.ask(SESSION, "DELETE", Cookie=cookie)
    assert (gone.status, gone.body, gone.headers["Cache-Control"]) == (204, b"", "no-store")
    assert gone.headers["Set-Cookie"].startswith((f'{name}="";', f"{name}=;"))
    assert "Max-Age=0" in gone.headers["Set-Cookie"]
    assert guarded.ask(BALANCE, Cookie=cookie).problem == (401, "unauthorized")
    assert guarded.ask(SESSION, Cookie=cookie).problem == (401, "unauthorized")
    assert is_open(guarded.ask(BALANCE, Cookie=another))


@pytest.mark.parametrize(
    "kind", [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
             "application/jsonp", "text/json"]
)  # fmt: skip
def test_a_content_type_that_a_form_can_send_is_refused(guarded: Serving, kind: str | None) -> None:
    body = json.dumps({"token": TOKEN}).encode()
    assert guarded.post(SESSION, body, Content_Type=kind).problem == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"{}", b"null", b"[]", b'"token"', b'{"token": 1}', b'{"token": null}', b'{"token": ""}',
     b'{"token": ["x"]}', b'{"token": "x", "admin": true}', b'{"token": "' + b"x" * 1025 + b'"}', b"\xff\xfe",
     b"\x00", b"[" * 4000, f'{{"token": "{TOKEN}"'.encode(), b'{"token": "\\ud800"}'],
)  # fmt: skip
def test_a_malformed_login_is_a_bad_request_and_not_counted(guarded: Serving, body: bytes) -> None:
    answer = guarded.post(SESSION, body, Content_Type="application/json; charset=utf-8")
    assert answer.problem == (400, "bad_request")
    assert TOKEN not in answer.everything


def test_after_five_wrong_logins_a_minute_logins_are_refused(locked: Serving) -> None:
    cookie = locked.log_in().headers["Set-Cookie"].partition(";")[0]
    for _ in range(5):
        answer = locked.log_in("wrong")
        assert answer.problem == (401, "unauthorized")
        assert answer.headers["Set-Cookie"] is None
    for token in ("wrong", TOKEN):
        answer = locked.log_in(token)
        assert answer.problem == (429, "too_many_tries")
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert is_open(locked.ask(BALANCE, Cookie=cookie))
    assert is_open(locked.ask(BALANCE, Authorization=BEARER))
    assert locked.ask("/").status == 200


def test_a_right_login_resets_the_limit(locked: Serving) -> None:
    for _ in range(2):
        for _ in range(4):
            assert locked.log_in("wrong").status == 401
        assert locked.log_in().status == 200


def test_after_sixty_wrong_bearer_tokens_a_minute_bearer_tokens_are_refused(locked: Serving) -> None:
    cookie = locked.log_in().headers["Set-Cookie"].partition(";")[0]
    assert [locked.ask(BALANCE, Authorization="Bearer wrong").status for _ in range(60)] == [401] * 60
    for bearer in ("Bearer wrong", BEARER):
        answer = locked.ask(BALANCE, Authorization=bearer)
        assert answer.problem == (429, "too_many_tries")
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert locked.ask(BALANCE).problem == (401, "unauthorized")
    assert is_open(locked.ask(BALANCE, Cookie=cookie))


def cookie_of(answer: Answer) -> str:
    return answer.headers["Set-Cookie"].partition(";")[0]


def restart(server: Serving, home: Path, token: str = TOKEN, **options: Any) -> AbstractContextManager[Serving]:  # noqa: ANN401 - of `serving`
    """Start a server again, at the same port."""
    if server.process.poll() is None:
        assert server.stop() == 0
    arguments = ["--no-history", "--interval", "1h", "--port", str(server.port)]
    return serving(*arguments, home=home, environ={"ORCREDIT_TOKEN": token}, **options)


def test_a_restart_keeps_sessions_but_no_revoked_one_and_a_new_token_ends_all(
    tmp_path: Path, upstream: Upstream, port: str
) -> None:
    environ = {"ORCREDIT_TOKEN": TOKEN}
    options = ["--no-history", "--interval", "1h", "--port", port]
    with serving(*options, home=tmp_path, upstream=upstream, environ=environ) as first:
        staying, ended = cookie_of(first.log_in()), cookie_of(first.log_in())
        assert first.ask(SESSION, "DELETE", Cookie=ended).status == 204
    with restart(first, tmp_path, upstream=upstream) as second:
        assert second.ask(SESSION, Cookie=staying).status == 200
        assert second.ask(SESSION, Cookie=ended).problem == (401, "unauthorized")
        later = cookie_of(second.log_in())
        assert second.ask(SESSION, "DELETE", Cookie=later).status == 204
    [file] = (tmp_path / ".local/state/orcredit").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert TOKEN not in file.read_text(encoding="utf-8")
    with restart(second, tmp_path, upstream=upstream) as third:
        assert third.ask(SESSION, Cookie=staying).status == 200
        assert third.ask(SESSION, Cookie=ended).problem == (401, "unauthorized")
        assert third.ask(SESSION, Cookie=later).problem == (401, "unauthorized")
    with restart(third, tmp_path, f"{TOKEN}!", upstream=upstream) as fourth:
        assert fourth.ask(SESSION, Cookie=staying).problem == (401, "unauthorized")
        assert fourth.stop() == 0
    assert [server.errors for server in (first, second, third, fourth)] == [""] * 4


@pytest.mark.parametrize("problem", ["killed", "unwritable", "damaged"])
def test_without_the_list_of_revoked_sessions_all_sessions_end(
    tmp_path: Path, upstream: Upstream, port: str, problem: str
) -> None:
    environ = {"ORCREDIT_TOKEN": TOKEN}
    state = tmp_path / ".local/state/orcredit"
    options = ["--no-history", "--interval", "1h", "--port", port]
    with serving(*options, home=tmp_path, upstream=upstream, environ=environ) as first:
        ended = cookie_of(first.log_in())
    [file] = state.iterdir()
    with restart(first, tmp_path, upstream=upstream) as second:
        assert second.ask(SESSION, Cookie=ended).status == 200
        if problem == "unwritable":
            state.rmdir()
            state.write_bytes(b"")
        assert second.ask(SESSION, "DELETE", Cookie=ended).status == 204
        if problem == "killed":
            second.process.kill()
            second.process.wait()
            assert list(state.iterdir()) == []
        else:
            assert second.stop() == 0
    if problem == "unwritable":
        assert "all sessions end now" in second.errors
        state.unlink()
    elif problem == "damaged":
        file.write_bytes(file.read_bytes()[:-2])
    with restart(second, tmp_path, upstream=upstream) as third:
        assert third.ask(SESSION, Cookie=ended).problem == (401, "unauthorized")
        assert third.log_in().status == 200
        assert third.stop() == 0
    assert ("have ended" in third.errors) == (problem == "damaged")
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_session_is_valid_at_one_port_only(tmp_path: Path, upstream: Upstream, port: str, other_port: str) -> None:
    options = ["--no-history", "--interval", "1h"]
    environ = {"ORCREDIT_TOKEN": TOKEN}
    with (
        serving(*options, "--port", port, home=tmp_path, upstream=upstream, environ=environ) as one,
        serving(*options, "--port", other_port, home=tmp_path, upstream=upstream, environ=environ) as two,
    ):
        first, second = cookie_of(one.log_in()), cookie_of(two.log_in())
        assert two.ask(SESSION, Cookie=first.replace(str(one.port), str(two.port))).problem == (401, "unauthorized")
        ended = cookie_of(one.log_in())
        assert one.ask(SESSION, "DELETE", Cookie=ended).status == 204
    with restart(one, tmp_path, upstream=upstream) as again:
        assert again.ask(SESSION, Cookie=first).status == 200
        assert again.ask(SESSION, Cookie=ended).status == 401
    with restart(two, tmp_path, upstream=upstream) as again:
        assert again.ask(SESSION, Cookie=second).status == 200


def test_a_disk_that_hangs_delays_neither_start_nor_logout_nor_end(tmp_path: Path, port: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, pathlib, time, orcredit.server.running\n"
        "orcredit.server.running._READING_LIMIT = 0.2\n"
        "before, after = pathlib.Path.lstat, os.open\n"
        "def lstat(path):\n"
        "    if path.name.startswith('sessions-'): time.sleep(3600)\n"
        "    return before(path)\n"
        "def open(path, *a, **b):\n"
        "    if '/sessions-' in str(path): time.sleep(3600)\n"
        "    return after(path, *a, **b)\n"
        "pathlib.Path.lstat, os.open = lstat, open\n",
        encoding="utf-8",
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    environ = {"ORCREDIT_TOKEN": TOKEN, "PYTHONPATH": path}
    options = ["--no-history", "--port", port]
    with Upstream() as own, serving(*options, home=tmp_path, upstream=own, environ=environ) as server:
        cookie = cookie_of(server.log_in())
        assert server.ask(SESSION, Cookie=cookie).status == 200
        assert server.ask(SESSION, "DELETE", Cookie=cookie).status == 204
        assert server.ask(SESSION, Cookie=cookie).status == 401
        assert server.stop() == 0
    assert [("have ended" in line, "end now" in line) for line in server.lines] == [
        (True, False),
        (False, True),
    ]


def test_the_demo_keeps_no_sessions(tmp_path: Path) -> None:
    with serving("--demo", "--no-history", home=tmp_path, environ={"ORCREDIT_TOKEN": TOKEN}) as server:
        cookie = cookie_of(server.log_in())
        assert server.ask(SESSION, "DELETE", Cookie=cookie).status == 204
        assert server.stop() == 0
    assert (server.errors, list(tmp_path.iterdir())) == ("", [])


def test_a_free_port_is_another_one_the_next_time_and_no_file_is_left_for_it(
    tmp_path: Path, upstream: Upstream
) -> None:
    environ = {"ORCREDIT_TOKEN": TOKEN}
    with serving("--no-history", "--port", "0", home=tmp_path, upstream=upstream, environ=environ) as server:
        server.log_in()
        assert server.stop() == 0
    assert server.errors == ""
    assert not (tmp_path / ".local/state").exists()


def test_responses_of_a_server_with_a_token_have_the_security_headers(guarded: Serving) -> None:
    for answer in (guarded.ask(BALANCE), guarded.ask(EVENTS), guarded.log_in("wrong"), guarded.log_in()):
        assert has_security_headers(answer)


@pytest.mark.parametrize(
    "target",
    [BALANCE, "http://localhost/", "http://evil.com/", "//x/", "/assets/..", "/x/..", "/.", "/%2e", "/;/..", ""],
)
def test_no_path_avoids_the_token(guarded: Serving, target: str) -> None:
    target = target if target == BALANCE else f"{target}{BALANCE}"
    for path in (target, target.replace("/api", "//api"), target.replace("api", "%61pi")):
        answer = guarded.raw(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert answer.status in {401, 404}
        assert "remaining" not in answer.everything


def test_a_cookie_may_come_in_parts(guarded: Serving) -> None:
    cookie = guarded.log_in().headers["Set-Cookie"].partition(";")[0]
    for parts in (["a=b", cookie], [cookie, "a=b"]):
        lines = "".join(f"Cookie: {part}\r\n" for part in parts)
        assert is_open(guarded.raw(f"GET {BALANCE} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode()))
