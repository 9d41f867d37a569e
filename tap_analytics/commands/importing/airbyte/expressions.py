"""The expressions in a manifest's texts, such as `{{ config['token'] }}`: read, never evaluated.

What the tap has words for is a path: members of the configuration, of the response, of a header, of
the parent's row. Whatever computes yields None.
"""

from __future__ import annotations

import ast
import re
import typing as t
from dataclasses import dataclass, replace

from tap_analytics.commands.importing.python_dict import parse

if t.TYPE_CHECKING:
    from collections.abc import Callable

_EXPRESSION = re.compile(r"\{\{([^{}]*(?:\{\}[^{}]*)*)\}\}")
#: Longer texts hold no expressions that anybody wrote.
_LONGEST = 5_000
#: Filters that leave a path what it is.
_HARMLESS = {"default", "string", "int", "trim", "urlencode"}
PARTITIONS = {"stream_partition", "stream_slice"}


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A path from one of the names an expression may begin with."""

    root: str
    path: tuple[str, ...] = ()
    default: object = None
    #: Whether a part of the value is cut out of it.
    is_cut: bool = False


def reference(text: str) -> Reference | None:
    """Return what a text refers to that is one expression; None for anything else."""
    whole = _EXPRESSION.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    return _parsed(whole[1]) if whole else None


def references(text: str) -> list[Reference | None]:
    """Return what all the expressions in a text refer to."""
    return [_parsed(inner) for inner in _EXPRESSION.findall(text[:_LONGEST])]


def replaced(text: str, value_of: Callable[[Reference], str | None]) -> str | None:
    """Return a text with values in the place of its expressions, or None where one has none."""
    if "{{" not in text and "{%" not in text:
        return text
    if len(text) > _LONGEST:
        return None
    is_whole = True

    def value(match: re.Match[str]) -> str:
        nonlocal is_whole
        found = _parsed(match[1])
        written = None if found is None else value_of(found)
        is_whole = is_whole and written is not None
        return written or ""

    result = _EXPRESSION.sub(value, text)
    return result if is_whole and "{{" not in result and "{%" not in result else None


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


def _member(held: Reference | None, key: object) -> Reference | None:
    if held is not None and held.is_cut:
        return held
    return _below(held, str(key)) if isinstance(key, str | int) else None


def _called(node: ast.Call, function: ast.Attribute) -> Reference | None:
    held = _path(function.value)
    arguments = [_constant(each) for each in node.args]
    if held is None:
        return None
    if function.attr == "get" and arguments and isinstance(arguments[0], str):
        found = _below(held, arguments[0])
        return _or(found, arguments[1]) if arguments[1:] else found
    if function.attr in {"strip", "lower"} or (held.is_cut and function.attr == "split"):
        return held
    if function.attr == "split" and arguments and "=" in str(arguments[0]):
        return replace(held, is_cut=True)
    return None


def _filtered(held: Reference | None, filter_: ast.expr) -> Reference | None:
    function = filter_.func if isinstance(filter_, ast.Call) else filter_
    name = function.id if isinstance(function, ast.Name) else None
    if name in _HARMLESS:
        return held
    arguments = filter_.args if isinstance(filter_, ast.Call) else []
    # A search for a parameter of a link.
    is_search = name == "regex_search" and arguments and "=" in str(_constant(arguments[0]))
    return replace(held, is_cut=True) if is_search and held else None


def _below(held: Reference | None, name: str) -> Reference | None:
    return held and Reference(root=held.root, path=(*held.path, name))


def _or(held: Reference | None, default: object) -> Reference | None:
    return held and replace(held, default=default)


def _constant(node: ast.expr) -> object:
    """Return a literal, a negative index included, or None."""
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(value))):
            return -value
        case ast.Constant(value=value):
            return value
    return None
