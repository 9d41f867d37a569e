"""Measured without others: start-up, memory, growth, and a pipeline into PostgreSQL."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path
from time import monotonic

from contenders import Task, tap, tap_config
from environments import python
from measure import BenchmarkError, Run, mock_api, progress, timed
from walkthrough.postgres import Postgres

from loaders import target_settings

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Runs = dict[str, list[Run]]


# --- start-up -------------------------------------------------------------------------------


def start_up(*, rounds: int = 7) -> Runs:
    """Start the tap for its version and its catalog, beside a bare import of the SDK."""
    module = [sys.executable, "-m", "tap_analytics"]
    commands = {
        "import singer_sdk": [sys.executable, "-c", "import singer_sdk"],
        "--version": [*module, "--version"],
        "--discover": [*module, "--discover"],
    }
    for command in commands.values():
        timed(command)
    runs: Runs = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            runs[name].append(timed(command))
    return runs


# --- memory ---------------------------------------------------------------------------------


def memory(scale: int = 1) -> Runs:
    """Read ever more rows, 16 pages of 1000 at once; latency fills the window."""
    runs: Runs = {}
    for rows in (10_000, 30_000, 100_000, 300_000, 1_000_000):
        with mock_api(rows // scale, latency=0.02) as url, _folder() as folder:
            runs[str(rows)] = [timed(tap(16)(Task(url=url, size=1000), folder)) for _ in range(2)]
            progress(f"  {rows} rows: {runs[str(rows)][0].peak:.0f} MiB")
    return runs


# --- growth ---------------------------------------------------------------------------------


class Size(t.NamedTuple):
    """How much a run was: seconds, bytes on standard output, bytes of its largest STATE."""

    wall: float
    output: int
    state: int


class Growth(t.NamedTuple):
    """Some work, and ten times as much of it."""

    small: Size
    large: Size


def growth(*, rounds: int = 3) -> dict[str, Growth]:
    """Read ten times the parents, pages, streams and declared resources."""
    once: Mapping[str, tuple[int, Mapping[str, t.Any]]] = {
        "parents": (300, {"children": True}),
        "pages": (30_000, {}),
        "streams": (5000, {"streams": 3}),
        "declared resources": (10, {"streams": 30}),
    }
    grown: dict[str, Growth] = {}
    for name, (rows, task) in once.items():
        small = _sized(rows, task, rounds=rounds)
        if "streams" in task:
            large = _sized(rows, {"streams": 10 * task["streams"]}, rounds=rounds)
        else:
            large = _sized(10 * rows, task, rounds=rounds)
        grown[name] = Growth(small, large)
        progress(f"  10 x the {name}: {small} to {large}")
    return grown


def _sized(rows: int, task: Mapping[str, t.Any], *, rounds: int) -> Size:
    with mock_api(rows) as url, _folder() as folder, tempfile.TemporaryFile() as output:
        command = tap(8)(Task(url=url, size=100, **task), folder)
        timed(command, output=output.fileno())
        written = output.tell()
        output.seek(0)
        states = (len(line) for line in output if line.startswith(b'{"type":"STATE"'))
        wall = statistics.median(timed(command).wall for _ in range(rounds))
        return Size(wall, written, max(states, default=0))


# --- into PostgreSQL ------------------------------------------------------------------------


class Loaded(t.NamedTuple):
    """A pipeline: how many rows, seconds, and the processor time of both its ends."""

    rows: int
    wall: float
    tap: float
    target: float


#: Ways into PostgreSQL: what the target is told, and whether the tap writes files for it.
WAYS: Mapping[str, tuple[Mapping[str, object], bool]] = {
    "as installed": ({}, False),
    "not validated again": ({"validate_records": False}, False),
    "COPY, not validated again": ({"use_copy": True, "validate_records": False}, False),
    "COPY, not validated again, BATCH files": (
        {"use_copy": True, "validate_records": False},
        True,
    ),
}


def pipeline(rows: int = 1_000_000) -> dict[str, Loaded]:
    """Read into target-postgres in several ways, and count what arrived."""
    loaded: dict[str, Loaded] = {}
    with mock_api(rows) as url, Postgres() as database:
        for number, (name, (options, files)) in enumerate(WAYS.items()):
            schema = f"way_{number}"
            given = options | target_settings(database, schema)
            with _folder() as folder:
                loaded[name] = _piped(url, given, folder, rows=rows, files=files)
            arrived = database.execute(f"SELECT count(DISTINCT id) FROM {schema}.bench_offset")
            if int(arrived) != rows:
                raise BenchmarkError(f"{arrived} rows arrived in PostgreSQL, not {rows}")
            progress(f"  {name}: {loaded[name]}")
    return loaded


def _piped(
    url: str, given: Mapping[str, object], folder: Path, *, rows: int, files: bool
) -> Loaded:
    source = tap_config(Task(url=url, size=1000), concurrency=8)
    if files:
        source["batch_config"] = {
            "encoding": {"format": "jsonl", "compression": "gzip"},
            "storage": {"root": folder.as_uri()},
        }
    for name, config in {"tap": source, "target": given}.items():
        (folder / f"{name}.json").write_text(json.dumps(config), "utf-8")
    began = monotonic()
    with (folder / "tap.log").open("wb") as told:
        reader = subprocess.Popen(
            [sys.executable, "-m", "tap_analytics", "--config", folder / "tap.json"],
            stdout=subprocess.PIPE,
            stderr=told,
        )
    with (folder / "target.log").open("wb") as told:
        writer = subprocess.Popen(
            [python("postgres", "target-postgres"), "--config", folder / "target.json"],
            stdin=reader.stdout,
            stdout=subprocess.DEVNULL,
            stderr=told,
        )
    t.cast("t.IO[bytes]", reader.stdout).close()
    took = {
        name: _waited(process, folder / f"{name}.log")
        for name, process in (("target", writer), ("tap", reader))
    }
    return Loaded(rows=rows, wall=monotonic() - began, **took)


def _waited(process: subprocess.Popen[bytes], log: Path) -> float:
    """Wait for the end of a process and return its processor time."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        told = log.read_text("utf-8", errors="replace")[-2000:]
        raise BenchmarkError(f"{log.stem} of the pipeline ended with {process.returncode}:\n{told}")
    return usage.ru_utime + usage.ru_stime


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
