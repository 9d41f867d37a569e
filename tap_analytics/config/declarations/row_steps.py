"""The steps of processing, each a pure function of a row and of the values of its parent."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from tap_analytics.config.declarations.object_reader import scalar
from tap_analytics.config.declarations.templates import (
    RECORD,
    Template,
    divided,
    templates_in,
    time_text,
)
from tap_analytics.errors import TapError
from tap_analytics.records.payload import dig_field, without
from tap_analytics.records.python_text import copied, md5

if t.TYPE_CHECKING:
    import re
    from collections.abc import Mapping

    from tap_analytics.records.filters import RowFilter
    from tap_analytics.records.payload import Row


class RowError(TapError):
    """A row that a step can't be applied to; the message follows the name of the stream."""


class Step(t.Protocol):
    """A step of processing."""

    def apply(self, row: Row, values: Mapping[str, t.Any], /) -> Row | None:
        """Return the row, changed in place, or None to leave it out; nested values are copied.

        `values` are those of the parent, by placeholder. Raises `RowError`.
        """

    def sources(self, field: str, /) -> tuple[str, ...] | None:
        """Return the fields before the step that make a field after it; None if it makes none."""


@dataclass(frozen=True)
class KeepRows:
    """`filter`: the rows that are kept."""

    filter: RowFilter

    def apply(self, row: Row, _: Mapping[str, t.Any], /) -> Row | None:
        """Leave out a row that doesn't fit."""
        return row if self.filter.keeps(row) else None

    def sources(self, field: str, /) -> None:
        """Return None: rows keep their fields."""


@dataclass(frozen=True)
class LiftFields:
    """Nested fields that become columns too: by column, the dotted path."""

    fields: Mapping[str, str]

    def apply(self, row: Row, _: Mapping[str, t.Any], /) -> Row:
        """Add the columns; one of the same name that holds something else is an error."""
        for column, path in self.fields.items():
            value = dig_field(row, path)
            if row.get(column, value) != value:
                raise RowError(
                    f"a row has a `{column}` of its own, which is to be the column of `{path}`. "
                    f"Move `{path}` to another name by `rename_fields`."
                )
            row[column] = value
        return row

    def sources(self, field: str, /) -> tuple[str, ...] | None:
        """Return the path of a column."""
        return (self.fields[field],) if field in self.fields else None


@dataclass(frozen=True)
class RenameFields:
    """`rename_fields`: by the dotted path of a field, its new name at the top level."""

    names: Mapping[str, str]

    def apply(self, row: Row, _: Mapping[str, t.Any], /) -> Row:
        """Move the fields that the row has."""
        found = {}
        for path, name in self.names.items():
            if (value := dig_field(row, path, ...)) is not ...:
                found[name] = value
        for path in self.names:
            without(row, path)
        row |= found
        return row

    def sources(self, field: str, /) -> tuple[str, ...] | None:
        """Return the old name of a field."""
        return next(((path,) for path, name in self.names.items() if name == field), None)


@dataclass(frozen=True)
class AddFields:
    """`add_fields`: constants, and values of the row and of what it was read for, also nested."""

    values: Mapping[str, t.Any]

    def apply(self, row: Row, values: Mapping[str, t.Any], /) -> Row:
        """Set the fields; one whose values the row lacks is null."""
        row |= {name: _value(each, row, values) for name, each in self.values.items()}
        return row

    def sources(self, field: str, /) -> tuple[str, ...] | None:
        """Return the fields of the row that a new field is made of."""
        value = dig_field(self.values, field, ...)
        if value is ...:
            return None
        return tuple(path for each in templates_in(value) for path in _inner(each))


@dataclass(frozen=True)
class AddHashes:
    """`add_hashes`: by the name of a field, the row or the field of it whose MD5 it is."""

    values: Mapping[str, Template]

    def apply(self, row: Row, _: Mapping[str, t.Any], /) -> Row:
        """Set the fields; what the row lacks is an empty text. Raises `RowError`."""
        try:
            row |= {name: md5(self._hashed(each, row)) for name, each in self.values.items()}
        except ValueError as error:
            raise RowError(f"a row can't be hashed: {error}") from None
        return row

    def sources(self, field: str, /) -> tuple[str, ...] | None:
        """Return the field that is hashed; none for the whole row."""
        return None if field not in self.values else _inner(self.values[field])

    def _hashed(self, value: Template, row: Row) -> t.Any:  # noqa: ANN401 - any JSON value
        return next((dig_field(row, path, "") for path in _inner(value)), row)


@dataclass(frozen=True)
class MatchFields:
    """`match_fields`: by the name of a field, the pattern whose group finds the part that stays."""

    patterns: Mapping[str, re.Pattern[str]]

    def apply(self, row: Row, _: Mapping[str, t.Any], /) -> Row:
        """Replace the fields: by an empty text where nothing is found, by null for no text."""
        for name, pattern in self.patterns.items():
            text = row.get(name)
            found = pattern.search(text) if isinstance(text, str) else None
            row[name] = (found[1] or "") if found else "" if isinstance(text, str) else None
        return row

    def sources(self, field: str, /) -> tuple[str, ...] | None:
        """Return the field itself."""
        return (field,) if field in self.patterns else None


@dataclass(frozen=True)
class FlattenFields:
    """`flatten_fields`: dotted paths of objects whose members move to the top level."""

    paths: tuple[str, ...]

    def apply(self, row: Row, _: Mapping[str, t.Any], /) -> Row:
        """Move the members; an object stays where the row has one of them already."""
        for path in self.paths:
            found = dig_field(row, path)
            if isinstance(found, dict) and found.keys().isdisjoint(row):
                without(row, path)
                row |= found
        return row

    def sources(self, field: str, /) -> tuple[str, ...] | None:
        """Return nothing for an object that goes."""
        return () if field in self.paths else None


@dataclass(frozen=True)
class RemoveFields:
    """`remove_fields`: dotted paths of fields that go."""

    paths: tuple[str, ...]

    def apply(self, row: Row, _: Mapping[str, t.Any], /) -> Row:
        """Remove the fields that the row has."""
        for path in self.paths:
            without(row, path)
        return row

    def sources(self, field: str, /) -> tuple[str, ...] | None:
        """Return nothing for a field that goes."""
        return () if field in self.paths else None


def _value(value: t.Any, row: Row, given: Mapping[str, t.Any]) -> t.Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {name: _value(each, row, given) for name, each in value.items()}
    if isinstance(value, list):
        return [_value(each, row, given) for each in value]
    if not isinstance(value, Template):
        return value
    if value.sole == RECORD:
        return copied(row)
    found = {
        name: _of_row(name, row) if name.startswith(f"{RECORD}.") else given.get(name)
        for name in value.ordered
    }
    if value.sole is not None:
        return found[value.sole]
    return None if None in found.values() else value.fill(found, lambda each: scalar(each) or "")


def _of_row(name: str, row: Row) -> t.Any:  # noqa: ANN401 - any JSON value
    """Return a field of the row, or a time in it in a pattern."""
    path, form = divided(name.partition(".")[2])
    value = dig_field(row, path)
    return time_text(form, value) if form else value


def _inner(value: Template) -> tuple[str, ...]:
    """Return the paths of the fields of the row in a template."""
    return tuple(_inside(name) for name in value.ordered if name.startswith(f"{RECORD}."))


def _inside(name: str) -> str:
    return divided(name.partition(".")[2])[0]
