"""The Python API over real HTTP: what it asks, what it survives, and when it gives up."""

from __future__ import annotations

import asyncio
import decimal
import http.server
import ssl
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import chain, repeat
from typing import TYPE_CHECKING

import pytest
import trustme

from orcredit import (
    AsyncClient,
    Client,
    ConfigurationError,
    KeyRefusedError,
    Level,
    NonsenseError,
    UnavailableError,
    UnreachableError,
    simulator,
)
from tests.broken_server import BrokenServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEY = simulator.key_for("normal")


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENROUTER_API_KEY", "OPENROUTER_MANAGEMENT_KEY", "OPENROUTER_BASE_URL", "ORCREDIT_WARN_BELOW"):
        monkeypatch.delenv(name, raising=False)


def paths(server: simulator.Server) -> list[str]:
    return sorted(request.path.removeprefix(simulator.API_PREFIX) for request in server.requests)


@contextmanager
def scripted(*statuses: int, then: int = 200, headers: dict[str, str] | None = None) -> Iterator[simulator.Server]:
    """A server that answers with these statuses, one a request, and with `then` ever after."""
    script = chain(statuses, repeat(then))

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        status = next(script)
        if status == 200:
            return simulator.respond(request, now)
        return simulator.Response(status, headers or {}, b'{"error": {"code": 0, "message": "scripted"}}')

    with simulator.Server(responder=respond) as server:
        yield server


# What it asks


def test_an_ordinary_key_asks_for_itself_and_nothing_else() -> None:
    with simulator.Server() as server:
        balance = Client(KEY, base_url=server.base_url).balance()

        assert paths(server) == ["/key"]
        assert server.requests[0].method == "GET"
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert balance.spendable == Decimal("51.25")
    assert balance.account is None
    assert balance.account_error is None


def test_an_ordinary_key_that_would_be_told_zeros_is_not_asked_for_credit() -> None:
    with simulator.Server() as server:
        balance = Client(simulator.key_for("zero-credits"), base_url=server.base_url).balance()

        assert paths(server) == ["/key"]
    assert balance.level is Level.OK


def test_a_management_key_asks_for_the_credit_with_itself() -> None:
    with simulator.Server() as server:
        balance = Client(simulator.key_for("management"), base_url=server.base_url).balance()

        assert paths(server) == ["/credits", "/key"]
    assert balance.account is not None
    assert balance.account.key_label == balance.key.label


def test_with_a_management_key_beside_it_both_questions_are_under_way_at_once() -> None:
    both_there = threading.Barrier(2, timeout=20)

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        both_there.wait()  # neither is answered before the other has arrived
        return simulator.respond(request, now)

    with simulator.Server(responder=respond) as server:
        management_key = simulator.management_key_for("credit-below-limit")
        client = Client(
            simulator.key_for("credit-below-limit"), management_key=management_key, base_url=server.base_url, timeout=30
        )
        balance = client.balance()

        asked = {request.path.rpartition("/")[2]: request.headers["authorization"] for request in server.requests}
    assert asked["credits"] == f"Bearer {management_key}"
    assert (balance.spendable, balance.limited_by) == (Decimal("0.13"), "account_credit")
    assert balance.account is not None
    assert balance.account.key_label == f"{management_key[:12]}...{management_key[-3:]}"


@pytest.mark.parametrize("failing", ["error-500", "error-403", "html", "null", "error-401"])
def test_when_the_credit_cannot_be_had_the_keys_answer_is_given_and_says_why(failing: str) -> None:
    with simulator.Server() as server:
        client = Client(KEY, management_key=simulator.key_for(failing), base_url=server.base_url)
        balance = client.balance()

    assert balance.spendable == Decimal("51.25")
    assert balance.account is None
    assert balance.account_error


def test_a_hanging_credit_question_does_not_take_the_keys_answer_with_it() -> None:
    done = threading.Event()

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        if request.path.endswith("/credits"):
            done.wait(30)
        return simulator.respond(request, now)

    with simulator.Server(responder=respond) as server:
        management_key = simulator.management_key_for("normal")
        balance = Client(KEY, management_key=management_key, base_url=server.base_url, timeout=1).balance()
        done.set()

    assert balance.spendable == Decimal("51.25")
    assert "within 1 s" in (balance.account_error or "")


