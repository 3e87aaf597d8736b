"""Errors of OpenRouter in the forms in which people meet them, and what is none."""

from __future__ import annotations

import json
import time
import tomllib
import tracemalloc
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orcredit.explain import Explanation, Finding, Kind, Log, wording
from orcredit.explain.log import LONGEST_LINE

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Path(__file__).parent / "data"
FORMS = tomllib.loads((DATA / "explain_forms.toml").read_text(encoding="utf-8"))["form"]
NOISE = tomllib.loads((DATA / "explain_noise.toml").read_text(encoding="utf-8"))["noise"]
NULLS = dict.fromkeys(("status", "limitSource", "reason", "scope", "retryAfterSeconds", "resetsAt"))

KEY_LIMIT = b'{"error":{"message":"Key limit exceeded (daily limit)","code":403}}'
IN_FLIGHT = b'402 {"error":{"metadata":{"limit_source":"openrouter_in_flight_budget","headers":{"Retry-After":"7"}}}}'
NOW = datetime(2026, 11, 25, 20, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def read(*chunks: bytes) -> Log:
    log = Log()
    for chunk in chunks:
        log.feed(chunk)
    log.close()
    return log


def last(text: str | bytes) -> Finding:
    log = read(text if isinstance(text, bytes) else text.encode())
    assert log.last is not None
    return log.last


def waiting(finding: Finding) -> str:
    return wording.waiting(finding, NOW, lambda instant: f"{instant:%H:%M}")


# The table


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form["source"])
def test_forms_of_public_issues_are_explained(form: dict[str, Any]) -> None:
    log = read(form["text"].encode())
    assert log.last is not None
    document = json.loads(Explanation.of(log.last).model_dump_json())
    assert document == NULLS | {"retryable": False} | form["json"]
    assert log.count == form.get("count", 1)
    assert wording.headline(log.last).endswith(".")
    assert waiting(log.last)


def test_the_table_has_enough_forms_of_public_issues_and_enough_noise() -> None:
    assert len({form["source"] for form in FORMS if "#" in form["source"]}) >= 40
    assert len({noise["source"] for noise in NOISE}) >= 20
    assert {form["json"].get("status") for form in FORMS} >= {401, 402, 403, 429}


@pytest.mark.parametrize("noise", NOISE, ids=lambda noise: noise["source"])
def test_noise_is_not_recognised(noise: dict[str, str]) -> None:
    assert read(noise["text"].encode()).last is None


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form["source"])
def test_forms_are_found_between_noise(form: dict[str, Any]) -> None:
    noise = "\n".join(noise["text"] for noise in NOISE).encode()
    log = read(noise, b"\n\n", form["text"].encode(), b"\n\n", noise)
    assert log.count == form.get("count", 1)
    assert log.last is not None
    assert log.last.kind is last(form["text"]).kind


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form["source"])
def test_forms_are_found_escaped_in_the_json_of_a_log(form: dict[str, Any]) -> None:
    line = json.dumps({"level": "error", "msg": json.dumps({"body": form["text"]})})
    assert last(line).kind is last(form["text"]).kind


# What a finding says


def test_the_amounts_and_the_reset_of_a_budget() -> None:
    (form,) = (form for form in FORMS if form["source"] == "documented: a guardrail's budget")
    finding = last(form["text"])
    assert (finding.spent, finding.limit) == (Decimal("25.0125"), Decimal(25))
    assert wording.headline(finding) == "The member default budget is spent, not the account's credit."
    assert waiting(finding) == "helps, until 00:00 (in 5 d 4 h)"


