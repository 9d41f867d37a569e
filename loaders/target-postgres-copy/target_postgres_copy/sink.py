"""One stream: which way its rows take, and the batches they come in."""

from __future__ import annotations

import contextlib
import functools
import gzip
import typing as t

import msgspec
import sqlalchemy as sa
from psycopg import sql
from singer_sdk.helpers._batch import BatchFileFormat, StorageTarget
from target_postgres.sinks import PostgresSink

from target_postgres_copy.decoder import METADATA, blocks
from target_postgres_copy.errors import LoadError, Unsupported
from target_postgres_copy.staging import Staging
from target_postgres_copy.statements import Run
from target_postgres_copy.streams import plan_columns
from target_postgres_copy.tables import Table, find_table

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import psycopg
    from singer_sdk.helpers._batch import BaseBatchFileEncoding
    from singer_sdk.mapper import PluginMapper
    from singer_sdk.sinks import Sink

    from target_postgres_copy.columns import Column
    from target_postgres_copy.writer import Writer

_BLOCK_BYTES = 1 << 20
#: Any number that other programs are unlikely to lock.
_LOCK = 7_236_845_019
#: Two runs may both find that something is missing, and both make it.
_MADE_BY_ANOTHER = {"23505", "42701", "42710", "42P06", "42P07"}


class _AnyRecord(msgspec.Struct):
    record: dict[str, msgspec.Raw]


class Host(t.Protocol):
    """What a sink needs of the target."""

    mapper: PluginMapper
    writer: Writer

    def drain_one(self, sink: Sink) -> None:
        """Write the rows of a sink that wait."""

    def bound_memory(self) -> None:
        """Write batches that have become large."""


