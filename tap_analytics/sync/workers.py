"""Threads that read and write, while the main thread waits so that a signal is answered at once."""

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

#: Seconds that threads have after a signal to finish the page in hand.
GRACE = 1.0


class Workers:
    """Takes actions in threads; the first that finds the output closed ends them all."""

    def __init__(self, stop: StopSignal, *, tick: Action) -> None:
        self._stop = stop
        #: Called in the main thread, several times a second.
        self._tick = tick
        #: Why nothing can be delivered any more, if nothing can.
        self.undelivered: OutputClosedError | None = None

    def run(self, action: Action) -> None:
        """Take an action in a thread and wait for it; raises what the action raises."""
        failed: list[Exception] = []

        def act() -> None:
            try:
                self._take(action)
            except Exception as error:  # noqa: BLE001 - raised again where it belongs
                failed.append(error)

        self._wait([self._start("state", act)])
        if failed:
            raise failed[0]

    def run_all(self, actions: Mapping[str, Action]) -> None:
        """Take actions side by side, each in a thread with its name, and wait for all."""
        self._wait([self._start(name, partial(self._take, act)) for name, act in actions.items()])

    def _take(self, action: Action) -> None:
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
        """Wait for threads in slices, so that signals and progress get their turn."""
        deadline: float | None = None
        for thread in threads:
            while thread.is_alive():
                thread.join(0.05)
                self._tick()
                if self._stop.is_set:
                    deadline = deadline or monotonic() + GRACE
                    if monotonic() > deadline:
                        return
