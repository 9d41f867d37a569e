"""The report of real runs, however they end: its figures are those of the server and of stdout."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter

import pytest
from support.checks import SECRETS
from support.processes import hurried, only, run, start

from tap_analytics.demo import DEFAULT, DemoApi

THROTTLED = {"status": 429, "headers": {"Retry-After": "1"}, "match": {"path": "/people"}}
FORBIDDEN = {"status": 403, "match": {"path": "/audit"}, "times": None}
BROKEN = {"status": 503, "match": {"path": "/notes"}, "times": 2}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "report.html"


def figures_of(path):
    return json.loads(path.with_suffix(".json").read_bytes())


@pytest.mark.parametrize("concurrency", [1, 8])
def test_the_figures_are_those_of_the_server_and_of_stdout(path, concurrency):
    with DemoApi(scale=0.5, faults=[THROTTLED, FORBIDDEN, BROKEN]) as demo:
        config = hurried(demo.config) | {"report_path": str(path), "concurrency": concurrency}
        done = run(config)
        asked = demo.counts.total()
        answers = Counter(each.status for each in demo.requests)
    figures = figures_of(path)
    streams = figures["streams"]

    assert done.code == figures["exit_code"] == 1
    assert figures["status"] == "failed"
    assert figures["requests"] == asked
    assert sum(stream["requests"] for stream in streams.values()) == asked
    for name, stream in streams.items():
        assert stream["rows"] == len(done.records(name)), name
    assert figures["rows"] == sum(map(len, map(done.records, streams)))
    assert {name for name, each in streams.items() if each["error"]} == {"wiki_audit"}
    assert streams["success_notes"]["retries"] == 2
    assert streams["learning_people"]["throttled_seconds"] > 0.9
    counted = Counter()
    for name, api in figures["apis"].items():
        buckets = figures["charts"][name]["buckets"]
        assert sum(bucket["sent"] for bucket in buckets) == api["requests"], name
        assert api["peak"] <= concurrency
        counted.update({int(status): count for status, count in api["statuses"].items()})
    assert counted == answers
    assert str(path) in done.level("INFO")[-1]


def test_a_run_that_a_signal_ends_is_reported(path):
    hang = {"action": "hang", "match": {"path": "/people", "params": {"page": "2"}}, "times": None}
    with DemoApi(scale=1, faults=[hang]) as demo:
        begun = start(only(demo.config, "learning", concurrency=8, report_path=str(path)))
        begun.wrote('"RECORD","stream":"learning_people"')
        begun.signal(signal.SIGTERM)
        done = begun.end()
        asked = demo.counts.total()
    figures = figures_of(path)
    people = figures["streams"]["learning_people"]

    assert done.code == figures["exit_code"] == 143
    assert (figures["status"], figures["signal"]) == ("stopped", "SIGTERM")
    # A request that the signal meets on its way to the server is counted by the tap alone.
    assert asked <= figures["requests"] <= asked + 8
    assert people["status"] == "unfinished"
    assert people["rows"] == len(done.records("learning_people")) > 0
    assert people["seconds"] > 0
    assert "Stopped by SIGTERM" in path.read_text("utf-8")


def test_a_signal_ends_the_seconds_of_a_pause(path):
    wait = THROTTLED | {"headers": {"Retry-After": "600"}, "times": None}
    with DemoApi(scale=0.2, faults=[wait]) as demo:
        begun = start(only(demo.config, "learning", report_path=str(path)))
        begun.said("all requests wait")
        begun.signal(signal.SIGTERM)
        begun.end()
    figures = figures_of(path)
    api = figures["apis"]["learning"]

    assert api["throttled"] == 1
    assert api["throttled_seconds"] <= figures["seconds"] + 1
    assert figures["retries"] == 0


def test_a_run_whose_target_is_gone_is_reported(path):
    reader, writer = os.pipe()
    os.close(reader)
    with DemoApi(scale=0.2) as demo, os.fdopen(writer, "wb") as closed:
        done = start(only(demo.config, "success", report_path=str(path)), stdout=closed).end()
    figures = figures_of(path)

    assert done.code == figures["exit_code"] == 1
    assert "The output could not be delivered" in path.read_text("utf-8")


def test_no_secret_gets_into_a_report(path):
    echo = " ".join(SECRETS)
    faults = [
        {"status": 400, "body": {"message": echo}, "match": {"path": "/people"}, "times": None},
        {"status": 500, "body": {"error": echo}, "match": {"path": "/notes"}, "times": None},
    ]
    with DemoApi(scale=0.2, faults=faults, dialect="spec") as demo:
        config = hurried(demo.config, max_retries=0)
        done = run(config | {"report_path": str(path)})
    assert done.code == 1
    assert all(secret in json.dumps(config) for secret in SECRETS)
    written = path.read_text("utf-8") + path.with_suffix(".json").read_text("utf-8")
    for secret in (*SECRETS, DEFAULT.wiki_email):
        assert secret not in written
    assert "***" in written
