"""The keys and the base URL, as plain strings, and the rules about which secret may be sent to which host.

This module imports only a few standard modules: the prompt line follows the same rules as all other commands, but
cannot afford pydantic, with which `orcredit.config.load` wraps the keys.
"""

from __future__ import annotations

import os

from orcredit.errors import ConfigurationError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEFAULT_BASE_URL = "https://openrouter.ai/api/v1"
DEFAULT_HOST = "openrouter.ai"

FINGERPRINT_DIGITS = 12

_LONGEST_KEY = 8192
"""Characters. Keys have 73, the JSON Web Tokens that may stand in their place (workload identity) some thousand."""
_QUOTES = "'\"`"
_NAMES_SHOWN = 5

_KEY_HINT = "Set OPENROUTER_API_KEY to a key from https://openrouter.ai/settings/keys, or try 'orcredit status --demo'."


class Credentials:
    """The keys in plain text, and the only base URL they may be sent to.

    Attributes:
        key: the key whose balance is requested.
        key_source: the variable or argument that holds it: `OPENROUTER_API_KEY`, `ANTHROPIC_AUTH_TOKEN`,
            `OPENROUTER_MANAGEMENT_KEY`, `api_key` or `management_key`.
        management_key: a separate key with which the account's credit is requested; None without.
        management_key_source: the variable or argument that holds that one; None without.
        base_url: without a trailing slash.
        base_url_source: `--base-url` or `OPENROUTER_BASE_URL`; None where neither is set.
        is_loopback: whether the server is on this machine.
    """

    __slots__ = (
        "base_url",
        "base_url_source",
        "is_loopback",
        "key",
        "key_source",
        "management_key",
        "management_key_source",
    )

    def __init__(
        self,
        *,
        key: str,
        key_source: str,
        management_key: str | None,
        management_key_source: str | None,
        base_url: str,
        base_url_source: str | None,
        is_loopback: bool,
    ) -> None:
        self.key = key
        self.key_source = key_source
        self.management_key = management_key
        self.management_key_source = management_key_source
        self.base_url = base_url
        self.base_url_source = base_url_source
        self.is_loopback = is_loopback

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self.base_url!r})"


class Fingerprint(str):
    """The fingerprint of a key or URL that is not known itself; accepted where the text is only needed for its own."""

    __slots__ = ()


def fingerprint(text: str) -> str:
    """Identify a key or a URL without storing it: the first 12 hexadecimal digits of its SHA-256.

    48 bits tell the keys of a team apart (among a thousand, the odds of a collision are one in 500 million), and do not
    reveal a secret of 256 random bits. The whole SHA-256 is OpenRouter's `hash` of a key.
    """
    if isinstance(text, Fingerprint):
        return text
    from hashlib import sha256  # noqa: PLC0415 - not every command needs a fingerprint

    return sha256(text.encode()).hexdigest()[:FINGERPRINT_DIGITS]


def load(
    *,
    api_key: str | None = None,
    management_key: str | None = None,
    base_url: str | None = None,
    environ: Mapping[str, str] | None = None,
    default_base_url: tuple[str, str | None] = ("", None),
) -> Credentials:
    """Choose the keys and the base URL; arguments override their variables.

    Args:
        api_key: else `OPENROUTER_API_KEY`, else `ANTHROPIC_AUTH_TOKEN` if it holds an OpenRouter key, else the
            management key.
        management_key: else `OPENROUTER_MANAGEMENT_KEY`.
        base_url: else `OPENROUTER_BASE_URL`, else `DEFAULT_BASE_URL`.
        environ: replaces `os.environ`.
        default_base_url: in place of `DEFAULT_BASE_URL`: where it is set, and the URL; None for none.

    Raises:
        UsageError: the base URL is invalid.
        ConfigurationError: no key, an invalid one or another service's, or plain http to another host.
    """
    environ = os.environ if environ is None else environ
    variable = ("OPENROUTER_BASE_URL", environ.get("OPENROUTER_BASE_URL"))
    source, url = _first(("--base-url", base_url), variable, default_base_url)
    base_url_source = source if url else None
    url, host, is_loopback = checked_address(url, source) if url else (DEFAULT_BASE_URL, DEFAULT_HOST, False)
    management_source, management = _first(
        ("management_key", management_key), ("OPENROUTER_MANAGEMENT_KEY", environ.get("OPENROUTER_MANAGEMENT_KEY"))
    )
    if management:
        check_key(management, management_source, host)
    key_source, key = _main_key(api_key, host, environ, (management_source, management))
    is_separate = bool(management) and key_source != management_source
    return Credentials(
        key=key,
        key_source=key_source,
        management_key=management if is_separate else None,
        management_key_source=management_source if is_separate else None,
        base_url=url,
        base_url_source=base_url_source,
        is_loopback=is_loopback,
    )


def none_chosen(names: Sequence[str]) -> ConfigurationError:
    """Make the error of a user with profiles of which none is chosen, and without a key in a variable.

    Args:
        names: of the profiles, at least one.
    """
    shown = names if len(names) <= _NAMES_SHOWN else names[: _NAMES_SHOWN - 1]
    more = [f"{len(names) - len(shown):,} more"] if len(shown) < len(names) else []
    *first, last = [*shown, *more]
    known = f"{', '.join(first)} and {last}" if first else last
    return ConfigurationError(
        f"No profile is chosen, and no variable holds a key. config.toml has {known}.",
        hint=f"Choose one with -p {names[0]}, see all with 'orcredit status --all', or set the one that is used by "
        f"default: 'orcredit profile default {names[0]}'.",
    )


