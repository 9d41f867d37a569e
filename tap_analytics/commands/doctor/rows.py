"""What the rows of a stream show: whether the selector finds them, their keys, their bookmark."""

from __future__ import annotations

import json
import re
import typing as t
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

from tap_analytics.commands.doctor.findings import note, warning, wrong
from tap_analytics.commands.doctor.trial import changed
from tap_analytics.config.declarations.object_reader import DOTTED
from tap_analytics.pagination import dig
from tap_analytics.records.notation import comparable, unit_of
from tap_analytics.records.payload import SelectorError, lists_in
from tap_analytics.records.writer import ENCODER
from tap_analytics.streams.declared import DeclaredStream
from tap_analytics.transport.errors import shorten

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.commands.doctor.findings import Finding, StreamReport
    from tap_analytics.commands.doctor.inquiry import Answer, Probe
    from tap_analytics.records.payload import Row

#: Names of columns that are keys by custom; any other has to end like one of them.
_KEY_NAMES = ("id", "uid", "uuid", "guid", "_id", "key", "code")
_KEY_ENDINGS = ("_id", "Id", "_uid", "_uuid", "Uuid", "_key", "Key", "_code", "Code")
#: A member that can be named in a JSONPath as it is.
_WORD = re.compile(r"[A-Za-z_]\w*")
_CHANGE_NAMES = ("updated", "modified", "changed")


# --- the selector -----------------------------------------------------------------------------


def check_selector(inquiry: Probe, answer: Answer, report: StreamReport) -> Answer:
    """Return the answer with its rows, from where they really are if the selector is wrong."""
    payload, stream = answer.page.payload, inquiry.stream
    selector = getattr(getattr(stream, "resource", None), "data_selector", None)
    where = f"`{selector}`" if selector else "the response"
    try:
        selected = [] if payload is None else stream.select(payload)
    except SelectorError as error:
        told = str(error)
        return _elsewhere(inquiry, answer, report, told=f"{told[0].upper()}{told[1:]}")
    if not isinstance(stream, DeclaredStream) or payload is None:
        return answer
    place = _place(stream, payload)
    if not selected and place is not None and place.rows:
        told = f"{where} is empty, while the response holds rows at `{place.selector}`."
        return _elsewhere(inquiry, answer, report, told=told, is_sure=False)
    keys = stream.primary_keys
    is_there = not keys or any(key in row for row in selected for key in keys)
    if selected and not is_there and place is not None and place.has(keys):
        told = f"{where} wraps the rows, which are at `{place.selector}`."
        return _elsewhere(inquiry, answer, report, told=f"{told[0].upper()}{told[1:]}")
    return answer


