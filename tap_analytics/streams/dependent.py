"""Children that change with their parent: those of parents that have changed are read."""

from __future__ import annotations

import functools
import typing as t

from typing_extensions import override

from tap_analytics.client import AnalyticsStream
from tap_analytics.records.window import Window
from tap_analytics.streams.scope import open_bookmark

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from singer_sdk.helpers.types import Context, Record


class DependentStream(AnalyticsStream):
    """Base of child streams whose replication key is the time of change of their parent."""

    incremental_dependency = True
    #: The column of the parent with that time.
    parent_time: t.ClassVar[str]

    @functools.cached_property
    def _window(self) -> Window:
        bookmark = open_bookmark(self)
        return Window(unit="iso") if bookmark is None else bookmark.window

    @override
    def contexts_below(
        self, parent: AnalyticsStream, record: Record, context: Context | None
    ) -> Iterable[Context]:
        """Yield the context of a parent that has changed since the bookmark."""
        if self._window.select([record.get(self.parent_time)])[0]:
            yield from super().contexts_below(parent, record, context)
