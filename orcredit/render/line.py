"""The prompt line: `$158.61 · 31.7% · 1d`, the user's own template, or Waybar's JSON.

The percentage is of the budget that limits; where the account's credit does, there is none. Nothing is said in colour
alone.

It is rendered from `orcredit.cache` before every prompt, so only light standard modules are imported. Control
characters are removed again from OpenRouter's texts, as the file may have been changed.
"""

from __future__ import annotations

import re

from orcredit.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orcredit.cache import Cached, Failure

FIELDS = {
    "spendable": "what can still be spent: $158.61, or no limit",
    "percent": "what is left of the budget that limits: 31.7%",
    "runway": "time until the money runs out: 8d",
    "level": "ok, low, exhausted or unlimited",
    "limited_by": "what limits it: key_limit, workspace, account_credit, ...",
    "reset": "time until the budget that limits resets: 16d",
    "expires": "time until the key expires: 3d",
    "label": "OpenRouter's masked label of the key",
    "profile": "the name of the profile",
    "others": "with --all, how many other profiles are low: 2",
    "age": "how old the numbers are: 12s",
    "stale": "(5m old) when that is more than --max-age, else nothing",
}
"""The fields of a template, and their values; a field is empty if it is not known or does not apply."""

WAITING = "…"
"""Shown before the first balance."""

NO_LIMIT = "no limit"
"""Shown for a key without a limit, when the account's credit is not known: no promise that anything can be spent."""

EXPIRY_NOTICE = 7 * 86400
"""Seconds before the key's expiry from which it is shown first, if the run-out is not known."""

VERY_OLD = 10
"""Times the maximum age. Numbers that are older say so first, and have no colour."""

SEPARATOR = " · "
_LONGEST_TEXT = 80
_COLORS = {"alarm": "31", "attention": "33"}
_DAY = 86400
_PIECES = r"(\{\{|\}\}|\{[^{}]*\}|[{}])"


