"""No key in any output, error, log line, `repr`, URL or file."""

from __future__ import annotations

import json
import logging
import pickle
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from orcredit import AsyncClient, Client, OrcreditError, simulator
from orcredit.openrouter import BudgetInfo, Credits, FreeModelRequests, KeyInfo, account_wire, wire
from tests.broken_server import BrokenServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tests.conftest import Orcredit

KEY = simulator.key_for("normal")
TESTS = str(Path(__file__).parent)
MANAGEMENT = simulator.management_key_for("credit-below-limit")


def shows_key(text: str, key: str) -> bool:
    """Whether a text contains more of a key than OpenRouter's own label does (12 characters, and the last 3)."""
    return any(key[start : start + 13] in text for start in range(len(key) - 12))


def everything_about(error: BaseException) -> str:
    """Return what a debugger, Sentry or Rich would show: the chain of exceptions, with the variables of every frame.

    The tests' own frames are left out, as they contain the key.
    """
    shown = [repr(error), getattr(error, "hint", ""), repr(getattr(error, "__dict__", ""))]
    one: BaseException | None = error
    while one is not None:
        for frame, _ in traceback.walk_tb(one.__traceback__):
            if not frame.f_code.co_filename.startswith(TESTS):
                shown.extend(f"{name}={value!r}" for name, value in frame.f_locals.items())
        shown.append(str(one))
        one = one.__cause__ or one.__context__
    return " ".join(shown)


def test_everything_about_includes_the_variables_of_suppressed_errors() -> None:
    def inner(header: dict[str, str]) -> None:
        raise KeyError(len(header))

    source = "def outer(f):\n    header = {'authorization': 'sk-or-v1-secret'}\n    f(header)"
    scope: dict[str, Any] = {}
    exec(compile(source, "elsewhere.py", "exec"), scope)  # noqa: S102 - a frame outside of the tests

    def careless() -> None:
        try:
            scope["outer"](inner)
        except KeyError:
            raise ValueError("unrelated") from None

    with pytest.raises(ValueError, match="unrelated") as caught:
        careless()
    assert "sk-or-v1-secret" in everything_about(caught.value)


@pytest.mark.parametrize("name", [*simulator.ACCOUNTS, *simulator.FAULTS])
def test_no_answer_makes_a_client_reveal_a_key(
    name: str, server: simulator.Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)  # the root logger: the HTTP client's own records as well
    key = simulator.key_for(name)
    client = Client(key, management_key=MANAGEMENT, base_url=server.base_url, timeout=1)
    try:
        balance = client.balance()
        shown = f"{balance!r} {balance} {balance.model_dump_json()} {balance.account!r}"
    except OrcreditError as error:
        shown = everything_about(error)

    for secret in (key, MANAGEMENT):
        assert not shows_key(shown + repr(client) + caplog.text + str(vars(client)), secret)


