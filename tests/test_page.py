"""The page of `orcredit serve` in Chromium: what it shows of each account, and errors in words."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from itertools import cycle
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import unquote

import pytest
from playwright.sync_api import expect

from orcredit import simulator
from tests.page_layout import LARGE_FONT, THEMES, WIDTHS, Look
from tests.serving import EVENTS, MANAGEMENT_KEY, SNAPSHOT, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from tests.browsing import Visit, Visits
    from tests.serving import Serving, Upstream

pytest_plugins = ["tests.browsing"]
pytestmark = [pytest.mark.process, pytest.mark.xdist_group("page")]  # one worker, hence one browser

Text: TypeAlias = "str | re.Pattern[str] | None"

ICON_COLOURS = {"ok": {"#3b82f6", "#e0a100"}, "low": {"#e03131"}, "exhausted": {"#e03131"}, "unlimited": {"#3b82f6"}}
"""By level; yellow where it runs out within a day, which depends on the time of day."""

NEXT_MONTH = re.compile(r"^resets monthly, in (\d+ (d|h|min|s) ?)+ · \w{3} 1 \w{3}( \d+)?, 0[12]:00 CES?T$")


# What is shown of an account


@dataclass(frozen=True)
class Shown:
    """What is shown of an account: texts by hook (None: absent), and what is not text."""

    level: str
    texts: Mapping[str, Text] = field(default_factory=dict)
    bar: tuple[str, float] | None = None
    """Its colour and its percentage."""
    limits: str | None = "key_limit"
    """What is marked as limiting among all limits; None where nothing is listed."""


NO_ALARM: Mapping[str, Text] = {
    "warning": None, "expiry": None, "stale": None, "problem": None, "unreachable": None, "login": None,
}  # fmt: skip
NO_LIMIT: Mapping[str, Text] = {
    "bar": None, "limit": None, "used": None, "percent": None, "resets": None, "donut": None, "even-pace": None,
}  # fmt: skip
NO_EXTRAS: Mapping[str, Text] = {"byok": None, "free-requests": None, "remaining": None}
UNKNOWN_CREDIT = re.compile("^The account's credit is not known: set OPENROUTER_MANAGEMENT_KEY ")
THE_FIRST = r"\w{3} 1 \w{3}( \d+)?, 0[12]:00 CES?T"
OVERDRAWN = re.compile(rf"^Requests are refused until {THE_FIRST}\.$")
LOW_CREDIT = "Low: less than $1.00 of the account's credit is left."

OWN_LIMIT = {
    "normal": Shown(
        "ok",
        {
            "amount": "$51.25", "limited-by": "limited by the key limit", "limit": "$100.00", "used": "$48.75",
            "percent": "51.2%", "resets": NEXT_MONTH, "donut-percent": "51.2%",
            "legend-used": "Used$48.75", "legend-remaining": "Remaining$51.25",
            "usage-daily": "$3.15", "usage-weekly": "$20.40", "usage-monthly": "$48.75", "usage-all-time": "$130.25",
            "per-day": re.compile(r"^\$\d[\d,.]* a day$"), "account-note": None, "budget-account_credit": None,
            "verdict": re.compile("^(✓Lasts until|.?Runs out) "),
            "updated": re.compile(r"^Updated \d\d:\d\d:\d\d CES?T · (just now|\d+ (s|min) ago)$"),
            "key": re.compile(r"^sk-or-v1-\w{3}\.\.\.\w{3}"), "zone": re.compile(r"^Times are in Europe/Berlin;"),
            "announcement": "$51.25 can be spent.",
            **NO_ALARM, **NO_EXTRAS,
        },
        bar=("green", 51.2),
    ),
    "low": Shown(
        "low",
        {
            **NO_ALARM,
            "amount": "$8.00", "percent": "8.0%", "donut-percent": "8.0%",
            "warning": "Low: less than 10% of the key limit is left.",
            "announcement": "$8.00 can be spent. The level is low now, it was ok.",
        },
        bar=("red", 8),
    ),
    "exhausted": Shown(
        "exhausted",
        {
            **NO_ALARM,
            "amount": "$0.00", "used": "$100.25", "remaining": "$0.25", "percent": "-0.2%", "warning": OVERDRAWN,
            "legend-remaining": "Remaining-$0.25", "refused-until": re.compile(r"^1 \w+( \d+)?$|0[12]:00$"),
            "verdict": re.compile("^▲Refused until "), "per-day": "\N{EN DASH}",
        },
        bar=("red", 0),
    ),
    "zero-limit": Shown(
        "exhausted",
        {"amount": "$0.00", "limit": "$0.00", "percent": "0.0%", "refused-until": "the limit is raised"},
        bar=("red", 0),
    ),
    "tiny": Shown("ok", {"amount": "$0.0018", "limit": "$0.002", "usage-daily": "$0.0001"}, bar=("green", 90)),
    "lifetime": Shown("ok", {"amount": "$31.25", "resets": "never resets"}, bar=("green", 62.5)),
    "daily": Shown("ok", {"amount": "$3.25", "resets": re.compile("^resets daily, in ")}),
    "weekly": Shown("ok", {"amount": "$15.50", "resets": re.compile(r"^resets weekly, in .+ · Mon ")}),
    "byok": Shown(
        "ok",
        {
            "amount": "$45.00", "used": "$55.00", "byok-daily": "$1.50", "byok-weekly": "$10.00",
            "byok-monthly": "$25.00", "byok-all-time": "$60.00", "byok": re.compile(r"\bcounts against the key limit"),
        },
        bar=("yellow", 45),
    ),
    "byok-excluded": Shown(
        "ok", {"amount": "$70.00", "byok": re.compile("does not count against the key limit")}, bar=("green", 70)
    ),
    "expiring": Shown(
        "ok",
        {
            "expiry": re.compile(r"^The key expires in 3 d 5 h, on \w{3} .+ CES?T"),
            "verdict": re.compile("^▲Key expires "),
        },
    ),
    "expires-today": Shown("ok", {"expiry": re.compile(r"^The key expires in \d h")}),
}  # fmt: skip

BUDGETS = {
    "many-budgets": Shown(
        "ok",
        {
            **NO_ALARM,
            "amount": "$7.50", "limited-by": "limited by the API key budget", "limit": "$10.00", "percent": "75.0%",
            "used": "$2.50", "donut-percent": "75.0%",
            "budget-workspace_default_member": re.compile(
                r"^Member default ?\$88\.7059\.1%\$61\.30 of \$150\.00monthly"
            ),
            "budget-member": re.compile(r"^Member budget ?\$27\.2545\.4%\$32\.75 of \$60\.00weekly, in "),
            "budget-api_key": re.compile(r"^API key budget ?limits\$7\.5075\.0%\$2\.50 of \$10\.00daily, in "),
            "budget-workspace": re.compile(r"^Workspace budget ?\$587\.1058\.7%\$412\.90 of \$1,000\.00never"),
            "budget-key_limit": re.compile(r"^Key limit ?\$80\.0080\.0%\$20\.00 of \$100\.00monthly, in "),
        },
        bar=("green", 75),
        limits="api_key",
    ),
    "workspace-first": Shown(
        "low",
        {
            "amount": "$1.20", "limited-by": "limited by the workspace budget",
            "warning": "Low: less than 10% of the workspace budget is left.",
        },
        bar=("red", 4.8),
        limits="workspace",
    ),
    "workspace-spent": Shown("exhausted", {"amount": "$0.00", "warning": OVERDRAWN}, limits="workspace"),
    "two-spent": Shown(
        "exhausted",
        {
            "amount": "$0.00", "remaining": "$0.40",
            "budget-workspace": re.compile(r"^Workspace budget ?limits-\$0\.40-1\.6%.+spent$"),
            "budget-key_limit": re.compile(r"^Key limit ?-\$5\.00-5\.0%.+spent$"),
        },
        limits="workspace",
    ),
    "two-of-one-scope": Shown(
        "ok", {"amount": "$3.65", "limited-by": "limited by the daily member budget"}, limits="member"
    ),
    "future": Shown(
        "ok",
        {
            "amount": "$25.00", "resets": "resets fortnightly (when is not known)",
            "budget-galaxy": re.compile(r"^Galaxy ?\$48\.00"),
        },
    ),
    "all-time-usage": Shown("ok", {"amount": "$20.00", "usage-all-time": "$4,000.00"}, bar=("yellow", 40)),
    "after-reset": Shown("ok", {"amount": "$94.00", "used": "$6.00"}, bar=("green", 94)),
    "zero-credits": Shown("ok", {"amount": "$60.00", "account-note": None, "budget-account_credit": None}),
    "older": Shown("ok", {"amount": "$12.40", "limit": "$20.00"}),
    "older-lifetime": Shown("ok", {"amount": "$12.40", "resets": "never resets"}),
    "older-byok": Shown("ok", {"amount": "$8.10", "byok-monthly": "$4.30"}),
}  # fmt: skip

NO_OWN_LIMIT = {
    "unlimited": Shown(
        "unlimited",
        {
            "amount": "no limit on this key", "limited-by": None, "account-note": UNKNOWN_CREDIT,
            "runs-out": "not known",
            "usage-daily": "$0.80", "usage-weekly": "$5.10", "usage-monthly": "$12.20", "usage-all-time": "$20.40",
            **NO_ALARM, **NO_LIMIT, **NO_EXTRAS,
        },
        limits=None,
    ),
    "free-tier": Shown(
        "unlimited",
        {
            **NO_ALARM, **NO_LIMIT,
            "amount": "free models only", "free-requests": None,
            "account-note": re.compile(r"^38 of 50 free requests left today, until .+, 0[12]:00 CES?T"),
            "key": re.compile("^sk-or-v1-"), "byok": None,
        },
        limits=None,
    ),
    "free-tier-used-up": Shown(
        "unlimited", {"account-note": re.compile("^None of 50 free requests left")}, limits=None
    ),
    "grant-only": Shown(
        "unlimited",
        {"account-note": UNKNOWN_CREDIT, "free-requests": re.compile("3 of 50 requests today")},
        limits=None,
    ),
}  # fmt: skip

CREDIT = {
    "credit-below-limit": Shown(
        "low",
        {
            "amount": "$0.13", "limited-by": "limited by the account's credit", "donut": None, "bar": None,
            "warning": LOW_CREDIT, "account-note": re.compile("may refuse large requests"),
            "runs-out": re.compile(r"^in .+ at the latest$"),
            "budget-key_limit": re.compile(r"^Key limit ?\$16\.6333\.3%"),
            "budget-account_credit": re.compile(r"^Account.s credit ?limits\$0\.13prepaid\$79\.87 of \$80\.00 ever"),
        },
        limits="account_credit",
    ),
    "negative-credit": Shown(
        "exhausted",
        {
            "amount": "$0.00", "refused-until": "credit is bought",
            "warning": "The account's credit is negative: even free models are refused until credit is bought.",
            "budget-account_credit": re.compile(r"^Account.s credit ?limits-\$2\.50prepaid\$12\.50 of .+used up$"),
        },
        limits="account_credit",
    ),
    "unlimited": Shown("ok", {"amount": "$29.60", "account-note": None}, limits="account_credit"),
    "management": Shown("ok", {"amount": "$25.00", "runs-out": "not known"}, limits="account_credit"),
    "management-limited": Shown("ok", {"amount": "$6.00", "budget-account_credit": re.compile(r"\$25\.00")}),
}  # fmt: skip

TOURS = {"own limit": OWN_LIMIT, "budgets": BUDGETS, "no limit": NO_OWN_LIMIT, "credit": CREDIT}


def looks() -> Iterator[list[Look]]:
    """Give for each of some accounts all widths, with themes, fonts and colours in turn: every pair of them occurs."""
    themes, fonts, forced = cycle(THEMES), cycle((16, 16, LARGE_FONT)), cycle((False,) * 6 + (True,))
    while True:
        yield [Look(width, next(themes), next(fonts), is_forced=next(forced)) for width in WIDTHS]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("tour", TOURS)
def test_accounts_are_shown_as_they_are(
    tour: str, look: Visits, live: Callable[..., Serving], upstream: Upstream
) -> None:
    accounts = TOURS[tour]
    upstream.account = next(iter(accounts))
    seen = look(live(**({"OPENROUTER_MANAGEMENT_KEY": MANAGEMENT_KEY} if tour == "credit" else {}))).open().drawn()
    faults: list[str] = []
    for (account, wanted), each in zip(accounts.items(), looks(), strict=False):
        upstream.account = account
        try:
            check_account(seen, account, wanted)
        except AssertionError as error:
            error.add_note(f"of the account {account!r}")
            raise
        found = seen.faults(*each) + seen.violations()
        faults += [f"{account}: {fault}" for fault in found]
        seen.turn(Look())
    assert not faults, "\n".join(faults)


def check_account(seen: Visit, account: str, wanted: Shown) -> None:
    """Check what is shown of an account."""
    expect(seen.of("key")).to_contain_text(simulator.keys.mask(simulator.key_for(account)))
    word = "no known limit" if wanted.level == "unlimited" else wanted.level  # which is no promise
    seen.has({"level": word, **wanted.texts})
    expect(seen.of("level")).to_have_attribute("data-level", wanted.level)
    parts = [seen.of("amount").inner_text()]
    if seen.of("percent").count():
        parts.append(seen.of("percent").inner_text())
    if wanted.level in {"low", "exhausted"}:
        parts.append(wanted.level)
    expect(seen.page).to_have_title(" · ".join([*parts, "orcredit"]))
    icon = seen.page.locator("link[rel=icon]").get_attribute("href")
    assert icon is not None
    assert any(colour in unquote(icon) for colour in ICON_COLOURS[wanted.level])
    limiting = seen.page.locator("tr", has_text="limits").filter(has=seen.page.locator(".tag", has_text="limits"))
    if wanted.limits is None:
        expect(limiting).to_have_count(0)
    else:
        expect(limiting.first).to_have_attribute("data-testid", f"budget-{wanted.limits}")
        expect(limiting).to_have_count(1)
    if wanted.bar is not None:
        check_bar(seen, *wanted.bar)


def check_bar(seen: Visit, colour: str, percent: float) -> None:
    """Check the meter of the budget that limits: its role, its values, and what is drawn."""
    bar = seen.of("bar")
    expect(bar).to_have_role("meter")
    expect(bar).to_have_accessible_name(seen.of("limited-by").inner_text().replace("limited by", "Left of"))
    expect(bar).to_have_attribute("data-colour", colour)
    for name, value in {"aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": f"{percent:g}"}.items():
        expect(bar).to_have_attribute(name, value)
    text = f"of {seen.of('limit').inner_text()} left"
    expect(bar).to_have_attribute("aria-valuetext", re.compile(rf"^-?\$[\d.]+ {re.escape(text)}, .+%$"))
    filled = bar.locator("div")
    expect(filled).to_have_css("background-color", seen.colour(colour))
    seen.becomes(
        """([bar, percent]) => {
            const [whole, filled] = [bar, bar.firstElementChild].map(it => it.getBoundingClientRect().width);
            return Math.abs(100 * filled / whole - percent) < 1;
        }""",
        [bar.element_handle(), percent],
    )


def test_all_limits_have_a_meter_and_the_first_to_run_out_comes_first(
    look: Visits, served: Callable[..., Serving]
) -> None:
    seen = look(served("many-budgets")).open()
    table = seen.page.get_by_role("table").filter(has_text="Runs out")
    meters = table.get_by_role("meter")
    expect(meters).to_have_count(5)
    names = [meter.get_attribute("aria-label") for meter in meters.all()]
    assert len(set(names)) == 5
    shown = dict(zip(names, [meter.get_attribute("aria-valuenow") for meter in meters.all()], strict=True))
    assert sorted(str(one) for one in shown.values()) == ["45.4", "58.7", "59.1", "75", "80"]
    ends = [cell.inner_text().startswith("in ") for cell in table.locator("tbody td:last-child").all()]
    assert ends == sorted(ends, reverse=True)
    headings = table.get_by_role("columnheader")
    expect(headings).to_have_text(["Limit", "Left", "Part left", "Used", "Resets", "Runs out"])


def test_another_time_zone_is_named_and_a_repeated_key_is_not_shown(
    visit: Visits, served: Callable[..., Serving]
) -> None:
    seen = visit(served("echo-key"), timezone_id="Asia/Kolkata").open()
    seen.has(
        {
            "amount": "$51.25",
            "key": "[key]",
            "zone": re.compile(r"^Times are in Asia/(Kolkata|Calcutta);"),
            "updated": re.compile(r"^Updated \d\d:\d\d:\d\d GMT\+5:30 · "),
            "resets": re.compile(r"\w{3} 1 \w{3}( \d+)?, 05:30 GMT\+5:30$"),
        }
    )


def test_the_numbers_are_asked_for_once_and_before_any_script(visit: Visits, served: Callable[..., Serving]) -> None:
    seen = visit(served("normal"))
    with seen.page.expect_request(lambda request: request.url.endswith(EVENTS)):
        seen.open()
    assert seen.asked(SNAPSHOT) == 1
    paths = [request.url.removeprefix(seen.url) for request in seen.requests]
    scripts = [number for number, path in enumerate(paths) if path.endswith(".js")]
    assert paths[0] == ""
    assert paths.index(SNAPSHOT.removeprefix("/")) < min(scripts)  # the page's HTML asks, not the script

    seen.drawn()
    assert seen.asked(SNAPSHOT) == 1  # the stream's events say how old their numbers are
    seen.is_still()

    # No text is run as a script.
    seen.expects("Evaluating a string as JavaScript violates")
    # Later, since the browser lets a debugger evaluate anything.
    outcome = seen.page.evaluate(
        """() => new Promise(done => setTimeout(() => {
            try { done(`eval gave ${eval("1 + 1")}`); } catch (error) { done(error.name); }
        }))"""
    )
    assert outcome == "EvalError"


def ask_again(seen: Visit, upstream: Upstream) -> None:
    """Press "refresh" until OpenRouter is asked: it is not within two seconds of the last poll."""
    before = upstream.polls

    def is_asked() -> bool:
        seen.of("refresh").click()
        seen.page.wait_for_timeout(200)
        return upstream.polls > before

    wait_until(is_asked, "OpenRouter is not asked")


def test_an_error_before_any_number_is_shown_in_words(
    look: Visits, live: Callable[..., Serving], upstream: Upstream
) -> None:
    upstream.account = "error-401"
    seen = look(live())
    seen.expects("status of 502", "status of 503")
    seen.page.goto(seen.url)
    for account, problem in (
        ("error-401", "OpenRouter does not accept the key in OPENROUTER_API_KEY ("),
        ("html", "HTML"),
        ("error-500", "OpenRouter answered 500: it is not working right now"),
    ):
        if upstream.account != account:
            upstream.account = account
            ask_again(seen, upstream)
        expect(seen.of("problem")).to_contain_text(problem)
        expect(seen.of("announcement")).to_contain_text(problem.partition(".")[0])
        if account == "error-401":
            expect(seen.of("problem").get_by_role("link", name="openrouter.ai/settings/keys")).to_be_visible()
            seen.is_accessible()
        expect(seen.of("problem")).to_contain_text(re.compile(r"Next try in |Asking again now\."))
        seen.has({"amount": None, "stale": None, "bar": None, "donut": None, "loading": None})
        expect(seen.page).to_have_title("orcredit")
        assert "$" not in seen.page.locator("main").inner_text()

    upstream.account = "normal"
    ask_again(seen, upstream)
    seen.has({"amount": "$51.25", "problem": None, "loading": None})


def test_nothing_moves_when_the_first_answer_is_late_nor_when_a_notice_comes(
    look: Visits, live: Callable[..., Serving], upstream: Upstream
) -> None:
    answer = threading.Event()
    as_usual = upstream.respond

    def late(request: simulator.Request, now: datetime) -> simulator.Response:
        answer.wait(30)
        return as_usual(request, now)

    upstream.respond = late
    seen = look(live(waits=False))
    seen.expects("the server responded with a status of 503")
    try:
        seen.page.goto(seen.url)
        expect(seen.of("loading")).to_contain_text("Asking OpenRouter…")
        expect(seen.of("loading")).to_have_attribute("aria-busy", "true")
        seen.has({"problem": None, "unreachable": None, "stale": None})
        assert seen.violations() == []
    finally:
        answer.set()
    seen.has({"amount": "$51.25", "loading": None})
    seen.drawn().is_still()
    upstream.account = "html"
    expect(seen.of("stale")).to_be_visible()
    seen.is_still()


def test_hostile_text_of_openrouter_is_only_text(
    look: Visits, live: Callable[..., Serving], upstream: Upstream
) -> None:
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    as_usual = upstream.respond

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        answer = as_usual(request, now)
        if not request.path.endswith("/key"):
            return answer
        document = json.loads(answer.body)
        document["data"] |= {"label": f"{hostile}&amp;", "limit_reset": hostile}
        for budget in document["data"]["budgets"]:
            budget |= {"scope": f"<b>bold</b>{hostile}", "reset_interval": hostile}
        return simulator.Response(answer.status, answer.headers, json.dumps(document).encode())

    upstream.respond = respond
    seen = look(live()).open().drawn()
    seen.has({"key": re.compile(re.escape(f"{hostile}&amp;")), "limited-by": re.compile(re.escape("the <b>bold</b>"))})
    assert seen.page.locator("img, b, main script").count() == 0
    seen.is_laid_out(*(Look(width) for width in WIDTHS))

    upstream.account, upstream.respond = "control-characters", as_usual
    expect(seen.of("key")).to_contain_text("[red]boo[/red]")
    assert re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", seen.page.locator("body").inner_text()) is None
