"""What a tap has to deliver: the table each stream becomes, computed without any HTTP."""

from __future__ import annotations

import typing as t

from tap_analytics.demo.exact import encode

if t.TYPE_CHECKING:
    from tap_analytics.demo.data import Row, World

#: The `uid` the server of the specs gives its single objects. The real service gives none, and a
#: tap falls back on the account it asked for.
SPEC_UID = "704118"
CURRENT_ACCOUNT = "current"
ENROLLMENTS = "learning_course_enrollments"
LEARNING = ("learning_people", "learning_courses", ENROLLMENTS)


def streams(world: World) -> list[str]:
    """Name every stream of the world."""
    return sorted({*world.tables, *world.singles, ENROLLMENTS})


def expected(world: World, stream: str, *, dialect: str) -> list[Row]:
    """Return the table of one stream.

    JSON:API attributes are lifted, enrollments know course and person, pages and posts have
    `updatedAt`, audit times are integers and identical events stand once (without `record_hash`),
    single objects have a `uid`.

    Raises:
        KeyError: There is no stream of that name.
    """
    if stream not in streams(world):
        raise KeyError(f"no stream {stream!r}; there are {', '.join(streams(world))}")
    if dialect == "spec":
        rows = flat(world, stream)
    elif stream in world.singles:
        rows = [world.singles[stream] | {"uid": CURRENT_ACCOUNT}]
    elif stream in LEARNING:
        rows = [_lifted(row, course=course) for course, row in _objects(world, stream)]
    else:
        rows = world.tables[stream]
    if stream == "wiki_audit":
        return _once(rows)
    if stream in {"wiki_pages", "wiki_blog_posts"}:
        return [row | {"updatedAt": row["version"]["createdAt"]} for row in rows]
    return rows


def flat(world: World, stream: str) -> list[Row]:
    """Return one stream's records as the specs describe them: flat, and in id order."""
    if stream in world.singles:
        return [world.singles[stream] | {"uid": SPEC_UID}]
    if stream == "wiki_audit":
        return world.tables[stream]
    if stream not in LEARNING:
        return sorted(world.tables[stream], key=_identity)
    rows = [_lifted(row, course=course) for course, row in _objects(world, stream)]
    hidden = ("type", "links", "relationships")
    plain = [{name: row[name] for name in row if name not in hidden} for row in rows]
    return plain if stream == ENROLLMENTS else sorted(plain, key=_identity)


def _identity(row: Row) -> t.Any:  # noqa: ANN401 - an id is a string or a number
    return row["id"]


def _objects(world: World, stream: str) -> t.Iterator[tuple[str | None, Row]]:
    if stream == ENROLLMENTS:
        for course, rows in world.enrollments.items():
            for row in sorted(rows, key=_identity):
                yield course, row
    else:
        for row in world.tables[stream]:
            yield None, row


def _lifted(row: Row, *, course: str | None) -> Row:
    lifted = {name: value for name, value in row.items() if name != "attributes"}
    lifted |= row["attributes"]
    if course is not None:
        person = row["relationships"]["person"]["data"]["id"]
        lifted |= {"course_id": course, "person_id": row["attributes"].get("person_id", person)}
    return lifted


def _once(rows: list[Row]) -> list[Row]:
    distinct = {encode(row): row for row in rows}
    return [row | {"creationDate": int(row["creationDate"])} for row in distinct.values()]
