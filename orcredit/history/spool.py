"""The spool: what `status` saw, in a small file that the next `watch`, `serve` or `history` takes into the history.

`status` runs before prompts and must load no database. So it appends a line to `history.spool` in the user's state
directory: the key's fingerprint, its label and amounts, never the key. The file is taken in by a rename, and deleted
once its samples are stored; taking in the same samples again changes nothing, so a crash in between loses nothing.

A write that fails, or a full file, fails no command. Files and folders that may be another user's are not used
(`orcredit.private_files`).
"""

from __future__ import annotations

import errno
import json
import os
import re
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from orcredit.config.credentials import FINGERPRINT_DIGITS
from orcredit.history.seen import LAST_SECOND, MOST_GRAINS, NUMBERS, Batch, Seen, seen_in
from orcredit.private_files import SAFE_FLAGS, is_own_file, is_own_folder, lock, make_private, not_ours

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orcredit.balance import Balance
    from orcredit.history.history import History

FORMAT = 1
"""Of a line, to be raised with every change; lines of other formats are skipped."""

LARGEST = 1 << 20
"""Bytes of the file: about a week of a line a minute, and longer where the numbers do not change."""

UNCHANGED_FOR = 240
"""Seconds in which the numbers of the last line are not repeated: less than the five minutes from which the history
takes the time between two samples for a time without polls."""

_NAME = "history.spool"
_TAKEN = re.compile(r"history\.spool\.[0-9]+-[0-9]+\.taken")
_MOST_TAKEN = 100
"""Files that are read at once: one for each process that was killed while it took the spool in."""

_ATTEMPTS = 20
"""To open the spool before another process takes it in; a second one is rarely needed."""

_FINGERPRINT = re.compile(f"[0-9a-f]{{{FINGERPRINT_DIGITS}}}")
_LONGEST_LABEL = 200
"""Characters, as of all texts of OpenRouter (`orcredit.openrouter.wire`)."""
_LONGEST_LINE = 4096
"""Bytes: more than the longest label, escaped, and nine amounts of 64 bits."""
_DAY = 86400


def directory(environ: Mapping[str, str] | None = None, platform: str = sys.platform) -> str | None:
    """Return the user's state directory, as `platformdirs` does, but without its import time.

    Returns:
        An absolute path, which may not exist; None for a user without a home directory.
    """
    environ = os.environ if environ is None else environ
    if platform == "win32":
        local = environ.get("LOCALAPPDATA", "")
        return os.path.join(local, "orcredit") if local else None  # noqa: PTH118 - as `cache.directory`
    base = environ.get("XDG_STATE_HOME", "")
    if not base.startswith("/"):
        home = environ.get("HOME") or os.path.expanduser("~")  # noqa: PTH111 - which reads the user database
        base = f"{home}/Library/Application Support" if platform == "darwin" else f"{home}/.local/state"
    return f"{base.rstrip('/')}/orcredit" if base.startswith("/") else None


def add(key: str, balance: Balance) -> None:
    """Append what a balance says; failures are logged at debug level, and nothing is raised.

    Args:
        key: as `orcredit.config.credentials.fingerprint` returns it.
        balance: of that key.
    """
    seen, folder = seen_in(balance), directory()
    if seen is None or folder is None:
        return
    try:
        make_private(folder)
        _append(_path(folder), key, seen, balance.key.label)
    except (OSError, ValueError) as error:
        _log("the balance could not be kept for the history: %s", error)


def take_in(history: History) -> None:
    """Store all samples of the spool in a history, and delete them from the spool.

    Failures are logged at debug level, and nothing is raised: what could not be stored stays for the next time.

    Args:
        history: a database that cannot be written leaves the spool as it is.
    """
    from orcredit.errors import HistoryError  # noqa: PLC0415 - not needed to add

    folder = directory()
    if folder is None or not is_own_folder(folder):
        return
    taken: list[str] = []
    try:
        if not _is_waiting(folder):
            return
        history.take_in(lambda: _batches(folder, taken))
        for path in taken:
            with suppress(FileNotFoundError):  # another process took in the same file
                os.unlink(path)  # noqa: PTH108
    except (HistoryError, OSError) as error:
        _log("the spool could not be taken into the history: %s", error)


def _path(folder: str) -> str:
    return os.path.join(folder, _NAME)  # noqa: PTH118


def _log(text: str, error: Exception) -> None:
    from logging import getLogger  # noqa: PLC0415 - rarely needed

    getLogger("orcredit").debug(text, getattr(error, "strerror", None) or error)


# Writing


def _append(path: str, key: str, seen: Seen, label: str | None) -> None:
    line = json.dumps(
        [FORMAT, key, seen.at, *seen.numbers.values(), *seen.calendar, label and label[:_LONGEST_LABEL]],
        separators=(",", ":"),
    ).encode()
    for _ in range(_ATTEMPTS):  # it may be taken at any moment
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | SAFE_FLAGS, 0o600)
        try:
            if _share(descriptor) and _is_still(path, descriptor):
                _write(path, descriptor, line)
                return
        finally:
            os.close(descriptor)  # releases the lock


