"""Bad input: one clear ERROR line per problem, exit code 1, and no request."""

from __future__ import annotations

import json
from importlib.metadata import version

import pytest
from support.checks import assert_errors
from support.processes import only, run

from tap_analytics.demo import DemoApi
from tap_analytics.streams import APIS

STREAMS = {name for api in APIS for name in api.stream_names}


@pytest.fixture(scope="module")
def answering():
    """A demo that may be asked."""
    with DemoApi(scale=0.1) as api:
        yield api


@pytest.fixture
def demo(answering):
    """A demo that must not be asked anything."""
    answering.reset_counts()
    yield answering
    assert not answering.requests


def refused(done, *problems):
    """Check that a run ended with exactly these problems, each told by some of its words."""
    assert_errors(done, *problems, limit=len(problems))
    assert done.stdout == b""
    assert not [line for line in done.errors if line.split(":")[0].endswith(("Error", "Exception"))]


def declared(url, *resources, **words):
    auth = {"type": "bearer", "token": "some-bearer-token"}
    entry = {"name": "own", "client": {"base_url": url, "auth": auth}, "resources": resources}
    return entry | words


def test_every_problem_of_the_settings_is_reported_at_once(demo):
    config = demo.config
    learning = config["learning"] | {"pagesize": 3, "requests_per_second": -1}
    wiki = config["wiki"] | {"base_url": "ftp://wiki.example.com", "api_token": "broken\nin-two"}
    done = run(
        {
            "learning": {name: learning[name] for name in learning if name != "api_key"},
            "experimentation": {"api_key": "an-experimentation-key"},
            "wiki": wiki,
            "success": config["success"]
            | {"page_size": 0, "retry": {"max_retry": 1}, "base_url": "http://"},
            "concurency": 3,
            "concurrency": "many",
            "request_timeout": 0,
            "on_unknown_field": "shrug",
            "start_date": "yesterday",
        }
    )
    refused(
        done,
        ("`learning.api_key` is missing", "TAP_ANALYTICS_LEARNING_API_KEY"),
        ("`learning.pagesize`", "Did you mean `learning.page_size`?"),
        ("`learning.requests_per_second`", "at least 0, not -1"),
        ("`experimentation.base_url` is missing", "TAP_ANALYTICS_EXPERIMENTATION_BASE_URL"),
        ("`wiki.base_url`", "https://"),
        ("`wiki.api_token`", "control characters"),
        ("`success.page_size`", "at least 1, not 0"),
        ("`success.retry.max_retry`", "Did you mean `success.retry.max_retries`?"),
        ("`success.base_url`", "host"),
        ("`concurency`", "Did you mean `concurrency`?"),
        ("`concurrency`", "an integer", '"many"'),
        ("`request_timeout`", "more than 0"),
        ("`on_unknown_field`", '"evolve", "ignore", "fail"'),
        ("`start_date`", '"yesterday"'),
    )
    assert "broken" not in done.stderr
    assert "in-two" not in done.stderr


def test_every_problem_of_the_declared_apis_is_reported_at_once(demo):
    def endpoint(**words):
        return {"name": "things", "endpoint": {"path": "/things", **words}}

    child = {"name": "parts", "endpoint": {"path": "/things/{owner_id}/parts"}}
    circle = [
        {"name": "hens", "endpoint": {"path": "/eggs/{egg_id}/hens"}},
        {"name": "eggs", "endpoint": {"path": "/hens/{hen_id}/eggs"}},
    ]
    url = demo.url
    apis = [
        declared(url, endpoint(paginator={"type": "offest"}), name="a"),
        declared(url, "things", name="b", client={"base_url": url, "auth": {"type": "baerer"}}),
        declared(url, "things", "things", name="c"),
        declared(url, "people", name="learning"),
        declared(url, child, name="d"),
        declared(url, *circle, name="e"),
        declared(url, name="f"),
        declared(url, endpoint(merge_key="id"), name="g"),
        declared(url, "things", name="h", client={"base_url": "not a url"}),
        declared(url, "things", name="i", client={"base_url": url, "auth": {"type": "bearer"}}),
        declared(url, "things", name="j", optional_streams=["j_thing"]),
    ]
    refused(
        run({"apis": apis}),
        ("'a'", "`paginator.type` 'offest' is unknown", "page_number", "Did you mean `offset`?"),
        ("'b'", "auth.type` is unknown", "api_key", "Did you mean `bearer`?"),
        ("'c'", "'things'", "two resources"),
        ("'learning'", "'learning_people'", "built-in"),
        ("'d'", "{owner_id}", "resolve"),
        ("'e'", "circular", "hens → eggs → hens"),
        ("'f'", "resources"),
        ("'g'", "`merge_key` isn't supported"),
        ("'h'", "base_url"),
        ("'i'", "token"),
        ("'j'", "`optional_streams` 'j_thing'", "j_things"),
    )


def test_two_apis_of_one_name_are_one_problem(demo):
    entry = declared(demo.url, "things")
    refused(run({"apis": [entry, entry]}), ("apis[1]", "'own'"))


@pytest.mark.parametrize("kind", ["config", "catalog", "state"])
def test_a_missing_file_is_named(demo, kind, tmp_path):
    config = None if kind == "config" else demo.config
    missing = str(tmp_path / "missing.json")
    refused(run(config, f"--{kind}", missing), missing)


