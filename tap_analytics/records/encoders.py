"""Encoding of conformed rows: RECORD lines, or the files of BATCH messages.

A target adds the version and the time of extraction of a RECORD line to its row as columns, but it
loads the rows of files as they are. So files hold these columns: a row without its version would be
deleted when the version is activated.
"""

from __future__ import annotations

import gzip
import typing as t
from collections import defaultdict
from datetime import UTC, datetime
from uuid import uuid4

from singer_sdk.batch import Batcher
from singer_sdk.helpers._batch import SDKBatchMessage
from singer_sdk.mapper import SameRecordTransform
from typing_extensions import override

from tap_analytics.errors import TapError
from tap_analytics.records.writer import ENCODER, encode_message

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from singer_sdk.helpers._batch import BatchConfig
    from singer_sdk.mapper import StreamMap

    from tap_analytics.records.rows import DictRows, Row, Rows


#: Keys of the parts of `batch_config`; the first of each is required.
_PARTS = {"encoding": ("format", "compression"), "storage": ("root", "prefix", "params")}


def batch_problems(config: object) -> Iterator[str]:
    """Yield the problems of a `batch_config` that its schema doesn't find."""
    if not isinstance(config, dict) or not config:
        return
    for part, known in _PARTS.items():
        given = config.get(part) or {}
        if not isinstance(given, dict):
            continue
        if not given.get(known[0]):
            yield f"`batch_config.{part}.{known[0]}` is missing. Write its value."
        if set(given) - set(known):
            yield f"`batch_config.{part}` has an unknown key. Known: {', '.join(known)}."
    if set(config) - {*_PARTS, "batch_size"}:
        yield "`batch_config` has an unknown key. Known: encoding, storage, batch_size."
    size = config.get("batch_size")
    if size is not None and (type(size) is not int or size < 1):
        yield "`batch_config.batch_size` must be a whole number of at least 1."


class BatchFileError(TapError):
    """A file of records that can't be written."""


class RecordEncoder:
    """Makes RECORD lines of the conformed rows of a stream."""

    def __init__(
        self,
        stream: str,
        stream_maps: Sequence[StreamMap],
        version: int | None,
        filtered: set[str],
    ) -> None:
        self.version = version
        self._maps = stream_maps
        #: Aliases under which rows have been left out.
        self._filtered = filtered
        first = stream_maps[0] if len(stream_maps) == 1 else None
        #: Whether rows are written unchanged, so that their values needn't be decoded.
        self.is_passthrough = (
            isinstance(first, SameRecordTransform)
            and not first.flattening_enabled
            and first.stream_alias == stream
        )
        self._head = _head(stream)

    def encode(self, rows: Rows) -> bytes:
        """Return the lines of a page of rows, all with the same `time_extracted`."""
        version = b"" if self.version is None else b',"version":%d' % self.version
        moment = datetime.now(UTC).isoformat().encode()
        tail = version + b',"time_extracted":"' + moment + b'"}\n'
        if self.is_passthrough:
            # JSON text holds no newline, so each one in the encoded lines ends a row.
            body = rows.encode()
            return self._head + body[:-1].replace(b"\n", tail + self._head) + tail
        mapped = self._mapped(rows)
        return b"".join(_head(alias) + ENCODER.encode(row) + tail for alias, row in mapped)

    def flush(self) -> bytes:
        """Return lines for the rows that are still pending; there are none."""
        return b""

    def _mapped(self, rows: Rows) -> Iterator[tuple[str, Row]]:
        """Apply the stream maps to rows; yield (alias, record) for each record to write."""
        for row in t.cast("DictRows", rows).dicts:
            for stream_map in self._maps:
                record = stream_map.transform(row)
                if record is not None:
                    yield stream_map.stream_alias, record
                else:
                    self._filtered.add(stream_map.stream_alias)


def _head(alias: str) -> bytes:
    return b'{"type":"RECORD","stream":' + ENCODER.encode(alias) + b',"record":'


class BatchEncoder(RecordEncoder):
    """Collects mapped records in files and makes a BATCH line for each file."""

    def __init__(self, *given: t.Any, tap_name: str, config: BatchConfig) -> None:  # noqa: ANN401 - as above
        super().__init__(*given)
        self.is_passthrough = False
        self.tap_name = tap_name
        self.config = config
        self._pending: defaultdict[str, list[Row]] = defaultdict(list)

    @override
    def encode(self, rows: Rows) -> bytes:
        added, size, lines = self._added_columns(), self.config.batch_size, b""
        for alias, record in self._mapped(rows):
            self._pending[alias].append({**record, **added})
        for alias, records in self._pending.items():
            while len(records) >= size:
                lines += self._batch(alias, records[:size])
                del records[:size]
        return lines

    @override
    def flush(self) -> bytes:
        pending = [(alias, records) for alias, records in self._pending.items() if records]
        lines = b"".join(self._batch(alias, records) for alias, records in pending)
        self._pending.clear()
        return lines

    def _added_columns(self) -> Row:
        """Return the columns that a target adds to what it gets as RECORD lines."""
        moment = datetime.now(UTC)
        return {
            "_sdc_extracted_at": moment.isoformat(),
            "_sdc_batched_at": moment.isoformat(),
            "_sdc_sequence": round(moment.timestamp() * 1000),
            "_sdc_table_version": self.version,
        }

    def _batch(self, alias: str, records: Sequence[Row]) -> bytes:
        """Write records to files and return the BATCH lines that name them."""
        encoding = self.config.encoding
        return b"".join(
            encode_message(
                SDKBatchMessage(
                    stream=alias, encoding=encoding, manifest=manifest, version=self.version
                )
            )
            for manifest in self._manifests(alias, records)
        )

    def _manifests(self, alias: str, records: Sequence[Row]) -> Iterable[list[str]]:
        """Write a file and return its name; the SDK always gzips JSONL."""
        encoding, storage = self.config.encoding, self.config.storage
        if encoding.format != "jsonl":
            return Batcher(self.tap_name, alias, self.config).get_batches(iter(list(records)))
        zipped = encoding.compression == "gzip"
        ending = ".json.gz" if zipped else ".json"
        name = f"{storage.prefix or ''}{self.tap_name}--{alias}-{uuid4()}{ending}"
        lines = ENCODER.encode_lines(records)
        try:
            with storage.open(name, "wb") as file:
                file.write(gzip.compress(lines) if zipped else lines)
        except (OSError, ImportError, ValueError) as error:
            # The storage may be of an unknown type, or its package not be installed.
            why = getattr(error, "strerror", None) or error
            raise BatchFileError(
                f"{alias}: the BATCH file {name} can't be written to {storage.root}: {why}. "
                "Check `batch_config.storage`, and the room there."
            ) from error
        return [[storage.get_url(name)]]
