"""Private files, by way of the prompt line's cache: links, pipes and files of other users; and locks."""

from __future__ import annotations

import logging
import os
import stat
import sys
import time
from pathlib import Path

import pytest

from orcredit import cache
from orcredit.private_files import lock
from tests.test_cache import KEY, URL, balance, home, refuse, store, the_file

__all__ = ["home"]  # the fixture that every test here uses

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files and owners")


def claim() -> bool:
    return cache.claim_refresh(URL, KEY, 60, 1000.0)


def assert_the_directory_is_not_used(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="orcredit")
    assert cache.load(URL, KEY) is None
    cache.store(URL, KEY, balance())
    assert "could not be stored" in caplog.text
    assert cache.load(URL, KEY) is None
    assert refuse() is None
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


@on_posix
def test_a_shared_lock_keeps_out_the_one_that_is_not_shared_until_the_file_is_closed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    one, two, three = (os.open(tmp_path / "file", os.O_RDWR) for _ in range(3))
    assert lock(one, shared=True)
    assert lock(two, shared=True)
    assert not lock(three)
    os.close(one)
    assert not lock(three)
    os.close(two)
    assert lock(three)
    other = os.open(tmp_path / "file", os.O_RDWR)
    assert not lock(other)
    assert not lock(other, shared=True)
    os.close(three)
    os.close(other)
