"""Read the condition that ends paging in a manifest: where it can be declared, and where not.

The tap ends where no cursor comes, which is later than a condition may say. A condition may be left
out if it is about the end of the list, because then only further pages are asked for; one that
ends reading before that can't be.
"""

from __future__ import annotations

import ast
import functools
import operator
from dataclasses import dataclass, replace

from tap_analytics.commands.importing.airbyte.jinja_operations import NEGATED
from tap_analytics.commands.importing.airbyte.page_expressions import (
    Member,
    constant,
    filter_of,
    may_be_something,
    member,
)
from tap_analytics.commands.importing.notes import UnsupportedError
from tap_analytics.pagination.strategies.metadata import truth

#: Names of members that count the rows of a page.
_COUNTS = {"count", "total", "size", "length", "num", "results"}
_PAGE_SIZE = "last_page_size"
_SWAPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.Gt,
    ast.Gt: ast.Lt,
    ast.LtE: ast.GtE,
    ast.GtE: ast.LtE,
}
_EQUAL = (ast.Eq, ast.Is)
_TYPES = {"string", "number", "mapping", "iterable", "sequence"}
_SMALLER = (ast.Lt, ast.LtE)
_REACHED = (ast.Gt, ast.GtE, ast.Eq)


@dataclass(frozen=True)
class Ending:
    """Where reading ends besides a page without a cursor."""

    #: Flags of the response: that more follows, and that nothing does.
    more: tuple[Member, ...] = ()
    last: tuple[Member, ...] = ()
    #: Texts in the place of the cursor.
    texts: tuple[str, ...] = ()
    #: Whether a page without rows is the end.
    at_empty: bool = False
    #: Rows of which a page with fewer is the last; 0 for the limit.
    short: int | None = None
    #: What counts all rows or pages.
    total: Member | None = None
    #: Whether the tap ends later.
    is_later: bool = False
    #: Whether the condition only says that there is no cursor.
    is_cursor: bool = False

    def __or__(self, other: Ending) -> Ending:
        return Ending(
            more=self.more + other.more,
            last=self.last + other.last,
            texts=self.texts + other.texts,
            at_empty=self.at_empty or other.at_empty,
            short=other.short if self.short is None else self.short,
            total=self.total or other.total,
            is_later=self.is_later or other.is_later,
            is_cursor=self.is_cursor and other.is_cursor,
        )


LATER = Ending(is_later=True)
_CURSOR = Ending(is_cursor=True)
_EMPTY = Ending(at_empty=True)


