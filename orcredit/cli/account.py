"""What the commands about a whole account share: the client, and what they say without a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orcredit.client import Client
from orcredit.config.load import load_profile
from orcredit.errors import ConfigurationError
from orcredit.openrouter.account import MANAGEMENT_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orcredit.config.profile import Profile


def open_client(
    *, demo: bool, base_url: str | None, timeout: float, warn_below: Iterable[str] | None = None
) -> tuple[Client, Profile | None]:
    """Make the client of a command about the account; without a profile for the demo.

    Raises:
        ConfigurationError: there is no usable key; says which kind is needed.
        UsageError: an option has a bad value.
    """
    if demo:
        return Client.demo(timeout=timeout, warn_below=warn_below), None
    try:
        profile = load_profile(base_url=base_url, timeout=timeout, warn_below=warn_below)
    except ConfigurationError as error:
        if "OPENROUTER_API_KEY" not in error.hint:
            raise
        hint = f"This needs a management key: make one at {MANAGEMENT_KEYS} and set OPENROUTER_MANAGEMENT_KEY."
        raise ConfigurationError(str(error), hint=hint) from None
    return Client.of(profile), profile
