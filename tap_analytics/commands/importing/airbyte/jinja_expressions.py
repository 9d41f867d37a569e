"""Evaluates the expressions of Jinja, as far as their values are known before a run."""

from __future__ import annotations

import ast
import re
import typing as t
from dataclasses import dataclass, replace

from tap_analytics.commands.importing.airbyte.jinja_macros import called
from tap_analytics.commands.importing.airbyte.jinja_operations import (
    compared,
    computed,
    filtered,
    is_given,
    method,
    tested,
)
from tap_analytics.commands.importing.airbyte.jinja_times import changed, is_time
from tap_analytics.commands.importing.airbyte.jinja_values import (
    Later,
    Path,
    UndecidedError,
    Unset,
    Value,
    is_true,
    known_text,
    or_empty,
)
from tap_analytics.commands.importing.loading import parse_python

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.airbyte.jinja_values import Lookup

#: A text in quotes, or the operator that joins texts.
_JOINED = re.compile(r"'[^']*'|\"[^\"]*\"|~")
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
#: Constants of Jinja that are names in Python.
CONSTANTS = {"none": None, "true": True, "false": False}


@dataclass
class Expressions:
    """Evaluates expressions."""

    look_up: Lookup
    is_lenient: bool = False

    def value(self, source: str) -> Value:
        """Return the value of an expression."""
        joined = _JOINED.sub(lambda found: "@" if found[0] == "~" else found[0], source.strip())
        if joined != source.strip() and re.search(r"[*/%]", QUOTED.sub("", joined)):
            # Their order of precedence is another in Jinja.
            raise UndecidedError
        if " if " in joined and " else " not in joined:
            joined = f"{joined} else ''"
        try:
            return self._resolved(self._node(parse_python(f"({joined})", mode="eval").body))
        except (SyntaxError, TypeError, ValueError, LookupError, ArithmeticError):
            raise UndecidedError from None

    def _resolved(self, value: Value) -> Value:
        found = self.look_up(value) if isinstance(value, Path) else value
        if isinstance(value, Path) and value.is_none and isinstance(found, Unset):
            return replace(found, is_known=False)
        return found

    def _plain(self, node: ast.expr) -> Value:
        """Return the value of a part of an expression."""
        return known_text(self._resolved(self._node(node)))

    def _node(self, node: ast.expr) -> Value:
        """Return the value of a node; paths aren't looked up yet."""
        found: Value = None
        match node:
            case ast.Constant(value=value):
                found = value
            case ast.Name(id=name):
                found = CONSTANTS[name] if name in CONSTANTS else Path(name)
            case ast.List(elts=items) | ast.Tuple(elts=items):
                found = [self._plain(each) for each in items]
            case ast.Dict(keys=keys, values=values) if all(keys):
                pairs = zip(t.cast("list[ast.expr]", keys), values, strict=True)
                found = {self._plain(key): self._plain(value) for key, value in pairs}
            case ast.Attribute(value=value, attr=name):
                found = self._member(self._node(value), name)
            case ast.Subscript(value=value, slice=ast.Slice() as span):
                found = self._slice(self._plain(value), span)
            case ast.Subscript(value=value, slice=key):
                found = self._member(self._node(value), self._plain(key))
            case ast.Call():
                found = self._called(node)
            case _:
                found = self._operation(node)
        return found

    def _operation(self, node: ast.expr) -> Value:
        found: Value = None
        match node:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                found = not is_true(self._plain(operand))
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(value))):
                found = -value
            case ast.BoolOp(op=choice, values=values):
                found = self._chosen(values, is_or=isinstance(choice, ast.Or))
            case ast.IfExp(test=test, body=body, orelse=other) if self._meets(test):
                found = self._plain(body)
            case ast.IfExp(test=test, body=body, orelse=other):
                given = self._plain(test) if ast.dump(test) == ast.dump(body) else None
                found = or_empty(given, self._plain(other))
            case ast.Compare(left=left, ops=[kind], comparators=[right]):
                found = self._compared(left, kind, right)
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                found = self._filtered(node, left, right)
            case ast.BinOp(left=left, op=operation, right=right):
                found = computed(self._plain(left), operation, self._plain(right))
            case _:
                raise UndecidedError
        return found

    def _member(self, base: Value, key: Value) -> Value:
        if isinstance(base, Path):
            return Path(base.root, (*base.names, str(key)))
        if isinstance(base, dict):
            return base.get(key, Unset())
        if isinstance(base, list | str) and isinstance(key, int):
            return base[key]
        raise UndecidedError

    def _slice(self, base: Value, span: ast.Slice) -> Value:
        ends = [None if end is None else self._plain(end) for end in (span.lower, span.upper)]
        if span.step is not None or not (isinstance(base, list | str) or is_time(base)):
            raise UndecidedError
        if isinstance(base, Later):
            return changed(base, lambda text: text[slice(*ends)])
        return base[slice(*ends)]

    def _meets(self, test: ast.expr) -> bool:
        try:
            return is_true(self._plain(test))
        except UndecidedError:
            if self.is_lenient:
                return True
            raise

    def _chosen(self, nodes: list[ast.expr], *, is_or: bool) -> Value:
        """Return what `or` and `and` give."""
        *first, last = nodes
        for node in first:
            value = self._plain(node)
            if self.is_lenient and isinstance(value, Later):
                return value
            if is_true(value) == is_or:
                return value
        found = self._plain(last)
        return or_empty(self._plain(first[-1]), found) if is_or else found

    def _compared(self, left: ast.expr, kind: ast.cmpop, right: ast.expr) -> bool:
        if isinstance(kind, ast.Is | ast.IsNot):
            is_none = isinstance(right, ast.Constant) and right.value is None
            name = right.id if isinstance(right, ast.Name) else "none" if is_none else None
            return tested(self._plain(left), name) == isinstance(kind, ast.Is)
        items = self._node(right)
        if isinstance(items, Path) and isinstance(kind, ast.In | ast.NotIn):
            member = self._resolved(self._member(items, self._plain(left)))
            return is_given(member) == isinstance(kind, ast.In)
        return compared(self._plain(left), kind, known_text(self._resolved(items)))

    def _filtered(self, node: ast.expr, left: ast.expr, right: ast.expr) -> Value:
        is_first = (left.lineno, left.col_offset) == (node.lineno, node.col_offset)
        is_bare = is_first and isinstance(left, ast.BinOp | ast.UnaryOp)
        if is_bare and not (isinstance(left, ast.BinOp) and isinstance(left.op, ast.BitOr)):
            # A filter binds closer than an operator in Jinja.
            raise UndecidedError
        name = right.func if isinstance(right, ast.Call) else right
        given = right.args if isinstance(right, ast.Call) else []
        if not isinstance(name, ast.Name) or (isinstance(right, ast.Call) and right.keywords):
            raise UndecidedError
        return filtered(name.id, self._plain(left), [self._plain(each) for each in given])

    # --- calls ------------------------------------------------------------------------------

    def _called(self, node: ast.Call) -> Value:
        # The only named one of a function is its last: the format.
        if any(each.arg != "format" for each in node.keywords):
            raise UndecidedError
        arguments = [self._plain(each) for each in node.args]
        arguments += [self._plain(each.value) for each in node.keywords]
        if isinstance(node.func, ast.Name):
            return called(node.func.id, arguments)
        if not isinstance(node.func, ast.Attribute):
            raise UndecidedError
        name, base = node.func.attr, self._node(node.func.value)
        if name == "get" and arguments:
            return self._got(base, arguments[0], *arguments[1:])
        return method(name, known_text(self._resolved(base)), arguments)

    def _got(self, base: Value, key: Value, default: Value = None) -> Value:
        if isinstance(base, dict):
            return base.get(key, default)
        member = self._member(base, key)
        if default in ({}, None):
            return replace(member, is_none=True) if isinstance(member, Path) else member
        value = self._resolved(member)
        return or_empty(value, default) if isinstance(value, Unset) else value
