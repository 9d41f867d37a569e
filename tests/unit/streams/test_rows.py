"""What each API's streams do to a row on its way: lifting, derived keys, derived times."""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import re
from decimal import Decimal
from types import SimpleNamespace

import pytest
from singer_sdk.exceptions import FatalAPIError

from tap_analytics.streams import experimentation, learning, wiki

EVENT = {
    "creationDate": 1719830000123,
    "summary": "Space permission added",
    "author": {"displayName": "Zoë", "operations": None},
    "changedValues": [{"name": "Type", "oldValue": "", "newValue": "VIEWSPACE"}],
}


def stream(cls, **block):
    """Make an instance whose rows can be processed, without a tap around it."""
    logger = logging.getLogger("tap-analytics.test")
    surroundings = {"logger": logger, "connection": SimpleNamespace(settings=block)}
    return object.__new__(type(cls.__name__, (cls,), surroundings))


def audit_hash(event):
    return stream(wiki.Audit).post_process(event)["record_hash"]


def reversed_keys(value):
    if isinstance(value, dict):
        return {name: reversed_keys(value[name]) for name in reversed(value)}
    return [reversed_keys(item) for item in value] if isinstance(value, list) else value


# learning


def test_attributes_are_lifted_beside_id_and_type():
    row = {"type": "people", "id": "p1", "attributes": {"name": "Noor"}, "links": {"self": {}}}

    assert stream(learning.People).post_process(row) == {
        "type": "people",
        "id": "p1",
        "links": {"self": {}},
        "name": "Noor",
    }


def test_a_flat_row_passes_unchanged():
    row = {"id": "p1", "name": "Noor"}

    assert stream(learning.People).post_process(row) == {"id": "p1", "name": "Noor"}


@pytest.mark.parametrize("name", ["id", "type", "links", "relationships"])
def test_an_attribute_never_overwrites_what_the_row_has(name):
    row = {"id": "p1", "type": "people", "links": {}, "relationships": {}}

    lifted = stream(learning.People).post_process({**row, "attributes": {name: "other"}})

    assert lifted == row


def test_lifting_leaves_the_row_it_was_given_alone():
    row = {"id": "p1", "attributes": {"name": "Noor"}}
    before = copy.deepcopy(row)

    stream(learning.People).post_process(row)

    assert row == before


def test_courses_hand_their_id_to_their_enrollments():
    assert learning.CourseEnrollments.parent_stream_type is learning.Courses
    assert stream(learning.Courses).get_child_context({"id": "c1", "name": "x"}, None) == {
        "course_id": "c1"
    }


def test_an_enrollment_gets_its_course_from_the_parent():
    row = {"id": "e1", "attributes": {"progress": Decimal("42.5")}}

    enrollment = stream(learning.CourseEnrollments).post_process(row, {"course_id": "c1"})

    assert enrollment == {"id": "e1", "progress": Decimal("42.5"), "course_id": "c1"}


def test_an_enrollment_without_a_parent_keeps_the_course_it_names():
    row = {"id": "e1", "course_id": "c9"}

    assert stream(learning.CourseEnrollments).post_process(row) == row


def test_a_flat_enrollment_is_not_changed_in_place():
    row = {"id": "e1"}

    stream(learning.CourseEnrollments).post_process(row, {"course_id": "c1"})

    assert row == {"id": "e1"}


def test_a_course_that_differs_yields_to_the_parent_and_is_reported_once(caplog):
    enrollments = stream(learning.CourseEnrollments)

    for number in range(3):
        row = {"id": f"e{number}", "attributes": {"course_id": "c9"}}
        assert enrollments.post_process(row, {"course_id": "c1"})["course_id"] == "c1"

    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert re.search(r"learning_course_enrollments: .*e0.*c1.*c9", record.getMessage())


def test_a_course_that_agrees_is_not_reported(caplog):
    enrollments = stream(learning.CourseEnrollments)

    enrollments.post_process({"id": "e1", "attributes": {"course_id": "c1"}}, {"course_id": "c1"})

    assert not caplog.records


