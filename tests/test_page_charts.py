"""The page of `orcredit serve` in Chromium: the ring, the charts of the history, their table and their file."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from orcredit import simulator
from orcredit.config.credentials import fingerprint
from orcredit.history import History
from tests.balances import balance
from tests.serving import CSV, HISTORY, serving, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Locator

    from tests.browsing import Visit, Visits
    from tests.serving import Serving

pytest_plugins = ["tests.browsing"]
pytestmark = [pytest.mark.process, pytest.mark.xdist_group("page")]  # one worker, hence one browser

READ_BACK = "willReadFrequently"
"""The browser's hint for scripts that often read a canvas, as these tests do and the page does not."""


def expect_pixel(seen: Visit, canvas: Locator, place: tuple[float, float], colour: str) -> None:
    """Wait until a place on a canvas has one of the style sheet's colours; "" is nothing drawn."""
    seen.expects(READ_BACK)
    wanted = [*[int(part) for part in re.findall(r"\d+", seen.colour(colour))][:3], 255] if colour else [0, 0, 0, 0]
    handle = canvas.element_handle()
    seen.becomes(
        """([it, [x, y], wanted]) => {
            const place = [Math.round(x * it.width), Math.round(y * it.height), 1, 1];
            const found = it.getContext("2d").getImageData(...place).data;
            return wanted.every((value, index) => Math.abs(value - found[index]) <= 2);
        }""",
        [handle, list(place), wanted],
    )


# The ring begins at the top: of the normal account a little less than the right half is used.
RIGHT, LEFT, MIDDLE = (0.93, 0.5), (0.07, 0.5), (0.5, 0.5)


def test_the_ring_shows_what_is_used_and_left(look: Visits, served: Callable[..., Serving]) -> None:
    seen = look(served("normal")).open().drawn()
    canvas = seen.of("donut").locator("canvas")
    expect(canvas).to_have_role("img")
    expect(canvas).to_have_accessible_name("$48.75 used and $51.25 remaining of $100.00; 51.2% left.")
    expect_pixel(seen, canvas, RIGHT, "used")
    expect_pixel(seen, canvas, LEFT, "green")
    expect_pixel(seen, canvas, MIDDLE, "")
    ring, words = seen.of("donut").bounding_box(), seen.of("donut-percent").bounding_box()
    assert ring is not None
    assert words is not None
    assert words["x"] + words["width"] / 2 == pytest.approx(ring["x"] + ring["width"] / 2, abs=2)
    assert words["y"] + words["height"] / 2 == pytest.approx(ring["y"] + ring["height"] / 2, abs=20)

    seen.page.emulate_media(color_scheme="dark")
    expect(seen.page.locator("html")).to_have_attribute("data-theme", "dark")
    expect_pixel(seen, canvas, RIGHT, "used")
    expect_pixel(seen, canvas, LEFT, "green")


def test_the_ring_has_a_tooltip_in_dollars(look: Visits, served: Callable[..., Serving]) -> None:
    seen = look(served("normal")).open().drawn()
    canvas, tooltip = seen.of("donut").locator("canvas"), seen.of("tooltip")
    expect(tooltip).to_be_hidden()
    box = canvas.bounding_box()
    assert box is not None
    for (x, y), text in {RIGHT: "Used: $48.75", LEFT: "Remaining: $51.25"}.items():
        canvas.hover(position={"x": x * box["width"], "y": y * box["height"]})
        expect(tooltip).to_be_visible()
        expect(tooltip).to_have_text(text)
    seen.of("amount").hover()
    expect(tooltip).to_be_hidden()


def test_the_legend_highlights_and_toggles(look: Visits, served: Callable[..., Serving]) -> None:
    seen = look(served("normal")).open().drawn()
    canvas, tooltip = seen.of("donut").locator("canvas"), seen.of("tooltip")
    used, remaining = seen.of("legend-used"), seen.of("legend-remaining")
    expect_pixel(seen, canvas, LEFT, "green")

    used.hover()
    expect(tooltip).to_have_text("Used: $48.75")
    remaining.hover()
    expect(tooltip).to_have_text("Remaining: $51.25")
    seen.of("amount").hover()
    expect(tooltip).to_be_hidden()

    expect(remaining).to_have_attribute("aria-pressed", "true")
    remaining.click()
    expect(remaining).to_have_attribute("aria-pressed", "false")
    expect(used).to_have_attribute("aria-pressed", "true")
    expect_pixel(seen, canvas, LEFT, "used")
    remaining.click()
    expect(remaining).to_have_attribute("aria-pressed", "true")
    expect_pixel(seen, canvas, LEFT, "green")
    used.click()
    expect_pixel(seen, canvas, RIGHT, "green")


DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


@pytest.fixture(scope="session")
def remembered(
    server: simulator.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Serving, datetime]]:
    """Serve a key that spent $2, $3 and $5 within a minute three, two and one days ago, and earlier; give today."""
    home = tmp_path_factory.mktemp("remembered")
    url = f"sqlite:///{home}/history.db"
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    # Days ago, usage and what was left at noon, and the same a minute later.
    story = [(62, 100, 0), (60, 110, 6), (20, 116, 4), (3, 120, 2), (2, 122, 3), (1, 125, 5)]
    history = History(url)
    try:
        for days, usage, spent in story:
            for passed, more in ((MINUTE * 0, 0), (MINUTE, spent)):
                seen_at = today - days * DAY + DAY / 2 + passed
                amount = Decimal(usage + more) + Decimal("0.25")
                left = Decimal("181.50") - amount
                history.record(fingerprint(simulator.key_for("normal")), balance(seen_at, amount, left=left))
    finally:
        history.close()
    arguments = ["--interval=1h", "--database-url", url]
    with serving(*arguments, home=home, upstream=server.base_url, is_measured=False) as running:
        running.wait_for_answer()
        yield running, today


def in_a_table(when: datetime) -> str:
    return f"{when:%a} {when.day} {when:%b %Y} (UTC)"


def test_the_history_is_drawn_and_tabled(look: Visits, remembered: tuple[Serving, datetime]) -> None:
    server, today = remembered
    seen = look(server).open().drawn()
    left, spend = seen.of("history-chart"), seen.of("history-spend")

    expect(seen.of("range-7d")).to_have_attribute("aria-pressed", "true")
    expect(spend.get_by_role("img")).to_have_accessible_name("What was spent per day: $10.00 in all.")
    expect(left.get_by_role("img")).to_have_accessible_name(
        re.compile(r"^What was left from .+ to .+: first \$61\.25, last \$51\.25\.$")
    )
    expect(seen.of("history")).to_contain_text("$10.00 spent in the time shown")
    seen.has({"recent-week": "$10.00 spent", "recent-hour": "$0.00 spent"})

    spend.get_by_text("As a table").click()
    rows = seen.of("history-spend-table").get_by_role("row")
    expect(rows.first).to_have_text("FromSpent")
    for days, amount in ((3, "$2.00"), (2, "$3.00"), (1, "$5.00"), (0, "$0.00")):
        expect(rows.filter(has_text=in_a_table(today - days * DAY))).to_have_text(
            f"{in_a_table(today - days * DAY)}{amount}"
        )
    left.get_by_text("As a table").click()
    expect(seen.of("history-chart-table").get_by_role("row").first).to_have_text("AtLeft")
    amounts = seen.of("history-chart-table").get_by_role("cell").all_inner_texts()
    assert amounts[0] == "$51.25"
    assert amounts[-1] == "$61.25"
    assert {"$59.25", "$56.25"} <= set(amounts)
    assert seen.violations() == []


@pytest.mark.parametrize(
    ("span", "each", "total"), [("24h", "hour", None), ("30d", "day (UTC)", "$14.00"), ("all", "day (UTC)", "~$30.00")]
)
def test_another_span_is_one_click_away(
    span: str, each: str, total: str | None, look: Visits, remembered: tuple[Serving, datetime]
) -> None:
    seen = look(remembered[0]).open().drawn()
    asked = seen.asked(HISTORY)
    seen.of(f"range-{span}").click()
    expect(seen.of(f"range-{span}")).to_have_attribute("aria-pressed", "true")
    expect(seen.of("range-7d")).to_have_attribute("aria-pressed", "false")
    spend = seen.of("history-spend")
    expect(spend.get_by_role("heading")).to_have_text(f"Spent per {each}")
    if total is not None:
        expect(spend.get_by_role("img")).to_have_accessible_name(f"What was spent per day: {total} in all.")
    assert seen.asked(HISTORY) == asked + 1
    estimated = seen.of("history").get_by_text("spread over a time without polls")
    expect(estimated).to_have_count(1 if span == "all" else 0)


