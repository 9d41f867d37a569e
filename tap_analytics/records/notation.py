"""Notations of replication values: times in ISO 8601, epoch values, and plain numbers.

The notation of a number is declared, never guessed from its size. A value whose size makes the
notation doubtful leads to a warning, and its row is read.
"""

from __future__ import annotations

import re
import typing as t
from datetime import UTC, datetime, timedelta
from decimal import Decimal

#: `undeclared` stands for numbers of unknown notation.
Unit = t.Literal["iso", "epoch_s", "epoch_ms", "number", "undeclared"]
Value = str | int | Decimal
#: Sort keys of values: times are compared with times, numbers with numbers.
Comparable = datetime | int | Decimal

#: Notations that can be declared.
UNITS: tuple[Unit, ...] = ("iso", "epoch_s", "epoch_ms", "number")
#: Ranges in which an epoch value can't be one of the other unit; a value outside of them may be in
#: another notation, so it has no sort key.
EPOCHS: dict[Unit, tuple[int, int]] = {
    "epoch_s": (-(10**11), 10**11),
    "epoch_ms": (10**11, 10**14),
}
_NUMBER = re.compile(r"\s*[+-]?\d{1,40}(?:\.\d{1,40})?\s*", re.ASCII)
#: A time as .NET writes it, in milliseconds; an offset only says where it was written.
_DOTNET = re.compile(r"/Date\((-?\d{1,15})(?:[+-]\d{4})?\)/", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_iso(text: str) -> datetime | None:
    """Read an ISO 8601 date or date-time, UTC where it names no offset; None if it is neither."""
    if text.isdigit() and len(text) != len("YYYYMMDD"):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def has_offset(text: str) -> bool:
    """Whether an ISO 8601 string has a UTC offset."""
    return datetime.fromisoformat(text).tzinfo is not None


def comparable(value: object, unit: Unit | None = None) -> Comparable | None:
    """Return the sort key of a value, or None where it is not in its key's notation.

    Without a unit, text that is valid ISO 8601 is a time, and digits are a number. A time with a
    UTC offset is compared with epoch values too.
    """
    if isinstance(value, str):
        if unit == "epoch_ms" and (found := _DOTNET.fullmatch(value)):
            value = found[1]
        digits = None if unit == "iso" or "-" in value[1:] else _NUMBER.fullmatch(value)
        if digits is None:
            moment = None if unit in {"number", "undeclared"} else parse_iso(value)
            if moment is None or unit not in EPOCHS:
                return moment
            return _since_epoch(moment, unit) if has_offset(value) else None
        value = Decimal(value.strip())
    if unit == "iso" or isinstance(value, bool):
        return None
    if isinstance(value, float):
        value = Decimal(repr(value))
    if not isinstance(value, (int, Decimal)):
        return None
    low, high = EPOCHS.get(unit or "number", (value, value + 1))
    return value if low <= value < high else None


def unit_of(value: object) -> Unit | None:
    """Return whether a value is a time or a number; None if it is neither."""
    sort_key = comparable(value)
    return None if sort_key is None else unit_at(sort_key)


def unit_at(sort_key: Comparable) -> Unit:
    """Return whether a sort key is one of a time or of a number."""
    return "iso" if isinstance(sort_key, datetime) else "undeclared"


def in_unit(moment: datetime, unit: Unit) -> Value | None:
    """Return a moment in a notation; None in one that has no times."""
    if unit == "iso":
        text = moment.astimezone(UTC).isoformat(timespec="auto")
        return text.replace("+00:00", "Z")
    return (moment - _EPOCH) // _step(unit) if unit in EPOCHS else None


def moment_of(value: object, unit: Unit | None) -> datetime | None:
    """Return the moment that a value in a notation names; None where it names none."""
    place = comparable(value, unit)
    if isinstance(place, datetime):
        return place
    if place is None or unit not in EPOCHS:
        return None
    return _EPOCH + int(place) * _step(unit)


def written(date: str | None, unit: Unit) -> Value | None:
    """Return a date of the settings in a notation; None in one that has no times."""
    moment = None if date is None else parse_iso(date)
    return date if moment is None or unit == "iso" else in_unit(moment, unit)


def earlier(value: Value | None, unit: Unit, seconds: float) -> Value | None:
    """Return the value so many seconds before another; None if that can't be calculated."""
    if not seconds or unit == "number":
        return value
    sort_key = None if unit == "undeclared" else comparable(value, unit)
    span = timedelta(seconds=seconds)
    if isinstance(sort_key, datetime):
        try:
            return in_unit(sort_key - span, unit)
        except OverflowError:
            return None
    return None if sort_key is None else int(sort_key - span // _step(unit))


def later(one: Value | None, other: Value | None, unit: Unit) -> Value | None:
    """Return the later of two values; one without a sort key is left out."""
    sort_keys: list[t.Any] = [comparable(one, unit), comparable(other, unit)]
    if None in sort_keys:
        return other if sort_keys[0] is None else one
    return one if sort_keys[0] >= sort_keys[1] else other


def is_later(value: Value, moment: datetime, unit: Unit | None, *, leeway: timedelta) -> bool:
    """Whether a value is later than a moment; the leeway is for times that name no offset."""
    sort_key: t.Any = comparable(value, unit)
    found = unit or unit_at(sort_key)
    if found == "undeclared":
        return _may_be_later(sort_key, moment, leeway=leeway)
    if unit is None and not has_offset(str(value)):
        moment += leeway
    end = comparable(in_unit(moment, found), found)
    return end is not None and bool(sort_key > end)


def _may_be_later(number: int | Decimal, moment: datetime, *, leeway: timedelta) -> bool:
    """Whether a number would be later than a moment if it were a time, in any usual notation."""
    seconds, year = _since_epoch(moment, "epoch_s"), 10**4
    spans = [(seconds * scale, 9 * seconds * scale) for scale in (1, 10**3, 10**6, 10**9)]
    local = moment + leeway
    spans += [
        (Decimal(f"{local:%Y%m%d}"), Decimal(year)),
        (Decimal(f"{local:%Y%m%d%H%M%S}"), Decimal(year * 10**6)),
    ]
    return any(first < number < first + span for first, span in spans)


def _step(unit: Unit | None) -> timedelta:
    return timedelta(seconds=1) if unit == "epoch_s" else timedelta(milliseconds=1)


def _since_epoch(moment: datetime, unit: Unit | None) -> Decimal:
    microsecond = timedelta(microseconds=1)
    return Decimal((moment - _EPOCH) // microsecond) / (_step(unit) // microsecond)
