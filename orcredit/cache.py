"""The cache of the prompt line: the newest balance that any orcredit process received, in a small file.

There is one file per base URL and key. Its name contains only short prefixes of their SHA-256, and no key is stored.
It holds what the line needs of the `Balance` document, computed when it is written: dollars and percentages as text,
times as numbers. Reading it therefore needs neither `decimal` nor `datetime`, only a few light standard modules. The
whole document, which may list any number of budgets, is not stored. Beside it are two more files: the last failure, if
it is newer than the balance, and the last claim to renew it.

A failed write never fails a command, and a file that is unreadable or invalid counts as absent. So does what another
user may have created (`orcredit.private_files`).
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress

from orcredit.config.credentials import fingerprint
from orcredit.errors import KeyRefusedError, UnavailableError
from orcredit.private_files import (
    SAFE_FLAGS,
    is_own_file,
    is_own_folder,
    lock,
    make_private,
    not_ours,
    read_private,
    replace,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from orcredit.balance import Balance
    from orcredit.errors import OrcreditError

FORMAT = 2
"""Version of the file's format, to be raised with every change; files of other versions count as absent."""

LARGEST = 1 << 16
"""Bytes. Upper bound of the file's size; texts have at most 200 characters (`orcredit.openrouter.wire`)."""

LONGEST_WAIT = 3600.0
"""Seconds. Upper bound of `postpone_refresh`."""

LEVELS = ("ok", "low", "exhausted", "unlimited")
"""The values of `orcredit.balance.Level`, which would import pydantic."""

_SLACK = 5.0
"""Seconds by which the clock may have been set back since the file was written (by NTP, for example)."""

_OVERLAP = 30.0
"""Seconds; two writes within this time may come from polls that overlapped."""

LONGEST_CREDIT_WAIT = 3600.0
"""Seconds. Upper bound of `credit_wait`; a later time comes from a clock that was set back since."""

_FLAGS = ("isUpperBound", "needsAttention", "isFreeTier")
_TEXTS = ("spendable", "percent", "limitedBy", "runsOutOf", "label")
_INSTANTS = ("fetchedAt", "resetsAt", "refusedUntil", "expiresAt", "runsOutAt")
_REFUSED, _UNAVAILABLE = _KINDS = ("refused", "unavailable")
"""Of failures."""
_LARGEST_COUNT = 10**15  # as in `orcredit.openrouter.wire`
_LAST_INSTANT = 253402300800.0
"""The end of the year 9999, the last that `datetime` supports."""
_LARGEST_PERCENTAGE = 1e26
"""`orcredit.money.LARGEST` of a limit of 1e-8 USD is 1e25 %."""


class Cached:
    """What the line needs of a balance. Times are seconds since 1970 by OpenRouter's clock; None is "not known".

    Attributes:
        level: one of `LEVELS`, by the thresholds of the command that wrote it.
        spendable: USD, formatted; None when nothing limits it.
        percent: what is left of the limiting budget, as text; None where the credit limits, or nothing does.
        percentage: the same as a number.
        limited_by: as in the document.
        label: OpenRouter's own masked label.
        fetched_at: when OpenRouter answered.
        resets_at: when the limiting budget resets.
        refused_until: when every spent budget of an exhausted key will have reset.
        expires_at: when the key expires.
        runs_out_at: when the money runs out.
        runs_out_of: of what, where that is not what limits the key now: a scope as in the document.
        is_upper_bound: whether it runs out then at the latest, as others spend from it too.
        needs_attention: whether it runs out within a day and before its reset, although the level is ok.
        is_free_tier: whether the key can run free models only, as `orcredit.words.is_free_only` says.
        free_requests: how many requests to free models were left on the day of `fetched_at`.
        written_at: by this machine's clock, which may differ from OpenRouter's.
        credit_until: the account's credit is not to be asked for before, with an ordinary key; by this machine's clock.
    """

    __slots__ = (
        "credit_until",
        "expires_at",
        "fetched_at",
        "free_requests",
        "is_free_tier",
        "is_upper_bound",
        "label",
        "level",
        "limited_by",
        "needs_attention",
        "percent",
        "percentage",
        "refused_until",
        "resets_at",
        "runs_out_at",
        "runs_out_of",
        "spendable",
        "written_at",
    )

    def __init__(
        self, line: dict[str, Any], level: str, fetched_at: float, written_at: float, credit_until: float | None = None
    ) -> None:
        self.level = level
        self.fetched_at = fetched_at
        self.written_at = written_at
        self.credit_until = credit_until
        self.spendable: str | None = line["spendable"]
        self.percent: str | None = line["percent"]
        self.limited_by: str | None = line["limitedBy"]
        self.label: str | None = line["label"]
        self.percentage: float | None = line["percentage"]
        self.resets_at: float | None = line["resetsAt"]
        self.refused_until: float | None = line["refusedUntil"]
        self.expires_at: float | None = line["expiresAt"]
        self.runs_out_at: float | None = line["runsOutAt"]
        self.runs_out_of: str | None = line["runsOutOf"]
        self.is_upper_bound: bool = line["isUpperBound"]
        self.needs_attention: bool = line["needsAttention"]
        self.is_free_tier: bool = line["isFreeTier"]
        self.free_requests: int | None = line["freeRequests"]

    def age(self, now: float) -> float | None:
        """Return the age in seconds; None if it was written in the future, as the clock was set back since.

        Args:
            now: seconds since 1970 by this machine's clock.
        """
        return _age(self.written_at, now)


