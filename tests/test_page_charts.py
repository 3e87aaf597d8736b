"""The page of `orcredit serve` in Chromium: the ring, the chart of the history, its table and its file."""

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
from tests.serving import CSV, HISTORY, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Locator

    from tests.browsing import Visits
    from tests.serving import Serving

pytest_plugins = ["tests.browsing"]
pytestmark = [pytest.mark.process, pytest.mark.xdist_group("page")]  # one worker, hence one browser


def stroke_at(element: Locator, place: tuple[float, float]) -> str:
    """Give the colour of the line at a place of an element, which is given as parts of its width and height."""
    element.scroll_into_view_if_needed()
    return str(
        element.evaluate(
            """(it, [x, y]) => {
                const box = it.getBoundingClientRect();
                const there = document.elementFromPoint(box.x + x * box.width, box.y + y * box.height);
                return getComputedStyle(there).stroke;
            }""",
            list(place),
        )
    )


# The ring begins at the top: of the normal account a little less than the right half is used.
RIGHT, LEFT = (0.93, 0.5), (0.07, 0.5)


def test_the_ring_shows_what_is_used_and_left(look: Visits, served: Callable[..., Serving]) -> None:
    seen = look(served("normal")).open().drawn()
    ring = seen.of("donut").get_by_role("img")
    expect(ring).to_have_accessible_name("$48.75 used and $51.25 remaining of $100.00; 51.2% left.")
    for theme in ("light", "dark"):
        seen.page.emulate_media(color_scheme=theme)
        expect(seen.page.locator("html")).to_have_attribute("data-theme", theme)
        for place, colour in ((RIGHT, "used"), (LEFT, "green")):
            assert stroke_at(seen.of("donut"), place) == seen.colour(colour)
    box, words = seen.of("donut").bounding_box(), seen.of("donut-percent").bounding_box()
    assert box is not None
    assert words is not None
    assert words["x"] + words["width"] / 2 == pytest.approx(box["x"] + box["width"] / 2, abs=2)
    assert words["y"] + words["height"] / 2 == pytest.approx(box["y"] + box["height"] / 2, abs=20)


def test_the_ring_has_a_tooltip_in_dollars(look: Visits, served: Callable[..., Serving]) -> None:
    seen = look(served("normal")).open().drawn()
    ring, tooltip = seen.of("donut"), seen.of("tooltip")
    expect(tooltip).to_have_count(0)
    box = ring.bounding_box()
    assert box is not None
    for (x, y), text in {RIGHT: "Used: $48.75", LEFT: "Remaining: $51.25"}.items():
        ring.hover(position={"x": x * box["width"], "y": y * box["height"]})
        expect(tooltip).to_have_text(text)
    seen.of("amount").hover()
    expect(tooltip).to_have_count(0)


def test_the_legend_highlights_and_toggles(look: Visits, served: Callable[..., Serving]) -> None:
    seen = look(served("normal")).open().drawn()
    parts, tooltip = seen.of("donut").locator(".donut-part"), seen.of("tooltip")
    used, remaining = seen.of("legend-used"), seen.of("legend-remaining")

    used.hover()
    expect(tooltip).to_have_text("Used: $48.75")
    remaining.hover()
    expect(tooltip).to_have_text("Remaining: $51.25")
    seen.of("amount").hover()
    expect(tooltip).to_have_count(0)

    expect(remaining).to_have_attribute("aria-pressed", "true")
    remaining.click()
    expect(remaining).to_have_attribute("aria-pressed", "false")
    expect(used).to_have_attribute("aria-pressed", "true")
    expect(parts).to_have_count(1)
    expect(parts).to_have_attribute("data-colour", "used")
    remaining.click()
    expect(remaining).to_have_attribute("aria-pressed", "true")
    expect(parts).to_have_count(2)


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
    expect(seen.of("range-30d")).to_have_attribute("aria-pressed", "true")
    expect(seen.of("history-chart")).to_have_role("img")
    expect(seen.of("history-chart")).to_have_accessible_name(
        re.compile(r"^Left fell from \$6\d\.\d\d on .+ to \$51\.25 now")
    )
    expect(seen.of("history")).to_contain_text("$14.00 spent since")
    seen.has({"recent-week": "$10.00", "recent-hour": "$0.00"})

    seen.of("history-table").get_by_text("As a table").click()
    left, spent = seen.of("history-table").get_by_role("table").all()
    expect(spent.get_by_role("row").first).to_have_text("FromSpent")
    for days, amount in ((3, "$2.00"), (2, "$3.00"), (1, "$5.00"), (0, "$0.00")):
        expect(spent.get_by_role("row").filter(has_text=in_a_table(today - days * DAY))).to_have_text(
            f"{in_a_table(today - days * DAY)}{amount}"
        )
    expect(left.get_by_role("row").first).to_have_text("AtLeft")
    amounts = left.get_by_role("cell").all_inner_texts()
    assert amounts[0] == "$51.25"
    assert {"$61.25", "$59.25", "$56.25"} <= set(amounts)
    assert seen.violations() == []


