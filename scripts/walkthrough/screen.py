"""What the reader sees: steps with their time, tables, and a line that moves meanwhile."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import sys
import threading
import time
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
GREEN, RED, DIM, BOLD = "32", "31", "2", "1"
_FRAME_SECONDS = 0.1


class Step:
    """A piece of work under way; what it says about itself shows while it runs."""

    def __init__(self, title: str) -> None:
        self.title = title
        #: What is happening right now, and in the end what came of it.
        self.detail = ""
        self.started = time.monotonic()

    @property
    def seconds(self) -> str:
        """The time since the step began."""
        return f"{time.monotonic() - self.started:.1f} s"


class Screen:
    """Writes to a terminal, or as plain lines to anything else."""

    def __init__(self, out: t.TextIO = sys.stdout) -> None:
        self._out = out
        self._live = out.isatty()
        self._width = min(shutil.get_terminal_size().columns, 96)

    def say(self, text: str = "", *, style: str = "") -> None:
        """Write a line."""
        self._out.write(f"{self._styled(text, style)}\n")
        self._out.flush()

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show a step while the block runs, then its outcome and time."""
        step = Step(title)
        done = threading.Event()
        if self._live:
            clock = threading.Thread(target=self._animate, args=(step, done), daemon=True)
            clock.start()
        else:
            self.say(f"  … {title}")
        mark, style = "✗", RED
        try:
            yield step
            mark, style = "✓", GREEN
        finally:
            done.set()
            if self._live:
                clock.join()
                self._out.write("\r\033[K")
            self.say(f"  {self._styled(mark, style)} {self._line(step)}")

    def table(self, rows: Iterable[Sequence[object]], *, head: Sequence[str]) -> None:
        """Write a table, numbers to the right."""
        texts = [head, *([_text(cell) for cell in row] for row in rows)]
        widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
        numeric = [
            all(cell.replace(",", "").replace(".", "").isdigit() for cell in column)
            for column in zip(*texts[1:], strict=True)
        ] or [False] * len(head)
        for number, row in enumerate(texts):
            cells = (
                cell.rjust(width) if right else cell.ljust(width)
                for cell, width, right in zip(row, widths, numeric, strict=True)
            )
            self.say(f"    {'   '.join(cells).rstrip()}", style="" if number else BOLD)

    def _animate(self, step: Step, done: threading.Event) -> None:
        for frame in itertools.cycle(FRAMES):
            self._out.write(f"\r\033[K  {frame} {self._line(step)}")
            self._out.flush()
            if done.wait(_FRAME_SECONDS):
                return

    def _line(self, step: Step) -> str:
        room = self._width - len(step.title) - len(step.seconds) - 8
        detail = step.detail if len(step.detail) <= room else f"{step.detail[: max(room - 1, 0)]}…"
        gap = " " * max(room - len(detail), 0)
        return f"{step.title}  {self._styled(detail, DIM)}{gap}  {self._styled(step.seconds, DIM)}"

    def _styled(self, text: str, style: str) -> str:
        return f"\033[{style}m{text}\033[0m" if self._live and style and text else text


def _text(cell: object) -> str:
    if cell is None:
        return "-"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)
