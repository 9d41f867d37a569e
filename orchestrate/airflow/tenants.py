"""A DAG that syncs many tenants side by side, each with a configuration and a state of its own.

The Airflow variable `tap_analytics_tenants` is a JSON list of tenants, each with a name and the
variables of its configuration:

    [{"name": "acme", "variables": {"TAP_ANALYTICS_WIKI_BASE_URL": "https://acme.example.com"}}]

The connection `tap_analytics_NAME`, if there is one, adds secrets: its extra is a JSON object of
variables. The environment of the workers is that of the DAG in `sharded.py`; `TAP_ANALYTICS_SHARDS`
is the number of tenants at once.
"""

from __future__ import annotations

import os
import typing as t
from datetime import timedelta

from airflow.sdk import BaseHook, Variable, dag, task
from airflow.sdk.exceptions import AirflowRuntimeError
from pipeline import Pipeline

AT_ONCE = int(os.environ.get("TAP_ANALYTICS_SHARDS", "8"))


def secrets_of(name: str) -> dict[str, str]:
    """Return the variables in the connection of a tenant."""
    try:
        return dict(BaseHook.get_connection(f"tap_analytics_{name}").extra_dejson)
    except AirflowRuntimeError:
        return {}


@dag(schedule=None, catchup=False, max_active_runs=1, max_active_tasks=AT_ONCE)
def tap_analytics_tenants() -> None:
    """Sync every tenant."""

    @task
    def tenants() -> list[dict[str, t.Any]]:
        return list(Variable.get("tap_analytics_tenants", deserialize_json=True))

    @task(retries=2, retry_delay=timedelta(seconds=5), map_index_template="{{ tenant['name'] }}")
    def sync(tenant: dict[str, t.Any]) -> None:
        name = tenant["name"]
        Pipeline(
            project=os.environ["TAP_ANALYTICS_PROJECT"],
            loader=os.environ.get("TAP_ANALYTICS_LOADER", "target-postgres"),
            state_id=f"tap-analytics-{name}",
            meltano=os.environ.get("TAP_ANALYTICS_MELTANO", "meltano"),
            variables={**tenant["variables"], **secrets_of(name)},
        ).sync()

    sync.expand(tenant=tenants())


tap_analytics_tenants()
