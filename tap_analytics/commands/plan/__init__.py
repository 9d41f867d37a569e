"""`tap-analytics plan`: estimate the requests, rows and time of a sync."""

from __future__ import annotations

import math
import os
import typing as t

from rich import box
from rich.table import Table
from rich.text import Text

from tap_analytics.commands import base
from tap_analytics.commands.plan.sample import Basis
from tap_analytics.commands.plan.sync_plan import SyncPlan
from tap_analytics.config.files import read_json_file
from tap_analytics.config.meltano import meltano_selection
from tap_analytics.errors import explain
from tap_analytics.reporting.numbers import duration
from tap_analytics.streams.scope import is_optional

if t.TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rich.console import RenderableType

    from tap_analytics.commands.plan.sample import Sample

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
    parser.add_argument("--all", action="store_true", help="plan streams that aren't selected too")
    return base.run(_plan, parser.parse_args(argv))


def _plan(options: argparse.Namespace) -> int:
    tap = base.open_tap(
        options,
        catalog=read_json_file(options.catalog, "catalog"),
        state=read_json_file(options.state, "state"),
        setup_mapper=False,
    )
    tap.require_api()
    is_given = options.catalog or options.all
    selects = meltano_selection({} if is_given else os.environ)
    plan = SyncPlan(tap, selects=selects, every=options.all)
    base.show(_data(plan), *_parts(plan), as_json=options.json)
    return int(any(e.error and not is_optional(e.stream, e.error) for e in plan.estimates))


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
    if left_out := [stream.name for stream in plan.left_out]:
        notes.append(f"Not selected by default: {', '.join(left_out)}; --all plans them too.")
    limit = plan.tap.config.get("max_requests")
    if limit is not None and total.requests > limit:
        runs = math.ceil(total.requests / limit)
        notes.append(f"With max_requests at {limit}, that takes {runs} runs or more.")
    concurrency = plan.tap.config["concurrency"]
    notes.append(f"Planned with {plan.budget.used} requests, for concurrency {concurrency}.")
    return notes
