"""The learning platform as it really is: JSON:API, numbered pages, links that forget the limit."""

from __future__ import annotations

import re
import typing as t
from datetime import datetime
from urllib.parse import urlencode

from typing_extensions import override

from tap_analytics.demo.dialects.errors import Refused
from tap_analytics.demo.dialects.paging import whole
from tap_analytics.demo.dialects.service import Service
from tap_analytics.demo.http import Answer

if t.TYPE_CHECKING:
    from tap_analytics.demo.data import Row
    from tap_analytics.demo.http import Request

DEFAULT_LIMIT = 25
MAX_LIMIT = 100
_FILTER = re.compile(r"filter\[(\w+)\](?:\[(\w+)\])?")
_ENROLLMENTS = re.compile(r"/courses/([^/]+)/enrollments")


class Learning(Service):
    """People, courses and the enrollments of a course."""

    name = "learning"
    prefix = "/learning/v2"
    rate = (10, 1.0)

    @override
    def admits(self, request: Request) -> bool:
        return request.headers.get("x-api-key") == self.credentials.learning_api_key

    @override
    def answer(self, request: Request) -> Answer:
        limit = whole(request.params, "limit", default=DEFAULT_LIMIT, least=1, most=MAX_LIMIT)
        page = whole(request.params, "page", default=1, least=1)
        chosen = {k: v for k, v in request.params.items() if k not in {"page", "limit"}}
        key = (self.name, request.path, tuple(chosen.items()))
        rows = self.world.remember(
            key, lambda: _sorted(_filtered(self._rows(request.path), chosen), chosen.get("sort"))
        )
        start = (page - 1) * limit
        links = {"self": f"{self.url}{request.target}"}
        if page > 1:
            links["prev"] = self._link(request.path, chosen, page=page - 1)
        if start + limit < len(rows):
            links["next"] = self._link(request.path, chosen, page=page + 1)
        return Answer.json({"data": rows[start : start + limit], "links": links})

    def _rows(self, path: str) -> list[Row]:
        resource = path.removeprefix(self.prefix)
        if resource in {"/people", "/courses"}:
            return self.world.tables[f"learning_{resource[1:]}"]
        course = _ENROLLMENTS.fullmatch(resource)
        if course and course[1] in self.world.enrollments:
            return self.world.enrollments[course[1]]
        raise Refused(404, f"nothing is found at {path}")

    def _link(self, path: str, chosen: t.Mapping[str, str], *, page: int) -> str:
        query = urlencode({**chosen, **({"page": page} if page > 1 else {})})
        return f"{self.url}{path}{'?' if query else ''}{query}"


def _filtered(rows: list[Row], params: t.Mapping[str, str]) -> list[Row]:
    for name, wanted in params.items():
        if name.startswith("filter") and (match := _FILTER.fullmatch(name)):
            test = _predicate(match[2] or "cont", wanted)
            rows = [row for row in rows if test(_attribute(row, match[1]))]
        elif name.startswith("filter"):
            raise Refused(400, f"{name} is no filter")
    return rows


def _predicate(operator: str, wanted: str) -> t.Callable[[object], bool]:
    if operator == "gteq":
        bound = _moment(wanted)
        return lambda value: value is not None and _moment(str(value)) >= bound
    if operator == "eq":
        return lambda value: str(value) == wanted
    if operator == "cont":
        return lambda value: wanted.lower() in str(value).lower()
    raise Refused(400, f"the predicate {operator!r} is not known")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(400, f"{text!r} is not a date-time") from None
    if moment.tzinfo is None:
        raise Refused(400, f"{text!r} has no offset from UTC")
    return moment


def _sorted(rows: list[Row], order: str | None) -> list[Row]:
    for name in reversed(order.split(",") if order else ()):
        attribute = name.removeprefix("-")
        rows = sorted(
            rows,
            key=lambda row: _comparable(_attribute(row, attribute)),
            reverse=name.startswith("-"),
        )
    return rows


def _attribute(row: Row, name: str) -> object:
    if name == "id":
        return row["id"]
    if name not in row["attributes"]:
        raise Refused(400, f"{name!r} is not an attribute of {row['type']}")
    return row["attributes"][name]


def _comparable(value: t.Any) -> tuple[bool, t.Any]:  # noqa: ANN401 - an attribute can be anything
    return (value is not None, value)
