"""Parse expressions in a manifest, such as `{{ config['token'] }}`, without evaluating them.

Supported are paths into the configuration, the response, its headers and the parent's row; computed
expressions yield None.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace

from tap_analytics.commands.importing.python_dict import parse

_EXPRESSION = re.compile(r"\{\{([^{}]*(?:\{\}[^{}]*)*)\}\}")
#: Maximum length in characters of texts that are parsed.
_LONGEST = 5_000
#: Filters that don't change which value a path refers to.
_HARMLESS = {"default", "string", "int", "trim", "urlencode"}


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A path from one of the variables of a manifest."""

    root: str
    path: tuple[str, ...] = ()
    default: object = None
    #: Whether only a part of the value is used.
    is_cut: bool = False


def reference(text: str) -> Reference | None:
    """Return the reference of a text that is a single expression, else None."""
    whole = _EXPRESSION.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    return _parsed(whole[1]) if whole else None


def references(text: str) -> list[Reference | None]:
    """Return the references of all expressions in a text."""
    return [_parsed(inner) for inner in _EXPRESSION.findall(text[:_LONGEST])]


def _parsed(expression: str) -> Reference | None:
    try:
        return _path(parse(expression.strip(), mode="eval").body)
    except (SyntaxError, RecursionError):
        return None


def _path(node: ast.expr) -> Reference | None:
    found: Reference | None = None
    match node:
        case ast.Name(id=name):
            found = Reference(root=name)
        case ast.Attribute(value=value, attr=name):
            found = _below(_path(value), name)
        case ast.Subscript(value=value, slice=key):
            found = _member(_path(value), _constant(key))
        case ast.Call(func=ast.Attribute() as function):
            found = _called(node, function)
        case ast.BoolOp(op=ast.Or(), values=[first, second, *_]):
            found = _or(_path(first), _constant(second))
        case ast.IfExp(body=body):
            found = _path(body)
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            found = _filtered(_path(left), right)
    return found


def _member(base: Reference | None, key: object) -> Reference | None:
    if base is not None and base.is_cut:
        return base
    return _below(base, str(key)) if isinstance(key, str | int) else None


def _called(node: ast.Call, function: ast.Attribute) -> Reference | None:
    base = _path(function.value)
    arguments = [_constant(each) for each in node.args]
    if base is None:
        return None
    if function.attr == "get" and arguments and isinstance(arguments[0], str):
        found = _below(base, arguments[0])
        return _or(found, arguments[1]) if arguments[1:] else found
    if function.attr in {"strip", "lower"} or (base.is_cut and function.attr == "split"):
        return base
    if function.attr == "split" and arguments and "=" in str(arguments[0]):
        return replace(base, is_cut=True)
    return None


def _filtered(base: Reference | None, filter_: ast.expr) -> Reference | None:
    function = filter_.func if isinstance(filter_, ast.Call) else filter_
    name = function.id if isinstance(function, ast.Name) else None
    if name in _HARMLESS:
        return base
    arguments = filter_.args if isinstance(filter_, ast.Call) else []
    # A search for a parameter of a link.
    is_search = name == "regex_search" and arguments and "=" in str(_constant(arguments[0]))
    return replace(base, is_cut=True) if is_search and base else None


def _below(base: Reference | None, name: str) -> Reference | None:
    return base and Reference(root=base.root, path=(*base.path, name))


def _or(base: Reference | None, default: object) -> Reference | None:
    return base and replace(base, default=default)


def _constant(node: ast.expr) -> object:
    """Return a literal, a negative index included, or None."""
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(value))):
            return -value
        case ast.Constant(value=value):
            return value
    return None