class Failure:
    """The last poll that failed, if that was after the last balance.

    Attributes:
        is_refusal: whether OpenRouter refused the key; else it could not be asked, or its answer made no sense.
        status: the HTTP status, where it is known.
        at: seconds since 1970 by this machine's clock.
    """

    __slots__ = ("at", "is_refusal", "status")

    def __init__(self, *, is_refusal: bool, status: int | None, at: float) -> None:
        self.is_refusal = is_refusal
        self.status = status
        self.at = at

    def age(self, now: float) -> float | None:
        """Return the age in seconds; None if it is in the future, as the clock was set back since."""
        return _age(self.at, now)


def _age(at: float, now: float) -> float | None:
    age = now - at
    return max(age, 0.0) if age >= -_SLACK else None


def directory(environ: Mapping[str, str] | None = None, platform: str = sys.platform) -> str | None:
    """Return the user's cache directory, as `platformdirs` does, but without its import time.

    Returns:
        An absolute path, which may not exist; None for a user without a home directory.
    """
    environ = os.environ if environ is None else environ
    if platform == "win32":
        local = environ.get("LOCALAPPDATA", "")
        return os.path.join(local, "orcredit", "Cache") if local else None  # noqa: PTH118
    base = environ.get("XDG_CACHE_HOME", "")
    if not base.startswith("/"):
        home = environ.get("HOME") or os.path.expanduser("~")  # noqa: PTH111 - which reads the user database
        base = f"{home}/Library/Caches" if platform == "darwin" else f"{home}/.cache"
    return f"{base.rstrip('/')}/orcredit" if base.startswith("/") else None


def path_of(base_url: str, key: str, suffix: str) -> str | None:
    """Return the path of a file for a base URL and a key.

    Args:
        base_url: as `orcredit.config.credentials` returns it.
        key: only its hash is used.
        suffix: `.json` for the balance, `.failure` for the last failure, `.attempt` for the last claim.
    """
    folder = directory()
    if folder is None:
        return None
    return os.path.join(folder, f"{fingerprint(base_url)}-{fingerprint(key)}{suffix}")  # noqa: PTH118


def store(base_url: str, key: str, balance: Balance, credit_wait: float | None = None) -> None:
    """Store a balance for the prompt line, which shows the one written last, and forget the last failure.

    A stale balance is not stored, as the answer that it repeats already was. Nor is one that another process overtook
    with a later poll. That is decided by `fetchedAt`; as OpenRouter's clock may be wrong, only if both were
    written, and fetched, within half a minute.
    Failures are logged at debug level, and nothing is raised.

    Args:
        base_url: as `orcredit.config.credentials` returns it.
        key: only its hash is used.
        balance: of that key.
        credit_wait: seconds for which the account's credit is not to be asked for with this key; None keeps what is
            stored.
    """
    _quietly(lambda: _store(base_url, key, balance, credit_wait))


def store_failure(base_url: str, key: str, error: OrcreditError, at: float | None = None) -> None:
    """Store that a poll failed, for the prompt line. Failures are handled as by `store`.

    A refusal stays until the next balance: that OpenRouter cannot be reached after it does not lift it.

    Args:
        base_url: as for `store`.
        key: as for `store`.
        error: of the poll; only refusals and failures to get a usable answer are stored.
        at: seconds since 1970 by this machine's clock; None for now.
    """
    if isinstance(error, KeyRefusedError | UnavailableError):
        _quietly(lambda: _store_failure(base_url, key, error, time.time() if at is None else at))


