"""Asks the simulator without a socket."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from orcredit.simulator import DEMO_INSTANT, Request, Response, respond

instants = st.datetimes(datetime(2026, 1, 1), datetime(2027, 6, 1), timezones=st.just(UTC))  # noqa: DTZ001


def ask(route: str, key: str, now: datetime = DEMO_INSTANT, method: str = "GET") -> Response:
    return respond(Request(method, f"/api/v1{route}", {"authorization": f"Bearer {key}"}), now)


def data(route: str, key: str, now: datetime = DEMO_INSTANT) -> Any:  # noqa: ANN401 - it is JSON
    answer = ask(route, key, now)
    assert answer.status == 200, answer.body
    return json.loads(answer.body, parse_float=Decimal)["data"]
