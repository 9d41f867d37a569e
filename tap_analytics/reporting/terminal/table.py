"""The table at the end of a run: what became of each stream, and what each API was asked."""

from __future__ import annotations

import typing as t

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from tap_analytics.pagination.completeness import Verdict
from tap_analytics.transport.errors import TransportError
from tap_analytics.transport.redaction import redact

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from tap_analytics.reporting.results import StreamResult
    from tap_analytics.reporting.run import Connections, Run

#: Columns of a window below which there is room for the most important figures only, and below
#: which notes have to be wrapped for the names of the streams to stand on one line.
_NARROW, _WIDE = 60, 100
_NOTES = 12
_ASCII_RULES = box.Box(str(box.SIMPLE).replace("─", "-"), ascii=True)
_STYLES = {
    Verdict.VERIFIED.value: "green",
    Verdict.CONSISTENT.value: "green",
    Verdict.UNVERIFIED.value: "yellow",
    Verdict.SHORT.value: "yellow",
    "failed": "red",
}
#: Causes that are not words of their own, where no status tells more.
_CAUSES = {
    "credentials": "refused",
    "missing": "not found",
    "server": "server error",
    "body": "unreadable",
    "origin": "foreign link",
    "in_band": "error in 200",
    "oversized": "too large",
}


def closing(run: Run, seconds: float, console: Console) -> Group:
    """Return what to print at the end of a run that took so many seconds."""
    outcomes = sorted(run.results.values(), key=lambda outcome: outcome.name)
    apis = [Text(line, "dim", no_wrap=True, overflow="crop") for line in _apis(run.connections)]
    return Group("", _table(outcomes, seconds, console), *apis)


def _table(outcomes: Sequence[StreamResult], seconds: float, console: Console) -> Table:
    """Return a row for each stream, with as many columns as there is room for."""
    is_narrow = console.width <= _NARROW
    table = Table(
        box=_ASCII_RULES if console.options.ascii_only else box.SIMPLE,
        show_edge=False,
        show_footer=True,
        pad_edge=False,
        padding=(0, 0, 0, 1),
    )
    done = sum(each.done for each in outcomes)
    rows = sum(each.rows for each in outcomes)
    pages = sum(each.pages for each in outcomes)
    table.add_column("stream", f"{done} of {len(outcomes)} complete", overflow="fold")
    table.add_column("rows", f"{rows:,}", justify="right", no_wrap=True)
    if not is_narrow:
        table.add_column("pages", f"{pages:,}", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    if not is_narrow:
        table.add_column("time", duration(seconds), justify="right", no_wrap=True)
        if any(map(_notes, outcomes)):
            table.add_column("notes", max_width=None if console.width > _WIDE else _NOTES)
    for each in outcomes:
        verdict = _verdict(each)
        cells = [redact(each.name), f"{each.rows:,}", f"{each.pages:,}"]
        cells += [verdict, duration(each.elapsed), _notes(each)]
        shown = [cells[0], cells[1], cells[3]] if is_narrow else cells[: len(table.columns)]
        table.add_row(*(Text(cell, _STYLES.get(cell, "")) for cell in shown))
    return table


def _verdict(outcome: StreamResult) -> str:
    """Return the verdict of a stream, or why it has none."""
    if outcome.done:
        return outcome.verdict.value
    if outcome.failure is not None:
        return "optional" if outcome.is_optional else "failed"
    return "not begun" if outcome.started is None else "stopped"


def _apis(connections: Connections) -> t.Iterator[str]:
    """Yield a line for each API that was asked anything."""
    for name, connection in sorted(connections.items()):
        stats, throttle = connection.transport.stats, connection.throttle
        if not stats.requests:
            continue
        line = f"{name}: {counted(stats.requests, 'request')}"
        if stats.retries:
            line += f", {counted(stats.retries, 'retry', 'retries')}"
        if throttle.throttled_count:
            waited = throttle.throttled_seconds - throttle.paused_for
            line += f", {duration(waited)} waited for the rate limit"
        yield line


def _notes(outcome: StreamResult) -> str:
    """Return what else there is to say of a stream, in a few words."""
    notes = []
    if outcome.failure is not None:
        notes.append(reason(outcome.failure))
    if outcome.cut:
        notes.append("cut short")
    elif outcome.doubt is not None:
        notes.append("may lack rows")
    if outcome.parents_missing:
        notes.append(f"{counted(outcome.parents_missing, 'parent')} gone")
    if outcome.repeated:
        least = "" if outcome.repeats_exact else "at least "
        notes.append(f"{least}{counted(outcome.repeated, 'repeated key')}")
    if outcome.mismatches:
        notes.append(counted(outcome.mismatches, "type mismatch", "type mismatches"))
    return ", ".join(notes)


def reason(failure: Exception) -> str:
    """Return in a word or two why a stream failed; the log tells the rest."""
    if isinstance(failure, TransportError):
        told = _CAUSES.get(failure.cause, failure.cause)
        return f"answered {failure.status}" if failure.status else told
    return type(failure).__name__.removesuffix("Error").lower()


def counted(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun: `1 retry`, `1,200 rows`."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def clock(seconds: float) -> str:
    """Return a running time: `0:12:34`."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def duration(seconds: float) -> str:
    """Return how long something took: `7.3 s`, `0:12:34`."""
    return f"{seconds:.1f} s" if seconds < 60 else clock(seconds)  # noqa: PLR2004 - a minute
