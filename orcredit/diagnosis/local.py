"""The checks of what is on this machine: they block, and send nothing to OpenRouter."""

from __future__ import annotations

import os
import platform
import shutil
import ssl
import sys
import time
from contextlib import suppress
from importlib import metadata
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from orcredit import __version__, cache
from orcredit.config import credentials, place
from orcredit.config.load import load_thresholds
from orcredit.diagnosis.check import Check, fault, ok, skipped, warning
from orcredit.diagnosis.setup import Setup, variable_of
from orcredit.diagnosis.shareable import shown
from orcredit.errors import HistoryError, OrcreditError
from orcredit.openrouter import mask
from orcredit.openrouter.transport import check_proxies

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from orcredit.history import History

_LONGEST_VALUE = 40


def check_key(setup: Setup) -> Check:
    """Check which variable holds the key, and whether it can be one of OpenRouter's."""
    try:
        chosen = setup.key()
    except OrcreditError as error:
        return fault("key", str(error), error.hint)
    return ok("key", f"{chosen.key_source} ({_masked(chosen.key)})")


def check_management_key(setup: Setup) -> Check:
    """Check whether there is a management key, and whether it can be one."""
    name = "OPENROUTER_MANAGEMENT_KEY"
    try:
        with suppress(OrcreditError):  # of the configuration file: see there
            selected = setup.selected()
            if selected.table is not None:
                name = selected.table.management_key.name if selected.table.management_key is not None else ""
        key = setup.management_key()
    except OrcreditError as error:
        return fault("management key", str(error), error.hint)
    if key is None:
        return ok("management key", "none is set; one shows the account's credit where the key does not")
    with suppress(OrcreditError):  # of the other key: see there
        if setup.key().key_source == name:
            return ok("management key", "it is the key")
    return ok("management key", f"{name} ({_masked(key)})")


def _masked(key: str) -> str:
    return mask(key) if key.startswith("sk-or-") else "not shown, as it does not begin with sk-or-"


def check_address(setup: Setup) -> Check:
    """Check the base URL; only its host is shown."""
    try:
        chosen = setup.address()
    except OrcreditError as error:
        return fault("address", str(error), error.hint)
    address = urlsplit(chosen.base_url)
    source = chosen.base_url_source or "the default"
    return ok("address", f"{address.scheme}://{_host(address.hostname or '', address.port)} ({source})")


def _host(host: str, port: int | None) -> str:
    host = f"[{host}]" if ":" in host else host
    return host if port is None else f"{host}:{port}"


def check_configuration(setup: Setup) -> Check:
    """Check the configuration file, and which profile is used."""
    name = "configuration"
    try:
        selected = setup.selected()
    except OrcreditError as error:
        return fault(name, str(error), error.hint)
    if selected.file is None:
        file = place.path()
        return ok(name, f"{shown(file)} does not exist" if file is not None else "no file")
    count = len(selected.file.profiles)
    used = "the unnamed profile is used" if selected.name is None else f"profile {selected.name} is used"
    if selected.name is None and count and not credentials.has_key():
        used = "none is chosen"
    detail = f"{shown(selected.file.path)}, {count} profile{'' if count == 1 else 's'}; {used}"
    return ok(name, detail)


def check_thresholds(setup: Setup) -> Check:
    """Check the thresholds of the variable, else of the configuration file."""
    try:
        thresholds = load_thresholds(None)
    except OrcreditError as error:
        return fault("thresholds", str(error), error.hint)
    if thresholds is None:
        with suppress(OrcreditError):  # of the configuration file: see there
            in_file, source = setup.selected().option("warn_below")
            if in_file is not None:
                return ok("thresholds", f"{', '.join(in_file)} ({source})")
        return ok("thresholds", "the default")
    return ok("thresholds", f"ORCREDIT_WARN_BELOW ({', '.join(map(str, thresholds))})")


_PROXY_HINT = "Example: HTTPS_PROXY=http://proxy.example:3128. Unset it to connect without a proxy."


def check_proxy(setup: Setup) -> Check:
    """Check which variable sets a proxy; neither its host nor its user or password is shown."""
    try:
        chosen = setup.address()
    except OrcreditError:
        return skipped("proxy", "the address is not known")
    if chosen.is_loopback:
        return ok("proxy", "none: the address is on this machine")
    problem = _proxy_problem()
    if problem:
        return fault("proxy", problem, _PROXY_HINT)
    used = proxy_of(chosen)
    if used is not None:
        return ok("proxy", f"{used} (not shown)")
    return ok("proxy", "none for this address (NO_PROXY)" if _proxy() else "none")


