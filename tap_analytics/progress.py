"""Progress on standard error: a live line per stream on a terminal, log lines elsewhere.

Standard output belongs to the Singer messages.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import typing as t
from time import monotonic

from typing_extensions import override

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_analytics.outcome import Outcome
    from tap_analytics.tap import TapAnalytics

#: Seconds between two looks, on a terminal and elsewhere.
LIVE_INTERVAL = 0.2
LOG_INTERVAL = 10.0


class Progress:
    """Shows how far the streams of a run are."""

    def __init__(self, tap: TapAnalytics) -> None:
        self.tap = tap
        self._drawn = 0
        self._last = monotonic()
        self._live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._eraser = _Eraser(self)
        if self._live:
            for handler in logging.getLogger().handlers:
                handler.addFilter(self._eraser)

    def tick(self) -> None:
        """Show progress if it is time to."""
        now = monotonic()
        if now - self._last < (LIVE_INTERVAL if self._live else LOG_INTERVAL):
            return
        self._last = now
        running = [
            outcome
            for outcome in list(self.tap.outcomes.values())
            if outcome.started is not None
            and not outcome.done
            and outcome.failure is None
            and not outcome.halted
        ]
        if self._live:
            self._draw(running)
        else:
            self._log(running)

    def close(self) -> None:
        """Leave the terminal as it was."""
        self.erase()
        for handler in logging.getLogger().handlers:
            handler.removeFilter(self._eraser)

    def erase(self) -> None:
        """Take the live lines off the terminal, so that a log line can be written."""
        if self._drawn:
            sys.stderr.write(f"\x1b[{self._drawn}A\x1b[J")
            self._drawn = 0

    def _draw(self, running: Sequence[Outcome]) -> None:
        self.erase()
        size = shutil.get_terminal_size()
        shown = running[: max(1, size.lines - 2)]
        for outcome in shown:
            line = (
                f"  {outcome.name:<36} {outcome.rows:>12,} rows {outcome.pages:>8,} pages "
                f"{_rate(outcome):>10,.0f} rows/s"
            )
            sys.stderr.write(line[: size.columns - 1] + "\n")
        sys.stderr.flush()
        self._drawn = len(shown)

    def _log(self, running: Sequence[Outcome]) -> None:
        for outcome in running:
            self.tap.logger.info(
                "%s: %d rows in %d pages so far, %.0f rows/s",
                outcome.name,
                outcome.rows,
                outcome.pages,
                _rate(outcome),
            )


class _Eraser(logging.Filter):
    """Makes room for a log line among live lines."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        self._progress.erase()
        return True


def _rate(outcome: Outcome) -> float:
    return outcome.rows / max(monotonic() - (outcome.started or 0), 0.001)
