"""What the prompt line knows of `config.toml`, in a small file: it need not parse TOML, and never reads a key.

A command that gets the key of a profile leaves the key's fingerprint here, by which the line finds its balance in the
cache. The file applies to one state of `config.toml`: after a change, the line parses that once and writes it anew.

Standard library only, and little of it; `orcredit.config.file` is imported after a change.
"""

from __future__ import annotations

import os
from contextlib import suppress

from orcredit.config.credentials import FINGERPRINT_DIGITS, Fingerprint, fingerprint
from orcredit.private_files import make_private, read_private, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from orcredit.config.file import ConfigFile, ProfileTable

FORMAT = 1
"""To be raised with every change; files of other formats count as absent."""

LARGEST = 1 << 20
"""Bytes: thousands of profiles."""

LINE_OPTIONS = ("max_age", "format", "color", "exit_zero")
"""The options of the line that `config.toml` may set."""


class Known:
    """What is known of a profile.

    Attributes:
        base_url: of a named profile its fingerprint; of the unnamed one the text, empty for the default.
        key: its fingerprint; None before a command has read it.
        variable: which holds the key; None where it comes from elsewhere.
        options: of the line, by their names.
    """

    __slots__ = ("base_url", "key", "options", "variable")

    def __init__(self, base_url: str, key: str | None, variable: str | None, options: dict[str, Any]) -> None:
        self.base_url = base_url
        self.key = key
        self.variable = variable
        self.options = options


class Index:
    """The profiles of `config.toml`.

    Attributes:
        default: the profile that is used where none is chosen; None for the unnamed one.
        profiles: by their names.
        unnamed: what the file says of the unnamed profile.
    """

    __slots__ = ("default", "profiles", "unnamed")

    def __init__(self, default: str | None, profiles: dict[str, Known], unnamed: Known) -> None:
        self.default = default
        self.profiles = profiles
        self.unnamed = unnamed


def load(folder: str | None, config: str) -> Index:
    """Return the index of a configuration file, made anew if that has changed.

    Args:
        folder: the cache's; None without.
        config: the path of the configuration file, which exists.

    Raises:
        ConfigurationError: the file is not valid, or must not be used.
    """
    whole = _read(folder, config)
    if whole is None or whole["stamp"] != _stamp(config):
        whole = _renew(folder, config, whole)
    unnamed = whole["unnamed"]
    return Index(
        whole["default"],
        {
            name: Known(Fingerprint(of["address"]), of["key"] and Fingerprint(of["key"]), of["variable"], of["options"])
            for name, of in whole["profiles"].items()
        },
        Known(unnamed["address"], None, None, unnamed["options"]),
    )


def remember(folder: str | None, file: ConfigFile, keys: Mapping[str, str]) -> None:
    """Keep the fingerprints of keys for the prompt line. Disk errors are ignored.

    Of two processes that do so at the same time, one may win: the next command keeps what is missing.

    Args:
        folder: the cache's; None without.
        file: the configuration file.
        keys: by the names of their profiles; only their fingerprints are kept.
    """
    prints = {name: fingerprint(key) for name, key in keys.items()}
    with suppress(OSError, ValueError):
        whole = _read(folder, file.path)
        if whole is not None and whole["stamp"] == _stamp(file.path):
            known = {name: of["key"] for name, of in whole["profiles"].items()}
            if prints.items() <= known.items():
                return
        _write(folder, file.path, _document(file, whole, prints))


def _renew(folder: str | None, config: str, before: dict[str, Any] | None) -> dict[str, Any]:
    from orcredit.config.file import load as load_file  # noqa: PLC0415 - after a change only

    file = load_file({"ORCREDIT_CONFIG": config})
    if file is None:  # removed in this moment
        return {"stamp": None, "default": None, "profiles": {}, "unnamed": {"address": "", "options": {}}}
    document = _document(file, before, {})
    with suppress(OSError, ValueError):
        _write(folder, config, document)
    return document


def _document(file: ConfigFile, before: dict[str, Any] | None, keys: dict[str, str]) -> dict[str, Any]:
    """Make the index of a file, with the keys known before whose source has not changed."""
    known = before["profiles"] if before is not None else {}
    profiles = {}
    for name, table in file.profiles.items():
        digest = fingerprint(repr((table.key.how, table.key.value)))
        last = known.get(name, {})
        profiles[name] = {
            "digest": digest,
            "address": fingerprint(_base_url(file, table)),
            "key": keys.get(name) or (last["key"] if last.get("digest") == digest else None),
            "variable": table.key.value if table.key.how == "env" else None,
            "options": _options(file.options | table.options),
        }
    unnamed = {"address": file.options.get("base_url", ""), "options": _options(file.options)}
    stamp = _stamp(file.path)
    return {"format": FORMAT, "stamp": stamp, "default": file.default, "profiles": profiles, "unnamed": unnamed}


def _base_url(file: ConfigFile, table: ProfileTable) -> str:
    from orcredit.config.credentials import DEFAULT_BASE_URL, checked_address  # noqa: PLC0415 - after a change only

    return checked_address((file.options | table.options).get("base_url", DEFAULT_BASE_URL), "base_url")[0]


def _options(options: dict[str, Any]) -> dict[str, Any]:
    return {name: options[name] for name in LINE_OPTIONS if name in options}


def _path(folder: str | None, config: str) -> str | None:
    return None if folder is None else os.path.join(folder, f"profiles-{fingerprint(config)}.json")  # noqa: PTH118


def _stamp(config: str) -> list[int]:
    """Return what changes with the file's content, owner and permissions."""
    status = os.stat(config)  # noqa: PTH116
    return [status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_mode, status.st_uid]


def _read(folder: str | None, config: str) -> dict[str, Any] | None:
    path = _path(folder, config)
    if path is None:
        return None
    import json  # noqa: PLC0415 - only where there is a configuration file

    try:
        whole = json.loads(read_private(path, LARGEST))
        unnamed, default = whole["unnamed"], whole["default"]
        is_valid = (
            whole["format"] == FORMAT
            and isinstance(whole["stamp"], list)
            and (default is None or isinstance(default, str))
            and isinstance(unnamed["address"], str)
            and _are_options(unnamed["options"])
            and all(_is_known(known) for known in whole["profiles"].values())
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return whole if is_valid else None


def _is_known(known: Any) -> bool:  # noqa: ANN401 - whatever JSON may hold
    return (
        _is_fingerprint(known["address"])
        and (known["key"] is None or _is_fingerprint(known["key"]))
        and (known["variable"] is None or isinstance(known["variable"], str))
        and isinstance(known["digest"], str)
        and _are_options(known["options"])
    )


def _is_fingerprint(text: object) -> bool:
    return isinstance(text, str) and len(text) == FINGERPRINT_DIGITS and text.isascii() and text.isalnum()


def _are_options(options: dict[str, Any]) -> bool:
    return all(
        name in LINE_OPTIONS and isinstance(value, bool if name == "exit_zero" else str)
        for name, value in options.items()
    )


def _write(folder: str | None, config: str, document: dict[str, Any]) -> None:
    path = _path(folder, config)
    if path is None or folder is None:
        return
    import json  # noqa: PLC0415 - as above

    make_private(folder)
    replace(path, json.dumps(document).encode())
