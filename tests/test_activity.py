"""Where the money went: `Client.activity` over real HTTP, and how its rows are assembled."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from orcredit import Client, UnavailableError, UsageError, simulator
from orcredit.balance.activity import Counted, Found, Question, assemble
from tests.simulated import NOW
from tests.test_account import at_time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from orcredit.balance.activity import Activity, By

pytestmark = pytest.mark.usefixtures("no_variables")
DAY = timedelta(days=1)
LATER = NOW + 5 * DAY


@pytest.fixture(scope="module")
def later() -> Iterator[simulator.Server]:
    """Give a simulator some days later, so that there is a span before."""
    with simulator.Server(clock=lambda: LATER) as running:
        yield running


def activity(server: simulator.Server, name: str, *by: By, **more: Any) -> Activity:  # noqa: ANN401 - options
    asked = at_time(Client(simulator.key_for(name), base_url=server.base_url), server)
    return asked.activity(by or ("model",), **more)


def spent(start: datetime, end: datetime) -> Decimal:
    return simulator.demo_usage(end).total - simulator.demo_usage(start).total


@pytest.mark.parametrize("by", ["model", "key", "workspace", "user", "app", "provider"])
def test_the_rows_add_up_to_the_total(by: By, later: simulator.Server) -> None:
    found = activity(later, "team", by, since=2 * DAY)
    assert found.source == "analytics"
    assert sum(row.spend for row in found.rows) == pytest.approx(found.total.spend, abs=Decimal("1e-6"))
    assert found.total.spend == pytest.approx(spent(LATER - 2 * DAY, LATER), abs=Decimal("0.001"))
    assert [row.spend for row in found.rows] == sorted((row.spend for row in found.rows), reverse=True)
    assert sum(row.share or 0 for row in found.rows) == pytest.approx(100, abs=Decimal("0.5"))


def test_two_can_be_crossed(later: simulator.Server) -> None:
    found = activity(later, "team", "key", "model", since=DAY)
    assert len({(row.key, row.model) for row in found.rows}) == len(found.rows) > 20
    assert found.rows[0].key == "production"


@pytest.mark.parametrize(("by", "count"), [("day", 4), ("hour", 73)])
def test_times_are_in_their_order(by: By, count: int, later: simulator.Server) -> None:
    found = activity(later, "team", by, since=3 * DAY)
    starts = [row.start for row in found.rows if row.start is not None]
    assert starts == sorted(starts)
    assert len(starts) == len(found.rows) == count
    assert all(row.change is None for row in found.rows)
    assert found.total.before is not None


def test_unit_prices_and_the_change_against_the_span_before(later: simulator.Server) -> None:
    found = activity(later, "team", "key", since=2 * DAY)
    first, total = found.rows[0], found.total
    assert first.per_request == pytest.approx(first.spend / (first.requests or 0), abs=Decimal("1e-7"))
    tokens = (first.prompt_tokens or 0) + (first.completion_tokens or 0)
    assert first.per_million_tokens == pytest.approx(first.spend / tokens * 10**6, abs=Decimal("1e-7"))
    assert total.before == pytest.approx(spent(LATER - 4 * DAY, LATER - 2 * DAY), abs=Decimal("0.001"))
    assert total.change == round((total.spend - (total.before or 0)) / (total.before or 1) * 100, 1)
    assert first.change == pytest.approx(total.change, abs=Decimal("0.2"))


def test_the_rest_is_summed_up(later: simulator.Server) -> None:
    found = activity(later, "team", "key", since=DAY, top=2)
    assert len(found.rows) == 2
    assert found.others is not None
    assert sum(row.spend for row in found.rows) + found.others.spend == found.total.spend
    assert activity(later, "team", "key", since=DAY, top=100).others is None


def test_this_key_alone(later: simulator.Server) -> None:
    management = simulator.management_key_for("normal")
    asked = Client(simulator.key_for("normal"), management_key=management, base_url=later.base_url)
    given = at_time(asked, later)
    one, all_ = given.activity(["key"], this_key=True), given.activity(["key"])
    assert [row.key for row in one.rows] == ["normal"]
    assert one.this_key
    assert one.total.spend < all_.total.spend


def test_truncation_is_said_and_the_total_is_whole(later: simulator.Server) -> None:
    found = activity(later, "analytics-truncated", "key", since=DAY)
    assert found.truncated
    assert len(found.rows) == 3
    assert found.others is not None
    assert found.others.spend == pytest.approx(found.total.spend / 2, rel=Decimal("1e-4"))


def test_warnings_are_passed_on_once_and_without_control_characters(later: simulator.Server) -> None:
    (note,) = activity(later, "analytics-warnings").notes
    assert note.startswith("OpenRouter warns: 1 value of the filter")
    assert note.isprintable()


def test_slow_analytics_say_what_helps(later: simulator.Server) -> None:
    with pytest.raises(UnavailableError, match="408") as raised:
        activity(later, "analytics-slow")
    assert "--since" in raised.value.hint


@pytest.mark.parametrize("by", ["model", "provider", "workspace", "day"])
def test_without_analytics_there_are_completed_days(by: By, later: simulator.Server) -> None:
    found = activity(later, "analytics-absent", by, since=3 * DAY)
    midnight = LATER.replace(hour=0, minute=0, second=0)
    assert (found.source, found.since, found.until) == ("activity", midnight - 3 * DAY, midnight)
    assert found.notes == ("OpenRouter here has no analytics: the last completed 3 days (UTC) of 30 are counted.",)
    assert found.total.spend == pytest.approx(spent(midnight - 3 * DAY, midnight), abs=Decimal("0.001"))
    assert found.total.before == pytest.approx(spent(midnight - 6 * DAY, midnight - 3 * DAY), abs=Decimal("0.001"))
    if by == "workspace":
        assert {row.workspace for row in found.rows} == {"Default", "Customer 02"}


@pytest.mark.parametrize("by", ["key", "user", "app", "hour"])
def test_without_analytics_the_rest_is_not_known(by: By, later: simulator.Server) -> None:
    with pytest.raises(UnavailableError, match=f"spend by {by} is not known") as raised:
        activity(later, "analytics-absent", by)
    assert "model, provider, workspace, day" in raised.value.hint


@pytest.mark.parametrize(
    ("by", "since"),
    [
        (("planet",), DAY),
        (("model", "model"), DAY),
        (("model", "key", "user"), DAY),
        (("day", "hour"), DAY),
        (("model",), 366 * DAY),
        (("model",), timedelta(seconds=59)),
        (("provider",), 32 * DAY),
    ],
)
def test_what_cannot_be_asked_for_is_refused(by: tuple[By, ...], since: timedelta, later: simulator.Server) -> None:
    with pytest.raises(UsageError) as raised:
        activity(later, "team", *by, since=since)
    assert raised.value.hint.startswith("Accepted")


def test_the_longest_spans_are_asked_for(later: simulator.Server) -> None:
    assert activity(later, "team", "model", since=365 * DAY).total.before is None
    assert activity(later, "team", "provider", since=31 * DAY).total.change is None


# The arithmetic


def counted(spend: str, *counts: int | None) -> Counted:
    return Counted(Decimal(spend), *(*counts, *(None,) * (5 - len(counts))))


def assembled(found: Found, *by: By, top: int | None = None) -> Activity:
    return assemble(Question(by or ("key",), NOW - DAY, NOW, top=top), found, source="analytics", fetched_at=NOW)


def test_keys_of_one_name_are_added_up_and_said() -> None:
    found = assembled(Found([(("ci",), counted("1", 2)), (("ci",), counted("2", 3)), (("other",), counted("1"))]))
    assert [(row.key, row.spend, row.requests) for row in found.rows] == [
        ("ci", Decimal(3), 5),
        ("other", Decimal(1), None),
    ]
    assert found.notes == ("Several keys are named ci: their spend is added up.",)


def test_nothing_spent_has_no_shares_and_no_prices() -> None:
    found = assembled(Found([(("a",), counted("0", 0, 0, 0))]))
    assert (found.rows[0].share, found.rows[0].per_request, found.rows[0].per_million_tokens) == (None, None, None)
    assert assembled(Found([])).total.spend == 0


def test_a_new_row_has_no_change_and_one_that_ended_is_in_the_total() -> None:
    before = [(("old",), counted("4")), (("same",), counted("1"))]
    found = assembled(
        Found([(("new",), counted("2")), (("same",), counted("2"))], before=before, before_total=counted("5"))
    )
    assert [(row.key, row.before, row.change) for row in found.rows] == [
        ("new", Decimal(0), None),
        ("same", Decimal(1), Decimal(100)),
    ]
    assert (found.total.before, found.total.change) == (Decimal(5), Decimal(-20))
