"""Which modules each command imports, and that imports follow the list in ARCHITECTURE.md."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orcredit import simulator

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

pytestmark = pytest.mark.process

ROOT = Path(__file__).parent.parent
HTTP = {"httpx2", "httpcore2", "anyio", "asyncio", "ssl"}
SERVER = {"starlette", "uvicorn", "sse_starlette", "http.server"}
DATABASE = {"sqlalchemy", "sqlite3"}
RETRIES = {"tenacity"}
HEAVY = {"typer", "click", "rich", "pydantic", "typing", "dataclasses", "inspect", "pathlib", "subprocess", "decimal"}


def loaded(arguments: Iterable[str], environ: dict[str, str]) -> set[str]:
    """Run a command and return the modules that its process had imported at the end."""
    program = (
        "import sys; from orcredit.cli import main; code = main(sys.argv[1:]); "
        "print(*sys.modules, sep='\\n', file=sys.stderr); sys.exit(code)"
    )
    environ = {
        name: value for name, value in environ.items() if not name.startswith("COV")
    }  # coverage imports many modules
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], env=environ, capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stderr.split())


@pytest.mark.parametrize("argument", ["--version", "--help"])
def test_version_and_help_load_no_client_server_or_database(argument: str, bare_environ: dict[str, str]) -> None:
    modules = loaded([argument], bare_environ)
    assert "orcredit.cli.app" in modules
    assert not modules & (HTTP | SERVER | DATABASE | RETRIES | {"orcredit.balance", "orcredit.client"})


@pytest.mark.parametrize("how", ["--json", "-q"])
def test_status_loads_no_server_no_database_no_retries_no_rich_and_no_simulator(
    how: str, server: simulator.Server, bare_environ: dict[str, str]
) -> None:
    environ = bare_environ | {"OPENROUTER_BASE_URL": server.base_url, "OPENROUTER_API_KEY": simulator.key_for("normal")}
    modules = loaded(["status", how], environ)
    assert "httpx2" in modules
    assert not modules & (SERVER | DATABASE | RETRIES | {"rich.console", "orcredit.simulator"})


@pytest.mark.parametrize("arguments", [("explain", "403 Key limit exceeded"), ("open", "--print")])
def test_explain_and_open_load_no_client(arguments: tuple[str, ...], bare_environ: dict[str, str]) -> None:
    modules = loaded(arguments, bare_environ | {"OPENROUTER_API_KEY": simulator.key_for("normal")})
    assert f"orcredit.cli.{arguments[0]}" in modules
    assert not modules & (HTTP | SERVER | DATABASE | RETRIES | {"orcredit.client"})


def test_the_request_is_sent_before_modules_are_imported_that_only_the_answer_needs(
    server: simulator.Server, bare_environ: dict[str, str]
) -> None:
    at_connect = (
        "import os, sys\n"
        "def hook(event, args):\n"
        "    if event == 'socket.connect' and args[1][1] == int(os.environ['PORT']):\n"
        "        print(*sys.modules, sep='\\n', file=sys.stderr)\n"
        "sys.addaudithook(hook)\n"
        "from orcredit.cli import main\n"
        "sys.exit(main(['status']))\n"
    )
    port = server.base_url.split(":")[2].partition("/")[0]
    environ = bare_environ | {"OPENROUTER_API_KEY": simulator.key_for("normal"), "PORT": port}
    environ = {name: value for name, value in environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-c", at_connect],
        env=environ | {"OPENROUTER_BASE_URL": server.base_url},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    modules = set(done.stderr.split())
    assert {"httpx2", "orcredit.cli.status"} <= modules
    assert not {module for module in modules if module.startswith(("rich", "orcredit.render"))}
    assert not modules & (SERVER | DATABASE | RETRIES | {"orcredit.balance", "orcredit.openrouter.wire"})
    assert not modules & {f"orcredit.cli.{name}" for name in ("watch", "serve", "history", "explain", "open", "line")}


def test_the_tables_modules_are_imported_while_waiting_for_the_answer(
    tmp_path: Path, bare_environ: dict[str, str]
) -> None:
    loading = tmp_path / "loading"
    signalling = (
        "import os, pathlib, sys\n"
        "def hook(event, args):\n"
        "    if event == 'open' and '/orcredit/render/' in str(args[0]) and '/status.' in str(args[0]):\n"
        "        open(os.environ['LOADING'], 'w').close()\n"
        "sys.addaudithook(hook)\n"
        "from orcredit.cli import main\n"
        "sys.exit(main(['status', '--timeout', '60']))\n"
    )
    in_time: list[bool] = []

    def respond(request: simulator.Request, now: datetime) -> simulator.Response:
        deadline = time.monotonic() + 30
        while not loading.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        in_time.append(loading.exists())
        return simulator.respond(request, now)

    with simulator.Server(responder=respond) as server:
        environ = {"OPENROUTER_BASE_URL": server.base_url, "OPENROUTER_API_KEY": simulator.key_for("normal")}
        program = [sys.executable, "-c", signalling]
        done = subprocess.run(
            program,
            env=bare_environ | environ | {"LOADING": str(loading)},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    assert in_time == [True, True]  # of both requests
    assert done.stdout.startswith("Can spend")


def test_line_loads_only_a_few_standard_modules(bare_environ: dict[str, str]) -> None:
    # The interpreter's own modules do not count.
    own = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"],
        env={name: value for name, value in bare_environ.items() if not name.startswith("COV")},
        capture_output=True,
        text=True,
        check=True,
    )
    environ = bare_environ | {"OPENROUTER_API_KEY": simulator.key_for("normal")}
    keep = (
        "from orcredit import Client, cache; from orcredit.config import credentials; chosen = credentials.load(); "
        "cache.store(chosen.base_url, chosen.key, Client.demo().balance())"
    )
    subprocess.run([sys.executable, "-c", keep], env=environ, check=True)
    for arguments in (["line"], ["line", "--for", "zsh", "--max-age", "5m", "--format", "{spendable} {runway}"]):
        modules = loaded(arguments, environ) - set(own.stdout.split())
        ours = {module for module in modules if module.partition(".")[0] == "orcredit"}
        assert ours - {"orcredit.durations", "orcredit.render.prompts"} == {
            "orcredit",
            "orcredit.cache",
            "orcredit.cli",
            "orcredit.cli.leaving",
            "orcredit.cli.line",
            "orcredit.cli.line_profile",
            "orcredit.cli.output",
            "orcredit.config",
            "orcredit.config.credentials",
            "orcredit.config.place",
            "orcredit.errors",
            "orcredit.private_files",
            "orcredit.render",
            "orcredit.render.line",
        }
        assert {module.partition(".")[0] for module in modules - ours} <= sys.stdlib_module_names
        assert not modules & (HTTP | SERVER | DATABASE | HEAVY)


def test_line_loads_only_standard_modules_when_it_starts_a_refresh(bare_environ: dict[str, str]) -> None:
    environ = bare_environ | {
        "OPENROUTER_API_KEY": simulator.key_for("normal"),
        "OPENROUTER_BASE_URL": "http://127.0.0.1:9",
    }
    modules = loaded(["line", "--exit-zero"], environ)
    assert "fcntl" in modules  # it claimed the refresh
    assert not modules & (HTTP | SERVER | DATABASE | HEAVY)


def test_the_public_names_exist_and_load_on_first_use() -> None:
    program = (
        "import sys, orcredit; assert not {'pydantic', 'httpx2'} & set(sys.modules); "
        "names = {name: getattr(orcredit, name) for name in orcredit.__all__}; "
        "assert set(dir(orcredit)) == set(names), dir(orcredit); assert 'httpx2' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_other_names_raise_an_attribute_error() -> None:
    program = "import orcredit; orcredit.nonsense"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "module 'orcredit' has no attribute 'nonsense'" in done.stderr


def test_imports_point_down_the_list_of_modules() -> None:
    """Each module may import those below it in ARCHITECTURE.md's table, at import time or later."""
    table = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").split("## Modules")[1].split("\n\n`orcredit")[0]
    first_cells = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    listed = [re.sub(r"\.py|/", "", name) for cell in first_cells for name in re.findall(r"`(.*?)`", cell)]
    assert {
        path.stem for path in (ROOT / "orcredit").iterdir() if "__" not in path.name and path.suffix != ".typed"
    } == set(listed)
    program = (
        "import ast, pathlib, sys, orcredit\n"
        "root = pathlib.Path(orcredit.__file__).parent\n"
        "for path in root.rglob('*.py'):\n"
        "    module = path.relative_to(root).with_suffix('').parts[0]\n"
        "    for node in ast.walk(ast.parse(path.read_text())):\n"
        "        names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []\n"
        "        names = [a.name for a in node.names] if isinstance(node, ast.Import) else names\n"
        "        for name in names:\n"
        "            if name.startswith('orcredit.'):\n"
        "                print(module, name.split('.')[1])\n"
        "            elif name == 'orcredit' and isinstance(node, ast.ImportFrom):\n"
        "                print(*[f'{module} {a.name}' for a in node.names], sep='\\n')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    for pair in done.stdout.splitlines():
        importer, imported = pair.split()
        if importer in listed and imported in listed:
            assert listed.index(importer) <= listed.index(imported), pair
