"""Bookmarks: which rows an incremental run wants, and where the next run starts.

Replication values are compared as instants, whatever their notation (ISO 8601, epoch seconds or
milliseconds), and stored as the API wrote them. A row equal to the bookmark is read again, never
skipped, and a bookmark never passes the moment the run began: a row that changed while it was
being read comes again next time.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

if t.TYPE_CHECKING:
    from collections.abc import Iterable

Unit = t.Literal["iso", "epoch_s", "epoch_ms", "number"]
Value = str | int | Decimal

#: Numbers between these are epoch seconds (from 2001 on) or milliseconds; others just count.
_SECONDS = (10**9, 10**11)
_MILLISECONDS = (10**12, 10**14)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def unit_of(value: object) -> Unit | None:
    """Tell the notation of a replication value, or None where it has none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, Decimal, float)):
        if _SECONDS[0] <= value < _SECONDS[1]:
            return "epoch_s"
        return "epoch_ms" if _MILLISECONDS[0] <= value < _MILLISECONDS[1] else "number"
    if isinstance(value, str):
        return "iso" if parse_iso(value) else None
    return None


def parse_iso(text: str) -> datetime | None:
    """Read an ISO 8601 date or date-time, UTC where it names no offset; None if it is neither."""
    if text.isdigit() and len(text) != len("YYYYMMDD"):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def instant(value: object, unit: Unit) -> t.Any:  # noqa: ANN401 - datetime or number, by unit
    """Return what values of one unit are compared by, or None for a value that has no place."""
    if isinstance(value, bool) or value is None:
        return None
    if unit == "iso":
        return parse_iso(value) if isinstance(value, str) else None
    if isinstance(value, str):
        return Decimal(value) if value.isascii() and value.strip().isdigit() else None
    if isinstance(value, float):
        return Decimal(repr(value))
    return value if isinstance(value, (int, Decimal)) else None


def is_readable(value: object, unit: Unit | None) -> bool:
    """Whether a stored bookmark has a place in the key's notation, or in any; none is fine."""
    if value is None:
        return True
    return (unit_of(value) if unit is None else instant(value, unit)) is not None


def in_unit(moment: datetime, unit: Unit) -> Value | None:
    """Write a moment in a replication key's own notation; a plain count has no moments."""
    if unit == "iso":
        text = moment.astimezone(UTC).isoformat(timespec="auto")
        return text.replace("+00:00", "Z")
    if unit == "number":
        return None
    step = timedelta(seconds=1) if unit == "epoch_s" else timedelta(milliseconds=1)
    return (moment - _EPOCH) // step