@pytest.mark.parametrize(
    ("attributes", "relationships", "person_id"),
    [
        ({"person_id": "p1"}, {"person": {"data": {"id": "p2"}}}, "p1"),
        ({}, {"person": {"data": {"id": "p2"}}}, "p2"),
        ({"person_id": None}, {"person": {"data": {"id": "p2"}}}, "p2"),
        ({}, {"person": {"data": None}}, None),
        ({}, {"person": []}, None),
        ({}, {}, None),
        ({}, None, None),
    ],
)
def test_the_person_is_the_attribute_else_the_relationship(attributes, relationships, person_id):
    row = {"id": "e1", "attributes": attributes, "relationships": relationships}

    enrollment = stream(learning.CourseEnrollments).post_process(row, {"course_id": "c1"})

    assert enrollment.get("person_id") == person_id


def test_the_attempt_of_a_quiz_is_unpacked_from_its_message():
    event = {
        "id": "e1",
        "type": "quiz_completed_events",
        "attributes": {"quiz_attempt_uuid": "a1", "value": 90},
        "relationships": {"quiz": {"data": {"id": "q1"}}, "person": {"data": {"id": "p1"}}},
    }
    message = {"id": "m1", "type": "webhook", "attributes": {"payload": {"data": event}}}

    assert stream(learning.QuizAttempts).post_process(message) == {
        "id": "m1",
        "event_id": "e1",
        "type": "quiz_completed_events",
        "quiz_attempt_uuid": "a1",
        "value": 90,
        "relationships": event["relationships"],
        "quiz_id": "q1",
        "person_id": "p1",
    }


@pytest.mark.parametrize("payload", [None, [], {}, {"data": []}])
def test_a_message_without_an_event_is_kept_as_it_is(payload):
    message = {"id": "m1", "attributes": {"payload": payload}}

    assert stream(learning.QuizAttempts).post_process(message) == {"id": "m1", "payload": payload}


def test_events_are_distinguished_by_their_content():
    event = {
        "type": "learner_viewed_activity_events",
        "attributes": {"created_at": "2024-10-08T08:37:24Z"},
        "relationships": {"person": {"data": {"id": "p1"}}, "activity": {"data": {"id": "a1"}}},
    }
    other = {**event, "relationships": {"person": {"data": {"id": "p2"}}}}
    events = stream(learning.ActivityEvents)

    row, again, different = map(events.post_process, (event, reversed_keys(event), other))

    assert (row["person_id"], row["activity_id"]) == ("p1", "a1")
    assert row["record_hash"] == again["record_hash"] != different["record_hash"]


# experimentation


@pytest.mark.parametrize(("sent", "archived"), [(False, None), (None, None), (1700, 1700)])
def test_a_website_that_is_not_archived_has_no_time_of_that(sent, archived):
    website = stream(experimentation.Websites).post_process({"id": 1, "archivedAt": sent})

    assert website["archivedAt"] == archived


SINGLE_OBJECTS = [
    experimentation.Smartcode,
    experimentation.Thresholds,
    experimentation.Integrations,
]


@pytest.mark.parametrize("cls", SINGLE_OBJECTS)
@pytest.mark.parametrize(
    ("block", "row", "uid"),
    [
        ({}, {"a": 1}, "current"),
        ({"account_id": "704118"}, {"a": 1}, "704118"),
        ({"account_id": 704118}, {"a": 1}, "704118"),
        ({"account_id": "704118"}, {"a": 1, "uid": None}, "704118"),
        ({"account_id": "704118"}, {"a": 1, "uid": "u-7"}, "u-7"),
        ({"account_id": "704118"}, {"a": 1, "uid": 7}, "7"),
    ],
)
def test_a_single_object_is_keyed_by_its_own_uid_else_the_account(cls, block, row, uid):
    before = dict(row)

    assert stream(cls, **block).post_process(row) == {"a": 1, "uid": uid}
    assert row == before


def test_other_rows_of_the_account_get_no_uid():
    assert "uid" not in stream(experimentation.Labels).post_process({"id": 4, "name": "q3"})


# wiki


@pytest.mark.parametrize("cls", [wiki.Pages, wiki.BlogPosts])
@pytest.mark.parametrize(
    ("row", "updated"),
    [
        (
            {"createdAt": "2023-01-01T00:00:00Z", "version": {"createdAt": "2024-01-01T00:00:00Z"}},
            "2024",
        ),
        ({"createdAt": "2023-01-01T00:00:00Z", "version": {"createdAt": None}}, "2023"),
        ({"createdAt": "2023-01-01T00:00:00Z", "version": None}, "2023"),
        ({"createdAt": "2023-01-01T00:00:00Z"}, "2023"),
    ],
)
def test_the_time_of_change_is_the_version_s_else_the_creation(cls, row, updated):
    before = copy.deepcopy(row)

    changed = stream(cls).post_process(row)

    assert changed == {**before, "updatedAt": f"{updated}-01-01T00:00:00Z"}
    assert row == before


