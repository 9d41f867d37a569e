"""Every way a run can fail, through the real command: one line per cause, with a next step.

All of it runs at DEBUG, where the libraries below talk most, and nothing shows a secret: not the
log, not the metrics, not STATE, not the summary.
"""

from __future__ import annotations

import json
import socket
import sys

import pytest
from support.checks import assert_errors, assert_no_secret
from support.processes import run, start
from support.servers import PathApi

from tap_analytics.demo import DEFAULT, DemoApi

#: What a server may send back of what it was sent.
ECHO = f"you sent {DEFAULT.declared_api_key}"
COLUMNS = {"type": "object", "properties": {"id": {"type": "integer"}}}
KEY = {
    "type": "api_key",
    "name": "api_key",
    "api_key": DEFAULT.declared_api_key,
    "location": "query",
}


def entry(name, url, *resources, auth=KEY, **words):
    """Return an API of its own for a failure, so that no other shares its cause."""
    return {
        "name": name,
        "client": {"base_url": url, "auth": auth},
        "resources": list(resources),
        "retry": {"max_retries": 1, "backoff_factor": 0},
    } | words


def things(**endpoint):
    """Return a resource whose first page is read by the sync alone."""
    words = {"path": "/things", "data_selector": "data", "paginator": "single_page"} | endpoint
    return {"name": "things", "endpoint": words, "primary_key": "id", "schema": COLUMNS}


def failed(apis, folder, *causes, secrets=(), env=None, **settings):
    """Check that a run of some APIs fails with a line per cause; return the run."""
    summary = folder / "summary.json"
    config = {"apis": apis, "summary_path": str(summary), **settings}
    done = run(config, env={"LOGLEVEL": "DEBUG"} | (env or {}))
    assert_errors(done, *causes)
    assert_no_secret(done, summary, secrets=secrets)
    streams = json.loads(summary.read_text("utf-8"))["streams"]
    assert len([s for s in streams.values() if s["status"] == "failed"]) >= len(causes)
    return done


# --- what goes wrong on the way -------------------------------------------------------------

#: Every fault of the demo, and the words that tell it apart.
FAULTS = {
    "status401": ({"status": 401, "body": {"message": ECHO}}, "credentials of"),
    "status403": ({"status": 403, "body": {"detail": ECHO}}, "`optional_streams`"),
    "status404": ({"status": 404, "body": {"title": ECHO}}, "`base_url` of"),
    "status400": ({"status": 400, "body": ECHO}, "400 Bad Request"),
    "status418": ({"status": 418, "body": {"errors": [{"message": ECHO}]}}, "418"),
    "status429": ({"status": 429, "headers": {"Retry-After": "0"}}, "`requests_per_second`"),
    "status500": ({"status": 500, "body": {"error": ECHO}}, "after 2 attempts"),
    "status599": ({"status": 599}, "599"),
    "truncate_json": ({"action": "truncate_json"}, "invalid JSON"),
    "html": ({"action": "html"}, "a web page"),
    "wrong_type": ({"action": "wrong_type", "body": ECHO}, "no JSON"),
    "wrong_value": ({"action": "wrong_type", "body": 4711}, "found no rows at `data`"),
    "gzip_cut": ({"action": "gzip_cut"}, "compressed body"),
    "redirect": (
        {"action": "redirect", "url": "http://127.0.0.2:9/?api_key=demo-declared%2Fkey%2B%26%3D"},
        "http://127.0.0.2:9",
    ),
    "redirect_user": (
        {"action": "redirect", "url": "http://user:canary-in-a-link@127.0.0.1:9/"},
        "another origin",
    ),
    "redirect_odd": ({"action": "redirect", "url": "http://[::1/"}, "malformed URL"),
    "redirect_loop": ({"action": "redirect_loop"}, "too many times"),
    "in_band": ({"action": "in_band", "body": {"error": {"message": ECHO}}}, "200 with an error"),
    "in_band401": ({"action": "in_band", "body": {"error": {"code": 401}}}, "Check the cred"),
    "in_band503": ({"action": "in_band", "body": {"error": {"code": 503}}}, "after 2 attempts"),
    "version": ({"action": "in_band", "body": {"API_ERROR": "BAD_VERSION"}}, "API's version"),
    "cut": ({"action": "cut"}, "truncated body"),
    "reset": ({"action": "reset"}, "closed by the server"),
    "reset_mid": ({"action": "reset_mid"}, "closed by the server"),
    "drip": ({"action": "drip", "size": 1}, "within 1 s"),
    "hang": ({"action": "hang"}, "`request_timeout`"),
}
#: Those that need a short timeout, which others might meet on a busy machine.
SLOW = ["drip", "hang"]
QUICK = [name for name in FAULTS if name not in SLOW]
BATCHES = [QUICK[i : i + 7] for i in range(0, len(QUICK), 7)]


