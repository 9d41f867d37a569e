"""The expected rows of each stream, computed without HTTP."""

from __future__ import annotations

import typing as t
from operator import itemgetter

from tap_analytics.demo.data.extra_lists import attempt_of, existing
from tap_analytics.demo.messages import encode

if t.TYPE_CHECKING:
    from tap_analytics.demo.data import Dataset, Row

#: The `uid` of single objects in the `spec` dialect. The real service has none, and a tap uses the
#: account of the request.
SPEC_UID = "704118"
CURRENT_ACCOUNT = "current"
ENROLLMENTS = "learning_course_enrollments"
LEARNING = ("learning_people", "learning_courses", ENROLLMENTS)
#: The related objects whose ids are columns.
RELATED = {
    "learning_activity_events": ("person", "activity"),
    "learning_group_memberships": ("person",),
    "learning_learning_path_enrollments": ("person",),
    "learning_quiz_attempt_answers": ("question",),
    "learning_quiz_attempts": ("quiz", "course", "person", "activity"),
}
#: Streams of which the time of change is in `version`.
VERSIONED = {
    "wiki_pages",
    "wiki_blog_posts",
    "wiki_footer_comments",
    "wiki_inline_comments",
    "wiki_attachments",
}
_identity = itemgetter("id")


def streams(dataset: Dataset) -> list[str]:
    """Name every stream of the specifications."""
    return sorted({*dataset.tables, *dataset.singles, ENROLLMENTS})


def expected(dataset: Dataset, stream: str, *, dialect: str) -> list[Row]:
    """Return the expected rows of a stream.

    JSON:API attributes are lifted, enrollments know course and person, pages and posts have
    `updatedAt`, audit times are integers and identical events occur once (without `record_hash`),
    single objects have a `uid`. Raises `KeyError` for an unknown stream.
    """
    if stream in dataset.extra:
        rows = [row | _updated(stream, row) for row in existing(dataset, stream)]
        if stream == "success_messages":
            rows = _of_conversations(dataset, rows)
        if stream == "experimentation_websites":
            rows = [row | {"archivedAt": row["archivedAt"] or None} for row in rows]
        if stream == "learning_quiz_attempt_answers":
            rows = _of_attempts(dataset, rows)
        return [_with_columns(stream, row) for row in rows]
    if stream not in streams(dataset):
        raise KeyError(f"no stream {stream!r}; there are {', '.join(streams(dataset))}")
    if dialect == "spec":
        rows = flat(dataset, stream)
    elif stream in dataset.singles:
        rows = [dataset.singles[stream] | {"uid": CURRENT_ACCOUNT}]
    else:
        rows = _lifted(dataset, stream) if stream in LEARNING else dataset.tables[stream]
    if stream == "wiki_audit":
        distinct = {encode(row): row for row in rows}
        return [row | {"creationDate": int(row["creationDate"])} for row in distinct.values()]
    return [row | _updated(stream, row) for row in rows] if stream in VERSIONED else rows


def _updated(stream: str, row: Row) -> Row:
    """Return the time of change, where a tap has to derive it."""
    if stream not in VERSIONED:
        return {}
    times = (row["version"]["createdAt"], row.get("resolutionLastModifiedAt") or "")
    return {"updatedAt": max(times)}


def _of_conversations(dataset: Dataset, messages: list[Row]) -> list[Row]:
    """Return messages with the time of change of their conversations."""
    changed = {row["id"]: row["updatedAt"] for row in dataset.tables["success_conversations"]}
    return [row | {"conversationUpdatedAt": changed[row["conversationId"]]} for row in messages]


def _of_attempts(dataset: Dataset, answers: list[Row]) -> list[Row]:
    """Return answers with the times of their attempts."""
    attempts = [attempt_of(row) for row in dataset.extra["learning_quiz_attempts"]]
    created = {each["quiz_attempt_uuid"]: each["created_at"] for each in attempts}
    return [row | {"attempt_created_at": created[row["quiz_attempt_uuid"]]} for row in answers]


def _with_columns(stream: str, row: Row) -> Row:
    """Return a JSON:API object with the columns made of its attributes and relationships."""
    if "attributes" not in row:
        return row
    if event := row["attributes"].get("payload", {}).get("data"):
        row = event | {"id": row["id"], "event_id": event["id"]}
    related = {
        f"{name}_id": row["relationships"][name]["data"]["id"] for name in RELATED.get(stream, ())
    }
    attributes: Row = row["attributes"]
    return _without_attributes(row) | attributes | related


def flat(dataset: Dataset, stream: str) -> list[Row]:
    """Return the records of a stream in the `spec` dialect: flat, in id order."""
    if stream in dataset.singles:
        return [dataset.singles[stream] | {"uid": SPEC_UID}]
    if stream == "wiki_audit":
        return dataset.tables[stream]
    if stream not in LEARNING:
        return sorted(dataset.tables[stream], key=_identity)
    hidden = ("type", "links", "relationships")
    rows = [
        {name: row[name] for name in row if name not in hidden} for row in _lifted(dataset, stream)
    ]
    return rows if stream == ENROLLMENTS else sorted(rows, key=_identity)


def _lifted(dataset: Dataset, stream: str) -> list[Row]:
    """Return JSON:API objects with their attributes at the top level."""
    if stream != ENROLLMENTS:
        return [_without_attributes(row) | row["attributes"] for row in dataset.tables[stream]]
    return [
        _without_attributes(row)
        | row["attributes"]
        | {
            "course_id": course,
            "person_id": row["relationships"]["person"]["data"]["id"],
        }
        for course, rows in dataset.enrollments.items()
        for row in sorted(rows, key=_identity)
    ]


def _without_attributes(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "attributes"}
