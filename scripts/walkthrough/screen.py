"""Output of the demo: steps with their time, and tables."""

from __future__ import annotations

import contextlib
import time
import typing as t

from rich.console import Console
from rich.live import Live
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

WIDTH = 96


class Step:
    """A step that runs; `detail` is shown beside it."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._started = time.monotonic()
        self.mark: Spinner | Text = Spinner("dots")
        #: What it does now, and its result at the end.
        self.detail = ""

    def __str__(self) -> str:
        seconds = f"{time.monotonic() - self._started:.1f} s"
        return "  ".join(map(str, filter(None, (self.mark, self._title, self.detail, seconds))))

    def __rich__(self) -> Padding:
        line = Table.grid(padding=(0, 2, 0, 0), expand=True)
        for options in ({}, {}, {"ratio": 1}, {"justify": "right"}):
            line.add_column(no_wrap=True, overflow="ellipsis", **options)
        seconds = f"{time.monotonic() - self._started:.1f} s"
        line.add_row(self.mark, self._title, Text(self.detail, "dim"), Text(seconds, "dim"))
        return Padding(line, (0, 0, 0, 2))


class Screen:
    """Writes to a terminal, or plain lines to anything else."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False, emoji=False)
        self._console.width = min(self._console.width, WIDTH)

    def say(self, text: str = "", *, style: str = "") -> None:
        """Write a line."""
        self._console.print(text, style=style, soft_wrap=True)

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show a step while the block runs, then its result and time."""
        step = Step(title)
        shown: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
        if self._console.is_terminal:
            shown = Live(step, console=self._console, refresh_per_second=10, transient=True)
        else:
            self.say(f"  … {title}")
        mark = Text("✗", "red")
        try:
            with shown:
                yield step
            mark = Text("✓", "green")
        finally:
            step.mark = mark
            self._conclude(step)

    def _conclude(self, step: Step) -> None:
        if self._console.is_terminal:
            self._console.print(step)
        else:
            # A pipe or a file has no width, so nothing is cut.
            self.say(f"  {step}")

    def table(self, rows: Iterable[Sequence[object]], *, head: Sequence[str]) -> None:
        """Write a table, with numbers right-aligned."""
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
        given = [*rows]
        for name, *column in zip(head, *given, strict=True):
            is_number = bool(column) and all(isinstance(cell, int) for cell in column)
            table.add_column(name, justify="right" if is_number else "left", no_wrap=True)
        for row in given:
            table.add_row(*map(_text, row))
        self._console.print(Padding(table, (0, 0, 0, 4)))


def _text(cell: object) -> str:
    if cell is None:
        return "-"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)
