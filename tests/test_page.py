"""The page of `orcredit serve` in Chromium: what it shows of each account, and errors in words."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import unquote

import pytest
from playwright.sync_api import expect

from orcredit import simulator
from tests.serving import EVENTS, SNAPSHOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from tests.browsing import Visit, Visits
    from tests.serving import Serving, Upstream

pytest_plugins = ["tests.browsing"]
pytestmark = [pytest.mark.process, pytest.mark.xdist_group("page")]  # one worker, hence one browser

Text: TypeAlias = "str | re.Pattern[str] | None"

ICON_COLOURS = {"ok": {"#3b82f6", "#e0a100"}, "low": {"#e03131"}, "exhausted": {"#e03131"}, "unlimited": {"#3b82f6"}}
"""By level; yellow where it runs out within a day, which depends on the time of day."""

MASKED = simulator.keys.mask(simulator.key_for("error-401"))
NEXT_MONTH = re.compile(r"monthly, in (\d+ (d|h|min) ?)+ · \w{3} 1 \w{3}( \d+)?, 0[12]:00 CES?T")


# What is shown of an account


@dataclass(frozen=True)
class Shown:
    """What is shown of an account: texts by hook (None: absent), and what is not text."""

    level: str
    texts: Mapping[str, Text]
    bar: tuple[str, float] | None = None
    """Its colour and its percentage."""
    is_managed: bool = False
    """Whether the account's management key is set, too."""
    tags: Mapping[str, list[str]] = field(default_factory=dict)
    """The tags beside the names of budgets."""


NO_ALARM: Mapping[str, Text] = {
    "warning": None, "expiry": None, "stale": None, "problem": None, "unreachable": None, "login": None,
}  # fmt: skip
NO_LIMIT: Mapping[str, Text] = {
    "bar": None, "limit": None, "remaining": None, "percent": None, "resets": None, "donut": None, "per-day": None,
}  # fmt: skip
NO_EXTRAS: Mapping[str, Text] = {"byok": None, "free-requests": None}
OVERDRAWN = re.compile(r"Requests are refused until \w{3} 1 \w{3}( \d+)?, 0[12]:00 CES?T\.")
A_WEEK_FROM_NOW = re.compile(r"weekly, in .+ · Mon .+, 0[12]:00 CES?T")

