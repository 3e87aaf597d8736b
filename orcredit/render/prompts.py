"""The prompt line in the colours and escapes of what draws it: `orcredit line --for TARGET`.

Only light standard modules are imported: it runs before every prompt. Its text may hold anything that is printable, so
each target's own escapes are doubled, and colours are marked as taking no room.
"""

from __future__ import annotations

TARGETS = ("bash", "zsh", "fish", "tmux", "starship", "waybar", "claude-code")
"""Shells, tmux and other programs that draw a prompt or a status bar."""

_ANSI = {"attention": ("33", "39"), "alarm": ("31", "39"), "dim": ("2", "22")}
"""The codes that begin and end a tone. They end themselves only: a prompt may be bold or have a background."""

_TMUX = {
    "attention": ("#[fg=yellow]", "#[fg=default]"),
    "alarm": ("#[fg=red]", "#[fg=default]"),
    "dim": ("#[dim]", "#[nodim]"),
}

_BRACKETS = {
    # Readline's own characters: the result of a command in PS1 is not searched for \[ and \].
    "bash": ("\x01", "\x02"),
    "zsh": ("%{", "%}"),
}
"""What marks escapes that take no room."""

_ENDS = {"bash": " ", "zsh": " "}
"""In front of a prompt. It belongs to the line: where that is empty there is no blank either."""


def for_target(target: str, text: str, tone: str) -> str:
    """Return a line as the target expects it.

    Args:
        target: one of `TARGETS`, but not `waybar`, which gets JSON.
        text: one line.
        tone: "neutral", "attention" (yellow), "alarm" (red) or "dim".
    """
    if target == "tmux":
        begin, end = _TMUX.get(tone, ("", ""))
        return f"{begin}{text.replace('#', '##')}{end}"
    if target == "zsh":
        text = text.replace("%", "%%")
    if tone in _ANSI:
        opening, closing = _BRACKETS.get(target, ("", ""))
        begin, end = (f"{opening}\x1b[{code}m{closing}" for code in _ANSI[tone])
        text = f"{begin}{text}{end}"
    return text + _ENDS.get(target, "")


def session_text(cost: float) -> str:
    """Return what a session of Claude Code cost: `session $1.20`.

    Args:
        cost: USD.
    """
    return "session <$0.01" if 0 < cost < 0.005 else f"session ${cost:,.2f}"
