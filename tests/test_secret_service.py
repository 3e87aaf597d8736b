"""The operating system's keychain itself: the Secret Service of Linux, on a message bus that the test starts."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from orcredit import simulator
from tests.pseudo_terminal import needed
from tests.test_secrets import shows_key

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="other systems have other keychains"),
]

KEY = simulator.key_for("normal")

# Without a display, a locked keychain's question for its password is dismissed at once.
SCRIPT = """
say() { echo "== $1"; }
eval "$(echo made-up | gnome-keyring-daemon --unlock --components=secrets)"
say added; echo "$KEY" | "$PYTHON" -m orcredit profile add work --base-url "$URL"; echo "code $?"
say shown; "$PYTHON" -m orcredit status -q -p work; echo "code $?"
say renamed; "$PYTHON" -m orcredit profile rename work job; "$PYTHON" -m orcredit status -q -p job; echo "code $?"
"$PYTHON" -c 'import os, secretstorage as s; s.get_default_collection(s.dbus_init()).lock()'
say locked; "$PYTHON" -m orcredit status -p job; echo "code $?"
say gone; DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent "$PYTHON" -m orcredit status -p job; echo "code $?"
kill "$GNOME_KEYRING_PID"
"""


def test_the_secret_service(server: simulator.Server, tmp_path: Path) -> None:
    needed("gnome-keyring-daemon")
    environ = {
        "HOME": str(tmp_path),
        "KEY": KEY,
        "PATH": os.environ["PATH"],
        "PYTHON": sys.executable,
        "URL": server.base_url,
        "LANG": "C.UTF-8",
        "XDG_RUNTIME_DIR": str(tmp_path),
    }
    command = [needed("dbus-run-session"), "--", "sh", "-c", SCRIPT]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    said = done.stdout.split("== ")
    assert len(said) == 6, done.stderr
    _, added, shown, renamed, locked, gone = said
    assert "it is in the keychain" in added
    assert "code 0" in added
    assert shown == "shown\ncode 0\n"
    assert renamed == "renamed\nRenamed profile work to job.\ncode 0\n"
    assert locked == "locked\ncode 78\n"
    assert gone == "gone\ncode 78\n"
    assert "The keychain is locked." in done.stderr
    assert "There is no keychain here." in done.stderr
    assert not shows_key(done.stdout + done.stderr, KEY)
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not any(KEY.encode() in content for content in files)
