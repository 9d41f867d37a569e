"""Texts of times whose format is known: their parts are times in other formats."""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace

from tap_analytics.commands.importing.airbyte.jinja_values import (
    Later,
    Placeholder,
    UndecidedError,
    Value,
    concatenated,
    sole_part,
)
from tap_analytics.config.declarations.templates import MOMENT, START
from tap_analytics.records.time_format import TimeFormat, TimeFormatError

if t.TYPE_CHECKING:
    from collections.abc import Callable

#: Directives that write digits, and how many.
_WIDTHS = {
    "%Y": 4,
    "%f": 6,
    **dict.fromkeys(("%_ms", "%j"), 3),
    **dict.fromkeys(("%m", "%d", "%H", "%M", "%S", "%y", "%I"), 2),
}
#: What others write, for times are in UTC.
_SAME = {"%T": "%H:%M:%S", "%F": "%Y-%m-%d", "%z": "+0000", "%Z": "UTC"}
#: Parts of what a directive writes, by their first and last digit.
_PARTS = {("%f", 0, 2): "%_ms", ("%Y", 2, 3): "%y"}
_NAMES = list(_WIDTHS)
#: A digit of a directive, in a text that stands for what is written.
_FIRST, _SPAN = 0xE000, 8
_DIGIT = re.compile("[\ue000-\ue0ff]")
#: Patterns of parts of times that stay what they are in any part of a request.
_PLAIN = re.compile(r"%[Yymd](?:[-._]?%[Yymd])*")
_DIRECTIVE = re.compile(r"%(?:_ms|.)", re.DOTALL)


def is_time(value: Value) -> bool:
    """Whether a value is a text of a time, of which parts can be taken."""
    return _time_in(value) is not None


def changed(value: Value, change: Callable[[str], t.Any]) -> Value:
    """Return what a function makes of the text of a time: a text, or a list of some.

    The function gets a text in which private characters are in the place of digits.
    """
    time = _time_in(value)
    if time is None or _DIGIT.search(time[1]):
        raise UndecidedError
    part, form = time
    found = change(_DIRECTIVE.sub(_digits, _DIRECTIVE.sub(lambda d: _SAME.get(d[0], d[0]), form)))
    if isinstance(found, list):
        return [_read(part, each) for each in found]
    return _read(part, found)


def as_integer(value: Value) -> Value:
    """Return the text of a time as a number; raises `UndecidedError` where it is none."""
    time = _time_in(value)
    if time is None or re.fullmatch(r"%s|%ms|epoch_m?s|%Y(%\w)*", time[1]):
        return value
    part, form = time
    if part.name == START and form in {"%m", "%d"}:
        return replace(value, parts=(replace(part, form=f"%-{form[1]}", is_part=True),))
    raise UndecidedError


def _time_in(value: Value) -> tuple[Placeholder, str] | None:
    """Return a time and its format; None for other values."""
    part = sole_part(value)
    if not isinstance(part, Placeholder):
        return None
    is_moment = part.name.startswith(MOMENT) and "%" in part.name
    form = part.name.partition(".")[2] if is_moment else part.form or part.written
    return None if form is None else (part, form)


def _digits(found: re.Match[str]) -> str:
    if found[0] == "%%":
        return "%"
    if found[0] not in _WIDTHS:
        raise UndecidedError
    first = _FIRST + _SPAN * _NAMES.index(found[0])
    return "".join(chr(first + at) for at in range(_WIDTHS[found[0]]))


def _read(part: Placeholder, text: str) -> Value:
    """Return a text with private characters as a value."""
    found = _DIGIT.search(text)
    if found is None:
        return text
    end = max(each.end() for each in _DIGIT.finditer(text))
    form, at = "", found.start()
    while at < end:
        piece, at = _directive(text, at)
        form += piece
    before, after = text[: found.start()], text[end:]
    return concatenated([before, Later((_written(part, form),), is_set=True), after])


def _directive(text: str, at: int) -> tuple[str, int]:
    """Return what writes the character at a place, and the next place."""
    if not _DIGIT.match(text, at):
        return text[at].replace("%", "%%"), at + 1
    index, first = divmod(ord(text[at]) - _FIRST, _SPAN)
    name, end = _NAMES[index], at + 1
    while text[end : end + 1] == chr(ord(text[end - 1]) + 1) and first + end - at < _WIDTHS[name]:
        end += 1
    last = first + end - at - 1
    if (first, last) != (0, _WIDTHS[name] - 1):
        name = _PARTS.get((name, first, last), "")
    if not name:
        raise UndecidedError
    return name, end


def _written(part: Placeholder, form: str) -> Placeholder:
    try:
        TimeFormat(form)
    except TimeFormatError:
        if part.name != START or not _PLAIN.fullmatch(form):
            raise UndecidedError from None
        return replace(part, form=form, is_part=True)
    if part.name.startswith(MOMENT):
        return replace(part, name=f"{part.name.partition('.')[0]}.{form}")
    return replace(part, form=form)
