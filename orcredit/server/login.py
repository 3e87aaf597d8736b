"""The page's login: a token in, a session's cookie out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError
from starlette.responses import Response

from orcredit.server.answers import Login, Prepared, Refusal, Session, to_json
from orcredit.server.doors import client_address, session_of, too_many_tries
from orcredit.server.sessions import LOGIN_TRIES, SESSION_SECONDS, Tries

if TYPE_CHECKING:
    from starlette.requests import Request

    from orcredit.server import sessions
    from orcredit.server.sessions import Sessions

METHODS = ["GET", "POST", "DELETE"]


class LoginDesk:
    """Answers `/api/session`.

    Args:
        sessions: None where no token is set, and nobody needs to log in.
        cookie_name: of the session.
    """

    def __init__(self, sessions: Sessions | None, cookie_name: str) -> None:
        self._sessions = sessions
        self._cookie_name = cookie_name
        self._tries = Tries(LOGIN_TRIES)

    async def session(self, request: Request) -> Response:
        """Tell of the session, begin one or end it."""
        match request.method:
            case "POST":
                return await self._log_in(request)
            case "DELETE":
                return self._log_out(request)
            case _:
                return self._answer(session_of(request))

    async def _log_in(self, request: Request) -> Response:
        # What a form of another site can send is of another type; a page that sends this one has to ask first.
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refusal(415, "unsupported_media_type", "The login is JSON.", "Content-Type: application/json")
        try:
            login = Login.model_validate_json(await request.body())
        except ValidationError:
            raise Refusal(400, "bad_request", "That is no login.", 'Send {"token": "..."}.') from None
        if self._sessions is None:
            return self._answer(None)
        address = client_address(request.scope)
        wait = self._tries.wait(address)
        if wait:
            raise too_many_tries(wait)
        if not self._sessions.knows(login.token):
            self._tries.fail(address)
            raise Refusal(401, "unauthorized", "That is not the token.", "It is the one that orcredit serve was given.")
        self._tries.forget(address)
        session, cookie = self._sessions.begin()
        response = self._answer(session)
        self._set_cookie(response, cookie, SESSION_SECONDS)
        return response

    def _log_out(self, request: Request) -> Response:
        session = session_of(request)
        if session is not None and self._sessions is not None:
            self._sessions.end(session)
        response = Response(status_code=204, headers={"Cache-Control": "no-store"})
        self._set_cookie(response, "", 0)
        return response

    def _answer(self, session: sessions.Session | None) -> Response:
        expires_at = session.expires_at if session is not None else None
        return Prepared(200, to_json(Session(login_required=self._sessions is not None, expires_at=expires_at)))

    def _set_cookie(self, response: Response, value: str, seconds: int) -> None:
        """Set the cookie; not `Secure`, since this server speaks plain HTTP and a proxy's TLS is not its to know of."""
        response.set_cookie(self._cookie_name, value, max_age=seconds, path="/", httponly=True, samesite="strict")
