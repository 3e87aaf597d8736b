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
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st
from platformdirs.macos import MacOS
from platformdirs.unix import Unix
from platformdirs.windows import Windows

from orcredit import cache, simulator
from orcredit.balance import Balance, Level
from tests.in_process import run_here
from tests.test_balance import assess_account
from tests.test_secrets import shows_key

if TYPE_CHECKING:
    from tests.conftest import Finished, Orcredit

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
            whole[field] = [whole[field][0] | budget for budget in value]
        elif isinstance(value, dict):
            whole[field] = (whole[field] or paid[field]) | value
        else:
            whole[field] = str(value) if field == "percentRemaining" else value  # as text, to keep the decimals
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
    assert before - 0.001 <= cached.written_at <= time.time() + 0.001  # it is rounded to a millisecond


def test_the_run_out_is_stored_when_there_is_one() -> None:
    cached = store(pace={"perDay": 20.0, "runsOutAt": "2026-02-20T16:39:47.000Z"})
    assert cached.runs_out_at == cached.fetched_at + 8 * 86400
    assert store(pace={"perDay": 0.0, "runsOutAt": None}).runs_out_at is None


@pytest.mark.parametrize("account", sorted(simulator.ACCOUNTS.keys() - {"older-broken"}))
def test_every_kind_of_account_can_be_stored(account: str) -> None:
    seen = assess_account(account, with_credit=account in {"management", "negative-credit", "credit-below-limit"})
    cache.store(URL, KEY, seen)
    cached = cache.load(URL, KEY)

    assert cached is not None
    assert cached.level == seen.level
    assert (cached.spendable is None) == (seen.spendable is None)
    assert (cached.percent is None) == (seen.percent_remaining is None)
    assert (cached.limited_by, cached.label) == (seen.limited_by, seen.key.label)


def test_a_large_document_gives_a_small_file() -> None:
    budgets = [{"remaining": 5.0, "resetsAt": None, "scope": "x" * 200}] * 7000  # 1.7 MB; an answer may have 1 MiB
    budgets.append({"remaining": 0, "resetsAt": "2026-03-01T00:00:00.000Z", "scope": "x"})
    cached = store("exhausted", budgets=budgets)
    assert cached.refused_until == 1772323200
    assert the_file().stat().st_size < 1000


def test_the_longest_texts_from_openrouter_can_be_stored(caplog: pytest.LogCaptureFixture) -> None:
    longest = "\U0001f4b8" * 200
    assert store(limitedBy=longest, key={"label": longest, "expiresAt": None}).label == longest
    caplog.set_level(logging.DEBUG, logger="orcredit")
    assert store(key={"label": "x" * cache.LARGEST, "expiresAt": None}).label == longest
    assert "could not be stored" in caplog.text


@pytest.mark.parametrize(
    ("limit", "remaining", "percent"),
    [(100, 10**15, "1000000000000000.0%"), (1e-8, 10**15, f"{10**25}%"), (1e-8, -(10**15), f"-{10**25}%")],
)
def test_every_amount_from_openrouter_can_be_stored(limit: float, remaining: int, percent: str) -> None:
    share = Decimal(remaining) / Decimal(str(limit)) * 100
    cached = store(
        totalLimit=limit, remaining=remaining, spendable=max(remaining, 0), percentRemaining=float(f"{share:.1f}")
    )
    assert cached.percent == percent
    assert cached.percentage == float(share)
    assert cached.spendable == ("$1,000,000,000,000,000.00" if remaining > 0 else "$0.00")


def test_the_first_and_last_years_can_be_stored() -> None:
    cached = store(resetsAt="9999-12-31T23:59:59.999Z", key={"label": None, "expiresAt": "0001-01-01T00:00:00.000Z"})
    assert cached.resets_at == 253402300799.999
    assert cached.expires_at == -62135596800


def test_amounts_that_round_to_zero_are_not_shown_as_zero() -> None:
    cached = store(spendable=0.0018, remaining=0.0018, percentRemaining=0.0)
    assert (cached.spendable, cached.percent) == ("$0.0018", "<0.1%")
    assert store(remaining=0, percentRemaining=0.0).percent == "0.0%"


@pytest.mark.parametrize(
    ("resets", "until"),
    [
        ([(0, "2026-02-13T00:00:00.000Z"), (-0.4, "2026-03-01T00:00:00.000Z")], 1772323200),
        ([(0, "2026-02-13T00:00:00.000Z"), (5, "2026-03-01T00:00:00.000Z")], 1770940800),
        ([(0, "2026-02-13T00:00:00.000Z"), (0, None)], None),
        ([(5, "2026-02-13T00:00:00.000Z")], None),
    ],
)
def test_a_key_is_refused_until_every_spent_budget_has_reset(
    resets: list[tuple[float, str | None]], until: float | None
) -> None:
    budgets = [{"remaining": remaining, "resetsAt": resets_at} for remaining, resets_at in resets]
    assert store("exhausted", budgets=budgets).refused_until == until


