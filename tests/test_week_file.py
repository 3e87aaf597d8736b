"""What is known of the week: where it comes from, the file that it is kept in, and the forecast that is made of it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import stat
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orcredit import AsyncClient, Client, cache, private_files, simulator
from orcredit.balance import assess
from orcredit.balance.learning import DAYS
from orcredit.cli.monitoring import new_monitored
from orcredit.config.credentials import fingerprint
from orcredit.config.load import load_profile
from orcredit.history import History, week
from orcredit.monitor import BalancePoller, Hub
from orcredit.openrouter import KeyInfo
from orcredit.sinks.week import EVERY, WeekKeeper
from tests.balances import balance
from tests.in_process import run_here
from tests.test_monitor import DOWN, MINUTE, OK, World, running
from tests.test_secrets import shows_key
from tests.test_sinks import eventually, forever
from tests.weeks import flat_week

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orcredit.balance import Balance

pytest_plugins = ["tests.history_fixtures"]

URL = "https://openrouter.ai/api/v1"
KEY = simulator.key_for("lifetime")
FINGERPRINT = fingerprint(KEY)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(minutes=20)
WEEK = flat_week(NOW.replace(minute=0), level=1.5, growth=0.001, noise=0.02, drift=0.0, growth_doubt=1e-7, days=40)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty home directory, which is this process's too."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "ORCREDIT_NO_HISTORY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def the_file() -> Path:
    return Path(week.path_of(URL, KEY) or "")


def stored(**changes: object) -> Path:
    """Store a week, and change its file's content."""
    week.store(URL, KEY, WEEK)
    whole = json.loads(the_file().read_text())
    the_file().write_text(json.dumps(whole | changes))
    return the_file()


# The file


def test_what_is_stored_can_be_loaded() -> None:
    assert week.load(URL, KEY) is None
    week.store(URL, KEY, WEEK)
    assert week.load(URL, KEY) == WEEK
    assert week.load("https://example.com/v1", KEY) is None
    assert week.load(URL, "sk-or-v1-another") is None
    assert not shows_key(the_file().name + the_file().read_text(), KEY)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_the_file_and_its_directory_are_private_with_any_umask() -> None:
    before = os.umask(0)
    try:
        week.store(URL, KEY, WEEK)
        the_file().parent.chmod(0o755)
        week.store(URL, KEY, WEEK)
    finally:
        os.umask(before)
    assert stat.S_IMODE(the_file().parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(the_file().stat().st_mode) == 0o600
    assert [path.name for path in the_file().parent.iterdir()] == [the_file().name]


@pytest.mark.parametrize("since", [timedelta(minutes=-59), timedelta(0), 8 * DAY])
def test_a_file_of_the_last_eight_days_is_used(since: timedelta) -> None:
    week.store(URL, KEY, WEEK)
    assert week.load(URL, KEY, WEEK.until + since) == WEEK


@pytest.mark.parametrize("since", [timedelta(minutes=-61), -DAY, 8 * DAY + timedelta(seconds=1), 999 * DAY])
def test_a_file_from_the_future_or_out_of_date_counts_as_absent(since: timedelta) -> None:
    week.store(URL, KEY, WEEK)
    assert week.load(URL, KEY, WEEK.until + since) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"format": week.FORMAT + 1},
        {"format": None},
        {"level": 0},
        {"level": -1},
        {"level": "1"},
        {"level": True},
        {"level": 1e16},
        {"noise": float("nan")},
        {"noise": -0.1},
        {"drift": None},
        {"growth": 0.2},
        {"wild": 0.5},
        {"growth": float("-inf")},
        {"until": 1e12},
        {"until": None},
        {"days": "many"},
        {"shares": []},
        {"shares": [1] * 168},
        {"shares": [7, *[0] * 166]},
        {"shares": [8, -1, *[0] * 166]},
        {"shares": [7, None, *[0] * 166]},
        {"shares": {}},
        {"shares": None},
    ],
)
def test_an_invalid_file_counts_as_absent(changes: dict[str, object]) -> None:
    stored(**changes)
    assert week.load(URL, KEY) is None
    week.store(URL, KEY, WEEK)
    assert week.load(URL, KEY) == WEEK


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"{}", b"\xff\0", b"[" * 100_000, b" " * (week.LARGEST + 1)])
def test_a_file_without_a_week_counts_as_absent(content: bytes) -> None:
    stored().write_bytes(content)
    assert week.load(URL, KEY) is None


