"""Figures as people read them."""

from __future__ import annotations

from datetime import datetime

_MINUTE = 60
_HOUR = 3600
_TEN = 10
_SIZES = ("B", "kB", "MB", "GB", "TB")
_HUNDRED = 100
_THOUSAND = 1000


def count(number: int) -> str:
    """Return a whole number with its thousands apart."""
    return f"{number:,}"


def many(number: int, one: str, more: str = "") -> str:
    """Return a number with its noun."""
    return f"{count(number)} {one if number == 1 else more or f'{one}s'}"


def duration(seconds: float) -> str:
    """Return a length of time in the unit that suits it."""
    if seconds <= 0:
        return "0 s"
    thousandths = seconds * _THOUSAND
    if round(thousandths) < _THOUSAND:
        return f"{thousandths:.{1 if thousandths < _TEN else 0}f} ms"
    if round(seconds, 1) < _MINUTE:
        return f"{seconds:.1f} s"
    seconds = round(seconds)
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)} min {int(seconds % _MINUTE):02d} s"
    return f"{int(seconds // _HOUR)} h {int(seconds % _HOUR // _MINUTE):02d} min"


def rate(per_second: float) -> str:
    """Return a rate; below ten its first decimal counts."""
    return f"{per_second:,.0f}" if per_second >= _TEN or not per_second else f"{per_second:.1f}"


def size(number: float) -> str:
    """Return a number of bytes in the unit that suits it."""
    unit, *greater = _SIZES
    while number >= _THOUSAND and greater:
        number /= _THOUSAND
        unit, *greater = greater
    return f"{number:.{0 if unit == 'B' or number >= _HUNDRED else 1}f} {unit}"


def moment(iso: str) -> str:
    """Return a moment in UTC."""
    return f"{datetime.fromisoformat(iso):%d %B %Y, %H:%M:%S} UTC".lstrip("0")
