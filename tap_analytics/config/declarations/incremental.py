"""The fields of `incremental`."""

from __future__ import annotations

import typing as t

from tap_analytics.config.declarations.fields import TEXT, Field, Kind, choice, read_fields
from tap_analytics.config.declarations.model import DeclaredIncremental
from tap_analytics.config.declarations.object_reader import ObjectReader
from tap_analytics.records.notation import UNITS

if t.TYPE_CHECKING:
    from tap_analytics.config.declarations.fields import Fields


def _column(reader: ObjectReader, name: str) -> str | None:
    path = reader.dotted(name)
    if path and "." in path:
        reader.error(name, f"'{path}' must be a column: the top level of the rows.")
    return path


def _initial(reader: ObjectReader, name: str) -> str | float | None:
    value = reader.given[name]
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        reader.error(name, "must be a string or a number.")
        return None
    return value


INCREMENTAL: Fields = {
    "cursor_path": Field(
        Kind("column", _column), "The replication key.", required=True, default=""
    ),
    "cursor_format": Field(
        choice(*UNITS), "What it holds; found out if it isn't given.", in_dlt=False
    ),
    "start_param": Field(TEXT, "Parameter that carries where a run begins."),
    "initial_value": Field(
        Kind("text or number", _initial), "Where the first run begins, without a `start_date`."
    ),
}


def read_incremental(reader: ObjectReader, name: str) -> DeclaredIncremental:
    """Read the replication key, and how the API filters by it."""
    inner = ObjectReader(reader.given[name], reader.at(name), INCREMENTAL)
    return DeclaredIncremental(**read_fields(inner, INCREMENTAL))
