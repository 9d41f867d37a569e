from __future__ import annotations

import copy
import json
import re

import msgspec
import pytest
from support.paths import DOCS
from support.report_page import Page
from support.runs import STREAM, declared, run
from support.servers import JsonApi, ScriptedServer, reply

from tap_analytics.reporting.report.page import page
from tap_analytics.reporting.report.summary import Summary
from tap_analytics.reporting.report.tables import FIELDS
from tap_analytics.transport.stats import BUCKETS

HOSTILE = '</td><script>alert("1")</script>&amp;<img src=x onerror=alert(1)>'
SCHEMA = {"type": "object", "properties": {"id": {"type": "integer"}}}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "report.html"


def figures_of(path):
    return json.loads(path.with_suffix(".json").read_bytes())


def stream_of(path, name=STREAM):
    return figures_of(path)["streams"][name]


def api_of(path):
    return figures_of(path)["apis"]["shop"]


def page_of(path):
    return Page(path.read_text("utf-8"))


def only_page(rows):
    return lambda query: {"data": rows if not query.get("offset", "0").strip("0") else []}


def single(origin, path, **settings):
    endpoint = {"paginator": "single_page"}
    return declared(origin, schema=SCHEMA, endpoint=endpoint, **settings) | {
        "report_path": str(path)
    }


def reported(path, *, count, limit, **settings):
    """Read a list, and return the run and the number of its requests."""

    def answer(query):
        start = int(query.get("offset", 0))
        return {"data": [{"id": n} for n in range(count)][start : start + limit], "total": count}

    endpoint = {"paginator": {"type": "offset", "limit": limit, "total_path": "total"}}
    with JsonApi(answer) as api:
        config = declared(api.origin, endpoint=endpoint, **settings)
        return run(config | {"report_path": str(path)}), len(api.requests)


# --- what it shows --------------------------------------------------------------------------


def test_the_figures_are_those_of_the_run(path):
    done, sent = reported(path, count=250, limit=100)
    figures, shown = figures_of(path), page_of(path)
    stream, of_api = stream_of(path), api_of(path)

    assert figures["rows"] == stream["rows"] == len(done.records()) == 250
    assert figures["requests"] == stream["requests"] == of_api["requests"] == sent
    assert (figures["status"], figures["exit_code"], stream["verdict"]) == (
        "complete",
        0,
        "verified",
    )
    assert shown.figures[None, "rows"] == shown.figures[STREAM, "rows"] == "250"
    assert shown.figures[None, "requests"] == shown.figures[STREAM, "requests"] == str(sent)
    assert "The stream is complete" in shown.text


def test_the_timeline_and_the_latencies_hold_every_request(path):
    _, sent = reported(path, count=500, limit=10, concurrency=4)
    api, charts = api_of(path), figures_of(path)["charts"]["shop"]
    buckets = charts["buckets"]

    assert len(buckets) <= BUCKETS
    assert sum(bucket["sent"] for bucket in buckets) == sent
    assert max(bucket["peak"] for bucket in buckets) == api["peak"] <= 4
    width = charts["bucket_seconds"]
    assert all(bucket["busy"] <= bucket["peak"] * width * 1.001 for bucket in buckets)
    assert sum(charts["latency"].values()) == sent == api["responses"]
    assert 0 < api["latency"]["p50"] <= api["latency"]["p95"] <= api["latency"]["max"]


def test_pauses_retries_and_throttled_time_are_reported(path):
    answers = iter([reply(429, Retry_After="0.3"), *[reply(body=b'{"data": [{"id": 1}]}')] * 2])
    with ScriptedServer(lambda _: next(answers)) as api:
        run(single(api.origin, path))
    figures, shown = figures_of(path), page_of(path)
    stream, of_api = stream_of(path), api_of(path)

    assert (stream["requests"], stream["retries"], of_api["throttled"]) == (2, 1, 1)
    assert 0.3 <= stream["throttled_seconds"] <= of_api["throttled_seconds"] + 0.1
    assert of_api["statuses"] == {"200": 1, "429": 1}
    assert sum(each["failed"] for each in figures["charts"]["shop"]["buckets"]) == 1
    [pause] = [given for _, given in shown.elements if given.get("class") == "pause"]
    assert pause["d"].count("M") == 1
    assert "1 pause of" in shown.text


