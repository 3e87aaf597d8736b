"""`orcredit line --all`: the worst of all profiles in one line, from the cache, and how many others are low."""

from __future__ import annotations

import os
import time

from orcredit import cache
from orcredit.cli import line_profile
from orcredit.config import credentials, place
from orcredit.config.credentials import Fingerprint, fingerprint
from orcredit.errors import ConfigurationError, ExitCode, OrcreditError
from orcredit.render.line import Line, Refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WORST_FIRST = {"refused": 0, "exhausted": 1, "low": 2}
"""Levels by their urgency; all others come after them."""

_UNNAMED = "(environment)"
"""As `orcredit.render.several.UNNAMED`, whose import would load Rich."""


class Profiles:
    """All profiles as the cache knows them.

    Attributes:
        base_url: with `key`, a name for all of them, by which a refresh is claimed.
        key: likewise.
        options: of the line, from `config.toml`.
        refresh: the options of `orcredit status` that ask about all of them.
    """

    refresh = ("--all",)

    def __init__(self) -> None:
        """Find the profiles.

        Raises:
            OrcreditError: none has a usable key, or the configuration file is not valid.
        """
        config = place.existing()
        self.options: dict[str, Any] = {}
        self._known: list[line_profile.LineProfile] = []
        self._problems: list[OrcreditError] = []
        if credentials.has_key():
            self._add(None)
        if config is not None:
            from orcredit.config import index  # noqa: PLC0415 - most users have no file

            whole = index.load(cache.directory(), config)
            self.options = whole.unnamed.options
            for name in whole.profiles:
                self._add(name)
        if not self._known:
            nothing = ConfigurationError(
                "There are no profiles, and no key is set.", hint="Add one with 'orcredit profile add NAME'."
            )
            raise next(iter(self._problems), nothing)
        self.base_url: str = Fingerprint(fingerprint("all profiles"))
        self.key: str = Fingerprint(fingerprint(config or os.curdir))

    def _add(self, name: str | None) -> None:
        try:
            self._known.append(line_profile.unnamed() if name is None else line_profile.choose(name))
        except OrcreditError as error:  # a bad OPENROUTER_BASE_URL is wrong usage
            self._problems.append(error)

    def worst(self, max_age: float) -> tuple[Line | Refusal | None, int, bool]:
        """Return the worst line, the exit code of all, and whether any should be refreshed.

        A profile that nothing is known of yet hides no other one; it only shows in the exit code.

        Returns:
            None in place of the line before the first answer of any profile.
        """
        now = time.time()
        lines: list[Line | Refusal] = []
        is_old = False
        for profile in self._known:
            cached = cache.load(profile.base_url, profile.key)
            failure = cache.load_failure(profile.base_url, profile.key, cached)
            name = profile.name or _UNNAMED
            line = None if cached is None else Line(cached, now, max_age, failure, profile=name, is_named=True)
            is_old = is_old or line is None or line.is_stale
            if failure is not None and failure.is_refusal:
                lines.append(Refusal(failure, now, max_age, profile=name, is_named=True))
            elif line is not None:
                lines.append(line)
        lines.sort(key=lambda line: (_WORST_FIRST.get(line.level, len(_WORST_FIRST)), line.percentage))
        if lines:
            lines[0].others = sum(line.level in _WORST_FIRST for line in lines[1:])
        return (lines[0] if lines else None), self._exit_code(lines), is_old

    def _exit_code(self, lines: list[Line | Refusal]) -> int:
        """Return the worst exit code: 78, 77, 3, 69, 1, 0."""
        levels = {line.level for line in lines}
        if self._problems:
            is_usage = any(problem.exit_code is ExitCode.USAGE for problem in self._problems)
            return ExitCode.USAGE if is_usage else ExitCode.CONFIGURATION
        if "refused" in levels:
            return ExitCode.REFUSED
        if "exhausted" in levels:
            return ExitCode.EXHAUSTED
        if len(lines) < len(self._known):
            return ExitCode.UNAVAILABLE
        return ExitCode.LOW if "low" in levels else ExitCode.OK