class CopySink(PostgresSink):
    """A stream whose rows are loaded by COPY where that is sure to be right."""

    def __init__(self, target: t.Any, *args: t.Any, **kwargs: t.Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(target, *args, **kwargs)
        self._target: Host = target
        self._staging: dict[bool, Staging] = {}
        #: The kind of rows that wait: records of BATCH files, or RECORD messages.
        self._waiting = False
        self._columns: Mapping[str, Column] = {}
        self._table: Table | None = None
        self._version: int | None = None
        self._has_unversioned = False
        self.pending_bytes = 0

    @property
    def is_fast(self) -> bool:
        """Whether rows are loaded by COPY, not by target-postgres' own statements."""
        return self._table is not None

    def setup(self) -> None:
        """Make the table as target-postgres does, then choose the way of the rows."""
        with self.connector._connect() as lock, lock.begin():  # noqa: SLF001 - as in the parent
            lock.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            try:
                super().setup()
            except (sa.exc.ProgrammingError, sa.exc.IntegrityError) as error:
                if getattr(error.orig, "sqlstate", None) not in _MADE_BY_ANOTHER:
                    raise
                super().setup()
        try:
            self._columns = plan_columns(self, self._target.mapper)
            with self.connector._connect() as connection:  # noqa: SLF001 - as in the parent
                self._table = find_table(
                    connection,
                    self.schema_name,
                    self.table_name,
                    keys=self.key_properties,
                    columns=self._columns.values(),
                )
        except Unsupported as reason:
            self.logger.info("Rows are loaded by INSERT, as in target-postgres: %s.", reason)
        else:
            self.logger.info("Rows are loaded by COPY.")

    # Reading

    def add_messages(self, lines: bytes) -> int:
        """Take RECORD messages, one a line, and return how many they were."""
        return self._add(lines, batch=False)

    def _add(self, lines: bytes, *, batch: bool) -> int:
        staging = self._choose(batch=batch)
        rows = staging.decode(lines)
        self._warn_of_unknown(lines[: lines.find(b"\n")], batch=batch)
        start = 0
        while start < len(rows):
            part = rows[start : start + max(1, self.max_size - self.current_size)]
            try:
                staging.add(part)
            except LoadError as error:
                raise self._named(error) from None
            start += len(part)
            self.tally_record_read(len(part))
            self.record_counter_metric.increment(len(part))
            self.pending_bytes += len(lines) * len(part) // len(rows)
            if self.is_full:
                self._target.drain_one(self)
        return len(rows)

    def try_message(self, line: bytes) -> None:
        """Decode a line alone, to see whether it can be."""
        self._choose(batch=False).decode(line)

    def _choose(self, *, batch: bool) -> Staging:
        """Return the staging for a kind of rows; rows of the other kind go before."""
        if self._waiting != batch or self._pending_batch:
            self._target.drain_one(self)
        self._waiting = batch
        if batch not in self._staging:
            strict = self.validate_schema and self.schema.get("additionalProperties") is False
            table = t.cast("Table", self._table)
            self._staging[batch] = Staging(table, self._columns, strict=strict, batch=batch)
        return self._staging[batch]

    def _warn_of_unknown(self, line: bytes, *, batch: bool) -> None:
        """Name members that the schema doesn't know; a look at one row in many has to do."""
        if self.schema.get("additionalProperties", False) or not line.strip():
            return
        record = (
            msgspec.json.decode(line, type=dict[str, msgspec.Raw])
            if batch
            else msgspec.json.decode(line, type=_AnyRecord).record
        )
        known = {*self._columns, *METADATA}
        for name in record.keys() - known - self._warned_missing_fields:
            if bytes(record[name]) != b"null":
                self.logger.warning("No schema for record field '%s'", name)
                self._warned_missing_fields.add(name)

    def process_record(self, record: dict[str, t.Any], context: dict[str, t.Any]) -> None:
        """Take a row that went through target-postgres' own way, behind the rows before it."""
        if self.pending_bytes:
            self._flush()
        super().process_record(record, context)

    # Writing

    def process_batch(self, context: dict[str, t.Any]) -> None:
        """Hand the rows that wait to the writer."""
        self._flush()
        if context.get("records"):
            self._target.writer.join()
            super().process_batch(context)

    def _flush(self) -> None:
        staging = self._staging.get(self._waiting)
        lines = staging.take() if staging else []
        self.pending_bytes = 0
        if staging and lines:
            run = Run(
                started=self.sync_started_at, version=self._version if self._waiting else None
            )
            self._target.writer.submit(functools.partial(self._write, staging, lines, run))

    def _write(
        self, staging: Staging, lines: list[bytes], run: Run, connection: psycopg.Connection
    ) -> None:
        try:
            staging.write(connection, lines, run)
        except LoadError as error:
            raise self._named(error) from error

    def _named(self, error: LoadError) -> LoadError:
        return LoadError(f"stream {self.stream_name!r}, {error}")

    def retire(self) -> None:
        """Write what waits and wait for it, before another sink takes the stream over."""
        self._target.drain_one(self)
        for staging in self._staging.values():
            self._target.writer.submit(staging.drop)
        self._target.writer.join()

    # Versions and BATCH files

    def activate_version(self, new_version: int) -> None:
        """Delete rows of other versions once all rows of this one are there."""
        self._target.drain_one(self)
        self._target.writer.join()
        if self._has_unversioned and self.config["activate_version"]:
            self._adopt(new_version)
        super().activate_version(new_version)

    def _adopt(self, version: int) -> None:
        """Give rows from BATCH files, which name no version, the one that is activated."""
        table = t.cast("Table", self._table).identifier
        adopt = sql.SQL(
            "UPDATE {} SET _sdc_table_version = {} "
            "WHERE _sdc_table_version IS NULL AND _sdc_sync_started_at = {}"
        ).format(table, sql.Literal(version), sql.Literal(self.sync_started_at))
        self._target.writer.submit(lambda connection: _execute(connection, adopt))
        self._target.writer.join()
        self._has_unversioned = False

    def load_files(
        self, encoding: BaseBatchFileEncoding, files: Sequence[str], *, version: int | None
    ) -> None:
        """Load the files of a BATCH message; their rows get its version if it has one."""
        if not self.is_fast or encoding.format != BatchFileFormat.JSONL:
            self._target.drain_one(self)
            self._target.writer.join()
            self.process_batch_files(encoding, files)
            return
        if version != self._version:
            self._target.drain_one(self)
        self._version = version
        self._has_unversioned |= version is None and self.include_sdc_metadata_properties
        for file in files:
            self._load_file(encoding, file)

    def _load_file(self, encoding: BaseBatchFileEncoding, path: str) -> None:
        head, tail = StorageTarget.split_url(path)
        config = self.batch_config
        storage = config.storage if config else StorageTarget.from_url(head)
        with contextlib.ExitStack() as stack:
            file: t.IO[bytes] = stack.enter_context(storage.open(tail, mode="rb"))
            if encoding.compression == "gzip":
                file = t.cast("t.IO[bytes]", stack.enter_context(gzip.open(file)))
            for block in blocks(functools.partial(file.read, _BLOCK_BYTES)):
                try:
                    self._add(block, batch=True)
                except msgspec.DecodeError as error:
                    raise LoadError(f"a line of {path} is not a record: {error}") from None
                self._target.bound_memory()


def _execute(connection: psycopg.Connection, statement: sql.Composed) -> None:
    connection.execute(statement)
