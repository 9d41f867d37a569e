"""Output of conformed rows: RECORD lines, or the files of BATCH messages.

Of a RECORD line a target takes the version and the time of extraction into columns of its own; it
loads the rows of files as they are. So they carry those columns: without its version a row would be
deleted as soon as the version is activated.
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
from tap_analytics.records.writer import ENCODER

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from singer_sdk.helpers._batch import BatchConfig
    from singer_sdk.mapper import StreamMap

    from tap_analytics.records.rows import DictRows, Row, Rows
    from tap_analytics.records.writer import MessageWriter


#: What the parts of `batch_config` take; the first word of each is required.
_PARTS = {"encoding": ("format", "compression"), "storage": ("root", "prefix", "params")}


def batch_problems(config: object) -> Iterator[str]:
    """Yield what keeps a `batch_config` from being used, beyond what its schema finds."""
    if not isinstance(config, dict) or not config:
        return
    for part, words in _PARTS.items():
        given = config.get(part) or {}
        if not isinstance(given, dict):
            continue
        if not given.get(words[0]):
            yield f"`batch_config.{part}.{words[0]}` is missing. Write its value."
        if set(given) - set(words):
            yield f"`batch_config.{part}` has an unknown key. Known: {', '.join(words)}."
    if set(config) - {*_PARTS, "batch_size"}:
        yield "`batch_config` has an unknown key. Known: encoding, storage, batch_size."
    size = config.get("batch_size")
    if size is not None and (type(size) is not int or size < 1):
        yield "`batch_config.batch_size` must be a whole number of at least 1."


class BatchFileError(TapError):
    """A file of records that can't be written."""


class RecordSink:
    """Writes each page of rows as RECORD lines, in one write."""

    def __init__(
        self,
        stream: str,
        stream_maps: Sequence[StreamMap],
        version: int | None,
        filtered: set[str],
        writer: MessageWriter,
    ) -> None:
        self.version = version
        self.writer = writer
        self._maps = stream_maps
        #: Aliases under which rows have been left out.
        self._filtered = filtered
        first = stream_maps[0] if len(stream_maps) == 1 else None
        #: Whether rows go out as they come, so that nobody needs to look into them.
        self.is_passthrough = (
            isinstance(first, SameRecordTransform)
            and not first.flattening_enabled
            and first.stream_alias == stream
        )
        self._head = _head(stream)

    def write(self, rows: Rows) -> None:
        """Write a page of rows; all its lines carry the same `time_extracted`."""
        version = b"" if self.version is None else b',"version":%d' % self.version
        moment = datetime.now(UTC).isoformat().encode()
        tail = version + b',"time_extracted":"' + moment + b'"}\n'
        if self.is_passthrough:
            # JSON text holds no newline, so each one in the encoded lines ends a row.
            body = rows.encode()
            lines = self._head + body[:-1].replace(b"\n", tail + self._head) + tail
        else:
            mapped = self._mapped(rows)
            lines = b"".join(_head(alias) + ENCODER.encode(row) + tail for alias, row in mapped)
        if lines:
            self.writer.write_lines(lines)

    def flush(self) -> None:
        """Write pending rows; there are none."""

    def _mapped(self, rows: Rows) -> Iterator[tuple[str, Row]]:
        """Pass rows through the stream maps: (alias, record) for each record that goes out."""
        for row in t.cast("DictRows", rows).dicts:
            for stream_map in self._maps:
                record = stream_map.transform(row)
                if record is not None:
                    yield stream_map.stream_alias, record
                else:
                    self._filtered.add(stream_map.stream_alias)


def _head(alias: str) -> bytes:
    return b'{"type":"RECORD","stream":' + ENCODER.encode(alias) + b',"record":'


class BatchSink(RecordSink):
    """Collects mapped records in files and announces each file with a BATCH message."""

    def __init__(self, *given: t.Any, tap_name: str, config: BatchConfig) -> None:  # noqa: ANN401 - as above
        super().__init__(*given)
        self.is_passthrough = False
        self.tap_name = tap_name
        self.config = config
        self._pending: defaultdict[str, list[Row]] = defaultdict(list)

    @override
    def write(self, rows: Rows) -> None:
        own = self._own_columns()
        for alias, record in self._mapped(rows):
            self._pending[alias].append({**record, **own})
        for alias, records in self._pending.items():
            while len(records) >= self.config.batch_size:
                self._announce(alias, records[: self.config.batch_size])
                del records[: self.config.batch_size]

    @override
    def flush(self) -> None:
        for alias, records in self._pending.items():
            if records:
                self._announce(alias, records)
        self._pending.clear()

    def _own_columns(self) -> Row:
        """Return the columns that a target adds to what it gets as RECORD lines."""
        moment = datetime.now(UTC)
        return {
            "_sdc_extracted_at": moment.isoformat(),
            "_sdc_batched_at": moment.isoformat(),
            "_sdc_sequence": round(moment.timestamp() * 1000),
            "_sdc_table_version": self.version,
        }

    def _announce(self, alias: str, records: Sequence[Row]) -> None:
        for manifest in self._manifests(alias, records):
            self.writer.write_message(
                SDKBatchMessage(
                    stream=alias,
                    encoding=self.config.encoding,
                    manifest=manifest,
                    version=self.version,
                )
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
            # A kind of storage may be unknown, or its package not installed.
            why = getattr(error, "strerror", None) or error
            raise BatchFileError(
                f"{alias}: the BATCH file {name} can't be written to {storage.root}: {why}. "
                "Check `batch_config.storage`, and the room there."
            ) from error
        return [[storage.get_url(name)]]
