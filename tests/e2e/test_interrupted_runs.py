"""Runs interrupted at any point, into a real target: nothing is lost or deleted too early.

What a target acknowledged is what the next run builds on, so every test carries the state the way
a pipeline does: through Meltano, through the target's own output, or as the last line of a file.
"""

from __future__ import annotations

import json
import os
import random
import signal

import pytest
from support.patience import until
from support.processes import discover, hurried, only, run, start
from support.runs import select
from support.servers import PathApi
from support.warehouse import LOADER

from tap_analytics.demo import DemoApi

# One worker installs the plugins, and runs of one project take turns.
LOADS = pytest.mark.xdist_group("meltano")

#: Another sample in each run; a run that failed is repeated with the seed it printed.
SEED = int(os.environ.get("CUT_SEED", random.randrange(2**32)))


def pages_of(requests, path, name):
    """Return the numbers of the pages that were asked for, in order."""
    return [int(asked.params[name]) for asked in requests if asked.path.endswith(path)]


# --- through Meltano --------------------------------------------------------------------------


@LOADS
def test_meltano_resumes_a_failed_run_after_its_last_page(
    meltano_project, warehouse, tmp_path, settings
):
    down = {"status": 500, "match": {"path": "/people"}, "after": 5, "times": None}
    with DemoApi(faults=[down]) as api:
        config = hurried(only(api.config, "learning", concurrency=1), max_retries=1)
        config["learning"] |= {"page_size": 10}
        state = {"MELTANO_DATABASE_URI": f"sqlite:///{tmp_path}/meltano.db"}
        env = settings(config) | warehouse.env | state
        meltano_project.load(LOADER, env=env, fails=True)
        landed = warehouse.ids("learning_people")
        answered = [
            asked
            for asked in api.requests
            if asked.path.endswith("/people") and asked.status == 200
        ]
        assert len(landed) == 10 * len(answered) == 50
        assert len(warehouse.rows("learning_courses")) == len(api.rows("learning_courses"))

        api.set_faults([])
        api.reset_counts()
        meltano_project.load(LOADER, env=env)
        asked = pages_of(api.requests, "/people", "page")
        for stream in ("learning_people", "learning_courses", "learning_course_enrollments"):
            expected = sorted(row["id"] for row in api.rows(stream))
            assert warehouse.ids(stream) == expected, stream
    # The last page that landed is read again, to see whether its end is still there.
    assert asked[0] == len(answered)


# --- kill -9 ----------------------------------------------------------------------------------

#: A stream of each kind of paging: by page number, by row number, by cursor.
KILLED = {
    "learning_people": "learning",
    "declared_resource_name": "apis",
    "success_notes": "success",
}


def killable(api):
    """Return a configuration with small pages: requests by the hundred."""
    config = only(api.config, "learning", "success", "apis")
    for name, size in (("learning", 4), ("success", 6)):
        config[name] |= {"page_size": size}
    for resource in config["apis"][0]["resources"]:
        # A paginator's own limit comes before `page_size`.
        resource["endpoint"]["paginator"] |= {"limit": 7}
    return config


