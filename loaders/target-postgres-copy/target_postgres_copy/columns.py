"""Turn the values of one column, many rows at once, into fields of COPY.

A column is one list comprehension over values that are still JSON. What is usual for its type
passes there after a look at its first byte; the rest goes through `Column.field`, which checks
the value against the schema. So every value is checked, and nothing is cast in silence.
"""

from __future__ import annotations

import dataclasses
import typing as t

from jsonschema import Draft202012Validator
from singer_sdk.helpers._typing import get_datelike_property_type
from singer_sdk.singerlib.json import deserialize_json
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, JSONB, SMALLINT, UUID
from sqlalchemy.types import BOOLEAN, DATE, DECIMAL, INTEGER, TEXT, TIME, TIMESTAMP
from target_postgres.connector import NOTYPE

from target_postgres_copy import fields
from target_postgres_copy.errors import BadValue, Unsupported, shown
from target_postgres_copy.fields import KINDS, MISSING, NULL

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.types import TypeEngine

    Schema = dict[str, t.Any]
    #: From the values of a column, one to a line, to fields of COPY.
    Read = Callable[[bytes], list[bytes]]

SCALARS = frozenset({"string", "number", "integer", "boolean"})
ANY_TYPE = SCALARS | {"object", "array"}
#: Keywords of JSON Schema that a value of this type must obey, and that a first byte shows.
_SHOWN_BY_TYPE = {"type", "format"}
#: Keywords about what is inside of a container: PostgreSQL stores that as it came.
_INSIDE = {
    "additionalProperties",
    "contains",
    "dependentRequired",
    "dependentSchemas",
    "items",
    "patternProperties",
    "prefixItems",
    "properties",
    "propertyNames",
    "required",
    "unevaluatedItems",
    "unevaluatedProperties",
}
_DATELIKE = {TIMESTAMP: "date-time", DATE: "date", TIME: "time"}
_INTEGERS = (BIGINT, INTEGER, SMALLINT)
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
        return isinstance(self.sql_type, (*_INTEGERS, TEXT, NOTYPE, BOOLEAN, DATE))

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
    if kind in _INTEGERS:
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
    if isinstance(column.sql_type, ARRAY) and type(column.sql_type.item_type) is TEXT:
        return _where_all_match(fields.usual_text_arrays, slow, as_array=True)
    return None


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Policy:
    """The settings that columns depend on."""

    validate: bool
    sanitize: bool
    required: frozenset[str] = frozenset()


def column(name: str, schema: Schema, sql_type: TypeEngine[t.Any], policy: Policy) -> Column:
    """Plan a column; raise `Unsupported` where only target-postgres knows what to store."""
    if not isinstance(schema, dict):
        raise Unsupported(f"column {name!r} has no schema")
    allowed, nullable = json_types(schema)
    rules = _rules(schema, sql_type) if policy.validate else {}
    if "$ref" in repr(rules) or "$dynamicRef" in repr(rules):
        raise Unsupported(f"the schema of column {name!r} has references")
    convert = _conversion(name, sql_type, allowed, schema, policy)
    return Column(
        name=name,
        sql_type=sql_type,
        types=allowed,
        convert=convert,
        nullable=nullable or not policy.validate,
        required=name in policy.required,
        sanitize=policy.sanitize,
        rules=rules,
    )


def json_types(schema: Schema) -> tuple[frozenset[str], bool]:
    """Return the types a schema allows, without null, and whether it allows null."""
    if "type" in schema:
        given = schema["type"]
        names = {given} if isinstance(given, str) else set(given)
    elif "anyOf" in schema:
        found = [json_types(branch) for branch in schema["anyOf"] if isinstance(branch, dict)]
        names = {name for types, _ in found for name in types}
        names |= {"null"} if any(null for _, null in found) else set()
    else:
        names = {*ANY_TYPE, "null"}
    return frozenset(names - {"null"}), "null" in names


