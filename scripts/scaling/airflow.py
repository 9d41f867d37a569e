"""Airflow with its scheduler, DAG processor and API server, its metadata in PostgreSQL."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import typing as t
import uuid
from pathlib import Path

from walkthrough.postgres import free_port

if t.TYPE_CHECKING:
    from walkthrough.postgres import Database

ROOT = Path(__file__).resolve().parents[2]
DAGS = ROOT / "orchestrate" / "airflow"
SERVICES = ("api-server", "scheduler", "dag-processor")
DAG = "tap_analytics_sharded"


class AirflowError(RuntimeError):
    """Airflow failed; the message says where its log is."""


class Airflow:
    """Runs while its block does: `with Airflow(...) as airflow: airflow.run({...})`."""

    def __init__(
        self,
        *,
        program: Path,
        database: Database,
        home: Path,
        parallelism: int,
        env: dict[str, str],
    ) -> None:
        port = free_port()
        self._program = program
        self._database = database
        self._home = home
        server = f"{database.user}@{database.host}:{database.port}/{database.name}"
        self._env = {
            **os.environ,
            **env,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": str(parallelism + 2),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{server}",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": uuid.uuid4().hex * 2,
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            "PYTHONPATH": str(DAGS),
        }
        self._services: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> t.Self:
        self._home.mkdir(parents=True, exist_ok=True)
        self._log = (self._home / "airflow.log").open("ab")
        self._call("db", "migrate")
        for service in SERVICES:
            self._services.append(
                subprocess.Popen(  # noqa: S603 - the program given
                    [str(self._program), service],
                    env=self._env,
                    stdout=self._log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )
        self._wait_for(lambda: self._one(f"SELECT 1 FROM dag WHERE dag_id = '{DAG}'"))  # noqa: S608 - a constant
        self._database.execute("UPDATE dag SET is_paused = false")
        return self

    def __exit__(self, *_: object) -> None:
        for service in self._services:
            os.killpg(service.pid, signal.SIGTERM)
        for service in self._services:
            try:
                service.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(service.pid, signal.SIGKILL)
        self._log.close()

    def trigger(self, conf: dict[str, t.Any]) -> str:
        """Start a run of the DAG with these parameters and return its id."""
        run = f"scale-{uuid.uuid4().hex[:8]}"
        self._call("dags", "trigger", DAG, "--run-id", run, "--conf", json.dumps(conf))
        return run

    def wait(self, run: str) -> None:
        """Wait for the end of a run; raises `AirflowError` if it failed."""
        query = f"SELECT state FROM dag_run WHERE run_id = '{run}'"  # noqa: S608 - made here
        self._wait_for(lambda: self._one(query) in {"success", "failed"}, seconds=900)
        if self._one(query) == "failed":
            raise AirflowError(f"The run failed; see {self._home}/logs.")

    def seconds(self, run: str) -> float:
        """Return the time from the start of the first shard to the end of the last."""
        return float(
            self._one(
                "SELECT extract(epoch FROM max(end_date) - min(start_date)) FROM task_instance "  # noqa: S608 - made here
                f"WHERE run_id = '{run}' AND task_id = 'read'"
            )
        )

    def attempts(self, run: str) -> int:
        """Return the attempts at all shards."""
        return int(
            self._one(
                "SELECT sum(try_number) FROM task_instance "  # noqa: S608 - made here
                f"WHERE run_id = '{run}' AND task_id = 'read'"
            )
        )

    def _one(self, sql: str) -> str:
        return self._database.execute(sql).strip()

    def _wait_for(self, is_there: t.Callable[[], object], *, seconds: float = 180) -> None:
        end = time.monotonic() + seconds
        while not is_there():
            for service in self._services:
                if service.poll() is not None:
                    raise AirflowError(f"Airflow ended; see {self._home}/airflow.log.")
            if time.monotonic() > end:
                raise AirflowError(f"Airflow took too long; see {self._home}/airflow.log.")
            time.sleep(0.5)

    def _call(self, *arguments: str) -> None:
        command = [str(self._program), *arguments]
        done = subprocess.run(  # noqa: S603 - the program given
            command, env=self._env, stdout=self._log, stderr=subprocess.STDOUT, check=False
        )
        if done.returncode:
            raise AirflowError(f"airflow {arguments[0]} failed; see {self._home}/airflow.log.")
