"""Filters of rows in Python, as filter expressions of JSONPath where they say exactly the same."""

from __future__ import annotations

import ast
import json
import re

_SIGNS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Is: "==",
    ast.IsNot: "!=",
}
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class _InexactError(Exception):
    """A part that has no exact counterpart."""


def filter_of(node: ast.expr) -> str | None:
    """Return the expression for a function of a row; None if none says the same."""
    if not isinstance(node, ast.Lambda) or len(node.args.args) != 1:
        return None
    try:
        return _condition(node.body, node.args.args[0].arg)
    except _InexactError:
        return None


def _condition(node: ast.expr, row: str) -> str:
    if isinstance(node, ast.BoolOp):
        sign = " && " if isinstance(node.op, ast.And) else " || "
        return f"({sign.join(_condition(each, row) for each in node.values)})"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return f"!({_condition(node.operand, row)})"
    if not isinstance(node, ast.Compare) or len(node.ops) != 1:
        # The truth of a value isn't its presence.
        raise _InexactError
    [compared], [right] = node.ops, node.comparators
    if isinstance(compared, (ast.In, ast.NotIn)):
        return _among(node.left, right, row, is_negative=isinstance(compared, ast.NotIn))
    if type(compared) not in _SIGNS:
        raise _InexactError
    return _compared(node.left, _SIGNS[type(compared)], right, row)


def _compared(left: ast.expr, sign: str, right: ast.expr, row: str) -> str:
    is_null = isinstance(right, ast.Constant) and right.value is None
    if not is_null:
        return f"{_operand(left, row)} {sign} {_operand(right, row)}"
    path = _path(left, row)
    if sign == "==":
        return f"(!{path} || {path} == null)"
    if sign != "!=":
        raise _InexactError
    return f"({path} && {path} != null)"


def _among(left: ast.expr, right: ast.expr, row: str, *, is_negative: bool) -> str:
    if not isinstance(right, (ast.List, ast.Tuple, ast.Set)) or not right.elts:
        raise _InexactError
    sign, joint = ("!=", " && ") if is_negative else ("==", " || ")
    return f"({joint.join(_compared(left, sign, each, row) for each in right.elts)})"


def _operand(node: ast.expr, row: str) -> str:
    value = node.value if isinstance(node, ast.Constant) else None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return f"-{_number(node.operand)}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        if not value.isprintable() or "\\" in value:
            raise _InexactError
        return json.dumps(value, ensure_ascii=False)
    return _number(node) if isinstance(node, ast.Constant) else _path(node, row)


def _number(node: ast.expr) -> str:
    value = node.value if isinstance(node, ast.Constant) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _InexactError
    return json.dumps(value)


def _path(node: ast.expr, row: str) -> str:
    """Return the path of `row["a"].get("b")`."""
    if isinstance(node, ast.Name) and node.id == row:
        return "@"
    key: ast.expr | None = None
    inner: ast.expr = node
    if isinstance(node, ast.Subscript):
        inner, key = node.value, node.slice
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        inner = node.func.value
        is_get = node.func.attr == "get" and len(node.args) == 1 and not node.keywords
        key = node.args[0] if is_get else None
    if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
        raise _InexactError
    before = _path(inner, row)
    plain = _NAME.fullmatch(key.value)
    return f"{before}.{key.value}" if plain else f"{before}[{json.dumps(key.value)}]"