def failing_credits(request: simulator.Request, now: datetime) -> simulator.Response:
    if request.path.endswith("/credits"):
        return simulator.Response(403, {}, b'{"error": {"code": 403, "message": "no"}}')
    return simulator.respond(request, now)


def test_a_management_key_without_a_limit_has_no_balance_but_the_credit() -> None:
    with simulator.Server(responder=failing_credits) as server:
        with pytest.raises(KeyRefusedError):
            Client(simulator.key_for("management"), base_url=server.base_url).balance()
        limited = Client(simulator.key_for("management-limited"), base_url=server.base_url).balance()

    assert limited.spendable == 6
    assert limited.account_error


def test_a_refused_key_does_not_wait_for_the_credit() -> None:
    done = threading.Event()

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        if request.path.endswith("/credits"):
            done.wait(30)
        return simulator.respond(request, now)

    with simulator.Server(responder=respond) as server:
        client = Client(
            simulator.key_for("error-401"), management_key=simulator.key_for("management"), base_url=server.base_url
        )
        with pytest.raises(KeyRefusedError):
            client.balance()
        assert not done.is_set()
        done.set()


# Faults and retries


@pytest.mark.parametrize(
    "fault",
    [name for name in simulator.FAULTS if name not in {"control-characters", "echo-key", "error-401", "error-403"}],
)
def test_every_fault_becomes_unavailable_with_a_hint(fault: str, server: simulator.Server) -> None:
    with pytest.raises(UnavailableError) as caught:
        Client(simulator.key_for(fault), base_url=server.base_url, timeout=20).balance()
    assert str(caught.value).endswith(".")
    assert caught.value.hint


@pytest.mark.parametrize("fault", ["error-401", "error-403"])
def test_a_refusal_in_openrouters_words_is_about_the_key(fault: str, server: simulator.Server) -> None:
    with pytest.raises(KeyRefusedError):
        Client(simulator.key_for(fault), base_url=server.base_url).balance()


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_is_tried_again(status: int) -> None:
    with scripted(status, status) as server:
        balance = Client(KEY, base_url=server.base_url, timeout=30).balance()
        assert len(server.requests) == 3
    assert balance.spendable == Decimal("51.25")


def test_it_gives_up_after_four_tries() -> None:
    with scripted(then=503) as server:
        with pytest.raises(UnreachableError, match="503"):
            Client(KEY, base_url=server.base_url, timeout=30).balance()
        assert len(server.requests) == 4


@pytest.mark.parametrize("status", [302, 307, 400, 401, 402, 403, 404, 418])
def test_what_will_not_pass_is_not_tried_again(status: int) -> None:
    with scripted(then=status, headers={"Location": "/key"}) as server:
        with pytest.raises((NonsenseError, KeyRefusedError), match=str(status)):
            Client(KEY, base_url=server.base_url).balance()
        assert len(server.requests) == 1


def test_a_redirect_is_not_followed_because_the_key_would_travel() -> None:
    with (
        simulator.Server() as elsewhere,
        scripted(then=301, headers={"Location": f"{elsewhere.base_url}/key"}) as server,
    ):
        with pytest.raises(NonsenseError, match="redirect"):
            Client(KEY, base_url=server.base_url).balance()
        assert not elsewhere.requests


def test_retry_after_is_waited_for_when_it_fits() -> None:
    arrivals: list[float] = []

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        arrivals.append(time.monotonic())
        if len(arrivals) == 1:
            return simulator.Response(503, {"Retry-After": "2"}, b"")
        return simulator.respond(request, now)

    with simulator.Server(responder=respond) as server:
        Client(KEY, base_url=server.base_url, timeout=30).balance()

    assert arrivals[1] - arrivals[0] >= 2


@pytest.mark.parametrize("wait", ["3600", "999999", "Fri, 31 Dec 2100 23:59:59 GMT"])
def test_when_retry_after_does_not_fit_it_fails_at_once_and_says_until_when(wait: str) -> None:
    with scripted(then=429, headers={"Retry-After": wait}) as server:
        with pytest.raises(UnreachableError) as caught:
            Client(KEY, base_url=server.base_url).balance()
        assert len(server.requests) == 1
    assert caught.value.retry_after == 3600  # longer waits count as an hour
    assert "; it asks to wait until 20" in str(caught.value)
    assert caught.value.hint == "Try again in 1 h."


