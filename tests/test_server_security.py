"""The server's middleware: which hosts and origins it accepts, its security headers, and the page's files."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

import pytest

from tests.serving import (
    BALANCE,
    CSV,
    EVENTS,
    HISTORY,
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
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest_plugins = ["tests.server_fixtures"]
pytestmark = pytest.mark.process

# The Host


@pytest.mark.parametrize(
    "host",
    ["localhost", "LocalHost", "localhost.", "127.0.0.1", "[::1]", "nas.lan", "NAS.LAN", "nas.lan.", "10.1.2.3",
     "[fd00::2]"],
)  # fmt: skip
def test_own_host_names_are_accepted_with_any_port(unguarded: Serving, host: str) -> None:
    for port in ("", f":{unguarded.port}", ":443"):
        assert is_open(unguarded.ask(BALANCE, Host=f"{host}{port}"))


@pytest.mark.parametrize(
    "host",
    ["evil.com", "127.0.0.1.evil.com", "localhost.evil.com", "evil.com:4000", "localhost:4000@evil", "evil@localhost",
     "localhost:evil.com", "127.0.0.1:80:evil.com", "[::1].evil.com", "[::1]evil.com", "[::1", "::1", "127.1",
     "127.0.0.2", "0.0.0.0", "2130706433", "0x7f.0.0.1", "localhost..", ".localhost", "xnas.lan", "lan",  # noqa: S104
     "localhost,evil.com", "localhost evil.com", "localhost/evil.com", "localhost#evil.com", "localh\u00f6st", "",
     ":4000", "localhost\\evil.com", "fd00::2", "192.0.2.1", "null", "*"],
)  # fmt: skip
def test_other_host_names_are_refused(unguarded: Serving, host: str) -> None:
    for path in (BALANCE, "/", "/healthz", f"/assets/{asset()}", "/nothing"):
        assert unguarded.ask(path, Host=host).problem == (403, "foreign_host")


def test_a_missing_or_repeated_host_is_refused(unguarded: Serving) -> None:
    assert unguarded.raw(f"GET {BALANCE} HTTP/1.0\r\n\r\n".encode()).problem == (403, "foreign_host")
    assert unguarded.raw(f"GET {BALANCE} HTTP/1.1\r\n\r\n".encode()).problem == (400, "bad_request")
    two = "Host: localhost\r\nHost: evil.com"
    assert unguarded.raw(f"GET {BALANCE} HTTP/1.1\r\n{two}\r\n\r\n".encode()).problem == (400, "bad_request")


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


def test_forwarded_headers_are_ignored(unguarded: Serving) -> None:
    forwarded = {"X_Forwarded_Host": "localhost", "Forwarded": "host=localhost", "X_Forwarded_For": "127.0.0.1"}
    assert unguarded.ask(BALANCE, Host="evil.com", **forwarded).problem == (403, "foreign_host")


# Other sites


GUARDED = [(BALANCE, "GET"), (SNAPSHOT, "GET"), (REFRESH, "POST"), (HISTORY, "GET"), (CSV, "GET"), (SESSION, "GET"),
           (SESSION, "DELETE"), ("/readyz", "GET"), ("/openapi.json", "GET")]  # fmt: skip


@pytest.mark.parametrize(("path", "method"), GUARDED)
def test_the_page_and_programs_are_accepted(unguarded: Serving, path: str, method: str) -> None:
    own = f"http://{unguarded.authority}"
    for headers in (
        {},
        {"Origin": own},
        {"Origin": own.upper().replace("HTTP", "http")},
        {"Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "none"},
        {"Origin": own, "Sec_Fetch_Site": "same-origin"},
        {"Origin": "https://nas.lan", "Host": "nas.lan"},  # behind a proxy that speaks TLS
    ):
        assert unguarded.ask(path, method, **headers).status in {200, 204}


@pytest.mark.parametrize(("path", "method"), [*GUARDED, (EVENTS, "GET"), (SESSION, "POST"), ("/api/nothing", "GET")])
def test_pages_of_other_sites_are_refused(unguarded: Serving, path: str, method: str) -> None:
    own = f"http://{unguarded.authority}"
    for headers in (
        {"Origin": "http://evil.com"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1"},
        {"Origin": f"http://localhost:{unguarded.port}"},
        {"Origin": f"{own}.evil.com"},
        {"Origin": f"{own}@evil.com"},
        {"Origin": f"http://evil.com#{unguarded.authority}"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "something-new"},
        {"Sec_Fetch_Site": ""},
        {"Origin": own, "Sec_Fetch_Site": "cross-site"},
        {"Origin": "http://evil.com", "Sec_Fetch_Site": "same-origin"},
    ):
        answer = unguarded.ask(path, method, **headers)
        assert answer.problem == (403, "foreign_origin")
        assert answer.headers["Access-Control-Allow-Origin"] is None


def test_a_preflight_is_not_granted(unguarded: Serving) -> None:
    answer = unguarded.ask(REFRESH, "OPTIONS", Origin="http://evil.com", Access_Control_Request_Method="POST")
    assert answer.status in {403, 405}
    assert not any(name.lower().startswith("access-control") for name in answer.headers)


def test_another_site_may_link_to_the_page(unguarded: Serving) -> None:
    headers = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    assert unguarded.ask("/", **headers).status == 200


# The security headers


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
def test_every_kind_of_response_has_the_security_headers(unguarded: Serving, kind: str) -> None:
    status, make = RESPONSES[kind]
    answer = make(unguarded)
    assert answer.status == status
    assert has_security_headers(answer)
    if status >= 400:
        assert answer.problem[0] == status


def test_bad_gateway_responses_have_the_security_headers(tmp_path: Path) -> None:
    with Upstream() as own:
        own.account = "html"
        with serving(home=tmp_path, upstream=own) as server:
            server.wait_for_answer()
            answer = server.ask(BALANCE)
    assert answer.status == 502
    assert has_security_headers(answer)


def test_the_page_has_no_inline_script(unguarded: Serving) -> None:
    page = unguarded.ask("/").body.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son[a-z]+=|javascript:", page, re.IGNORECASE)
    assert not re.search(r"(src|href)=\"?(https?:)?//", page)


def test_an_allowed_host_is_accepted_in_each_spelling_and_no_other(tmp_path: Path) -> None:
    names = ("--allow-host", "[FD00::0005]", "--allow-host", "n\u00e4s.lan")
    with serving("--demo", "--no-history", *names, home=tmp_path) as server:
        for host in ("[fd00::5]", "[fd00:0::5]:443", "xn--ns-via.lan", "XN--NS-VIA.lan.:80"):
            assert server.ask("/healthz", Host=host).status == 200, host
        for host in ("a$.evil.com", "x!y.evil.com", "[]", "[[fd00::5]]", "fd00::5", ":80", "n\u00e4s.lan"):
            assert server.ask("/healthz", Host=host).problem == (403, "foreign_host"), host


# The page's files


def test_the_page_is_revalidated_and_its_files_are_immutable(unguarded: Serving) -> None:
    assert unguarded.ask("/").headers["Cache-Control"] == "no-cache"
    assert unguarded.ask("/").headers["Content-Type"] == "text/html; charset=utf-8"
    assert unguarded.ask(f"/assets/{asset()}").headers["Cache-Control"] == "public, max-age=31536000, immutable"


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
def test_gzip_is_used_when_the_client_accepts_it(unguarded: Serving, accepted: str | None, is_zipped: bool) -> None:
    for path in ("/", f"/assets/{asset()}"):
        plain, answer = unguarded.ask(path), unguarded.ask(path, Accept_Encoding=accepted)
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
def test_no_path_leads_out_of_the_page(unguarded: Serving, target: str) -> None:
    answer = unguarded.raw(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert answer.problem in {(404, "not_found"), (400, "bad_request")}
