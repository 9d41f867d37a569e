"""Read what expressions of a paginator refer to: members of a response, its headers or its rows."""

from __future__ import annotations

import ast
import json
import re
import typing as t
from dataclasses import dataclass
from urllib.parse import unquote

from tap_analytics.commands.importing.airbyte.jinja_expressions import CONSTANTS
from tap_analytics.commands.importing.airbyte.jinja_texts import sole_expression
from tap_analytics.commands.importing.loading import parse_python
from tap_analytics.pagination.placement import PAGE
from tap_analytics.records.path import Match

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.records.path import Segment

#: `{% if … %}{{ … }}{% endif %}`.
_BLOCK = re.compile(r"\{%-?\s*if(.*?)-?%\}\s*\{\{(.*?)\}\}\s*\{%-?\s*endif\s*-?%\}", re.DOTALL)
#: Maximum length in characters of texts that are parsed.
_LONGEST = 5_000
_ROOTS = {"response", "headers", "last_record", "last_records"}
#: Filters and methods that don't change a text or a number.
_HARMLESS = {"string", "int", "trim", "tojson", "default", "d"}
_METHODS = {"strip"}
#: Filters of lists, and the names of a test for equality.
_OF_LISTS = {"selectattr", "map", "first", "list"}
_EQUAL = {"equalto", "eq", "=="}
#: Attributes that are methods of a dict, not members.
_OF_DICTS = set(dir(dict))
_NAME = re.compile(r"[^\s.$*?@()\[\]{}'\"]+")
#: A path with an expression as a segment. One that begins with a slash is joined otherwise.
_PATH = re.compile(r"((?:[\w-]+/)*)(\{\{[^{}]*\}\})((?:/[\w-][\w.-]*)*)")
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True)
class Member:
    """A member of a response, of its headers or of its last row."""

    root: str
    path: tuple[Segment, ...] = ()

    def below(self, name: Segment) -> Member:
        """Return a member of this one."""
        return Member(self.root, (*self.path, name))

    def is_within(self, outer: Member) -> bool:
        """Whether it is another member, or in it."""
        return self.root == outer.root and self.path[: len(outer.path)] == outer.path

    @property
    def is_selected(self) -> bool:
        """Whether it is in an object that a filter selects."""
        return any(isinstance(each, Match) for each in self.path)

    @property
    def text(self) -> str | None:
        """The path as a declaration has it; None for names that can't be written there."""
        steps = [_step(name) for name in self.path]
        if not steps or None in steps:
            return None
        return "".join(t.cast("list[str]", steps)).removeprefix(".")


def _step(name: Segment) -> str | None:
    if isinstance(name, int):
        return f"[{name}]"
    if isinstance(name, Match):
        return f"[?@.{name.name}=='{name.value}']" if _is_plain(name) else None
    if _NAME.fullmatch(name):
        return f".{name}"
    quotes = [quote for quote in "'\"" if quote not in name]
    return f"[{quotes[0]}{name}{quotes[0]}]" if name and quotes else None


def _is_plain(match: Match) -> bool:
    return _NAME.fullmatch(match.name) is not None and "'" not in match.value


def expression(text: object) -> ast.expr | None:
    """Return the syntax tree of a text that is a single expression, else None."""
    if not isinstance(text, str) or len(text) > _LONGEST:
        return None
    block = _BLOCK.fullmatch(text.strip())
    inner = f"({block[2]}) if ({block[1]}) else None" if block else sole_expression(text)
    if inner is None:
        return None
    # Jinja knows a condition without the other case, Python doesn't.
    return _tree(inner) or _tree(f"{inner} else None")


def _tree(text: str) -> ast.expr | None:
    try:
        return t.cast("ast.expr", parse_python(text.strip(), mode="eval").body)
    except (SyntaxError, RecursionError):
        return None


def member(node: ast.expr) -> Member | None:
    """Return the member that an expression refers to; None for what is computed."""
    try:
        return _member(node)
    except RecursionError:
        return None


def _member(node: ast.expr) -> Member | None:
    found: Member | None = None
    others: list[ast.expr] = []
    match node:
        case ast.Name(id=name) if name in _ROOTS:
            found = Member(name)
        case ast.Attribute(value=value, attr=name) if name not in _OF_DICTS:
            found = _below(value, name)
        case ast.Subscript(value=value, slice=key):
            found = _below(value, constant(key))
        case ast.Call(func=ast.Attribute(value=value, attr="get"), args=[key, *others]):
            found = _below(value, constant(key))
        case ast.Call(func=ast.Attribute(value=value, attr=name), args=[]) if name in _METHODS:
            found = _member(value)
        case ast.BoolOp(op=ast.Or(), values=[value, *others]):
            found = _member(value)
        case ast.BinOp(op=ast.BitOr(), left=value, right=filter_):
            name, others = filter_of(filter_)
            if name in _OF_LISTS:
                return _selected(value, name, filter_)
            found = _member(value) if name in _HARMLESS else None
    return None if any(map(may_be_something, others)) else found


