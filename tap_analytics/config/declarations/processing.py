"""The fields of `processing_steps`: rows that are left out, and fields that are changed.

Steps are applied in their order, to a row as the API sent it. Each is a pure function of the row
and of the values of its parent.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from tap_analytics.config.declarations.fields import TEXTS, Field, Kind, read_fields
from tap_analytics.config.declarations.object_reader import ObjectReader, scalar
from tap_analytics.config.declarations.templates import (
    RECORD,
    RESOURCES,
    Template,
    TemplateError,
    parse_json,
    templates_in,
)
from tap_analytics.errors import TapError
from tap_analytics.records.filters import FilterError, RowFilter
from tap_analytics.records.payload import dig_field, without
from tap_analytics.records.python_text import copied, md5

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_analytics.config.declarations.fields import Fields
    from tap_analytics.records.payload import Row


#: A selector that ends in a filter.
_FILTERED = re.compile(r"(.*)\[\s*\?(.*)\]\s*", re.DOTALL)


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
        name: dig_field(row, _inside(name)) if name.startswith(f"{RECORD}.") else given.get(name)
        for name in value.ordered
    }
    if value.sole is not None:
        return found[value.sole]
    return None if None in found.values() else value.fill(found, lambda each: scalar(each) or "")


def _inner(value: Template) -> tuple[str, ...]:
    """Return the paths of the fields of the row in a template."""
    return tuple(_inside(name) for name in value.ordered if name.startswith(f"{RECORD}."))


def _inside(name: str) -> str:
    return name.partition(".")[2]


def split_filter(selector: str | None) -> tuple[str | None, KeepRows | None]:
    """Return a selector such as `data[?(@.open)]` as that of the list and the filter of its rows.

    So all rows of the list count for its total and its end.
    """
    found = _FILTERED.fullmatch(selector or "")
    if found is None or "?" in found[1]:
        return selector, None
    outer = None if found[1] in {"", "$"} else found[1]
    try:
        return outer, KeepRows(RowFilter(found[2]))
    except FilterError:
        return selector, None


def sources_of(fields: Sequence[str], steps: Sequence[Step]) -> tuple[str, ...]:
    """Return the fields of a row as it was sent that make fields after the steps.

    None of them where constants or values of the parent make them.
    """
    for step in reversed(steps):
        made = [step.sources(field) for field in fields]
        fields = [
            name
            for field, names in zip(fields, made, strict=True)
            for name in ((field,) if names is None else names)
        ]
    return tuple(dict.fromkeys(fields))


def is_removed(field: str, steps: Sequence[Step]) -> bool:
    """Whether steps take a field away, and none makes it anew."""
    for step in reversed(steps):
        if step.sources(field):
            return False
        removed = step.names if isinstance(step, RenameFields) else ()
        if field in (step.paths if isinstance(step, RemoveFields) else removed):
            return True
        if step.sources(field) is not None:
            return False
    return False


def names_added(steps: Sequence[Step]) -> Iterator[str]:
    """Yield the placeholders of added fields."""
    for step in steps:
        for value in templates_in(step.values) if isinstance(step, AddFields) else ():
            yield from value.ordered


def parents_values(steps: Sequence[Step]) -> Iterator[Template]:
    """Yield the templates with values of a parent."""
    for step in steps:
        for value in templates_in(step.values) if isinstance(step, AddFields) else ():
            if any(n.startswith(RESOURCES) for n in value.ordered):
                yield value


# --- the fields -------------------------------------------------------------------------------


def _filter(reader: ObjectReader, name: str) -> KeepRows | None:
    expression = reader.text(name)
    if not expression:
        return None
    try:
        return KeepRows(RowFilter(expression))
    except FilterError as error:
        example = "Write it like @.status == 'open' && @.amount > 10."
        reader.error(name, f"'{expression}' {error} {example}")
        return None


def _rename(reader: ObjectReader, name: str) -> RenameFields | None:
    given = reader.object(name)
    for each, new in given.items():
        if not isinstance(new, str) or not new.strip():
            step = reader.at(name).name(each)
            reader.place.report(f"`{step}` must be the new name, a text.")
            return None
    for new in given.values():
        if list(given.values()).count(new) > 1:
            reader.error(name, f"gives the name '{new}' to several fields. Keep one.")
            return None
    return RenameFields(given)


def _add(reader: ObjectReader, name: str) -> AddFields:
    found = {}
    for each, value in reader.object(name).items():
        try:
            found[each] = parse_json(value, of_row=True)
        except TemplateError as error:
            reader.place.report(f"`{reader.at(name).name(each)}` {error}")
    return AddFields(found)


def _add_hashes(reader: ObjectReader, name: str) -> AddHashes:
    found = {}
    for each, value in _add(reader, name).values.items():
        sole = value.sole if isinstance(value, Template) else None
        if sole is None or sole.partition(".")[0] != RECORD:
            step = reader.at(name).name(each)
            reader.place.report(f"`{step}` must be {{record}} or a field of it: {{record.email}}.")
        found[each] = value
    return AddHashes(found)


STEPS: Fields = {
    "filter": Field(
        Kind("JSONPath filter", _filter), "Keeps the rows that fit, such as `@.status == 'open'`."
    ),
    "add_fields": Field(
        Kind("object", _add),
        "Sets fields to constants, or to values of the row, its parent, a list of values or its "
        "window: `{record.owner.id}`, `{record}`, `{incremental.end_value}`, also in objects and "
        "lists.",
        in_dlt=False,
    ),
    "add_hashes": Field(
        Kind("object of texts", _add_hashes),
        "Sets fields to the MD5 of the row, `{record}`, or of a field of it, `{record.email}`.",
        in_dlt=False,
    ),
    "rename_fields": Field(
        Kind("object of texts", _rename),
        "New names of fields; a nested one, as `owner.id`, moves to the top level.",
        in_dlt=False,
    ),
    "remove_fields": Field(
        Kind(TEXTS.name, lambda reader, name: RemoveFields(reader.texts(name))),
        "Removes fields, also nested ones.",
        in_dlt=False,
    ),
}


def read_steps(reader: ObjectReader, name: str) -> tuple[Step, ...]:
    """Read a list of objects with one field each."""
    given, found = reader.given[name], []
    if not isinstance(given, list):
        reader.error(name, "must be a list of steps.")
        return ()
    for index, value in enumerate(given):
        place = reader.place.item(name, index)
        step = ObjectReader(value, place, STEPS)
        if len(step.given) > 1:
            place.report(f"`{place.path}` has several fields. Write a step for each.")
        found += [each for each in read_fields(step, STEPS).values() if each is not None]
    return tuple(found)
