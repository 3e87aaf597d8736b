"""`/api/session`: log in with the token, log out, or ask whether that is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError
from starlette.responses import Response

from orcredit.server import models
from orcredit.server.middleware.auth import session_of
from orcredit.server.models import Login
from orcredit.server.openapi import ApiRoute, Operation, Reply
from orcredit.server.problems import ProblemError
from orcredit.server.rate_limiter import LOGIN_ATTEMPTS, client_address
from orcredit.server.responses import NO_STORE, JsonResponse
from orcredit.server.sessions import SESSION_SECONDS
from orcredit.server.state import state_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from orcredit.server.sessions import Session
    from orcredit.server.state import AppState


async def session(request: Request) -> Response:
    """Show, begin or end the session.

    Raises:
        ProblemError: of a login.
    """
    state = state_of(request)
    match request.method:
        case "POST":
            return await _log_in(request, state)
        case "DELETE":
            return _log_out(request, state)
        case _:
            return _response(state, session_of(request))


async def _log_in(request: Request, state: AppState) -> Response:
    # A form on another site cannot send this type; a script there would need a preflight first.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ProblemError(
            415, "unsupported_media_type", "The login must be JSON.", "Send 'Content-Type: application/json'."
        )
    try:
        login = Login.model_validate_json(await request.body())
    except ValidationError:
        raise ProblemError(400, "bad_request", "Invalid login request.", 'Send {"token": "..."}.') from None
    if state.sessions is None:
        return _response(state, None)
    address = client_address(request.scope)
    state.login_limiter.check(address)
    if not state.sessions.knows(login.token):
        state.login_limiter.fail(address)
        raise ProblemError(
            401, "unauthorized", "The token is wrong.", "It is the one that orcredit serve was started with."
        )
    state.login_limiter.reset(address)
    begun, cookie = state.sessions.begin()
    response = _response(state, begun)
    _set_cookie(response, state, cookie, SESSION_SECONDS)
    return response


def _log_out(request: Request, state: AppState) -> Response:
    ending = session_of(request)
    if ending is not None and state.sessions is not None:
        state.sessions.end(ending)
    response = Response(status_code=204, headers=NO_STORE)
    _set_cookie(response, state, "", 0)
    return response


def _response(state: AppState, current: Session | None) -> Response:
    expires_at = current.expires_at if current is not None else None
    return JsonResponse(models.Session(login_required=state.sessions is not None, expires_at=expires_at))


def _set_cookie(response: Response, state: AppState, value: str, seconds: int) -> None:
    """Set the cookie; not `Secure`, because this server speaks plain HTTP and does not know of a proxy's TLS."""
    response.set_cookie(state.cookie_name, value, max_age=seconds, path="/", httponly=True, samesite="strict")


ROUTES = (
    ApiRoute(
        "/api/session",
        session,
        {
            "GET": Operation(
                "session", "Whether a token is required", Reply("The session and its expiry.", models.Session)
            ),
            "POST": Operation(
                "login",
                f"Begin a session; {LOGIN_ATTEMPTS} wrong tokens a minute are allowed",
                Reply("The session; its cookie is set where a token is required.", models.Session),
                problems=(415,),
                body=Login,
            ),
            "DELETE": Operation("logout", "End the session", Reply("The session has ended."), status=204),
        },
    ),
)
