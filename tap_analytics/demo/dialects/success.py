"""The real success platform: newest rows first, opaque cursors, an unchecked password."""

from __future__ import annotations

import typing as t

from typing_extensions import override

from tap_analytics.demo.data.success_extra import FIELDS
from tap_analytics.demo.dialects.service import (
    Ordered,
    Refused,
    Service,
    basic_credentials,
    choice_param,
    decode_cursor,
    encode_cursor,
    int_param,
)
from tap_analytics.demo.messages import Response

if t.TYPE_CHECKING:
    from tap_analytics.demo.data import Dataset, Row
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
    """Lists, and conversations with their messages."""

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
        if resource in RESOURCES:
            return self._page(request, resource, self.dataset.tables[f"success_{resource}"])
        found, rows = self.find_extra(f"/{resource}", request)
        if whole := whole_response(self.dataset, request, found.stream, rows):
            return whole
        return self._page(request, found.stream, _archived(rows, request.params))

    def _page(self, request: Request, resource: str, rows: list[Row]) -> Response:
        params = request.params
        limit = int_param(params, "limit", default=MAX_LIMIT, least=1, most=MAX_LIMIT)
        sort = _sort(resource, params.get("sortBy"))
        after = None
        if "from" in params:
            cursor = decode_cursor(params["from"])
            if not isinstance(cursor, list) or cursor[:1] != [sort]:
                raise Refused(400, "the cursor belongs to another list")
            after = cursor[1:]
        key = (self.name, request.path, sort, params.get("status"), params.get("archived"))
        wanted = _with_status(resource, rows, params)
        ordered = self.dataset.remember(key, lambda: Ordered(wanted, lambda row: _key(row, sort)))
        # Admins have no dates and are sorted by id.
        shown, more = ordered.page(after=after, limit=limit, descending=sort != "id")
        cursor = encode_cursor([sort, *_key(shown[-1], sort)]) if more else None
        return Response.json({"results": shown, "next": cursor, "atEnd": not more})


def _with_status(resource: str, rows: list[Row], params: t.Mapping[str, str]) -> list[Row]:
    if resource != "accounts":
        return rows
    wanted = STATUSES[choice_param("status", params.get("status") or None, STATUSES) or "active"]
    return [row for row in rows if ((row["churnedAt"] and "churned") or "active") in wanted]


def _archived(rows: list[Row], params: t.Mapping[str, str]) -> list[Row]:
    """Return all rows, or only those that are archived, or that aren't."""
    wanted = choice_param("archived", params.get("archived"), ("true", "false"))
    if wanted is None:
        return rows
    return [row for row in rows if bool(row.get("archivedAt")) == (wanted == "true")]


def whole_response(
    dataset: Dataset, request: Request, stream: str, rows: list[Row]
) -> Response | None:
    """Return the response of an endpoint that has no pages; None for one that has."""
    if stream == "success_messages":
        identity = request.path.rpartition("/")[2]
        [found] = [row for row in dataset.tables["success_conversations"] if row["id"] == identity]
        return Response.json(found | {"messages": rows})
    if stream != "success_custom_fields":
        return None
    model = choice_param("model", request.params.get("model"), FIELDS)
    shown = [row for row in rows if model in {None, row["model"]}]
    return Response.json(
        [{name: value for name, value in row.items() if name != "model"} for row in shown]
    )


def _sort(resource: str, given: str | None) -> str:
    if resource != "admins":
        return choice_param("sortBy", given or None, SORTS) or SORTS[0]
    if given is not None:
        raise Refused(400, "admins can't be sorted")
    return "id"


def _key(row: Row, sort: str) -> tuple[str, ...]:
    return (row["id"],) if sort == "id" else (row[sort], row["id"])
