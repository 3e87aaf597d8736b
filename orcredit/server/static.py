"""The page: read, gzipped and given its headers once, at the start; no request ever touches a disk."""

from __future__ import annotations

import gzip
import re
from importlib.resources import files
from typing import TYPE_CHECKING

from starlette.responses import Response

from orcredit.server.answers import Refusal

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from starlette.requests import Request

_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
_FOR_GOOD = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"
"""For the one file whose name has no hash."""

_INDEX = "index.html"

ASSETS = "/assets/"
"""Where everything lies whose name has a hash."""


class Page:
    """The built page (`web/` holds its source): `/` and what it loads."""

    def __init__(self) -> None:
        folder = files("orcredit.server") / "page"
        self._index = _Variants(folder / _INDEX, _ASK_AGAIN)
        self._assets = {
            file.name: _Variants(file, _FOR_GOOD) for file in (folder / ASSETS.strip("/")).iterdir() if file.is_file()
        }

    async def index(self, request: Request) -> Response:
        """Answer `/`."""
        return self._index.fitting(request)

    async def asset(self, request: Request) -> Response:
        """Answer `/assets/<name>`.

        Raises:
            Refusal: there is no such file.
        """
        variants = self._assets.get(request.path_params["name"])
        if variants is None:
            raise Refusal(404, "not_found", "There is no such file.", "Load the page again: it may be a newer one.")
        return variants.fitting(request)


class _Variants:
    """A file as it is, and gzipped."""

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

    def fitting(self, request: Request) -> Response:
        """Give the one that the client reads."""
        return self._gzipped if _accepts_gzip(request.headers.get("accept-encoding", "")) else self._plain


def _accepts_gzip(header: str) -> bool:
    weights: dict[str, str] = {}
    for part in header.lower().split(","):
        coding, _, weight = part.partition(";")
        weights[coding.strip()] = weight.replace(" ", "")
    asked = weights.get("gzip", weights.get("*", "q=0"))
    return re.fullmatch(r"q=0(\.0*)?", asked) is None
