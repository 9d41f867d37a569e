"""Literals of Python, and what is put together from them; nothing is run."""

from __future__ import annotations

import ast
import typing as t

from tap_analytics.commands.importing.loading import JsonValue, Object, plain
from tap_analytics.commands.importing.notes import shown
from tap_analytics.commands.importing.python_operations import (
    OMITTED,
    bounded,
    combined,
    holds,
    is_scalar,
)
from tap_analytics.commands.importing.unread import UNPACKED, Unread, unread_in
from tap_analytics.errors import InputError

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.notes import Notes

#: Maximum number of nodes of a dict, including those of names it refers to.
MOST_PARTS = 50_000

#: Names that no description needs, but an attack would.
_FORBIDDEN = frozenset(
    {
        *("breakpoint", "compile", "delattr", "eval", "exec", "getattr", "globals"),
        *("locals", "open", "setattr", "vars", "subprocess", "shutil", "sys", "importlib"),
        *("ctypes", "pickle", "socket"),
    }
)
#: Functions that read the environment.
GETENV = {"os.environ.get", "environ.get", "os.getenv", "getenv"}
_KINDS = {
    "Call": "a call",
    "Compare": "a comparison",
    "DictComp": "a comprehension",
    "GeneratorExp": "a comprehension",
    "IfExp": "a choice",
    "Lambda": "a function",
    "ListComp": "a comprehension",
    "SetComp": "a comprehension",
    "Starred": "a list put into another",
}


def dotted(node: ast.AST) -> str:
    """Return `a.b.c` for such an expression, else an empty string."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _refuse(node: ast.AST) -> None:
    """Raise `InputError` for a forbidden name."""
    name = ""
    if isinstance(node, ast.Name | ast.Call):
        name = node.id if isinstance(node, ast.Name) else dotted(node.func)
    elif isinstance(node, ast.Attribute):
        name = node.attr
    is_os = name.startswith("os.") and name not in GETENV
    if name.startswith("__") or name.split(".")[0] in _FORBIDDEN or is_os:
        raise InputError(
            f"line {getattr(node, 'lineno', 0)}: the dict uses `{shown(name)}`, which is not "
            "allowed. No code was run, and nothing is imported. Write a value instead."
        )


class Variables:
    """Variables for settings and the environment, with notes on their lines."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._made: set[str] = set()

    def setting(self, node: ast.expr, key: str) -> str:
        """Return the variable for a setting or a secret of dlt."""
        variable = self._notes.variable(key)
        self.note(node, f"dlt's setting `{shown(key)}` becomes {variable}.")
        return self._known(variable)

    def environment(self, node: ast.expr, key: str) -> str:
        """Return the variable of the environment."""
        is_name = key.isascii() and key.isidentifier() and key == key.upper()
        variable = f"${key}" if is_name else self._notes.variable(key)
        self.note(node, f"the environment's `{shown(key)}` is {variable}.")
        return self._known(variable)

    def inside(self, value: Unread) -> str:
        """Return the variable for a part of a text."""
        return self._known(value.to_variable(self._notes))

    def __contains__(self, value: object) -> bool:
        """Whether a text is one of these variables."""
        return value in self._made

    def _known(self, variable: str) -> str:
        self._made.add(variable)
        return variable

    def note(self, node: ast.expr, text: str) -> None:
        """Add a note with the line of an expression."""
        self._notes.add(f"line {node.lineno}", text)


