"""The profile of a command, with its keys; the prompt line learns of them where they are."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from orcredit import cache
from orcredit.cli.options import DEFAULT_INTERVAL, checked_interval, checked_timeout
from orcredit.config import index
from orcredit.config.load import DEFAULT_TIMEOUT, resolve
from orcredit.config.profiles import Selected, select

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from orcredit.config.profile import Profile


def chosen_profile(
    name: str | None = None,
    *,
    base_url: str | None = None,
    timeout: float,
    warn_below: Iterable[str] | None = None,
) -> Profile:
    """Choose a profile and get its keys; blocks.

    Args:
        name: of the command line.
        base_url: likewise.
        timeout: seconds, of the answer, and at most for a command or a keychain.
        warn_below: of the command line.

    Raises:
        OrcreditError: a bad value, no such profile, or no usable key.
    """
    return with_keys(select(name, base_url), timeout=timeout, warn_below=warn_below)


def with_keys(selected: Selected, *, timeout: float, warn_below: Iterable[str] | None = None) -> Profile:
    """Get the keys of a profile; as `chosen_profile`."""
    return _remembered(selected, resolve(selected, timeout=timeout, warn_below=warn_below))


def timeout_of(selected: Selected, of_command_line: str) -> float:
    """Return the timeout of one of several profiles in seconds: that of the command line, else its own.

    Raises:
        UsageError: it is not a timeout.
    """
    in_file, _ = selected.option("timeout")
    return checked_timeout(of_command_line or in_file) if of_command_line or in_file else DEFAULT_TIMEOUT


def interval_of(selected: Selected, of_command_line: str) -> timedelta:
    """Return the interval of one of several profiles: that of the command line, else its own.

    Raises:
        UsageError: it is not an interval.
    """
    in_file, _ = selected.option("interval")
    return checked_interval(of_command_line or in_file or DEFAULT_INTERVAL)


def within(profile: Profile, timeout: float, began: float) -> Profile:
    """Take from the profile's timeout what getting its key took, which may have been up to all of it.

    Args:
        profile: with its keys.
        timeout: seconds for everything.
        began: the monotonic clock before the key was asked for.
    """
    is_quick = profile.renew is None  # nothing was waited for
    return profile if is_quick else replace(profile, timeout=max(timeout - (time.monotonic() - began), 0.1))


_lock = threading.Lock()
"""Held while the index is read and written anew: several profiles may get their keys at once."""


def remember(every: Iterable[tuple[Selected, Profile]]) -> None:
    """Let the prompt line know which keys profiles have."""
    keys: dict[str, str] = {}
    file = None
    for selected, profile in every:
        # With another address, the balance is not the one that the line would look for.
        if selected.file is not None and selected.name is not None and selected.base_url is None:
            file, keys[selected.name] = selected.file, profile.key.get_secret_value()
    if file is not None:
        with _lock:
            index.remember(cache.directory(), file, keys)


def _remembered(selected: Selected, profile: Profile) -> Profile:
    remember([(selected, profile)])
    renew = profile.renew
    return profile if renew is None else replace(profile, renew=lambda seconds: _remembered(selected, renew(seconds)))
