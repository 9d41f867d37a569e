"""Selector, primary key, schema and cursor of a stream of a manifest."""

from __future__ import annotations

import re
import typing as t

from jsonschema import Draft202012Validator

from tap_analytics.commands.importing.airbyte.components import UnsupportedError
from tap_analytics.commands.importing.airbyte.expressions import references
from tap_analytics.commands.importing.loading import as_list, as_object
from tap_analytics.commands.importing.notes import listed, shown
from tap_analytics.config.declarations.templates import END, START
from tap_analytics.records.duration import Duration
from tap_analytics.records.time_format import TimeFormat, TimeFormatError

if t.TYPE_CHECKING:
    from collections.abc import Collection

    from tap_analytics.commands.importing.airbyte.components import Component, Object

_META_SCHEMA = Draft202012Validator(Draft202012Validator.META_SCHEMA)
_PLAIN = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
#: Directives for numbers, and their names in `cursor_format`.
_UNITS = {"%s": "epoch_s", "%s_as_float": "epoch_s", "%ms": "epoch_ms"}


def selector_of(part: Component | None) -> str | None:
    """Return the selector of the rows; None if the response is the list."""
    extractor = None if part is None else part.child("extractor")
    if part is None or extractor is None:
        return None
    extractor.expect("DpathExtractor", "its rows are extracted by")
    if part.get("record_filter") is not None:
        raise UnsupportedError("its rows are filtered by a record_filter")
    part.note_unread()
    members = []
    for given in extractor.values("field_path"):
        member = None if given is None else extractor.interpolated(str(given), "field_path")
        if member is None:
            raise UnsupportedError("the path to its rows is computed")
        members += [member] if member else []
    if "**" in members:
        raise UnsupportedError("its rows are searched for at any depth")
    if all(_PLAIN.fullmatch(member) for member in members):
        return ".".join(members) or None
    return "$" + "".join(map(_step, members))


def _step(member: str) -> str:
    if member == "*":
        return "[*]"
    quoted = member.replace("\\", "\\\\").replace("'", "\\'")
    return f"[{member}]" if member.isdecimal() else f"['{quoted}']"


def computed_columns(stream: Component) -> tuple[set[str], bool]:
    """Note the transformations; return the columns they add, and whether there are any."""
    made: set[str] = set()
    by_kind: dict[str, list[str]] = {}
    for each in stream.children("transformations"):
        names = [".".join(path) for path in _paths(each)]
        by_kind.setdefault(each.kind, []).extend(names)
        if each.kind == "AddFields":
            made |= set(names)
    if by_kind:
        kinds = (f"{shown(kind)} {listed(names)}".rstrip() for kind, names in by_kind.items())
        what = f"aren't supported: {'; '.join(kinds)}; rows are extracted unchanged."
        stream.note("transformations", what)
    return made, bool(by_kind)


def _paths(part: Component) -> list[list[str]]:
    if part.kind == "RemoveFields":
        found = as_list(part.get("field_pointers"))
    else:
        found = [each.get("path") for each in part.children("fields")]
    lists = (path for path in found if isinstance(path, list))
    return [path for path in lists if all(isinstance(name, str) for name in path)]


def key_of(stream: Component, made: Collection[str]) -> list[str]:
    """Return the primary key of a stream, unless it is nested or added by a transformation."""
    names = [
        stream.interpolated(name, "primary_key") if isinstance(name, str) else None
        for name in stream.values("primary_key")
    ]
    if not all(names):
        stream.note("primary_key", "is nested or computed: left out, so rows are appended.")
        return []
    if invented := [name for name in names if name in made]:
        what = "is added by a transformation: left out, so rows are appended."
        stream.note("primary_key", f"{listed(invented)} {what}")
        return []
    return t.cast("list[str]", names)


def schema_of(
    stream: Component, *, is_transformed: bool, key: Collection[str], needed: Collection[str]
) -> Object | None:
    """Return the schema of a stream, if it describes untransformed rows."""
    loader = stream.child("schema_loader")
    if loader is None:
        loader = next(iter(stream.children("schema_loader")), None)
    if loader is None:
        return None
    if loader.kind != "InlineSchemaLoader":
        loader.note("", f"{shown(loader.kind)} isn't supported: the schema is inferred from rows.")
        return None
    schema = as_object(stream.manifest.unfolded(loader.get("schema")))
    columns = as_object(schema.get("properties"))
    if not columns:
        return None
    properties = {
        name: _loose(column, is_key=name in key)
        for name, column in columns.items()
        if isinstance(column, dict)
    }
    made = {"type": "object", "properties": properties}
    lacking = sorted(set(needed) - set(properties))
    problems = (
        (is_transformed, "describes transformed rows"),
        (lacking, f"lacks {listed(lacking)}"),
        (not _META_SCHEMA.is_valid(made), "isn't a JSON schema"),
    )
    if problem := next((text for is_wrong, text in problems if is_wrong), None):
        loader.note("", f"{problem}: left out, the schema is inferred from rows.")
        return None
    return made


