"""Bases of the learning platform's streams: paging, JSON:API rows and replication."""

from __future__ import annotations

import typing as t

from typing_extensions import override

from tap_analytics.client import AnalyticsStream
from tap_analytics.pagination import PageNumber

if t.TYPE_CHECKING:
    from singer_sdk.helpers.types import Context, Record

    from tap_analytics.pagination import PageToken


class LearningStream(AnalyticsStream):
    """Base of the learning platform's streams."""

    api = "learning"
    records_path = ("data",)
    # The specification calls it an offset, but it counts pages, from 1.
    paging = PageNumber(page_param="page", base_page=1)
    primary_keys: tuple[str, ...] = ("id",)

    @override
    def post_process(self, row: Record, context: Context | None = None) -> Record | None:
        attributes = row.get("attributes")
        if not isinstance(attributes, dict):
            return row
        lifted = {name: value for name, value in row.items() if name != "attributes"}
        for name, value in attributes.items():
            lifted.setdefault(name, value)
        return lifted


class ChangingStream(LearningStream):
    """Base of streams with a modification time that the server can filter by."""

    replication_key = "updated_at"
    replication_unit = "iso"

    @override
    def window(self, start: t.Any, end: t.Any) -> PageToken:
        return {"filter[updated_at][gteq]": str(start)} if start is not None else {}
