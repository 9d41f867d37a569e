"""The number of requests a run may send: one object, shared by all its connections.

A request is paid for before it waits at the gate, whatever sends it: a page, a retry, a redirect,
a token. What isn't paid for is never sent.
"""

from __future__ import annotations

import threading

from tap_analytics.transport.errors import BudgetSpent


class RequestBudget:
    """So many requests and not one more, from any number of threads."""

    def __init__(self, requests: int) -> None:
        self.limit = requests
        self.used = 0
        self._lock = threading.Lock()

    @property
    def left(self) -> int:
        """The number of requests that may still be sent."""
        return self.limit - self.used

    def spend(self) -> None:
        """Pay for one request; raises `BudgetSpent` where nothing is left."""
        with self._lock:
            self.check()
            self.used += 1

    def check(self) -> None:
        """Raise `BudgetSpent` where nothing is left."""
        if self.used >= self.limit:
            raise BudgetSpent(f"no request is left of {self.limit}")

    def grant(self, requests: int) -> None:
        """Let so many requests be sent from now on."""
        with self._lock:
            self.limit = self.used + requests