def _elsewhere(
    inquiry: Probe, answer: Answer, report: StreamReport, *, told: str, is_sure: bool = True
) -> Answer:
    """Tell where the rows are and go on with them."""
    stream, tell = inquiry.stream, wrong if is_sure else warning
    place = _place(stream, answer.page.payload)
    other = None
    if place is not None and isinstance(stream, DeclaredStream):
        change = {"endpoint": {"data_selector": place.selector}}
        other = changed(stream, change)
    if other is None:
        hint = "" if place is not None else " Check that base_url is that of this API."
        report.findings.append(tell("selector", f"{told}{hint}"))
        return answer
    report.findings.append(tell("selector", told, resource=change))
    return inquiry.reselect(answer, other)


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where a response holds rows."""

    selector: str | None
    rows: list[Row]

    def has(self, keys: Sequence[str]) -> bool:
        """Whether all rows have a key."""
        return bool(self.rows) and all(
            row.get(key) is not None for row in self.rows for key in keys
        )


def _place(stream: AnalyticsStream, payload: object) -> _Place | None:
    """Return where the rows most likely are: where they have the key, else where most are."""
    found = list(_places(payload))
    keyed = [place for place in found if place.has(stream.primary_keys)]
    likely = [place for place in found if place.rows and best_key(stream, place.rows)]
    for places in (keyed if stream.primary_keys else [], likely, found):
        if places:
            return max(places, key=lambda place: len(place.rows))
    return None


def _places(payload: object) -> Iterator[_Place]:
    """Yield the lists of objects in a response, and the objects each of their members wraps."""
    lists = {"$": payload} if isinstance(payload, list) else {}
    for path in lists_in(payload):
        if DOTTED.fullmatch(path):
            lists[path] = dig(payload, path)
    for path, rows in lists.items():
        if not all(isinstance(row, dict) for row in rows):
            continue
        yield _Place(selector=None if path == "$" else path, rows=rows)
        for name in rows[0] if rows else ():
            inner = [row.get(name) for row in rows]
            if _WORD.fullmatch(name) and all(isinstance(each, dict) for each in inner):
                yield _Place(selector=f"{path}[*].{name}", rows=inner)


# --- the keys ---------------------------------------------------------------------------------


def check_keys(inquiry: Probe, rows: Sequence[Row], report: StreamReport) -> None:
    """Look for the primary key in rows as they would be written: is it there, is it unique?"""
    stream = inquiry.stream
    keys = tuple(stream.primary_keys)
    if not keys:
        report.key = "none"
        return
    lacking = [key for key in keys if any(row.get(key) is None for row in rows)]
    if lacking:
        report.key = "missing"
        report.findings.append(_missing_key(stream, lacking[0], rows))
        return
    alike = _repeated(rows, keys)
    report.key = "repeated" if alike else "unique"
    if alike:
        report.findings.append(_repeated_key(stream, keys, alike, rows))


def _missing_key(stream: AnalyticsStream, key: str, rows: Sequence[Row]) -> Finding:
    count = sum(row.get(key) is None for row in rows)
    how_many = "No row has" if count == len(rows) else f"{count} of {len(rows)} rows lack"
    text = f"{how_many} `{key}`, the primary key."
    if not isinstance(stream, DeclaredStream):
        return wrong("key_missing", f"{text} Check that base_url is that of this API.")
    best = best_key(stream, rows)
    if not stream.resource.assumes_keys:
        return wrong("key_missing", f"{text} {_instead(best)}", resource=_key_change(best))
    return warning(
        "key_missing",
        f"{text} It is only the default of `resource_defaults`. {_instead(best)}",
        resource=_key_change(best),
    )


def _repeated_key(
    stream: AnalyticsStream, keys: tuple[str, ...], alike: int, rows: Sequence[Row]
) -> Finding:
    name = ", ".join(f"`{key}`" for key in keys)
    noun = "row has" if alike == 1 else "rows have"
    text = f"{alike} {noun} the primary key ({name}) of another row: a target would merge them."
    if not isinstance(stream, DeclaredStream):
        return wrong("key_repeated", text)
    best = best_key(stream, rows) or _pair(stream, rows, keys)
    return wrong("key_repeated", f"{text} {_instead(best)}", resource=_key_change(best))


def _instead(best: tuple[str, ...]) -> str:
    if not best:
        return (
            "No column tells the rows apart. If the API has no key, `primary_key: null` with "
            "`write_disposition: append` keeps every row."
        )
    names = " and ".join(f"`{name}`" for name in best)
    return f"{names} would be one." if len(best) == 1 else f"{names} together would be one."


def _key_change(best: tuple[str, ...]) -> dict[str, t.Any]:
    return {"primary_key": best[0] if len(best) == 1 else list(best)} if best else {}


def best_key(stream: AnalyticsStream, rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the column that most likely is the key: named like one, everywhere, unique."""
    noun = stream.name.removeprefix(f"{stream.api}_").rstrip("s")
    own = (f"{noun}_id", f"{noun}Id", f"{noun}_key")
    named = [*_KEY_NAMES, *own]
    columns = _columns(stream, rows)
    rest = [name for name in columns if name.endswith(_KEY_ENDINGS) and name not in named]
    if isinstance(stream, DeclaredStream):
        # What comes from the parent is the same in all rows of one.
        placeholders = {link.placeholder for link in stream.resource.parents}
        rest = [name for name in rest if name not in placeholders]
    candidates = (name for name in (*named, *rest) if name in columns)
    return next(((name,) for name in candidates if _is_key(rows, (name,))), ())


