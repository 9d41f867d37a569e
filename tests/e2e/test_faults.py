"""Failures of every kind: no traceback, no secret in any form, a level on every line."""

from __future__ import annotations

import json
import socket
from urllib.parse import quote

import pytest
from support.checks import ECHO, assert_errors, assert_no_secret
from support.processes import discover, hurried, run
from support.runs import select
from support.servers import PathApi, ScriptedServer, cut, reply

from tap_analytics.demo import DEFAULT, DemoApi

#: Shows all there is in a record: texts, tracebacks, and what only formatters look at.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"all": {"format": "%(levelname)s %(name)s %(pathname)s %(message)s %(args)s"}},
    "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "all"}},
    "root": {"level": "DEBUG", "handlers": ["out"]},
    "loggers": {"urllib3": {"level": "DEBUG"}},
}
CASES = {
    "refused credentials": {"status": 401, "body": {"message": f"bad key: {ECHO}"}},
    "a server that repeats what it was sent": {"status": 500, "body": {"error": ECHO}},
    "a refusal in plain text": {"status": 400, "body": f"refused: {ECHO}"},
    "an error inside of success": {"action": "in_band", "body": {"error": {"message": ECHO}}},
    "a redirect to another server": {
        "action": "redirect",
        "url": f"http://127.0.0.2:9/?k={quote(DEFAULT.declared_api_key, safe='')}",
    },
    "a redirect to itself": {"action": "redirect_loop"},
    "a connection that breaks": {"action": "reset"},
    "a body cut short": {"action": "cut"},
    "a web page": {"action": "html"},
    "a value that is no object": {"action": "wrong_type", "body": ECHO},
    "a permission that is missing": {"status": 403, "body": {"detail": ECHO}},
    "an endpoint that is gone": {"status": 404, "body": {"error_description": ECHO}},
    "a server that is asked too much": {"status": 429, "body": {"title": ECHO}},
    "JSON cut short": {"action": "truncate_json"},
    "compressed data cut short": {"action": "gzip_cut"},
    "a connection that breaks in the body": {"action": "reset_mid"},
    "a server that hangs": {"action": "hang"},
    "a body that comes in drops": {"action": "drip", "size": 1},
    "an error after some pages": {"status": 500, "body": {"error": ECHO}, "after": 8},
}


#: A stream of each API.
STREAMS = (
    *("learning_people", "experimentation_users", "wiki_pages", "success_notes"),
    "declared_resource_name",
)


def configuration(demo):
    """Return a configuration with all secrets and without inferred schemas, which fails fast."""
    config = hurried(demo.config, max_retries=1)
    header = {"basic_auth_header": DEFAULT.success_basic_auth_header}
    config["success"] = config["success"] | header
    schema = {"type": "object", "properties": {"id": {"type": "string"}}}
    config["apis"][0]["resources"][0]["schema"] = schema
    return config | {"request_timeout": 1}


@pytest.fixture(scope="module")
def catalog():
    with DemoApi(scale=0.1) as demo:
        return select(discover(configuration(demo)), *STREAMS)


@pytest.mark.parametrize(
    ("case", "custom"),
    [(case, number % 2 == 0) for number, case in enumerate(CASES)],
)
def test_a_failure_names_the_cause_but_no_secret(case, custom, catalog, tmp_path):
    env = {"LOGLEVEL": "DEBUG"}
    if custom:
        file = tmp_path / "logging.json"
        file.write_text(json.dumps(LOGGING), "utf-8")
        env["SINGER_SDK_LOG_CONFIG"] = str(file)
    fault = CASES[case] | {"times": None}
    dialect = "spec" if custom else "real"
    with DemoApi(dialect=dialect, scale=0.1, faults=[fault]) as demo:
        summary = tmp_path / "summary.json"
        config = configuration(demo) | {"summary_path": str(summary)}
        done = run(config, catalog=catalog, env=env)
    assert done.code == 1
    assert_no_secret(done, summary)
    assert json.loads(summary.read_text("utf-8"))["exit_code"] == 1
    assert "METRIC" in done.stderr
    assert 1 <= len([line for line in done.said if "ERROR" in line.split("|")[1 - custom][:8]]) <= 8
    assert "DEBUG" in done.stderr