@pytest.mark.parametrize(
    ("text", "headline"),
    [
        (IN_FLIGHT.decode(), "In-flight budget, not your balance: retry in 7 s."),
        ("would exceed your available credits", "In-flight budget, not your balance: retry in a moment."),
        ("Key limit exceeded (weekly limit)", "The key's own weekly limit is spent, not the account's credit."),
        ("Key limit exceeded (total limit)", "The key's own limit is spent, not the account's credit."),
        (
            "402 fewer max_tokens. You requested up to 32000 tokens, but can only afford 27342",
            "The account's credit does not cover this request: it pays for 27,342 of the 32,000 tokens requested.",
        ),
        (
            "402 limit_source=openrouter_brand_new_limit",
            "A limit of OpenRouter that this version of orcredit does not know.",
        ),
        (
            "403 Workspace budget limit exceeded (monthly limit)",
            "The monthly workspace budget is spent, not the account's credit.",
        ),
        (
            "403 API key budget limit exceeded (monthly limit). Contact your org admin.",
            "The monthly API key budget is spent, not the account's credit.",
        ),
    ],
)
def test_headlines(text: str, headline: str) -> None:
    assert wording.headline(last(text)) == headline


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("status", [None, 401, 402, 403, 429])
def test_every_kind_has_its_sentences(kind: Kind, status: int | None) -> None:
    finding = Finding(kind, status)
    assert wording.headline(finding).endswith(".")
    assert wording.remedy(finding).endswith(".")
    assert wording.page(finding) is None or "https://openrouter.ai/" in str(wording.page(finding))
    assert waiting(finding)


# Times


def test_no_time_without_a_timestamp() -> None:
    finding = last(IN_FLIGHT)
    assert finding.at is None
    assert waiting(finding) == "helps: 7 s after the error"
    finding = last(KEY_LIMIT)
    assert finding.resets_at is None
    assert waiting(finding) == "helps, until the next 00:00 UTC after the error"


@pytest.mark.parametrize(
    "prefix",
    [
        "2026-11-25T19:59:58Z ",
        "2026-11-25 19:59:58,000 UTC - ERROR - ",
        "[2026-11-25T14:59:58.000-05:00] ",
        "2026-11-25 20:59:58,123 ",  # no zone: this machine's
        "2026/11/25 20:59:58 ",
        "[25/Nov/2026:19:59:58 +0000] ",
        '{"level":"error","time":"2026-11-25T19:59:58.000Z","msg":',
    ],
)
def test_timestamps(prefix: str) -> None:
    finding = last(prefix.encode() + IN_FLIGHT)
    assert finding.at is not None
    assert finding.at.replace(microsecond=0) == NOW - timedelta(seconds=2)
    assert waiting(finding) == "helps, until 20:00 (in 5 s)"


def test_the_timestamp_may_stand_in_a_field_after_the_message_and_in_a_line_before() -> None:
    line = {"msg": KEY_LIMIT.decode(), "timestamp": "2026-11-25T19:59:58Z"}
    assert last(json.dumps(line)).at == NOW - timedelta(seconds=2)
    traceback = b"2026-11-25T19:59:58Z ERROR failed\nTraceback (most recent call last):\n  File x\nopenai.Error: "
    assert last(traceback + KEY_LIMIT).at == NOW - timedelta(seconds=2)


@pytest.mark.parametrize(
    "text", ["2026-13-45T25:61:61Z", "1999-01-01T00:00:00Z", "resets_at: 2026-12-01T00:00:00Z", "9999-12-31 23:59:59Z"]
)
def test_other_times_are_no_timestamps(text: str) -> None:
    assert last(f"{text} {KEY_LIMIT.decode()}").at is None


@pytest.mark.parametrize(
    ("period", "resets_at"), [("daily", (2026, 11, 26)), ("weekly", (2026, 11, 30)), ("monthly", (2026, 12, 1))]
)
def test_a_limit_with_a_period_is_spent_until_its_end(period: str, resets_at: tuple[int, int, int]) -> None:
    finding = last(f"2026-11-25T19:59:58Z 403 Key limit exceeded ({period} limit)")
    assert finding.resets_at == datetime(*resets_at, tzinfo=UTC)


def test_a_time_that_has_passed_is_said() -> None:
    assert waiting(last(b"2026-11-20T10:00:00Z " + IN_FLIGHT)) == "is over since 10:00: retry now"
    assert waiting(last(b"2026-11-20T10:00:00Z " + KEY_LIMIT)) == "is over since 00:00: retry now"


@pytest.mark.parametrize("reset", ["1798761600000", "1798761600"])
def test_the_reset_of_a_rate_limit_is_in_seconds_or_milliseconds(reset: str) -> None:
    text = f'429 free-models-per-day {{"X-RateLimit-Reset": "{reset}"}}'
    assert last(text).resets_at == datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("seconds", ["99999999999", "nan", "-1", "1e999"])
