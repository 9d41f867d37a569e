"""Memory is bounded for any number of rows, and a response too large is refused."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import urllib.request

import pytest
from support.paths import TESTS
from support.processes import COMMAND, run
from support.servers import PathApi

BENCHMARKS = TESTS / "benchmarks"
CONCURRENCY = 16
#: Most MiB that a run may hold at once, 16 responses of 600 kB in flight included.
CEILING = 100
#: Runs the rest of its arguments and tells their peak in KiB. A process counts what its parent held
#: when it was made, and this one holds next to nothing.
WEIGH = (
    "import os, sys; pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ); "
    "_, status, usage = os.wait4(pid, 0); sys.stderr.write(f'\\npeak {usage.ru_maxrss}\\n'); "
    "sys.exit(os.waitstatus_to_exitcode(status))"
)
TEXT = {"type": ["string", "null"]}


@contextlib.contextmanager
def mock_api(rows):
    """Serve rows of about 600 bytes from a process of its own, slowly enough to be read ahead."""
    command = [sys.executable, str(BENCHMARKS / "mock_api.py"), "--rows", str(rows)]
    command += ["--latency", "0.1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        finally:
            server.kill()


def declared(url):
    columns = {"id": {"type": "integer"}, "name": TEXT, "email": TEXT}
    endpoint = {
        "path": "/offset",
        "data_selector": "data",
        "paginator": {"type": "offset", "limit": 1000, "total_path": "total"},
    }
    things = {"name": "things", "primary_key": "id", "endpoint": endpoint}
    things["schema"] = {"type": "object", "properties": columns}
    shop = {"name": "shop", "client": {"base_url": url}, "resources": [things]}
    return {"apis": [shop], "concurrency": CONCURRENCY}


def peak(rows, folder):
    """Extract so many rows and return the MiB the run held at most."""
    file = folder / f"{rows}.json"
    output = folder / f"{rows}.jsonl"
    # A process that is watched for coverage holds more.
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    with mock_api(rows) as url, output.open("wb") as out:
        file.write_text(json.dumps(declared(url)), "utf-8")
        weighed = [sys.executable, "-I", "-S", "-c", WEIGH, COMMAND, "--config", str(file)]
        done = subprocess.run(
            weighed, stdout=out, stderr=subprocess.PIPE, text=True, check=False, env=env
        )
        with urllib.request.urlopen(f"{url}/_stats") as answer:
            most_open = json.load(answer)["most_open"]
    assert done.returncode == 0, done.stderr
    assert CONCURRENCY * 0.5 < most_open <= CONCURRENCY
    with output.open("rb") as lines:
        assert sum(b'"RECORD"' in line[:40] for line in lines) == rows
    found = int(done.stderr.split()[-1]) / 1024
    print(f"{rows} rows: {found:.1f} MiB")  # noqa: T201 - what a soak is run for
    return found


def flat(few, many):
    assert max(few, many) < CEILING
    assert many < few * 1.25


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux alone")
@pytest.mark.parametrize(
    "rows", [60_000, pytest.param(1_000_000, marks=pytest.mark.soak)], ids=lambda rows: f"{rows}"
)
def test_more_rows_take_no_more_memory(rows, tmp_path):
    # As few as fill the requests in flight.
    flat(peak(20_000, tmp_path), peak(rows, tmp_path))


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_response_larger_than_allowed_is_refused(concurrency):
    def answer(path, query):
        start = int(dict(query)["offset"])
        wide = "x" * (1500 if start else 10)
        return {"data": [{"id": start + n, "name": wide} for n in range(1000)], "total": 3000}

    paginator = {"type": "offset", "limit": 1000}
    endpoint = {"path": "/things", "data_selector": "data", "paginator": paginator}
    with PathApi(answer) as api:
        config = api.config({"name": "things", "endpoint": endpoint})
        done = run(config | {"max_response_mb": 1, "concurrency": concurrency})
        asked = [tuple(query) for _, query in api.asked]
    assert done.code == 1
    assert [row["id"] for row in done.records("odd_things")] == list(range(1000))
    assert len(done.errors) == 1
    assert "sent more than 1 MiB" in done.errors[0]
    assert "page_size" in done.errors[0]
    # What is too large is too large again: nobody asks twice.
    assert 2 <= len(asked) == len(set(asked))
