"""`tap-analytics plan`: what a sync would cost, told before it is run."""

from __future__ import annotations

import math
import typing as t
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from tap_analytics.commands import base
from tap_analytics.commands.plan.estimates import Plan
from tap_analytics.commands.plan.sample import Basis
from tap_analytics.config.files import read_json
from tap_analytics.errors import InputError

if t.TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rich.console import RenderableType

    from tap_analytics.commands.plan.estimates import Estimate

SECONDS_PER_MINUTE = 60
MEANINGS = {
    Basis.EXACT: "exact: read to the end.",
    Basis.TOTAL: "total: counted by the API.",
    Basis.SAMPLE: "sample, ~: multiplied out from what a few parents have below them.",
    Basis.AT_LEAST: "at least, ≥: what was seen; the API gives no total, and the end is not seen.",
}
OPEN_SAMPLE = "≳: at least about; part of it is not seen to the end, part of it is a sample."
BOUNDED = "≤: rows the API can't filter by bookmark or dates are read, and left out by the tap."


def main(argv: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    parser = base.parser("plan", "Tell what a sync would cost: requests, rows and minutes.")
    parser.add_argument("--catalog", metavar="FILE", help="plan what is selected in this catalog")
    parser.add_argument("--state", metavar="FILE", help="plan a run that goes on from this state")
    return base.run(_plan, parser.parse_args(argv))


def _plan(options: argparse.Namespace) -> int:
    tap = base.open_tap(
        options,
        catalog=_read(options.catalog, "catalog"),
        state=_read(options.state, "state"),
        setup_mapper=False,
    )
    tap.require_api()
    plan = Plan(tap)
    base.show(_data(plan), *_parts(plan), as_json=options.json)
    return int(any(one.error and not one.forgiven for one in plan.estimates))


def _read(path: str | None, kind: str) -> dict[str, t.Any] | None:
    if path is None:
        return None
    try:
        with Path(path).open(encoding="utf-8") as file:
            return read_json(file, kind)
    except OSError as error:
        raise InputError(
            f"The {kind} file {path} can't be read: {error.strerror}. Check its path and the "
            "permission to read it."
        ) from None


# --- as data ----------------------------------------------------------------------------------


def _data(plan: Plan) -> dict[str, t.Any]:
    return {
        "streams": [
            {"stream": one.name, **_figures(one), "error": one.error} for one in plan.estimates
        ],
        "sum": _figures(plan.total),
        "concurrency": plan.tap.config["concurrency"],
        "max_requests": plan.tap.config.get("max_requests"),
        "requests_used": plan.budget.used,
    }


def _figures(one: Estimate) -> dict[str, t.Any]:
    planned = one.error is None
    return {
        "requests": one.requests if planned else None,
        "rows": one.rows if planned else None,
        "basis": one.basis.value if planned else None,
        "estimated": one.estimated,
        "upper_bound": one.bounded,
        "seconds": round(one.seconds, 3) if planned else None,
    }


# --- as text ----------------------------------------------------------------------------------


def _parts(plan: Plan) -> list[RenderableType]:
    name, *figures = _cells(plan.total)
    table = Table(box=box.SIMPLE, show_footer=True, pad_edge=False)
    table.add_column("Stream", name, overflow="fold")
    for title, footer in zip(("Requests", "Rows", "Basis", "Minutes"), figures, strict=True):
        table.add_column(title, footer, justify="left" if title == "Basis" else "right")
    for one in plan.estimates:
        table.add_row(*_cells(one))
    return [table, *map(Text, _notes(plan))]


def _cells(one: Estimate) -> list[str]:
    if one.error is not None:
        return [one.name, "", "", "not planned", ""]
    sign = _sign(one)
    # A bound from above, added to one from below or to a guess, is neither.
    bound = "≤ " if one.basis is Basis.TOTAL and not one.estimated else "~ "
    return [
        one.name,
        f"{sign}{one.requests:,}",
        f"{bound if one.bounded else sign}{one.rows:,}",
        one.basis.value,
        f"{sign}{one.seconds / SECONDS_PER_MINUTE:,.2f}",
    ]


def _notes(plan: Plan) -> list[str]:
    found = {one.basis for one in plan.estimates if one.error is None}
    notes = [meaning for basis, meaning in MEANINGS.items() if basis in found]
    if plan.total.basis is Basis.AT_LEAST and plan.total.estimated:
        notes.append(OPEN_SAMPLE)
    if plan.total.bounded:
        notes.append(BOUNDED)
    errors: dict[str, list[str]] = {}
    for one in plan.estimates:
        if one.error is not None:
            errors.setdefault(one.error, []).append(one.name)
    notes += [f"Not planned: {', '.join(names)}: {error}" for error, names in errors.items()]
    limit = plan.tap.config.get("max_requests")
    if limit is not None and plan.total.requests > limit:
        runs = math.ceil(plan.total.requests / limit)
        notes.append(f"With max_requests at {limit}, that takes {runs} runs or more.")
    concurrency = plan.tap.config["concurrency"]
    notes.append(f"Planned with {plan.budget.used} requests, for concurrency {concurrency}.")
    return notes


def _sign(one: Estimate) -> str:
    if one.basis is Basis.AT_LEAST:
        return "≳ " if one.estimated else "≥ "
    return "~ " if one.estimated else ""
