"""The size of the page, the time until its amount and its charts are shown, and its longest tasks.

`orcredit serve --demo` runs as a process, with 30 days of history; a headless Chromium opens the page with an empty
cache each time. Sizes are those of the page's own files as transferred (gzipped); "before the amount" counts those
asked for before the amount was in the document, which is what it waits for. The charts are drawn when the history's
line and the ring are in the document.

The page of keymeter 0.2.0, from PyPI, is opened in turn with ours: its own settings (`KEYMETER_KEY`, `--url`) point it
at a simulated OpenRouter with the demo's account. It is installed into a temporary environment; the variable KEYMETER
names the program of one that exists. Its amount is what its first tile says is left. The browser finds no host but this
machine, so that neither page waits for the network (keymeter's asks for fonts, which do not delay its amount).

A long task is one of 50 ms or more. Other load makes tasks longer, so the least of the visits' longest is printed, too.
The times are only comparable on one machine.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from playwright.sync_api import sync_playwright

from orcredit import simulator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from playwright.sync_api import Browser

VISITS = int(sys.argv[1]) if len(sys.argv) > 1 else 10
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
KEYMETER = "keymeter==0.2.0"
AIM_ALL, AIM_AMOUNT = 60_000, 24_000
"""Bytes, gzipped: in all, and before the amount."""
AIM_CHARTS = 150
"""Milliseconds from the amount to the charts."""
AIM_TASKS = {1: 100, 4: 300}
"""Milliseconds of the longest task, by how many times slower the processor is made."""

NOTE_TIMES = """
window.seen = {longest: 0};
new PerformanceObserver(list => {
  for (const {duration} of list.getEntries()) window.seen.longest = Math.max(window.seen.longest, duration);
}).observe({type: "longtask", buffered: true});
const isThere = () => /\\d/.test(document.querySelector("[data-testid=amount], #kpis .tile-value")?.textContent ?? "");
new MutationObserver((_, watching) => {
  if (!isThere()) return;
  window.seen.made = performance.now();
  watching.disconnect();
}).observe(document, {childList: true, characterData: true, subtree: true});
const look = () => {
  const now = performance.now();
  if (!window.seen.amount && isThere()) window.seen.amount = now;
  const charts = ["[data-testid=history-chart] .chart-line", "[data-testid=donut] .donut-part"];
  if (!window.seen.charts && charts.every(one => document.querySelector(one))) window.seen.charts = now;
  if (!window.seen.amount || !window.seen.charts) requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
READ_TIMES = """
() => ({
  ...window.seen,
  sizes: [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .map(entry => [new URL(entry.name).pathname, entry.encodedBodySize, entry.startTime]),
})
"""


class Visit(NamedTuple):
    """A visit to a page: milliseconds from the navigation; bytes. Without charts `charts` is 0."""

    amount: float
    charts: float
    longest: float
    """The longest task, if it was longer than 50 ms; else 0."""
    before: int
    """Bytes of the page's files before the amount."""
    in_all: int


def visit(browser: Browser, url: str, *, has_charts: bool = True, slower: int = 1) -> Visit:
    """Open a page, and wait for its amount and its charts.

    Args:
        browser: in a new context of which it is opened.
        url: of the page.
        has_charts: whether it has charts of ours to wait for.
        slower: how many times slower the processor is made.
    """
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    if slower > 1:
        page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slower})
    page.add_init_script(NOTE_TIMES)
    page.goto(url)
    page.wait_for_function(f"() => window.seen.{'charts' if has_charts else 'amount'}", timeout=60_000)
    page.wait_for_timeout(300 * slower)  # long tasks are reported later, and what follows the charts may be one
    seen = page.evaluate(READ_TIMES)
    page.close()
    own = [(size, start) for path, size, start in seen["sizes"] if not path.startswith("/api/")]
    before = sum(size for size, start in own if start <= seen["made"])
    return Visit(seen["amount"], seen.get("charts", 0), seen["longest"], before, sum(size for size, _ in own))


