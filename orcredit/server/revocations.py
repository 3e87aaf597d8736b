"""What sessions need to survive a restart: the epoch in their signatures, and which of them were revoked.

The file exists only while no server runs: a server deletes it when it starts and writes a new one when it ends, with
every session that was revoked in this epoch. So a failing, full or hanging disk, a backup or a second server cannot
bring back a revoked session: without the file, as after a crash or a power failure, the next server begins a new epoch,
which ends all sessions. Logging out does not touch the disk.
"""

from __future__ import annotations

import os
import secrets
import stat
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from orcredit.private_files import SAFE_FLAGS, is_ours, replace

if TYPE_CHECKING:
    from pathlib import Path

_EPOCH_BYTES = 32
_LARGEST = 1 << 20
"""Bytes; a thousand revoked sessions take 40 KB."""

_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{22}$")]


@dataclass(slots=True)
class Revocations:
    """An epoch, and its revoked sessions.

    Attributes:
        epoch: random text; sessions of another epoch are invalid.
        ended: the expiry of each revoked session in seconds since 1970, by its name.
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
    """The file cannot be used; the text says why, without its path."""


def file_for(port: int) -> Path | None:
    """Give the path of a server's file: one for each port, in the user's state directory; None without a directory."""
    from platformdirs import user_state_path  # noqa: PLC0415 - only where a token is set

    try:
        folder = user_state_path("orcredit", appauthor=False)
    except (RuntimeError, OSError):  # a user id without an entry in the system's database, as in containers
        return None
    return folder / f"sessions-{port}.json" if folder.is_absolute() else None


def take(path: Path) -> Revocations | None:
    """Read and delete the file; only one process can. None where there is no file.

    Raises:
        Unusable: it is not a regular file that this user owns and only they can read, its content is invalid, or it
            cannot be deleted, so that a later server could read it again.
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
        raise Unusable("its content is invalid") from None
    return Revocations(kept.epoch, kept.ended)


def keep(path: Path, revocations: Revocations) -> None:
    """Write the file atomically.

    Raises:
        Unusable: it cannot be written.
    """
    content = _File(epoch=revocations.epoch, ended=revocations.ended).model_dump_json()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace(str(path), content.encode())
    except OSError as error:
        raise Unusable(_reason(error)) from None


def _read(path: Path) -> bytes:
    _check(path.lstat())  # opening a device may have effects
    with open(os.open(path, os.O_RDONLY | SAFE_FLAGS), "rb") as file:  # noqa: PTH123 - a descriptor
        _check(os.fstat(file.fileno()))  # it may have been replaced meanwhile
        return file.read(_LARGEST)


def _check(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Unusable("it is not a regular file")
    if status.st_size >= _LARGEST:
        raise Unusable("it is too large")
    if sys.platform != "win32" and (not is_ours(status) or status.st_mode & 0o077 or status.st_nlink != 1):
        raise Unusable("others can access it")


def _sync(folder: Path) -> None:
    """Make the deletion survive a power failure, where directories can be synchronised."""
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        with suppress(OSError):
            os.fsync(descriptor)
        os.close(descriptor)


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
