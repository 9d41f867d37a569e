"""The real wiki: offsets in version 1, cursors in version 2, links in several forms."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from urllib.parse import urlencode

from typing_extensions import override

from tap_analytics.demo.dialects.service import (
    Ordered,
    Refused,
    Service,
    choice_param,
    decode_cursor,
    encode_cursor,
    int_param,
    not_found,
)
from tap_analytics.demo.messages import Response

if t.TYPE_CHECKING:
    from tap_analytics.demo.data import Row
    from tap_analytics.demo.dialects.service import Key
    from tap_analytics.demo.messages import Request

CLOUD_ID = "550e8400-e29b-41d4-a716-446655440000"
V1 = "/wiki/rest/api"
V2 = "/wiki/api/v2"
V2_DEFAULT, V2_MAX = 25, 250
#: Default and maximum limit; larger limits are silently clamped.
AUDIT_LIMITS = (1000, 1000)
GROUP_LIMITS = (200, 10)

STREAMS = {"/pages": "wiki_pages", "/blogposts": "wiki_blog_posts", "/spaces": "wiki_space"}


def _by(*names: str) -> t.Callable[[Row], Key]:
    return lambda row: (*(row[name] for name in names), row["id"])


def _saved(row: Row) -> Key:
    return (row["version"]["createdAt"], row["id"])


class V2List(t.NamedTuple):
    """A list of version 2: its orders, the first the default, and its statuses."""

    orders: t.Mapping[str, t.Callable[[Row], Key]]
    default: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    #: The form of its next link: path, path below the context, URL.
    link: str = V2
    sends_body: bool = True


_EDITED: dict[str, t.Callable[[Row], Key]] = {
    "id": _by(),
    "created-date": _by("createdAt"),
    "modified-date": _saved,
}
_COMMENTS = V2List({"created-date": _saved, "modified-date": _saved})
_SHOWN = ("current", "archived")
LISTS = {
    "/pages": V2List(_EDITED | {"title": _by("title")}, _SHOWN, (*_SHOWN, "trashed", "deleted")),
    "/blogposts": V2List(
        _EDITED, ("current",), ("current", "trashed", "deleted"), V2.removeprefix("/wiki")
    ),
    "/spaces": V2List(
        {"id": _by(), "key": _by("key"), "name": _by("name")}, _SHOWN, _SHOWN, f"{{url}}{V2}"
    ),
    "/footer-comments": _COMMENTS,
    "/inline-comments": _COMMENTS,
    "/attachments": V2List(
        {"created-date": _by("createdAt"), "modified-date": _saved},
        _SHOWN,
        (*_SHOWN, "trashed"),
        sends_body=False,
    ),
    "/tasks": V2List({"id": _by()}),
    "/versions": V2List({"id": lambda row: (f"{row['number']:09}",)}, sends_body=False),
    "/labels": V2List({"id": _by(), "name": _by("name")}, sends_body=False),
}


class Wiki(Service):
    """Audit log and groups in version 1; pages, blog posts and spaces in version 2."""

    name = "wiki"
    prefix = "/wiki"
    secrets = ("wiki_email", "wiki_api_token")

    @override
    def admits(self, request: Request) -> bool:
        bearer = f"Bearer {self.credentials.wiki_access_token}"
        return request.headers.get("authorization") == bearer or super().admits(request)

    @override
    def respond(self, request: Request) -> Response:
        resource = request.path.removeprefix(V2)
        if resource in STREAMS:
            return self._version_2(request, resource, self.dataset.tables[STREAMS[resource]])
        if request.path == f"{V1}/audit":
            return self._version_1(request, self._audit(request.params), *AUDIT_LIMITS)
        if request.path == f"{V1}/group":
            return self._version_1(request, self.dataset.tables["wiki_group"], *GROUP_LIMITS)
        return self._extra(request)

    def _extra(self, request: Request) -> Response:
        """Respond with a list beyond the specification."""
        for number, prefix in ((1, V1), (2, V2)):
            if request.path.startswith(f"{prefix}/"):
                below = request.path.removeprefix(prefix)
                found, rows = self.find_extra(f"/v{number}{below}", request)
                if number == 1:
                    return self._version_1(request, rows, *GROUP_LIMITS)
                return self._version_2(request, f"/{found.path.rpartition('/')[2]}", rows)
        raise not_found(request)

    def _audit(self, params: t.Mapping[str, str]) -> list[Row]:
        """Return the events between two inclusive epoch milliseconds, newest first."""
        since = int_param(params, "startDate", default=0)
        until = int_param(params, "endDate", default=10**16)
        rows = self.dataset.tables["wiki_audit"]
        return [row for row in rows[::-1] if since <= int(row["creationDate"]) <= until]

    def _version_1(self, request: Request, rows: list[Row], default: int, most: int) -> Response:
        limit = min(most, int_param(request.params, "limit", default=default, least=1))
        start = int_param(request.params, "start", default=0)
        page = rows[start : start + limit]
        links = {
            "base": f"{self.url}/wiki",
            "context": "/wiki",
            "self": f"{self.url}{request.target}",
        }
        if start + limit < len(rows):
            query = dict(request.params) | {"next": "true", "limit": limit, "start": start + limit}
            links["next"] = f"{request.path.removeprefix('/wiki')}?{urlencode(query)}"
        body = {"results": page, "start": start, "limit": limit, "size": len(page), "_links": links}
        return Response.json(body)

    def _version_2(self, request: Request, resource: str, rows: list[Row]) -> Response:
        params, kind = request.params, LISTS[resource]
        limit = int_param(params, "limit", default=V2_DEFAULT, least=1, most=V2_MAX)
        order, after = _position(params, resource)
        sort = order.removeprefix("-")
        ordered = self._ordered(request.path, kind, sort, params, rows)
        page, more = ordered.page(after=after, limit=limit, descending=order != sort)
        links = {"base": f"{self.url}/wiki"}
        headers = {}
        if more:
            cursor = encode_cursor({"sort": order, "after": kind.orders[sort](page[-1])})
            query = urlencode({"limit": limit, "cursor": cursor})
            below = request.path.removeprefix(V2)
            links["next"] = f"{kind.link.format(url=self.url)}{below}?{query}"
            headers["Link"] = f'<{links["next"]}>; rel="next"'
        shown = [_shown(row, resource, params) for row in page]
        return Response.json({"results": shown, "_links": links}, headers=headers)

    def _ordered(
        self,
        path: str,
        kind: V2List,
        sort: str,
        params: t.Mapping[str, str],
        rows: list[Row],
    ) -> Ordered:
        asked = params["status"].split(",") if kind.known and "status" in params else kind.default
        for each in asked:
            choice_param("status", each, kind.known)
        return self.dataset.remember(
            (self.name, path, sort, *asked),
            lambda: Ordered(
                (r for r in rows if not kind.known or r["status"] in asked), kind.orders[sort]
            ),
        )


class WikiGateway(Wiki):
    """The wiki under the address that tokens with scopes need; its links are those of the site."""

    prefix = f"/ex/confluence/{CLOUD_ID}"

    @override
    def respond(self, request: Request) -> Response:
        return super().respond(replace(request, path=request.path.removeprefix(self.prefix)))


def _position(params: t.Mapping[str, str], resource: str) -> tuple[str, object]:
    """Return the order and the key of the last row, both from the cursor."""
    orders = LISTS[resource].orders
    order, after = params.get("sort", next(iter(orders))), None
    if "cursor" in params:
        cursor = decode_cursor(params["cursor"])
        if not isinstance(cursor, dict) or not isinstance(cursor.get("sort"), str):
            raise Refused(400, "the cursor is not valid")
        if params.get("sort", cursor["sort"]) != cursor["sort"]:
            raise Refused(400, "the cursor belongs to another order")
        order, after = cursor["sort"], cursor.get("after") or []
    if order.removeprefix("-") not in orders:
        raise Refused(400, f"{resource[1:]} can't be sorted by {order!r}")
    return order, after


def _shown(row: Row, resource: str, params: t.Mapping[str, str]) -> Row:
    """Return a record with the optional parts that the query requests."""
    if resource == "/spaces":
        form = choice_param(
            "description-format", params.get("description-format"), ("plain", "view")
        )
        icon = row["icon"] if params.get("include-icon") == "true" else None
        text = row["description"]
        described = text and form and {form: text["plain"] | {"representation": form}}
        return row | {"description": described or None, "icon": icon}
    form = choice_param("body-format", params.get("body-format"), ("storage", "atlas_doc_format"))
    if form == "storage" or not LISTS[resource].sends_body:
        return row
    document = {"representation": form, "value": '{"type":"doc","content":[]}'}
    return row | {"body": {form: document} if form else {}}
