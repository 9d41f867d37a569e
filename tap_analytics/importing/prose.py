"""What the text of a document says beside its dict: keys, retries, incremental columns, rates.

Only what is labelled is read: `- **Primary Key**: `id`` under the heading of a resource, the
columns of a table, the lines of a section on errors. The dict wins where the two disagree on how to
ask; the text wins on keys, which a dict often gives for all resources at once.
"""

from __future__ import annotations

import re
import textwrap
import typing as t
from dataclasses import dataclass, field

from tap_analytics.importing.notes import listed, shown

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.importing.notes import Notes

Object = dict[str, t.Any]

_LONGEST_LINE = 2_000
_FENCES = ("```", "~~~")
_HEADING = re.compile(r"(#{1,6})[ \t]+(\S.*)")
_LABELLED = re.compile(r"[ \t]*[-*+][ \t]+(?:\*\*|__)([^*_:]{1,60}):?(?:\*\*|__):?[ \t]*(.*)")
_CODE = re.compile(r"`([^`]{1,100})`")
_COLUMN = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
_RATE = re.compile(
    r"\b(\d{1,6})\s+(?:requests?|calls?)\s*(?:per|/|a|an|each|every)\s*(second|minute|hour)\b",
    re.IGNORECASE,
)
_SECONDS = {"second": 1, "minute": 60, "hour": 3600}
_STATUS = re.compile(r"\b([45]\d\d)\b")
#: Labels and table columns, in lower case, to what they tell.
_KEY = ("primary key", "primary keys", "key", "unique key")
_INCREMENTAL = (
    *("incremental key", "incremental field", "incremental column", "cursor field"),
    *("cursor column", "replication key", "incremental"),
)
_START = ("start parameter", "incremental parameter", "filter parameter")
_NAMES = ("resource", "stream", "name", "endpoint")
_STATUSES = ("retry on status codes", "retry on", "retry logic", "retried status codes", "retry")
_RETRIES = ("max retries", "maximum retries", "retries")
_FACTOR = ("backoff factor", "backoff")


@dataclass
class Told:
    """What the text tells of one resource."""

    line: int
    keys: list[str] = field(default_factory=list)
    cursor: str | None = None
    start_param: str | None = None


@dataclass
class Prose:
    """What the text of a document tells."""

    resources: dict[str, Told] = field(default_factory=dict)
    retry: Object = field(default_factory=dict)
    retry_line: int = 0
    rate: float | None = None
    rate_line: int = 0


def merge(entry: Object, text: str, notes: Notes) -> None:
    """Lay what the text of a document tells over the entry made of its dict."""
    resources = {
        _plain(resource["name"]): resource
        for resource in entry.get("resources", [])
        if isinstance(resource, dict) and isinstance(resource.get("name"), str)
    }
    told = read(text, resources)
    defaults = entry.get("resource_defaults")
    default_key = defaults.get("primary_key") if isinstance(defaults, dict) else None
    for name, said in told.resources.items():
        _merge_key(resources[name], said, default_key, notes)
        _merge_incremental(resources[name], said, notes)
    _merge_retry(entry, list(resources.values()), told, notes)
    if told.rate and "requests_per_second" not in entry:
        entry["requests_per_second"] = told.rate
        notes.add(f"line {told.rate_line}", f"requests_per_second {told.rate:g} is of the text.")


# --- reading --------------------------------------------------------------------------------


def read(text: str, names: t.Collection[str]) -> Prose:
    """Return what the text tells of the resources whose plain names are given."""
    told = Prose()
    resource, is_errors = "", False
    header: list[str] = []
    for number, line in _lines(text):
        if heading := _HEADING.fullmatch(line):
            title = _plain(heading[2])
            resource = title if title in names else ""
            is_errors = is_errors and bool(resource)
            is_errors = is_errors or any(word in title for word in ("error", "retr", "rate_limit"))
        elif labelled := _LABELLED.fullmatch(line):
            label, value = labelled[1].strip().lower(), labelled[2]
            if resource:
                _of_resource(told.resources, resource, label, value, number)
            elif is_errors:
                _of_errors(told, label, value, number)
        header = _table(line, header, names, told, number)
        if told.rate is None and (rate := _RATE.search(line)) and int(rate[1]):
            told.rate = round(int(rate[1]) / _SECONDS[rate[2].lower()], 3)
            told.rate_line = number
    return told


