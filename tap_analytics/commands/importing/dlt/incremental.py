"""`incremental` of dlt, how its values are converted, and which rows it leaves out.

A function that converts values is taken where a named format says the same. A date taken from a
time is exact for times in UTC only, which is what the initial value must be.
"""

from __future__ import annotations

import ast
import json
import re
import typing as t

from tap_analytics.commands.importing.loading import Object, as_object
from tap_analytics.commands.importing.notes import UnsupportedError, shown
from tap_analytics.commands.importing.unread import Unread, check_words, with_variables
from tap_analytics.config.declarations.incremental import INCREMENTAL
from tap_analytics.records.path import Match, parse_path
from tap_analytics.records.time_format import TimeFormat, TimeFormatError

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_analytics.commands.importing.notes import Notes
    from tap_analytics.records.path import Segment

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
#: Functions that change no value; functions are compared as text, with `x` for their argument.
_IDENTITIES = {
    *("x", "int(x)", "str(x)", "str(x).replace('+00:00', 'Z')", "x.replace('+00:00', 'Z')"),
}
_ISO = (
    r"(?:pendulum\.parse\((?:str\()?x\)?\)"
    r"|(?:datetime\.)?datetime\.fromisoformat\(x(?:\.replace\('Z', '\+00:00'\))?\)"
    r"|ensure_pendulum_datetime(?:_utc)?\(x\))"
)
_EPOCH = (
    r"(?:pendulum\.from_timestamp\((?:int\()?x\)?\)"
    r"|(?:datetime\.)?datetime\.(?:utcfromtimestamp\((?:int\()?x\)?\)"
    r"|fromtimestamp\((?:int\()?x\)?, (?:tz=)?(?:datetime\.)?(?:timezone\.utc|UTC)\)))"
)
_DATE = r"\.to_date_string\(\)|\.date\(\)\.isoformat\(\)"
_WRITTEN = rf"(?:{_DATE}|\.(?:strftime|format)\('([^']+)'\)|\.(to_iso8601_string)\(\))"
_OF_EPOCH = re.compile(rf"{_EPOCH}{_WRITTEN}")
_OF_ISO = re.compile(rf"{_ISO}{_WRITTEN}")
_TO_SECONDS = re.compile(rf"(?:int\({_ISO}\.timestamp\(\)\)|{_ISO}\.int_timestamp)")
_TO_MILLISECONDS = re.compile(
    rf"(?:int\({_ISO}\.timestamp\(\) \* 1000\)|{_ISO}\.int_timestamp \* 1000)"
)
_CUT = {"x[:10]", "x.split('T')[0]", "str(x)[:10]", "str(x).split('T')[0]"}
_IN_UTC = re.compile(r"\d{4}-\d\d-\d\d(?:[T ][\d:.]+(?:Z|\+00:?00)?)?", re.ASCII)
#: Letters of pendulum's formats.
_TOKENS = {"YYYY": "%Y", "MM": "%m", "DD": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}
_TOKEN = re.compile("|".join(_TOKENS))


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
    found = _converted(convert.node, made) if isinstance(convert, Unread) else None
    if found is None:
        raise UnsupportedError(f"its `incremental.convert` is {shown(convert)}")
    return found


def of_param(name: str, value: Object, endpoint: Object) -> Object:
    """Return the `incremental` that a parameter declares."""
    own = {word: inner for word, inner in value.items() if word != "type"}
    return {**as_object(endpoint.get("incremental")), **own, "start_param": name}


# --- functions that convert values ----------------------------------------------------------------


def _converted(node: ast.AST, incremental: Object) -> Object | None:
    """Return the fields that say what a function does to cursor values; None for others."""
    text = _body(node)
    if text is None or text in _IDENTITIES:
        return None if text is None else {}
    if found := _OF_EPOCH.fullmatch(text):
        pattern = _pattern(found)
        return {"cursor_format": "epoch_s", "convert": pattern} if pattern else None
    pattern = _of_iso(text, incremental)
    return {"convert": pattern} if pattern else None


def _of_iso(text: str, incremental: Object) -> str | None:
    """Return the format into which a function writes times of ISO 8601."""
    initial = as_object(incremental).get("initial_value")
    if not isinstance(initial, str) or not _IN_UTC.fullmatch(initial):
        return None
    if _TO_SECONDS.fullmatch(text):
        return "epoch_s"
    if _TO_MILLISECONDS.fullmatch(text):
        return "epoch_ms"
    if text in _CUT:
        return "date"
    found = _OF_ISO.fullmatch(text)
    return _pattern(found) if found else None


def _body(node: ast.AST) -> str | None:
    """Return the body of a function of one argument as text."""
    if isinstance(node, ast.Name) and node.id in {"int", "str"}:
        return f"{node.id}(x)"
    if not isinstance(node, ast.Lambda) or len(node.args.args) != 1:
        return None
    name = node.args.args[0].arg
    if any(isinstance(each, ast.Name) and each.id == "x" for each in ast.walk(node.body)):
        return ast.unparse(node.body) if name == "x" else None
    return re.sub(rf"\b{name}\b", "x", ast.unparse(node.body))


def _pattern(found: re.Match[str]) -> str | None:
    given, iso = found[1], found[2]
    if iso:
        return "iso"
    if given is None:
        return "date"
    pattern = given if "%" in given else _TOKEN.sub(lambda token: _TOKENS[token[0]], given)
    if "%" not in given and re.search(r"[A-SU-Ya-z]", re.sub("%.", "", pattern)):
        return None
    try:
        TimeFormat(pattern)
    except TimeFormatError:
        return None
    return "date" if pattern == "%Y-%m-%d" else pattern
