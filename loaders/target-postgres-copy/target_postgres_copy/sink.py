"""One stream: which way its rows take, and the batches they come in."""

from __future__ import annotations

import contextlib
import functools
import gzip
import typing as t

import msgspec
import simplejson
import sqlalchemy as sa
from jsonschema import Draft202012Validator
from psycopg import sql
from singer_sdk.helpers._batch import BatchFileFormat, StorageTarget
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.singerlib.json import deserialize_json
from target_postgres.sinks import PostgresSink

from target_postgres_copy.decoder import METADATA, is_odd
from target_postgres_copy.errors import LoadError, Unsupported, shown
from target_postgres_copy.planning import Policy, plan
from target_postgres_copy.reader import blocks
from target_postgres_copy.staging import Staging
from target_postgres_copy.statements import Run, Table, sql_name

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import psycopg
    from singer_sdk.helpers._batch import BaseBatchFileEncoding

    from target_postgres_copy.columns import Column
    from target_postgres_copy.target import TargetPostgresCopy

_BLOCK_BYTES = 1 << 20
#: Any number that other programs are unlikely to lock.
_LOCK = 7_236_845_019
#: Two runs may both find that something is missing, and both make it.
_MADE_BY_ANOTHER = {"23505", "42701", "42710", "42P06", "42P07"}
_ROW_KEYWORDS = set(Draft202012Validator.VALIDATORS) - {
    "additionalProperties",
    "format",
    "properties",
    "required",
    "type",
}
_UTC = {"ETC/GMT", "ETC/UCT", "ETC/UTC", "ETC/ZULU", "GMT", "UCT", "UTC", "UNIVERSAL", "ZULU"}

_COLUMNS = sa.text(
    "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
    "WHERE attrelid = CAST(:name AS regclass) AND attnum > 0 AND NOT attisdropped"
)
#: Whether a table is an ordinary one: rules and row security say more about INSERT than COPY knows.
_IS_PLAIN = sa.text(
    "SELECT relkind = 'r' AND NOT relhasrules AND NOT relrowsecurity FROM pg_class "
    "WHERE oid = CAST(:name AS regclass)"
)
_UNIQUE_KEYS = sa.text(
    "SELECT array(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = i.indrelid "
    "AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])) FROM pg_index i "
    "WHERE i.indrelid = CAST(:name AS regclass) AND i.indisunique AND i.indimmediate "
    "AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL"
)


class _AnyRecord(msgspec.Struct):
    record: dict[str, msgspec.Raw]


class CopySink(PostgresSink):
    """A stream whose rows are loaded by COPY where that is sure to be right."""

    def __init__(self, target: TargetPostgresCopy, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(target, *args, **kwargs)
        self._target = target
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
            self._columns = self._plan()
            self._table = self._find_table()
        except Unsupported as reason:
            self.logger.info("Rows are loaded by INSERT, as in target-postgres: %s.", reason)
        else:
            self.logger.info("Rows are loaded by COPY.")

    def _plan(self) -> dict[str, Column]:
        """Plan every column; raise `Unsupported` if one of them needs target-postgres itself."""
        self._check_stream()
        properties: dict[str, t.Any] = self.schema["properties"]
        required = {*(self.schema.get("required", ()) if self.validate_schema else ())}
        if unknown := {*required, *self.key_properties} - properties.keys():
            raise Unsupported(f"{min(unknown)!r} is required, but not among the properties")
        policy = Policy(
            validate=self.validate_schema,
            sanitize=self.connector.sanitize_null_text_characters,
            required=frozenset({*required, *self.key_properties}),
        )
        to_sql_type = self.connector.to_sql_type
        return {
            name: plan(name, schema, to_sql_type(schema), policy)
            for name, schema in properties.items()
        }

    def _check_stream(self) -> None:
        if self.connector._engine.dialect.driver != "psycopg":  # noqa: SLF001 - as in the parent
            raise Unsupported("COPY needs the driver psycopg")
        maps = self._target.mapper.stream_maps.get(self.stream_name, [])
        if [type(each) for each in maps] != [SameRecordTransform]:
            raise Unsupported("a stream map changes them")
        if maps[0].flattening_enabled:
            raise Unsupported("they are flattened")
        if not self.schema["properties"]:
            raise Unsupported("the schema has no properties")
        if not self.validate_schema:
            return
        keywords = sorted(_ROW_KEYWORDS & self.schema.keys())
        others = self.schema.get("additionalProperties", True)
        if not isinstance(others, bool) or (not others and any(map(is_odd, self._names()))):
            keywords.append("additionalProperties")
        if keywords:
            raise Unsupported(f"the schema has {keywords[0]!r} for whole rows")

    def _names(self) -> Sequence[str]:
        return tuple(self.schema["properties"])

    def _find_table(self) -> Table:
        """Look at the table that is there, which may be older than this loader."""
        identifier = [part for part in (self.schema_name, self.table_name) if part is not None]
        name = {"name": sql.Identifier(*identifier).as_string()}
        with self.connector._connect() as connection:  # noqa: SLF001 - as in the parent
            types = {row[0]: row[1] for row in connection.execute(_COLUMNS, name)}
            unique = [set(row[0]) for row in connection.execute(_UNIQUE_KEYS, name)]
            zone: str = connection.execute(sa.text("SHOW TimeZone")).scalar_one()
            is_plain: bool = connection.execute(_IS_PLAIN, name).scalar_one()
            table = sa.table(self.table_name, schema=self.schema_name)
            is_empty = not connection.execute(sa.select(1).select_from(table).limit(1)).all()
        for each in self._columns.values():
            found, planned = types.get(each.name), sql_name(each)
            if found != planned and (found, planned) != ("character varying", "text"):
                raise Unsupported(f"column {each.name!r} is {found} in the table, not {planned}")
        has_unique_index = set(self.key_properties) in unique
        return Table(
            schema=self.schema_name,
            name=self.table_name,
            keys=tuple(dict.fromkeys(self.key_properties)),
            has_unique_index=has_unique_index,
            is_utc=zone.upper() in _UTC,
            is_fresh=is_plain and (not self.key_properties or (is_empty and has_unique_index)),
        )

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

    def explain(self, line: bytes) -> str | None:
        """Say what is wrong with a record that Python's parser takes and JSON doesn't."""
        try:
            record = deserialize_json(line)["record"]
            for name, value in record.items():
                if not _is_json(value):
                    key = ", ".join(f"{k}={shown(str(record.get(k)))}" for k in self.key_properties)
                    row = f", row {key}" if key else ""
                    what = "NaN, Infinity and halves of surrogate pairs are not JSON"
                    return f"column {name!r}{row}: {what}"
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
        return None

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


def _is_json(value: object) -> bool:
    try:
        msgspec.json.decode(simplejson.dumps(value, use_decimal=True))
    except ValueError:
        return False
    return True


def _execute(connection: psycopg.Connection, statement: sql.Composed) -> None:
    connection.execute(statement)
