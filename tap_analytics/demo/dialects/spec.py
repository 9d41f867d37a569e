"""Four APIs exactly as their specs describe them: flat rows in id order, and nothing besides.

There are no links, no totals and no filters: a parameter that a description doesn't name is
ignored, and a position past the end is an empty list.
"""

from __future__ import annotations

import re
import typing as t

from typing_extensions import override

from tap_analytics.demo.dialects.errors import Refused
from tap_analytics.demo.dialects.experimentation import RESOURCES as OF_ACCOUNT
from tap_analytics.demo.dialects.paging import decode_cursor, encode_cursor, whole
from tap_analytics.demo.dialects.service import Service, basic_credentials
from tap_analytics.demo.dialects.success import RESOURCES as OF_SUCCESS
from tap_analytics.demo.http import Answer
from tap_analytics.demo.rows import ENROLLMENTS, flat

if t.TYPE_CHECKING:
    from tap_analytics.demo.data import Row, World
    from tap_analytics.demo.http import Request

_ENROLLMENTS = re.compile(r"/courses/([^/]+)/enrollments")


class SpecService(Service):
    """Rows by path, cut into pages by an offset."""

    selector = "results"
    default_limit = 100
    offset_param = "offset"
    #: The stream behind each path, below the prefix.
    resources: t.ClassVar[t.Mapping[str, str]]

    @override
    def answer(self, request: Request) -> Answer:
        rows = self.rows(request.path.removeprefix(self.prefix))
        limit = whole(request.params, "limit", default=self.default_limit, least=1)
        start = self.start(request, limit=limit)
        return Answer.json(self.body(rows, start=start, limit=limit))

    def start(self, request: Request, *, limit: int) -> int:  # noqa: ARG002 - where pages are numbered, it counts
        """Return the position of the first row asked for."""
        return whole(request.params, self.offset_param, default=0)

    def body(self, rows: t.Sequence[Row], *, start: int, limit: int) -> Row:
        """Return a page in its envelope."""
        return {self.selector: rows[start : start + limit]}

    def rows(self, resource: str) -> t.Sequence[Row]:
        """Return everything a path stands for."""
        if resource not in self.resources:
            raise Refused(404, f"nothing is found at {self.prefix}{resource}")
        stream = self.resources[resource]
        return self.world.remember(("spec", stream), lambda: flat(self.world, stream))


class SpecLearning(SpecService):
    """Pages are numbered from 1."""

    name = "learning"
    prefix = "/learning/v2"
    selector = "data"
    rate = (10, 1.0)
    resources: t.ClassVar = {"/people": "learning_people", "/courses": "learning_courses"}

    @override
    def admits(self, request: Request) -> bool:
        return request.headers.get("x-api-key") == self.credentials.learning_api_key

    @override
    def start(self, request: Request, *, limit: int) -> int:
        return (whole(request.params, "page", default=1, least=1) - 1) * limit

    @override
    def rows(self, resource: str) -> t.Sequence[Row]:
        if not (course := _ENROLLMENTS.fullmatch(resource)):
            return super().rows(resource)
        by_course = self.world.remember(("spec", ENROLLMENTS), lambda: _by_course(self.world))
        if course[1] not in by_course:
            raise Refused(404, f"there is no course {course[1]}")
        return by_course[course[1]]


class SpecExperimentation(SpecService):
    """Single objects are lists of one row."""

    name = "experimentation"
    prefix = "/experimentation/v1"
    selector = "_data"
    default_limit = 50
    rate = (1, 1.0)
    resources: t.ClassVar = {"/accounts": "experimentation_accounts"} | {
        f"/accounts/current/{path}": stream for path, stream in OF_ACCOUNT.items()
    }

    @override
    def admits(self, request: Request) -> bool:
        return request.headers.get("api_key") == self.credentials.experimentation_api_key


class SpecWiki(SpecService):
    """Offsets called `start`, in version 2 as well."""

    name = "wiki"
    prefix = "/wiki-spec"
    default_limit = 25
    offset_param = "start"
    resources: t.ClassVar = {
        "/v1/audit": "wiki_audit",
        "/v1/group": "wiki_group",
        "/v2/pages": "wiki_pages",
        "/v2/blogposts": "wiki_blog_posts",
        "/v2/spaces": "wiki_space",
    }

    @override
    def admits(self, request: Request) -> bool:
        wanted = (self.credentials.wiki_email, self.credentials.wiki_api_token)
        return basic_credentials(request) == wanted

    @override
    def body(self, rows: t.Sequence[Row], *, start: int, limit: int) -> Row:
        page = rows[start : start + limit]
        return {"results": page, "start": start, "limit": limit, "size": len(page)}


class SpecSuccess(SpecService):
    """A cursor called `next`, null at the end; user name and password are both checked."""

    name = "success"
    prefix = "/success"
    rate = (1000, 60.0)
    tells_rate = True
    resources: t.ClassVar = {f"/{name}": f"success_{name}" for name in OF_SUCCESS}

    @override
    def admits(self, request: Request) -> bool:
        shown = self.credentials
        wanted = (shown.success_secret_token, shown.success_basic_auth_header)
        return basic_credentials(request) == wanted

    @override
    def start(self, request: Request, *, limit: int) -> int:
        if "from" not in request.params:
            return 0
        position = decode_cursor(request.params["from"])
        if not isinstance(position, int) or position < 0:
            raise Refused(400, "the cursor is not valid")
        return position

    @override
    def body(self, rows: t.Sequence[Row], *, start: int, limit: int) -> Row:
        end = start + limit
        cursor = encode_cursor(end) if end < len(rows) else None
        return {"results": rows[start:end], "next": cursor}


def _by_course(world: World) -> dict[str, list[Row]]:
    by_course: dict[str, list[Row]] = {course: [] for course in world.enrollments}
    for row in flat(world, ENROLLMENTS):
        by_course[row["course_id"]].append(row)
    return by_course