SHOWN = {
    "normal": Shown(
        "ok",
        {
            "amount": "$51.25", "limited-by": "limited by the key limit", "limit": "$100.00", "used": "$48.75",
            "remaining": "$51.25", "percent": "51.2%", "resets": NEXT_MONTH, "donut-percent": "51.2%",
            "legend-used": "Used$48.75", "legend-remaining": "Remaining$51.25",
            "usage-daily": "$3.15", "usage-weekly": "$20.40", "usage-monthly": "$48.75", "usage-all-time": "$130.25",
            "per-day": re.compile(r"\$\d[\d,.]* a day"), "account-note": None, "budget-account_credit": None,
            "updated": re.compile(r"^Updated \d\d:\d\d:\d\d CES?T · (just now|\d+ (s|min) ago)$"),
            "key": re.compile(r"Key sk-or-v1-\w{3}\.\.\.\w{3}"), "zone": "Times are in Europe/Berlin.",
            "announcement": "$51.25 can be spent.",
            **NO_ALARM, **NO_EXTRAS,
        },
        bar=("green", 51.2),
    ),
    "low": Shown(
        "low",
        {
            **NO_ALARM,
            "amount": "$8.00", "remaining": "$8.00", "percent": "8.0%", "donut-percent": "8.0%",
            "warning": "Low: less than 10% of the key limit is left.",
        },
        bar=("red", 8),
    ),
    "exhausted": Shown(
        "exhausted",
        {
            **NO_ALARM,
            "amount": "$0.00", "used": "$100.25", "remaining": "-$0.25", "percent": "-0.2%",
            "legend-remaining": "Remaining-$0.25", "warning": OVERDRAWN,
            "per-day": None, "pace": re.compile("Nothing is left to spend"),
        },
        bar=("red", 0),
    ),
    "zero-limit": Shown(
        "exhausted", {"amount": "$0.00", "limit": "$0.00", "remaining": "$0.00", "percent": "0.0%"}, bar=("red", 0)
    ),
    "unlimited": Shown(
        "unlimited",
        {
            "amount": "no limit on this key", "limited-by": None,
            "account-note":
                "The account's credit is not known: start orcredit with OPENROUTER_MANAGEMENT_KEY to see it.",
            "usage-daily": "$0.80", "usage-weekly": "$5.10", "usage-monthly": "$12.20", "usage-all-time": "$20.40",
            **NO_ALARM, **NO_LIMIT, **NO_EXTRAS,
        },
    ),
    "many-budgets": Shown(
        "ok",
        {
            **NO_ALARM,
            "amount": "$7.50", "limited-by": "limited by the API key budget", "limit": "$10.00", "percent": "75.0%",
            "used": "$2.50", "donut-percent": "75.0%",
            "budget-workspace_default_member": re.compile(
                r"^Member default\$88\.70 left of \$150\.0059\.1% left · \$61\.30 usedresets monthly, in "
            ),
            "budget-member": re.compile(
                r"^Member budget\$27\.25 left of \$60\.0045\.4% left · \$32\.75 used"
                r"(runs out in .+ · )?resets weekly, in "
            ),
            "budget-api_key": re.compile(
                r"^API key budgetlimits\$7\.50 left of \$10\.0075\.0% left · \$2\.50 usedresets daily, in "
            ),
            "budget-workspace": re.compile(
                r"^Workspace budget\$587\.10 left of \$1,000\.0058\.7% left · \$412\.90 used"
                r"(runs out in .+ · )?resets never$"
            ),
            "budget-key_limit": re.compile(r"^Key limit\$80\.00 left of \$100\.0080\.0% left · \$20\.00 used"),
        },
        bar=("green", 75),
        tags={"budget-api_key": ["limits"], "budget-member": [], "budget-workspace": [], "budget-key_limit": []},
    ),
    "two-spent": Shown(
        "exhausted",
        {"amount": "$0.00", "limited-by": "limited by the workspace budget"},
        tags={"budget-workspace": ["limits", "overspent"], "budget-key_limit": ["overspent"]},
    ),
    "credit-below-limit": Shown(
        "low",
        {
            "amount": "$0.13", "limited-by": "limited by the account's credit", "donut": None, "bar": None,
            "warning": "Low: less than $1.00 of the account's credit is left.",
            "account-note": re.compile("may refuse large requests"),
            "runs-out": re.compile(r"^in .+ at the latest · .+unless topped up"),
            "budget-key_limit": re.compile(r"^Key limit\$16\.63 left of \$50\.00"),
            "budget-account_credit": re.compile(
                r"^Account's creditlimits\$0\.13 left\$79\.87 used of \$80\.00 ever bought"
                r"runs out in .+ at the latest · never resets$"
            ),
        },
        is_managed=True,
        tags={"budget-account_credit": ["limits"], "budget-key_limit": []},
    ),
    "negative-credit": Shown(
        "exhausted",
        {
            "warning": "The account's credit is negative: even free models are refused until credit is bought.",
            "budget-account_credit":
                "Account's creditlimitsoverspent-$2.50 left$12.50 used of $10.00 ever boughtnever resets",
        },
        is_managed=True,
    ),
    "byok": Shown(
        "ok",
        {
            "amount": "$45.00", "used": "$55.00", "byok-daily": "$1.50", "byok-weekly": "$10.00",
            "byok-monthly": "$25.00", "byok-all-time": "$60.00",
            "byok": re.compile("It counts against the key limit"),
        },
        bar=("yellow", 45),
    ),
    "byok-excluded": Shown(
        "ok",
        {"amount": "$70.00", "byok-monthly": "$25.00", "byok": re.compile("It does not count against the key limit")},
    ),
    "free-tier": Shown(
        "unlimited",
        {
            "amount": "free models only", "free-requests": None,
            "account-note": re.compile(r"^38 of 50 free requests left today, until .+, 0[12]:00 CES?T\.$"),
            "key": re.compile("free tier"), "byok": None,
        },
    ),
    "weekly": Shown("ok", {"amount": "$15.50", "resets": A_WEEK_FROM_NOW, "donut-percent": "62.0%"}),
    "lifetime": Shown("ok", {"amount": "$31.25", "resets": "never"}, bar=("green", 62.5)),
    "tiny": Shown("ok", {"amount": "$0.0018", "remaining": "$0.0018", "usage-daily": "$0.0001"}),
    "expiring": Shown("ok", {"expiry": re.compile(r"^The key expires in 3 d 5 h, on \w{3} .+ CES?T\.$")}),
    "echo-key": Shown("ok", {"amount": "$51.25", "key": "Key [key]"}),
    "future": Shown("ok", {"amount": "$25.00", "resets": "fortnightly (when is not known)"}),
}  # fmt: skip


