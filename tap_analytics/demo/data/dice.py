"""Chance that repeats itself: every table rolls dice of its own, named by seed and table."""

from __future__ import annotations

import random
import typing as t
from datetime import UTC, datetime

#: One record as the API holds it.
Row: t.TypeAlias = dict[str, t.Any]

#: The world's days, in epoch seconds. They lie in the past for any clock that runs today, so that
#: no record seems to come from the future: 2022-01-03 to 2025-06-30.
FIRST_DAY = 1_641_196_800
LAST_DAY = 1_751_284_800


class Dice(random.Random):
    """A random source whose string seed decides everything it will ever say."""

    def uuid(self) -> str:
        """Return a version 4 UUID."""
        digits = f"{self.getrandbits(128):032x}"
        variant = "89ab"[int(digits[16], 16) & 3]
        return (
            f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
        )

    def moment(self, since: int = FIRST_DAY, until: int = LAST_DAY) -> int:
        """Return epoch seconds between two others, both included."""
        return self.randint(since, max(since, until))

    def moments(self, count: int) -> list[int]:
        """Return ascending epoch seconds, every eleventh equal to its forerunner."""
        drawn = sorted(self.moment() for _ in range(count))
        for tie in range(10, count, 11):
            drawn[tie] = drawn[tie - 1]
        return drawn

    def maybe(self, value: object, *, one_in: int) -> t.Any:  # noqa: ANN401 - the type of value, or None
        """Return None once in `one_in` times, else the value."""
        return None if self.randrange(one_in) == 0 else value


def iso(seconds: int) -> str:
    """Spell epoch seconds as `2025-06-30T12:00:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_ms(milliseconds: int) -> str:
    """Spell epoch milliseconds as `2025-06-30T12:00:00.000Z`."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{iso(seconds)[:-1]}.{rest:03d}Z"
