"""The TLS context that a command creates in parallel: used for its requests, with the same errors as without."""

from __future__ import annotations

import os
import signal
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest
import trustme

from orcredit import Client, ConfigurationError, Level, UnreachableError, simulator
from orcredit.config.load import load_profile
from orcredit.openrouter import tls
from orcredit.openrouter.transport import Transport
from tests.failures import assert_failed
from tests.serving import BALANCE, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Orcredit


class Relay(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        answer = simulator.respond(
            simulator.Request("GET", self.path, {name.lower(): value for name, value in self.headers.items()}),
            simulator.DEMO_INSTANT,
        )
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of the certificate authority of `url`."""
    return tmp_path_factory.mktemp("tls") / "authority.pem"


@pytest.fixture(scope="module")
def url(authority: Path) -> Iterator[str]:
    made = trustme.CA()
    made.cert_pem.write_to_path(authority)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.issue_cert("localhost").configure_cert(context)
    with ThreadingHTTPServer(("127.0.0.1", 0), Relay) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"https://localhost:{server.server_port}/api/v1"
        server.shutdown()


def test_status_uses_tls(url: str, authority: Path, orcredit: Orcredit) -> None:
    environ = {"OPENROUTER_BASE_URL": url, "SSL_CERT_FILE": str(authority)}
    done = orcredit("status", account="normal", environ=environ)
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.startswith("Can spend")


def test_an_untrusted_authority_is_an_error(url: str, orcredit: Orcredit) -> None:
    done = orcredit("status", "--json", account="normal", environ={"OPENROUTER_BASE_URL": url})
    assert_failed(done, 69, "its certificate could not be verified", "SSL_CERT_FILE")


@pytest.mark.parametrize("base_url", ["https://openrouter.invalid/v1", "https://localhost:9/v1"])
def test_unreadable_certificates_are_a_configuration_error(base_url: str, orcredit: Orcredit) -> None:
    environ = {"OPENROUTER_BASE_URL": base_url, "SSL_CERT_FILE": "/does/not/exist.pem"}
    assert_failed(orcredit("status", account="normal", environ=environ), 78, "cannot be read", "SSL_CERT_FILE")


def test_unreadable_certificates_are_a_configuration_error_in_the_python_api_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/does/not/exist.pem")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Client("sk-or-v1-made-up", base_url="https://localhost:9/v1").balance()


def test_the_prepared_context_is_the_one_used(url: str, authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    context = tls.prepare()
    context.result()
    monkeypatch.delenv("SSL_CERT_FILE")  # from here on nothing else trusts the authority
    profile = load_profile(api_key=simulator.key_for("normal"), base_url=url, environ={})
    assert Client.of(profile, Transport(tls=context)).balance().level


def test_one_tls_context_serves_every_client_loop_and_thread(
    url: str, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[ssl.SSLContext] = []

    def make() -> ssl.SSLContext:
        made.append(ssl.create_default_context(cafile=str(authority)))
        return made[-1]

    monkeypatch.setattr("httpx2.create_ssl_context", make)
    transport = Transport()
    profiles = [load_profile(api_key=simulator.key_for(name), base_url=url, environ={}) for name in ("normal", "low")]
    clients = [Client.of(profile, transport) for profile in profiles]
    with ThreadPoolExecutor(4) as threads:
        levels = [balance.level for balance in threads.map(lambda client: client.balance(), clients * 4)]
    assert levels == [Level.OK, Level.LOW] * 4
    assert len(made) == 1


@pytest.fixture
def hanging(tmp_path: Path) -> Path:
    """A file that cannot be read to its end, as on a disk that hangs."""
    path = tmp_path / "certificates.pem"
    os.mkfifo(path)
    return path


def test_certificates_that_take_too_long_are_unreachable(hanging: Path, orcredit: Orcredit) -> None:
    environ = {"OPENROUTER_BASE_URL": "https://openrouter.invalid/v1", "SSL_CERT_FILE": str(hanging)}
    done = orcredit("status", "--timeout", "0.5", account="normal", environ=environ)
    assert_failed(done, 69, "certificates could not be read within 0.5 s", "SSL_CERT_FILE")


def test_one_thread_waits_for_certificates_however_often_they_are_asked_for(
    hanging: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(hanging))
    client = Client("sk-or-v1-made-up", base_url="https://openrouter.invalid/v1", timeout=0.1)
    before = set(threading.enumerate())  # of which some may be about to end
    for _ in range(3):
        with pytest.raises(UnreachableError, match="certificates"):
            client.balance()
    assert len(set(threading.enumerate()) - before) == 1
    hanging.write_bytes(b"")  # lets the thread go


@pytest.mark.process
def test_serve_answers_and_ends_while_certificates_cannot_be_read(hanging: Path, tmp_path: Path) -> None:
    environ = {"SSL_CERT_FILE": str(hanging)}
    with serving(home=tmp_path, upstream="https://openrouter.invalid/v1", environ=environ) as server:
        assert server.ask(BALANCE).problem == (503, "starting")  # it is being asked for ten seconds
        assert server.stop(signal.SIGTERM) == 0  # before the poll has ended


@pytest.mark.usefixtures("url")
def test_without_a_thread_the_certificates_are_read_at_once(authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    monkeypatch.setattr(Thread, "start", refuse)
    assert tls.prepare().result().get_ca_certs()
