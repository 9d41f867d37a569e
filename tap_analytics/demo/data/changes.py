"""Changes to the data: edited people, paused campaigns, churned accounts.

A change is determined by the seed and its number. It returns the changed keys, so that a test knows
what an incremental run has to read.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tap_analytics.demo.data import declared_rows, experimentation, learning, success, wiki
from tap_analytics.demo.data.dataset import Row, invent_persons, iso, iso_ms

if t.TYPE_CHECKING:
    from tap_analytics.demo.data.dataset import Dataset

#: Default seconds between the newest record and a change.
STEP_SECONDS = 37
COURSE_PREFIX = "Révisé:"
COMPLETED = 100
ENROLLMENTS = "learning_course_enrollments"
#: Number of records that a change with `delete` removes.
DELETED = {
    "learning_people": 2,
    "experimentation_campaigns": 3,
    "wiki_pages": 2,
    "success_admins": 1,
}


@dataclass(frozen=True, kw_only=True)
class Changes:
    """The keys a change affected, by stream; the key of an enrollment is (course id, id)."""

    changed: dict[str, list[t.Any]] = field(default_factory=dict)
    deleted: dict[str, list[t.Any]] = field(default_factory=dict)


def change(dataset: Dataset, *, at: datetime | None = None, delete: bool = False) -> Changes:
    """Change the data at the given time, or shortly after the newest record.

    Raises `ValueError` if `at` lies before the newest record.
    """
    at = at or datetime.fromtimestamp(dataset.clock, UTC) + timedelta(seconds=STEP_SECONDS)
    if int(at.timestamp()) < dataset.clock:
        newest = iso(dataset.clock)
        raise ValueError(f"a change at {at.isoformat()} is older than the newest record, {newest}")
    dataset.clock = int(at.timestamp())
    step = _Step(dataset)
    for act in (_learning, _experimentation, _wiki, _success, _declared):
        act(step)
    if delete:
        _delete(step)
    dataset.steps += 1
    dataset.changed()
    return step.changes


class _Step:
    """A change in progress: its time, its random source and the affected keys."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.tables = dataset.tables
        self.now = iso(dataset.clock)
        self.now_ms = iso_ms(dataset.clock * 1000)
        self.rng = dataset.rng(f"step/{dataset.steps}")
        self.changes = Changes()

    def record(self, stream: str, key: object) -> None:
        self.changes.changed.setdefault(stream, []).append(key)

    def add(self, stream: str, row: Row, *, key: str = "id") -> None:
        self.tables[stream].append(row)
        self.record(stream, row[key])

    def edit(self, stream: str, row: Row, **values: object) -> Row:
        rows = self.tables[stream]
        rows[rows.index(row)] = edited = row | values
        self.record(stream, row["id"])
        return edited

    def some(self, stream: str, count: int = 1, **having: object) -> list[Row]:
        """Choose records with the given values that this change hasn't affected yet."""
        changed = self.changes.changed.get(stream, [])
        fit = [
            row
            for row in self.tables[stream]
            if row["id"] not in changed
            and all(row[name] == wanted for name, wanted in having.items())
        ]
        return self.rng.sample(fit, min(count, len(fit)))


def _learning(step: _Step) -> None:
    dataset = step.dataset
    for row in step.some("learning_people", 2):
        renamed = {"name": f"{row['attributes']['name']} (née Åkesson)", "updated_at": step.now}
        step.edit("learning_people", row, attributes=row["attributes"] | renamed)
    who = invent_persons(step.rng, staff=0, customers=1, companies=1).customers[0]
    who = who._replace(email=f"new.{dataset.steps}.{who.email}")
    relations: tuple[str, list[str]] = (step.rng.uuid(), [])
    newcomer = learning.person(
        step.rng, who, updated=dataset.clock, relations=relations, invited=False
    )
    newcomer["attributes"]["created_at"] = step.now
    step.add("learning_people", newcomer)
    if courses := step.tables["learning_courses"]:
        _enroll(step, courses[learning.POPULAR_COURSE]["id"], person=newcomer["id"])
        title = f"{COURSE_PREFIX} {courses[-1]['attributes']['permalink']} {dataset.steps + 2}"
        attributes = courses[-1]["attributes"] | {"name": title, "updated_at": step.now}
        step.edit("learning_courses", courses[-1], attributes=attributes)


def _enroll(step: _Step, course: str, *, person: str) -> None:
    """Update two enrollments and add one; the course itself isn't changed."""
    rows = step.dataset.enrollments[course]
    for seat in step.rng.sample(range(len(rows)), min(2, len(rows))):
        row = rows[seat]
        progress = 99 if row["attributes"]["progress"] == COMPLETED else COMPLETED
        moved = {"progress": progress, "last_active_on": step.now}
        rows[seat] = row | {"attributes": row["attributes"] | moved}
        step.record(ENROLLMENTS, (course, row["id"]))
    new = learning.enrollment(step.rng, course=course, person=person, bare=False)
    new["attributes"] |= {"progress": 0, "enrolled_at": step.now, "last_active_on": None}
    rows.append(new)
    step.record(ENROLLMENTS, (course, new["id"]))


