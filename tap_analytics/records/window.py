"""Which rows an incremental run includes, by their replication values.

A row whose value may be in the range is included, and so is one equal to the bookmark.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from tap_analytics.records.notation import (
    EPOCHS,
    comparable,
    earlier,
    has_offset,
    in_unit,
    later,
    parse_iso,
    unit_at,
    unit_of,
    written,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from tap_analytics.records.notation import Unit, Value

#: The largest difference of two times that are written alike: one is a day, in the earliest zone.
_SPREAD = timedelta(hours=24 + 12 + 14)


@dataclass(slots=True, kw_only=True)
class Window:
    """The range of replication values that a run reads, from bookmark and settings.

    `start` and `end` are what a server is asked for, in the key's notation; None is no bound.
    """

    #: Declared notation of the key; None where values alone tell times from numbers.
    unit: Unit | None
    #: The value in the state; the next bookmark never falls below it.
    stored: Value | None = None
    #: Where to begin without `stored` and without a start date.
    initial: Value | None = None
    start_date: str | None = None
    end_date: str | None = None
    #: Where to end without an end date.
    final: Value | None = None
    #: Whether rows at `final` belong to it.
    includes_final: bool = False
    #: Seconds that are read again before `stored`.
    lookback: float = 0
    #: The same; a number is in seconds for times, in days for dates, else in units of the number.
    lag: float | timedelta = 0
    #: Whether the schema, or rows, say that the key holds times.
    holds_times: bool = False
    start: Value | None = field(init=False)
    end: Value | None = field(init=False)
    #: What values are compared with, by their notation.
    _bounds: dict[Unit, tuple[t.Any, t.Any]] = field(init=False)

    def __post_init__(self) -> None:
        """Find the bounds that values are compared with, and those that a server is sent."""
        units: tuple[Unit, ...] = ("iso", "undeclared") if self.unit is None else (self.unit,)
        bounds: dict[Unit | None, tuple[Value | None, Value | None]] = {
            unit: (self._start_in(unit), self._end_in(unit)) for unit in units
        }
        self._bounds = {
            unit: (comparable(bounds[unit][0], unit), comparable(bounds[unit][1], unit))
            for unit in units
        }
        self.start, self.end = bounds.get(self.request_unit, (None, None))
        if self.start is None and self.stored is None:
            # Sent as it is, for the user has declared it.
            self.start = self.initial
        if self.end is None and self.end_date is None:
            self.end = self.final

    def _start_in(self, unit: Unit) -> Value | None:
        """Return the later of bookmark, less the lookback, and start date; else `initial`."""
        start = self._lagging(self.stored_in(unit), unit)
        start = later(start, written(self.start_date, unit), unit)
        return _converted(self.initial, unit) if start is None else start

    def _lagging(self, stored: Value | None, unit: Unit) -> Value | None:
        """Return how far before the value in the state rows are read again."""
        if not self.lag or stored is None:
            return earlier(stored, unit, self.lookback)
        is_date = unit == "iso" and len(str(stored)) == len("YYYY-MM-DD")
        if isinstance(self.lag, timedelta):
            lag = self.lag.total_seconds()
        elif unit in {"number", "undeclared"}:
            sort_key: t.Any = None if self.lookback else comparable(stored, unit)
            return None if sort_key is None else _less(sort_key, self.lag)
        else:
            lag = self.lag * 86400 if is_date else self.lag / (1000 if unit == "epoch_ms" else 1)
        start = earlier(stored, unit, max(lag, self.lookback))
        return str(start)[: len("YYYY-MM-DD")] if is_date and start is not None else start

    def _end_in(self, unit: Unit) -> Value | None:
        end = written(self.end_date, unit)
        return _converted(self.final, unit) if self.end_date is None else end

    def stored_in(self, unit: Unit) -> Value | None:
        """Return the value in the state if it is in a notation."""
        known = unit in {self.unit, unit_of(self.stored)}
        return _converted(self.stored, unit) if known else None

    @property
    def request_unit(self) -> Unit | None:
        """The notation of the filter sent to the server; None if unknown."""
        times: Unit | None = "iso" if self.holds_times else None
        return self.unit or unit_of(self.stored) or unit_of(self.initial) or times

    def select(self, values: Iterable[object]) -> list[bool]:
        """Return which rows belong to the run, by their replication values."""
        return [self.includes(value, comparable(value, self.unit)) for value in values]

    def includes(self, value: object, sort_key: t.Any) -> bool:  # noqa: ANN401 - a `Comparable` of the same type
        """Whether a row belongs to the run, by its value and the sort key of that."""
        if sort_key is None:
            return True
        unit = self.unit or unit_at(sort_key)
        start, end = self._bounds[unit]
        if end is not None and sort_key >= end:
            is_final = self.includes_final and self.end_date is None
            return is_final and sort_key == end
        if start is None or sort_key >= start:
            return True
        if unit == "iso":
            # In another style than the bookmark, the time may be later than it seems.
            near = self.stored is not None and start - sort_key < _SPREAD
            return near and _style(value) != _style(self.stored)
        # It may count seconds where the bookmark counts milliseconds, or is a date in digits.
        return unit == "undeclared" and sort_key >= 10**9 and start >= 10 * sort_key


def _converted(value: Value | None, unit: Unit) -> Value | None:
    """Return a time in ISO 8601 as an epoch value, for a key that has such."""
    if unit not in EPOCHS or unit_of(value) != "iso":
        return value
    return in_unit(t.cast("datetime", parse_iso(str(value))), unit)


def _less(number: int | Decimal, lag: float) -> Value:
    found = number - Decimal(str(lag))
    return int(found) if found == int(found) else found


def _style(value: object) -> tuple[bool, bool]:
    """Return whether an ISO 8601 string has a time of day, and a UTC offset."""
    text = str(value)
    return len(text) > len("YYYY-MM-DD"), has_offset(text)
