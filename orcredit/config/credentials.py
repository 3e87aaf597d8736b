"""The keys and the base URL, as plain strings, and the rules about which secret may be sent to which host.

This module imports only a few standard modules: the prompt line follows the same rules as all other commands, but
cannot afford pydantic, with which `orcredit.config.load` wraps the keys.
"""

from __future__ import annotations

import os

from orcredit.errors import ConfigurationError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_BASE_URL = "https://openrouter.ai/api/v1"
_DEFAULT_HOST = "openrouter.ai"

FINGERPRINT_DIGITS = 12

_LONGEST_KEY = 1024
_QUOTES = "'\"`"

_KEY_HINT = "Set OPENROUTER_API_KEY to a key from https://openrouter.ai/settings/keys, or try 'orcredit status --demo'."


class Credentials:
    """The keys in plain text, and the only base URL they may be sent to.

    Attributes:
        key: the key whose balance is requested.
        management_key: a separate key with which the account's credit is requested; None without.
        base_url: without a trailing slash.
        is_loopback: whether the server is on this machine.
    """

    __slots__ = ("base_url", "is_loopback", "key", "management_key")

    def __init__(self, *, key: str, management_key: str | None, base_url: str, is_loopback: bool) -> None:
        self.key = key
        self.management_key = management_key
        self.base_url = base_url
        self.is_loopback = is_loopback

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self.base_url!r})"


def fingerprint(text: str) -> str:
    """Identify a key or a URL without storing it: the first 12 hexadecimal digits of its SHA-256.

    48 bits tell the keys of a team apart (among a thousand, the odds of a collision are one in 500 million), and do not
    reveal a secret of 256 random bits. The whole SHA-256 is OpenRouter's `hash` of a key.
    """
    from hashlib import sha256  # noqa: PLC0415 - not every command needs a fingerprint

    return sha256(text.encode()).hexdigest()[:FINGERPRINT_DIGITS]


def load(
    *,
    api_key: str | None = None,
    management_key: str | None = None,
    base_url: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Credentials:
    """Choose the keys and the base URL; arguments override their variables.

    Args:
        api_key: else `OPENROUTER_API_KEY`, else `ANTHROPIC_AUTH_TOKEN` if it holds an OpenRouter key.
        management_key: else `OPENROUTER_MANAGEMENT_KEY`.
        base_url: else `OPENROUTER_BASE_URL`, else `DEFAULT_BASE_URL`.
        environ: replaces `os.environ`.

    Raises:
        UsageError: the base URL is invalid.
        ConfigurationError: no key, an invalid one or another service's, or plain http to another host.
    """
    environ = os.environ if environ is None else environ
    source, url = _first(("--base-url", base_url), ("OPENROUTER_BASE_URL", environ.get("OPENROUTER_BASE_URL")))
    url, host, is_loopback = _address(url, source) if url else (DEFAULT_BASE_URL, _DEFAULT_HOST, False)
    management_source, management = _first(
        ("management_key", management_key), ("OPENROUTER_MANAGEMENT_KEY", environ.get("OPENROUTER_MANAGEMENT_KEY"))
    )
    return Credentials(
        key=_main_key(api_key, host, environ),
        management_key=_checked(management, management_source) if management else None,
        base_url=url,
        is_loopback=is_loopback,
    )


def _first(*candidates: tuple[str, str | None]) -> tuple[str, str]:
    """Return the first source with a value that is not blank, and the value, stripped."""
    for source, value in candidates:
        if value is not None and (stripped := value.strip()):
            return source, stripped
    return candidates[0][0], ""


def _address(url: str, source: str) -> tuple[str, str, bool]:
    """Validate a URL; return it without a trailing slash, its host, and whether that is this machine."""
    from urllib.parse import urlsplit  # noqa: PLC0415 - rarely needed: most users set no base URL

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
            f"{source} contains a user name or password; base URLs are shown on screens and in logs.", hint=hint
        )
    if address.query or address.fragment:
        raise UsageError(
            f"{source} has a '?' or '#' part; it must be a plain URL, to which /key is appended.", hint=hint
        )
    is_loopback = _is_loopback(address.hostname)
    if address.scheme == "http" and not is_loopback:
        raise ConfigurationError(
            f"Plain http to {address.hostname} would send the key unencrypted.",
            hint=f"Use https:// in {source}; http:// is for this machine only.",
        )
    return address.geturl().rstrip("/"), address.hostname, is_loopback


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    from ipaddress import ip_address  # noqa: PLC0415 - as above

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _main_key(api_key: str | None, host: str, environ: Mapping[str, str]) -> str:
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
        if claude_code_url and _host(claude_code_url) != host:
            msg = (
                f"ANTHROPIC_AUTH_TOKEN is not sent to {host}: "
                "according to ANTHROPIC_BASE_URL, it belongs to another service."
            )
            raise ConfigurationError(msg, hint=_KEY_HINT)
    return key


def _host(url: str) -> str | None:
    from urllib.parse import urlsplit  # noqa: PLC0415 - as above

    try:
        return urlsplit(url if "//" in url else f"//{url}").hostname
    except ValueError:
        return None


def _checked(text: str, source: str) -> str:
    """Refuse invalid keys before they can be sent; the messages show no part of them."""
    if text.startswith("sk-ant-"):
        raise ConfigurationError(
            f"{source} holds an Anthropic key (sk-ant-…), which is not sent to other services.", hint=_KEY_HINT
        )
    if text[0] in _QUOTES or text[-1] in _QUOTES:
        raise ConfigurationError(
            f"{source} is not a key: it has quotes around it.",
            hint="Remove them; env files, for example, make them part of the value.",
        )
    if not _is_key_text(text) or len(text) > _LONGEST_KEY:
        problem = "is too long" if len(text) > _LONGEST_KEY else "contains blanks, line breaks or non-ASCII characters"
        raise ConfigurationError(
            f"{source} is not a key: it {problem}.", hint="Copy the key again from https://openrouter.ai/settings/keys"
        )
    return text


def _is_key_text(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text
