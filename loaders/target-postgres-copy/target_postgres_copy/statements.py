"""The SQL that takes staged rows over into their table."""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t
import uuid

from psycopg import sql
from sqlalchemy.types import TIMESTAMP

from target_postgres_copy import fields
from target_postgres_copy.tables import Table, sql_name

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from target_postgres_copy.columns import Column

    Constants = dict[str, dt.datetime | int]

#: How a date-time with an offset ends, which is zero; readers move all others to UTC.
_AWARE = r"(Z|[+-]00:00)( BC)?$"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """What a batch takes from the run, not from its rows."""

    started: int
    #: The version of rows in BATCH files that don't name their own.
    version: int | None = None

    def constants(self) -> Constants:
        """Return the values of columns for a batch that is written now."""
        now = dt.datetime.now(tz=dt.timezone.utc)
        constants: Constants = {
            "_sdc_received_at": now,
            "_sdc_batched_at": now,
            "_sdc_sequence": round(now.timestamp() * 1000),
            "_sdc_sync_started_at": self.started,
        }
        if self.version is not None:
            constants["_sdc_table_version"] = self.version
        return constants


class Statements:
    """The statements for one table, and for the temporary table before it."""

    def __init__(self, table: Table, columns: Sequence[Column], *, filled: Iterable[str]) -> None:
        self._table = table
        self._columns = {column.name: column for column in columns}
        self._filled = set(filled)
        #: Whether no column is staged as text that the merge has to read.
        self._are_final = all(self._staged(each) == sql_name(each) for each in columns)
        self._temp = sql.Identifier(f"copy_{uuid.uuid4().hex}")
        #: Whether equal keys are always spelled alike.
        self.is_canonical = all(self._columns[key].is_canonical for key in table.keys)

    def drop(self) -> sql.Composed:
        """Drop the temporary table."""
        return sql.SQL("DROP TABLE {}").format(self._temp)

    def create(self) -> sql.Composed:
        """Create the temporary table, which every commit empties."""
        definitions = [
            sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(self._staged(column)))
            for column in self._columns.values()
        ]
        return sql.SQL("CREATE TEMPORARY TABLE {} ({}) ON COMMIT DELETE ROWS").format(
            self._temp, sql.SQL(", ").join(definitions)
        )

    def _staged(self, column: Column) -> str:
        """Return the type in which a column is staged.

        Where the session's zone isn't UTC, target-postgres stores date-times with an offset in
        that zone and others as they are, so the merge decides.
        """
        if isinstance(column.sql_type, TIMESTAMP) and not self._table.is_utc:
            return "text"
        return sql_name(column)

    def copy(self) -> sql.Composed:
        """Copy rows into the temporary table."""
        return self._copy(self._temp, self._columns)

    def can_copy_directly(self, constants: Constants) -> bool:
        """Say whether fields can go into the table's columns as they are."""
        return self._are_final and not self._columns.keys() & constants.keys()

    def copy_directly(self, constants: Constants) -> tuple[sql.Composed, bytes]:
        """Copy rows into the table itself; returned is also how each row ends."""
        filled = [name for name in constants if name in self._filled]
        end = b"".join(fields.DELIMITER + str(constants[name]).encode() for name in filled)
        return self._copy(self._table.identifier, [*self._columns, *filled]), end + b"\n"

    def _copy(self, into: sql.Identifier, names: Iterable[str]) -> sql.Composed:
        return sql.SQL("COPY {} ({}) FROM STDIN WITH ({})").format(
            into, self._listed(names), sql.SQL(fields.OPTIONS)
        )

    def merge(self, constants: Constants, *, select_latest: bool) -> list[sql.Composed]:
        """Take all staged rows over; with `select_latest` the last one of each key."""
        values = self._values(constants)
        main, source = self._table.identifier, self._source(select_latest=select_latest)
        insert = sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} s").format(
            main, self._listed(values), sql.SQL(", ").join(values.values()), source
        )
        if not self._table.keys:
            return [insert]
        # Equal keys may be spelled differently, and the last spelling stays.
        changed = [n for n in values if n not in self._table.keys or not self.is_canonical]
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

    def _source(self, *, select_latest: bool) -> sql.Composable:
        if not (self._table.keys and select_latest):
            return self._temp
        keys = sql.SQL(", ").join(self._value(self._columns[key]) for key in self._table.keys)
        return sql.SQL(
            "(SELECT DISTINCT ON ({0}) s.* FROM {1} s ORDER BY {0}, s.ctid DESC)"
        ).format(keys, self._temp)

    def _values(self, constants: Constants) -> dict[str, sql.Composable]:
        """Return the expression for every column of the table that is filled."""
        values = {name: self._value(column) for name, column in self._columns.items()}
        for name in self._filled & constants.keys():
            given, constant = values.get(name), sql.Literal(constants[name])
            values[name] = (
                sql.SQL("coalesce({}, {})").format(given, constant) if given else constant
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
