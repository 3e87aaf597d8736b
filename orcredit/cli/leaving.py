"""The end of the process: what must be finished is, and the interpreter is not taken apart.

Freeing every module and object takes as long as a fifth of a whole `orcredit status`, and nothing depends on it.
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
    """End the process: run the exit handlers, flush the streams, and go.

    The interpreter ends in its own way, by SystemExit, under `python -i` and `-X dev`, under a debugger, profiler or
    coverage measurement, and while threads run that are not daemons.

    Args:
        code: the exit code.
    """
    if _has_more_to_do():
        sys.exit(code)
    atexit._run_exitfuncs()  # noqa: SLF001 - what the interpreter calls at its end; errors in them are printed
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # said before, where it could be
            stream.flush()
    os._exit(code)


def _has_more_to_do() -> bool:
    if sys.flags.inspect or sys.flags.dev_mode or sys.gettrace() is not None or sys.getprofile() is not None:
        return True
    monitoring = getattr(sys, "monitoring", None)  # Python 3.12 and newer
    if monitoring is not None and any(monitoring.get_tool(number) is not None for number in range(6)):
        return True
    threading = sys.modules.get("threading")
    return threading is not None and any(
        not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()
    )
