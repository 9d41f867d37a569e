"""One day in the world's life: people are edited, campaigns pause, accounts churn.

Each step is decided by the seed and its number, and tells which keys it changed, so that a test
knows what an incremental run has to bring.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tap_analytics.demo.data import declared, experimentation, learning, success, wiki
from tap_analytics.demo.data.cast import gather
from tap_analytics.demo.data.dice import Row, iso, iso_ms

if t.TYPE_CHECKING:
    from tap_analytics.demo.data.dice import Dice
    from tap_analytics.demo.data.world import World

#: Seconds between the newest record and a step that is given no time.
STEP_SECONDS = 37
COURSE_PREFIX = "Révisé:"
COMPLETED = 100
#: How many records a deleting step takes away.
DELETED = {
    "learning_people": 2,
    "experimentation_campaigns": 3,
    "wiki_pages": 2,
    "success_admins": 1,
}


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What one step did, as keys by stream; an enrollment's key is (course id, id)."""

    changed: dict[str, list[t.Any]] = field(default_factory=dict)
    deleted: dict[str, list[t.Any]] = field(default_factory=dict)


def change(world: World, *, at: datetime | None = None, delete: bool = False) -> Changes:
    """Let one step happen at the given moment, or shortly after the newest record.

    Raises:
        ValueError: `at` lies before the newest record.
    """
    day = _Day(world, moment=_moment(world, at=at))
    for happen in (_learn, _experiment, _write, _audit, _sell, _serve, _declare):
        happen(day)
    if delete:
        _delete(day)
    world.steps += 1
    world.changed()
    return day.done


def _moment(world: World, *, at: datetime | None) -> int:
    if at is None:
        at = datetime.fromtimestamp(world.clock, UTC) + timedelta(seconds=STEP_SECONDS)
    moment = int(at.timestamp())
    if moment < world.clock:
        newest = iso(world.clock)
        raise ValueError(f"a change at {at.isoformat()} is older than the newest record, {newest}")
    world.clock = moment
    return moment


class _Day:
    """One step in the making: its time, its dice, and the list of what it did."""

    def __init__(self, world: World, *, moment: int) -> None:
        self.world = world
        self.moment = moment
        self.now = iso(moment)
        self.now_ms = iso_ms(moment * 1000)
        self.dice: Dice = world.dice(f"step/{world.steps}")
        self.done = Changes()

    def note(self, stream: str, key: object) -> None:
        self.done.changed.setdefault(stream, []).append(key)

    def add(self, stream: str, row: Row, *, key: str = "id") -> Row:
        self.world.tables[stream].append(row)
        self.note(stream, row[key])
        return row

    def edit(self, stream: str, row: Row, **values: object) -> Row:
        rows = self.world.tables[stream]
        edited = row | values
        rows[rows.index(row)] = edited
        self.note(stream, row["id"])
        return edited

    def some(self, stream: str, count: int = 1, **having: object) -> list[Row]:
        """Choose records with the given values that this step hasn't changed yet."""
        seen = self.done.changed.get(stream, [])
        fit = [
            row
            for row in self.world.tables[stream]
            if row["id"] not in seen and all(row[name] == wanted for name, wanted in having.items())
        ]
        return self.dice.sample(fit, min(count, len(fit)))


def _learn(day: _Day) -> None:
    world = day.world
    for row in day.some("learning_people", 2):
        renamed = {"name": f"{row['attributes']['name']} (née Åkesson)", "updated_at": day.now}
        day.edit("learning_people", row, attributes=row["attributes"] | renamed)
    who = gather(day.dice, staff=0, customers=1, companies=1).customers[0]
    who = who._replace(email=f"new.{world.steps}.{who.email}")
    newcomer = learning.person(
        day.dice, who, updated=day.moment, relations=(day.dice.uuid(), []), invited=False
    )
    newcomer["attributes"]["created_at"] = day.now
    day.add("learning_people", newcomer)
    if courses := world.tables["learning_courses"]:
        _enroll(day, courses[learning.POPULAR_COURSE]["id"], person=newcomer["id"])
        title = f"{COURSE_PREFIX} {courses[-1]['attributes']['permalink']} {world.steps + 2}"
        attributes = courses[-1]["attributes"] | {"name": title, "updated_at": day.now}
        day.edit("learning_courses", courses[-1], attributes=attributes)


def _enroll(day: _Day, course: str, *, person: str) -> None:
    """Move two enrollments and add one; the course itself shows no trace of it."""
    rows = day.world.enrollments[course]
    stream = "learning_course_enrollments"
    for seat in day.dice.sample(range(len(rows)), min(2, len(rows))):
        row = rows[seat]
        progress = 99 if row["attributes"]["progress"] == COMPLETED else COMPLETED
        moved = {"progress": progress, "last_active_on": day.now}
        rows[seat] = row | {"attributes": row["attributes"] | moved}
        day.note(stream, (course, row["id"]))
    new = learning.enrollment(day.dice, course=course, person=person, bare=False)
    new["attributes"] |= {"progress": 0, "enrolled_at": day.now, "last_active_on": None}
    rows.append(new)
    day.note(stream, (course, new["id"]))


