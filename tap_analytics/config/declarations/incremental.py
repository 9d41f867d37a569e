"""The fields of `incremental`."""

from __future__ import annotations

import re
import typing as t
from datetime import UTC, datetime, timedelta

from tap_analytics.config.declarations.fields import MEMBER, TEXT, Field, Kind, choice, read_fields
from tap_analytics.config.declarations.model import NOW, DeclaredIncremental
from tap_analytics.config.declarations.object_reader import ObjectReader
from tap_analytics.records.duration import Duration
from tap_analytics.records.notation import UNITS, moment_of, written
from tap_analytics.records.time_format import TimeFormat, TimeFormatError

if t.TYPE_CHECKING:
    from tap_analytics.config.declarations.fields import Fields


def _value(reader: ObjectReader, name: str) -> str | float | None:
    value = reader.given[name]
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        reader.error(name, "must be a string or a number.")
        return None
    return value


def _format(reader: ObjectReader, name: str) -> TimeFormat | None:
    text = reader.text(name)
    try:
        return None if text is None else TimeFormat(text)
    except TimeFormatError as error:
        reader.error(name, str(error))
        return None


def _duration(reader: ObjectReader, name: str) -> Duration | None:
    text = reader.text(name)
    found = None if text is None else Duration.parse(text)
    if text is not None and found is None:
        reader.error(name, f"'{text}' isn't a duration. Write it like P1M, P7D or PT1H.")
    return found


def _granularity(reader: ObjectReader, name: str) -> Duration | None:
    found = _duration(reader, name)
    if found is not None and (found.months or found.rest > _DAY or _DAY % found.rest):
        reader.error(name, "must divide a day, such as P1D, PT1H or PT1S.")
        return None
    return found


def _lag(reader: ObjectReader, name: str) -> float | timedelta | None:
    if not isinstance(reader.given[name], str):
        return reader.number(name, minimum=0)
    found = _duration(reader, name)
    if found is not None and found.months:
        reader.error(name, "must be of one length, such as P7D or PT1H.")
    return None if found is None else found.rest


_DAY = timedelta(days=1)
#: An `end_value` that the begin of a run decides.
_RELATIVE = re.compile(rf"{NOW}(?:-(P\w+))?", re.ASCII)
_VALUE = Kind("text or number", _value)
INCREMENTAL: Fields = {
    "cursor_path": Field(
        MEMBER,
        "The replication key; a nested one, such as `meta.changed`, becomes the column "
        "`meta_changed`, and one of the last item of a list, `changes[-1].at`, `changes_last_at`.",
        required=True,
        default="",
    ),
    "cursor_format": Field(
        choice(*UNITS),
        "What it holds; found out if it isn't given. `epoch_ms` is `/Date(1704067200000)/` too.",
        in_dlt=False,
    ),
    "start_param": Field(TEXT, "Parameter that carries where a run begins."),
    "end_param": Field(TEXT, "Parameter that carries where it ends, if it has an end."),
    "initial_value": Field(_VALUE, "Where the first run begins, without a `start_date`."),
    "end_value": Field(
        _VALUE,
        "Where a run ends, this value excluded, without an `end_date`; `now` is the moment it "
        "begins, `now-P1D` a day before.",
    ),
    "range_end": Field(
        choice("open", "closed"),
        "`closed` includes rows whose value is the `end_value`.",
        default="open",
    ),
    "convert": Field(
        Kind("`iso`, `date`, `epoch_s`, `epoch_ms` or a pattern such as `%d/%m/%Y`", _format),
        "How times are sent, in UTC; as the rows have them without it.",
    ),
    "lag": Field(
        Kind("number ≥ 0, or duration", _lag),
        "How much before its bookmark a run reads again: seconds of times, days of dates, else "
        "units of the number; of times and dates also a duration, such as `P7D`.",
    ),
    "step": Field(
        Kind("duration", _duration),
        "Length of the windows in which an API is asked that caps them, such as `P1M`; they are "
        "read side by side.",
        in_dlt=False,
    ),
    "granularity": Field(
        Kind("duration of at most `P1D`", _granularity),
        "Says that the ends of windows are inclusive, and how far apart times are at least: an end "
        "lies that much before the next start. Without it, it is the next start.",
        in_dlt=False,
    ),
}


def end_moment(value: object, began: datetime) -> datetime | None:
    """Return the moment of an `end_value` that the begin of a run decides; None for others."""
    found = _RELATIVE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    span = Duration.parse(found[1] or "")
    return began if span is None else span.after(began, -1)


def read_incremental(reader: ObjectReader, name: str) -> DeclaredIncremental:
    """Read the replication key, and how the API filters by it."""
    inner = ObjectReader(reader.given[name], reader.at(name), INCREMENTAL)
    read = DeclaredIncremental(**read_fields(inner, INCREMENTAL))
    is_relative = str(read.end_value).startswith(NOW)
    for field in ("initial_value", "end_value"):
        value = getattr(read, field)
        if read.convert is None or value is None or (field == "end_value" and is_relative):
            continue
        unit = read.cursor_format
        in_unit = written(value, unit) if unit and isinstance(value, str) else value
        if moment_of(in_unit, unit) is None:
            inner.error(
                field,
                f"{value!r} isn't a time that `convert` can write. Write it in ISO 8601, or "
                "declare `cursor_format`.",
            )
    if is_relative and end_moment(read.end_value, datetime.now(UTC)) is None:
        inner.error("end_value", f"{read.end_value!r} is neither `now` nor such as `now-P1D`.")
    if is_relative and read.cursor_format == "number":
        inner.error("end_value", "'now' is a time, but `cursor_format` is 'number'. Remove one.")
    if isinstance(read.lag, timedelta) and read.cursor_format == "number":
        inner.error("lag", "is a duration, but `cursor_format` is 'number'. Write a number.")
    _check_windows(inner, read)
    return read


def _check_windows(reader: ObjectReader, read: DeclaredIncremental) -> None:
    if read.granularity and not read.step:
        reader.error("granularity", "has no use without `step`. Remove it, or add `step`.")
    if read.step and read.cursor_format == "number":
        reader.error("step", "is a time, but `cursor_format` is 'number'. Remove one.")
