"""The routes: one module per subject, each with the OpenAPI description of its routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orcredit.server.routes import account, balance, description, events, health, history, page, profiles, session

if TYPE_CHECKING:
    from starlette.routing import Route

    from orcredit.server.openapi import ApiRoute

API_ROUTES: tuple[ApiRoute, ...] = (
    *balance.ROUTES,
    *profiles.ROUTES,
    *events.ROUTES,
    *history.ROUTES,
    *account.ROUTES,
    *session.ROUTES,
    *health.ROUTES,
    *description.ROUTES,
)
"""Described by `GET /openapi.json`."""

PAGE_ROUTES: tuple[Route, ...] = page.ROUTES
"""The page and its files, which are no part of the API."""
