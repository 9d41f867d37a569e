"""`tap-analytics plan`: estimate the requests, rows and time of a sync."""

from __future__ import annotations

import json
import math
import os
import typing as t
from fnmatch import fnmatchcase

from rich import box
from rich.table import Table
from rich.text import Text

from tap_analytics.commands import base
from tap_analytics.commands.plan.sample import Basis
from tap_analytics.commands.plan.sync_plan import SyncPlan
from tap_analytics.config.files import read_json_file
from tap_analytics.errors import explain
from tap_analytics.reporting.numbers import duration
from tap_analytics.streams.scope import is_optional

if t.TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rich.console import RenderableType

    from tap_analytics.commands.plan.sample import Sample

#: Variables of Meltano: rules such as `stream.column` or `!stream.column`, and the names of streams
#: that a run is limited to.
SELECT, SELECT_FILTER = "MELTANO_EXTRACT__SELECT", "MELTANO_EXTRACT__SELECT_FILTER"
MEANINGS = {
    Basis.EXACT: "exact: read to the end.",
    Basis.TOTAL: "total: counted by the API.",
    Basis.SAMPLE: "sample, ~: extrapolated from the children of a few parents.",
    Basis.AT_LEAST: "at least, ≥: rows seen; the API gives no total, and the end was not reached.",
}
OPEN_SAMPLE = "≳: at least about; a sum of lower bounds and samples."
BOUNDED = (
    "≤: the API can't filter all rows by bookmark or dates; the tap reads and drops the others."
)


def main(argv: Sequence[str]) -> int:
    """Print the plan; return 1 if a stream can't be planned and isn't optional."""
    parser = base.parser("plan", "Estimate the requests, rows and time of a sync.")
    parser.add_argument("--catalog", metavar="FILE", help="plan what is selected in this catalog")
    parser.add_argument("--state", metavar="FILE", help="plan a run with this state")
    return base.run(_plan, parser.parse_args(argv))


def _plan(options: argparse.Namespace) -> int:
    tap = base.open_tap(
        options,
        catalog=read_json_file(options.catalog, "catalog"),
        state=read_json_file(options.state, "state"),
        setup_mapper=False,
    )
    tap.require_api()
    plan = SyncPlan(tap, selects=meltano_selection({} if options.catalog else os.environ))
    base.show(_data(plan), *_parts(plan), as_json=options.json)
    return int(any(e.error and not is_optional(e.stream, e.error) for e in plan.estimates))


def meltano_selection(environ: Mapping[str, str]) -> Callable[[str], bool]:
    """Return a function of whether Meltano selects a stream; it runs commands without a catalog."""
    rules = _patterns(environ.get(SELECT))
    dropped = [rule[1:].partition(".") for rule in rules if rule.startswith("!")]
    streams = [rule.partition(".")[0] for rule in rules if not rule.startswith("!")]
    streams_dropped = [stream for stream, _, column in dropped if column == "*"]
    filters = _patterns(environ.get(SELECT_FILTER))
    kept = [each for each in filters if not each.startswith("!")]
    streams_dropped += [each[1:] for each in filters if each.startswith("!")]
    return lambda name: (
        _matches(name, streams or ["*"])
        and _matches(name, kept or ["*"])
        and not _matches(name, streams_dropped)
    )


def _patterns(value: str | None) -> list[str]:
    try:
        found = json.loads(value or "[]")
    except ValueError:
        return []
    return [str(each) for each in found] if isinstance(found, list) else []


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


# --- as data ----------------------------------------------------------------------------------


def _data(plan: SyncPlan) -> dict[str, t.Any]:
    return {
        "streams": [
            {
                "stream": one.stream.name,
                **_figures(one.figures, None if one.error else one.seconds),
                "error": explain(one.error) if one.error else None,
            }
            for one in plan.estimates
        ],
        "sum": _figures(plan.total, plan.seconds),
        "concurrency": plan.tap.config["concurrency"],
        "max_requests": plan.tap.config.get("max_requests"),
        "requests_used": plan.budget.used,
    }


def _figures(found: Sample, seconds: float | None) -> dict[str, t.Any]:
    is_planned = seconds is not None
    return {
        "requests": found.requests if is_planned else None,
        "rows": found.wanted if is_planned else None,
        "requests_margin": found.requests_margin if is_planned else None,
        "rows_margin": found.wanted_margin if is_planned else None,
        "basis": found.basis.value if is_planned else None,
        "estimated": found.estimated,
        "upper_bound": found.bounded,
        "seconds": None if seconds is None else round(seconds, 3),
    }


# --- as text ----------------------------------------------------------------------------------


def _parts(plan: SyncPlan) -> list[RenderableType]:
    table = Table(box=box.SIMPLE, show_footer=True, pad_edge=False)
    table.add_column("Stream", "Sum", overflow="fold")
    footers = _cells(plan.total, plan.seconds)
    for title, footer in zip(("Requests", "Rows", "Basis", "Time"), footers, strict=True):
        table.add_column(title, footer, justify="left" if title == "Basis" else "right")
    for one in plan.estimates:
        is_planned = one.error is None
        cells = _cells(one.figures, one.seconds) if is_planned else ["", "", "not planned", ""]
        table.add_row(one.stream.name, *cells)
    return [table, *map(Text, _notes(plan))]


def _cells(found: Sample, seconds: float) -> list[str]:
    sign = "~ " if found.estimated else ""
    if found.basis is Basis.AT_LEAST:
        sign = "≳ " if found.estimated else "≥ "
    # The sum of an upper bound and a lower bound or an estimate is only an estimate.
    bound = "≤ " if found.basis is Basis.TOTAL and not found.estimated else "~ "
    return [
        f"{sign}{found.requests:,}{_margin(found, found.requests_margin)}",
        f"{bound if found.bounded else sign}{found.wanted:,}{_margin(found, found.wanted_margin)}",
        found.basis.value,
        f"{sign}{_time(seconds)}",
    ]


def _margin(found: Sample, margin: int) -> str:
    # A lower bound has no margin.
    return f" ± {margin:,}" if margin and found.basis is not Basis.AT_LEAST else ""


def _time(seconds: float) -> str:
    # Rounded up, so that it is never shown as zero.
    return f"{math.ceil(seconds * 100) / 100:.2f} s" if seconds < 1 else duration(seconds)


def _notes(plan: SyncPlan) -> list[str]:
    total = plan.total
    found = {one.figures.basis for one in plan.estimates if one.error is None}
    notes = [meaning for basis, meaning in MEANINGS.items() if basis in found]
    if total.basis is Basis.AT_LEAST and total.estimated:
        notes.append(OPEN_SAMPLE)
    if total.bounded:
        notes.append(BOUNDED)
    errors: dict[str, list[str]] = {}
    for one in plan.estimates:
        if one.error is not None:
            errors.setdefault(explain(one.error), []).append(one.stream.name)
    notes += [f"Not planned: {', '.join(names)}: {error}" for error, names in errors.items()]
    limit = plan.tap.config.get("max_requests")
    if limit is not None and total.requests > limit:
        runs = math.ceil(total.requests / limit)
        notes.append(f"With max_requests at {limit}, that takes {runs} runs or more.")
    concurrency = plan.tap.config["concurrency"]
    notes.append(f"Planned with {plan.budget.used} requests, for concurrency {concurrency}.")
    return notes
