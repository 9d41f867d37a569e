"""What is selected is written: schemas first, one each, and versions only after proof."""

from __future__ import annotations

import pytest
from support.processes import discover, hurried, only, run
from support.runs import select
from support.servers import PathApi

from tap_analytics.demo import DemoApi


@pytest.fixture(scope="module")
def demo():
    with DemoApi(scale=0.2) as api:
        yield api


@pytest.fixture(scope="module")
def catalog(demo):
    return discover(demo.config)


def kinds(done, stream):
    """Return the types of a stream's messages, in order."""
    return [m["type"] for m in done.messages if m.get("stream") == stream]


def deselect(catalog, stream, *breadcrumb):
    """Deselect one field of one stream, in place."""
    entry = next(entry for entry in catalog["streams"] if entry["tap_stream_id"] == stream)
    item = next((i for i in entry["metadata"] if tuple(i["breadcrumb"]) == breadcrumb), None)
    if item is None:
        item = {"breadcrumb": list(breadcrumb), "metadata": {}}
        entry["metadata"].append(item)
    item["metadata"] |= {"selected": False}


def test_only_selected_streams_are_read(demo, catalog):
    demo.reset_counts()
    done = run(demo.config, catalog=select(catalog, "wiki_space", "success_admins"))
    assert done.code == 0
    assert {m["stream"] for m in done.messages if "stream" in m} == {"wiki_space", "success_admins"}
    assert done.records("wiki_space") == demo.rows("wiki_space")
    assert {request.path.rpartition("/")[2] for request in demo.requests} == {"spaces", "admins"}


def test_a_catalog_that_lists_some_streams_reads_those(demo, catalog):
    entries = [e for e in catalog["streams"] if e["tap_stream_id"] in {"wiki_group", "wiki_audit"}]
    done = run(demo.config, catalog={"streams": entries})
    assert done.code == 0
    assert {m["stream"] for m in done.of("SCHEMA", None)} == {"wiki_group", "wiki_audit"}
    assert len(done.records("wiki_audit")) == len(demo.rows("wiki_audit"))


def test_a_deselected_field_stays_out_of_schema_and_records(demo, catalog):
    chosen = select(catalog, "learning_people", "wiki_pages")
    deselect(chosen, "learning_people", "properties", "email")
    deselect(chosen, "learning_people", "properties", "id")
    deselect(chosen, "wiki_pages", "properties", "version", "properties", "authorId")
    done = run(demo.config, catalog=chosen)
    assert done.code == 0
    people = done.of("SCHEMA", "learning_people")
    pages = done.of("SCHEMA", "wiki_pages")
    assert len(people) == len(pages) == 1
    assert "email" not in people[0]["schema"]["properties"]
    version = pages[0]["schema"]["properties"]["version"]["properties"]
    assert "authorId" not in version
    assert "createdAt" in version
    for row, there in zip(
        done.records("learning_people"), demo.rows("learning_people"), strict=True
    ):
        assert row == {name: there[name] for name in there if name != "email"}
    for row, there in zip(
        sorted(done.records("wiki_pages"), key=lambda row: row["id"]),
        sorted(demo.rows("wiki_pages"), key=lambda row: row["id"]),
        strict=True,
    ):
        rest = {name: there["version"][name] for name in there["version"] if name != "authorId"}
        assert row == there | {"version": rest}


def test_a_child_alone_reads_its_parents_without_writing_them(demo, catalog):
    done = run(demo.config, catalog=select(catalog, "learning_course_enrollments"))
    assert done.code == 0
    assert {m["stream"] for m in done.messages if "stream" in m} == {"learning_course_enrollments"}
    expected = demo.rows("learning_course_enrollments")
    assert len(done.records("learning_course_enrollments")) == len(expected)
    assert "learning_courses" not in done.bookmarks


def test_many_parents_make_one_schema_of_their_children(demo, catalog):
    both = select(catalog, "learning_courses", "learning_course_enrollments")
    done = run(demo.config, catalog=both)
    courses = {row["course_id"] for row in done.records("learning_course_enrollments")}
    assert len(courses) > 1
    assert kinds(done, "learning_course_enrollments").count("SCHEMA") == 1
    assert kinds(done, "learning_course_enrollments")[0] == "SCHEMA"