@pytest.mark.parametrize("account", SHOWN)
def test_an_account_is_shown_as_it_is(account: str, look: Visits, served: Callable[..., Serving]) -> None:
    wanted = SHOWN[account]
    environ = {"OPENROUTER_MANAGEMENT_KEY": simulator.management_key_for(account)} if wanted.is_managed else {}
    seen = look(served(account, **environ)).open()

    word = "no known limit" if wanted.level == "unlimited" else wanted.level  # which is no promise
    seen.has({"level": word, **wanted.texts})
    expect(seen.of("level")).to_have_attribute("data-level", wanted.level)
    share = f" · {seen.of('percent').inner_text()}" if seen.of("percent").count() else ""
    expect(seen.page).to_have_title(f"{seen.of('amount').inner_text()}{share} · orcredit")
    icon = seen.page.locator("link[rel=icon]").get_attribute("href")
    assert icon is not None
    assert any(colour in unquote(icon) for colour in ICON_COLOURS[wanted.level])
    for name, tags in wanted.tags.items():
        assert seen.of(name).locator(".tag").all_inner_texts() == tags
    if wanted.bar is not None:
        check_bar(seen, *wanted.bar)


def check_bar(seen: Visit, colour: str, percent: float) -> None:
    """Check the meter of the key's limit: its role, its values, and what is drawn."""
    bar = seen.of("bar")
    expect(bar).to_have_role("meter")
    expect(bar).to_have_accessible_name(seen.of("limited-by").inner_text().replace("limited by", "Left of"))
    expect(bar).to_have_attribute("data-colour", colour)
    for name, value in {"aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": f"{percent:g}"}.items():
        expect(bar).to_have_attribute(name, value)
    text = f"{seen.of('remaining').inner_text()} of {seen.of('limit').inner_text()} left"
    expect(bar).to_have_attribute("aria-valuetext", re.compile(f"^{re.escape(text)}, .+%$"))
    filled = bar.locator("div")
    expect(filled).to_have_css("background-color", seen.colour(colour))
    share = filled.evaluate("it => 100 * it.getBoundingClientRect().width / it.parentElement.clientWidth")
    assert share == pytest.approx(percent, abs=0.5)


def test_every_budget_has_a_meter(look: Visits, served: Callable[..., Serving]) -> None:
    seen = look(served("many-budgets")).open()
    meters = seen.page.locator(".budgets").get_by_role("meter")
    expect(meters).to_have_count(5)
    names = [meter.get_attribute("aria-label") for meter in meters.all()]
    assert len(set(names)) == 5
    assert [meter.get_attribute("aria-valuenow") for meter in meters.all()] == ["59.1", "45.4", "75", "58.7", "80"]