def test_a_host_that_does_not_answer_is_reported_without_its_key():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    demo = DemoApi(scale=0.1)
    demo.start()
    config = json.loads(json.dumps(demo.config).replace(demo.url, url))
    demo.stop()
    done = run(hurried(config, max_retries=1), env={"LOGLEVEL": "DEBUG"})
    assert_no_secret(done)
    names = ("learning", "experimentation", "wiki", "success", "declared")
    assert_errors(done, *(f"{name}: GET" for name in names))


def test_a_proxy_that_refuses_is_reported_without_its_password():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        proxy = f"http://proxy-user:proxy-password@127.0.0.1:{taken.getsockname()[1]}"
    config = {
        "learning": {
            "api_key": DEFAULT.learning_api_key,
            "base_url": "http://learning.example.com/v2",
            "retry": {"max_retries": 0},
        }
    }
    env = {"LOGLEVEL": "DEBUG", "http_proxy": proxy, "no_proxy": ""}
    done = run(config, env=env)
    assert_no_secret(done, secrets=("proxy-password",))
    assert_errors(done, ("learning: GET", "proxy", "`HTTP_PROXY`"))


def test_an_answer_that_is_not_http_is_reported_in_a_line():
    with ScriptedServer([cut(b"220 mail.example.com ESMTP\r\n")]) as server:
        block = {"api_key": DEFAULT.learning_api_key, "base_url": server.origin}
        done = run(hurried({"learning": block}, max_retries=1), env={"LOGLEVEL": "DEBUG"})
    assert done.code == 1
    assert_no_secret(done)
    assert 1 <= len(done.errors) <= 2
    assert "not HTTP" in done.errors[0]


def test_a_foreign_next_link_gets_no_credentials():
    def answer(path, query):
        return {"data": [{"id": 1}], "next": f"{stranger.origin}/things?page=2"}

    auth = {"type": "api_key", "name": "key", "api_key": "the-odd-key", "location": "query"}
    endpoint = {"path": "/things", "data_selector": "data", "paginator": "json_link"}
    with PathApi(answer) as api, ScriptedServer([reply()]) as stranger:
        done = run(api.config({"name": "things", "endpoint": endpoint}, auth=auth))
    assert stranger.connections == 0
    assert "the-odd-key" not in done.stderr
    assert (done.code, len(done.errors)) == (1, 1)


def test_no_secret_is_in_state_catalog_or_about():
    with DemoApi(scale=0.1) as demo:
        catalog = run(demo.config, "--discover", env={"LOGLEVEL": "DEBUG"})
        synced = run(demo.config, env={"LOGLEVEL": "DEBUG"})
        about = run(demo.config, "--about", "--format=json")
    for done in (catalog, synced, about):
        assert done.code == 0
        assert_no_secret(done)


def test_what_a_user_misspells_is_not_repeated():
    done = run(
        {
            "learning": {"apikey": "a-key-in-the-wrong-place", "base_url": "http://u:pw-1@host/v2"},
            "token": "a-token-on-its-own",
            "concurrency": "a-key-for-a-number-which-is-long-and-goes-on-and-on",
        },
        env={"LOGLEVEL": "DEBUG"},
    )
    assert done.code == 1
    assert "a-key-in-the-wrong-place" not in done.stderr
    assert "a-token-on-its-own" not in done.stderr
    assert "pw-1" not in done.stderr
    assert "Traceback" not in done.stderr


def test_retries_are_warnings_that_name_path_and_wait():
    fault = {"status": 503, "match": {"path": "/people"}, "times": 2}
    with DemoApi(scale=0.1, faults=[fault]) as demo:
        config = hurried(demo.config)
        done = run({"learning": config["learning"]})
    assert done.code == 0
    told = [line for line in done.warnings if "/learning/v2/people answered 503" in line]
    assert [f"retry {number} of 3" in line for number, line in enumerate(told, 1)] == [True, True]
    assert done.errors == []
