"""Columns of rows that say in which window they were read.

Where the replication key is one, a bookmark is the end of the windows that were read, and never
comes from a row.
"""

from __future__ import annotations

import typing as t

from tap_analytics.config.declarations.processing import names_added, sources_of
from tap_analytics.config.declarations.row_steps import AddFields
from tap_analytics.config.declarations.templates import (
    BOOKMARK_VALUES,
    END,
    START,
    WINDOW_VALUES,
    names_in,
)
from tap_analytics.records.payload import dig_field

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_analytics.config.declarations.model import DeclaredResource
    from tap_analytics.config.declarations.object_reader import ObjectReader
    from tap_analytics.config.declarations.row_steps import Step


def window_values(fields: Sequence[str], steps: Sequence[Step]) -> set[str]:
    """Return the placeholders of a window that make fields after the steps."""
    found: set[str] = set()
    for number, step in enumerate(steps, start=1):
        values = step.values if isinstance(step, AddFields) else {}
        for field in sources_of(fields, steps[number:]):
            found |= names_in(dig_field(values, field))
    return found.intersection(WINDOW_VALUES)


def has_window_columns(resource: DeclaredResource) -> bool:
    """Whether rows have columns of the window they were read in."""
    return not {*names_added(resource.steps)}.isdisjoint(WINDOW_VALUES)


def has_window_key(resource: DeclaredResource) -> bool:
    """Whether the replication key is such a column."""
    key = resource.incremental
    return key is not None and bool(window_values([key.column], resource.steps))


def is_in_windows(resource: DeclaredResource) -> bool:
    """Whether it is read in windows: without a `step` in one, if rows have columns of it."""
    key = resource.incremental
    return key is not None and (key.step is not None or has_window_columns(resource))


def is_final(resource: DeclaredResource, keys: Sequence[str]) -> bool:
    """Whether a window is read once, when it is over, as its rows wouldn't replace those of before.

    They do if the primary key, `keys`, tells windows by nothing but where they begin.
    """
    key = resource.incremental
    if key is None or not has_window_key(resource):
        return False
    return not keys or key.step is None or END in window_values(keys, resource.steps)


def takes_lag(resource: DeclaredResource, keys: Sequence[str]) -> bool:
    """Whether a run may begin before its bookmark, in the windows that were read before."""
    key = resource.incremental
    if key is None or not has_window_key(resource):
        return True
    is_grid = key.step == key.granularity or START not in window_values(keys, resource.steps)
    return is_grid and not is_final(resource, keys)


def check_window_columns(resource: DeclaredResource, reader: ObjectReader) -> None:
    """Report columns of windows that there are none of, and a lag that gives rows twice."""
    key = resource.incremental
    if not has_window_columns(resource):
        return
    if key is None:
        name = min({*WINDOW_VALUES}.intersection(names_added(resource.steps)))
        reader.error("incremental", f"is missing: {{{name}}} of `add_fields` is its value. Add it.")
    elif not (key.start_param or resource.request.names.intersection(BOOKMARK_VALUES)):
        reader.error("incremental", f"needs `start_param`, or {{{START}}} in the request.")
    elif key.cursor_format == "number":
        reader.error(
            "processing_steps", "add an end of a window of time, but `cursor_format` is 'number'."
        )
    elif key.lag and not takes_lag(resource, resource.primary_keys):
        reader.error(
            "incremental.lag",
            "reads windows again whose rows would come twice: they have no primary key, or one of "
            "a window that isn't a `granularity` long. Remove it.",
        )
