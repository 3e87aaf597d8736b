"""Draw the documentation's pictures of tables: `status.svg`, `several.svg`, `keys.svg` and `activity.svg`."""

from __future__ import annotations

import os
import re
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from orcredit import Client
from orcredit.balance import assess
from orcredit.balance.account import badness
from orcredit.openrouter import KeyInfo
from orcredit.render.activity import ActivityTable
from orcredit.render.keys import KeysTable
from orcredit.render.several import ProfilesTable
from orcredit.render.status import StatusTable
from orcredit.simulator import ACCOUNTS, DEMO_INSTANT, key_for
from orcredit.simulator.answers import key_data

if TYPE_CHECKING:
    from rich.console import RenderableType

FOLDER = Path(__file__).parent
LATER = DEMO_INSTANT + timedelta(days=5)
"""When there is a week of spending to compare."""
PROFILES = {"customer": "exhausted", "batch": "low", "work": "demo", "home": "lifetime"}
"""Names of profiles, the worst first, and which simulated account the key of each is of."""


def draw(renderable: RenderableType, name: str, command: str, width: int) -> None:
    """Draw what a command prints."""
    with Path(os.devnull).open("w", encoding="utf-8") as null:
        console = Console(
            record=True, width=width, force_terminal=True, color_system="standard", file=null, highlight=False
        )
        console.print(renderable)
    # Rich's template loads a font from another host, which the picture must not do.
    local_format = re.sub(r"@font-face \{\{.*?\n    \}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    path = str(FOLDER / f"{name}.svg")
    console.save_svg(path, title=command, unique_id="orcredit", code_format=local_format)


def main() -> None:
    """Render the demo at fixed times, in UTC, so that the pictures change only with the tables."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    balance = Client.demo(clock=lambda: DEMO_INSTANT).balance()
    draw(StatusTable(balance, is_demo=True), "status", "orcredit status --demo", 72)
    several = [
        (
            name,
            assess(
                KeyInfo.model_validate(key_data(key_for(account), ACCOUNTS[account], DEMO_INSTANT)), None, DEMO_INSTANT
            ),
        )
        for name, account in PROFILES.items()
    ]
    draw(ProfilesTable(several), "several", "orcredit status --all", 72)
    later = Client.demo(clock=lambda: LATER)
    found = later.key_list()
    draw(KeysTable(found, sorted(found.keys, key=badness), is_demo=True), "keys", "orcredit keys --demo", 120)
    spent = later.activity(["model"], since=timedelta(days=2))
    draw(ActivityTable(spent, is_demo=True), "activity", "orcredit activity --demo --since 2d", 120)


if __name__ == "__main__":
    main()