def test_the_credit_is_not_asked_for_again_while_openrouter_asks_to_wait() -> None:
    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        if request.path.endswith("/credits"):
            return simulator.Response(429, {"Retry-After": "3600"}, b"")
        return simulator.respond(request, now)

    with simulator.Server(responder=respond) as server:
        client = Client(KEY, management_key=simulator.management_key_for("normal"), base_url=server.base_url)
        first, second = client.balance(), client.balance()
        assert paths(server) == ["/credits", "/key", "/key"]
    assert first.account_error == second.account_error
    assert "asks to wait until 20" in (second.account_error or "")


def test_a_retry_after_that_is_a_date_counts_from_the_answers_own_date() -> None:
    headers = {"Date": "Thu, 12 Feb 2026 16:39:47 GMT", "Retry-After": "Thu, 12 Feb 2026 16:49:47 GMT"}
    with scripted(then=503, headers=headers) as server, pytest.raises(UnreachableError) as caught:
        Client(KEY, base_url=server.base_url).balance()
    assert caught.value.retry_after == 600


@pytest.mark.parametrize(
    "wait",
    [
        "soon",
        "-5",
        "",
        "nan",
        "1e9",
        "²",
        "Mon, 01 Jan 999999999999999999999 00:00:00 GMT",
        "Mon, 01 Jan 2024 99999999999999999999:00:00 GMT",
    ],
)
def test_a_retry_after_that_is_no_time_is_ignored(wait: str) -> None:
    headers = {"Retry-After": wait.encode("utf-8").decode("latin-1")}
    with scripted(503, headers=headers) as server:
        assert Client(KEY, base_url=server.base_url, timeout=30).balance().level is Level.OK


def test_a_connection_that_is_refused_is_named() -> None:
    with simulator.Server() as server:
        url = server.base_url
    with pytest.raises(UnreachableError, match="connection refused"):
        Client(KEY, base_url=url).balance()


@pytest.mark.parametrize("fault", ["reset", "close", "truncated", "garbage", "endless-headers"])
def test_a_broken_connection_is_tried_again_and_then_named(fault: str) -> None:
    with BrokenServer(fault) as server:
        with pytest.raises(UnreachableError, match=r"could not be asked \(127\.0\.0\.1\)"):
            Client(KEY, base_url=server.base_url, timeout=30).balance()
        assert server.connections == 4


@pytest.mark.parametrize("fault", ["huge", "huge-length", "gzip-bomb"])
def test_a_body_of_more_than_a_mebibyte_is_not_read_further(fault: str) -> None:
    with BrokenServer(fault) as server, pytest.raises(NonsenseError, match="more than 1 MiB"):
        Client(KEY, base_url=server.base_url, timeout=30).balance()


def test_compressed_garbage_is_named() -> None:
    with BrokenServer("bad-gzip") as server, pytest.raises(NonsenseError, match="cannot be unpacked"):
        Client(KEY, base_url=server.base_url).balance()


@pytest.mark.parametrize("fault", ["hang", "drip-headers", "drip-body"])
def test_the_deadline_holds_against_a_server_that_never_ends(fault: str) -> None:
    with BrokenServer(fault) as server, pytest.raises(UnreachableError, match=r"did not answer within 0\.5 s"):
        Client(KEY, base_url=server.base_url, timeout=0.5).balance()


def test_one_slow_attempt_may_use_the_whole_timeout() -> None:
    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        threading.Event().wait(6)  # longer than the usual five seconds of an HTTP client
        return simulator.respond(request, now)

    with simulator.Server(responder=respond) as server:
        assert Client(KEY, base_url=server.base_url, timeout=60).balance().level is Level.OK


def test_when_the_time_is_up_between_two_tries_the_last_failure_is_told() -> None:
    answers = iter([503])
    done = threading.Event()

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        if (status := next(answers, None)) is not None:
            return simulator.Response(status, {}, b"")
        done.wait(30)
        return simulator.respond(request, now)

    with simulator.Server(responder=respond) as server:
        with pytest.raises(UnreachableError, match=r"within 2 s; before that: OpenRouter answered 503"):
            Client(KEY, base_url=server.base_url, timeout=2).balance()
        done.set()


