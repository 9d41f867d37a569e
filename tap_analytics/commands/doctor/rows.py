"""Checks of rows: selector, primary key, replication key.

A wrong setting is corrected before the next check, so that one mistake doesn't hide another.
"""

from __future__ import annotations

import json
import re
import typing as t
from collections import Counter
from dataclasses import dataclass, replace
from decimal import Decimal

from tap_analytics.commands.doctor.findings import Finding, note, sentence, warning, wrong
from tap_analytics.config.declarations.object_reader import DOTTED
from tap_analytics.pagination import dig
from tap_analytics.records.notation import comparable, unit_of
from tap_analytics.records.payload import SelectorError, dig_field, lists_in
from tap_analytics.records.writer import ENCODER
from tap_analytics.streams.declared import DeclaredStream
from tap_analytics.transport.errors import shorten

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.commands.doctor.findings import Level, StreamReport
    from tap_analytics.commands.doctor.probe import Probe
    from tap_analytics.pagination.page import FetchedPage
    from tap_analytics.records.payload import Row

#: Common names of key columns, and endings of others.
_KEY_NAMES = ("id", "uid", "uuid", "guid", "_id", "key", "code")
_KEY_ENDINGS = ("_id", "Id", "_uid", "_uuid", "Uuid", "_key", "Key", "_code", "Code")
#: A member name that needs no quotes in a JSONPath.
_WORD = re.compile(r"[A-Za-z_]\w*")
_CHANGE_NAMES = ("updated", "modified", "changed")
_BASE_URL = "Check that base_url belongs to this API."


# --- the selector -----------------------------------------------------------------------------


def check_selector(probe: Probe, page: FetchedPage, report: StreamReport) -> Probe:
    """Return a probe whose selector finds the rows."""
    row_list = _likely_list(probe.stream, page.page.payload)
    level, problem = _selector_problem(probe.stream, page.page.payload, row_list)
    if not problem:
        return probe
    change = {"endpoint": {"data_selector": row_list.selector}} if row_list is not None else {}
    other = probe.changed(change) if change else None
    hint = "" if row_list is not None else f" {_BASE_URL}"
    resource = change if other else {}
    text = f"{sentence(problem)}{hint}"
    report.findings.append(Finding("selector", text, level=level, resource=resource))
    return other or probe


def _selector_problem(
    stream: AnalyticsStream, payload: object, row_list: _RowList | None
) -> tuple[Level, str]:
    """Return the level and text of a problem with the selector; the text is "" if there is none."""
    try:
        selected = [] if payload is None else stream.select(payload)
    except SelectorError as error:
        return "wrong", str(error)
    selector = stream.resource.data_selector if isinstance(stream, DeclaredStream) else None
    where, keys = f"`{selector}`" if selector else "the response", stream.key_fields
    if not isinstance(stream, DeclaredStream) or row_list is None or not row_list.rows:
        return "wrong", ""
    if not selected:
        text = f"{where} is empty, while the response holds rows at `{row_list.selector}`."
        return "warning", text
    found = any(dig_field(row, key, ...) is not ... for row in selected for key in keys)
    if keys and row_list.has(keys) and not found:
        return "wrong", f"{where} wraps the rows, which are at `{row_list.selector}`."
    return "wrong", ""


@dataclass(frozen=True, kw_only=True)
class _RowList:
    """A list of rows in a response."""

    selector: str | None
    rows: list[Row]

    def has(self, keys: Sequence[str]) -> bool:
        """Whether there are rows and all of them have the keys."""
        return bool(self.rows) and all(
            dig_field(row, key) is not None for row in self.rows for key in keys
        )


def _likely_list(stream: AnalyticsStream, payload: object) -> _RowList | None:
    """Return the most likely list of rows: the one with the key, else the longest."""
    found = list(_row_lists(payload))
    keyed = [row_list for row_list in found if row_list.has(stream.key_fields)]
    likely = [row_list for row_list in found if row_list.rows and best_key(stream, row_list.rows)]
    for best in (keyed if stream.primary_keys else [], likely, found):
        if best:
            return max(best, key=lambda row_list: len(row_list.rows))
    return None


def _row_lists(payload: object) -> Iterator[_RowList]:
    """Yield the lists of objects in a response, also those wrapped in a member of each object."""
    lists = {"$": payload} if isinstance(payload, list) else {}
    lists |= {path: dig(payload, path) for path in lists_in(payload) if DOTTED.fullmatch(path)}
    for path, rows in lists.items():
        if not all(isinstance(row, dict) for row in rows):
            continue
        yield _RowList(selector=None if path == "$" else path, rows=rows)
        for name in rows[0] if rows else ():
            inner = [row.get(name) for row in rows]
            if _WORD.fullmatch(name) and all(isinstance(each, dict) for each in inner):
                yield _RowList(selector=f"{path}[*].{name}", rows=inner)


# --- the keys ---------------------------------------------------------------------------------


def check_keys(probe: Probe, rows: Sequence[Row], report: StreamReport) -> Probe:
    """Return a probe with a primary key that all rows have and that is unique."""
    stream = probe.stream
    keys = tuple(stream.primary_keys)
    lacking = [key for key in keys if any(row.get(key) is None for row in rows)]
    repeated = 0 if lacking else _repeated(rows, keys)
    report.key = "missing" if lacking else "repeated" if repeated else "unique" if keys else "none"
    if not keys or not (lacking or repeated):
        return probe
    problem = _lacking_key(stream, rows, lacking[0]) if lacking else _repeated_key(keys, repeated)
    if not isinstance(stream, DeclaredStream):
        text = f"{problem.text} {_BASE_URL}" if lacking else problem.text
        report.findings.append(replace(problem, text=text))
        return probe
    best = best_key(stream, rows) or (() if lacking else _wider_key(stream, rows, keys))
    change = {"primary_key": best[0] if len(best) == 1 else list(best)} if best else {}
    text = f"{problem.text} {_suggested_key(best)}"
    report.findings.append(replace(problem, text=text, resource=change))
    # Without a better key the checks continue without any; that is not suggested.
    keyless = {"primary_key": None, "write_disposition": "append"}
    return probe.changed(change or keyless) or probe


