"""The prompt line: its text, templates, colours, and Waybar's JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcredit import cache, simulator
from orcredit.config import credentials
from orcredit.errors import UsageError
from orcredit.render.line import FIELDS, Line, Refusal, format_seconds, parse_template

URL = credentials.DEFAULT_BASE_URL
KEY = simulator.key_for("normal")
HOUR, DAY = 3600, 86400
FETCHED_AT = 1770914387.0  # simulator.DEMO_INSTANT
WRITTEN_AT = 5000.0  # by a clock that is years behind OpenRouter's

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX descriptors and sessions")


def line(age: float = 0, max_age: float = 60, **changes: Any) -> Line:  # noqa: ANN401
    """Return the demo account's line at this age of the cache; `changes` are to the cached values."""
    values: dict[str, Any] = {
        "spendable": "$158.61",
        "percent": "31.7%",
        "percentage": 31.7,
        "limitedBy": "key_limit",
        "label": "sk-or-v1-au7...890",
        "resetsAt": FETCHED_AT + 16 * DAY,
        "refusedUntil": None,
        "expiresAt": None,
        "runsOutAt": FETCHED_AT + 8 * DAY + HOUR,
        "runsOutOf": None,
        "isUpperBound": False,
        "needsAttention": False,
        "isFreeTier": False,
        "freeRequests": None,
    }
    level, fetched_at = changes.pop("level", "ok"), changes.pop("fetchedAt", FETCHED_AT)
    failure = changes.pop("failure", None)
    cached = cache.Cached(values | changes, level, fetched_at, WRITTEN_AT)
    return Line(cached, WRITTEN_AT + age, max_age, failure)


def text(age: float = 0, max_age: float = 60, **changes: Any) -> str:  # noqa: ANN401
    return line(age, max_age, **changes).text()


# The text


def test_it_shows_spendable_percentage_and_run_out() -> None:
    assert text() == "$158.61 · 31.7% · 8d"


def test_unknown_values_are_left_out() -> None:
    assert text(runsOutAt=None) == "$158.61 · 31.7%"
    assert text(percent=None, runsOutAt=None) == "$158.61"
    assert text(spendable="$0.13", limitedBy="account_credit", percent=None) == "$0.13 · 8d"


UNLIMITED: dict[str, Any] = {
    "level": "unlimited", "spendable": None, "percent": None, "percentage": None, "limitedBy": None, "resetsAt": None,
    "runsOutAt": None,
}  # fmt: skip
FREE = UNLIMITED | {"isFreeTier": True, "freeRequests": 38}


def test_a_key_without_a_limit_is_no_promise() -> None:
    shown = line(**UNLIMITED)
    assert (shown.text(), shown.values["level"]) == ("no limit", "unlimited")
    tooltip = json.loads(shown.waybar("x"))["tooltip"]
    assert tooltip.splitlines()[0] == "no limit on this key; the account's credit is not known"


def test_the_free_tier_shows_the_requests_left_today() -> None:
    assert text(**FREE) == "free · 38 left"
    assert text(**FREE | {"freeRequests": 0}) == "free · 0 left"
    assert text(**FREE | {"freeRequests": None}) == "free"
    assert json.loads(line(**FREE).waybar("x"))["tooltip"].splitlines()[0] == (
        "free models only · 38 requests left today"
    )


def test_free_requests_are_not_those_of_yesterday() -> None:
    midnight = FETCHED_AT // DAY * DAY + DAY
    assert text(59, max_age=9999, **FREE, fetchedAt=midnight - 60) == "free · 38 left"
    assert text(61, max_age=9999, **FREE, fetchedAt=midnight - 60) == "free"


def test_the_free_tier_with_a_limit_shows_the_amount() -> None:
    assert text(isFreeTier=True, freeRequests=38) == "$158.61 · 31.7% · 8d"


def test_an_exhausted_key_shows_its_reset_when_it_has_one() -> None:
    exhausted: dict[str, Any] = {"level": "exhausted", "spendable": "$0.00", "percent": "0.0%", "runsOutAt": FETCHED_AT}
    assert text(**exhausted) == "exhausted"
    assert text(**exhausted, refusedUntil=FETCHED_AT + 5 * HOUR) == "exhausted · resets in 5h"
    assert text(6 * HOUR, HOUR, **exhausted, refusedUntil=FETCHED_AT + 5 * HOUR) == "exhausted (6h old)"


def test_an_expiry_before_the_run_out_is_shown_first() -> None:
    assert text(expiresAt=FETCHED_AT + 3 * HOUR) == "key expires in 3h · $158.61 · 31.7%"
    assert text(expiresAt=FETCHED_AT + 9 * DAY) == "$158.61 · 31.7% · 8d"
    assert text(expiresAt=FETCHED_AT) == "key expired · $158.61 · 31.7%"


