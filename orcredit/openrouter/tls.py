"""The TLS context, made beside other work.

Reading the system's certificates takes a tenth of the time before a request, outside the interpreter's lock.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import httpx2

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable


def prepare() -> Callable[[], ssl.SSLContext]:
    """Begin to make the context on a daemon thread.

    Returns:
        What gives the context: waits for it, and raises what making it raised (OSError, ssl.SSLError, ValueError).
    """
    import httpcore2  # noqa: F401, PLC0415 - here, as two threads that import get into each other's way

    contexts: list[ssl.SSLContext] = []
    failures: list[Exception] = []

    def make() -> None:
        try:
            contexts.append(httpx2.create_ssl_context())
        except Exception as error:  # noqa: BLE001 - handed to the caller's thread
            failures.append(error)

    thread = threading.Thread(target=make, name="orcredit-tls", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # the system gives no thread
        return httpx2.create_ssl_context

    def context() -> ssl.SSLContext:
        thread.join()
        if failures:
            raise failures[0]
        return contexts[0]

    return context
