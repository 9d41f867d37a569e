"""The rows of a page: as dicts, or as structs whose fields are still the text the API sent.

A stream whose rows are written unchanged needs none of their values but primary and replication
keys. A decoder compiled for it checks and splits a page in one pass and keeps every other field as
raw JSON, so that numbers stay exact, no value is decoded in vain, and encoding is copying. A page
that doesn't fit, because a field is unknown or the text has line breaks, is decoded into dicts.
"""

from __future__ import annotations

import operator
import typing as t
from collections import Counter
from dataclasses import InitVar, dataclass
from decimal import Decimal

import msgspec

from tap_analytics.errors import TapError
from tap_analytics.records.codec import has_nul, kind_of
from tap_analytics.records.digests import digest
from tap_analytics.records.inference import infer_schema
from tap_analytics.records.payload import ALWAYS_ERRORS, ERRORS_WITHOUT_DATA, dig_field
from tap_analytics.records.type_policy import INVALID_IN_NAMES, struct_of
from tap_analytics.records.writer import ENCODER

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence

    from tap_analytics.records.type_policy import TypePolicy

Row = dict[str, t.Any]

#: Encodes equal content alike, whatever the order of its members.
_CANONICAL = msgspec.json.Encoder(enc_hook=str, decimal_format="number", order="sorted")
#: Types of key values that are compared as they are; values of others are converted.
_COMPARABLE: t.Final = frozenset({int, str})
#: Integers of more digits than this stay decimals, so that `1e999999` is not expanded.
_MOST_DIGITS = 60


class UnusableKeyError(Exception):
    """A row without a usable primary key; the text says why, `row` counts from 1."""

    def __init__(self, row: int, text: str) -> None:
        super().__init__(text)
        self.row = row


class MissingKeyError(TapError):
    """A row without a usable primary key, which no target could merge."""

    def __init__(self, label: str, page: str, found: UnusableKeyError) -> None:
        super().__init__(
            f"{label}: row {found.row} of {page} {found}. Check `path`, `data_selector` and "
            "`primary_key`."
        )


def _joined(names: Sequence[str], columns: Sequence[list[t.Any]]) -> list[Hashable]:
    """Return primary keys from their columns; raises `UnusableKeyError`."""
    if not all(_COMPARABLE.issuperset(map(type, column)) for column in columns):
        columns = [
            [_comparable(value, name, row) for row, value in enumerate(column, 1)]
            for name, column in zip(names, columns, strict=True)
        ]
    return list(columns[0]) if len(columns) == 1 else list(zip(*columns, strict=True))


def _comparable(value: t.Any, name: str, row: int) -> Hashable:  # noqa: ANN401 - any JSON value
    """Return a value that equals another if both are the same in JSON: `true` is no 1, 1.0 is."""
    if type(value) in _COMPARABLE:
        return t.cast("Hashable", value)
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, Decimal):
        is_whole = value.adjusted() < _MOST_DIGITS and value == value.to_integral_value()
        return int(value) if is_whole else value
    if value is msgspec.UNSET:
        raise UnusableKeyError(row, f"has no primary key `{name}`")
    too_large = " too large" if isinstance(value, (float, msgspec.Raw)) else ""
    raise UnusableKeyError(row, f"has {kind_of(value)}{too_large} as primary key `{name}`")


