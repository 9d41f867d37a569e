"""Output of a stream: writes its schema, then conforms and writes its pages.

The transformation of rows is compiled once per stream, and again when a new field extends the
schema.
"""

from __future__ import annotations

import typing as t

from singer_sdk.mapper import CustomStreamMap, RemoveRecordTransform
from singer_sdk.singerlib import ActivateVersionMessage
from singer_sdk.streams.core import Stream

from tap_analytics.client import AnalyticsStream
from tap_analytics.records.conform import Conformer, Selection
from tap_analytics.records.rows import MissingKeyError, RowDecoder, StructRows, UnusableKeyError
from tap_analytics.records.sinks import BatchSink, RecordSink
from tap_analytics.records.type_policy import TypePolicy

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_analytics.records.bookmark import Bookmark
    from tap_analytics.records.conform import SchemaDrift
    from tap_analytics.records.rows import Rows
    from tap_analytics.records.writer import MessageWriter


class RecordOutput:
    """Announces one stream and writes its rows."""

    def __init__(self, stream: AnalyticsStream, writer: MessageWriter, drift: SchemaDrift) -> None:
        self.stream = stream
        self.writer = writer
        self.drift = drift
        #: Aliases under which a stream map has left out rows.
        self.filtered: set[str] = set()

    def write_schema(self) -> None:
        """Write the schema of a selected stream, rows or no rows."""
        if self.stream.selected:
            self.stream._write_schema_message()  # noqa: SLF001 - the SDK's own way to announce a schema

    def open(self) -> None:
        """Compile the way of a row."""
        stream = self.stream
        if stream.versioned:
            stream._stream_version = stream._initialized_at  # noqa: SLF001 - as the SDK's sync() sets it
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
        self.sink = self._new_sink()

    def resume(self, version: int | None) -> None:
        """Write the rows that come under the version of an earlier run."""
        if version is not None and self.stream.versioned:
            self.stream._stream_version = version  # noqa: SLF001 - as the SDK's sync() sets it
            # Which rows the earlier run left out, nobody knows.
            maps = [each for each in self.stream.stream_maps if isinstance(each, CustomStreamMap)]
            self.filtered.update(each.stream_alias for each in maps)
            self.sink = self._new_sink()

    @property
    def version(self) -> int | None:
        """The version the rows go out under; None where they carry none."""
        return self.sink.version

    @property
    def writes_at_once(self) -> bool:
        """Whether a page is with the target as soon as it is written."""
        return self.stream.selected and type(self.sink) is RecordSink

    def decoder(self, *, replication_key: str | None) -> RowDecoder | None:
        """Return a row decoder if rows are passed on unchanged, else None."""
        stream, selection = self.stream, self.conformer.selection
        # Nothing but following at most one member selects rows.
        is_plain = type(stream).select is AnalyticsStream.select and len(stream.records_path) <= 1
        looked_at = (
            selection.nested
            or self.conformer.values.changes
            or not self.sink.is_passthrough
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

    def write(self, rows: Rows) -> None:
        """Encode and write conformed rows."""
        if rows:
            self.sink.write(rows)

    def flush(self) -> None:
        """Write pending rows."""
        self.sink.flush()

    def activate_version(self) -> None:
        """Let a target delete the rows that didn't come, if the stream carries a version.

        Not under an alias that a stream map has left out rows of, for they are there.
        """
        version, stream = self.version, self.stream
        if version is None:
            return
        for stream_map in stream.stream_maps:
            alias = stream_map.stream_alias
            if isinstance(stream_map, RemoveRecordTransform):
                continue
            if alias in self.filtered:
                stream.logger.warning(
                    "A stream map leaves out rows of %s, so nothing is deleted in the target.",
                    alias,
                )
            else:
                self.writer.write_message(ActivateVersionMessage(stream=alias, version=version))

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

    def _new_sink(self) -> RecordSink:
        stream = self.stream
        if not stream.selected:
            # Read for its children only, it may not even be in the catalog.
            return RecordSink(stream.name, (), None, self.filtered, self.writer)
        version = stream._stream_version  # noqa: SLF001 - as the SDK's record messages carry it
        given = stream.name, stream.stream_maps, version, self.filtered, self.writer
        config = stream.get_batch_config(stream.config)
        if config is None:
            return RecordSink(*given)
        return BatchSink(*given, tap_name=stream.tap_name, config=config)

    def _evolve(self, properties: Mapping[str, t.Any]) -> Selection:
        """Extend the stream's schema by new fields and announce it, before their first record."""
        self.flush()
        self.stream.extend_schema(properties)
        self.write_schema()
        self.sink = self._new_sink()
        return self._compile()
