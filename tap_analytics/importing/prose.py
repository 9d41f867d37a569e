"""What the text of a document says beside its dict: keys, retries, incremental columns, rates.

Only what is labelled is read: `- **Primary Key**: `id`` under the heading of a resource, the
columns of a table, the lines of a section on errors.
"""

from __future__ import annotations

import re
import textwrap
import typing as t
from dataclasses import dataclass, field

from tap_analytics.importing.fields import column, fields_in

if t.TYPE_CHECKING:
    from collections.abc import Iterator

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
_KEY = ("primary key", "primary keys", "unique key")
#: What a cell may say instead of a column.
_NO_COLUMN = {"yes", "no", "none", "true", "false", "supported", "unsupported"}
_INCREMENTAL = (
    *("incremental key", "incremental field", "incremental column", "cursor field"),
    *("cursor column", "replication key", "incremental"),
)
_START = ("start parameter", "incremental parameter", "filter parameter")
_NAMES = ("resource", "stream", "name", "endpoint")
_FIELDS = ("fields", "columns", "schema")
_FIELD_NAMES = ("field", "column", "property", "attribute")
_STATUSES = ("retry on status codes", "retry on", "retry logic", "retried status codes", "retry")
_RETRIES = ("max retries", "maximum retries", "retries")
_FACTOR = ("backoff factor", "backoff")


@dataclass
class Told:
    """What the text tells of one resource."""

    line: int
    keys: list[str] = field(default_factory=list)
    cursor: str | None = None
    cursor_line: int = 0
    start_param: str | None = None
    #: Columns by name; None for a field of which only the name is told.
    fields: dict[str, Object | None] = field(default_factory=dict)


@dataclass
class Prose:
    """What the text of a document tells."""

    resources: dict[str, Told] = field(default_factory=dict)
    retry: Object = field(default_factory=dict)
    retry_line: int = 0
    rate: float | None = None
    rate_line: int = 0


def read(text: str, names: t.Collection[str]) -> Prose:
    """Return what the text tells of the resources whose plain names are given."""
    reader = _Reader(names)
    for number, line in _lines(text):
        reader.take(line, number)
    return reader.told


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


def plain(name: str) -> str:
    """Return a name as headings and resources have it in common."""
    return re.sub(r"[\W_]+", "_", name.lower()).strip("_")


def _columns(text: str) -> list[str]:
    """Return the column names of a text: those in code, else the text itself if it is one."""
    found = [code for code in _CODE.findall(text) if _COLUMN.fullmatch(code)]
    if not found and _COLUMN.fullmatch(text.strip()):
        found = [text.strip()]
    return [name for name in found[:8] if name.lower() not in _NO_COLUMN]


class _Reader:
    """Takes a document line by line: what a line is about, the headings above it tell."""

    def __init__(self, names: t.Collection[str]) -> None:
        self.told = Prose()
        self._names = names
        self._resource = ""
        self._is_errors = False
        #: The header of the table that the lines are rows of.
        self._header: list[str] = []

    def take(self, line: str, number: int) -> None:
        """Take the next line."""
        if heading := _HEADING.fullmatch(line):
            self._heading(plain(heading[2]))
        elif labelled := _LABELLED.fullmatch(line):
            label, value = labelled[1].strip().lower(), labelled[2]
            if self._resource:
                self._of_resource(self._resource, label, value, number)
            elif self._is_errors:
                self._of_errors(label, value, number)
        if line.lstrip().startswith("|"):
            self._row([cell.strip() for cell in line.strip().strip("|").split("|")], number)
        else:
            self._header = []
        if self.told.rate is None and (rate := _RATE.search(line)) and int(rate[1]):
            self.told.rate = round(int(rate[1]) / _SECONDS[rate[2].lower()], 3)
            self.told.rate_line = number

    def _heading(self, title: str) -> None:
        self._resource = title if title in self._names else ""
        is_errors = any(word in title for word in ("error", "retr", "rate_limit"))
        self._is_errors = is_errors or (self._is_errors and bool(self._resource))

    def _of_resource(self, name: str, label: str, value: str, number: int) -> None:
        if not (columns := _columns(value)):
            return
        said = self.told.resources.setdefault(name, Told(line=number))
        if label in _FIELDS:
            said.fields |= fields_in(value)
        elif label in _KEY and not said.keys:
            said.keys, said.line = columns, number
        elif label in _INCREMENTAL and said.cursor is None:
            said.cursor, said.cursor_line = columns[0], number
        elif label in _START:
            said.start_param = columns[0]

    def _of_errors(self, label: str, value: str, number: int) -> None:
        whole = re.match(r"\D{0,20}(\d{1,4})\b", value)
        found: t.Any = int(whole[1]) if whole else None
        if label in _STATUSES:
            word, found = "retry_on_status_codes", [int(code) for code in _STATUS.findall(value)]
        elif label in _RETRIES:
            word = "max_retries"
        elif label in _FACTOR:
            word = "backoff_factor"
        else:
            return
        if found:
            self.told.retry.setdefault(word, found)
            self.told.retry_line = self.told.retry_line or number

    def _row(self, cells: list[str], number: int) -> None:
        if not self._header:
            self._header = [cell.strip("*` ").lower() for cell in cells]
            return
        row = dict(zip(self._header, cells, strict=False))
        if self._resource and "type" in row:
            name = next((row[word].strip("` ") for word in _FIELD_NAMES if word in row), "")
            if _COLUMN.fullmatch(name):
                said = self.told.resources.setdefault(self._resource, Told(line=number))
                said.fields[name] = column(row["type"])
            return
        name = next((plain(row[word]) for word in _NAMES if word in row), "")
        for label, value in row.items() if name in self._names else ():
            self._of_resource(name, "primary key" if label == "key" else label, value, number)
