"""The pipeline of the DAGs, with the real Meltano and PostgreSQL; `scripts/scale` runs the DAG."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.paths import ROOT
from support.processes import only

from tap_analytics.demo import DemoApi
from tap_analytics.demo.tap_config import variables

sys.path.insert(0, str(ROOT / "orchestrate" / "airflow"))
from pipeline import Pipeline


@pytest.mark.outside
def test_shards_that_run_side_by_side_fill_the_tables_once(meltano_project, postgres, tmp_path):
    with DemoApi(scale=0.3) as demo:
        settings = only(demo.config, "learning", "success", emit_activate_version_messages=True)
        pipeline = Pipeline(
            project=str(meltano_project.folder),
            loader="target-postgres",
            state_id="shards",
            meltano=str(Path(sys.executable).with_name("meltano")),
            variables={
                **meltano_project.env,
                **postgres.env,
                **variables(settings),
                "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": "shards",
            },
        )
        folder = str(tmp_path / "runs")
        prepare, *shards = pipeline.divide(count=2, folder=folder)
        pipeline.read(prepare, folder=folder)
        with ThreadPoolExecutor() as workers:
            list(workers.map(lambda shard: pipeline.read(shard, folder=folder), shards))
        assert pipeline.state() == {}
        pipeline.conclude(folder=folder)
        read = {name for name in demo.streams if name.startswith(("learning_", "success_"))}
        counts = {
            name: postgres.query(f'SELECT count(*) AS n FROM shards."{name}"')[0]["n"]
            for name in read
        }
        assert counts == {name: len(demo.rows(name)) for name in read}
        assert "learning_people" in pipeline.state()["bookmarks"]
