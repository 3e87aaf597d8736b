"""Makes one line of plain text of a piece of a log: without colours, frames, line breaks and escaping."""

from __future__ import annotations

import re

_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
_FRAMES = re.compile(r"[\u2500-\u259f]+")
"""Box drawings, with which tools frame and wrap what they show."""

_UNICODE_QUOTE = re.compile(r"\\{1,8}u002[27]")
_QUOTE = re.compile(r"""\\{1,8}(["'/])""")
_BREAK = re.compile(r"\\{1,8}[nrt]")
"""Escaped line breaks. Paths of Windows (`C:\\new`) are broken as well, and not needed."""

_ACCESS = re.compile(r'"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) \S{1,2000} HTTP/[\d.]+" [1-5]\d\d\b')
"""A request and its status in an access log: of the server that wrote it, not of OpenRouter."""

_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


def plain(text: str) -> str:
    """Return a text as one line without control characters, frames, escaping and entries of access logs."""
    if "\x1b" in text:
        text = _ESCAPES.sub("", text)
    if "\\" in text:
        text = _BREAK.sub(" ", _QUOTE.sub(r"\1", _UNICODE_QUOTE.sub('"', text)))
    if not text.isascii():
        text = _FRAMES.sub(" ", text)
    if "&quot;" in text:
        text = text.replace("&quot;", '"')
    text = " ".join(text.split())
    if not text.isprintable():
        text = _CONTROLS.sub("", text)
    return _ACCESS.sub(" ", text) if " HTTP/" in text else text
