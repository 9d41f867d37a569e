"""The fields of `processing_steps`: rows that are left out, and fields that are changed.

Steps are applied in their order, to a row as the API sent it. Each is a pure function of the row
and of the values of its parent.
"""

from __future__ import annotations

import contextlib
import re
import typing as t

from tap_analytics.config.declarations.fields import TEXTS, Field, Kind, read_fields
from tap_analytics.config.declarations.object_reader import ObjectReader
from tap_analytics.config.declarations.row_steps import (
    AddFields,
    AddHashes,
    FlattenFields,
    KeepRows,
    MatchFields,
    RemoveFields,
    RenameFields,
)
from tap_analytics.config.declarations.templates import (
    RECORD,
    RESOURCES,
    Template,
    TemplateError,
    parse_json,
    templates_in,
)
from tap_analytics.records.filters import FilterError, RowFilter

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_analytics.config.declarations.fields import Fields
    from tap_analytics.config.declarations.row_steps import Step


#: A selector that ends in a filter.
_FILTERED = re.compile(r"(.*)\[\s*\?(.*)\]\s*", re.DOTALL)


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


def _match(reader: ObjectReader, name: str) -> MatchFields:
    found = {}
    for each, text in reader.object(name).items():
        with contextlib.suppress(re.error, TypeError, OverflowError, RecursionError):
            found[each] = re.compile(text)
        if each not in found or found[each].groups != 1:
            what = "must be a regular expression with one group, such as ([^/]+)$."
            reader.place.report(f"`{reader.at(name).name(each)}` {what}")
    return MatchFields(found)


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
    "match_fields": Field(
        Kind("object of regular expressions", _match),
        "Replaces texts by the part that the group of a regular expression of Python finds, such "
        "as `([^/]+)$`, or by an empty text; what is no text becomes null.",
        in_dlt=False,
    ),
    "rename_fields": Field(
        Kind("object of texts", _rename),
        "New names of fields; a nested one, as `owner.id`, moves to the top level.",
        in_dlt=False,
    ),
    "flatten_fields": Field(
        Kind(TEXTS.name, lambda reader, name: FlattenFields(reader.texts(name))),
        "Moves the members of objects to the top level; an object stays where the row has one of "
        "these names already.",
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
