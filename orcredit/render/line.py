"""The prompt line: `$158.61 · 31.7% · 8d`, the user's own template, or Waybar's JSON.

It is rendered from `orcredit.cache` before every prompt, so only light standard modules are imported. Control
characters are removed again from OpenRouter's texts, as the file may have been changed.
"""

from __future__ import annotations

import re

from orcredit.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orcredit.cache import Cached

FIELDS = {
    "spendable": "what can still be spent: $158.61, or unlimited",
    "percent": "what is left of the key's own limit: 31.7%",
    "runway": "time until the money runs out: 8d",
    "level": "ok, low, exhausted or unlimited",
    "limited_by": "what limits it: key_limit, workspace, account_credit, ...",
    "reset": "time until the key's own limit resets: 16d",
    "expires": "time until the key expires: 3d",
    "label": "OpenRouter's masked label of the key",
    "age": "how old the numbers are: 12s",
    "stale": "(5m old) when that is more than --max-age, else nothing",
}
"""The fields of a template, and their values; a field is empty if it is not known or does not apply."""

WAITING = "…"
"""Shown before the first balance."""

EXPIRY_NOTICE = 7 * 86400
"""Seconds before the key's expiry from which it is shown first, if the run-out is not known."""

SEPARATOR = " · "
_LONGEST_TEXT = 80
_COLORS = {"ok": "32", "unlimited": "32", "low": "33", "exhausted": "31"}
_PIECES = r"(\{\{|\}\}|\{[^{}]*\}|[{}])"


class Line:
    """A cached balance at a point in time, as text.

    Args:
        cached: the balance.
        now: seconds since 1970 by this machine's clock.
        max_age: seconds after which it is stale.
    """

    def __init__(self, cached: Cached, now: float, max_age: float) -> None:
        self._cached = cached
        age = cached.age(now)
        self.is_stale = age is None or age > max_age
        # By OpenRouter's clock, like the times in the document: this machine's may be wrong.
        self._now = cached.fetched_at + (age or 0.0)
        old = "old" if age is None else f"{format_seconds(age)} old"
        self.values = {
            "spendable": _printable(cached.spendable) or "unlimited",
            "percent": _printable(cached.percent),
            "runway": "" if cached.level == "exhausted" else self._until(cached.runs_out_at),
            "level": cached.level,
            "limited_by": _printable(cached.limited_by),
            "reset": self._until(cached.resets_at),
            "expires": self._until(cached.expires_at),
            "label": _printable(cached.label),
            "age": "" if age is None else format_seconds(age),
            "stale": f"({old})" if self.is_stale else "",
        }

    def text(self) -> str:
        """Return the line without a template: what is known, the most urgent first."""
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
            parts += [values["spendable"], values["percent"], "" if parts else values["runway"]]
        line = SEPARATOR.join(part for part in parts if part)
        return f"{line} {values['stale']}" if self.is_stale else line

    def text_left(self) -> str:
        """Return the line for a sentence that begins with something else: `$158.61 left · 8d`."""
        percent, spendable = self.values["percent"], self.values["spendable"]
        shown = self.text().replace(f"{SEPARATOR}{percent}", "", 1)
        return shown.replace(spendable, f"{spendable} left", 1) if self._cached.spendable else shown

    @property
    def tone(self) -> str:
        """How urgent it is: "dim", "alarm", or "neutral"; see `orcredit.render.prompts`."""
        if self.is_stale:
            return "dim"
        return "alarm" if self._cached.level in {"low", "exhausted"} else "neutral"

    def fill(self, template: list[str]) -> str:
        """Fill a template parsed by `parse_template`."""
        return "".join(self.values[piece[1:-1]] if piece[:1] == "{" and piece[1:] else piece for piece in template)

    def colored(self, text: str) -> str:
        """Wrap a text in the level's ANSI colour: green, yellow when low, red when exhausted."""
        return f"\x1b[{_COLORS[self._cached.level]}m{text}\x1b[0m"

    def waybar(self, text: str) -> str:
        """Return Waybar's JSON; texts are escaped, as Waybar parses them as markup."""
        level = self._cached.level
        percentage = self._cached.percentage
        bar: dict[str, object] = {
            "text": _escaped(text),
            "tooltip": _escaped("\n".join(self._tooltip())),
            "class": [level, "stale"] if self.is_stale else level,
        }
        if percentage is not None:
            bar["percentage"] = round(min(max(percentage, 0.0), 100.0))
        return _json(bar)

    def _tooltip(self) -> list[str]:
        values = self.values
        sentences = (
            ("spendable", "{} can be spent" if self._cached.spendable else "{}"),
            ("limited_by", "limited by {}"),
            ("percent", "{} of the key's limit left"),
            ("runway", "runs out in {}"),
            ("reset", "resets in {}"),
            ("expires", "the key expires in {}"),
            ("label", "{}"),
            ("age", "as of {} ago"),
        )
        return [sentence.format(values[name]) for name, sentence in sentences if values[name]]

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


def _printable(text: str | None) -> str:
    return "".join(char for char in text or "" if char.isprintable())[:_LONGEST_TEXT]


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _json(value: dict[str, object]) -> str:
    import json  # noqa: PLC0415 - already imported if there is a cache

    return json.dumps(value, ensure_ascii=False)
