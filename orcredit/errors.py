"""The exceptions that orcredit raises, and their exit codes.

The exit codes are part of the interface: scripts branch on them. Those from 69 to 78 are from `sysexits.h`.
"""

from __future__ import annotations

from enum import IntEnum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar


class ExitCode(IntEnum):
    """The exit codes of every command."""

    OK = 0
    LOW = 1
    USAGE = 2
    EXHAUSTED = 3
    UNAVAILABLE = 69
    BUG = 70
    REFUSED = 77
    CONFIGURATION = 78
    INTERRUPTED = 130


WORST_FIRST = (
    ExitCode.BUG,
    ExitCode.USAGE,
    ExitCode.CONFIGURATION,
    ExitCode.REFUSED,
    ExitCode.EXHAUSTED,
    ExitCode.UNAVAILABLE,
    ExitCode.LOW,
    ExitCode.OK,
)
"""The order of exit codes where there are several."""


class OrcreditError(Exception):
    """The base class of all exceptions that orcredit raises on purpose.

    Attributes:
        exit_code: the exit code of the command line.
        hint: what to do about it, one sentence.

    The message contains no key (keys in it are redacted: one may have been typed as an argument), and no part of a
    response body.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.BUG
    hint: str = "This is a bug in orcredit; please report it."

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(_redacted(message))
        if hint is not None:
            self.hint = hint


def _redacted(text: str) -> str:
    if "sk-" not in text:
        return text
    import re  # noqa: PLC0415 - rarely needed, and every import slows the prompt line down

    # Not what OpenRouter itself shows of a key: sk-or-v1-au7...890.
    return re.sub(
        r"\b(?!sk-[A-Za-z0-9_-]{9}\.\.\.[A-Za-z0-9_-]{3}(?![A-Za-z0-9_-]))sk-[A-Za-z0-9_-]{8,}", "sk-...", text
    )


def place_of(error: BaseException) -> str:
    """Return an error's type and the line that raised it, for a bug report; its message might quote a secret."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return type(error).__name__
    file = traceback.tb_frame.f_code.co_filename.replace("\\", "/").rpartition("/")[2]
    return f"{type(error).__name__} at {file}:{traceback.tb_lineno}"


class UsageError(OrcreditError, ValueError):
    """An option, argument or variable has an invalid value (exit code 2)."""

    exit_code = ExitCode.USAGE
    hint = "See 'orcredit --help'."


class ConfigurationError(OrcreditError):
    """The configuration is missing or invalid: a key, an address, a proxy (exit code 78)."""

    exit_code = ExitCode.CONFIGURATION
    hint = "See 'orcredit status --help'."


class HistoryError(ConfigurationError):
    """The history's database cannot be used: locked, read-only, full, damaged, newer, out of reach (exit code 78).

    Only the history needs the database: `watch` and `serve` report the error once and go on without.

    Attributes:
        public: the kind of error without the database's path, host or user, for HTTP responses.
    """

    hint = "Choose another database with ORCREDIT_DATABASE_URL."

    def __init__(self, message: str, *, hint: str | None = None, public: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.public = "The history cannot be used." if public is None else public


class UnavailableError(OrcreditError):
    """OpenRouter could not be reached, or its answer was invalid (exit code 69)."""

    exit_code = ExitCode.UNAVAILABLE
    hint = "Nothing is known about the balance; try again later."


class UnreachableError(UnavailableError):
    """No usable answer in time: network, timeout, 408, 429, 5xx.

    Attributes:
        retry_after: seconds, from OpenRouter's Retry-After header; None without.
        transient: whether a retry may help; it does not for a certificate that cannot be verified.
        status: the HTTP status; None without an answer.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        retry_after: float | None = None,
        transient: bool = True,
        status: int | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.retry_after = retry_after
        self.transient = transient


class NonsenseError(UnavailableError):
    """The answer is not one of OpenRouter's: a redirect, HTML, broken JSON, a field of the wrong type.

    Attributes:
        status: the HTTP status, where it is the reason.
    """

    hint = "Try again; if it happens again, OpenRouter's API may have changed: look for a newer orcredit."

    def __init__(self, message: str, *, hint: str | None = None, status: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


LIMITS_HINT = "Close other programs, or raise the limits (ulimit)."
NO_THREAD = "no thread could be started"
_NO_THREAD = (NO_THREAD, "can't start new thread")
"""Ours (`orcredit.background`) and Python's."""


def unexpected(error: BaseException) -> OrcreditError:
    """Make our error of an unexpected one: a bug, unless the system is short of memory, files or threads."""
    import errno  # noqa: PLC0415 - rare, as above

    match error:
        case MemoryError() | OSError(errno=errno.ENOMEM):
            problem = "there is too little memory"
        case OSError(errno=errno.EMFILE | errno.ENFILE):
            problem = "too many files are open"
        case RuntimeError() if str(error) in _NO_THREAD:
            problem = NO_THREAD
        case _:
            return OrcreditError(f"internal error: {place_of(error)}.")
    return UnreachableError(f"The system is short of resources: {problem}.", hint=LIMITS_HINT)


class KeyRefusedError(OrcreditError):
    """OpenRouter refused the key: 401, or 403 in its own JSON (exit code 77).

    Attributes:
        status: the HTTP status.
    """

    exit_code = ExitCode.REFUSED
    hint = "It may be mistyped, disabled, deleted or expired; see https://openrouter.ai/settings/keys"

    def __init__(self, message: str, *, hint: str | None = None, status: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status
