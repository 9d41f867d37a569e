"""A run of many streams: each ends on its own, and is reported."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import threading
from collections import Counter

import pytest
from support.patience import PATIENCE
from support.runs import STREAM, declared, deselect, discover, run, select
from support.servers import JsonApi, ScriptedServer, reply

from tap_analytics.demo import DemoApi
from tap_analytics.errors import InputError, explain
from tap_analytics.reporting.log import log_less
from tap_analytics.tap import TapAnalytics
from tap_analytics.transport.errors import Unreachable

NO_RETRY = {"max_retries": 0, "backoff_factor": 0}


def errors(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]


def shop(origin, *paths, optional=(), concurrency=4):
    """Return a configuration with one stream per path."""
    resources = [
        {
            "name": path.strip("/"),
            "endpoint": {"path": path, "paginator": "single_page"},
            "primary_key": "id",
            "schema": {"type": "object", "properties": {"id": {"type": "integer"}}},
        }
        for path in paths
    ]
    api = {
        "name": "shop",
        "client": {"base_url": origin},
        "retry": NO_RETRY,
        "optional_streams": list(optional),
        "resources": resources,
    }
    return {"apis": [api], "concurrency": concurrency}


def by_path(answers):
    def answer(received):
        return answers.get(received.target.partition("?")[0], reply(200, b'[{"id": 1}]'))

    return ScriptedServer(answer)


# --- isolation ----------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_failing_stream_does_not_stop_the_others(concurrency, caplog):
    with by_path({"/b": reply(403, b'{"error": "not for you"}')}) as api:
        done = run(shop(api.origin, "/a", "/b", "/c", concurrency=concurrency))
    assert done.error is not None
    assert [done.ids(f"shop_{name}") for name in "abc"] == [[1], [], [1]]
    assert len(errors(caplog)) == 1
    assert "shop_b" in errors(caplog)[0]
    assert "403" in errors(caplog)[0]
    assert "not for you" in errors(caplog)[0]


def test_a_failed_run_prints_at_most_8_error_lines(caplog):
    paths = [f"/p{n:02}" for n in range(20)]
    answers = {path: reply(403, b"{}") for path in paths}
    with by_path(answers) as api:
        done = run(shop(api.origin, *paths))
    assert done.error is not None
    assert len(errors(caplog)) == 8
    assert "13 more failures" in errors(caplog)[-1]


def test_a_shared_cause_is_reported_once_with_the_streams_it_affects(caplog):
    paths = ["/a", "/b", "/c"]
    with by_path({path: reply(401, b"{}") for path in paths}) as api:
        run(shop(api.origin, *paths))
    assert len(errors(caplog)) == 1
    assert all(f"shop_{name}" in errors(caplog)[0] for name in "abc")


@pytest.mark.parametrize(
    ("answered", "told"),
    [
        (
            reply(200, b'{"id": 1}\n{"id": 2}\n', Content_Type="text/plain"),
            "newline-delimited JSON (text/plain), not JSON. Set `decoder` of the endpoint",
        ),
        (
            reply(200, b"id,name\n1,a\n"),
            "CSV (no content type), not JSON. Set `decoder` of the endpoint to `csv`.",
        ),
        (
            reply(200, b"<a/>", Content_Type="text/xml"),
            "XML (text/xml), not JSON. Set `decoder` of the endpoint to `xml`.",
        ),
    ],
    ids=["ndjson", "csv", "xml"],
)
def test_a_format_that_is_not_read_is_requested_once_and_named(answered, told, caplog):
    with ScriptedServer([answered]) as api:
        config = shop(api.origin, "/a", concurrency=1)
        config["apis"][0]["retry"] = {"max_retries": 3, "backoff_factor": 0}
        run(config)
    assert len(api.requests) == 1
    [line] = errors(caplog)
    assert f"answered 200 with {told}" in line
    assert "proxy" not in line


@pytest.mark.parametrize("status", [429, 503])
def test_an_api_that_serves_no_request_is_reported_once_and_requested_little(status, caplog):
    with ScriptedServer([reply(status, b"{}")]) as api:
        config = shop(api.origin, "/a", "/b", "/c", concurrency=1)
        config["apis"][0]["retry"] = {"max_retries": 3, "backoff_factor": 0}
        run(config)
    assert len(api.requests) == 4 + 1 + 1
    assert len(errors(caplog)) == 1
    assert f"GET /a answered {status}" in errors(caplog)[0]
    assert ", after 4 attempts. " in errors(caplog)[0]
    assert "[not extracted: shop_a, shop_b, shop_c]" in errors(caplog)[0]


def test_an_api_that_cannot_be_reached_is_reported_once_and_requested_little(caplog):
    with ScriptedServer([reply()]) as gone:
        origin = gone.origin
    with by_path({}) as api:
        config = shop(api.origin, "/a")
        other = shop(origin, "/x", "/y", "/z")["apis"][0] | {"name": "gone"}
        done = run({**config, "apis": [*config["apis"], other]})
    assert done.ids("shop_a") == [1]
    assert len(errors(caplog)) == 1
    assert "gone_x, gone_y, gone_z" in errors(caplog)[0]
    assert isinstance(done.tap.run.results["gone_x"].failure, Unreachable)


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("name", ["shop_b", "b"])
def test_what_is_optional_may_be_forbidden_or_missing(status, name, caplog):
    with by_path({"/b": reply(status, b"{}")}) as api:
        config = shop(api.origin, "/a", "/b", optional=["shop_b"])
        built_in_way = [name]
        done = TapRun(config, optional=built_in_way).run()
    assert done is None
    assert errors(caplog) == []
    assert "Optional stream shop_b not extracted" in caplog.text


def test_what_is_optional_must_still_be_right_when_it_answers():
    with by_path({"/b": reply(500, b"{}")}) as api:
        done = run(shop(api.origin, "/a", "/b", optional=["shop_b"]))
    assert done.error is not None


class TapRun:
    """A run whose block names optional streams in the words of its own choice."""

    def __init__(self, config, *, optional):
        self.tap = TapAnalytics(config=config)
        connection = self.tap.connections["shop"]
        connection.settings = {**connection.settings, "optional_streams": optional}

    def run(self):
        return self.tap.sync_all()


def test_only_streams_that_are_complete_move_their_bookmark():
    with DemoApi(scale=0.1) as demo:
        demo.set_faults(
            [{"action": "status", "status": 403, "match": {"path": "/tasks"}, "times": None}]
        )
        done = run({"success": demo.config["success"]})
    assert done.error is not None
    assert set(done.state["bookmarks"]) == {
        f"success_{name}" for name in ("accounts", "conversations", "notes", "users")
    }


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_stream_that_never_ran_is_not_a_success(monkeypatch, caplog):
    with by_path({}) as api:
        config = shop(api.origin, "/a", "/b", concurrency=1)
        one = TapAnalytics(config=config)

        def stop(self):
            raise SystemExit

        monkeypatch.setattr(type(one.streams["shop_a"]), "_write_schema_message", stop)
        with pytest.raises(Exception, match="2 of 2 streams failed"):
            one.sync_all()
    assert len(errors(caplog)) == 2
    assert "without result or error" in errors(caplog)[0]


# --- messages -----------------------------------------------------------------------------------


def test_a_selected_stream_writes_its_schema_even_without_rows():
    with by_path({"/a": reply(200, b"[]")}) as api:
        done = run(shop(api.origin, "/a"))
    assert done.kinds == ["SCHEMA"]
    assert done.of("SCHEMA", "shop_a")[0]["key_properties"] == ["id"]


def test_state_is_never_ahead_of_the_records(monkeypatch):
    monkeypatch.setattr("tap_analytics.reporting.run.STATE_INTERVAL", 0)
    with DemoApi(scale=0.3) as demo:
        done = run({**demo.config, "concurrency": 8})
    written = Counter()
    total = Counter(m["stream"] for m in done.messages if m["type"] == "RECORD")
    positions = 0
    for message in done.messages:
        if message["type"] == "RECORD":
            written[message["stream"]] += 1
        elif message["type"] == "STATE":
            for stream, bookmark in message["value"].get("bookmarks", {}).items():
                if position := bookmark.get("position"):
                    positions += 1
                    assert position["rows"] <= written[stream], stream
                else:
                    assert written[stream] == total[stream], stream
    assert positions > 10


def test_a_given_state_is_kept_for_streams_that_are_not_selected():
    state = {
        "bookmarks": {
            "success_notes": {"replication_key": "updatedAt", "replication_key_value": "2024-01-01"}
        }
    }
    with DemoApi(scale=0.1) as demo:
        config = {"success": demo.config["success"]}
        done = run(config, state=state, only=("success_accounts",))
    assert done.state["bookmarks"]["success_notes"] == state["bookmarks"]["success_notes"]
    assert "success_accounts" in done.state["bookmarks"]


def test_the_state_holds_no_bookmark_per_parent():
    with DemoApi(scale=0.3) as demo:
        done = run({"learning": demo.config["learning"]})
    assert set(done.state["bookmarks"]) == {"learning_people", "learning_courses"}
    assert len(done.of("SCHEMA", "learning_course_enrollments")) == 1
    assert all("partitions" not in each for each in done.state["bookmarks"].values())


def test_without_any_api_a_run_says_what_to_set():
    with pytest.raises(InputError, match=r"`learning`.*`success`.*apis"):
        TapAnalytics(config={}).sync_all()
    assert TapAnalytics(config={}).streams


@pytest.mark.parametrize("kind", ["catalog", "state"])
def test_what_belongs_to_another_tap_is_refused(kind):
    with by_path({}) as api:
        config = shop(api.origin, "/a")
        given = {
            "catalog": json.loads(json.dumps(discover(config)).replace("shop_a", "foreign_a")),
            "state": {"bookmarks": {"foreign_a": {"replication_key_value": 1}}},
        }
        with pytest.raises(InputError, match=r"another tap.*foreign_a"):
            TapAnalytics(config=config, **{kind: given[kind]})
        assert api.requests == []


def test_the_dry_run_reads_little_and_says_whether_it_can():
    with DemoApi(scale=0.3) as demo:
        one = TapAnalytics(config={"learning": demo.config["learning"]})
        assert one.run_connection_test()
        assert len(demo.requests) < 12


# --- endings ------------------------------------------------------------------------------------


def test_a_signal_ends_a_run_after_a_last_state(monkeypatch, capfd):
    asked = threading.Event()

    def answer(received):
        if "after" in received.target:
            asked.set()
            return api.hang
        return reply(200, b'{"data": [{"id": 1}], "next": "x"}')

    schema = {"type": "object", "properties": {"id": {"type": "integer"}}}
    state = {"bookmarks": {STREAM: {"x": 1}}}
    with ScriptedServer(answer) as api:
        paging = {"type": "cursor", "cursor_path": "next", "cursor_param": "after"}
        config = declared(api.origin, endpoint={"paginator": paging}, schema=schema)
        one = TapAnalytics(config=config, state=state)
        waiting = threading.Thread(
            target=lambda: asked.wait(PATIENCE) and os.kill(os.getpid(), signal.SIGTERM)
        )
        waiting.start()
        with pytest.raises(SystemExit) as ended:
            one.sync_all()
        waiting.join()
    assert ended.value.code == 128 + signal.SIGTERM
    out = capfd.readouterr().out.splitlines()
    assert json.loads(out[-1])["type"] == "STATE"
    assert [json.loads(line)["type"] for line in out[:-1]].count("RECORD") == 1


def test_a_signal_outside_of_a_run_ends_at_once():
    with pytest.raises(SystemExit) as ended:
        TapAnalytics(config={})._handle_termination(signal.SIGINT, None)
    assert ended.value.code == 130


@pytest.fixture(autouse=True)
def handlers():
    """Give back the signal handlers a tap takes."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (InputError("say it"), "say it"),
        (Unreachable("no way", hint="Look."), "no way. Look."),
        (
            ValueError("odd"),
            "ValueError: odd. Run again with `LOGLEVEL=DEBUG` to see where it comes from.",
        ),
        (ValueError(), "ValueError. Run again with `LOGLEVEL=DEBUG` to see where it comes from."),
        (InputError(), "InputError. Run again with `LOGLEVEL=DEBUG` to see where it comes from."),
    ],
    ids=str,
)
def test_an_unexpected_error_is_reported_with_its_type(error, line):
    assert explain(error) == line


