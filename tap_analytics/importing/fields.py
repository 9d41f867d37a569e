"""The fields that a text gives a resource: columns where it tells their types, else only names."""

from __future__ import annotations

import re
import typing as t

Object = dict[str, t.Any]

_FIELD = re.compile(r"`([A-Za-z_][\w-]{0,99})`(?:[ \t]*\(([^()]{1,40})\))?", re.ASCII)
_WORD = re.compile(r"[a-z][a-z0-9_-]*")
_TYPES = {
    **dict.fromkeys(("string", "text", "str", "uuid", "email", "url"), "string"),
    **dict.fromkeys(("integer", "int", "long"), "integer"),
    **dict.fromkeys(("number", "float", "double", "decimal"), "number"),
    **dict.fromkeys(("boolean", "bool"), "boolean"),
    **dict.fromkeys(("object", "dict", "json", "map"), "object"),
    **dict.fromkeys(("array", "list"), "array"),
}
_TIMES = {"date-time", "datetime", "timestamp"}


def fields_in(text: str) -> dict[str, Object | None]:
    """Return the fields in a line by name: a column where its type stands in brackets, or None."""
    return {name: column(kind) if kind else None for name, kind in _FIELD.findall(text)}


def column(kind: str) -> Object | None:
    """Return the column of a type as people name it, or None for a type that isn't known."""
    words = _WORD.findall(kind.lower())
    if _TIMES.intersection(words):
        return {"type": ["string", "null"], "format": "date-time"}
    known = [_TYPES[word] for word in words if word in _TYPES]
    return {"type": [known[0], "null"]} if known else None


def schema_of(fields: t.Mapping[str, Object | None], keys: t.Collection[str]) -> Object | None:
    """Return the schema of fields whose types are all known, with keys that are never null."""
    properties: Object = {}
    for name, found in fields.items():
        if found is None:
            return None
        properties[name] = {**found, "type": found["type"][0]} if name in keys else found
    return {"type": "object", "properties": properties} if set(keys) <= set(fields) else None
