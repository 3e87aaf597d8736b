"""The thresholds and the timeout; for the keys and the base URL see test_credentials.py."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from orcredit.balance import DEFAULT_THRESHOLDS, Threshold
from orcredit.cli import options
from orcredit.config.load import DEFAULT_TIMEOUT, LONGEST_TIMEOUT, database_url, load_profile, token
from orcredit.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from orcredit.config.profile import Profile

KEY = "sk-or-v1-0123456789abcdef"


def load(base_url: str | None = None, /, **environ: str) -> Profile:
    return load_profile(environ=environ, base_url=base_url)


def test_arguments_override_their_variables() -> None:
    profile = load_profile(
        api_key="sk-or-v1-given",
        management_key="sk-or-v1-manager",
        base_url="https://example.com/v1/",
        warn_below=["$5"],
        environ={"OPENROUTER_API_KEY": KEY, "OPENROUTER_BASE_URL": "nonsense", "ORCREDIT_WARN_BELOW": "nonsense"},
    )
    assert profile.key.get_secret_value() == "sk-or-v1-given"
    assert profile.base_url == "https://example.com/v1"
    assert profile.thresholds == (Threshold.parse("10%"), Threshold.parse("5"))


def test_the_keys_are_secret_strings() -> None:
    profile = load("http://127.0.0.1:1/v1", OPENROUTER_API_KEY=KEY, OPENROUTER_MANAGEMENT_KEY="sk-or-v1-manager")
    assert (profile.key, profile.management_key) == (SecretStr(KEY), SecretStr("sk-or-v1-manager"))
    assert profile.is_loopback
    assert load(OPENROUTER_API_KEY=KEY).management_key is None


@pytest.mark.parametrize("empty", ["", " ", ","])
def test_an_empty_variable_leaves_the_default_threshold(empty: str) -> None:
    assert load(OPENROUTER_API_KEY=KEY, ORCREDIT_WARN_BELOW=empty).thresholds == DEFAULT_THRESHOLDS


def test_thresholds_in_the_variable_are_separated_by_commas() -> None:
    profile = load(OPENROUTER_API_KEY=KEY, ORCREDIT_WARN_BELOW=" 20%, $5 ,,3d")
    assert profile.thresholds == (Threshold.parse("20%"), Threshold.parse("$5"), Threshold.parse("3d"))
    with pytest.raises(UsageError, match="ORCREDIT_WARN_BELOW: 'ten' is not a threshold"):
        load(OPENROUTER_API_KEY=KEY, ORCREDIT_WARN_BELOW="20%,ten")


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), 1e6])
def test_an_invalid_timeout_is_a_usage_error(timeout: float) -> None:
    with pytest.raises(UsageError, match="is not a timeout"):
        load_profile(api_key=KEY, timeout=timeout, environ={})


def test_no_repr_shows_a_key() -> None:
    profile = load(OPENROUTER_API_KEY=KEY, OPENROUTER_MANAGEMENT_KEY="sk-or-v1-manager")
    assert KEY not in repr(profile)
    assert "manager" not in repr(profile)


@given(
    st.dictionaries(st.sampled_from(["OPENROUTER_API_KEY", "OPENROUTER_BASE_URL", "ORCREDIT_WARN_BELOW"]), st.text())
)
def test_every_environment_gives_settings_or_one_of_our_errors(environ: dict[str, str]) -> None:
    with suppress(UsageError, ConfigurationError):
        load_profile(environ=environ)


def test_blank_variables_count_as_unset() -> None:
    for read, name in ((database_url, "ORCREDIT_DATABASE_URL"), (token, "ORCREDIT_TOKEN")):
        assert read({name: " \t"}) is None
        assert read({}) is None
        assert read({name: " a "}) == "a"


def test_the_profile_of_arguments_and_environment_has_no_name() -> None:
    profile = load(OPENROUTER_API_KEY=KEY)
    assert profile.name is None
    assert len(profile.fingerprint) == 12
    assert profile.fingerprint not in KEY


def test_the_options_default_is_the_clients() -> None:
    assert options.checked_timeout(options.DEFAULT_TIMEOUT) == DEFAULT_TIMEOUT
    assert options.LONGEST_TIMEOUT.total_seconds() == LONGEST_TIMEOUT


@pytest.mark.parametrize(("text", "seconds"), [("10", 10), ("10s", 10), ("0.5", 0.5), ("1m", 60), ("1d", 86400)])
def test_the_option_takes_what_the_interval_takes(text: str, seconds: float) -> None:
    assert options.checked_timeout(text) == seconds


@pytest.mark.parametrize("text", ["0", "0s", "2d", "nan", "1e3", "-1", "soon", ""])
def test_an_invalid_timeout_option_is_a_usage_error_that_names_it(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--timeout: "):
        options.checked_timeout(text)