def _proxy_problem() -> str:
    """Return why no client can be made with the proxies that are set; empty if one can."""
    try:
        check_proxies()
    except Exception:  # noqa: BLE001 - httpx2's InvalidURL is no ValueError
        return f"{_proxy_variable() or 'The proxy'} is not the address of a proxy."
    socks = [value for value in getproxies().values() if value.lower().startswith("socks")]
    if not socks:
        return ""
    names = [name for name in os.environ if name.lower().endswith("_proxy") and os.environ[name] == socks[0]]
    where = ", ".join(names) or "The system's settings"
    return f"{where}: a SOCKS proxy, which orcredit does not support."


def proxy_of(chosen: credentials.Credentials) -> str | None:
    """Return what sets the proxy of requests to this address; None if they use none."""
    if chosen.is_loopback or not _proxy() or proxy_bypass(urlsplit(chosen.base_url).hostname or ""):
        return None
    return _proxy_variable() or "the system's settings"


def _proxy() -> str | None:
    proxies = getproxies()
    return proxies.get("https") or proxies.get("all")


def _proxy_variable() -> str | None:
    return variable_of(("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"))


def check_cache(setup: Setup) -> Check:
    """Check that the prompt line's cache can be written: a file is created and deleted, as every poll does."""
    folder = cache.directory()
    if folder is None:
        return fault("cache", "There is no home directory for the cache.", "Set HOME or XDG_CACHE_HOME.")
    try:
        cache.probe()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "the path is not valid"
        return fault(
            "cache",
            f"{shown(folder)} cannot be written: {reason[:1].lower()}{reason[1:]}. The prompt line stays empty.",
            "Make it a folder of your own, or set XDG_CACHE_HOME to another place.",
        )
    return ok("cache", f"{shown(folder)}, {_age_of_balance(setup)}")


def _age_of_balance(setup: Setup) -> str:
    try:
        chosen = setup.key()
    except OrcreditError:
        return "no balance, as there is no key"
    cached = cache.load(chosen.base_url, chosen.key)
    age = None if cached is None else cached.age(time.time())
    if age is None:
        return "no balance of this key yet"
    return f"a balance of this key, {age:.0f} s old" if age < 120 else f"a balance of this key, {age / 60:.0f} min old"


def check_history(setup: Setup) -> Check:
    """Check that the history can be read, and by this version; nothing is written."""
    from orcredit.history import SCHEMA_VERSION, History  # noqa: PLC0415 - SQLAlchemy takes long to import

    try:
        history = History.load(setup.database_url, _environ_for_history(setup))
    except OrcreditError as error:
        return fault("history", str(error), error.hint)
    where = _place_of(history)
    with history:
        try:
            version = history.version()
        except HistoryError as error:
            return fault("history", f"{error.public} ({where})", error.hint)
    unwritable = None if history.file is None else _unwritable(history.file)
    if unwritable is not None:
        return fault(
            "history",
            f"{shown(unwritable)} cannot be written, so watch and serve record nothing.",
            "Change its permissions, or choose another place with ORCREDIT_DATABASE_URL.",
        )
    if version == 0:
        return ok("history", f"{where}, nothing is recorded yet")
    if version < SCHEMA_VERSION:
        return warning(
            "history",
            f"{where} was written by an older orcredit (version {version} of its tables, now {SCHEMA_VERSION}).",
            "The next watch or serve brings it up to date; older versions of orcredit cannot use it from then on.",
        )
    return ok("history", where)


def _environ_for_history(setup: Setup) -> dict[str, str]:
    """Return the environment, with the database that the configuration file names where no variable does."""
    environ = dict(os.environ)
    with suppress(OrcreditError):  # of the configuration file: see there
        in_file, _ = setup.selected().option("database_url")
        if in_file is not None and not environ.get("ORCREDIT_DATABASE_URL", "").strip():
            environ["ORCREDIT_DATABASE_URL"] = in_file
    return environ


def _place_of(history: History) -> str:
    """Name a database: a file by its path, a server by its kind alone."""
    if history.file is not None:
        return shown(history.file)
    return "a PostgreSQL database" if str(history).startswith("postgresql") else "in memory"


