"""Convert the schemas of columns that transformations make."""

from __future__ import annotations

import typing as t

from tap_analytics.commands.importing.airbyte.jinja_values import Later
from tap_analytics.config.declarations.templates import RECORD

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.airbyte.components import Object
    from tap_analytics.commands.importing.airbyte.transformations import Transformations


def column_of(name: str, column: Object, made: Transformations, columns: Object) -> Object:
    """Return the schema of a column; one whose type is said has that of the field it is made of.

    `columns` are the schemas of all.
    """
    value = made.added.get(name)
    names = [each.name for each in value.placeholders] if isinstance(value, Later) else []
    if name not in made.typed or not isinstance(value, Later) or len(value.parts) > 1 or not names:
        return column
    source = columns.get(names[0].removeprefix(f"{RECORD}."))
    if isinstance(source, dict) and "type" in source and names[0] != f"{RECORD}.{name}":
        kinds = [kind for kind in _kinds(source) if kind != "null"]
        null = ["null"] if "null" in _kinds(column) else []
        return {**column, "type": [*kinds, *null]}
    given = _kinds(column)
    if not {"string", "integer", "number"}.intersection(given):
        return column
    rest = {word: inner for word, inner in column.items() if word not in {"type", "format"}}
    return {**rest, "type": [*dict.fromkeys([*given, "string", "integer"])]}


def _kinds(column: Object) -> list[str]:
    kinds = column.get("type")
    return [str(kind) for kind in (kinds if isinstance(kinds, list) else [kinds])]