def test_a_selection_is_not_changed_by_a_run():
    with JsonApi(lambda _: {"data": [{"id": 1, "x": 1, "y": 2}]}) as api:
        config = declared(api.origin, endpoint={"paginator": "single_page"})
        catalog = deselect(select(discover(config), STREAM), STREAM, "x")
        before = json.dumps(catalog)
        done = run(config, catalog=catalog)
    assert done.records() == [{"id": 1, "y": 2}]
    assert json.dumps(catalog) == before


def test_a_stream_of_the_catalog_that_no_longer_exists_is_named(caplog):
    with by_path({}) as api:
        catalog = discover(shop(api.origin, "/a", "/b", "/c"))
        done = run(shop(api.origin, "/a"), catalog=select(catalog, "shop_a", "shop_b"))
    assert done.ids("shop_a") == [1]
    [warning] = [r.getMessage() for r in caplog.records if "The catalog" in r.getMessage()]
    assert warning == (
        "The catalog selects streams that no configured API has, and that are not read: shop_b. "
        "Run `tap-analytics --discover` for a new catalog."
    )


# --- figures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 4])
def test_the_log_has_a_line_for_each_stream_and_the_sum_last(concurrency, caplog):
    caplog.set_level(logging.INFO)
    with by_path({"/b": reply(200, b'[{"id": 1}, {"id": 2}]')}) as api:
        run(shop(api.origin, "/a", "/b", concurrency=concurrency))
    said = [re.sub(r"[\d.]+ s\b", "… s", r.getMessage()) for r in caplog.records]
    assert sorted(said[:2]) == [
        "shop_a: 1 row, 1 page, consistent, … s",
        "shop_b: 2 rows, 1 page, consistent, … s",
    ]
    assert said[2:] == ["shop: 2 requests", "2 of 2 streams complete, 3 rows in … s."]