def _lacking_key(stream: AnalyticsStream, rows: Sequence[Row], key: str) -> Finding:
    count = sum(row.get(key) is None for row in rows)
    how_many = "No row has" if count == len(rows) else f"{count} of {len(rows)} rows lack"
    text = f"{how_many} `{key}`, the primary key."
    if isinstance(stream, DeclaredStream) and stream.resource.assumes_keys:
        return warning("key_missing", f"{text} It comes from `resource_defaults`.")
    return wrong("key_missing", text)


def _repeated_key(keys: Sequence[str], count: int) -> Finding:
    have, name = "row has" if count == 1 else "rows have", ", ".join(f"`{key}`" for key in keys)
    text = f"{count} {have} the primary key ({name}) of another row: a target would merge them."
    return wrong("key_repeated", text)


def _suggested_key(best: tuple[str, ...]) -> str:
    if not best:
        return (
            "No column identifies the rows. If the API has no key, `primary_key: null` with "
            "`write_disposition: append` keeps every row."
        )
    names = " and ".join(f"`{name}`" for name in best)
    return f"{names} would be one." if len(best) == 1 else f"{names} together would be one."


def best_key(stream: AnalyticsStream, rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the most likely key column: named like a key, in all rows, unique."""
    noun = stream.name.removeprefix(f"{stream.api}_").rstrip("s")
    named = [*_KEY_NAMES, f"{noun}_id", f"{noun}Id", f"{noun}_key"]
    columns = _columns(stream, rows)
    rest = [name for name in columns if name.endswith(_KEY_ENDINGS) and name not in named]
    if isinstance(stream, DeclaredStream):
        # Values from the parent are the same in all its children.
        placeholders = {link.placeholder for link in stream.resource.parents}
        rest = [name for name in rest if name not in placeholders]
    candidates = (name for name in (*named, *rest) if name in columns)
    return next(((name,) for name in candidates if _is_key(rows, (name,))), ())


def _wider_key(
    stream: AnalyticsStream, rows: Sequence[Row], keys: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the key with the first column that makes it unique."""
    names = [name for name in _columns(stream, rows) if name not in keys]
    # A time of change is not part of a key.
    wider = (
        (*keys, name) for name in names if not any(_may_be_time(row.get(name)) for row in rows)
    )
    return next((key for key in wider if _is_key(rows, key)), ())


def _columns(stream: AnalyticsStream, rows: Sequence[Row]) -> list[str]:
    """Return the columns that may be keys; if a schema is declared, only its properties."""
    schema = stream.resource.schema if isinstance(stream, DeclaredStream) else None
    known = rows[0] if schema is None else schema.get("properties", {})
    return [name for name in rows[0] if name in known]


def _is_key(rows: Sequence[Row], names: tuple[str, ...]) -> bool:
    values = [row.get(name) for row in rows for name in names]
    is_plain = all(type(value) in {str, int} and value != "" for value in values)
    return is_plain and not _repeated(rows, names)


def _repeated(rows: Sequence[Row], keys: tuple[str, ...]) -> int:
    """Count rows with the key of another row, identical rows excepted."""
    distinct = {ENCODER.encode(row): row for row in rows}.values()
    counts = Counter(json.dumps([str(row.get(key)) for key in keys]) for row in distinct)
    return sum(count - 1 for count in counts.values()) if keys else 0


def _may_be_time(value: object) -> bool:
    """Whether a value is a time, or a number large enough to be one."""
    number = comparable(value)
    return unit_of(value) == "iso" or (isinstance(number, (int, Decimal)) and number >= 10**9)


# --- the bookmark -----------------------------------------------------------------------------


def check_bookmark(stream: AnalyticsStream, rows: Sequence[Row], report: StreamReport) -> None:
    """Check that rows have the replication key and that its values are comparable."""
    key = stream.replication_key
    if key is None:
        return
    present = [row[key] for row in rows if row.get(key) is not None]
    # No bookmark is made of the columns of a window.
    compared = () if stream.has_window_key else present
    unreadable = [value for value in compared if comparable(value, stream.replication_unit) is None]
    report.bookmark = "unreadable" if unreadable else "reads" if present else "missing"
    better = _change_column(stream, rows)
    change = {"endpoint": {"incremental": {"cursor_path": better}}} if better else {}
    if not present:
        text = f"No row has `{key}`, the replication key, so new rows can't be recognised."
        report.findings.append(wrong("bookmark_missing", text, resource=change))
    elif unreadable:
        text = (
            f"The replication key `{key}` has values that are neither time nor number, such as "
            f"{shorten(json.dumps(unreadable[0], default=str), 40)}, so they can't be compared."
        )
        report.findings.append(wrong("bookmark_unreadable", text, resource=change))
    elif len(present) < len(rows):
        count = len(rows) - len(present)
        text = f"{count} of {len(rows)} rows have no `{key}`; such rows are read in every run."
        report.findings.append(note("bookmark_partial", text))


def _change_column(stream: AnalyticsStream, rows: Sequence[Row]) -> str | None:
    """Return the column with the time of the last change, if any."""
    names = _columns(stream, rows) if isinstance(stream, DeclaredStream) else []
    times = [name for name in names if all(unit_of(row.get(name)) == "iso" for row in rows)]
    found = (name for word in _CHANGE_NAMES for name in times if word in name.lower())
    return next(found, None)
