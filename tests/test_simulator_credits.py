"""The simulator's `/credits` for ordinary keys, and its faults of this route alone."""

from __future__ import annotations

import time
from http.client import HTTPConnection

import pytest

from orcredit.simulator import FAULTS, Server, key_for, management_key_for
from tests.responding import ask, data


@pytest.mark.parametrize("name", ["credits-503", "slow-credits"])
def test_a_fault_of_one_route_leaves_the_others_alone(name: str) -> None:
    key = key_for(name)
    assert data("/key", key)["limit"] == 100
    assert ask("/keys", key).status == 403
    assert (ask("/credits", key).status, ask("/credits", key).delay) == (FAULTS[name].status, FAULTS[name].delay)


def test_a_delayed_answer_is_sent_late_and_not_waited_for_at_the_end() -> None:
    with Server() as server:
        connection = HTTPConnection("127.0.0.1", int(server.base_url.split(":")[2].partition("/")[0]), timeout=60)
        connection.request("GET", "/credits", headers={"authorization": f"Bearer {key_for('slow-credits')}"})
        while not server.requests:
            time.sleep(0.01)
        started = time.monotonic()
    assert time.monotonic() - started < FAULTS["slow-credits"].delay
    connection.close()


@pytest.mark.parametrize("name", ["credits-told", "credits-overused"])
def test_some_ordinary_keys_are_told_the_accounts_credit(name: str) -> None:
    assert data("/credits", key_for(name)) == data("/credits", management_key_for(name))
    assert ask("/keys", key_for(name)).status == 403
