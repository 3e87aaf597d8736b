"""Which key, which server, which thresholds; and which secret may travel where."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcredit.balance import DEFAULT_THRESHOLDS, Threshold
from orcredit.errors import ConfigurationError, UsageError
from orcredit.settings import Settings

KEY = "sk-or-v1-0123456789abcdef"


def load(base_url: str | None = None, /, **environ: str) -> Settings:
    return Settings.load(environ=environ, base_url=base_url)


def test_the_key_comes_from_openrouters_variable_before_claude_codes() -> None:
    settings = load(OPENROUTER_API_KEY=KEY, ANTHROPIC_AUTH_TOKEN="sk-or-v1-other")
    assert settings.key.get_secret_value() == KEY


@pytest.mark.parametrize("empty", ["", " ", "\n"])
def test_empty_means_unset(empty: str) -> None:
    assert load(OPENROUTER_API_KEY=empty, ANTHROPIC_AUTH_TOKEN=KEY).key.get_secret_value() == KEY
    assert load(OPENROUTER_API_KEY=KEY, OPENROUTER_MANAGEMENT_KEY=empty).management_key is None
    assert load(OPENROUTER_API_KEY=KEY, OPENROUTER_BASE_URL=empty).base_url == "https://openrouter.ai/api/v1"
    assert load(OPENROUTER_API_KEY=KEY, ORCREDIT_WARN_BELOW=empty).thresholds == DEFAULT_THRESHOLDS
    with pytest.raises(ConfigurationError, match="No OpenRouter key"):
        load(OPENROUTER_API_KEY=empty, ANTHROPIC_AUTH_TOKEN=empty)


def test_blanks_and_line_breaks_around_a_key_are_stripped() -> None:
    settings = load(OPENROUTER_API_KEY=f"\n {KEY}\r\n", OPENROUTER_MANAGEMENT_KEY=f"{KEY}\n")
    assert settings.key.get_secret_value() == KEY
    assert settings.management_key is not None
    assert settings.management_key.get_secret_value() == KEY


@pytest.mark.parametrize("variable", ["OPENROUTER_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENROUTER_MANAGEMENT_KEY"])
@pytest.mark.parametrize(
    "bad", ["sk-or-v1-ключ", "sk-or-\x1b[31mred", "sk-or two words", "sk-or-a\nb", "sk-or-" + "x" * 2000]
)
def test_what_is_no_key_is_refused_without_echoing_it(variable: str, bad: str) -> None:
    environ = {"OPENROUTER_API_KEY": KEY} if variable == "OPENROUTER_MANAGEMENT_KEY" else {}
    with pytest.raises(ConfigurationError) as caught:
        load(**environ | {variable: bad})
    assert variable in str(caught.value)
    assert bad[6:12] not in f"{caught.value!r} {caught.value.hint}"


@pytest.mark.parametrize("variable", ["OPENROUTER_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENROUTER_MANAGEMENT_KEY"])
def test_an_anthropic_key_is_never_sent_anywhere(variable: str) -> None:
    environ = {"OPENROUTER_API_KEY": KEY} if variable == "OPENROUTER_MANAGEMENT_KEY" else {}
    with pytest.raises(ConfigurationError, match=f"{variable} holds an Anthropic key") as caught:
        load(**environ | {variable: "sk-ant-oat01-secret"})
    assert "oat01" not in str(caught.value)


def test_claude_codes_token_for_another_service_is_not_sent_to_openrouter() -> None:
    with pytest.raises(
        ConfigurationError, match=r"ANTHROPIC_AUTH_TOKEN is not sent to openrouter\.ai: ANTHROPIC_BASE_URL"
    ):
        load(ANTHROPIC_AUTH_TOKEN="internal-gateway-token", ANTHROPIC_BASE_URL="https://llm.example.com/v1")


@pytest.mark.parametrize(
    "environ",
    [
        {"ANTHROPIC_AUTH_TOKEN": KEY, "ANTHROPIC_BASE_URL": "https://llm.example.com"},
        {"ANTHROPIC_AUTH_TOKEN": "token", "ANTHROPIC_BASE_URL": "https://OpenRouter.ai/api"},
        {"ANTHROPIC_AUTH_TOKEN": "token", "ANTHROPIC_BASE_URL": " "},
        {"ANTHROPIC_AUTH_TOKEN": "token"},
    ],
)
def test_claude_codes_token_is_used_when_it_is_openrouters(environ: dict[str, str]) -> None:
    assert load(**environ).key.get_secret_value() == environ["ANTHROPIC_AUTH_TOKEN"]


def test_an_argument_wins_over_its_variable() -> None:
    settings = Settings.load(
        api_key="sk-or-v1-given",
        management_key="sk-or-v1-manager",
        base_url="https://example.com/v1/",
        warn_below=["$5"],
        environ={"OPENROUTER_API_KEY": KEY, "OPENROUTER_BASE_URL": "nonsense", "ORCREDIT_WARN_BELOW": "nonsense"},
    )
    assert settings.key.get_secret_value() == "sk-or-v1-given"
    assert settings.base_url == "https://example.com/v1"
    assert settings.thresholds == (Threshold.parse("5"),)


def test_thresholds_in_the_variable_are_separated_by_commas() -> None:
    settings = load(OPENROUTER_API_KEY=KEY, ORCREDIT_WARN_BELOW=" 20%, $5 ,,3d")
    assert settings.thresholds == (Threshold.parse("20%"), Threshold.parse("$5"), Threshold.parse("3d"))
    with pytest.raises(UsageError, match="ORCREDIT_WARN_BELOW: 'ten' is not a threshold"):
        load(OPENROUTER_API_KEY=KEY, ORCREDIT_WARN_BELOW="20%,ten")


@pytest.mark.parametrize(
    "url",
    ["http://localhost:8000/v1", "http://127.0.0.1", "http://127.8.9.1:1", "http://[::1]:80/v1", "https://example.com"],
)
def test_plain_http_is_for_this_machine(url: str) -> None:
    settings = load(url, OPENROUTER_API_KEY=KEY)
    assert settings.base_url == url
    assert settings.is_loopback == (not url.startswith("https"))


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
def test_what_is_no_address_is_wrong_usage_that_names_its_source(url: str) -> None:
    with pytest.raises(UsageError, match="--base-url is not an address"):
        load(url, OPENROUTER_API_KEY=KEY)
    with pytest.raises(UsageError, match="OPENROUTER_BASE_URL is not an address"):
        load(OPENROUTER_API_KEY=KEY, OPENROUTER_BASE_URL=url)


@pytest.mark.parametrize(
    "url", ["https://user:hunter2@example.com/v1", "https://user@example.com", "https://:hunter2@x.y"]
)
def test_an_address_with_a_password_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(UsageError, match="user name or password") as caught:
        load(url, OPENROUTER_API_KEY=KEY)
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("url", ["https://example.com/v1?key=1", "https://example.com/v1#top"])
def test_an_address_with_a_query_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="plain address"):
        load(url, OPENROUTER_API_KEY=KEY)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), 1e6])
def test_a_timeout_is_a_time(timeout: float) -> None:
    with pytest.raises(UsageError, match="is not a timeout"):
        Settings.load(api_key=KEY, timeout=timeout, environ={})


def test_no_repr_shows_a_key() -> None:
    settings = load(OPENROUTER_API_KEY=KEY, OPENROUTER_MANAGEMENT_KEY="sk-or-v1-manager")
    assert KEY not in repr(settings)
    assert "manager" not in repr(settings)


@given(
    st.dictionaries(st.sampled_from(["OPENROUTER_API_KEY", "OPENROUTER_BASE_URL", "ORCREDIT_WARN_BELOW"]), st.text())
)
def test_no_environment_makes_it_raise_anything_but_our_own_errors(environ: dict[str, str]) -> None:
    with suppress(UsageError, ConfigurationError):
        Settings.load(environ=environ)
