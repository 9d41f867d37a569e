"""What is acknowledged is there: real processes, stopped and failing in mid-batch."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import Server, record, schema_message, text

NAMED = {"id": {"type": "integer"}, "name": {"type": ["string", "null"]}}


def state(value):
    return {"type": "STATE", "value": {"rows": value}}


def rows(start, stop):
    return [record({"id": number, "name": f"row {number}"}) for number in range(start, stop)]


def send(process, messages):
    process.stdin.write(text(messages).encode())
    process.stdin.flush()


def count(schema):
    return f"SELECT count(*) FROM {schema}.x"


def error_lines(err):
    return [line for line in err.splitlines() if "| ERROR" in line]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_while_waiting_writes_what_was_read_and_its_state(bench, number, code):
    schema = bench.schema()
    process = bench.start(schema, batch_size_rows=10)
    send(process, [schema_message(NAMED), *rows(0, 15), state(15)])
    bench.wait_for(count(schema), 10)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    assert json.loads(out) == {"rows": 15}
    bench.wait_for(count(schema), 15)


def test_a_signal_in_mid_block_ends_at_the_next_one(bench):
    schema = bench.schema()
    process = bench.start(schema, batch_size_rows=5)
    send(process, [schema_message(NAMED), *rows(0, 5)])
    bench.wait_for(count(schema), 5)
    with bench.server.connect() as lock:
        lock.autocommit = False
        lock.execute(f"LOCK TABLE {schema}.x IN EXCLUSIVE MODE")
        # The writer waits for the lock, and the reader for the writer.
        send(process, [*rows(5, 30), state(30)])
        bench.wait_for("SELECT count(*) FROM pg_locks WHERE NOT granted", 1)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        assert process.poll() is None
    out, err = process.communicate(timeout=30)
    assert (process.returncode, json.loads(out)) == (143, {"rows": 30}), err
    bench.wait_for(count(schema), 30)


def test_kill_9_leaves_whole_batches_and_a_second_run_the_right_table(bench):
    schema = bench.schema()
    process = bench.start(schema, batch_size_rows=10)
    send(process, [schema_message(NAMED), *rows(0, 25), state(25)])
    bench.wait_for(count(schema), 20)
    process.kill()
    out, _ = process.communicate()
    assert out == b""
    code, out, err = bench.run(schema, [schema_message(NAMED), *rows(0, 40), state(40)])
    assert (code, json.loads(out)) == (0, {"rows": 40}), err
    assert bench.db.execute(count(schema)).fetchone() == (40,)


def test_a_killed_connection_ends_the_run_with_one_line_and_no_state(bench):
    schema = bench.schema()
    process = bench.start(schema, batch_size_rows=10)
    send(process, [schema_message(NAMED), *rows(0, 15)])
    bench.wait_for(count(schema), 10)
    bench.db.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    out, err = process.communicate(text([*rows(15, 40), state(40)]).encode(), timeout=30)
    assert (process.returncode, out) == (1, b"")
    assert len(error_lines(err.decode())) == 1
    assert b"Traceback" not in err
    code, _, err = bench.run(schema, [schema_message(NAMED), *rows(0, 40)])
    assert (code, bench.db.execute(count(schema)).fetchone()) == (0, (40,)), err


@pytest.mark.parametrize(("load", "end"), [("first", "kill"), ("second", "terminate")])
def test_an_end_in_mid_batch_leaves_the_batch_out(bench, load, end):
    schema = bench.schema()
    if load == "second":
        bench.copy(schema, [schema_message(NAMED), record({"id": 29, "name": "old"})])
    process = bench.start(schema, batch_size_rows=10)
    send(process, [schema_message(NAMED), *rows(0, 10)])
    bench.wait_for(f"SELECT count(*) > 9 FROM {schema}.x", expected=True)
    with bench.server.connect() as lock:
        lock.autocommit = False
        lock.execute(f"LOCK TABLE {schema}.x IN EXCLUSIVE MODE")
        send(process, [*rows(10, 30), state(30)])
        bench.wait_for("SELECT count(*) FROM pg_locks WHERE NOT granted", 1)
        if end == "kill":
            process.kill()
        else:
            bench.db.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted")
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == ({"kill": -9, "terminate": 1}[end], b"")
    assert len(error_lines(err.decode())) == (end == "terminate")
    bench.wait_for("SELECT count(*) FROM pg_locks WHERE mode = 'RowExclusiveLock'", 0)
    names = bench.db.execute(f"SELECT name FROM {schema}.x WHERE id >= 10").fetchall()
    assert names == ([("old",)] if load == "second" else [])
    code, out, err = bench.run(schema, [schema_message(NAMED), *rows(0, 30), state(30)])
    assert (code, json.loads(out)) == (0, {"rows": 30}), err
    found = bench.db.execute(f"SELECT count(*), count(DISTINCT name) FROM {schema}.x").fetchone()
    assert found == (30, 30)


def test_what_is_acknowledged_outlives_a_server_that_crashes(bench):
    server = Server(options="-c fsync=on -c synchronous_commit=on -c full_page_writes=on")
    try:
        process = bench.start("s", port=server.port)
        messages = [schema_message(NAMED), *rows(0, 5), state(5)]
        out, err = process.communicate(text(messages).encode(), timeout=30)
        assert (process.returncode, json.loads(out)) == (0, {"rows": 5}), err
        server.stop("immediate")
        server.start()
        with server.connect() as db:
            assert db.execute(count("s")).fetchone() == (5,)
    finally:
        server.remove()


def test_a_server_that_is_gone_ends_the_run_with_one_line(bench):
    server = Server()
    try:
        process = bench.start("s", port=server.port)
        send(process, [schema_message(NAMED), *rows(0, 5)])
        with server.connect() as db:
            deadline = time.monotonic() + 30
            while not db.execute("SELECT to_regclass('s.x')").fetchone()[0]:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        server.stop()
        out, err = process.communicate(text([*rows(5, 9), state(9)]).encode(), timeout=30)
        assert (process.returncode, out) == (1, b"")
        assert len(error_lines(err.decode())) == 1
        server.start()
        process = bench.start("s", port=server.port)
        out, err = process.communicate(
            text([schema_message(NAMED), *rows(0, 9), state(9)]).encode(), timeout=30
        )
        assert (process.returncode, json.loads(out)) == (0, {"rows": 9}), err
    finally:
        server.remove()


def test_a_full_disk_ends_the_run_with_one_line_and_no_state(bench):
    server = Server(file_size=24 << 20, options="-c wal_level=minimal -c max_wal_senders=0")
    try:
        long = [record({"id": i, "name": os.urandom(500).hex()}) for i in range(30_000)]
        process = bench.start("s", port=server.port)
        messages = [schema_message(NAMED), *long, state(30_000)]
        out, err = process.communicate(text(messages).encode(), timeout=60)
        assert (process.returncode, out) == (1, b""), err
        assert "could not extend file" in error_lines(err.decode())[0]
        assert len(error_lines(err.decode())) == 1
    finally:
        server.remove()


def certificate(folder):
    """Make a certificate for this machine that signs itself."""
    key, signed = folder / "server.key", folder / "server.crt"
    command = [
        *("openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "2"),
        *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
        *("-keyout", key, "-out", signed),
    ]
    subprocess.run(command, check=True, capture_output=True)
    for file in (key, signed):
        os.chown(file, folder.stat().st_uid, -1)
    return key, signed


@pytest.mark.skipif(not shutil.which("openssl"), reason="a certificate needs openssl")
def test_tls_as_the_settings_of_target_postgres_say(bench, tmp_path):
    if not bench.db.execute("SHOW ssl_library").fetchone()[0]:
        pytest.skip("this PostgreSQL was built without TLS; PG_BIN names another")
    server = Server()
    try:
        key, signed = certificate(server.home)
        (server.home / "data" / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 trust\n")
        server.stop()
        server.options += f" -c ssl=on -c ssl_key_file={key} -c ssl_cert_file={signed}"
        server.start()
        messages = text([schema_message(NAMED), *rows(0, 5), state(5)]).encode()
        for authority, code in ((signed, 0), (certificate(tmp_path)[1], 1)):
            settings = {"ssl_enable": True, "ssl_certificate_authority": str(authority)}
            process = bench.start("s", port=server.port, **settings)
            out, err = process.communicate(messages, timeout=30)
            assert (process.returncode, bool(out)) == (code, not code), err
        assert "certificate verify failed" in error_lines(err.decode())[0]
    finally:
        server.remove()


def test_a_wrong_value_writes_no_state_behind_it(bench):
    schema = bench.schema()
    messages = [schema_message(NAMED), *rows(0, 5), state(5), record({"id": 6, "name": 6})]
    code, out, err = bench.run(schema, messages)
    assert (code, out) == (1, "")
    assert "stream 'x', column 'name', row id=6: 6 is not of type string" in error_lines(err)[0]


def test_two_runs_at_once_make_one_schema_and_share_the_rows(bench):
    schema = bench.schema()
    messages = [schema_message(NAMED), schema_message(NAMED, stream="y")]
    forth, back = rows(0, 400), rows(0, 400)[::-1]
    processes = [bench.start(schema, batch_size_rows=20) for _ in range(3)]
    threads = [
        threading.Thread(target=send, args=(process, [*messages, *part]))
        for process, part in zip(processes, (forth, back, forth), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for process in processes:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err.decode()
    assert bench.db.execute(count(schema)).fetchone() == (400,)


def test_a_slow_tap_is_read_as_it_writes(bench):
    schema = bench.schema()
    process = bench.start(schema, batch_size_rows=1)
    send(process, [schema_message(NAMED)])
    for number in range(3):
        send(process, rows(number, number + 1))
        bench.wait_for(count(schema), number + 1)
    process.stdin.write(text(rows(3, 4)).encode().rstrip(b"\n"))
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert bench.db.execute(count(schema)).fetchone() == (4,)


def test_input_from_a_file(bench, tmp_path):
    schema = bench.schema()
    (tmp_path / "in").write_text(text([schema_message(NAMED), *rows(0, 5), state(5)]))
    process = bench.start(schema)
    process.kill()
    process.communicate()
    command = [*process.args, "--input", tmp_path / "in"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert json.loads(done.stdout) == {"rows": 5}
    assert bench.db.execute(count(schema)).fetchone() == (5,)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_memory_is_bounded_whatever_the_size_of_rows(bench):
    schema = bench.schema()
    process = bench.start(schema)
    send(process, [schema_message(NAMED)])
    for number in range(300):
        send(process, [record({"id": number, "name": f"{number}" + "x" * 1_000_000})])
    peak = peak_memory(process)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert bench.db.execute(count(schema)).fetchone() == (300,)
    assert peak < 240 << 20, peak


def peak_memory(process):
    """Return the most bytes a running process has had; `wait4` would count its parent's, too."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))


def test_about_names_this_plugin_and_the_settings_of_target_postgres():
    command = [sys.executable, "-m", "target_postgres_copy", "--about", "--format", "json"]
    about = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert about["name"] == "target-postgres-copy"
    assert {"host", "ssl_mode", "hard_delete", "batch_size_rows"} <= set(
        about["settings"]["properties"]
    )
