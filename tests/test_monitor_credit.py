"""The events of a level that depends on the account's credit, which OpenRouter does not tell at every poll."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orcredit.monitor import LevelChanged
from tests.simulated import assess_wire
from tests.test_monitor import play

if TYPE_CHECKING:
    from orcredit.balance import Balance

Levels = tuple[str, str]


def answer(name: str) -> Balance:
    """Make a balance: a limit of $100 or none, and the account's credit, if it is known."""
    limit, _, credit = name.partition("+")
    key = {"limit": 100 if limit.isdigit() else None, "limit_remaining": int(limit) if limit.isdigit() else None}
    credits_ = {"total_credits": 100, "total_usage": 100 - float(credit)} if credit else None
    return assess_wire(key, credits_)


@pytest.mark.parametrize(
    ("answers", "changes"),
    [
        (["none+50", "none", "none+49"], []),  # ok, unlimited, ok
        (["none", "none+50", "none"], []),
        (["none+0.5", "none", "none+0.4"], []),  # low before and after
        (["80+0", "80", "80+0"], []),
        (["none", "none+0.5"], [("unlimited", "low")]),  # bad news
        (["none+50", "none", "none+0.5"], [("ok", "low")]),
        (["none+0", "none", "none", "none+50"], [("exhausted", "ok")]),  # bought meanwhile
        (["80+50", "5", "5+50"], [("ok", "low")]),  # by the budget, and once
        (["80+50", "80", "5"], [("ok", "low")]),
        (["5", "80"], [("low", "ok")]),
        (["none+50", "none+0.5"], [("ok", "low")]),
    ],
)
def test_a_credit_that_is_not_known_at_times_is_no_event(answers: list[str], changes: list[Levels]) -> None:
    seen = play(*map(answer, answers))
    events = [event for snapshot in seen for event in snapshot.new_events if isinstance(event, LevelChanged)]
    assert [(str(event.before), str(event.after)) for event in events] == changes
