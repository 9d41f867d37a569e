"""Progress on standard error: a live display on a terminal, log lines elsewhere.

Standard output belongs to the Singer messages.
"""

from __future__ import annotations

import os
import sys
import typing as t
from time import monotonic

from tap_analytics.errors import explain
from tap_analytics.reporting.numbers import plural, rate
from tap_analytics.reporting.terminal import in_foreground

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_analytics.reporting.run import Run
    from tap_analytics.reporting.terminal.display import Display

#: Seconds between two updates, on a terminal and elsewhere.
LIVE_INTERVAL = 0.2
LOG_INTERVAL = 10.0
#: Environment variables of what formats standard error instead: a logging configuration, which may
#: make every line a JSON object, or Meltano.
_LOG_OWNERS = ("SINGER_SDK_LOG_CONFIG", "MELTANO_EXTRACTOR_NAME")


class Progress:
    """Context manager that shows the progress of a run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._last = monotonic()
        self._display: Display | None = None

    def __enter__(self) -> Progress:  # noqa: PYI034 - never subclassed
        if has_live_terminal():
            # Imported here because rich is slow to load.
            from tap_analytics.reporting.terminal.display import Display  # noqa: PLC0415

            self._display = Display(self.run, sys.stderr)
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def tick(self) -> None:
        """Show progress if the interval has passed."""
        now = monotonic()
        if now - self._last < (LOG_INTERVAL if self._display is None else LIVE_INTERVAL):
            return
        self._last = now
        if self._display is None:
            self._log()
        self._show(lambda display: display.draw())

    def conclude(self, seconds: float) -> None:
        """Show the results of the streams on a terminal; elsewhere the log has them."""
        self._show(lambda display: display.conclude(seconds))

    def leave(self) -> None:
        """Restore the terminal after everything has been shown."""
        display, self._display = self._display, None
        if display is not None:
            display.leave()

    def _show(self, show: Callable[[Display], None]) -> None:
        """Call `show` with the display, if there is one; an error in it must not end the run."""
        try:
            if self._display is not None:
                show(self._display)
        except Exception as error:
            self.leave()
            self.run.logger.warning("The display failed and was turned off: %s", explain(error))
            self.run.logger.debug("The display failed.", exc_info=True)

    def _log(self) -> None:
        for result in list(self.run.results.values()):
            if result.started is not None and not result.over:
                self.run.logger.info(
                    "%s: %s in %s so far, %s rows/s",
                    result.name,
                    plural(result.rows, "row"),
                    plural(result.pages, "page"),
                    rate(result.rows_per_second),
                )


def has_live_terminal() -> bool:
    """Whether standard error is a terminal that a live display can use.

    Not where standard output is a terminal too, because the messages would mix with the display,
    nor in a background job.
    """
    env = os.environ
    if env.get("TERM", "") in {"", "dumb", "unknown"} or any(map(env.get, _LOG_OWNERS)):
        return False
    if env.get("CI", "").lower() not in {"", "0", "false"}:
        return False
    if not _is_terminal(sys.stderr) or _is_terminal(sys.stdout):
        return False
    return in_foreground(sys.stderr.fileno())


def _is_terminal(stream: t.TextIO) -> bool:
    try:
        return os.isatty(stream.fileno())
    except (AttributeError, OSError, ValueError):
        return False
