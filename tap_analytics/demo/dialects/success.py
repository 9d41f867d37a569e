"""The real success platform: newest rows first, opaque cursors, an unchecked password."""

from __future__ import annotations

import typing as t

from typing_extensions import override

from tap_analytics.demo.dialects.service import (
    Ordered,
    Refused,
    Service,
    basic_credentials,
    choice_param,
    decode_cursor,
    encode_cursor,
    int_param,
    not_found,
)
from tap_analytics.demo.messages import Response

if t.TYPE_CHECKING:
    from tap_analytics.demo.data import Row
    from tap_analytics.demo.messages import Request

MAX_LIMIT = 100
RESOURCES = ("accounts", "admins", "conversations", "notes", "tasks", "users")
SORTS = ("updatedAt", "createdAt")
STATUSES = {
    "active": ("active",),
    "churned": ("churned",),
    "activeOrChurned": ("active", "churned"),
}


class Success(Service):
    """Six lists."""

    name = "success"
    prefix = "/resources"
    secrets = ("success_secret_token",)
    rate = (1000, 60.0)
    sends_rate = True

    @override
    def admits(self, request: Request) -> bool:
        return basic_credentials(request)[:1] == (self.credentials.success_secret_token,)

    @override
    def respond(self, request: Request) -> Response:
        resource = request.path.removeprefix(f"{self.prefix}/")
        if resource not in RESOURCES:
            raise not_found(request)
        params = request.params
        limit = int_param(params, "limit", default=MAX_LIMIT, least=1, most=MAX_LIMIT)
        sort = _sort(resource, params.get("sortBy"))
        after = None
        if "from" in params:
            cursor = decode_cursor(params["from"])
            if not isinstance(cursor, list) or cursor[:1] != [sort]:
                raise Refused(400, "the cursor belongs to another list")
            after = cursor[1:]
        ordered = self._ordered(resource, sort, params.get("status"))
        # Admins have no dates and are sorted by id.
        rows, more = ordered.page(after=after, limit=limit, descending=sort != "id")
        cursor = encode_cursor([sort, *_key(rows[-1], sort)]) if more else None
        return Response.json({"results": rows, "next": cursor, "atEnd": not more})

    def _ordered(self, resource: str, sort: str, status: str | None) -> Ordered:
        rows = self.dataset.tables[f"success_{resource}"]
        wanted = STATUSES["activeOrChurned"]
        if resource == "accounts":
            wanted = STATUSES[choice_param("status", status or None, STATUSES) or "active"]
            rows = [row for row in rows if ((row["churnedAt"] and "churned") or "active") in wanted]
        return self.dataset.remember(
            (self.name, resource, sort, wanted), lambda: Ordered(rows, lambda row: _key(row, sort))
        )


def _sort(resource: str, given: str | None) -> str:
    if resource != "admins":
        return choice_param("sortBy", given or None, SORTS) or SORTS[0]
    if given is not None:
        raise Refused(400, "admins can't be sorted")
    return "id"


def _key(row: Row, sort: str) -> tuple[str, ...]:
    return (row["id"],) if sort == "id" else (row[sort], row["id"])
