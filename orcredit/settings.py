"""Where the key, the server's address and the thresholds come from: arguments first, then the environment.

Nothing here talks to anybody; every rule about which secret may travel where is in this file.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from orcredit.balance import DEFAULT_THRESHOLDS, THRESHOLD_FORMS, Threshold
from orcredit.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DEFAULT_BASE_URL = "https://openrouter.ai/api/v1"
DEFAULT_TIMEOUT = 10.0
"""Seconds for the whole answer, retries included."""

LONGEST_TIMEOUT = 86400.0
"""Seconds; whoever wants to wait longer than a day meant something else."""

_LONGEST_KEY = 1024

_KEY_HINT = "Set OPENROUTER_API_KEY to a key from https://openrouter.ai/settings/keys, or try 'orcredit status --demo'."


@dataclass(frozen=True, slots=True)
class Settings:
    """What one question to OpenRouter needs.

    Attributes:
        key: the key whose balance is asked for.
        management_key: the key that may ask for the account's credit, when it is another one.
        base_url: without a trailing slash.
        timeout: seconds for the whole answer.
        thresholds: when the level is low.
        is_loopback: whether the server is on this machine.
    """

    key: SecretStr
    management_key: SecretStr | None
    base_url: str
    timeout: float
    thresholds: tuple[Threshold, ...]
    is_loopback: bool

    @classmethod
    def load(
        cls,
        *,
        api_key: str | None = None,
        management_key: str | None = None,
        base_url: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        warn_below: Iterable[str] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Self:
        """Gather the settings; an argument that is given wins over its variable.

        Args:
            api_key: else `OPENROUTER_API_KEY`, else `ANTHROPIC_AUTH_TOKEN` where that is OpenRouter's.
            management_key: else `OPENROUTER_MANAGEMENT_KEY`.
            base_url: else `OPENROUTER_BASE_URL`, else OpenRouter.
            timeout: seconds.
            warn_below: thresholds as text; else `ORCREDIT_WARN_BELOW`, comma-separated.
            environ: in place of `os.environ`.

        Raises:
            UsageError: a value that is not of its kind.
            ConfigurationError: no key, one that must not be sent, or plain http to another host.
        """
        environ = os.environ if environ is None else environ
        # Bad values first: they are wrong whatever the key is.
        thresholds = load_thresholds(warn_below, environ)
        if not (math.isfinite(timeout) and 0 < timeout <= LONGEST_TIMEOUT):
            raise UsageError(f"{timeout:g} is not a timeout.", hint="Accepted: seconds above 0, at most a day (86400).")
        source, url = _first(("--base-url", base_url), ("OPENROUTER_BASE_URL", environ.get("OPENROUTER_BASE_URL")))
        address = _address(url or DEFAULT_BASE_URL, source)
        is_loopback = _is_loopback(address.hostname or "")
        if address.scheme == "http" and not is_loopback:
            raise ConfigurationError(
                f"Plain http to {address.hostname} would show the key to everybody on the way.",
                hint=f"Use https:// in {source}; http:// is for this machine only.",
            )
        management = (management_key, environ.get("OPENROUTER_MANAGEMENT_KEY"))
        management_source, management_text = _first(
            ("management_key", management[0]), ("OPENROUTER_MANAGEMENT_KEY", management[1])
        )
        return cls(
            key=_main_key(api_key, address, environ),
            management_key=_checked(management_text, management_source) if management_text else None,
            base_url=address.geturl().rstrip("/"),
            timeout=timeout,
            thresholds=thresholds,
            is_loopback=is_loopback,
        )


def load_thresholds(warn_below: Iterable[str] | None, environ: Mapping[str, str]) -> tuple[Threshold, ...]:
    """Read the thresholds given, else those of `ORCREDIT_WARN_BELOW`, else the default (10 %).

    Raises:
        UsageError: one of them is not a threshold; the hint shows the accepted forms.
    """
    texts = list(warn_below or ())
    if texts:
        return tuple(Threshold.parse(text) for text in texts)
    texts = [text for text in environ.get("ORCREDIT_WARN_BELOW", "").split(",") if text.strip()]
    try:
        return tuple(Threshold.parse(text) for text in texts) or DEFAULT_THRESHOLDS
    except UsageError as error:
        raise UsageError(
            f"ORCREDIT_WARN_BELOW: {error}", hint=f"{THRESHOLD_FORMS[:-1]}, separated by commas."
        ) from None


def _first(*candidates: tuple[str, str | None]) -> tuple[str, str]:
    """Choose the first source whose value is more than blanks; the value comes back stripped."""
    for source, value in candidates:
        if value is not None and (stripped := value.strip()):
            return source, stripped
    return candidates[0][0], ""


def _address(url: str, source: str) -> SplitResult:
    hint = f"Example: {DEFAULT_BASE_URL}"
    try:
        address = urlsplit(url)
        port = address.port
    except ValueError:
        address, port = urlsplit(""), None
    if address.scheme not in {"https", "http"} or not address.hostname or port == 0 or not _is_key_text(url):
        raise UsageError(f"{source} is not an address that starts with https://.", hint=hint)
    if address.username is not None or address.password is not None:
        raise UsageError(
            f"{source} holds a user name or password; an address ends up on screens and in logs.", hint=hint
        )
    if address.query or address.fragment:
        raise UsageError(
            f"{source} has a '?' or '#' part; it must be the plain address that /key is appended to.", hint=hint
        )
    return address


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _main_key(api_key: str | None, address: SplitResult, environ: Mapping[str, str]) -> SecretStr:
    source, text = _first(
        ("api_key", api_key),
        ("OPENROUTER_API_KEY", environ.get("OPENROUTER_API_KEY")),
        ("ANTHROPIC_AUTH_TOKEN", environ.get("ANTHROPIC_AUTH_TOKEN")),
    )
    if not text:
        raise ConfigurationError("No OpenRouter key is set.", hint=_KEY_HINT)
    key = _checked(text, source)
    if source == "ANTHROPIC_AUTH_TOKEN" and not text.startswith("sk-or-"):
        claude_code_url = environ.get("ANTHROPIC_BASE_URL", "").strip()
        if claude_code_url and _host(claude_code_url) != address.hostname:
            msg = (
                f"ANTHROPIC_AUTH_TOKEN is not sent to {address.hostname}: "
                "ANTHROPIC_BASE_URL says that it belongs to another service."
            )
            raise ConfigurationError(msg, hint=_KEY_HINT)
    return key


def _host(url: str) -> str | None:
    try:
        return urlsplit(url if "//" in url else f"//{url}").hostname
    except ValueError:
        return None


def _checked(text: str, source: str) -> SecretStr:
    """Refuse what is no key before it can travel; the messages never show any of it."""
    if text.startswith("sk-ant-"):
        raise ConfigurationError(
            f"{source} holds an Anthropic key (sk-ant-…), which is not sent to anybody else.", hint=_KEY_HINT
        )
    if not _is_key_text(text) or len(text) > _LONGEST_KEY:
        problem = "is too long" if len(text) > _LONGEST_KEY else "holds blanks, line breaks or non-ASCII characters"
        raise ConfigurationError(
            f"{source} is not a key: it {problem}.", hint="Copy the key again from https://openrouter.ai/settings/keys"
        )
    return SecretStr(text)


def _is_key_text(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text
