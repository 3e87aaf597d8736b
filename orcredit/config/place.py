"""Where `config.toml` is. Standard library only: the prompt line looks for it too."""

from __future__ import annotations

import os
import sys

from orcredit.errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "ORCREDIT_CONFIG"

NAME = "config.toml"


def path(environ: Mapping[str, str] | None = None, platform: str = sys.platform) -> str | None:
    """Return the path of the configuration file, which may not exist.

    It is in the directory that `platformdirs` calls the user's configuration directory, without its import time.

    Returns:
        None without a home directory, and where `ORCREDIT_CONFIG` names the null device: there is no file then.
    """
    environ = os.environ if environ is None else environ
    chosen = environ.get(VARIABLE, "").strip()
    if chosen:
        return None if chosen == os.devnull else os.path.abspath(os.path.expanduser(chosen))  # noqa: PTH100, PTH111
    if platform == "win32":
        local = environ.get("LOCALAPPDATA", "")
        return os.path.join(local, "orcredit", NAME) if local else None  # noqa: PTH118
    base = environ.get("XDG_CONFIG_HOME", "")
    if not base.startswith("/"):
        home = environ.get("HOME") or os.path.expanduser("~")  # noqa: PTH111 - which reads the user database
        base = f"{home}/Library/Application Support" if platform == "darwin" else f"{home}/.config"
    return f"{base.rstrip('/')}/orcredit/{NAME}" if base.startswith("/") else None


def existing(environ: Mapping[str, str] | None = None) -> str | None:
    """Return the path of the configuration file if there is one.

    Raises:
        ConfigurationError: `ORCREDIT_CONFIG` names a file that does not exist.
    """
    environ = os.environ if environ is None else environ
    file = path(environ)
    if file is None or os.path.lexists(file):
        return file
    if environ.get(VARIABLE, "").strip():
        raise ConfigurationError(
            f"{VARIABLE} names a file that does not exist: {shown(file)}",
            hint="Correct or unset it, or make the file with 'orcredit config edit'.",
        )
    return None


def shown(file: str) -> str:
    """Return a path for people: `~` for the home directory, and no control characters."""
    home = os.path.expanduser("~")  # noqa: PTH111
    if len(home) > 1 and file.startswith(f"{home}/"):
        file = f"~{file[len(home) :]}"
    return "".join(char if char.isprintable() else "?" for char in file)
