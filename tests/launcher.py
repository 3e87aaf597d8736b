"""Start the program quickly, with a fork server that has already imported Python's and the program's modules.

`start` returns an ordinary `subprocess.Popen` of `python -m orcredit ...`: a process with its own environment, streams,
signals, session and exit code. It is forked from an interpreter that every test worker starts once, which takes a few
hundredths of a second instead of most of one. Some tests need a new interpreter: for the modules that are imported,
PYTHON* variables, streams that are closed from the beginning, a signal during the imports. `start` uses one for
PYTHON* variables and on systems other than Linux; other tests use `subprocess` directly.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import random
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PRELOADED = (
    "coverage",
    "encodings.idna",
    "orcredit.cli.app",
    "orcredit.cli.following",
    "orcredit.cli.monitoring",
    "orcredit.cli.status",
    "orcredit.blocking_client",
    "orcredit.client",
    "orcredit.demo",
    "orcredit.diagnosis",
    "orcredit.history",
    "orcredit.openrouter.retry",
    "orcredit.server.running",
    "orcredit.simulator",
    "orcredit.render.history",
    "orcredit.render.keyboard",
    "orcredit.render.live",
    "orcredit.render.screen",
    "orcredit.render.status",
    "plotext",
    "rich.console",
    "rich.live",
    "tenacity",
    "webbrowser",
)
"""Imported by the fork server. None of them starts a thread or an event loop, or reads the environment on import."""

FORKS = sys.platform == "linux"
"""Whether programs are forked; else a new interpreter is started."""

_LARGEST_REQUEST = 1 << 18
_PR_SET_CHILD_SUBREAPER = 36
_lock = threading.Lock()
_started: list[tuple[socket.socket, subprocess.Popen[Any]]] = []
"""The connection to this worker's fork server, and the server."""


def start(
    arguments: Sequence[str],
    *,
    environ: Mapping[str, str],
    files: int | None = None,
    constants: Mapping[str, float] | None = None,
    **streams: Any,  # noqa: ANN401 - Popen's own
) -> subprocess.Popen[Any]:
    """Start `python -m orcredit` with arguments.

    Args:
        arguments: of the command line.
        environ: the process's whole environment.
        files: how many files the process may have open.
        constants: new values of numbers in our modules, such as waits, by their full names; only if forked.
        streams: `stdin`, `stdout`, `stderr` and the text options of `subprocess.Popen`, and `start_new_session`.
    """
    command = [sys.executable, "-m", "orcredit", *arguments]
    for_python = {name: value for name, value in environ.items() if name.startswith("PYTHON")}
    if FORKS and for_python.items() <= os.environ.items():
        orders = json.dumps({"files": files, "constants": dict(constants or {})})
        return _ForkedPopen([orders, *arguments], env=dict(environ), **streams)
    limit = [] if files is None else ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh"]
    return subprocess.Popen([*limit, *command], env=dict(environ), **streams)


class _ForkedPopen(subprocess.Popen[Any]):
    """A `Popen` whose process is forked by the fork server.

    The process becomes a child of this one (see `_fork_server`), so that `Popen`'s other methods work unchanged.
    """

    def _execute_child(self, args: list[str], *others: Any) -> None:  # noqa: ANN401 - the signature of Popen's private method
        environ, pipes, is_leader = others[5], others[9:15], others[20]
        theirs = pipes[0], pipes[3], pipes[5]
        streams = [usual if stream == -1 else stream for usual, stream in enumerate(theirs)]
        if others[4] is not None:
            raise NotImplementedError("a forked program runs in the tests' directory; use subprocess for another one")
        request = json.loads(args[0]) | {"arguments": args[1:], "environ": environ, "is_leader": is_leader}
        sys.audit("subprocess.Popen", sys.executable, args, None, environ)  # as Popen does
        with _lock:
            connection = _fork_server()
            socket.send_fds(connection, [json.dumps(request).encode()], streams)
            self.pid = int(connection.recv(32))
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]


def _fork_server() -> socket.socket:
    """Return the connection to this worker's fork server, which is started on first use."""
    if not _started:
        # Forked processes whose parent has exited become our children, so that we can wait for them.
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.launcher", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={name: value for name, value in os.environ.items() if not name.startswith("COV")},
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        _started.append((ours, server))
    return _started[0][0]


def stop() -> None:
    """Stop this worker's fork server, if there is one."""
    while _started:
        connection, server = _started.pop()
        connection.close()  # on which it exits
        server.wait()


def _serve_forks(connection: socket.socket) -> None:
    """Fork a process for each request until the worker closes the connection."""
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            __import__(name)
    while True:
        message, streams, _, _ = socket.recv_fds(connection, _LARGEST_REQUEST, 3)
        if not message:
            return
        reading, writing = os.pipe()
        middle = os.fork()
        if middle == 0:
            # The process is a grandchild: when this one exits, the worker becomes its parent.
            process = os.fork()
            if process == 0:
                connection.close()
                os.close(reading)
                os.close(writing)
                _become(json.loads(message), list(streams))
            os.write(writing, str(process).encode())
            os._exit(0)
        os.close(writing)
        process_id = os.read(reading, 32)
        os.close(reading)
        os.waitpid(middle, 0)
        for stream in streams:
            os.close(stream)
        connection.send(process_id)


def _become(request: dict[str, Any], streams: list[int]) -> NoReturn:
    """Turn this fork into the requested process, and run the program."""
    code: object = 70
    try:
        if request["is_leader"]:
            os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        for stream in streams:
            os.close(stream)
        if request["files"] is not None:
            import resource  # noqa: PLC0415 - not on Windows

            resource.setrlimit(resource.RLIMIT_NOFILE, (request["files"], request["files"]))
        for (module, _, name), value in ((key.rpartition("."), value) for key, value in request["constants"].items()):
            setattr(sys.modules[module], name, type(getattr(sys.modules[module], name))(value))
        os.environ.clear()
        os.environ.update(request["environ"])
        time.tzset()
        random.seed()
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - open until exit
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False, buffering=1 if os.isatty(1) else -1)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False, buffering=1)  # noqa: SIM115
        sys.argv = ["orcredit", *request["arguments"]]
        if any(name.startswith("COV") for name in os.environ):
            import coverage  # noqa: PLC0415 - already loaded; only measured runs use it

            coverage.process_startup(force=True)
        runpy.run_module("orcredit", run_name="__main__")
        code = 0
    except SystemExit as leaving:
        code = leaving.code
    except BaseException:  # noqa: BLE001 - as the interpreter would show it
        sys.excepthook(*sys.exc_info())
        code = 1
    _end(code)


def _end(code: object) -> NoReturn:
    """Exit without finalizing the interpreter."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    _save_coverage()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def _save_coverage() -> None:
    import coverage  # noqa: PLC0415 - already loaded

    measuring = coverage.Coverage.current()
    if measuring is not None:
        measuring.stop()
        measuring.save()


if __name__ == "__main__":
    _serve_forks(socket.socket(fileno=int(sys.argv[1])))
