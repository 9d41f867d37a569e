"""Runs with a small budget, again and again through the real process, until all is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.processes import discover, only, run
from support.runs import bag, select

from tap_analytics.demo import DemoApi
from tap_analytics.demo.dialects import DIALECTS

LOADS = pytest.mark.xdist_group("meltano")
#: A stream of each kind of paging: offset, page number and cursor, and by row number or link.
STREAMS = ("declared_resource_name", "learning_people", "success_notes", "wiki_audit")


def keys(rows):
    """Return what tells rows apart: the events of an audit log by all that the server sends."""
    own = ({name: row[name] for name in row if name != "record_hash"} for row in rows)
    return set(bag(row.get("id") or row for row in own))


def prepared(api, *, width):
    """Return a configuration with small pages and the catalog that goes with it."""
    config = api.config | {"concurrency": width}
    for name, size in (("learning", 20), ("success", 25), ("wiki", 12)):
        config[name] |= {"page_size": size, "requests_per_second": 0}
    config["experimentation"] |= {"requests_per_second": 0}
    for resource in config["apis"][0]["resources"]:
        resource["endpoint"]["paginator"] |= {"limit": 30}
    return config, discover(config)


def until_complete(api, config, catalog, *, requests, runs):
    """Run from state to state; return the rows of all runs by stream."""
    state, found = None, {}
    for number in range(runs):
        api.reset_counts()
        done = run(config | {"max_requests": requests}, catalog=catalog, state=state)
        assert api.stats()["requests_total"] <= requests
        state = done.state or state
        for message in done.of("RECORD", None):
            found.setdefault(message["stream"], []).append(message["record"])
        if done.code == 0:
            assert number > 1
            return found, state
        assert (done.code, len(done.errors), done.of("ACTIVATE_VERSION", None)) == (1, 1, []), (
            done.stderr
        )
        assert "The next run resumes here" in done.errors[0]
    raise AssertionError(f"not complete after {runs} runs: {done.errors}")


@pytest.mark.parametrize(("dialect", "width"), [*zip(DIALECTS, (1, 8), strict=True)])
def test_the_runs_add_up_to_the_source(dialect, width):
    with DemoApi(dialect=dialect) as api:
        config, catalog = prepared(api, width=width)
        chosen = select(catalog, *STREAMS)
        found, state = until_complete(api, config, chosen, requests=6, runs=20)
        for stream in STREAMS:
            assert keys(found[stream]) == keys(api.rows(stream)), stream
        # What is taken back is overwritten, since Meltano merges states member by member.
        marks = state["bookmarks"].values()
        kept = [mark.get(name) for mark in marks for name in ("finished", "position")]
        assert [mark for mark in kept if mark and mark["at"] is not None] == []


def test_streams_with_children_get_a_whole_budget_in_the_end():
    with DemoApi() as api:
        config, catalog = prepared(api, width=8)
        found, _ = until_complete(api, config, catalog, requests=70, runs=8)
        for stream in api.streams:
            expected = api.rows(stream)
            if expected and "id" in expected[0]:
                ids = {row["id"] for row in found[stream]}
                assert ids == {row["id"] for row in expected}, stream


@pytest.mark.parametrize("width", [1, 8])
def test_faults_do_not_overspend(width):
    faults = [{"status": 500, "match": {"path": "/people|/notes"}, "times": 7}]
    with DemoApi(faults=faults) as api:
        config, catalog = prepared(api, width=width)
        for name in ("learning", "success"):
            config[name] |= {"retry": {"backoff_factor": 0, "max_retries": 9}}
        api.reset_counts()
        done = run(config | {"max_requests": 12}, catalog=select(catalog, *STREAMS))
        assert api.stats()["requests_total"] == 12
    assert done.code == 1


@pytest.mark.outside
@LOADS
def test_meltano_keeps_the_source_of_a_bookmark(meltano_project, settings, tmp_path):
    with DemoApi() as here, DemoApi() as there:
        env = {
            "MELTANO_DATABASE_URI": f"sqlite:///{tmp_path}/meltano.db",
            "TARGET_JSONL_DESTINATION_PATH": str(tmp_path),
        }

        def load(api, *options, fails=False, **config):
            given = settings(only(api.config, "learning") | config) | env
            api.reset_counts()
            said = meltano_project.load("target-jsonl", *options, env=given, fails=fails)
            people = [asked for asked in api.requests if asked.path.endswith("/people")]
            return "is not used: this run reads" in said, people[0].params

        load(here)
        # A full refresh is merged into the state, bookmark by bookmark and member by member.
        assert not load(there, "--full-refresh", fails=True, max_requests=1)[0]
        warned, params = load(here)
        assert (warned, "filter[updated_at][gteq]" in params) == (False, True)


@pytest.mark.outside
@LOADS
def test_meltano_carries_what_a_budget_leaves(meltano_project, settings, tmp_path):
    with DemoApi() as api:
        config = only(api.config, "learning") | {"max_requests": 17}
        env = settings(config) | {
            "MELTANO_DATABASE_URI": f"sqlite:///{tmp_path}/meltano.db",
            "TARGET_JSONL_DESTINATION_PATH": str(tmp_path),
        }
        said = meltano_project.load("target-jsonl", env=env, fails=True)
        assert "learning_people" not in said.partition("not finished: ")[2].partition("]")[0]
        api.reset_counts()
        meltano_project.load("target-jsonl", env=env)
        assert not [asked for asked in api.requests if asked.path.endswith("/people")]
        for stream in ("learning_people", "learning_courses", "learning_course_enrollments"):
            lines = Path(tmp_path, f"{stream}.jsonl").read_text("utf-8").splitlines()
            ids = {json.loads(line)["id"] for line in lines}
            assert ids == {row["id"] for row in api.rows(stream)}, stream


def test_a_preview_changes_nothing_for_the_next_run():
    with DemoApi() as api:
        config, catalog = prepared(api, width=8)
        state = run(config, catalog=catalog).state
        for _ in range(3):
            api.mutate()
        looked = run(config | {"max_records": 2}, catalog=catalog, state=state)
        assert looked.code == 0
        assert max(len(looked.records(stream)) for stream in api.streams) == 2
        assert looked.of("ACTIVATE_VERSION", None) == []
        [line] = looked.warnings
        cut = line.partition("as they were: ")[2].rstrip(".").split(", ")
        before, after = state["bookmarks"], looked.state["bookmarks"]
        assert {"learning_people", "success_notes", "experimentation_labels"} <= {*cut}
        assert all(after.get(stream) == before.get(stream) for stream in cut)
        expected = run(config, catalog=catalog, state=state)
        done = run(config, catalog=catalog, state=looked.state)
        for stream in cut:
            assert keys(done.records(stream)) == keys(expected.records(stream)), stream
