"""Exit without finalizing the interpreter.

Freeing all modules and objects takes a fifth of the time of `orcredit status`, and nothing depends on it.
"""

from __future__ import annotations

import atexit
import os
import sys
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Never


def leave(code: int) -> Never:
    """Run the exit handlers, flush the streams, and exit.

    Raises SystemExit instead, for a normal exit, under `python -i` and `-X dev`, under a debugger, profiler or
    coverage measurement, and while non-daemon threads are running.

    Args:
        code: the exit code.
    """
    if _needs_finalization():
        sys.exit(code)
    atexit._run_exitfuncs()  # noqa: SLF001 - what the interpreter calls on exit; it prints their errors
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # already reported by `orcredit.cli.main`
            stream.flush()
    os._exit(code)


def _needs_finalization() -> bool:
    if sys.flags.inspect or sys.flags.dev_mode or sys.gettrace() is not None or sys.getprofile() is not None:
        return True
    monitoring = getattr(sys, "monitoring", None)  # Python 3.12 and newer
    if monitoring is not None and any(monitoring.get_tool(number) is not None for number in range(6)):
        return True
    threading = sys.modules.get("threading")
    return threading is not None and any(
        not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()
    )
