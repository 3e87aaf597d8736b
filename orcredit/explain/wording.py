"""What an error means and what helps, in sentences. None quotes the text that it was found in."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from orcredit.durations import format_duration
from orcredit.explain.finding import Finding, Kind
from orcredit.words import scope_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

CREDITS_PAGE = "https://openrouter.ai/settings/credits"
KEYS_PAGE = "https://openrouter.ai/settings/keys"
MANAGEMENT_PAGE = "https://openrouter.ai/settings/management-keys"

_STATUSES = {
    401: "OpenRouter did not accept the key.",
    402: "OpenRouter wants to be paid first, and the text does not say which limit it was.",
    403: "OpenRouter did not allow the request, and the text names no limit.",
    429: "Too many requests; the text does not say whose limit it was.",
}
_HEADLINES = {
    Kind.REQUEST_TOO_LARGE: "This one request is estimated above the whole in-flight budget.",
    Kind.FREE_DAILY: "Today's requests to free models are used up, for the whole account.",
    Kind.FREE_MINUTE: "Too many requests to free models within a minute.",
    Kind.SHARED_POOL: "The model's provider is busy: no limit of your key or account.",
    Kind.PROVIDER: "The model's provider refused the request, not OpenRouter.",
    Kind.NO_KEY: "The request had no key that OpenRouter could read.",
    Kind.KEY_REFUSED: "OpenRouter does not know this key, or no longer.",
    Kind.MODERATION: "The model's moderation refused the prompt: no limit.",
    Kind.TERMS: "A provider's terms forbid this request: no limit.",
    Kind.MANAGEMENT_ONLY: "This call needs a management key, and the key is not one.",
}
_BUDGET_REMEDY = (
    "Ask an administrator of the workspace to raise it, or wait for its reset; buying credit does not help."
)
_REMEDIES = {
    Kind.REQUEST_TOO_LARGE: "Lower max_tokens or the prompt; more credit raises the in-flight budget.",
    Kind.IN_FLIGHT: "Run fewer requests at once, or lower max_tokens; more credit raises this budget.",
    Kind.WORKSPACE_BUDGET: _BUDGET_REMEDY,
    Kind.GUARDRAIL_BUDGET: _BUDGET_REMEDY,
    Kind.FREE_DAILY: "Wait for the reset at 00:00 UTC, use a paid model, or buy credit, which raises the number.",
    Kind.FREE_MINUTE: "Send fewer requests to free models, or use a paid model.",
    Kind.SHARED_POOL: "Retry, use another model or provider, or add a key of your own for that provider.",
    Kind.PROVIDER: "Use another model or provider; with a key of your own for the provider, check that one.",
    Kind.NO_KEY: "Check that the tool sends the key: the right variable, no quotes, the right base URL.",
    Kind.KEY_REFUSED: "It may be mistyped, disabled, deleted or expired: check it, or create another one.",
    Kind.MODERATION: "Change the prompt, or use another model.",
    Kind.TERMS: "Use another model or provider, and check the account's privacy settings and allowed providers.",
    Kind.MANAGEMENT_ONLY: "Use a management key for this call, and an ordinary one for models.",
}
_OTHER_REMEDIES = {
    401: _REMEDIES[Kind.KEY_REFUSED],
    402: "See what is left with 'orcredit status': the key's limit, its budgets and the account's credit.",
    403: "Check the key's limit and rules; it may also be a proxy's answer or the provider's.",
    429: "Retry later, send fewer requests, or use another model.",
}
_PAGES = {
    Kind.CREDITS: CREDITS_PAGE,
    Kind.REQUEST_TOO_LARGE: CREDITS_PAGE,
    Kind.IN_FLIGHT: CREDITS_PAGE,
    Kind.FREE_DAILY: CREDITS_PAGE,
    Kind.KEY_LIMIT: KEYS_PAGE,
    Kind.NO_KEY: KEYS_PAGE,
    Kind.KEY_REFUSED: KEYS_PAGE,
    Kind.MANAGEMENT_ONLY: MANAGEMENT_PAGE,
}
_SHORT = 120
"""Seconds below which a wait is shown in seconds."""

_RESETS = {
    "daily": "the next 00:00 UTC",
    "weekly": "00:00 UTC of the next Monday",
    "monthly": "00:00 UTC of the next 1st",
}


def headline(finding: Finding) -> str:
    """Return in a sentence which limit it was."""
    period = f"{finding.period} " if finding.period in _RESETS else ""
    match finding.kind:
        case Kind.IN_FLIGHT:
            when = f"in {_short(finding.retry_after)}" if finding.retry_after else "in a moment"
            text = f"In-flight budget, not your balance: retry {when}."
        case Kind.CREDITS if finding.never_bought:
            text = "The account has no credit: none was ever bought."
        case Kind.CREDITS:
            text = f"The account's credit does not cover this request{_tokens(finding)}."
        case Kind.KEY_LIMIT if _has_room(finding):
            text = f"What the key's own limit leaves does not cover this request{_tokens(finding)}."
        case Kind.KEY_LIMIT:
            text = f"The key's own {period}limit is spent, not the account's credit."
        case Kind.WORKSPACE_BUDGET | Kind.GUARDRAIL_BUDGET:
            text = f"{_budget(finding, period)} is spent, not the account's credit."
        case Kind.OTHER if finding.limit_source is not None:
            text = "A limit of OpenRouter that this version of orcredit does not know."
        case Kind.OTHER:
            text = _STATUSES.get(finding.status or 0, "OpenRouter refused the request.")
        case _:
            text = _HEADLINES[finding.kind]
    return text


def remedy(finding: Finding) -> str:
    """Return in a sentence what to change."""
    match finding.kind:
        case Kind.CREDITS if finding.never_bought:
            text = "Buy credit, or check that the key belongs to the right account or organization."
        case Kind.CREDITS:
            text = f"Buy credit, or {_smaller(finding)}."
        case Kind.KEY_LIMIT if _has_room(finding):
            text = f"Raise the key's limit, or {_smaller(finding)}."
        case Kind.KEY_LIMIT:
            reset = ", or wait for its reset" if finding.period in _RESETS or finding.reset is not None else ""
            text = f"Raise the key's limit, or use another key{reset}; buying credit does not help."
        case Kind.FREE_DAILY if finding.reason is not None and finding.reason.endswith("-high-balance"):
            text = "Wait for the reset at 00:00 UTC, or use a paid model."
        case Kind.OTHER:
            text = _OTHER_REMEDIES.get(finding.status or 0, "See what is left with 'orcredit status'.")
        case _:
            text = _REMEDIES[finding.kind]
    return text


def page(finding: Finding) -> str | None:
    """Return the page of OpenRouter where to change it; None where there is none."""
    if finding.kind is Kind.OTHER:
        return {401: KEYS_PAGE, 402: CREDITS_PAGE, 403: KEYS_PAGE}.get(finding.status or 0)
    return _PAGES.get(finding.kind)


def waiting(finding: Finding, now: datetime, instant: Callable[[datetime], str]) -> str:
    """Return whether waiting helps, and until when.

    Args:
        finding: an error.
        now: aware.
        instant: formats a time.
    """
    ends = finding.refused_until or finding.resets_at
    if finding.retry_after and finding.refused_until is None:
        return f"helps: {_short(finding.retry_after)} after the error"
    if ends is not None and ends > now:
        return f"helps, until {instant(ends)} (in {_short((ends - now).total_seconds())})"
    if ends is not None:
        return f"is over since {instant(ends)}: retry now"
    if finding.period in _RESETS:
        return f"helps, until {_RESETS[finding.period]} after the error"
    return _waiting_without_a_time(finding)


def _waiting_without_a_time(finding: Finding) -> str:
    has_budget = finding.kind in {Kind.KEY_LIMIT, Kind.WORKSPACE_BUDGET, Kind.GUARDRAIL_BUDGET}
    if finding.is_retryable:
        text = "helps: a minute is often enough"
    elif has_budget and finding.period is None and not _has_room(finding):
        text = "helps if it resets; the text does not say"
    elif finding.kind is Kind.OTHER and finding.status in {402, 403}:
        text = "may help; the text does not say"
    else:
        text = "does not help"
    return text


def _has_room(finding: Finding) -> bool:
    """Whether a smaller request would have been accepted."""
    return bool(finding.affordable)


def _smaller(finding: Finding) -> str:
    if not _has_room(finding):
        return "lower max_tokens or the prompt"
    if finding.requested is None:
        return f"shorten the prompt to {finding.affordable:,} tokens"
    return f"set max_tokens to {finding.affordable} or less"


def _budget(finding: Finding, period: str) -> str:
    if finding.scope is None:
        return f"A {period}budget of the workspace, or of this key or member in it,"
    name = scope_name(finding.scope)
    return f"The {period}{name}" if name.endswith(("budget", "limit")) else f"The {period}{name} budget"


def _tokens(finding: Finding) -> str:
    if finding.affordable is None:
        return ""
    if finding.requested is None:
        return f": it pays for {finding.affordable:,} tokens of prompt"
    return f": it pays for {finding.affordable:,} of the {finding.requested:,} tokens requested"


def _short(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < _SHORT else format_duration(timedelta(seconds=seconds))
