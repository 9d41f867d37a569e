"""The live display: a header line and a line per running stream; finished streams scroll up.

The cursor stays visible, on an empty line above the display. `rich.live` hides it and leaves it
below, where it would overwrite the lines of a target on the same terminal.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import sys
import threading
import typing as t
from collections import deque
from queue import SimpleQueue
from time import monotonic

from rich.console import Console, Group, RenderHook
from rich.control import Control
from rich.file_proxy import FileProxy
from rich.progress_bar import ProgressBar
from rich.segment import ControlType, Segment, Segments
from rich.table import Table
from rich.text import Text
from typing_extensions import override

from tap_analytics.reporting.numbers import clock, duration, plural
from tap_analytics.reporting.terminal import in_foreground
from tap_analytics.reporting.terminal.table import final_table, reason
from tap_analytics.transport.redaction import redact

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import ConsoleRenderable, RenderableType

    from tap_analytics.reporting.results import StreamResult
    from tap_analytics.reporting.run import Run

#: Terminal width in columns up to which the rate is left out.
_NARROW = 70
#: Columns beside name and progress, without and with a rate; minimum columns of the progress.
_BESIDE, _PROGRESS = (13, 25), 16
#: Lines of the window left for what is printed above the display.
_ABOVE = 3
#: Frames that a rate is measured over: at five frames a second, the last five seconds.
_SAMPLES = 25
#: Seconds to write the remaining output after a signal.
_GRACE = 0.5
_ERASE_BELOW = Segments([Segment("\r\x1b[J", None, [(ControlType.CLEAR,)])])
_NOTHING = Segments([])


class Display(RenderHook):
    """Shows a run on a terminal, from its start to the table at its end."""

    def __init__(self, run: Run, stream: t.TextIO) -> None:
        self.run = run
        self._stream = stream
        self._terminal = _Terminal(stream)
        self._console = Console(
            file=t.cast("t.TextIO", self._terminal),
            force_terminal=True,
            color_system=None if os.environ.get("NO_COLOR") else "auto",
            soft_wrap=True,
            highlight=False,
            markup=False,
            emoji=False,
        )
        self._began = monotonic()
        self._samples: dict[str, deque[tuple[float, int]]] = {}
        self._printed: set[str] = set()
        #: What is drawn below all other output; None before the first frame.
        self._frame: Segments | None = None
        self._terminal.start()
        self._console.push_render_hook(self)
        sys.stderr = t.cast("t.TextIO", FileProxy(self._console, stream))
        handlers = logging.getLogger().handlers
        streams = [each for each in handlers if isinstance(each, logging.StreamHandler)]
        self._handlers = [(each, each.level) for each in streams if each.stream is stream]
        # The display replaces the log lines of the default level.
        level_is_set = any(os.environ.get(name) for name in ("TAP_ANALYTICS_LOGLEVEL", "LOGLEVEL"))
        for handler, level in self._handlers:
            handler.setStream(sys.stderr)
            handler.setLevel(level if level_is_set else max(level, logging.WARNING))

    @override
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        # Nothing is drawn while the shell has the terminal.
        if self._frame is None or not in_foreground(self._stream.fileno()):
            return renderables
        return [_ERASE_BELOW, *renderables, self._frame]

    def draw(self) -> None:
        """Draw the current progress, unless the terminal is still writing the last frame."""
        if self._terminal.texts.empty():
            self._frame = self._render(list(self.run.results.values()))
            self._print_ended()

    def conclude(self, seconds: float) -> None:
        """Replace the frame by the last lines of streams and the final table."""
        if self._frame is not None:
            self._frame = _NOTHING
            self._print_ended()
        self._console.print(final_table(self.run, seconds, self._console), width=self._usable)

    def leave(self) -> None:
        """Restore the terminal after everything has been written, or soon after a signal."""
        if self._frame is not None:
            self._frame = _NOTHING
            self._console.print(Control())
        sys.stderr.flush()
        sys.stderr = self._stream
        for handler, level in self._handlers:
            handler.setStream(self._stream)
            handler.setLevel(level)
        self._terminal.texts.put(None)
        deadline = math.inf
        while self._terminal.is_alive() and monotonic() < deadline:
            self._terminal.join(0.05)
            if self.run.stop.is_set:
                deadline = min(deadline, monotonic() + _GRACE)

    def _print_ended(self) -> None:
        """Print a line for each stream that has ended since the last call."""
        ended = [r for r in self.run.results.values() if r.over and r.name not in self._printed]
        self._printed.update(each.name for each in ended)
        self._console.print(self._grid(ended) if ended else Control(), width=self._usable)

    # --- the frame ----------------------------------------------------------------------------

    @property
    def _usable(self) -> int:
        """Usable columns: some terminals wrap a line that fills the last column."""
        return max(1, self._console.width - 1)

    def _render(self, results: Sequence[StreamResult]) -> Segments:
        """Return the frame: an empty line, its lines, and the move back up to the empty line."""
        running = [each for each in results if each.started is not None and not each.over]
        room = max(1, self._console.height - _ABOVE)
        shown = running if len(running) <= room else running[: room - 1]
        parts: list[RenderableType] = [self._head(results), self._grid(shown)]
        if more := len(running) - len(shown):
            parts.append(_line(f"  and {more} more", "dim"))
        options = self._console.options.update_width(self._usable)
        lines = self._console.render_lines(Group(*parts), options, pad=False)
        back = Control((ControlType.CURSOR_UP, len(lines)), ControlType.CARRIAGE_RETURN)
        return Segments(
            [*(each for line in lines for each in (Segment.line(), *line)), back.segment]
        )

    def _head(self, results: Sequence[StreamResult]) -> Text:
        # A copy, because other threads add connections.
        connections = list(self.run.connections.values())
        retries = sum(each.transport.stats.retries for each in connections)
        rows = sum(each.rows for each in results)
        seconds = monotonic() - self._began
        parts = [
            f"{sum(each.over for each in results)} of {len(results)} streams done",
            plural(rows, "row"),
            f"{sum(each.throttle.in_flight for each in connections)} in flight",
            f"{rows / max(seconds, 1):,.0f} rows/s",
            *([plural(retries, "retry", "retries")] if retries else []),
        ]
        return _line(f"  {clock(seconds)}  {', '.join(parts)}", "bold")

    def _grid(self, results: Sequence[StreamResult]) -> Table:
        """Return a line per stream, aligned with the lines printed before."""
        with_rate = self._usable >= _NARROW
        longest = max(map(len, self.run.results), default=0)
        width = max(1, min(longest, self._usable - _BESIDE[with_rate] - _PROGRESS))
        grid = Table.grid(padding=(0, 2 if with_rate else 1))
        grid.add_column(no_wrap=True)
        grid.add_column(min_width=9, justify="right", no_wrap=True)
        if with_rate:
            grid.add_column(min_width=8, justify="right", no_wrap=True, style="dim")
        grid.add_column()
        done, failed = "+x" if self._console.options.ascii_only else "✓✗"
        for each in results:
            mark = (done, "green") if each.failure is None else (failed, "red")
            # The end of a name is more specific than its beginning.
            name = redact(each.name)[-width:].ljust(width)
            grid.add_row(
                Text.assemble(mark if each.over else " ", " ", name),
                f"{each.rows:,}",
                *([f"{self._rate(each):,.0f}/s"] if with_rate else []),
                _progress(self.run, each),
            )
        return grid

    def _rate(self, result: StreamResult) -> float:
        """Return the rows per second over the last frames, or of a stream that has ended."""
        if result.over:
            return result.rows_per_second
        first = (result.started or self._began, 0)
        samples = self._samples.setdefault(result.name, deque([first], maxlen=_SAMPLES))
        samples.append((monotonic(), result.rows))
        (then, before), (now, rows) = samples[0], samples[-1]
        return (rows - before) / max(now - then, 0.001)


class _Terminal(threading.Thread):
    """The file that rich writes to: only this thread blocks while the terminal is suspended."""

    def __init__(self, stream: t.TextIO) -> None:
        super().__init__(name="terminal", daemon=True)
        self.encoding = stream.encoding or "utf-8"
        self._fd = stream.fileno()
        #: Text to write; None ends the thread.
        self.texts: SimpleQueue[str | None] = SimpleQueue()

    def write(self, text: str) -> int:
        self.texts.put(text)
        return len(text)

    def flush(self) -> None:
        pass

    @override
    def run(self) -> None:
        while (text := self.texts.get()) is not None:
            data = text.encode(self.encoding, "backslashreplace")
            # A closed terminal must not end the run.
            with contextlib.suppress(OSError):
                while data:
                    data = data[os.write(self._fd, data) :]


def _progress(run: Run, result: StreamResult) -> RenderableType:
    """Return how a stream ended, or the most precise progress known."""
    if result.failure is not None:
        return _line(f"failed: {reason(result.failure)}", "red")
    if result.over:
        return _line(f"{result.verdict.value}, {duration(result.elapsed)}")
    connection = run.connections.get(result.api)
    if connection is not None and (paused := connection.throttle.paused_for) > 0:
        return _line(f"rate limit: {duration(paused)}", "yellow")
    if result.progress is not None:
        read, total = result.progress
        bar = Table.grid(padding=(0, 1))
        bar.add_row(f"{100 * read // total:>3} %", ProgressBar(total, read, width=30))
        return bar
    if result.is_child:
        return _line(plural(result.lists, "parent"))
    return _line(f"page {result.pages:,}" if result.pages else "")


def _line(text: str, style: str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="crop")
