"""What sessions need to survive a restart: the epoch that goes into their signatures, and which of them were ended.

Both are in a file while no server runs, and in no file while one does: the server that starts takes the file away, and
one that ends writes a new one, in which every session is that was ended under that epoch. So no disk that fails, fills
up or hangs, no backup of a home directory in use and no second server can bring a session back that was logged out: at
worst there is no file, then the next server begins a new epoch, and everybody logs in again. That is also so after a
crash or a power failure. Log-outs touch no disk.
"""

from __future__ import annotations

import os
import secrets
import stat
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

_EPOCH_BYTES = 32
_LARGEST = 1 << 20
"""Bytes; a thousand ended sessions take 40 KB."""

_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{22}$")]


@dataclass(slots=True)
class Revocations:
    """An epoch, and the sessions of it that were ended.

    Attributes:
        epoch: random text; sessions of another epoch are none.
        ended: until when each ended session would have lasted, in seconds since 1970, by its name.
    """

    epoch: str = field(default_factory=lambda: secrets.token_urlsafe(_EPOCH_BYTES), repr=False)
    ended: dict[str, int] = field(default_factory=dict)


class _File(BaseModel):
    """The shape of the file."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    format: Literal[1] = 1
    epoch: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]
    ended: dict[_Name, Annotated[int, Field(ge=0, lt=10**12)]]


class Unusable(Exception):  # noqa: N818 - the file is what is wrong
    """The file cannot be used; the text says why, without naming it."""


def file_for(port: int) -> Path | None:
    """Name the file of a server: one for each port, in the user's state directory; None for a user without one."""
    from platformdirs import user_state_path  # noqa: PLC0415 - only where a token is set

    try:
        folder = user_state_path("orcredit", appauthor=False)
    except (RuntimeError, OSError):  # a user id that the system knows nothing of, as in a container
        return None
    return folder / f"sessions-{port}.json" if folder.is_absolute() else None


def take(path: Path) -> Revocations | None:
    """Read a file and delete it, which one process can do; None where there is none.

    Raises:
        Unusable: it is not a regular file of this user's that only they can read, not of this shape, or cannot be
            deleted: then it must not be believed, since a later server could read it again.
    """
    try:
        content = _read(path)
        path.unlink()
        _sync(path.parent)
        kept = _File.model_validate_json(content)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unusable(_reason(error)) from None
    except (ValidationError, RecursionError):
        raise Unusable("it does not hold what orcredit writes") from None
    return Revocations(kept.epoch, kept.ended)


def keep(path: Path, revocations: Revocations) -> None:
    """Write a file, of which a reader sees all or nothing.

    Raises:
        Unusable: it cannot be written.
    """
    content = _File(epoch=revocations.epoch, ended=revocations.ended).model_dump_json()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".tmp", dir=path.parent)
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor
                file.write(content.encode())
            Path(draft).replace(path)
        except BaseException:
            Path(draft).unlink()
            raise
    except OSError as error:
        raise Unusable(_reason(error)) from None


def _read(path: Path) -> bytes:
    _check(path.lstat())  # opening a device may do something
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb") as file:  # noqa: PTH123 - a descriptor
        _check(os.fstat(file.fileno()))  # it may be another file by now
        return file.read(_LARGEST)


def _check(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Unusable("it is no regular file")
    if status.st_size >= _LARGEST:
        raise Unusable("it is too large")
    if sys.platform != "win32" and (status.st_uid != os.geteuid() or status.st_mode & 0o077 or status.st_nlink != 1):
        raise Unusable("others can reach it")


def _sync(folder: Path) -> None:
    """Have the deletion outlast a power failure, where directories can be synchronised."""
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        with suppress(OSError):
            os.fsync(descriptor)
        os.close(descriptor)


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
