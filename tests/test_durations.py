"""Parsing durations: accepted and refused forms."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcredit.durations import LONGEST_DURATION, parse_duration, parse_since
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


NOW = datetime(2026, 11, 25, 20, 30, 15, tzinfo=UTC)
"""A Wednesday."""


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        ("12h", NOW - timedelta(hours=12)),
        ("90", NOW - timedelta(seconds=90)),
        ("today", datetime(2026, 11, 25, tzinfo=UTC)),
        ("week", datetime(2026, 11, 23, tzinfo=UTC)),
        (" Month ", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T12:00", datetime(2026, 11, 1, 12, tzinfo=UTC)),
        ("2026-11-01 12:00:30", datetime(2026, 11, 1, 12, 0, 30, tzinfo=UTC)),
        ("2026-11-01T12:00Z", datetime(2026, 11, 1, 12, tzinfo=UTC)),
        ("2026-11-01T12:00+01:00", datetime(2026, 11, 1, 11, tzinfo=UTC)),
        ("2026-11-25T12:00-08:00", datetime(2026, 11, 25, 20, tzinfo=UTC)),
    ],
)
def test_since_is_a_duration_a_word_or_a_date(text: str, beginning: datetime) -> None:
    assert parse_since(text, NOW) == beginning


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("yesterday", "neither a duration nor a date"),
        ("", "neither a duration nor a date"),
        ("11/01/2026", "neither a duration nor a date"),
        ("2026-W48-1", "neither a duration nor a date"),
        ("2026-11", "neither a duration nor a date"),
        ("\u0662\u0660\u0662\u0666-11-01", "neither a duration nor a date"),
        ("2026-02-30", "not a date of the calendar"),
        ("2026-11-01T25:00", "not a date of the calendar"),
        ("0000-01-01", "not a date of the calendar"),
        ("2026-11-25T20:30:15", "in the future"),
        ("9999-12-31T23:59-12:00", "in the future"),
        ("0001-01-01T00:00+14:00", "too long ago"),
        ("2016-11-01", "too long ago"),
        ("3651d", "neither a duration nor a date"),
    ],
)
def test_another_beginning_is_wrong_usage(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_since(text, NOW)