def test_a_spent_credit_has_no_refused_until() -> None:
    assert store("exhausted", account={"remaining": -0.5}).refused_until is None


def test_the_levels_are_those_of_the_document() -> None:
    assert set(cache.LEVELS) == {level.value for level in Level}


# Keys


class Status(Protocol):
    """Runs `orcredit status -q` for an account."""

    def __call__(self, *arguments: str, account: str, **environ: str) -> Finished: ...


@pytest.fixture
def status(server: simulator.Server, bare_environ: dict[str, str]) -> Status:
    def run(*arguments: str, account: str, **environ: str) -> Finished:
        key = {"OPENROUTER_API_KEY": simulator.key_for(account), "OPENROUTER_BASE_URL": server.base_url}
        return run_here("status", "-q", *arguments, environ=bare_environ | key | environ)

    return run


def test_each_key_has_its_own_file_which_contains_no_key(status: Status, home: Path) -> None:
    management = simulator.management_key_for("credit-below-limit")
    for account in ("normal", "echo-key"):
        status(account=account, OPENROUTER_MANAGEMENT_KEY=management)
    files = [path for path in home.rglob("*") if path.is_file()]

    assert len([file for file in files if file.suffix == ".json"]) == 2
    for secret in (management, simulator.key_for("normal"), simulator.key_for("echo-key")):
        assert not any(shows_key(file.name + file.read_text(), secret) for file in files)


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


# Invalid files


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"format": 1, "writtenAt": 1, "line": {}}',
        b'{"format": 1, "writtenAt": 1, "line": null}',
        b'"' + b"x" * cache.LARGEST + b'"',
    ],
)
def test_an_invalid_or_huge_file_counts_as_absent_and_is_replaced(content: bytes) -> None:
    store()
    the_file().write_bytes(content)
    assert cache.load(URL, KEY) is None
    assert store().spendable == "$158.61"


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"writtenAt": "yesterday"},
        {"writtenAt": True},
        {"writtenAt": float("nan")},
        {"line": {"level": "splendid"}},
        {"line": {"level": ["ok"]}},
        {"line": {"spendable": 5}},
        {"line": {"label": {}}},
        {"line": {"fetchedAt": None}},
        {"line": {"runsOutAt": float("inf")}},
        {"line": {"runsOutAt": 1e12}},
        {"line": {"percentage": float("nan")}},
        {"line": {"percentage": float("inf")}},
        {"line": {"percentage": "31"}},
    ],
)
def test_a_file_with_an_invalid_value_counts_as_absent(change: dict[str, Any]) -> None:
    store()
    whole = json.loads(the_file().read_text())
    if "line" in change:
        change = {"line": whole["line"] | change["line"]}
    the_file().write_text(json.dumps(whole | change))
    assert cache.load(URL, KEY) is None


@given(st.integers(0, 3000), st.binary(max_size=8))
def test_a_damaged_file_never_raises(place: int, damage: bytes) -> None:
    store()
    content = the_file().read_bytes()
    the_file().write_bytes(content[:place] + damage + content[place + len(damage) :])
    cache.load(URL, KEY)
    the_file().unlink()


# Files of other users, links and pipes

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files and owners")


def claim() -> bool:
    return cache.claim_refresh(URL, KEY, 60, 1000.0)


def assert_the_directory_is_not_used(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="orcredit")
    assert cache.load(URL, KEY) is None
    cache.store(URL, KEY, balance())
    assert "could not be stored" in caplog.text
    assert cache.load(URL, KEY) is None
    with pytest.raises(OSError, match=r"another user's|File exists"):
        claim()


@on_posix
def test_a_directory_that_is_a_link_is_not_used(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    store()
    target = the_file().parent.rename(home / "elsewhere")  # with files that could be read
    target.chmod(0o755)
    files = sorted(target.iterdir())
    (home / ".cache" / "orcredit").symlink_to(target)

    assert_the_directory_is_not_used(caplog)

    assert stat.S_IMODE(target.stat().st_mode) == 0o755
    assert sorted(target.iterdir()) == files


@on_posix
def test_a_directory_that_is_a_broken_link_is_not_used(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    (home / ".cache").mkdir()
    (home / ".cache" / "orcredit").symlink_to(home / "elsewhere")
    assert_the_directory_is_not_used(caplog)
    assert not (home / "elsewhere").exists()


@on_posix
def test_the_parent_directory_may_be_a_link(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "real").mkdir()
    (home / "link").symlink_to(home / "real")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "link"))
    assert store().spendable == "$158.61"
    assert claim()


