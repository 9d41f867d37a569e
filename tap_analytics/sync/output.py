"""Output of a stream: writes its schema, then conforms, encodes and writes its pages.

Selection and encoder are made once per stream, and again when a new field extends the schema.
"""

from __future__ import annotations

import typing as t

from singer_sdk.streams.core import Stream

from tap_analytics.client import AnalyticsStream
from tap_analytics.records.conform import Conformer, Selection
from tap_analytics.records.decoders import Json
from tap_analytics.records.encoders import BatchEncoder, RecordEncoder
from tap_analytics.records.rows import MissingKeyError, RowDecoder, StructRows, UnusableKeyError
from tap_analytics.records.type_policy import TypePolicy
from tap_analytics.sync.version import TableVersion

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_analytics.records.bookmark import Bookmark
    from tap_analytics.records.conform import SchemaDrift
    from tap_analytics.records.rows import Rows
    from tap_analytics.records.writer import MessageWriter


class RecordOutput:
    """Writes the schema and the rows of one stream."""

    def __init__(self, stream: AnalyticsStream, writer: MessageWriter, drift: SchemaDrift) -> None:
        self.stream = stream
        self.writer = writer
        self.drift = drift
        self.version = TableVersion(stream, writer)

    def write_schema(self) -> None:
        """Write the schema of a selected stream, rows or no rows."""
        if self.stream.selected:
            self.stream._write_schema_message()  # noqa: SLF001 - the SDK applies stream maps to it

    def open(self) -> None:
        """Make what conforms and encodes rows, from schema, selection and settings."""
        stream = self.stream
        self.version.begin()
        schema = stream.effective_schema
        self.conformer = Conformer(
            stream=stream.name,
            selection=self._select(),
            policy=stream.config.get("on_unknown_field", "evolve"),
            logger=stream.logger,
            evolve=self._evolve,
            values=TypePolicy(
                schema=schema,
                stream=stream.label,
                keys=stream.primary_keys,
                on_mismatch=stream.config.get("on_type_mismatch"),
                inferred=schema.get("properties", ()) if stream.infers_schema else (),
                in_utc=stream.config.get("datetimes") == "utc",
                mismatches=self.drift.mismatches,
            ),
            drift=self.drift,
        )
        self.encoder = self._new_encoder()

    def resume(self, version: int | None) -> None:
        """Write further rows with the version of an earlier run."""
        self.version.resume(version)
        self.encoder = self._new_encoder()

    @property
    def is_unbuffered(self) -> bool:
        """Whether no rows stay pending after a page is written."""
        return self.stream.selected and type(self.encoder) is RecordEncoder

    def decoder(self, *, replication_key: str | None) -> RowDecoder | None:
        """Return a row decoder if rows are written unchanged, else None."""
        stream, selection = self.stream, self.conformer.selection
        is_json = stream.parser.decoder("") == Json()
        # Rows are the response itself, or one member of it.
        is_direct = type(stream).select is AnalyticsStream.select and len(stream.records_path) <= 1
        needs_dicts = (
            selection.nested
            or self.conformer.values.changes
            or not self.encoder.is_passthrough
            or not stream.selected
            or stream.paging.reads_rows
            or stream.ABORT_AT_RECORD_COUNT is not None
            or type(stream).post_process is not Stream.post_process
        )
        # Without a key, a row is identified by all its values.
        if not (is_direct and is_json) or needs_dicts or not stream.primary_keys:
            return None
        return RowDecoder(
            path=stream.records_path,
            typed={*stream.primary_keys, *([replication_key] if replication_key else [])},
            known=selection.known,
            refused=selection.refused,
            members=stream.paging.envelope_fields,
            keeps_unknown=self.conformer.policy == "evolve",
            values=self.conformer.values,
        )

    def conform(self, rows: Rows, *, bookmark: Bookmark | None) -> Rows:
        """Conform a page in place and return the rows to write.

        New fields extend the schema even if the bookmark leaves out their rows. Raises
        `MissingKeyError`, `TypeMismatchError`, and `UnknownFieldError`.
        """
        self._check_keys(rows)
        # Conforming may remove the replication key.
        values = rows.column(bookmark.key) if bookmark else []
        self.conformer.conform(rows)
        return rows.filter(bookmark.admit(values)) if bookmark else rows

    def encode(self, rows: Rows) -> bytes:
        """Return conformed rows as lines of messages."""
        return self.encoder.encode(rows) if rows else b""

    def write(self, lines: bytes) -> None:
        """Write lines of messages."""
        if lines:
            self.writer.write_lines(lines)

    def flush(self) -> None:
        """Write pending rows."""
        self.write(self.encoder.flush())

    def _check_keys(self, rows: Rows) -> None:
        """Check the keys made by `post_process`; others were checked when the page was fetched."""
        if isinstance(rows, StructRows) or not self.stream.primary_keys:
            return
        try:
            rows.keys(self.stream.primary_keys)
        except UnusableKeyError as error:
            raise MissingKeyError(self.stream.label, "a page", error) from None

    def _select(self) -> Selection:
        stream = self.stream
        return Selection.compile(
            effective=stream.effective_schema, declared=stream.schema, mask=stream.mask
        )

    def _new_encoder(self) -> RecordEncoder:
        stream = self.stream
        # A stream that is read for its children only may be missing in the catalog.
        maps = stream.stream_maps if stream.selected else ()
        given = stream.name, maps, self.version.number, self.version.filtered
        config = stream.get_batch_config(stream.config) if stream.selected else None
        if config is None:
            return RecordEncoder(*given)
        return BatchEncoder(*given, tap_name=stream.tap_name, config=config)

    def _evolve(self, properties: Mapping[str, t.Any]) -> Selection:
        """Extend the stream's schema by new fields and write it, before their first record."""
        self.flush()
        self.stream.extend_schema(properties)
        self.write_schema()
        self.encoder = self._new_encoder()
        return self._select()
