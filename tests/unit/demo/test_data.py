"""The demo's records: the same every time, consistent across APIs, changing in known ways."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tap_analytics.demo import DemoApi

KEYS = {
    "learning_course_enrollments": ("course_id", "id"),
    "wiki_audit": ("creationDate",),
    "experimentation_smartcode": ("uid",),
    "experimentation_thresholds": ("uid",),
    "experimentation_integrations": ("uid",),
}
SIZES = {
    "learning_people": 120,
    "learning_courses": 12,
    "learning_course_enrollments": 400,
    "experimentation_campaigns": 60,
    "experimentation_accounts_feeds": 130,
    "wiki_audit": 89,  # 90, of which two are byte-identical
    "wiki_pages": 140,
    "wiki_blog_posts": 30,
    "wiki_space": 8,
    "wiki_group": 12,
    "success_accounts": 150,
    "success_admins": 8,
    "success_users": 260,
    "success_notes": 180,
    "success_tasks": 200,
    "success_conversations": 90,
    "declared_resource_name": 250,
}


def snapshot(api, **options):
    return {stream: api.rows(stream, **options) for stream in api.streams}


def keyed(api, stream):
    names = KEYS.get(stream, ("id",))
    rows = api.rows(stream)
    table = {tuple(row[name] for name in names): row for row in rows}
    assert len(table) == len(rows) or stream == "wiki_audit"
    return table


@pytest.fixture(scope="module")
def api():
    return DemoApi()


def test_one_seed_makes_one_dataset_and_another_seed_another():
    assert snapshot(DemoApi()) == snapshot(DemoApi())
    assert snapshot(DemoApi(seed=8)) != snapshot(DemoApi())


def test_the_default_size_is_as_documented(api):
    assert {stream: len(api.rows(stream)) for stream in SIZES} == SIZES


@pytest.mark.parametrize("scale", [0.01, 0.3, 3])
def test_every_scale_makes_a_dataset_with_unique_keys(scale):
    scaled = DemoApi(scale=scale)
    for stream in scaled.streams:
        assert keyed(scaled, stream)


def test_a_larger_scale_has_more_of_everything(api):
    larger = DemoApi(scale=3)
    assert len(larger.rows("learning_people")) == 360
    assert len(larger.rows("wiki_pages")) == 420


def test_people_are_the_users_of_accounts_by_email(api):
    users = {row["email"]: row for row in api.rows("success_users")}
    accounts = {row["id"] for row in api.rows("success_accounts")}
    for person in api.rows("learning_people"):
        assert users[person["email"]]["accounts"][0]["id"] in accounts
    assert len(users) == 260


def test_references_lead_to_records(api):
    people = {row["id"] for row in api.rows("learning_people")}
    courses = {row["id"] for row in api.rows("learning_courses")}
    enrollments = api.rows("learning_course_enrollments")
    assert {row["person_id"] for row in enrollments} <= people
    assert {row["course_id"] for row in enrollments} < courses
    admins = {row["id"] for row in api.rows("success_admins")}
    assert {row["accountOwnerId"] for row in api.rows("success_accounts")} <= admins
    spaces = {row["id"] for row in api.rows("wiki_space")}
    pages = {row["id"]: row for row in api.rows("wiki_pages")}
    assert {row["spaceId"] for row in pages.values()} <= spaces
    for page in pages.values():
        assert page["parentId"] is None or pages[page["parentId"]]["spaceId"] == page["spaceId"]
    users = {row["id"] for row in api.rows("experimentation_users")}
    assert {row["createdBy"]["id"] for row in api.rows("experimentation_campaigns")} <= users


def test_one_course_is_empty_and_one_needs_two_pages(api):
    counts = Counter(row["course_id"] for row in api.rows("learning_course_enrollments"))
    by_course = {row["id"]: row["enrollments_count"] for row in api.rows("learning_courses")}
    assert {course: counts[course] for course in by_course} == by_course
    assert min(by_course.values()) == 0
    assert max(by_course.values()) > 100


def test_an_enrollment_id_is_unique_within_its_course_only(api):
    ids = Counter(row["id"] for row in api.rows("learning_course_enrollments"))
    assert max(ids.values()) > 1


def test_accounts_churn_and_audit_events_share_a_millisecond(api):
    assert sum(row["churnedAt"] is not None for row in api.rows("success_accounts")) == 20
    moments = Counter(row["creationDate"] for row in api.rows("wiki_audit"))
    assert max(moments.values()) >= 5
    assert all(type(moment) is int for moment in moments)


def test_numbers_are_exact_and_some_exceed_a_double(api):
    values = {str(r["value"]) for r in api.rows("declared_resource_name", parse_float=Decimal)}
    assert {"12345678901234567.89", "9007199254740993", "4200.50", "12.75", "None"} <= values
    progress = {r["progress"] for r in api.rows("learning_course_enrollments")}
    assert {42.5, 57.1, 100} <= progress


def test_text_is_not_only_ascii_and_sometimes_empty(api):
    assert any("🎉" in row["note"] for row in api.rows("success_notes"))
    assert any(row["note"] == "" for row in api.rows("success_notes"))
    assert not all(row["name"].isascii() for row in api.rows("success_users"))


def test_timestamps_tie(api):
    for stream, name in (("learning_people", "updated_at"), ("success_accounts", "updatedAt")):
        times = Counter(row[name] for row in api.rows(stream))
        assert max(times.values()) > 1


def test_rows_are_copies():
    api = DemoApi()
    api.rows("success_accounts")[0]["traits"]["plan"] = "spoiled"
    assert api.rows("success_accounts")[0]["traits"].get("plan") != "spoiled"


def test_an_unknown_stream_is_an_error_that_names_the_known_ones(api):
    with pytest.raises(KeyError, match="learning_people"):
        api.rows("learning_persons")
    with pytest.raises(ValueError, match="wiki_pages"):
        DemoApi(empty=("wiki_page",))


def test_mutate_returns_exactly_the_keys_whose_rows_changed():
    api = DemoApi()
    before = {stream: keyed(api, stream) for stream in api.streams}
    changed = api.mutate()
    for stream in api.streams:
        after = keyed(api, stream)
        differing = {key for key in after if after[key] != before[stream].get(key)}
        named = {key if isinstance(key, tuple) else (key,) for key in changed.get(stream, ())}
        assert differing == named, stream
        assert not before[stream].keys() - after.keys()
    assert len(changed) == 15


def test_every_step_of_change_is_another_one_and_repeats_itself():
    one, two = DemoApi(), DemoApi()
    steps = [one.mutate(), one.mutate(delete=True)]
    assert steps == [two.mutate(), two.mutate(delete=True)]
    assert steps[0] != steps[1]
    assert snapshot(one) == snapshot(two)
    assert one.deleted == two.deleted


def test_mutate_moves_enrollments_without_touching_their_course():
    api = DemoApi()
    before = {row["id"]: row for row in api.rows("learning_courses")}
    changed = api.mutate()
    moved = {course for course, _ in changed["learning_course_enrollments"]}
    after = {row["id"]: row for row in api.rows("learning_courses")}
    assert {course for course in after if after[course] != before[course]} == set(
        changed["learning_courses"]
    )
    assert moved
    assert not moved & set(changed["learning_courses"])


def test_mutate_stamps_what_changed_with_the_moment_it_is_given():
    api = DemoApi()
    changed = api.mutate(at=datetime(2025, 12, 24, 18, 0, 0, tzinfo=UTC))
    people = {row["id"]: row["updated_at"] for row in api.rows("learning_people")}
    assert {people[key] for key in changed["learning_people"]} == {"2025-12-24T18:00:00Z"}
    assert max(people.values()) == "2025-12-24T18:00:00Z"
    pages = {row["id"]: row["updatedAt"] for row in api.rows("wiki_pages")}
    assert pages[changed["wiki_pages"][0]] == "2025-12-24T18:00:00.000Z"
    first, *twins = changed["wiki_audit"]
    assert twins[0] == twins[1] != first


def test_mutate_refuses_a_moment_before_the_newest_record():
    with pytest.raises(ValueError, match="older than the newest record"):
        DemoApi().mutate(at=datetime(2024, 1, 1, tzinfo=UTC))


def test_deleted_rows_are_gone_and_named():
    api = DemoApi()
    before = {stream: keyed(api, stream) for stream in api.streams}
    changed = api.mutate(delete=True)
    assert {
        stream: len(keys) for stream, keys in api.deleted.items() if "enroll" not in stream
    } == {
        "learning_people": 2,
        "experimentation_campaigns": 3,
        "wiki_pages": 2,
        "success_admins": 1,
    }
    for stream in api.streams:
        gone = before[stream].keys() - keyed(api, stream).keys()
        named = {k if isinstance(k, tuple) else (k,) for k in api.deleted.get(stream, ())}
        assert gone == named, stream
        assert not named & {(key,) for key in changed.get(stream, ())}


@pytest.mark.parametrize("stream", sorted(SIZES))
def test_an_emptied_stream_is_empty_and_changes_continue(stream):
    api = DemoApi(scale=0.1, empty=(stream,))
    assert api.rows(stream) == []
    assert api.mutate()
    assert api.mutate(delete=True)


def test_a_small_dataset_takes_many_steps():
    api = DemoApi(scale=0.01)
    for _ in range(15):
        api.mutate(delete=True)
    assert all(keyed(api, stream) or stream in api.deleted for stream in api.streams)
    assert api.rows("wiki_audit")[-1]["creationDate"] // 1000 == api.dataset.clock
