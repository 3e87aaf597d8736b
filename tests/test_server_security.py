"""The server's middleware: hosts, origins, token and sessions, limits, headers; and that no response has a secret."""

from __future__ import annotations

import gzip
import json
import os
import re
from contextlib import AbstractContextManager, ExitStack, suppress
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest

from orcredit import simulator
from tests.serving import (
    BALANCE,
    CSV,
    EVENTS,
    HISTORY,
    REFRESH,
    SECURITY_HEADERS,
    SESSION,
    SNAPSHOT,
    TOKEN,
    Answer,
    Serving,
    Upstream,
    free_port,
    serving,
    wait_until,
)
from tests.test_secrets import shows_key

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.process

BEARER = f"Bearer {TOKEN}"
KEY = simulator.key_for("normal")
DATA = [
    (BALANCE, "GET"),
    (SNAPSHOT, "GET"),
    (REFRESH, "POST"),
    (HISTORY, "GET"),
    (CSV, "GET"),
    (EVENTS, "GET"),
    (SESSION, "GET"),
    (SESSION, "DELETE"),
    ("/readyz", "GET"),
    ("/openapi.json", "GET"),
    ("/nothing", "GET"),
    ("/api/openrouter/nothing", "GET"),
]
"""What requires the token."""

MUCH = 10 * 1024 * 1024


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as openrouter:
        yield openrouter


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> Iterator[Serving]:
    """A server without a token."""
    arguments = ["--interval", "1h", "--allow-host", "nas.lan", "--allow-host", "10.1.2.3", "--allow-host", "fd00::2"]
    with serving(*arguments, home=tmp_path_factory.mktemp("home"), upstream=upstream) as running:
        running.wait_for_answer()
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> Iterator[Serving]:
    """A server with a token."""
    home, environ = tmp_path_factory.mktemp("home"), {"ORCREDIT_TOKEN": TOKEN}
    with serving("--interval", "1h", home=home, upstream=upstream, environ=environ) as running:
        wait_until(lambda: running.ask(BALANCE, Authorization=BEARER).status != 503)
        yield running


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Serving]:
    """A server with a token for one test only: wrong tokens are counted."""
    with serving("--demo", "--no-history", home=tmp_path, environ={"ORCREDIT_TOKEN": TOKEN}) as running:
        wait_until(lambda: running.ask(BALANCE, Authorization=BEARER).status != 503)
        yield running


def is_open(answer: Answer) -> bool:
    return answer.status == 200 and "remaining" in answer.json


def asset() -> str:
    return min(file.name for file in (files("orcredit.server") / "page" / "assets").iterdir())


# The token


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
            assert guarded.ask(path, method, Authorization=text).status in {200, 204, 404}
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
    tmp_path: Path, upstream: Upstream
) -> None:
    environ = {"ORCREDIT_TOKEN": TOKEN}
    options = ["--no-history", "--interval", "1h", "--port", free_port()]
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


