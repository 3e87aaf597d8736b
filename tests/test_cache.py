"""The cache of the prompt line: its place, content, privacy, concurrent writers, invalid files and claims."""

from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from platformdirs.macos import MacOS
from platformdirs.unix import Unix
from platformdirs.windows import Windows

from orcredit import cache, simulator
from orcredit.balance import Balance, Level
from orcredit.errors import ConfigurationError, KeyRefusedError, NonsenseError, OrcreditError, UnreachableError
from tests.simulated import assess_account

URL = "https://openrouter.ai/api/v1"
KEY = simulator.key_for("normal")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty home directory, which is this process's too."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    return tmp_path


def balance(name: str = "demo", /, **changes: Any) -> Balance:  # noqa: ANN401 - JSON
    """Return an account's balance with changed fields of its document; nested objects may be partial."""
    whole = json.loads(assess_account(name).model_dump_json())
    paid = json.loads(assess_account("management", with_credit=True).model_dump_json())
    for field, value in changes.items():
        if field == "budgets":
            whole[field] = [whole[field][0] | {"isLimiting": place == 0} | one for place, one in enumerate(value)]
        elif isinstance(value, dict):
            whole[field] = (whole[field] or paid[field]) | value
        else:
            whole[field] = value
    return Balance.model_validate_json(json.dumps(whole))


def store(name: str = "demo", /, **changes: Any) -> cache.Cached:  # noqa: ANN401
    cache.store(URL, KEY, balance(name, **changes))
    cached = cache.load(URL, KEY)
    assert cached is not None
    return cached


def the_file(suffix: str = ".json") -> Path:
    return Path(cache.path_of(URL, KEY, suffix) or "")


# The directory


@pytest.mark.parametrize(
    ("platform", "dirs"), [("linux", Unix), ("freebsd14", Unix), ("darwin", MacOS), ("win32", Windows)]
)
@pytest.mark.parametrize("xdg", [None, "", "/somewhere/else", "relative"])
def test_the_directory_is_that_of_platformdirs(
    platform: str, dirs: type[Unix | MacOS | Windows], xdg: str | None, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if platform == "win32" and os.name == "posix":
        monkeypatch.setattr("platformdirs.windows.get_win_folder", lambda _: os.environ["LOCALAPPDATA"])
    monkeypatch.setenv("LOCALAPPDATA", str(home / "AppData" / "Local"))
    if xdg is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", xdg)
    assert cache.directory(platform=platform) == dirs("orcredit", appauthor=False).user_cache_dir


def test_without_home_the_user_database_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    assert cache.directory(platform="linux") == Unix("orcredit").user_cache_dir


@pytest.mark.parametrize(("platform", "environ"), [("linux", {"HOME": "relative"}), ("win32", {})])
def test_a_user_without_a_home_has_no_cache(platform: str, environ: dict[str, str]) -> None:
    assert cache.directory(environ, platform) is None


def test_without_a_home_storing_and_loading_do_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "nowhere")
    cache.store(URL, KEY, balance())
    assert cache.load(URL, KEY) is None
    with pytest.raises(OSError, match="no home directory"):
        cache.claim_refresh(URL, KEY, 60, time.time())


# The content


def test_what_is_stored_can_be_loaded() -> None:
    before = time.time()
    cached = store()

    assert (cached.level, cached.spendable, cached.percent, cached.percentage) == ("ok", "$158.61", "31.7%", 31.7)
    assert (cached.limited_by, cached.label) == ("key_limit", "demo (simulated)")
    assert cached.fetched_at == simulator.DEMO_INSTANT.timestamp()
    assert cached.resets_at == 1772323200  # 2026-03-01T00:00:00Z
    assert (cached.expires_at, cached.refused_until) == (None, None)
    assert cached.runs_out_at == 1771062681  # 2026-02-14T09:51:21Z
    assert (cached.is_upper_bound, cached.needs_attention, cached.is_free_tier) == (False, False, False)
    assert cached.free_requests == 1000 - 36
    assert cached.credit_until is None
    assert before - 0.001 <= cached.written_at <= time.time() + 0.001  # it is rounded to a millisecond


def test_the_run_out_is_stored_when_there_is_one() -> None:
    cached = store(pace={"perDay": 20.0, "runsOutAt": "2026-02-20T16:39:47.000Z"})
    assert cached.runs_out_at == cached.fetched_at + 8 * 86400
    assert cached.runs_out_of is None
    assert store(pace={"scope": "workspace", "runsOutAt": "2026-02-20T16:39:47.000Z"}).runs_out_of == "workspace"
    assert store(pace={"perDay": 0.0, "runsOutAt": None}).runs_out_at is None


