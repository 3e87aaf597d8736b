"""Gets the key of a profile from where `config.toml` says it is: a variable, a file, a command or a keychain.

Every failure is a `ConfigurationError` that says what is wrong and shows nothing of what was read. None of them falls
back to another source.
"""

from __future__ import annotations

import codecs
import os
import signal
import stat
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from orcredit.errors import ConfigurationError
from orcredit.private_files import is_ours

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType
    from typing import IO, Any

    from orcredit.config.file import Source

COMMAND_SECONDS = 10.0
"""The longest that a command or a keychain may take."""

_READING_SECONDS = 1.0
"""For the rest of a command's output after its end: it is in a pipe already."""

SERVICE = "orcredit"
"""The service under which keys are kept in a keychain."""

_ASKING_SECONDS = 60.0
"""For a keychain while the user is there and changes it: it may ask for a password."""

_LARGEST = 1 << 16
"""Bytes of a file or a command's output that are looked at; a key has at most 8192 characters."""


def read(source: Source, *, timeout: float, environ: Mapping[str, str] | None = None) -> str:
    """Get a key.

    Args:
        source: where it is.
        timeout: seconds that a command or a keychain may take; `COMMAND_SECONDS` is the upper bound.
        environ: in place of `os.environ`.

    Returns:
        The first line, stripped; it is not checked.

    Raises:
        ConfigurationError: it is not there, is empty, or cannot be had.
    """
    seconds = min(COMMAND_SECONDS, timeout)
    match source.how:
        case "env":
            return _from_variable(source, os.environ if environ is None else environ)
        case "file":
            return _from_file(source)
        case "command":
            return _from_command(source, seconds)
        case _:
            return _from_keychain(source, seconds)


def _from_variable(source: Source, environ: Mapping[str, str]) -> str:
    text = environ.get(source.value, "").strip()
    if not text:
        state = "is empty" if source.value in environ else "is not set"
        raise ConfigurationError(
            f"Profile {source.profile} takes its {_kind(source)} from {source.value}, which {state}.",
            hint=f"Set it, or change {source.option} with 'orcredit config edit'.",
        )
    return text


def _kind(source: Source) -> str:
    return source.kind.replace("_", " ")


def path_of(source: Source) -> str:
    """Return the absolute path of a key's file."""
    return os.path.join(source.folder, os.path.expanduser(source.value))  # noqa: PTH111, PTH118


def _from_file(source: Source) -> str:
    path = path_of(source)
    # Without its path: a server shows this to all its clients.
    name = f"The file with the {_kind(source)} of profile {source.profile}"
    where = f"'orcredit config show -p {source.profile}' says where it is"
    hint = f"{where}: correct {source.option}, or make the file anew."
    try:
        # Not blocking: it may be a pipe that no process writes to.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigurationError(f"{name} cannot be read: {reason}.", hint=hint) from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise ConfigurationError(f"{name} is not a file.", hint=hint)
    with open(descriptor, "rb") as file:  # noqa: PTH123
        if sys.platform != "win32" and status.st_uid and not is_ours(status):  # root's are secrets of a container
            raise ConfigurationError(f"{name} is another user's.", hint=hint)
        if status.st_mode & 0o066 and sys.platform != "win32":
            raise ConfigurationError(
                f"{name} can be read or written by others.",
                hint=f"Run chmod 600 on it ({where}); if others use this machine, make a new key as well.",
            )
        content = file.read(_LARGEST)
    return _first_line(content, f"{name} is empty.", hint)


def _first_line(content: bytes, problem: str, hint: str) -> str:
    text = content.removeprefix(codecs.BOM_UTF8).decode(errors="replace").strip()
    if not text:
        raise ConfigurationError(problem, hint=hint)
    return text.splitlines()[0].strip()


# Commands


def _from_command(source: Source, seconds: float) -> str:
    name = f"The command for the {_kind(source)} of profile {source.profile}"
    hint = f"Run it by itself to see what it says; it is {source.option} in config.toml."
    try:
        process = _start(source.value)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise ConfigurationError(f"{name} could not be started: {reason}.", hint=hint) from None
    output: list[bytes] = []
    assert process.stdout is not None  # noqa: S101 - a pipe, see `_start`
    # A thread, because a child of the command may keep the pipe open longer than the command runs.
    reading = threading.Thread(target=_collect, args=(process.stdout, output), daemon=True)
    code = None
    try:
        reading.start()
        with suppress(subprocess.TimeoutExpired):
            code = process.wait(seconds)
            reading.join(_READING_SECONDS)
    finally:
        _end(process)
        reading.join(_READING_SECONDS)
        if not reading.is_alive():
            process.stdout.close()
    if code != 0:
        output.clear()  # a traceback's variables may be shown
    if code is None:
        raise ConfigurationError(
            f"{name} did not end within {seconds:g} s.",
            hint="It gets no standard input; what it asks for, it must ask elsewhere. It has --timeout, at most 10 s.",
        )
    if code != 0:
        how = f"ended with exit code {code}" if code > 0 else f"was ended by signal {-code}"
        raise ConfigurationError(f"{name} {how}; what it printed is not shown.", hint=hint)
    return _first_line(b"".join(output), f"{name} printed nothing.", hint)


def _start(words: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - the user's own command, from a file that only they can write
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        process_group=0 if sys.platform != "win32" else None,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )


