"""The thresholds and the timeout; for the keys and the base URL see test_credentials.py."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from orcredit.balance import DEFAULT_THRESHOLDS, Threshold
from orcredit.config.load import Settings
from orcredit.errors import ConfigurationError, UsageError

KEY = "sk-or-v1-0123456789abcdef"


def load(base_url: str | None = None, /, **environ: str) -> Settings:
    return Settings.load(environ=environ, base_url=base_url)


def test_arguments_override_their_variables() -> None:
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


def test_the_keys_are_secret_strings() -> None:
    settings = load("http://127.0.0.1:1/v1", OPENROUTER_API_KEY=KEY, OPENROUTER_MANAGEMENT_KEY="sk-or-v1-manager")
    assert (settings.key, settings.management_key) == (SecretStr(KEY), SecretStr("sk-or-v1-manager"))
    assert settings.is_loopback
    assert load(OPENROUTER_API_KEY=KEY).management_key is None


@pytest.mark.parametrize("empty", ["", " ", ","])
def test_an_empty_variable_leaves_the_default_threshold(empty: str) -> None:
    assert load(OPENROUTER_API_KEY=KEY, ORCREDIT_WARN_BELOW=empty).thresholds == DEFAULT_THRESHOLDS


def test_thresholds_in_the_variable_are_separated_by_commas() -> None:
    settings = load(OPENROUTER_API_KEY=KEY, ORCREDIT_WARN_BELOW=" 20%, $5 ,,3d")
    assert settings.thresholds == (Threshold.parse("20%"), Threshold.parse("$5"), Threshold.parse("3d"))
    with pytest.raises(UsageError, match="ORCREDIT_WARN_BELOW: 'ten' is not a threshold"):
        load(OPENROUTER_API_KEY=KEY, ORCREDIT_WARN_BELOW="20%,ten")


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), 1e6])
def test_an_invalid_timeout_is_a_usage_error(timeout: float) -> None:
    with pytest.raises(UsageError, match="is not a timeout"):
        Settings.load(api_key=KEY, timeout=timeout, environ={})


def test_no_repr_shows_a_key() -> None:
    settings = load(OPENROUTER_API_KEY=KEY, OPENROUTER_MANAGEMENT_KEY="sk-or-v1-manager")
    assert KEY not in repr(settings)
    assert "manager" not in repr(settings)


@given(
    st.dictionaries(st.sampled_from(["OPENROUTER_API_KEY", "OPENROUTER_BASE_URL", "ORCREDIT_WARN_BELOW"]), st.text())
)
def test_every_environment_gives_settings_or_one_of_our_errors(environ: dict[str, str]) -> None:
    with suppress(UsageError, ConfigurationError):
        Settings.load(environ=environ)
