"""`orcredit doctor`: check what orcredit uses on this machine, and show the faults first."""

from __future__ import annotations

import json as json_
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from orcredit.cli.options import DEFAULT_TIMEOUT, BaseUrl, DatabaseUrl, Profile, checked_timeout
from orcredit.cli.output import encodable_json, show, write
from orcredit.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orcredit.diagnosis import Check

HELP = """Check what orcredit uses on this machine, and say what to do.

It checks config.toml, key, address, proxy, certificates, clock, cache, history, terminal,
and asks OpenRouter about the keys. The output holds no secret: it is safe to paste into
an issue.
"""

EPILOG = """[b]Exit codes[/b]
  0 nothing has to be set right   2 wrong usage
  78 something does not work until it is set right

[b]Examples[/b]
  orcredit doctor
  orcredit doctor --json | jq '.checks[0]'
"""

Json = Annotated[
    bool,
    typer.Option("--json", metavar="", help="Print one JSON document: {ok, checks: [{name, state, detail, remedy}]}."),
]
Timeout = Annotated[str, typer.Option("--timeout", metavar="TIME", help="Time for all checks together: 10, 30s, 1m.")]


def doctor(
    *,
    profile: Profile = None,
    json: Json = False,
    base_url: BaseUrl = None,
    database_url: DatabaseUrl = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
) -> int:
    """Run the command.

    Returns:
        0, or 78 if there is a fault.

    Raises:
        UsageError: the timeout is invalid.
    """
    # Imported here so that --help and --version load no HTTP client.
    from orcredit.diagnosis import Setup, State, diagnose  # noqa: PLC0415

    setup = Setup(profile=profile, base_url=base_url, database_url=database_url, timeout=checked_timeout(timeout))
    checks = diagnose(setup)
    is_ok = all(check.state is not State.FAULT for check in checks)
    if json:
        _print_json(checks, is_ok=is_ok)
    else:
        from orcredit.render.diagnosis import DiagnosisTable  # noqa: PLC0415 - Rich

        show(DiagnosisTable(checks))
    return ExitCode.OK if is_ok else ExitCode.CONFIGURATION


def _print_json(checks: Sequence[Check], *, is_ok: bool) -> None:
    document = {
        "ok": is_ok,
        "checks": [asdict(check) | {"remedy": check.remedy or None} for check in checks],
    }
    write(encodable_json(json_.dumps(document, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None)) + "\n")
