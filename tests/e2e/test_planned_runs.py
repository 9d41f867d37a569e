"""A plan compared with its sync: requests and rows as the server counts them."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest
from support.processes import discover, only, run
from support.runs import select

from tap_analytics.demo import DemoApi
from tap_analytics.demo.dialects import DIALECTS
from tap_analytics.tap import TapAnalytics

LOADS = pytest.mark.xdist_group("meltano")
COURSES = ("learning_courses", "learning_course_enrollments")


def plan(config, **files):
    """Return the exit code of the command and its data."""
    done = run(config, "--json", command=["plan"], **files)
    assert done.stdout, done.stderr
    return done.code, json.loads(done.stdout)


def unpaced(config):
    blocks = {
        name: block | {"requests_per_second": 0}
        for name, block in config.items()
        if isinstance(block, dict)
    }
    return config | blocks | {"concurrency": 1}


def asked(api):
    return api.stats()["requests_total"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_plan_is_what_the_sync_then_costs_and_yields(dialect):
    with DemoApi(dialect=dialect) as api:
        config = unpaced(api.config)
        code, told = plan(config)
        assert (code, told["requests_used"]) == (0, asked(api))
        assert asked(api) <= 2 * len(api.streams) + 12
        streams = TapAnalytics(config=config).streams
        api.reset_counts()
        done = run(config)
        counts = api.counts
    for figures in told["streams"]:
        name = figures["stream"]
        if name == "learning_course_enrollments":
            continue
        path = urlsplit(streams[name].get_url(None)).path
        cost, rows = counts["GET", path], len(done.records(name))
        if figures["basis"] == "at least":
            assert (cost >= figures["requests"], rows >= figures["rows"]) == (True, True), name
        else:
            assert (cost, rows) == (figures["requests"], figures["rows"]), name


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_children_cost_is_known_to_the_order_of_magnitude(dialect):
    # So many courses that not all of them are sampled.
    with DemoApi(dialect=dialect, scale=3) as api:
        config = unpaced(only(api.config, "learning"))
        catalog = select(discover(config), *COURSES)
        _, told = plan(config, catalog=catalog)
        api.reset_counts()
        done = run(config, catalog=catalog)
        cost = asked(api)
    courses, enrollments = told["streams"]
    assert courses["basis"] == "exact"
    assert courses["rows"] == len(done.records("learning_courses"))
    assert (enrollments["basis"], enrollments["estimated"]) == ("sample", True)
    assert cost / 2 <= told["sum"]["requests"] <= cost * 2
    assert enrollments["rows"] / 2 <= len(done.records(COURSES[1])) <= enrollments["rows"] * 2


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_plan_with_a_state_is_what_the_next_sync_extracts(dialect):
    with DemoApi(dialect=dialect) as api:
        config = unpaced(only(api.config, "learning", "success", "wiki"))
        names = ("learning_people", "success_notes", "wiki_pages", "wiki_audit")
        catalog = select(discover(config), *names)
        state = run(config, catalog=catalog).state
        api.mutate()
        code, told = plan(config, catalog=catalog, state=state)
        done = run(config, catalog=catalog, state=state)
    assert code == 0
    assert {figures["stream"] for figures in told["streams"]} == {*names}
    for figures in told["streams"]:
        rows = len(done.records(figures["stream"]))
        assert rows > 0
        if figures["upper_bound"]:
            assert rows <= figures["rows"]
        elif figures["basis"] == "at least":
            assert rows >= figures["rows"]
        else:
            assert rows == figures["rows"]


def test_a_budget_of_what_the_plan_says_is_enough():
    with DemoApi() as api:
        config = unpaced(only(api.config, "success", "apis"))
        catalog = select(discover(config), "success_accounts", "success_notes", "success_admins")
        _, told = plan(config, catalog=catalog)
        assert told["sum"]["basis"] == "exact"
        enough = config | {"max_requests": told["sum"]["requests"]}
        assert run(enough, catalog=catalog).code == 0
        assert run(enough | {"max_requests": enough["max_requests"] - 1}, catalog=catalog).code == 1


def test_a_key_that_is_refused_is_reported_and_ends_with_1():
    with DemoApi() as api:
        config = unpaced(only(api.config, "learning", "success"))
        config["learning"] |= {"api_key": "swordfish-4711"}
        code, told = plan(config)
    assert code == 1
    failed = [each for each in told["streams"] if each["error"]]
    assert {each["stream"] for each in failed} == {"learning_people", *COURSES}
    assert all("401" in each["error"] for each in failed)
    assert "swordfish" not in json.dumps(told)


@pytest.mark.outside
@LOADS
def test_meltano_plans(meltano_project, settings, tmp_path):
    with DemoApi() as api:
        env = settings(only(api.config, "learning", "success"))
        env |= {"MELTANO_DATABASE_URI": f"sqlite:///{tmp_path}/meltano.db"}
        said = meltano_project.meltano("invoke", "--no-install", "tap-analytics:plan", env=env)
    assert "success_notes" in said
    assert "Planned with " in said
