"""Values of Python code that only running it would give."""

from __future__ import annotations

import ast
import typing as t
from dataclasses import dataclass

from tap_analytics.commands.importing.loading import JsonValue, leaves
from tap_analytics.commands.importing.notes import UnsupportedError, listed, shown

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tap_analytics.commands.importing.loading import Object
    from tap_analytics.commands.importing.notes import Notes
    from tap_analytics.commands.importing.python_names import Function

#: Key of what is unpacked into a dict.
UNPACKED = "**"


@dataclass(frozen=True)
class Unread:
    """Stands in for such a value."""

    node: ast.expr | ast.stmt
    #: Its path in the dict.
    where: str
    #: What it is, as in `is a call`.
    what: str
    #: What a variable for it may be called.
    name: str

    @property
    def line(self) -> int:
        """Its first line."""
        return int(getattr(self.node, "lineno", 0))

    def __str__(self) -> str:
        """Return where it is and why it can't be read."""
        place = shown(self.where) or "the dict"
        return f"{place} {self.what}, known only by running the code (line {self.line})"

    def to_variable(self, notes: Notes) -> str:
        """Return the variable that takes its place, with a note."""
        variable = notes.variable(self.name or self.where.rpartition(".")[2])
        place = shown(self.where) or "the dict"
        notes.add(f"line {self.line}", f"{place} {self.what}: it becomes {variable}.")
        return variable


def with_variables(value: JsonValue, notes: Notes) -> JsonValue:
    """Return a value with variables for texts that can't be read."""
    if isinstance(value, Unread):
        return value.to_variable(notes)
    if isinstance(value, dict):
        return {
            name: inner if name == UNPACKED else with_variables(inner, notes)
            for name, inner in value.items()
        }
    return [with_variables(each, notes) for each in value] if isinstance(value, list) else value


def unread_in(value: object) -> Iterator[Unread]:
    """Return what can't be read in a value."""
    return (each for each in leaves(value) if isinstance(each, Unread))


def check_read(value: object) -> None:
    """Raise `UnsupportedError` for a value that has parts that can't be read."""
    for unread in unread_in(value):
        raise UnsupportedError(str(unread))


def check_words(given: Object, known: Collection[str], where: str) -> None:
    """Raise `UnsupportedError` for keys that aren't known."""
    if UNPACKED in given:
        raise UnsupportedError(str(given[UNPACKED]))
    if unknown := [word for word in given if word not in known]:
        verb = "isn't" if len(unknown) == 1 else "aren't"
        raise UnsupportedError(f"{listed(unknown)} of `{shown(where)}` {verb} supported")


# --- functions ----------------------------------------------------------------------------------


def of_function(function: Function, where: str) -> Unread:
    """Return what stands in for a function: a lambda, if it returns one expression."""
    what = f"is the function `{shown(function.name)}`"
    return Unread(_as_lambda(function) or function, where, what, function.name)


def _as_lambda(function: Function) -> ast.Lambda | None:
    """Return a function that returns one expression as a lambda.

    It may return null for null before.
    """
    body = [each for each in function.body if not _is_docstring(each)]
    is_plain = all(isinstance(each, ast.If) and _passes_null(each) for each in body[:-1])
    last = body[-1] if body and is_plain else None
    if not isinstance(last, ast.Return) or last.value is None:
        return None
    return ast.copy_location(ast.Lambda(args=function.args, body=last.value), function)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _passes_null(node: ast.If) -> bool:
    is_null = ast.unparse(node.test).endswith(" is None") and not node.orelse
    return is_null and len(node.body) == 1 and isinstance(node.body[0], ast.Return)