def test_an_expiry_within_a_week_is_shown_first_if_the_run_out_is_unknown() -> None:
    assert text(runsOutAt=None, expiresAt=FETCHED_AT + 7 * DAY) == "key expires in 7d · $158.61 · 31.7%"
    assert text(runsOutAt=None, expiresAt=FETCHED_AT + 7 * DAY + 1) == "$158.61 · 31.7%"


def test_durations_count_from_now() -> None:
    assert text(2 * DAY, DAY) == "$158.61 · 31.7% · 6d (2d old)"
    assert text(30 * DAY, 30 * DAY) == "$158.61 · 31.7% · 0s"


def test_the_age_is_shown_beyond_the_maximum_age() -> None:
    assert text(60) == "$158.61 · 31.7% · 8d"
    assert text(61) == "$158.61 · 31.7% · 8d (1m old)"
    assert text(600) == "$158.61 · 31.7% · 8d (10m old)"


def test_ten_times_the_maximum_age_is_said_first() -> None:
    assert text(601) == "10m old · $158.61 · 31.7% · 8d"
    assert text(3 * HOUR, level="low", runsOutAt=None) == "3h old · $158.61 · 31.7%"
    assert text(-HOUR) == "old · $158.61 · 31.7% · 8d"  # the clock was set back: the age is unknown


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(-5, "0s"), (0, "0s"), (59.9, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (86399, "23h"), (10**9, "11574d")],
)
def test_durations_are_formatted_in_their_largest_unit_rounded_down(seconds: float, written: str) -> None:
    assert format_seconds(seconds) == written


HOSTILE = "\x1b]0;owned\x07\x1b[31m\u202e\u009b2Jno\nlines\r\x00"


@pytest.mark.parametrize("field", ["spendable", "percent", "limitedBy", "label"])
def test_control_characters_are_removed_from_texts_of_the_cache(field: str) -> None:
    hostile: dict[str, Any] = {field: HOSTILE + "x" * 5000}
    shown = line(**hostile)
    for shown_text in (shown.text(), shown.fill(parse_template("".join(f"{{{name}}}" for name in FIELDS)))):
        assert shown_text.isprintable()
        assert len(shown_text) < 300
    assert "".join(json.loads(shown.waybar(shown.text()))["tooltip"].split("\n")).isprintable()


# Templates


def test_a_template_is_filled() -> None:
    shown = line(90, expiresAt=FETCHED_AT + 2 * DAY)
    template = "|".join(f"{{{name}}}" for name in FIELDS)
    assert shown.fill(parse_template(template)) == (
        "$158.61|31.7%|8d|ok|key_limit|15d|1d|sk-or-v1-au7...890|||1m|(1m old)"
    )


def test_very_old_numbers_say_so_first_unless_the_template_shows_their_age() -> None:
    shown = line(2 * HOUR)
    assert shown.fill(parse_template("{spendable}")) == "2h old · $158.61"
    assert shown.fill(parse_template("{spendable} {stale}")) == "$158.61 (2h old)"
    assert shown.fill(parse_template("{age} {spendable}")) == "2h $158.61"
    assert line(600).fill(parse_template("{spendable}")) == "$158.61"


def test_unknown_fields_are_empty_and_other_text_is_unchanged() -> None:
    shown = line(runsOutAt=None, percent=None, limitedBy=None, label=None, resetsAt=None)
    template = "a{percent}{runway}{limited_by}{label}{reset}{expires}{stale}b\t{{{level}}} 100%\\n"
    assert shown.fill(parse_template(template)) == "ab\t{ok} 100%\\n"


