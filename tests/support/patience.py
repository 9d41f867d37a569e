"""Waits for what other threads and processes do, for as long as a busy machine may take."""

from __future__ import annotations

import time
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds after which what is waited for won't happen.
PATIENCE = 60


def until(happened: Callable[[], object], said: Callable[[], object] = str) -> None:
    """Wait until something has happened; fail with what was `said` where it doesn't."""
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, said()
        time.sleep(0.005)