@contextmanager
def running(command: list[str], environ: Mapping[str, str]) -> Iterator[str]:
    """Run a server until the end of the block; give the address that its first line names."""
    process = subprocess.Popen(command, env=dict(environ), stdout=subprocess.PIPE, text=True)
    try:
        said = process.stdout.readline() if process.stdout is not None else ""
        port = re.search(r"http://[\w.]+:(\d+)", said)
        if port is None:
            raise RuntimeError(f"{command[0]} does not say where it listens: {said!r}")
        yield f"http://127.0.0.1:{port[1]}/"
    finally:
        process.terminate()
        process.wait()


def keymeter(folder: Path) -> str:
    """Install keymeter, unless the variable KEYMETER names it; return its program."""
    named = os.environ.get("KEYMETER")
    if named:
        return named
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    quiet = ["--quiet", "--disable-pip-version-check"]
    subprocess.run([folder / "bin" / "python", "-m", "pip", "install", *quiet, KEYMETER], check=True)
    return str(folder / "bin" / "keymeter")


def main() -> None:
    """Measure and print."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        upstream = stack.enter_context(simulator.Server())
        own = {name: text for name, text in os.environ.items() if not name.startswith(("OPENROUTER_", "ORCREDIT_"))}
        environ = own | {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config")}
        serve = [sys.executable, "-m", "orcredit", "serve", "--demo", "--port", "0"]
        ours = stack.enter_context(running(serve, environ))
        theirs = stack.enter_context(
            running(
                [keymeter(folder / "keymeter"), "web", "--port", "0", "--url", upstream.base_url.removesuffix("/v1")],
                environ | {"KEYMETER_KEY": simulator.key_for("demo"), "KEYMETER_GATEWAY": "openrouter"},
            )
        )
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        stack.callback(browser.close)
        visit(browser, ours)  # the first visits also start the browser's processes, and both servers' first polls
        visit(browser, theirs, has_charts=False)
        rounds = [(visit(browser, ours), visit(browser, theirs, has_charts=False)) for _ in range(VISITS)]
        slowed = [visit(browser, ours, slower=4) for _ in range(VISITS)]
    report(rounds, slowed)


def report(rounds: list[tuple[Visit, Visit]], slowed: list[Visit]) -> None:
    """Print the results: of visits to both pages in turn, and of visits to ours with a slower processor."""
    visits = [ours for ours, _ in rounds]
    amount = [one.amount for one in visits]
    amount_of_theirs = [theirs.amount for _, theirs in rounds]
    ratio = statistics.median(ours.amount / theirs.amount for ours, theirs in rounds)
    print(f"amount   {spread(amount)}; keymeter's page {spread(amount_of_theirs)}")
    print(f"         ratio {ratio:.2f} (aim: below 1), {verdict(ratio, 1)}")
    charts = [one.charts - one.amount for one in visits]
    print(f"charts   {spread(charts)} after the amount (aim: at most {AIM_CHARTS}), ", end="")
    print(verdict(statistics.median(charts), AIM_CHARTS))
    for title, sizes, aim in (
        ("before the amount", [one.before for one in visits], AIM_AMOUNT),
        ("in all", [one.in_all for one in visits], AIM_ALL),
    ):
        print(f"{title:18}{max(sizes) / 1000:5.1f} KB (aim: at most {aim / 1000:.0f} KB), {verdict(max(sizes), aim)}")
    for (slower, aim), each in zip(AIM_TASKS.items(), (visits, slowed), strict=True):
        longest = [one.longest for one in each]
        at = "longest task" if slower == 1 else f"the same at 1/{slower} of the speed"
        print(f"{at}: {spread(longest)} (aim: at most {aim}), {verdict(statistics.median(longest), aim)}")
    print(f"medians (least to most) of {VISITS} visits each")


def spread(milliseconds: list[float]) -> str:
    """Say the median, the least and the most."""
    return f"{statistics.median(milliseconds):.0f} ({min(milliseconds):.0f} to {max(milliseconds):.0f}) ms"


def verdict(value: float, aim: float) -> str:
    """Say whether an aim is met."""
    return "met" if value <= aim else "MISSED"


if __name__ == "__main__":
    main()