@pytest.mark.parametrize(
    ("span", "each", "total"),
    [("24h", "Spent an hour", None), ("7d", "Spent a day (UTC)", "$10.00"), ("all", "Spent a day (UTC)", "~$30.00")],
)
def test_another_span_is_one_click_away(
    span: str, each: str, total: str | None, look: Visits, remembered: tuple[Serving, datetime]
) -> None:
    seen = look(remembered[0]).open().drawn()
    asked = seen.asked(HISTORY)
    seen.of(f"range-{span}").click()
    expect(seen.of(f"range-{span}")).to_have_attribute("aria-pressed", "true")
    expect(seen.of("range-30d")).to_have_attribute("aria-pressed", "false")
    expect(seen.of("history-chart")).to_contain_text(each)
    if total is not None:
        expect(seen.of("history")).to_contain_text(f"{total} spent since")
    assert seen.asked(HISTORY) == asked + 1
    expect(seen.of("history").get_by_text("estimated", exact=True)).to_have_count(1 if span == "all" else 0)


def test_the_chart_has_a_tooltip_in_dollars(look: Visits, remembered: tuple[Serving, datetime]) -> None:
    seen = look(remembered[0]).open().drawn()
    seen.of("range-7d").click()
    expect(seen.of("history")).to_contain_text("$10.00 spent since")
    layer, tooltip = seen.of("history").get_by_role("slider"), seen.of("point-tooltip")
    for place, words in ((0.99, r"\$51\.25 left"), (0.5, r"\$(61|59|56)\.25 left")):
        box = layer.bounding_box()
        assert box is not None
        layer.hover(position={"x": place * box["width"], "y": box["height"] / 2})
        expect(tooltip).to_contain_text(re.compile(words))
        shown = tooltip.bounding_box()
        assert shown is not None
        assert shown["x"] >= box["x"]
        assert shown["x"] + shown["width"] <= box["x"] + box["width"] + 1
    seen.of("amount").hover()
    expect(tooltip).to_have_count(0)


def test_the_chart_is_walked_by_keyboard(look: Visits, remembered: tuple[Serving, datetime]) -> None:
    seen = look(remembered[0]).open().drawn()
    layer, tooltip = seen.of("history").get_by_role("slider"), seen.of("point-tooltip")
    seen.of("range-all").focus()
    seen.page.keyboard.press("Tab")
    expect(layer).to_be_focused()
    expect(tooltip).to_contain_text("$51.25 left")
    seen.page.keyboard.press("Home")
    expect(layer).to_have_attribute("aria-valuenow", "0")
    first = layer.get_attribute("aria-valuetext")
    seen.page.keyboard.press("ArrowRight")
    expect(layer).to_have_attribute("aria-valuenow", "1")
    assert layer.get_attribute("aria-valuetext") != first
    seen.page.keyboard.press("Escape")
    expect(tooltip).to_have_count(0)


def test_bars_are_as_high_as_what_was_spent(look: Visits, remembered: tuple[Serving, datetime]) -> None:
    seen = look(remembered[0]).open().drawn()
    seen.of("range-7d").click()
    expect(seen.of("history")).to_contain_text("$10.00 spent since")
    heights = [
        height
        for bar in seen.of("history-chart").locator(".chart-bar").all()
        if (height := float(bar.get_attribute("height") or 0)) > 0
    ]
    two, three, five = heights
    assert two / five == pytest.approx(2 / 5, abs=0.01)
    assert three / five == pytest.approx(3 / 5, abs=0.01)


def test_the_csv_can_be_downloaded(look: Visits, remembered: tuple[Serving, datetime]) -> None:
    server, today = remembered
    seen = look(server).open().drawn()
    with seen.page.expect_download() as download:
        seen.of("csv").click()
    assert download.value.suggested_filename == "orcredit-history.csv"
    assert download.value.url.startswith(f"{server.url}{CSV}?since=30d")
    header, *rows = download.value.path().read_text(encoding="utf-8").splitlines()
    assert header == "from,to,spend,spendable,remaining,estimated,partial"
    spent = {row.split(",")[0][:10]: Decimal(row.split(",")[2]) for row in rows}
    assert [spent[f"{today - days * DAY:%Y-%m-%d}"] for days in (3, 2, 1, 0)] == [2, 3, 5, 0]


def test_a_history_that_begins_says_so(look: Visits, served: Callable[..., Serving]) -> None:
    unrefreshed = served("normal", "--timeout=9")  # tests that press "refresh" share another one
    seen = look(unrefreshed).open().drawn()
    expect(seen.of("history-chart")).to_contain_text("$51.25")
    expect(seen.of("history-words")).to_contain_text("Left is $51.25 now")


def test_without_a_history_it_says_why(look: Visits, served: Callable[..., Serving]) -> None:
    seen = look(served("normal", "--no-history"))
    seen.expects("the server responded with a status of 404")
    seen.open()
    seen.has({"history-note": "orcredit was started with --no-history, so nothing is recorded.", "csv": None})
    expect(seen.of("history-chart")).to_contain_text("$51.25")