def _rules(schema: Schema, sql_type: TypeEngine[t.Any]) -> Schema:
    """Return what is left of a schema that neither a first byte nor the table shows."""
    ignored = _SHOWN_BY_TYPE | _INSIDE
    if "type" not in schema and not any(_rules(each, sql_type) for each in _branches(schema)):
        ignored = ignored | {"anyOf"}
    rules = {k: v for k, v in schema.items() if k in _KEYWORDS and k not in ignored}
    items = schema.get("items")
    if isinstance(sql_type, ARRAY) and isinstance(items, dict):
        inner = {} if isinstance(sql_type.item_type, JSONB) else _rules(items, sql_type.item_type)
        rules |= {"items": inner} if inner else {}
    return rules


def _branches(schema: Schema) -> list[Schema]:
    return [branch for branch in schema.get("anyOf", ()) if isinstance(branch, dict)]


_KEYWORDS = frozenset(Draft202012Validator.VALIDATORS)


def _conversion(
    name: str,
    sql_type: TypeEngine[t.Any],
    allowed: frozenset[str],
    schema: Schema,
    policy: Policy,
) -> Callable[[bytes], bytes]:
    kind = type(sql_type)
    if get_datelike_property_type(schema) != _DATELIKE.get(kind):
        raise Unsupported(
            f"column {name!r} is {sql_type!r}, but the schema's format says otherwise"
        )
    if kind is ARRAY and allowed == {"array"}:
        return _array(name, t.cast("ARRAY[t.Any]", sql_type), schema, policy)
    if convert := _scalar(kind, allowed, sanitize=policy.sanitize):
        return convert
    names = ", ".join(sorted(allowed))
    raise Unsupported(f"column {name!r} is {sql_type!r} for values of type {names}")


def _scalar(
    kind: type[TypeEngine[t.Any]], allowed: frozenset[str], *, sanitize: bool
) -> Callable[[bytes], bytes] | None:
    """Return the conversion for a type that isn't an array, if it can hold what is allowed."""
    text = fields.text(sanitize=sanitize)
    as_text = {"string"}
    ways: list[tuple[bool, Callable[[bytes], bytes]]] = [
        (kind is JSONB, fields.jsonb(sanitize=sanitize)),
        (kind is NOTYPE or (kind is TEXT and allowed <= SCALARS), text),
        (kind in _INTEGERS and allowed <= {"integer"}, fields.whole_number),
        (kind is DECIMAL and allowed <= {"integer", "number"}, fields.unchanged),
        (kind is BOOLEAN and allowed <= {"boolean"}, fields.unchanged),
        (kind in {UUID, DECIMAL} and allowed <= as_text, text),
        (kind is TIMESTAMP and allowed <= as_text, fields.datetime),
        (kind is DATE and allowed <= as_text, fields.date),
        (kind is TIME and allowed <= as_text, fields.time),
    ]
    return next((convert for fits, convert in ways if fits), None)


def _array(
    name: str, sql_type: ARRAY[t.Any], schema: Schema, policy: Policy
) -> Callable[[bytes], bytes]:
    items = schema.get("items")
    inner = {"type": items} if isinstance(items, str) else items
    allowed, nullable = json_types(inner) if isinstance(inner, dict) else (ANY_TYPE, True)
    element_type = sql_type.item_type
    kind = type(element_type)
    convert = _scalar(kind, allowed, sanitize=policy.sanitize)
    if convert is None or kind not in {JSONB, TEXT, NOTYPE, DECIMAL, BOOLEAN, *_INTEGERS}:
        raise Unsupported(f"column {name!r} is an array of {element_type!r}")
    if kind in {TEXT, NOTYPE}:
        convert = fields.text_element(sanitize=policy.sanitize)
    element = Column(
        name=name,
        sql_type=TEXT() if kind is JSONB else element_type,
        types=allowed,
        convert=convert,
        nullable=nullable or not policy.validate,
    )
    if kind is JSONB:
        return fields.jsonb_array(element.field, sanitize=policy.sanitize)
    return fields.array(element.field)
