"""What is particular to success: messages below conversations that changed, and what is deleted."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest
from support.runs import bag, discover, run, select
from support.servers import PathApi

from tap_analytics.demo import DemoApi
from tap_analytics.errors import InputError, SyncFailedError
from tap_analytics.streams.success.traits import fit
from tap_analytics.tap import TapAnalytics
from tap_analytics.transport.errors import Forbidden


def conversations_read(demo):
    """Return the conversations whose messages were requested, and forget the requests."""
    paths = [request.path for request in demo.requests]
    demo.reset_counts()
    return {path.rpartition("/")[2] for path in paths if "/conversations/" in path}


def test_messages_are_read_of_conversations_that_changed():
    with DemoApi(scale=0.2) as demo:
        config = {"success": demo.config["success"]}
        whole = run(config, only=("success_messages",))
        everything = conversations_read(demo)
        changed = set(demo.mutate()["success_conversations"])
        later = run(config, only=("success_messages",), state=whole.state)
        again = conversations_read(demo)
        rows = demo.rows("success_messages", parse_float=Decimal)
        times = {r["id"]: r["updatedAt"] for r in demo.rows("success_conversations")}

    newest = whole.bookmark("success_messages")
    assert everything == times.keys()
    assert again == changed | {key for key, time in times.items() if time >= newest}
    assert len(again) < len(everything) / 4
    assert bag(later.records("success_messages")) == bag(
        [row for row in rows if row["conversationId"] in again]
    )
    assert later.verdict("success_messages") == "consistent"
    assert later.bookmark("success_messages") == max(times.values())
    assert "parents" not in later.state["bookmarks"]["success_messages"]


def test_messages_as_a_full_table_are_read_of_all_conversations():
    with DemoApi(scale=0.2) as demo:
        config = {"success": demo.config["success"], "emit_activate_version_messages": True}
        whole = run(config, only=("success_messages",))
        catalog = select(discover(config), "success_messages")
        for entry in catalog["streams"]:
            if entry["stream"] == "success_messages":
                entry["replication_method"] = "FULL_TABLE"
                entry["metadata"][-1]["metadata"]["forced-replication-method"] = "FULL_TABLE"
        full = run(config, catalog=catalog, state=whole.state)

    assert bag(full.records("success_messages")) == bag(whole.records("success_messages"))
    assert full.of("ACTIVATE_VERSION", "success_messages")


def test_a_conversation_without_a_time_of_change_is_always_read():
    with DemoApi(scale=0.2) as demo:
        state = run({"success": demo.config["success"]}, only=("success_messages",)).state
        tap = TapAnalytics(config={"success": demo.config["success"]}, state=state)
        messages, conversations = (
            tap.streams[f"success_{n}"] for n in ("messages", "conversations")
        )
        old, unknown = (
            [*messages.contexts_below(conversations, {"id": "c1", "updatedAt": time}, None)]
            for time in ("2001-01-01T00:00:00Z", None)
        )

    assert old == []
    assert unknown == [{"conversationId": "c1"}]


OBJECTS = ("success_object_vessel", "success_object_featureRequest")


def test_rows_are_looked_into_only_where_a_setting_needs_it():
    block = {"secret_token": "s3cret", "base_url": "http://127.0.0.1:9"}
    streams = TapAnalytics(config={"success": block}).streams.values()

    assert {stream.name for stream in streams if stream.endpoint(None).post_process} == {
        "success_custom_object_instances",
        "success_custom_fields",
    }


TRAITS = {
    "traits__plan": (["string", "null"], "Plan."),
    "traits__seats": (["number", "null"], "Seats."),
    "traits__onboarded": (["boolean", "null"], "Onboarded."),
    "traits__vitally.custom.renewalStage": (["string", "null"], "Renewal stage."),
    "traits__crm.contract_start": (["string", "null"], "Contract start."),
}


@pytest.mark.parametrize("dialect", ["real", "spec"])
def test_traits_are_columns_of_the_types_of_their_fields(dialect):
    with DemoApi(dialect=dialect, scale=0.1) as demo:
        config = {"success": demo.config["success"] | {"traits": "columns"}}
        done = run(config, only=("success_accounts", "success_users"))
        rows = demo.rows("success_accounts", parse_float=Decimal)

    columns = {
        name: (column["type"], column["description"])
        for name, column in done.properties("success_accounts").items()
        if name.startswith("traits__")
    }
    assert columns == TRAITS
    assert "traits__role" in done.properties("success_users")
    found = {row["id"]: row for row in done.records("success_accounts")}
    for row in rows:
        traits, got = row["traits"], found[row["id"]]
        assert got["traits"] == traits
        assert got["traits__plan"] == traits.get("plan")
        assert got["traits__seats"] == traits.get("seats")
        assert got["traits__onboarded"] is traits.get("onboarded")
        begin = traits.get("crm.contract_start")
        assert got["traits__crm.contract_start"] == (None if begin is None else str(begin))


def test_a_catalog_says_which_traits_are_columns():
    with DemoApi(scale=0.1) as demo:
        config = {"success": demo.config["success"] | {"traits": "columns"}}
        catalog = select(discover(config), "success_accounts")
        entry = next(e for e in catalog["streams"] if e["stream"] == "success_accounts")
        kept = {
            name: c for name, c in entry["schema"]["properties"].items() if name != "traits__plan"
        }
        entry["schema"]["properties"] = kept
        demo.reset_counts()
        done = run(config, catalog=catalog)
        paths = {request.path for request in demo.requests}

    assert paths == {"/resources/accounts"}
    [row, *_] = done.records("success_accounts")
    assert "traits__seats" in row
    assert "traits__plan" not in row


@pytest.mark.parametrize(
    ("value", "kind", "fitted"),
    [
        (None, "string", None),
        ("harbour", "string", "harbour"),
        (7, "string", "7"),
        ({"a": [1]}, "string", '{"a":[1]}'),
        (Decimal("1.50"), "number", Decimal("1.50")),
        ("7", "number", None),
        (True, "number", None),
        (True, "boolean", True),
        (1, "boolean", None),
        (["a"], "array", ["a"]),
        ("a", "array", None),
    ],
)
def test_a_trait_of_another_type_than_its_field_is_null_or_text(value, kind, fitted):
    assert fit(value, kind) == fitted


def test_traits_that_cannot_be_read_fail_their_streams_only():
    fault = {"status": 403, "match": {"path": "/customFields"}, "times": None}
    with DemoApi(scale=0.1, faults=[fault]) as demo:
        config = {"success": demo.config["success"] | {"traits": "columns"}}
        tap = TapAnalytics(config=config)
        with pytest.raises(InputError, match=r"success_accounts, .*success_users.*customFields"):
            tap.run_discovery()
        with pytest.raises(SyncFailedError, match="success_accounts, success_users"):
            tap.sync_all()
        assert tap.run.results["success_tasks"].done


@pytest.mark.parametrize("traits", ["object", "columns"])
def test_a_custom_object_that_is_named_has_a_stream_of_its_own(traits):
    with DemoApi(scale=0.1) as demo:
        block = {"custom_objects": ["vessel"], "traits": traits}
        config = {"success": demo.config["success"] | block}
        done = run(config, only=("success_object_vessel",))
        later = run(config, only=("success_object_vessel",), state=done.state)
        [vessel] = [row for row in demo.rows("success_custom_objects") if row["name"] == "vessel"]
        rows = demo.rows("success_custom_object_instances", parse_float=Decimal)

    stream = "success_object_vessel"
    of = [row for row in rows if row["custom_object_id"] == vessel["id"]]
    extra = "traits__vitally.custom.tonnage"
    if traits == "columns":
        assert done.properties(stream)[extra]["type"] == ["number", "null"]
        of = [row | {extra: row["traits"].get("vitally.custom.tonnage")} for row in of]
    assert bag(done.records(stream)) == bag(of)
    assert done.verdict(stream) == "consistent"
    newest = max(row["updatedAt"] for row in of)
    assert later.ids(stream) == [row["id"] for row in of if row["updatedAt"] == newest]


def test_every_custom_object_has_a_stream_where_the_setting_says_so():
    with DemoApi(scale=0.1) as demo:
        block = {"custom_objects": ["*"], "traits": "columns"}
        config = {"success": demo.config["success"] | block}
        catalog = discover(config)
        demo.reset_counts()
        done = run(config, catalog=select(catalog, *OBJECTS))
        asked = Counter(request.path for request in demo.requests)
        plain = run(config)
        rows = demo.rows("success_custom_object_instances")

    assert {each["stream"] for each in catalog["streams"]} >= set(OBJECTS)
    ids = [key for stream in OBJECTS for key in done.ids(stream)]
    assert sorted(ids) == sorted(row["id"] for row in rows)
    assert asked["/resources/customObjects"] == 1
    assert plain.streams.keys() >= set(OBJECTS)
    assert "traits__vitally.custom.tonnage" in done.properties("success_object_vessel")


def test_objects_that_cannot_be_listed_end_discovery_with_the_reason():
    fault = {"status": 403, "match": {"path": "/customObjects"}, "times": None}
    with DemoApi(scale=0.1, faults=[fault]) as demo:
        config = {"success": demo.config["success"] | {"custom_objects": ["*"]}}
        with pytest.raises(Forbidden, match="customObjects answered 403"):
            discover(config)


def test_a_custom_object_that_does_not_exist_fails_its_stream():
    with DemoApi(scale=0.1) as demo:
        config = {"success": demo.config["success"] | {"custom_objects": ["vesel", "vessel"]}}
        done = run(config)
        said = done.failure("success_object_vesel")

    assert "no custom object is named `vesel`" in said
    assert "vessel" in said.partition("does:")[2]
    assert done.tap.run.results["success_object_vessel"].done
    assert done.tap.run.results["success_accounts"].done


ARCHIVED = ("success_projects", "success_meetings", "success_custom_object_instances")


@pytest.mark.parametrize("dialect", ["real", "spec"])
def test_deleted_rows_are_read_from_a_list_of_their_own(dialect):
    with DemoApi(dialect=dialect, scale=0.2) as demo:
        config = {"success": demo.config["success"] | {"archived": True}}
        done = run(config, only=ARCHIVED)
        asked = {(r.path.rpartition("/")[2], r.params.get("archived")) for r in demo.requests}
        rows = {name: demo.rows(name, parse_float=Decimal) for name in ARCHIVED}

    assert {("projects", "false"), ("projects", "true"), ("instances", "true")} < asked
    assert done.error is None
    for name in ARCHIVED:
        assert bag(done.records(name)) == bag(rows[name]), name
        assert done.verdict(name) == "consistent"


def test_what_was_deleted_long_ago_arrives_in_later_runs_too():
    with DemoApi(scale=0.2) as demo:
        config = {"success": demo.config["success"] | {"archived": True}}
        done = run(config, only=ARCHIVED)
        later = run(config, only=ARCHIVED, state=done.state)

    for name in ARCHIVED:
        archived = {row["id"] for row in done.records(name) if row["archivedAt"]}
        assert archived <= set(later.ids(name))
        assert len(later.ids(name)) < len(done.ids(name))


def test_a_server_without_such_a_list_is_read_once():
    rows = [{"id": "1", "archivedAt": None, "updatedAt": "2024-01-01T00:00:00Z"}]
    rows += [{"id": "2", "archivedAt": "2024-01-02T00:00:00Z", "updatedAt": "2024-01-01T00:00:00Z"}]
    objects = [{"id": "o", "name": "vessel", "updatedAt": "2024-01-01T00:00:00Z"}]

    def answer(path, _):
        return {"results": objects if path.endswith("customObjects") else rows, "next": None}

    with PathApi(answer) as api:
        block = {"secret_token": "s3cret", "base_url": api.origin, "archived": True}
        done = run({"success": block}, only=("success_notes", "success_custom_object_instances"))

    assert done.ids("success_notes") == ["1", "2"]
    assert sorted(done.ids("success_custom_object_instances")) == ["1", "2"]
