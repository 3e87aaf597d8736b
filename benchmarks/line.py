"""The run time of `orcredit line`, compared with a Python that does nothing and with `orcredit status --json`.

All are whole processes, run in turns so that load affects all alike; the result is the median over the rounds of the
ratio to `python -c pass`. Aim: <= 2.5 for the line from a fresh cache. Also measured: `python -m`, a base URL (which
has to be validated), a profile of `config.toml`, and the one prompt per `--max-age` that starts a refresh. The console
script is that of this interpreter's environment.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from orcredit import Balance, cache, simulator
from orcredit.config import credentials

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 40
AIM = 2.5

SCRIPT = str(Path(sys.executable).with_name("orcredit"))
OLD = 3600.0
"""Seconds."""
NOTHING = "python -c pass"
LINE = "orcredit line"


def wall_time(command: list[str], environ: dict[str, str]) -> float:
    """Run a program and return the seconds it took."""
    started = time.perf_counter()
    subprocess.run(command, env=environ, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    with simulator.Server() as server, tempfile.TemporaryDirectory() as home:
        for variable in (
            "OPENROUTER_MANAGEMENT_KEY",
            "ORCREDIT_WARN_BELOW",
            "ORCREDIT_PROFILE",
            "XDG_CACHE_HOME",
            "XDG_CONFIG_HOME",
            "PYTHONDONTWRITEBYTECODE",  # an installed program has its bytecode
        ):
            os.environ.pop(variable, None)
        key = simulator.key_for("normal")
        default = os.environ | {"HOME": home, "OPENROUTER_API_KEY": key, "OPENROUTER_BASE_URL": ""}
        own = default | {"OPENROUTER_BASE_URL": server.base_url}
        config = Path(home, "config.toml")
        profiles = own | {"ORCREDIT_CONFIG": str(config)}
        stale_url = server.base_url.replace("127.0.0.1", "localhost")
        commands = {
            NOTHING: ([sys.executable, "-c", "pass"], default),
            LINE: ([SCRIPT, "line"], default),
            f"{LINE}, base URL": ([SCRIPT, "line"], own),
            f"{LINE} -p work": ([SCRIPT, "line", "-p", "work"], profiles),
            f"{LINE} --all": ([SCRIPT, "line", "--all"], profiles),
            f"python -m {LINE}": ([sys.executable, "-m", "orcredit", "line"], default),
            "orcredit status --json": ([SCRIPT, "status", "--json"], own),
            f"{LINE}, refresh": ([SCRIPT, "line"], default | {"OPENROUTER_BASE_URL": stale_url}),
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        os.environ["HOME"] = home  # so that this process writes to the cache that the commands read
        config.write_text(f'[profiles.work]\nkey_env = "OPENROUTER_API_KEY"\nbase_url = "{server.base_url}"\n')
        config.chmod(0o600)
        document = subprocess.run([SCRIPT, "status", "--json"], env=own, check=True, capture_output=True).stdout
        balance = Balance.model_validate_json(document)
        for counts in [False] + [True] * ROUNDS:  # one round to warm the bytecode and disk caches
            for url in (credentials.DEFAULT_BASE_URL, server.base_url, stale_url):
                cache.store(url, key, balance)
            make_old(stale_url, key)
            for name, (command, environ) in commands.items():
                seconds = wall_time(command, environ)
                if counts:
                    times[name].append(seconds)
            while is_old(stale_url, key):  # wait, so that the refresh does not slow the next command down
                time.sleep(0.05)
    for name, each in times.items():
        ratio = statistics.median(ours / least for ours, least in zip(each, times[NOTHING], strict=True))
        median, best = statistics.median(each) * 1000, min(each) * 1000
        print(f"{name:26} median {median:6.1f} ms   best {best:6.1f} ms   ratio {ratio:5.2f}")
    print(f"aim: '{LINE}' at most {AIM} x '{NOTHING}'; {ROUNDS} rounds")


def make_old(base_url: str, key: str) -> None:
    """Backdate the cache file, and remove the last claim."""
    file = Path(cache.path_of(base_url, key, ".json") or "")
    whole = json.loads(file.read_text())
    file.write_text(json.dumps(whole | {"writtenAt": whole["writtenAt"] - OLD}))
    Path(cache.path_of(base_url, key, ".attempt") or "").unlink(missing_ok=True)


def is_old(base_url: str, key: str) -> bool:
    """Return whether the file is still the one backdated by `make_old`."""
    cached = cache.load(base_url, key)
    age = cached.age(time.time()) if cached is not None else None
    return age is not None and age > OLD / 2


if __name__ == "__main__":
    main()