def _collect(stream: IO[bytes], output: list[bytes]) -> None:
    """Read until the end, and keep the beginning: a command that prints more must not be blocked by it."""
    kept = 0
    with suppress(OSError, ValueError):
        while data := stream.read1(_LARGEST):  # type: ignore[attr-defined]  # a BufferedReader
            if kept < _LARGEST:
                output.append(data)
                kept += len(data)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command and what it started: all of its process group."""
    if sys.platform == "win32":
        process.kill()
    else:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


# Keychains


def _from_keychain(source: Source, seconds: float) -> str:
    account = account_of(source.profile, source.kind)
    text = _in_time(lambda keychain: keychain.get_password(SERVICE, account), seconds, f"profile {source.profile}")
    if not text or not text.strip():
        if source.kind == "key":
            hint = f"Run 'orcredit profile remove {source.profile}', then 'orcredit profile add {source.profile}'."
        else:
            hint = (
                f"Remove {source.option} with 'orcredit config edit', then run "
                f"'orcredit profile add {source.profile} --management'."
            )
        raise ConfigurationError(f"The keychain holds no {_kind(source)} of profile {source.profile}.", hint=hint)
    return str(text).strip()


def account_of(profile: str, kind: str) -> str:
    """Return the name of a key in the keychain."""
    return profile if kind == "key" else f"{profile}/management"


def keep_in_keychain(profile: str, kind: str, key: str) -> None:
    """Put a key into the keychain.

    Raises:
        ConfigurationError: there is no keychain, or it is locked.
    """
    account = account_of(profile, kind)
    _in_time(lambda keychain: keychain.set_password(SERVICE, account, key), _ASKING_SECONDS, f"profile {profile}")


def check_keychain() -> None:
    """Check that there is a keychain. Raises ConfigurationError."""
    _keychain()


def copy_in_keychain(profile: str, new_profile: str, kind: str) -> None:
    """Copy a key to another profile's name.

    Raises:
        ConfigurationError: it is not there, there is no keychain, or it is locked.
    """
    source, target = account_of(profile, kind), account_of(new_profile, kind)

    def copy(keychain: Any) -> None:  # noqa: ANN401 - keyring is an extra
        key = keychain.get_password(SERVICE, source)
        if key is not None:
            keychain.set_password(SERVICE, target, key)

    _in_time(copy, _ASKING_SECONDS, f"profile {profile}")


def remove_from_keychain(profile: str, kind: str) -> None:
    """Remove a key from the keychain, if it is there.

    Raises:
        ConfigurationError: there is no keychain, or it is locked.
    """
    account = account_of(profile, kind)

    def remove(keychain: Any) -> None:  # noqa: ANN401 - keyring is an extra
        if keychain.get_password(SERVICE, account) is not None:
            keychain.delete_password(SERVICE, account)

    _in_time(remove, _ASKING_SECONDS, f"profile {profile}")


def _in_time(use: Any, seconds: float, whose: str) -> str | None:  # noqa: ANN401 - as above
    """Use the keychain on a thread: an unlocking dialogue may be open for as long as the user likes."""
    results: list[str | None] = []
    problems: list[str] = []

    def work() -> None:
        try:
            results.append(use(_keychain()))
        except ConfigurationError as error:
            problems.extend((str(error), error.hint))
        except Exception as error:  # noqa: BLE001 - every backend raises its own; their messages may hold anything
            problems.extend(_problem(error))

    thread = threading.Thread(target=work, name="keychain", daemon=True)
    thread.start()
    thread.join(seconds)
    if problems:
        raise ConfigurationError(f"{problems[0]} (Needed for {whose}.)", hint=problems[1])
    if not results:
        raise ConfigurationError(
            f"The keychain did not answer within {seconds:g} s. (Needed for {whose}.)",
            hint="It may be waiting for you to unlock it: do that, then try again.",
        )
    return results[0]


_ELSEWHERE = "Where there is none, as on a server, use key_file, key_env or key_command instead."


def _keychain() -> Any:  # noqa: ANN401 - as above
    """Return the operating system's keychain."""
    try:
        import keyring  # noqa: PLC0415 - an extra
    except ImportError:
        keyring = None  # type: ignore[assignment]
    if keyring is None:
        raise ConfigurationError(
            "The keychain cannot be used: the package keyring is not installed.",
            hint="Install orcredit[keyring], or use key_file, key_env or key_command.",
        )
    return _only_keychain(keyring)


def _only_keychain(keyring: ModuleType) -> Any:  # noqa: ANN401 - as above
    chosen = keyring.get_keyring()
    backend = (list(getattr(chosen, "backends", ())) or [chosen])[0]
    module = type(backend).__module__
    is_missing = module in {"keyring.backends.fail", "keyring.backends.null"}
    # These are files, in plain text or not: only for users who chose them.
    is_file = module.startswith("keyrings.alt") and not os.environ.get("PYTHON_KEYRING_BACKEND")
    if is_missing or is_file:
        raise ConfigurationError("There is no keychain here.", hint=_ELSEWHERE)
    return backend


def _problem(error: Exception) -> tuple[str, str]:
    """Put a backend's error into words, without its message."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & {"KeyringLocked", "LockedException", "PromptDismissedException"}:
        return "The keychain is locked.", "Unlock it, then try again."
    if names & {"NoKeyringError", "InitError", "SecretServiceNotAvailableException"}:
        return "There is no keychain here.", _ELSEWHERE
    return f"The keychain cannot be used ({type(error).__name__}).", f"Unlock it, or repair it. {_ELSEWHERE}"