@pytest.mark.parametrize(
    ("resolved", "updated"),
    [
        ("2024-07-01T08:00:00.000Z", "2024-07-01T08:00:00.000Z"),
        ("2024-06-29T08:00:00.000Z", "2024-06-30T08:00:00.000Z"),
        ("2024-06-30T10:00:00+01:00", "2024-06-30T10:00:00+01:00"),
        (None, "2024-06-30T08:00:00.000Z"),
    ],
)
def test_an_inline_comment_changes_by_its_version_or_by_its_resolution(resolved, updated):
    version = {"createdAt": "2024-06-30T08:00:00.000Z"}
    row = {"id": "1", "version": version, "resolutionLastModifiedAt": resolved}

    assert stream(wiki.InlineComments).post_process(row) == {**row, "updatedAt": updated}


def test_an_inline_comment_without_any_time_is_left_as_it_is():
    assert stream(wiki.InlineComments).post_process({"id": "1"}) == {"id": "1"}


def test_a_page_without_any_time_is_left_as_it_is():
    assert stream(wiki.Pages).post_process({"id": "1"}) == {"id": "1"}


def test_the_hash_is_that_of_the_canonical_json():
    text = json.dumps(EVENT, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    assert audit_hash(EVENT) == hashlib.sha256(text.encode()).hexdigest()


def test_the_hash_does_not_depend_on_the_order_of_keys():
    shuffled = reversed_keys(EVENT)

    assert list(shuffled) != list(EVENT)
    assert audit_hash(shuffled) == audit_hash(EVENT)


def test_the_hash_depends_on_nested_values_and_on_the_order_of_lists():
    changed = copy.deepcopy(EVENT)
    changed["changedValues"][0]["newValue"] = "EDITSPACE"
    one_way, other_way = ({**EVENT, "changedValues": items} for items in (["a", "b"], ["b", "a"]))

    assert len({audit_hash(e) for e in (EVENT, changed, one_way, other_way)}) == 4


def test_the_hash_takes_numbers_exactly_as_decoded():
    text = '{"creationDate":1719830000123,"score":1.0}'
    event = json.loads(text, parse_float=Decimal)

    assert audit_hash(event) == hashlib.sha256(text.encode()).hexdigest()
    others = [{**event, "score": other} for other in (Decimal("1.00"), 1, "1.0")]
    assert len({audit_hash(e) for e in (event, *others)}) == 4


def test_the_hash_keeps_digits_a_float_would_round():
    one, other = (Decimal(f"0.123456789012345678{digit}") for digit in "12")

    assert float(one) == float(other)
    assert audit_hash({**EVENT, "score": one}) != audit_hash({**EVENT, "score": other})


@pytest.mark.parametrize(
    "moment",
    ["1719830000123", 1719830000123, Decimal(1719830000123)],
    ids=["text", "int", "decimal"],
)
def test_the_time_of_an_event_is_an_integer(moment):
    event = stream(wiki.Audit).post_process({**EVENT, "creationDate": moment})

    assert event["creationDate"] == 1719830000123
    assert type(event["creationDate"]) is int


def test_the_hash_is_taken_before_the_time_is_converted():
    text = json.dumps(
        {**EVENT, "creationDate": "1719830000123"},
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    )

    hashed = audit_hash({**EVENT, "creationDate": "1719830000123"})

    assert hashed == hashlib.sha256(text.encode()).hexdigest()


def test_an_event_is_not_changed_in_place():
    event = copy.deepcopy(EVENT)

    stream(wiki.Audit).post_process(event)

    assert event == EVENT


@pytest.mark.parametrize("moment", [None, "", "2024-07-01T00:00:00Z", [1]])
def test_an_event_without_a_usable_time_is_an_error_that_says_what_to_do(moment):
    with pytest.raises(FatalAPIError, match=r"wiki_audit: .*creationDate.*wiki\.v1_path"):
        stream(wiki.Audit).post_process({**EVENT, "creationDate": moment})
