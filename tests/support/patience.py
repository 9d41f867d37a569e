"""Waits for what other threads and processes do, for as long as a busy machine may take."""

from __future__ import annotations

import time
import typing as t
from datetime import timedelta

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

#: Seconds after which what is waited for won't happen.
PATIENCE = 60


def until(happened: Callable[[], object], said: Callable[[], object] = str) -> None:
    """Wait until something has happened; fail with what was `said` where it doesn't."""
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, said()
        time.sleep(0.005)


def just_before(moment: datetime, found: datetime) -> bool:
    """Whether it is the moment that a response names, less the whole seconds that it took."""
    return timedelta(0) <= moment - found < timedelta(seconds=PATIENCE)
