"""A DAG that reads one sync in shards, side by side, and concludes them.

It is configured by environment variables of the Airflow workers:

- `TAP_ANALYTICS_PROJECT`: folder of the Meltano project, whose plugins are installed.
- `TAP_ANALYTICS_LOADER`: name of the loader, by default target-postgres.
- `TAP_ANALYTICS_SHARDS`: most shards, by default 8; a run may ask for less by its parameter
  `count`.
- `TAP_ANALYTICS_RUNS`: folder that all workers reach, where each run keeps its shards.
- `TAP_ANALYTICS_MELTANO`: the command of Meltano, by default meltano.
"""

from __future__ import annotations

import os
import typing as t
from datetime import timedelta
from pathlib import Path

from airflow.sdk import dag, get_current_context, task
from pipeline import Pipeline

COUNT = int(os.environ.get("TAP_ANALYTICS_SHARDS", "8"))
RETRIES: dict[str, t.Any] = {"retries": 2, "retry_delay": timedelta(seconds=5)}


def pipeline() -> Pipeline:
    """Return the pipeline that the environment and the parameters of the run describe."""
    params = get_current_context()["params"]
    return Pipeline(
        project=os.environ["TAP_ANALYTICS_PROJECT"],
        loader=os.environ.get("TAP_ANALYTICS_LOADER", "target-postgres"),
        state_id=params["state_id"],
        meltano=os.environ.get("TAP_ANALYTICS_MELTANO", "meltano"),
        variables=params["variables"],
    )


def folder() -> str:
    """Return the folder of this run of the DAG."""
    runs = Path(os.environ["TAP_ANALYTICS_RUNS"])
    return str(runs / get_current_context()["run_id"].replace(":", "-"))


@dag(
    schedule=None,
    catchup=False,
    max_active_runs=1,
    max_active_tasks=COUNT,
    params={"count": COUNT, "state_id": "tap-analytics-sharded", "variables": {}},
)
def tap_analytics_sharded() -> None:
    """Divide, make the tables, read every shard, conclude."""

    @task(**RETRIES)
    def divide() -> list[dict[str, t.Any]]:
        return pipeline().divide(count=get_current_context()["params"]["count"], folder=folder())

    @task(**RETRIES)
    def prepare(made: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
        pipeline().read(made[0], folder=folder())
        return made[1:]

    @task(**RETRIES)
    def read(shard: dict[str, t.Any]) -> None:
        pipeline().read(shard, folder=folder())

    @task
    def conclude() -> None:
        pipeline().conclude(folder=folder())

    read.expand(shard=prepare(divide())) >> conclude()


tap_analytics_sharded()