class Line:
    """A cached balance at a point in time, as text.

    Args:
        cached: the balance.
        now: seconds since 1970 by this machine's clock.
        max_age: seconds after which it is stale.
        failure: the last failure, if it was after the balance.
        profile: the name of the profile; None for the unnamed one.
        is_named: whether the line is one of several, so that the name is said.

    Attributes:
        others: how many other profiles are low; where there are none, it is not said.
    """

    def __init__(
        self,
        cached: Cached,
        now: float,
        max_age: float,
        failure: Failure | None = None,
        *,
        profile: str | None = None,
        is_named: bool = False,
    ) -> None:
        self._cached = cached
        self._name = profile if is_named else None
        self.others = 0
        self._failed = "" if failure is None else _ago(failure.age(now))
        age = cached.age(now)
        self.is_stale = age is None or age > max_age
        self._is_very_old = age is None or age > VERY_OLD * max_age
        # By OpenRouter's clock, like the times in the document: this machine's may be wrong.
        self._now = cached.fetched_at + (age or 0.0)
        self._old = _old(age)
        self.values = {
            "spendable": _printable(cached.spendable) or self._without_limit(),
            "percent": _printable(cached.percent),
            "runway": "" if cached.level == "exhausted" else self._until(cached.runs_out_at),
            "level": cached.level,
            "limited_by": _printable(cached.limited_by),
            "reset": self._until(cached.resets_at),
            "expires": self._until(cached.expires_at),
            "label": _printable(cached.label),
            "profile": profile or "",
            "age": "" if age is None else format_seconds(age),
            "stale": f"({self._old})" if self.is_stale else "",
        }

    def text(self) -> str:
        """Return the line without a template: what is known, the most urgent first."""
        return self._text(self.values["spendable"], self.values["percent"])

    def text_left(self) -> str:
        """Return the line for a sentence that begins with something else: `$158.61 left · 1d`."""
        spendable = self.values["spendable"]
        return self._text(f"{spendable} left" if self._cached.spendable else spendable)

    def _text(self, *amount: str) -> str:
        values = self.values
        parts = []
        if self._expires_first():
            is_ahead = self._is_ahead(self._cached.expires_at)
            parts.append(f"key expires in {values['expires']}" if is_ahead else "key expired")
        if values["level"] == "exhausted":
            parts.append("exhausted")
            if self._is_ahead(self._cached.refused_until):
                parts.append(f"resets in {self._until(self._cached.refused_until)}")
        else:
            # A key that expires first has no run-out to show.
            parts += [*amount, "" if parts else values["runway"]]
        return _one_of_several(self._dated(SEPARATOR.join(part for part in parts if part)), self._name, self.others)

    @property
    def percentage(self) -> float:
        """What is left of the budget that limits, to compare lines; infinite where it is not known."""
        return float("inf") if self._cached.percentage is None else self._cached.percentage

    @property
    def level(self) -> str:
        """The level of the balance."""
        return self._cached.level

    @property
    def tone(self) -> str:
        """How urgent it is: "dim", "alarm", "attention" or "neutral"; see `orcredit.render.prompts`."""
        if self._is_very_old:
            return "dim"
        if self._cached.level in {"low", "exhausted"}:
            return "alarm"
        if self._cached.needs_attention:
            return "attention"
        return "dim" if self.is_stale else "neutral"

    def fill(self, template: list[str]) -> str:
        """Fill a template parsed by `parse_template`; very old numbers say so first, unless it shows their age."""
        values = self.values | {"others": str(self.others or "")}
        line = "".join(values[piece[1:-1]] if piece[:1] == "{" and piece[1:] else piece for piece in template)
        is_dated = not self._is_very_old or "{stale}" in template or "{age}" in template
        return line if is_dated else f"{self._old}{SEPARATOR}{line}"

    def colored(self, text: str) -> str:
        """Wrap a text in an ANSI colour: red when low or exhausted, yellow when it needs attention; else in none."""
        color = _COLORS.get(self.tone)
        return _colored(text, color) if color is not None else text

    def waybar(self, text: str) -> str:
        """Return Waybar's JSON; texts are escaped, as Waybar parses them as markup."""
        percentage = self._cached.percentage
        classes = [] if self._is_very_old else [self._cached.level]
        if self._cached.needs_attention and not self._is_very_old:
            classes.append("attention")
        if self.is_stale:
            classes.append("stale")
        bar: dict[str, object] = {
            "text": _escaped(text),
            "tooltip": _escaped("\n".join(self._tooltip())),
            "class": classes if len(classes) > 1 else classes[0],
        }
        if percentage is not None and not self._is_very_old:  # Waybar may derive a colour from it
            bar["percentage"] = round(min(max(percentage, 0.0), 100.0))
        return _json(bar)

    def _dated(self, line: str) -> str:
        if self._is_very_old:
            return f"{self._old}{SEPARATOR}{line}"
        return f"{line} {self.values['stale']}" if self.is_stale else line

    def _without_limit(self) -> str:
        """Return what stands in the place of the amount; the account's credit is not known then."""
        if not self._cached.is_free_tier:
            return NO_LIMIT
        left = self._cached.free_requests
        is_todays = self._now // _DAY == self._cached.fetched_at // _DAY  # they are counted by the UTC day
        return f"free{SEPARATOR}{left} left" if left is not None and is_todays else "free"

    def _tooltip(self) -> list[str]:
        values, cached = self.values, self._cached
        if cached.spendable:
            amount = f"{values['spendable']} can be spent"
        elif cached.is_free_tier:
            amount = (
                f"free models only{values['spendable'].removeprefix('free').replace(' left', ' requests left today')}"
            )
        else:
            amount = "no limit on this key; the account's credit is not known"
        budget = _budget_name(values["limited_by"])
        at_most = " at the latest" if cached.is_upper_bound else ""
        if (cached.runs_out_of or cached.limited_by) == "account_credit":
            at_most += ", unless topped up"
        of = f"the {_budget_name(_printable(cached.runs_out_of))} " if cached.runs_out_of else ""
        sentences = (
            (budget, f"limited by the {budget}"),
            (values["percent"], f"{values['percent']} of the {budget} left"),
            (values["runway"], f"{of}runs out in {values['runway']}{at_most}"),
            (values["reset"], f"the {budget} resets in {values['reset']}"),
            (values["expires"], f"the key expires in {values['expires']}"),
            (values["label"], values["label"]),
            (values["age"], f"as of {values['age']} ago"),
            (self._failed, f"the last attempt failed {self._failed}"),
        )
        return [amount, *(sentence for value, sentence in sentences if value)]

    def _expires_first(self) -> bool:
        expires_at, runs_out_at = self._cached.expires_at, self._cached.runs_out_at
        if expires_at is None:
            return False
        if runs_out_at is not None and self._cached.level != "exhausted":
            return expires_at < runs_out_at
        return expires_at - self._now <= EXPIRY_NOTICE

    def _is_ahead(self, instant: float | None) -> bool:
        return instant is not None and instant > self._now

    def _until(self, instant: float | None) -> str:
        return "" if instant is None else format_seconds(instant - self._now)


