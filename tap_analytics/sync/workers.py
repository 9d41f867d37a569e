"""Worker threads; the main thread waits, so that signals are handled at once."""

from __future__ import annotations

import threading
import typing as t
from functools import partial
from time import monotonic

from tap_analytics.records.writer import OutputClosedError
from tap_analytics.transport.errors import Cancelled

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tap_analytics.transport.stop import StopSignal

    Action = Callable[[], None]

#: Seconds for threads to finish the current page after a signal.
GRACE = 1.0


class Workers:
    """Runs functions in threads; if one finds the output closed, all are stopped."""

    def __init__(self, stop: StopSignal, *, tick: Action) -> None:
        self._stop = stop
        #: Called in the main thread, several times a second.
        self._tick = tick
        #: Why output can't be delivered any more.
        self.undelivered: OutputClosedError | None = None

    def run(self, action: Action) -> None:
        """Run a function in a thread and wait for it; raises its errors."""
        failed: list[Exception] = []

        def act() -> None:
            try:
                self._call(action)
            except Exception as error:  # noqa: BLE001 - raised again in the calling thread
                failed.append(error)

        self._wait([self._start("state", act)])
        if failed:
            raise failed[0]

    def run_all(self, actions: Mapping[str, Action]) -> None:
        """Run functions concurrently, each in a named thread, and wait for all."""
        self._wait([self._start(name, partial(self._call, act)) for name, act in actions.items()])

    def _call(self, action: Action) -> None:
        try:
            action()
        except Cancelled:
            pass
        except OutputClosedError as error:
            self.undelivered = self.undelivered or error
            self._stop.set()

    @staticmethod
    def _start(name: str, action: Action) -> threading.Thread:
        thread = threading.Thread(target=action, name=name, daemon=True)
        thread.start()
        return thread

    def _wait(self, threads: Sequence[threading.Thread]) -> None:
        """Wait for threads with short timeouts, so that signals and progress are handled."""
        deadline: float | None = None
        for thread in threads:
            while thread.is_alive():
                thread.join(0.05)
                self._tick()
                if self._stop.is_set:
                    deadline = deadline or monotonic() + GRACE
                    if monotonic() > deadline:
                        return