def test_another_time_zone_is_named(visit: Visits, served: Callable[..., Serving]) -> None:
    seen = visit(served("normal"), timezone_id="Asia/Kolkata").open()
    seen.has(
        {
            "zone": re.compile(r"^Times are in Asia/(Kolkata|Calcutta)\.$"),
            "updated": re.compile(r"^Updated \d\d:\d\d:\d\d GMT\+5:30 · "),
            "resets": re.compile(r"\w{3} 1 \w{3}( \d+)?, 05:30 GMT\+5:30$"),
        }
    )


def test_no_text_is_run_as_a_script(look: Visits, served: Callable[..., Serving]) -> None:
    seen = look(served("normal")).open()
    seen.expects("Evaluating a string as JavaScript violates")
    # Later, since the browser lets a debugger evaluate anything.
    outcome = seen.page.evaluate(
        """() => new Promise(done => setTimeout(() => {
            try { done(`eval gave ${eval("1 + 1")}`); } catch (error) { done(error.name); }
        }))"""
    )
    assert outcome == "EvalError"


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


@pytest.mark.parametrize(
    ("account", "problem"),
    [
        ("error-401", f"OpenRouter does not accept the key in OPENROUTER_API_KEY ({MASKED}): 401. It may be mistyped"),
        ("html", "HTML"),
        ("error-500", "OpenRouter answered 500: it is not working right now"),
    ],
)
def test_an_error_before_any_number_is_shown_in_words(
    account: str, problem: str, look: Visits, served: Callable[..., Serving]
) -> None:
    seen = look(served(account))
    seen.page.goto(seen.url)

    expect(seen.of("problem")).to_contain_text(problem)
    expect(seen.of("announcement")).to_contain_text(problem.partition(".")[0])
    expect(seen.of("loading")).to_contain_text("Not known yet.")
    expect(seen.of("loading")).to_have_attribute("aria-busy", "false")
    seen.has({"amount": None, "stale": None, "bar": None, "donut": None})
    expect(seen.page).to_have_title("orcredit")
    assert "$" not in seen.page.locator("main").inner_text()


def test_before_the_first_answer_it_says_that_it_asks(
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
        seen.has({"amount": None, "problem": None, "unreachable": None, "stale": None})
        assert seen.violations() == []
    finally:
        answer.set()
    seen.has({"amount": "$51.25", "loading": None})


def test_hostile_text_of_openrouter_is_only_text(
    look: Visits, live: Callable[..., Serving], upstream: Upstream
) -> None:
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    as_usual = upstream.respond

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        answer = as_usual(request, now)
        document = json.loads(answer.body)
        document["data"] |= {"label": f"{hostile}&amp;", "limit_reset": hostile}
        for budget in document["data"]["budgets"]:
            budget |= {"scope": f"<b>bold</b>{hostile}", "reset_interval": hostile}
        return simulator.Response(answer.status, answer.headers, json.dumps(document).encode())

    upstream.respond = respond
    seen = look(live()).open().drawn()
    seen.has({"key": re.compile(re.escape(f"{hostile}&amp;")), "limited-by": re.compile(re.escape("the <b>bold</b>"))})
    assert seen.page.locator("img, b, main script").count() == 0
    seen.fits()


def test_escapes_of_openrouter_are_gone(look: Visits, served: Callable[..., Serving]) -> None:
    seen = look(served("control-characters")).open()
    expect(seen.of("key")).to_contain_text("[red]boo[/red]")
    assert re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", seen.page.locator("body").inner_text()) is None


def test_the_demo_is_of_today(look: Visits, served: Callable[..., Serving]) -> None:
    seen = look(served("normal", "--demo")).open().drawn()
    seen.has(
        {
            "amount": re.compile(r"^\$\d+\.\d\d$"),
            "updated": re.compile(r"^Updated \d\d:\d\d:\d\d CES?T · (just now|\d+ (s|min) ago)$"),
            "resets": re.compile(r"^monthly, in .* · \w+ 1 \w+, 0[12]:00 CES?T$"),
        }
    )
