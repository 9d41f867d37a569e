"""Decoders of bodies that aren't one JSON value: lines of JSON, and tables of CSV.

Both are decoded whole, so a line that can't be read fails the page and loses no row.
"""

from __future__ import annotations

import csv
import io
import typing as t
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from tap_analytics.records.codec import BodyError, decode_json, media_format
from tap_analytics.records.inference import kinds_of

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from tap_analytics.records.payload import Row

#: Decoders to declare, by the format that they decode.
FORMATS = {"newline-delimited JSON": "jsonl", "CSV": "csv", "XML": "xml"}
_BOM = "\ufeff"
#: First characters of JSON and of web pages, which no table has.
_OTHER = ("{", "[", "<")
_TRUTH: t.Final = {"true": True, "false": False}
#: Digits of the longest integer that Python reads.
_DIGITS = 4000


class Lines(list[t.Any]):
    """The values of a body that has one a line; none of them is the whole response."""


class Decoder(t.Protocol):
    """What makes a JSON value, or `Lines` of them, of a body; raises `BodyError`."""

    #: The media types to ask for, as a header.
    accept: t.ClassVar[str]

    def decode(self, body: bytes) -> t.Any:  # noqa: ANN401 - any JSON value
        """Return the value of a body."""


@dataclass(frozen=True)
class Json:
    """One JSON value."""

    accept: t.ClassVar[str] = "application/json"

    def decode(self, body: bytes) -> t.Any:  # noqa: ANN401 - any JSON value
        """Return the value of a body."""
        return decode_json(body)


@dataclass(frozen=True)
class JsonLines:
    """A JSON value on each line; blank lines don't count."""

    accept: t.ClassVar[str] = "application/x-ndjson, application/jsonl, */*;q=0.1"

    def decode(self, body: bytes) -> Lines:
        """Return the values of the lines."""
        found = Lines()
        for number, line in enumerate(body.splitlines(), 1):
            # A JSON text sequence (RFC 7464) has a record separator before each value.
            if text := line.lstrip(b"\x1e").strip():
                try:
                    found.append(decode_json(text))
                except BodyError as error:
                    raise BodyError(f"{error} in line {number}") from None
        return found


@dataclass(frozen=True, kw_only=True)
class Csv:
    """A table with a header row (RFC 4180); values are text unless the schema has another type."""

    accept: t.ClassVar[str] = "text/csv, */*;q=0.1"

    delimiter: str = ","
    encoding: str = "utf-8"
    #: Schemas of columns.
    properties: Mapping[str, t.Any] = field(default_factory=dict)
    #: Columns that the header must have, for else a message may be taken for an empty table.
    required: Collection[str] = ()

    def decode(self, body: bytes) -> Lines:
        """Return the rows of a table; one without any byte has none."""
        try:
            text = body.decode(self.encoding).removeprefix(_BOM).replace("\0", "\ufffd")
        except (UnicodeDecodeError, LookupError):
            raise BodyError(f"text that isn't {self.encoding}") from None
        if not text.strip():
            return Lines()
        if text.lstrip().startswith(_OTHER):
            raise BodyError("no CSV")
        csv.field_size_limit(max(csv.field_size_limit(), len(text)))
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=self.delimiter, strict=True)
        try:
            table = [cells for cells in reader if cells]
        except csv.Error as error:
            raise BodyError(f"CSV that can't be read ({error}, line {reader.line_num})") from None
        return self._rows(table[0], table[1:])

    def _rows(self, header: Sequence[str], table: Sequence[Sequence[str]]) -> Lines:
        for name in header:
            if not name.strip() or header.count(name) > 1:
                shown = f"'{name}' in several columns" if name.strip() else "no name for a column"
                raise BodyError(f"CSV whose header has {shown}")
        if lacking := sorted(set(self.required).difference(header)):
            raise BodyError(f"CSV whose header has no `{lacking[0]}`")
        readers = {
            name: reader
            for name in header
            if (reader := _reader(kinds_of(self.properties.get(name, {})))) is not None
        }
        rows = Lines()
        for number, cells in enumerate(table, 1):
            if len(cells) != len(header):
                what = f"whose row {number} has {len(cells)} fields, not {len(header)}"
                raise BodyError(f"CSV {what}")
            row: Row = dict(zip(header, cells, strict=True))
            for name, reader in readers.items():
                row[name] = reader(row[name])
            rows.append(row)
        return rows


def _reader(kinds: Collection[str]) -> Callable[[str], t.Any] | None:
    """Return what reads a field of types other than text; a field that has none stays text."""
    if not kinds or "string" in kinds:
        return None

    def read(text: str) -> t.Any:  # noqa: ANN401 - any JSON scalar
        if not text and "null" in kinds:
            return None
        if "boolean" in kinds and text.lower() in _TRUTH:
            return _TRUTH[text.lower()]
        return _number(text) if {"integer", "number"}.intersection(kinds) else text

    return read


def _number(text: str) -> int | Decimal | str:
    if text.strip().lstrip("+-").isdecimal() and text.isascii() and len(text) < _DIGITS:
        return int(text)
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    return number if number.is_finite() and "_" not in text else text


def decoder_of(content_type: str) -> Decoder:
    """Return the decoder of a media type; JSON unless it is known to be another."""
    media, *params = (part.strip() for part in content_type.split(";"))
    known = media_format(media.lower())
    if known == "newline-delimited JSON":
        return JsonLines()
    if known != "CSV":
        return Json()
    charset = next((each[8:].strip("\"'") for each in params if each.startswith("charset=")), "")
    delimiter = "\t" if "tab-separated" in media else ","
    return Csv(delimiter=delimiter, encoding=charset or "utf-8")


def marks_end(headers: Mapping[str, str]) -> bool:
    """Whether the end of a response is marked, so that no line of it can be cut off unseen.

    A connection that is closed too early looks like the end where neither the length nor the last
    chunk is sent, and the body isn't compressed either.
    """
    chunked = "chunked" in headers.get("Transfer-Encoding", "").lower()
    packed = "gzip" in f"{headers.get('Content-Encoding')} {headers.get('Content-Type')}".lower()
    return chunked or packed or "Content-Length" in headers
