"""A failure affects its own stream only: the others complete, and each cause is logged once."""

from __future__ import annotations

import socket

import pytest
from support.processes import discover, hurried, only, run
from support.runs import select
from support.servers import PathApi, ScriptedServer, reply

from tap_analytics.demo import DemoApi

INCREMENTAL = 12
WIKI = {"wiki_audit", "wiki_group", "wiki_pages", "wiki_blog_posts", "wiki_space"}
#: A failure that each of the incremental built-in streams below can meet, and how it is told.
FAILURES = [
    ({"status": 403, "match": {"path": "/audit"}}, "wiki_audit", "403"),
    ({"status": 404, "match": {"path": "/people$"}}, "learning_people", "404"),
    (
        {"action": "truncate_json", "match": {"path": "/notes"}},
        "success_notes",
        "invalid JSON",
    ),
    ({"action": "html", "match": {"path": "/feeds"}}, "experimentation_accounts_feeds", "web page"),
    ({"status": 500, "match": {"path": "/blogposts"}, "after": 1}, "wiki_blog_posts", "500"),
    ({"action": "reset", "match": {"path": "/tasks"}}, "success_tasks", "closed"),
]


#: A catalog makes the first page be read by the sync alone.
CATALOG = {
    "streams": [
        {
            "tap_stream_id": "odd_things",
            "schema": {"type": "object", "properties": {"id": {"type": "integer"}}},
            "key_properties": ["id"],
            "metadata": [{"breadcrumb": [], "metadata": {"selected": True}}],
        }
    ]
}


def always(*faults):
    return [fault | {"times": None} for fault in faults]


@pytest.mark.parametrize("concurrency", [1, 8])
def test_streams_that_fail_leave_the_others_alone(concurrency):
    faults = always(*(fault for fault, _, _ in FAILURES))
    lost = {stream for _, stream, _ in FAILURES}
    with DemoApi(scale=0.5, faults=faults) as demo:
        config = hurried(demo.config, max_retries=1)
        config["wiki"] = config["wiki"] | {"page_size": 5}
        done = run(config | {"concurrency": concurrency})
        assert done.code == 1
        for name in set(demo.streams) - lost:
            assert len(done.records(name)) == len(demo.rows(name)), name
    assert len(done.errors) == len(FAILURES)
    for _, stream, words in FAILURES:
        telling = [line for line in done.errors if stream in line]
        assert len(telling) == 1
        assert words in telling[0]
    assert len(done.bookmarks) == INCREMENTAL - len(lost)
    assert not done.bookmarks.keys() & lost
    assert 0 < len(done.records("wiki_blog_posts")) < 15
    assert "18 of 24 streams complete" in done.level("INFO")[-1]


def test_a_failed_stream_keeps_the_bookmark_it_had():
    with DemoApi(scale=0.2) as demo:
        first = run(demo.config)
        demo.mutate()
        demo.set_faults(always({"status": 403, "match": {"path": "/audit|/people"}}))
        done = run(demo.config, state=first.state)
        demo.set_faults([])
        last = run(demo.config, state=done.state)
    assert done.code == 1
    for name in ("wiki_audit", "learning_people"):
        assert done.bookmarks[name] == first.bookmarks[name]
        assert len(last.records(name)) >= 3
    assert done.bookmarks["success_notes"] > first.bookmarks["success_notes"]


def test_many_failures_are_reported_in_eight_lines():
    with DemoApi(scale=0.1, faults=always({"status": 418})) as demo:
        catalog = discover(only(demo.config, "learning"))
        everything = hurried(demo.config, max_retries=0)
        built_in = {name: block for name, block in everything.items() if name != "apis"}
        done = run(built_in)
    assert catalog["streams"]
    assert done.code == 1
    assert len(done.errors) == 8
    assert "more failures" in done.errors[-1]


@pytest.mark.parametrize("concurrency", [1, 8])
def test_refused_credentials_are_reported_once_with_what_they_affect(concurrency):
    with DemoApi(scale=0.2) as demo:
        config = demo.config | {"concurrency": concurrency}
        config["wiki"] = config["wiki"] | {"api_token": "not-the-wiki-token"}
        done = run(config)
        asked = [request for request in demo.requests if request.path.startswith("/wiki")]
    assert done.code == 1
    assert len(done.errors) == 1
    assert "401" in done.errors[0]
    assert all(name in done.errors[0] for name in WIKI)
    assert len(asked) <= len(WIKI)
    assert {m["stream"] for m in done.of("RECORD", None)}.isdisjoint(WIKI)
    assert "not-the-wiki-token" not in done.stderr


