"""The real learning platform: JSON:API, numbered pages, links without the limit."""

from __future__ import annotations

import re
import typing as t
from datetime import datetime
from urllib.parse import urlencode

from typing_extensions import override

from tap_analytics.demo.dialects.service import Refused, Service, int_param
from tap_analytics.demo.messages import Response

if t.TYPE_CHECKING:
    from tap_analytics.demo.data import Row
    from tap_analytics.demo.messages import Request

DEFAULT_LIMIT = 25
MAX_LIMIT = 100
WEBHOOKS_LIMIT = 50
_FILTER = re.compile(r"filter\[(\w+)\](?:\[(\w+)\])?")
ENROLLMENTS_PATH = re.compile(r"/courses/([^/]+)/enrollments")


class Learning(Service):
    """People, courses and their enrollments; lists beyond the specification."""

    name = "learning"
    prefix = "/learning/v2"
    key_header = "x-api-key"
    secrets = ("learning_api_key",)
    rate = (10, 1.0)

    @override
    def respond(self, request: Request) -> Response:
        most = WEBHOOKS_LIMIT if request.path.endswith("/webhooks") else MAX_LIMIT
        limit = int_param(request.params, "limit", default=DEFAULT_LIMIT, least=1, most=most)
        page = int_param(request.params, "page", default=1, least=1)
        query = {k: v for k, v in request.params.items() if k not in {"page", "limit"}}
        key = (self.name, request.path, tuple(query.items()))
        rows = self.dataset.remember(
            key, lambda: _sorted(_filtered(self._rows(request), query), query.get("sort"))
        )
        links = {"self": f"{self.url}{request.target}"}
        pages = {"prev": page - 1, "next": page + 1 if page * limit < len(rows) else 0}
        for name, number in pages.items():
            if number:
                query_of = urlencode(query | ({"page": str(number)} if number > 1 else {}))
                links[name] = f"{self.url}{request.path}{'?' if query_of else ''}{query_of}"
        return Response.json({"data": rows[(page - 1) * limit : page * limit], "links": links})

    def _rows(self, request: Request) -> list[Row]:
        resource = request.path.removeprefix(self.prefix)
        if resource in {"/people", "/courses"}:
            return self.dataset.tables[f"learning_{resource[1:]}"]
        course = ENROLLMENTS_PATH.fullmatch(resource)
        if course and course[1] in self.dataset.enrollments:
            return self.dataset.enrollments[course[1]]
        return self.find_extra(resource, request)[1]


def _filtered(rows: list[Row], params: t.Mapping[str, str]) -> list[Row]:
    for name, wanted in params.items():
        if name.startswith("filter"):
            if not (match := _FILTER.fullmatch(name)):
                raise Refused(400, f"{name} is no filter")
            test = _predicate(match[2] or "cont", wanted)
            rows = [row for row in rows if test(_attribute(row, match[1]))]
    return rows


def _predicate(operator: str, wanted: str) -> t.Callable[[object], bool]:
    if operator == "gteq":
        bound = _moment(wanted)
        return lambda value: value is not None and _moment(str(value)) >= bound
    if operator == "in":
        return lambda value: str(value) in wanted.split(",")
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
    def value_of(row: Row, name: str) -> tuple[bool, t.Any]:
        value = _attribute(row, name)
        return value is not None, value

    for word in reversed(order.split(",") if order else ()):
        name = word.removeprefix("-")
        rows = sorted(rows, key=lambda row: value_of(row, name), reverse=word != name)
    return rows


def _attribute(row: Row, name: str) -> object:
    if name == "id":
        return row["id"]
    if name not in row["attributes"]:
        raise Refused(400, f"{name!r} is not an attribute of {row['type']}")
    return row["attributes"][name]
