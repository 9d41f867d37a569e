"""Read a path that has a page number, which a manifest counts on from the number of a response."""

from __future__ import annotations

import ast
import re
import typing as t
from dataclasses import dataclass

from tap_analytics.commands.importing.airbyte.page_expressions import (
    constant,
    expression,
    may_be_something,
    member,
)
from tap_analytics.pagination.placement import PAGE

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.airbyte.page_expressions import Member

#: A path with an expression as a segment. One that begins with a slash is joined otherwise.
_PATH = re.compile(r"((?:[\w-]+/)*)(\{\{[^{}]*\}\})((?:/[\w-][\w.-]*)*)")
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True)
class NumberedPath:
    """A path below the base URL; `number` is where a response has the number of its page."""

    path: str
    first: int
    number: Member


def numbered_path(text: object, first: object) -> NumberedPath | None:
    """Return the path of a cursor such as `items/{{ response.id + 1 }}`, whose first is `first`.

    None if the two differ in more than the number.
    """
    found = _PATH.fullmatch(text.strip()) if isinstance(text, str) else None
    number = _counted(expression(found[2])) if found else None
    if found is None or number is None or number.root != "response" or not number.text:
        return None
    before, after = f"/{found[1]}", found[3]
    given = str(first)
    middle = given.removeprefix(before).removesuffix(after)
    if given != f"{before}{middle}{after}" or not _NUMBER.fullmatch(middle):
        return None
    return NumberedPath(f"{before}{{{PAGE}}}{after}", int(middle), number)


def _counted(node: ast.expr | None) -> Member | None:
    """Return the member that one is added to."""
    match node:
        case ast.BoolOp(op=ast.Or(), values=[value, *others]) if not any(
            map(may_be_something, others)
        ):
            return _counted(value)
        case ast.BinOp(left=left, op=ast.Add(), right=right) if constant(right) == 1:
            return member(left)
    return None
