"""Functions that convert cursor values: those that a named format says as exactly.

Such a function is compared as text, with `x` for its argument. A date taken from a time is exact
for times in UTC only, which is what the initial value must be.
"""

from __future__ import annotations

import ast
import re
import typing as t

from tap_analytics.commands.importing.loading import as_object
from tap_analytics.records.time_format import TimeFormat, TimeFormatError

Object = dict[str, t.Any]

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


def converted(node: ast.AST, incremental: Object) -> Object | None:
    """Return the fields that say what a function does to cursor values; None for others."""
    text = _body(node)
    if text is None or text in _IDENTITIES:
        return None if text is None else {}
    if found := _OF_EPOCH.fullmatch(text):
        pattern = _pattern(found)
        return pattern and {"cursor_format": "epoch_s", "convert": pattern}
    pattern = _of_iso(text, incremental)
    return {"convert": pattern} if pattern else None


def _of_iso(text: str, incremental: Object) -> t.Any:  # noqa: ANN401 - text or None
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


def _pattern(found: re.Match[str]) -> t.Any:  # noqa: ANN401 - text or None
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
