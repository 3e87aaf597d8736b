"""The page's files: read and compressed once, at the start.

Starlette's `StaticFiles` reads the disk for each request and its `GZipMiddleware` compresses each response.
"""

from __future__ import annotations

import gzip
import re
from importlib.resources import files
from typing import TYPE_CHECKING

from starlette.responses import Response

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from starlette.requests import Request

_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
_IMMUTABLE = "public, max-age=31536000, immutable"
_REVALIDATE = "no-cache"
"""For the one file whose name has no hash."""

ASSETS = "/assets/"
"""The path of the files whose names have a hash."""


class Page:
    """The built page (`web/` holds its source).

    Attributes:
        index: the page itself.
        assets: what it loads, by name.
    """

    def __init__(self) -> None:
        folder = files("orcredit.server") / "page"
        self.index = StaticFile(folder / "index.html", _REVALIDATE)
        self.assets = {
            file.name: StaticFile(file, _IMMUTABLE) for file in (folder / ASSETS.strip("/")).iterdir() if file.is_file()
        }


class StaticFile:
    """A file, plain and gzipped.

    Args:
        file: where it is.
        caching: the Cache-Control header.
    """

    def __init__(self, file: Traversable, caching: str) -> None:
        content = file.read_bytes()
        suffix = file.name[file.name.rindex(".") :]
        headers = {
            "Content-Type": _MEDIA_TYPES[suffix],
            "Cache-Control": caching,
            "Vary": "Accept-Encoding",
        }
        self._plain = Response(content, headers=headers)
        self._gzipped = Response(gzip.compress(content, 9, mtime=0), headers=headers | {"Content-Encoding": "gzip"})

    def response(self, request: Request) -> Response:
        """Give the variant that the client accepts."""
        return self._gzipped if _accepts_gzip(request.headers.get("accept-encoding", "")) else self._plain


def _accepts_gzip(header: str) -> bool:
    weights: dict[str, str] = {}
    for part in header.lower().split(","):
        coding, _, weight = part.partition(";")
        weights[coding.strip()] = weight.replace(" ", "")
    asked = weights.get("gzip", weights.get("*", "q=0"))
    return re.fullmatch(r"q=0(\.0*)?", asked) is None
