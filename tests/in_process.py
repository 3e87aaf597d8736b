"""Run commands in the tests' own process, for tests that need no separate one."""

from __future__ import annotations

import gc
import io
import logging
import os
import tempfile
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
    # Files of the system: `watch` writes past Python's buffers.
    streams = [io.TextIOWrapper(tempfile.TemporaryFile(), "utf-8", newline="") for _ in range(2)]  # noqa: SIM115
    try:
        _set_environ(environ)
        with redirect_stdout(streams[0]), redirect_stderr(streams[1]):
            code = main(arguments)
    finally:
        _set_environ(before)
        gc.enable()  # `main` disables it
        for handler in logging.getLogger("orcredit").handlers[:]:  # of --verbose
            if getattr(handler, "stream", None) in streams:
                logging.getLogger("orcredit").removeHandler(handler)
    out, err = (_written(stream) for stream in streams)
    return Finished(int(code), out, err)


def _written(stream: io.TextIOWrapper) -> str:
    with stream:
        stream.seek(0)  # and flushes
        return stream.read()


def _set_environ(environ: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
