"""Decide how a column's values are checked and converted, from its schema and its SQL type."""

from __future__ import annotations

import dataclasses
import typing as t

from jsonschema import Draft202012Validator
from singer_sdk.helpers._typing import get_datelike_property_type
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID
from sqlalchemy.types import BOOLEAN, DATE, DECIMAL, TEXT, TIME, TIMESTAMP
from target_postgres.connector import NOTYPE

from target_postgres_copy import fields
from target_postgres_copy.columns import INTEGERS, Column
from target_postgres_copy.errors import Unsupported

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.types import TypeEngine

    from target_postgres_copy.columns import Schema

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
#: What a validator checks; other words of a schema are for people.
_KEYWORDS = frozenset(Draft202012Validator.VALIDATORS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Policy:
    """The settings that columns depend on."""

    validate: bool
    sanitize: bool
    required: frozenset[str] = frozenset()


def plan(name: str, schema: Schema, sql_type: TypeEngine[t.Any], policy: Policy) -> Column:
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
        element_types=_items(schema)[0],
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
        (kind in INTEGERS and allowed <= {"integer"}, fields.whole_number),
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
    allowed, nullable = _items(schema)
    element_type = sql_type.item_type
    kind = type(element_type)
    convert = _scalar(kind, allowed, sanitize=policy.sanitize)
    if convert is None or kind not in {JSONB, TEXT, NOTYPE, DECIMAL, BOOLEAN, *INTEGERS}:
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


def _items(schema: Schema) -> tuple[frozenset[str], bool]:
    """Return the types an array may hold, and whether null is one of them."""
    items = schema.get("items")
    inner = {"type": items} if isinstance(items, str) else items
    return json_types(inner) if isinstance(inner, dict) else (frozenset(ANY_TYPE), True)
