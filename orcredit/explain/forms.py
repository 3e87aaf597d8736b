"""Finds OpenRouter's errors in a piece of text, in the forms in which tools log them.

Regular expressions, not a JSON parser: most forms are JSON that was escaped, printed by Python, wrapped or cut short.
A status alone says nothing: it counts only beside a sentence of OpenRouter's, or its name and an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import TYPE_CHECKING

from orcredit.balance import ACCOUNT_CREDIT, KEY_LIMIT
from orcredit.explain import times
from orcredit.explain.finding import Finding, Kind
from orcredit.explain.plain import plain
from orcredit.explain.sentences import NOT_A_STATUS, SENTENCES, SOURCE, STATUS, words
from orcredit.money import dollars

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

_BARE_STATUS = re.compile(rf"(?<![\w.$#/:-])(?:HTTP[ /:]?)?({STATUS})(?![\w/]|\.\d|-\d){NOT_A_STATUS}")
_NAMED_STATUS = re.compile(
    rf"""\b(?:code|status|status_?code|http(?:_?status|/[\d.]+)?|error)["'\])]*[ :=(\[]{{1,4}}["'`(\[]?({STATUS})\b""",
    re.IGNORECASE,
)
_NEAR = 200
"""Characters before a sentence in which its status may stand."""

_TAIL = 1500
"""Characters after a sentence in which its fields stand."""

_MOST_MATCHES = 40
"""Of one pattern in one line, so that a line made of them takes no minutes."""

_NAME = re.compile(r"""open[ _-]?router|["']user_id["'] ?: ?["']user_""", re.IGNORECASE)
"""OpenRouter's name, or the id of its users, which its envelope ends with."""

_CODE = rf"""["']code["'] ?: ?({STATUS})\b(?!["'])"""
_ENVELOPE = re.compile(rf"""["']error["'] ?: ?\{{(?:(?!["']error["'] ?: ?\{{).){{0,900}}?{_CODE}""")
"""OpenRouter's own shape: the code is a number, equal to the status."""

_STARTS = re.compile(
    r"""["']error["'] ?: ?[{"']|Error code:|Exception - """
    rf"""|(?<!["']: )(?<!["']:)(?<!["'] :)(?<!["'] : )(?<!["']: ["'])(?<!["']:["'])\b(?:{STATUS})\b"""
)
"""Where a new error may begin; a status that is the value of a field is no beginning."""


_PHRASES = "Unauthorized|Payment Required|Forbidden|Too Many Requests"
_FAILED = "error|exception|status|status[ _]?code|http(?!/)|returned|responded|code|failed|failure|refused"
_GENERIC = (
    ("openrouter.ai/api", words(rf"openrouter\.ai/api\S{{0,120}}+.{{0,40}}?\b({STATUS}) (?:{_PHRASES})")),
    ("openrouter.ai/api", words(rf"\b({STATUS}) (?:{_PHRASES})\W{{0,3}}.{{0,30}}?openrouter\.ai/api")),
    (
        "router",
        words(
            rf"open[ _-]?router(?:\.ai)?\b[^{{}}]{{0,80}}?\b(?:{_FAILED})\b(?: code| with| status| error| http){{0,4}}"
            rf"[ :=(\[]{{1,3}}({STATUS})(?![\w/.-]){NOT_A_STATUS}"
        ),
    ),
    ("code", _ENVELOPE),
)
"""Errors without a sentence, each with a marker: OpenRouter's address or name with a status, or its envelope."""

_KEYS_PAGE = re.compile(r"openrouter\.ai/(?:settings/)?keys|create a key with a higher", re.IGNORECASE)
_CREDITS_PAGE = re.compile(r"openrouter\.ai/(?:settings/)?credits", re.IGNORECASE)
_REASON = re.compile(r"""["']?reason["']? ?[:=] ?["']?([a-z_]{3,48})\b|\b(weight_exceeds_budget)\b""")
_REASONS = frozenset({"in_flight_budget_exhausted", "weight_exceeds_budget"})
_SCOPE = re.compile(r"""["']scope["'] ?: ?["']([a-z_]{2,40})["']""")
_RETRY_AFTER = re.compile(
    r"""\bretry[-_ ]?after(?:_?seconds)?["'`]* ?[:=] ?["'`]*(\d{1,9}(?:\.\d{1,6})?)\b(?!-)""", re.IGNORECASE
)
_RESETS_AT = re.compile(r"""\bresets?_?at["'`]* ?[:=] ?["'`]*(20\d\d-[\d:T.Z+ -]{12,30})""", re.IGNORECASE)
_RATE_RESET = re.compile(r"""\bX-RateLimit-Reset["'`]* ?[:=] ?["'`]*(\d{10,16})\b""", re.IGNORECASE)
_LIMIT = re.compile(r"""["']limit_usd["'] ?: ?([\d.]{1,20})""")
_SPENT = re.compile(r"""["']spend_usd["'] ?: ?([\d.]{1,20})""")
_NEVER_BOUGHT = re.compile(r"never purchased credits", re.IGNORECASE)

