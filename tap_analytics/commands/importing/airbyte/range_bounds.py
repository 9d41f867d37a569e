"""Where runs of a stream of a manifest begin and end: notation, first value, lookback, end."""

from __future__ import annotations

import ast
import re
import typing as t
from datetime import UTC, datetime, timedelta

from tap_analytics.commands.importing.airbyte.jinja_values import Later, UndecidedError, Unset
from tap_analytics.commands.importing.notes import UnsupportedError, shown
from tap_analytics.records.duration import Duration
from tap_analytics.records.notation import parse_iso

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.airbyte.components import Component

#: Formats that are numbers, and their names in `cursor_format`.
EPOCHS = {"%s": "epoch_s", "%ms": "epoch_ms"}
_UNITS = {**EPOCHS, "%s_as_float": "epoch_s"}
_DATE = "%Y-%m-%d"
#: A format of times without a setting is that of the times in it.
_DEFAULT_FORM = "%Y-%m-%dT%H:%M:%S.%f%z"
_FORMATTED = re.compile(r"\{\{\s*format_datetime\((.*)\)\s*\}\}", re.DOTALL)
#: Where a manifest has the earliest and the latest start.
_LIMITS = ("min_datetime", "max_datetime")
#: A duration of no time.
NONE = re.compile(r"P(?:0[YMWD]|T0[HMS])")
#: Days that are a variable.
_DAYS = re.compile(r"P\$\{\w+\}D")
_MONTH = timedelta(days=31)
_EARLIER = re.compile(r"-\s*duration\(|day_delta\(\s*-|strftime\(\s*['\"]%Y-%m['\"]")
#: How long before a run begins an expression ends, as a duration or in days.
_BEFORE = re.compile(
    r"now_utc\(\)\s*-\s*duration\(\s*['\"](P\w+)['\"]\s*\)|day_delta\(\s*-\s*(\d+)\s*[,)]"
)
_SETTING = re.compile(r"config(?:\.get\(|\[|\.)\s*['\"]?(\w+)")


def unit_of(part: Component) -> str | None:
    """Return the `cursor_format` of a numeric column."""
    units = {_UNITS.get(form) for form in _forms(part)}
    return units.pop() if len(units) == 1 else None


def _forms(part: Component) -> list[str]:
    """Return the formats that rows may have."""
    given = part.get("cursor_datetime_formats") or [part.get("datetime_format")]
    return [str(each) for each in given] if isinstance(given, list) else [str(given)]


def first_number(part: Component) -> int | None:
    """Return the first number of a counter; raises `UnsupportedError`."""
    value = part.get("start_value")
    if isinstance(value, str):
        value = part.text("start_value") or ""
        value = int(value) if value.isdecimal() else value
    if value is not None and type(value) is not int:
        raise UnsupportedError("its start_value is computed")
    return value or 0


def initial_of(part: Component, *, is_epoch: bool) -> str | int | None:
    """Return where the first run begins; None where only the settings of the tap say it.

    With `is_epoch`, the column holds epoch values, so a moment needs its offset.
    """
    value, form = _start(part)
    if not isinstance(value, str):
        return value
    with part.manifest.notes.provisional() as keep:
        try:
            found = part.evaluated(value, "start_datetime")
        except UndecidedError:
            found = ...
        if isinstance(found, str | int):
            keep()
    if found is ... or isinstance(found, Later | Unset) or not found:
        what = "is computed: the tap's setting is" if found is ... else "is the tap's setting"
        part.note("start_datetime", f"{what} `start_date`.")
        limited = part.child("start_datetime")
        for word in _LIMITS:
            if limited is not None and limited.get(word):
                part.note(f"start_datetime.{word}", "isn't applied to `start_date`.")
        return None
    text = _within_limits(part, _moment(str(found), form), form)
    moment = parse_iso(text) if is_epoch else None
    return _written(moment) if moment else text


def datetime_of(part: Component, word: str) -> tuple[t.Any, t.Any]:
    """Return the moment at a key, and the format that it has itself, or None."""
    moment = part.child(word)
    if moment is None:
        return part.get(word), None
    found = moment.get("datetime"), moment.get("datetime_format")
    moment.note_unread(silent=_LIMITS if word == "start_datetime" else ())
    return found