def test_a_host_that_does_not_answer_is_reported_once_and_fast():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with DemoApi(scale=0.2) as demo:
        config = hurried(demo.config)
        config["success"] = config["success"] | {"base_url": f"http://127.0.0.1:{port}"}
        done = run(config)
        assert len(done.records("wiki_pages")) == len(demo.rows("wiki_pages"))
    assert done.code == 1
    assert len(done.errors) == 1
    assert "success" in done.errors[0]
    assert "refused" in done.errors[0]
    assert "success_users" in done.errors[0]
    assert "success.base_url" in done.errors[0]
    assert len([line for line in done.warnings if "retry 3 of 3" in line]) <= 6


def test_optional_streams_are_reported_as_warnings_and_accepted():
    faults = always(
        {"status": 403, "match": {"path": "/audit"}}, {"status": 404, "match": {"path": "/notes"}}
    )
    with DemoApi(scale=0.2, faults=faults) as demo:
        config = demo.config
        config["wiki"] = config["wiki"] | {"optional_streams": ["wiki_audit"]}
        config["success"] = config["success"] | {"optional_streams": ["success_notes"]}
        done = run(config)
        demo.set_faults(always({"status": 500, "match": {"path": "/audit"}}))
        failed = run(hurried(config, max_retries=0))
    assert (done.code, done.errors) == (0, [])
    assert len(done.warnings) == 2
    assert any("403" in line and "/audit" in line for line in done.warnings)
    assert any("404" in line and "/notes" in line for line in done.warnings)
    assert done.bookmarks.keys().isdisjoint({"wiki_audit", "success_notes"})
    assert failed.code == 1
    assert len(failed.errors) == 1


def test_children_of_a_parent_that_is_gone_are_skipped_and_counted():
    with DemoApi(scale=0.3) as demo:
        courses = [row["id"] for row in demo.rows("learning_courses")]
        gone = {"status": 404, "match": {"path": f"/courses/{courses[1]}/enrollments"}}
        demo.set_faults(always(gone))
        settings = {"emit_activate_version_messages": True}
        done = run(only(demo.config, "learning", **settings))
        left = [r for r in demo.rows("learning_course_enrollments") if r["course_id"] != courses[1]]
    assert (done.code, done.errors) == (0, [])
    assert len(done.records("learning_course_enrollments")) == len(left)
    # Rows below the parent may be there: nothing says that they are gone.
    assert done.of("ACTIVATE_VERSION", "learning_course_enrollments") == []
    assert "1 of 4 parents answered 404. Nothing is deleted in the target." in done.warnings[0]
    summary = next(line for line in done.level("INFO") if line.startswith("learning_course_enr"))
    assert "1 parent gone" in summary


def test_children_that_are_gone_for_every_parent_are_a_failure():
    gone = {"status": 404, "match": {"path": "/enrollments"}}
    with DemoApi(scale=0.3, faults=always(gone)) as demo:
        done = run(only(demo.config, "learning", emit_activate_version_messages=True))
    assert done.code == 1
    assert len(done.errors) == 1
    assert "learning_course_enrollments" in done.errors[0]
    assert "404" in done.errors[0]
    assert done.of("ACTIVATE_VERSION", None) == []
    assert done.bookmarks.keys() == {"learning_people", "learning_courses"}


def test_a_failing_child_stops_neither_its_parent_nor_its_siblings():
    fault = {"status": 403, "match": {"path": "/enrollments"}, "after": 1}
    with DemoApi(scale=0.3, faults=always(fault)) as demo:
        done = run(only(demo.config, "learning"))
        assert len(done.records("learning_courses")) == len(demo.rows("learning_courses"))
        assert len(done.records("learning_people")) == len(demo.rows("learning_people"))
    assert done.code == 1
    assert len(done.errors) == 1
    assert done.bookmarks.keys() == {"learning_people", "learning_courses"}


def test_a_catalog_entry_that_cannot_be_used_is_reported_by_its_stream():
    with DemoApi(scale=0.2) as demo:
        config = only(demo.config, "learning", concurrency=1)
        catalog = select(discover(config), "learning_people", "learning_courses")
        entry = next(e for e in catalog["streams"] if e["tap_stream_id"] == "learning_courses")
        entry["schema"]["properties"]["name"] = "text"
        done = run(config, catalog=catalog)
    assert done.code == 1
    assert len(done.errors) == 1
    assert "learning_courses" in done.errors[0]
    assert "AttributeError" not in done.errors[0]