@dataclass(slots=True, kw_only=True)
class Bookmark:
    """The lower bound of an incremental run, and the highest value it has seen.

    `start` is the first value the run wants, in the key's notation; None means everything.
    """

    unit: Unit | None
    #: The value the state holds; the next bookmark never falls below it.
    stored: Value | None = None
    #: Where to begin without `stored` and without a start date.
    initial: Value | None = None
    start_date: str | None = None
    end_date: str | None = None
    #: Seconds that are read again before `stored`.
    lookback: float = 0
    start: Value | None = None
    #: Exclusive upper bound, for backfills by window.
    end: Value | None = None
    highest: Value | None = None

    @classmethod
    def open(cls, **given: t.Any) -> Bookmark:  # noqa: ANN401 - the fields above
        """Combine state and settings: the later of bookmark and start date, less the lookback."""
        bookmark = cls(**given)
        if bookmark.unit and instant(bookmark.stored, bookmark.unit) is None:
            bookmark.stored = None
        unit = bookmark.unit or unit_of(bookmark.stored) or _moment_unit(bookmark.initial)
        if unit is None:
            # The rows will tell; until then a bound stands as it was given.
            bookmark.start = bookmark.start_date or bookmark.initial
            bookmark.end = bookmark.end_date
        else:
            bookmark._settle(unit)
        return bookmark

    def _settle(self, unit: Unit) -> None:
        """Write the bounds in the key's notation, once it is known."""
        self.unit = unit
        start = self.stored
        if start is not None and self.lookback:
            start = _earlier(start, unit, self.lookback)
        self.start = _later(start, _written(self.start_date, unit), unit)
        if self.start is None:
            self.start = self.initial
        self.end = _written(self.end_date, unit)

    def wants(self, value: object) -> bool:
        """Whether a row with this replication value belongs to the run; unknown values do."""
        if self.unit is None and (unit := _moment_unit(value)):
            self._settle(unit)
        if self.unit is None:
            return True
        place = instant(value, self.unit)
        if place is None:
            return True
        start, end = instant(self.start, self.unit), instant(self.end, self.unit)
        return (start is None or place >= start) and (end is None or place < end)

    def observe(self, values: Iterable[object]) -> None:
        """Take note of the replication values of rows that were written."""
        for value in values:
            if self.unit is None and (unit := _moment_unit(value)):
                self._settle(unit)
            unit = self.unit or "number"
            place, highest = instant(value, unit), instant(self.highest, unit)
            if place is not None and (highest is None or place > highest):
                self.highest = t.cast("Value", value)

    def go_on(self, highest: Value | None) -> None:
        """Take over what an earlier part of the same walk has seen."""
        if highest is not None:
            self.observe([highest])

    def close(self, *, began: datetime) -> Value | None:
        """Return the bookmark of a run that is complete; `began` is the moment it started."""
        # Values that are no moments are a plain count.
        unit = self.unit or "number"
        ceiling = in_unit(began.replace(microsecond=0), unit)
        reached = self.highest
        if (
            reached is not None
            and ceiling is not None
            and instant(reached, unit) > instant(ceiling, unit)
        ):
            reached = ceiling
        return _later(self.stored, reached, unit)


def _moment_unit(value: object) -> Unit | None:
    """Tell the notation of a value that is a moment; a small number may yet be none."""
    unit = unit_of(value)
    return None if unit == "number" else unit


def _written(date: str | None, unit: Unit) -> Value | None:
    if date is None:
        return None
    moment = parse_iso(date)
    if moment is None or unit == "iso":
        return date
    return in_unit(moment, unit)


def _earlier(value: Value, unit: Unit, seconds: float) -> Value:
    if unit == "iso":
        moment = parse_iso(str(value))
        return (
            value
            if moment is None
            else t.cast("str", in_unit(moment - timedelta(seconds=seconds), unit))
        )
    if unit == "number":
        return value
    place = t.cast("int", instant(value, unit))
    return int(place - seconds) if unit == "epoch_s" else int(place - seconds * 1000)


def _later(one: Value | None, other: Value | None, unit: Unit) -> Value | None:
    if one is None or other is None:
        return other if one is None else one
    places = instant(one, unit), instant(other, unit)
    if places[0] is None or places[1] is None:
        return other if places[0] is None else one
    return one if places[0] >= places[1] else other


@dataclass(slots=True)
class NewestFirst:
    """Tells when rows that should come newest first have passed the bookmark.

    The order is believed only as long as every row proves it: the first row must not be older than
    the stored bookmark, and no row newer than the one before it. A server that ignores the sorting
    breaks one of the two, and is then read to the end.
    """

    key: str
    bookmark: Bookmark
    _last: t.Any = None
    _broken: bool = False

    def passed(self, values: Iterable[object]) -> bool:
        """Take note of a page; return whether everything after it is older than the run wants."""
        unit = self.bookmark.unit
        if self._broken or unit is None:
            return False
        for value in values:
            place = instant(value, unit)
            if place is None or (self._last is not None and place > self._last):
                self._broken = True
                return False
            if self._last is None and place < instant(self.bookmark.stored, unit):
                self._broken = True
                return False
            self._last = place
        start = instant(self.bookmark.start, unit)
        return self._last is not None and start is not None and self._last < start