@pytest.mark.parametrize("account", sorted(simulator.ACCOUNTS.keys() - {"older-broken", "refused-later"}))
def test_every_kind_of_account_can_be_stored(account: str) -> None:
    seen = assess_account(account, with_credit=account in {"management", "negative-credit", "credit-below-limit"})
    cache.store(URL, KEY, seen)
    cached = cache.load(URL, KEY)

    assert cached is not None
    assert cached.level == seen.level
    assert (cached.spendable is None) == (seen.spendable is None)
    assert (cached.percent is None) == (seen.percent_left is None)
    assert (cached.limited_by, cached.label) == (seen.limited_by, seen.key.label)


def test_a_large_document_gives_a_small_file() -> None:
    budgets = [{"remaining": 5.0, "resetsAt": None, "scope": "x" * 200}] * 7000  # 1.7 MB; an answer may have 1 MiB
    store("exhausted", budgets=budgets)
    assert the_file().stat().st_size < 1000


def test_the_longest_texts_from_openrouter_can_be_stored(caplog: pytest.LogCaptureFixture) -> None:
    longest = "\U0001f4b8" * 200
    assert store(limitedBy=longest, key={"label": longest, "expiresAt": None}).label == longest
    caplog.set_level(logging.DEBUG, logger="orcredit")
    assert store(key={"label": "x" * cache.LARGEST, "expiresAt": None}).label == longest
    assert "could not be stored" in caplog.text


@pytest.mark.parametrize(
    ("limit", "remaining", "percent"),
    [(100, 10**15, "1000000000000000.0%"), (1e-8, 10**15, f"{10**25}.0%"), (1e-8, -(10**15), f"-{10**25}.0%")],
)
def test_every_amount_from_openrouter_can_be_stored(limit: float, remaining: int, percent: str) -> None:
    share = Decimal(remaining) / Decimal(str(limit)) * 100
    budget = {"limit": limit, "remaining": remaining, "percentRemaining": f"{share:.1f}"}  # a text keeps the decimals
    cached = store(spendable=max(remaining, 0), budgets=[budget])
    assert cached.percent == percent
    assert cached.percentage == float(share)
    assert cached.spendable == ("$1,000,000,000,000,000.00" if remaining > 0 else "$0.00")


def test_the_first_and_last_years_can_be_stored() -> None:
    budgets = [{"resetsAt": "9999-12-31T23:59:59.999Z"}]
    cached = store(budgets=budgets, key={"label": None, "expiresAt": "0001-01-01T00:00:00.000Z"})
    assert cached.resets_at == 253402300799.999
    assert cached.expires_at == -62135596800


def test_amounts_that_round_to_zero_are_not_shown_as_zero() -> None:
    cached = store(spendable=0.0018, budgets=[{"remaining": 0.0018, "percentRemaining": "0.0"}])
    assert (cached.spendable, cached.percent) == ("$0.0018", "<0.1%")
    assert store(budgets=[{"remaining": 0, "percentRemaining": "0.0"}]).percent == "0.0%"


@pytest.mark.parametrize(
    ("account", "limited_by", "percent", "resets_at"),
    [
        ("workspace-first", "workspace", "4.8%", 1772323200),  # where the key's own limit has 80 % left
        ("many-budgets", "api_key", "75.0%", 1770940800),
        ("credit-below-limit", "account_credit", None, None),
        ("unlimited", None, None, None),
    ],
)
def test_percentage_and_reset_are_those_of_what_limits(
    account: str, limited_by: str | None, percent: str | None, resets_at: float | None
) -> None:
    cache.store(URL, KEY, assess_account(account, with_credit=account == "credit-below-limit"))
    cached = cache.load(URL, KEY)

    assert cached is not None
    assert (cached.limited_by, cached.percent, cached.resets_at) == (limited_by, percent, resets_at)
    assert cached.percentage == (None if percent is None else float(percent.rstrip("%")))


def test_it_is_stored_that_the_run_out_is_soon_and_an_upper_bound() -> None:
    soon = {"perDay": 20.0, "runsOutAt": "2026-02-13T10:39:47.000Z", "isUpperBound": True}
    cached = store(pace=soon)
    assert (cached.is_upper_bound, cached.needs_attention) == (True, True)
    assert not store(level="low", pace=soon).needs_attention


def test_what_runs_out_first_is_named_where_it_is_not_what_limits() -> None:
    assert store("many-budgets").runs_out_of == "member"
    assert store("normal").runs_out_of is None
    assert store("two-of-one-scope").runs_out_of is None


def test_the_time_until_requests_are_accepted_again_is_the_documents() -> None:
    assert store("exhausted", refusedUntil="2026-03-01T00:00:00.000Z").refused_until == 1772323200
    assert store("exhausted", refusedUntil=None).refused_until is None