@pytest.mark.process
def test_a_name_server_that_hangs_holds_neither_the_answer_nor_the_end_of_the_program() -> None:
    program = """
import socket, threading
socket.getaddrinfo = lambda *a, **k: threading.Event().wait(300)
from orcredit import Client, UnreachableError
try:
    Client("sk-or-v1-made-up", base_url="https://openrouter.invalid/v1", timeout=0.5).balance()
except UnreachableError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, text=True, check=True)
    assert "within 0.5 s" in done.stdout


def test_a_name_that_does_not_exist_is_named() -> None:
    with pytest.raises(UnreachableError, match=r"openrouter\.invalid\): its name could not be resolved"):
        Client(KEY, base_url="https://openrouter.invalid/v1", timeout=30).balance()


def answering(data: str) -> Callable[[simulator.Request, datetime], simulator.Response]:
    body = f'{{"data": {data}}}'.encode()

    def respond(_: simulator.Request, __: datetime) -> simulator.Response:
        return simulator.Response(200, {"Content-Type": "application/json"}, body)

    return respond


@pytest.mark.parametrize(
    "data",
    [
        '{"limit": null, "usage": 1e99999999999999999999}',
        '{"limit": null, "usage": 1e-99999999999999999999}',
        f'{{"limit": {"9" * 5000}}}',
        f'{{"limit": {"[" * 100_000}',
        '{"limit": null, "expires_at": "0001-01-01T00:00:00+14:00"}',
        '{"limit": null, "free_model_daily_requests": {"used": 3.5}}',
    ],
)
def test_numbers_and_nesting_beyond_all_bounds_make_no_sense(data: str) -> None:
    with simulator.Server(responder=answering(data)) as server, pytest.raises(NonsenseError):
        Client(KEY, base_url=server.base_url).balance()


def test_a_whole_number_may_be_written_as_json_likes() -> None:
    with simulator.Server(
        responder=answering('{"limit": null, "free_model_daily_requests": {"used": 36.0}}')
    ) as server:
        requests = Client(KEY, base_url=server.base_url).balance().free_requests
    assert requests is not None
    assert requests.used == 36


def test_a_label_without_end_is_cut() -> None:
    with simulator.Server(responder=answering(f'{{"limit": null, "label": "{"x" * 100_000}"}}')) as server:
        label = Client(KEY, base_url=server.base_url).balance().key.label
    assert label == "x" * 200


def test_a_management_key_limited_by_others_only_has_no_balance_without_the_credit_either() -> None:
    budget = '{"scope": "workspace", "limit_usd": 60, "remaining_usd": 50}'
    key = answering(f'{{"is_management_key": true, "limit": null, "budgets": [{budget}]}}')

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        return failing_credits(request, now) if request.path.endswith("/credits") else key(request, now)

    with simulator.Server(responder=respond) as server, pytest.raises(KeyRefusedError):
        Client(KEY, base_url=server.base_url).balance()


def test_the_old_name_of_the_management_flag_counts_where_the_new_one_is_null() -> None:
    flags = '"is_management_key": null, "is_provisioning_key": true'
    answer = f'{{"limit": null, {flags}, "total_credits": 5, "total_usage": 1}}'
    with simulator.Server(responder=answering(answer)) as server:
        balance = Client(KEY, base_url=server.base_url).balance()
    assert balance.spendable == 4


# What it leaves alone


@pytest.mark.process
def test_threads_that_retry_at_once_touch_no_hooks_of_the_host_program() -> None:
    program = """
import sys, threading
from orcredit import Client, OrcreditError
def ask():
    try:
        Client("sk-or-v1-made-up", base_url=sys.argv[1]).balance()
    except OrcreditError:
        pass
