"""Divide a sync of the demo's APIs into shards, run them on Airflow, kill one, and compare."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import typing as t
from collections import defaultdict
from pathlib import Path

from walkthrough.postgres import Database, Postgres, PostgresError

from scaling.airflow import Airflow, AirflowError
from tap_analytics.demo import DemoApi
from tap_analytics.demo.tap_config import variables

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".scale"
LATENCY = 0.05
LIMIT = 40
SCHEMA = "shards_{count}"


def main() -> int:
    """Run the shards; return 1 if rows differ or the limit was exceeded."""
    parser = argparse.ArgumentParser(prog="scripts/scale", description=__doc__)
    parser.add_argument("--airflow", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--counts", default="1,2,4,8", help="numbers of shards, by default 1,2,4,8")
    parser.add_argument("--rows", type=float, default=3, help="size of the demo, by default 3")
    options = parser.parse_args()
    counts = [int(each) for each in options.counts.split(",")]
    shutil.rmtree(FOLDER / "runs", ignore_errors=True)
    with contextlib.ExitStack() as opened:
        server = opened.enter_context(Postgres())
        demo = opened.enter_context(DemoApi(scale=options.rows, latency=LATENCY, rate_limits=False))
        for name in ("airflow", "meltano", "limits"):
            server.execute(f"CREATE DATABASE {name}")
        say("Installing the plugins")
        env = _environment(server, demo)
        _install(env)
        say("Starting Airflow")
        airflow = opened.enter_context(
            Airflow(
                program=options.airflow,
                database=dataclasses.replace(server, name="airflow"),
                home=FOLDER / "airflow",
                parallelism=max(counts),
                env=env,
            )
        )
        is_right = [
            _run(airflow, server, demo, count, kill=count == max(counts)) for count in counts
        ]
    return int(not all(is_right))


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _environment(server: Database, demo: DemoApi) -> dict[str, str]:
    """Return the variables of Meltano, the tap and the target, and of the DAG."""

    def url(name: str) -> str:
        return f"postgresql://{server.user}@{server.host}:{server.port}/{name}"

    return {
        **variables(demo.config),
        **variables({api: {"requests_per_second": LIMIT} for api in BLOCKS}),
        **server.env,
        "TAP_ANALYTICS_RATE_LIMIT_STORE": url("limits"),
        "TAP_ANALYTICS_EMIT_ACTIVATE_VERSION_MESSAGES": "true",
        "TAP_ANALYTICS_PROJECT": str(FOLDER / "project"),
        "TAP_ANALYTICS_RUNS": str(FOLDER / "runs"),
        "TAP_ANALYTICS_MELTANO": str(Path(sys.executable).with_name("meltano")),
        "TAP_ANALYTICS_LOADER": "target-postgres",
        "MELTANO_DATABASE_URI": url("meltano").replace("postgresql:", "postgresql+psycopg:"),
        "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
        "MELTANO_VENV_BACKEND": os.environ.get("MELTANO_VENV_BACKEND", "virtualenv"),
    }


BLOCKS = ("learning", "experimentation", "wiki", "success")


def _install(env: t.Mapping[str, str]) -> None:
    """Make a Meltano project of this repository's plugins, and install what the shards use."""
    project = FOLDER / "project"
    project.mkdir(parents=True, exist_ok=True)
    definition = (ROOT / "meltano.yml").read_text("utf-8")
    definition = definition.replace("pip_url: -e .\n", f"pip_url: -e {ROOT}[postgres]\n")
    (project / "meltano.yml").write_text(definition, "utf-8")
    for kind, name in (("extractor", "tap-analytics"), ("loader", "target-postgres")):
        with (FOLDER / "install.log").open("ab") as log:
            subprocess.run(  # noqa: S603 - Meltano of this repository
                [env["TAP_ANALYTICS_MELTANO"], "install", kind, name],
                cwd=project,
                env={**os.environ, **env},
                check=True,
                stdout=log,
                stderr=subprocess.STDOUT,
            )


def _run(airflow: Airflow, server: Database, demo: DemoApi, count: int, *, kill: bool) -> bool:
    """Run the DAG once, and print what came of it."""
    schema = SCHEMA.format(count=count)
    demo.reset_counts()
    killed: list[str] = []
    run = airflow.trigger(
        {
            "count": count,
            "state_id": schema,
            "variables": {"TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": schema},
        }
    )
    done = threading.Event()
    if kill:
        threading.Thread(target=_kill_one, args=(killed, done), daemon=True).start()
    try:
        airflow.wait(run)
    finally:
        done.set()
    rows = {name: len(demo.rows(name)) for name in demo.streams}
    found = {
        name: int(server.query(f'SELECT count(*) AS n FROM "{schema}"."{name}"')[0]["n"])  # noqa: S608 - names of this repository
        for name in rows
    }
    most = _most_in_a_second(demo)
    shards = "1 shard" if count == 1 else f"{count} shards"
    say(
        f"{shards}: {airflow.seconds(run):.0f} s, {airflow.attempts(run)} attempts, "
        f"{sum(found.values()):,} of {sum(rows.values()):,} rows, "
        f"{len(demo.requests):,} requests, {_rate(demo):.0f} a second over all workers, at most "
        f"{max(most.values())} in any second to one API (limit {LIMIT})"
        + (f"; killed: {', '.join(killed)}" if kill else "")
    )
    for name, expected in rows.items():
        if expected != found[name]:
            say(f"  {name}: {found[name]} rows of {expected}")
    return rows == found and max(most.values()) <= LIMIT and (bool(killed) or not kill)


def _rate(demo: DemoApi) -> float:
    """Return the requests per second, from the first to the last."""
    times = [request.at for request in demo.requests]
    return len(times) / max(max(times) - min(times), 1)


def _most_in_a_second(demo: DemoApi) -> dict[str, int]:
    """Return the most requests that an API got in any second."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    for request in demo.requests:
        times[request.path.split("/")[1]].append(request.at)
    return {
        api: max(sum(start <= each < start + 1 for each in found) for start in found)
        for api, found in times.items()
    }


def _kill_one(killed: list[str], done: threading.Event) -> None:
    """Kill the first tap that reads a shard, a second after it began."""
    while not done.wait(0.2):
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, ValueError, KeyError):
                environ = dict(
                    each.partition("=")[::2]
                    for each in (process / "environ").read_text("utf-8").split("\0")
                )
                words = (process / "cmdline").read_text("utf-8").split("\0")
                is_tap = any(word.endswith("/bin/tap-analytics") for word in words)
                shard = json.loads(environ["TAP_ANALYTICS_SHARD"])
                if is_tap and "--discover" not in words and shard["id"] != "prepare":
                    time.sleep(1)
                    os.kill(int(process.name), signal.SIGKILL)
                    killed.append(shard["id"])
                    return


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (AirflowError, PostgresError) as error:
        sys.exit(f"error: {error}")
