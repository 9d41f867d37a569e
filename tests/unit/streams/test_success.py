"""What is particular to success: messages below conversations that changed, and what is deleted."""

from __future__ import annotations

from decimal import Decimal

from support.runs import bag, discover, run, select

from tap_analytics.demo import DemoApi
from tap_analytics.tap import TapAnalytics


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


def test_archived_lists_what_is_deleted_or_what_is_not():
    def read(**block):
        config = {"success": demo.config["success"] | block}
        done = run(config, only=("success_projects", "success_custom_object_instances"))
        assert done.error is None
        return {name: {row["id"] for row in done.records(name)} for name in done.streams}

    with DemoApi(scale=0.2) as demo:
        whole, deleted, rest = read(), read(archived=True), read(archived=False)

    for stream, keys in whole.items():
        assert deleted[stream]
        assert rest[stream]
        assert deleted[stream] | rest[stream] == keys
        assert not deleted[stream] & rest[stream]
