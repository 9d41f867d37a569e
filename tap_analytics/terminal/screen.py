"""The lower end of a terminal: a frame that stays there while lines are written above it.

The cursor rests on an empty line above the frame. So whatever else is written to the terminal, by a
target, by the echo of a key or by the shell, comes to stand above the frame as well, and a window
that gets narrower may wrap the frame without moving the place from which it is drawn again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import typing as t

from typing_extensions import override

from tap_analytics.terminal.line import Line

if t.TYPE_CHECKING:
    from collections.abc import Sequence

#: Where the window doesn't tell its size.
COLUMNS, LINES = 80, 24
_ERASE_BELOW = "\x1b[J"
_ERASE_RIGHT = "\x1b[K"


class Screen:
    """Standard error while a frame is shown: each write is whole lines, and the frame moves down.

    It takes the place of `sys.stderr` and of the log's way there. Nothing is switched on that would
    have to be switched off: the cursor stays visible, so that a run may even be killed.
    """

    def __init__(self, stream: t.TextIO) -> None:
        self._stream = stream
        self._fd = stream.fileno()
        self._line = Line(stream)
        self._lock = threading.RLock()
        #: What draws the frame from the line the cursor rests on; empty while there is none.
        self._frame = ""
        #: The beginning of a line whose end has not been written yet.
        self._begun = ""
        self._handlers: list[logging.StreamHandler[t.Any]] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    # --- the place of standard error --------------------------------------------------------

    def take(self, *, level: int) -> None:
        """Take the place of standard error; of the log, records from `level` on get there."""
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is self._stream:
                handler.setStream(self)
                self._handlers.append(handler)
        self._loud = _Loud(level)
        for handler in self._handlers:
            handler.addFilter(self._loud)
        sys.stderr = t.cast("t.TextIO", self)

    def give_back(self) -> None:
        """Erase the frame and leave standard error as it was; what it doesn't take now is lost."""
        self.clear()
        for handler in self._handlers:
            handler.removeFilter(self._loud)
            handler.setStream(self._stream)
        self._handlers.clear()
        if sys.stderr is t.cast("t.TextIO", self):
            sys.stderr = self._stream
        with self._lock:
            begun, self._begun = self._begun, ""
            self._line.write(begun)
            self._line.close()

    # --- writing ----------------------------------------------------------------------------

    def write(self, text: str) -> int:
        """Write what is whole lines above the frame; the rest waits for the end of its line."""
        with self._lock:
            lines, end, self._begun = (self._begun + text).rpartition("\n")
            if end and self._frame and self._is_ours:
                self._line.write(f"\r{_ERASE_BELOW}{lines}\n{self._frame}")
            elif end:
                self._line.write(f"{lines}\n")
        return len(text)

    def flush(self) -> None:
        """Do nothing: whole lines are on their way as soon as they are written."""

    def draw(self, lines: Sequence[str], *, above: str = "") -> None:
        """Show these lines as the frame, below the whole lines of `above`, in one write."""
        with self._lock:
            drawn = "".join(f"\r\n{line}{_ERASE_RIGHT}" for line in lines)
            self._frame = f"{drawn}{_ERASE_BELOW}\x1b[{len(lines)}A\r"
            erase = f"\r{_ERASE_BELOW}{above}" if above else f"\r{_ERASE_RIGHT}"
            self._line.write(f"{erase}{self._frame}")

    def clear(self) -> None:
        """Erase the frame."""
        with self._lock:
            if self._frame and self._is_ours:
                self._line.write(f"\r{_ERASE_BELOW}")
            self._frame = ""

    # --- the window -------------------------------------------------------------------------

    @property
    def size(self) -> os.terminal_size:
        """Columns and lines of the window, as they are now."""
        with contextlib.suppress(OSError):
            found = os.get_terminal_size(self._fd)
            return os.terminal_size((found.columns or COLUMNS, found.lines or LINES))
        return os.terminal_size((COLUMNS, LINES))

    @property
    def is_ready(self) -> bool:
        """Whether a frame may be drawn now: the terminal is this job's, and has taken all else."""
        if not self._is_ours:
            # The shell has it, and what was drawn has become what stands above the prompt.
            self._frame = ""
            return False
        return self.push()

    def push(self) -> bool:
        """Write what the terminal has not taken yet; say whether nothing is left."""
        with self._lock:
            return self._line.push()

    @property
    def _is_ours(self) -> bool:
        return in_foreground(self._fd)


class _Loud(logging.Filter):
    def __init__(self, level: int) -> None:
        super().__init__()
        self._level = level

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= self._level


def in_foreground(fd: int) -> bool:
    """Whether a terminal belongs to this process's job."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        # It is not the terminal that controls this process, so it has no jobs.
        return True
