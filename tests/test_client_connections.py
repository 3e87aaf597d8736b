"""How the client connects: certificates and proxies, over real TLS; and which key and address its errors name."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

import pytest

from orcredit import (
    Client,
    ConfigurationError,
    KeyRefusedError,
    Level,
    UnreachableError,
    simulator,
)
from tests.broken_server import BrokenServer
from tests.serving import ReservedPort

if TYPE_CHECKING:
    from pathlib import Path

    import trustme

KEY = simulator.key_for("normal")

pytest_plugins = ["tests.tls_fixtures"]
pytestmark = pytest.mark.usefixtures("no_variables")


def test_an_untrusted_certificate_is_an_error_without_retries(tls_url: str) -> None:
    with pytest.raises(UnreachableError, match="certificate could not be verified") as caught:
        Client(KEY, base_url=tls_url, timeout=30).balance()
    assert not caught.value.transient


def test_a_companys_certificate_authority_can_be_set(
    tls_url: str, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    assert Client(KEY, base_url=tls_url).balance().level is Level.OK


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_requests_to_this_machine_bypass_proxies(
    variable: str, server: simulator.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:1")
    assert Client(KEY, base_url=server.base_url).balance().level is Level.OK


def test_requests_to_other_hosts_use_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with simulator.Server(responder=lambda *_: simulator.Response(407, {}, b"")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.base_url.removesuffix(simulator.API_PREFIX))
        with pytest.raises(UnreachableError, match="the proxy refused the request") as caught:
            Client(KEY, base_url="https://openrouter.invalid/v1", timeout=30).balance()
    assert "the proxy of HTTPS_PROXY" in caught.value.hint


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1", "SOCKS"),
        ("HTTPS_PROXY", "nonsense://x", "proxy address"),
        ("HTTPS_PROXY", "http://127.0.0.1:99999", "proxy address"),
        ("HTTPS_PROXY", "127.0.0.1:-1", "proxy address"),
        ("ALL_PROXY", "http://[::1", "proxy address"),
        ("ALL_PROXY", "http://:8080", "proxy address"),
        ("SSL_CERT_FILE", "/does/not/exist.pem", "cannot be read"),
        ("SSL_CERT_FILE", __file__, "contains no certificates"),
    ],
)
def test_invalid_proxy_and_certificate_variables_are_configuration_errors(
    variable: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=words) as caught:
        Client(KEY, base_url="https://openrouter.invalid/v1").balance()
    assert variable in caught.value.hint


@pytest.mark.parametrize(("value", "words"), [("/", "cannot be read"), (__file__, "contains no certificates")])
def test_an_invalid_certificate_file_is_a_configuration_error_for_this_machine_too(
    value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", value)
    with pytest.raises(ConfigurationError, match=words):
        Client(KEY, base_url="https://127.0.0.1:1/v1").balance()


@pytest.mark.parametrize(
    ("variable", "value"), [("NO_PROXY", "[::1"), ("NO_PROXY", "*[,(,::1/x"), ("SSL_CERT_DIR", "/x")]
)
def test_ignored_variables_are_not_configuration_errors(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv(variable, value)
    with pytest.raises(UnreachableError):
        Client(KEY, base_url="https://openrouter.invalid/v1", timeout=0.2).balance()


def test_a_connection_without_tls_is_closed_at_the_deadline() -> None:
    with BrokenServer("hang") as server, pytest.raises(UnreachableError, match="within"):
        Client(KEY, base_url=server.base_url.replace("http:", "https:"), timeout=0.5).balance()
    gc.collect()  # an open socket would be a warning, and warnings are errors


def test_a_missing_dependency_is_not_reported_as_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpcore2", None)  # as while it is being upgraded
    with pytest.raises(ImportError):
        Client(KEY, base_url="https://openrouter.invalid/v1").balance()


# What errors name


@pytest.mark.parametrize("fault", ["error-401", "error-403"])
@pytest.mark.parametrize("variable", ["OPENROUTER_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENROUTER_MANAGEMENT_KEY"])
def test_a_refusal_names_the_variable_and_the_masked_key(
    fault: str, variable: str, server: simulator.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = simulator.key_for(fault)
    monkeypatch.setenv(variable, key)
    with pytest.raises(KeyRefusedError) as caught:
        Client(base_url=server.base_url).balance()
    assert f"the key in {variable} ({key[:12]}...{key[-3:]}): {fault[-3:]}." in str(caught.value)


def test_a_refusal_names_the_argument(server: simulator.Server) -> None:
    with pytest.raises(KeyRefusedError, match=r"accept the key given as api_key \(sk-or-\.\.\.\): 401"):
        Client("sk-or-v1-short", base_url=server.base_url).balance()


def test_a_refused_management_key_is_named(server: simulator.Server) -> None:
    key = simulator.key_for("error-401")
    balance = Client(KEY, management_key=key, base_url=server.base_url).balance()
    assert f"the key given as management_key ({key[:12]}...{key[-3:]}): 401" in (balance.account_error or "")


def test_nothing_of_another_services_key_is_shown(server: simulator.Server) -> None:
    with pytest.raises(KeyRefusedError, match="the key given as api_key: 401") as caught:
        Client("gateway-" + "x" * 80, base_url=server.base_url).balance()
    assert "xxx" not in str(caught.value)


def test_an_error_names_what_holds_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with ReservedPort() as port:
        url = f"http://127.0.0.1:{port.number}/api/v1"
        with pytest.raises(UnreachableError) as caught:
            Client(KEY, base_url=url).balance()
        assert caught.value.hint == "Check the network and --base-url, then try again."
        monkeypatch.setenv("OPENROUTER_BASE_URL", url)
        with pytest.raises(UnreachableError) as caught:
            Client(KEY).balance()
    assert caught.value.hint == "Check the network and OPENROUTER_BASE_URL, then try again."
