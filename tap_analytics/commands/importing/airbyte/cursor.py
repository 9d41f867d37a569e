"""Convert the cursor of a stream: its replication key, and the range that requests ask for."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from tap_analytics.commands.importing.airbyte.conditions import INTERVALS
from tap_analytics.commands.importing.airbyte.jinja_values import Later, Placeholder
from tap_analytics.commands.importing.airbyte.range_bounds import (
    EPOCHS,
    NONE,
    end_of,
    first_number,
    initial_of,
    lag_of,
    unit_of,
)
from tap_analytics.commands.importing.airbyte.request_parts import inject
from tap_analytics.commands.importing.notes import UnsupportedError, shown
from tap_analytics.config.declarations.object_reader import DOTTED
from tap_analytics.config.declarations.templates import (
    END,
    START,
    bookmark_names,
    names_in,
    parse_json,
    parse_template,
    start_parts,
)
from tap_analytics.records.duration import Duration
from tap_analytics.records.time_format import TimeFormat, TimeFormatError
from tap_analytics.records.time_part import is_whole, shortest_unit

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_analytics.commands.importing.airbyte.components import Component
    from tap_analytics.commands.importing.airbyte.request_parts import RequestParts
    from tap_analytics.commands.importing.airbyte.transformations import Transformations
    from tap_analytics.commands.importing.loading import Object

_START_OPTION, _END_OPTION = "start_time_option", "end_time_option"
#: The parts of an endpoint that are sent.
_REQUEST = ("params", "headers", "json", "data")
_WORDS = (
    *("cursor_path", "cursor_format", "start_param", "end_param", "initial_value", "end_value"),
    *("convert", "lag", "step", "granularity"),
)


def set_incremental(
    stream: Component,
    parts: RequestParts,
    endpoint: Object,
    changes: Transformations,
    *,
    key: Sequence[str],
) -> str | None:
    """Set the `incremental` of an endpoint, and the ends of the range in its request.

    `key` is the primary key. Returns the replication key, None for a stream without one. Raises
    `UnsupportedError` for a cursor whose requests or rows can't be told.
    """
    cursor = stream.child("incremental_sync")
    if cursor is None:
        if parts.bounds:
            raise UnsupportedError("its request has the end of an interval")
        return None
    _check_kind(cursor)
    sent = _sent_range(cursor, parts, endpoint)
    filters_rows = _filters_rows(stream, cursor)
    if changes.windows and not sent.has_start:
        raise UnsupportedError("its rows have columns of windows whose start isn't sent")
    if not (sent.has_start or sent.has_end or filters_rows):
        # A row that is changed without a later value would be missed.
        cursor.note("cursor_field", "filters neither requests nor rows: every run reads all rows.")
        return None
    _check_column(cursor, changes)
    made = _cursor(cursor, changes)
    if not (sent.has_start or filters_rows):
        # The original keeps rows from before its start.
        made["initial_value"] = None
    _set_range(made, cursor, sent)
    _check_parts(made, sent, has_columns=bool(changes.windows))
    if changes.windows:
        _set_columns(made, cursor, changes, key)
    _set_params(made, sent, endpoint)
    endpoint["incremental"] = {w: made[w] for w in _WORDS if made.get(w) is not None}
    return str(made["cursor_path"])


def keep_range(endpoint: Object) -> None:
    """Let a stream that is a parent send its range where it is read in full for its children."""
    incremental = endpoint.get("incremental", {})
    if "step" in incremental:
        return
    for word, bound in (("start_param", START), ("end_param", END)):
        if word in incremental:
            params = endpoint.setdefault("params", {})
            params[incremental.pop(word)] = f"{{{bound}}}"


def _check_kind(cursor: Component) -> None:
    if cursor.kind not in {"DatetimeBasedCursor", "IncrementingCountCursor"}:
        raise UnsupportedError(f"its cursor is a {shown(cursor.kind)}")
    if cursor.get("clamping") is not None:
        raise UnsupportedError("its windows begin on certain days")


def _filters_rows(stream: Component, cursor: Component) -> bool:
    """Whether rows from before the start of a run are left out there, too."""
    rule = stream.child("retriever", "record_selector", "record_filter")
    condition = str(rule.get("condition")) if rule else ""
    is_asked = any(name in condition for name in INTERVALS)
    words = ("is_client_side_incremental", "is_data_feed")
    return is_asked or any(cursor.get(word) for word in words)


@dataclass(frozen=True, kw_only=True)
class _SentRange:
    """What a request says of a range of times."""

    #: The parameters that are nothing but an end of the range, by `START` or `END`.
    params: dict[str, str]
    #: The placeholders in the rest of the request.
    names: frozenset[str]
    #: The formats of its times; None for that of the cursor.
    forms: frozenset[str | None]

    @property
    def has_start(self) -> bool:
        """Whether it has the start of the range, or a part of it."""
        return START in {*bookmark_names(self.names), *self.params}

    @property
    def has_end(self) -> bool:
        """Whether it has the end of the range."""
        return END in {*bookmark_names(self.names), *self.params}


def _sent_range(cursor: Component, parts: RequestParts, endpoint: Object) -> _SentRange:
    """Return what a request says of a range, with the ends that options add to it."""
    params = _params(cursor, parts, endpoint)
    path = parse_template(endpoint["path"], short=True)
    options = {None for word in (_START_OPTION, _END_OPTION) if cursor.get(word)}
    return _SentRange(
        params=params,
        names=names_in([path, *(parse_json(endpoint.get(each)) for each in _REQUEST)]),
        forms=frozenset({bound.form for bound in parts.bounds if not bound.is_part} | options),
    )


def _params(cursor: Component, parts: RequestParts, endpoint: Object) -> dict[str, str]:
    """Return the parameters that carry start and end; others are added to the request."""
    found = {}
    for bound, param in parts.bound_params.items():
        found[bound] = param
        del endpoint["params"][param]
    starts = "start_value_option" if cursor.kind == "IncrementingCountCursor" else _START_OPTION
    for word, bound in ((starts, START), (_END_OPTION, END)):
        option = cursor.child(word)
        if option is None:
            continue
        name = option.text("field_name")
        if option.get("inject_into") != "request_parameter" or not name or bound in found:
            inject(endpoint, option, Later((Placeholder(bound),)))
            continue
        if name in endpoint["params"]:
            raise UnsupportedError(f"`{shown(name)}` is sent twice")
        found[bound] = name
        option.note_unread()
    return found


def _check_column(part: Component, changes: Transformations) -> None:
    """Raise `UnsupportedError` where rows have no such column."""
    column = part.text("cursor_field")
    if not column or not DOTTED.fullmatch(column):
        raise UnsupportedError("its cursor_field is computed, or can't be a path")
    sources = changes.sources(column)
    if sources is not None and column == _path(part, changes) and column not in sources:
        raise UnsupportedError(f"its cursor `{shown(column)}` is computed by a transformation")
    if sources is not None and part.get("lookback_window") is not None:
        raise UnsupportedError("its lookback_window is for times that a transformation writes")


def _path(part: Component, changes: Transformations) -> str:
    """Return the path of a cursor: of the field with the same time, where that is written anew."""
    column = part.text("cursor_field") or ""
    path = changes.times.get(column, "")
    is_sent = changes.sources(path) is None and path.partition(".")[0] not in changes.added
    return path if DOTTED.fullmatch(path) and is_sent else column


def _cursor(part: Component, changes: Transformations) -> Object:
    """Return the replication key of a cursor, and where a run begins."""
    made: Object = {"cursor_path": _path(part, changes)}
    if part.kind == "IncrementingCountCursor":
        return made | {"cursor_format": "number", "initial_value": first_number(part)}
    # What transformations write otherwise has another notation in the rows.
    is_same = changes.sources(part.text("cursor_field") or "") is None
    made["cursor_format"] = unit_of(part) if is_same else None
    initial = initial_of(part, is_epoch=made["cursor_format"] is not None)
    return made | {"initial_value": initial, "lag": lag_of(part)}


# --- the range that is asked for -------------------------------------------------------------


def _set_range(made: Object, part: Component, sent: _SentRange) -> None:
    """Add how requests ask for a range.

    Raises `UnsupportedError` where the API would be asked for another range.
    """
    part.ignore("step", "datetime_format", "end_datetime", "cursor_granularity")
    if part.kind != "IncrementingCountCursor" and (sent.has_start or sent.has_end):
        _set_windows(made, part, sent)
    _set_format(made, sent.forms)


def _set_windows(made: Object, part: Component, sent: _SentRange) -> None:
    """Add how times are sent, and how the range is divided into windows."""
    step, form = part.get("step"), part.get("datetime_format")
    if sent.has_end and step is None:
        made["end_value"] = "now"
    if (sent.has_end or step is not None) and (end := end_of(part)) is not None:
        made["end_value"] = end
    if step is not None and sent.has_start:
        made["step"] = _duration(part, "step")
        if sent.has_end and not NONE.fullmatch(str(part.get("cursor_granularity"))):
            made["granularity"] = _granularity(part, str(form))
    if form is not None:
        made["convert"] = _format(str(form), "its datetime_format")
    if made["initial_value"] is None and made["cursor_format"] is None:
        # Only with a notation, a `start_date` can be sent.
        made["cursor_format"] = "iso"


def _check_parts(made: Object, sent: _SentRange, *, has_columns: bool) -> None:
    """Raise `UnsupportedError` where parts of a start don't tell windows apart."""
    if not (parts := start_parts(sent.names)):
        return
    is_sole = START not in {*sent.names, *sent.params}
    step = Duration.parse(made.get("step", ""))
    if has_columns or (is_sole and step and not is_whole(step, shortest_unit(parts.values()))):
        raise UnsupportedError("its requests have a part of where a window begins")