def _within_limits(part: Component, start: str, form: str | None) -> str:
    """Return a start within the earliest and the latest one that a manifest allows.

    Raises `UnsupportedError` for a latest one that is computed: the tap might begin after it.
    """
    moment = part.child("start_datetime")
    for word, choose in zip(_LIMITS, (max, min), strict=True):
        given = moment.text(word) if moment is not None else None
        if moment is None or not moment.get(word):
            continue
        if given and "{" not in given and "$" not in given:
            limit = _moment(given, form)
            start = choose(start, limit, key=lambda text: t.cast("datetime", parse_iso(text)))
        elif choose is min:
            raise UnsupportedError("its start_datetime has a computed max_datetime")
        else:
            part.note(f"start_datetime.{word}", "is computed: a run may begin earlier.")
    return start


def _start(part: Component) -> tuple[str | int | None, str | None]:
    """Return the `start_datetime` of a cursor, and its format; None for ISO 8601."""
    value, form = datetime_of(part, "start_datetime")
    form = form or part.get("datetime_format")
    if type(value) is int:
        return value, None
    formatted = _FORMATTED.fullmatch(value.strip()) if isinstance(value, str) else None
    if formatted:
        # What it is formatted from is in ISO 8601.
        return _first_argument(formatted[1], str(value)), None
    return (value if isinstance(value, str) else None), form


def _first_argument(source: str, whole: str) -> str:
    try:
        call = ast.parse(f"f({source})", mode="eval").body
    except (SyntaxError, ValueError):
        return whole
    given = call.args if isinstance(call, ast.Call) else []
    return f"{{{{ {ast.unparse(given[0])} }}}}" if given else whole


def _moment(text: str, form: str | None) -> str:
    """Return a constant in ISO 8601; raises `UnsupportedError` where its format doesn't fit."""
    if form in _UNITS:
        try:
            seconds = float(text) / (1000 if form == "%ms" else 1)
        except ValueError:
            seconds = None
        if seconds is not None:
            return _written(datetime.fromtimestamp(seconds, UTC))
    if parse_iso(text) is not None:
        return text
    try:
        moment = datetime.strptime(text, (form or _DEFAULT_FORM).replace("%_ms", "%f"))  # noqa: DTZ007 - UTC is set below
    except ValueError:
        raise UnsupportedError(f"its start_datetime `{shown(text)}` is no time") from None
    return _written(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def lag_of(part: Component) -> float | str | None:
    """Return `lag`: days where the column holds dates, milliseconds where it may count those.

    A number of days that is a setting is a duration.
    """
    if part.get("lookback_window") is None:
        return None
    text = part.text("lookback_window")
    if text is not None and _DAYS.fullmatch(text) and unit_of(part) is None:
        return text
    found = None if text is None else Duration.parse(text)
    if text is None or (found is None and not NONE.fullmatch(text)):
        raise UnsupportedError("its lookback_window isn't a duration")
    if found is None:
        return None
    span = found.rest + found.months * _MONTH
    unit = timedelta(milliseconds=1) if "%ms" in _forms(part) else timedelta(seconds=1)
    count = span / unit
    if _forms(part) == [_DATE]:
        return -(-span // timedelta(days=1))
    return int(count) if count == int(count) else count


def end_of(part: Component) -> str | None:
    """Return an `end_value` before the begin of a run.

    Raises `UnsupportedError` where the range may end otherwise.
    """
    value, _ = datetime_of(part, "end_datetime")
    if value is None:
        return None
    text = str(value)
    if "{" not in text:
        # Its own step wouldn't end there, and an `end_value` leaves that moment out.
        raise UnsupportedError(f"its times end at `{shown(text)}`")
    if re.search(r"day_delta\(\s*\d|\+\s*duration\(", text):
        raise UnsupportedError("its times end after a run begins")
    if _EARLIER.search(text):
        found = _BEFORE.findall(text)
        if len(found) == 1 and all("end" in name for name in _SETTING.findall(text)):
            duration, days = found[0]
            return f"now-{duration or f'P{days}D'}"
        part.note("end_datetime", "is before a run begins: the tap reads up to its begin.")
    elif "now_utc" not in text and "today" not in text:
        part.note("end_datetime", "is the tap's setting `end_date`.")
    return None