def _unwritable(file: Path) -> Path | None:
    """Return which of a database's file and folder cannot be written; None if both can, or can be created."""
    folder = file.absolute().parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return folder
    return file if file.exists() and not os.access(file, os.W_OK) else None


def check_terminal(_: Setup) -> Check:
    """Check what the terminal can draw."""
    term = os.environ.get("TERM", "")
    if term.lower() in {"dumb", "unknown"}:
        return warning(
            "terminal",
            f"TERM is {term}: no colours, and watch prints lines instead of its live view.",
            "In a terminal that can draw, set TERM to its name, such as xterm-256color.",
        )
    if not sys.stdout.isatty():
        return ok("terminal", "standard output is not a terminal")
    columns, lines = shutil.get_terminal_size()
    no_color = ", no colours (NO_COLOR)" if os.environ.get("NO_COLOR") else ""
    return ok("terminal", f"{_value(term) or 'TERM is not set'}, {columns} x {lines}{no_color}")


def _value(text: str) -> str:
    return "".join(char for char in text if char.isprintable())[:_LONGEST_VALUE]


_COERCED = {"C.UTF-8", "C.utf8", "UTF-8"}
"""What Python sets LC_CTYPE to when it is started without a locale (PEP 538)."""


def check_locale(_: Setup) -> Check:
    """Check that the locale is one with UTF-8, in which the amounts' separators and bars are encoded."""
    if sys.platform == "win32":
        return ok("locale", sys.stdout.encoding or "")
    names = ["LC_ALL", "LC_CTYPE", "LANG"]
    if sys.flags.utf8_mode and "PYTHONUTF8" not in os.environ and os.environ.get("LC_CTYPE") in _COERCED:
        names.remove("LC_CTYPE")
    name = next((name for name in names if os.environ.get(name)), None)
    value = _value(os.environ[name]) if name is not None else ""
    if value.lower().replace("-", "").endswith("utf8"):
        return ok("locale", f"{name}={value}")
    return warning(
        "locale",
        f"{f'{name}={value}' if name else 'No locale is set'}: not UTF-8, so terminals and shells may show "
        "characters beyond ASCII wrongly.",
        "Set LANG to a UTF-8 locale, such as C.UTF-8.",
    )


_VARIABLES = (
    "OPENROUTER_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "OPENROUTER_MANAGEMENT_KEY",
    "OPENROUTER_BASE_URL",
    "ANTHROPIC_BASE_URL",
    "ORCREDIT_CONFIG",
    "ORCREDIT_PROFILE",
    "ORCREDIT_WARN_BELOW",
    "ORCREDIT_DATABASE_URL",
    "ORCREDIT_NO_HISTORY",
    "ORCREDIT_TOKEN",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "NO_COLOR",
    "FORCE_COLOR",
)


def check_variables(_: Setup) -> Check:
    """Name the variables that are set, without their values."""
    return ok("variables", ", ".join(name for name in _VARIABLES if os.environ.get(name)) or "none are set")


_LIBRARIES = ("httpx2", "pydantic", "rich", "sqlalchemy", "starlette", "typer", "uvicorn", "psycopg")


def check_versions(_: Setup) -> Check:
    """Name the versions of orcredit, Python, the system and the libraries."""
    import sqlite3  # noqa: PLC0415 - a Python may have been built without it

    libraries = [f"{name} {_version_of(name)}" for name in _LIBRARIES]
    return ok(
        "versions",
        f"orcredit {__version__}, Python {platform.python_version()}, {platform.platform(terse=True)}, "
        f"{', '.join(libraries)}, SQLite {sqlite3.sqlite_version}, {ssl.OPENSSL_VERSION}",
    )


def _version_of(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


LOCAL_CHECKS: tuple[tuple[str, Callable[[Setup], Check]], ...] = (
    ("configuration", check_configuration),
    ("key", check_key),
    ("management key", check_management_key),
    ("address", check_address),
    ("thresholds", check_thresholds),
    ("proxy", check_proxy),
    ("cache", check_cache),
    ("history", check_history),
    ("terminal", check_terminal),
    ("locale", check_locale),
    ("variables", check_variables),
    ("versions", check_versions),
)
"""Each with its name, for when it fails in an unexpected way."""
