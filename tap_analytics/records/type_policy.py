"""Applies settings to values: types that contradict the schema, times in UTC.

Inferred types are checked by default, while a page is decoded to structs. A page that contradicts
them, and every page where `datetimes` is set, is decoded to dicts, which takes longer.
"""

from __future__ import annotations

import functools
import operator
import re
import typing as t
from dataclasses import dataclass, replace
from datetime import UTC

import msgspec

from tap_analytics.errors import TapError
from tap_analytics.records.codec import JSON_TYPES
from tap_analytics.records.inference import kinds_of
from tap_analytics.records.notation import parse_iso

if t.TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Collection, Iterable, Mapping

    from tap_analytics.records.payload import Row

TypeMismatch = t.Literal["pass", "widen", "split", "null", "fail"]

Schema = t.Mapping[str, t.Any]
#: Characters that the name of a struct's field can't hold.
INVALID_IN_NAMES: t.Final = re.compile(r'[\\"\x00-\x1f\ud800-\udfff]')


class TypeMismatchError(TapError):
    """A value whose type contradicts the schema, where the settings refuse such values."""


@dataclass(kw_only=True)
class TypePolicy:
    """Applies the settings `on_type_mismatch` and `datetimes` to the root fields of rows."""

    schema: Schema
    stream: str
    keys: Collection[str]
    #: What the settings say; None where they say nothing.
    on_mismatch: TypeMismatch | None
    #: Fields whose types were inferred from rows, which may be incomplete.
    inferred: Collection[str]
    in_utc: bool
    #: Values that contradicted the schema, counted by field.
    mismatches: Counter[str]

    def __post_init__(self) -> None:
        """Compile the checks of the schema's fields."""
        self.properties: Mapping[str, Schema] = self.schema.get("properties", {})
        checked = self.checks(self.properties)
        self._allowed = {name: _allowed_types(field) for name, field in checked.items()}
        self._nested = [
            name for name, field in checked.items() if field.get("properties") or field.get("items")
        ]
        self._times = [
            name
            for name, field in self.properties.items()
            if self.in_utc and field.get("format") == "date-time"
        ]

    @property
    def changes(self) -> bool:
        """Whether values of the right type are changed too."""
        return bool(self._times)

    def for_schema(self, schema: Schema, inferred: Iterable[str] = ()) -> TypePolicy:
        """Return the policy for an extended schema, some fields of which were inferred."""
        return replace(self, schema=schema, inferred={*self.inferred, *inferred})

    def checks(
        self, properties: Mapping[str, Schema], *, inferred: Iterable[str] = ()
    ) -> dict[str, Schema]:
        """Return the schemas to check values against; nested ones only with `widen`."""
        inferred = {*self.inferred, *inferred}
        found = {}
        for name, field in properties.items():
            policy = self.on_mismatch or ("widen" if name in inferred else "pass")
            if policy != "pass" and "type" in field:
                widens = policy in {"widen", "split"}
                found[name] = field if widens else {"type": field["type"]}
        return found

    def apply(self, rows: Iterable[Row]) -> dict[str, Schema]:
        """Change rows in place; return the fields that the schema is to be extended by.

        Raises `TypeMismatchError` where a contradiction is refused, or would null a key.
        """
        wider: dict[str, Schema] = {}
        for row in rows:
            for name, allowed in self._allowed.items():
                if name in row and type(row[name]) not in allowed:
                    self._handle_mismatch(row, name, wider)
            for name in self._nested:
                value = row.get(name)
                if isinstance(value, list) and self.on_mismatch == "split":
                    # A column of lists has one type of items in many targets.
                    if taking(self.properties[name], value) is not self.properties[name]:
                        self._handle_mismatch(row, name, wider)
                elif value is not None:
                    self._widen(name, value, wider)
            for name in self._times:
                if isinstance(row.get(name), str):
                    row[name] = to_utc(row[name])
        return wider

    def _handle_mismatch(self, row: Row, name: str, wider: dict[str, Schema]) -> None:
        value, policy = row[name], self.on_mismatch or "widen"
        kind = JSON_TYPES.get(type(value), "string")
        if policy == "fail" or (policy in {"null", "split"} and name in self.keys):
            raise TypeMismatchError(
                f"{self.stream}: field `{name}` came as {kind}, which its schema doesn't allow. "
                "Set `on_type_mismatch` to `widen` or `null`, or correct the schema."
            )
        self.mismatches[name] += 1
        if policy == "widen":
            self._widen(name, value, wider)
            return
        row[name] = None
        if policy == "split":
            column = f"{name}__{kind}"
            row[column] = value
            self._widen(column, value, wider, new=widened({"type": ["null"]}, [kind]))

    def _widen(
        self, name: str, value: object, wider: dict[str, Schema], *, new: Schema | None = None
    ) -> None:
        """Add the widened schema of a field to `wider`, if its own doesn't take a value."""
        known = wider.get(name) or self.properties.get(name)
        field = taking(known or new or {}, value)
        if field is not known:
            wider[name] = field