@dataclass(slots=True)
class DictRows:
    """Rows decoded into dicts."""

    dicts: list[Row]

    def __len__(self) -> int:
        return len(self.dicts)

    def head(self, count: int) -> DictRows:
        """Return the first rows."""
        return DictRows(self.dicts[:count])

    def column(self, name: str) -> list[t.Any]:
        """Return the values of a field, None where a row lacks it."""
        return [row.get(name) for row in self.dicts]

    def filter(self, flags: Iterable[bool]) -> DictRows:
        """Return the rows whose flag is set."""
        return DictRows([row for row, flag in zip(self.dicts, flags, strict=True) if flag])

    def keys(
        self, names: Sequence[str], given: Mapping[str, t.Any] | None = None
    ) -> list[Hashable]:
        """Return the primary keys of the rows; `given` are values that rows may lack.

        Raises `UnusableKeyError` for a row without one.
        """
        absent = dict.fromkeys(names, msgspec.UNSET) | dict(given or {})
        return _joined(names, [self._fields(name, absent[name]) for name in names])

    def _fields(self, name: str, default: object) -> list[t.Any]:
        if "." in name:
            return [dig_field(row, name, default) for row in self.dicts]
        return [row.get(name, default) for row in self.dicts]

    def digests(self) -> list[Hashable]:
        """Return a digest of each decoded row: whitespace and the order of members don't count."""
        lines = _CANONICAL.encode_lines(self.dicts).split(b"\n")[:-1]
        return [digest(line, size=16) for line in lines]

    def identities(self) -> list[Hashable]:
        """Return the same for rows without a key; those with equal content are numbered."""
        found = self.digests()
        if len(set(found)) == len(found):
            return found
        counts: Counter[Hashable] = Counter()
        for place, content in enumerate(found):
            if counts[content]:
                found[place] = (content, counts[content])
            counts[content] += 1
        return found

    def encode(self) -> bytes:
        """Return the rows as lines of JSON."""
        return ENCODER.encode_lines(self.dicts)


@dataclass(slots=True)
class StructRows:
    """Rows as structs of raw fields, with the interface of `DictRows`."""

    structs: list[t.Any]
    #: Attributes by the name of their field.
    fields: dict[str, str]
    #: Attributes of fields that aren't written.
    dropped: Collection[str] = ()

    def __len__(self) -> int:
        return len(self.structs)

    def head(self, count: int) -> StructRows:
        """Return the first rows."""
        return StructRows(self.structs[:count], self.fields, self.dropped)

    def column(self, name: str) -> list[t.Any]:
        """Return the values of a decoded field, None where a row lacks it."""
        values = map(operator.attrgetter(self.fields[name]), self.structs)
        return [None if value is msgspec.UNSET else value for value in values]

    def filter(self, flags: Iterable[bool]) -> StructRows:
        """Return the rows whose flag is set."""
        kept = [row for row, flag in zip(self.structs, flags, strict=True) if flag]
        return StructRows(kept, self.fields, self.dropped)

    def keys(
        self,
        names: Sequence[str],
        given: Mapping[str, t.Any] | None = None,  # noqa: ARG002 - rows of structs have no parent
    ) -> list[Hashable]:
        """Return the same keys as the same rows decoded into dicts have."""
        columns = [list(map(operator.attrgetter(self.fields[n]), self.structs)) for n in names]
        return _joined(names, columns)

    def encode(self) -> bytes:
        """Return the rows as lines of JSON, without the fields that aren't written."""
        for attribute in self.dropped:
            for struct in self.structs:
                setattr(struct, attribute, msgspec.UNSET)
        return ENCODER.encode_lines(self.structs)


Rows = DictRows | StructRows


