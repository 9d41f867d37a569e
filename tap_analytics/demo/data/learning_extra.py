"""The learning platform's records beyond the specification.

Groups, learning paths and lessons, and what people have done with them.
"""

from __future__ import annotations

import typing as t

from tap_analytics.demo.data.dataset import LAST_DAY, Row, SeededRandom, iso
from tap_analytics.demo.data.extra_lists import attempt_of

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tap_analytics.demo.data.dataset import Dataset

HOST = "https://api.example.com/v2"
LESSONS = ("Welcome", "The film", "Übung", "Quiz")
PATHS = ("Deckhand", "Skipper", "Ingénieur")
CATEGORIES = ("Safety", "Navigation", "Engine", "People")
#: The lesson that is a quiz, and what is needed to pass it.
QUIZ = 3
PASSED = 80
COMPLETED = 100


def fill(dataset: Dataset, *, groups: Sequence[str], categories: Sequence[str]) -> None:
    """Add what belongs to the people and courses there are; ids are those that rows refer to."""
    people, courses = dataset.tables["learning_people"], dataset.tables["learning_courses"]
    lessons = {course["id"]: _lessons(dataset, number) for number, course in enumerate(courses)}
    quizzes = {
        course["id"]: _quiz(dataset.rng(f"quiz/{number}"), number, course)
        for number, course in enumerate(courses)
    }
    memberships = _memberships(dataset.rng("memberships"), people)
    paths = [_named(dataset, "learning_paths", number, name) for number, name in enumerate(PATHS)]
    viewed, attempts = _history(dataset.rng("events"), dataset.enrollments, lessons, quizzes)
    dataset.extra |= {
        "learning_course_activities": [
            {"course_id": course} | lesson for course, rows in lessons.items() for lesson in rows
        ],
        "learning_learning_paths": paths,
        "learning_learning_path_enrollments": _path_enrollments(
            dataset.rng("path enrollments"), people, paths
        ),
        "learning_categories": [
            _named(dataset, "categories", number, CATEGORIES[number], identity=identity)
            for number, identity in enumerate(categories)
        ],
        "learning_quizzes": list(quizzes.values()),
        "learning_groups": [
            _group(dataset, number, identity, memberships) for number, identity in enumerate(groups)
        ],
        "learning_group_memberships": memberships,
        "learning_activity_events": viewed,
        "learning_transcripts": _transcripts(dataset.rng("transcripts"), dataset.enrollments),
        "learning_quiz_attempts": attempts,
        "learning_quiz_attempt_answers": [
            {"quiz_attempt_uuid": attempt} | answer
            for attempt, moment in _attempts(attempts).items()
            for answer in _answers(dataset.rng(f"answers/{attempt}"), moment)
        ],
    }


def _resource(kind: str, identity: str, attributes: Row, **related: Row) -> Row:
    """Return a resource object; `related` are one or many objects by relationship."""
    return {
        "type": kind,
        "id": identity,
        "attributes": attributes,
        "links": {"self": {"href": f"{HOST}/{kind}/{identity}", "meta": {"methods": ["get"]}}},
        "relationships": {name: {"data": data} for name, data in related.items()},
    }


def _reference(kind: str, identity: str) -> Row:
    return {"type": kind, "id": identity}


def _named(
    dataset: Dataset, kind: str, number: int, name: str, *, identity: str | None = None
) -> Row:
    rng = dataset.rng(f"{kind}/{number}")
    updated = rng.moment()
    identity = identity or rng.uuid()
    attributes: Row = {
        "name": name,
        "created_at": iso(rng.moment(until=updated)),
        "updated_at": iso(updated),
    }
    if kind == "learning_paths":
        attributes |= {
            "description": rng.maybe(f"<p>{name}, step by step.</p>", one_in=4),
            "navigation_mode": "linear" if number else "free",
            "picture_url": f"https://cdn.example.com/lp/{number}.jpg" if number else None,
            "learning_path_enrollment_link": f"https://learn.example.com/enroll/{identity}",
            "share_learning_path_link": f"https://learn.example.com/share/{identity}",
        }
    return _resource(kind, identity, attributes)


def _group(dataset: Dataset, number: int, identity: str, memberships: Iterable[Row]) -> Row:
    rng = dataset.rng(f"groups/{number}")
    updated = rng.moment()
    size = sum(each["group_id"] == identity for each in memberships)
    attributes = {
        "name": f"ptr_{('Harbour', 'Señales', 'Crew')[number % 3]}",
        "description": "Partners of the harbour" if number == 0 else None,
        "memberships_count": size,
        "membership_count": size,
        "user_count": size,
        "group_enrollment_link": f"https://learn.example.com/groups/{identity}",
        "created_at": iso(rng.moment(until=updated)),
        "updated_at": iso(updated),
    }
    return _resource("groups", identity, attributes)


def _memberships(rng: SeededRandom, people: Iterable[Row]) -> list[Row]:
    """Return a membership for each group that people's relationships name."""
    return [
        {"group_id": group["id"]}
        | _resource("memberships", rng.uuid(), {}, person=_reference("people", person["id"]))
        for person in people
        for group in person["relationships"]["groups"]["data"]
    ]


def _lessons(dataset: Dataset, number: int) -> list[Row]:
    """Return the activities of a course; the second course is empty."""
    rng = dataset.rng(f"lessons/{number}")
    titles = () if number == 1 else LESSONS
    return [_resource("activities", rng.uuid(), {"title": title}) for title in titles]


