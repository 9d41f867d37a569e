"""Signals that end a run, and how long a process may take to end after one."""

from __future__ import annotations

import os
import signal

#: Signals that end a run after its last STATE, of those that this system has.
ENDING = tuple(each for each in signal.Signals if each.name in {"SIGHUP", "SIGINT", "SIGTERM"})
#: Seconds after which a process that was told to end has ended, whatever holds it up.
LIMIT = 1.9


class Process:
    """Whether this process is the tap's own: one of somebody else's is never ended for it."""

    is_own = False

    @classmethod
    def end_in_time(cls, signum: int) -> None:
        """Have the tap's own process end soon, even if a target or a terminal keeps it waiting."""
        if cls.is_own and hasattr(signal, "setitimer") and not any(signal.getitimer(0)):
            signal.signal(signal.SIGALRM, lambda *_: os._exit(128 + signum))
            signal.setitimer(signal.ITIMER_REAL, LIMIT)
