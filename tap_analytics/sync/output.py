"""Output of a stream: writes its schema, then conforms and writes its pages.

The transformation of rows is compiled once per stream, and again when a new field extends the
schema.
"""

from __future__ import annotations

import typing as t

from singer_sdk.streams.core import Stream

from tap_analytics.client import AnalyticsStream
from tap_analytics.records.conform import Conformer, Selection
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
            self.stream._write_schema_message()  # noqa: SLF001 - the SDK's own way to announce a schema

    def open(self) -> None:
        """Compile what conforms and encodes rows."""
        stream = self.stream
        self.version.begin()
        schema = stream.effective_schema
        self.conformer = Conformer(
            stream=stream.name,
            selection=self._compile(),
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
        """Write the rows that come under the version of an earlier run."""
        self.version.resume(version)
        self.encoder = self._new_encoder()

    @property
    def writes_at_once(self) -> bool:
        """Whether a page is with the target as soon as it is written."""
        return self.stream.selected and type(self.encoder) is RecordEncoder

    def decoder(self, *, replication_key: str | None) -> RowDecoder | None:
        """Return a row decoder if rows are passed on unchanged, else None."""
        stream, selection = self.stream, self.conformer.selection
        # Nothing but following at most one member selects rows.
        is_plain = type(stream).select is AnalyticsStream.select and len(stream.records_path) <= 1
        looked_at = (
            selection.nested
            or self.conformer.values.changes
            or not self.encoder.is_passthrough
            or not stream.selected
            or stream.ABORT_AT_RECORD_COUNT is not None
            or type(stream).post_process is not Stream.post_process
        )
        # Without a key, it is the whole row that identifies it.
        if not is_plain or looked_at or not stream.primary_keys:
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

        A new field is met in whatever row it comes, wanted or not. Raises `MissingKeyError`, and
        `UnknownFieldError` where the settings want none.
        """
        self._check_keys(rows)
        # Conforming may take the replication key out of the rows.
        values = None if bookmark is None else rows.column(bookmark.key)
        self.conformer.conform(rows)
        if bookmark is None or values is None:
            return rows
        return rows.filter(bookmark.admit(values))

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
        """Look for keys that were to be derived; the others were looked at as they came."""
        if isinstance(rows, StructRows) or not self.stream.primary_keys:
            return
        try:
            rows.keys(self.stream.primary_keys)
        except UnusableKeyError as error:
            raise MissingKeyError(self.stream.label, "a page", error) from None

    def _compile(self) -> Selection:
        stream = self.stream
        return Selection.compile(
            effective=stream.effective_schema, declared=stream.schema, mask=stream.mask
        )

    def _new_encoder(self) -> RecordEncoder:
        stream = self.stream
        # A stream that is read for its children only may not even be in the catalog.
        maps = stream.stream_maps if stream.selected else ()
        given = stream.name, maps, self.version.number, self.version.filtered
        config = stream.get_batch_config(stream.config) if stream.selected else None
        if config is None:
            return RecordEncoder(*given)
        return BatchEncoder(*given, tap_name=stream.tap_name, config=config)

    def _evolve(self, properties: Mapping[str, t.Any]) -> Selection:
        """Extend the stream's schema by new fields and announce it, before their first record."""
        self.flush()
        self.stream.extend_schema(properties)
        self.write_schema()
        self.encoder = self._new_encoder()
        return self._compile()