def _set_columns(
    made: Object, part: Component, changes: Transformations, key: Sequence[str]
) -> None:
    """Let windows be as columns of rows have them; raises `UnsupportedError` where they are not."""
    form, keys = str(part.get("datetime_format")), {changes.windows.get(name) for name in key}
    if part.kind == "IncrementingCountCursor":
        raise UnsupportedError("its rows have columns of windows that aren't times")
    if made["convert"] != _format(form, "its datetime_format"):
        raise UnsupportedError("its rows have times in another format than its requests")
    made["convert"] = EPOCHS.get(form, made["convert"])
    # It is the moment of the run anyhow.
    if made.get("end_value") == "now":
        del made["end_value"]
    if "step" in made and not NONE.fullmatch(str(part.get("cursor_granularity"))):
        made["granularity"] = _granularity(part, form)
    is_grid = made.get("step") == made.get("granularity") or START not in keys
    rereads = bool(key) and END not in keys and "step" in made and is_grid
    if made["lag"] and made["cursor_path"] in changes.windows and not rereads:
        raise UnsupportedError("its lookback_window reads windows again whose rows come twice")


def _set_params(made: Object, sent: _SentRange, endpoint: Object) -> None:
    """Declare the parameters that carry start and end."""
    made["end_param"] = sent.params.get(END)
    start = sent.params.get(START)
    if made["initial_value"] is not None and ("step" not in made or sent.has_end):
        made["start_param"] = start
    elif start is not None:
        # A placeholder, because without a start the API would choose one.
        endpoint["params"][start] = f"{{{START}}}"


