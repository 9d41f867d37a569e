"""`incremental` of dlt, and how its values are converted."""

from __future__ import annotations

import typing as t

from tap_analytics.commands.importing.dlt.conversion import converted
from tap_analytics.commands.importing.dlt.unsupported import UnsupportedError, check_words
from tap_analytics.commands.importing.loading import as_object
from tap_analytics.commands.importing.notes import shown
from tap_analytics.commands.importing.unread import Unread, with_variables
from tap_analytics.config.declarations.incremental import INCREMENTAL
from tap_analytics.records.path import parse_path

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.notes import Notes

Object = dict[str, t.Any]

#: Fields that change no request and no row.
_SILENT = {"row_order", "allow_external_schedulers", "primary_key", "type"}
#: Fields with the only value that the tap has.
_ONLY = {
    "last_value_func": ("max", None),
    "on_cursor_value_missing": ("raise", "include", None),
    "range_start": ("closed", None),
    "range_end": ("open", None),
}


def read_incremental(given: Object, notes: Notes) -> Object:
    """Return the `incremental` of an endpoint. Raises `UnsupportedError`."""
    made = {
        word: value
        for word, value in given.items()
        if word not in _SILENT and (value is not None or word not in INCREMENTAL)
    }
    for word, known in _ONLY.items():
        value = made.pop(word, None)
        if isinstance(value, Unread) and value.name in known:
            continue
        if value not in known:
            raise UnsupportedError(f"its `incremental.{word}` is {shown(value)}")
    convert = made.pop("transform", None) or made.pop("convert", None)
    made.pop("convert", None)
    check_words(made, INCREMENTAL, "incremental")
    made["cursor_path"] = _cursor(made)
    made = t.cast("Object", with_variables(made, notes))
    if convert is not None:
        made |= _conversion(convert, made)
    return made


def _cursor(made: Object) -> str:
    path = made.get("cursor_path")
    members = parse_path(path.strip()) if isinstance(path, str) else None
    if members is None or not all(isinstance(each, str) for each in members):
        what = "has no cursor_path" if path is None else "isn't by a column of the rows"
        raise UnsupportedError(f"its `incremental` {what}")
    return ".".join(map(str, members))


def _conversion(convert: object, made: Object) -> Object:
    if isinstance(convert, str):
        return {"convert": convert}
    found = converted(convert.node, made) if isinstance(convert, Unread) else None
    if found is None:
        raise UnsupportedError(f"its `incremental.convert` is {shown(convert)}")
    return found


def of_param(name: str, value: Object, endpoint: Object) -> Object:
    """Return the `incremental` that a parameter declares."""
    own = {word: inner for word, inner in value.items() if word != "type"}
    return {**as_object(endpoint.get("incremental")), **own, "start_param": name}
