"""Values computed from read ones: operators, methods of texts and dicts, and changes in place."""

from __future__ import annotations

import ast
import copy
import operator
import string
import typing as t

from tap_analytics.commands.importing.loading import JsonValue, mapped
from tap_analytics.commands.importing.unread import UNPACKED, Unread
from tap_analytics.errors import InputError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


#: Returned for what can't be computed.
OMITTED: t.Final = object()
MOST_TEXT = 100_000
_MOST_BITS = 64
_NUMBERS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}
_COMPARED: dict[type[ast.cmpop], Callable[[t.Any, t.Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.In: lambda value, among: value in among,
    ast.NotIn: lambda value, among: value not in among,
    ast.Is: lambda one, other: one is other,
    ast.IsNot: lambda one, other: one is not other,
}
#: Methods of texts, by the number of their arguments.
_OF_TEXT: dict[str, Callable[..., str]] = {
    "lower/0": str.lower,
    "upper/0": str.upper,
    "title/0": str.title,
    "strip/0": str.strip,
    "lstrip/0": str.lstrip,
    "rstrip/0": str.rstrip,
    "strip/1": str.strip,
    "lstrip/1": str.lstrip,
    "rstrip/1": str.rstrip,
    "removeprefix/1": str.removeprefix,
    "removesuffix/1": str.removesuffix,
    "replace/2": lambda text, old, new: text.replace(old, new) if old else text,
}
_OF_DICT: dict[str, Callable[..., t.Any]] = {
    "copy/0": lambda value: value,
    "get/1": lambda value, key: value.get(key),
    "get/2": lambda value, key, default: value.get(key, default),
    "items/0": lambda value: [[key, inner] for key, inner in value.items()],
    "keys/0": list,
    "values/0": lambda value: [*value.values()],
}


def bounded(text: str) -> str:
    """Return a text; raises `InputError` for a very long one."""
    if len(text) > MOST_TEXT:
        raise InputError(
            f"The dict has a text of more than {MOST_TEXT} characters. Write a shorter one."
        )
    return text


def combined(sign: ast.operator, left: JsonValue, right: JsonValue) -> object:
    """Return the result of a binary operator."""
    if isinstance(sign, ast.Add) and isinstance(left, str) and isinstance(right, str):
        return bounded(left + right)
    if isinstance(sign, ast.Add) and isinstance(left, list) and isinstance(right, list):
        return left + right
    if isinstance(sign, ast.BitOr) and isinstance(left, dict) and isinstance(right, dict):
        return {**left, **right}
    if type(left) is int and type(right) is int and type(sign) in _NUMBERS:
        number = _NUMBERS[type(sign)](left, right)
        return number if number.bit_length() <= _MOST_BITS else OMITTED
    return OMITTED


def holds(signs: Sequence[ast.cmpop], values: Sequence[t.Any]) -> bool | None:
    """Return whether a value counts as true, or a comparison; None for one that isn't known."""
    if not signs:
        return bool(values[0])
    if len(signs) > 1 or type(signs[0]) not in _COMPARED:
        return None
    try:
        return bool(_COMPARED[type(signs[0])](*values))
    except TypeError:
        return None


def is_scalar(value: object) -> bool:
    """Whether a value can be put into a text."""
    return not isinstance(value, bool) and isinstance(value, str | int | float)


def of_method(
    name: str, value: object, arguments: Sequence[t.Any], words: Mapping[str, object]
) -> object:
    """Return the result of a method without side effects."""
    called = f"{name}/{len(arguments)}"
    if isinstance(value, str):
        if name == "format":
            return _formatted(value, arguments, words)
        if called == "join/1":
            return _joined(value, arguments[0])
        # The value of a variable isn't known.
        is_known = "$" not in value and all(isinstance(each, str) for each in arguments)
        if called in _OF_TEXT and is_known:
            return bounded(_OF_TEXT[called](value, *arguments))
    is_key = not arguments or isinstance(arguments[0], str)
    if isinstance(value, dict) and called in _OF_DICT and is_key:
        return _OF_DICT[called](value, *arguments)
    return OMITTED


def _joined(text: str, parts: object) -> object:
    if isinstance(parts, list) and all(isinstance(each, str) for each in parts):
        return bounded(text.join(parts))
    return OMITTED


def _formatted(text: str, arguments: Sequence[object], words: Mapping[str, object]) -> object:
    """Return what `format` makes of a text, without formats and conversions."""
    made, number = "", 0
    known = {**words, **{str(index): each for index, each in enumerate(arguments)}}
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError:
        return OMITTED
    for literal, name, form, conversion in parts:
        found = known.get(name or str(number)) if name is not None else ""
        if form or conversion or not is_scalar(found):
            return OMITTED
        number += name == ""
        made = bounded(f"{made}{literal}{found}")
    return made


# --- statements -------------------------------------------------------------------------------


def changed(base: JsonValue, keys: Sequence[JsonValue], method: str, value: JsonValue) -> bool:
    """Change a value in place, at each item of a list for the key `...`; whether it was read."""
    outer, last = (keys[:-1], keys[-1]) if method == "set" else (keys, None)
    for place, key in enumerate(outer, 1):
        if key is ...:
            items = base if isinstance(base, list) else [None]
            return all(changed(each, keys[place:], method, copied(value)) for each in items)
        if not _has(base, key):
            return False
        base = base[key]
    match method, base, value:
        case "set", dict(), _ if isinstance(last, str):
            base[last] = value
        case "set", list(), _ if isinstance(last, int) and _has(base, last):
            base[last] = value
        case "append", list(), _:
            base.append(value)
        case "extend", list(), list():
            base.extend(value)
        case "update", dict(), dict():
            base.update(value)
        case _:
            return False
    return True


def _has(base: JsonValue, key: JsonValue) -> bool:
    if isinstance(base, list) and isinstance(key, int):
        return -len(base) <= key < len(base)
    return isinstance(base, dict) and isinstance(key, str) and key in base


def marked(base: JsonValue, keys: Sequence[JsonValue], mark: Unread) -> JsonValue:
    """Return a value, changed in place, with a mark for what was changed and can't be read."""
    if not keys and isinstance(base, list):
        base.append(mark)
    elif keys and _has(base, keys[0]):
        base[keys[0]] = marked(base[keys[0]], keys[1:], mark)
    elif isinstance(base, dict):
        base[keys[0] if keys and isinstance(keys[0], str) else UNPACKED] = mark
    else:
        return mark
    return base


def copied(value: JsonValue) -> JsonValue:
    """Return a copy of lists and dicts; what can't be read is shared."""
    return mapped(value, copy.copy)
