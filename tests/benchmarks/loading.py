"""Loads of the same messages into PostgreSQL: whole processes, in turns, from one file."""

from __future__ import annotations

import contextlib
import tempfile
import typing as t
from pathlib import Path

from measure import BenchmarkError, Run, mock_api, progress, timed
from messages import changed, from_tap, small, wide
from walkthrough.postgres import Database, Postgres

from loaders import everybody, meltano_and_floor, targets

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from loaders import Load

#: How many rows of each kind; two kinds are rows of about 600 bytes, as in the other parts.
ROWS = {"records": 1_000_000, "fewer records": 200_000, "wide": 30_000, "small": 500_000}


def loading(scale: int = 1) -> dict[str, dict[str, list[Run]]]:
    """Load rows of several kinds; a scale above 1 makes all of them fewer."""
    counts = {kind: rows // scale for kind, rows in ROWS.items()}
    with Postgres() as database, _folder() as folder:
        records = from_tap(folder / "records", counts["records"])
        fewer = from_tap(folder / "fewer", counts["fewer records"])
        runs = {
            "records": _turns(database, records, counts["records"], everybody()),
            "fewer records": _turns(database, fewer, counts["fewer records"], everybody()),
        }
        for kind, write in {"wide": wide, "small": small}.items():
            messages = write(folder / kind, counts[kind])
            runs[kind] = _turns(database, messages, counts[kind], targets(kind))
        with mock_api(counts["records"]) as url:
            loads = meltano_and_floor(url)
            runs["meltano run"] = _turns(database, records, counts["records"], loads)
    return runs


def _turns(
    database: Database, messages: Path, rows: int, loads: Mapping[str, Load]
) -> dict[str, list[Run]]:
    """Let everybody load into a schema of their own, and count what arrived."""
    runs: dict[str, list[Run]] = {}
    for turn in range(max(load.rounds for load in loads.values())):
        for name, load in loads.items():
            if turn < load.rounds:
                with _schema(database) as schema:
                    for label, path in {name: messages, load.again: changed(messages)}.items():
                        if label:
                            run = _load(database, load, schema, path, rows=rows)
                            runs.setdefault(label, []).append(run)
                            progress(f"  {label}: {run.wall:.2f} s, {rows / run.wall:,.0f} rows/s")
    return runs


@contextlib.contextmanager
def _schema(database: Database) -> Iterator[str]:
    """Give the name of a schema that is not there yet, and drop what it held."""
    # What one leaves to be written must not be written while the next one is measured.
    database.execute("CHECKPOINT")
    yield "bench"
    database.execute("DROP SCHEMA bench CASCADE; DROP SCHEMA IF EXISTS bench_staging CASCADE")


def _load(database: Database, load: Load, schema: str, messages: Path, *, rows: int) -> Run:
    with _folder() as folder, messages.open("rb") as source:
        run = timed(load.command(database, schema, folder), source=source.fileno())
    arrived = database.execute(f"SELECT count(*), count(DISTINCT id) FROM {schema}.{load.table}")
    if arrived.strip() != f"{rows}|{rows}":
        raise BenchmarkError(f"{arrived} rows and keys arrived in PostgreSQL, not {rows}")
    return run


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