def has_window_key(resource: Object) -> bool:
    """Whether the replication key of a resource is an end of its windows."""
    cursor = resource["endpoint"].get("incremental", {}).get("cursor_path")
    steps = resource.get("processing_steps", ())
    bounds = {f"{{{START}}}", f"{{{END}}}"}
    return any(step.get("add_fields", {}).get(cursor) in bounds for step in steps)


def _duration(part: Component, word: str) -> str:
    value = part.text(word)
    if value is not None and Duration.parse(value):
        return value
    raise UnsupportedError(f"its {word} isn't a duration")


def _granularity(part: Component, form: str) -> str:
    """Return how far apart times are, no more than what is sent: else some are in no window."""
    given = _duration(part, "cursor_granularity")
    finest = TimeFormat(_format(form, "its datetime_format")).precision
    if t.cast("Duration", Duration.parse(given)).rest <= finest:
        return given
    part.note("cursor_granularity", "is longer than the precision of the times that are sent.")
    return f"PT{finest.total_seconds():f}".rstrip("0").rstrip(".") + "S"


def _set_format(incremental: Object, forms: frozenset[str | None]) -> None:
    """Set the one format in which requests have times."""
    if forms <= {None}:
        return
    raw = incremental.get("convert")
    written = {raw if form is None else _format(form, "a format of its times") for form in forms}
    if len(written) > 1:
        raise UnsupportedError("its requests have times in several formats")
    incremental["convert"] = written.pop()


def _format(form: str, what: str) -> str:
    if form == "%s_as_float":
        return "epoch_s"
    try:
        return TimeFormat(form).text
    except TimeFormatError as error:
        raise UnsupportedError(f"{what} {error}") from None