def _experiment(day: _Day) -> None:
    world = day.world
    for row in day.some("experimentation_campaigns", status="RUNNING", isDeleted=False):
        paused = day.edit("experimentation_campaigns", row, status="PAUSED")
        for user in day.some("experimentation_users", 2):
            event = experimentation.feed(
                len(world.tables["experimentation_accounts_feeds"]),
                when=day.moment,
                verb=("campaign", "paused"),
                user=user,
                campaign=paused,
            )
            day.add("experimentation_accounts_feeds", event)
    for row in day.some("experimentation_custom_widgets"):
        day.edit("experimentation_custom_widgets", row, description="", updatedAt=day.moment)


def _write(day: _Day) -> None:
    tables = day.world.tables
    for row in day.some("wiki_pages", status="current"):
        version = row["version"] | {"createdAt": day.now_ms, "number": row["version"]["number"] + 1}
        day.edit("wiki_pages", row, version=version, title=f"{row['title']} ✎")
    for space in tables["wiki_space"][:1]:
        post = wiki.blog_post(
            day.dice,
            len(tables["wiki_blog_posts"]),
            edited=day.moment,
            author=day.dice.choice(day.world.authors),
            space=space,
        )
        version = post["version"] | {"createdAt": day.now_ms, "number": 1}
        day.add("wiki_blog_posts", post | {"createdAt": day.now_ms, "version": version})


def _audit(day: _Day) -> None:
    """Log three events, two of them in one millisecond."""
    number = len(day.world.tables["wiki_audit"])
    who = day.dice.randrange(len(day.world.authors))
    user = (day.world.cast.staff[who].name, day.world.authors[who])
    for offset, milliseconds in enumerate((12, 345, 345)):
        when = day.moment * 1000 + milliseconds
        event = wiki.audit_event(day.dice, number + offset, when=when, user=user)
        day.add("wiki_audit", event, key="creationDate")


def _sell(day: _Day) -> None:
    now = day.now_ms
    for row in day.some("success_accounts", churnedAt=None):
        day.edit("success_accounts", row, churnedAt=now, mrr=None, updatedAt=now)
    for row in day.some("success_accounts", churnedAt=None):
        day.edit("success_accounts", row, mrr=success.MRR[day.world.steps % 2], updatedAt=now)
    for row in day.some("success_users"):
        day.edit("success_users", row, name=f"{row['name']} Jr.", updatedAt=now)


def _serve(day: _Day) -> None:
    tables, now = day.world.tables, day.now_ms
    if tables["success_accounts"] and tables["success_admins"]:
        account = success.embedded(day.dice.choice(tables["success_accounts"]))
        author = day.dice.choice(tables["success_admins"])
        note = success.note(day.dice, updated=day.moment, account=account, author=author)
        day.add("success_notes", note | {"createdAt": now, "updatedAt": now, "noteDate": now})
    for row in day.some("success_tasks", completedAt=None):
        done = {"completedAt": now, "completedById": row["assignedToId"]}
        day.edit("success_tasks", row, **done, completedBy=row["assignedTo"], updatedAt=now)
    for row in day.some("success_conversations", status="open"):
        day.edit("success_conversations", row, status="closed", rating="satisfied", updatedAt=now)


def _declare(day: _Day) -> None:
    rows = day.world.tables["declared_resource_name"]
    for row in day.some("declared_resource_name"):
        day.edit("declared_resource_name", row, name="Změněno", updated_at=day.now)
    added = declared.row(day.dice, len(rows), updated=day.moment)
    day.add("declared_resource_name", added | {"created_at": day.now})


def _delete(day: _Day) -> None:
    """Take records away that the step left alone, and what cannot live without them."""
    for stream, count in DELETED.items():
        rows = day.world.tables[stream]
        parents = {row.get("parentId") for row in rows} | set(day.done.changed.get(stream, []))
        free = [row["id"] for row in rows if row["id"] not in parents]
        gone = day.dice.sample(free, min(count, len(free)))
        day.world.tables[stream] = [row for row in rows if row["id"] not in gone]
        day.done.deleted[stream] = gone
    people = set(day.done.deleted["learning_people"])
    lost = day.done.deleted.setdefault("learning_course_enrollments", [])
    changed = day.done.changed.get("learning_course_enrollments", [])
    for course, rows in day.world.enrollments.items():
        left = [row for row in rows if _person_of(row) not in people]
        lost += [(course, row["id"]) for row in rows if _person_of(row) in people]
        day.world.enrollments[course] = left
    changed[:] = [key for key in changed if key not in lost]


def _person_of(enrollment: Row) -> str:
    return str(enrollment["relationships"]["person"]["data"]["id"])