@pytest.mark.parametrize("names", [*BATCHES, SLOW], ids=str)
def test_each_fault_of_a_server_is_one_line(names, tmp_path):
    def fault(name):
        return FAULTS[name][0] | {"times": None, "match": {"params": {"case": name}}}

    with DemoApi(scale=0.1, faults=[fault(name) for name in names]) as demo:
        url = f"{demo.url}/declared"
        apis = [entry(n, url, things(path="/v1/resource", params={"case": n})) for n in names]
        causes = [(f"{name}_things", FAULTS[name][1]) for name in names]
        settings = {"request_timeout": 1} if names == SLOW else {}
        failed(apis, tmp_path, *causes, secrets=("canary-in-a-link",), **settings)


def test_each_way_of_not_getting_through_is_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = f"127.0.0.1:{taken.getsockname()[1]}"
    with PathApi(lambda *_: {"data": []}) as plain:
        apis = [
            entry("refused", f"http://{closed}", things()),
            entry("nameless", "http://nowhere.invalid", things()),
            entry("untrusted", plain.origin.replace("http:", "https:"), things()),
        ]
        failed(
            apis,
            tmp_path,
            ("refused_things", "(refused)", "`base_url` of refused"),
            ("nameless_things", "no address", "`base_url` of nameless"),
            ("untrusted_things", "no TLS connection", "`base_url` of untrusted"),
            env={"no_proxy": "*"},
        )


def test_a_body_too_large_is_one_line(tmp_path):
    large = {"data": [{"id": 1, "text": "x" * 2**21}]}
    with PathApi(lambda *_: large) as api:
        failed(
            [entry("large", api.origin, things())],
            tmp_path,
            ("large_things", "1 MiB", "`max_response_mb`"),
            max_response_mb=1,
        )


def test_each_way_of_getting_no_token_is_one_line(tmp_path):
    echo = "you sent canary-oauth-4711 and canary-refresh-4711"
    answers = {
        "/refused": (400, {"error": "invalid_client", "error_description": echo}),
        "/down": (503, {"error": echo}),
        "/list": [],
        "/empty": {"token_type": "bearer"},
    }

    def auth(path):
        words = {"client_id": "us", "client_secret": "canary-oauth-4711"}
        return {
            "type": "oauth2_client_credentials",
            "access_token_url": api.origin + path,
            "access_token_request_data": {"refresh_token": "canary-refresh-4711"},
        } | words

    with PathApi(lambda path, _: answers.get(path, {"data": []})) as api:
        apis = [entry(path[1:], api.origin, things(), auth=auth(path)) for path in answers]
        failed(
            apis,
            tmp_path,
            ("refused_things", "400", "`client_secret`"),
            ("down_things", "503", "`retry.max_retries`"),
            ("list_things", "no JSON object"),
            ("empty_things", "without an `access_token`"),
            secrets=("canary-oauth-4711", "canary-refresh-4711"),
        )


# --- what is wrong with what came -----------------------------------------------------------


def page(*ids, **envelope):
    return {"data": [{"id": number} for number in ids], **envelope}