def test_new_fields_are_reported_with_the_inferred_type(path):
    rows = [{"id": 1, "size": 1.5, "tags": ["a"], "note": None, "deep": {"a": 1}}]
    with JsonApi(only_page(rows)) as api:
        run(single(api.origin, path))
    drift = stream_of(path)["drift"]

    assert {(each["field"], each["change"], each["type"]) for each in drift} == {
        ("size", "added", "number"),
        ("tags", "added", "array of string"),
        ("note", "added", "anything"),
        ("deep", "added", "object"),
    }
    assert "array of string" in page_of(path).text


def test_dropped_fields_are_reported(path):
    with JsonApi(only_page([{"id": 1, "size": 1}])) as api:
        run(single(api.origin, path, on_unknown_field="ignore"))
    [field] = stream_of(path)["drift"]

    assert (field["field"], field["change"]) == ("size", "dropped")
    assert "new, left out" in page_of(path).text


@pytest.mark.parametrize(
    ("policy", "change", "kind"),
    [("widen", "widened", "integer or string"), ("null", "mismatched", None)],
)
def test_values_that_contradict_the_schema_are_counted_by_field(path, policy, change, kind):
    schema = {"type": "object", "properties": {**SCHEMA["properties"], "n": {"type": "integer"}}}
    rows = [{"id": 1, "n": "a"}, {"id": 2, "n": 2}, {"id": 3, "n": "c"}]
    with JsonApi(only_page(rows)) as api:
        config = declared(api.origin, schema=schema, endpoint={"paginator": "single_page"})
        run(config | {"report_path": str(path), "on_type_mismatch": policy})
    stream = stream_of(path)

    assert stream["drift"] == [{"field": "n", "change": change, "type": kind, "values": 2}]
    assert stream["type_mismatches"] == 2


def test_a_cause_that_streams_share_is_reported_once_with_all_of_them(path):
    resources = ["a", "b", "c"]
    with ScriptedServer(lambda _: reply(401, b"{}")) as api:
        config = single(api.origin, path)
        config["apis"][0]["resources"] = [
            {"name": name, "schema": SCHEMA, "endpoint": {"path": f"/{name}"}} for name in resources
        ]
        run(config)
    figures, shown = figures_of(path), page_of(path)

    assert [each["failure"]["cause"] for each in figures["streams"].values()] == ["credentials"] * 3
    assert all(each["failure"]["what_to_do"] for each in figures["streams"].values())
    assert (figures["status"], figures["exit_code"]) == ("failed", 1)
    assert shown.text.count("GET /a answered 401") == 1
    assert "GET /b" not in shown.text
    assert "3 of 3 streams failed" in shown.text


def test_an_optional_failure_leaves_the_run_complete(path):
    def answer(received):
        return reply(403) if received.target.startswith("/secret") else reply()

    with ScriptedServer(answer) as api:
        config = single(api.origin, path)
        config["apis"][0]["optional_streams"] = ["shop_secret"]
        config["apis"][0]["resources"].append(
            {"name": "secret", "schema": SCHEMA, "endpoint": {"path": "/secret"}}
        )
        run(config)
    figures, shown = figures_of(path), page_of(path)

    assert figures["exit_code"] == 0
    assert [each["optional"] for each in figures["streams"].values()] == [False, True]
    assert "1 of 2 streams complete, 1 optional could not be read" in shown.text


def test_settings_are_reported_without_secrets(path):
    with JsonApi(only_page([{"id": 1}])) as api:
        config = single(api.origin, path, concurrency=3)
        config["apis"][0] |= {"requests_per_second": 50, "headers": {"X-Key": "dragonfly"}}
        run(config | {"stream_maps": {STREAM: {"who": "'dragonfly'"}}})
    figures = {
        (each["api"], each["name"]): (each["value"], each["is_default"])
        for each in figures_of(path)["settings"]
    }

    assert figures["", "concurrency"] == ("3", False)
    assert figures["", "request_timeout"] == ("60", True)
    assert figures["shop", "requests_per_second"] == ("50", False)
    assert figures["shop", "max_retries"] == ("1", False)
    assert figures["", "stream_maps"] == ("set", False)
    assert not [name for _, name in figures if "header" in name or "path" in name]
    assert "dragonfly" not in path.read_text() + path.with_suffix(".json").read_text()


# --- what it must not do --------------------------------------------------------------------


