"""The columns of every built-in stream, and diagrams of how streams refer to each other."""

from __future__ import annotations

import typing as t

from handbook.markdown import code, table
from tap_analytics.commands.schema import mermaid
from tap_analytics.streams import APIS
from tap_analytics.streams.relations import relations

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.streams.relations import Column, Relation


def diagrams() -> Iterator[str]:
    """Show the streams of each API with their keys and references."""
    for api in APIS:
        yield f"### {api.title}"
        yield ""
        yield "```mermaid"
        yield from mermaid(relations([api]), columns=False)
        yield "```"
        yield ""


def columns() -> Iterator[str]:
    """Describe the columns of every built-in stream."""
    for api in APIS:
        yield f"## {api.title}"
        yield ""
        for relation in relations([api]):
            yield f"### `{relation.name}`"
            yield ""
            yield relation.description
            yield ""
            rows = [_row(column, relation) for column in relation.columns]
            yield from table(("Column", "Type", "Role", "Meaning"), rows)
            yield ""


def _row(column: Column, relation: Relation) -> tuple[str, str, str, str]:
    roles = ["key"] if column.name in relation.keys else []
    roles += ["bookmark"] if column.name == relation.bookmark else []
    roles += [
        f"{'parent' if each.is_parent else 'holds'} {code(f'{each.stream}.{each.field}')}"
        for each in relation.references
        if each.root == column.name
    ]
    return code(column.name), " or ".join(column.types), ", ".join(roles), column.description
