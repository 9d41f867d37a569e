"""Bases of the success platform's streams: paging, order and replication."""

from __future__ import annotations

import typing as t
from types import MappingProxyType

from typing_extensions import override

from tap_analytics.client import AnalyticsStream
from tap_analytics.pagination import Cursor

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from singer_sdk.helpers.types import Context, Record

    from tap_analytics.pagination import PageToken, PagingStrategy
    from tap_analytics.records.payload import Row


class SuccessStream(AnalyticsStream):
    """Base of the customer success platform's streams."""

    api = "success"
    records_path: t.ClassVar[tuple[str, ...]] = ("results",)
    paging: t.ClassVar[PagingStrategy] = Cursor(
        cursor_path="next", cursor_param="from", at_end_path="atEnd"
    )
    primary_keys: tuple[str, ...] = ("id",)


class ChangingStream(SuccessStream):
    """Base of streams with a modification time; the server can sort by it, but not filter."""

    replication_key = "updatedAt"
    replication_unit = "iso"
    # In the default order, a row updated during the run moves to the front and would be missed.
    stable_order = MappingProxyType({"sortBy": "createdAt"})
    newest_first = MappingProxyType({"sortBy": "updatedAt"})


class ArchivedStream(ChangingStream):
    """Base of streams whose deleted rows are in a list of their own, which a setting asks for.

    Nothing says that deleting a row moves its time of change, so no bookmark holds for that list.
    """

    @property
    def reads_archived(self) -> bool:
        """Whether the deleted rows are read too."""
        return bool(self.connection.settings.get("archived"))

    @override
    def passes(self, *, whole: bool) -> Iterable[Context]:
        return [{"archived": "true"}] if self.reads_archived else []

    @override
    def is_answered(self, context: Context, rows: Sequence[Row]) -> bool:
        return all(row.get("archivedAt") for row in rows)

    @override
    def is_whole(self, context: Context | None) -> bool:
        return (context or {}).get("archived") == "true"

    @override
    def parent_columns(self, context: Context | None) -> Mapping[str, t.Any]:
        return {name: value for name, value in (context or {}).items() if name != "archived"}

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: PageToken | None
    ) -> PageToken:
        params = super().get_url_params(context, next_page_token)
        asked = (context or {}).get("archived", "false")
        return {**params, "archived": asked} if self.reads_archived else params


class ArchivedChildStream(ArchivedStream):
    """Base of child streams of that kind: each parent has both lists."""

    @override
    def passes(self, *, whole: bool) -> Iterable[Context]:
        return ()

    @override
    def contexts_below(
        self, parent: AnalyticsStream, record: Record, context: Context | None
    ) -> Iterable[Context]:
        """Yield the contexts of the list of a parent, and of that of deleted rows."""
        for each in super().contexts_below(parent, record, context):
            yield each
            if self.reads_archived:
                yield {**each, "archived": "true"}

    @override
    def post_process(self, row: Record, context: Context | None = None) -> Record | None:
        """Return a row; None for one of the other list, where a server doesn't tell them apart."""
        archived = row.get("archivedAt", ...)
        if not self.reads_archived or archived is ...:
            return row
        return row if self.is_whole(context) == bool(archived) else None