def _path_enrollments(rng: SeededRandom, people: Sequence[Row], paths: Sequence[Row]) -> list[Row]:
    """Return the enrollments of all paths; the last one has none."""
    return [
        {"learning_path_id": path["id"]} | _path_enrollment(rng, person["id"])
        for path in paths[:-1]
        for person in rng.sample(people, min(8, len(people)))
    ]


def _path_enrollment(rng: SeededRandom, person: str) -> Row:
    progress = rng.choice((0, 50, COMPLETED))
    enrolled = rng.moment()
    attributes = {
        "progress": progress,
        "enrolled_at": iso(enrolled),
        "last_active_on": iso(rng.moment(enrolled, LAST_DAY)) if progress else None,
    }
    person_ = _reference("people", person)
    return _resource("learning_path_enrollments", rng.uuid(), attributes, person=person_)


def _transcripts(rng: SeededRandom, enrollments: Mapping[str, Iterable[Row]]) -> list[Row]:
    """Return a line per person and course, which says what the progress of enrollments means."""
    return [
        {"person_id": _person_of(row)} | _transcript(rng, course, row["attributes"])
        for course, rows in enrollments.items()
        for row in rows
    ]


def _person_of(row: Row) -> str:
    return str(row["relationships"]["person"]["data"]["id"])


def _transcript(rng: SeededRandom, course: str, enrollment: Row) -> Row:
    progress, active = enrollment["progress"], enrollment["last_active_on"]
    begun = "in_progress" if progress else "enrolled"
    completed = progress == COMPLETED
    attributes = {
        "resource_type": "course",
        "resource_id": course,
        "progress_status": "completed" if completed else begun,
        "enrolled_at": enrollment["enrolled_at"],
        "started_at": enrollment["enrolled_at"] if progress else None,
        "completed_at": active if completed else None,
        "expires_at": iso(LAST_DAY) if completed and rng.randrange(4) == 0 else None,
        "score": rng.randrange(PASSED, COMPLETED) if completed else None,
    }
    return _resource("transcripts", rng.uuid(), attributes)


def _quiz(rng: SeededRandom, number: int, course: Row) -> Row:
    attributes = {
        "name": f"Quiz: {course['attributes']['name']}",
        "quiz_type": "Quizzes::Static",
        "legacy_id": 1000 + number,
        "created_at": iso(rng.moment()),
    }
    return _resource("quizzes", rng.uuid(), attributes)


def _history(
    rng: SeededRandom,
    enrollments: Mapping[str, Iterable[Row]],
    lessons: Mapping[str, list[Row]],
    quizzes: Mapping[str, Row],
) -> tuple[list[Row], list[Row]]:
    """Return what was viewed, in order of time, and the messages about completed quizzes."""
    viewed: list[Row] = []
    attempts: list[Row] = []
    for course, rows in enrollments.items():
        for row in [row for row in rows if row["attributes"]["progress"]][:12]:
            person = _person_of(row)
            moment = rng.moment()
            lesson = rng.choice(lessons[course])
            viewed.append(_view(person, lesson["id"], moment))
            if row["attributes"]["progress"] == COMPLETED:
                related = {
                    "course": _reference("courses", course),
                    "person": _reference("people", person),
                    "activity": _reference("activities", lessons[course][QUIZ]["id"]),
                    "quiz": _reference("quizzes", quizzes[course]["id"]),
                }
                attempts.append(_attempt(rng, related, moment=moment))
    # Another webhook has a message about the first attempt too.
    attempts += [first | {"id": rng.uuid()} for first in attempts[:1]]
    return sorted(viewed, key=_moment_of), sorted(attempts, key=_moment_of)


def _attempts(messages: Iterable[Row]) -> dict[str, str]:
    """Return the times of the attempts, by their ids."""
    found = map(attempt_of, messages)
    return {each["quiz_attempt_uuid"]: each["created_at"] for each in found}


def _answers(rng: SeededRandom, moment: str) -> Iterable[Row]:
    for correct in (True, False):
        attributes = {
            "value": "Port" if correct else "Größer",
            "correct": correct,
            "created_at": moment,
        }
        question = _reference("questions/choose", rng.uuid())
        answer = _resource("learner_answers", rng.uuid(), attributes, question=question)
        yield {name: value for name, value in answer.items() if name != "links"}


def _moment_of(row: Row) -> str:
    return str(row["attributes"]["created_at"])


def _view(person: str, activity: str, moment: int) -> Row:
    return {
        "type": "learner_viewed_activity_events",
        "attributes": {"created_at": iso(moment)},
        "relationships": {
            "person": {"data": _reference("people", person)},
            "activity": {"data": _reference("activities", activity)},
        },
    }


def _attempt(rng: SeededRandom, related: Row, *, moment: int) -> Row:
    """Return a message of the log of webhooks, which holds the event as its payload."""
    event = {
        "id": rng.uuid(),
        "type": "quiz_completed_events",
        "attributes": {
            "quiz_attempt_uuid": rng.uuid(),
            "value": rng.randrange(40, COMPLETED),
            "minimum_passing_score": PASSED,
            "attempts_remaining": rng.randrange(3),
            "created_at": iso(moment),
        },
        "relationships": {name: {"data": data} for name, data in related.items()},
    }
    attributes = {
        "type": event["type"],
        "url": "https://example.com/hook",
        "attempt_left": 1,
        "created_at": iso(moment),
        "received_at": iso(moment + 1),
        "payload": {"data": event},
    }
    return {"id": rng.uuid(), "type": "webhook", "attributes": attributes}
