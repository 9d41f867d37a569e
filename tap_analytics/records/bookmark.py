"""Bookmarks: which rows an incremental run includes, and where the next run starts.

Rows with doubtful values are always included, a row equal to the bookmark is read again, and a
bookmark never passes the start of the run: rows changed during the run are read again by the next.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import compress
from operator import itemgetter

from tap_analytics.records.notation import (
    EPOCHS,
    UNITS,
    comparable,
    earlier,
    has_offset,
    in_unit,
    later,
    may_be_later,
    parse_iso,
    unit_of,
    written,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tap_analytics.records.notation import Comparable, Unit, Value
    from tap_analytics.records.parents import CoveredParents

#: Member of a stream's state that says which API and account it was made from.
SOURCE = "source"
#: A time that names no offset may be so much earlier than UTC, or later.
_BEHIND, _AHEAD = timedelta(hours=-12), timedelta(hours=14)
#: How far two times can be apart that read the same: one of them a day, in the earliest zone.
_SPREAD = timedelta(hours=24 + 12 + 14)
_DECLARE = (
    "Declare what they are with `incremental.cursor_format` "
    f"({', '.join(UNITS)}), or take another column."
)


def stored_bookmark(
    state: Mapping[str, t.Any], stream: str, *, source: Mapping[str, t.Any]
) -> Mapping[str, t.Any]:
    """Return the state of a stream; empty if it was made from another source."""
    bookmark: Mapping[str, t.Any] = state.get("bookmarks", {}).get(stream, {})
    return bookmark if bookmark.get(SOURCE) in (None, source) else {}


@dataclass(slots=True)
class _Seen:
    """The values of one notation that a run has seen."""

    #: The highest that isn't later than the run, and its place.
    highest: Value | None = None
    place: t.Any = None
    #: One that is later.
    late: Value | None = None

    def add(
        self, group: Iterable[tuple[t.Any, Value]], *, is_late: Callable[[Value], bool]
    ) -> None:
        """Record the highest value of a page that isn't late; each is behind its place."""
        for place, value in sorted(group, key=itemgetter(0), reverse=True):
            if self.place is not None and place <= self.place:
                return
            if not is_late(value):
                self.highest, self.place = value, place
                return
            self.late = value