def blocks(text: str) -> Iterator[tuple[int, str]]:
    """Yield the code blocks of a document, with the number of their first line."""
    code: list[str] = []
    first = 0
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith(_FENCES):
            if first:
                yield first, textwrap.dedent("\n".join(code))
            code, first = [], 0 if first else number + 1
        elif first:
            code.append(line)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines outside of code blocks, with their numbers."""
    is_code = False
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith(_FENCES):
            is_code = not is_code
        elif not is_code and len(line) <= _LONGEST_LINE:
            yield number, line.rstrip()


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "_", name.lower()).strip("_")


def _of_resource(told: dict[str, Told], name: str, label: str, value: str, number: int) -> None:
    columns = _columns(value)
    if not columns:
        return
    said = told.setdefault(name, Told(line=number))
    if label in _KEY and not said.keys:
        said.keys, said.line = columns, number
    elif label in _INCREMENTAL and said.cursor is None:
        said.cursor, said.line = columns[0], number
    elif label in _START:
        said.start_param = columns[0]


def _of_errors(told: Prose, label: str, value: str, number: int) -> None:
    found: t.Any = None
    whole = re.match(r"\D{0,20}(\d{1,4})\b", value)
    if label in _STATUSES:
        word, found = "retry_on_status_codes", [int(code) for code in _STATUS.findall(value)]
    elif label in _RETRIES:
        word, found = "max_retries", int(whole[1]) if whole else None
    elif label in _FACTOR:
        word, found = "backoff_factor", int(whole[1]) if whole else None
    if found:
        told.retry.setdefault(word, found)
        told.retry_line = told.retry_line or number


def _columns(text: str) -> list[str]:
    """Return the column names of a text: those in code, else the text itself if it is one."""
    found = [code for code in _CODE.findall(text) if _COLUMN.fullmatch(code)]
    if not found and _COLUMN.fullmatch(text.strip()):
        found = [text.strip()]
    return found[:8]


def _table(
    line: str, header: list[str], names: t.Collection[str], told: Prose, number: int
) -> list[str]:
    """Read a line that may be a row of a table; return the table's header for the next line."""
    if not line.lstrip().startswith("|"):
        return []
    cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
    if not header:
        return [cell.strip("*` ").lower() for cell in cells]
    row = dict(zip(header, cells, strict=False))
    name = next((_plain(row[word]) for word in _NAMES if word in row), "")
    for label, value in row.items() if name in names else ():
        _of_resource(told.resources, name, label, value, number)
    return header


# --- merging --------------------------------------------------------------------------------


def _merge_key(resource: Object, said: Told, default: object, notes: Notes) -> None:
    keys: str | list[str] = said.keys[0] if len(said.keys) == 1 else said.keys
    if not keys or keys == resource.get("primary_key", default):
        return
    has_own = "primary_key" in resource
    resource["primary_key"] = keys
    instead = "its dict has another" if has_own else "the dict has another for all"
    where = f"resource '{resource['name']}'"
    notes.add(where, f"the key is {listed(said.keys)}, as line {said.line} says; {instead}.")


def _merge_incremental(resource: Object, said: Told, notes: Notes) -> None:
    if said.cursor is None:
        return
    endpoint = resource.setdefault("endpoint", {"path": resource["name"]})
    if isinstance(endpoint, str):
        endpoint = resource["endpoint"] = {"path": endpoint}
    if not isinstance(endpoint, dict) or "incremental" in endpoint:
        return
    endpoint["incremental"] = {"cursor_path": said.cursor}
    if said.start_param:
        endpoint["incremental"]["start_param"] = said.start_param
    where = f"resource '{resource['name']}'"
    notes.add(where, f"`{shown(said.cursor)}` tells what is new, as line {said.line} says.")


def _merge_retry(entry: Object, resources: list[Object], told: Prose, notes: Notes) -> None:
    endpoints = [resource.get("endpoint") for resource in resources]
    handlers = [
        endpoint["error_handler"]
        for endpoint in endpoints
        if isinstance(endpoint, dict) and isinstance(endpoint.get("error_handler"), dict)
    ]
    held = entry.get("retry") if isinstance(entry.get("retry"), dict) else {}
    new = {word: value for word, value in told.retry.items() if word not in (held or {})}
    words = {word for handler in handlers for word in handler}
    if missing := {word: value for word, value in new.items() if word not in words}:
        entry["retry"] = {**(held or {}), **missing}
        notes.add(f"line {told.retry_line}", f"`retry` has {listed(missing)} of the text.")
    for word, value in new.items():
        if any(word in handler and handler[word] != value for handler in handlers):
            notes.add(
                f"line {told.retry_line}",
                f"the text and the dict differ on {word}; the dict's is taken.",
            )
    if not told.retry and not handlers and not held:
        notes.add("retries", "neither the dict nor the text sets any; the tap's own hold.")
