"""Checks `--host`, `--token-file` and `--allow-host` before the server listens."""

from __future__ import annotations

import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from orcredit.config import load
from orcredit.errors import ConfigurationError, UsageError
from orcredit.server.middleware.hosts import host_name
from orcredit.server.sessions import LONGEST_TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SHORT_TOKEN = 16
"""Characters; a shorter token can be guessed in spite of the rate limiter."""

_TOKEN_HINT = "Make one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"  # noqa: S105 - no token


def load_token(token_file: str | None, environ: Mapping[str, str] | None = None) -> str | None:
    """Read the token: from the file, else from `ORCREDIT_TOKEN`; None where neither is given.

    Raises:
        ConfigurationError: the file cannot be read or is empty, or the token could not be sent in a header. The
            messages contain no part of it.
    """
    if token_file is None:
        token = load.token(environ)
        return _checked(token, "ORCREDIT_TOKEN") if token is not None else None
    try:
        with Path(token_file).open("rb") as file:
            content = file.read(LONGEST_TOKEN * 4).decode(errors="replace").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "invalid path"
        raise ConfigurationError(f"--token-file cannot be read: {reason}.", hint=_TOKEN_HINT) from None
    if not content:
        raise ConfigurationError("--token-file is empty.", hint=_TOKEN_HINT)
    return _checked(content, "--token-file")


def _checked(token: str, source: str) -> str:
    if not (token.isascii() and token.isprintable()) or " " in token or len(token) > LONGEST_TOKEN:
        raise ConfigurationError(
            f"{source} is not a valid token: it must be at most {LONGEST_TOKEN} visible ASCII characters on one line.",
            hint=_TOKEN_HINT,
        )
    return token


def checked_hosts(names: Iterable[str]) -> list[str]:
    """Check the names of `--allow-host`.

    Raises:
        UsageError: one of them is not a name or an address alone.
    """
    names = list(names)
    for name in names:
        if host_name(name) is None:
            raise UsageError(
                f"--allow-host {name[:80]!r} is not a host name or an address.",
                hint="Give it without http:// and port: nas.lan",
            )
    return names


def check_access(
    token: str | None, *, is_loopback: bool, token_file: str | None = None, allow_hosts: Iterable[str] = ()
) -> Iterator[str]:
    """Check that a server which others can reach requires a token, and give warnings.

    Raises:
        ConfigurationError: it does not.
    """
    if not is_loopback and token is None:
        raise ConfigurationError(
            "That host is reachable from other machines, so a token is required.",
            hint="Set ORCREDIT_TOKEN or --token-file, or listen at 127.0.0.1.",
        )
    return _warnings(token, is_loopback=is_loopback, token_file=token_file, has_names=any(allow_hosts))


def _warnings(token: str | None, *, is_loopback: bool, token_file: str | None, has_names: bool) -> Iterator[str]:
    if token is None:
        if has_names:
            yield "No token is set: anyone who can reach a proxy with a name of --allow-host sees the balance."
        return
    if not is_loopback:
        yield "The token is sent in clear text: put a proxy with https in front, or use a network that you trust."
    if len(token) < SHORT_TOKEN:
        yield f"The token has fewer than {SHORT_TOKEN} characters; it can be guessed."
    with suppress(OSError):  # gone since it was read
        if token_file is not None and Path(token_file).stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield "Others on this machine can read --token-file: chmod 600 it."
