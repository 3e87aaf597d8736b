"""Durations on the command line."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orcredit.durations import DURATION_FORMS, parse_duration
from orcredit.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60", 60), ("90s", 90), ("5m", 300), ("12h", 43_200), ("3d", 259_200), (" 1d ", 86_400), ("0", 0)],
)
def test_a_number_and_a_unit_are_a_duration_and_m_is_minutes(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "d", "1w", "1.5h", "-5m", "5 m", "1h30m", "3651d", "9" * 13, "٣d", "5M"])
def test_anything_else_is_wrong_usage_and_hears_the_accepted_forms(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_duration(text)
    assert caught.value.hint == DURATION_FORMS
