"""Operators and tests of Jinja."""

from __future__ import annotations

import ast
import operator
import typing as t

from tap_analytics.commands.importing.airbyte.jinja_macros import in_milliseconds, is_now, moved
from tap_analytics.commands.importing.airbyte.jinja_values import (
    Later,
    UndecidedError,
    Unset,
    Value,
    concatenated,
    is_true,
)

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
_COMPUTED: dict[type[ast.operator], t.Callable[[t.Any, t.Any], t.Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
}


_MILLI = 1000


def compared(first: Value, kind: ast.cmpop, second: Value) -> bool:
    """Compare two values; raises `UndecidedError`."""
    if not any(isinstance(each, Later | Unset) for each in (first, second)):
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
    if any(isinstance(each, Later | Unset) for each in (first, second)):
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
