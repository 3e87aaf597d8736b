"""Parse the documentation: pages, fenced blocks with the comment before them, tables, links."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent

PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"))
    if path.name not in {"ARCHITECTURE.md", "CHANGELOG.md"}
)
"""All pages with commands."""

PROGRAMS = ("orcredit", "python3", ".venv/bin/python")
"""Programs that the tests start without a shell."""


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: its path, relative to the repository.
        line: of the opening fence, from 1.
        language: of the opening fence.
        text: the lines between the fences.
        comment: the HTML comment on the line before, or empty.
    """

    page: str
    line: int
    language: str
    text: str
    comment: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def reason(self) -> str | None:
        """Why it is not run, from its comment; None if it is run."""
        kind, _, rest = self.comment.partition(":")
        return rest.strip() if kind == "not run" else None

    @property
    def terms(self) -> tuple[str, ...]:
        """How it is run, from its comment."""
        kind, _, rest = self.comment.partition(":")
        return tuple(term.strip() for term in rest.split(",")) if kind == "run" else ()

    @property
    def commands(self) -> list[list[str]] | None:
        """Its lines, split into words; None if they need a shell."""
        without_quotes = re.sub(r"'[^']*'|(?<!\S)#.*", "", self.text)
        if re.search(r"[$`~]", without_quotes):
            return None
        lines = []
        for line in self.text.splitlines():
            words = shlex.shlex(line, posix=True, punctuation_chars=True)
            words.whitespace_split = True
            lines.append(list(words))
        lines = [words for words in lines if words]
        is_plain = all(words[0] in {*PROGRAMS, "export"} for words in lines)
        has_operators = any(set(word) <= set("();<>|&") for words in lines for word in words)
        return lines if is_plain and not has_operators else None


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> list[Block]:
    """Return the fenced blocks of a page."""
    found = []
    lines = read(page).splitlines()
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", read(page), re.MULTILINE | re.DOTALL):
        number = read(page).count("\n", 0, match.start())
        before = re.fullmatch(r"<!-- (.*) -->", lines[number - 1])
        found.append(Block(page, number + 1, match[1], match[2], before[1] if before else ""))
    return found


def prose(page: str) -> str:
    """Return a page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", read(page), flags=re.MULTILINE | re.DOTALL)


def section(page: str, heading: str) -> str:
    """Return the text under a heading, up to the next one of the same or a higher rank."""
    rank = len(heading.split(" ", maxsplit=1)[0])
    _, _, rest = read(page).partition(f"{heading}\n")
    assert rest, f"{page} has no heading {heading!r}"
    return re.split(rf"^#{{1,{rank}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def first_column(text: str) -> list[str]:
    """Return the first cell of every row of the first table, without its heading."""
    table = re.search(r"^\|.*\n\|[ |-]+\n((?:\|.*\n?)+)", text, re.MULTILINE)
    assert table, "there is no table"
    return [row.split("|")[1].strip() for row in table[1].splitlines()]


def anchors(page: str) -> set[str]:
    """Return the anchors of the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: str) -> list[str]:
    """Return the targets of a page's links and pictures, except URLs."""
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)) if "://" not in target]
