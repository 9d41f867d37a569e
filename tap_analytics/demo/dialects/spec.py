"""The APIs exactly as in their specifications: flat rows in id order.

There are no links, totals or filters: parameters that a specification doesn't name are ignored, and
a page after the end is an empty list.
"""

from __future__ import annotations

import typing as t

from typing_extensions import override

from tap_analytics.demo.dialects.experimentation import RESOURCES as OF_ACCOUNT
from tap_analytics.demo.dialects.experimentation import Experimentation
from tap_analytics.demo.dialects.learning import ENROLLMENTS_PATH, Learning
from tap_analytics.demo.dialects.service import (
    Refused,
    Service,
    decode_cursor,
    encode_cursor,
    int_param,
)
from tap_analytics.demo.dialects.success import RESOURCES as OF_SUCCESS
from tap_analytics.demo.dialects.success import whole_response
from tap_analytics.demo.dialects.wiki import Wiki
from tap_analytics.demo.expected_rows import ENROLLMENTS, flat
from tap_analytics.demo.messages import Response

if t.TYPE_CHECKING:
    from tap_analytics.demo.data import Row
    from tap_analytics.demo.messages import Request


class SpecService(Service):
    """Rows by path, paged by an offset."""

    selector = "results"
    default_limit = 100
    max_limit: int | None = None
    offset_param = "offset"
    #: The stream of each path, below the prefix.
    resources: t.ClassVar[t.Mapping[str, str]]

    @override
    def respond(self, request: Request) -> Response:
        rows = self.rows(request)
        limit = int_param(
            request.params, "limit", default=self.default_limit, least=1, most=self.max_limit
        )
        start = self.start(request.params, limit=limit)
        page = rows[start : start + limit]
        more = self.envelope(start=start, limit=limit, size=len(page), total=len(rows))
        return Response.json({self.selector: page} | more)

    def start(self, params: t.Mapping[str, str], *, limit: int) -> int:  # noqa: ARG002 - for page numbers
        """Return the index of the first row of the page."""
        return int_param(params, self.offset_param, default=0)

    def envelope(self, *, start: int, limit: int, size: int, total: int) -> Row:  # noqa: ARG002 - most have none
        """Return the other members of a page."""
        return {}

    def rows(self, request: Request) -> t.Sequence[Row]:
        """Return all rows of a path."""
        stream = self.resources.get(request.path.removeprefix(self.prefix))
        if stream is None:
            path = request.path.removeprefix(self.prefix).removeprefix("/accounts/current")
            return self.find_extra(path, request)[1]
        return self.dataset.remember(("spec", stream), lambda: flat(self.dataset, stream))


class SpecLearning(SpecService, Learning):
    """Pages are numbered from 1."""

    selector = "data"
    resources: t.ClassVar = {"/people": "learning_people", "/courses": "learning_courses"}

    @override
    def start(self, params: t.Mapping[str, str], *, limit: int) -> int:
        return (int_param(params, "page", default=1, least=1) - 1) * limit

    @override
    def rows(self, request: Request) -> t.Sequence[Row]:
        course = ENROLLMENTS_PATH.fullmatch(request.path.removeprefix(self.prefix))
        if course is None:
            return super().rows(request)
        by_course = self.dataset.remember(("spec", ENROLLMENTS), self._enrollments)
        if course[1] not in by_course:
            raise Refused(404, f"there is no course {course[1]}")
        return by_course[course[1]]

    def _enrollments(self) -> dict[str, list[Row]]:
        by_course: dict[str, list[Row]] = {course: [] for course in self.dataset.enrollments}
        for row in flat(self.dataset, ENROLLMENTS):
            by_course[row["course_id"]].append(row)
        return by_course


class SpecExperimentation(SpecService, Experimentation):
    """Single objects are lists of one row."""

    prefix = "/experimentation/v1"
    key_header = "api_key"
    selector = "_data"
    default_limit = 50
    resources: t.ClassVar = {"/accounts": "experimentation_accounts"} | {
        f"/accounts/current/{path}": stream for path, stream in OF_ACCOUNT.items()
    }


class SpecWiki(SpecService, Wiki):
    """Offsets called `start`, in version 2 as well."""

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
    def envelope(self, *, start: int, limit: int, size: int, total: int) -> Row:
        return {"start": start, "limit": limit, "size": size}


class SpecSuccess(SpecService):
    """A cursor called `next`, null at the end; user name and password are both checked."""

    name = "success"
    prefix = "/success"
    secrets = ("success_secret_token", "success_basic_auth_header")
    rate = (1000, 60.0)
    sends_rate = True
    resources: t.ClassVar = {f"/{name}": f"success_{name}" for name in OF_SUCCESS}

    @override
    def respond(self, request: Request) -> Response:
        path = request.path.removeprefix(self.prefix)
        if path in self.resources:
            return super().respond(request)
        found, rows = self.find_extra(path, request)
        whole = whole_response(self.dataset, request, found.stream, rows)
        return whole or super().respond(request)

    @override
    def start(self, params: t.Mapping[str, str], *, limit: int) -> int:
        position = decode_cursor(params["from"]) if "from" in params else 0
        if not isinstance(position, int) or position < 0:
            raise Refused(400, "the cursor is not valid")
        return position

    @override
    def envelope(self, *, start: int, limit: int, size: int, total: int) -> Row:
        return {"next": encode_cursor(start + limit) if start + limit < total else None}


class Declared(SpecService):
    """The declared API, the same in both dialects: a key in the query, and a total."""

    name = "declared"
    prefix = "/declared"
    selector = "data"
    max_limit = 1000
    resources: t.ClassVar = {"/v1/resource": "declared_resource_name"}

    @override
    def admits(self, request: Request) -> bool:
        return request.params.get("api_key") == self.credentials.declared_api_key

    @override
    def envelope(self, *, start: int, limit: int, size: int, total: int) -> Row:
        return {"total": total, "limit": limit, "offset": start}
