"""Stops reading at the bookmark if rows are sorted newest first, verified by the rows."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from msgspec import Raw, json

from tap_analytics.records.notation import comparable
from tap_analytics.records.rows import DictRows

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tap_analytics.records.rows import Rows
    from tap_analytics.records.window import Window

#: Rows older than the bookmark, each older than the one before, that prove the order: the
#: probability of as many sorted rows in a random order is 1 in 6 * 10**9.
ENOUGH = 12
_SORTABLE = {str, int, Decimal}


@dataclass(slots=True)
class _Column:
    """Whether the values of a column are sorted."""

    last: t.Any = None
    rises: bool = True
    falls: bool = True

    @property
    def is_ordered(self) -> bool:
        """Whether the rows may be sorted by this column."""
        return self.rises != self.falls

    def follow(self, values: Iterable[object]) -> bool:
        """Add values; return whether all may be sorted."""
        for value in values:
            place: t.Any = comparable(value)
            place = value if place is None else place
            if place is None:
                continue
            if self.last is not None:
                try:
                    self.rises &= self.last <= place
                    self.falls &= self.last >= place
                except TypeError:
                    self.last = None
                    return False
            if not (self.rises or self.falls):
                return False
            self.last = place
        return True


@dataclass(slots=True)
class DescendingOrder:
    """Tells when rows that should be sorted newest first have passed the bookmark.

    A server that ignores the sorting must not end reading early, so several conditions prove the
    order: the first row is not older than the bookmark, no row is newer than the one before it,
    and a whole page, with at least `ENOUGH` rows older than the one before, is older than the
    bookmark. No other column may be sorted, because the server may sort by that one, and a column
    of times must be unsorted: rows that never changed are sorted by creation and by change.
    """

    key: str
    window: Window
    _last: t.Any = None
    _falls: int = 0
    _broken: bool = False
    #: The other columns that may be sorted; None until there are rows.
    _columns: dict[str, _Column] | None = None
    #: Whether a column of times is unsorted.
    _is_by_change: bool = False

    def passed(self, rows: Rows) -> bool:
        """Whether all rows after a page are older than the bookmark; takes the pages in order."""
        unit = self.window.unit
        if self._broken or unit is None or not rows:
            return False
        places = [comparable(value, unit) for value in rows.column(self.key)]
        start = t.cast("t.Any", comparable(self.window.start, unit))
        if start is None or not self._falls_on(places, start):
            self._broken = True
            return False
        self._compare(rows)
        ordered = any(column.is_ordered for column in (self._columns or {}).values())
        beyond = t.cast("t.Any", places[0]) < start
        return beyond and self._falls >= ENOUGH and self._is_by_change and not ordered

    def _falls_on(self, places: Sequence[t.Any], start: t.Any) -> bool:  # noqa: ANN401 - places, compared with their like
        """Whether no row of a page is newer than the one before."""
        stored = t.cast("t.Any", comparable(self.window.stored, self.window.unit))
        for place in places:
            if place is None or (self._last is None and place < stored):
                return False
            if self._last is not None and place > self._last:
                return False
            self._falls += place < start and self._last is not None and place < self._last
            self._last = place
        return True

    def _compare(self, rows: Rows) -> None:
        if self._columns is None:
            self._columns = {name: _Column() for name in _comparable(rows) - {self.key}}
        for name, column in [*self._columns.items()]:
            values = rows.column(name)
            if not column.follow(json.decode(v) if isinstance(v, Raw) else v for v in values):
                del self._columns[name]
                self._is_by_change |= isinstance(column.last, datetime)


def _comparable(rows: Rows) -> set[str]:
    """Return the columns of the first page with a sortable value in each row."""
    dicts = rows.dicts if isinstance(rows, DictRows) else []
    return {
        name
        for name in (dicts[0] if dicts else ())
        if all(type(row.get(name)) in _SORTABLE for row in dicts)
    }
