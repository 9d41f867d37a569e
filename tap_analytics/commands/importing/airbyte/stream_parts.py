"""What a stream of a manifest is called, which columns it describes, and what needs code in it."""

from __future__ import annotations

import re

from tap_analytics.commands.importing.airbyte.components import Component
from tap_analytics.commands.importing.loading import Object, as_object
from tap_analytics.commands.importing.notes import UnsupportedError, shown


def name_of(stream: Component) -> str:
    """Return the name of a stream, with characters not allowed in resource names replaced."""
    name = stream.text("name") or ""
    plain = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")
    if plain != name:
        stream.note("name", f"'{shown(name)}' is renamed to '{shown(plain)}'.")
    return plain


def columns_of(stream: Component) -> Object:
    """Return the columns that the schema of a stream describes."""
    loader = stream.child("schema_loader") or next(iter(stream.children("schema_loader")), None)
    schema = None if loader is None else stream.manifest.unfolded(loader.get("schema"))
    return as_object(as_object(schema).get("properties"))


def first_sync(stream: Component) -> Component:
    """Return the stream that a first sync reads, without a cursor if later syncs read another.

    Raises `UnsupportedError` if its requests need that cursor.
    """
    if stream.kind != "StateDelegatingStream":
        return stream
    found = stream.child("full_refresh_stream")
    if found is None:
        raise UnsupportedError("it has no full_refresh_stream")
    cursor = found.child("incremental_sync")
    words = ("start_time_option", "end_time_option", "partition_field_start", "partition_field_end")
    if cursor is not None and any(cursor.get(word) for word in words):
        raise UnsupportedError(
            "its first sync asks for a range of times, and later ones for events"
        )
    stream.note("", "every run reads all rows, as a first sync does.")
    stream.ignore("incremental_stream", "api_retention_period")
    value = {word: inner for word, inner in found.value.items() if word != "incremental_sync"}
    parameters = {w: inner for w, inner in found.parameters.items() if w != "incremental_sync"}
    return Component(found.manifest, (value, found.path, {}), parameters)


def class_for(part: Component, method: str, reason: str) -> str:
    """Return the name of the class in the plugin whose `method` does what a component does.

    Raises `UnsupportedError` without a plugin; its text begins with `reason`.
    """
    plugin = part.manifest.notes.plugin
    if plugin is None:
        way = f"`--plugin MODULE` takes it, with `{method}` of a class"
        raise UnsupportedError(f"{reason} {shown(part.kind)} ({way})")
    name = str(part.get("class_name") or part.kind).rpartition(".")[2]
    part.note("", f"needs code: `{method}` of a class in `{plugin}` does what {shown(name)} does.")
    part.ignore(*part.value)
    return re.sub(r"\W+", "", name, flags=re.ASCII).lstrip("0123456789_")
