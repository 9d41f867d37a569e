"""Loaders: their settings, and SQL on what they have loaded."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import sqlite3
import subprocess
import typing as t
from abc import ABC, abstractmethod
from types import MappingProxyType

from typing_extensions import override

from walkthrough.postgres import Database, Postgres, PostgresError
from walkthrough.project import FOLDER, StepError

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Rows = list[tuple[t.Any, ...]]

#: The columns that make up the keys of all streams; a stream has some of them.
KEY_COLUMNS = ("course_id", "id", "uid", "creationDate", "record_hash")
#: Only the environment of target-duckdb has the driver, so its Python runs the query.
QUERY_DUCKDB = (
    "import duckdb, json, sys; "
    "result = duckdb.connect(sys.argv[1], read_only=True).execute(sys.stdin.read()); "
    "print(json.dumps(result.fetchall(), default=str))"
)


class Loader(ABC):
    """A loader and its tables."""

    #: Name of the Meltano plugin, the variables that configure it, and the schema of its tables.
    name: str
    env: dict[str, str]
    schema: str
    #: The user's own variables for it, which are not written to a file.
    secrets: t.Mapping[str, str] = MappingProxyType({})
    #: Where the rows are, and the shell command that opens the result.
    place: str
    command: str
    #: SQL for the member `{key}` of the first element in the JSON column `{column}`, as text.
    first: str

    def tables(self) -> list[str]:
        """Return the names of the tables."""
        where = f"WHERE table_schema = '{self.schema}'"
        rows = self.query(f"SELECT table_name FROM information_schema.tables {where}")  # noqa: S608 - our own schema
        return [name for (name,) in rows]

    @abstractmethod
    def query(self, sql: str) -> Rows:
        """Return the rows of one SELECT."""

    def counts(self) -> dict[str, int]:
        """Return the number of rows by table."""
        each = " UNION ALL ".join(
            f"SELECT '{table}', count(*) FROM {self.schema}.{table}"  # noqa: S608 - names of our own streams
            for table in sorted(self.tables())
        )
        return {table: int(rows) for table, rows in self.query(f"{each} ORDER BY 1")}


class PostgresLoader(Loader):
    """A loader for PostgreSQL, into the server of the environment or a temporary one."""

    first = "to_jsonb({column}) -> 0 ->> '{key}'"

    def __init__(self, name: str, database: Database, *, own: bool) -> None:
        self.name = name
        self._database = database
        chosen = os.environ.get("TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA")
        self.schema = chosen or ("tap_analytics" if own else "tap_analytics_demo")
        self.env = {"TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": self.schema}
        if own:
            self.env |= database.env
        else:
            names = [name for name in os.environ if name.startswith("TARGET_POSTGRES_")]
            self.secrets = {name: os.environ[name] for name in names}
        version = database.execute("SHOW server_version").split()[0]
        self.place = f"PostgreSQL {version} at {database.host}:{database.port}/{database.name}"
        self.command = f"PGOPTIONS=-csearch_path={self.schema} {database.command}"
        if not own and not chosen:
            database.execute(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE")

    @override
    def query(self, sql: str) -> Rows:
        return [tuple(row.values()) for row in self._database.query(sql)]


class JsonlLoader(Loader):
    """target-jsonl, into a file per stream, which SQLite queries.

    Rows are only appended, so the last row of each key counts.
    """

    name = "target-jsonl"
    schema = "main"
    first = "json_extract({column}, '$[0].{key}')"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.env = {"TARGET_JSONL_DESTINATION_PATH": str(folder)}
        self.place = f"JSON lines in {folder}"
        self.command = f"head -n 1 {shlex.quote(str(folder))}/*.jsonl"

    @override
    def tables(self) -> list[str]:
        return [path.stem for path in self._folder.glob("*.jsonl")]

    @override
    def query(self, sql: str) -> Rows:
        with contextlib.closing(sqlite3.connect(":memory:")) as database:
            for table in self.tables():
                self._read(database, table)
            return database.execute(sql).fetchall()

    def _read(self, database: sqlite3.Connection, table: str) -> None:
        latest: dict[tuple[str, ...], dict[str, t.Any]] = {}
        with (self._folder / f"{table}.jsonl").open(encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                latest[tuple(str(row.get(column)) for column in KEY_COLUMNS)] = row
        columns = list(dict.fromkeys(column for row in latest.values() for column in row))
        names = ", ".join(f'"{column}"' for column in columns)
        database.execute(f'CREATE TABLE "{table}" ({names})')
        database.executemany(
            f'INSERT INTO "{table}" VALUES ({", ".join("?" * len(columns))})',  # noqa: S608 - our own names
            ([_sqlite_value(row.get(column)) for column in columns] for row in latest.values()),
        )


class DuckDbLoader(Loader):
    """target-duckdb, into one file."""

    name = "target-duckdb"
    schema = "tap_analytics"
    first = "json_extract_string({column}, '$[0].{key}')"

    def __init__(self, folder: Path) -> None:
        self._file = folder / "analytics.duckdb"
        self.env = {"TARGET_DUCKDB_FILEPATH": str(self._file)}
        self.place = f"DuckDB in {self._file}"
        self.command = f"duckdb {shlex.quote(str(self._file))}"

    @override
    def query(self, sql: str) -> Rows:
        python = FOLDER / "meltano" / "loaders" / self.name / "venv" / "bin" / "python"
        done = subprocess.run(  # noqa: S603 - the plugin's own Python with the program above
            [python, "-c", QUERY_DUCKDB, self._file],
            input=sql,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise StepError(f"DuckDB refused: {done.stderr.strip().splitlines()[-1]}")
        return [tuple(row) for row in json.loads(done.stdout)]


@contextlib.contextmanager
def opened(target: str) -> Iterator[Loader]:
    """Prepare the loader of `--target`; a temporary server ends with the block."""
    if target.startswith("postgres"):
        with contextlib.ExitStack() as stack:
            given = Database.from_environment(os.environ)
            try:
                database = given or stack.enter_context(Postgres())
                yield PostgresLoader(f"target-{target}", database, own=given is None)
            except PostgresError as error:
                raise StepError(str(error)) from error
        return
    folder = FOLDER / target
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    yield JsonlLoader(folder) if target == "jsonl" else DuckDbLoader(folder)


def _sqlite_value(value: object) -> object:
    return json.dumps(value) if isinstance(value, dict | list) else value