def _quietly(write: Callable[[], None]) -> None:
    try:
        write()
    except (OSError, ValueError, OverflowError) as error:
        from logging import getLogger  # noqa: PLC0415 - the prompt line does not need it

        reason = getattr(error, "strerror", None) or type(error).__name__
        getLogger("orcredit").debug("the balance could not be stored for the prompt line: %s", reason)


def probe() -> None:
    """Check that files can be written, by creating and deleting one in the directory, which is created if missing.

    Raises:
        OSError: they cannot; it is a link or another user's, for example.
        ValueError: its path is invalid.
    """
    folder = directory()
    if folder is None:
        raise FileNotFoundError("there is no home directory")
    make_private(folder)
    draft = os.path.join(folder, f"probe.{os.getpid()}-{time.time_ns()}.tmp")  # noqa: PTH118
    replace(draft, b"\n")
    os.unlink(draft)  # noqa: PTH108


def load(base_url: str, key: str) -> Cached | None:
    """Return the balance that was stored last; None if there is none, or the file is invalid."""
    path = path_of(base_url, key, ".json")
    return _load(path) if path is not None and is_own_folder(os.path.dirname(path)) else None  # noqa: PTH120


def of(balance: Balance, written_at: float) -> Cached:
    """Return what would be stored of a balance, without storing it.

    Args:
        balance: any.
        written_at: seconds since 1970.
    """
    from orcredit.line_fields import line_fields  # noqa: PLC0415 - not for reading, as the prompt line does

    line = line_fields(balance)
    return Cached(line, line["level"], line["fetchedAt"], written_at)


def load_failure(base_url: str, key: str, cached: Cached | None) -> Failure | None:
    """Return the last failure, if it was after the balance `cached`; None otherwise, and if the file is invalid."""
    path = path_of(base_url, key, ".failure")
    if path is None or not is_own_folder(os.path.dirname(path)):  # noqa: PTH120
        return None
    failure = _load_failure(path)
    # Of the same millisecond: the balance that is written removes the failure before it.
    return failure if failure is not None and (cached is None or failure.at >= cached.written_at) else None


def credit_wait(base_url: str, key: str, now: float) -> float:
    """Return for how many seconds the account's credit is not to be asked for with this key; 0 if it may be."""
    cached = load(base_url, key)
    left = cached.credit_until - now if cached is not None and cached.credit_until is not None else 0.0
    # The time is stored to the millisecond, which may be after the exact one.
    return min(left, LONGEST_CREDIT_WAIT) if 0.0 < left <= LONGEST_CREDIT_WAIT + _SLACK else 0.0


def claim_refresh(base_url: str, key: str, max_age: float, now: float) -> bool:
    """Claim the refresh; one process per `max_age` wins.

    The claim is stored in a separate file, so that it holds while the refresh is running, and if it fails.

    Args:
        base_url: as for `store`.
        key: as for `store`.
        max_age: seconds.
        now: seconds since 1970.

    Raises:
        OSError: the claim cannot be stored, so no process wins.
    """
    descriptor = _open_claim(base_url, key)
    try:
        if not lock(descriptor):
            return False  # another process is claiming it at this moment
        try:
            claimed_at, wait = (float(number) for number in (os.read(descriptor, 64) + b" 0").split()[:2])
        except ValueError:
            claimed_at, wait = now - max_age, 0.0  # new, or invalid
        if -_SLACK <= now - claimed_at < max(max_age, min(wait, LONGEST_WAIT)):
            return False
        _write_claim(descriptor, f"{now:020.3f}")
        return True
    finally:
        os.close(descriptor)  # releases the lock


def postpone_refresh(base_url: str, key: str, wait: float) -> None:
    """Refuse claims until OpenRouter's Retry-After has passed. Disk errors are ignored.

    Args:
        base_url: as for `store`.
        key: as for `store`.
        wait: seconds, at most `LONGEST_WAIT`.
    """
    try:
        descriptor = _open_claim(base_url, key)
    except OSError:
        return
    try:
        if lock(descriptor):
            _write_claim(descriptor, f"{time.time():020.3f} {wait:.3f}")
    except OSError:
        pass
    finally:
        os.close(descriptor)


