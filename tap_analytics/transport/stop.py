"""Stop signal and request limit of a run."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading

from tap_analytics.transport.errors import BudgetSpent, Cancelled

#: Signals that end a run after its last STATE, of those that this system has.
SIGNALS = tuple(each for each in signal.Signals if each.name in {"SIGHUP", "SIGINT", "SIGTERM"})
#: Seconds after a signal within which the process ends, whatever blocks it.
TIME_LIMIT = 1.9


class StopSignal:
    """Ends every wait of the transport.

    A lock held for the whole run: releasing it takes neither a condition nor a second lock, so it
    is safe in a signal handler, whatever the interrupted thread holds.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()
        self._held = [self._lock]
        self._is_set = False
        #: The signal that ended the run, if one did.
        self.signum: int | None = None

    @property
    def is_set(self) -> bool:
        """Whether the run is stopping."""
        return self._is_set

    def set(self, signum: int | None = None) -> None:
        """End all waits, present and future, with `Cancelled`."""
        self.signum = self.signum if signum is None else signum
        self._is_set = True
        with contextlib.suppress(IndexError):
            self._held.pop().release()

    def check(self) -> None:
        """Raise `Cancelled` if the run is stopping."""
        if self._is_set:
            raise Cancelled("the run is stopping")

    def wait(self, seconds: float) -> None:
        """Return after `seconds`; raise `Cancelled` as soon as the run is stopping."""
        self.check()
        if self._lock.acquire(timeout=min(max(seconds, 0.0), threading.TIMEOUT_MAX)):
            self._lock.release()
            self.check()


class RequestBudget:
    """The number of requests a run may send over all its connections; thread-safe.

    A request is counted before it waits for the throttle, whatever sends it: a page, a retry, a
    redirect, a token.
    """

    def __init__(self, requests: int) -> None:
        self.limit = requests
        self.used = 0
        self._lock = threading.Lock()

    @property
    def left(self) -> int:
        """The number of requests that may still be sent."""
        return self.limit - self.used

    def spend(self) -> None:
        """Count one request; raises `BudgetSpent` where none is left."""
        with self._lock:
            self.check()
            self.used += 1

    def check(self) -> None:
        """Raise `BudgetSpent` where no request is left."""
        if self.used >= self.limit:
            raise BudgetSpent(f"no request is left of {self.limit}")

    def grant(self, requests: int) -> None:
        """Allow so many more requests from now on."""
        with self._lock:
            self.limit = self.used + requests


class Process:
    """The process of the tap; `is_own` is false where another program calls the tap."""

    is_own = False

    @classmethod
    def end_in_time(cls, signum: int) -> None:
        """End the process of the tap soon, even if a target or a terminal blocks it."""
        if sys.platform != "win32" and cls.is_own and not any(signal.getitimer(0)):
            signal.signal(signal.SIGALRM, lambda *_: os._exit(128 + signum))
            signal.setitimer(signal.ITIMER_REAL, TIME_LIMIT)
            # While the interpreter ends, the timer has no handler and would decide the exit code.
            atexit.register(cls._disarm)

    @staticmethod
    def _disarm() -> None:
        """Stop the timer once all output is written."""
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        if sys.platform != "win32":
            signal.setitimer(signal.ITIMER_REAL, 0)
