"""Measure whole processes, start-up included, against the mock API in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import typing as t
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from contenders import Contender, Task
from dataset import child, row
from environments import HERE

if t.TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence


class BenchmarkError(Exception):
    """Somebody failed or didn't deliver every row, so there is nothing to compare."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one process took."""

    #: Seconds from start to end.
    wall: float
    #: Seconds of processor time, in user and kernel mode.
    cpu: float
    #: Peak of the resident memory, in MiB.
    peak: float
    requests: int = 0
    #: Requests that were open at once, at most.
    most_open: int = 0


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Somebody who reads, and how often."""

    contender: Contender
    rounds: int = 3
    #: Writes its rows to standard output, where the contender itself doesn't.
    checker: Contender | None = None
    #: Reads another path of the same rows than the others.
    shape: str | None = None
    #: Gives rows another shape, so that only their ids are checked.
    reshapes: bool = False


@dataclass(frozen=True, kw_only=True)
class Work:
    """Rows to be read, and everybody who reads them."""

    title: str
    rows: int
    size: int
    entries: Mapping[str, Entry]
    #: Seconds before each answer.
    latency: float = 0.0
    shape: str = "offset"
    streams: int = 1
    children: bool = False

    def task(self, url: str, entry: Entry) -> Task:
        """Return what somebody reads at an address."""
        return Task(
            url=url,
            size=self.size,
            shape=entry.shape or self.shape,
            streams=self.streams,
            children=self.children,
        )


@contextlib.contextmanager
def mock_api(rows: int, *, latency: float = 0.0) -> Iterator[str]:
    """Serve rows and give the address."""
    options = ["--rows", str(rows), "--latency", str(latency)]
    command = [sys.executable, str(HERE / "mock_api.py"), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield f"http://127.0.0.1:{t.cast('t.IO[str]', server.stdout).readline().strip()}"
        finally:
            server.kill()


def asked(url: str) -> dict[str, int]:
    """Return what the server was asked since the last time."""
    with urllib.request.urlopen(f"{url}/_stats") as answer:
        return t.cast("dict[str, int]", json.load(answer))


def timed(
    command: Sequence[str], *, source: int | None = None, output: int = subprocess.DEVNULL
) -> Run:
    """Run a command to its end and tell what it took."""
    with tempfile.TemporaryFile() as errors:
        began = monotonic()
        process = subprocess.Popen(command, stdin=source, stdout=output, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        wall = monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            told = errors.read()[-2000:].decode(errors="replace")
            raise BenchmarkError(f"{' '.join(command)} ended with {process.returncode}:\n{told}")
    return Run(wall=wall, cpu=usage.ru_utime + usage.ru_stime, peak=usage.ru_maxrss / 1024)


def measured(work: Work, *, checked: set[Hashable]) -> dict[str, list[Run]]:
    """Check that everybody delivers every row; then let them run in turns, and return their runs.

    Whoever has fewer rounds than others leaves out the last ones. Who was checked on a task isn't
    checked on the same again, with another latency.
    """
    with mock_api(work.rows) as url:
        for name, entry in work.entries.items():
            key = (entry.contender, work.rows, work.task("", entry))
            if key not in checked:
                progress(f"  {name}: checking")
                _check(work, work.task(url, entry), entry, name=name)
                checked.add(key)
    runs: dict[str, list[Run]] = {name: [] for name in work.entries}
    with mock_api(work.rows, latency=work.latency) as url:
        for turn in range(max(entry.rounds for entry in work.entries.values())):
            for name, entry in work.entries.items():
                if turn < entry.rounds:
                    run = _turn(work.task(url, entry), entry)
                    progress(f"  {name}: {run.wall:.2f} s, {run.requests} requests")
                    runs[name].append(run)
    return runs


def _turn(task: Task, entry: Entry) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        command = entry.contender(task, Path(folder))
        asked(task.url)
        run = timed(command)
        return Run(**{**vars(run), **asked(task.url)})


def _check(work: Work, task: Task, entry: Entry, *, name: str) -> None:
    """Raise `BenchmarkError` unless each row of each stream arrives once, and as it was served."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as output:
        timed((entry.checker or entry.contender)(task, Path(folder)), output=output.fileno())
        output.seek(0)
        ids = Counter[tuple[str, int]]()
        for line in output:
            if (told := _record(line)) is not None:
                stream, record = told
                number = record["id"]
                ids[stream, number] += 1
                served = (child if "parent_id" in record else row)(number)
                if not entry.reshapes and _present(record) != _present(served):
                    raise BenchmarkError(f"{name} changed row {number}: {record}")
    wanted = work.rows * (3 if work.children else work.streams)
    if len(ids) != wanted or ids.total() != wanted:
        raise BenchmarkError(f"{name} gave {ids.total()} rows, {len(ids)} distinct, not {wanted}")


def _record(line: bytes) -> tuple[str, dict[str, t.Any]] | None:
    """Read the stream and the record of a Singer or an Airbyte message."""
    message = json.loads(line)
    if message.get("type") != "RECORD":
        return None
    if "stream" in message:
        return message["stream"], message["record"]
    return message["record"]["stream"], message["record"]["data"]


def _present(record: Mapping[str, object]) -> dict[str, object]:
    """Leave out nulls, as the Airbyte CDK does."""
    return {name: value for name, value in record.items() if value is not None}


def progress(text: str) -> None:
    """Tell the one who waits."""
    sys.stderr.write(f"{text}\n")