def resource(**endpoint):
    paginator = {"type": "offset", "limit": 2}
    words = {"path": "/things", "data_selector": "data", "paginator": paginator} | endpoint
    return {"name": "things", "endpoint": words}


def test_a_resource_has_the_retries_it_declares():
    answers = iter([(503, {}), (418, {}), (418, {})])

    def answer(path, query):
        return next(answers, {"data": [] if dict(query)["offset"] != "0" else [{"id": 1}]})

    handler = {"max_retries": 3, "backoff_factor": 0, "retry_on_status_codes": [418, 503]}
    with PathApi(answer) as api:
        entry = api.config(resource(error_handler=handler))
        done = run(entry)
    assert (done.code, done.errors) == (0, [])
    assert len([line for line in done.warnings if "of 3" in line]) == 3


def test_a_resource_that_declares_no_retry_is_tried_once():
    def answer(path, query):
        return 503, {"error": "down"}

    with PathApi(answer) as api:
        done = run(api.config(resource(error_handler={"max_retries": 0}, paginator="single_page")))
        asked = len(api.asked)
    assert done.code == 1
    assert done.warnings == []
    assert asked == 1


def test_lists_of_values_are_sent_as_repeated_parameters_on_every_page():
    def answer(path, query):
        states = [value for name, value in query if name == "state"]
        if "page" in dict(query):
            return {"data": [{"id": f"{state} 2"} for state in states]}
        link = "&".join(["/things?page=2", *(f"state={state}" for state in states)])
        return {"data": [{"id": f"{state} 1"} for state in states], "links": {"next": link}}

    paginator = {"type": "json_link", "next_url_path": "links.next"}

    def last(path, query):
        said = answer(path, query)
        return said if "links" in said else said | {"links": {"next": None}}

    with PathApi(last) as api:
        done = run(api.config(resource(paginator=paginator, params={"state": ["new", "old"]})))
    assert [row["id"] for row in done.records("odd_things")] == ["new 1", "old 1", "new 2", "old 2"]


def test_a_token_that_comes_in_drops_ends_at_the_timeout():
    with (
        ScriptedServer(lambda _: tokens.drip(reply(200, b" " * 100_000))) as tokens,
        PathApi(lambda *_: []) as api,
    ):
        auth = {
            "type": "oauth2_client_credentials",
            "access_token_url": f"{tokens.origin}/token",
            "client_id": "us",
            "client_secret": "never-told",
        }
        config = api.config(resource(), auth=auth) | {"request_timeout": 0.5}
        done = run(config, catalog=CATALOG)
    assert done.code == 1
    assert len(done.errors) == 1
    assert "token" in done.errors[0]
    assert "0.5 s" in done.errors[0]
    assert "never-told" not in done.stderr


def test_rows_deleted_between_two_pages_cost_no_other_row():
    """The server gives fewer rows than asked for, and one is deleted in front of the reader."""
    rows = [{"id": number} for number in range(11)]

    def answer(path, query):
        first = int(dict(query)["offset"])
        if first and len(rows) == 11:
            del rows[0]
        return {"data": rows[first : first + 3]}

    paginator = {"type": "offset", "limit": 5}
    with PathApi(answer) as api:
        config = api.config(resource(paginator=paginator)) | {"concurrency": 1}
        done = run(config, catalog=CATALOG)
    assert done.code == 1 or {row["id"] for row in done.records("odd_things")} == set(range(11))


def test_a_row_inserted_behind_the_reader_is_no_repeated_page():
    """Newest first, no total: what is inserted in front pushes the last row to the next page."""
    rows = [{"id": number} for number in range(15, 0, -1)]

    def answer(path, query):
        first = int(dict(query)["offset"])
        if first >= 15 and len(rows) == 15:
            rows.insert(0, {"id": 16})
        return {"data": rows[first : first + 5]}

    paginator = {"type": "offset", "limit": 5}
    with PathApi(answer) as api:
        config = api.config(resource(paginator=paginator)) | {"concurrency": 1}
        done = run(config, catalog=CATALOG)
    assert (done.code, done.errors) == (0, [])
    assert {row["id"] for row in done.records("odd_things")} >= set(range(1, 16))
