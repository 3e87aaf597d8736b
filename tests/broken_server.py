"""A server on 127.0.0.1 that violates HTTP in one of the ways of `FAULTS`.

Use `with BrokenServer("hang") as server:` and `server.base_url`. Leaving the block closes every connection at once and
leaves no thread.
"""

from __future__ import annotations

import asyncio
import functools
import json
import socket
import struct
import threading
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_DRIP_SECONDS = 0.05
_SPACES = b" " * 65536


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def _drip(writer: asyncio.StreamWriter, first: bytes, filler: bytes) -> None:
    """Send `first` at once, then `filler` repeatedly, a byte every 0.05 s."""
    await _send(writer, first)
    while True:
        for value in filler:
            await _send(writer, bytes([value]))
            await asyncio.sleep(_DRIP_SECONDS)


async def _drip_headers(writer: asyncio.StreamWriter) -> None:
    await _drip(writer, b"", _JSON_HEAD + b"X-Slow: " + b"x" * 10_000)


async def _drip_body(writer: asyncio.StreamWriter) -> None:
    await _drip(writer, _JSON_HEAD + b"Content-Length: 100000\r\n\r\n{", b" ")


async def _reset(writer: asyncio.StreamWriter) -> None:
    # Lingering for zero seconds turns the close into an RST.
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _close(_: asyncio.StreamWriter) -> None:
    """Send nothing: the connection is closed when this returns."""


async def _hang(_: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def _truncated(writer: asyncio.StreamWriter) -> None:
    await _send(writer, _JSON_HEAD + b'Content-Length: 4096\r\n\r\n{"data": {"label": "sk-or-v1-')


async def _huge(writer: asyncio.StreamWriter) -> None:
    await _send(writer, _JSON_HEAD + b'Transfer-Encoding: chunked\r\n\r\n8\r\n{"data":\r\n')
    while True:
        await _send(writer, b"%x\r\n%b\r\n" % (len(_SPACES), _SPACES))


async def _huge_length(writer: asyncio.StreamWriter) -> None:
    await _send(writer, _JSON_HEAD + b'Content-Length: 10000000000\r\n\r\n{"data":')
    while True:
        await _send(writer, _SPACES)


@functools.cache
def _bomb() -> bytes:
    """Compress 128 MiB of spaces between the halves of an answer to some hundred kilobytes."""
    packer = zlib.compressobj(level=1, wbits=31)
    pieces = [packer.compress(b'{"data":'), *(packer.compress(_SPACES) for _ in range(2048))]
    return b"".join([*pieces, packer.compress(json.dumps({"limit": None}).encode() + b"}"), packer.flush()])


async def _gzip_bomb(writer: asyncio.StreamWriter) -> None:
    bomb = _bomb()
    await _send(writer, _JSON_HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(bomb), bomb))


async def _bad_gzip(writer: asyncio.StreamWriter) -> None:
    await _send(writer, _JSON_HEAD + b"Content-Encoding: gzip\r\nContent-Length: 12\r\n\r\nnot a gzip!\n")


async def _garbage(writer: asyncio.StreamWriter) -> None:
    await _send(writer, b"SSH-2.0-OpenSSH_9.9\r\n\x00\x01\x02\xff\xfe garbage\r\n\r\n")


async def _endless_headers(writer: asyncio.StreamWriter) -> None:
    await _send(writer, _JSON_HEAD)
    while True:
        await _send(writer, b"X-Filler: more\r\n" * 1024)


FAULTS: dict[str, Callable[[asyncio.StreamWriter], Awaitable[None]]] = {
    "drip-headers": _drip_headers,
    "drip-body": _drip_body,
    "reset": _reset,
    "close": _close,
    "hang": _hang,
    "truncated": _truncated,
    "huge": _huge,
    "huge-length": _huge_length,
    "gzip-bomb": _gzip_bomb,
    "bad-gzip": _bad_gzip,
    "garbage": _garbage,
    "endless-headers": _endless_headers,
}
"""What each fault sends after it has read a request's headers; then the connection is closed."""


class BrokenServer:
    """Answers every request with one fault inside its `with` block."""

    base_url: str
    """`http://127.0.0.1:PORT/api/v1`."""
    connections: int
    """The number of connections accepted so far."""

    def __init__(self, fault: str) -> None:
        """Prepare the fault; ValueError if it is not one of `FAULTS`."""
        if fault not in FAULTS:
            message = f"no fault named {fault!r}; there are {', '.join(FAULTS)}"
            raise ValueError(message)
        self.connections = 0
        self._answer = FAULTS[fault]
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        # Bound here, so that the address is known and connections queue before the loop runs.
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.base_url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/api/v1"

    def __enter__(self) -> Self:
        """Start answering."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop at once."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._accept, sock=self._socket)
        await self._stopping.wait()
        server.close()
        tasks = [task for task in self._open.values() if task is not None]
        for writer in self._open:
            writer.transport.abort()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # Aborted transports close their sockets in the loop's next turn.
        await asyncio.sleep(0)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open[writer] = asyncio.current_task()
        # In most tests the client closes the connection.
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            await reader.readuntil(b"\r\n\r\n")
            await self._answer(writer)
            writer.close()
            await writer.wait_closed()
        writer.transport.abort()
        self._open.pop(writer, None)
