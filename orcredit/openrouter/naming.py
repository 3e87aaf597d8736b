"""How messages name the source of a key or an address; and the same messages for another profile that has them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orcredit.errors import OrcreditError

_E = TypeVar("_E", bound="OrcreditError")


def key_from(source: str | None) -> str:
    """Name a key by its source: "the key in OPENROUTER_API_KEY", "the key from key_file of profile work"."""
    if source is None:
        return "this key"
    how = "from" if " " in source else "in" if source.isupper() else "given as"
    return f"the key {how} {source}"


def renamed(text: str, names: Mapping[str, str]) -> str:
    """Replace names in a text, all at once: a name that was put in is not replaced again."""
    wanted = {name: other for name, other in names.items() if name != other and name in text}
    if not wanted:
        return text
    import re  # noqa: PLC0415 - rarely needed

    # The longest first: one may be the beginning of another.
    pattern = "|".join(re.escape(name) for name in sorted(wanted, key=len, reverse=True))
    return re.sub(pattern, lambda found: wanted[found[0]], text)


def renamed_error(error: _E, names: Mapping[str, str]) -> _E:
    """Give an error with other names in its message and its hint; the same one where it has none of them."""
    text, hint = renamed(str(error), names), renamed(error.hint, names)
    if (text, hint) == (str(error), error.hint):
        return error
    other = copy.copy(error)
    other.args = (text,)
    other.hint = hint
    return other
