"""Filters and methods of Jinja and of Airbyte's CDK, as far as they are exact."""

from __future__ import annotations

import json
import re
import typing as t

from tap_analytics.commands.importing.airbyte.jinja_macros import formatted, quoted
from tap_analytics.commands.importing.airbyte.jinja_times import as_integer, changed, is_time
from tap_analytics.commands.importing.airbyte.jinja_values import (
    LONGEST,
    Later,
    UndecidedError,
    Unset,
    Value,
    concatenated,
    or_empty,
    with_notation,
)

Arguments = t.Sequence[Value]

#: Filters of a list that don't look at its items.
_OF_ITEMS = {"join", "length", "list", "first", "last"}
#: Filters that give a value of a run as it is: it is sent as text, which holds a number already.
_UNCHANGED = {"string", "int"}
#: Methods and filters that only tidy up what a user has written: variables are taken as they are.
_TIDY = {"strip", "rstrip", "lstrip", "trim", "lower"}
#: Methods and filters that times have without their digits being known.
_OF_TIMES = {"split", "replace"}
_METHODS: dict[str, t.Callable[..., object]] = {
    "strip": str.strip,
    "lstrip": str.lstrip,
    "rstrip": str.rstrip,
    "lower": str.lower,
    "upper": str.upper,
    "title": str.title,
    "replace": str.replace,
    "split": str.split,
    "startswith": str.startswith,
    "endswith": str.endswith,
}
_FILTERS: dict[str, t.Callable[..., object]] = {
    "string": str,
    "int": lambda value, default=0: _integer(value, default),
    "trim": lambda value: str(value).strip(),
    "lower": lambda value: str(value).lower(),
    "upper": lambda value: str(value).upper(),
    "float": float,
    "length": len,
    "list": list,
    "first": lambda value: value[0],
    "last": lambda value: value[-1],
    "join": lambda value, between="": _joined(value, between),
    "tojson": json.dumps,
    "replace": lambda value, old, new: str(value).replace(old, new),
}


def filtered(name: str, value: Value, arguments: Arguments) -> Value:
    """Return a value through a filter; raises `UndecidedError`."""
    if name in {"default", "d"}:
        return _default(value, *arguments)
    if name == "urlencode":
        found = quoted(value)
        return found.replace("+", "%20").replace("%2F", "/") if isinstance(found, str) else found
    if name == "join" and isinstance(value, Later | Unset):
        between = str(arguments[0]) if arguments else ""
        return with_notation(value, f"with `{between}` between its values", form="")
    return _applied(_FILTERS, name, value, arguments)


def method(name: str, value: Value, arguments: Arguments) -> Value:
    """Return what a method of a text gives; raises `UndecidedError`."""
    if isinstance(value, str) and name == "join" and len(arguments) == 1:
        return filtered("join", arguments[0], [value])
    if name == "strftime" and len(arguments) == 1:
        return formatted(value, arguments[0])
    if not isinstance(value, str | Later | Unset):
        raise UndecidedError
    return _applied(_METHODS, name, value, arguments)


def _default(value: Value, default: Value = "", is_falsy: Value = False) -> Value:  # noqa: FBT002 - as in Jinja
    if isinstance(value, Unset) or (is_falsy is True and value in {None, "", 0}):
        return or_empty(value, default)
    if isinstance(value, Later) and value.is_set is None:
        raise UndecidedError
    return value


def _applied(
    known: t.Mapping[str, t.Callable[..., object]], name: str, value: Value, arguments: Arguments
) -> Value:
    if name not in known or any(isinstance(each, Later | Unset) for each in arguments):
        raise UndecidedError
    if isinstance(value, Unset):
        value = value.later
    if isinstance(value, Later):
        if is_time(value) and name in _OF_TIMES:
            return _of_time(known[name], value, arguments)
        is_setting = not value.placeholders
        if name == "int" and not is_setting:
            return as_integer(value)
        if (name in _UNCHANGED) or (is_setting and name in _TIDY):
            return value
        raise UndecidedError
    if name not in _OF_ITEMS and _holds_later(value):
        raise UndecidedError
    try:
        found = known[name](value, *arguments)
    except (TypeError, ValueError, LookupError):
        raise UndecidedError from None
    if len(str(found)) > LONGEST:
        raise UndecidedError
    return found


def _of_time(change: t.Callable[..., object], value: Later, arguments: Arguments) -> Value:
    if not all(
        isinstance(each, str) and re.fullmatch(r"[^\d\ue000-\uf8ff]*", each) for each in arguments
    ):
        raise UndecidedError
    return changed(value, lambda text: change(text, *arguments))


def _holds_later(value: Value) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    return isinstance(value, Later | Unset) or (
        isinstance(value, list | tuple) and any(map(_holds_later, value))
    )


def _joined(items: t.Iterable[Value], between: Value) -> Value:
    """Return items as one text, with another between them."""
    values = [each for item in items for each in (str(between), item)]
    return concatenated(values[1:])


def _integer(value: object, default: object) -> object:
    try:
        return int(t.cast("str", value))
    except (TypeError, ValueError):
        return default
