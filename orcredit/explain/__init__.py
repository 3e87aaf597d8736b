"""Which limit of OpenRouter an error message is about: pure functions of a text.

People meet OpenRouter's refusals as a line in the log of another tool: prefixed, escaped, wrapped or cut short. `Log`
reads a stream of bytes and keeps the last refusal in it; `find` reads one piece of text. Both give a `Finding`: facts
only. `wording` has the sentences about it, `Explanation` the JSON. No text of the input is ever passed on.
"""

from __future__ import annotations

from orcredit.explain.explanation import Explanation
from orcredit.explain.finding import Finding, Kind
from orcredit.explain.forms import find
from orcredit.explain.log import Log

__all__ = ["Explanation", "Finding", "Kind", "Log", "find"]
