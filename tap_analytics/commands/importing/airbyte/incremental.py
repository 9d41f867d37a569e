"""A manifest's cursor over time, in the words of `incremental`."""

from __future__ import annotations

import typing as t

from tap_analytics.commands.importing.airbyte.expressions import references
from tap_analytics.commands.importing.notes import shown

if t.TYPE_CHECKING:
    from collections.abc import Collection

    from tap_analytics.commands.importing.airbyte.components import Component, Object

#: What directives for numbers are called in `cursor_format`.
_UNITS = {"%s": "epoch_s", "%s_as_float": "epoch_s", "%ms": "epoch_ms"}


def incremental_of(part: Component | None, *, made_columns: Collection[str]) -> Object | None:
    """Return the `incremental` of a cursor; `made_columns` are those the rows don't really have."""
    if part is None:
        return None
    if part.kind not in {"DatetimeBasedCursor", "IncrementingCountCursor"}:
        part.note("", f"{shown(part.kind)} isn't taken: all rows are read.")
        return None
    column = part.text("cursor_field")
    if not column or "." in column or column in made_columns:
        part.note("cursor_field", "isn't a column of the rows as they are sent: all rows are read.")
        return None
    made: Object = {"cursor_path": column}
    if (unit := _unit(part)) is not None:
        made["cursor_format"] = unit
    if (name := _start_param(part)) is not None:
        made["start_param"] = name
    if (initial := _initial(part)) is not None:
        made["initial_value"] = initial
    if part.child("end_time_option") is not None:
        part.note("end_time_option", "isn't sent: the tap's `end_date` is compared with the rows.")
    if part.get("lookback_window") is not None:
        part.note("lookback_window", "isn't taken: the tap's setting is `lookback_seconds`.")
    if part.get("step") is not None and "start_param" in made:
        part.note("step", "isn't taken: a run asks for all that is new at once.")
    part.ignore("cursor_granularity", "end_datetime", "is_data_feed")
    part.ignore("is_client_side_incremental", "partition_field_start", "partition_field_end")
    part.ignore("is_compare_strictly", "global_substream_cursor", "start_value")
    part.tell_unread()
    return made


def _unit(part: Component) -> str | None:
    """Return the notation of the column, where it is one of numbers."""
    if part.kind == "IncrementingCountCursor":
        return "number"
    given = part.get("cursor_datetime_formats") or [part.get("datetime_format")]
    units = {_UNITS.get(str(one)) for one in given} if isinstance(given, list) else set()
    return units.pop() if len(units) == 1 else None


def _start_param(part: Component) -> str | None:
    """Return the parameter that asks for what is new, if it takes the column's own notation."""
    option = part.child("start_time_option")
    asked, written = part.get("datetime_format"), part.get("cursor_datetime_formats")
    if option is None:
        return None
    name = option.text("field_name")
    if option.get("inject_into") != "request_parameter" or not name:
        option.note("", "isn't a query parameter: the tap compares the rows itself.")
        return None
    if isinstance(written, list) and written and asked not in written:
        option.note("", "wants another notation than the column's: the tap compares the rows.")
        return None
    return name


def _initial(part: Component) -> str | int | None:
    start = part.child("start_datetime")
    value = start.get("datetime") if start is not None else part.get("start_datetime")
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        return None
    if "{" not in value:
        return value
    if any(found and found.root == "config" for found in references(value)):
        part.note("start_datetime", "is the tap's setting `start_date`.")
    else:
        part.note("start_datetime", "is computed: the tap's setting is `start_date`.")
    return None