def lines_of(file):
    """Return the whole messages in a file; a kill may have torn the last line."""
    whole = file.read_bytes().rpartition(b"\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


def until_state(messages):
    """Return the messages up to the last STATE, and that state: what a target may have kept."""
    states = [place for place, message in enumerate(messages) if message["type"] == "STATE"]
    if not states:
        return [], {}
    return messages[: states[-1]], messages[states[-1]]["value"]


def ids(messages, stream):
    return [
        message["record"]["id"]
        for message in messages
        if message["type"] == "RECORD" and message["stream"] == stream
    ]


def kill_and_go_on(api, config, catalog, file, *, after, placed):
    """Kill a run after so many requests; check the next one, return the streams it took up.

    `placed` waits until the last STATE holds a place to go on from.
    """
    api.reset_counts()
    with file.open("wb") as out:
        begun = start(config, catalog=catalog, stdout=out)
        begun.until(lambda: api.stats()["requests_total"] >= after)
        if placed:
            begun.until(lambda: resumable(until_state(lines_of(file))[1]))
        begun.signal(signal.SIGKILL)
        assert begun.end().code == -signal.SIGKILL
    kept, state = until_state(lines_of(file))
    done = run(config | {"concurrency": 8}, catalog=catalog, state=state or None)
    assert done.code == 0, done.stderr
    for stream in KILLED:
        found = ids(kept, stream) + ids(done.messages, stream)
        expected = sorted(row["id"] for row in api.rows(stream))
        assert sorted(set(found)) == expected, (stream, after)
    return resumable(state)


def resumable(state):
    """Return the streams that a state has a place to go on from for."""
    bookmarks = state.get("bookmarks", {})
    return [stream for stream in KILLED if "position" in bookmarks.get(stream, {})]


def kill_often(times, folder):
    print(f"CUT_SEED={SEED}")  # noqa: T201 - to repeat a run that failed
    dice = random.Random(SEED)
    taken_up = []
    with DemoApi(latency=0.05) as api:
        config = killable(api)
        catalog = select(discover(config), *KILLED)
        assert run(config | {"concurrency": 4}, catalog=catalog).code == 0
        total = api.stats()["requests_total"]
        for number in range(times):
            # One in each part of the run, so that few kills meet early and late.
            after = int(total * 0.9 * (number + dice.random()) / max(times, 4)) + 1
            settings = {"concurrency": (1, 4)[number % 2]}
            file = folder / f"{number}.jsonl"
            # STATE comes once a second at most, so the sampled kills may all come before one.
            placed = number == 0
            taken_up += kill_and_go_on(
                api, config | settings, catalog, file, after=after, placed=placed
            )
    print(f"taken up: {taken_up}")  # noqa: T201 - what was proven
    return taken_up


def test_a_killed_run_loses_nothing_that_was_not_acknowledged(tmp_path):
    assert kill_often(2, tmp_path)


@pytest.mark.soak
def test_fifty_killed_runs_lose_nothing(tmp_path):
    assert {*kill_often(50, tmp_path)} == {*KILLED}


# --- deletes ----------------------------------------------------------------------------------

FULL_TABLE = ("experimentation_campaigns", "experimentation_users", "success_admins")


@LOADS
def test_rows_are_deleted_by_complete_runs_alone(warehouse):
    with DemoApi() as api:
        config = hurried(only(api.config, "experimentation", "success"), max_retries=1)
        config["experimentation"] |= {"page_size": 10}
        config["success"] |= {"page_size": 3}
        config |= {"emit_activate_version_messages": True, "concurrency": 2}
        catalog = select(discover(config), *FULL_TABLE)

        def source():
            return {stream: sorted(row["id"] for row in api.rows(stream)) for stream in FULL_TABLE}

        def landed():
            return {stream: warehouse.ids(stream) for stream in FULL_TABLE}

        def hanging():
            until(lambda: any(asked.status == 0 for asked in api.requests))

        assert warehouse.load(config, catalog) == 0
        before = source()
        assert landed() == before

        paths = {"path": "/campaigns|/users|/admins"}
        api.set_faults([{"status": 500, "match": paths, "after": 3, "times": None}])
        assert warehouse.load(config, catalog) == 1
        assert landed() == before

        api.set_faults([{"action": "hang", "match": paths, "after": 2, "times": None}])
        api.reset_counts()
        assert warehouse.load(config, catalog, interrupt=hanging) == 143
        assert landed() == before

        api.set_faults([])
        assert warehouse.load(config, catalog) == 0
        assert landed() == before

        gone = api.step(delete=True).deleted
        after = source()
        assert gone["experimentation_campaigns"]
        assert gone["success_admins"]
        assert warehouse.load(config, catalog) == 0
        assert landed() == after
        for stream in FULL_TABLE:
            assert set(before[stream]) - set(after[stream]) == set(gone.get(stream, ())), stream


@LOADS
@pytest.mark.parametrize("versions", [True, False])
def test_a_run_with_versions_never_resumes_one_without(warehouse, versions):
    """Rows of one table under two versions, or under one and none: a target deletes half of it."""
    left = 4

    def answer(path, query):
        nonlocal left
        left -= 1
        start = int(dict(query)["offset"])
        rows = [{"id": number} for number in range(start, min(start + 10, 100))]
        return (403, {}) if left < 0 else {"data": rows, "total": 100}

    paginator = {"type": "offset", "limit": 10}
    endpoint = {"path": "/things", "data_selector": "data", "paginator": paginator}
    schema = {"type": "object", "properties": {"id": {"type": "integer"}}}
    with PathApi(answer) as api:
        config = api.config({"name": "things", "endpoint": endpoint, "schema": schema})
        config |= {"concurrency": 1, "emit_activate_version_messages": not versions}
        assert warehouse.load(config) == 1
        assert len(warehouse.ids("odd_things")) == 37
        left = 10**6
        assert warehouse.load(config | {"emit_activate_version_messages": versions}) == 0
        assert warehouse.ids("odd_things") == [*range(100)]
        if not versions:
            assert warehouse.load(config | {"emit_activate_version_messages": True}) == 0
            assert warehouse.ids("odd_things") == [*range(100)]


# --- new fields -------------------------------------------------------------------------------


@LOADS
def test_a_field_that_appears_becomes_a_column(warehouse):
    day = 1

    def answer(path, query):
        start = int(dict(query).get("offset", 0))
        rows = [{"id": number, "name": f"row {number}"} for number in range(9)]
        for row in rows:
            # On the second page of the first day, then on every row of the second.
            if day == 2 or row["id"] >= 6:
                row["colour"] = f"colour {row['id']}"
            if day == 2:
                row |= {"weight": row["id"] + 0.5, "place": {"row": row["id"]}}
        return {"data": rows[start : start + 4], "total": len(rows)}

    paginator = {"type": "offset", "limit": 4}
    endpoint = {"path": "/things", "data_selector": "data", "paginator": paginator}
    with PathApi(answer) as api:
        config = api.config({"name": "things", "endpoint": endpoint})
        assert warehouse.load(config) == 0
        first = {row["id"]: row for row in warehouse.rows("odd_things")}
        day = 2
        assert warehouse.load(config) == 0
        second = {row["id"]: row for row in warehouse.rows("odd_things")}
    assert [first[number]["colour"] for number in (5, 6, 8)] == [None, "colour 6", "colour 8"]
    assert "weight" not in first[0]
    assert len(first) == len(second) == 9
    for number, row in second.items():
        assert (row["name"], row["colour"]) == (f"row {number}", f"colour {number}")
        assert float(row["weight"]) == number + 0.5
        assert row["place"] == {"row": number}
