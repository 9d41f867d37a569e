"""The API nobody has heard of: a key in the query, offsets, and a total."""

from __future__ import annotations

import typing as t

from typing_extensions import override

from tap_analytics.demo.dialects.errors import Refused
from tap_analytics.demo.dialects.paging import whole
from tap_analytics.demo.dialects.service import Service
from tap_analytics.demo.http import Answer

if t.TYPE_CHECKING:
    from tap_analytics.demo.http import Request

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000


class Declared(Service):
    """One resource; it is the same in both dialects."""

    name = "declared"
    prefix = "/declared"

    @override
    def admits(self, request: Request) -> bool:
        return request.params.get("api_key") == self.credentials.declared_api_key

    @override
    def answer(self, request: Request) -> Answer:
        if request.path != f"{self.prefix}/v1/resource":
            raise Refused(404, f"nothing is found at {request.path}")
        limit = whole(request.params, "limit", default=DEFAULT_LIMIT, least=1, most=MAX_LIMIT)
        offset = whole(request.params, "offset", default=0)
        rows = self.world.tables["declared_resource_name"]
        page = rows[offset : offset + limit]
        return Answer.json({"data": page, "total": len(rows), "limit": limit, "offset": offset})
