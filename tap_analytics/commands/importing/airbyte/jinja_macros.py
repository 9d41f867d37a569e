"""The functions that Airbyte's CDK has in expressions, as far as they can be told before a run."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from urllib.parse import quote_plus

from tap_analytics.commands.importing.airbyte.jinja_values import (
    Later,
    Placeholder,
    Setting,
    UndecidedError,
    Unset,
    Value,
    with_notation,
)
from tap_analytics.config.declarations.templates import MOMENT, TemplateError, parse_template
from tap_analytics.records.notation import parse_iso
from tap_analytics.records.time_format import TimeFormat, TimeFormatError

#: Unix time, by the format of the tap that it has, as is said to users.
EPOCHS = {"epoch_s": "Unix time in seconds", "epoch_ms": "Unix time in milliseconds"}


def called(name: str, arguments: t.Sequence[Value]) -> Value:
    """Return what a function gives; raises `UndecidedError`."""
    if name not in _MACROS:
        raise UndecidedError
    return _MACROS[name](*arguments)


def _format_datetime(value: Value, form: Value) -> Value:
    if not isinstance(form, str):
        raise UndecidedError
    if is_now(value):
        return _now_as(form)
    if isinstance(value, Later | Unset):
        return with_notation(value, f"a time as `{form}`", form=form)
    try:
        moment = parse_iso(str(value))
        written = None if moment is None else TimeFormat(form).write(moment)
    except TimeFormatError:
        raise UndecidedError from None
    if written is None:
        raise UndecidedError
    return str(written)


def _timestamp(value: Value) -> Value:
    if isinstance(value, Later | Unset):
        return with_notation(value, EPOCHS["epoch_s"], form="epoch_s")
    if type(value) in {int, float}:
        return int(value)
    moment = parse_iso(str(value))
    if moment is None:
        raise UndecidedError
    return moment.timestamp()


def in_milliseconds(value: Value) -> Value:
    """Return Unix time in milliseconds for one in seconds; raises `UndecidedError`."""
    part = value.sole if isinstance(value, Later) else None
    if isinstance(part, Setting) and part.notation == EPOCHS["epoch_s"]:
        return replace(value, parts=(replace(part, notation=EPOCHS["epoch_ms"]),))
    if isinstance(part, Placeholder) and part.form == "epoch_s":
        return replace(value, parts=(replace(part, form="epoch_ms"),))
    raise UndecidedError


def quoted(value: Value) -> Value:
    """Return a value as part of a URL; a placeholder is quoted where it stands in a path."""
    part = value.sole if isinstance(value, Later) else None
    if isinstance(part, Placeholder):
        return replace(value, parts=(replace(part, is_quoted=True),))
    if isinstance(value, Later | Unset):
        return with_notation(value, "quoted for a URL", form="")
    return quote_plus(str(value))


def is_now(value: Value) -> bool:
    """Whether a value is the moment of a run."""
    part = value.sole if isinstance(value, Later) else None
    return isinstance(part, Placeholder) and part.name in {MOMENT, _TODAY}


def moment_as_text(value: Value) -> Value:
    """Return a value in which the moment of a run is as Python writes it."""
    if not isinstance(value, Later) or Placeholder(MOMENT) not in value.parts:
        return value
    written = Placeholder(f"{MOMENT}.%Y-%m-%d %H:%M:%S.%f+00:00")
    parts = (written if part == Placeholder(MOMENT) else part for part in value.parts)
    return replace(value, parts=tuple(parts))


def _now_as(form: Value) -> Value:
    """Return the moment of a run in a format."""
    template = f"{{{MOMENT}.{form}}}"
    try:
        parsed = parse_template(template)
    except TemplateError:
        raise UndecidedError from None
    if parsed == template:
        raise UndecidedError
    return Later((Placeholder(f"{MOMENT}.{form}"),), is_set=True)


def formatted(value: Value, form: Value) -> Value:
    """Return what `strftime` of the moment of a run gives; raises `UndecidedError`."""
    if not is_now(value):
        raise UndecidedError
    return _now_as(form)


def _day_delta(days: Value, form: Value = "%Y-%m-%dT%H:%M:%S.%f%z") -> Value:
    if days != 0:
        raise UndecidedError
    return _now_as(form)


def _moment(name: str) -> Value:
    return Later((Placeholder(name),), is_set=True)


_TODAY = f"{MOMENT}.date"
_MACROS: dict[str, t.Callable[..., Value]] = {
    "format_datetime": _format_datetime,
    "timestamp": _timestamp,
    "sanitize_url": quoted,
    "now_utc": lambda: _moment(MOMENT),
    "today_utc": lambda: _moment(_TODAY),
    "day_delta": _day_delta,
}