@on_posix
def test_a_directory_of_another_user_is_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store()
    the_file().parent.chmod(0o777)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)  # as if all files were another user's
    assert_the_directory_is_not_used(caplog)
    assert stat.S_IMODE(the_file().parent.stat().st_mode) == 0o777


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_ignored_and_replaced() -> None:
    store()
    assert claim()
    os.chown(the_file(), 65534, 65534)
    os.chown(the_file(".attempt"), 65534, 65534)
    assert cache.load(URL, KEY) is None
    assert store(spendable=1.0).spendable == "$1.00"
    assert the_file().stat().st_uid == 0
    with pytest.raises(OSError, match="another user's"):
        claim()


@on_posix
def test_a_link_in_place_of_a_file_is_not_followed(home: Path) -> None:
    store()
    own = the_file().rename(home / "own.json")
    content = own.read_bytes()
    the_file().symlink_to(own)
    the_file(".attempt").symlink_to(own)
    assert cache.load(URL, KEY) is None
    assert store(spendable=1.0).spendable == "$1.00"
    assert not the_file().is_symlink()
    with pytest.raises(OSError, match="symbolic links"):
        claim()
    the_file(".attempt").unlink()
    os.link(own, the_file(".attempt"))
    with pytest.raises(OSError, match="is a link"):
        claim()
    assert own.read_bytes() == content


@on_posix
def test_a_pipe_in_place_of_a_file_does_not_block() -> None:
    the_file().parent.mkdir(parents=True)
    os.mkfifo(the_file())
    os.mkfifo(the_file(".attempt"))
    assert cache.load(URL, KEY) is None
    with pytest.raises(OSError, match="no regular file"):
        claim()
    assert store().spendable == "$158.61"


@on_posix
def test_a_link_in_place_of_a_temporary_file_is_not_followed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 5)
    (home / "precious").write_text("precious")
    the_file().parent.mkdir(parents=True)
    Path(f"{the_file()}.{os.getpid()}-5.tmp").symlink_to(home / "precious")
    cache.store(URL, KEY, balance())
    assert cache.load(URL, KEY) is None
    assert (home / "precious").read_text() == "precious"


def test_files_are_used_where_the_system_has_no_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", os.environ["HOME"])
    monkeypatch.delattr(os, "geteuid", raising=False)
    assert store().spendable == "$158.61"


def test_a_directory_in_place_of_the_file_raises_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="orcredit")
    the_file().mkdir(parents=True)
    cache.store(URL, KEY, balance())
    assert cache.load(URL, KEY) is None
    assert "could not be stored" in caplog.text
    assert list(the_file().parent.iterdir()) == [the_file()]


# status


def test_status_stores_its_answer_and_the_demo_does_not(orcredit: Orcredit, status: Status, home: Path) -> None:
    assert orcredit("status", "--demo", account="normal").code == 0
    assert list(home.iterdir()) == []
    status("--warn-below", "99%", account="normal")
    [file] = home.rglob("*.json")
    assert json.loads(file.read_text())["line"]["level"] == "low"  # by the thresholds of the command that wrote it


@pytest.mark.parametrize("account", ["error-401", "html"])
def test_a_failed_status_stores_nothing(status: Status, home: Path, account: str) -> None:
    assert status(account=account).code > 3
    assert list(home.rglob("*.json")) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux")  # noqa: PTH110
@pytest.mark.parametrize("cache_home", ["/dev/null", "/proc"])
def test_a_cache_that_cannot_be_written_does_not_fail_status(status: Status, cache_home: str) -> None:
    done = status(account="low", XDG_CACHE_HOME=cache_home)
    assert (done.code, done.stdout, done.stderr) == (1, "", "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux")  # noqa: PTH110
def test_a_cache_that_cannot_be_written_is_logged_when_verbose(orcredit: Orcredit) -> None:
    done = orcredit("status", "-q", "-v", account="low", environ={"XDG_CACHE_HOME": "/dev/null"})
    assert done.code == 1
    assert "orcredit: the balance could not be stored for the prompt line: " in done.stderr


@pytest.mark.process
def test_a_full_disk_leaves_no_temporary_file(home: Path, bare_environ: dict[str, str]) -> None:
    program = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "import sys; from orcredit import Balance, cache; balance = Balance.model_validate_json(sys.argv[1])\n"
        f"cache.store({URL!r}, {KEY!r}, balance)"
    )
    environ = {name: value for name, value in bare_environ.items() if not name.startswith("COV")}
    subprocess.run([sys.executable, "-c", program, balance().model_dump_json()], env=environ, check=True)
    assert list((home / ".cache" / "orcredit").iterdir()) == []


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
