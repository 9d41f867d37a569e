"""Where the windows of a list meet: a row that two of them have is written once."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import timedelta

from tap_analytics.records.notation import comparable, is_later
from tap_analytics.records.payload import dig_field

if t.TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from datetime import datetime

    from tap_analytics.pagination.completeness import DuplicateKeys
    from tap_analytics.pagination.page import FetchedPage
    from tap_analytics.records.notation import Unit
    from tap_analytics.records.rows import DictRows

#: The most rows of a window that are remembered. Beyond them a repeated row is written again, and
#: its key counts as repeated.
MOST = 1_000_000


@dataclass(slots=True, kw_only=True)
class Seam:
    """Drops the rows of a window that came unchanged with the one before.

    A server may count both ends of a window in, or ignore an end. A row without a key is dropped
    only if it has a replication value, for windows may well have equal rows without one.
    """

    #: The replication value in the rows as they were sent, and its notation.
    path: str
    unit: Unit | None
    keyed: bool
    #: When the run began.
    began: datetime
    _context: t.Any = None
    _before: set[Hashable] = field(default_factory=set)
    _current: set[Hashable] = field(default_factory=set)
    #: Keys of the page whose rows have changed since the run began.
    _changed: set[Hashable] = field(default_factory=set)

    def enter(self, context: t.Any) -> None:  # noqa: ANN401 - a context, or None
        """Begin the next window of a list, or the first one of another list."""
        self._before = self._current if context == self._context else set()
        self._current, self._context = set(), context

    def sift(self, fetched: FetchedPage) -> FetchedPage:
        """Return the rows of a page that the window before didn't have."""
        rows = t.cast("DictRows", fetched.rows)
        values = [dig_field(row, self.path) for row in rows.dicts]
        marks = rows.digests() if self.keyed else rows.identities()
        known = [self.keyed or value is not None for value in values]
        flags = [
            not one or mark not in self._before for mark, one in zip(marks, known, strict=True)
        ]
        if len(self._current) < MOST:
            self._current.update(mark for mark, one in zip(marks, known, strict=True) if one)
        pairs = zip(fetched.keys, values, strict=True)
        self._changed = {key for key, value in pairs if self._is_changed(value)}
        return fetched if all(flags) else fetched.filter(flags)

    def counted(
        self, keys: Sequence[Hashable], known: DuplicateKeys, *, within: Hashable
    ) -> Sequence[Hashable]:
        """Return the keys that may not be repeated: a row that has changed comes once more."""
        flags = known.fresh(keys, within=within)
        pairs = zip(keys, flags, strict=True)
        return [key for key, is_new in pairs if is_new or key not in self._changed]

    def _is_changed(self, value: t.Any) -> bool:  # noqa: ANN401 - any JSON value
        if comparable(value, self.unit) is None:
            return False
        began = self.began.replace(microsecond=0) - timedelta(seconds=1)
        return is_later(value, began, self.unit, leeway=timedelta())