def has_key(environ: Mapping[str, str] | None = None) -> bool:
    """Whether a variable holds a key, valid or not, that `load` would take or refuse: the unnamed profile has one."""
    environ = os.environ if environ is None else environ
    if any(environ.get(name, "").strip() for name in ("OPENROUTER_API_KEY", "OPENROUTER_MANAGEMENT_KEY")):
        return True
    token, url = (environ.get(name, "").strip() for name in ("ANTHROPIC_AUTH_TOKEN", "OPENROUTER_BASE_URL"))
    if not token:
        return False
    host = (_host(url) or "") if url else DEFAULT_HOST  # an invalid address is reported by `load`
    return not _not_openrouters(token, host, environ)


def _first(*candidates: tuple[str, str | None]) -> tuple[str, str]:
    """Return the first source with a value that is not blank, and the value, stripped."""
    for source, value in candidates:
        if value is not None and (stripped := value.strip()):
            return source, stripped
    return candidates[0][0], ""


def checked_address(url: str, source: str) -> tuple[str, str, bool]:
    """Validate a URL; return it without a trailing slash, its host, and whether that is this machine.

    Args:
        url: the address.
        source: the option or variable that holds it, for messages.

    Raises:
        UsageError: it is invalid.
        ConfigurationError: it is plain http to another host.
    """
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


def _main_key(
    api_key: str | None, host: str, environ: Mapping[str, str], management: tuple[str, str]
) -> tuple[str, str]:
    """Choose the key; return its source and itself.

    Args:
        api_key: the argument.
        host: where the key will be sent.
        environ: the variables.
        management: the source and text of the management key, which is the key where there is no other one.
    """
    source, text = _first(("api_key", api_key), ("OPENROUTER_API_KEY", environ.get("OPENROUTER_API_KEY")))
    if not text:
        source, text = _first(("ANTHROPIC_AUTH_TOKEN", environ.get("ANTHROPIC_AUTH_TOKEN")))
        problem = _not_openrouters(text, host, environ) if text else "No OpenRouter key is set."
        if problem and not management[1]:
            raise ConfigurationError(problem, hint=_KEY_HINT)
        if problem:
            return management
    check_key(text, source, host)
    return source, text


def _not_openrouters(token: str, host: str, environ: Mapping[str, str]) -> str:
    """Return why Claude Code's token is another service's; an empty text where it is OpenRouter's."""
    if token.startswith("sk-ant-"):
        return "ANTHROPIC_AUTH_TOKEN holds an Anthropic key (sk-ant-...), and no OpenRouter key is set."
    claude_code_url = environ.get("ANTHROPIC_BASE_URL", "").strip()
    if claude_code_url and not token.startswith("sk-or-") and _host(claude_code_url) != host:
        return (
            f"ANTHROPIC_AUTH_TOKEN is not sent to {host}: according to ANTHROPIC_BASE_URL, it belongs to another "
            "service. No other key is set."
        )
    if is_openrouter(host) and _is_key_text(token) and not _is_openrouter_key(token):
        return "ANTHROPIC_AUTH_TOKEN does not hold an OpenRouter key, and no other key is set."
    return ""


def _host(url: str) -> str | None:
    from urllib.parse import urlsplit  # noqa: PLC0415 - as above

    try:
        return urlsplit(url if "//" in url else f"//{url}").hostname
    except ValueError:
        return None


def is_openrouter(host: str) -> bool:
    """Whether a host is OpenRouter's own, which accepts no other service's keys."""
    return f".{host.rstrip('.')}".endswith(f".{DEFAULT_HOST}")


def server_name(base_url: str, *, is_loopback: bool) -> str:
    """Name a server for people: `OpenRouter`, the host of another one, or `a server on this machine`."""
    if is_loopback:
        return "a server on this machine"
    host = _host(base_url) or ""
    return "OpenRouter" if is_openrouter(host) else host


def _instead(source: str) -> str:
    """Say where to put a key of OpenRouter's in place of another service's."""
    if source in {"OPENROUTER_API_KEY", "api_key"}:
        return _KEY_HINT
    if source.isupper():
        return f"Set {source} to a key from https://openrouter.ai/settings/keys"
    return "Use a key from https://openrouter.ai/settings/keys there."


def check_key(text: str, source: str, host: str) -> None:
    """Refuse invalid keys before they can be sent; the messages show no part of them.

    Args:
        text: the key.
        source: the variable or argument that holds it.
        host: where it will be sent; only OpenRouter's own is known to accept no other keys.

    Raises:
        ConfigurationError: the key is invalid.
    """
    if text.startswith("sk-ant-"):
        raise ConfigurationError(
            f"{source} holds an Anthropic key (sk-ant-...), which is not sent to other services.", hint=_instead(source)
        )
    if text[0] in _QUOTES or text[-1] in _QUOTES:
        raise ConfigurationError(
            f"{source} is not a key: it has quotes around it.",
            hint="Remove them; env files, for example, make them part of the value.",
        )
    copy = "Copy the key again from https://openrouter.ai/settings/keys"
    if not _is_key_text(text) or len(text) > _LONGEST_KEY:
        problem = "is too long" if len(text) > _LONGEST_KEY else "contains blanks, line breaks or non-ASCII characters"
        raise ConfigurationError(f"{source} is not a key: it {problem}.", hint=copy)
    if is_openrouter(host) and not _is_openrouter_key(text):
        raise ConfigurationError(
            f"{source} does not hold an OpenRouter key, so it was not sent: those begin with sk-or-.", hint=copy
        )


def _is_key_text(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _is_openrouter_key(text: str) -> bool:
    """Whether a text has the form of an OpenRouter key, or of the JSON Web Token that may stand in its place."""
    if text.startswith("sk-or-"):
        return True
    parts = text.split(".")
    return len(parts) == 3 and all(part and part.replace("-", "").replace("_", "").isalnum() for part in parts)