@pytest.mark.parametrize("fault", ["reset", "truncated", "garbage", "hang", "bad-gzip", "endless-headers"])
def test_no_broken_connection_makes_a_client_reveal_a_key(fault: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    key = simulator.key_for("normal")
    with BrokenServer(fault) as server, pytest.raises(OrcreditError) as caught:
        Client(key, base_url=server.base_url, timeout=1).balance()
    assert not shows_key(everything_about(caught.value) + caplog.text, key)


@pytest.mark.parametrize(
    "name", ["normal", "echo-key", "secret-in-error", "error-401", "html", "retry-after-1", "bad-date"]
)
@pytest.mark.parametrize("arguments", [["-v"], ["-v", "--json"], ["-v", "-q"]])
def test_no_command_prints_a_key(orcredit: Orcredit, name: str, arguments: list[str]) -> None:
    key = simulator.key_for(name)
    done = orcredit("status", *arguments, account=name, management=MANAGEMENT)

    for secret in (key, MANAGEMENT):
        assert not shows_key(done.stdout + done.stderr, secret)


def test_a_key_in_the_label_is_redacted(server: simulator.Server) -> None:
    balance = Client(simulator.key_for("echo-key"), base_url=server.base_url).balance()
    assert balance.key.label == "[key]"


WIRE_MODELS = (
    KeyInfo,
    BudgetInfo,
    FreeModelRequests,
    Credits,
    account_wire.Workspace,
    account_wire.WorkspacesPage,
    account_wire.KeyRow,
    account_wire.KeyRowsPage,
    account_wire.AnalyticsRow,
    account_wire.AnalyticsMetadata,
    account_wire.AnalyticsData,
    account_wire.ActivityItem,
    account_wire.ActivityItems,
)


def echoes(secret: str) -> list[str]:
    """Return strings that contain a key in some form."""
    split = "\x00".join(secret[start : start + 9] for start in range(0, len(secret), 9))
    return [secret, f"before {secret} and after", secret.upper(), secret.title(), split, f"{'x' * 190}{secret}"]


def accepted_strings(secret: str) -> Iterator[tuple[str, object]]:
    """Put every echo into every field of every wire model; yield those fields that accept a string, and its value."""
    context = {"secrets": [SecretStr(KEY), SecretStr(MANAGEMENT)]}
    required: dict[str, object] = {"scope": "workspace", "total_credits": 1, "total_usage": 1, "hash": "0", "id": "0"}
    required |= {"name": "n", "date": "2026-01-01", "data": (), "metadata": {}}
    for model in WIRE_MODELS:
        for field in model.model_fields:
            for echo in echoes(secret):
                data = {name: value for name, value in required.items() if name in model.model_fields} | {field: echo}
                with suppress(ValidationError):
                    yield f"{model.__name__}.{field}", getattr(model.model_validate(data, context=context), field)


def test_all_wire_models_are_tested() -> None:
    modules = (wire, account_wire)
    models = [value for module in modules for value in vars(module).values() if isinstance(value, type)]
    names = {module.__name__ for module in modules}
    answers = {model for model in models if issubclass(model, BaseModel) and model.__module__ in names}
    assert answers - {wire.Answer} == set(WIRE_MODELS)


@pytest.mark.parametrize("secret", [KEY, MANAGEMENT], ids=["key", "management key"])
def test_keys_are_redacted_in_every_string_of_an_answer(secret: str) -> None:
    fields = set()
    for field, value in accepted_strings(secret):
        fields.add(field)
        assert not shows_key(str(value).lower(), secret.lower()), field
    assert fields >= {"KeyInfo.label", "KeyInfo.limit_reset", "BudgetInfo.scope", "BudgetInfo.reset_interval"}
    assert fields >= {"KeyRow.name", "Workspace.name", "AnalyticsRow.api_key_id", "ActivityItem.model"}


def test_keys_in_an_answer_are_redacted_in_the_document() -> None:
    secrets = [KEY, MANAGEMENT.upper(), KEY[:20] + "\n" + KEY[20:], MANAGEMENT[:30] + "\u200b" + MANAGEMENT[30:]]

    def respond(_: simulator.Request, __: datetime) -> simulator.Response:
        label, reset, scope, interval = secrets
        budget = {"scope": scope, "limit_usd": 5, "remaining_usd": 4, "reset_interval": interval}
        data = {"label": label, "limit": 9, "limit_remaining": 8, "limit_reset": reset, "budgets": [budget]}
        return simulator.Response(200, {}, json.dumps({"data": data}).encode())

    with simulator.Server(responder=respond) as server:
        balance = Client(KEY, management_key=MANAGEMENT, base_url=server.base_url).balance()
    document = json.loads(balance.model_dump_json())
    assert (document["key"]["label"], document["resetPeriod"]) == ("[key]", "[key]")
    assert (document["budgets"][0]["scope"], document["budgets"][0]["resetPeriod"]) == ("[key]", "[key]")
    for secret in (KEY, MANAGEMENT):
        assert not shows_key(f"{balance!r}{document}".lower(), secret.lower())


def test_a_bug_is_reported_without_a_traceback_and_without_its_message(
    orcredit: Orcredit, bare_environ: dict[str, str]
) -> None:
    with open(f"{bare_environ['HOME']}/sitecustomize.py", "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write("import orcredit.balance\n")
        file.write("def broken(*a, **k): raise RuntimeError('sk-or-v1-secret')\n")
        file.write("orcredit.balance.assess = broken\n")
    path = f"{bare_environ['HOME']}:{bare_environ.get('PYTHONPATH', '')}"
    done = orcredit("status", account="normal", environ={"PYTHONPATH": path})

    assert (done.code, done.stdout) == (70, "")
    assert done.stderr.startswith("orcredit: internal error: RuntimeError at sitecustomize.py:2.\n")
    assert "secret" not in done.stderr
    assert "bug in orcredit" in done.stderr


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_reprs_show_the_base_url_and_no_key(kind: type[Client | AsyncClient]) -> None:
    client = kind("sk-or-v1-secret", management_key="sk-or-v1-manager", base_url="https://example.com/v1")
    assert repr(client) == f"{kind.__name__}(base_url='https://example.com/v1', timeout=10)"


def test_a_pickled_balance_contains_no_key(server: simulator.Server) -> None:
    key = simulator.key_for("normal")
    stored = pickle.dumps(Client(key, base_url=server.base_url).balance())
    assert key.encode() not in stored
    assert pickle.loads(stored).spendable is not None  # noqa: S301


@pytest.mark.parametrize(
    "arguments",
    [
        ["status", KEY],
        [KEY],
        ["status", "--warn-below", KEY],
        ["status", "--base-url", KEY],
        ["status", "--base-url", f"https://{KEY}"],
        ["watch", "--interval", KEY],
        ["status", f"--api-key={KEY}"],
        ["line", KEY],
        ["history", "--since", KEY],
    ],
)
def test_a_key_typed_as_an_argument_is_not_repeated(orcredit: Orcredit, arguments: list[str]) -> None:
    done = orcredit(*arguments, account="normal", environ={"ORCREDIT_WARN_BELOW": "1%"})
    assert done.code in {2, 69}
    assert not shows_key(done.stdout + done.stderr, KEY)


def test_a_key_typed_as_an_argument_gives_a_hint_at_the_variable(orcredit: Orcredit) -> None:
    assert "set OPENROUTER_API_KEY" in orcredit("status", KEY).stderr


def test_a_short_key_is_not_redacted() -> None:
    with simulator.Server(responder=as_normal) as server:
        assert Client("monthly", base_url=server.base_url).balance().reset_period == "monthly"


def as_normal(request: simulator.Request, now: datetime) -> simulator.Response:
    headers = {"authorization": f"Bearer {simulator.key_for('normal')}"}
    return simulator.respond(simulator.Request(request.method, request.path, headers), now)
