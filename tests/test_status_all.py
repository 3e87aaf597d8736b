"""`orcredit status --all`: a row per profile, the worst first, its exit code, the JSON list."""

from __future__ import annotations

import json
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest

from orcredit import simulator
from orcredit.balance import Balance
from orcredit.cli.several import DOCUMENT, Outcome
from orcredit.errors import WORST_FIRST, ExitCode
from orcredit.monitor.turns import MOST_PER_HOST
from tests.profiles import User, user
from tests.simulated import assess_account, known_pace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conftest import Finished

__all__ = ["user"]

ROOT = Path(__file__).parent.parent
SCHEMA = ROOT / "docs" / "status-all.schema.json"


def having(user: User, accounts: Sequence[str], more: str = "") -> User:
    """Write a profile for each account, with its name."""
    user.writes(
        'base_url = "URL"\n'
        + "".join(f'[profiles.{name}]\nkey_file = "{user.keeps(name)}"\n' for name in accounts)
        + more
    )
    return user


def listed(done: Finished) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(done.stdout)
    for row in found:
        assert set(row) == {"profile", "balance", "problem"}
        assert (row["balance"] is None) is not (row["problem"] is None)
    return found


def test_a_row_for_each_the_worst_first(user: User) -> None:
    having(user, ["normal", "low", "exhausted"])
    done = user.run("status", "--all")
    assert (done.code, done.stderr) == (3, "")
    names = [line.split()[0] for line in done.stdout.splitlines()]
    assert names == ["exhausted", "low", "normal"]
    assert "EXHAUSTED" in done.stdout
    assert "$8.00" in done.stdout
    for account in ("normal", "low", "exhausted"):
        assert simulator.key_for(account) not in done.stdout


def test_of_one_level_what_runs_out_soon_is_first_then_the_least_percent_then_the_name() -> None:
    half = assess_account("normal")
    soon = half.fetched_at + timedelta(hours=5)
    pace = known_pace(half)
    by_order = [
        Outcome(
            "soon",
            assess_account("lifetime").model_copy(update={"pace": pace.model_copy(update={"runs_out_at": soon})}),
        ),
        Outcome("least", assess_account("credit-below-limit")),
        Outcome("later", half),
        Outcome("latest-1", half.model_copy(update={"pace": None})),
        Outcome("latest-9", half.model_copy(update={"pace": None})),
        Outcome("latest-10", half.model_copy(update={"pace": None})),
    ]
    assert sorted(sorted(by_order, key=lambda outcome: str(outcome.name)), key=lambda outcome: outcome.rank) == by_order


@pytest.mark.parametrize(
    ("accounts", "code"),
    [
        (["normal"], 0),
        (["unlimited", "normal"], 0),
        (["normal", "low"], 1),
        (["low", "error-503"], 69),
        (["error-503", "exhausted", "low"], 3),
        (["exhausted", "error-401", "error-503"], 77),
    ],
)
def test_the_exit_code_is_the_worst(user: User, accounts: list[str], code: int) -> None:
    having(user, accounts)
    done = user.run("status", "--all", "--json", "--timeout", "2")
    assert done.code == code
    rows = listed(done)
    assert len(rows) == len(accounts)
    worst = rows[0]["problem"]["exitCode"] if rows[0]["problem"] else None
    assert worst == (code if code >= 69 else None)


