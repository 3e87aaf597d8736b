"""The event stream: its envelopes, its clients, how often OpenRouter is polled for it, and its end."""

from __future__ import annotations

import json
import re
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orcredit import simulator
from tests.broken_server import BrokenServer
from tests.serving import (
    BALANCE,
    EVENTS,
    REFRESH,
    SECURITY_HEADERS,
    SESSION,
    SNAPSHOT,
    TOKEN,
    Serving,
    Upstream,
    serving,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

pytest_plugins = ["tests.server_fixtures"]
pytestmark = pytest.mark.process


@pytest.fixture
def calm(tmp_path: Path, upstream: Upstream) -> Iterator[Serving]:
    """A server that polls on request only."""
    with serving("--interval", "1h", home=tmp_path, upstream=upstream) as running:
        running.wait_for_answer()
        yield running


def refresh(server: Serving) -> None:
    """Poll once more; a poll less than two seconds old counts as one, so wait first."""
    wait_until(lambda: int(server.ask(BALANCE).headers["Age"]) >= 2)
    assert server.post(REFRESH).status == 200


def test_the_newest_snapshot_comes_at_once_and_each_later_one_once(calm: Serving, upstream: Upstream) -> None:
    with calm.stream() as stream:
        assert stream.headers["Content-Type"].partition(";")[0] == "text/event-stream"
        assert stream.headers["Cache-Control"] == "no-store"
        assert {name: stream.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
        first = stream.next()
        assert first.name == "message"
        assert without_age(first.data) == without_age(calm.ask(SNAPSHOT).json)
        assert (first.data["sequence"], first.data["balance"]) == (1, calm.ask(BALANCE).json)
        assert 0 <= first.data["age"] < 30
        assert "retry: 3000" in stream.said

        upstream.account = "low"
        refresh(calm)
        second = stream.next()
        assert (second.name, second.data["sequence"]) == ("message", 2)
        assert without_age(second.data) == without_age(calm.ask(SNAPSHOT).json)
        assert second.data["balance"]["remaining"] == 8

        upstream.kill()
        refresh(calm)
        third = stream.next()
        assert (third.name, third.data["sequence"], third.data["problem"]) == ("message", 3, None)
        assert (third.data["balance"]["stale"], third.data["balance"]["remaining"]) == (True, 8)
        assert third.data["age"] >= 2
        assert sum(line.startswith("data: ") for line in stream.said) == 3


def without_age(envelope: dict[str, object]) -> dict[str, object]:
    return envelope | {"age": None, "nextPollIn": None}


def test_the_first_envelope_has_all_kept_events_and_later_ones_the_new(calm: Serving, upstream: Upstream) -> None:
    upstream.account = "low"
    refresh(calm)
    with calm.stream() as early:
        assert [event["kind"] for event in early.next().data["events"]] == ["level"]
        refresh(calm)
        assert early.next().data["events"] == []
        upstream.account = "normal"
        refresh(calm)
        new = early.next().data["events"]
        assert ("level", False) in [(event["kind"], event["isWorse"]) for event in new]
        assert not any(event["isWorse"] for event in new)
        with calm.stream() as late:
            first, *others = late.next().data["events"]
            assert (first["isWorse"], others) == (True, new)


@pytest.mark.parametrize("seen", ["0", "1", "2", "", "none", "1.0", "\u00e9", "9" * 1000])
def test_an_unknown_last_event_id_gets_the_newest_snapshot(calm: Serving, seen: str) -> None:
    with calm.stream(Last_Event_ID=seen) as stream:
        assert stream.next().data["sequence"] == 1


def test_the_newest_last_event_id_gets_the_next_snapshot(calm: Serving) -> None:
    with calm.stream() as stream:
        seen = stream.next().id
    with calm.stream(Last_Event_ID=seen) as stream:
        assert stream.line() == "retry: 3000"
        refresh(calm)
        assert stream.next().data["sequence"] == 2


def test_an_event_id_of_a_former_start_is_not_taken_for_one_of_this_start(tmp_path: Path, upstream: Upstream) -> None:
    seen: list[str] = []
    for _ in range(2):
        with serving("--interval", "1h", home=tmp_path, upstream=upstream) as server:
            server.wait_for_answer()
            with server.stream(Last_Event_ID="".join(seen)) as stream:
                event = stream.next()
                assert event.data["sequence"] == 1
                seen = [event.id]


def test_before_any_answer_the_envelope_has_the_problem(tmp_path: Path, upstream: Upstream) -> None:
    upstream.account = "html"
    with serving("--interval", "1h", home=tmp_path, upstream=upstream) as server:
        server.wait_for_answer()
        with server.stream() as stream:
            failed = stream.next()
            assert (failed.name, failed.data["sequence"]) == ("message", 1)
            assert (failed.data["balance"], failed.data["age"]) == (None, None)
            assert failed.data["problem"] == server.ask(BALANCE).json
            assert failed.data["problem"]["code"] == "nonsense"
            upstream.account = "normal"
            wait_until(lambda: server.post(REFRESH).status == 200)
            answer = stream.next()
            assert (answer.data["problem"], answer.data["balance"]["remaining"]) == (None, 51.25)
            assert [event["kind"] for event in answer.data["events"]] == ["back"]


def test_before_the_first_poll_ends_it_waits(tmp_path: Path) -> None:
    with (
        BrokenServer("hang") as hanging,
        serving("--timeout", "3", home=tmp_path, upstream=hanging.base_url) as server,
        server.stream() as stream,
    ):
        assert stream.line() == "retry: 3000"
        assert server.ask(BALANCE).problem == (503, "starting")
        assert stream.next().data["problem"]["code"] == "unreachable"


def test_a_silent_stream_is_kept_alive(tmp_path: Path) -> None:
    constants = {"orcredit.server.routes.events.PING_SECONDS": 1}
    with (
        serving("--demo", "--no-history", "--interval", "1h", home=tmp_path, constants=constants) as server,
        server.stream() as stream,
    ):
        stream.next()
        while not stream.line().startswith(":"):
            pass
        while not stream.line().startswith(":"):
            pass
        assert all(re.fullmatch(r"(retry|id|data): .*|: .*|", line) for line in stream.said)


def test_one_poll_is_sent_to_all_streams(tmp_path: Path, upstream: Upstream) -> None:
    with serving("--interval", "1h", home=tmp_path, upstream=upstream) as server, ExitStack() as stack:
        server.wait_for_answer()
        streams = [stack.enter_context(server.stream()) for _ in range(100)]
        assert {stream.next().data["sequence"] for stream in streams} == {1}
        upstream.account = "low"
        refresh(server)
        events = [stream.next() for stream in streams]
        assert {(event.data["sequence"], event.data["balance"]["remaining"]) for event in events} == {(2, 8)}
        assert len({event.id for event in events}) == 1
        assert upstream.polls == 2


def test_a_client_that_disconnects_does_not_affect_others(calm: Serving) -> None:
    with calm.stream() as staying:
        staying.next()
        for _ in range(20):
            with calm.stream() as leaving:
                leaving.next()
        refresh(calm)
        assert staying.next().data["sequence"] == 2
    assert calm.stop() == 0
    assert calm.errors == ""


def big(request: simulator.Request, now: datetime) -> simulator.Response:
    """Answer with more than the system's send buffer: a thousand budgets."""
    response = simulator.respond(request, now)
    if not request.path.endswith("/key"):
        return response
    answer = json.loads(response.body)
    [budget] = answer["data"]["budgets"]
    answer["data"]["budgets"] = [budget] * (300_000 // len(json.dumps(budget)))
    return simulator.Response(200, response.headers, json.dumps(answer).encode())


def test_a_client_that_stops_reading_is_disconnected_and_no_other(tmp_path: Path, upstream: Upstream) -> None:
    upstream.respond = big
    constants = {"orcredit.server.connections.STUCK_SECONDS": 2}
    with serving("--interval", "1", home=tmp_path, upstream=upstream, constants=constants) as server:
        server.wait_for_answer()
        size = len(server.ask(BALANCE).body)
        assert size > 150_000
        with server.wire(buffer=4096) as stuck, server.stream() as reading:
            stuck.send(server.request("GET", EVENTS, {}, None))
            numbers = [reading.next().data["sequence"] for _ in range(5)]
            assert numbers == sorted(set(numbers))
            got = 0
            with suppress(ConnectionError):
                while (data := stuck.socket.recv(65536)) and got < 8 * size:
                    got += len(data)
            assert got < 5 * size  # it has ended, in the middle
            assert reading.next().data["sequence"] > numbers[-1]
        assert server.ask("/healthz").status == 200
        assert server.stop() == 0
    assert server.errors == ""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has TCP_USER_TIMEOUT")
def test_a_client_that_stops_reading_small_events_is_disconnected(tmp_path: Path, upstream: Upstream) -> None:
    """All that waits for it is in the system's buffers."""
    constants = {"orcredit.server.connections.STUCK_SECONDS": 1}
    with serving("--interval", "1", home=tmp_path, upstream=upstream, constants=constants) as server:
        server.wait_for_answer()
        with server.wire(buffer=2048) as stuck, server.stream() as reading:
            stuck.send(server.request("GET", EVENTS, {}, None))
            numbers = [reading.next().data["sequence"] for _ in range(8)]
            got = b""
            with suppress(ConnectionError):
                while (data := stuck.socket.recv(65536)) and f'"sequence":{numbers[-1] + 1},'.encode() not in got:
                    got += data
            assert b'"sequence":1,' in got
            assert f'"sequence":{numbers[-1]},'.encode() not in got  # it ended before that one
            assert reading.next().data["sequence"] > numbers[-1]
        assert server.stop() == 0
    assert server.errors == ""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_client_that_stops_within_its_last_response_is_disconnected(tmp_path: Path, upstream: Upstream) -> None:
    """The rest of a response may be small, with nothing to be sent after it."""
    upstream.respond = big
    constants = {"orcredit.server.connections.STUCK_SECONDS": 3, "orcredit.server.connections._SENDING_BYTES": 4096}
    with serving("--interval", "1h", home=tmp_path, upstream=upstream, constants=constants, files=40) as server:
        server.wait_for_answer()
        size = len(server.ask(BALANCE).body)
        with server.wire(buffer=2048) as stuck:
            stuck.send(server.request("GET", BALANCE, {}, None))
            # Read on until less is left than what asyncio begins to write again at, 16 KiB.
            got = 0
            while got < size - 14_000:
                got += len(stuck.socket.recv(2048))
            wait_until(lambda: open_connections(server) == 0)
        assert server.stop() == 0
    assert server.errors == ""


def open_connections(server: Serving) -> int:
    """Count the server's connected sockets."""
    done = 0
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        _, local, _, state, *_ = line.split()
        done += local.endswith(f":{server.port:04X}") and state in {"01", "08"}
    return done


def test_the_stream_ends_with_the_server(calm: Serving) -> None:
    with calm.stream() as stream:
        stream.next()
        assert calm.stop() == 0
        assert stream.rest() == []  # the last chunk was sent: a proper end, no broken connection
    assert calm.errors == ""


def test_the_stream_ends_with_the_session_at_the_next_event(tmp_path: Path, upstream: Upstream) -> None:
    with serving("--interval", "1", home=tmp_path, upstream=upstream, environ={"ORCREDIT_TOKEN": TOKEN}) as server:
        cookie = server.log_in().headers["Set-Cookie"].partition(";")[0]
        with server.stream(Cookie=cookie) as ending, server.stream(Authorization=f"Bearer {TOKEN}") as staying:
            ending.next()
            staying.next()
            assert server.ask(SESSION, "DELETE", Cookie=cookie).status == 204
            before = server.ask(BALANCE, Authorization=f"Bearer {TOKEN}").json["fetchedAt"]
            assert all(event.data["balance"]["fetchedAt"] <= before for event in ending.rest())
            staying.next()
            staying.next()


def test_a_refused_stream_is_a_problem(tmp_path: Path) -> None:
    with serving("--demo", "--no-history", home=tmp_path, environ={"ORCREDIT_TOKEN": TOKEN}) as server:
        assert server.ask(EVENTS).problem == (401, "unauthorized")
        assert server.ask(EVENTS, Authorization="Bearer wrong").problem == (401, "unauthorized")
        assert server.ask(EVENTS, Host="evil.com").problem == (403, "foreign_host")
        assert server.ask(EVENTS, Origin="http://evil.com").problem == (403, "foreign_origin")
