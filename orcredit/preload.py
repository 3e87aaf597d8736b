"""Imports beforehand what questions import late, for programs that ask for months."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module

_IMPORTED_LATE = (
    "anyio._backends._asyncio",
    "anyio.streams.tls",
    "encodings.idna",
    "httpcore2",
    "tenacity",
    "orcredit.balance.week",
    "orcredit.history.week",
    "orcredit.openrouter.spending",
    "truststore",
)
"""What a question imports only when it needs it: the HTTP client's parts, the retries, name resolution."""


def preload() -> None:
    """Import all that any question may need, and build the models of its answers.

    For programs that ask for months: an import in the middle of that may fail, where too many files are open or where
    the installation is being upgraded. A program that asks once is faster without.
    """
    from orcredit.balance import Balance  # noqa: PLC0415 - as in `AsyncClient.balance`
    from orcredit.openrouter import Credits, KeyInfo  # noqa: PLC0415 - likewise
    from orcredit.openrouter.account_wire import AnalyticsData  # noqa: PLC0415 - likewise

    for name in _IMPORTED_LATE:
        with suppress(ImportError):  # parts that a later version of a library no longer has
            import_module(name)
    for model in (KeyInfo, Credits, AnalyticsData, Balance):
        model.model_rebuild()