def test_a_key_that_cannot_be_had_is_a_row(user: User) -> None:
    having(user, ["normal", "exhausted", "error-401"], '[profiles.gone]\nkey_env = "GONE"\n')
    done = user.run("status", "--all")
    assert (done.code, done.stderr) == (78, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("gone")
    assert "GONE, which is not set" in lines[0]
    assert lines[1].startswith("error-401")
    assert user.run("status", "--all", "-q").stdout == ""
    assert user.run("status", "--all", "-q").code == 78


def test_the_order_of_exit_codes() -> None:
    assert [int(code) for code in WORST_FIRST[2:]] == [78, 77, 3, 69, 1, 0]
    assert set(WORST_FIRST) | {ExitCode.INTERRUPTED} == set(ExitCode)


def test_one_refused_key_beside_nine_that_work(user: User) -> None:
    working = [f'[profiles.p{number}]\nkey_file = "{user.keeps("normal")}"\n' for number in range(9)]
    having(user, ["error-401"], "".join(working))
    rows = listed(user.run("status", "--all", "--json"))
    assert [row["profile"] for row in rows if row["problem"]] == ["error-401"]
    assert sum(row["balance"] is not None for row in rows) == 9


def test_a_broken_file_prints_nothing(user: User) -> None:
    user.writes("broken")
    assert user.run("status", "--all").stdout == ""
    user.file.unlink()
    done = user.run("status", "--all", "--json")
    assert (done.code, done.stdout) == (78, "")
    assert "There are no profiles in ~/.config/orcredit/config.toml, and no key is set." in done.stderr


def test_the_unnamed_profile_is_one_of_them(user: User) -> None:
    having(user, ["low"])
    rows = listed(user.run("status", "--all", "--json", OPENROUTER_API_KEY=simulator.key_for("normal")))
    assert [row["profile"] for row in rows] == ["low", None]
    shown = user.run("status", "--all", OPENROUTER_API_KEY=simulator.key_for("normal"))
    assert "(environment)" in shown.stdout


@pytest.mark.parametrize("words", ["-p work", "--demo", "--base-url https://example.com", "--json -q"])
def test_options_that_contradict_it(user: User, words: str) -> None:
    done = having(user, ["normal"]).run("status", "--all", *words.split())
    assert (done.code, done.stdout) == (2, "")


def test_thresholds_and_timeouts_of_each(user: User) -> None:
    normal = user.keeps("normal")
    user.writes(
        f'base_url = "URL"\nwarn_below = "1%"\n[profiles.a]\nkey_file = "{normal}"\n'
        f'[profiles.b]\nkey_file = "{normal}"\nwarn_below = "99%"\n'
    )
    rows = {row["profile"]: row["balance"]["level"] for row in listed(user.run("status", "--all", "--json"))}
    assert rows == {"a": "ok", "b": "low"}
    rows = {
        row["profile"]: row["balance"]["level"]
        for row in listed(user.run("status", "--all", "--json", "--warn-below", "99%"))
    }
    assert rows == {"a": "low", "b": "low"}


# How it asks


class Counting:
    """Counts the requests of each key, and how many there are at once."""

    def __init__(self, wave: int = 1) -> None:
        """Answer when there are so many requests at once."""
        self._wave = threading.Barrier(wave)
        self.asked: Counter[tuple[str, str]] = Counter()
        self.at_once = self.most = 0
        self._lock = threading.Lock()
        self._more = threading.Condition(self._lock)

    def respond(self, request: simulator.Request, now: datetime) -> simulator.Response:
        key = request.headers["authorization"].removeprefix("Bearer ")
        with self._lock:
            self.asked[request.path, key] += 1
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            self._more.notify_all()
        self._wave.wait(30)
        with self._more:  # those that would come beyond the limit have time to come
            self._more.wait_for(lambda: self.at_once > MOST_PER_HOST, timeout=0.2 * (self._wave.parties > 1))
        try:
            known = {"authorization": f"Bearer {simulator.key_for('normal')}"}
            return simulator.respond(simulator.Request(request.method, request.path, known), now)
        finally:
            with self._lock:
                self.at_once -= 1


def test_a_key_that_two_profiles_have_is_asked_about_once(user: User) -> None:
    counting = Counting()
    with simulator.Server(responder=counting.respond) as server:
        user.base_url = server.base_url
        normal = user.keeps("normal")
        user.writes(f'base_url = "URL"\n[profiles.a]\nkey_file = "{normal}"\n[profiles.b]\nkey_file = "{normal}"\n')
        rows = listed(user.run("status", "--all", "--json"))
    assert sorted(row["profile"] for row in rows) == ["a", "b"]
    assert {row["balance"]["profile"] for row in rows} == {"a", "b"}
    assert set(counting.asked.values()) == {1}


def test_fifty_profiles_are_asked_at_once_but_not_all(user: User) -> None:
    counting = Counting(MOST_PER_HOST)
    with simulator.Server(responder=counting.respond) as server:
        user.base_url = server.base_url
        names = [f"p{number}" for number in range(50)]
        user.writes('base_url = "URL"\n' + "".join(f'[profiles.{name}]\nkey_env = "K_{name}"\n' for name in names))
        keys = {f"K_{name}": f"sk-or-v1-0123456789abcdef-{name}" for name in names}
        rows = listed(user.run("status", "--all", "--json", "--timeout", "1m", **keys))
    assert len(rows) == 50
    assert all(row["balance"] for row in rows)
    assert counting.most == MOST_PER_HOST
    assert sum(count for (path, _), count in counting.asked.items() if path.endswith("/key")) == 50


def test_the_prompt_and_the_history_learn_of_every_profile(user: User) -> None:
    having(user, ["normal", "low"])
    user.run("status", "--all", "-q")
    assert user.run("line", "-p", "low").stdout.startswith("$8.00")
    assert user.run("line", "-p", "normal").stdout.startswith("$51.25")
    assert len((user.home / ".local" / "state" / "orcredit" / "history.spool").read_text().splitlines()) == 2


# The document and the table


def test_the_schema_is_that_of_the_document(user: User) -> None:
    schema = DOCUMENT.json_schema(mode="serialization")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "orcredit status --all --json"
    assert json.loads(SCHEMA.read_text()) == schema, f"write it anew: {json.dumps(schema)[:80]}"
    having(user, ["normal", "error-401", "unlimited", "many-budgets"])
    document = json.loads(user.run("status", "--all", "--json").stdout)
    jsonschema_rs.validator_for(schema).validate(document)


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_no_line_is_wider_than_the_terminal(user: User, columns: int) -> None:
    long = "p" + "x" * 60
    having(user, ["normal", "low", "exhausted", "unlimited", "error-401"], f'[profiles.{long}]\nkey_env = "GONE"\n')
    done = user.run("status", "--all", COLUMNS=str(columns))
    assert done.code == 78
    assert max(map(len, done.stdout.splitlines())) <= columns
    assert long in "".join(line[: columns // 3].strip() for line in done.stdout.splitlines())


def test_balances_stay_whole(user: User) -> None:
    having(user, ["normal"])
    (row,) = listed(user.run("status", "--all", "--json"))
    alone = json.loads(user.run("status", "-p", "normal", "--json").stdout)
    assert row["balance"].keys() == alone.keys()
    assert Balance.model_validate(row["balance"]).fetched_at <= datetime.now(UTC)
