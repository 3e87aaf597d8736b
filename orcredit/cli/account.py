"""What the commands about a whole account share: the client, and what they say without a key."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from orcredit.blocking_client import Client
from orcredit.cli.choosing import chosen_profile, within
from orcredit.errors import ConfigurationError, UsageError
from orcredit.openrouter.account import MANAGEMENT_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orcredit.config.profile import Profile


def open_client(
    name: str | None,
    *,
    demo: bool,
    base_url: str | None,
    timeout: float,
    help_hint: str,
    warn_below: Iterable[str] | None = None,
) -> tuple[Client, Profile | None]:
    """Make the client of a command about the account; without a profile for the demo.

    Args:
        name: the profile's, as given on the command line.
        demo: whether the account is simulated.
        base_url: as given on the command line.
        timeout: seconds, for the key and the answers.
        help_hint: what a mistake in the options is answered with.
        warn_below: as given on the command line.

    Raises:
        ConfigurationError: there is no such profile, or no usable key; says which kind is needed.
        UsageError: an option has a bad value.
    """
    if demo and name is not None:
        raise UsageError("--demo uses no key: leave out --profile.", hint=help_hint)
    if demo and base_url is not None:
        raise UsageError("--demo uses no server: leave out --base-url.", hint=help_hint)
    if demo:
        return Client.demo(timeout=timeout, warn_below=warn_below), None
    try:
        began = time.monotonic()
        profile = chosen_profile(name, base_url=base_url, timeout=timeout, warn_below=warn_below)
        profile = within(profile, timeout, began)
    except ConfigurationError as error:
        if "OPENROUTER_API_KEY" not in error.hint:
            raise
        hint = f"This needs a management key: make one at {MANAGEMENT_KEYS} and set OPENROUTER_MANAGEMENT_KEY."
        raise ConfigurationError(str(error), hint=hint) from None
    return Client.of(profile), profile