def test_no_secret_gets_into_any_field(path):
    secret = "swordfish+4711/<b>"
    body = json.dumps({"message": f"bad key {secret}"}).encode()
    rows = json.dumps({"data": [{"id": 1, f"about {secret}": 1}]}).encode()

    def answer(received):
        return reply(400, body) if received.target.startswith("/bad") else reply(body=rows)

    with ScriptedServer(answer) as api:
        config = single(api.origin, path)
        config["apis"][0]["client"]["auth"] = {"type": "bearer", "token": secret}
        config["apis"][0]["resources"].append(
            {"name": "bad", "schema": SCHEMA, "endpoint": {"path": "/bad"}}
        )
        run(config)

    written = path.read_text("utf-8") + path.with_suffix(".json").read_text("utf-8")
    assert "swordfish" not in written
    assert written.count("about ***") == 2
    assert "bad key ***" in page_of(path).text


def test_external_text_is_never_markup(path):
    body = json.dumps({"message": HOSTILE}).encode()
    rows = json.dumps({"data": [{"id": 1, HOSTILE: 1, "a\ud800\x00\u202eb": 1}]}).encode()

    def answer(received):
        return reply(400, body) if received.target.startswith("/bad") else reply(body=rows)

    with ScriptedServer(answer) as api:
        config = single(api.origin, path)
        config["apis"][0]["resources"].append(
            {"name": "bad", "schema": SCHEMA, "endpoint": {"path": "/bad"}}
        )
        run(config)
    shown = page_of(path)

    assert not {"script", "img"} & {tag for tag, _ in shown.elements}
    assert shown.text.count('<script>alert("1")</script>') == 2
    fields = [each["field"] for each in stream_of(path)["drift"]]
    assert HOSTILE in fields
    assert "\x00" not in path.read_text("utf-8")


def test_every_text_of_the_summary_is_escaped(path):
    with ScriptedServer(lambda _: reply(404, b"{}")) as api:
        config = single(api.origin, path)
        run(config | {"on_unknown_field": "ignore"})
    figures = msgspec.json.decode(path.with_suffix(".json").read_bytes())
    drift = [{"field": "a", "change": "added", "type": "b"}]
    figures["streams"][STREAM]["drift"] = drift
    figures["streams"]["more"] = figures["streams"][STREAM] | {"status": "complete", "verdict": "c"}

    shown = Page(page(msgspec.convert(replaced(figures), Summary, strict=False), json=HOSTILE))

    assert not {"script", "img"} & {tag for tag, _ in shown.elements}
    assert all(not name.startswith("on") for _, given in shown.elements for name in given)
    assert shown.text.count("alert(1)") > 30


def replaced(value):
    """Return a summary in which every text has markup."""
    if isinstance(value, dict):
        # Times are parsed; all other texts may be anything.
        return {
            name: inner if name in {"began", "ended"} else replaced(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [replaced(inner) for inner in value]
    return HOSTILE if isinstance(value, str) else copy.copy(value)


def test_the_page_loads_nothing_and_has_no_script(path):
    with JsonApi(only_page([{"id": 1}])) as api:
        run(single(api.origin, path))
    shown = page_of(path)

    assert [link for link in shown.loads if not link.startswith("#")] == []
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in shown.elements}
    [policy] = [
        given["content"] for tag, given in shown.elements if "http-equiv" in given and tag == "meta"
    ]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"


def test_charts_and_tables_are_accessible(path):
    with JsonApi(only_page([{"id": 1}])) as api:
        run(single(api.origin, path))
    shown = page_of(path)
    charts = [given for tag, given in shown.elements if tag == "svg"]

    assert [given["role"] for given in charts] == ["img", "img"]
    assert "Requests in flight to shop" in charts[0]["aria-label"]
    assert "half within" in charts[1]["aria-label"]
    heads = [given for tag, given in shown.elements if tag == "th"]
    assert all(given.get("scope") for given in heads)
    assert ("html", {"lang": "en"}) in shown.elements


def test_a_page_shows_a_limited_number_of_fields(path):
    rows = [{"id": 1, **{f"field_{n}": n for n in range(FIELDS + 25)}}]
    with JsonApi(only_page(rows)) as api:
        run(single(api.origin, path))

    assert len(stream_of(path)["drift"]) == FIELDS + 25
    assert "25 more fields" in page_of(path).text
    assert f"field_{FIELDS + 24}" not in page_of(path).text


# --- its files ----------------------------------------------------------------------------


def test_no_file_is_written_without_a_setting(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with JsonApi(only_page([{"id": 1}])) as api:
        run(declared(api.origin))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("report.html", ["report.html", "report.json"]),
        ("run.2026.htm", ["run.2026.htm", "run.2026.json"]),
        ("report.json", ["report.json"]),
        ("report", ["report", "report.json"]),
        ("run.2026", ["run.2026", "run.2026.json"]),
    ],
)
def test_the_json_is_written_beside_the_page_or_alone(tmp_path, name, files):
    with JsonApi(only_page([{"id": 1}])) as api:
        run(single(api.origin, tmp_path / name))

    assert sorted(each.name for each in tmp_path.iterdir()) == files
    assert json.loads((tmp_path / files[-1]).read_bytes())["rows"] == 1


