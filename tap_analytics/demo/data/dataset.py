"""The records of all APIs: one seed and one scale decide every one of them.

Records are never edited in place: a change puts a new one in the old one's place. So what another
record embeds stays what it was, and a page once encoded stays right until `changed` is called.
"""

from __future__ import annotations

import typing as t

from tap_analytics.demo.data.persons import invent_persons
from tap_analytics.demo.data.random_values import LAST_DAY, Row, SeededRandom

V = t.TypeVar("V")
REMEMBERED = 20_000


class Dataset:
    """The records of every API, as the real services hold them.

    Attributes:
        tables: Records by stream name, in the order their API lists them by default.
        enrollments: Enrollments by course id.
        singles: The objects of which there is one, by stream name.
        clock: Epoch seconds no record is younger than.
        steps: How many changes there have been.
    """

    def __init__(self, *, seed: int, scale: float) -> None:
        self._seed = seed
        self._scale = scale
        self._memory: dict[t.Hashable, object] = {}
        self.clock = LAST_DAY
        self.steps = 0
        self.tables: dict[str, list[Row]] = {}
        self.enrollments: dict[str, list[Row]] = {}
        self.singles: dict[str, Row] = {}
        self.persons = invent_persons(
            self.rng("cast"),
            staff=self.many(24, least=4),
            customers=self.many(260, least=12),
            companies=self.many(150, least=15),
        )
        rng = self.rng("authors")
        #: Account ids in the wiki, in the staff's order.
        self.authors = [f"712020:{rng.uuid()}" for _ in self.persons.staff]

    def rng(self, name: str) -> SeededRandom:
        """Return the random source of that name: the same in every dataset of this seed."""
        return SeededRandom(f"{self._seed}/{name}")

    def many(self, count: int, *, least: int = 3) -> int:
        """Return a count at this dataset's scale."""
        return max(least, round(count * self._scale))

    def remember(self, key: t.Hashable, make: t.Callable[[], V]) -> V:
        """Return what `make` returns, calling it once between two changes, if there is room."""
        if key not in self._memory:
            made = make()
            if len(self._memory) >= REMEMBERED:
                self._memory.clear()
            self._memory[key] = made
        return t.cast("V", self._memory[key])

    def changed(self) -> None:
        """Forget what was derived from records that are no longer so."""
        self._memory.clear()

    def clear(self, stream: str) -> None:
        """Remove all rows of a stream; raise `ValueError` if there is none of that name."""
        if stream == "learning_course_enrollments":
            self.enrollments = {course: [] for course in self.enrollments}
        elif stream not in self.tables:
            raise ValueError(f"empty names {stream!r}; it can be one of: {', '.join(self.tables)}")
        else:
            self.tables[stream] = []
            if stream == "learning_courses":
                self.enrollments = {}
