"""`orcredit explain`: which limit of OpenRouter an error message is about, and what helps."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from orcredit.cli.options import Profile
from orcredit.cli.output import complain, encodable_json, show, teller, write
from orcredit.errors import ExitCode, OrcreditError, UsageError

if TYPE_CHECKING:
    from orcredit.balance import Balance
    from orcredit.explain import Log

HELP = """Explain an error of OpenRouter that another tool shows.

It reads the error from its arguments, else from standard input: a
whole log, of which it explains the last error of OpenRouter (401,
402, 403, 429). It works offline, and repeats nothing of the text.
"""

EPILOG = """[b]Exit codes[/b]
  0 explained   1 no error of OpenRouter in the text
  2 wrong usage, or nothing to read   130 Ctrl-C

[b]Examples[/b]
  job 2>&1 | orcredit explain
  orcredit explain '403: Key limit exceeded (monthly limit)'
  orcredit explain --json < job.log | jq -r .limitSource
"""

NOT_RECOGNISED = 1
"""The exit code when the text has no error of OpenRouter."""

_CHUNK = 1 << 16

Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="ERROR", help="The error; else standard input is read to its end.", show_default=False),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        metavar="",
        help="Print {status, limitSource, reason, scope, retryable, retryAfterSeconds, resetsAt, remedy}.",
    ),
]
Ask = Annotated[
    bool,
    typer.Option("--ask", metavar="", help="Also ask OpenRouter about your key, which may be another one."),
]


def explain(*, words: Words = None, profile: Profile = None, json: Json = False, ask: Ask = False) -> int:
    """Run the command.

    Returns:
        0, or 1 where the text has no error of OpenRouter.

    Raises:
        UsageError: there is nothing to read.
    """
    if profile is not None and not ask:
        raise UsageError("--profile is for --ask: an error is explained without any key.", hint="Add --ask.")
    log = _read(words)
    if log.last is None:
        where = f"in {log.size:,} byte{'' if log.size == 1 else 's'} of text" if log.size else "as the text is empty"
        complain(
            f"no error of OpenRouter was found, {where}.",
            "It knows 401, 402, 403 and 429 of OpenRouter's API. 'orcredit status' shows what your key can spend.",
        )
        return NOT_RECOGNISED
    balance = _ask(profile) if ask else None
    if json:
        from orcredit.explain import Explanation  # noqa: PLC0415 - pydantic

        document = Explanation.of(log.last).model_dump(mode="json")
        if ask:
            document["yourKey"] = balance.model_dump(mode="json") if balance is not None else None
        _print_json(document)
    else:
        from orcredit.render.explanation import ExplanationTable, KeyTable, page_line  # noqa: PLC0415 - Rich

        show(ExplanationTable(log, datetime.now(UTC)))
        write(page_line(log.last))
        if balance is not None:
            write("\n")
            show(KeyTable(balance))
    return ExitCode.OK


def _read(words: list[str] | None) -> Log:
    """Read the arguments, else standard input until its end.

    Raises:
        UsageError: standard input is a terminal, closed, or cannot be read.
    """
    from orcredit.explain import Log  # noqa: PLC0415 - so that --help is quick

    log = Log()
    if words:
        log.feed(" ".join(words).encode(errors="replace"))
        log.close()
        return log
    hint = "Pipe a log into it (job 2>&1 | orcredit explain), or give the error in quotes."
    if sys.stdin is None or sys.stdin.closed:
        raise UsageError("There is nothing to explain: standard input is closed.", hint=hint)
    if sys.stdin.isatty():
        raise UsageError("There is nothing to explain: no argument, and standard input is a terminal.", hint=hint)
    try:
        while data := os.read(sys.stdin.fileno(), _CHUNK):
            log.feed(data)
    except OSError as error:  # a directory, a failing disk
        raise UsageError(f"Standard input cannot be read: {error.strerror}.", hint=hint) from None
    log.close()
    return log


def _ask(name: str | None) -> Balance | None:
    """Ask OpenRouter about the reader's own key; a failure is only said, as the error is explained without it."""
    from orcredit.blocking_client import Client, ask  # noqa: PLC0415 - likewise
    from orcredit.cli.choosing import chosen_profile  # noqa: PLC0415 - the HTTP client
    from orcredit.config.load import DEFAULT_TIMEOUT  # noqa: PLC0415 - likewise

    try:
        profile = chosen_profile(name, timeout=DEFAULT_TIMEOUT)
        tell = teller(profile.base_url, is_loopback=profile.is_loopback)
        return ask(Client.of(profile), meanwhile=iter(()), tell=tell)
    except OrcreditError as error:
        complain(f"your key could not be asked about: {error}", error.hint)
        return None


def _print_json(document: object) -> None:
    from pydantic_core import to_json  # noqa: PLC0415

    write(encodable_json(to_json(document, indent=2 if sys.stdout.isatty() else None).decode()) + "\n")
