"""The table at the end of a run: a row per stream, and the requests to each API."""

from __future__ import annotations

import re
import typing as t

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from tap_analytics.errors import TapError
from tap_analytics.pagination.completeness import Verdict
from tap_analytics.reporting.log import requests_of_apis
from tap_analytics.reporting.numbers import duration
from tap_analytics.transport.errors import TransportError
from tap_analytics.transport.redaction import redact

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from tap_analytics.reporting.results import StreamResult
    from tap_analytics.reporting.run import Run

#: Terminal width in columns up to which only the most important columns are shown, and up to which
#: notes are wrapped so that stream names stay on one line.
_NARROW, _WIDE = 60, 100
_IMPORTANT = {"stream", "rows", "verdict"}
_NOTES = 12
_ASCII_RULES = box.Box(str(box.SIMPLE).replace("─", "-"), ascii=True)
_STYLES = {
    Verdict.VERIFIED.value: "green",
    Verdict.CONSISTENT.value: "green",
    Verdict.UNVERIFIED.value: "yellow",
    Verdict.SHORT.value: "yellow",
    "failed": "red",
}
#: Texts for the causes whose names are unclear, where there is no status.
_CAUSES = {
    "credentials": "refused",
    "missing": "not found",
    "server": "server error",
    "body": "unreadable",
    "origin": "foreign link",
    "in_band": "error in 200",
    "oversized": "too large",
}


def final_table(run: Run, seconds: float, console: Console) -> Group:
    """Return what to print at the end of a run."""
    results = sorted(run.results.values(), key=lambda result: result.name)
    apis = (Text(line, "dim", no_wrap=True, overflow="crop") for line in requests_of_apis(run))
    return Group("", _table(results, seconds, console), *apis)


def _table(results: Sequence[StreamResult], seconds: float, console: Console) -> Table:
    """Return a row for each stream, with as many columns as fit."""
    columns = [
        each
        for each in _columns(results, seconds, is_wide=console.width > _WIDE)
        if console.width > _NARROW or each[0] in _IMPORTANT
    ]
    table = Table(
        box=_ASCII_RULES if console.options.ascii_only else box.SIMPLE,
        show_edge=False,
        show_footer=True,
        pad_edge=False,
        padding=(0, 0, 0, 1),
    )
    for name, footer, _, options in columns:
        table.add_column(name, footer, **options)
    for cells in zip(*(cells for _, _, cells, _ in columns), strict=True):
        table.add_row(*(Text(cell, _STYLES.get(cell, "")) for cell in cells))
    return table


def _columns(
    results: Sequence[StreamResult], seconds: float, *, is_wide: bool
) -> Iterator[tuple[str, str, list[str], dict[str, t.Any]]]:
    """Yield the columns: name, footer, cells and options."""
    number = {"justify": "right", "no_wrap": True}
    done = sum(each.done for each in results)
    rows, pages = sum(each.rows for each in results), sum(each.pages for each in results)
    names = [redact(each.name) for each in results]
    notes = [", ".join(_notes(each)) for each in results]
    yield "stream", f"{done} of {len(results)} complete", names, {"overflow": "fold"}
    yield "rows", f"{rows:,}", [f"{each.rows:,}" for each in results], number
    yield "pages", f"{pages:,}", [f"{each.pages:,}" for each in results], number
    yield "verdict", "", [_verdict(each) for each in results], {"no_wrap": True}
    yield "time", duration(seconds), [duration(each.elapsed) for each in results], number
    if any(notes):
        yield "notes", "", notes, {"max_width": None if is_wide else _NOTES}


def _verdict(result: StreamResult) -> str:
    """Return the verdict of a stream, or why it has none."""
    if result.done:
        return result.verdict.value
    if result.failure is not None:
        return "optional" if result.is_optional else "failed"
    return "not begun" if result.started is None else "stopped"


def _notes(result: StreamResult) -> list[str]:
    return [*([] if result.failure is None else [reason(result.failure)]), *result.notes]


def reason(failure: Exception) -> str:
    """Return in a few words why a stream failed; the log has the full message."""
    if isinstance(failure, TapError):
        name = type(failure).__name__.removesuffix("Error")
        return re.sub("(?<=[a-z])(?=[A-Z])", " ", name).lower()
    if not isinstance(failure, TransportError):
        return "unexpected error"
    if failure.status:
        return f"answered {failure.status}"
    return _CAUSES.get(failure.cause, failure.cause)