CURSOR = {"type": "cursor", "cursor_path": "next", "cursor_param": "cursor"}
#: How a server pages that doesn't advance, and how it is told.
LOOPS = {
    "token": (CURSOR, lambda q: page(int(q.get("cursor", 0)) + 7, next="7"), "`cursor_path`"),
    "rows": (
        CURSOR,
        lambda q: page(1, next=f"{int(q.get('cursor', 0)) + 1}"),
        "doesn't advance",
    ),
    "empty": (CURSOR, lambda q: page(next=f"{int(q.get('cursor', 0)) + 1}"), "without a row"),
    "offset": ("offset", lambda q: page(1, 2), "`single_page`"),
    "number": ({"type": "page_number", "base_page": 1}, lambda q: page(1, 2), "`single_page`"),
    "clamped": (
        {"type": "page_number", "base_page": 1, "limit": 1},
        lambda q: page(min(int(q["page"]), 3)),
        "after the end",
    ),
    "cycle": (
        CURSOR,
        lambda q: page(ord(q.get("cursor", "a")), next="b" if q.get("cursor") == "c" else "c"),
        "never end",
    ),
}


def test_each_way_of_paging_in_cycles_is_one_line_that_names_it(tmp_path):
    def answer(path, query):
        return LOOPS[path.split("/")[1]][1](dict(query))

    with PathApi(answer) as api:
        apis = [
            entry(name, f"{api.origin}/{name}", things(paginator=paginator))
            for name, (paginator, *_) in LOOPS.items()
        ]
        causes = [(f"{name}_things", "repeated", words) for name, (*_, words) in LOOPS.items()]
        failed(apis, tmp_path, *causes)


#: Responses that hold no rows where they are looked for, or rows that can't be used.
CONTENTS = {
    "elsewhere": ({"items": [{"id": 1}]}, "holds a list at `items`"),
    "nowhere": ({"status": "fine"}, "is an object with `status`"),
    "bare": ([{"id": 1}], "itself is a list"),
    "text": ({"data": "none"}, "is text"),
    "numbers": ({"data": [1, 2]}, "rows (objects) are expected"),
    "keyless": ({"data": [{"name": "x"}]}, "primary key `id`"),
    "stranger": (
        {"data": [{"id": 1}], "next": "http://user:canary-in-a-link@127.0.0.2:9/x"},
        "`base_url`",
    ),
    "unreadable": ({"data": [{"id": 1}], "next": "http://[::1/x"}, "is no URL"),
    "short": ({"data": [{"id": 1}], "total": 5}, "`on_shortfall: warn`"),
}


@pytest.mark.parametrize("names", [list(CONTENTS)[:5], list(CONTENTS)[5:]], ids=str)
def test_each_response_that_cannot_be_used_is_one_line(names, tmp_path):
    link = {"type": "json_link", "next_url_path": "next"}
    paginators = dict.fromkeys(("stranger", "unreadable"), link)
    with PathApi(lambda path, _: CONTENTS[path.split("/")[1]][0]) as api:
        apis = [
            entry(n, f"{api.origin}/{n}", things(paginator=paginators.get(n, "single_page")))
            for n in names
        ]
        causes = [(f"{name}_things", CONTENTS[name][1]) for name in names]
        failed(apis, tmp_path, *causes, secrets=("canary-in-a-link",))


def test_a_built_in_stream_whose_rows_are_elsewhere_points_to_its_address():
    with PathApi(lambda *_: {"items": []}) as api:
        block = {"api_key": "canary-built-in-4711", "base_url": api.origin}
        done = run({"learning": block}, env={"LOGLEVEL": "DEBUG"})
    assert_no_secret(done, secrets=("canary-built-in-4711",))
    assert_errors(
        done,
        ("learning_people", "at `items`", "`base_url` of learning"),
        ("learning_courses", "at `items`", "`base_url` of learning"),
    )


@pytest.mark.parametrize(
    ("setting", "row"),
    [("on_unknown_field", {"id": 1, "new": 2}), ("on_type_mismatch", {"id": "one"})],
)
def test_what_a_setting_refuses_is_one_line_that_names_it(setting, row, tmp_path):
    with PathApi(lambda *_: {"data": [row]}) as api:
        apis = [entry("odd", api.origin, things())]
        failed(apis, tmp_path, ("odd_things", f"`{setting}`"), **{setting: "fail"})


