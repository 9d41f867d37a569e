"""The success platform as it really is: newest first, opaque cursors, a password nobody reads."""

from __future__ import annotations

import typing as t

from typing_extensions import override

from tap_analytics.demo.dialects.errors import Refused
from tap_analytics.demo.dialects.paging import (
    Ordered,
    as_key,
    decode_cursor,
    encode_cursor,
    whole,
)
from tap_analytics.demo.dialects.service import Service, basic_credentials
from tap_analytics.demo.http import Answer

if t.TYPE_CHECKING:
    from tap_analytics.demo.data import Row
    from tap_analytics.demo.http import Request

MAX_LIMIT = 100
RESOURCES = ("accounts", "admins", "conversations", "notes", "tasks", "users")
SORTS = ("updatedAt", "createdAt")


class Success(Service):
    """Six flat lists."""

    name = "success"
    prefix = "/resources"
    rate = (1000, 60.0)
    tells_rate = True

    @override
    def admits(self, request: Request) -> bool:
        shown = basic_credentials(request)
        return shown is not None and shown[0] == self.credentials.success_secret_token

    @override
    def answer(self, request: Request) -> Answer:
        resource = request.path.removeprefix(f"{self.prefix}/")
        if resource not in RESOURCES:
            raise Refused(404, f"nothing is found at {request.path}")
        limit = whole(request.params, "limit", default=MAX_LIMIT, least=1, most=MAX_LIMIT)
        sort = _sort(resource, request.params.get("sortBy"))
        after = None
        if "from" in request.params:
            held = decode_cursor(request.params["from"])
            if not isinstance(held, list) or held[:1] != [sort]:
                raise Refused(400, "the cursor belongs to another list")
            after = as_key(held[1:], length=1 if sort == "id" else 2)
        ordered = self._ordered(resource, sort, request.params.get("status"))
        # Admins have no dates to be sorted by and come in the order of their ids.
        rows, more = ordered.page(after=after, limit=limit, descending=sort != "id")
        cursor = encode_cursor([sort, *_key(sort)(rows[-1])]) if more else None
        return Answer.json({"results": rows, "next": cursor, "atEnd": not more})

    def _ordered(self, resource: str, sort: str, status: str | None) -> Ordered:
        if resource == "accounts":
            wanted = _wanted(status)
            rows = [r for r in self.world.tables["success_accounts"] if _status(r) in wanted]
        else:
            wanted = ()
            rows = self.world.tables[f"success_{resource}"]
        return self.world.remember(
            (self.name, resource, sort, wanted), lambda: Ordered.by(rows, _key(sort))
        )


def _sort(resource: str, asked: str | None) -> str:
    if resource == "admins":
        if asked is not None:
            raise Refused(400, "admins can't be sorted")
        return "id"
    sort = asked or SORTS[0]
    if sort not in SORTS:
        raise Refused(400, f"sortBy {sort!r} is not one of {', '.join(SORTS)}")
    return sort


def _key(sort: str) -> t.Callable[[Row], tuple[str, ...]]:
    if sort == "id":
        return lambda row: (row["id"],)
    return lambda row: (row[sort], row["id"])


def _wanted(status: str | None) -> tuple[str, ...]:
    known = {
        "active": ("active",),
        "churned": ("churned",),
        "activeOrChurned": ("active", "churned"),
    }
    if (status or "active") not in known:
        raise Refused(400, f"status {status!r} is not one of {', '.join(known)}")
    return known[status or "active"]


def _status(account: Row) -> str:
    return "churned" if account["churnedAt"] else "active"
