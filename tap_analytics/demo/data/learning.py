"""The learning platform's people, courses and enrollments, as JSON:API resource objects."""

from __future__ import annotations

import typing as t
from decimal import Decimal

from tap_analytics.demo.data import learning_extra
from tap_analytics.demo.data.dataset import LAST_DAY, Row, SeededRandom, iso, slug

if t.TYPE_CHECKING:
    from tap_analytics.demo.data.dataset import Dataset, Person

#: Links inside records have the documented placeholder host and aren't to be followed.
HOST = "https://api.example.com/v2"
COURSE_NAMES = (
    *("Harbour Basics", "Tide Tables 201", "Señales y Banderas", "Rope Work", "First Aid at Sea"),
    *("Navigation by Stars", "Engine Room Safety", "Radio Etiquette", "Cargo and Ballast"),
    *("Weather for Crews", "Leadership on Deck", "Cold Water Survival"),
)
STATUSES = ("live", "draft", "published", "live", "archived", "live")
PROGRESS = (0, 0, 100, 100, 100, Decimal("42.5"), Decimal("57.1"), Decimal("33.3"), 75, 10)
#: A course without enrollments, and one with almost all people.
EMPTY_COURSE = 1
POPULAR_COURSE = 0


def fill(dataset: Dataset) -> None:
    """Add people, every ninth invited but never registered, courses and enrollments."""
    rng = dataset.rng("people")
    groups = [rng.uuid() for _ in range(3)]
    school = rng.uuid()
    members = dataset.persons.customers[: dataset.many(120, least=10)]
    updates = rng.moments(len(members), shuffled=True)
    people = [
        person(
            rng,
            who,
            updated=updated,
            relations=(school, rng.sample(groups, number % 3)),
            invited=number % 9 == 0 and number > 0,
        )
        for number, (who, updated) in enumerate(zip(members, updates, strict=True))
    ]
    rng = dataset.rng("courses")
    categories = [rng.uuid() for _ in range(4)]
    courses = [
        _course(rng, number, updated=updated, category=rng.choice(categories))
        for number, updated in enumerate(rng.moments(dataset.many(12)))
    ]
    dataset.tables |= {"learning_people": people, "learning_courses": courses}
    dataset.enrollments = _enrollments(
        dataset.rng("enrollments"), courses=courses, people=people, total=dataset.many(400)
    )
    learning_extra.fill(dataset, groups=groups, categories=categories)


def person(
    rng: SeededRandom, who: Person, *, updated: int, relations: tuple[str, list[str]], invited: bool
) -> Row:
    """Return one person; `relations` are the school's id and the groups' ids."""
    identity = rng.uuid()
    created = rng.moment(until=updated)
    school, groups = relations
    here = f"{HOST}/people/{identity}"
    return {
        "type": "people",
        "id": identity,
        "attributes": {
            "activated_at": None if invited else iso(created + (updated - created) // 9),
            "created_at": iso(created),
            "custom_avatar_url": rng.maybe(f"https://cdn.example.com/av/{identity}", one_in=2),
            "disabled": rng.randrange(20) == 0,
            **_naming(who, invited=invited),
            "registration_status": "invited" if invited else "registered",
            "unsubscribed": rng.randrange(8) == 0,
            "updated_at": iso(updated),
            "invite_token": f"inv-{identity[:6]}" if invited else None,
        },
        "links": {
            "self": {"href": here, "methods": ["get", "patch", "delete"]},
            "teaching": {"href": f"{here}/teaching", "methods": ["get"]},
        },
        "relationships": {
            "groups": {"data": [{"type": "groups", "id": group} for group in groups]},
            "school": {"data": {"type": "schools", "id": school}},
            "partnerships": {"data": []},
        },
    }


def _naming(who: Person, *, invited: bool) -> Row:
    """Return the attributes of a person; only the email address before registration."""
    return {
        "email": who.email,
        "first_name": None if invited else who.first,
        "full_name": None if invited else who.name,
        "last_name": None if invited else who.last,
        "name": who.email if invited else who.name,
    }


def _course(rng: SeededRandom, number: int, *, updated: int, category: str) -> Row:
    edition, name = divmod(number, len(COURSE_NAMES))
    title = f"{COURSE_NAMES[name]} {edition + 1}" if edition else COURSE_NAMES[name]
    status = STATUSES[number % len(STATUSES)]
    identity = rng.uuid()
    here = f"{HOST}/courses/{identity}"
    return {
        "type": "courses",
        "id": identity,
        "attributes": {
            "name": title,
            "status": status,
            "permalink": slug(title),
            "short_description": rng.maybe("", one_in=3),
            "full_description": rng.maybe(f"<p>{title}: start here.</p>", one_in=4),
            "list_image_url": rng.maybe(f"https://cdn.example.com/c/{number}.jpg", one_in=3),
            "ribbon": rng.maybe("New", one_in=2),
            # Set with the enrollments.
            "enrollments_count": 0,
            "credential_achievement_count": 0,
            "dependent_course_names": [] if number % 4 else [COURSE_NAMES[0]],
            "unpublished_changes": status == "draft",
            "created_at": iso(rng.moment(until=updated)),
            "updated_at": iso(updated),
        },
        "links": {
            "self": {"href": here, "meta": {"methods": ["get", "patch", "delete"]}},
            "enrollments": {"href": f"{here}/enrollments", "meta": {"methods": ["get"]}},
        },
        "relationships": {
            "instructor_partnerships": {"data": []},
            "categories": {"data": [{"type": "categories", "id": category}]},
        },
    }


def _enrollments(
    rng: SeededRandom, *, courses: t.Sequence[Row], people: t.Sequence[Row], total: int
) -> dict[str, list[Row]]:
    """Return the enrollments by course id, and set their number in the courses.

    An enrollment's id is unique within its course only: some of the popular course's ids occur
    again in another course, for another person.
    """
    popular = len(people) * 92 // 100
    share = max(1, (total - popular) // max(1, len(courses) - 2))
    by_course: dict[str, list[Row]] = {}
    reused: list[str] = []
    for number, course in enumerate(courses):
        size = {EMPTY_COURSE: 0, POPULAR_COURSE: popular}.get(number, min(share, len(people)))
        rows = [
            enrollment(rng, course=course["id"], person=somebody["id"], bare=seat % 5 == 0)
            for seat, somebody in enumerate(rng.sample(people, size))
        ]
        for row, identity in zip(rows[1::6], reused, strict=False):
            row["id"] = identity
        reused = reused or [row["id"] for row in rows]
        progress = [row["attributes"]["progress"] for row in rows]
        course["attributes"]["enrollments_count"] = size
        course["attributes"]["credential_achievement_count"] = progress.count(100)
        by_course[course["id"]] = rows
    return by_course


def enrollment(rng: SeededRandom, *, course: str, person: str, bare: bool) -> Row:
    """Return an enrollment; a bare one has its person only in `relationships`."""
    progress = rng.choice(PROGRESS)
    enrolled = rng.moment()
    return {
        "type": "course_enrollments",
        "id": rng.uuid(),
        "attributes": {
            **({} if bare else {"course_id": course, "person_id": person}),
            "progress": progress,
            "enrolled_at": iso(enrolled),
            "last_active_on": iso(rng.moment(enrolled, LAST_DAY)) if progress else None,
        },
        "relationships": {"person": {"data": {"type": "people", "id": person}}},
    }
