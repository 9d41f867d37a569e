"""The wiki as it really is: offsets in version 1, cursors in version 2, links in every spelling."""

from __future__ import annotations

import typing as t
from urllib.parse import urlencode

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
    from tap_analytics.demo.dialects.paging import Key
    from tap_analytics.demo.http import Request

V1 = "/wiki/rest/api"
V2 = "/wiki/api/v2"
V2_DEFAULT, V2_MAX = 25, 250
#: Default and greatest limit: both lists clamp in silence.
AUDIT_LIMITS = (1000, 1000)
GROUP_LIMITS = (200, 10)
STREAMS = {"/pages": "wiki_pages", "/blogposts": "wiki_blog_posts", "/spaces": "wiki_space"}
DEFAULT_STATUS = {
    "/pages": "current,archived",
    "/blogposts": "current",
    "/spaces": "current,archived",
}

_EDITED: dict[str, t.Callable[[Row], Key]] = {
    "id": lambda row: (row["id"],),
    "created-date": lambda row: (row["createdAt"], row["id"]),
    "modified-date": lambda row: (row["version"]["createdAt"], row["id"]),
}
_SORTS: dict[str, dict[str, t.Callable[[Row], Key]]] = {
    "/pages": _EDITED | {"title": lambda row: (row["title"], row["id"])},
    "/blogposts": _EDITED,
    "/spaces": {
        "id": lambda row: (row["id"],),
        "key": lambda row: (row["key"], row["id"]),
        "name": lambda row: (row["name"], row["id"]),
    },
}


class Wiki(Service):
    """Audit log and groups in version 1; pages, blog posts and spaces in version 2."""

    name = "wiki"
    prefix = "/wiki"

    @override
    def admits(self, request: Request) -> bool:
        wanted = (self.credentials.wiki_email, self.credentials.wiki_api_token)
        return basic_credentials(request) == wanted

    @override
    def answer(self, request: Request) -> Answer:
        if request.path.removeprefix(V2) in STREAMS:
            return self._second(request, request.path.removeprefix(V2))
        if request.path == f"{V1}/audit":
            return self._first(request, self._audit(request.params), limits=AUDIT_LIMITS)
        if request.path == f"{V1}/group":
            groups = self.world.tables["wiki_group"]
            return self._first(request, groups, limits=GROUP_LIMITS)
        raise Refused(404, f"nothing is found at {request.path}")

    def _audit(self, params: t.Mapping[str, str]) -> list[Row]:
        """Return the events between two inclusive epoch milliseconds, newest first."""
        since = whole(params, "startDate", default=0)
        until = whole(params, "endDate", default=10**16)
        rows = self.world.tables["wiki_audit"]
        return [row for row in rows[::-1] if since <= int(row["creationDate"]) <= until]

    def _first(self, request: Request, rows: list[Row], *, limits: tuple[int, int]) -> Answer:
        default, most = limits
        limit = min(most, whole(request.params, "limit", default=default, least=1))
        start = whole(request.params, "start", default=0)
        page = rows[start : start + limit]
        links = {
            "base": f"{self.url}/wiki",
            "context": "/wiki",
            "self": f"{self.url}{request.target}",
        }
        if start + limit < len(rows):
            query = dict(request.params) | {"next": "true", "limit": limit, "start": start + limit}
            path = request.path.removeprefix("/wiki")
            links["next"] = f"{path}?{urlencode(query)}"
        body = {"results": page, "start": start, "limit": limit, "size": len(page), "_links": links}
        return Answer.json(body)

    def _second(self, request: Request, resource: str) -> Answer:
        limit = whole(request.params, "limit", default=V2_DEFAULT, least=1, most=V2_MAX)
        sort, after = _position(request.params, resource)
        ordered = self._ordered(resource, sort.removeprefix("-"), request.params)
        rows, more = ordered.page(after=after, limit=limit, descending=sort.startswith("-"))
        links = {"base": f"{self.url}/wiki"}
        headers = {}
        if more:
            last = _SORTS[resource][sort.removeprefix("-")](rows[-1])
            cursor = encode_cursor({"sort": sort, "after": last})
            links["next"] = self._next(resource, urlencode({"limit": limit, "cursor": cursor}))
            headers["Link"] = f'<{links["next"]}>; rel="next"'
        shown = [_shown(row, resource, request.params) for row in rows]
        return Answer.json({"results": shown, "_links": links}, headers=headers)

    def _ordered(self, resource: str, sort: str, params: t.Mapping[str, str]) -> Ordered:
        statuses = params.get("status", DEFAULT_STATUS[resource]).split(",")
        return self.world.remember(
            (self.name, resource, sort, *statuses),
            lambda: Ordered.by(
                (r for r in self.world.tables[STREAMS[resource]] if r["status"] in statuses),
                _SORTS[resource][sort],
            ),
        )

    def _next(self, resource: str, query: str) -> str:
        """Spell the next link as this list does: no two of them agree."""
        spelling = {
            "/pages": f"{V2}/pages",
            "/blogposts": f"{V2.removeprefix('/wiki')}/blogposts",
            "/spaces": f"{self.url}{V2}/spaces",
        }
        return f"{spelling[resource]}?{query}"


def _position(params: t.Mapping[str, str], resource: str) -> tuple[str, Key | None]:
    """Return the order, and the key of the last row already seen; a cursor knows both."""
    sort = params.get("sort", "id")
    after = None
    if "cursor" in params:
        held = decode_cursor(params["cursor"])
        if not isinstance(held, dict) or not isinstance(held.get("sort"), str):
            raise Refused(400, "the cursor is not valid")
        if params.get("sort", held["sort"]) != held["sort"]:
            raise Refused(400, "the cursor belongs to another order")
        sort = held["sort"]
        after = as_key(held.get("after"), length=1 if sort.removeprefix("-") == "id" else 2)
    if sort.removeprefix("-") not in _SORTS[resource]:
        raise Refused(400, f"{resource[1:]} can't be sorted by {sort!r}")
    return sort, after


def _shown(row: Row, resource: str, params: t.Mapping[str, str]) -> Row:
    """Return a record with the parts that only come when they are asked for."""
    if resource == "/spaces":
        wanted = params.get("description-format")
        _check("description-format", wanted, known=("plain", "view"))
        icon = params.get("include-icon") == "true"
        text = row["description"]
        described = text and wanted and {wanted: text["plain"] | {"representation": wanted}}
        return row | {"description": described or None, "icon": row["icon"] if icon else None}
    wanted = params.get("body-format")
    _check("body-format", wanted, known=("storage", "atlas_doc_format"))
    if wanted is None:
        return row | {"body": {}}
    if wanted == "storage":
        return row
    document = {"representation": wanted, "value": '{"type":"doc","content":[]}'}
    return row | {"body": {wanted: document}}


def _check(name: str, value: str | None, *, known: tuple[str, ...]) -> None:
    if value is not None and value not in known:
        raise Refused(400, f"{name} {value!r} is not one of {', '.join(known)}")
