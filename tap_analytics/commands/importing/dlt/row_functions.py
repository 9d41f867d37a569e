"""Functions of rows in Python, as processing steps where these say exactly the same.

A filter is one where an expression of JSONPath is equal to it, a change of rows where it sets
fields to constants or to other fields, and removes fields.
"""

from __future__ import annotations

import ast
import json
import re
import typing as t

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.loading import JsonValue, Object

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
#: What Python takes for equal, and JSONPath doesn't.
_TWINS = {"0": "false", "1": "true", "false": "0", "true": "1"}
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class _InexactError(Exception):
    """A part that has no exact counterpart."""


def filter_of(node: ast.AST) -> str | None:
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
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "bool" and len(node.args) == 1:
        [node] = node.args
    if not isinstance(node, ast.Compare):
        path = _path(node, row)
        return f"({path} == true || {path} < 0 || {path} > 0 || length({path}) > 0)"
    if len(node.ops) != 1:
        raise _InexactError
    [compared], [right] = node.ops, node.comparators
    if isinstance(compared, (ast.In, ast.NotIn)):
        return _among(node.left, right, row, is_negative=isinstance(compared, ast.NotIn))
    if type(compared) not in _SIGNS:
        raise _InexactError
    is_same = isinstance(compared, (ast.Is, ast.IsNot))
    return _compared(node.left, _SIGNS[type(compared)], right, row, is_same=is_same)


def _compared(
    left: ast.expr, sign: str, right: ast.expr, row: str, *, is_same: bool = False
) -> str:
    is_null = isinstance(right, ast.Constant) and right.value is None
    if not is_null:
        operands = [_operand(left, row), _operand(right, row)]
        twins = [_TWINS.get(each, each) for each in operands]
        parts = dict.fromkeys(f"{one} {sign} {other}" for one, other in (operands, twins))
        joint = " && " if sign == "!=" else " || "
        is_whole = sign in {"==", "!="} and len(parts) > 1 and not is_same
        return f"({joint.join(parts)})" if is_whole else f"{operands[0]} {sign} {operands[1]}"
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


# --- changes ----------------------------------------------------------------------------------


def steps_of(node: ast.AST) -> list[Object] | None:
    """Return the steps for a function that changes a row; None if they can't say the same."""
    try:
        if isinstance(node, ast.Lambda) and len(node.args.args) == 1:
            return _of_display(node.body, node.args.args[0].arg)
        if isinstance(node, ast.FunctionDef) and len(node.args.args) == 1:
            return _of_statements(node.body, node.args.args[0].arg)
    except _InexactError:
        pass
    return None


def _of_display(node: ast.expr, row: str) -> list[Object]:
    """Read `{**row, "a": 1}`."""
    if not isinstance(node, ast.Dict) or not node.keys or node.keys[0] is not None:
        raise _InexactError
    if not _is_name(node.values[0], row):
        raise _InexactError
    pairs = zip(node.keys[1:], node.values[1:], strict=True)
    return [{"add_fields": {_text(key): _added(value, row) for key, value in pairs}}]


def _of_statements(body: list[ast.stmt], row: str) -> list[Object]:
    """Read `row["a"] = 1`, `del row["a"]` and `row.pop("a", None)`, up to `return row`."""
    *statements, last = body
    if not isinstance(last, ast.Return) or last.value is None or not _is_name(last.value, row):
        raise _InexactError
    steps: list[Object] = []
    for each in statements:
        value = each.value if isinstance(each, (ast.Assign, ast.Expr)) else None
        if isinstance(each, ast.Expr) and isinstance(value, ast.Constant):
            # The docstring.
            continue
        if isinstance(each, ast.Assign) and len(each.targets) == 1:
            steps.append({"add_fields": {_member(each.targets[0], row): _added(each.value, row)}})
        elif isinstance(each, ast.Delete):
            steps.append({"remove_fields": [_member(one, row) for one in each.targets]})
        elif isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
            if value.func.attr != "pop" or not _is_name(value.func.value, row) or not value.args:
                raise _InexactError
            steps.append({"remove_fields": [_text(value.args[0])]})
        else:
            raise _InexactError
    return steps


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _member(node: ast.expr, row: str) -> str:
    """Return the key of `row["a"]`."""
    if not isinstance(node, ast.Subscript) or not _is_name(node.value, row):
        raise _InexactError
    return _text(node.slice)


def _text(node: ast.expr | None) -> str:
    value = node.value if isinstance(node, ast.Constant) else None
    # A path with dots would be that of a nested field.
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise _InexactError
    return value


def _added(node: ast.expr, row: str) -> JsonValue:
    """Return a constant, or the placeholder of a field."""
    if isinstance(node, ast.Constant) and isinstance(node.value, (str, int, float, type(None))):
        if set("{}$") & set(str(node.value)):
            raise _InexactError
        return node.value
    path = _path(node, row).removeprefix("@.")
    if not all(map(_NAME.fullmatch, path.split("."))):
        raise _InexactError
    return f"{{record.{path}}}"