def test_a_larger_file_is_not_read() -> None:
    stored(more="x" * week.LARGEST)
    assert week.load(URL, KEY) is None


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX links and pipes")
def test_links_pipes_and_directories_count_as_absent_and_are_replaced(home: Path) -> None:
    elsewhere = home / "elsewhere"
    stored().rename(elsewhere)
    the_file().symlink_to(elsewhere)
    assert week.load(URL, KEY) is None
    week.store(URL, KEY, replace(WEEK, level=9.0))
    assert json.loads(elsewhere.read_text())["level"] == WEEK.level
    the_file().unlink()
    os.mkfifo(the_file())
    assert week.load(URL, KEY) is None
    the_file().unlink()
    the_file().mkdir()
    assert week.load(URL, KEY) is None
    week.store(URL, KEY, WEEK)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX links")
def test_a_directory_that_is_a_link_is_not_used(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    (home / "elsewhere").mkdir()
    (home / ".local" / "state").mkdir(parents=True)
    (home / ".local" / "state" / "orcredit").symlink_to(home / "elsewhere")
    with caplog.at_level(logging.DEBUG, "orcredit"):
        week.store(URL, KEY, WEEK)
    assert list((home / "elsewhere").iterdir()) == []
    assert [record.levelname for record in caplog.records] == ["DEBUG"]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can")
def test_the_file_of_another_user_counts_as_absent() -> None:
    os.chown(stored(), 12345, 12345)
    assert week.load(URL, KEY) is None


def test_without_a_home_nothing_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "nowhere")
    week.store(URL, KEY, WEEK)
    assert week.load(URL, KEY) is None


# Its source


def office_polls(until: datetime, days: int = 30) -> Iterator[Balance]:
    """Poll a key every half hour that spends a dollar an hour on weekdays from 9 to 18 o'clock."""
    at, usage = (until - days * DAY).replace(minute=0, second=0, microsecond=0), Decimal(100)
    while at <= until:
        yield balance(at, usage, limit=None)
        at += HOUR / 2
        if at.weekday() < 5 and 9 < at.hour + at.minute / 60 <= 18:
            usage += Decimal("0.5")


@pytest.fixture
def recorded() -> Iterator[History]:
    with History.in_memory() as history:
        history.record_all(FINGERPRINT, office_polls(NOW))
        yield history


def test_the_hours_of_a_history_are_what_was_spent_in_them(history: History) -> None:
    history.record_all(FINGERPRINT, office_polls(NOW, 3))
    hours = history.hourly(FINGERPRINT, NOW, 96)
    end = NOW.replace(minute=0)
    for index, spend in enumerate(hours):
        hour = end - (96 - index) * HOUR
        if index < 24:
            assert spend is None
        else:
            assert spend == (1 if hour.weekday() < 5 and 9 <= hour.hour < 18 else 0)


def test_of_a_gap_of_more_than_a_day_nothing_is_known_unless_nothing_was_spent(history: History) -> None:
    end = NOW.replace(minute=0)
    for hours, usage in ((-150, 1), (-140, 1), (-110, 4), (-100, 4), (-70, 4), (-60, 4), (-50, 14), (-1, 14)):
        history.record(FINGERPRINT, balance(end + hours * HOUR, usage, limit=None))
    found = history.hourly(FINGERPRINT, NOW, 150)
    assert found[:10] == [0] * 10
    assert found[10:40] == [None] * 30
    assert found[40:90] == [0] * 50  # the same usage at both ends of a gap
    assert found[90:100] == [1] * 10  # a night
    assert found[100:149] == [0] * 49
    assert found[149] is None


def test_an_empty_history_and_an_unknown_key_have_no_hours(history: History) -> None:
    assert history.hourly(FINGERPRINT, NOW, 3) == [None] * 3
    history.record(FINGERPRINT, balance(NOW, 1))
    assert history.hourly("0" * 12, NOW, 3) == [None] * 3
    assert history.hourly(FINGERPRINT, NOW, 3) == [None] * 3


def test_a_week_is_learned_of_a_history_and_stored(recorded: History) -> None:
    week.refresh(recorded, URL, KEY, NOW)
    known = week.load(URL, KEY, NOW)
    assert known is not None
    assert known.until == NOW.replace(minute=0)
    assert known.level * 7 == pytest.approx(45, rel=0.02)
    assert sum(known.shares[120:]) == pytest.approx(0)


