"""Bookmarks: how far the rows of an incremental run reach, and where the next run starts.

A bookmark never passes the start of the run: rows changed during the run are read again by the
next.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import compress
from operator import itemgetter

from tap_analytics.records.notation import (
    UNITS,
    comparable,
    has_offset,
    in_unit,
    is_later,
    later,
    unit_at,
    unit_of,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tap_analytics.records.notation import Unit, Value
    from tap_analytics.records.parents import CoveredParents
    from tap_analytics.records.window import Window

#: Member of a stream's state that says which API and account it was made from.
SOURCE = "source"
#: A time without an offset may be so much earlier, or later, than the same time in UTC.
_BEHIND, _AHEAD = timedelta(hours=-12), timedelta(hours=14)
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
class _Highest:
    """The highest values of one notation."""

    #: The highest that isn't later than the run, and its sort key.
    value: Value | None = None
    sort_key: t.Any = None
    #: One that is later than the run.
    late: Value | None = None

    def add(
        self, found: Iterable[tuple[t.Any, Value]], *, is_late: Callable[[Value], bool]
    ) -> None:
        """Record the highest value of a page that isn't late, from pairs of sort key and value."""
        for sort_key, value in sorted(found, key=itemgetter(0), reverse=True):
            if self.sort_key is not None and sort_key <= self.sort_key:
                return
            if not is_late(value):
                self.value, self.sort_key = value, sort_key
                return
            self.late = value