@pytest.mark.parametrize("kind", ["config", "catalog", "state"])
def test_broken_json_is_reported_with_its_file(demo, kind):
    given = {"config": demo.config} | {kind: '{"streams": [}'}
    refused(run(given.pop("config"), **given), (f"{kind}.json", "JSON"))


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("config", []),
        ("catalog", []),
        ("catalog", {"streams": {}}),
        ("catalog", {"streams": [{"schema": {}}]}),
        ("catalog", {"streams": [{"tap_stream_id": "learning_people", "schema": None}]}),
        (
            "catalog",
            {"streams": [{"tap_stream_id": "learning_people", "schema": {"properties": 5}}]},
        ),
        (
            "catalog",
            {
                "streams": [
                    {"tap_stream_id": "learning_people", "schema": {"properties": {"id": 5}}}
                ]
            },
        ),
        (
            "catalog",
            {"streams": [{"tap_stream_id": "learning_people", "schema": {}, "metadata": {}}]},
        ),
        ("state", [1]),
        ("state", {"learning_people": "2026-01-01"}),
        ("state", {"bookmarks": ["learning_people"]}),
        ("state", {"bookmarks": {"learning_people": 5}}),
    ],
)
def test_json_of_another_shape_is_reported_with_its_file(demo, kind, content):
    given = {"config": demo.config} | {kind: content}
    refused(run(given.pop("config"), **given), (f"{kind}.json",))


@pytest.mark.parametrize("kind", ["config", "catalog", "state"])
def test_a_file_that_is_no_text_is_reported_with_its_name(demo, kind, tmp_path):
    file = tmp_path / "odd.json"
    file.write_bytes(b'{"learning": "caf\xe9"}')
    config = None if kind == "config" else demo.config
    refused(run(config, f"--{kind}", str(file)), (str(file), "UTF-8"))


def test_a_stream_map_that_is_none_is_reported_with_its_setting(demo):
    maps = {"learning_people": {"id": "no(such, thing"}}
    refused(run(only(demo.config, "learning", stream_maps=maps)), "`stream_maps`")


def test_a_catalog_of_another_tap_is_refused(demo):
    stream = {"tap_stream_id": "orders", "schema": {"properties": {}}, "metadata": []}
    refused(run(demo.config, catalog={"streams": [stream]}), ("another tap", "orders"))


def test_a_state_of_another_tap_is_refused(demo):
    foreign = {"replication_key": "changed", "replication_key_value": 17}
    done = run(demo.config, state={"bookmarks": {"orders": foreign}})
    refused(done, ("another tap", "orders"))


@pytest.mark.parametrize(
    ("option", "told"), [("--catalogue", "'--catalogue'"), ("surplus", "surplus")]
)
def test_a_bad_option_is_reported_in_one_line(demo, option, told):
    refused(run(demo.config, option), told)


def test_a_configuration_written_into_the_command_line_is_not_repeated(demo):
    done = run(None, "--config", json.dumps(only(demo.config, "learning")))
    refused(done, "--config")
    assert demo.credentials.learning_api_key not in done.stderr


@pytest.mark.parametrize(
    "config", [None, {"learning": {"api_key": "", "base_url": " "}, "wiki": {}, "success": None}]
)
def test_without_an_api_a_sync_says_what_to_set(config):
    refused(run(config), ("No API is configured", "`learning`", "`success`", "`apis`"))


def test_without_an_api_discovery_lists_every_built_in_stream():
    done = run({}, "--discover")
    names = [entry["tap_stream_id"] for entry in json.loads(done.stdout)["streams"]]
    assert done.code == 0
    assert sorted(names) == sorted(STREAMS)


def test_fractions_are_taken_wherever_a_number_is_asked_for(answering):
    entry = answering.config["apis"][0] | {
        "requests_per_second": 50.5,
        "retry": {"backoff_factor": 0.5},
    }
    learning = answering.config["learning"] | {"requests_per_second": 50.5}
    done = run({"apis": [entry], "learning": learning, "request_timeout": 9.5})
    assert done.errors == []
    assert done.code == 0


def test_the_environment_configures_the_tap(answering):
    learning = answering.config["learning"]
    env = {f"TAP_ANALYTICS_LEARNING_{name}".upper(): str(learning[name]) for name in learning}
    env |= {"TAP_ANALYTICS_SUCCESS_SECRET_TOKEN": "", "TAP_ANALYTICS_CONCURRENCY": "2"}
    done = run(None, "--config", "ENV", env=env)
    assert done.code == 0, done.stderr
    assert len(done.records("learning_people")) == len(answering.rows("learning_people"))
    assert {message["stream"] for message in done.of("SCHEMA", None)} == {
        "learning_people",
        "learning_courses",
        "learning_course_enrollments",
    }


def test_about_describes_the_tap_as_json():
    done = run(None, "--about", "--format=json")
    about = json.loads(done.stdout)
    assert done.code == 0
    assert about["name"] == "tap-analytics"
    assert {"learning", "apis", "concurrency"} <= about["settings"]["properties"].keys()
    assert {"catalog", "state", "discover", "batch", "activate-version"} <= {*about["capabilities"]}


@pytest.mark.parametrize(
    ("option", "shown"), [("--version", version("tap-analytics")), ("--help", "--discover")]
)
def test_questions_about_the_command_are_answered(option, shown):
    done = run(None, option)
    assert (done.code, done.stderr) == (0, "")
    assert shown in done.stdout.decode()


def test_a_test_of_the_connection_is_brief(answering):
    done = run(only(answering.config, "learning"), "--test")
    assert done.code == 0
    assert done.errors == []
    assert len(done.of("RECORD", None)) <= len(done.of("SCHEMA", None))


def test_a_test_of_the_connection_fails_with_the_credentials(answering):
    config = only(answering.config, "learning")
    config["learning"] = config["learning"] | {"api_key": "a-wrong-learning-key"}
    done = run(config, "--test")
    assert done.code == 1
    assert len(done.errors) == 1
    assert "learning: GET /learning/v2/" in done.errors[0]
    assert "401" in done.errors[0]