threads = [threading.Thread(target=ask) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert "tenacity" in sys.modules
assert "stamina" not in sys.modules, "its hooks are shared by the whole process"
"""
    with scripted(then=503) as server:
        done = subprocess.run(
            [sys.executable, "-c", program, server.base_url], capture_output=True, text=True, check=False, timeout=60
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_demo_works_whatever_the_host_program_did_to_its_decimals() -> None:
    with decimal.localcontext(prec=3, traps=dict.fromkeys(decimal.getcontext().traps, True)):
        assert Client.demo().balance().spendable == Decimal("158.61")


def test_thresholds_may_be_one_string() -> None:
    assert Client.demo(warn_below="15").balance().level is Level.OK
    assert Client.demo(warn_below="1%,$200").balance().level is Level.LOW


# Certificates and proxies


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls_url(authority: trustme.CA) -> Iterator[str]:
    """An https address on this machine whose certificate is good, for those who trust its authority."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            request = simulator.Request(self.command, self.path, {k.lower(): v for k, v in self.headers.items()})
            answer = simulator.respond(request, datetime.now(UTC))
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that hangs up on a bad certificate is what these tests are about."""

        def finish_request(self, request: object, client_address: object) -> None:
            with context.wrap_socket(request, server_side=True) as secured:  # type: ignore[arg-type]
                super().finish_request(secured, client_address)

    with Server(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"https://localhost:{running.server_port}/api/v1"
        running.shutdown()
        thread.join()


def test_a_certificate_nobody_vouches_for_ends_it_at_once(tls_url: str) -> None:
    with pytest.raises(UnreachableError, match="certificate could not be verified") as caught:
        Client(KEY, base_url=tls_url, timeout=30).balance()
    assert not caught.value.transient


def test_a_companys_own_authority_can_be_named(
    tls_url: str, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    assert Client(KEY, base_url=tls_url).balance().level is Level.OK


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_this_machine_is_asked_without_a_proxy(
    variable: str, server: simulator.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:1")
    assert Client(KEY, base_url=server.base_url).balance().level is Level.OK


def test_other_hosts_are_asked_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted(then=407) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.base_url.removesuffix(simulator.API_PREFIX))
        with pytest.raises(UnreachableError, match="the proxy did not let it through") as caught:
            Client(KEY, base_url="https://openrouter.invalid/v1", timeout=30).balance()
    assert "the proxy of HTTPS_PROXY" in caught.value.hint


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1", "SOCKS"),
        ("HTTPS_PROXY", "nonsense://x", "proxy's address"),
        ("HTTPS_PROXY", "http://127.0.0.1:99999", "proxy's address"),
        ("HTTPS_PROXY", "127.0.0.1:-1", "proxy's address"),
        ("ALL_PROXY", "http://[::1", "proxy's address"),
        ("ALL_PROXY", "http://:8080", "proxy's address"),
        ("SSL_CERT_FILE", "/does/not/exist.pem", "cannot be read"),
        ("SSL_CERT_FILE", __file__, "holds no certificates"),
    ],
)
def test_unusable_proxy_and_certificate_variables_are_named(
    variable: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=words) as caught:
        Client(KEY, base_url="https://openrouter.invalid/v1").balance()
    assert variable in caught.value.hint


@pytest.mark.parametrize(("value", "words"), [("/", "cannot be read"), (__file__, "holds no certificates")])
def test_an_unusable_certificate_file_is_named_for_this_machine_too(
    value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", value)
    with pytest.raises(ConfigurationError, match=words):
        Client(KEY, base_url="https://127.0.0.1:1/v1").balance()


@pytest.mark.parametrize(
    ("variable", "value"), [("NO_PROXY", "[::1"), ("NO_PROXY", "*[,(,::1/x"), ("SSL_CERT_DIR", "/x")]
)
def test_variables_that_name_nothing_usable_are_no_bug(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv(variable, value)
    with pytest.raises(UnreachableError):
        Client(KEY, base_url="https://openrouter.invalid/v1", timeout=0.2).balance()


def test_a_dependency_that_is_missing_is_not_called_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpcore2", None)  # as while it is being upgraded
    with pytest.raises(ImportError):
        Client(KEY, base_url="https://openrouter.invalid/v1").balance()


# The time of the answer


def dated(date: str | None) -> Callable[[simulator.Request, datetime], simulator.Response]:
    """Answer as OpenRouter does, under another Date header, or none."""

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        answer = simulator.respond(request, now)
        headers = {name: value for name, value in answer.headers.items() if name != "Date"}
        return simulator.Response(answer.status, headers | ({"Date": date} if date else {}), answer.body)

    return respond


@pytest.mark.parametrize("off", [timedelta(minutes=2), timedelta(hours=23), -timedelta(hours=23)])
def test_a_clock_that_is_off_is_corrected_by_the_answers_date(off: timedelta) -> None:
    said = datetime.now(UTC).replace(microsecond=0) + off
    with simulator.Server(clock=lambda: said) as server:
        balance = Client(KEY, base_url=server.base_url).balance()

    assert balance.fetched_at == said
    assert balance.resets_at is not None
    assert (balance.resets_at - said).days < 31


@pytest.mark.parametrize("off", [timedelta(days=1, seconds=5), timedelta(days=400), -timedelta(days=400)])
def test_a_first_answers_date_is_not_believed_when_it_is_a_day_off(off: timedelta) -> None:
    before = datetime.now(UTC)
    with simulator.Server(clock=lambda: datetime.now(UTC) + off) as server:
        assert before <= Client(KEY, base_url=server.base_url).balance().fetched_at <= datetime.now(UTC)


def test_a_date_is_believed_when_it_follows_the_last_answer_although_the_clock_was_changed() -> None:
    world = {"here": timedelta(0), "there": timedelta(0)}
    start = datetime.now(UTC).replace(microsecond=0)

    def fetched_at(here: int, there: int) -> timedelta:
        world.update(here=timedelta(days=here), there=timedelta(days=there))
        return asyncio.run(client.balance()).fetched_at - start

    with simulator.Server(clock=lambda: start + world["there"]) as server:
        client = AsyncClient(KEY, base_url=server.base_url)
        client._clock = lambda: start + world["here"]  # noqa: SLF001
        assert fetched_at(0, 0) == timedelta(0)
        assert fetched_at(here=300, there=0) == timedelta(0)  # the clock was set wrong
        assert fetched_at(here=300, there=7) == timedelta(300)  # nothing supports this date
        assert fetched_at(here=300, there=0) == timedelta(0)
        assert fetched_at(here=300, there=300) == timedelta(300)  # both agree
        assert fetched_at(here=0, there=300) == timedelta(300)


def test_a_date_that_the_clock_and_the_last_answer_contradict_is_not_believed() -> None:
    offset = timedelta(0)
    with simulator.Server(clock=lambda: datetime.now(UTC) + offset) as server:
        client = AsyncClient(KEY, base_url=server.base_url)
        for offset in (timedelta(0), timedelta(hours=20), timedelta(hours=-3), timedelta(0)):  # noqa: B007 - the clock reads it
            assert abs(asyncio.run(client.balance()).fetched_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_after_a_first_date_that_was_wrong_the_clock_is_believed_again() -> None:
    offset = timedelta(hours=20)
    with simulator.Server(clock=lambda: datetime.now(UTC) + offset) as server:
        client = AsyncClient(KEY, base_url=server.base_url)
        assert asyncio.run(client.balance()).fetched_at > datetime.now(UTC) + timedelta(hours=19)
        offset = timedelta(0)
        assert abs(asyncio.run(client.balance()).fetched_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_clock_that_is_right_to_the_minute_is_believed() -> None:
    before = datetime.now(UTC)
    with simulator.Server(clock=lambda: before - timedelta(seconds=20)) as server:
        assert Client(KEY, base_url=server.base_url).balance().fetched_at >= before


@pytest.mark.parametrize(
    "date",
    [
        None,
        "yesterday",
        "Thu, 32 Feb 2026 16:39:47 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Mon, 01 Jan 1900 00:00:00 GMT",
        "Thu, 12 Feb 99999999999999999999 16:39:47 GMT",
    ],
)
def test_a_date_that_is_missing_or_no_date_corrects_nothing(date: str | None) -> None:
    before = datetime.now(UTC)
    with simulator.Server(responder=dated(date)) as server:
        assert before <= Client(KEY, base_url=server.base_url).balance().fetched_at <= datetime.now(UTC)


@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"])
def test_all_three_forms_of_http_dates_are_read(form: str) -> None:
    said = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=5)
    with simulator.Server(responder=dated(f"{said:{form}}")) as server:
        assert Client(KEY, base_url=server.base_url).balance().fetched_at == said


# For programs that run for months

PRELOADED = """
import asyncio, os, resource, sys
from datetime import timedelta
from orcredit.cli import monitoring

monitored = monitoring.new_monitored(
    timedelta(seconds=1), base_url=None, timeout=5, warn_below=None, database_url=None, has_history=False
)
before = set(sys.modules)
"""


def run_preloaded(program: str, environ: dict[str, str]) -> str:
    """Run a program with what `watch` and `serve` ask with; give what it prints."""
    environ = {name: value for name, value in environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-c", PRELOADED + program],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.process
def test_nothing_is_imported_by_a_poll_whatever_becomes_of_it(
    tls_url: str, authority: trustme.CA, bare_environ: dict[str, str], server: simulator.Server, tmp_path: Path
) -> None:
    program = """
from orcredit import OrcreditError
from orcredit.client import AsyncClient, EventLoop

async def ask(key, url):
    try:
        (await AsyncClient(key, management_key=key, base_url=url, timeout=5).balance()).model_dump_json()
    except OrcreditError:
        pass

async def main():
    await monitored.monitor._ask()  # with the cache of the prompt line
    for address in os.environ["ADDRESSES"].split():
        await ask(*address.split("@"))

with asyncio.Runner(loop_factory=EventLoop) as runner:
    runner.run(main())
print(*sorted(set(sys.modules) - before))
"""
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    keys = [
        simulator.key_for(name) for name in ("many-budgets", "error-401", "error-403", "error-503", "html", "bad-date")
    ]
    addresses = [f"{key}@{server.base_url}" for key in keys]
    addresses += [f"{KEY}@{tls_url}", f"{KEY}@http://127.0.0.1:1/v1", f"{KEY}@https://openrouter.invalid/v1"]
    environ = {
        "OPENROUTER_API_KEY": KEY,
        "OPENROUTER_BASE_URL": server.base_url,
        "SSL_CERT_FILE": str(tmp_path / "authority.pem"),
        "ADDRESSES": " ".join(addresses),
    }
    assert run_preloaded(program, bare_environ | environ).split() == []


@pytest.mark.process
def test_polls_fail_while_too_many_files_are_open_and_recover_by_themselves(
    bare_environ: dict[str, str], server: simulator.Server
) -> None:
    program = """
async def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    opened = []
    try:
        while True:
            opened.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    monitor = monitored.monitor
    monitor._sleep = lambda _: asyncio.sleep(0.01)
    polling = asyncio.ensure_future(monitor.run())
    async for snapshot in monitor.snapshots():
        print(snapshot.error)
        if snapshot.error is None or "https" in os.environ["OPENROUTER_BASE_URL"]:
            break
        while opened:
            os.close(opened.pop())
    polling.cancel()

asyncio.run(main())
"""
    environ = bare_environ | {"OPENROUTER_API_KEY": KEY, "OPENROUTER_BASE_URL": server.base_url}
    assert run_preloaded(program, environ).splitlines() == [
        "OpenRouter could not be asked (127.0.0.1): no connection.",
        "None",
    ]
    environ["OPENROUTER_BASE_URL"] = "https://openrouter.invalid/v1"  # for which certificates are read first
    assert run_preloaded(program, environ).splitlines() == ["OpenRouter could not be asked: too many files are open."]


# Where it can be called from


def test_it_works_inside_a_running_event_loop(server: simulator.Server) -> None:
    async def cell() -> Level:
        return Client(KEY, base_url=server.base_url).balance().level

    assert asyncio.run(cell()) is Level.OK


def test_its_errors_arrive_inside_a_running_event_loop_too(server: simulator.Server) -> None:
    async def cell() -> None:
        Client(simulator.key_for("error-401"), base_url=server.base_url).balance()

    with pytest.raises(KeyRefusedError):
        asyncio.run(cell())


def test_one_client_serves_several_threads_and_loops(server: simulator.Server) -> None:
    client = AsyncClient(KEY, base_url=server.base_url)
    levels: list[Level] = []
    ask: Callable[[], object] = lambda: levels.append(asyncio.run(client.balance()).level)  # noqa: E731
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert levels == [Level.OK] * 4


def test_a_cancelled_question_stays_cancelled() -> None:
    async def impatient(url: str) -> None:
        client = AsyncClient(KEY, management_key=simulator.key_for("management"), base_url=url, timeout=60)
        async with asyncio.timeout(0.2):
            await client.balance()

    with BrokenServer("hang") as server, pytest.raises(TimeoutError):
        asyncio.run(impatient(server.base_url))


def test_both_clients_give_the_same_balance(server: simulator.Server) -> None:
    ours = Client(KEY, base_url=server.base_url).balance()
    theirs = asyncio.run(AsyncClient(KEY, base_url=server.base_url).balance())
    of_the_moment = {"fetched_at": None, "pace": None}
    assert ours.model_copy(update=of_the_moment) == theirs.model_copy(update=of_the_moment)


def test_the_demo_needs_no_key_and_shows_the_sample_at_its_instant() -> None:
    balance = Client.demo(warn_below=["$200"]).balance()

    assert (balance.spendable, balance.key.label) == (Decimal("158.61"), "demo (simulated)")
    assert balance.fetched_at.replace(microsecond=0) == datetime(2026, 2, 12, 16, 39, 47, tzinfo=UTC)
    assert balance.level is Level.LOW
