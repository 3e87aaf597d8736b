"""Run commands in the tests' own process, for tests that need no separate one."""

from __future__ import annotations

import gc
import io
import os
import time
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

from orcredit.cli import main
from tests.conftest import Finished

if TYPE_CHECKING:
    from collections.abc import Mapping


def run_here(*arguments: str, environ: Mapping[str, str]) -> Finished:
    """Run a command with only these environment variables."""
    before = dict(os.environ)
    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") for _ in range(2)]
    try:
        _set_environ(environ)
        with redirect_stdout(streams[0]), redirect_stderr(streams[1]):
            code = main(arguments)
    finally:
        _set_environ(before)
        gc.enable()  # `main` disables it
    out, err = (stream.buffer.getvalue().decode() for stream in streams)
    return Finished(int(code), out, err)


def _set_environ(environ: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
