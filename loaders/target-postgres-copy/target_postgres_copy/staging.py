"""The way of a stream's rows into its table: decode, stage in a temporary table, merge.

Every member of a row stays raw JSON while a line is decoded, and becomes a field of COPY column by
column. One statement per batch takes the staged rows over, so that no row is updated that was just
inserted.
"""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import io
import operator
import re
import typing as t
import uuid

import msgspec
import psycopg
from psycopg import sql
from sqlalchemy.types import TIMESTAMP

from target_postgres_copy import fields
from target_postgres_copy.errors import BadValue, LoadError, shown
from target_postgres_copy.fields import DELIMITER, MISSING

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from target_postgres_copy.columns import Column

    Constants = dict[str, sql.Composable]

#: Filled in once per batch, not from the rows.
CONSTANTS = ("_sdc_received_at", "_sdc_batched_at", "_sdc_sequence", "_sdc_sync_started_at")
#: Taken from the RECORD message, not from the record.
FROM_MESSAGE = {"_sdc_extracted_at": "time_extracted", "_sdc_table_version": "version"}

_RAW_MISSING = msgspec.Raw(MISSING)
#: Names that msgspec takes for no member of a struct.
is_odd = re.compile(r'["\\\x00-\x1f]').search
_COPY_PLACE = re.compile(r"^COPY .*?, line (\d+)(?:, column (.*?))?(?:: |$)", re.MULTILINE).search
_AWARE = r"(Z|[+-]\d\d:\d\d(:\d\d)?)$"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """The table that rows go to."""

    schema: str | None
    name: str
    keys: tuple[str, ...]
    #: Whether a unique index on exactly the keys can arbitrate between old and new rows.
    has_unique_index: bool
    #: Whether the session's time zone is UTC.
    is_utc: bool

    @property
    def identifier(self) -> sql.Identifier:
        """The table's name for SQL."""
        return sql.Identifier(*(part for part in (self.schema, self.name) if part is not None))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """What a batch takes from the run, not from its rows."""

    started: int
    #: The version of rows in BATCH files that don't name their own.
    version: int | None = None

    def constants(self) -> Constants:
        """Return the values of columns for a batch that is written now."""
        now = dt.datetime.now(tz=dt.timezone.utc)
        moment = sql.SQL("{}::timestamptz").format(sql.Literal(now.isoformat()))
        constants: Constants = {
            "_sdc_received_at": moment,
            "_sdc_batched_at": moment,
            "_sdc_sequence": sql.Literal(round(now.timestamp() * 1000)),
            "_sdc_sync_started_at": sql.Literal(self.started),
        }
        if self.version is not None:
            constants["_sdc_table_version"] = sql.Literal(self.version)
        return constants


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
        metadata = (*FROM_MESSAGE, *CONSTANTS, "_sdc_deleted_at")
        known = [*self._own, *(name for name in metadata if name not in self._own)]
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
    members = [("record", record), *((m, msgspec.Raw, _RAW_MISSING) for m in FROM_MESSAGE.values())]
    return msgspec.defstruct("Message", members, gc=False)


