"""The TLS context, created in parallel with other work.

Reading the system's certificates takes a tenth of the time before a request, and releases the GIL. It has no time
limit: the disk may hang.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

import httpx2

if TYPE_CHECKING:
    import ssl


def prepare() -> Future[ssl.SSLContext]:
    """Start creating the context on a daemon thread; if the system gives no thread, create it at once.

    Returns:
        A future that cannot be cancelled: of the context, or of what creating it raised (OSError, ssl.SSLError,
        ValueError).
    """
    import httpcore2  # noqa: F401, PLC0415 - here, as imports on two threads would block each other

    context: Future[ssl.SSLContext] = Future()
    context.set_running_or_notify_cancel()

    def make() -> None:
        try:
            context.set_result(httpx2.create_ssl_context())
        except Exception as error:  # noqa: BLE001 - raised where the future is awaited
            context.set_exception(error)

    try:
        threading.Thread(target=make, name="orcredit-tls", daemon=True).start()
    except RuntimeError:  # the system gives no thread
        make()
    return context