def test_a_report_replaces_the_one_before(path):
    path.write_text("the one before")
    with JsonApi(only_page([{"id": 1}])) as api:
        run(single(api.origin, path))

    assert "the one before" not in path.read_text()
    assert sorted(each.name for each in path.parent.iterdir()) == ["report.html", "report.json"]


def test_a_report_that_cannot_be_written_does_not_fail_the_run(tmp_path, caplog):
    folder = tmp_path / "folder.html"
    folder.mkdir()
    for place in (tmp_path / "no" / "report.html", folder):
        with JsonApi(only_page([{"id": 1}])) as api:
            done = run(single(api.origin, place))
        assert done.error is None
        assert f"The report can't be written to {place}" in caplog.text
        caplog.clear()


def test_a_bug_in_the_report_does_not_fail_the_run(path, caplog, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("of the report")

    monkeypatch.setattr("tap_analytics.reporting.report.page", broken)
    with JsonApi(only_page([{"id": 1}])) as api:
        done = run(single(api.origin, path))

    assert done.error is None
    assert f"The report can't be written to {path}: ZeroDivisionError: of the" in caplog.text


def test_the_figures_of_the_report_are_the_summary_and_its_charts(path):
    summary = path.with_name("summary.json")
    with JsonApi(only_page([{"id": 1}])) as api:
        run(single(api.origin, path) | {"summary_path": str(summary)})
    figures = figures_of(path)
    assert figures.pop("charts").keys() == {"shop"}

    assert json.loads(summary.read_bytes()) == figures


def test_a_report_at_the_path_of_the_summary_has_the_members_of_both(path):
    with JsonApi(only_page([{"id": 1}])) as api:
        run(single(api.origin, path) | {"summary_path": str(path.with_suffix(".json"))})

    assert stream_of(path)["rows"] == 1
    assert figures_of(path)["charts"].keys() == {"shop"}


def test_every_member_of_the_summary_is_documented(path):
    docs = DOCS / "reference/summary.md"
    documented = set(re.findall(r"^\| `([\w.]+)` \|", docs.read_text("utf-8"), re.MULTILINE))
    with JsonApi(only_page([{"id": 1, "new": 1}])) as api:
        run(single(api.origin, path))

    assert documented == set(members(figures_of(path)))


def members(value, at=""):
    """Yield the paths of all members, with one path for all streams and for all APIs."""
    for name, inner in value.items() if isinstance(value, dict) else ():
        path = f"{at}NAME" if at in {"streams.", "apis.", "charts."} else f"{at}{name}"
        first = inner[0] if isinstance(inner, list) and inner else inner
        found = (
            []
            if path in {"apis.NAME.statuses", "charts.NAME.latency"}
            else list(members(first, f"{path}."))
        )
        yield from found or [path]


def test_the_summary_counts_requests_by_stream(tmp_path):
    summary = tmp_path / "summary.json"
    answers = iter([reply(500), *[reply(body=b'{"data": [{"id": 1}]}')] * 2])
    with ScriptedServer(lambda _: next(answers)) as api:
        config = single(api.origin, tmp_path / "report.html")
        run(config | {"summary_path": str(summary)})
    figures = json.loads(summary.read_bytes())

    assert figures["streams"][STREAM]["requests"] == figures["apis"]["shop"]["requests"] == 2
    assert figures["streams"][STREAM]["retries"] == figures["apis"]["shop"]["retries"] == 1
