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
ROWS = {"records": 1_000_000, "fewer records": 200_000, "wide": 30_000, "small": 1_000_000}

Kinds = dict[str, dict[str, list[Run]]]


def of_records(scale: int = 1) -> Kinds:
    """Let everybody load records; a scale above 1 makes all of them fewer."""
    runs: Kinds = {}
    with Postgres() as database, _folder() as folder:
        for kind in ("records", "fewer records"):
            rows = ROWS[kind] // scale
            messages = from_tap(folder / "messages", rows)
            runs[kind] = _turns(database, messages, rows, everybody())
    return runs


def of_other_rows(scale: int = 1) -> Kinds:
    """Load wide and small rows, and records under `meltano run`."""
    runs: Kinds = {}
    with Postgres() as database, _folder() as folder:
        for kind, write in {"wide": wide, "small": small}.items():
            rows = ROWS[kind] // scale
            runs[kind] = _turns(database, write(folder / kind, rows), rows, targets(kind))
        rows = ROWS["records"] // scale
        messages = from_tap(folder / "messages", rows)
        with mock_api(rows) as url:
            runs["meltano run"] = _turns(database, messages, rows, meltano_and_floor(url))
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
