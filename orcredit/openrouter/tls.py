"""The TLS context, created in parallel with other work.

Reading the system's certificates takes a tenth of the time before a request, and releases the GIL.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import httpx2

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable


def prepare() -> Callable[[], ssl.SSLContext]:
    """Start creating the context on a daemon thread.

    Returns:
        A function that waits for the context and returns it, or raises what creating it raised (OSError, ssl.SSLError,
        ValueError).
    """
    import httpcore2  # noqa: F401, PLC0415 - here, as imports on two threads would block each other

    contexts: list[ssl.SSLContext] = []
    failures: list[Exception] = []

    def make() -> None:
        try:
            contexts.append(httpx2.create_ssl_context())
        except Exception as error:  # noqa: BLE001 - raised on the caller's thread
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
