"""The table at the end of a run: what became of each stream, and what each API was asked."""

from __future__ import annotations

import io
import typing as t
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tap_analytics.completeness import Verdict
from tap_analytics.terminal.layout import Signs, counted, duration, shortened
from tap_analytics.transport.errors import TransportError
from tap_analytics.transport.redaction import redact

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tap_analytics.outcome import Outcome
    from tap_analytics.tap import TapAnalytics

#: Columns of a window below which there is room for the most important figures only.
_NARROW = 60
_MOST_IMPORTANT = ("stream", "rows", "verdict")
#: Columns between two columns, and those that notes, which may wrap, get at least.
_GAP = 2
_NOTES = 12
_RULES = box.SIMPLE
_ASCII_RULES = box.Box(str(_RULES).replace("─", "-"), ascii=True)
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


@dataclass(frozen=True, kw_only=True)
class _Column:
    title: str
    cell: Callable[[Outcome], str]
    total: str = ""
    is_number: bool = False


class Closing:
    """The outcome of a run, for people."""

    def __init__(self, tap: TapAnalytics, *, seconds: float, signs: Signs) -> None:
        self.outcomes = sorted(tap.outcomes.values(), key=lambda outcome: outcome.name)
        self.connections = tap.connections
        self.seconds = seconds
        self.signs = signs

    def render(self, width: int, *, colour: bool) -> str:
        """Return the table as it is written to a terminal of this width."""
        console = Console(
            file=io.StringIO(),
            width=width,
            force_terminal=True,
            color_system="standard" if colour else None,
            legacy_windows=False,
            highlight=False,
            markup=False,
        )
        console.print()
        console.print(self._table(width))
        for line in self._apis():
            console.print(line, style="dim", no_wrap=True, overflow="ellipsis")
        lines = t.cast("io.StringIO", console.file).getvalue().splitlines()
        return "".join(f"{line.rstrip()}\n" for line in lines)

    def _table(self, width: int) -> Table:
        columns = self._columns(width)
        cells = {each.title: list(map(each.cell, self.outcomes)) for each in columns}
        widths = {each.title: len(each.total or each.title) for each in columns}
        widths |= {name: max(widths[name], *map(len, texts)) for name, texts in cells.items()}
        widths["notes"] = min(widths.get("notes", 0), _NOTES)
        beside = sum(widths[each.title] + _GAP for each in columns[1:])
        rules = _RULES if self.signs == Signs() else _ASCII_RULES
        table = Table(
            box=rules, show_edge=False, show_footer=True, pad_edge=False, padding=(0, 0, 0, 1)
        )
        for each in columns:
            table.add_column(
                each.title,
                each.total,
                justify="right" if each.is_number else "left",
                no_wrap=each.title != "notes",
            )
        for row in zip(*cells.values(), strict=True):
            name = shortened(row[0], max(width - beside, 1), self.signs)
            table.add_row(name, *(Text(text, style=_STYLES.get(text, "")) for text in row[1:]))
        return table

    def _columns(self, width: int) -> Sequence[_Column]:
        """Return the columns that there is room for, and notes if there are any."""
        done = sum(each.done for each in self.outcomes)
        rows = sum(each.rows for each in self.outcomes)
        pages = sum(each.pages for each in self.outcomes)
        columns = [
            _Column(
                title="stream",
                cell=lambda each: redact(each.name),
                total=f"{done} of {len(self.outcomes)} complete",
            ),
            _Column(
                title="rows",
                cell=lambda each: f"{each.rows:,}",
                total=f"{rows:,}",
                is_number=True,
            ),
            _Column(
                title="pages",
                cell=lambda each: f"{each.pages:,}",
                total=f"{pages:,}",
                is_number=True,
            ),
            _Column(title="verdict", cell=self._verdict),
            _Column(
                title="time",
                cell=lambda each: duration(each.elapsed),
                total=duration(self.seconds),
                is_number=True,
            ),
            _Column(title="notes", cell=_notes),
        ]
        if width < _NARROW:
            return [each for each in columns if each.title in _MOST_IMPORTANT]
        return columns if any(map(_notes, self.outcomes)) else columns[:-1]

    def _verdict(self, outcome: Outcome) -> str:
        """Return the verdict of a stream, or why it has none."""
        if outcome.done:
            return outcome.verdict.value
        if outcome.failure is not None:
            return "optional" if outcome.forgiven else "failed"
        return "not begun" if outcome.started is None else "stopped"

    def _apis(self) -> list[str]:
        """Return a line for each API that was asked anything."""
        lines = []
        for name, connection in sorted(self.connections.items()):
            stats, throttle = connection.transport.stats, connection.throttle
            if not stats.requests:
                continue
            line = f"{name}: {counted(stats.requests, 'request')}"
            if stats.retries:
                line += f", {counted(stats.retries, 'retry', 'retries')}"
            if throttle.throttled_count:
                waited = throttle.throttled_seconds - throttle.held_for
                line += f", {duration(waited)} waited for the rate limit"
            lines.append(line)
        return lines


def _notes(outcome: Outcome) -> str:
    """Return what else there is to say of a stream, in a few words."""
    notes = []
    if outcome.failure is not None:
        notes.append(reason(outcome.failure))
    if outcome.cut:
        notes.append("cut short")
    elif outcome.doubt is not None:
        notes.append("may lack rows")
    if outcome.skipped:
        notes.append(f"{counted(outcome.skipped, 'parent')} gone")
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
