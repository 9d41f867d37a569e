"""The streams as tables: columns, keys and references to other streams.

Derived from the stream classes, without a configuration or a request.
"""

from __future__ import annotations

import typing as t

import msgspec

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.streams.api import Api


class Column(msgspec.Struct, frozen=True, kw_only=True, rename={"types": "type"}):
    """A top-level column of a stream."""

    name: str
    #: Names of its types without null: `string`, `date-time`, `integer`, …
    types: tuple[str, ...]
    description: str = ""


class Reference(msgspec.Struct, frozen=True, kw_only=True, rename={"is_list": "many"}):
    """A column with a key of another stream."""

    #: Dotted path if nested.
    column: str
    stream: str
    field: str
    #: Whether a row has several keys.
    is_list: bool = False

    @property
    def root(self) -> str:
        """The top-level column that contains it."""
        return self.column.partition(".")[0]


class Relation(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"keys": "primary_keys", "bookmark": "replication_key"},
):
    """A stream with its references to others."""

    name: str
    api: str
    description: str
    keys: tuple[str, ...]
    bookmark: str | None
    #: The parent stream.
    parent: str | None
    references: tuple[Reference, ...]
    columns: tuple[Column, ...]

    @property
    def linking(self) -> tuple[Column, ...]:
        """The primary key, foreign key and replication key columns."""
        wanted = {*self.keys, self.bookmark, *(each.root for each in self.references)}
        return tuple(column for column in self.columns if column.name in wanted)


def relations(apis: Iterable[Api]) -> tuple[Relation, ...]:
    """Return the streams of APIs in the order they are declared in."""
    return tuple(_relation(stream) for api in apis for stream in api.streams)


def _relation(stream: type[AnalyticsStream]) -> Relation:
    properties = stream.known_columns()
    found = vars(stream)
    bookmark: object = t.cast("t.Any", stream).replication_key
    parent = stream.parent_stream_type
    return Relation(
        name=found["name"],
        api=stream.api,
        description=" ".join((stream.__doc__ or "").split("\n\n", maxsplit=1)[0].split()),
        columns=tuple(
            Column(name=name, types=_types(schema), description=schema.get("description", ""))
            for name, schema in properties.items()
        ),
        keys=tuple(t.cast("Iterable[str]", stream.primary_keys)),
        bookmark=bookmark if isinstance(bookmark, str) else None,
        parent=None if parent is None else vars(parent)["name"],
        references=tuple(_references(stream, properties)),
    )


def _references(
    stream: type[AnalyticsStream], properties: Mapping[str, t.Any]
) -> Iterator[Reference]:
    for column, target in stream.references.items():
        name, _, field = target.partition(".")
        yield Reference(
            column=column,
            stream=name,
            field=field,
            is_list=_types(properties.get(column.partition(".")[0], {}))[:1] == ("array",),
        )


def _types(schema: Mapping[str, t.Any]) -> tuple[str, ...]:
    """Name the types a schema allows, null left out."""
    given = schema.get("type", ())
    kinds = [given] if isinstance(given, str) else list(given)
    named = tuple(kind for kind in kinds if kind != "null")
    written = schema.get("format")
    return (str(written),) if written and named == ("string",) else named
