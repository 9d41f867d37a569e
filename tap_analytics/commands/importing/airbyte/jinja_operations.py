"""Filters, methods, operators and tests of Jinja and Airbyte's CDK, as far as they are exact."""

from __future__ import annotations

import ast
import json
import operator
import re
import typing as t

from tap_analytics.commands.importing.airbyte.jinja_macros import (
    formatted,
    in_milliseconds,
    is_now,
    moved,
    quoted,
)
from tap_analytics.commands.importing.airbyte.jinja_times import as_integer, changed, is_time
from tap_analytics.commands.importing.airbyte.jinja_values import (
    LONGEST,
    Later,
    Placeholder,
    UndecidedError,
    Unset,
    Value,
    are_known,
    concatenated,
    is_true,
    laters_in,
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
_COMPARED: dict[type[ast.cmpop], t.Callable[[t.Any, t.Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, items: item in items,
    ast.NotIn: lambda item, items: item not in items,
}
#: Comparisons that hold where another one doesn't.
NEGATED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.Is: ast.IsNot,
    ast.In: ast.NotIn,
    ast.Lt: ast.GtE,
    ast.Gt: ast.LtE,
}
NEGATED |= {after: before for before, after in NEGATED.items()}
_COMPUTED: dict[type[ast.operator], t.Callable[[t.Any, t.Any], t.Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
}
_MILLI = 1000


# --- filters and methods --------------------------------------------------------------------------


def filtered(name: str, value: Value, arguments: Arguments) -> Value:
    """Return a value through a filter; raises `UndecidedError`."""
    if name in {"default", "d"}:
        return _default(value, *arguments)
    if name == "urlencode":
        found = quoted(value)
        return found.replace("+", "%20").replace("%2F", "/") if isinstance(found, str) else found
    if name == "join" and not are_known(value):
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
    if name not in known or not are_known(*arguments):
        raise UndecidedError
    if isinstance(value, Unset):
        value = value.later
    if isinstance(value, Later):
        return _of_later(known, name, value, arguments)
    if name not in _OF_ITEMS and any(laters_in(value)):
        raise UndecidedError
    try:
        found = known[name](value, *arguments)
    except (TypeError, ValueError, LookupError):
        raise UndecidedError from None
    if len(str(found)) > LONGEST:
        raise UndecidedError
    return found


def _of_later(
    known: t.Mapping[str, t.Callable[..., object]], name: str, value: Later, arguments: Arguments
) -> Value:
    if is_time(value) and name in _OF_TIMES:
        return _of_time(known[name], value, arguments)
    if name == "split" and (pieces := _taken_apart(value, arguments)):
        return pieces
    is_setting = not value.placeholders
    if name == "int" and not is_setting:
        return as_integer(value)
    if (name in _UNCHANGED and not is_moment(value)) or (is_setting and name in _TIDY):
        return value
    raise UndecidedError


def is_moment(value: Later) -> bool:
    """Whether a value is a moment, of which there is no text yet."""
    return any(each.is_moment for each in value.placeholders)


def _of_time(change: t.Callable[..., object], value: Later, arguments: Arguments) -> Value:
    if not all(
        isinstance(each, str) and re.fullmatch(r"[^\d\ue000-\uf8ff]*", each) for each in arguments
    ):
        raise UndecidedError
    return changed(value, lambda text: change(text, *arguments))


def _taken_apart(value: Later, arguments: Arguments) -> list[Value]:
    """Return the parts of a text that is put together with a separator between them."""
    part, pieces = value.sole, t.cast("list[list[Value]]", [[]])
    separator = arguments[0] if len(arguments) == 1 else None
    if not isinstance(part, Placeholder) or not isinstance(separator, str) or not separator:
        return []
    for each in part.joined:
        if not isinstance(each, str):
            pieces[-1].append(Later((each,)))
            continue
        first, *others = each.split(separator)
        pieces[-1].append(first)
        pieces += [[other] for other in others]
    return [concatenated(piece) for piece in pieces] if len(pieces) > 1 else []


def _joined(items: t.Iterable[Value], between: Value) -> Value:
    """Return items as one text, with another between them."""
    values = [each for item in items for each in (str(between), item)]
    return concatenated(values[1:])


def _integer(value: object, default: object) -> object:
    try:
        return int(t.cast("str", value))
    except (TypeError, ValueError):
        return default


# --- operators and tests --------------------------------------------------------------------------


def compared(first: Value, kind: ast.cmpop, second: Value) -> bool:
    """Compare two values; raises `UndecidedError`."""
    if are_known(first, second):
        return bool(_COMPARED[type(kind)](first, second))
    is_equal = _is_equal(first, second)
    if isinstance(kind, ast.Eq | ast.NotEq) and is_equal is not None:
        return is_equal == isinstance(kind, ast.Eq)
    raise UndecidedError


def _is_equal(first: Value, second: Value) -> bool | None:
    """Whether a value that isn't known equals one that is; None if that is unknown."""
    value, other = (first, second) if isinstance(first, Later | Unset) else (second, first)
    if isinstance(other, Later | Unset):
        return None
    if isinstance(value, Unset):
        return None if other is None else False
    return False if other in ("", None) and value.is_set else None


def tested(value: Value, name: str | None) -> bool:
    """Return whether a value passes `is NAME`; raises `UndecidedError`."""
    if is_given(value):
        known = {"defined": True, "undefined": False}
        known |= {"none": value is None, "string": isinstance(value, str)}
        if name in known and (name != "string" or not isinstance(value, Later)):
            return known[name]
    elif name in {"defined", "undefined"}:
        return name == "undefined"
    raise UndecidedError


def is_given(value: Value) -> bool:
    """Whether there is a value; raises `UndecidedError` if that is unknown."""
    if isinstance(value, Later):
        return is_true(value)
    return not isinstance(value, Unset)


def computed(first: Value, kind: ast.operator, second: Value) -> Value:
    """Return what an operator gives; `@` stands for the one that joins texts."""
    if isinstance(kind, ast.MatMult):
        return concatenated([first, second])
    is_sum = isinstance(kind, ast.Add)
    if is_now(first):
        return moved(first, kind, second)
    if isinstance(kind, ast.Mult) and second == _MILLI and isinstance(first, Later):
        return in_milliseconds(first)
    if isinstance(kind, ast.Mod) and isinstance(first, str) and isinstance(second, str):
        return _inserted(first, second)
    if not are_known(first, second):
        if is_sum and all(map(_is_text, (first, second))):
            return concatenated([first, second])
        raise UndecidedError
    numbers = all(type(each) in {int, float} for each in (first, second))
    alike = type(first) is type(second) and isinstance(first, str | list)
    if type(kind) not in _COMPUTED or not (numbers or (is_sum and alike)):
        raise UndecidedError
    return _COMPUTED[type(kind)](first, second)


def _is_text(value: Value) -> bool:
    if isinstance(value, Unset):
        value = value.later
    is_list = isinstance(value, Later) and any(each.is_list for each in value.settings)
    return isinstance(value, str | Later) and not is_list


def _inserted(text: str, value: str) -> str:
    """Return a text with a value in the place of `%s`."""
    before, mark, after = text.partition("%s")
    if not mark or "%" in before + after:
        raise UndecidedError
    return before + value + after