def _open_claim(base_url: str, key: str) -> int:
    path = path_of(base_url, key, ".attempt")
    if path is None:
        raise FileNotFoundError("there is no home directory")
    make_private(os.path.dirname(path))  # noqa: PTH120
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | SAFE_FLAGS, 0o600)
    status = os.fstat(descriptor)
    if is_own_file(status) and status.st_nlink <= 1:  # writing would overwrite the target of a hard link
        return descriptor
    os.close(descriptor)
    raise not_ours(path)


def _write_claim(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)  # longer invalid content would make every claim unreadable
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, text.encode())


def _load(path: str) -> Cached | None:
    import json  # noqa: PLC0415 - only needed if there is a file

    try:
        whole = json.loads(read_private(path, LARGEST))
        if whole["format"] != FORMAT:
            return None
        line, level, written_at = whole["line"], whole["line"]["level"], whole["writtenAt"]
        is_valid = (
            level in LEVELS
            and all(isinstance(line[name], str | None) for name in _TEXTS)
            and all(line[name] is None or _is_number(line[name], _LAST_INSTANT) for name in _INSTANTS)
            and all(isinstance(line[name], bool) for name in _FLAGS)
            and (line["percentage"] is None or _is_number(line["percentage"], _LARGEST_PERCENTAGE))
            and (line["freeRequests"] is None or _is_count(line["freeRequests"]))
            and line["fetchedAt"] is not None
            and _is_number(written_at, _LAST_INSTANT)
            and (whole["creditUntil"] is None or _is_number(whole["creditUntil"], _LAST_INSTANT))
        )
        return Cached(line, level, line["fetchedAt"], written_at, whole["creditUntil"]) if is_valid else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _load_failure(path: str) -> Failure | None:
    try:
        content = read_private(path, LARGEST)
    except OSError:
        return None  # most keys have none: nothing else is imported
    import json  # noqa: PLC0415 - as above

    try:
        whole = json.loads(content)
        kind, status, at = whole["kind"], whole["status"], whole["at"]
        is_valid = (
            whole["format"] == FORMAT
            and kind in _KINDS
            and (status is None or (_is_count(status) and status < 1000))
            and _is_number(at, _LAST_INSTANT)
        )
        return Failure(is_refusal=kind == _REFUSED, status=status, at=at) if is_valid else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _is_number(value: object, largest: float) -> bool:
    # False for NaN, as every comparison with it is.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= largest


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_COUNT


def _store(base_url: str, key: str, balance: Balance, credit_wait: float | None) -> None:
    path, now = path_of(base_url, key, ".json"), time.time()
    if path is None or balance.stale:
        return
    from orcredit.line_fields import line_fields  # noqa: PLC0415 - not for reading, as the prompt line does

    line = line_fields(balance)
    make_private(os.path.dirname(path))  # noqa: PTH120
    before = _load(path)
    if _is_overtaken(line["fetchedAt"], before, now):
        return
    until = before.credit_until if before is not None else None
    if credit_wait is not None:
        until = round(now + credit_wait, 3) if credit_wait > 0 else None
    _replace_document(path, {"format": FORMAT, "writtenAt": round(now, 3), "creditUntil": until, "line": line})
    failure = path_of(base_url, key, ".failure")
    if failure is not None:
        with suppress(FileNotFoundError):
            os.unlink(failure)  # noqa: PTH108


def _store_failure(base_url: str, key: str, error: OrcreditError, at: float) -> None:
    path = path_of(base_url, key, ".failure")
    if path is None:
        return
    make_private(os.path.dirname(path))  # noqa: PTH120
    is_refusal = isinstance(error, KeyRefusedError)
    before = load_failure(base_url, key, load(base_url, key))
    if before is not None and before.is_refusal and not is_refusal and before.age(at) is not None:
        return
    status = error.status if isinstance(error, KeyRefusedError) else None
    kind = _REFUSED if is_refusal else _UNAVAILABLE
    _replace_document(path, {"format": FORMAT, "kind": kind, "status": status, "at": round(at, 3)})


def _is_overtaken(fetched_at: float, before: Cached | None, now: float) -> bool:
    age = None if before is None else before.age(now)
    return before is not None and age is not None and age < _OVERLAP and 0 < before.fetched_at - fetched_at < _OVERLAP


def _replace_document(path: str, document: dict[str, Any]) -> None:
    import json  # noqa: PLC0415 - the prompt line may not need it

    content = (json.dumps(document) + "\n").encode()
    if len(content) > LARGEST:
        raise ValueError("larger than the maximum that is read")
    replace(path, content)
