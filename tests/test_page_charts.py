"""The page of `orcredit serve` in Chromium: the ring, the charts of the history, their table and their file."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from orcredit import simulator
from orcredit.config.credentials import fingerprint
from orcredit.history import History
from tests.balances import balance
from tests.page_layout import WIDTHS, Look
from tests.serving import CSV, HISTORY, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.browsing import Visit, Visits
    from tests.serving import Serving

pytest_plugins = ["tests.browsing"]
pytestmark = [pytest.mark.process, pytest.mark.xdist_group("page-live")]  # one worker, hence one browser

# The ring begins at the top: of the normal account a little less than the right half is used.
RIGHT, LEFT = (0.93, 0.5), (0.07, 0.5)

IS_COLOURED = """([ring, [x, y], colour]) => {
    const box = ring.getBoundingClientRect();
    const it = document.elementFromPoint(box.x + x * box.width, box.y + y * box.height);
    return ring.contains(it) && getComputedStyle(it).stroke === colour;
}"""


def expect_colour(seen: Visit, place: tuple[float, float], colour: str) -> None:
    """Wait until one of the style sheet's colours is drawn at a place of the ring, by its width and height."""
    ring = seen.of("donut").get_by_role("img")
    ring.scroll_into_view_if_needed()
    seen.becomes(IS_COLOURED, [ring.element_handle(), list(place), seen.colour(colour)])


def test_the_ring_shows_what_is_used_and_left(look: Visits, served: Callable[..., Serving]) -> None:
    seen = look(served("normal")).open().drawn()
    ring = seen.of("donut").get_by_role("img")
    expect(ring).to_have_accessible_name("$48.75 used and $51.25 remaining of $100.00; 51.2% left.")
    words = seen.of("donut-percent").bounding_box()
    box = ring.bounding_box()
    assert box is not None
    assert words is not None
    assert words["x"] + words["width"] / 2 == pytest.approx(box["x"] + box["width"] / 2, abs=2)
    assert words["y"] + words["height"] / 2 == pytest.approx(box["y"] + box["height"] / 2, abs=20)
    for theme in ("dark", "light"):
        seen.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        expect(seen.page.locator("html")).to_have_attribute("data-theme", theme)
        expect_colour(seen, RIGHT, "used")
        expect_colour(seen, LEFT, "green")

    # A tooltip in dollars
    tooltip = seen.of("tooltip")
    expect(tooltip).to_have_count(0)
    for (x, y), text in {RIGHT: "Used: $48.75", LEFT: "Remaining: $51.25"}.items():
        ring.hover(position={"x": x * box["width"], "y": y * box["height"]})
        expect(tooltip).to_have_text(text)
        seen.fits()
    seen.of("amount").hover()
    expect(tooltip).to_have_count(0)

    # The legend highlights
    used, remaining = seen.of("legend-used"), seen.of("legend-remaining")
    used.hover()
    expect(tooltip).to_have_text("Used: $48.75")
    remaining.hover()
    expect(tooltip).to_have_text("Remaining: $51.25")
    seen.of("amount").hover()
    expect(tooltip).to_have_count(0)

    # and toggles
    expect(remaining).to_have_attribute("aria-pressed", "true")
    remaining.click()
    expect(remaining).to_have_attribute("aria-pressed", "false")
    expect(used).to_have_attribute("aria-pressed", "true")
    expect_colour(seen, LEFT, "used")
    remaining.click()
    expect(remaining).to_have_attribute("aria-pressed", "true")
    expect_colour(seen, LEFT, "green")
    used.click()
    expect_colour(seen, RIGHT, "green")


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


def test_the_history_is_drawn_said_and_tabled(look: Visits, remembered: tuple[Serving, datetime]) -> None:
    server, today = remembered
    seen = look(server).open().drawn()
    chart = seen.of("history-chart")
    expect(seen.of("range-30d")).to_have_attribute("aria-pressed", "true")
    expect(chart).to_have_role("img")
    expect(chart).to_have_accessible_name(
        re.compile(r"^Left fell from \$65\.25 on \d+ \w+( \d+)? to \$51\.25 now; it is forecast to ")
    )
    expect(seen.of("history")).to_contain_text(re.compile(r"\$14\.00 spent since"))
    seen.has({"recent-week": "$10.00", "recent-hour": "$0.00"})
    check_bars(seen)
    check_line(seen)

    seen.of("history-table").get_by_text("As a table").click()
    spent = seen.of("history-table").get_by_role("region", name="Spent, as a table").get_by_role("row")
    expect(spent.first).to_have_text("FromSpent")
    for days, amount in ((20, "$4.00"), (3, "$2.00"), (2, "$3.00"), (1, "$5.00")):
        day = in_a_table(today - days * DAY)
        expect(spent.filter(has_text=day)).to_have_text(f"{day}{amount}")
    left = seen.of("history-table").get_by_role("region", name="Left, as a table")
    expect(left.get_by_role("row").first).to_have_text("AtLeft")
    amounts = left.get_by_role("cell").all_inner_texts()
    assert (amounts[0], amounts[-1]) == ("$51.25", "$65.25")
    assert {"$59.25", "$56.25"} <= set(amounts)
    assert seen.violations() == []

    # Other spans
    for span, total in (("24h", None), ("7d", "$10.00"), ("all", "$30.00")):
        asked = seen.asked(HISTORY)
        seen.of(f"range-{span}").click()
        expect(seen.of(f"range-{span}")).to_have_attribute("aria-pressed", "true")
        expect(seen.of("range-30d")).to_have_attribute("aria-pressed", "false")
        expect(chart).to_contain_text("Spent an hour" if span == "24h" else "Spent a day (UTC)")
        if total is not None:
            expect(seen.of("history")).to_contain_text(f"{total} spent since")
        assert seen.asked(HISTORY) == asked + 1
    expect(seen.of("history").get_by_text("estimated")).to_be_visible()
    seen.is_laid_out(*(Look(width) for width in WIDTHS))
    seen.turn(Look())

    # As a file
    seen.of("range-7d").click()
    with seen.page.expect_download() as download:
        seen.of("csv").click()
    assert download.value.suggested_filename == "orcredit-history.csv"
    assert download.value.url.startswith(f"{server.url}{CSV}?since=7d")
    header, *rows = download.value.path().read_text(encoding="utf-8").splitlines()
    assert header == "from,to,spend,spendable,remaining,estimated,partial,reported"
    by_day = {row.split(",")[0][:10]: Decimal(row.split(",")[2]) for row in rows}
    assert [by_day[f"{today - days * DAY:%Y-%m-%d}"] for days in (3, 2, 1, 0)] == [2, 3, 5, 0]


