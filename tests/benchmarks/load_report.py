"""What was measured of loads: comparisons with their aims, figures, and a plot."""

from __future__ import annotations

import typing as t
from statistics import median

from comparisons import Row, faster, slower, table, walls
from loading import ROWS
from plot import bars

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Runs = t.Mapping[str, t.Sequence[t.Mapping[str, float]]]

PARTS = ("loading", "loading, other rows")
OWN, AGAIN = "target-postgres-copy", "target-postgres-copy, every row changed"
KINDS = {
    "records": "records",
    "fewer records": "records",
    "wide": "rows of 200 columns",
    "small": "rows of three columns",
}
OTHERS = ("target-postgres", "dlt, append", "dlt, merge")
#: Times faster than others, at least, by kind of rows and other.
FASTER = {
    ("records", "target-postgres"): 8,
    ("records", "dlt, append"): 3.5,
    ("records", "dlt, merge"): 3.5,
    ("small", "target-postgres"): 8,
}
#: Parts of a bare loop's time, and of a first run's, at most.
BARE = {"records": 1.5, "wide": 1.5, "meltano run": 2}
CHANGED = {"records": 2}


def block(results: Mapping[str, Mapping[str, t.Any]]) -> Iterator[str]:
    """Lay out the comparisons, then the figures of the largest load."""
    measured = kinds(results)
    if "records" not in measured:
        return
    yield from table(rows(measured))
    yield ""
    yield f"| {ROWS['records']:,} records | Seconds | Records/s | Processor time | Memory |"
    yield "| --- | --- | --- | --- | --- |"
    for name, runs in figures(measured).items():
        wall, cpu = median(walls(runs)), median(run["cpu"] for run in runs)
        peak = max(run["peak"] for run in runs)
        rate = ROWS["records"] / wall
        yield f"| {name} | {wall:.1f} | {rate:,.0f} | {cpu:.1f} s | {peak:.0f} MiB |"
    yield ""
    yield "![Records per second into PostgreSQL](performance/loading.svg)"


def kinds(results: Mapping[str, Mapping[str, t.Any]]) -> dict[str, Runs]:
    """Gather what was measured of each kind of rows."""
    parts = (results[name]["result"] for name in PARTS if name in results)
    return {kind: runs for part in parts for kind, runs in part.items()}


def rows(measured: Mapping[str, Runs]) -> Iterator[Row]:
    """Compare the loader with everybody else."""
    for kind in (kind for kind in KINDS if kind in measured):
        runs = measured[kind]
        title, own = f"{ROWS[kind]:,} {KINDS[kind]}", runs[OWN]
        for other in (name for name in OTHERS if name in runs):
            yield faster(title, other, runs[other], own, aim=FASTER.get((kind, other)))
        yield slower(title, "the bare loop's time", own, runs["bare loop"], aim=BARE.get(kind))
        if AGAIN in runs:
            label = "a second run that changes every row, and the first"
            yield slower(title, label, runs[AGAIN], own, aim=CHANGED.get(kind))
    if "meltano run" not in measured:
        return
    title = f"{ROWS['records']:,} records from an API, `meltano run`"
    whole, bare = measured["meltano run"]["meltano run"], measured["meltano run"]["bare loop"]
    yield slower(title, "the bare loop's time", whole, bare, aim=BARE["meltano run"])


def figures(measured: Mapping[str, Runs]) -> dict[str, t.Sequence[t.Mapping[str, float]]]:
    """Return the runs of everybody who loads records; the bare loop of the longer part counts."""
    return {**measured.get("meltano run", {}), **measured["records"]}


def plot(measured: Mapping[str, Runs]) -> str:
    """Draw the speed of everybody who loads records."""
    loads = figures(measured).items()
    seconds = {name: median(walls(runs)) for name, runs in loads if name != AGAIN}
    rates = {name: ROWS["records"] / wall for name, wall in seconds.items()}
    ordered = dict(sorted(rates.items(), key=lambda pair: -pair[1]))
    title = f"Records per second into PostgreSQL: {ROWS['records']:,} records of 600 bytes"
    return bars(title, ordered, own=OWN, unit="/s")
