"""The result of a check."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a check ended, the worst first."""

    FAULT = "fault"
    """Something does not work until it is set right."""
    WARNING = "warning"
    """It works, but not as well as it could."""
    SKIPPED = "skipped"
    """Not checked, because of another fault."""
    OK = "ok"


@dataclass(frozen=True, slots=True)
class Check:
    """What was found about one thing that orcredit uses. Its texts hold no key, and no user, host or password of a URL.

    Attributes:
        name: of the thing, one or two words in lower case, such as `proxy`.
        state: how it ended.
        detail: what is in use, or what is wrong.
        remedy: what to do; empty where nothing is to be done.
    """

    name: str
    state: State
    detail: str
    remedy: str = ""


def ok(name: str, detail: str) -> Check:
    """Return a check that found nothing wrong."""
    return Check(name, State.OK, detail)


def warning(name: str, detail: str, remedy: str) -> Check:
    """Return a check that found something that should be better."""
    return Check(name, State.WARNING, detail, remedy)


def fault(name: str, detail: str, remedy: str) -> Check:
    """Return a check that found something that does not work."""
    return Check(name, State.FAULT, detail, remedy)


def skipped(name: str, detail: str) -> Check:
    """Return a check that could not be made, and why."""
    return Check(name, State.SKIPPED, detail)
