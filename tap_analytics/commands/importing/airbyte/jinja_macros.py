"""The functions that Airbyte's CDK has in expressions, as far as they can be told before a run."""

from __future__ import annotations

import ast
import re
import typing as t
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import quote_plus

from tap_analytics.commands.importing.airbyte.jinja_values import (
    Later,
    NothingError,
    Part,
    Placeholder,
    Setting,
    UndecidedError,
    Value,
    are_known,
    sole_part,
    with_notation,
)
from tap_analytics.config.declarations.templates import (
    MOMENT,
    Template,
    TemplateError,
    parse_template,
)
from tap_analytics.records.duration import Duration
from tap_analytics.records.notation import parse_iso
from tap_analytics.records.time_format import TimeFormat, TimeFormatError

#: Unix time, by the format of the tap that it has, as is said to users.
EPOCHS = {"epoch_s": "Unix time in seconds", "epoch_ms": "Unix time in milliseconds"}
#: The moment of a run, or its date, moved by a duration.
_NOW = re.compile(rf"{MOMENT}(?P<by>[-+]P\w+)?(?P<date>\.date)?", re.ASCII)
#: A format of which all digits may be zeros.
_ZEROS = re.compile(r"(?:%[HMSfy]|%_ms)+")


@dataclass(frozen=True)
class Span:
    """A duration, and as it is written."""

    text: str
    duration: Duration


def called(name: str, arguments: t.Sequence[Value]) -> Value:
    """Return what a function gives; raises `UndecidedError`."""
    if name not in _MACROS:
        raise UndecidedError
    return _MACROS[name](*arguments)


def _format_datetime(value: Value, form: Value) -> Value:
    if not isinstance(form, str):
        raise UndecidedError
    if is_now(value):
        if value.placeholders[0].name.endswith(".date"):
            # It fails there.
            raise UndecidedError
        return _now_as(value, form)
    part = sole_part(value)
    if isinstance(part, Placeholder) and part.is_parents:
        return _time_of_row(part, form)
    if not are_known(value):
        return with_notation(value, f"a time as `{form}`", form=form)
    try:
        moment = parse_iso(str(value))
        written = None if moment is None else TimeFormat(form).write(moment)
    except TimeFormatError:
        raise UndecidedError from None
    if written is None:
        raise UndecidedError
    return str(written)


def _time_of_row(part: Placeholder, form: str) -> Value:
    """Return a time of a row in a format; raises `UndecidedError`."""
    written = replace(part, form=form, is_moment=False)
    # Zeros alone would be the number 0 there.
    if part.form or part.is_quoted or not form.startswith("%") or _ZEROS.fullmatch(form):
        raise UndecidedError
    try:
        parsed = parse_template(f"{{{written.full_name}}}", of_row=part.is_rows)
    except TemplateError:
        raise UndecidedError from None
    if not isinstance(parsed, Template) or parsed.sole != written.full_name:
        raise UndecidedError
    return Later((written,), is_set=True)


def _str_to_datetime(value: Value) -> Value:
    part = value.sole if isinstance(value, Later) else None
    if not isinstance(part, Placeholder) or not part.is_rows or part.form:
        raise UndecidedError
    return Later((replace(part, is_moment=True),), is_set=True)


def _timestamp(value: Value) -> Value:
    if not are_known(value):
        return with_notation(value, EPOCHS["epoch_s"], form="epoch_s")
    if type(value) in {int, float}:
        return int(value)
    moment = parse_iso(str(value))
    if moment is None:
        raise UndecidedError
    return moment.timestamp()


def in_milliseconds(value: Value) -> Value:
    """Return Unix time in milliseconds for one in seconds; raises `UndecidedError`."""
    part = sole_part(value)
    if isinstance(part, Setting) and part.notation == EPOCHS["epoch_s"]:
        return replace(value, parts=(replace(part, notation=EPOCHS["epoch_ms"]),))
    if isinstance(part, Placeholder) and part.form == "epoch_s":
        return replace(value, parts=(replace(part, form="epoch_ms"),))
    raise UndecidedError


