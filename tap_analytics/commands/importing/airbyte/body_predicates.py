"""Predicates of response filters as conditions of `response_actions`.

They look at `response`, the JSON body. What a text of JSONPath can't say exactly is an
`UndecidedError`.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace

from tap_analytics.commands.importing.airbyte.jinja_texts import sole_expression
from tap_analytics.commands.importing.airbyte.jinja_values import UndecidedError
from tap_analytics.commands.importing.airbyte.predicates import as_literal
from tap_analytics.commands.importing.airbyte.response_filters import Condition
from tap_analytics.commands.importing.loading import parse_python

_LONGEST = 2_000
_PLAIN = re.compile(r"[A-Za-z_]\w*", re.ASCII)
#: A phrase that JSON writes in one way only, and that is no key.
_PHRASE = re.compile(r"(?=.* )[^\"\\/\x00-\x1f\x7f-\U0010ffff]+")
_METHODS = {*dir({}), *dir("")}


@dataclass(frozen=True)
class _Member:
    """A member of the body; `is_safe` if it may be missing together with what it is in."""

    names: tuple[str | int, ...] = ()
    is_safe: bool = True
    default: object = None

    @property
    def path(self) -> str:
        """The path in JSONPath."""
        return "@" + "".join(
            f".{name}"
            if isinstance(name, str) and _PLAIN.fullmatch(name)
            else f"[{as_literal(name)}]"
            for name in self.names
        )

    @property
    def parent(self) -> _Member:
        """What it is a member of."""
        return replace(self, names=self.names[:-1])


def body_condition(text: str) -> Condition:
    """Return the condition for a predicate; raises `UndecidedError`."""
    source = sole_expression(text)
    if source is None or len(text) > _LONGEST:
        raise UndecidedError
    try:
        node = parse_python(" ".join(source.split()), mode="eval").body
        reader = _Reader()
        found = reader.read(node)
    except (SyntaxError, RecursionError):
        raise UndecidedError from None
    if reader.has_or and len(reader.parents) > 1:
        # A missing parent makes the whole predicate false in Jinja.
        raise UndecidedError
    return found


class _Reader:
    """Reads the nodes of one predicate."""

    def __init__(self) -> None:
        self.has_or = False
        self.parents: set[tuple[str | int, ...]] = set()

    def read(self, node: ast.expr) -> Condition:
        match node:
            case ast.BoolOp(op=ast.And(), values=values):
                return _all([self.read(each) for each in values])
            case ast.BoolOp(op=ast.Or(), values=values):
                self.has_or = True
                return _any([self.read(each) for each in values])
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return _not(self.read(operand))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self._compared(left, op, right)
        member = self._member(node)
        if member.default is not False:
            raise UndecidedError
        return Condition(filter=f"{member.path} == true")

    def _compared(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Condition:
        match op, left, right:
            case ast.Eq() | ast.NotEq(), _, _:
                found = self._equal(self._member(left), _constant(right))
                return found if isinstance(op, ast.Eq) else self._other(left, found)
            case ast.In(), _, ast.List(elts=items) | ast.Tuple(elts=items):
                member = self._member(left)
                return _any([self._equal(member, _constant(item)) for item in items])
            case ast.In() | ast.NotIn(), ast.Constant(value=str(text)), _:
                found = self._contained(text, self._member(right))
                return found if isinstance(op, ast.In) else _not(found)
        raise UndecidedError

    def _equal(self, member: _Member, value: object) -> Condition:
        if not isinstance(value, str | int | float) or member.default not in (None, {}):
            raise UndecidedError
        # Python's numbers 0 and 1 equal its booleans.
        same = (
            [value] if isinstance(value, str) or value not in (0, 1) else [int(value), bool(value)]
        )
        tests = [f"{member.path} == {as_literal(each)}" for each in same]
        return Condition(filter=tests[0] if len(tests) == 1 else f"({' || '.join(tests)})")

    def _other(self, node: ast.expr, equal: Condition) -> Condition:
        member, found = self._member(node), _not(equal)
        if member.is_safe:
            return found
        return _all([Condition(filter=member.parent.path), found])

    def _contained(self, text: str, member: _Member) -> Condition:
        """Return the condition of a key of the body, or of a phrase in one of its texts."""
        if not member.names:
            return Condition(filter=_Member((text,)).path)
        if not _PHRASE.fullmatch(text):
            # It may be a key as well.
            raise UndecidedError
        return Condition(content=text, filter=member.path)

    def _member(self, node: ast.expr) -> _Member:
        """Return the member of the body that a node names."""
        match node:
            case ast.Name(id="response"):
                return _Member()
            case ast.Attribute(value=value, attr=name) if name not in _METHODS:
                return self._below(value, name)
            case ast.Subscript(value=value, slice=ast.Constant(value=str() | int() as name)):
                return self._below(value, name)
            case ast.Call(
                func=ast.Attribute(value=value, attr="get"),
                args=[ast.Constant(value=str(name)), *rest],
            ) if len(rest) < 2:  # noqa: PLR2004 - a key and a default
                outer = self._member(value)
                is_safe = outer.default == {} or not outer.names
                default = _constant(rest[0]) if rest else None
                return _Member(
                    (*outer.names, name), is_safe=outer.is_safe and is_safe, default=default
                )
        raise UndecidedError

    def _below(self, node: ast.expr, name: str | int) -> _Member:
        outer = self._member(node)
        if outer.names:
            self.parents.add(outer.names)
        return _Member((*outer.names, name), is_safe=outer.is_safe and not outer.names)


def _constant(node: ast.expr) -> object:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id="false" | "true" as name):
            return name == "true"
        case ast.Dict(keys=[]):
            return {}
    raise UndecidedError


def _all(parts: list[Condition]) -> Condition:
    contents = [part.content for part in parts if part.content is not None]
    if len(contents) > 1:
        raise UndecidedError
    filters = [part.filter for part in parts if part.filter is not None]
    return Condition(
        content=contents[0] if contents else None,
        filter=" && ".join(filters) or None,
    )


def _any(parts: list[Condition]) -> Condition:
    if any(part.content is not None for part in parts):
        raise UndecidedError
    return Condition(filter=f"({' || '.join(_grouped(part) for part in parts)})")


def _not(part: Condition) -> Condition:
    if part.content is not None:
        raise UndecidedError
    return Condition(filter=f"!({part.filter})")


def _grouped(part: Condition) -> str:
    text = str(part.filter)
    return f"({text})" if " && " in text else text
