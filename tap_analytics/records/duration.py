"""Durations in ISO 8601, such as `P1M` or `PT1H`, and the windows of time they make."""

from __future__ import annotations

import calendar
import re
import typing as t
from dataclasses import dataclass
from datetime import timedelta

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

_TEXT = re.compile(
    r"P(?=.)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?"
    r"(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d{1,6})?)S)?)?",
    re.ASCII,
)


@dataclass(frozen=True)
class Duration:
    """A span of months and of a fixed time."""

    months: int
    rest: timedelta

    @classmethod
    def parse(cls, text: str) -> Duration | None:
        """Read a duration; None for what is none, or no time at all."""
        found = _TEXT.fullmatch(text)
        if found is None:
            return None
        years, months, weeks, days, hours, minutes, seconds = (
            float(each or 0) for each in found.groups()
        )
        try:
            rest = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
        except OverflowError:
            return None
        made = cls(int(12 * years + months), rest)
        return made if made.months or made.rest else None

    def after(self, start: datetime, times: int) -> datetime | None:
        """Return the moment so many durations after another; None beyond the last year."""
        months = start.year * 12 + start.month - 1 + self.months * times
        year, month = divmod(months, 12)
        try:
            day = min(start.day, calendar.monthrange(year, month + 1)[1])
            return start.replace(year=year, month=month + 1, day=day) + self.rest * times
        except (OverflowError, ValueError):
            return None

    def windows(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield windows from `start`, without gap or overlap, the last one up to `end`.

        There is at least one, which is as long as the duration if `end` isn't after `start`.
        """
        begin, times = start, 1
        while begin == start or begin < end:
            following = self.after(start, times) or end
            yield begin, min(following, end) if end > start else following
            begin, times = following, times + 1
