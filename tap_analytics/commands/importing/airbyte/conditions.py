"""Conditions of a `record_filter` as filter expressions of JSONPath."""

from __future__ import annotations

import ast
import functools
import re
import typing as t

from tap_analytics.commands.importing.airbyte.jinja_operations import NEGATED
from tap_analytics.commands.importing.airbyte.jinja_texts import sole_expression
from tap_analytics.commands.importing.airbyte.jinja_values import (
    Later,
    UndecidedError,
    Unset,
    Value,
)
from tap_analytics.commands.importing.airbyte.predicates import (
    Field,
    Outcome,
    any_of,
    conjunction,
    disjunction,
)
from tap_analytics.commands.importing.airbyte.request_scope import SLICES
from tap_analytics.commands.importing.loading import parse_python

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_analytics.commands.importing.airbyte.predicates import Formula

_ORDERED: dict[type[ast.cmpop], str] = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
#: Where a run begins, in an expression.
_START = re.compile(
    r"\b(?:stream_interval|stream_slice|stream_partition)\b.*\bstart_(?:time|date)\b"
)
#: What a condition names that depends on where a run begins.
INTERVALS = {*SLICES, "stream_state"}
_LONGEST = 2_000


def row_filter(text: str, value_of: Callable[[str], Value], *, cursor: str | None) -> Formula:
    """Return the filter expression for a condition; True where it keeps all rows.

    `value_of` gives the value of a text without fields of the row. `cursor` is the replication key:
    that it isn't before the start of a run needs no filter. Raises `UndecidedError` for what can't
    be said exactly.
    """
    source = sole_expression(text)
    if source is None:
        raise UndecidedError
    try:
        node = parse_python(source.strip(), mode="eval").body
        found = _Condition(value_of, cursor).shown(node)
    except (SyntaxError, RecursionError, TypeError, ValueError):
        raise UndecidedError from None
    kept = any_of(found.holds, found.keeps)
    if len(str(kept)) > _LONGEST:
        raise UndecidedError
    return kept


