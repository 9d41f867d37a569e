"""Repeatable random values: every table has a source of its own, named by seed and table."""

from __future__ import annotations

import random
import typing as t
import uuid
from datetime import UTC, datetime

#: One record as the API holds it.
Row: t.TypeAlias = dict[str, t.Any]

#: The first and the last day of all records, in epoch seconds: 2022-01-03 to 2025-06-30. They lie
#: in the past for any clock that runs today, so that no record seems to come from the future.
FIRST_DAY = 1_641_196_800
LAST_DAY = 1_751_284_800


class SeededRandom(random.Random):
    """A random source whose string seed decides everything it returns."""

    def uuid(self) -> str:
        """Return a version 4 UUID."""
        return str(uuid.UUID(int=self.getrandbits(128), version=4))

    def moment(self, since: int = FIRST_DAY, until: int = LAST_DAY) -> int:
        """Return epoch seconds between two others, both included."""
        return self.randint(since, max(since, until))

    def moments(self, count: int, *, shuffled: bool = False) -> list[int]:
        """Return epoch seconds, every eleventh equal to the one before; ascending by default."""
        drawn = sorted(self.moment() for _ in range(count))
        for tie in range(10, count, 11):
            drawn[tie] = drawn[tie - 1]
        if shuffled:
            self.shuffle(drawn)
        return drawn

    def maybe(self, value: object, *, one_in: int) -> t.Any:  # noqa: ANN401 - the type of value, or None
        """Return None once in `one_in` times, else the value."""
        return None if self.randrange(one_in) == 0 else value


def iso(seconds: int) -> str:
    """Format epoch seconds as `2025-06-30T12:00:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_ms(milliseconds: int) -> str:
    """Format epoch milliseconds as `2025-06-30T12:00:00.000Z`."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{iso(seconds)[:-1]}.{rest:03d}Z"
