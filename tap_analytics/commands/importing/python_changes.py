"""Changes of lists and dicts by statements: `config["resources"].append(…)`.

A change is an expression of what it changes, so that what a name means stays one expression. One
that can't be read leaves a mark in the list or dict that it changes.
"""

from __future__ import annotations

import ast
import copy
import typing as t

from tap_analytics.commands.importing.loading import mapped
from tap_analytics.commands.importing.unread import UNPACKED, Unread

if t.TYPE_CHECKING:
    from collections.abc import Sequence

_Value = t.Any
#: A name, and the keys behind it.
Place = tuple[str, list[ast.expr]]


class Changed(ast.expr):
    """A list or dict after a statement: `base` with `value` put to the place of `keys`."""

    _fields = ("base", "keys", "value", "tests")

    def __init__(
        self,
        base: ast.expr,
        value: ast.expr,
        *,
        place: Place,
        method: str,
        tests: list[ast.expr],
    ) -> None:
        """Take what the statement says; `method` is `set`, that of a call, or empty for others."""
        super().__init__()
        self.base, self.value, self.method, self.tests = base, value, method, tests
        self.name, self.keys = place
        ast.copy_location(self, value)

    @property
    def is_own(self) -> bool:
        """Whether the value refers to what is changed."""
        parts = ast.walk(self.value)
        return any(isinstance(each, ast.Name) and each.id == self.name for each in parts)


def place_of(node: ast.expr) -> Place | None:
    """Return the name and the keys of `name["a"]["b"]`; None for other expressions."""
    keys: list[ast.expr] = []
    while isinstance(node, ast.Subscript):
        keys.insert(0, node.slice)
        node = node.value
    return (node.id, keys) if isinstance(node, ast.Name) else None


def innermost(node: ast.expr | None) -> ast.expr | None:
    """Return what was changed."""
    while isinstance(node, Changed):
        node = node.base
    return node


def changed(base: _Value, keys: Sequence[_Value], method: str, value: _Value) -> bool:
    """Change a value in place, at each item of a list for the key `...`; whether it was read."""
    outer, last = (keys[:-1], keys[-1]) if method == "set" else (keys, None)
    for place, key in enumerate(outer, 1):
        if key is ...:
            items = base if isinstance(base, list) else [None]
            return all(changed(each, keys[place:], method, copied(value)) for each in items)
        if not _has(base, key):
            return False
        base = base[key]
    match method, base, value:
        case "set", dict(), _ if isinstance(last, str):
            base[last] = value
        case "set", list(), _ if isinstance(last, int) and _has(base, last):
            base[last] = value
        case "append", list(), _:
            base.append(value)
        case "extend", list(), list():
            base.extend(value)
        case "update", dict(), dict():
            base.update(value)
        case _:
            return False
    return True


def _has(base: _Value, key: _Value) -> bool:
    if isinstance(base, list) and isinstance(key, int):
        return -len(base) <= key < len(base)
    return isinstance(base, dict) and isinstance(key, str) and key in base


def marked(base: _Value, keys: Sequence[_Value], mark: Unread) -> _Value:
    """Return a value, changed in place, with a mark for what was changed and can't be read."""
    if not keys and isinstance(base, list):
        base.append(mark)
    elif keys and _has(base, keys[0]):
        base[keys[0]] = marked(base[keys[0]], keys[1:], mark)
    elif isinstance(base, dict):
        base[keys[0] if keys and isinstance(keys[0], str) else UNPACKED] = mark
    else:
        return mark
    return base


def copied(value: _Value) -> _Value:
    """Return a copy of lists and dicts; what can't be read is shared."""
    return mapped(value, copy.copy)
