"""Turn the values of one column, many rows at once, into fields of COPY.

A column is one list comprehension over values that are still JSON. What is usual for its type
passes there after a look at its first byte; the rest goes through `Column.field`, which checks
the value against the schema. So every value is checked, and nothing is cast in silence.
"""

from __future__ import annotations

import dataclasses
import typing as t

from jsonschema import Draft202012Validator
from singer_sdk.singerlib.json import deserialize_json
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, JSONB, SMALLINT, UUID
from sqlalchemy.types import BOOLEAN, DATE, DECIMAL, INTEGER, TEXT, TIME, TIMESTAMP
from target_postgres.connector import NOTYPE

from target_postgres_copy import fields
from target_postgres_copy.errors import BadValue, shown
from target_postgres_copy.fields import KINDS, MISSING, NULL

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.types import TypeEngine

    Schema = dict[str, t.Any]
    #: From the values of a column, one to a line, to fields of COPY.
    Read = Callable[[bytes], list[bytes]]

INTEGERS = (BIGINT, INTEGER, SMALLINT)
_NOTHING = frozenset({MISSING, NULL})
_BOOLEANS = frozenset({b"true", b"false"})
#: How many different values of a column with further rules are remembered as good.
_REMEMBERED, _REMEMBERED_BYTES = 10_000, 200


@dataclasses.dataclass(frozen=True, kw_only=True)
class Column:
    """One column: what the schema allows in it, and how a value becomes a field."""

    name: str
    sql_type: TypeEngine[t.Any]
    types: frozenset[str]
    convert: Callable[[bytes], bytes]
    #: What the schema allows in an array.
    element_types: frozenset[str] = frozenset()
    nullable: bool = True
    required: bool = False
    sanitize: bool = False
    rules: Schema = dataclasses.field(default_factory=dict)

    @property
    def null(self) -> bytes:
        """The field of a value that isn't there: target-postgres stores JSON null in jsonb."""
        return fields.JSON_NULL if isinstance(self.sql_type, JSONB) else NULL

    @property
    def is_canonical(self) -> bool:
        """Whether equal values always give equal fields, so that keys can be compared."""
        return isinstance(self.sql_type, (*INTEGERS, TEXT, NOTYPE, BOOLEAN, DATE))

    def field(self, value: bytes) -> bytes:
        """Check any value and convert it."""
        try:
            self._check(value)
            return self.null if value in _NOTHING else self.convert(value)
        except BadValue as error:
            error.column = error.column or self.name
            raise

    def _check(self, value: bytes) -> None:
        if value == MISSING:
            if self.required:
                raise BadValue("is missing")
            return
        if value == NULL and self.nullable:
            return
        kind = KINDS[value[:1]]
        if kind in self.types:
            return
        if kind == "number" and "integer" in self.types and fields.is_whole(value):
            return
        raise BadValue(self._contradiction(value))

    def _contradiction(self, value: bytes) -> str:
        allowed = [*sorted(self.types), *(["null"] if self.nullable else [])]
        return f"{shown(value)} is not of type {' or '.join(allowed)}"

    def shortcut(self) -> Callable[[bytes], bytes]:
        """Return `field`, with a short way for what is often not there."""
        nothing = {NULL: self.null} if self.nullable else {}
        nothing |= {} if self.required else {MISSING: self.null}
        return lambda value: nothing.get(value) or self.field(value)

    def reader(self) -> Read:
        """Return the conversion of all values of a run, which are one to a line."""
        read = _usual(self) or _each(self)
        if self.rules:
            read = _checked(self, read)
        return _once_for_equals(read)


def _each(column: Column) -> Read:
    """Return the conversion that looks at one value after the other."""
    kind, slow = type(column.sql_type), column.shortcut()
    if kind in INTEGERS:
        return lambda lines: [v if v.isdigit() else slow(v) for v in lines.split(b"\n")]
    if kind is BOOLEAN:
        return lambda lines: [v if v in _BOOLEANS else slow(v) for v in lines.split(b"\n")]
    if kind is DECIMAL or (kind is JSONB and not column.sanitize):
        starts = frozenset(start for start, name in KINDS.items() if name in column.types)
        return lambda lines: [v if v[:1] in starts else slow(v) for v in lines.split(b"\n")]
    return lambda lines: [slow(v) for v in lines.split(b"\n")]