def _is_still(path: str, descriptor: int) -> bool:
    """Whether the open file is still the spool."""
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(descriptor))  # noqa: PTH116
    except FileNotFoundError:
        return False


def _write(path: str, descriptor: int, line: bytes) -> None:
    status = os.fstat(descriptor)
    if not is_own_file(status) or status.st_nlink > 1:  # writing would change the target of a hard link
        raise not_ours(path)
    if status.st_mode & 0o077 and sys.platform != "win32":
        os.fchmod(descriptor, 0o600)
    if status.st_size + len(line) + 2 > LARGEST:
        raise OSError(errno.EFBIG, "the spool is full")
    os.lseek(descriptor, max(status.st_size - _LONGEST_LINE, 0), os.SEEK_SET)
    end = os.read(descriptor, _LONGEST_LINE)
    if _repeats(end.splitlines()[-1:], line):
        return
    # One write, so that lines of several processes do not mix; the last one may be cut off by a full disk.
    os.write(descriptor, (b"" if end.endswith(b"\n") or not end else b"\n") + line + b"\n")


def _repeats(last: list[bytes], line: bytes) -> bool:
    """Whether a line has the numbers of the last one, which is not old."""
    before, now = _parse(last[0]) if last else None, _parse(line)
    if before is None or now is None or before[:2] != now[:2] or before[2].numbers != now[2].numbers:
        return False
    return 0 <= now[2].at - before[2].at < UNCHANGED_FOR


# Taking in


def _is_waiting(folder: str) -> bool:
    return any(name == _NAME or _TAKEN.fullmatch(name) for name in os.listdir(folder))  # noqa: PTH208


def _batches(folder: str, taken: list[str]) -> Iterator[Batch]:
    """Take the spool, and give the samples of it and of what others took and did not finish, in order of time.

    Args:
        folder: where it is.
        taken: gets the paths of the files that were read.
    """
    path = _path(folder)
    with suppress(OSError):  # there is none; or it is open, on Windows
        if is_own_file(os.lstat(path)):
            os.rename(path, f"{path}.{time.time_ns()}-{os.getpid()}.taken")  # noqa: PTH104
    samples: dict[str, list[tuple[Seen, str | None]]] = {}
    for name in sorted(filter(_TAKEN.fullmatch, os.listdir(folder)))[:_MOST_TAKEN]:  # noqa: PTH208
        file = os.path.join(folder, name)  # noqa: PTH118
        try:
            content = _content(file)
        except BlockingIOError:
            break  # what was written after it would keep its samples out
        if content is None:
            continue
        taken.append(file)
        for line in filter(None, content.splitlines()):
            if (parsed := _parse(line)) is not None:
                key, label, seen = parsed
                samples.setdefault(key, []).append((seen, label))
    for key, each in samples.items():
        each.sort(key=lambda sample: sample[0].at)
        labels = [label for _, label in each if label]
        yield Batch(key, labels[-1] if labels else None, [seen for seen, _ in each])


def _content(path: str) -> bytes | None:
    """Read a taken file; None when it is not to be read.

    Raises:
        BlockingIOError: it is not to be read yet, as a process is about to write to it.
    """
    try:
        if not is_own_file(os.lstat(path)):  # opening a device may have side effects
            return None
        descriptor = os.open(path, os.O_RDONLY | SAFE_FLAGS)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if not is_own_file(status) or status.st_nlink > 1:
            return None
        _seize(descriptor)
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(LARGEST)
    except BlockingIOError:
        raise
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _parse(line: bytes) -> tuple[str, str | None, Seen] | None:
    """Read a line; None for an invalid one, and for one of a time that is more than a day ahead."""
    try:
        form, key, at, *amounts, label = json.loads(line[:_LONGEST_LINE])
        is_valid = (
            form == FORMAT
            and isinstance(key, str)
            and _FINGERPRINT.fullmatch(key) is not None
            and _is_whole(at)
            and 0 <= at <= min(LAST_SECOND, time.time() + _DAY)
            and len(amounts) == len(NUMBERS) + 3
            and _is_whole(amounts[0])
            and all(amount is None or (_is_whole(amount) and abs(amount) <= MOST_GRAINS) for amount in amounts)
            and (label is None or isinstance(label, str))
        )
    except (ValueError, TypeError, RecursionError):
        return None
    if not is_valid:
        return None
    numbers, (day, week, month) = amounts[: len(NUMBERS)], amounts[len(NUMBERS) :]
    return key, label and label[:_LONGEST_LABEL], Seen(at, dict(zip(NUMBERS, numbers, strict=True)), (day, week, month))


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


# Locks. Windows needs none, as an open file cannot be renamed there.


def _share(descriptor: int) -> bool:
    """Keep others from reading a file that is about to be written; False when one is reading it."""
    return sys.platform == "win32" or lock(descriptor, shared=True)


def _seize(descriptor: int) -> None:
    """Keep others from writing to a file; BlockingIOError when one is about to."""
    if sys.platform != "win32" and not lock(descriptor):
        raise BlockingIOError
