"""The rows of a page: as dicts, or as structs whose fields are still the text the API sent.

A stream that passes its rows on as they are needs none of their values but keys and replication
key. A decoder compiled for it checks and splits a page in one go and keeps every other field as
raw JSON, so that numbers stay exact, nothing is built that nobody looks at, and encoding is
copying. A page that doesn't fit, because a field is unknown or the text has line breaks, is decoded
into dicts like everything else.
"""

from __future__ import annotations

import hashlib
import operator
import re
import typing as t
from decimal import Decimal

import msgspec

from tap_analytics.decoding import has_nul
from tap_analytics.payload import ALWAYS_ERRORS, ERRORS_WITHOUT_DATA
from tap_analytics.writer import ENCODER

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Sequence

Row = dict[str, t.Any]

#: What a field of a struct can't have in its name; rows with such fields are read as dicts.
_UNSPELLABLE = re.compile(r'[\\"\x00-\x1f\ud800-\udfff]')


def _digest(content: object) -> str:
    """Tell content from other content, in the same way in every process."""
    return hashlib.blake2b(ENCODER.encode(content), digest_size=8).hexdigest()


class DictRows:
    """Rows decoded into dicts."""

    __slots__ = ("dicts",)

    def __init__(self, dicts: list[Row]) -> None:
        self.dicts = dicts

    def __len__(self) -> int:
        return len(self.dicts)

    def head(self, count: int) -> DictRows:
        """Return the first rows."""
        return DictRows(self.dicts[:count])

    def column(self, name: str) -> list[t.Any]:
        """Return the values of a field, None where a row lacks it."""
        return [row.get(name) for row in self.dicts]

    def keep(self, flags: Iterable[bool]) -> DictRows:
        """Return the rows whose flag is set."""
        return DictRows([row for row, flag in zip(self.dicts, flags, strict=True) if flag])

    def keys(self, names: Sequence[str]) -> list[Hashable]:
        """Return the primary keys of the rows, as they arrived.

        A row whose key is derived from it later is told by its content; rows of a stream without
        keys may be alike, so only their page is told.
        """
        if not names:
            return [_digest(self.dicts)] if self.dicts else []
        try:
            found = list(map(operator.itemgetter(*names), self.dicts))
            hash(tuple(found))
        except (KeyError, TypeError):
            return [_digest(row) for row in self.dicts]
        return found

    def encode(self) -> bytes:
        """Return the rows as lines of JSON."""
        return ENCODER.encode_lines(self.dicts)


class StructRows:
    """Rows as structs of raw fields; the same questions, the same answers."""

    __slots__ = ("fields", "structs")

    def __init__(self, structs: list[t.Any], fields: dict[str, str]) -> None:
        self.structs = structs
        #: Name of a field to the attribute that holds it.
        self.fields = fields

    def __len__(self) -> int:
        return len(self.structs)

    def head(self, count: int) -> StructRows:
        """Return the first rows."""
        return StructRows(self.structs[:count], self.fields)

    def column(self, name: str) -> list[t.Any]:
        """Return the values of a decoded field, None where a row lacks it."""
        values = map(operator.attrgetter(self.fields[name]), self.structs)
        return [None if value is msgspec.UNSET else value for value in values]

    def keep(self, flags: Iterable[bool]) -> StructRows:
        """Return the rows whose flag is set."""
        kept = [row for row, flag in zip(self.structs, flags, strict=True) if flag]
        return StructRows(kept, self.fields)

    def keys(self, names: Sequence[str]) -> list[Hashable]:
        """Return the same keys as the same rows decoded into dicts have."""
        if not names:
            return [_digest(self.structs)] if self.structs else []
        attributes = [self.fields[name] for name in names]
        return list(map(operator.attrgetter(*attributes), self.structs))

    def encode(self) -> bytes:
        """Return the rows as lines of JSON."""
        return ENCODER.encode_lines(self.structs)


Rows = DictRows | StructRows


class Codec:
    """Decodes the pages of one stream into structs, once it has seen the first page.

    The first page is read as dicts and teaches the order of the fields, so that every page is
    written in the order the API uses. What it teaches is fixed for the run: which way a page takes
    depends on the page alone, never on the moment it arrives.
    """

    def __init__(  # noqa: PLR0913 - what a stream is, each by its name
        self,
        *,
        path: tuple[str, ...],
        typed: Collection[str],
        known: Collection[str],
        refused: Collection[str],
        members: Collection[str],
        keeps_unknown: bool,
    ) -> None:
        #: Members that lead to the rows: one, or none where the response is the list.
        self.path = path
        #: Fields whose values are looked at.
        self.typed = frozenset(typed)
        self.known = frozenset(known)
        self.refused = frozenset(refused)
        #: Members of the response that paging and error checks look at.
        self.members = frozenset(members) | {*ALWAYS_ERRORS, *ERRORS_WITHOUT_DATA}
        self.keeps_unknown = keeps_unknown
        self._decode: Callable[[bytes], t.Any] | None = None
        self._fields: dict[str, str] = {}
        self._blank: tuple[str, ...] = ()

    def learn(self, rows: Iterable[Row]) -> None:
        """Compile the decoder for rows like these."""
        seen = dict.fromkeys(name for row in rows for name in row)
        names = [*dict.fromkeys((*seen, *sorted(self.known | self.refused | self.typed)))]
        if any(map(_UNSPELLABLE.search, names)):
            return
        self._fields = {name: f"f{number}" for number, name in enumerate(names)}
        dropped = self.refused if self.keeps_unknown else set(names) - self.known
        self._blank = tuple(self._fields[name] for name in names if name in dropped)
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
        shape = self._envelope(row) if self.path else list[row]  # type: ignore[valid-type]  # made at run time
        self._decode = msgspec.json.Decoder(shape, float_hook=Decimal).decode

    def decode(self, body: bytes) -> tuple[t.Any, StructRows] | None:
        """Return (envelope, rows) of a page, or None for a page that is to be read as dicts."""
        if self._decode is None or not _fits_a_line(body):
            return None
        try:
            page = self._decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        envelope = None if not self.path else page.members()
        structs = page if not self.path else page.rows
        for attribute in self._blank:
            for struct in structs:
                setattr(struct, attribute, msgspec.UNSET)
        return envelope, StructRows(structs, self._fields)

    def _envelope(self, row: type) -> type:
        """Return the struct of a whole response: its rows, and the members that are looked at."""
        others = sorted(self.members - {self.path[0]})
        names = {f"m{number}": name for number, name in enumerate(others)}

        def members(self: t.Any) -> dict[str, t.Any]:  # noqa: ANN401 - a struct made below
            values = ((name, getattr(self, field)) for field, name in names.items())
            return {name: value for name, value in values if value is not msgspec.UNSET}

        return msgspec.defstruct(
            "Envelope",
            [
                ("rows", list[row]),  # type: ignore[valid-type]  # made at run time
                *((field, t.Any, msgspec.UNSET) for field in names),
            ],
            rename={"rows": self.path[0], **names},
            namespace={"members": members},
        )


def _fits_a_line(body: bytes) -> bool:
    """Whether raw parts of a body can stand in a line of output: valid text, no line breaks."""
    if b"\n" in body or b"\r" in body or has_nul(body):
        return False
    if body.isascii():
        return True
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