_LONGEST_WAIT = 10 * 365 * 86400.0
_KINDS = {kind.value: kind for kind in Kind if kind.value.startswith(("openrouter_", "upstream_provider_"))}
_PERIODS = {"lifetime": "total"}
_SCOPES = {"api key": "api_key", "member": "member", "workspace": "workspace"}


@dataclass(frozen=True, slots=True)
class _Mention:
    """A place in the text that says what refused a request."""

    start: int
    end: int
    kind: Kind
    status: int | None
    match: re.Match[str]
    is_source: bool = False


def find(text: str, *, until: int | None = None) -> list[Finding]:
    """Find the errors of OpenRouter in a piece of a log: a line, or a few that belong together.

    Args:
        text: as it stands there.
        until: ignore what begins at this character of the plain text, or after it.

    Returns:
        One for each limit, in the order in which it is first mentioned: tools repeat an error within one line.
    """
    line = plain(text)
    at = times.time_of(line)
    found: dict[Kind, Finding] = {}
    for group in _groups(line, sorted(_mentions(line), key=lambda mention: mention.start)):
        if until is not None and group[0].start >= until:
            break
        finding = replace(_finding(line, group), at=at)
        found[finding.kind] = found[finding.kind].completed_by(finding) if finding.kind in found else finding
    if len(found) > 1:
        found.pop(Kind.OTHER, None)
    if len(found) > 1:
        found.pop(Kind.PROVIDER, None)
    return list(found.values())


def _mentions(line: str) -> Iterator[_Mention]:
    lowered = line.lower()
    for match in _matches(SOURCE, line) if "source" in lowered else ():
        kind = _KINDS.get(match[1].lower(), Kind.OTHER)
        yield _Mention(match.start(), match.end(), kind, _status_near(line, match), match, is_source=True)
    for sentence in SENTENCES:
        if sentence.marker in lowered:
            for match in _matches(sentence.pattern, line):
                if _has(sentence.needs, line, match, sentence.status):
                    status = _status_near(line, match) or sentence.status
                    yield _Mention(match.start(), match.end(), sentence.kind, status, match)
    if _NAME.search(line) is not None:
        for marker, pattern in _GENERIC:
            for match in _matches(pattern, line) if marker in lowered else ():
                if pattern is not _ENVELOPE or _is_named(line, match):
                    yield _Mention(match.start(), match.end(), Kind.OTHER, int(match[1]), match)


def _matches(pattern: re.Pattern[str], line: str) -> Iterator[re.Match[str]]:
    """Yield a bounded number of matches: a line has one error, or many equal ones."""
    return islice(pattern.finditer(line), _MOST_MATCHES)


def _has(needs: str, line: str, match: re.Match[str], status: int | None) -> bool:
    match needs:
        case "name":
            return _is_named(line, match)
        case "code":
            return _is_named(line, match) or any(
                envelope.start() <= match.start() and int(envelope[1]) == status
                for envelope in _ENVELOPE.finditer(line, max(0, match.start() - _NEAR), match.end() + _NEAR)
            )
        case "status":
            return _status_near(line, match) is not None
        case _:
            return True


def _is_named(line: str, match: re.Match[str]) -> bool:
    return _NAME.search(line, max(0, match.start() - 3 * _NEAR), match.end() + 2 * _NEAR) is not None


def _status_near(line: str, match: re.Match[str]) -> int | None:
    """Return the status of a sentence: the code after it in its envelope, or what stands before it."""
    after = line[match.end() : match.end() + _TAIL]
    begin = _STARTS.search(after)
    after = after[: begin.start()] if begin is not None else after
    code = re.search(_CODE, after)
    if code is not None:
        return int(code[1])
    before = line[max(0, match.start() - _NEAR) : match.start() + len("403 ")]  # it may be part of the sentence
    for pattern in (_NAMED_STATUS, _BARE_STATUS):
        statuses = pattern.findall(before)
        if statuses:
            return int(statuses[-1])
    named = _NAMED_STATUS.search(after)
    return int(named[1]) if named is not None else None


