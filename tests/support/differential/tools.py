"""Runs of a tool over many constructs in one process of its own environment."""

from __future__ import annotations

import json
import subprocess
import typing as t
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.environments import prepare, python

from support.catalog import BREAK, INNERMOST
from support.differential.construct import Construct, Description, Rows
from support.differential.server import SECOND, Recorder
from support.paths import FIXTURES

if t.TYPE_CHECKING:
    from collections.abc import Iterable

HERE = Path(__file__).parent
RECORDED = FIXTURES / "differential.json"
TOOLS = ("airbyte", "dlt")


@dataclass
class Outcome:
    """What a tool asked for and brought; `error` is why it failed."""

    requests: list[str] = field(default_factory=list)
    rows: Rows = field(default_factory=dict)
    #: Rows of the second run.
    changed: Rows = field(default_factory=dict)
    error: str = ""


def outcomes(tool: str, constructs: Iterable[Construct]) -> dict[str, Outcome]:
    """Return what a tool does with each construct that it can describe."""
    prepare(tool)
    described = [each for each in constructs if isinstance(each.description(tool), Description)]
    with Recorder(described) as server:
        tasks = {
            each.name: {
                "source": t.cast("Description", each.description(tool)).at(server.origin_of(each)),
                "config": dict(each.config),
                "streams": list(each.rows),
                "second": f"{server.origin_of(each)}/{SECOND}" if each.changed else None,
            }
            for each in described
        }
        program = [python(tool), "-P", str(HERE / f"read_{tool}.py")]
        done = subprocess.run(
            program,
            input=json.dumps(tasks),
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        found = json.loads(done.stdout.rpartition("\n")[2].replace(server.origin, "ORIGIN"))
        return {each.name: _outcome(server.taken(each), **found[each.name]) for each in described}


def _outcome(requests: list[str], rows: list[Rows], error: str) -> Outcome:
    # Threads may bring rows in any order.
    first, second = (
        {name: sorted(each, key=json.dumps) for name, each in run.items()} for run in rows
    )
    return Outcome(requests, first, second, error)


def recorded() -> dict[str, dict[str, Outcome]]:
    """Return the outcomes by tool and construct that were recorded."""
    plain = json.loads(RECORDED.read_text("utf-8"))
    return {
        tool: {name: Outcome(**one) for name, one in each.items()} for tool, each in plain.items()
    }


def record(found: dict[str, dict[str, Outcome]]) -> None:
    plain = {
        tool: {name: asdict(one) for name, one in each.items()} for tool, each in found.items()
    }
    text = json.dumps(plain, indent=1, ensure_ascii=False)
    RECORDED.write_text(INNERMOST.sub(lambda inner: BREAK.sub(" ", inner[0]), text) + "\n", "utf-8")