def test_a_stream_without_rows_writes_its_schema():
    names = ("learning_courses", "wiki_audit", "success_notes", "declared_resource_name")
    with DemoApi(scale=0.2, empty=names) as demo:
        done = run(demo.config)
    assert (done.code, done.errors) == (0, [])
    for name in (*names, "learning_course_enrollments"):
        assert kinds(done, name) == ["SCHEMA"], name
        message = done.of("SCHEMA", name)[0]
        assert message["key_properties"]
        assert set(message["key_properties"]) <= message["schema"]["properties"].keys()


def test_versions_are_activated_after_the_last_record(demo):
    done = run(demo.config | {"emit_activate_version_messages": True})
    assert done.code == 0
    full = {m["stream"] for m in done.of("ACTIVATE_VERSION", None)}
    assert full == set(demo.streams) - done.bookmarks.keys()
    for name in full:
        found = kinds(done, name)
        assert found.count("ACTIVATE_VERSION") == 1
        assert found[-1] == "ACTIVATE_VERSION"
        versions = {m["version"] for m in done.messages if "version" in m and m["stream"] == name}
        assert len(versions) == 1
        assert all("version" in m for m in done.of("RECORD", name))


@pytest.mark.parametrize("concurrency", [1, 8])
def test_no_version_is_activated_without_the_whole(concurrency):
    faults = [
        {"status": 500, "match": {"path": path}, "after": 1, "times": None}
        for path in ("/labels", "/enrollments")
    ]
    with DemoApi(scale=0.3, faults=faults) as failing:
        config = hurried(failing.config, max_retries=1) | {"concurrency": concurrency}
        done = run(config | {"emit_activate_version_messages": True})
    activated = {m["stream"] for m in done.of("ACTIVATE_VERSION", None)}
    assert done.code == 1
    assert "success_admins" in activated
    assert not activated & {"experimentation_labels", "learning_course_enrollments"}
    assert concurrency > 1 or done.records("learning_course_enrollments")


def test_a_version_of_an_empty_stream_is_activated():
    with DemoApi(scale=0.2, empty=("success_admins",)) as demo:
        config = only(demo.config, "success", emit_activate_version_messages=True)
        done = run(config, catalog=select(discover(config), "success_admins"))
    assert kinds(done, "success_admins") == ["SCHEMA", "ACTIVATE_VERSION"]


def test_no_version_is_activated_of_a_parent_that_is_read_for_its_children_only():
    def answer(path, query):
        return {"data": [{"id": 1}, {"id": 2}] if path == "/shops" else [{"id": 10}], "total": 2}

    selector = {"data_selector": "data", "paginator": "single_page"}
    with PathApi(answer) as api:
        config = api.config(
            {"name": "shops", "endpoint": {"path": "/shops", **selector}},
            {"name": "sales", "endpoint": {"path": "/shops/{shop_id}/sales", **selector}},
        ) | {"emit_activate_version_messages": True}
        done = run(config, catalog=select(discover(config), "odd_sales"))
    assert [m for m in done.messages if m.get("stream") == "odd_shops"] == []
    assert [row["shop_id"] for row in done.records("odd_sales")] == [1, 2]


def test_parents_that_come_twice_have_their_children_read():
    """A row that is put in front moves another to the next page: it comes twice, none is lost."""
    shops = [{"id": 1}, {"id": 2}, {"id": 3}]

    def answer(path, query):
        if path == "/shops":
            first = int(dict(query)["offset"])
            if first and len(shops) == 3:
                shops.insert(0, {"id": 4})
            return {"data": [dict(shop) for shop in shops[first : first + 2]]}
        return {"data": [{"id": f"of {path}", "note": path}]}

    child = {"path": "/shops/{shop_id}/sales", "data_selector": "data", "paginator": "single_page"}
    parent = {"path": "/shops", "data_selector": "data"}
    paginator = {"paginator": {"type": "offset", "limit": 2}}
    with PathApi(answer) as api:
        config = api.config(
            {"name": "shops", "endpoint": parent | paginator}, {"name": "sales", "endpoint": child}
        )
        done = run(config | {"concurrency": 1})
    assert done.code == 0
    assert {row["id"] for row in done.records("odd_shops")} == {1, 2, 3}
    sales = {(row["shop_id"], row["note"]) for row in done.records("odd_sales")}
    assert sales == {(number, f"/shops/{number}/sales") for number in (1, 2, 3)}
    assert all(row["id"] == f"of {row['note']}" for row in done.records("odd_sales"))
