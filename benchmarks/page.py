"""The size of the page, and the time until its amount and its charts are shown.

`orcredit serve --demo` runs as a process; a headless Chromium opens the page with an empty cache each time. Sizes are
those of the page's own files as transferred (gzipped); "before the amount" counts those received when the amount was
first drawn. Aims: at most 80 KB in all, at most 25 KB before the amount. The times are only comparable on one machine.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile

from playwright.sync_api import Browser, sync_playwright

VISITS = int(sys.argv[1]) if len(sys.argv) > 1 else 10
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
AIM_ALL, AIM_AMOUNT = 80_000, 25_000

NOTE_TIMES = """
window.seen = {};
const isDrawn = canvas => {
  if (!canvas || !canvas.width || !canvas.height) return false;
  return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some(value => value);
};
const look = () => {
  const amount = document.querySelector("[data-testid=amount]");
  if (!window.seen.amount && amount && /\\d/.test(amount.textContent)) window.seen.amount = performance.now();
  const charts = ["donut", "history-chart", "history-spend"];
  const canvases = charts.map(name => document.querySelector(`[data-testid=${name}] canvas`));
  if (canvases.every(isDrawn)) window.seen.charts = performance.now();
  else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
READ_TIMES = """
() => ({
  ...window.seen,
  sizes: [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .map(entry => [new URL(entry.name).pathname, entry.encodedBodySize, entry.responseEnd]),
})
"""


def visit(browser: Browser, url: str) -> tuple[float, float, int, int]:
    """Open the page; return milliseconds to the amount and to the charts, and bytes before the amount and in all."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.add_init_script(NOTE_TIMES)
    page.goto(url)
    page.wait_for_function("() => window.seen.charts", timeout=30_000)
    seen = page.evaluate(READ_TIMES)
    page.close()
    own = [(size, end) for path, size, end in seen["sizes"] if not path.startswith("/api/")]
    before = sum(size for size, end in own if end <= seen["amount"])
    return seen["amount"], seen["charts"], before, sum(size for size, _ in own)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        serve = subprocess.Popen(
            [sys.executable, "-m", "orcredit", "serve", "--demo", "--port", "0"],
            env=os.environ | {"HOME": home},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert serve.stdout is not None  # noqa: S101 - it is a pipe
        url = serve.stdout.readline().split()[-1]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            visit(browser, url)  # the first visit also starts the browser's processes
            visits = [visit(browser, url) for _ in range(VISITS)]
        finally:
            browser.close()
            serve.terminate()
            serve.wait()
    amount, charts, before, in_all = zip(*visits, strict=True)
    print(
        f"amount on screen after {statistics.median(amount):5.0f} ms, charts after {statistics.median(charts):5.0f} ms"
    )
    print(f"before the amount {max(before) / 1000:5.1f} KB (aim: at most {AIM_AMOUNT / 1000:.0f} KB)")
    print(f"in all            {max(in_all) / 1000:5.1f} KB (aim: at most {AIM_ALL / 1000:.0f} KB), {VISITS} visits")


if __name__ == "__main__":
    main()
