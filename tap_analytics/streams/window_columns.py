"""Streams whose rows have columns of the window in which they were read."""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass, replace
from datetime import timedelta

from typing_extensions import override

from tap_analytics.config.declarations.templates import WINDOW_VALUES
from tap_analytics.config.declarations.window_columns import is_final, takes_lag, window_values
from tap_analytics.records.notation import in_unit
from tap_analytics.records.time_format import TimeFormat, rounded
from tap_analytics.streams.range_filter import DAY, RangeFilter
from tap_analytics.streams.resource import ResourceStream
from tap_analytics.streams.scope import is_keyed_by_window

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from singer_sdk.helpers.types import Context

    from tap_analytics.pagination import PageToken
    from tap_analytics.pagination.endpoint import Endpoint
    from tap_analytics.records.notation import Value

#: How far behind UTC a server may be where times name no offset.
_BEHIND = timedelta(hours=12)


class WindowColumnsStream(ResourceStream):
    """Base of the streams whose rows have columns of their window.

    Where the replication key is one, the bookmark is where the windows end that were read whole and
    are over.
    """

    @override
    def endpoint(self, context: Context | None, window: PageToken | None = None) -> Endpoint:
        found = super().endpoint(context, window)
        values = {name: window[name] for name in WINDOW_VALUES if window and name in window}
        names = window_values(self.primary_keys, self.resource.steps)
        if self.has_window_key and not self.primary_keys:
            names = {*WINDOW_VALUES}
        within = [values[name] for name in sorted(names) if name in values]
        row_values = {**(context or {}), **values}
        return replace(
            found,
            keys_within=[*found.keys_within, *within],
            post_process=functools.partial(self.post_process, context=row_values),
        )

    @property
    @override
    def is_final(self) -> bool:
        return is_final(self.resource, self.primary_keys)

    @property
    @override
    def takes_lag(self) -> bool:
        return takes_lag(self.resource, self.primary_keys)

    @override
    def is_whole(self, context: Context | None) -> bool:
        return is_keyed_by_window(self) or super().is_whole(context)

    @override
    def windows(
        self, start: t.Any, end: t.Any, *, began: datetime | None = None
    ) -> Iterable[PageToken]:
        if not self.has_window_key:
            return super().windows(start, end)
        return self._range_until(began).windows(start, end)

    @override
    def reached(self, start: t.Any, end: t.Any, *, began: datetime) -> Value | None:
        return self._range_until(began).reached(start, end)

    def _range_until(self, began: datetime | None) -> WindowKeyFilter:
        given = {**vars(self._range), "began": began or self.connection.began}
        return WindowKeyFilter(**given, is_final=self.is_final)


@dataclass(frozen=True, kw_only=True)
class WindowKeyFilter(RangeFilter):
    """The windows of a stream whose bookmark is where they end; `began` is when it was begun."""

    #: Whether all windows have to be over, so that the last one ends with the last whole unit.
    is_final: bool

    def reached(self, start: Value | None, end: Value | None) -> Value | None:
        """Return where the first window begins that isn't over; None if there are no windows."""
        form, spans = self.spans(start, end)
        reached = None
        for begin, following in spans:
            if following > self._over(form):
                reached = begin
                break
            reached = following
        if reached is None:
            return None
        unit = self.whole.unit or "iso"
        is_date = form is not None and form.precision >= DAY and unit == "iso"
        return TimeFormat("date").write(reached) if is_date else in_unit(reached, unit)

    def _over(self, form: TimeFormat | None) -> datetime:
        """Return the moment that has passed in the zone of the server, if times name none."""
        return self.began - (timedelta() if form is None or form.names_zone else _BEHIND)

    @override
    def _last(
        self, end: datetime | None, form: TimeFormat | None, precision: timedelta
    ) -> datetime:
        last = (
            rounded(self._over(form), precision)
            if self.is_final
            else rounded(self._now, precision, up=True)
        )
        return last if end is None else min(rounded(end, precision, up=True), last)

    @override
    def _split(self, first: datetime, last: datetime) -> Iterator[tuple[datetime, datetime]]:
        return super()._split(first, last) if first < last else iter(())