@dataclass(frozen=True)
class StopCondition:
    """Reads conditions of one paginator."""

    cursor: Member
    #: Where the rows are, up to the first wildcard; None if that isn't known.
    rows: Member | None

    def read(self, node: ast.expr, *, negated: bool = False) -> Ending:
        """Return where reading ends; raises `UnsupportedError` where that can't be said."""
        match node:
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                return self.read(inner, negated=not negated)
            case ast.BoolOp(op=op, values=values):
                if isinstance(op, ast.Or) == negated:
                    return self._all(values, negated=negated)
                return functools.reduce(
                    operator.or_, [self.read(each, negated=negated) for each in values]
                )
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                kind = NEGATED[type(op)] if negated else type(op)
                return self._compared(left, kind, right)
        return self._flag(node, negated=negated)

    def _all(self, values: list[ast.expr], *, negated: bool) -> Ending:
        """Return where conditions apply together: the tap ends where one of them says so, later."""
        found = []
        for each in values:
            try:
                found.append(self.read(each, negated=negated))
            except UnsupportedError:
                continue
        # Something that is there may be there on all pages.
        found = [each for each in found if each != Ending(last=each.last)]
        if not found:
            raise UnsupportedError(_OTHER)
        return _CURSOR if any(each.is_cursor for each in found) else LATER

    def _flag(self, node: ast.expr, *, negated: bool) -> Ending:
        """Return the end at something that is empty or false; with something, if not negated."""
        if not negated:
            found = member(node)
            if found is not None and self._may_be_flag(found):
                return Ending(last=(found,))
            raise UnsupportedError(_OTHER)
        if self._counts_rows(node):
            return _EMPTY
        found = self._known(node)
        return self._missing(found) or Ending(more=(found,))

    def _known(self, node: ast.expr) -> Member:
        found = member(node)
        if found is None:
            raise UnsupportedError(_OTHER)
        return found

    def _missing(self, found: Member) -> Ending | None:
        """Return the end where a member that isn't a flag is missing or empty."""
        if self.cursor.is_within(found):
            return _CURSOR
        if found.root.startswith("last_record"):
            return _EMPTY if not found.path else LATER
        if self.rows is not None and self.rows.is_within(found):
            return _EMPTY
        return None if found.root == "response" else LATER

    def _may_be_flag(self, found: Member) -> bool:
        """Whether a member is none of those that lead to the cursor or to the rows."""
        others = [self.cursor, *([self.rows] if self.rows else [])]
        return found.root == "response" and not any(each.is_within(found) for each in others)

    def _counts_rows(self, node: ast.expr) -> bool:
        """Whether an expression is the number of rows of a page."""
        match node:
            case ast.Name(id=name):
                return name == _PAGE_SIZE
            case ast.BinOp(op=ast.BitOr(), left=value, right=filter_):
                found = member(value)
                is_length = filter_of(filter_)[0] in {"length", "count"}
                return bool(is_length and found and self.rows and self.rows.is_within(found))
        return False

    def _compared(self, left: ast.expr, op: type[ast.cmpop], right: ast.expr) -> Ending:
        if op in {ast.In, ast.NotIn}:
            return self._contained(left, op, right)
        if not self._counts_rows(left) and (self._counts_rows(right) or constant(left) is not ...):
            left, op, right = right, _SWAPPED.get(op, op), left
        if self._counts_rows(left):
            return _at_size(op, right)
        if _is_test(right):
            is_missing = (_name(right) in {"none", "undefined"}) == (op in _EQUAL)
            # A cursor that is no text, no number or no object is none.
            is_missing &= _name(right) not in _TYPES or op not in _EQUAL
            return self._tested(self._known(left), is_missing=is_missing)
        value = constant(right)
        return _counted(left, op, right) if value is ... else self._valued(left, op, value)

    def _valued(self, left: ast.expr, op: type[ast.cmpop], value: object) -> Ending:
        """Return the end where a member has a value."""
        found = self._known(left)
        if (op, value) in {(ast.Lt, 1), (ast.LtE, 0)}:
            return self._equal(found, 0)
        if (op, value) in {(ast.Lt, 2), (ast.LtE, 1)} and self._equal(found, 0) == _EMPTY:
            # Of a page, or of a list that is no longer than that.
            return replace(_EMPTY, short=2)
        flag = None if found == self.cursor else _boolean(value)
        if op in {ast.NotEq, ast.IsNot} and flag is not None:
            return self._equal(found, not flag)
        if op not in _EQUAL:
            raise UnsupportedError(_OTHER)
        return self._equal(found, value)

    def _contained(self, left: ast.expr, op: type[ast.cmpop], right: ast.expr) -> Ending:
        name = constant(left)
        if op is ast.NotIn and isinstance(name, str):
            return self._tested(self._known(right).below(name), is_missing=True)
        items = right.elts if isinstance(right, ast.List | ast.Tuple) else []
        if op is ast.In and items and not any(map(may_be_something, items)):
            return self._tested(self._known(left), is_missing=True)
        raise UnsupportedError(_OTHER)

    def _tested(self, found: Member, *, is_missing: bool) -> Ending:
        """Return the end where a member is null or missing; of its name alone no flag is known."""
        if not is_missing:
            raise UnsupportedError(_OTHER)
        return self._missing(found) or LATER

    def _equal(self, found: Member, value: object) -> Ending:
        if value in {"", None}:
            return self._tested(found, is_missing=True)
        if self.cursor == found:
            return Ending(texts=(str(value),)) if value else _CURSOR
        flag = _boolean(value)
        if found.root != "response":
            return self._in_link(found, flag)
        if flag is not None and self._may_be_flag(found):
            return Ending(last=(found,)) if flag else Ending(more=(found,))
        if value == 0 and found.path:
            return _EMPTY if str(found.path[-1]).lower() in _COUNTS else LATER
        raise UnsupportedError(_OTHER)

    def _in_link(self, found: Member, flag: bool | None) -> Ending:  # noqa: FBT001 - a value
        """Return the end at a link whose attribute `results` is false, which is no link."""
        is_cursor_of = self.cursor.path[:2] == found.path[:2] and found.path[2:] == ("results",)
        if found.root == "headers" and is_cursor_of and flag is False:
            return _CURSOR
        raise UnsupportedError(_OTHER)


_OTHER = "its stop_condition can end reading before the last page"


def _at_size(op: type[ast.cmpop], right: ast.expr) -> Ending:
    """Return the end at a page with fewer rows than some number."""
    size = constant(right)
    is_end = op in _SMALLER or (op in _EQUAL and size == 0) or (op is ast.NotEq and size != 0)
    if not is_end:
        raise UnsupportedError(_OTHER)
    if size == 0:
        return _EMPTY
    more = 1 if op is ast.LtE else 0
    return replace(_EMPTY, short=size + more if isinstance(size, int) else 0)


def _boolean(value: object) -> bool | None:
    """Return a boolean, which may be written as text, as the tap reads flags."""
    return truth(value) if isinstance(value, str | bool) else None


def _name(node: ast.expr) -> str:
    return node.id.lower() if isinstance(node, ast.Name) else ""


def _is_test(node: ast.expr) -> bool:
    return _name(node) in {"none", "defined", "undefined", *_TYPES}


def _counted(left: ast.expr, op: type[ast.cmpop], right: ast.expr) -> Ending:
    """Return the end where what was read reaches a number in the response."""
    if op in {ast.Lt, ast.LtE}:
        left, right, op = right, left, _SWAPPED[op]
    total = member(right)
    if op in _EQUAL and total is not None and member(left) is not None:
        # Two members become the same on the last page, or the tap fails at the repetition.
        return replace(LATER, total=total)
    is_given = any(isinstance(each, ast.Name) for each in ast.walk(right))
    known = is_given and _is_of_response(left) and _is_of_response(right)
    if not known or op not in _REACHED:
        raise UnsupportedError(_OTHER)
    return replace(LATER, total=total)


def _is_of_response(node: ast.expr) -> bool:
    """Whether an expression is computed from members of a response."""
    match node:
        case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult(), left=left, right=right):
            return _is_of_response(left) and _is_of_response(right)
        case ast.Constant(value=int()) | ast.Name(id="last_page_size"):
            return True
    found = member(node)
    return found is not None and found.root == "response"
