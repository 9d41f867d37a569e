"""The way of a stream's rows into its table: decode, convert, stage in a temporary table, merge.

One statement per batch takes the staged rows over, so that no row is updated that was just
inserted. Where no row can replace another one, they go into the table itself.
"""

from __future__ import annotations

import itertools
import re
import typing as t

import psycopg

from target_postgres_copy.decoder import CONSTANTS, FROM_MESSAGE, Decoder
from target_postgres_copy.errors import BadValue, LoadError, shown
from target_postgres_copy.fields import DELIMITER
from target_postgres_copy.statements import Statements

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from psycopg import sql

    from target_postgres_copy.columns import Column
    from target_postgres_copy.statements import Constants, Run
    from target_postgres_copy.tables import Table

_COPY_PLACE = re.compile(r"^COPY .*?, line (\d+)(?:, column (.*?))?(?:: |$)", re.MULTILINE).search
_FIELDS = re.compile(
    rb"(?:^|\x02)(?:\x01((?:[^\x01]|\x01\x01)*)\x01|([^\x01\x02]*))", re.DOTALL
).findall


class Staging:
    """Rows of one kind, RECORD messages or lines of BATCH files, on their way to one table."""

    def __init__(
        self, table: Table, columns: Mapping[str, Column], *, strict: bool, batch: bool = False
    ) -> None:
        constants = [name for name in CONSTANTS if name in columns]
        if batch:
            # What a file says of its rows goes first, but they are written by this run.
            constants = [name for name in constants if name == "_sdc_sync_started_at"]
        staged = [column for name, column in columns.items() if name not in constants]
        names = [column.name for column in staged]
        from_message = {} if batch else {k: m for k, m in FROM_MESSAGE.items() if k in columns}
        self._decoder = Decoder(names, from_message=from_message, strict=strict, batch=batch)
        self._readers = [column.reader() for column in staged]
        self._statements = Statements(table, staged, filled=columns)
        self._key_names = table.keys
        self._keys = [names.index(key) for key in table.keys]
        self._is_created = False
        self._is_fresh = table.is_fresh
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
        if self._statements.is_canonical:
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
        pairs = [f"{k}={v or 'missing'}" for k, v in zip(self._key_names, values, strict=True)]
        return f", row {', '.join(pairs)}" if pairs else ""

    def take(self) -> list[bytes]:
        """Hand over the rows that wait."""
        lines = self._appended or list(self._by_key.values())
        self._appended, self._by_key = [], {}
        return lines

    # Writing: the writer's thread.

    def write(self, connection: psycopg.Connection, lines: list[bytes], run: Run) -> None:
        """Write rows in one transaction."""
        try:
            self._write(connection, lines, run.constants())
        except psycopg.Error as error:
            if explained := self._explained(error, lines):
                raise explained from error
            raise

    def _write(
        self, connection: psycopg.Connection, lines: list[bytes], constants: Constants
    ) -> None:
        statements = self._statements
        if self._is_fresh and statements.can_copy_directly(constants):
            try:
                return _load(connection, lines, *statements.copy_directly(constants))
            except psycopg.errors.UniqueViolation:
                # A key came again: from now on rows are merged.
                self._is_fresh = False
        if not self._is_created:
            connection.execute(statements.create())
            self._is_created = True
        merge = statements.merge(constants, select_latest=self._select_latest)
        try:
            _load(connection, lines, statements.copy(), b"\n", merge)
        except psycopg.errors.CardinalityViolation:
            # One key in two spellings, such as 1.0 and 1.00: from now on the last one is chosen.
            self._select_latest = True
            merge = statements.merge(constants, select_latest=True)
            _load(connection, lines, statements.copy(), b"\n", merge)
        return None

    def _explained(self, error: psycopg.Error, lines: list[bytes]) -> LoadError | None:
        """Add the column and the row's key to what the server says of a value."""
        message = " ".join(filter(None, (error.diag.message_primary, error.diag.message_detail)))
        place = _COPY_PLACE(error.diag.context or "")
        if not place:
            if not isinstance(error, (psycopg.DataError, psycopg.IntegrityError)):
                return None
            name = error.diag.column_name
            return LoadError(f"column {name!r}: {message}" if name else message)
        # The server counts line ends inside of quoted fields, too, but in the first row it doesn't
        # know yet what a line end is, and takes it for a carriage return.
        marks = itertools.chain((b"\r",), itertools.repeat(b"\n"))
        ends = itertools.accumulate(
            1 + line.count(mark) for line, mark in zip(lines, marks, strict=False)
        )
        found = next((i for i, end in enumerate(ends) if end >= int(place[1])), -1)
        values = [quoted or plain for quoted, plain in _FIELDS(lines[found])]
        key = self._key_text([shown(values[i]) for i in self._keys])
        name = place[2] or error.diag.column_name
        column = f"column {name!r}" if name else "a column"
        return LoadError(f"{column}{key}: {message}")

    def drop(self, connection: psycopg.Connection) -> None:
        """Drop the temporary table."""
        if self._is_created:
            connection.execute(self._statements.drop())
            self._is_created = False


def _load(
    connection: psycopg.Connection,
    lines: list[bytes],
    copy: sql.Composed,
    end: bytes,
    merge: Sequence[sql.Composed] = (),
) -> None:
    """Copy lines, each followed by `end`, and merge them, in one transaction."""
    with connection.transaction(), connection.cursor() as cursor:
        with cursor.copy(copy) as stream:
            stream.write(end.join((*lines, b"")))
        for statement in merge:
            cursor.execute(statement)