def test_free_requests_are_stored_as_far_as_they_are_known() -> None:
    cached = store("free-tier")
    assert (cached.is_free_tier, cached.free_requests) == (True, 38)
    assert store("free-tier", freeRequests={"remaining": -2}).free_requests == 0
    assert store("free-tier", freeRequests={"remaining": None}).free_requests is None


def test_the_levels_are_those_of_the_document() -> None:
    assert set(cache.LEVELS) == {level.value for level in Level}


# Keys


def test_each_base_url_and_key_has_its_own_file() -> None:
    store()
    assert cache.load("https://example.com/v1", KEY) is None
    assert cache.load(URL, "sk-or-v1-another") is None


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_files_and_directory_are_private_with_any_umask(home: Path) -> None:
    before = os.umask(0)
    try:
        store()
        cache.claim_refresh(URL, KEY, 60, time.time())
        (home / ".cache" / "orcredit").chmod(0o755)
        store()
    finally:
        os.umask(before)
    assert stat.S_IMODE((home / ".cache" / "orcredit").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (the_file(), the_file(".attempt"))} == {0o600}


# Concurrent writers


def rewrite(**changes: float) -> None:
    """Change fields of the stored file."""
    whole = json.loads(the_file().read_text())
    the_file().write_text(json.dumps(whole | changes))


def test_of_overlapping_polls_the_newest_answer_is_kept() -> None:
    store(fetchedAt="2026-02-12T16:39:47.000Z", spendable=2.0)
    assert store(fetchedAt="2026-02-12T16:39:48.000Z", spendable=3.0).spendable == "$3.00"
    assert store(fetchedAt="2026-02-12T16:39:46.000Z", spendable=1.0).spendable == "$3.00"


def test_otherwise_the_last_one_written_is_kept() -> None:
    store(fetchedAt="2026-02-12T16:39:47.000Z", spendable=2.0)
    rewrite(writtenAt=time.time() - 60)
    assert store(fetchedAt="2026-02-12T16:39:46.000Z", spendable=1.0).spendable == "$1.00"


@pytest.mark.parametrize("date", ["2026-02-12T16:41:00.000Z", "2026-02-13T16:00:00.000Z", "9999-01-01T00:00:00.000Z"])
def test_an_answer_dated_in_the_future_is_replaced(date: str) -> None:
    store(fetchedAt=date)
    assert store(fetchedAt="2026-02-12T16:39:47.000Z", spendable=1.0).spendable == "$1.00"


def test_a_stale_document_replaces_nothing() -> None:
    store()
    assert store(stale=True, staleReason="OpenRouter does not answer.", spendable=1.0).spendable == "$158.61"


def test_a_file_written_in_the_future_is_replaced() -> None:
    store(fetchedAt="2026-02-12T16:39:47.000Z")
    rewrite(writtenAt=time.time() + 86400)
    assert store(fetchedAt="2026-02-11T16:39:47.000Z", spendable=1.0).spendable == "$1.00"


def test_age_counts_from_the_write_and_is_none_in_the_future() -> None:
    cached = store()
    assert cached.age(cached.written_at + 90) == 90
    assert cached.age(cached.written_at - 1) == 0
    assert cached.age(cached.written_at - 3600) is None


@pytest.mark.process
def test_readers_see_whole_documents_while_others_write() -> None:
    program = (
        "import sys, time; from orcredit import Balance, cache\n"
        "balance = Balance.model_validate_json(sys.argv[1])\n"
        f"for turn in range(200): cache.store({URL!r}, {KEY!r}, balance)"
    )
    store()
    writers = [
        subprocess.Popen([sys.executable, "-c", program, balance(key={"label": letter * 9000}).model_dump_json()])
        for letter in "ab"
    ]
    labels = set()
    while any(writer.poll() is None for writer in writers):
        cached = cache.load(URL, KEY)
        assert cached is not None
        assert cached.label is not None
        labels.add(cached.label[:1] + str(len(cached.label)))
    assert [writer.wait() for writer in writers] == [0, 0]
    assert labels <= {"d16", "a9000", "b9000"}
    assert [path.name for path in the_file().parent.iterdir()] == [the_file().name]  # no temporary files are left


# Failures

REFUSED = KeyRefusedError("refused", status=401)
UNREACHABLE = UnreachableError("no answer")


def refuse(at: float | None = None, error: OrcreditError = REFUSED) -> cache.Failure | None:
    """Store a failure; return the one that can be loaded."""
    cache.store_failure(URL, KEY, error, at)
    return cache.load_failure(URL, KEY, cache.load(URL, KEY))