def test_implausible_waits_are_ignored(seconds: str) -> None:
    assert last(IN_FLIGHT.replace(b'"7"', f'"{seconds}"'.encode())).retry_after is None


# Several errors


def test_the_last_error_is_explained_and_all_are_counted() -> None:
    log = read(KEY_LIMIT, b"\n", IN_FLIGHT, b"\nsomething else\n", KEY_LIMIT, b"\n", IN_FLIGHT)
    assert log.last is not None
    assert (log.last.kind, log.count) == (Kind.IN_FLIGHT, 4)


def test_the_log_says_since_when_a_limit_refuses() -> None:
    lines = [
        f"2026-11-{day}T{hour}:00:00Z ".encode() + KEY_LIMIT + b"\n" for day, hour in ((24, 22), (25, 10), (25, 11))
    ]
    log = read(*lines)
    assert log.first_at == datetime(2026, 11, 25, 10, tzinfo=UTC), "the limit was reset in between"
    log = read(lines[1], b"2026-11-25T10:30:00Z " + IN_FLIGHT + b"\n", lines[2])
    assert log.first_at == datetime(2026, 11, 25, 10, tzinfo=UTC)


def test_the_line_of_the_http_client_and_the_error_after_it_are_one() -> None:
    line = b'INFO:httpx:HTTP Request: POST https://openrouter.ai/api/v1/chat/completions "HTTP/1.1 403 Forbidden"\n'
    log = read(line, KEY_LIMIT, b"\n", line, KEY_LIMIT)
    assert log.last is not None
    assert (log.last.kind, log.count) == (Kind.KEY_LIMIT, 2)
    assert read(line, line).count == 2


# Streams


MIXED = b"\n".join(
    [
        b"x" * 300,
        *(form["text"].encode() for form in FORMS),
        *(noise["text"].encode() for noise in NOISE),
        KEY_LIMIT,
        b"",
    ]
)


@pytest.mark.parametrize("size", [1, 7, 100, 4096, 65536])
def test_it_does_not_matter_how_the_text_is_cut(size: int) -> None:
    whole = read(MIXED)
    cut = read(*(MIXED[start : start + size] for start in range(0, len(MIXED), size)))
    assert cut.last == whole.last
    assert cut.count == whole.count
    assert cut.size == len(MIXED)


@pytest.mark.parametrize("offset", [-4200, -4097, -4000, -300, -100, -60, -30, -1, 0, 1, 200])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_an_error_in_a_long_line_is_found_once(offset: int, end: bytes) -> None:
    before = b"a " * ((LONGEST_LINE + offset) // 2)
    log = read(before + KEY_LIMIT + b" b" * LONGEST_LINE + end)
    assert log.last is not None
    assert (log.count, log.last.status, log.last.period) == (1, 403, "daily")


@pytest.mark.parametrize(
    "data", [b"{ " * 50_000, b"{ " * 50_000 + b"\n", b"{ short\n" * 1000], ids=["no", "long", "short"]
)
def test_memory_is_bounded(data: bytes) -> None:
    log = Log()
    log.feed(b"openrouter 402 {\n")  # a brace that is never closed
    tracemalloc.start()
    for _ in range(100):
        log.feed(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000, "a tenth of the long lines, and less than the short ones would take"


def test_utf_16_is_read_as_powershell_writes_it() -> None:
    assert last(KEY_LIMIT.decode().encode("utf-16")).kind is Kind.KEY_LIMIT


def test_colours_frames_and_invalid_bytes_do_not_hide_an_error() -> None:
    text = "\x1b[31m│ 403 Key limit\x1b[0m │\n │ exceeded (daily limit)\x07 │".encode()
    assert last(b"\xff\xfe\x00\xc3" + text).period == "daily"


@given(st.binary(max_size=300), st.binary(max_size=300))
@example(b"{" * 200, b"}" * 200)
def test_any_bytes_around_an_error_are_survived(before: bytes, after: bytes) -> None:
    log = read(before + b"\n", KEY_LIMIT, b"\n" + after)
    assert log.count >= 1


@given(
    st.lists(
        st.sampled_from(["402", "openrouter", "error", '"', "{", "}", ":", "\\", "\n", " ", "limit_source", "code"])
    )
)
def test_any_pieces_of_errors_are_survived(pieces: list[str]) -> None:
    read("".join(pieces).encode())
