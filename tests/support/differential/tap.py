"""Runs of the tap over what it imports."""

from __future__ import annotations

import json
import os
import tempfile
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.runs import run
from tap_analytics.commands.importing import import_file

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from support.differential.construct import Construct, Rows
    from support.differential.server import Recorder
    from tap_analytics.commands.importing import Imported as Entry


@dataclass
class Imported:
    """What a run of an imported description asked for and brought, and how its streams ended."""

    requests: list[str]
    rows: Rows
    changed: Rows
    verdicts: dict[str, str]
    failures: dict[str, str]
    #: Whether all streams were taken, and why not.
    notes: tuple[str, ...]
    missing: tuple[str, ...]


def read_imported(construct: Construct, tool: str, server: Recorder, width: int = 1) -> Imported:
    """Import the description that a tool is given, and read it."""
    imported = imported_entry(construct, tool, server)
    if imported.missing:
        return Imported([], {}, {}, {}, {}, imported.notes, imported.missing)
    with _environment(construct.environment):
        # How long it waits isn't compared.
        entry = {**imported.entry, "retry": {"backoff_factor": 0}}
        config = {"apis": [entry], "concurrency": width, **construct.settings}
        done = run(config)
        if construct.changed:
            server.begin_second(construct)
            again = run(config, state=done.state)
    results = done.tap.run.results
    return Imported(
        server.taken(construct),
        {name: done.records(f"api_{name}") for name in construct.rows},
        {name: again.records(f"api_{name}") for name in construct.changed},
        {name: results[f"api_{name}"].verdict.value for name in construct.rows},
        {name: done.failure(f"api_{name}") for name in construct.rows},
        imported.notes,
        imported.missing,
    )


def imported_entry(construct: Construct, tool: str, server: Recorder) -> Entry:
    """Return what `tap-analytics import` makes of the description."""
    source = construct.description(tool).at(server.origin_of(construct))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "api.json")
        path.write_text(json.dumps(source), "utf-8")
        return import_file(str(path), name="api")[0]


@contextmanager
def _environment(values: t.Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
