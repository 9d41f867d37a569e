"""Measure the tap and other extractors, and write `docs/performance.md`: `scripts/bench` runs this.

Each part is measured on its own and kept in `results.json`, so that one can be repeated; the page
is always written from the whole.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import typing as t
from datetime import UTC, datetime
from functools import partial

import environments
import loading
import others
from environments import HERE
from measure import Run, measured, progress
from report import write
from works import works

if t.TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

RESULTS = HERE / "results.json"


def parts(scale: int) -> Mapping[str, Callable[[], Mapping[str, t.Any]]]:
    """Return how each part is measured; a scale above 1 makes all of them smaller."""
    checked: set[Hashable] = set()
    return {
        **{name: partial(measured, work, checked=checked) for name, work in works(scale).items()},
        "start-up": others.start_up,
        "memory": partial(others.memory, scale),
        "growth": others.growth,
        "loading": partial(loading.of_records, scale),
        "loading, other rows": partial(loading.of_other_rows, scale),
        "pipeline": partial(others.pipeline, 1_000_000 // scale),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what is named, or everything, and write the page; return the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("part", nargs="*", help=f"one of: {', '.join(parts(1))}")
    parser.add_argument("--quick", action="store_true", help="try everything, and keep nothing")
    parser.add_argument("--report", action="store_true", help="only write the page again")
    options = parser.parse_args(argv)
    if options.report:
        write(json.loads(RESULTS.read_text("utf-8")))
        return 0
    environments.prepare()
    available = parts(40 if options.quick else 1)
    if unknown := set(options.part) - available.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}. Known: {', '.join(available)}")
    for name in options.part or available:
        progress(name)
        result = available[name]()
        if not options.quick:
            keep(name, result)
    if not options.quick:
        write(json.loads(RESULTS.read_text("utf-8")))
    return 0


def keep(name: str, result: Mapping[str, t.Any]) -> None:
    """Put the result of a part among those of the others."""
    results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    results[name] = {
        "measured": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "result": {label: plain(value) for label, value in result.items()},
    }
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


def plain(value: t.Any) -> t.Any:
    """Spell a result as JSON; a millisecond is as fine as it gets."""
    if isinstance(value, Run):
        return {name: plain(part) for name, part in vars(value).items()}
    if hasattr(value, "_asdict"):
        return {name: plain(part) for name, part in value._asdict().items()}
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return round(value, 3) if isinstance(value, float) else value


if __name__ == "__main__":
    sys.exit(main())