class Staging:
    """Rows of one kind, RECORD messages or lines of BATCH files, on their way to one table."""

    def __init__(
        self, table: Table, columns: Mapping[str, Column], *, strict: bool, batch: bool = False
    ) -> None:
        constants = [name for name in CONSTANTS if name in columns]
        if batch:
            # What a file says of its rows goes first, but they are written by this run.
            constants = [name for name in constants if name == "_sdc_sync_started_at"]
        self._table = table
        self._columns = [c for name, c in columns.items() if name not in constants]
        self._names = [column.name for column in self._columns]
        self._filled = set(columns)
        self._keys = [self._names.index(key) for key in table.keys]
        self._canonical = all(self._columns[i].is_canonical for i in self._keys)
        from_message = {} if batch else {k: m for k, m in FROM_MESSAGE.items() if k in columns}
        self._decoder = Decoder(
            self._names, from_message=from_message, strict=strict, batch=batch
        )
        self._readers = [column.reader() for column in self._columns]
        self._temp = sql.Identifier(f"copy_{uuid.uuid4().hex}")
        self._is_created = False
        self._select_latest = not table.has_unique_index
        self._by_key: dict[t.Any, bytes] = {}
        self._appended: list[bytes] = []

    # Decoding: the reader's thread.

    def decode(self, lines: bytes) -> list[t.Any]:
        """Decode lines."""
        return self._decoder.decode(lines)

    def add(self, rows: Sequence[t.Any]) -> None:
        """Convert rows; of several with one key the last one stays."""
        try:
            columns = self._convert(rows)
        except BadValue:
            raise self._located(rows) from None
        lines = map(DELIMITER.join, zip(*columns, strict=True))
        if not self._keys:
            self._appended.extend(lines)
            return
        found = [columns[i] for i in self._keys]
        keys: Iterable[t.Any] = found[0] if len(found) == 1 else zip(*found, strict=True)
        if self._canonical:
            self._by_key.update(zip(keys, lines, strict=True))
            return
        for key, line in zip(keys, lines, strict=True):
            # One key may come in two spellings: the place of a row tells which is the last.
            self._by_key.pop(key, None)
            self._by_key[key] = line

    def _convert(self, rows: Sequence[t.Any]) -> list[list[bytes]]:
        values = self._decoder.columns(rows)
        return [read(column) for read, column in zip(self._readers, values, strict=True)]

    def _located(self, rows: Sequence[t.Any]) -> LoadError:
        """Find the row that can't be converted and say which it is."""
        for row in rows:
            try:
                self._convert([row])
            except BadValue as error:
                values = self._decoder.columns([row])
                key = self._key_text([shown(values[i]) for i in self._keys])
                return LoadError(f"column {error.column!r}{key}: {error.reason}")
        return LoadError("a row can't be converted")

    def _key_text(self, values: Iterable[str]) -> str:
        pairs = [f"{k}={v or 'missing'}" for k, v in zip(self._table.keys, values, strict=True)]
        return f", row {', '.join(pairs)}" if pairs else ""

    def take(self) -> list[bytes]:
        """Hand over the rows that wait."""
        lines = self._appended or list(self._by_key.values())
        self._appended, self._by_key = [], {}
        return lines

    # Writing: the writer's thread.

    def write(self, connection: psycopg.Connection, lines: list[bytes], run: Run) -> None:
        """Write rows in one transaction."""
        if not self._is_created:
            connection.execute(self._create())
            self._is_created = True
        constants = run.constants()
        try:
            self._write_once(connection, lines, constants)
        except psycopg.errors.CardinalityViolation:
            # One key in two spellings, such as 1.0 and 1.00: from now on the last one is chosen.
            self._select_latest = True
            self._write_once(connection, lines, constants)

    def _write_once(
        self, connection: psycopg.Connection, lines: list[bytes], constants: Constants
    ) -> None:
        try:
            with connection.transaction(), connection.cursor() as cursor:
                with cursor.copy(self._copy()) as copy:
                    copy.write(b"\n".join(lines) + b"\n")
                for statement in self._merge(constants):
                    cursor.execute(statement)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            raise self._explained(error, lines) from error

    def _explained(self, error: psycopg.Error, lines: list[bytes]) -> LoadError:
        """Add the column and the row's key to what the server says."""
        message = " ".join(filter(None, (error.diag.message_primary, error.diag.message_detail)))
        place = _COPY_PLACE(error.diag.context or "")
        if not place:
            name = error.diag.column_name
            return LoadError(f"column {name!r}: {message}" if name else message)
        line = lines[int(place[1]) - 1].decode(errors="backslashreplace")
        values = next(csv.reader(io.StringIO(line), delimiter="\x02", quotechar="\x01"))
        key = self._key_text([shown(values[i]) for i in self._keys])
        column = f"column {place[2]!r}" if place[2] else "a column"
        return LoadError(f"{column}{key}: {message}")

    def drop(self, connection: psycopg.Connection) -> None:
        """Drop the temporary table."""
        if self._is_created:
            connection.execute(sql.SQL("DROP TABLE {}").format(self._temp))
            self._is_created = False

    def _create(self) -> sql.Composed:
        definitions = [
            sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(self._staged(column)))
            for column in self._columns
        ]
        return sql.SQL("CREATE TEMPORARY TABLE {} ({}) ON COMMIT DELETE ROWS").format(
            self._temp, sql.SQL(", ").join(definitions)
        )

    def _staged(self, column: Column) -> str:
        """Return the type in which a column is staged.

        Where the session's zone is UTC, timestamptz reads date-times with and without an offset
        as target-postgres does. Elsewhere those without would be moved out of the hour that
        summer time leaves out, so the merge decides.
        """
        if isinstance(column.sql_type, TIMESTAMP):
            return "timestamptz" if self._table.is_utc else "text"
        return sql_name(column)

    def _copy(self) -> sql.Composed:
        return sql.SQL("COPY {} ({}) FROM STDIN WITH ({})").format(
            self._temp, self._listed(self._names), sql.SQL(fields.OPTIONS)
        )

    def _merge(self, constants: Constants) -> list[sql.Composed]:
        values = self._values(constants)
        main, source = self._table.identifier, self._source()
        insert = sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} s").format(
            main, self._listed(values), sql.SQL(", ").join(values.values()), source
        )
        if not self._keys:
            return [insert]
        # Equal keys may be spelled differently, and the last spelling stays.
        changed = [n for n in values if n not in self._table.keys or not self._canonical]
        if self._table.has_unique_index:
            return [insert + self._on_conflict(changed)]
        same = sql.SQL(" AND ").join(
            sql.SQL("t.{} = {}").format(sql.Identifier(key), values[key])
            for key in self._table.keys
        )
        assignments = (sql.SQL("{} = {}").format(sql.Identifier(n), values[n]) for n in changed)
        update = sql.SQL("UPDATE {} t SET {} FROM {} s WHERE {}").format(
            main, sql.SQL(", ").join(assignments), source, same
        )
        fresh = sql.SQL(" WHERE NOT EXISTS (SELECT FROM {} t WHERE {})").format(main, same)
        return [*([update] if changed else []), insert + fresh]

    def _on_conflict(self, changed: Sequence[str]) -> sql.Composed:
        target = self._listed(self._table.keys)
        if not changed:
            return sql.SQL(" ON CONFLICT ({}) DO NOTHING").format(target)
        assignments = (sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(n)) for n in changed)
        return sql.SQL(" ON CONFLICT ({}) DO UPDATE SET {}").format(
            target, sql.SQL(", ").join(assignments)
        )

    def _source(self) -> sql.Composable:
        if not (self._keys and self._select_latest):
            return self._temp
        keys = sql.SQL(", ").join(self._value(self._columns[i]) for i in self._keys)
        return sql.SQL(
            "(SELECT DISTINCT ON ({0}) s.* FROM {1} s ORDER BY {0}, s.ctid DESC)"
        ).format(keys, self._temp)

    def _values(self, constants: Constants) -> dict[str, sql.Composable]:
        """Return the expression for every column of the table that is filled."""
        values = {column.name: self._value(column) for column in self._columns}
        for name in self._filled & constants.keys():
            given = values.get(name)
            values[name] = (
                sql.SQL("coalesce({}, {})").format(given, constants[name])
                if given
                else constants[name]
            )
        return values

    def _value(self, column: Column) -> sql.Composable:
        name = sql.SQL("s.{}").format(sql.Identifier(column.name))
        if not isinstance(column.sql_type, TIMESTAMP) or self._table.is_utc:
            return name
        return sql.SQL(
            "CASE WHEN {0} ~ {1} THEN {0}::timestamptz::timestamp ELSE {0}::timestamp END"
        ).format(name, sql.Literal(_AWARE))

    @staticmethod
    def _listed(names: Iterable[str]) -> sql.Composed:
        return sql.SQL(", ").join(map(sql.Identifier, names))


def sql_name(column: Column) -> str:
    """Return the type of a column as `format_type` spells it."""
    from sqlalchemy.dialects.postgresql import dialect  # noqa: PLC0415

    name = str(column.sql_type.compile(dialect=dialect())).lower()
    return name.replace("decimal", "numeric").replace(", ", ",")