class _Condition:
    """Reads the nodes of one condition."""

    def __init__(self, value_of: Callable[[str], Value], cursor: str | None) -> None:
        self._value_of = value_of
        self._cursor = cursor

    def shown(self, node: ast.expr) -> Outcome:
        """Return the outcome of a whole condition, whose value is read as text."""
        match node:
            case ast.BoolOp(op=op, values=[*first, last]):
                found = self.shown(last)
                for each in reversed(first):
                    found = self._joined(each, found, is_or=isinstance(op, ast.Or))
                return found
            case ast.IfExp(test=test, body=body, orelse=other):
                chosen = self.outcome(test)
                return disjunction(
                    conjunction(chosen, self.shown(body)),
                    conjunction(chosen.inverse(), self.shown(other)),
                )
        field = self._field(node)
        if field is not None and not field.is_length:
            return field.shown()
        return Outcome.known(1) if self._is_start(node) else self.outcome(node)

    def _joined(self, node: ast.expr, second: Outcome, *, is_or: bool) -> Outcome:
        """Return the outcome of a part and of those behind it."""
        if not is_or:
            return second if self._is_start(node) else conjunction(self.outcome(node), second)
        found, shown = self.outcome(node), self.shown(node)
        behind = conjunction(found.inverse(), second)
        return Outcome(
            any_of(shown.holds, behind.holds),
            any_of(behind.fails),
            any_of(found.keeps, behind.keeps),
        )

    def outcome(self, node: ast.expr) -> Outcome:
        """Return the outcome of a part of a condition; raises `UndecidedError`."""
        if not _names(node) & {"record"}:
            value = self._value(node)
            return Outcome.known(not isinstance(value, Unset) and value)
        match node:
            case ast.BoolOp(op=op, values=values):
                join = disjunction if isinstance(op, ast.Or) else conjunction
                return functools.reduce(join, map(self.outcome, values))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self.outcome(operand).inverse()
            case ast.Compare(left=left, ops=[kind], comparators=[right]):
                return self._compared(left, kind, right)
        field = self._field(node)
        if field is None:
            raise UndecidedError
        return field.truth()

    def _compared(self, left: ast.expr, kind: ast.cmpop, right: ast.expr) -> Outcome:
        if isinstance(kind, ast.NotIn | ast.IsNot | ast.NotEq):
            return self._compared(left, NEGATED[type(kind)](), right).inverse()
        if isinstance(kind, ast.In):
            return self._member(left, right)
        field = self._field(left)
        if field is None:
            raise UndecidedError
        if isinstance(kind, ast.Is):
            name = right.id if isinstance(right, ast.Name) else ast.unparse(right)
            if name not in {"none", "None", "defined"}:
                raise UndecidedError
            return field.is_defined() if name == "defined" else field.is_none()
        value = self._value(right)
        if isinstance(kind, ast.Eq):
            return field.equals(_scalar(value))
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise UndecidedError
        return field.ordered(_ORDERED[type(kind)], value)

    def _member(self, left: ast.expr, right: ast.expr) -> Outcome:
        """Return the outcome of `in`: one of several values, or a member of an object."""
        if "record" not in _names(right):
            items = self._value(right)
            field = self._field(left)
            if isinstance(items, Unset):
                return Outcome.known(0)
            if field is None or not isinstance(items, list):
                raise UndecidedError
            return field.equals(*map(_scalar, items))
        name, holder = self._value(left), self._field(right)
        is_object = holder is not None and (not holder.path or holder.default == {})
        if holder is None or not is_object or not isinstance(name, str):
            raise UndecidedError
        inner = Field((*holder.path, name), holder.guard)
        odd = holder.uncounted if holder.path else False
        return Outcome(inner.exists, inner.is_defined().fails, odd).where(holder.guard)

    def _is_start(self, node: ast.expr) -> bool:
        """Whether a condition only says that a row isn't before the start of a run."""
        match node:
            case ast.Compare(left=left, ops=[ast.Gt() | ast.GtE()], comparators=[right]):
                field, names = self._field(left), _names(right)
                is_start = "stream_state" in names or bool(_START.search(ast.unparse(right)))
                is_cursor = field is not None and ".".join(field.path) == self._cursor
                return is_start and "record" not in names and is_cursor
        return False

    # --- values -----------------------------------------------------------------------------

    def _value(self, node: ast.expr) -> Value:
        """Return a value that doesn't depend on the row; raises `UndecidedError`."""
        value = self._value_of(f"{{{{ {ast.unparse(node)} }}}}")
        if isinstance(value, Later):
            raise UndecidedError
        return value

    def _field(self, node: ast.expr) -> Field | None:
        """Return the field of the row that an expression reaches; None for others."""
        match node:
            case ast.Name(id="record"):
                return Field(())
            case ast.Attribute(value=value, attr=name):
                base = self._field(value)
                return base and base.member(name)
            case ast.Subscript(value=value, slice=key) if "record" in _names(value):
                base, name = self._field(value), self._value(key)
                return base.member(name) if base and isinstance(name, str) else None
            case ast.Call(func=ast.Attribute(value=value, attr="get"), args=args, keywords=[]):
                return self._got(self._field(value), [self._value(each) for each in args])
        return self._derived(node)

    def _got(self, base: Field | None, args: list[Value]) -> Field | None:
        if base is None or not args or not isinstance(args[0], str):
            return None
        return base.got(args[0], args[1] if args[1:] else None)

    def _derived(self, node: ast.expr) -> Field | None:
        """Return a field with something in its place, or its length."""
        match node:
            case ast.BoolOp(op=ast.Or(), values=[value, ast.Dict(keys=[])]):
                base = self._field(value)
                return base and Field(base.path, base.guard, {}, is_object=True)
            case ast.BinOp(left=left, op=ast.BitOr(), right=ast.Name(id="length" | "count")):
                base = self._field(left)
                return base and base.length()
        return None


def _names(node: ast.AST) -> set[str]:
    """Return the variables in an expression."""
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _scalar(value: Value) -> str | float | bool | None:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise UndecidedError