def test_what_is_stored_stays_where_nothing_can_be_learned(recorded: History) -> None:
    week.store(URL, KEY, WEEK)
    week.refresh(recorded, URL, KEY, NOW + (DAYS - 10) * DAY)
    assert week.load(URL, KEY) == WEEK


def test_a_history_that_cannot_be_used_is_no_error(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    (home / "some.db").write_text("This is not a database. " * 99)
    week.store(URL, KEY, WEEK)
    with caplog.at_level(logging.DEBUG, "orcredit"):
        week.refresh(History(f"sqlite:///{home}/some.db"), URL, KEY)
    assert week.load(URL, KEY) == WEEK
    assert {record.levelname for record in caplog.records} == {"DEBUG"}


def test_a_sink_has_it_learned_at_the_first_answer_and_then_every_hour() -> None:
    learned: list[str | None] = []
    seconds = [0.0]

    async def story() -> None:
        world = World(DOWN, OK, OK)
        hub = Hub(
            [BalancePoller(world.ask, MINUTE, clock=world.clock, sleep=forever)], clock=world.clock, sleep=forever
        )
        keeper = WeekKeeper(learned.append, lambda: seconds[0])
        hub.add_sink(keeper)
        async with running(hub):
            snapshot = await anext(aiter(hub.pollers[0].snapshots()))
            await keeper.handle([snapshot])
            assert learned == []  # that poll failed
            answered = replace(snapshot, error=None, value=OK)
            for now, count in ((0.0, 1), (EVERY - 1, 1), (EVERY, 2), (EVERY + 60, 2), (2 * EVERY, 3)):
                seconds[0] = now
                await keeper.handle([answered])
                await eventually(lambda count=count: len(learned) == count)  # type: ignore[misc]

    asyncio.run(story())


# What is made of it


def key_info(**fields: Any) -> KeyInfo:  # noqa: ANN401 - JSON
    numbers = {"usage": 10, "usage_daily": 1, "usage_weekly": 3, "usage_monthly": 5}
    return KeyInfo.model_validate({"label": "test", "limit": 100, "limit_remaining": 30} | numbers | fields)


def test_budgets_that_only_the_key_spends_from_are_forecast_by_its_week() -> None:
    before = assess(key_info(), None, NOW).pace
    pace = assess(key_info(), None, NOW, week=WEEK).pace
    assert before is not None
    assert pace is not None
    assert before.basis != "history"
    assert (pace.basis, pace.scope) == ("history", "key_limit")
    assert pace.per_day == pytest.approx(Decimal("1.5"), rel=Decimal("0.05"))
    assert pace.runs_out_at is not None
    assert pace.runs_out_at - NOW == pytest.approx(20 * DAY, rel=0.05)
    assert pace.runs_out_earliest is not None
    assert pace.runs_out_latest is not None
    assert pace.runs_out_earliest < pace.runs_out_at < pace.runs_out_latest


def test_a_reset_is_known_to_the_forecast_by_the_week() -> None:
    lasting = assess(key_info(limit_reset="daily"), None, NOW, week=WEEK).pace
    assert lasting is not None
    assert (lasting.basis, lasting.lasts_until_reset, lasting.runs_out_at) == ("history", True, None)
    assert lasting.affordable_per_day is not None
    assert lasting.affordable_per_day >= 30
    assert lasting.projected_at_reset is not None
    spent = assess(key_info(limit_reset="daily", limit_remaining=0), None, NOW, week=WEEK).pace
    assert spent is not None
    assert (spent.lasts_until_reset, spent.runs_out_at, spent.runs_out_latest) == (False, NOW, NOW)


@pytest.mark.parametrize(
    ("fields", "is_by_week"),
    [
        ({"include_byok_in_limit": True, "byok_usage": 0}, True),
        ({"include_byok_in_limit": True, "byok_usage": 3, "byok_usage_monthly": 2}, False),
        ({"include_byok_in_limit": False, "byok_usage": 3}, True),
    ],
)
def test_usage_that_the_history_does_not_count_leaves_the_forecast_to_the_answer(
    fields: dict[str, Any], *, is_by_week: bool
) -> None:
    pace = assess(key_info(**fields), None, NOW, week=WEEK).pace
    assert pace is not None
    assert (pace.basis == "history") is is_by_week


def test_shared_budgets_are_not_forecast_by_the_week() -> None:
    shared = {"limit_usd": 50, "spend_usd": 10, "remaining_usd": 40, "reset_interval": "monthly", "include_byok": False}
    key = key_info(limit=None, limit_remaining=None, budgets=[{"scope": "workspace", "resets_at": None} | shared])
    document = assess(key, None, NOW, week=WEEK)
    assert document.budgets[0].pace is not None
    assert document.budgets[0].pace.basis != "history"


# All of it


@pytest.fixture
def environ(server: simulator.Server, bare_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a user whose key has thirty days of history, and this process's."""
    environ = bare_environ | {"OPENROUTER_API_KEY": KEY, "OPENROUTER_BASE_URL": server.base_url}
    for name in ("OPENROUTER_API_KEY", "OPENROUTER_BASE_URL"):
        monkeypatch.setenv(name, environ[name])
    database = Path(environ["HOME"]) / ".local" / "share" / "orcredit" / "history.db"
    with History() as history:
        history.record_all(FINGERPRINT, office_polls(datetime.now(UTC), 30))
    assert database.exists()
    return environ


def polled(*, has_history: bool) -> Balance:
    """Do what `watch` and `serve` do for one poll."""

    async def poll() -> Balance:
        monitored = new_monitored(
            MINUTE,
            base_url=None,
            timeout=60,
            warn_below=None,
            database_url=None,
            has_history=has_history,
            hurries=False,
        )
        async with running(monitored.hub):
            snapshot = await anext(aiter(monitored.poller.snapshots()))
            await monitored.hub.drain(60)
        assert snapshot.balance is not None
        return snapshot.balance

    return asyncio.run(poll())


def test_every_command_says_the_same_once_the_week_is_known(environ: dict[str, str]) -> None:
    def status(**more: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(run_here("status", "--json", environ=environ | more).stdout)["pace"]
        return found

    before = status()
    assert before["basis"] != "history"
    assert run_here("history", environ=environ).code == 0  # learns
    known = status()
    assert known["basis"] == "history"
    assert "(by its past weeks)" in run_here("status", environ=environ).stdout
    cached = cache.load(load_profile().base_url, KEY)  # which `line` shows
    assert cached is not None
    assert cached.runs_out_at is not None
    run_outs = [datetime.fromtimestamp(cached.runs_out_at, UTC), datetime.fromisoformat(known["runsOutAt"])]
    for document in (Client().balance(), polled(has_history=True)):
        assert document.pace is not None
        assert document.pace.runs_out_at is not None
        assert document.pace.basis == "history"
        run_outs.append(document.pace.runs_out_at)
    assert max(run_outs) - min(run_outs) < timedelta(minutes=5)
    assert abs(datetime.fromisoformat(before["runsOutAt"]) - run_outs[0]) > timedelta(minutes=5)

    assert status(ORCREDIT_NO_HISTORY="1")["basis"] == before["basis"]
    assert status(ORCREDIT_NO_HISTORY="0")["basis"] == "history"
    document = polled(has_history=False)
    assert document.pace is not None
    assert document.pace.basis == before["basis"]


def test_watch_and_serve_learn_the_week(environ: dict[str, str]) -> None:
    profile = load_profile()
    assert environ["OPENROUTER_API_KEY"] == KEY
    assert week.load(profile.base_url, KEY) is None
    polled(has_history=True)
    assert week.load(profile.base_url, KEY) is not None


def test_without_a_history_nothing_is_learned(environ: dict[str, str]) -> None:
    profile = load_profile()
    polled(has_history=False)
    run_here("history", environ=environ | {"ORCREDIT_NO_HISTORY": "1"})
    assert week.load(profile.base_url, KEY) is None


def test_a_disk_that_does_not_answer_is_not_waited_for(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert environ["OPENROUTER_API_KEY"] == KEY
    profile = load_profile()
    week.store(profile.base_url, KEY, replace(WEEK, until=datetime.now(UTC)))
    hanging, begun = threading.Event(), 0
    read = private_files.read_private

    def hang(path: str, largest: int) -> bytes:
        nonlocal begun
        begun += 1
        assert hanging.wait(60)
        return read(path, largest)

    async def poll(client: AsyncClient) -> str | None:
        pace = (await client.balance()).pace
        assert pace is not None
        return pace.basis

    async def story() -> None:
        client = AsyncClient()
        assert await poll(client) == "history"
        with monkeypatch.context() as patch:
            patch.setattr("orcredit.client._WEEK_SECONDS", 0.01)
            patch.setattr(week, "read_private", hang)
            assert "history" not in [await poll(client) for _ in range(3)]
            assert begun == 1
            hanging.set()
            while (await poll(client)) != "history":
                patch.setattr("orcredit.client._WEEK_SECONDS", 60)

    asyncio.run(story())