BOXES = """chart => [...chart.querySelectorAll(".chart-bar")]
    .map(bar => bar.getBBox()).filter(box => box.height > 0.5).map(({x, width, height}) => [x, width, height])"""


def check_bars(seen: Visit) -> None:
    """Check that bars are as high as what was spent, and stand side by side."""
    bars = [tuple(map(float, box)) for box in seen.of("history-chart").evaluate(BOXES)]
    heights = [height for _, _, height in bars]
    assert len(heights) == 4, bars
    four, two, three, five = heights
    assert [four / five, two / five, three / five] == pytest.approx([4 / 5, 2 / 5, 3 / 5], abs=0.05)
    assert all(left + width <= right for (left, width, _), (right, _, _) in pairwise(bars))


def check_line(seen: Visit) -> None:
    """Check that the axis begins at zero, that the line ends at the dot, and that the tooltip reads it."""
    chart, tooltip = seen.of("history-chart"), seen.of("point-tooltip")
    expect(chart.locator("text").filter(has_text=re.compile(r"^\$0$")).first).to_be_visible()
    begin, end, dot = chart.evaluate(
        """chart => {
            const lines = chart.querySelectorAll(".chart-line");
            const [first, last] = [lines[0], lines[lines.length - 1]];
            const [begin, end] = [first.getPointAtLength(0), last.getPointAtLength(last.getTotalLength())];
            const dot = chart.querySelector(".chart-dot");
            return [[begin.x, begin.y], [end.x, end.y], [dot.cx.baseVal.value, dot.cy.baseVal.value]];
        }"""
    )
    assert end == pytest.approx(dot, abs=1)
    slider = seen.of("history").get_by_role("slider")
    box = chart.bounding_box()
    assert box is not None
    scale = box["width"] / chart.evaluate("chart => chart.viewBox.baseVal.width")
    for place, words in ((dot[0], r"\$51\.25 left"), (begin[0], r"\$65\.25 left")):
        slider.hover(position={"x": place * scale, "y": 60})
        expect(tooltip).to_contain_text(re.compile(words))
        seen.fits()
    seen.of("amount").hover()
    expect(tooltip).to_have_count(0)


def test_a_history_that_begins_says_so(look: Visits, served: Callable[..., Serving]) -> None:
    unrefreshed = served("normal", "--timeout=9")  # tests that press "refresh" share another one
    seen = look(unrefreshed).open().drawn()
    expect(seen.of("history-chart")).to_contain_text("watched since")
    expect(seen.of("history-chart")).to_have_accessible_name(re.compile(r"^Left (is|stayed at) \$51\.25"))
    seen.is_still()


def test_the_demo_is_of_today_with_a_reset_and_a_gap(look: Visits, served: Callable[..., Serving]) -> None:
    seen = look(served("normal", "--demo")).open().drawn()
    seen.has(
        {
            "amount": re.compile(r"^\$\d+\.\d\d$"),
            "updated": re.compile(r"^Updated \d\d:\d\d:\d\d CES?T · (just now|\d+ (s|min) ago)$"),
            "resets": re.compile(r"^resets monthly, in .* · \w{3} 1 \w+( \d+)?, 0[12]:00 CES?T$"),
        }
    )
    chart = seen.of("history-chart")
    expect(chart.locator(".chart-reset").first).to_be_attached()
    expect(chart.locator("rect.chart-gap").first).to_be_attached()
    expect(chart.locator(".chart-dashes")).to_be_visible()
    # No line leads across a time without polls.
    across = chart.evaluate(
        """chart => {
            const [gaps, lines] = ["rect.chart-gap", ".chart-line"]
                .map(name => [...chart.querySelectorAll(name)].map(it => it.getBBox()));
            return gaps.flatMap(gap => lines.filter(line => line.x < gap.x && line.x + line.width > gap.x + gap.width));
        }"""
    )
    assert across == []
    seen.is_still()