class Refusal:
    """What stands in the place of the line, and of any template, when OpenRouter refused the key.

    Args:
        failure: the refusal.
        now: seconds since 1970 by this machine's clock.
        max_age: seconds after which its age is shown.
        profile: as of a `Line`.
        is_named: likewise.

    Attributes:
        others: likewise.
    """

    level = "refused"
    percentage = 0.0

    def __init__(
        self, failure: Failure, now: float, max_age: float, *, profile: str | None = None, is_named: bool = False
    ) -> None:
        self._name = profile if is_named else None
        self.others = 0
        age = failure.age(now)
        self.is_stale = age is None or age > max_age
        self._is_very_old = age is None or age > VERY_OLD * max_age
        self._old = _old(age)
        self._words = "key refused" if failure.status is None else f"key refused ({failure.status})"

    def text(self) -> str:
        """Return what is said, with its age where that is old."""
        text = f"{self._words} ({self._old})" if self.is_stale else self._words
        if self._is_very_old:
            text = f"{self._old}{SEPARATOR}{self._words}"
        return _one_of_several(text, self._name, self.others)

    text_left = text

    def fill(self, template: list[str]) -> str:  # noqa: ARG002 - as of a `Line`
        """Return the same as `text`: the numbers of a template are of the past."""
        return self.text()

    @property
    def tone(self) -> str:
        """How urgent it is; see `Line.tone`."""
        return "dim" if self._is_very_old else "alarm"

    def colored(self, text: str) -> str:
        """Wrap a text in red, unless it is very old."""
        color = _COLORS.get(self.tone)
        return _colored(text, color) if color is not None else text

    def waybar(self, text: str) -> str:
        """Return Waybar's JSON."""
        tooltip = "OpenRouter refused this key: see orcredit status"
        classes = ["refused", "stale"] if self.is_stale else "refused"
        return _json({"text": _escaped(text), "tooltip": tooltip, "class": classes})


def _one_of_several(text: str, name: str | None, others: int) -> str:
    """Say whose line it is, and how many others are low; None for a line that stands alone."""
    if name is None:
        return text
    return f"{name} {text}" + (f"{SEPARATOR}{others} more low" if others else "")


def waiting_for_waybar() -> str:
    """Return Waybar's JSON before the first balance."""
    return _json({"text": WAITING, "tooltip": "waiting for OpenRouter", "class": "unknown"})


def parse_template(template: str) -> list[str]:
    """Split a template into texts and `{field}`s; `{{` and `}}` are braces.

    Raises:
        UsageError: an unknown field or a lone brace; the hint lists the fields.
    """
    pieces = re.split(_PIECES, template)  # compiled on use: most prompts have no template
    for index, piece in enumerate(pieces):
        if piece in {"{{", "}}"}:
            pieces[index] = piece[0]
        elif index % 2 and piece[1:-1] not in FIELDS:
            problem = f"{piece[:40]!r} is not a field" if piece[1:] else f"a lone {piece!r}"
            hint = f"Fields: {' '.join(f'{{{name}}}' for name in FIELDS)}; {{{{ and }}}} are braces."
            raise UsageError(f"--format: {problem}.", hint=hint)
    return pieces


def format_seconds(seconds: float) -> str:
    """Format a duration in its largest unit, rounded down: `8d`, `5h`, `12m`, `45s`; negative ones as `0s`."""
    whole = max(int(seconds), 0)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if whole >= size:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def _old(age: float | None) -> str:
    return "old" if age is None else f"{format_seconds(age)} old"


def _ago(age: float | None) -> str:
    return "" if age is None else f"{format_seconds(age)} ago"


def _budget_name(scope: str) -> str:
    """Name a scope in words; as `orcredit.words.scope_name`, whose import would load pydantic."""
    if scope == "account_credit":
        return "account's credit"
    default = scope.removeprefix("workspace_default_")
    if default in {"key", "member"}:
        return f"{default} default"
    name = scope.replace("_", " ").replace("api key", "API key")
    return name if not name or name.endswith("limit") else f"{name} budget"


def _colored(text: str, color: str) -> str:
    return f"\x1b[{color}m{text}\x1b[0m"


def _printable(text: str | None) -> str:
    return "".join(char for char in text or "" if char.isprintable())[:_LONGEST_TEXT]


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _json(value: dict[str, object]) -> str:
    import json  # noqa: PLC0415 - already imported if there is a cache

    return json.dumps(value, ensure_ascii=False)
