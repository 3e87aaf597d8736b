"""Start-up files of shells and tmux: where they are, and adding lines to them once, wholly or not at all.

They may be all that makes a machine usable: a file is replaced atomically, after a copy of it was made, and one that is
read-only or another user's is refused.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from orcredit.errors import ConfigurationError

_BACKUP = "before-orcredit"
_MOST_BACKUPS = 100


class Change(NamedTuple):
    """What was done to a file.

    Attributes:
        is_changed: whether lines were added.
        backup: the copy of the file as it was; None for a new file.
    """

    is_changed: bool
    backup: Path | None


def start_up_file(program: str) -> Path:
    """Return the start-up file of bash, zsh, fish or tmux; it may not exist.

    Raises:
        ConfigurationError: there is no home directory.
    """
    try:
        home = Path.home()
    except RuntimeError:
        raise ConfigurationError(
            f"The start-up file of {program} was not found: there is no home directory.", hint="Set HOME."
        ) from None
    if program == "bash":
        return home / ".bashrc"
    if program == "zsh":
        return Path(os.environ.get("ZDOTDIR") or home) / ".zshrc"
    config = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    if not config.is_absolute():  # which its specification has ignored
        config = home / ".config"
    if program == "fish":
        return config / "fish" / "config.fish"
    files = [home / ".tmux.conf", config / "tmux" / "tmux.conf"]
    return next((file for file in files if file.exists()), files[0])


def check_kind(path: Path) -> None:
    """Raise OSError for a pipe: opening one would wait for its other end."""
    if path.is_fifo():
        raise OSError(errno.EINVAL, "is a pipe", str(path))


def contains(content: bytes, lines: bytes) -> bool:
    """Whether a file holds these lines, one after the other; `lines` ends without a line break."""
    return b"\n%b\n" % lines in b"\n%b\n" % content.replace(b"\r\n", b"\n")


def append_once(path: Path, text: str, mark: str) -> Change:
    """Append lines to a file, or to the target of a link, unless they are there.

    The file is replaced by one of the same mode, owner and extended attributes, beside a copy of it.

    Args:
        path: of a file that need not exist.
        text: lines, with the last line break.
        mark: words by which such lines are recognised, also if the user changed them; comments do not count.

    Raises:
        OSError: it cannot be done, and nothing was changed.
    """
    target = Path(os.path.realpath(path))
    check_kind(target)
    try:
        status = target.stat()
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(target, text.encode(), None)
        return Change(is_changed=True, backup=None)
    _check_ours(target, status)
    before = target.read_bytes()
    if contains(before, text.encode().rstrip(b"\n")) or _is_marked(before, mark.encode()):
        return Change(is_changed=False, backup=None)
    separator = b"" if not before else b"\n" if before.endswith(b"\n") else b"\n\n"
    return Change(is_changed=True, backup=_write(target, before + separator + text.encode(), status))


def _is_marked(content: bytes, mark: bytes) -> bool:
    return any(mark in line and not line.lstrip().startswith(b"#") for line in content.splitlines())


def _check_ours(path: Path, status: os.stat_result) -> None:
    problem = ""
    if not stat.S_ISREG(status.st_mode):
        problem = "is no regular file"
    elif os.name == "posix" and status.st_uid != os.geteuid():
        problem = "belongs to another user"
    elif not status.st_mode & stat.S_IWUSR:
        problem = "is read-only"
    elif status.st_nlink > 1:
        problem = "has several names (hard links), of which only one would be changed"
    if problem:
        raise OSError(errno.EPERM, problem, str(path))


def _write(path: Path, content: bytes, before: os.stat_result | None) -> Path | None:
    """Create or replace a file; return the copy of the one before."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    backup: Path | None = None
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if before is None else 0o600)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - of a descriptor
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        if before is not None:
            _copy_status(path, draft, before)
            os.utime(draft)
            backup = _back_up(path, before)
        _check_unchanged(path, before)
        draft.replace(path)
    except BaseException:
        for leftover in (draft, backup):
            if leftover is not None:
                with suppress(OSError):
                    leftover.unlink()
        raise
    return backup


def _check_unchanged(path: Path, before: os.stat_result | None) -> None:
    now: os.stat_result | None = None
    with suppress(FileNotFoundError):
        now = path.stat()
    if _identity(now) != _identity(before):
        raise OSError(errno.EAGAIN, "was changed by another program at the same time", str(path))


def _identity(status: os.stat_result | None) -> tuple[int, int, int] | None:
    return None if status is None else (status.st_mtime_ns, status.st_size, status.st_ino)


def _copy_status(source: Path, copy: Path, status: os.stat_result) -> None:
    """Give a file the mode, owner, group, times and extended attributes of another."""
    if os.name == "posix":
        os.chown(copy, status.st_uid, status.st_gid)  # before the mode, of which it may clear bits
    shutil.copystat(source, copy)


def _back_up(path: Path, status: os.stat_result) -> Path:
    """Copy a file to a new name beside it; earlier copies are kept."""
    for number in range(1, _MOST_BACKUPS):
        backup = path.with_name(f"{path.name}.{_BACKUP}" + (f".{number}" if number > 1 else ""))
        try:
            descriptor = os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123 - of a descriptor
                file.write(path.read_bytes())
            _copy_status(path, backup, status)
        except BaseException:
            backup.unlink()
            raise
        return backup
    raise OSError(errno.EEXIST, f"has {_MOST_BACKUPS - 1} copies already (*.{_BACKUP}*)", str(path))
