"""Cut input into blocks of lines, and decode those of one stream: every value stays raw JSON."""

from __future__ import annotations

import operator
import re
import typing as t

import msgspec
import simplejson
from singer_sdk.singerlib.json import deserialize_json

from target_postgres_copy.errors import shown
from target_postgres_copy.fields import MISSING

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

#: Filled in once per batch, not from the rows.
CONSTANTS = ("_sdc_received_at", "_sdc_batched_at", "_sdc_sequence", "_sdc_sync_started_at")
#: Taken from the RECORD message, not from the record.
FROM_MESSAGE = {"_sdc_extracted_at": "time_extracted", "_sdc_table_version": "version"}
#: Members that a record may have though no schema names them.
METADATA = (*FROM_MESSAGE, *CONSTANTS, "_sdc_deleted_at")

_RAW_MISSING = msgspec.Raw(MISSING)

#: Names that msgspec takes for no member of a struct.
is_odd = re.compile(r'["\\\x00-\x1f]').search


def blocks(read: Callable[[], bytes]) -> Iterator[bytes]:
    """Cut what is read behind its last line; a last line without an end gets one."""
    parts: list[bytes] = []
    while chunk := read():
        end = chunk.rfind(b"\n") + 1
        if not end:
            parts.append(chunk)
            continue
        yield _clean(b"".join((*parts, chunk[:end])))
        parts = [chunk[end:]] if end < len(chunk) else []
    if parts:
        yield _clean(b"".join(parts) + b"\n")


def _clean(block: bytes) -> bytes:
    """Keep carriage returns, which JSON allows between its tokens, out of COPY."""
    return block.replace(b"\r", b"\t") if b"\r" in block else block


class Decoder:
    """Lines of one stream to raw JSON values, column by column."""

    def __init__(
        self, names: Sequence[str], *, from_message: Mapping[str, str], strict: bool, batch: bool
    ) -> None:
        self._own = [name for name in names if name not in from_message]
        self._is_odd = any(map(is_odd, self._own))
        record = self._record_type(strict=strict)
        self._is_batch = batch
        self._decoder = msgspec.json.Decoder(record if batch else _message_type(record))
        self._getters = [self._getter(name, from_message.get(name)) for name in names]

    def _record_type(self, *, strict: bool) -> t.Any:  # noqa: ANN401 - a type for msgspec
        if self._is_odd:
            return dict[str, msgspec.Raw]
        # With members for all known names, unknown ones can be refused.
        known = [*self._own, *(name for name in METADATA if name not in self._own)]
        return msgspec.defstruct(
            "Record",
            [(f"f{i}", msgspec.Raw, _RAW_MISSING) for i in range(len(known))],
            rename={f"f{i}": name for i, name in enumerate(known)},
            forbid_unknown_fields=strict,
            gc=False,
        )

    def _getter(self, name: str, member: str | None) -> tuple[bool, Callable[[t.Any], t.Any]]:
        """Return whether a value is in the message, not in the record, and how to get it."""
        if member:
            return True, operator.attrgetter(member)
        if self._is_odd:
            return False, lambda record: record.get(name, _RAW_MISSING)
        return False, operator.attrgetter(f"f{self._own.index(name)}")

    def decode(self, lines: bytes) -> list[t.Any]:
        """Decode lines; every one is a RECORD message, or a record in a BATCH file."""
        return self._decoder.decode_lines(lines)

    def columns(self, rows: Sequence[t.Any]) -> list[bytes]:
        """Return the raw JSON of every column, one value to a line: JSON has no bare line ends."""
        records = rows if self._is_batch else [row.record for row in rows]
        return [b"\n".join(map(get, rows if top else records)) for top, get in self._getters]


def _message_type(record: t.Any) -> type[msgspec.Struct]:  # noqa: ANN401 - a type for msgspec
    around = [(member, msgspec.Raw, _RAW_MISSING) for member in FROM_MESSAGE.values()]
    return msgspec.defstruct("Message", [("record", record), *around], gc=False)


def explain(line: bytes, keys: Sequence[str]) -> str | None:
    """Say what is wrong with a record that Python's parser takes and JSON doesn't."""
    try:
        record = deserialize_json(line)["record"]
        for name, value in record.items():
            if not _is_json(value):
                pairs = ", ".join(f"{key}={shown(str(record.get(key)))}" for key in keys)
                row = f", row {pairs}" if pairs else ""
                what = "NaN, Infinity and halves of surrogate pairs are not JSON"
                return f"column {name!r}{row}: {what}"
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return None


def _is_json(value: object) -> bool:
    try:
        msgspec.json.decode(simplejson.dumps(value, use_decimal=True))
    except ValueError:
        return False
    return True