def _usual(column: Column) -> Read | None:
    """Return a conversion that takes all values at once where none of them is unusual."""
    kind, slow = type(column.sql_type), column.shortcut()
    if kind in {TEXT, NOTYPE, UUID, DECIMAL} and "string" in column.types:
        nullable = column.nullable
        return lambda lines: _plain_strings(lines, nullable=nullable) or _mixed(lines, slow)
    find = {
        TIMESTAMP: fields.usual_datetimes,
        DATE: fields.usual_dates,
        TIME: fields.usual_times,
    }.get(kind)
    if find:
        return _where_all_match(find, slow)
    if isinstance(column.sql_type, ARRAY):
        item = type(column.sql_type.item_type)
        if item is TEXT and "string" in column.element_types:
            return _where_all_match(fields.usual_text_arrays, slow, as_array=True)
        if item is JSONB and "object" in column.element_types:
            return _flat_objects(fields.flat_objects(nullable=column.nullable), slow)
    return None


def _flat_objects(find: Read, slow: Callable[[bytes], bytes]) -> Read:
    literals = fields.flat_objects_literals

    def read(lines: bytes) -> list[bytes]:
        if len(find(lines)) > lines.count(b"\n"):
            return literals(lines).split(b"\n")
        return [literals(v) if find(v) else slow(v) for v in lines.split(b"\n")]

    return read


def _where_all_match(find: Read, slow: Callable[[bytes], bytes], *, as_array: bool = False) -> Read:
    def read(lines: bytes) -> list[bytes]:
        found = find(lines)
        if len(found) <= lines.count(b"\n"):
            found = [m[0] if (m := find(v)) else slow(v) for v in lines.split(b"\n")]
        if as_array:
            return [b"{" + v[1:-1] + b"}" if v[:1] == b"[" else v for v in found]
        return [v or slow(NULL) for v in found] if b"" in found else found

    return read


def _plain_strings(lines: bytes, *, nullable: bool) -> list[bytes] | None:
    """Return all values without their quotes, if they are nulls and strings that can do without."""
    if b"\\" in lines or b'""' in lines or b'"null"' in lines:
        return None
    framed = b"\n" + lines + b"\n"
    count, strings = lines.count(b"\n") + 1, framed.count(b'\n"')
    if strings == count:
        return lines[1:-1].split(b'"\n"')
    if nullable and strings + framed.count(b"\nnull") == count:
        return framed.replace(b'\n"', b"\n").replace(b'"\n', b"\n")[1:-1].split(b"\n")
    return None


def _mixed(lines: bytes, slow: Callable[[bytes], bytes]) -> list[bytes]:
    return [
        v[1:-1] if v[:1] == b'"' and b"\\" not in v and v not in _ODD_STRINGS else slow(v)
        for v in lines.split(b"\n")
    ]


#: Strings that would be taken for something else without quotes.
_ODD_STRINGS = frozenset({b'""', b'"null"'})


def _once_for_equals(read: Read) -> Read:
    """Convert once what is the same in all rows, such as a member that isn't there."""

    def convert(lines: bytes) -> list[bytes]:
        first, end, _ = lines.partition(b"\n")
        if not end or not lines.endswith(b"\n" + first):
            return read(lines)
        count = lines.count(b"\n")
        if lines != (first + b"\n") * count + first:
            return read(lines)
        return read(first) * (count + 1)

    return convert


def _checked(column: Column, read: Read) -> Read:
    """Add the check of rules that only a validator knows; values seen before are good."""
    validator = Draft202012Validator(column.rules)
    good = {MISSING}

    def convert(lines: bytes) -> list[bytes]:
        for value in lines.split(b"\n"):
            if value in good:
                continue
            for error in validator.iter_errors(deserialize_json(value)):
                raise BadValue(shown(error.message), column=column.name)
            if len(good) > _REMEMBERED:
                good.intersection_update({MISSING})
            if len(value) <= _REMEMBERED_BYTES:
                good.add(value)
        return read(lines)

    return convert
