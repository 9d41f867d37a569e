"""Where the conformed rows of a stream go: RECORD lines, or the files of BATCH messages."""

from __future__ import annotations

import gzip
import typing as t
from collections import defaultdict
from uuid import uuid4

from singer_sdk.batch import Batcher
from singer_sdk.helpers._batch import SDKBatchMessage
from typing_extensions import override

from tap_analytics.writer import ENCODER

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from singer_sdk.helpers._batch import BatchConfig

    from tap_analytics.records import RecordLines
    from tap_analytics.rows import Row, Rows
    from tap_analytics.writer import MessageWriter


class LineSink:
    """Writes each page of rows as RECORD lines, in one write."""

    def __init__(self, lines: RecordLines, writer: MessageWriter) -> None:
        self.lines = lines
        self.writer = writer

    @property
    def passes_on(self) -> bool:
        """Whether rows go out as they come, so that nobody needs to look into them."""
        return self.lines.plain

    def write(self, rows: Rows) -> None:
        """Write a page of rows."""
        if encoded := self.lines.encode(rows):
            self.writer.write_lines(encoded)

    def flush(self) -> None:
        """Write what is held back: nothing."""


class BatchSink(LineSink):
    """Collects mapped records in files and announces each file with a BATCH message."""

    def __init__(
        self, lines: RecordLines, writer: MessageWriter, *, tap_name: str, config: BatchConfig
    ) -> None:
        super().__init__(lines, writer)
        self.tap_name = tap_name
        self.config = config
        self._held: defaultdict[str, list[Row]] = defaultdict(list)

    @property
    @override
    def passes_on(self) -> bool:
        return False

    @override
    def write(self, rows: Rows) -> None:
        for alias, record in self.lines.mapped(rows):
            self._held[alias].append(record)
        for alias, held in self._held.items():
            while len(held) >= self.config.batch_size:
                self._announce(alias, held[: self.config.batch_size])
                del held[: self.config.batch_size]

    @override
    def flush(self) -> None:
        for alias, held in self._held.items():
            if held:
                self._announce(alias, held)
        self._held.clear()

    def _announce(self, alias: str, records: Sequence[Row]) -> None:
        for manifest in self._manifests(alias, records):
            self.writer.write_message(
                SDKBatchMessage(
                    stream=alias,
                    encoding=self.config.encoding,
                    manifest=manifest,
                    version=self.lines.version,
                )
            )

    def _manifests(self, alias: str, records: Sequence[Row]) -> Iterable[list[str]]:
        """Write a file and return its name; the SDK's own lines are gzipped whatever is asked."""
        encoding, storage = self.config.encoding, self.config.storage
        if encoding.format != "jsonl":
            return Batcher(self.tap_name, alias, self.config).get_batches(iter(list(records)))
        zipped = encoding.compression == "gzip"
        ending = ".json.gz" if zipped else ".json"
        name = f"{storage.prefix or ''}{self.tap_name}--{alias}-{uuid4()}{ending}"
        lines = ENCODER.encode_lines(records)
        with storage.open(name, "wb") as file:
            file.write(gzip.compress(lines) if zipped else lines)
        return [[storage.get_url(name)]]
