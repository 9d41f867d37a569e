"""`incremental` of dlt, how its values are converted, and which rows it leaves out."""

from __future__ import annotations

import json
import typing as t

from tap_analytics.commands.importing.dlt.conversion import converted
from tap_analytics.commands.importing.dlt.unsupported import UnsupportedError, check_words
from tap_analytics.commands.importing.loading import as_object
from tap_analytics.commands.importing.notes import shown
from tap_analytics.commands.importing.unread import Unread, with_variables
from tap_analytics.config.declarations.incremental import INCREMENTAL
from tap_analytics.records.path import Match, parse_path

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_analytics.commands.importing.notes import Notes
    from tap_analytics.records.path import Segment

Object = dict[str, t.Any]

#: Fields that change no request and no row.
_SILENT = {"row_order", "allow_external_schedulers", "primary_key", "type"}
#: Fields with the values that can be read; those behind the first ones become filters of rows.
_KNOWN = {
    "last_value_func": ("max", None),
    "on_cursor_value_missing": ("raise", "include", None, "exclude"),
    "range_start": ("closed", None, "open"),
}
_FILTERING = ("exclude", "open")
#: Key of the filters of rows, which the resource takes.
FILTERS = "filters"


def read_incremental(given: Object, notes: Notes) -> Object:
    """Return the `incremental` of an endpoint. Raises `UnsupportedError`."""
    made = {
        word: value
        for word, value in given.items()
        if word not in _SILENT and (value is not None or word not in INCREMENTAL)
    }
    for word, known in _KNOWN.items():
        value = made.get(word)
        value = value.name if isinstance(value, Unread) else value
        if value not in known:
            raise UnsupportedError(f"its `incremental.{word}` is {shown(made[word])}")
    path = made["cursor_path"] = _cursor(made)
    filters = _filters(made, parse_path(path) or ())
    convert = made.pop("transform", None) or made.pop("convert", None)
    made.pop("convert", None)
    check_words(made, INCREMENTAL, "incremental")
    made = t.cast("Object", with_variables(made, notes))
    if convert is not None:
        made |= _conversion(convert, made)
    return {**made, FILTERS: filters} if filters else made


def leaves_out(endpoint: Object) -> bool:
    """Whether the `incremental` of an endpoint leaves out rows that have no place in the range."""
    params = [as_object(each) for each in as_object(endpoint.get("params")).values()]
    given = [as_object(endpoint.get("incremental")), *params]
    return any(each.get(word) in _FILTERING for each in given for word in _KNOWN)


def _filters(made: Object, path: Sequence[Segment]) -> list[str]:
    """Return the filters that say which rows the range leaves out, for the words taken out."""
    is_strict = made.pop("on_cursor_value_missing", None) == "exclude"
    is_open = made.pop("range_start", None) == "open"
    made.pop("last_value_func", None)
    initial = made.get("initial_value")
    if is_open and not _is_literal(initial):
        raise UnsupportedError(f"its `incremental.range_start` is open at {shown(initial)}")
    place = "@" + "".join(f"[{json.dumps(each, ensure_ascii=False)}]" for each in path)
    missing = [f"({place} && {place} != null)"] if is_strict else []
    # What equals the bookmark is read again.
    is_start = is_open and initial is not None
    return missing + ([f"{place} != {json.dumps(initial)}"] if is_start else [])


def _is_literal(value: object) -> bool:
    if isinstance(value, str):
        return value.isascii() and value.isprintable() and not set('$\\"') & set(value)
    return value is None or isinstance(value, int)


def _cursor(made: Object) -> str:
    path = made.get("cursor_path")
    members = parse_path(path.strip()) if isinstance(path, str) else None
    if not isinstance(path, str) or members is None or Match in map(type, members):
        what = "has no cursor_path" if path is None else "isn't by a column of the rows"
        raise UnsupportedError(f"its `incremental` {what}")
    is_plain = all(isinstance(each, str) and not set(".@") & set(each) for each in members)
    return ".".join(map(str, members)) if is_plain else path.strip()


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