@pytest.mark.parametrize("trouble", ["killed", "unwritable", "damaged"])
def test_without_the_list_of_revoked_sessions_all_sessions_end(
    tmp_path: Path, upstream: Upstream, trouble: str
) -> None:
    environ = {"ORCREDIT_TOKEN": TOKEN}
    state = tmp_path / ".local/state/orcredit"
    options = ["--no-history", "--interval", "1h", "--port", free_port()]
    with serving(*options, home=tmp_path, upstream=upstream, environ=environ) as first:
        ended = cookie_of(first.log_in())
    [file] = state.iterdir()
    with restart(first, tmp_path, upstream=upstream) as second:
        assert second.ask(SESSION, Cookie=ended).status == 200
        if trouble == "unwritable":
            state.rmdir()
            state.write_bytes(b"")
        assert second.ask(SESSION, "DELETE", Cookie=ended).status == 204
        if trouble == "killed":
            second.process.kill()
            second.process.wait()
            assert list(state.iterdir()) == []
        else:
            assert second.stop() == 0
    if trouble == "unwritable":
        assert "all sessions end now" in second.errors
        state.unlink()
    elif trouble == "damaged":
        file.write_bytes(file.read_bytes()[:-2])
    with restart(second, tmp_path, upstream=upstream) as third:
        assert third.ask(SESSION, Cookie=ended).problem == (401, "unauthorized")
        assert third.log_in().status == 200
        assert third.stop() == 0
    assert ("have ended" in third.errors) == (trouble == "damaged")
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_session_is_valid_at_one_port_only(tmp_path: Path, upstream: Upstream) -> None:
    options = ["--no-history", "--interval", "1h"]
    environ = {"ORCREDIT_TOKEN": TOKEN}
    with (
        serving(*options, "--port", free_port(), home=tmp_path, upstream=upstream, environ=environ) as one,
        serving(*options, "--port", free_port(), home=tmp_path, upstream=upstream, environ=environ) as two,
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


def test_a_disk_that_hangs_delays_neither_start_nor_logout_nor_end(tmp_path: Path) -> None:
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
    options = ["--no-history", "--port", free_port()]
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


# The Host


@pytest.mark.parametrize(
    "host",
    ["localhost", "LocalHost", "localhost.", "127.0.0.1", "[::1]", "nas.lan", "NAS.LAN", "nas.lan.", "10.1.2.3",
     "[fd00::2]"],
)  # fmt: skip
def test_own_host_names_are_accepted_with_any_port(server: Serving, host: str) -> None:
    for port in ("", f":{server.port}", ":443"):
        assert is_open(server.ask(BALANCE, Host=f"{host}{port}"))


@pytest.mark.parametrize(
    "host",
    ["evil.com", "127.0.0.1.evil.com", "localhost.evil.com", "evil.com:4000", "localhost:4000@evil", "evil@localhost",
     "localhost:evil.com", "127.0.0.1:80:evil.com", "[::1].evil.com", "[::1]evil.com", "[::1", "::1", "127.1",
     "127.0.0.2", "0.0.0.0", "2130706433", "0x7f.0.0.1", "localhost..", ".localhost", "xnas.lan", "lan",  # noqa: S104
     "localhost,evil.com", "localhost evil.com", "localhost/evil.com", "localhost#evil.com", "localh\u00f6st", "",
     ":4000", "localhost\\evil.com", "fd00::2", "192.0.2.1", "null", "*"],
)  # fmt: skip
def test_other_host_names_are_refused(server: Serving, host: str) -> None:
    for path in (BALANCE, "/", "/healthz", f"/assets/{asset()}", "/nothing"):
        assert server.ask(path, Host=host).problem == (403, "foreign_host")


def test_a_missing_or_repeated_host_is_refused(server: Serving) -> None:
    assert server.raw(f"GET {BALANCE} HTTP/1.0\r\n\r\n".encode()).problem == (403, "foreign_host")
    assert server.raw(f"GET {BALANCE} HTTP/1.1\r\n\r\n".encode()).problem == (400, "bad_request")
    two = "Host: localhost\r\nHost: evil.com"
    assert server.raw(f"GET {BALANCE} HTTP/1.1\r\n{two}\r\n\r\n".encode()).problem == (400, "bad_request")


def test_the_address_at_which_it_is_reached_is_accepted_as_host(tmp_path: Path) -> None:
    with serving("--demo", "--no-history", "--host", "127.0.0.2", home=tmp_path) as server:
        server.wait_for_answer()
        assert is_open(server.ask(BALANCE))
        assert is_open(server.ask(BALANCE, Host="127.0.0.1"))
        assert server.ask(BALANCE, Host="127.0.0.3").problem == (403, "foreign_host")


def test_on_all_addresses_only_the_one_in_use_is_accepted_as_host(tmp_path: Path) -> None:
    environ = {"ORCREDIT_TOKEN": TOKEN}
    with serving("--demo", "--no-history", "--host", "0.0.0.0", home=tmp_path, environ=environ) as server:  # noqa: S104
        assert server.ask("/healthz", Host=f"127.0.0.1:{server.port}").status == 200
        assert server.ask("/healthz", Host="192.0.2.77").problem == (403, "foreign_host")
        assert server.ask("/healthz", Host="evil.com").problem == (403, "foreign_host")


def test_forwarded_headers_are_ignored(server: Serving) -> None:
    forwarded = {"X_Forwarded_Host": "localhost", "Forwarded": "host=localhost", "X_Forwarded_For": "127.0.0.1"}
    assert server.ask(BALANCE, Host="evil.com", **forwarded).problem == (403, "foreign_host")


# Other sites


GUARDED = [(BALANCE, "GET"), (SNAPSHOT, "GET"), (REFRESH, "POST"), (HISTORY, "GET"), (CSV, "GET"), (SESSION, "GET"),
           (SESSION, "DELETE"), ("/readyz", "GET"), ("/openapi.json", "GET")]  # fmt: skip


@pytest.mark.parametrize(("path", "method"), GUARDED)
def test_the_page_and_programs_are_accepted(server: Serving, path: str, method: str) -> None:
    own = f"http://{server.authority}"
    for headers in (
        {},
        {"Origin": own},
        {"Origin": own.upper().replace("HTTP", "http")},
        {"Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "none"},
        {"Origin": own, "Sec_Fetch_Site": "same-origin"},
        {"Origin": "https://nas.lan", "Host": "nas.lan"},  # behind a proxy that speaks TLS
    ):
        assert server.ask(path, method, **headers).status in {200, 204}


@pytest.mark.parametrize(("path", "method"), [*GUARDED, (EVENTS, "GET"), (SESSION, "POST"), ("/api/nothing", "GET")])
def test_pages_of_other_sites_are_refused(server: Serving, path: str, method: str) -> None:
    own = f"http://{server.authority}"
    for headers in (
        {"Origin": "http://evil.com"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1"},
        {"Origin": f"http://localhost:{server.port}"},
        {"Origin": f"{own}.evil.com"},
        {"Origin": f"{own}@evil.com"},
        {"Origin": f"http://evil.com#{server.authority}"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "something-new"},
        {"Sec_Fetch_Site": ""},
        {"Origin": own, "Sec_Fetch_Site": "cross-site"},
        {"Origin": "http://evil.com", "Sec_Fetch_Site": "same-origin"},
    ):
        answer = server.ask(path, method, **headers)
        assert answer.problem == (403, "foreign_origin")
        assert answer.headers["Access-Control-Allow-Origin"] is None


def test_a_preflight_is_not_granted(server: Serving) -> None:
    answer = server.ask(REFRESH, "OPTIONS", Origin="http://evil.com", Access_Control_Request_Method="POST")
    assert answer.status in {403, 405}
    assert not any(name.lower().startswith("access-control") for name in answer.headers)


def test_another_site_may_link_to_the_page(server: Serving) -> None:
    headers = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    assert server.ask("/", **headers).status == 200


# The security headers


def has_security_headers(answer: Answer) -> bool:
    return all(answer.headers.get_all(name) == [value] for name, value in SECURITY_HEADERS.items())


def get(path: str, method: str = "GET", **headers: str | None) -> Callable[[Serving], Answer]:
    return lambda server: server.ask(path, method, **headers)


def raw(*pieces: bytes) -> Callable[[Serving], Answer]:
    return lambda server: server.raw(*pieces)


RESPONSES: dict[str, tuple[int, Callable[[Serving], Answer]]] = {
    "page": (200, get("/")),
    "asset": (200, get(f"/assets/{asset()}")),
    "zipped": (200, get(f"/assets/{asset()}", Accept_Encoding="gzip")),
    "balance": (200, get(BALANCE)),
    "head": (200, get(BALANCE, "HEAD")),
    "csv": (200, get(CSV)),
    "openapi": (200, get("/openapi.json")),
    "logout": (204, get(SESSION, "DELETE")),
    "question": (400, get(f"{HISTORY}?points=0")),
    "garbage": (400, raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")),
    "chunk": (400, raw(b"POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n")),
    "foreign": (403, get("/", Host="evil.com")),
    "origin": (403, get(BALANCE, Origin="null")),
    "nothing": (404, get("/nothing")),
    "no asset": (404, get("/assets/nothing")),
    "method": (405, get(BALANCE, "POST")),
    "body": (413, get("/healthz", Content_Length="5000")),
    "form": (415, get(SESSION, "POST")),
    "head of one header": (431, raw(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20000 + b"\r\n\r\n")),
    "endless head": (431, raw(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000)),
}


@pytest.mark.parametrize("kind", RESPONSES)
def test_every_kind_of_response_has_the_security_headers(server: Serving, kind: str) -> None:
    status, make = RESPONSES[kind]
    answer = make(server)
    assert answer.status == status
    assert has_security_headers(answer)
    if status >= 400:
        assert answer.problem[0] == status


def test_responses_of_a_server_with_a_token_have_the_security_headers(guarded: Serving) -> None:
    for answer in (guarded.ask(BALANCE), guarded.ask(EVENTS), guarded.log_in("wrong"), guarded.log_in()):
        assert has_security_headers(answer)


def test_bad_gateway_responses_have_the_security_headers(tmp_path: Path) -> None:
    with Upstream() as own:
        own.account = "html"
        with serving(home=tmp_path, upstream=own) as server:
            server.wait_for_answer()
            answer = server.ask(BALANCE)
    assert answer.status == 502
    assert has_security_headers(answer)


def test_the_page_has_no_inline_script(server: Serving) -> None:
    page = server.ask("/").body.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son[a-z]+=|javascript:", page, re.IGNORECASE)
    assert not re.search(r"(src|href)=\"?(https?:)?//", page)


# Secrets


def test_no_key_and_no_token_is_shown_by_anything(tmp_path: Path) -> None:
    key, management = simulator.key_for("echo-key"), simulator.management_key_for("normal")
    environ = {"ORCREDIT_TOKEN": TOKEN, "OPENROUTER_MANAGEMENT_KEY": management}
    shown: list[str] = []
    with simulator.Server() as upstream:
        home, url = tmp_path, upstream.base_url
        with serving("-v", home=home, upstream=url, account="echo-key", environ=environ) as server:
            wait_until(lambda: server.ask(BALANCE, Authorization=BEARER).status != 503)
            cookie = server.log_in().headers["Set-Cookie"].partition(";")[0]
            for path in ("/", BALANCE, SNAPSHOT, HISTORY, CSV, SESSION, "/readyz", "/openapi.json", "/nothing"):
                shown += [server.ask(path, Authorization=BEARER).everything, server.ask(path, Cookie=cookie).everything]
                shown += [server.ask(path).everything, server.ask(path, Authorization=f"Bearer x{TOKEN}").everything]
            for secret in (key, KEY):
                for path in (f"/{secret}", f"/assets/{secret}", f"{HISTORY}?since={secret}",
                             f"{HISTORY}?every={secret}", f"{HISTORY}?points={secret}", f"{CSV}?since={secret}",
                             f"{BALANCE}?key={secret}", f"{BALANCE}/{secret}"):  # fmt: skip
                    shown.append(server.ask(path, Authorization=BEARER).everything)
                shown.append(server.ask(BALANCE, Host=secret).everything)
                shown.append(server.ask(BALANCE, secret.replace("-", ""), Authorization=BEARER).everything)
                shown.append(server.log_in(secret).everything)
                shown.append(server.raw(f"{secret}\r\n\r\n".encode()).everything)
            shown.append(server.post(SESSION, f'{{"token": "{TOKEN}", "x": 1}}'.encode()).everything)
            with server.stream(Authorization=BEARER) as stream:
                shown.append(stream.next().text)
            server.wait_for("answered")
            assert server.stop() == 0
        shown += [server.said, server.errors]
    for text in shown:
        assert not shows_key(text, key)
        assert not shows_key(text, KEY)
        assert not shows_key(text, management)
        assert TOKEN not in text


def test_a_key_in_a_path_is_not_logged(tmp_path: Path) -> None:
    with serving("--demo", "--no-history", "-v", home=tmp_path) as server:
        for path in (f"/x/{KEY}/y", f"/%2F{KEY}", f"/key={KEY}", f"//{KEY}"):
            assert server.ask(path).status == 404
        server.wait_for("answered GET", 4)
        assert server.stop() == 0
    assert not shows_key(server.errors, KEY)


def test_an_allowed_host_is_accepted_in_each_spelling_and_no_other(tmp_path: Path) -> None:
    names = ("--allow-host", "[FD00::0005]", "--allow-host", "n\u00e4s.lan")
    with serving("--demo", "--no-history", *names, home=tmp_path) as server:
        for host in ("[fd00::5]", "[fd00:0::5]:443", "xn--ns-via.lan", "XN--NS-VIA.lan.:80"):
            assert server.ask("/healthz", Host=host).status == 200, host
        for host in ("a$.evil.com", "x!y.evil.com", "[]", "[[fd00::5]]", "fd00::5", ":80", "n\u00e4s.lan"):
            assert server.ask("/healthz", Host=host).problem == (403, "foreign_host"), host


def test_a_client_that_disconnects_is_no_internal_error(tmp_path: Path) -> None:
    with serving("--demo", "--no-history", "-v", home=tmp_path) as server:
        for path in (SESSION, "/api/openrouter/refresh"):
            with server.wire() as wire:
                wire.send(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{{".encode())
            server.wait_for(f"answered POST {path}: 0 ")
        assert server.stop() == 0
    assert "internal error" not in server.errors


def test_a_log_line_cannot_be_forged(tmp_path: Path) -> None:
    with serving("--demo", "--no-history", "-v", home=tmp_path) as server:
        assert server.ask("/a%0d%0a2026-01-01T00:00:00Z%20forged%1b[31m").status == 404
        for bad in (b"/a\x1b[31m", b"/a\r2026", b"/a\tb", "/\u202e".encode()):
            server.raw(b"GET " + bad + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        server.wait_for("(another path)")
        assert server.stop() == 0
    assert not any(line.startswith("2026-01-01") for line in server.lines)
    assert server.errors.replace("\n", "").isprintable()


# The page's files


def test_the_page_is_revalidated_and_its_files_are_immutable(server: Serving) -> None:
    assert server.ask("/").headers["Cache-Control"] == "no-cache"
    assert server.ask("/").headers["Content-Type"] == "text/html; charset=utf-8"
    assert server.ask(f"/assets/{asset()}").headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    ("accepted", "is_zipped"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("GZip", True),
        ("deflate, gzip, br", True),
        ("br;q=1.0, gzip;q=0.5", True),
        ("*", True),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("gzip; q=0", False),
        ("deflate, gzip;q=0, *", False),
        ("*, gzip;q=0", False),
        ("*;q=0, gzip", True),
        ("x-gzip-2", False),
    ],
)
def test_gzip_is_used_when_the_client_accepts_it(server: Serving, accepted: str | None, is_zipped: bool) -> None:
    for path in ("/", f"/assets/{asset()}"):
        plain, answer = server.ask(path), server.ask(path, Accept_Encoding=accepted)
        assert (answer.status, answer.headers["Vary"]) == (200, "Accept-Encoding")
        assert answer.headers["Content-Encoding"] == ("gzip" if is_zipped else None)
        assert (gzip.decompress(answer.body) if is_zipped else answer.body) == plain.body
        assert answer.headers["Content-Type"] == plain.headers["Content-Type"]


@pytest.mark.parametrize(
    "target",
    ["/assets/../index.html", "/assets/..", "/assets/../../__init__.py", "/assets/%2e%2e/index.html",
     "/assets/%2e%2e%2findex.html", "/assets/..%2findex.html", "/assets/..%5cindex.html", "/assets/..\\index.html",
     "/assets/....//index.html", "/assets/%252e%252e%252findex.html", "/assets/%c0%ae%c0%ae/index.html",
     "/../index.html", "/assets//etc/passwd", "//etc/passwd", "/etc/passwd", "/assets/%2fetc%2fpasswd",
     "/%2e%2e/%2e%2e/etc/passwd", "/assets/x.js%00", "/assets/%00", "/assets/.", "/assets/./index.html", "/assets/%ff", "file:///etc/passwd",
     "/assets/C:%5cWindows", "/assets/*", "/assets/;/../index.html", "etc/passwd", "?", "*"],
)  # fmt: skip
def test_no_path_leads_out_of_the_page(server: Serving, target: str) -> None:
    answer = server.raw(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert answer.problem in {(404, "not_found"), (400, "bad_request")}


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


@pytest.mark.parametrize(
    "request_",
    [b"GET / HTTP/1.1\r\nHost: localhost\x00\r\n\r\n", b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
     b"GET  HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\r\n\r\nx\r\n\r\n",
     b"GET / HTTP/1.1\r\n Host: localhost\r\n\r\n", b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
     b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
     b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
     b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
     b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
     b"POST /api/session HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
     b"GET /\r\n\r\n", b"\x00" * 100 + b"\r\n\r\n"],
)  # fmt: skip
def test_invalid_http_is_refused(server: Serving, request_: bytes) -> None:
    with server.wire() as wire:
        wire.send(request_)
        answer = wire.answer()
        assert answer.problem == (400, "bad_request")
        assert has_security_headers(answer)
        assert wire.is_ended()


@pytest.mark.parametrize("path", [BALANCE, "/", "/healthz"])
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Authorization", [f"Bearer {TOKEN}", "Bearer wrong"]),
        ("Authorization", ["Bearer wrong", f"Bearer {TOKEN}"]),
        ("Origin", ["http://evil.com", "http://localhost"]),
        ("ORIGIN", ["http://localhost", "http://localhost"]),
        ("Sec-Fetch-Site", ["cross-site", "same-origin"]),
        ("Host", ["localhost"]),
    ],
)
def test_a_repeated_header_that_may_have_one_value_is_refused(
    guarded: Serving, name: str, values: list[str], path: str
) -> None:
    lines = "".join(f"{name}: {value}\r\n" for value in values)
    with guarded.wire() as wire:
        wire.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode())
        answer = wire.answer()
        assert answer.problem == (400, "bad_request")
        assert TOKEN not in answer.everything
        assert has_security_headers(answer)
        assert wire.is_ended()


def test_a_cookie_may_come_in_parts(guarded: Serving) -> None:
    cookie = guarded.log_in().headers["Set-Cookie"].partition(";")[0]
    for parts in (["a=b", cookie], [cookie, "a=b"]):
        lines = "".join(f"Cookie: {part}\r\n" for part in parts)
        assert is_open(guarded.raw(f"GET {BALANCE} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode()))


@pytest.mark.parametrize("path", [SESSION, REFRESH, "/healthz", "/nothing"])
@pytest.mark.parametrize("first", ["Content-Length: 5\r\n", ""])
def test_a_request_whose_end_is_ambiguous_closes_the_connection(server: Serving, path: str, first: str) -> None:
    """RFC 9112, 6.1: a proxy may take what follows for its body, or for another request."""
    second = "" if first else "Content-Length: 5\r\n"
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{first}Transfer-Encoding: chunked\r\n{second}\r\n"
    with server.wire() as wire:
        wire.send(f"{head}0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        answer = wire.answer()
        assert answer.problem == (400, "bad_request")
        assert has_security_headers(answer)
        assert wire.is_ended()


# Limits


LONG = 17 * 1024


@pytest.mark.parametrize(
    "head",
    [
        b"X: " + b"x" * LONG,
        b"\r\n".join([b"X-%d: y" % number for number in range(2000)]),
        b"Cookie: " + b"a=b; " * 4000,
    ],
    ids=["one", "many", "cookies"],
)
@pytest.mark.parametrize("piece", [None, 4096, 1000], ids=["at once", "in pieces", "in drops"])
def test_a_head_may_not_be_longer_than_16_kib(server: Serving, head: bytes, piece: int | None) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\n\r\n"
    with server.wire() as wire:
        with suppress(ConnectionError):  # it may close the connection before the end
            for start in range(0, len(request), piece or len(request)):
                wire.send(request[start : start + (piece or len(request))])
        answer = wire.answer()
    assert answer.problem == (431, "headers_too_large")


def test_a_path_may_not_be_longer_than_16_kib(server: Serving) -> None:
    assert server.ask(f"/{'x' * LONG}").problem == (431, "headers_too_large")
    assert server.ask(f"/?{'x' * LONG}").problem == (431, "headers_too_large")


def test_a_head_just_below_16_kib_is_accepted(server: Serving) -> None:
    assert server.ask("/healthz", X="x" * (16 * 1024 - 200)).status == 200


@pytest.mark.parametrize("size", [4097, MUCH])
@pytest.mark.parametrize("path", [SESSION, REFRESH, "/nothing"])
def test_a_body_may_not_be_longer_than_4_kib(server: Serving, path: str, size: int) -> None:
    headers = {"Content-Type": "application/json"}
    with server.wire() as wire:  # that announces it
        wire.send(server.request("POST", path, headers | {"Connection": None, "Content-Length": str(size)}, None))
        assert wire.answer().problem == (413, "too_large")
        assert wire.is_ended()
    with server.wire() as wire:  # that sends it as well
        with suppress(ConnectionError):
            wire.send(server.request("POST", path, headers, b"x" * size))
        with suppress(ConnectionError, EOFError):
            assert wire.answer().problem == (413, "too_large")
    with server.wire() as wire:  # that does not say how much will come
        with suppress(ConnectionError):
            wire.send(server.request("POST", path, headers | {"Transfer-Encoding": "chunked"}, None))
            for _ in range(0, size, 1000):
                wire.send(b"3e8\r\n" + b"x" * 1000 + b"\r\n")
        with suppress(ConnectionError, EOFError):
            assert wire.answer().problem == (413, "too_large")
    assert server.ask("/healthz").status == 200


def test_a_body_of_4_kib_is_accepted(server: Serving) -> None:
    answer = server.post(SESSION, b" " * 4080 + b'{"token": "x"}  ', Content_Type="application/json")
    assert answer.status == 200
    chunked = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    body = b'4\r\n{"to\r\na\r\nken": "x"}\r\n0\r\n\r\n'
    assert server.raw(server.request("POST", SESSION, chunked, None) + body).status == 200


SHORT = {
    "orcredit.server.connections.HEAD_SECONDS": 1,
    "orcredit.server.middleware.limits.BODY_SECONDS": 1,
}
BEGINNINGS = [
    b"",
    b"G",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ",
    b"POST /api/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
    b"POST /nothing HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hea",
]


def test_many_connections_without_a_complete_request_do_not_block_others(server: Serving) -> None:
    with ExitStack() as stack:
        for beginning in (b"", b"GET / HTTP/1.1\r\nHost: lo"):
            for _ in range(200):
                stack.enter_context(server.wire()).send(beginning)
        for _ in range(20):
            assert is_open(server.ask(BALANCE))


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_a_connection_without_a_complete_request_is_closed(tmp_path: Path, beginning: bytes) -> None:
    with serving("--demo", "--no-history", home=tmp_path, constants=SHORT) as server, server.wire() as wire:
        wire.send(beginning)
        if b"Content-Length" in beginning or b"chunked" in beginning:
            assert wire.answer().problem == (408, "timeout")
        elif beginning.startswith(b"GET /healthz"):
            assert wire.answer().status == 200
        assert wire.is_ended()
        assert server.ask("/healthz").status == 200


def stays_open(wire_socket: socket.socket, drop: bytes) -> bool:
    """Whether a connection on which a few bytes are sent now and then stays open."""
    wire_socket.settimeout(0.2)
    for _ in range(60):
        try:
            wire_socket.sendall(drop)
            if not wire_socket.recv(4096):
                return False
        except TimeoutError:
            pass
        except ConnectionError:
            return False
    return True


@pytest.mark.parametrize(
    ("beginning", "drop"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ", b"x"),
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\r\n"),
        (b"POST /api/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000\r\n\r\n{", b"x"),
        (b"POST /api/session HTTP/1.1\r\nHost: evil.com\r\nContent-Length: 4000\r\n\r\n{", b"x"),
        (b"POST /api/session HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"POST /api/session HTTP/1.1\r\nHost: evil.com\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
    ids=["head", "blank lines", "body", "unwanted body", "chunks", "unwanted chunks"],
)
def test_a_connection_that_sends_too_slowly_is_closed(tmp_path: Path, beginning: bytes, drop: bytes) -> None:
    """Sixty times 0.2 s are twelve seconds; the timeouts here are one second, or uvicorn's five."""
    with serving("--demo", "--no-history", home=tmp_path, constants=SHORT) as server, server.wire() as wire:
        wire.send(beginning)
        assert not stays_open(wire.socket, drop)
        assert server.ask("/healthz").status == 200