@dataclass(slots=True, kw_only=True)
class Bookmark:
    """The lower bound of an incremental run, and the highest value it has seen.

    `start` and `end` are what a server is asked for, in the key's notation; None is no bound.
    """

    key: str = ""
    #: Declared notation of the key; None where values alone tell times from numbers.
    unit: Unit | None
    #: The value the state holds; the next bookmark never falls below it.
    stored: Value | None = None
    #: Where to begin without `stored` and without a start date.
    initial: Value | None = None
    start_date: str | None = None
    end_date: str | None = None
    #: Seconds that are read again before `stored`.
    lookback: float = 0
    #: Whether the schema, or rows, say that the key holds times.
    holds_times: bool = False
    #: The parents whose rows `stored` covers; None for a stream without parents.
    parents: CoveredParents | None = None
    #: The moment the run began, by our own clock.
    opened: datetime = field(default_factory=lambda: datetime.now(UTC))
    #: Warns the user of a doubt.
    warn: Callable[[str], None] = lambda _: None
    start: Value | None = field(init=False, default=None)
    end: Value | None = field(init=False, default=None)
    _bounds: dict[Unit, tuple[t.Any, t.Any]] = field(init=False)
    _seen: dict[Unit, _Seen] = field(default_factory=dict)
    #: One of the values that can't be compared with others.
    _odd: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Combine state and settings: the later of bookmark and start date, less the lookback."""
        self.opened = self.opened.replace(microsecond=0)
        self._check_stored()
        self.stored, self.initial = map(self._in_unit, (self.stored, self.initial))
        self._settle()

    def below(self, context: Mapping[str, t.Any] | None) -> Bookmark:
        """Return the bookmark for the children of a parent; without `stored` if not covered."""
        if context is None or self.parents is None or context in self.parents:
            return self
        return replace(self, stored=None)

    def learn(self, values: Iterable[object]) -> None:
        """Record whether the values of all rows are times."""
        self.holds_times = {unit_of(value) for value in values if value is not None} == {"iso"}
        self._settle()

    # --- bounds -----------------------------------------------------------------------------

    @property
    def request_unit(self) -> Unit | None:
        """The notation of the filter sent to the server; None if unknown."""
        times: Unit | None = "iso" if self.holds_times else None
        return self.unit or unit_of(self.stored) or unit_of(self.initial) or times

    def _unit_at(self, place: Comparable) -> Unit:
        return self.unit or ("iso" if isinstance(place, datetime) else "undeclared")

    def _check_stored(self) -> None:
        """Drop a bookmark that can't be compared or is in the future."""
        if self.stored is None:
            return
        if self.parents is not None and not self.parents.is_known:
            self.warn(
                "The state doesn't name the parents that the bookmark covers: the stream is read "
                "in full, and the next run knows them."
            )
        place, shown = comparable(self.stored, self.unit), _shown(self.stored)
        if place is None:
            self.warn(f"The bookmark {shown} can't be read; reading everything.")
            self.stored = None
        elif self._is_late(self.opened, _AHEAD, self.stored):
            if_time = " if it is a time" if self._unit_at(place) == "undeclared" else ""
            self.warn(
                f"The bookmark {shown} of `{self.key}` is not used, and the stream is read from "
                f"its start: it lies in the future{if_time}.{f' {_DECLARE}' if if_time else ''}"
            )
            self.stored = None

    def _in_unit(self, value: Value | None) -> Value | None:
        """Write a time in ISO 8601 as an epoch value, where the key has such."""
        if self.unit not in EPOCHS or unit_of(value) != "iso":
            return value
        return in_unit(t.cast("datetime", parse_iso(str(value))), self.unit)

    def _settle(self) -> None:
        """Find the bounds that values are compared with, and those that a server is sent."""
        self._bounds, self.start, self.end = {}, None, None
        units: tuple[Unit, ...] = ("iso", "undeclared") if self.unit is None else (self.unit,)
        for unit in units:
            start = None
            if self.stored is not None and unit in {self.unit, unit_of(self.stored)}:
                start = earlier(self.stored, unit, self.lookback)
            start = later(start, written(self.start_date, unit), unit)
            if start is None:
                start = self.initial
            end = written(self.end_date, unit)
            self._bounds[unit] = comparable(start, unit), comparable(end, unit)
            if self.request_unit == unit:
                self.start, self.end = start, end
        if self.start is None and self.stored is None:
            # In whatever notation it is: the user wants it to be asked for.
            self.start = self.initial

    def _is_late(self, moment: datetime, leeway: timedelta, value: Value) -> bool:
        """Whether a value is later than a moment; what names no offset is given some leeway."""
        place: t.Any = comparable(value, self.unit)
        unit = self._unit_at(place)
        if unit == "undeclared":
            return may_be_later(place, moment, leeway=leeway)
        if unit == "iso" and self.unit is None and not has_offset(str(value)):
            moment += leeway
        end = comparable(in_unit(moment, unit), unit)
        return end is not None and bool(place > end)

    # --- rows -------------------------------------------------------------------------------

    def wanted(self, values: Iterable[object]) -> list[bool]:
        """Return which rows belong to the run, by their replication values."""
        return [self._wants(value, comparable(value, self.unit)) for value in values]

    def admit(self, values: Sequence[object]) -> list[bool]:
        """Return the same, and record the values of the rows that do."""
        places = [comparable(value, self.unit) for value in values]
        flags = list(map(self._wants, values, places))
        self._record(compress(zip(places, values, strict=True), flags))
        return flags

    def resume(self, highest: Value | None) -> None:
        """Take over what an earlier run of the same list has seen."""
        self._record([(comparable(highest, self.unit), highest)])

    def _wants(self, value: object, place: t.Any) -> bool:  # noqa: ANN401 - compared with its like
        if place is None:
            return True
        unit = self._unit_at(place)
        start, end = self._bounds[unit]
        if end is not None and place >= end:
            return False
        if start is None or place >= start:
            return True
        if unit == "iso":
            # In another style than the bookmark's, the time may be later than it reads.
            near = self.stored is not None and start - place < _SPREAD
            return near and _style(value) != _style(self.stored)
        # It may count seconds where the bookmark counts milliseconds, or is a date in digits.
        return unit == "undeclared" and place >= 10**9 and start >= 10 * place

    def _record(self, found: Iterable[tuple[t.Any, t.Any]]) -> None:
        """Record the values of a page, each behind its place."""
        by_unit: dict[Unit, list[tuple[t.Any, Value]]] = {}
        for place, value in found:
            if place is not None:
                by_unit.setdefault(self._unit_at(place), []).append((place, value))
            elif value is not None and not self._odd:
                self._odd.append(value)
        for unit, group in by_unit.items():
            if unit not in self._seen:
                self._seen[unit] = _Seen()
                self._warn_idle(unit)
            self._seen[unit].add(group, is_late=partial(self._is_late, self.opened, _BEHIND))

    # --- the end ----------------------------------------------------------------------------

    @property
    def highest(self) -> Value | None:
        """The highest value seen, in the notation of the next bookmark."""
        seen = self._seen.get(self._next_unit)
        return None if seen is None else seen.highest

    @property
    def _next_unit(self) -> Unit:
        """The notation of the next bookmark: that of the last one as long as rows have it."""
        known = self.unit or unit_of(self.stored) or "iso"
        return known if known in self._seen or not self._seen else next(iter(self._seen))

    def close(self, *, began: datetime) -> Value | None:
        """Return the bookmark of a run that is complete; `began` is the moment it started."""
        unit, began = self._next_unit, began.replace(microsecond=0)
        seen = self._seen.get(unit, _Seen())
        self._warn_odd(seen.late if unit == "undeclared" else None)
        self._warn_uncovered()
        if self.stored is not None and self._is_late(began, _AHEAD, self.stored):
            self.warn(
                f"The bookmark {_shown(self.stored)} of `{self.key}` lies in the future by the "
                "server's clock, so it is dropped: the next run reads the stream from its start."
            )
            return None
        reached, late = seen.highest, seen.late
        if reached is not None and self._is_late(began, _BEHIND, reached):
            reached, late = None, reached
        if reached is None and late is not None:
            reached = _capped(late, unit, began)
        kept = self.stored if unit in {self.unit, unit_of(self.stored)} else None
        return later(kept, reached, unit)

    def to_state(self, reached: Value) -> dict[str, t.Any]:
        """Return the state of a stream that was read to its end."""
        state = {"replication_key": self.key, "replication_key_value": reached}
        return state if self.parents is None else {**state, "parents": self.parents.to_state()}

    # --- doubts -----------------------------------------------------------------------------

    def _warn_idle(self, unit: Unit) -> None:
        """Warn of settings without effect on values of a notation."""
        idle = [f"`{name}`" for name in ("start_date", "end_date") if getattr(self, name)]
        if self.lookback and self.stored is not None:
            idle.append("`lookback_seconds`")
        if unit == "undeclared" and idle:
            self.warn(
                f"The replication key `{self.key}` holds numbers, and nothing says whether they "
                f"are times, so {' and '.join(idle)} can't be applied: all rows are read. "
                f"{_DECLARE}"
            )

    def _warn_odd(self, late: Value | None) -> None:
        """Warn of values that can't be part of a bookmark."""
        odd = f"that can't be compared, such as {_shown(self._odd[0])}" if self._odd else ""
        ahead = f"such as {_shown(late)}, in the future if they are times" if late else ""
        for values in filter(None, (odd, ahead)):
            self.warn(
                f"The replication key `{self.key}` has values {values}: the bookmark doesn't "
                f"cover their rows, so every run reads them. {_DECLARE}"
            )

    def _warn_uncovered(self) -> None:
        """Warn that the state can't hold all parents."""
        if self.parents is not None and self.parents.unnamed:
            self.warn(
                f"{self.parents.unnamed} parents are more than the state names: their rows are "
                "read in full in every run, whatever the bookmark."
            )


def _shown(value: object) -> str:
    return f"{value!r:.40}"


def _style(value: object) -> tuple[bool, bool]:
    """Return whether an ISO 8601 string has a time of day, and a UTC offset."""
    text = str(value)
    return len(text) > len("YYYY-MM-DD"), has_offset(text)


def _capped(value: Value, unit: Unit, began: datetime) -> Value | None:
    """Return the moment a run began in place of a later value, or None where it can't be written.

    A day, or a time without an offset, may be another moment to the API.
    """
    if unit == "iso" and not has_offset(str(value)):
        return None
    cap = in_unit(began, unit)
    return str(cap) if isinstance(value, str) and cap is not None else cap
