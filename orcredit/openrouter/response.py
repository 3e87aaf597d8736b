"""From an HTTP response to its `data` object, or to an error that describes what came instead.

Errors never quote the body: it may be from another server, and may repeat the key.
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Never, TypeVar

from pydantic import BaseModel, ValidationError

from orcredit.durations import format_duration
from orcredit.errors import KeyRefusedError, NonsenseError, UnreachableError
from orcredit.money import EXACT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import SecretStr

LARGEST_BODY = 1024 * 1024
"""Bytes after decompression; OpenRouter's answers have about 2,000."""

_M = TypeVar("_M", bound=BaseModel)

_PORTAL_HINT = (
    "The answer may be a proxy's or a captive portal's, or --base-url may be wrong; the balance is not known."
)
_FORBIDDEN_HINT = "The key's or its organization's rules may forbid it; see https://openrouter.ai/settings/keys"
_ADDRESS_HINT = "Check --base-url (OPENROUTER_BASE_URL)."
_CLIENT_ERRORS = {
    400: ("the request is malformed", "This may be a bug in orcredit; please report it."),
    402: ("the account is out of credit", "Buy credit at https://openrouter.ai/settings/credits"),
    403: ("the request is forbidden, but not by OpenRouter", _PORTAL_HINT),
    404: ("there is no such address", _ADDRESS_HINT),
}
"""Meaning and hint of other statuses. A 403 in OpenRouter's own JSON is about the key, and handled before."""


LARGEST_LIST = 16 * LARGEST_BODY
"""Bytes of an answer about a whole account: 10,000 rows of analytics have about 3 MiB."""


def read_data(
    model: type[_M], body: bytes, *, media_type: str, secrets: Sequence[SecretStr], is_list: bool = False
) -> _M:
    """Parse and validate the body of a response with status 200.

    Args:
        model: the type of `data`, or of the whole document for a list.
        body: the decompressed body.
        media_type: the Content-Type header, to describe other content in the error.
        secrets: keys to redact in the texts: the one that was sent, and all others known.
        is_list: whether `data` is a list, and `model` the type of the document around it.

    Raises:
        NonsenseError: the body is not JSON with `data` of that type.
    """
    document = _parse(body, media_type)
    if not isinstance(document, dict):
        raise _nonsense(f"JSON that is {_kind(document)}, not an object")
    if "data" not in document:
        raise _nonsense("an error inside a 200" if "error" in document else "JSON without a data field")
    data = document["data"]
    if not isinstance(data, list if is_list else dict):
        raise _nonsense(f"a data field that is {_kind(data)}, not {'a list' if is_list else 'an object'}")
    try:
        return model.model_validate(document if is_list else data, context={"secrets": secrets})
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(part) for part in (*(() if is_list else ("data",)), *details["loc"]))
        # The messages are pydantic's and ours, about types; none quotes the value.
        reason = details["msg"].removeprefix("Value error, ")
        text = f"OpenRouter's answer makes no sense: {field}: {reason}."
        raise NonsenseError(text) from None


def status_error(
    status: int, body: bytes, *, retry_after: float | None, key: str = "this key"
) -> KeyRefusedError | UnreachableError | NonsenseError:
    """Create the error for a status other than 200.

    Args:
        status: the HTTP status.
        body: perhaps truncated; only checked for OpenRouter's error JSON.
        retry_after: seconds, from the Retry-After header; None without.
        key: names the key that was sent: "the key in OPENROUTER_API_KEY (sk-or-v1-au7...890)".

    Returns:
        A KeyRefusedError for 401, and for 403 in OpenRouter's own JSON; an UnreachableError for 408, 429 and 5xx,
        which may be retried; a NonsenseError for every other status.
    """
    if status == 401 or (status == 403 and _is_openrouter_error(body)):
        if status == 401:
            return KeyRefusedError(f"OpenRouter does not accept {key}: 401.", status=status)
        return KeyRefusedError(
            f"OpenRouter does not allow this request with {key}: 403.", hint=_FORBIDDEN_HINT, status=status
        )
    if status in {408, 429} or status >= 500:
        meaning = "too many requests" if status == 429 else "it is not working right now"
        message, hint = f"OpenRouter answered {status}: {meaning}", "Try again in a minute."
        if retry_after:
            wait = timedelta(seconds=retry_after)
            with suppress(OverflowError, ValueError):  # past the end of the calendar
                until = (datetime.now(UTC) + wait).astimezone()
                message += f"; it asks to wait until {until:%Y-%m-%d %H:%M:%S %Z}"
            length = format_duration(wait) if wait >= timedelta(minutes=1) else f"{retry_after:.0f} s"
            hint = f"Try again in {length}."
        return UnreachableError(f"{message}.", hint=hint, retry_after=retry_after, status=status)
    if 300 <= status < 400:
        text = f"The server answered with a redirect ({status}), which is not followed: its target would get the key."
        return NonsenseError(text, hint=_ADDRESS_HINT)
    if status in _CLIENT_ERRORS:
        meaning, hint = _CLIENT_ERRORS[status]
        return NonsenseError(f"The server answered {status}: {meaning}.", hint=hint, status=status)
    return _nonsense(f"status {status}")


def _nonsense(what: str) -> NonsenseError:
    return NonsenseError(f"The server answered with {what}.", hint=_PORTAL_HINT)


class _NotFiniteError(ValueError):
    """NaN or Infinity where JSON has neither."""


def _refuse_constant(name: str) -> Never:
    raise _NotFiniteError(name)


def _parse(body: bytes, media_type: str) -> object:
    start = body[:64].lstrip()
    if not start:
        raise _nonsense("an empty body")
    if "html" in media_type.lower() or start.startswith(b"<"):
        raise _nonsense("a web page (HTML), not JSON")
    try:
        # Decimal from the digits themselves, without the binary noise of a float.
        with localcontext(EXACT):
            return json.loads(body, parse_float=Decimal, parse_constant=_refuse_constant)
    except _NotFiniteError as error:
        problem = f"{error} where a number should be"
    except json.JSONDecodeError as error:
        is_cut = error.msg.startswith("Unterminated") or error.pos >= len(error.doc.rstrip())
        problem = "JSON that breaks off in the middle" if is_cut else "something that is not JSON"
    except (ValueError, ArithmeticError, RecursionError):  # not UTF-8, an out-of-range number, nested too deep
        problem = "something that is not JSON"
    raise _nonsense(problem)


def _kind(value: object) -> str:
    kinds = {type(None): "null", bool: "a boolean", list: "a list", str: "a string", dict: "an object"}
    return kinds.get(type(value), "a number")


def _is_openrouter_error(body: bytes) -> bool:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return False
    error = document.get("error") if isinstance(document, dict) else None
    return isinstance(error, dict) and ("code" in error or "message" in error)
