"""How the requests of a declared resource ask for a range of replication values."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import timedelta

from tap_analytics.config.declarations.templates import END, INITIAL, LAST, START, start_parts
from tap_analytics.errors import TapError
from tap_analytics.records.notation import in_unit, moment_of, parse_iso
from tap_analytics.records.time_format import TimeFormat, rounded
from tap_analytics.records.time_part import beginning_of, shortest_unit

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from tap_analytics.config.declarations.model import DeclaredIncremental
    from tap_analytics.pagination import PageToken
    from tap_analytics.records.notation import Value
    from tap_analytics.records.time_part import TimePart
    from tap_analytics.records.window import Window

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class RangeFilter:
    """The parameters and placeholders of a range, as a whole or in windows."""

    #: The stream, for messages.
    label: str
    incremental: DeclaredIncremental
    #: The placeholders that requests have.
    names: frozenset[str]
    #: The range of a run without a bookmark.
    whole: Window
    began: datetime

    @property
    def beginning(self) -> Mapping[str, t.Any]:
        """The values of placeholders where all rows are wanted."""
        first = t.cast("Value | None", self.incremental.initial_value)
        values = self._placeholders(
            self._sent(self.whole.start), self._sent(self.whole.end, up=True)
        )
        values |= self._start_parts(self.whole.start)
        return values if first is None else {**values, INITIAL: self._sent(first)}

    def parameters(self, start: Value | None, end: Value | None) -> PageToken:
        """Return what filters from `start`, inclusive, to `end`, exclusive."""
        token = self._token(self._sent(start), self._sent(end, up=True))
        return token | self._start_parts(start)

    def _token(self, first: Value | None, last: Value | None) -> PageToken:
        bounds = {self.incremental.start_param: first, self.incremental.end_param: last}
        params = {name: str(value) for name, value in bounds.items() if name and value is not None}
        return params | self._placeholders(first, last)

    def _placeholders(self, first: Value | None, last: Value | None) -> dict[str, t.Any]:
        found = {START: first, LAST: first, END: last}
        used = self.names
        return {name: each for name, each in found.items() if each is not None and name in used}

    @property
    def _parts(self) -> Mapping[str, TimePart]:
        return start_parts(self.names)

    def _start_parts(self, start: Value | None) -> dict[str, str]:
        """Return the parts of a start that requests have."""
        parts = self._parts
        if start is None or not parts:
            return {}
        moment = self._moment(start, "the request can't have parts of")
        return {name: part.write(moment) for name, part in parts.items()}

    def _sent(self, value: Value | None, *, up: bool = False) -> Value | None:
        """Return a value as it is sent; `up` for an end, which is never too early."""
        convert = self.incremental.convert
        if value is None or convert is None:
            return value
        return convert.write(self._moment(value, "`convert` can't write"), up=up)

    def _moment(self, value: Value, problem: str) -> datetime:
        moment = moment_of(value, self.whole.unit)
        if moment is None:
            raise TapError(
                f"{self.label}: {problem} {value!r:.40}, a value of "
                f"`{self.incremental.cursor_path}`. Declare its `cursor_format`, or remove what "
                "needs a time."
            )
        return moment

    # --- windows ----------------------------------------------------------------------------

    def windows(self, start: Value | None, end: Value | None) -> Iterator[PageToken]:
        """Yield what filters by one window after the other, up to `end` or to this moment.

        Without `granularity` an end is the start of the next window. With it, ends are inclusive:
        they lie that much before the next start.
        """
        granularity = self.incremental.granularity
        form, spans = self.spans(start, end)
        parts = self._parts
        for begin, following in spans:
            until = following if granularity is None else following - granularity.rest
            token = self._token(self._written(begin, form), self._written(until, form))
            yield token | {name: part.write(begin) for name, part in parts.items()}

    def spans(
        self, start: Value | None, end: Value | None
    ) -> tuple[TimeFormat | None, Iterator[tuple[datetime, datetime]]]:
        """Return windows as moments, the end excluded, and the format they are sent in."""
        start = start if start is not None else self.whole.start
        start = start if start is not None else self.whole.start_date
        if start is None:
            raise TapError(
                f"{self.label}: `step` needs a moment to begin with. Set `initial_value` of "
                "`incremental`, or `start_date`."
            )
        form, granularity = self._form(start), self.incremental.granularity
        first = self._moment(start, "`step` can't begin at")
        precision = SECOND if form is None else form.precision
        precision = max(precision, SECOND if granularity is None else granularity.rest)
        last = self._last(self._end(end), form, precision)
        return form, self._split(self._beginning(rounded(first, precision)), last)

    def _beginning(self, first: datetime) -> datetime:
        """Return where the first window begins: with a month if requests have no more of it."""
        is_sent = self.incremental.start_param or not self.names.isdisjoint({START, LAST})
        if is_sent or not self._parts:
            return first
        return beginning_of(first, shortest_unit(self._parts.values()))

    def _split(self, first: datetime, last: datetime) -> Iterator[tuple[datetime, datetime]]:
        step = self.incremental.step
        return iter([(first, last)]) if step is None else step.windows(first, last)

    def _form(self, start: Value) -> TimeFormat | None:
        """Return the format of the ends: dates where the key holds dates and steps are days."""
        convert, step = self.incremental.convert, self.incremental.step
        if (
            convert is not None
            or len(str(start)) != len("YYYY-MM-DD")
            or parse_iso(str(start)) is None
        ):
            return convert
        is_days = step is not None and not step.rest % DAY
        return TimeFormat("date") if is_days and self.whole.unit in {None, "iso"} else None

    def _end(self, end: Value | None) -> datetime | None:
        """Return the end that is set, if one is."""
        end = self.whole.end if end is None else end
        end = self.whole.end_date if end is None else end
        return None if end is None else self._moment(end, "`step` can't end at")

    def _last(
        self,
        end: datetime | None,
        form: TimeFormat | None,  # noqa: ARG002 - for windows that have to be over
        precision: timedelta,
    ) -> datetime:
        """Return where the last window ends: at the moment of the run if no end is set."""
        return rounded(self._now if end is None else end, precision, up=True)

    @property
    def _now(self) -> datetime:
        """The moment of the run, which belongs to it where ends are inclusive."""
        is_exclusive = self.incremental.granularity is None
        return self.began if is_exclusive else self.began + timedelta(microseconds=1)

    def _written(self, moment: datetime, form: TimeFormat | None) -> Value | None:
        if form is None:
            return in_unit(moment, self.whole.unit or "iso")
        return form.write(moment, up=False)