@dataclass(kw_only=True)
class RowDecoder:
    """Decodes the pages of one stream into structs, once it has seen the first page.

    The first page is read as dicts and gives the order of the fields, so that every page is
    written in the order the API uses. The decoder doesn't change after it: how a page is decoded
    depends on the page alone, never on the moment it arrives.
    """

    #: Members that lead to the rows: one, or none where the response is the list.
    path: tuple[str, ...]
    #: Fields whose values are decoded.
    typed: Collection[str]
    known: Collection[str]
    refused: Collection[str]
    #: Members of the response that paging needs.
    members: InitVar[Collection[str]]
    keeps_unknown: bool
    #: Checks the types of fields; a page with other types is read as dicts.
    values: TypePolicy | None = None

    def __post_init__(self, members: Collection[str]) -> None:
        """Collect the members of the response that paging and error checks need."""
        self._members: dict[str, str] = {}
        self._take({*members, *ALWAYS_ERRORS, *ERRORS_WITHOUT_DATA})
        self._decode: Callable[[bytes], t.Any] | None = None
        self._check: Callable[[bytes], t.Any] | None = None
        self._fields: dict[str, str] = {}
        self._dropped: tuple[str, ...] = ()

    def _take(self, members: Collection[str]) -> None:
        names = sorted({*self._members.values(), *members}.difference(self.path))
        self._members = {f"m{number}": name for number, name in enumerate(names)}

    def learn(self, rows: Sequence[Row], *, members: Collection[str] = ()) -> None:
        """Compile the decoder for rows like these; `members` are needed of the response too."""
        self._take(members)
        seen = dict.fromkeys(name for row in rows for name in row)
        names = [*dict.fromkeys((*seen, *sorted({*self.known, *self.refused, *self.typed})))]
        try:
            checked = self._checked(rows, seen.keys() - {*self.known, *self.refused})
        except ValueError:
            return
        if any(map(INVALID_IN_NAMES.search, names)):
            return
        self._fields = {name: f"f{number}" for number, name in enumerate(names)}
        dropped = self.refused if self.keeps_unknown else set(names).difference(self.known)
        self._dropped = tuple(self._fields[name] for name in names if name in dropped)
        raw = msgspec.Raw | msgspec.UnsetType
        row = msgspec.defstruct(
            "Row",
            [
                (field, t.Any if name in self.typed else raw, msgspec.UNSET)
                for name, field in self._fields.items()
            ],
            rename={field: name for name, field in self._fields.items()},
            forbid_unknown_fields=True,
            gc=False,
        )
        if checked is not None:
            self._check = msgspec.json.Decoder(self._envelope(checked, {})).decode
        envelope = self._envelope(row, self._members)
        self._decode = msgspec.json.Decoder(envelope, float_hook=Decimal).decode

    def _checked(self, rows: Iterable[Row], unknown: Collection[str]) -> type | None:
        """Return a struct that refuses values of the wrong type; None if all types are accepted.

        The types of new fields are those that the conformer infers from the same rows.
        """
        if self.values is None:
            return None
        added = {}
        if unknown and self.keeps_unknown:
            samples = ({name: row[name] for name in unknown if name in row} for row in rows)
            added = infer_schema(samples)["properties"]
        fields = {name: self.values.properties[name] for name in self.known}
        checks = self.values.checks(fields | added, inferred=added)
        return struct_of(checks) if checks else None

    def _envelope(self, row: type, members: Mapping[str, str]) -> t.Any:  # noqa: ANN401 - a type made at run time
        """Return the type of a whole response: its rows, and other members that are needed."""
        rows = list[row]  # type: ignore[valid-type]  # as above
        if not self.path:
            return rows
        return msgspec.defstruct(
            "Envelope",
            [("rows", rows), *((field, t.Any, msgspec.UNSET) for field in members)],
            rename={"rows": self.path[0], **members},
        )

    def decode(self, body: bytes) -> tuple[t.Any, StructRows] | None:
        """Return (envelope, rows) of a page, or None for a page that is to be read as dicts."""
        if self._decode is None or not _is_one_line(body):
            return None
        try:
            page = self._decode(body)
            if self._check is not None:
                self._check(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError):
            return None
        if not self.path:
            return [], StructRows(page, self._fields, self._dropped)
        found = ((name, getattr(page, field)) for field, name in self._members.items())
        envelope = {name: value for name, value in found if value is not msgspec.UNSET}
        return envelope, StructRows(page.rows, self._fields, self._dropped)


def _is_one_line(body: bytes) -> bool:
    """Whether raw parts of a body can be part of a line: valid text, no line breaks."""
    if b"\n" in body or b"\r" in body or has_nul(body):
        return False
    if body.isascii():
        return True
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
