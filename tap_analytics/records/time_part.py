"""Parts of the times in requests: years, months and days, by patterns of `strftime`."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tap_analytics.records.duration import Duration
from tap_analytics.records.time_format import TimeFormatError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_DIRECTIVE = re.compile(r"%(?:-.|.|$)", re.DOTALL)
_WRITTEN: dict[str, Callable[[datetime], str]] = {
    "%Y": lambda moment: f"{moment.year:04}",
    "%y": lambda moment: f"{moment.year % 100:02}",
    "%m": lambda moment: f"{moment.month:02}",
    "%-m": lambda moment: str(moment.month),
    "%d": lambda moment: f"{moment.day:02}",
    "%-d": lambda moment: str(moment.day),
}
_DAY, _MONTH, _YEAR = (
    Duration(0, timedelta(days=1)),
    Duration(1, timedelta()),
    Duration(12, timedelta()),
)


@dataclass(frozen=True)
class TimePart:
    """A part of a time that a server is sent, in UTC."""

    text: str

    def __post_init__(self) -> None:
        """Raise `TimeFormatError` for a text that isn't a pattern."""
        for found in _DIRECTIVE.finditer(self.text):
            if found[0] not in _WRITTEN:
                known = ", ".join(_WRITTEN)
                raise TimeFormatError(f"has the unknown directive {found[0]}. Known: {known}.")

    def write(self, moment: datetime) -> str:
        """Return this part of a moment."""
        moment = moment.astimezone(UTC)
        return _DIRECTIVE.sub(lambda found: _WRITTEN[found[0]](moment), self.text)


def shortest_unit(parts: Iterable[TimePart]) -> Duration:
    """Return the shortest time that the parts tell apart: a day, a month or a year."""
    text = "".join(part.text for part in parts)
    found = {each[0].replace("-", "") for each in _DIRECTIVE.finditer(text)}
    return _DAY if "%d" in found else _MONTH if "%m" in found else _YEAR


def is_whole(step: Duration, unit: Duration) -> bool:
    """Whether a duration is a number of days, months or years, as the unit is."""
    if not unit.months:
        return not step.rest % unit.rest
    return not step.rest and not step.months % unit.months


def beginning_of(moment: datetime, unit: Duration) -> datetime:
    """Return where the day, month or year of a moment begins, in UTC."""
    moment = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if unit.months:
        moment = moment.replace(day=1)
    return moment.replace(month=1) if unit == _YEAR else moment