def _loose(column: Object, *, is_key: bool = False) -> Object:
    """Return a column that is nullable unless it is a key, without required members."""
    made = {word: value for word, value in column.items() if word not in {"required", "$schema"}}
    kinds = made.get("type")
    if kinds is not None:
        named = [kind for kind in (kinds if isinstance(kinds, list) else [kinds]) if kind != "null"]
        made["type"] = named if is_key else [*named, "null"]
    if isinstance(made.get("properties"), dict):
        made["properties"] = {
            name: _loose(inner)
            for name, inner in made["properties"].items()
            if isinstance(inner, dict)
        }
    if isinstance(made.get("items"), dict):
        made["items"] = _loose(made["items"])
    return made


def incremental_of(part: Component | None, *, computed_columns: Collection[str]) -> Object | None:
    """Return the `incremental` of a cursor; `computed_columns` are added by transformations."""
    if part is None:
        return None
    if part.kind not in {"DatetimeBasedCursor", "IncrementingCountCursor"}:
        part.note("", f"{shown(part.kind)} isn't supported: all rows are read.")
        return None
    column = part.text("cursor_field")
    if not column or "." in column or column in computed_columns:
        part.note("cursor_field", "isn't a column of untransformed rows: all rows are read.")
        return None
    given = {
        "cursor_format": _unit(part),
        "start_param": _bound(part.child("start_time_option")),
        "end_param": _bound(part.child("end_time_option")),
        "initial_value": _initial(part),
    }
    made: Object = {"cursor_path": column} | {
        n: value for n, value in given.items() if value is not None
    }
    if part.get("lookback_window") is not None:
        part.note("lookback_window", "isn't supported: set `lookback_seconds`.")
    part.ignore("step", "datetime_format")
    part.note_unread()
    return made


def set_windows(made: Object, part: Component, bounds: Collection[str] = ()) -> None:
    """Add how requests ask for a range of times: its format, its end, and windows of a step.

    `bounds` are the placeholders of its ends in the request. Raises `UnsupportedError` where the
    API would be asked for another range.
    """
    has_start = "start_param" in made or START in bounds
    has_end = "end_param" in made or END in bounds
    if part.kind == "IncrementingCountCursor" or not (has_start or has_end):
        return
    step, form = part.get("step"), part.get("datetime_format")
    formats = part.get("cursor_datetime_formats") or [form]
    if step is None and has_end:
        made["end_value"] = "now"
    if step is not None and has_start:
        made["step"] = _duration(step, "step")
        if has_end:
            made["granularity"] = _duration(part.get("cursor_granularity"), "cursor_granularity")
    if form is not None and (form not in formats or "step" in made or has_end):
        try:
            made["convert"] = TimeFormat(str(form)).text
        except TimeFormatError as error:
            raise UnsupportedError(f"its datetime_format {error}") from None


def _duration(value: object, word: str) -> str:
    if isinstance(value, str) and Duration.parse(value):
        return value
    raise UnsupportedError(f"its {word} isn't a duration")


def _unit(part: Component) -> str | None:
    """Return the `cursor_format` of a numeric column."""
    if part.kind == "IncrementingCountCursor":
        return "number"
    given = part.get("cursor_datetime_formats") or [part.get("datetime_format")]
    units = {_UNITS.get(str(one)) for one in given} if isinstance(given, list) else set()
    return units.pop() if len(units) == 1 else None


def _bound(option: Component | None) -> str | None:
    """Return the parameter that carries the start or the end of a range."""
    if option is None:
        return None
    name = option.text("field_name")
    if option.get("inject_into") != "request_parameter" or not name:
        raise UnsupportedError("the range of its times isn't sent as query parameters")
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
    is_config = any(found and found.root == "config" for found in references(value))
    what = "is the tap's setting" if is_config else "is computed: the tap's setting is"
    part.note("start_datetime", f"{what} `start_date`.")
    return None