def test_each_failure_below_a_parent_is_one_line(tmp_path):
    def answer(path, _query):
        return (404, {}) if path.endswith("/gone") else {"data": [{"id": 1}]}

    def child(name, path, **endpoint):
        return things(path=path, **endpoint) | {"name": name}

    resolve = {"type": "resolve", "resource": "things", "field": "owner"}
    with PathApi(answer) as api:
        apis = [
            entry("one", api.origin, things(), child("gone", "/things/{thing_id}/gone")),
            entry(
                "two", api.origin, things(), child("lost", "/of/{owner}", params={"owner": resolve})
            ),
        ]
        failed(
            apis,
            tmp_path,
            ("one_gone", "404 for every one of 1 parents"),
            ("two_lost", "has no `owner`", "`params.owner`"),
        )


def test_a_schema_that_cannot_be_sampled_is_one_line():
    resource = {"name": "things", "endpoint": {"path": "/things", "data_selector": "data"}}
    with PathApi(lambda *_: (500, {"error": ECHO})) as api:
        apis = [entry("odd", api.origin, resource)]
        done = run({"apis": apis}, "--discover", env={"LOGLEVEL": "DEBUG"})
    assert_errors(done, ("odd_things", "500", "`schema`"))
    assert_no_secret(done)


# --- what is wrong with this machine --------------------------------------------------------


def test_a_full_disk_is_one_line():
    with PathApi(lambda *_: page(1)) as api, open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        done = start({"apis": [entry("odd", api.origin, things())]}, stdout=full).end()
    assert_errors(done, ("Standard output", "No space left", "STATE"))


def test_a_summary_that_cannot_be_written_is_a_warning_that_names_the_setting(tmp_path):
    with PathApi(lambda *_: page(1)) as api:
        apis = [entry("odd", api.origin, things())]
        done = run({"apis": apis, "summary_path": str(tmp_path / "none" / "summary.json")})
    assert (done.code, done.errors) == (0, [])
    assert [line for line in done.warnings if "`summary_path`" in line]


def test_a_storage_that_takes_no_files_is_named_with_its_setting(tmp_path):
    stream = {"tap_stream_id": "odd_things", "schema": COLUMNS, "key_properties": ["id"]}
    catalog = {"streams": [stream | {"metadata": []}]}
    taken = tmp_path / "taken"
    taken.write_text("a file where a folder is wanted", "utf-8")
    batches = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": f"file://{taken}/below"},
    }
    with PathApi(lambda *_: page(1)) as api:
        config = {"apis": [entry("odd", api.origin, things())], "batch_config": batches}
        done = run(config, catalog=catalog)
    assert_errors(done, ("odd_things", "`batch_config.storage`"))


def test_an_unexpected_error_says_how_to_see_more(tmp_path):
    broken = (
        "from tap_analytics.pagination.response import ResponseParser\n"
        "ResponseParser.parse = lambda *_: 1 / 0\n"
    )
    start = "from tap_analytics.__main__ import main; main()"
    (tmp_path / "broken.py").write_text(f"{broken}{start}", "utf-8")
    program = (sys.executable, tmp_path / "broken.py")
    with PathApi(lambda *_: page(1)) as api:
        config = {"apis": [entry("odd", api.origin, things())]}
        runs = [
            run(config, program=program, env={"LOGLEVEL": level}) for level in ("INFO", "DEBUG")
        ]
    assert_errors(runs[0], ("odd_things", "ZeroDivisionError", "`LOGLEVEL=DEBUG`"))
    assert "Traceback" in runs[1].stderr
    assert [line for line in runs[1].errors if "odd_things" in line] == runs[1].errors


def test_more_failures_than_lines_are_reported_with_where_the_others_are(tmp_path):
    names = [f"odd{number}" for number in range(12)]
    with PathApi(lambda *_: (418, {})) as api:
        apis = [entry(name, api.origin, things()) for name in names]
        summary = tmp_path / "summary.json"
        some = run({"apis": apis})
        others = run({"apis": apis, "summary_path": str(summary)})
    assert len(some.errors) == len(others.errors) == 8
    assert "5 more failures: set `summary_path`" in some.errors[-1]
    assert f"5 more failures: see {summary}" in others.errors[-1]
    streams = json.loads(summary.read_text("utf-8"))["streams"]
    assert len([s for s in streams.values() if "418" in s["error"]]) == 12
