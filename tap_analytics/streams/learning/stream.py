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
    #: To-one relationships whose ids are columns: `person` becomes `person_id`.
    related: t.ClassVar[tuple[str, ...]] = ()

    @override
    def post_process(self, row: Record, context: Context | None = None) -> Record | None:
        attributes = row.get("attributes")
        if not isinstance(attributes, dict) and not self.related:
            return row
        lifted = {name: value for name, value in row.items() if name != "attributes"}
        for name, value in attributes.items() if isinstance(attributes, dict) else ():
            lifted.setdefault(name, value)
        for name in self.related:
            if lifted.get(f"{name}_id") is None and (key := _related_id(row, name)) is not None:
                lifted[f"{name}_id"] = key
        return lifted


class ChangingStream(LearningStream):
    """Base of streams with a modification time that the server can filter by."""

    replication_key = "updated_at"
    replication_unit = "iso"

    @override
    def window(self, start: t.Any, end: t.Any) -> PageToken:
        return {"filter[updated_at][gteq]": str(start)} if start is not None else {}


class ChildStream(LearningStream):
    """Base of streams that are listed below a parent, whose key is part of theirs."""

    selected_by_default = False
    _conflict_reported = False

    @override
    def post_process(self, row: Record, context: Context | None = None) -> Record | None:
        lifted = super().post_process(row, context)
        if lifted is None or context is None:
            return lifted
        for column, key in context.items():
            self._report_conflict(lifted, column=column, key=key)
        return {**lifted, **context}

    def _report_conflict(self, row: Record, *, column: str, key: object) -> None:
        claimed = row.get(column)
        if claimed is None or claimed == key or self._conflict_reported:
            return
        self._conflict_reported = True
        self.logger.warning(
            "%s: row %s, listed below %s, says its `%s` is %s; the one it was listed below is "
            "kept, for it is part of the key. Further cases are not reported.",
            *(self.name, row.get("id"), key, column, claimed),
        )


def _related_id(row: Record, relationship: str) -> object:
    """Return the id of a to-one relationship, None where any level of it is missing."""
    node: object = row
    for step in ("relationships", relationship, "data", "id"):
        if not isinstance(node, dict):
            return None
        node = node.get(step)
    return node