@pytest.mark.parametrize(
    ("error", "is_refusal", "status"),
    [
        (REFUSED, True, 401),
        (KeyRefusedError("?"), True, None),
        (UNREACHABLE, False, None),
        (NonsenseError("?"), False, None),
    ],
)
def test_a_failure_can_be_loaded(error: OrcreditError, is_refusal: bool, status: int | None) -> None:
    failure = refuse(1000.0, error)
    assert failure is not None
    assert (failure.is_refusal, failure.status, failure.at) == (is_refusal, status, 1000.0)
    assert (failure.age(1090.0), failure.age(999.0), failure.age(900.0)) == (90.0, 0.0, None)


@pytest.mark.parametrize("error", [ConfigurationError("no key"), OrcreditError("a bug")])
def test_only_openrouters_failures_are_stored(error: OrcreditError, home: Path) -> None:
    assert refuse(error=error) is None
    assert list(home.iterdir()) == []


def test_a_failure_counts_if_it_is_newer_than_the_balance_which_removes_it() -> None:
    cached = store()
    assert refuse(cached.written_at - 1) is None
    assert refuse(cached.written_at) is not None  # in the same millisecond
    assert refuse(cached.written_at + 1) is not None
    store()
    assert not the_file(".failure").exists()


def test_a_refusal_is_not_replaced_by_an_unreachable_openrouter() -> None:
    now = time.time()
    assert refuse(now) is not None
    later = refuse(now + 5, UNREACHABLE)
    assert later is not None
    assert (later.is_refusal, later.at) == (True, round(now, 3))
    again = refuse(now + 10)
    assert again is not None
    assert again.at == round(now + 10, 3)


def test_a_refusal_in_the_future_is_replaced() -> None:
    now = time.time()
    refuse(now + 86400)
    later = refuse(now, UNREACHABLE)
    assert later is not None
    assert not later.is_refusal


# Whether the credit is asked for


def test_the_wait_for_the_credit_is_kept_until_it_is_over_or_replaced() -> None:
    def left(after: float = 0.0) -> float:
        return round(cache.credit_wait(URL, KEY, time.time() + after), -1)

    assert left() == 0
    before = time.time() - 0.001
    cache.store(URL, KEY, balance(), 3600.0)
    assert (left(), left(3000), left(4000)) == (3600, 600, 0)
    assert cache.credit_wait(URL, KEY, before) == 3600  # rounding may have put it off by a millisecond
    store()  # by `watch`, which remembers it itself
    assert left() == 3600
    assert left(-60) == 0  # the clock was set back
    cache.store(URL, KEY, balance(), 0.0)
    assert left() == 0


# Claims


def test_one_claim_per_maximum_age_wins() -> None:
    assert cache.claim_refresh(URL, KEY, 60, 1000.0)
    assert not cache.claim_refresh(URL, KEY, 60, 1000.0)
    assert not cache.claim_refresh(URL, KEY, 60, 1059.9)
    assert cache.claim_refresh(URL, KEY, 60, 1060.0)
    assert cache.claim_refresh(URL, KEY, 10, 1070.0)


def test_a_claim_in_the_future_or_an_invalid_one_is_ignored() -> None:
    assert cache.claim_refresh(URL, KEY, 60, 5000.0)
    assert cache.claim_refresh(URL, KEY, 60, 1000.0)
    for broken in (b"\xff" * 5000, b"", b"nan", b"inf", b"-inf", b"1e999", b"1" * 5000):
        the_file(".attempt").write_bytes(broken)
        assert cache.claim_refresh(URL, KEY, 60, 1000.0)
        assert not cache.claim_refresh(URL, KEY, 60, 1000.0)


@pytest.mark.process
def test_of_many_concurrent_claims_one_wins() -> None:
    program = (
        "import sys; from orcredit import cache; sys.stdout.write('ready\\n'); sys.stdout.flush(); sys.stdin.read()\n"
        f"print(sum(cache.claim_refresh({URL!r}, {KEY!r}, 60, 1000.0) for turn in range(50)))"
    )
    claimants = [
        subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    for claimant in claimants:
        assert claimant.stdout is not None
        assert claimant.stdout.readline() == "ready\n"
    for claimant in claimants:
        assert claimant.stdin is not None
        claimant.stdin.close()
        claimant.stdin = None
    assert sum(int(claimant.communicate()[0]) for claimant in claimants) == 1


def test_claims_are_refused_during_retry_after_for_at_most_an_hour() -> None:
    now = time.time()
    assert cache.claim_refresh(URL, KEY, 60, now)
    cache.postpone_refresh(URL, KEY, 1800)
    assert not cache.claim_refresh(URL, KEY, 60, now + 1700)
    assert cache.claim_refresh(URL, KEY, 60, now + 1900)
    cache.postpone_refresh(URL, KEY, 1e12)
    assert not cache.claim_refresh(URL, KEY, 60, now + 3500)
    assert cache.claim_refresh(URL, KEY, 60, now + 3700)


def test_a_retry_after_that_cannot_be_stored_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    cache.postpone_refresh(URL, KEY, 60)
