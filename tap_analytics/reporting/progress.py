"""Progress on standard error: a live display on a terminal, log lines elsewhere.

Standard output belongs to the Singer messages.
"""

from __future__ import annotations

import os
import sys
import typing as t
from time import monotonic

from tap_analytics.errors import explain
from tap_analytics.reporting.terminal import in_foreground

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from tap_analytics.reporting.results import StreamResult
    from tap_analytics.reporting.run import Run
    from tap_analytics.reporting.terminal.display import Display

#: Seconds between two looks, on a terminal and elsewhere.
LIVE_INTERVAL = 0.2
LOG_INTERVAL = 10.0
#: Variables that say that somebody else decides what standard error looks like: a logging
#: configuration, which may want every line to be an object, or Meltano.
OTHERS = ("SINGER_SDK_LOG_CONFIG", "MELTANO_EXTRACTOR_NAME")


class Progress:
    """Shows how far the streams of a run are, while it is entered."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._last = monotonic()
        self._display: Display | None = None

    def __enter__(self) -> Progress:  # noqa: PYI034 - never subclassed
        if is_watched():
            # Only here, for what draws takes its time to load.
            from tap_analytics.reporting.terminal.display import Display  # noqa: PLC0415

            self._display = Display(self.run, sys.stderr)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.leave()

    def tick(self) -> None:
        """Show progress if it is time to."""
        now = monotonic()
        if now - self._last < (LOG_INTERVAL if self._display is None else LIVE_INTERVAL):
            return
        self._last = now
        if self._display is None:
            self._log()
        self._show(lambda display: display.draw())

    def conclude(self, seconds: float) -> None:
        """Tell what became of the streams, where the log lines that tell it don't show."""
        self._show(lambda display: display.conclude(seconds))

    def leave(self) -> None:
        """Give the terminal back when it has shown everything."""
        display, self._display = self._display, None
        if display is not None:
            display.leave()

    def _show(self, show: Callable[[Display], None]) -> None:
        """Let the display, if there is one, show something; its own fault must not end the run."""
        try:
            if self._display is not None:
                show(self._display)
        except Exception as error:
            self.leave()
            self.run.logger.warning("The display failed and is off: %s", explain(error))
            self.run.logger.debug("The display failed.", exc_info=True)

    def _log(self) -> None:
        for outcome in list(self.run.results.values()):
            if outcome.started is not None and not outcome.over:
                self.run.logger.info(
                    "%s: %d rows in %d pages so far, %.0f rows/s",
                    outcome.name,
                    outcome.rows,
                    outcome.pages,
                    _rate(outcome),
                )


def is_watched() -> bool:
    """Whether standard error is a terminal, and nobody wants it to be plain.

    Where the messages go to a terminal as well, they would mix with what is drawn; and a job in the
    background has no terminal of its own.
    """
    if os.environ.get("TERM", "") in {"", "dumb", "unknown"}:
        return False
    if os.environ.get("CI", "").lower() not in {"", "0", "false"}:
        return False
    if any(os.environ.get(name) for name in OTHERS):
        return False
    if not _is_terminal(sys.stderr) or _is_terminal(sys.stdout):
        return False
    return in_foreground(sys.stderr.fileno())


def _is_terminal(stream: t.TextIO) -> bool:
    try:
        return os.isatty(stream.fileno())
    except (AttributeError, OSError, ValueError):
        return False


def _rate(outcome: StreamResult) -> float:
    return outcome.rows / max(monotonic() - (outcome.started or 0), 0.001)
