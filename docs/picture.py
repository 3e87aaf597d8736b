"""Draw the README's picture of the table, `docs/status.svg`, from the demo account."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from orcredit import Client
from orcredit.render.status import StatusTable
from orcredit.simulator import DEMO_INSTANT

PICTURE = Path(__file__).with_name("status.svg")


def main() -> None:
    """Render the demo at the sample's time, in UTC, so that the picture changes only with the table."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    balance = Client.demo(clock=lambda: DEMO_INSTANT).balance()
    with Path(os.devnull).open("w", encoding="utf-8") as null:
        console = Console(
            record=True, width=72, force_terminal=True, color_system="standard", file=null, highlight=False
        )
        console.print(StatusTable(balance, is_demo=True))
    # Rich's template loads a font from another host, which the picture must not do.
    local_format = re.sub(r"@font-face \{\{.*?\n    \}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    console.save_svg(str(PICTURE), title="orcredit status --demo", unique_id="orcredit", code_format=local_format)


if __name__ == "__main__":
    main()
