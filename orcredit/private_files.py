"""Files that only this user may read: their checks, locks and replacement.

Another user may have created what is in the place of such a file or folder: a link, a pipe, a file of their own. The
home directory, and the directories that XDG variables name, may be links: the user chose them.

The prompt line imports this, so it imports a few light standard modules only.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import time

SAFE_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""Flags of `open`: follow no symbolic link, and do not block on a pipe."""


def is_ours(status: os.stat_result) -> bool:
    """Whether it belongs to this user; always so on Windows."""
    return sys.platform == "win32" or status.st_uid == os.geteuid()


def is_own_file(status: os.stat_result) -> bool:
    """Whether it is a regular file of this user."""
    return stat.S_ISREG(status.st_mode) and is_ours(status)


def is_own_folder(folder: str) -> bool:
    """Whether it is a directory of this user, and no link to one."""
    try:
        status = os.lstat(folder)
    except (OSError, ValueError):
        return False
    return stat.S_ISDIR(status.st_mode) and is_ours(status)


def not_ours(path: str) -> OSError:
    """Make the error of a path that is not a private file or directory."""
    return OSError(errno.EPERM, f"{os.path.basename(path)} is a link, no regular file, or another user's")  # noqa: PTH119


def make_private(folder: str) -> None:
    """Create the directory, or make an existing one private. Raises OSError if it is a link or another user's."""
    os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103
    if not is_own_folder(folder):
        raise not_ours(folder)
    if os.stat(folder).st_mode & 0o077 and sys.platform != "win32":  # noqa: PTH116
        os.chmod(folder, 0o700)  # noqa: PTH101


def read_private(path: str, largest: int) -> bytes:
    """Read a file; empty where it is no regular file of this user, or has more than so many bytes. Raises OSError."""
    if not is_own_file(os.lstat(path)):  # opening a device may have side effects
        return b""
    descriptor = os.open(path, os.O_RDONLY | SAFE_FLAGS)
    try:
        status = os.fstat(descriptor)
        return os.read(descriptor, largest) if is_own_file(status) and status.st_size <= largest else b""
    finally:
        os.close(descriptor)


def replace(path: str, content: bytes) -> None:
    """Replace a file atomically, by one that only this user may read. Raises OSError."""
    draft = f"{path}.{os.getpid()}-{time.time_ns()}.tmp"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | SAFE_FLAGS, 0o600)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123
            file.write(content)
        os.replace(draft, path)  # noqa: PTH105
    except BaseException:
        os.unlink(draft)  # noqa: PTH108
        raise


def lock(descriptor: int, *, shared: bool = False) -> bool:
    """Lock an open file until it is closed, without waiting.

    Args:
        descriptor: of the file, at its beginning.
        shared: whether others may hold a shared lock at the same time; on Windows, none may.

    Returns:
        Whether it is locked; false while another process, or another opening of the file, holds a lock.

    Raises:
        OSError: the file system has no locks, for example; on Windows, false is returned for that, too.
    """
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - not needed for most prompts

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        os.lseek(descriptor, 0, os.SEEK_SET)
    else:
        import fcntl  # noqa: PLC0415 - likewise

        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
