"""The command that serves a PostgreSQL for the tutorial."""

from __future__ import annotations

import subprocess
import sys
from signal import SIGTERM

from tap_analytics.demo import database
from tap_analytics.demo.postgres import Database, PostgresError


def test_it_serves_what_it_prints_until_it_is_told_to_stop():
    command = [sys.executable, "-m", "tap_analytics.cli", "demo-postgres"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            look = server.stderr.readline()
            told = dict(server.stdout.readline().strip().split("=", 1) for _ in range(5))
            found = Database.from_environment(told)
            assert found.query("SELECT 1 AS one") == [{"one": 1}]
            assert look == f"PostgreSQL is ready. To look inside: {found.command}\n"
        finally:
            server.send_signal(SIGTERM)
        server.communicate()
    assert server.returncode == 0


def test_a_server_that_does_not_come_up_is_told_in_a_line(monkeypatch, capsys):
    def none():
        raise PostgresError("No binaries found.")

    monkeypatch.setattr(database, "Postgres", none)

    assert database.main([]) == 1
    assert capsys.readouterr().err == "PostgreSQL can't start: No binaries found.\n"
