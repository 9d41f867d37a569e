"""Bases of the success platform's streams: paging, order and replication."""

from __future__ import annotations

import typing as t
from types import MappingProxyType

from tap_analytics.client import AnalyticsStream
from tap_analytics.pagination import Cursor

if t.TYPE_CHECKING:
    from tap_analytics.pagination import PagingStrategy

#: The parameter of lists that hold deleted rows too.
ARCHIVED = MappingProxyType({"archived": "archived"})


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
