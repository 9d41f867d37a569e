"""What the settings want done to values: types that contradict the schema, times in UTC.

Neither is on by default: rows then pass as the API wrote them, and nobody needs to look into them,
which is what makes them fast. Either setting costs about two thirds of the speed.
"""

from __future__ import annotations

import typing as t
from datetime import UTC
from decimal import Decimal

import msgspec

from tap_analytics.errors import TapError
from tap_analytics.incremental import parse_iso

if t.TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Mapping, Sequence

    from tap_analytics.payload import Row

TypeMismatch = t.Literal["pass", "widen", "null", "fail"]

#: JSON types by the Python type a decoded value has.
JSON_TYPES: t.Final[Mapping[type, str]] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    Decimal: "number",
    float: "number",
    # One that is too large to be read.
    msgspec.Raw: "number",
    dict: "object",
    list: "array",
    type(None): "null",
}


class TypeMismatchError(TapError):
    """A value whose type contradicts the schema, where the settings refuse such values."""


class Values:
    """Applies the settings `on_type_mismatch` and `datetimes` to the root fields of rows."""

    def __init__(  # noqa: PLR0913 - what the settings want, each by its name
        self,
        schema: Mapping[str, t.Any],
        *,
        stream: str,
        keys: Sequence[str],
        on_mismatch: TypeMismatch,
        in_utc: bool,
        mismatches: Counter[str],
    ) -> None:
        properties: Mapping[str, Mapping[str, t.Any]] = schema.get("properties", {})
        self.stream = stream
        self.keys = frozenset(keys)
        self.in_utc = in_utc
        self.on_mismatch = on_mismatch
        #: Values that contradicted the schema, counted by field.
        self.mismatches = mismatches
        self._allowed = {} if on_mismatch == "pass" else _allowed_types(properties)
        self._times = [name for name, field in properties.items() if in_utc and _is_time(field)]

    @property
    def looks(self) -> bool:
        """Whether rows have to be looked into."""
        return bool(self._allowed or self._times)

    def for_schema(self, schema: Mapping[str, t.Any]) -> Values:
        """Return the same for a schema that has been extended."""
        return Values(
            schema,
            stream=self.stream,
            keys=sorted(self.keys),
            on_mismatch=self.on_mismatch,
            in_utc=self.in_utc,
            mismatches=self.mismatches,
        )

    def apply(self, rows: Iterable[Row]) -> dict[str, set[str]]:
        """Change rows in place; return the JSON types that fields have to be widened by.

        Raises `TypeMismatchError` where a contradiction is refused, or would null a key.
        """
        wider: dict[str, set[str]] = {}
        for row in rows:
            for name, allowed in self._allowed.items():
                if name in row and type(row[name]) not in allowed:
                    self._meet(row, name, wider)
            for name in self._times:
                if isinstance(row.get(name), str):
                    row[name] = to_utc(row[name])
        return wider

    def _meet(self, row: Row, name: str, wider: dict[str, set[str]]) -> None:
        kind = JSON_TYPES.get(type(row[name]), "string")
        if self.on_mismatch == "fail" or (self.on_mismatch == "null" and name in self.keys):
            raise TypeMismatchError(
                f"{self.stream}: field `{name}` came as {kind}, which its schema doesn't allow. "
                "Set `on_type_mismatch` to `widen` or `null`, or correct the schema."
            )
        self.mismatches[name] += 1
        if self.on_mismatch == "null":
            row[name] = None
        else:
            wider.setdefault(name, set()).add(kind)


def to_utc(text: str) -> str:
    """Return a date-time in UTC, as it was written if it is in UTC or none that can be read."""
    if text.endswith("Z"):
        return text
    moment = parse_iso(text)
    if moment is None:
        return text
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def widened(field: Mapping[str, t.Any], kinds: Iterable[str]) -> dict[str, t.Any]:
    """Return a field's schema that also allows other JSON types; a format binds no more."""
    known = field.get("type", [])
    given = [known] if isinstance(known, str) else list(known)
    added = sorted(set(kinds) - set(given))
    kept = {word: value for word, value in field.items() if word not in {"type", "format"}}
    array: dict[str, t.Any] = {} if "array" not in added or "items" in field else {"items": {}}
    return {**kept, **array, "type": [*given, *added]}


def _allowed_types(properties: Mapping[str, Mapping[str, t.Any]]) -> dict[str, frozenset[type]]:
    """Return the Python types each field may have; fields without plain types may be anything."""
    allowed = {}
    for name, field in properties.items():
        given = field.get("type")
        if given is None:
            continue
        kinds = {given} if isinstance(given, str) else set(given)
        if "number" in kinds:
            kinds.add("integer")
        allowed[name] = frozenset(kind for kind, word in JSON_TYPES.items() if word in kinds)
    return allowed


def _is_time(field: Mapping[str, t.Any]) -> bool:
    return field.get("format") == "date-time"