def _pair(stream: AnalyticsStream, rows: Sequence[Row], keys: tuple[str, ...]) -> tuple[str, ...]:
    """Return the key with the first further column that makes it unique."""
    names = [name for name in _columns(stream, rows) if name not in keys]
    # What changes with a row is no part of its key.
    pairs = (
        (*keys, name) for name in names if not any(_may_be_time(row.get(name)) for row in rows)
    )
    return next((pair for pair in pairs if _is_key(rows, pair)), ())


def _columns(stream: AnalyticsStream, rows: Sequence[Row]) -> list[str]:
    """Return the columns that may become keys: a declared schema has to know them."""
    schema = stream.resource.schema if isinstance(stream, DeclaredStream) else None
    known = rows[0] if schema is None else schema.get("properties", {})
    return [name for name in rows[0] if name in known]


def _is_key(rows: Sequence[Row], names: tuple[str, ...]) -> bool:
    has_all = all(_is_plain(row.get(name)) for row in rows for name in names)
    return has_all and not _repeated(rows, names)


def _is_plain(value: object) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool) and value != ""


def _repeated(rows: Sequence[Row], keys: tuple[str, ...]) -> int:
    """Count rows whose key another row has, unless the rows are the same altogether."""
    distinct = {ENCODER.encode(row): row for row in rows}.values()
    counts = Counter(json.dumps([str(row.get(key)) for key in keys]) for row in distinct)
    return sum(count - 1 for count in counts.values())


# --- the bookmark -----------------------------------------------------------------------------


def check_bookmark(stream: AnalyticsStream, rows: Sequence[Row], report: StreamReport) -> None:
    """Look for the replication key in rows: is it there, can its values be compared?"""
    key = stream.replication_key
    if key is None:
        return
    values = [row.get(key) for row in rows]
    present = [value for value in values if value is not None]
    unreadable = [value for value in present if comparable(value, stream.replication_unit) is None]
    report.bookmark = "unreadable" if unreadable else "reads" if present else "missing"
    change = dict(_bookmark_change(stream, rows))
    if not present:
        text = f"No row has `{key}`, the replication key, so nothing tells what is new."
        report.findings.append(wrong("bookmark_missing", text, resource=change))
    elif unreadable:
        text = (
            f"The replication key `{key}` has values that are neither time nor number, such as "
            f"{shorten(json.dumps(unreadable[0], default=str), 40)}, so they can't be compared."
        )
        report.findings.append(wrong("bookmark_unreadable", text, resource=change))
    elif len(present) < len(values):
        count = len(values) - len(present)
        text = f"{count} of {len(values)} rows have no `{key}`; such rows are read in every run."
        report.findings.append(note("bookmark_partial", text))


def _bookmark_change(stream: AnalyticsStream, rows: Sequence[Row]) -> Iterator[tuple[str, t.Any]]:
    """Yield the column that tells when a row changed, where there is one."""
    if not isinstance(stream, DeclaredStream):
        return
    for word in _CHANGE_NAMES:
        for name in _columns(stream, rows):
            if word in name.lower() and all(unit_of(row.get(name)) == "iso" for row in rows):
                yield "endpoint", {"incremental": {"cursor_path": name}}
                return


def _may_be_time(value: object) -> bool:
    """Whether a value is a time, or a number so large that it may be one: no part of a key."""
    place = comparable(value)
    return unit_of(value) == "iso" or (isinstance(place, (int, Decimal)) and place >= 10**9)