def _groups(line: str, mentions: list[_Mention]) -> Iterator[list[_Mention]]:
    """Yield the mentions of each error: a new one begins where the text starts anew between two mentions."""
    group: list[_Mention] = []
    for mention in mentions:
        if group and _STARTS.search(line, max(each.end for each in group), max(mention.start, 0)):
            yield group
            group = []
        group.append(mention)
    if group:
        yield group


def _finding(line: str, group: list[_Mention]) -> Finding:
    source = next((mention for mention in group if mention.is_source), None)
    main = source or min(group, key=lambda mention: mention.kind in {Kind.OTHER, Kind.PROVIDER})
    start, end = group[0].start, max(mention.end for mention in group)
    following = _STARTS.search(line, end)
    around = line[max(0, start - _NEAR) : min(end + _TAIL, following.start() if following is not None else len(line))]
    details: dict[str, str] = {}
    for mention in group:
        details = {name: text for name, text in mention.match.groupdict().items() if text} | details
    kind = _kind(main.kind, around, details, is_source=source is not None)
    reason = next((word for pair in _REASON.findall(around) for word in pair if word in _REASONS), None)
    if reason == Kind.REQUEST_TOO_LARGE.value:
        kind = Kind.REQUEST_TOO_LARGE
    period = details.get("period", "").lower()
    return Finding(
        kind=kind,
        status=next((mention.status for mention in group if mention.status is not None), None),
        limit_source=source.match[1].lower() if source is not None else _limit_source(kind),
        reason=reason or _free_reason(group),
        scope=_scope(kind, around, details),
        period=_PERIODS.get(period, period) or ("daily" if kind is Kind.FREE_DAILY else None),
        retry_after=_retry_after(around),
        reset=_reset(around),
        requested=_count(details.get("requested")),
        affordable=_count(details.get("affordable")),
        limit=_amount(_LIMIT, around),
        spent=_amount(_SPENT, around),
        never_bought=_NEVER_BOUGHT.search(around) is not None,
        is_own_statement=_BARE_STATUS.search(around) is not None or _NAMED_STATUS.search(around) is not None,
    )


def _kind(kind: Kind, around: str, details: dict[str, str], *, is_source: bool) -> Kind:
    """Return what refused the request, by the page that the sentence sends people to and whose budget it names."""
    if is_source:
        return kind
    if kind is Kind.CREDITS and _KEYS_PAGE.search(around) and not _CREDITS_PAGE.search(around):
        return Kind.KEY_LIMIT
    if kind is Kind.WORKSPACE_BUDGET and details.get("scope", "").lower() in {"api key", "member", "guardrail"}:
        return Kind.GUARDRAIL_BUDGET
    return kind


def _limit_source(kind: Kind) -> str | None:
    if kind is Kind.REQUEST_TOO_LARGE:
        return Kind.CREDITS.value
    return kind.value if kind.value in _KINDS else None


def _free_reason(group: list[_Mention]) -> str | None:
    """Return OpenRouter's word for a limit of the free models."""
    kinds = {Kind.FREE_DAILY, Kind.FREE_MINUTE}
    words = (
        mention.match[0].lower().rstrip("-") for mention in group if mention.kind in kinds and not mention.is_source
    )
    return next(words, None)


def _scope(kind: Kind, around: str, details: dict[str, str]) -> str | None:
    match kind:
        case Kind.CREDITS:
            return ACCOUNT_CREDIT
        case Kind.KEY_LIMIT:
            return KEY_LIMIT
        case Kind.WORKSPACE_BUDGET | Kind.GUARDRAIL_BUDGET:
            if (match := _SCOPE.search(around)) is not None:
                return match[1]
            return _SCOPES.get(details.get("scope", "").lower())
        case _:
            return None


def _retry_after(around: str) -> float | None:
    seconds = [float(digits) for digits in _RETRY_AFTER.findall(around)]
    return next((number for number in seconds if number <= _LONGEST_WAIT), None)


def _reset(around: str) -> datetime | None:
    if (match := _RESETS_AT.search(around)) is not None:
        return times.parse(match[1])
    if (match := _RATE_RESET.search(around)) is not None:
        return times.parse_epoch(match[1])
    return None


def _count(text: str | None) -> int | None:
    return int(text.replace(",", "") or 0) if text is not None else None


def _amount(pattern: re.Pattern[str], around: str) -> Decimal | None:
    match = pattern.search(around)
    try:
        return dollars(Decimal(match[1])) if match is not None else None
    except (InvalidOperation, ValueError):
        return None
