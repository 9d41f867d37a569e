"""Filters of rows: the filter expressions of JSONPath (RFC 9535), with its function `length`.

`@.status == 'open' && @.amount > 10` compares fields of a row, `@.deleted` asks whether it has one,
`length(@.tags) > 0` counts characters, items or members. As in the RFC, values of different types
aren't equal, and only numbers and texts have an order.
"""

from __future__ import annotations

import operator
import re
import typing as t
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from tap_analytics.records.codec import decode_json

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_analytics.records.rows import Row

    Predicate = Callable[[Row], bool]
    Comparable = Callable[[Row], t.Any]

_TEXT = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_NAME = r"[^\s.\[\]()=<>!&|'\"]+"
_SEGMENT = re.compile(rf"\.(?P<name>{_NAME})|\[(?P<text>{_TEXT})\]|\[(?P<index>-?\d+)\]")
_PATH = rf"@(?:\.{_NAME}|\[(?:{_TEXT})\]|\[-?\d+\])*"
_TOKEN = re.compile(
    rf"""\s*(?:
      (?P<path>{_PATH})
    | (?P<length>length\(\s*{_PATH}\s*\))
    | (?P<text>{_TEXT})
    | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | (?P<word>true|false|null)\b
    | (?P<sign>==|!=|<=|>=|<|>|&&?|\|\||!|\(|\))
    )\s*""",
    re.VERBOSE,
)
#: An expression as a whole JSONPath.
_SELECTOR = re.compile(r"(?:\$\s*)?\[\s*\?(.*)\]\s*", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_WORDS: t.Final = {"true": True, "false": False, "null": None}
#: The value of a path that a row doesn't have.
_NOTHING: t.Final = object()
#: What values of a type are compared as; those of other types are never equal to them.
_KINDS: t.Final = {bool: "boolean", int: "number", Decimal: "number", str: "text"}


class FilterError(ValueError):
    """An expression that can't be read; the message follows the expression."""


@dataclass(frozen=True)
class RowFilter:
    """A filter expression, with or without `$[?…]` around it. Raises `FilterError`."""

    expression: str

    def __post_init__(self) -> None:
        _ = self.keeps

    @cached_property
    def keeps(self) -> Predicate:
        """What tells whether the filter keeps a row."""
        whole = _SELECTOR.fullmatch(self.expression.strip())
        try:
            return _Parser(whole[1] if whole else self.expression).parse()
        except RecursionError:
            raise FilterError("is nested too deeply.") from None


@dataclass(frozen=True)
class BodyFilter:
    """A filter expression that a body of JSON fits or not; any other is an empty object."""

    filter: RowFilter

    def __call__(self, body: bytes) -> bool:
        """Whether a body fits."""
        try:
            value = decode_json(body)
        except ValueError:
            value = {}
        return self.filter.keeps(value)


class _Parser:
    """Reads an expression from left to right, `||` before `&&` before comparisons."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._place = 0

    def parse(self) -> Predicate:
        found = self._either()
        if self._next is not None:
            raise FilterError(f"has `{self._next[1]}` where `&&` or `||` is expected.")
        return found

    @property
    def _next(self) -> tuple[str, str] | None:
        return self._tokens[self._place] if self._place < len(self._tokens) else None

    def _take(self, *signs: str) -> str | None:
        if self._next is None or self._next[0] != "sign" or self._next[1] not in signs:
            return None
        self._place += 1
        return self._tokens[self._place - 1][1]

    def _either(self) -> Predicate:
        parts = [self._both()]
        while self._take("||"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else lambda row: any(part(row) for part in parts)

    def _both(self) -> Predicate:
        parts = [self._one()]
        # Libraries of JSONPath take `&` as well.
        while self._take("&&", "&"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda row: all(part(row) for part in parts)

    def _one(self) -> Predicate:
        if self._take("!"):
            inner = self._one()
            return lambda row: not inner(row)
        if self._take("("):
            inner = self._either()
            if not self._take(")"):
                raise FilterError("lacks a `)`.")
            return inner
        is_path = self._next is not None and self._next[0] == "path"
        left = self._comparable()
        sign = self._take(*_COMPARED)
        if sign is not None:
            compared, right = _COMPARED[sign], self._comparable()
            return lambda row: compared(left(row), right(row))
        if not is_path:
            raise FilterError("has a value that is compared with nothing.")
        return lambda row: left(row) is not _NOTHING

    def _comparable(self) -> Comparable:
        token = self._next
        if token is None or token[0] == "sign":
            shown = "ends" if token is None else f"has `{token[1]}`"
            raise FilterError(f"{shown} where a path, such as @.status, or a value is expected.")
        self._place += 1
        if token[0] in {"path", "length"}:
            path = _path(token[1])
            if token[0] == "length":
                return lambda row: _length(_found(row, path))
            return lambda row: _found(row, path)
        value = _literal(*token)
        return lambda _: value


def _tokens(text: str) -> list[tuple[str, str]]:
    found, end = [], 0
    while end < len(text):
        token = _TOKEN.match(text, end)
        if token is None:
            raise FilterError(f"can't be read from `{text[end:].strip()}` on.")
        kind = t.cast("str", token.lastgroup)
        found.append((kind, token[kind]))
        end = token.end()
    return found


def _literal(kind: str, text: str) -> t.Any:  # noqa: ANN401 - any JSON scalar
    if kind == "number":
        return Decimal(text)
    return _WORDS[text] if kind == "word" else _unquoted(text)


def _unquoted(text: str) -> str:
    return _ESCAPE.sub(r"\1", text[1:-1])


def _path(text: str) -> list[t.Any]:
    return [
        int(each["index"]) if each["index"] else each["name"] or _unquoted(each["text"])
        for each in _SEGMENT.finditer(text)
    ]


def _found(value: t.Any, path: list[t.Any]) -> t.Any:  # noqa: ANN401 - any JSON value
    for part in path:
        if not isinstance(value, dict if isinstance(part, str) else list):
            return _NOTHING
        try:
            value = value[part]
        except LookupError:
            return _NOTHING
    return value


def _length(value: object) -> object:
    return len(value) if isinstance(value, (str, list, dict)) else _NOTHING


def _kind(value: object) -> object:
    return _KINDS.get(type(value), type(value))


def _equal(left: object, right: object) -> bool:
    return _kind(left) == _kind(right) and left == right


def _ordered(compare: Callable[[t.Any, t.Any], bool]) -> Callable[[t.Any, t.Any], bool]:
    def compared(left: object, right: object) -> bool:
        kind = _kind(left)
        return kind in {"number", "text"} and kind == _kind(right) and compare(left, right)

    return compared


_less, _more = _ordered(operator.lt), _ordered(operator.gt)
_COMPARED: t.Final[dict[str, Callable[[t.Any, t.Any], bool]]] = {
    "==": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "<": _less,
    ">": _more,
    "<=": lambda left, right: _less(left, right) or _equal(left, right),
    ">=": lambda left, right: _more(left, right) or _equal(left, right),
}