class Literals:
    """Reads the values of expressions; each method is named after a class of `ast`.

    `where` is the path inside the dict; methods return OMITTED for values they can't read.
    """

    def __init__(self, notes: Notes) -> None:
        self._variables = Variables(notes)
        self._parts = 0
        #: Values of arguments, of the variables of loops, and of names that are being changed.
        self._bound: dict[str, JsonValue] = {}

    def value(self, node: ast.expr, where: str) -> JsonValue:
        """Return the value of an expression, or `Unread`."""
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise InputError(
                f"The dict has more than {MOST_PARTS} parts. Leave some resources out."
            )
        _refuse(node)
        kind = type(node).__name__
        reader = getattr(self, f"_{kind.lower()}", None)
        value = OMITTED if reader is None else reader(node, where)
        if value is not OMITTED:
            return value
        for part in ast.walk(node):
            _refuse(part)
        return self._odd(node, where)

    def _constant(self, node: ast.Constant, _: str) -> JsonValue:
        try:
            return plain(node.value) if node.value is not ... else OMITTED
        except ValueError:
            return OMITTED

    def _dict(self, node: ast.Dict, where: str) -> Object:
        members: Object = {}
        for key, inner in zip(node.keys, node.values, strict=True):
            name = UNPACKED if key is None else self.value(key, where)
            if key is None and isinstance(value := self.value(inner, where), dict):
                members |= value
            elif isinstance(name, str):
                self._put(members, name, inner, where)
            else:
                members[UNPACKED] = Unread(inner, where, "has a key that isn't a text", "")
        return members

    def _put(self, members: Object, name: str, node: ast.expr, where: str) -> None:
        members[name] = self.value(node, f"{where}.{shown(name)}".removeprefix("."))

    def _list(self, node: ast.List | ast.Tuple | ast.Set, where: str) -> list[t.Any]:
        items: list[t.Any] = []
        for part in node.elts:
            place = f"{where}[{len(items)}]"
            if not isinstance(part, ast.Starred):
                items.append(self.value(part, place))
            elif isinstance(value := self.value(part.value, place), list):
                items += value
            else:
                items.append(value if isinstance(value, Unread) else self._odd(part, place))
        return items

    _tuple = _set = _list

    def _odd(self, node: ast.expr, where: str) -> Unread:
        what = f"is {_KINDS.get(type(node).__name__, 'an expression')}"
        if isinstance(node, ast.Call) and (called := dotted(node.func)):
            what = f"{what} of `{shown(called)}`"
        return Unread(node, where, what, "")

    def _unaryop(self, node: ast.UnaryOp, where: str) -> JsonValue:
        value = self.value(node.operand, where)
        is_negative = isinstance(node.op, ast.USub) and isinstance(value, int | float)
        return -value if is_negative else OMITTED

    def _binop(self, node: ast.BinOp, where: str) -> JsonValue:
        left, right = self.value(node.left, where), self.value(node.right, where)
        if isinstance(node.op, ast.Add) and isinstance(left, str) != isinstance(right, str):
            # The other part of a text.
            left, right = self._in_text(left), self._in_text(right)
        return combined(node.op, left, right)

    def _in_text(self, value: object) -> object:
        return self._variables.inside(value) if isinstance(value, Unread) else value

    def _joinedstr(self, node: ast.JoinedStr, where: str) -> JsonValue:
        text = ""
        for part in node.values:
            is_inserted = isinstance(part, ast.FormattedValue)
            if isinstance(part, ast.FormattedValue):
                if part.format_spec or part.conversion not in {-1, ord("s")}:
                    return OMITTED
                part = part.value  # noqa: PLW2901 - the same part
            value = self._in_text(self.value(part, where))
            if not is_scalar(value):
                return OMITTED
            written = str(value)
            if is_inserted and written in self._variables:
                written = f"${{{written[1:]}}}"
            text = bounded(text + written)
        return text

    def _decided(self, test: ast.expr, where: str) -> bool | None:
        """Return whether a condition holds; None where only running the code would tell."""
        if isinstance(test, ast.BoolOp):
            parts = [self._decided(each, where) for each in test.values]
            is_and = isinstance(test.op, ast.And)
            sure = not is_and
            return sure if sure in parts else None if None in parts else is_and
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            inner = self._decided(test.operand, where)
            return None if inner is None else not inner
        if any(isinstance(part, (ast.Call, ast.Attribute)) for part in ast.walk(test)):
            return None
        sides = [test.left, *test.comparators] if isinstance(test, ast.Compare) else [test]
        values = [self.value(each, where) for each in sides]
        if any(isinstance(text, str) and "$" in text for text in values) or [*unread_in(values)]:
            return None
        return holds(test.ops if isinstance(test, ast.Compare) else [], values)

    def _ifexp(self, node: ast.IfExp, where: str) -> JsonValue:
        if (decided := self._decided(node.test, where)) is not None:
            return self.value(node.body if decided else node.orelse, where)
        if where.rpartition(".")[2] != "auth":
            return OMITTED
        branches = [self.value(each, where) for each in (node.body, node.orelse)]
        given = [each for each in branches if each]
        if len(given) == 1:
            self._variables.note(node, f"{where} is given under a condition, but always used here.")
        return given[0] if len(given) == 1 else OMITTED

    def _boolop(self, node: ast.BoolOp, where: str) -> JsonValue:
        """Return the first value that isn't empty, as `or` does."""
        value: t.Any = OMITTED
        for each in node.values if isinstance(node.op, ast.Or) else ():
            value = self.value(each, where)
            if value or isinstance(value, Unread):
                break
        return value