def _selected(value: ast.expr, name: str, filter_: ast.expr) -> Member | None:
    """Return a member of the first object of a list with a value, as filters of Jinja select it."""
    base = _member(value)
    match name, filter_:
        case "selectattr", ast.Call(args=[attribute, test, wanted], keywords=[]):
            given = [constant(each) for each in (attribute, test, wanted)]
            if base is None or given[1] not in _EQUAL or not all(isinstance(s, str) for s in given):
                return None
            return base.below(Match(str(given[0]), str(given[2])))
        case "map", ast.Call(args=[], keywords=[ast.keyword(arg="attribute", value=attribute)]):
            inner = constant(attribute)
            is_name = base is not None and isinstance(inner, str) and "." not in inner
            return base.below(str(inner)) if base and is_name and base.is_selected else None
        case "first" | "list", ast.Name():
            return base if base is not None and base.is_selected else None
    return None


def _below(value: ast.expr, name: object) -> Member | None:
    base = _member(value)
    if base is None or isinstance(name, bool) or not isinstance(name, str | int):
        return None
    return base.below(name)


def filter_of(node: ast.expr) -> tuple[str, list[ast.expr]]:
    """Return the name and the arguments of a filter."""
    arguments = node.args if isinstance(node, ast.Call) else []
    function = node.func if isinstance(node, ast.Call) else node
    return (function.id if isinstance(function, ast.Name) else ""), arguments


def constant(node: ast.expr) -> object:
    """Return a literal, also a negative one; `...` for anything else."""
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(value))):
            return -value
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name) if name in CONSTANTS:
            return CONSTANTS[name]
        case ast.Dict(keys=[]) | ast.List(elts=[]) | ast.Tuple(elts=[]):
            return ""
    return ...


def may_be_something(node: ast.expr) -> bool:
    """Whether an expression isn't a literal that is empty or false."""
    return bool(constant(node))


def cut_from(node: ast.expr) -> tuple[ast.expr, str] | None:
    """Return the link that a part is cut from, and the text that precedes the part there."""
    match node:
        case ast.Subscript(value=value) if (found := _split(value)) or (found := cut_from(value)):
            return found
        case ast.Call(func=ast.Attribute(value=value, attr="split")):
            return cut_from(value)
        case ast.BinOp(op=ast.BitOr(), left=value, right=filter_):
            name, arguments = filter_of(filter_)
            if name == "regex_search" and arguments:
                return value, str(constant(arguments[0]))
            return cut_from(value)
    return None


def _split(node: ast.expr) -> tuple[ast.expr, str] | None:
    match node:
        case ast.Call(func=ast.Attribute(value=value, attr="split"), args=[separator, *_]):
            text = constant(separator)
            return (value, text) if isinstance(text, str) and "=" in text else None
    return None


def is_cut_at(text: str, parameter: str) -> bool:
    """Whether a text that precedes a part of a link ends with a parameter of it."""
    plain = unquote(text.replace("\\", ""))
    return re.search(rf"(?<!\w){re.escape(parameter)}=", plain) is not None


@dataclass(frozen=True)
class Wrapped:
    """What is put into the text of an object, its path there, and the other members."""

    node: ast.expr
    path: tuple[str, ...]
    others: dict[tuple[str, ...], object]


def wrapped_in(node: ast.expr) -> Wrapped | None:
    """Return what is put into the text of an object; None for others.

    Of `'{"first": 5, "after": "' + x + '"}'` it is `x`, its path `after`, beside a `first`.
    """
    match node:
        case ast.BinOp(
            left=ast.BinOp(left=ast.Constant(value=str(before)), op=ast.Add(), right=value),
            op=ast.Add(),
            right=ast.Constant(value=str(after)),
        ):
            try:
                found = dict(_leaves(json.loads(f"{before}*{after}"), ()))
            except ValueError:
                return None
            paths = [path for path, leaf in found.items() if leaf == "*"]
            if len(paths) != 1 or not paths[0]:
                return None
            del found[paths[0]]
            return Wrapped(value, paths[0], found)
    return None


def _leaves(value: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield the values in an object that are no objects, by their path."""
    if not isinstance(value, dict):
        yield path, value
        return
    for name, inner in value.items():
        yield from _leaves(inner, (*path, name))


def members_in(node: ast.expr) -> list[Member]:
    """Return the outermost members that an expression is computed from."""
    found = member(node)
    if found is not None and found.path:
        return [found]
    if isinstance(node, ast.Name):
        return [Member(node.id)] if node.id in _ROOTS else []
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        inner = [node.func.value, *node.args]
    else:
        inner = [each for each in ast.iter_child_nodes(node) if isinstance(each, ast.expr)]
    return [each for part in inner for each in members_in(part)]


# --- numbers in paths -----------------------------------------------------------------------------


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
