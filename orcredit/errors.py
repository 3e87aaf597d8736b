"""Every way orcredit can fail, and the exit code of each.

The codes are part of the interface: scripts branch on them. They are defined here and nowhere else; the
numbers from 69 on are those of `sysexits.h`.
"""

from __future__ import annotations

from enum import IntEnum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar


class ExitCode(IntEnum):
    """What the process tells the shell."""

    OK = 0
    LOW = 1
    USAGE = 2
    EXHAUSTED = 3
    UNAVAILABLE = 69
    BUG = 70
    REFUSED = 77
    CONFIGURATION = 78
    INTERRUPTED = 130


class OrcreditError(Exception):
    """The root of the tree: catch this to catch everything orcredit raises on purpose.

    Attributes:
        exit_code: what the command line exits with.
        hint: what to do about it, one sentence.

    The text never contains a key (what was typed in a wrong place may be one), nor anything of an answer's body.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.BUG
    hint: str = "This is a bug in orcredit; please report it."

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(_without_keys(message))
        if hint is not None:
            self.hint = hint


def _without_keys(text: str) -> str:
    if "sk-" not in text:
        return text
    import re  # noqa: PLC0415 - rare, and the prompt line pays for every import

    return re.sub(r"\bsk-[A-Za-z0-9_-]{8,}", "sk-...", text)


def place_of(error: BaseException) -> str:
    """Name an error's kind and the line that raised it, for a report; its text might quote what nobody should read."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return type(error).__name__
    file = traceback.tb_frame.f_code.co_filename.replace("\\", "/").rpartition("/")[2]
    return f"{type(error).__name__} at {file}:{traceback.tb_lineno}"


class UsageError(OrcreditError, ValueError):
    """An option, argument or variable has a value that orcredit does not take (exit code 2)."""

    exit_code = ExitCode.USAGE
    hint = "See 'orcredit --help'."


class ConfigurationError(OrcreditError):
    """Something around orcredit must be set right first: a key, an address, a proxy (exit code 78)."""

    exit_code = ExitCode.CONFIGURATION
    hint = "See 'orcredit status --help'."


class HistoryError(ConfigurationError):
    """The history's database cannot be used: locked, read-only, full, damaged, newer, out of reach (exit code 78).

    Nothing but the history needs it: whoever can go on without says so once, and does.

    Attributes:
        public: the kind of error without the database's path, host or user, for those who ask over HTTP.
    """

    hint = "Choose another database with ORCREDIT_DATABASE_URL."

    def __init__(self, message: str, *, hint: str | None = None, public: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.public = "The history cannot be used." if public is None else public


class UnavailableError(OrcreditError):
    """OpenRouter could not be asked, or its answer made no sense (exit code 69)."""

    exit_code = ExitCode.UNAVAILABLE
    hint = "Nothing is known about the balance; try again later."


class UnreachableError(UnavailableError):
    """No usable answer in time: network, timeout, 408, 429, 5xx.

    Attributes:
        retry_after: seconds to wait that OpenRouter asked for, or None.
        transient: whether another try may cure it; a certificate that cannot be verified stays so.
    """

    def __init__(
        self, message: str, *, hint: str | None = None, retry_after: float | None = None, transient: bool = True
    ) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after
        self.transient = transient


class NonsenseError(UnavailableError):
    """Something answered, but not with what OpenRouter answers: a redirect, HTML, broken or mistyped JSON."""

    hint = "Try again; if it stays, OpenRouter's API may have changed: look for a newer orcredit."


class KeyRefusedError(OrcreditError):
    """OpenRouter knows no such key, or does not let it ask (exit code 77)."""

    exit_code = ExitCode.REFUSED
    hint = "It may be mistyped, disabled, deleted or expired; see https://openrouter.ai/settings/keys"
