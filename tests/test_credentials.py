"""Which keys and base URL are chosen, and which secret may be sent to which host."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcredit.config import credentials
from orcredit.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from orcredit.config.credentials import Credentials

KEY = "sk-or-v1-0123456789abcdef"
JWT = f"eyJhbGciOiJFUzI1NiJ9.{'a_-B' * 500}.c2lnbmF0dXJl"


def load(base_url: str | None = None, /, **environ: str) -> Credentials:
    return credentials.load(environ=environ, base_url=base_url)


def test_the_key_comes_from_openrouters_variable_before_claude_codes() -> None:
    chosen = load(OPENROUTER_API_KEY=KEY, ANTHROPIC_AUTH_TOKEN="sk-or-v1-other")
    assert chosen.key == KEY


@pytest.mark.parametrize("empty", ["", " ", "\n"])
def test_an_empty_variable_counts_as_unset(empty: str) -> None:
    assert load(OPENROUTER_API_KEY=empty, ANTHROPIC_AUTH_TOKEN=KEY).key == KEY
    assert load(OPENROUTER_API_KEY=KEY, OPENROUTER_MANAGEMENT_KEY=empty).management_key is None
    assert load(OPENROUTER_API_KEY=KEY, OPENROUTER_BASE_URL=empty).base_url == "https://openrouter.ai/api/v1"
    with pytest.raises(ConfigurationError, match="No OpenRouter key"):
        load(OPENROUTER_API_KEY=empty, ANTHROPIC_AUTH_TOKEN=empty)


def test_blanks_and_line_breaks_around_a_key_are_stripped() -> None:
    chosen = load(OPENROUTER_API_KEY=f"\n {KEY}\r\n", OPENROUTER_MANAGEMENT_KEY=f"{KEY}\n")
    assert chosen.key == KEY
    assert chosen.management_key == KEY


@pytest.mark.parametrize("variable", ["OPENROUTER_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENROUTER_MANAGEMENT_KEY"])
@pytest.mark.parametrize(
    "bad", ["sk-or-v1-ключ", "sk-or-\x1b[31mred", "sk-or two words", "sk-or-a\nb", "sk-or-" + "x" * 9000]
)
def test_an_invalid_key_is_refused_without_showing_it(variable: str, bad: str) -> None:
    environ = {"OPENROUTER_API_KEY": KEY} if variable == "OPENROUTER_MANAGEMENT_KEY" else {}
    with pytest.raises(ConfigurationError) as caught:
        load(**environ | {variable: bad})
    assert variable in str(caught.value)
    assert bad[6:12] not in f"{caught.value!r} {caught.value.hint}"


@pytest.mark.parametrize("variable", ["OPENROUTER_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENROUTER_MANAGEMENT_KEY"])
def test_an_anthropic_key_is_refused(variable: str) -> None:
    environ = {"OPENROUTER_API_KEY": KEY} if variable == "OPENROUTER_MANAGEMENT_KEY" else {}
    with pytest.raises(ConfigurationError, match=f"{variable} holds an Anthropic key") as caught:
        load(**environ | {variable: "sk-ant-oat01-secret"})
    assert "oat01" not in str(caught.value)


@pytest.mark.parametrize("url", ["https://llm.example.com/v1", "llm.example.com", "https://[::1"])
def test_claude_codes_token_for_another_service_is_refused(url: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"ANTHROPIC_AUTH_TOKEN is not sent to openrouter\.ai: according to ANTHROPIC_BASE_URL"
    ):
        load(ANTHROPIC_AUTH_TOKEN="internal-gateway-token", ANTHROPIC_BASE_URL=url)


@pytest.mark.parametrize(
    "environ",
    [
        {"ANTHROPIC_AUTH_TOKEN": KEY, "ANTHROPIC_BASE_URL": "https://llm.example.com"},
        {"ANTHROPIC_AUTH_TOKEN": JWT, "ANTHROPIC_BASE_URL": "https://OpenRouter.ai/api"},
        {"ANTHROPIC_AUTH_TOKEN": JWT, "ANTHROPIC_BASE_URL": " "},
        {"ANTHROPIC_AUTH_TOKEN": KEY},
    ],
)
def test_claude_codes_token_is_used_when_it_is_openrouters(environ: dict[str, str]) -> None:
    chosen = load(**environ)
    assert (chosen.key, chosen.key_source) == (environ["ANTHROPIC_AUTH_TOKEN"], "ANTHROPIC_AUTH_TOKEN")


@pytest.mark.parametrize("token", ["hello", "sk-proj-0123456789", "sk-ant-oat01-x", "a.b", "www.example.com.", "a..b"])
@pytest.mark.parametrize("url", [None, "https://openrouter.ai/api/v1", "https://eu.openrouter.ai/api/v1"])
def test_a_key_that_cannot_be_openrouters_is_not_sent_there(token: str, url: str | None) -> None:
    for variable in ("OPENROUTER_API_KEY", "OPENROUTER_MANAGEMENT_KEY"):
        with pytest.raises(
            ConfigurationError, match=f"{variable} (does not hold an OpenRouter|holds an Anthropic) key"
        ):
            load(url, **{"OPENROUTER_API_KEY": KEY, variable: token})
    with pytest.raises(
        ConfigurationError, match=r"ANTHROPIC_AUTH_TOKEN .*and no (other|OpenRouter) key is set"
    ) as caught:
        load(url, ANTHROPIC_AUTH_TOKEN=token)
    assert token not in f"{caught.value} {caught.value.hint}"


def test_other_servers_get_any_key() -> None:
    for url in ("http://127.0.0.1:1/v1", "https://gateway.example.com/v1", "https://notopenrouter.ai"):
        assert load(url, OPENROUTER_API_KEY="hello").key == "hello"
        assert load(url, ANTHROPIC_AUTH_TOKEN="hello").key == "hello"


def test_a_web_token_may_stand_in_the_place_of_a_key() -> None:
    assert load(OPENROUTER_API_KEY=JWT).key == JWT
    with pytest.raises(ConfigurationError, match="is too long"):
        load(OPENROUTER_API_KEY=JWT + "x" * 7000)


def test_a_management_key_alone_is_the_key() -> None:
    chosen = load(OPENROUTER_MANAGEMENT_KEY=KEY)
    assert (chosen.key, chosen.key_source) == (KEY, "OPENROUTER_MANAGEMENT_KEY")
    assert (chosen.management_key, chosen.management_key_source) == (None, None)
    given = credentials.load(management_key=KEY, environ={})
    assert (given.key, given.key_source, given.management_key) == (KEY, "management_key", None)


@pytest.mark.parametrize("token", ["sk-ant-oat01-x", "hello", "other-service"])
def test_a_management_key_is_the_key_beside_another_services_token(token: str) -> None:
    environ = {"ANTHROPIC_AUTH_TOKEN": token, "ANTHROPIC_BASE_URL": "https://llm.example.com"}
    assert load(**environ, OPENROUTER_MANAGEMENT_KEY=KEY).key_source == "OPENROUTER_MANAGEMENT_KEY"
    chosen = load(ANTHROPIC_AUTH_TOKEN=KEY, OPENROUTER_MANAGEMENT_KEY="sk-or-v1-manager")
    assert (chosen.key, chosen.management_key) == (KEY, "sk-or-v1-manager")


def test_the_sources_are_known() -> None:
    chosen = load(OPENROUTER_API_KEY=KEY, OPENROUTER_MANAGEMENT_KEY="sk-or-v1-manager")
    assert (chosen.key_source, chosen.management_key_source) == ("OPENROUTER_API_KEY", "OPENROUTER_MANAGEMENT_KEY")
    assert chosen.base_url_source is None
    assert load(OPENROUTER_API_KEY=KEY, OPENROUTER_BASE_URL="https://x.y").base_url_source == "OPENROUTER_BASE_URL"
    assert load("https://x.y", OPENROUTER_API_KEY=KEY).base_url_source == "--base-url"


@pytest.mark.parametrize(
    "url",
    ["http://localhost:8000/v1", "http://127.0.0.1", "http://127.8.9.1:1", "http://[::1]:80/v1", "https://example.com"],
)
def test_plain_http_is_allowed_to_this_machine_only(url: str) -> None:
    chosen = load(url, OPENROUTER_API_KEY=KEY)
    assert chosen.base_url == url
    assert chosen.is_loopback == (not url.startswith("https"))


@pytest.mark.parametrize(
    "url",
    [
        "http://openrouter.ai/api/v1",
        "http://10.0.0.1",
        "http://localhost.example.com",
        "http://0.0.0.0",
        "http://[::2]",
    ],
)
def test_plain_http_to_another_host_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="Plain http"):
        load(url, OPENROUTER_API_KEY=KEY)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com",
        "openrouter.ai",
        "https://",
        "https://exa mple.com",
        "https://example.com:99999",
        "https://[::1",
    ],
)
def test_an_invalid_url_is_a_usage_error_that_names_its_source(url: str) -> None:
    with pytest.raises(UsageError, match="--base-url is not an address"):
        load(url, OPENROUTER_API_KEY=KEY)
    with pytest.raises(UsageError, match="OPENROUTER_BASE_URL is not an address"):
        load(OPENROUTER_API_KEY=KEY, OPENROUTER_BASE_URL=url)


@pytest.mark.parametrize(
    "url", ["https://user:hunter2@example.com/v1", "https://user@example.com", "https://:hunter2@x.y"]
)
def test_a_url_with_a_password_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(UsageError, match="user name or password") as caught:
        load(url, OPENROUTER_API_KEY=KEY)
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("url", ["https://example.com/v1?key=1", "https://example.com/v1#top"])
def test_a_url_with_a_query_or_fragment_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="plain URL"):
        load(url, OPENROUTER_API_KEY=KEY)


def test_arguments_override_their_variables() -> None:
    chosen = credentials.load(
        api_key="sk-or-v1-given",
        management_key="sk-or-v1-manager",
        base_url="https://example.com/v1/",
        environ={"OPENROUTER_API_KEY": KEY, "OPENROUTER_BASE_URL": "nonsense", "OPENROUTER_MANAGEMENT_KEY": "no key"},
    )
    assert (chosen.key, chosen.management_key) == ("sk-or-v1-given", "sk-or-v1-manager")
    assert chosen.base_url == "https://example.com/v1"


def test_no_repr_shows_a_key() -> None:
    chosen = load(OPENROUTER_API_KEY=KEY, OPENROUTER_MANAGEMENT_KEY="sk-or-v1-manager")
    assert repr(chosen) == "Credentials(base_url='https://openrouter.ai/api/v1')"


@given(
    st.dictionaries(
        st.sampled_from(["OPENROUTER_API_KEY", "OPENROUTER_BASE_URL", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"]),
        st.text(),
    )
)
def test_every_environment_gives_credentials_or_one_of_our_errors(environ: dict[str, str]) -> None:
    with suppress(UsageError, ConfigurationError):
        credentials.load(environ=environ)
