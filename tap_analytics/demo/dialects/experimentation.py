"""The real experimentation platform: an envelope with five shapes, and silently capped limits."""

from __future__ import annotations

import re
import typing as t

from typing_extensions import override

from tap_analytics.demo.data.experimentation import MAIN_ACCOUNT
from tap_analytics.demo.dialects.service import Refused, Service, choice_param, int_param, not_found
from tap_analytics.demo.messages import Response

if t.TYPE_CHECKING:
    from tap_analytics.demo.data import Row
    from tap_analytics.demo.data.extra_lists import ExtraList
    from tap_analytics.demo.messages import Request

DEFAULT_LIMIT = 25
MAX_LIMIT = 100
CAMPAIGN_CAP = 25
VERSION = "/experimentation/api/v2"
STATUSES = ("ACTIVE", "DELETED", "ARCHIVED", "RUNNING", "PAUSED", "STOPPED", "NOT_STARTED")
RESOURCES = {
    "feeds": "experimentation_accounts_feeds",
    "users": "experimentation_users",
    "campaigns": "experimentation_campaigns",
    "changesets": "experimentation_custom_widgets",
    "labels": "experimentation_labels",
    "smartcode": "experimentation_smartcode",
    "thresholds": "experimentation_thresholds",
    "integrations": "experimentation_integrations",
}
OLD_VERSION = {
    "API_ERROR": "INCORRECT_API_VERSION",
    "API_ERROR_DESCRIPTION": "This version of the API is not served here",
}
_OF_ACCOUNT = re.compile(r"/accounts/([^/]+)/([a-z0-9/-]+)")


class Experimentation(Service):
    """Accounts and the resources of an account."""

    name = "experimentation"
    prefix = "/experimentation/api"
    key_header = "token"
    secrets = ("experimentation_api_key",)
    rate = (1, 1.0)

    @override
    def respond(self, request: Request) -> Response:
        if not request.path.startswith(f"{VERSION}/"):
            return Response.json(OLD_VERSION)
        resource = request.path.removeprefix(VERSION)
        if resource == "/accounts":
            return Response.json({"_data": _page(self._accounts(request.params), request.params)})
        match = _OF_ACCOUNT.fullmatch(resource)
        if match is None:
            raise not_found(request)
        is_main = self._is_main(match[1])
        if match[2] in RESOURCES:
            stream = RESOURCES[match[2]]
            return Response.json(self._content(stream, request.params, is_main=is_main))
        found, rows = self.find_extra(f"/{match[2]}", request)
        return Response.json({"_data": _extra(found, rows if is_main else [], request.params)})

    def _accounts(self, params: t.Mapping[str, str]) -> list[Row]:
        status = params.get("status", "all")
        if status not in {"all", "active", "disabled"}:
            raise Refused(400, f"status {status!r} is not all, active or disabled")
        with_main = params.get("includeCurrent") == "true"
        return [
            row
            for row in self.dataset.tables["experimentation_accounts"]
            if (with_main or not row["isMainAccount"])
            and (status == "all" or row["isActive"] == (status == "active"))
        ]

    def _is_main(self, account: str) -> bool:
        known = {str(row["id"]) for row in self.dataset.tables["experimentation_accounts"]}
        if account not in known | {"current"}:
            raise Refused(404, f"there is no account {account}")
        return account in {"current", str(MAIN_ACCOUNT)}

    def _content(self, stream: str, params: t.Mapping[str, str], *, is_main: bool) -> Row:
        """Return the body for one resource; everything belongs to the main account."""
        if stream in self.dataset.singles:
            return {"_data": self.dataset.singles[stream]}
        rows = self.dataset.tables[stream] if is_main else []
        if stream.endswith("_campaigns"):
            return {"_data": _campaigns(rows[::-1], params)}
        if stream.endswith("_feeds"):
            since = int_param(params, "startTime", default=0)
            until = int_param(params, "endTime", default=10**12)
            rows = [row for row in rows[::-1] if since <= row["when"] <= until]
        page = _page(rows, params)
        bare = stream.endswith(("_labels", "_custom_widgets")) and not page
        return {} if bare else {"_data": page}


def _page(rows: list[Row], params: t.Mapping[str, str], *, cap: int = MAX_LIMIT) -> list[Row]:
    limit = int_param(params, "limit", default=DEFAULT_LIMIT, least=1, most=cap)
    offset = int_param(params, "offset", default=0)
    return rows[offset : offset + limit]


def _extra(found: ExtraList, rows: list[Row], params: t.Mapping[str, str]) -> object:
    """Return a list in a wrapper, or whole whatever the limit where none is documented."""
    if found.stream.endswith("_details"):
        return rows[0] if rows else {}
    if not found.path.endswith("-metrics"):
        return rows
    page, offset = _page(rows, params), int_param(params, "offset", default=0)
    return {"partialCollection": page or {}, "totalCount": len(rows), "offset": offset}


def _campaigns(rows: list[Row], params: t.Mapping[str, str]) -> object:
    """Return campaigns in a wrapper, or as a plain list with a `status` parameter."""
    for name in ("type", "platform"):
        if name in params:
            rows = [row for row in rows if row[name] == params[name]]
    if status := choice_param("status", params.get("status"), STATUSES):
        return _page([row for row in rows if _has(row, status)], params, cap=CAMPAIGN_CAP)
    page = _page(rows, params, cap=CAMPAIGN_CAP)
    offset = int_param(params, "offset", default=0)
    return {"partialCollection": page or {}, "totalCount": len(rows), "offset": offset}


def _has(campaign: Row, status: str) -> bool:
    if status in {"ACTIVE", "DELETED"}:
        return bool(campaign["isDeleted"]) == (status == "DELETED")
    return bool(campaign["status"] == status)