def quoted(value: Value) -> Value:
    """Return a value as part of a URL; a placeholder is quoted where it stands in a path."""
    part = sole_part(value)
    if isinstance(part, Placeholder):
        return replace(value, parts=(replace(part, is_quoted=True),))
    if not are_known(value):
        return with_notation(value, "quoted for a URL", form="")
    return quote_plus(str(value))


def is_now(value: Value) -> t.TypeGuard[Later]:
    """Whether a value is the moment of a run."""
    part = sole_part(value)
    return isinstance(part, Placeholder) and bool(_NOW.fullmatch(part.name))


def moment_as_text(value: Value) -> Value:
    """Return a value in which the moment of a run is as Python writes it."""
    if not isinstance(value, Later):
        return value
    return replace(value, parts=tuple(map(_moment_text, value.parts)))


def _moment_text(part: Part) -> Part:
    if not isinstance(part, Placeholder) or "." in part.name or not _NOW.fullmatch(part.name):
        return part
    return Placeholder(f"{part.name}.%Y-%m-%d %H:%M:%S.%f+00:00")


def moved(value: Later, kind: ast.operator, span: Value) -> Value:
    """Return the moment of a run, later or earlier by a duration; raises `UndecidedError`."""
    found = _NOW.fullmatch(value.placeholders[0].name)
    if not found or found["by"] or not isinstance(span, Span):
        raise UndecidedError
    if found["date"] and (span.duration.rest % timedelta(days=1)):
        raise UndecidedError
    signs = {ast.Add: "+", ast.Sub: "-"}
    if type(kind) not in signs:
        raise UndecidedError
    return _moment(f"{MOMENT}{signs[type(kind)]}{span.text}{found['date'] or ''}")


def _now_as(value: Later, form: Value) -> Value:
    """Return the moment of a run in a format."""
    if not isinstance(form, str) or "%" not in form:
        raise UndecidedError
    scope, _, is_date = value.placeholders[0].name.partition(".")
    form = _at_midnight(form) if is_date else form
    if "%" not in form:
        return form
    template = f"{{{scope}.{form}}}"
    try:
        parsed = parse_template(template)
    except TemplateError:
        raise UndecidedError from None
    if parsed == template:
        raise UndecidedError
    return _moment(template[1:-1])


def _at_midnight(form: str) -> str:
    """Return a format as a date has it."""
    if re.search(r"%[zZIpsT]|%ms", form):
        raise UndecidedError
    zeros = {"%H": "00", "%M": "00", "%S": "00", "%f": "000000", "%_ms": "000"}
    return re.sub("|".join(zeros), lambda found: zeros[found[0]], form)


def formatted(value: Value, form: Value) -> Value:
    """Return what `strftime` of a moment gives; raises `UndecidedError`."""
    if isinstance(value, Later) and value.bound:
        # The ends of an interval are texts.
        raise NothingError
    part = value.sole if isinstance(value, Later) else None
    if isinstance(part, Placeholder) and part.is_moment and isinstance(form, str):
        return _time_of_row(part, form)
    if not is_now(value):
        raise UndecidedError
    return _now_as(value, form)


def _day_delta(days: Value, form: Value = "%Y-%m-%dT%H:%M:%S.%f%z") -> Value:
    if type(days) is not int:
        raise UndecidedError
    by = f"{'+' if days > 0 else '-'}P{abs(days)}D" if days else ""
    return _now_as(_moment(f"{MOMENT}{by}"), form)


def _moment(name: str) -> Value:
    return Later((Placeholder(name),), is_set=True)


def _duration(text: Value) -> Span:
    found = Duration.parse(text) if isinstance(text, str) else None
    if found is None:
        raise UndecidedError
    return Span(t.cast("str", text), found)


_MACROS: dict[str, t.Callable[..., Value]] = {
    "format_datetime": _format_datetime,
    "str_to_datetime": _str_to_datetime,
    "timestamp": _timestamp,
    "sanitize_url": quoted,
    "now_utc": lambda: _moment(MOMENT),
    "today_utc": lambda: _moment(f"{MOMENT}.date"),
    "duration": _duration,
    "day_delta": _day_delta,
}