@pytest.mark.parametrize(
    "template",
    [
        "{nonsense}",
        "{}",
        "{0}",
        "{level.__class__}",
        "{level[0]}",
        "{level!r}",
        "{level:>80000000}",
        "{ level }",
        "{level",
        "level}",
        "{{level}",
        "{",
        "}}}",
        "{level{level}}",
    ],
)
def test_anything_else_in_braces_is_a_usage_error_that_lists_the_fields(template: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_template(template)
    assert all(f"{{{name}}}" in caught.value.hint for name in FIELDS)


@given(st.text())
def test_text_with_escaped_braces_is_unchanged(anything: str) -> None:
    escaped = anything.replace("{", "{{").replace("}", "}}")
    assert line().fill(parse_template(escaped)) == anything


@given(st.text(st.sampled_from("{}level .[0]!:")))
def test_every_template_is_filled_or_a_usage_error(template: str) -> None:
    try:
        pieces = parse_template(template)
    except UsageError:
        return
    assert isinstance(line().fill(pieces), str)


# Colour and Waybar


@pytest.mark.parametrize(
    ("level", "needs_attention", "colored"),
    [
        ("ok", False, "x"),
        ("unlimited", False, "x"),
        ("ok", True, "\x1b[33mx\x1b[0m"),
        ("low", False, "\x1b[31mx\x1b[0m"),
        ("exhausted", False, "\x1b[31mx\x1b[0m"),
    ],
)
def test_only_bad_news_are_coloured(level: str, needs_attention: bool, colored: str) -> None:
    changes: dict[str, Any] = {"level": level, "needsAttention": needs_attention}
    assert line(**changes).colored("x") == colored
    assert line(600, **changes).colored("x") == colored
    assert line(601, **changes).colored("x") == "x"  # nothing is known of what it is now


def test_waybar_gets_text_tooltip_class_and_percentage() -> None:
    shown = line(level="low")
    assert json.loads(shown.waybar(shown.text())) == {
        "text": "$158.61 · 31.7% · 8d",
        "tooltip": "$158.61 can be spent\nlimited by the key limit\n31.7% of the key limit left\nruns out in 8d\n"
        "the key limit resets in 16d\nsk-or-v1-au7...890\nas of 0s ago",
        "class": "low",
        "percentage": 32,
    }


def test_the_tooltip_names_what_limits_and_marks_an_upper_bound() -> None:
    tooltip = json.loads(line(limitedBy="workspace", isUpperBound=True).waybar("x"))["tooltip"].splitlines()
    assert tooltip[1:5] == [
        "limited by the workspace budget",
        "31.7% of the workspace budget left",
        "runs out in 8d at the latest",
        "the workspace budget resets in 16d",
    ]
    default = json.loads(line(limitedBy="workspace_default_key").waybar("x"))["tooltip"]
    assert "31.7% of the key default left" in default
    assert "31.7% of the {x} budget left" in json.loads(line(limitedBy="{x}").waybar("x"))["tooltip"]
    other = json.loads(line(runsOutOf="api_key").waybar("x"))["tooltip"]
    assert "\nthe API key budget runs out in 8d\n" in other  # another one than what limits
    credit = line(limitedBy="account_credit", percent=None, resetsAt=None)
    assert (
        "limited by the account's credit\nruns out in 8d, unless topped up" in json.loads(credit.waybar("x"))["tooltip"]
    )


def test_waybars_classes_say_attention_and_old_numbers() -> None:
    assert json.loads(line(needsAttention=True).waybar("x"))["class"] == ["ok", "attention"]
    assert json.loads(line(90, level="low").waybar("x"))["class"] == ["low", "stale"]
    assert json.loads(line(90, needsAttention=True).waybar("x"))["class"] == ["ok", "attention", "stale"]
    very_old = json.loads(line(601, level="low", needsAttention=True).waybar("x"))
    assert very_old["class"] == "stale"
    assert "percentage" not in very_old


def test_waybar_gets_no_unknown_percentage() -> None:
    assert "percentage" not in json.loads(line(percentage=None).waybar("x"))
    assert json.loads(line(percentage=-3.0).waybar("x"))["percentage"] == 0


# After a failure


def failure(*, is_refusal: bool = False, status: int | None = None) -> cache.Failure:
    return cache.Failure(is_refusal=is_refusal, status=status, at=WRITTEN_AT)


def refusal(age: float = 0, status: int | None = 401) -> Refusal:
    return Refusal(failure(is_refusal=True, status=status), WRITTEN_AT + age, 60)


def test_the_tooltip_says_when_the_last_attempt_failed() -> None:
    shown = line(90, failure=failure())
    assert shown.text() == "$158.61 · 31.7% · 8d (1m old)"
    assert json.loads(shown.waybar("x"))["tooltip"].splitlines()[-1] == "the last attempt failed 1m ago"


def test_a_refusal_is_red_and_ages_like_a_balance() -> None:
    assert refusal().text() == "key refused (401)"
    assert refusal(status=None).text() == "key refused"
    assert refusal(90).text() == "key refused (401) (1m old)"
    assert refusal(3 * HOUR).text() == "3h old · key refused (401)"
    assert refusal(-HOUR).text() == "old · key refused (401)"
    assert refusal(90).colored("x") == "\x1b[31mx\x1b[0m"
    assert refusal(3 * HOUR).colored("x") == "x"


def test_waybar_gets_the_class_refused() -> None:
    assert json.loads(refusal().waybar("x")) == {
        "text": "x",
        "tooltip": "OpenRouter refused this key: see orcredit status",
        "class": "refused",
    }
    assert json.loads(refusal(90).waybar("x"))["class"] == ["refused", "stale"]


def test_markup_is_escaped_for_waybar() -> None:
    bar = json.loads(line(percent="<0.1%", label="<b>&").waybar("a <b> & c"))
    assert bar["text"] == "a &lt;b&gt; &amp; c"
    assert "&lt;0.1% of the key limit left" in bar["tooltip"]
    assert "&lt;b&gt;&amp;" in bar["tooltip"]
