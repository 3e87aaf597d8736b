"""A profile: a key with all that belongs to a question about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orcredit.config.credentials import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretStr

    from orcredit.balance import Threshold


@dataclass(frozen=True, slots=True)
class Profile:
    """What a client is made of; no `repr` shows a key.

    Attributes:
        name: None for the unnamed profile, which arguments and environment describe.
        key: the key whose balance is asked for.
        management_key: the key that may ask for the account's credit, when it is another one.
        base_url: where the API lives, without a trailing slash.
        is_loopback: whether that is this machine.
        given_thresholds: as arguments or in the variable; None for the defaults.
        timeout: seconds for the whole answer, retries included.
        key_source: the variable or argument that holds the key, for messages; None where a program made the profile.
        management_key_source: likewise, of the management key.
        base_url_source: the option or variable that holds the base URL; None where it is the default.
        renew: makes the profile anew, with the key that its command gives now, within so many seconds; blocks, and
            raises `ConfigurationError`. None where the key cannot have changed.
    """

    name: str | None
    key: SecretStr
    management_key: SecretStr | None
    base_url: str
    is_loopback: bool
    given_thresholds: tuple[Threshold, ...] | None
    timeout: float
    key_source: str | None = None
    management_key_source: str | None = None
    base_url_source: str | None = None
    renew: Callable[[float], Profile] | None = field(default=None, repr=False, compare=False)

    @property
    def key_sources(self) -> dict[SecretStr, str]:
        """The sources of the keys, where they are known."""
        sources = ((self.key, self.key_source), (self.management_key, self.management_key_source))
        # The key's own last: with one key in both variables, it is the one that decides.
        return {key: source for key, source in reversed(sources) if key is not None and source is not None}

    def names_for(self, other: Profile) -> dict[str, str]:
        """Give what messages call this profile's keys and address, each with what they call those of another one."""
        from orcredit.openrouter.naming import key_from  # noqa: PLC0415 - for several profiles only

        sources = (
            (self.management_key_source, other.management_key_source),
            (self.key_source, other.key_source),
        )
        names = {key_from(mine): key_from(theirs) for mine, theirs in sources if mine is not None}
        if self.base_url_source is not None:
            names[self.base_url_source] = other.base_url_source or "the base URL"
        return names

    @property
    def thresholds(self) -> tuple[Threshold, ...]:
        """The thresholds under which the level is low."""
        from orcredit.balance import in_force  # noqa: PLC0415 - not needed before the request

        return in_force(self.given_thresholds)

    @property
    def fingerprint(self) -> str:
        """The history's name for the key."""
        return fingerprint(self.key.get_secret_value())
