"""The account's page in Chromium: what a management key sees, in every look, by pointer and by keyboard."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from orcredit import simulator
from tests.page_layout import LARGE_FONT, Look

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.browsing import Visit, Visits
    from tests.serving import Serving

pytest_plugins = ["tests.browsing"]
pytestmark = [pytest.mark.process, pytest.mark.xdist_group("page-account")]  # one worker, hence one browser

DOLLARS = re.compile(r"\$[\d,.]+")


def open_account(seen: Visit) -> Visit:
    """Go to the account's page, and wait until all of it is there."""
    seen.expects("503")  # until OpenRouter has told every key
    seen.page.goto(f"{seen.url}#/account")
    expect(seen.of("account-credit")).to_have_text(DOLLARS)
    expect(seen.page.get_by_text("Loading…")).to_have_count(0)
    return seen


def heights(seen: Visit) -> list[float]:
    """Give how high the bars of the first series are drawn, as the numbers of its path's vertical lines."""
    path = seen.page.locator(".stack path").first.get_attribute("d") or ""
    return [float(one) for one in re.findall(r"V([\d.]+)", path)]


def test_the_account_is_shown_in_every_look(visit: Visits, served: Callable[..., Serving]) -> None:
    seen = open_account(visit(served("team")))
    seen.is_still()
    seen.has({"account-lasts": re.compile(r"in \d+ d"), "account-next": "acme", "account-spent": DOLLARS})
    expect(seen.page.locator(".strip")).to_contain_text(re.compile(r"through \d\d:\d\d"))
    expect(seen.page).to_have_title(re.compile(r"^\$[\d,.]+ · Account · orcredit$"))
    expect(seen.page.locator(".stack path")).to_have_count(3)
    expect(seen.of("account-models").get_by_role("row")).to_have_count(4)
    seen.is_accessible()


def test_the_account_is_used_by_pointer_and_keyboard(
    visit: Visits, served: Callable[..., Serving], tmp_path: Path
) -> None:
    seen = open_account(visit(served("team")))
    page = seen.page
    page.get_by_role("slider", name="Spend per day").focus()
    page.keyboard.press("ArrowLeft")
    expect(seen.of("point-tooltip")).to_contain_text("anthropic/claude-sonnet-4.5")
    expect(page.get_by_role("slider", name="Spend per day")).to_have_attribute(
        "aria-valuetext", re.compile(r"\(UTC\), \$[\d.]+ spent, \$[\d.]+ ")
    )
    before = heights(seen)
    legend = seen.of("account-legend").get_by_role("button")
    legend.first.focus()
    page.keyboard.press("Space")
    expect(legend.first).to_have_attribute("aria-pressed", "false")
    assert before
    assert heights(seen) == []
    page.mouse.move(0, 0)

    seen.of("account-by-key").click()
    expect(legend.first).to_contain_text("production")
    expect(legend).to_have_count(6)
    expect(legend.last).to_contain_text(re.compile(r"\d others"))
    seen.of("account-by-provider").click()
    expect(seen.of("account-range-90")).to_have_attribute("aria-disabled", "true")
    seen.of("account-by-app").click()
    expect(legend.filter(has_text="no app named")).to_have_count(1)
    seen.of("account-chart-table").get_by_text("As a table").click()
    expect(seen.of("account-chart-table").get_by_role("row")).to_have_count(1 + 31)
    with page.expect_download() as download:
        seen.of("account-csv").click()
    download.value.save_as(tmp_path / "spend.csv")
    head, *rows = (tmp_path / "spend.csv").read_text(encoding="utf-8").splitlines()
    assert head.startswith('day,"')
    assert len(rows) == 31

    rows_of_keys = seen.of("key-row")
    expect(rows_of_keys).to_have_count(11)
    seen.of("chip-disabled").click()
    expect(rows_of_keys).to_have_count(1)
    expect(rows_of_keys).to_contain_text("hooli (left)")
    assert (rows_of_keys.get_by_role("link").get_attribute("href") or "").startswith("https://openrouter.ai/keys/")
    seen.of("all-keys").click()
    expect(seen.of("account-link")).to_be_visible()


@pytest.mark.parametrize("team", ["hostile-names"])
def test_any_name_is_text(visit: Visits, served: Callable[..., Serving], team: str) -> None:
    seen = open_account(visit(served(team)))
    seen.of("account-by-key").click()
    expect(seen.of("account-legend").get_by_role("button")).to_have_count(6)
    expect(seen.of("key-row")).to_have_count(len(simulator.TEAMS[team].keys))
    expect(seen.page.get_by_text("[red]boo[/red]").first).to_be_visible()
    seen.is_laid_out(Look(1280, "dark"), Look(360), Look(320, font=LARGE_FONT))


def test_without_analytics_days_are_counted_to_yesterday(visit: Visits, served: Callable[..., Serving]) -> None:
    seen = open_account(visit(served("analytics-absent")))
    expect(seen.page.locator(".strip")).to_contain_text("through yesterday (UTC)")
    expect(seen.of("account-chart-note")).to_contain_text("has no analytics")
    seen.expects("Failed to load resource")
    seen.of("account-by-key").click()
    expect(seen.of("account-chart").get_by_test_id("account-problem")).to_contain_text("spend by key is not known")
    seen.is_laid_out(Look(1280, "dark"), Look(360))


def test_an_ordinary_key_is_told_where_a_management_key_is_made(visit: Visits, served: Callable[..., Serving]) -> None:
    seen = visit(served("normal"))
    seen.expects("Failed to load resource")
    seen.page.goto(f"{seen.url}#/account")
    link = seen.of("account-problem").get_by_role("link")
    expect(link).to_have_attribute("href", "https://openrouter.ai/settings/management-keys")
    expect(seen.of("account-problem").get_by_role("button")).to_have_count(0)
    assert seen.violations() == []
    seen.is_laid_out(Look(1280, "dark"), Look(360), Look(320, font=LARGE_FONT))


def test_hundreds_of_keys_are_searched(visit: Visits, served: Callable[..., Serving]) -> None:
    seen = open_account(visit(served("fleet-in-one")))
    expect(seen.of("key-row")).to_have_count(100)
    seen.of("search").fill("service-024")
    expect(seen.of("key-row")).to_have_count(10)
    seen.of("search").fill("")
    seen.of("more").click()
    expect(seen.of("key-row")).to_have_count(200)
    seen.is_still()
