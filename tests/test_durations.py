"""Parsing durations: accepted and refused forms."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcredit.durations import LONGEST_DURATION, parse_duration
from orcredit.errors import UsageError


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("60", timedelta(seconds=60)),
        ("90s", timedelta(seconds=90)),
        ("5m", timedelta(minutes=5)),  # never months
        ("12h", timedelta(hours=12)),
        ("3d", timedelta(days=3)),
        ("1.5h", timedelta(minutes=90)),
        ("0", timedelta(0)),
        (" 7d ", timedelta(days=7)),
        ("3650d", LONGEST_DURATION),
    ],
)
def test_a_duration_is_a_number_and_a_unit_which_defaults_to_seconds(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text", ["", "s", "-5", "5 m", "5M", "5min", "1h30m", "1e3", "inf", "nan", "٣s", ".5h", "5.", "1w", "$5", "5%"]
)
def test_an_invalid_duration_is_a_usage_error_with_the_accepted_forms(text: str) -> None:
    with pytest.raises(UsageError, match="is not a duration") as caught:
        parse_duration(text)
    for form in ("60", "90s", "5m", "12h", "3d"):
        assert form in caught.value.hint


@pytest.mark.parametrize("text", ["3651d", "9999999999d", "9999999999h"])
def test_a_duration_is_at_most_ten_years(text: str) -> None:
    with pytest.raises(UsageError, match="is not a duration"):
        parse_duration(text)


@given(st.one_of(st.text(max_size=12), st.from_regex(r"[0-9.]{1,12}[smhd]?", fullmatch=True)))
def test_every_text_gives_a_duration_or_a_usage_error(text: str) -> None:
    with suppress(UsageError):
        assert timedelta(0) <= parse_duration(text) <= LONGEST_DURATION
