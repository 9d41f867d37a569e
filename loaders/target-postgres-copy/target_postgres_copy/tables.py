"""The table that rows go to, which may be older than this loader."""

from __future__ import annotations

import dataclasses
import typing as t

import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.dialects import postgresql

from target_postgres_copy.errors import Unsupported

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from target_postgres_copy.columns import Column

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call] # has no annotations
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
    #: Whether the table is one that COPY can fill, and has no row that a new one could replace.
    is_fresh: bool

    @property
    def identifier(self) -> sql.Identifier:
        """The table's name for SQL."""
        return sql.Identifier(*(part for part in (self.schema, self.name) if part is not None))


def find_table(
    connection: sa.Connection,
    schema: str | None,
    name: str,
    *,
    keys: Sequence[str],
    columns: Iterable[Column],
) -> Table:
    """Look at a table; raise `Unsupported` if a column isn't of the type that is planned for it."""
    identifier = sql.Identifier(*(part for part in (schema, name) if part is not None))
    parameters = {"name": identifier.as_string()}
    types = {row[0]: row[1] for row in connection.execute(_COLUMNS, parameters)}
    for each in columns:
        found, planned = types.get(each.name), sql_name(each)
        if found != planned and (found, planned) != ("character varying", "text"):
            raise Unsupported(f"column {each.name!r} is {found} in the table, not {planned}")
    unique = [set(row[0]) for row in connection.execute(_UNIQUE_KEYS, parameters)]
    zone: str = connection.execute(sa.text("SHOW TimeZone")).scalar_one()
    is_plain: bool = connection.execute(_IS_PLAIN, parameters).scalar_one()
    rows = sa.select(1).select_from(sa.table(name, schema=schema)).limit(1)
    is_empty = not connection.execute(rows).all()
    has_unique_index = set(keys) in unique
    return Table(
        schema=schema,
        name=name,
        keys=tuple(dict.fromkeys(keys)),
        has_unique_index=has_unique_index,
        is_utc=zone.upper() in _UTC,
        is_fresh=is_plain and (not keys or (is_empty and has_unique_index)),
    )


def sql_name(column: Column) -> str:
    """Return the type of a column as `format_type` spells it."""
    name = str(column.sql_type.compile(dialect=_DIALECT)).lower()
    return name.replace("decimal", "numeric").replace(", ", ",")
