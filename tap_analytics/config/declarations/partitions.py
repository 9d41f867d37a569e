"""The `partitions` of a resource: lists of values, each of which is read on its own."""

from __future__ import annotations

import typing as t

from tap_analytics.config.declarations.object_reader import NAME, listed
from tap_analytics.config.declarations.processing import names_added
from tap_analytics.config.declarations.templates import PARTITIONS
from tap_analytics.records.codec import kind_of

if t.TYPE_CHECKING:
    from tap_analytics.config.declarations.model import DeclaredResource
    from tap_analytics.config.declarations.object_reader import ObjectReader


def read_partitions(reader: ObjectReader, name: str) -> dict[str, tuple[str | int, ...]]:
    """Read lists of values by column; a text has commas between its values."""
    found = {}
    for column, given in reader.object(name).items():
        field = f"{name}.{column}"
        values = [each.strip() for each in given.split(",")] if isinstance(given, str) else given
        if not NAME.fullmatch(column):
            reader.error(name, f"'{column}' must have letters, digits and '_' only.")
        elif not isinstance(values, list):
            reader.error(field, f"must be a list of values, not {kind_of(given)}.")
        elif not values or not all(map(_is_value, values)):
            reader.error(field, "must have texts or whole numbers, at least one and none empty.")
        elif len({*map(str, values)}) < len(values):
            reader.error(field, "has a value twice. Remove one.")
        else:
            found[column] = tuple(values)
    return found


def _is_value(value: object) -> bool:
    return type(value) is int or (isinstance(value, str) and value.strip() not in {"", ".", ".."})


def check_partitions(resource: DeclaredResource, reader: ObjectReader) -> None:
    """Report partitions that the request doesn't name, and placeholders of unknown ones."""
    scope = f"{PARTITIONS}."
    named = {each.removeprefix(scope) for each in resource.request.names if each.startswith(scope)}
    given = reader.given.get("partitions")
    added = {name for name in names_added(resource.steps) if name.startswith(scope)}
    used = named.union(name.removeprefix(scope) for name in added)
    for column in sorted(used.difference(given if isinstance(given, dict) else ())):
        known = f"Known: {listed(resource.partitions)}."
        reader.error("partitions", f"has no '{column}', which {{{scope}{column}}} names. {known}")
    for column in resource.partitions:
        if column not in named:
            reader.error(
                f"partitions.{column}",
                f"has no use: the request doesn't name {{{scope}{column}}}. Add it, or remove the "
                "list.",
            )
