"""JSON responses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

NO_STORE = {"Cache-Control": "no-store"}

_FIXED = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]


def to_json(model: BaseModel) -> bytes:
    """Encode a model."""
    return model.model_dump_json().encode()


class JsonResponse(Response):
    """JSON that caches must not store.

    Its headers are not built by Starlette, which takes longer than everything else that a request for the balance needs
    of the application.
    """

    def __init__(self, content: BaseModel | bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.status_code = status
        self.body = content if isinstance(content, bytes) else to_json(content)
        self.background = None
        self.raw_headers = [*_FIXED, (b"content-length", b"%d" % len(self.body))]
        if headers:
            self.raw_headers += [(name.lower().encode(), value.encode()) for name, value in headers.items()]