def test_a_stream_is_logged_when_it_ends(caplog):
    caplog.set_level(logging.INFO)
    said = []

    def answer(received):
        if received.target.startswith("/b"):
            said.extend(record.getMessage() for record in caplog.records)
        return reply(200, b'[{"id": 1}]')

    with ScriptedServer(answer) as api:
        run(shop(api.origin, "/a", "/b", concurrency=1))
    assert any(line.startswith("shop_a: 1 row, 1 page") for line in said)


def test_the_metrics_tell_the_verdict(caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("LOGLEVEL", "DEBUG")
    with by_path({"/a": reply(200, b'[{"id": 1}]'), "/b": reply(404, b"{}")}) as api:
        run(shop(api.origin, "/a", "/b"))
    assert {r.levelname for r in caplog.records if r.msg == "METRIC: %s"} == {"DEBUG"}
    points = [record.args[0] for record in caplog.records if record.msg == "METRIC: %s"]
    verdicts = {
        point.tags["stream"]: point.tags["verdict"]
        for point in points
        if point.metric.value == "sync_duration"
    }
    assert verdicts == {"shop_a": "consistent", "shop_b": None}


@pytest.mark.parametrize("own_handler", [False, True])
def test_metrics_are_logged_at_info_where_they_have_a_handler_of_their_own(own_handler):
    above, found = logging.getLogger(f"above_{own_handler}"), []
    logger, handler = above.getChild("metrics"), logging.Handler()
    logger.setLevel(logging.INFO)
    handler.emit = found.append
    (logger if own_handler else above).addHandler(handler)
    log_less(logger)
    logger.info("METRIC: %s", 1)
    logger.info("something else")
    logger.warning("METRIC: %s", 2)
    said = [(record.levelname, record.getMessage()) for record in found]
    assert said[-2:] == [("INFO", "something else"), ("WARNING", "METRIC: 2")]
    assert said[:-2] == ([("INFO", "METRIC: 1")] if own_handler else [])


def test_the_summary_says_what_became_of_each_stream(tmp_path):
    path = tmp_path / "summary.json"
    rows = b'[{"id": 1}, {"id": 2}, {"id": 2}]'
    with by_path({"/a": reply(200, rows), "/b": reply(404, b"{}")}) as api:
        run({**shop(api.origin, "/a", "/b"), "summary_path": str(path)})
    summary = json.loads(path.read_bytes())
    assert (summary["exit_code"], summary["rows"]) == (1, 3)
    first, second = summary["streams"]["shop_a"], summary["streams"]["shop_b"]
    assert (first["status"], first["verdict"], first["rows"]) == ("complete", "unverified", 3)
    assert (first["repeated_keys"], first["repeated_keys_exact"]) == (1, True)
    assert (second["status"], second["verdict"]) == ("failed", None)
    assert "404" in second["error"]
    assert summary["apis"]["shop"]["requests"] == 2


@pytest.mark.parametrize("path", ["no/dir.json", "a\0b", ".", "/dev/full"], ids=repr)
def test_a_summary_that_cannot_be_written_does_not_fail_the_run(path, tmp_path, caplog):
    with by_path({"/a": reply(200, b"[]")}) as api:
        done = run({**shop(api.origin, "/a"), "summary_path": str(tmp_path / path)})
    assert done.error is None
    assert "The summary can't be written" in caplog.text
