"""Formatting of numbers for the report and the terminal."""

from __future__ import annotations

_MINUTE = 60
_TEN = 10


def plural(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun: `1 retry`, `1,200 rows`."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def rate(per_second: float) -> str:
    """Return a rate, with a decimal below ten: `1,200`, `4.4`."""
    return f"{per_second:,.0f}" if per_second >= _TEN or not per_second else f"{per_second:.1f}"


def clock(seconds: float) -> str:
    """Return a time as hours, minutes and seconds: `0:12:34`."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def duration(seconds: float) -> str:
    """Return how long something took: `7.3 s`, `0:12:34`."""
    return f"{seconds:.1f} s" if round(seconds, 1) < _MINUTE else clock(seconds)
