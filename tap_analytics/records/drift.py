"""Where the rows of a stream and its schema disagreed, and what became of it."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, field

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(slots=True, kw_only=True)
class SchemaDrift:
    """What a stream met that its schema didn't know, by root field."""

    #: New fields that extended the schema, with the type that was inferred.
    added: dict[str, str] = field(default_factory=dict)
    #: Unknown fields that were left out.
    dropped: dict[str, None] = field(default_factory=dict)
    #: Fields whose type was widened, with the type they have since.
    widened: dict[str, str] = field(default_factory=dict)
    #: Values that contradicted the schema, if `on_type_mismatch` has them looked for.
    mismatches: Counter[str] = field(default_factory=Counter)

    def extend(self, properties: Mapping[str, t.Any]) -> None:
        """Note fields that extended the schema."""
        self.added |= {name: type_in_words(schema) for name, schema in properties.items()}

    def drop(self, names: Iterable[str]) -> None:
        """Note fields that were left out."""
        self.dropped |= dict.fromkeys(names)

    def widen(self, properties: Mapping[str, t.Any]) -> None:
        """Note fields whose types were widened."""
        self.widened |= {name: type_in_words(schema) for name, schema in properties.items()}


def type_in_words(schema: Mapping[str, t.Any]) -> str:
    """Return the type of a field as people say it; that it may be null goes without saying."""
    given = schema.get("type", ())
    kinds = [given] if isinstance(given, str) else [kind for kind in given if kind != "null"]
    items = schema.get("items") or {}
    words = [
        f"array of {type_in_words(items)}" if kind == "array" and items.get("type") else kind
        for kind in kinds
    ]
    return " or ".join(words) if 0 < len(words) < len(_ANY) else "anything"


_ANY = ("string", "number", "boolean", "object", "array")
