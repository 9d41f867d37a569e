"""The live display: a head line and a line per running stream; finished streams move up."""

from __future__ import annotations

import logging
import os
import typing as t
from collections import defaultdict, deque
from time import monotonic, sleep

from tap_analytics.terminal.closing import Closing, reason
from tap_analytics.terminal.layout import (
    PLAIN,
    Layout,
    Signs,
    clock,
    counted,
    cut,
    duration,
    first_that_fits,
    painted,
    wait,
)
from tap_analytics.terminal.screen import Screen
from tap_analytics.transport.redaction import redact

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.outcome import Outcome
    from tap_analytics.tap import TapAnalytics
    from tap_analytics.terminal.layout import Piece

#: Pictures that a rate is measured over: at five a second, the last five seconds.
_SPAN = 25
#: Lines of the window that are left to what stands above the display.
_SPARED = 2
#: Seconds that a terminal has after a signal to take what is left, and between two looks at it.
_GRACE, _TICK = 0.5, 0.05


class Display:
    """Shows a run on a terminal, from its first second to the table at its end."""

    def __init__(self, tap: TapAnalytics, stream: t.TextIO) -> None:
        self.tap = tap
        self.screen = Screen(stream)
        unicode = (stream.encoding or "").lower().replace("-", "").startswith("utf")
        self._signs = Signs() if unicode else PLAIN
        self._colour = not os.environ.get("NO_COLOR")
        self._began = monotonic()
        self._rates = Rates()
        self._told: set[str] = set()
        self._drawn = False
        # What the log says at its usual level, the display says better.
        asked = any(os.environ.get(name) for name in ("TAP_ANALYTICS_LOGLEVEL", "LOGLEVEL"))
        self.screen.take(level=logging.NOTSET if asked else logging.WARNING)

    def draw(self) -> None:
        """Show where the run is now."""
        if not self.screen.is_ready:
            return
        size = self.screen.size
        layout = self._layout(size.columns)
        outcomes = list(self.tap.outcomes.values())
        running = [each for each in outcomes if each.started is not None and not each.over]
        self._rates.note(outcomes)
        room = max(1, size.lines - _SPARED - 1)
        if len(running) > room:
            shown = running[: room - 1]
            more = f"  and {len(running) - len(shown)} more"
        else:
            shown, more = running, ""
        lines = [self._head(outcomes, layout), *(self._running(each, layout) for each in shown)]
        if more:
            lines.append(cut([(more, "dim")], layout.usable))
        above = self._finished(outcomes, layout)
        self.screen.draw([self._set(line) for line in lines], above=above)
        self._drawn = True

    def close(self) -> None:
        """Take the live lines away; streams that ended since they were drawn get their line."""
        self.screen.clear()
        if self._drawn:
            layout = self._layout(self.screen.size.columns)
            self.screen.write(self._finished(list(self.tap.outcomes.values()), layout))

    def conclude(self, seconds: float) -> None:
        """Write the table of the whole run."""
        closing = Closing(self.tap, seconds=seconds, signs=self._signs)
        text = closing.render(self.screen.size.columns - 1, colour=self._colour)
        self.screen.write(redact(text))

    def leave(self) -> None:
        """Give the terminal back when it has taken everything; a signal leaves it little time."""
        deadline = None
        while not self.screen.push():
            if self.tap.stop.is_set:
                deadline = deadline or monotonic() + _GRACE
            if deadline is not None and monotonic() > deadline:
                break
            sleep(_TICK)
        self.screen.give_back()

    # --- lines ------------------------------------------------------------------------------

    def _layout(self, columns: int) -> Layout:
        longest = max(map(len, self.tap.outcomes), default=0)
        return Layout(columns=columns, longest=longest, signs=self._signs)

    def _set(self, line: Sequence[Piece]) -> str:
        plain = "".join(text for text, _ in line)
        if (clean := redact(plain)) != plain:
            return clean[: len(plain)]
        return painted(line, colour=self._colour)

    def _head(self, outcomes: Sequence[Outcome], layout: Layout) -> list[Piece]:
        connections = self.tap.connections.values()
        flying = sum(each.throttle.in_flight for each in connections)
        retries = sum(each.transport.stats.retries for each in connections)
        done = sum(each.over for each in outcomes)
        since, of = clock(monotonic() - self._began), f"{done} of {len(outcomes)}"
        name = first_that_fits(
            [f"{since}  {of} streams done", f"{since}  {of} done", f"{since} {of}", since],
            layout.name,
        )
        tried = counted(retries, "retry", "retries")
        place = f"{flying} in flight"
        if retries:
            place = first_that_fits([f"{place}, {tried}", tried], layout.place)
        rows = sum(each.rows for each in outcomes)
        return layout.line(name, rows, self._rates.total, [(place, "bold")], style="bold")

    def _running(self, outcome: Outcome, layout: Layout) -> list[Piece]:
        stream = t.cast("AnalyticsStream", self.tap.streams[outcome.name])
        connection = self.tap.connections.get(stream.api)
        held = 0.0 if connection is None else connection.throttle.held_for
        if held > 0:
            left = wait(held)
            text = first_that_fits(
                [f"waiting for the rate limit {left}", f"rate limit {left}", f"wait {left}"],
                layout.room(rate=False),
            )
            return layout.line(redact(outcome.name), outcome.rows, None, [(text, "yellow")])
        rate, place = self._rates.of(outcome.name), self._place(outcome, stream, layout)
        return layout.line(redact(outcome.name), outcome.rows, rate, place)

    @staticmethod
    def _place(outcome: Outcome, stream: AnalyticsStream, layout: Layout) -> list[Piece]:
        """Return how far a stream is, in the best terms there are."""
        if share := outcome.share:
            read, total = share
            return layout.bar(read / total)
        if stream.parent_stream_type is not None:
            return [(counted(outcome.walks, "parent"), "")]
        return [(f"page {outcome.pages:,}" if outcome.pages else "", "")]

    def _finished(self, outcomes: Sequence[Outcome], layout: Layout) -> str:
        """Return the lines of the streams that have ended since the last time."""
        ended = [each for each in outcomes if each.over and each.name not in self._told]
        self._told.update(each.name for each in ended)
        return "".join(f"{self._set(self._ended(each, layout))}\n" for each in ended)

    def _ended(self, outcome: Outcome, layout: Layout) -> list[Piece]:
        took, pages = duration(outcome.elapsed), counted(outcome.pages, "page")
        if outcome.failure is not None:
            cause = reason(outcome.failure)
            texts, mark = [f"failed: {cause}", "failed"], (self._signs.failed, "red")
            place = (first_that_fits(texts, layout.room(rate=False)), "red")
            return layout.line(redact(outcome.name), outcome.rows, None, [place], mark=mark)
        verdict = outcome.verdict.value
        texts = [f"{verdict}, {pages}, {took}", f"{verdict}, {took}", verdict]
        place = (first_that_fits(texts, layout.place), "")
        rate = outcome.rows / max(outcome.elapsed, 0.001)
        mark = (self._signs.done, "green")
        return layout.line(redact(outcome.name), outcome.rows, rate, [place], mark=mark)


class Rates:
    """Rows per second over the last seconds, so that they neither jump nor lag."""

    def __init__(self) -> None:
        self._rows: defaultdict[str, deque[tuple[float, int]]] = defaultdict(
            lambda: deque(maxlen=_SPAN)
        )
        self.total = 0.0

    def note(self, outcomes: Sequence[Outcome]) -> None:
        """Take note of where the streams are now."""
        now = monotonic()
        for outcome in outcomes:
            if outcome.started is not None and outcome.name not in self._rows:
                self._rows[outcome.name].append((outcome.started, 0))
            if outcome.name in self._rows:
                self._rows[outcome.name].append((now, outcome.rows))
        self.total = sum(map(self.of, self._rows))

    def of(self, name: str) -> float:
        """Return the rows per second of a stream."""
        seen = self._rows[name]
        (then, before), (now, rows) = seen[0], seen[-1]
        return (rows - before) / max(now - then, 0.001)