@dataclass(slots=True, kw_only=True)
class Bookmark:
    """The bookmark of a stream: what the last run stored, and what this one has read."""

    key: str = ""
    window: Window
    #: The parents whose rows the stored value covers; None for a stream without parents.
    parents: CoveredParents | None = None
    #: The moment the run began, by our own clock.
    opened: datetime = field(default_factory=lambda: datetime.now(UTC))
    #: Called with warnings for the user.
    warn: Callable[[str], None] = lambda _: None
    _highest: dict[Unit, _Highest] = field(default_factory=dict)
    #: One of the values that can't be compared with others.
    _incomparable: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Drop a stored value that can't be compared or is in the future."""
        self.opened = self.opened.replace(microsecond=0)
        if self.window.stored is not None and not self._is_usable(self.window.stored):
            self.window = replace(self.window, stored=None)

    def _is_usable(self, stored: Value) -> bool:
        if self.parents is not None and not self.parents.is_known:
            self.warn(
                "The state doesn't name the parents that the bookmark covers: the stream is read "
                "in full, and the next run knows them."
            )
        unit = self.window.unit
        sort_key = comparable(stored, unit)
        if sort_key is None:
            self.warn(f"The bookmark {_shown(stored)} can't be read; reading everything.")
            return False
        if not is_later(stored, self.opened, unit, leeway=_AHEAD):
            return True
        if_time = "" if unit or unit_at(sort_key) == "iso" else " if it is a time"
        self.warn(
            f"The bookmark {_shown(stored)} of `{self.key}` is not used, and the stream is read "
            f"from its start: it lies in the future{if_time}.{f' {_DECLARE}' if if_time else ''}"
        )
        return False

    def below(self, context: Mapping[str, t.Any] | None) -> Bookmark:
        """Return the bookmark for the children of a parent; both record what is read of them."""
        if context is None or self.parents is None or context in self.parents:
            return self
        return replace(self, window=replace(self.window, stored=None))

    def learn(self, values: Iterable[object]) -> None:
        """Record whether the values of all rows are times."""
        kinds = {unit_of(value) for value in values if value is not None}
        self.window = replace(self.window, holds_times=kinds == {"iso"})

    # --- rows -------------------------------------------------------------------------------

    def admit(self, values: Sequence[object]) -> list[bool]:
        """Return which rows belong to the run, and record their replication values."""
        sort_keys = [comparable(value, self.window.unit) for value in values]
        flags = list(map(self.window.includes, values, sort_keys))
        self._record(compress(zip(sort_keys, values, strict=True), flags))
        return flags

    def resume(self, highest: Value | None) -> None:
        """Take over the highest value of an earlier run that was cut."""
        self._record([(comparable(highest, self.window.unit), highest)])

    def _record(self, found: Iterable[tuple[t.Any, t.Any]]) -> None:
        """Record the values of a page, from pairs of sort key and value."""
        by_unit: dict[Unit, list[tuple[t.Any, Value]]] = {}
        for sort_key, value in found:
            if sort_key is not None:
                unit = self.window.unit or unit_at(sort_key)
                by_unit.setdefault(unit, []).append((sort_key, value))
            elif value is not None and not self._incomparable:
                self._incomparable.append(value)
        is_late = partial(is_later, moment=self.opened, unit=self.window.unit, leeway=_BEHIND)
        for unit, pairs in by_unit.items():
            if unit not in self._highest:
                self._highest[unit] = _Highest()
                self._warn_without_effect(unit)
            self._highest[unit].add(pairs, is_late=is_late)

    # --- the end ----------------------------------------------------------------------------

    @property
    def highest(self) -> Value | None:
        """The highest value read, in the notation of the next bookmark."""
        found = self._highest.get(self._next_unit)
        return None if found is None else found.value

    @property
    def _next_unit(self) -> Unit:
        """The notation of the next bookmark: that of the last one as long as rows have it."""
        known = self.window.unit or unit_of(self.window.stored) or "iso"
        return known if known in self._highest or not self._highest else next(iter(self._highest))

    def close(self, *, began: datetime) -> Value | None:
        """Return the bookmark of a run that is complete; `began` is the moment it started."""
        unit, began, stored = self._next_unit, began.replace(microsecond=0), self.window.stored
        found = self._highest.get(unit, _Highest())
        self._warn_not_covered(found.late if unit == "undeclared" else None)
        if stored is not None and is_later(stored, began, self.window.unit, leeway=_AHEAD):
            self.warn(
                f"The bookmark {_shown(stored)} of `{self.key}` lies in the future by the "
                "server's clock, so it is dropped: the next run reads the stream from its start."
            )
            return None
        reached, late = found.value, found.late
        if reached is not None and is_later(reached, began, self.window.unit, leeway=_BEHIND):
            reached, late = None, reached
        if reached is None and late is not None:
            reached = _capped(late, unit, began)
        return later(self.window.stored_in(unit), reached, unit)

    def to_state(self, reached: Value) -> dict[str, t.Any]:
        """Return the state of a stream that was read to its end."""
        state = {"replication_key": self.key, "replication_key_value": reached}
        return state if self.parents is None else {**state, "parents": self.parents.to_state()}

    # --- warnings ---------------------------------------------------------------------------

    def _warn_without_effect(self, unit: Unit) -> None:
        """Warn of settings without effect on values of a notation."""
        window = self.window
        names = [f"`{name}`" for name in ("start_date", "end_date") if getattr(window, name)]
        if window.lookback and window.stored is not None:
            names.append("`lookback_seconds`")
        if unit == "undeclared" and names:
            self.warn(
                f"The replication key `{self.key}` holds numbers, and nothing says whether they "
                f"are times, so {' and '.join(names)} can't be applied: all rows are read. "
                f"{_DECLARE}"
            )

    def _warn_not_covered(self, late: Value | None) -> None:
        """Warn of rows that the next bookmark doesn't cover."""
        kinds = [f"that can't be compared, such as {_shown(one)}" for one in self._incomparable]
        if late:
            kinds.append(f"such as {_shown(late)}, in the future if they are times")
        for values in kinds:
            self.warn(
                f"The replication key `{self.key}` has values {values}: the bookmark doesn't "
                f"cover their rows, so every run reads them. {_DECLARE}"
            )
        if self.parents is not None and self.parents.unnamed:
            self.warn(
                f"{self.parents.unnamed} parents are more than the state names: their rows are "
                "read in full in every run, whatever the bookmark."
            )


def _shown(value: object) -> str:
    return f"{value!r:.40}"


def _capped(value: Value, unit: Unit, began: datetime) -> Value | None:
    """Return the moment a run began in place of a later value, or None where it can't be written.

    A day, or a time without an offset, may be another moment to the API.
    """
    if unit == "iso" and not has_offset(str(value)):
        return None
    cap = in_unit(began, unit)
    return str(cap) if isinstance(value, str) and cap is not None else cap