def test_the_charts_have_tooltips_in_dollars(visit: Visits, remembered: tuple[Serving, datetime]) -> None:
    seen = visit(remembered[0]).open().drawn()
    # Not at the very edge: just after midnight the last day's name needs room there.
    for name, place, words in (
        ("history-chart", 0.9, r"\$51\.25 left$"),
        ("history-chart", 0.12, r"\$(61|59)\.25 left$"),
        ("history-spend", 0.9, r"\(UTC\)\$0\.00 spent$"),
    ):
        canvas, tooltip = seen.of(name).get_by_role("img"), seen.of(name).locator(".tooltip")

        def says(
            canvas: Locator = canvas, tooltip: Locator = tooltip, place: float = place, words: str = words
        ) -> bool:
            """Hover anew each time: a chart that is still being fitted to its place has other points there."""
            box = canvas.bounding_box()
            assert box is not None
            seen.of("amount").hover()
            canvas.hover(position={"x": place * box["width"], "y": box["height"] / 2})
            return re.search(words, tooltip.text_content() or "") is not None

        wait_until(says)
        seen.of("amount").hover()
        expect(tooltip).to_be_hidden()


def test_bars_are_as_high_as_what_was_spent(look: Visits, remembered: tuple[Serving, datetime]) -> None:
    seen = look(remembered[0]).open().drawn()
    canvas = seen.of("history-spend").get_by_role("img")
    seen.expects(READ_BACK)
    colour = [int(part) for part in re.findall(r"\d+", seen.colour("line"))]
    heights = """(it, colour) => {
        const {width, height} = it;
        const {data} = it.getContext("2d").getImageData(0, 0, width, height);
        const columns = Array.from({length: width}, (_, x) => {
            let count = 0;
            for (let y = 0; y < height; y += 1) {
                const at = 4 * (y * width + x);
                count += colour.every((value, part) => Math.abs(data[at + part] - value) < 3);
            }
            return count;
        });
        const runs = [];
        columns.forEach((count, x) => {
            if (count > 2 && !(columns[x - 1] > 2)) runs.push(0);
            if (count > 2) runs[runs.length - 1] = Math.max(runs[runs.length - 1], count);
        });
        return runs;
    }"""
    grown = f"([it, colour]) => ({heights})(it, colour).length === 3"
    seen.becomes(grown, [canvas.element_handle(), colour])
    two, three, five = canvas.evaluate(heights, colour)
    assert two / five == pytest.approx(2 / 5, abs=0.05)
    assert three / five == pytest.approx(3 / 5, abs=0.05)


def test_the_csv_can_be_downloaded(look: Visits, remembered: tuple[Serving, datetime]) -> None:
    server, today = remembered
    seen = look(server).open().drawn()
    with seen.page.expect_download() as download:
        seen.of("csv").click()
    assert download.value.suggested_filename == "orcredit-history.csv"
    assert download.value.url.startswith(f"{server.url}{CSV}?since=7d")
    header, *rows = download.value.path().read_text(encoding="utf-8").splitlines()
    assert header == "from,to,spend,spendable,remaining,estimated,partial"
    spent = {row.split(",")[0][:10]: Decimal(row.split(",")[2]) for row in rows}
    assert [spent[f"{today - days * DAY:%Y-%m-%d}"] for days in (3, 2, 1, 0)] == [2, 3, 5, 0]


def test_a_history_that_begins_says_so(look: Visits, served: Callable[..., Serving]) -> None:
    unrefreshed = served("normal", "--timeout=9")  # tests that press "refresh" share another one
    seen = look(unrefreshed).open().drawn()
    expect(seen.of("history-chart")).to_contain_text("There are not enough polls yet to draw a line.")


def test_without_a_history_it_says_why(look: Visits, served: Callable[..., Serving]) -> None:
    seen = look(served("normal", "--no-history"))
    seen.expects("the server responded with a status of 404")
    seen.open()
    seen.has({"history-note": "orcredit was started with --no-history, so nothing is recorded.", "csv": None})
