"""Formats of the times in requests: named ones, and patterns of `strftime`."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tap_analytics.records.notation import in_unit

if t.TYPE_CHECKING:
    from tap_analytics.records.notation import Unit

#: Formats by name; None for a notation of the same name.
NAMED: dict[str, str | None] = {
    "iso": None,
    "date": "%Y-%m-%d",
    "epoch_s": None,
    "epoch_ms": None,
}
_DAY = timedelta(days=1)
#: Directives by the finest part of a time that they write. `%s`, `%ms` and `%_ms` are Airbyte's:
#: epoch seconds, epoch milliseconds, and milliseconds of three digits.
_FINEST = {
    timedelta(microseconds=1): ("%f",),
    timedelta(milliseconds=1): ("%_ms", "%ms"),
    timedelta(seconds=1): ("%S", "%T", "%s"),
    timedelta(minutes=1): ("%M",),
    timedelta(hours=1): ("%H", "%I"),
    _DAY: ("%d", "%j", "%F"),
}
_OTHERS = ("%%", "%Y", "%y", "%m", "%b", "%B", "%a", "%A", "%p", "%z", "%Z")
_KNOWN = {*_OTHERS, *(each for found in _FINEST.values() for each in found)}
_ZONED = re.compile(r"^(?:iso|epoch_m?s)$|%(?:z|Z|m?s)|Z$")
_DIRECTIVE = re.compile(r"%(?:_ms|ms|.|$)", re.DOTALL)


class TimeFormatError(ValueError):
    """A format that isn't one; the message follows the name of the field."""


@dataclass(frozen=True)
class TimeFormat:
    """A format of the times that a server is sent, in UTC."""

    text: str
    #: Whether it must tell days apart, as the ends of ranges do.
    tells_days: bool = True

    def __post_init__(self) -> None:
        """Raise `TimeFormatError` for a text that isn't a format."""
        if self.text in NAMED:
            return
        found = [each[0] for each in _DIRECTIVE.finditer(self.text)]
        if not found:
            raise TimeFormatError(f"'{self.text}' is unknown. Known: {', '.join(NAMED)}, %Y-%m-%d.")
        if unknown := [each for each in found if each not in _KNOWN]:
            raise TimeFormatError(f"has the unknown directive {unknown[0]}.")
        finest = {each for directives in _FINEST.values() for each in directives}
        if self.tells_days and finest.isdisjoint(found):
            raise TimeFormatError("must name a day, or a part of one.")

    @property
    def precision(self) -> timedelta:
        """The finest part of a time that is sent."""
        if self.text in {"iso", "epoch_ms"}:
            return timedelta(microseconds=1) if self.text == "iso" else timedelta(milliseconds=1)
        if self.text == "epoch_s":
            return timedelta(seconds=1)
        found = {each[0] for each in _DIRECTIVE.finditer(NAMED.get(self.text) or self.text)}
        parts = (part for part, finest in _FINEST.items() if found.intersection(finest))
        return next(parts, _DAY)

    @property
    def names_zone(self) -> bool:
        """Whether a time is the same moment everywhere, as it has an offset or counts seconds."""
        return _ZONED.search(self.text) is not None

    def write(self, moment: datetime, *, up: bool = False) -> str | int:
        """Return a moment as it is sent, cut to the precision: down, or `up` for an end."""
        moment = rounded(moment, self.precision, up=up)
        pattern = NAMED.get(self.text, self.text)
        if pattern is None:
            return t.cast("str | int", in_unit(moment, t.cast("Unit", self.text)))
        epoch_ms = t.cast("int", in_unit(moment, "epoch_ms"))
        own = {
            "%s": str(epoch_ms // 1000),
            "%ms": str(epoch_ms),
            "%_ms": f"{epoch_ms % 1000:03}",
            "%T": f"{moment:%H:%M:%S}",
            "%F": f"{moment:%Y-%m-%d}",
        }
        return _DIRECTIVE.sub(lambda each: own.get(each[0]) or moment.strftime(each[0]), pattern)


def rounded(moment: datetime, precision: timedelta, *, up: bool = False) -> datetime:
    """Return a moment in UTC, cut to whole days or parts of a day; the next one if `up`."""
    moment = moment.astimezone(UTC)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    rest = (moment - midnight) % min(precision, _DAY)
    if not rest:
        return moment
    return moment - rest + (min(precision, _DAY) if up else timedelta())