def _experimentation(step: _Step) -> None:
    moment, feeds = step.dataset.clock, "experimentation_accounts_feeds"
    verb = ("campaign", "paused")
    for row in step.some("experimentation_campaigns", status="RUNNING", isDeleted=False):
        paused = step.edit("experimentation_campaigns", row, status="PAUSED")
        for user in step.some("experimentation_users", 2):
            number = len(step.tables[feeds])
            event = experimentation.feed(number, when=moment, verb=verb, user=user, campaign=paused)
            step.add(feeds, event)
    for row in step.some("experimentation_custom_widgets"):
        step.edit("experimentation_custom_widgets", row, description="", updatedAt=moment)


def _wiki(step: _Step) -> None:
    tables, dataset = step.tables, step.dataset
    edited = {"createdAt": step.now_ms}
    for row in step.some("wiki_pages", status="current"):
        version = row["version"] | edited | {"number": row["version"]["number"] + 1}
        step.edit("wiki_pages", row, version=version, title=f"{row['title']} ✎")
    for space in tables["wiki_space"][:1]:
        author, number = step.rng.choice(dataset.authors), len(tables["wiki_blog_posts"])
        post = wiki.blog_post(step.rng, number, dataset.clock, author=author, space=space)
        version = post["version"] | edited | {"number": 1}
        step.add("wiki_blog_posts", post | edited | {"version": version})
    number = len(tables["wiki_audit"])
    who = step.rng.randrange(len(dataset.authors))
    user = (dataset.persons.staff[who].name, dataset.authors[who])
    # Two events have the same millisecond.
    for offset, milliseconds in enumerate((12, 345, 345)):
        when = dataset.clock * 1000 + milliseconds
        event = wiki.audit_event(step.rng, number + offset, when=when, user=user)
        step.add("wiki_audit", event, key="creationDate")


def _success(step: _Step) -> None:
    tables, now = step.tables, step.now_ms
    for row in step.some("success_accounts", churnedAt=None):
        step.edit("success_accounts", row, churnedAt=now, mrr=None, updatedAt=now)
    for row in step.some("success_accounts", churnedAt=None):
        step.edit("success_accounts", row, mrr=success.MRR[step.dataset.steps % 2], updatedAt=now)
    for row in step.some("success_users"):
        step.edit("success_users", row, name=f"{row['name']} Jr.", updatedAt=now)
    if tables["success_accounts"] and tables["success_admins"]:
        account = success.embedded(step.rng.choice(tables["success_accounts"]))
        author = step.rng.choice(tables["success_admins"])
        note = success.note(step.rng, updated=step.dataset.clock, account=account, author=author)
        step.add("success_notes", note | {"createdAt": now, "updatedAt": now, "noteDate": now})
    for row in step.some("success_tasks", completedAt=None):
        done = {"completedAt": now, "completedById": row["assignedToId"]}
        step.edit("success_tasks", row, **done, completedBy=row["assignedTo"], updatedAt=now)
    for row in step.some("success_conversations", status="open"):
        step.edit("success_conversations", row, status="closed", rating="satisfied", updatedAt=now)


def _declared(step: _Step) -> None:
    stream = "declared_resource_name"
    for row in step.some(stream):
        step.edit(stream, row, name="Změněno", updated_at=step.now)
    added = declared_rows.row(step.rng, len(step.tables[stream]), updated=step.dataset.clock)
    step.add(stream, added | {"created_at": step.now})


def _delete(step: _Step) -> None:
    """Remove records that the change hasn't affected, with their dependents."""
    changed, deleted = step.changes.changed, step.changes.deleted
    for stream, count in DELETED.items():
        rows = step.tables[stream]
        kept = {row.get("parentId") for row in rows} | set(changed.get(stream, []))
        free = [row["id"] for row in rows if row["id"] not in kept]
        deleted[stream] = gone = step.rng.sample(free, min(count, len(free)))
        step.tables[stream] = [row for row in rows if row["id"] not in gone]
    people = set(deleted["learning_people"])
    lost = deleted.setdefault(ENROLLMENTS, [])
    for course, rows in step.dataset.enrollments.items():
        gone = [row for row in rows if _person_of(row) in people]
        lost += [(course, row["id"]) for row in gone]
        step.dataset.enrollments[course] = [row for row in rows if row not in gone]
    enrollments = changed.get(ENROLLMENTS, [])
    enrollments[:] = [key for key in enrollments if key not in lost]


def _person_of(enrollment: Row) -> str:
    return str(enrollment["relationships"]["person"]["data"]["id"])
