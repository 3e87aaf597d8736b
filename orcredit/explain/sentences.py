"""The sentences of OpenRouter's errors, collected from public issues (`tests/data/explain_forms.toml`)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orcredit.explain.finding import Kind

STATUS = "401|402|403|429"
NOT_A_STATUS = (
    r"(?! ?(?:files?|lines?|tests?|insertions?|deletions?|ms|tokens?|bytes|items|rows|passed|failed|kB|MB)\b)"
)

_NAMES = (b"openrouter", b"open router", b"open_router", b"open-router")
_STATUSES = tuple(status.encode() for status in STATUS.split("|"))


@dataclass(frozen=True, slots=True)
class Sentence:
    """Words of OpenRouter's, and what they mean.

    Attributes:
        kind: what refused the request.
        marker: in lower case, a part of every text that matches, by which others are told quickly.
        pattern: may have the groups `period`, `scope`, `requested`, `affordable`.
        status: where the text has none; None where several are possible.
        needs: what must be near it, as the words alone are not only OpenRouter's: "name", or "code" for a name or a
            numeric code of this status, or "status"; "" for nothing.
    """

    kind: Kind
    marker: str
    pattern: re.Pattern[str]
    status: int | None
    needs: str = ""


def words(text: str, *, exact: bool = False) -> re.Pattern[str]:
    """Compile a pattern of plain text, in which every white space is one blank; by default in any letter case."""
    return re.compile(text, 0 if exact else re.IGNORECASE)


_PERIOD = r"(?: \((?P<period>daily|weekly|monthly|total|lifetime) limit\))"
_REQUESTED = r"requested up to (?P<requested>[\d,]{1,12}) tokens, but can only afford (?P<affordable>[\d,]{1,12})"
_REACHED = "(?:exceeded|reached|hit)"

SENTENCES = (
    Sentence(Kind.IN_FLIGHT, "available credits", words(r"exceed your available credits"), 402),
    Sentence(Kind.IN_FLIGHT, "in_flight_budget", words(r"\bin_flight_budget_exhausted\b"), 402),
    Sentence(Kind.REQUEST_TOO_LARGE, "weight_exceeds_budget", words(r"\bweight_exceeds_budget\b"), 402),
    Sentence(
        Kind.CREDITS,
        "requires more credits",
        words(rf"requires more credits\b(?:, or fewer max_tokens\. You {_REQUESTED})?"),
        402,
    ),
    Sentence(Kind.CREDITS, "can only afford", words(rf"\bYou {_REQUESTED}"), 402),
    Sentence(
        Kind.CREDITS,
        "more credits are required",
        words(
            r"More credits are required to run this request\."
            r"(?: (?P<requested>[\d,]{1,12}) token capacity required, (?P<affordable>[\d,]{1,12}) available)?"
        ),
        402,
    ),
    Sentence(
        Kind.CREDITS,
        "tokens limit exceeded",
        words(r"Prompt tokens limit exceeded: [\d,]{1,12} > (?P<affordable>[\d,]{1,12})"),
        402,
        "name",
    ),
    Sentence(Kind.CREDITS, "purchased credits", words(r"account never purchased credits"), 402),
    Sentence(Kind.CREDITS, "api key has insufficient", words(r"account or API key has insufficient credits"), 402),
    Sentence(Kind.CREDITS, "insufficient credits", words(r"Insufficient credits\b"), 402, "code"),
    Sentence(Kind.KEY_LIMIT, "key limit", words(rf"\bkey limit {_REACHED}{_PERIOD}"), None),
    Sentence(
        Kind.KEY_LIMIT,
        "key limit",
        # Not "API key limit exceeded", which other services say.
        words(rf"""(?:(?:^|["':>(-] ?)K|\b(?:{STATUS}):? [Kk])ey limit {_REACHED}\b(?!:)""", exact=True),
        None,
    ),
    Sentence(Kind.KEY_LIMIT, "key limit", words(rf"\bkey limit {_REACHED}\b"), None, "name"),
    Sentence(Kind.KEY_LIMIT, "credit limit reached", words(r"API key credit limit reached\. You can change it"), None),
    Sentence(
        Kind.WORKSPACE_BUDGET,
        "budget limit",
        words(
            rf"\b(?:(?P<scope>API key|member|workspace|guardrail|organization) )?budget limit {_REACHED}"
            rf"(?:{_PERIOD}|(?=\. Contact your org admin))"
        ),
        403,
    ),
    Sentence(Kind.FREE_DAILY, "free-models-per-day", words(r"free-models-per-day[a-z-]{0,40}"), 429),
    Sentence(Kind.FREE_MINUTE, "free-models-per-min", words(r"free-models-per-min[a-z-]{0,40}"), 429),
    Sentence(Kind.SHARED_POOL, "rate-limited upstream", words(r"temporarily rate-limited upstream"), 429),
    Sentence(Kind.NO_KEY, "auth credentials found", words(r"\bNo (?:cookie )?auth credentials found"), 401),
    Sentence(Kind.KEY_REFUSED, "user not found", words(r"\bUser not found\b"), 401, "code"),
    Sentence(Kind.MODERATION, "requires moderation", words(r"requires moderation on\b"), 403),
    Sentence(Kind.TERMS, "terms of service", words(r"violation of provider Terms Of Service"), 403),
    Sentence(
        Kind.MANAGEMENT_ONLY, "keys can perform", words(r"Only (?:management|provisioning) keys can perform"), 403
    ),
    Sentence(Kind.PROVIDER, "provider returned error", words(r"Provider returned error\b"), None, "status"),
)

SOURCE = words(r"""limit_?source["'`]* ?[:=](?!=) ?["'`]*((?:openrouter|upstream_provider)_[a-z_]{1,48})\b""")
"""The field that names the limit."""

_STRONG = (
    b"limit_source",
    b"limitsource",
    *sorted({sentence.marker.encode() for sentence in SENTENCES}),
    # Parts of those that a terminal may have wrapped between two words.
    b"max_tokens",
    b"in-flight",
)


def may_have_error(text: bytes) -> bool:
    """Tell quickly whether a text can have an error of OpenRouter: a sentence, or its name and a status."""
    lowered = text.lower()
    if any(marker in lowered for marker in _STRONG):
        return True
    return any(status in lowered for status in _STATUSES) and any(name in lowered for name in _NAMES)


def offsets_of_interest(text: bytes) -> list[int]:
    """Return where a text has parts of an error: of sentences, statuses, or a header Retry-After."""
    lowered = text.lower()
    offsets = []
    for marker in (*_STRONG, *_STATUSES, b"retry-after:"):
        offset = lowered.find(marker)
        while offset >= 0:
            offsets.append(offset)
            offset = lowered.find(marker, offset + len(marker))
    return offsets