def to_utc(text: str) -> str:
    """Return a date-time in UTC, unchanged if it is in UTC already or can't be parsed."""
    if text.endswith("Z"):
        return text
    moment = parse_iso(text)
    if moment is None:
        return text
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def widened(field: Mapping[str, t.Any], kinds: Iterable[str]) -> dict[str, t.Any]:
    """Return a field's schema that also allows other JSON types, without its `format`."""
    known = field.get("type", [])
    given = [known] if isinstance(known, str) else list(known)
    added = sorted(set(kinds) - set(given))
    kept = {name: value for name, value in field.items() if name not in {"type", "format"}}
    array: dict[str, t.Any] = {} if "array" not in added or "items" in field else {"items": {}}
    return {**kept, **array, "type": [*given, *added]}


def taking(field: Schema, value: object) -> Schema:
    """Return a field's schema that also takes a value: the same one if it does."""
    if "type" not in field:
        return field
    kind, kinds = JSON_TYPES.get(type(value), "string"), _kinds(field)
    if kind not in kinds:
        field = widened(field, [kind])
    known, items = field.get("properties"), field.get("items")
    if isinstance(value, dict) and known:
        wider = {name: taking(known[name], value[name]) for name in known.keys() & value.keys()}
        changed = {name: inner for name, inner in wider.items() if inner is not known[name]}
        return {**field, "properties": {**known, **changed}} if changed else field
    if isinstance(value, list) and isinstance(items, dict):
        taken: Schema = items
        for item in value:
            taken = taking(taken, item)
        return field if taken is items else {**field, "items": taken}
    return field


def struct_of(properties: Mapping[str, Schema]) -> type:
    """Return a struct that takes the objects for which `taking` widens nothing.

    Raises `ValueError` for names that no struct can have.
    """
    if any(map(INVALID_IN_NAMES.search, properties)):
        raise ValueError
    fields = {f"f{number}": name for number, name in enumerate(properties)}
    return msgspec.defstruct(
        "Checked",
        [
            (field, _type(properties[name]) | msgspec.UnsetType, msgspec.UNSET)
            for field, name in fields.items()
        ],
        rename=fields,
        gc=False,
    )


def _type(field: Schema) -> t.Any:  # noqa: ANN401 - a type made at run time
    """Return the type of the values that a field's schema takes."""
    if "type" not in field:
        return msgspec.Raw
    kinds, items = _kinds(field), field.get("items")
    types: dict[str, t.Any] = {"string": str, "boolean": bool, "null": None, "integer": int}
    types["number"] = float
    types["object"] = struct_of(field.get("properties", {}))
    types["array"] = list[_type(items) if isinstance(items, dict) else msgspec.Raw]  # type: ignore[misc]  # made at run time
    return functools.reduce(operator.or_, (types[kind] for kind in kinds & types.keys()))


def _kinds(field: Schema) -> set[str]:
    """Return the JSON types that a field may have; a number may be whole."""
    kinds = kinds_of(field)
    return kinds | {"integer"} if "number" in kinds else kinds


def _allowed_types(field: Schema) -> frozenset[type]:
    """Return the Python types that a field may have."""
    kinds = _kinds(field)
    return frozenset(kind for kind, word in JSON_TYPES.items() if word in kinds)
