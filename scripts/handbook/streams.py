"""The built-in streams: how they are read, how they refer to each other, their columns."""

from __future__ import annotations

import typing as t

from handbook.markdown import code, table
from tap_analytics.client import AnalyticsStream
from tap_analytics.commands.schema import mermaid
from tap_analytics.streams import APIS
from tap_analytics.streams.relations import relations
from tap_analytics.tap import TapAnalytics

if t.TYPE_CHECKING:
    from tap_analytics.streams.relations import Relation

SITE = "https://api.example.com"


def streams() -> str:
    """Describe every built-in stream, in the order of the APIs."""
    needed = {api.name: {s.name: SITE for s in api.settings if s.required} for api in APIS}
    tap = TapAnalytics(config=needed)
    head = "Stream | Endpoint | Replication"
    names = [name for api in APIS for name in api.stream_names]
    return table(head, (_row(t.cast("AnalyticsStream", tap.streams[name])) for name in names))


def _row(stream: AnalyticsStream) -> tuple[str, ...]:
    endpoint = f"{stream.url_base}{stream.path}".removeprefix(SITE)
    mark = "" if stream.selected_by_default else " ○"
    return code(stream.name) + mark, code(endpoint), _replication(stream)


def _replication(stream: AnalyticsStream) -> str:
    how = f"by {code(stream.replication_key)}" if stream.replication_key else "full table"
    if stream.parent_stream_type is not None:
        row = "changed row" if stream.incremental_dependency else "row"
        return f"{how}, for each {row} of {code(vars(stream.parent_stream_type)['name'])}"
    if stream.replication_key is None:
        return how
    if type(stream).window is not AnalyticsStream.window:
        return f"{how}, filtered by the server"
    return f"{how}, newest first" if stream.newest_first else f"{how}, filtered by the tap"


def diagrams() -> str:
    """Show the streams of each API with their keys and references."""
    drawn = ((api.title, "\n".join(mermaid(relations([api]), columns=False))) for api in APIS)
    return "\n\n".join(f"### {title}\n\n```mermaid\n{lines}\n```" for title, lines in drawn)


def columns() -> str:
    """Describe the columns of every built-in stream."""
    parts = []
    for api in APIS:
        parts.append(f"## {api.title}")
        for relation in relations([api]):
            parts += [f"### `{relation.name}`", relation.description, _columns(relation)]
    return "\n\n".join(parts)


def _columns(relation: Relation) -> str:
    rows = []
    for column in relation.columns:
        roles = ["key"] if column.name in relation.keys else []
        roles += ["bookmark"] if column.name == relation.bookmark else []
        for each in relation.references:
            if each.root == column.name:
                role = "parent" if each.stream == relation.parent else "holds"
                roles.append(f"{role} {code(f'{each.stream}.{each.field}')}")
        types = " or ".join(column.types)
        rows.append((code(column.name), types, ", ".join(roles), column.description))
    return table("Column | Type | Role | Meaning", rows)
