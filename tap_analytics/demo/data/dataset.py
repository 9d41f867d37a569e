"""The records of all APIs, determined by seed and scale.

Every table has its own random source, seeded with seed and table name. All APIs share persons and
companies, so that a join by email or name across their tables succeeds: learning's people are
success users, success accounts are their employers, and the staff are admins in one API, authors
in the second and users in the third.
"""

from __future__ import annotations

import random
import typing as t
import unicodedata
import uuid
from collections import Counter
from datetime import UTC, datetime

V = t.TypeVar("V")
#: One record as the API holds it.
Row: t.TypeAlias = dict[str, t.Any]

#: Times of the oldest and newest record in epoch seconds: 2022-01-03 to 2025-06-30, in the past.
FIRST_DAY = 1_641_196_800
LAST_DAY = 1_751_284_800
REMEMBERED = 20_000
OUR_DOMAIN = "brightwater.example"
_words = str.split
FIRST_NAMES = _words("""
    Noor Ilse Zoë Łukasz Søren José Ngọc Željka Renée Björn Amélie Piet Saskia Ludo Mirthe
    Tamsin Rafe Birk Ana Chidi Yuki Óscar Inês Wójciech Fatima Jürgen Leïla Håkon Siobhán Dvořák
    Maya Émile Nadia Tomás Ingrid Kwame Asha Milan Vera Otto
""")
LAST_NAMES = _words("""
    Vantongeren Okonjo Müller García Nguyễn Kovačević Brandt Ferreira Halloran Oduya Arkwright
    Lindqvist Solheim Peña Øster O'Neill Çelik Šimić Dubois Larsen Ito Costa Kowalski Haddad
    Schäfer Bello Åberg Byrne Novák Rao Fontaine Amari Silva Holm Mensah Iyer Jansen Petrov
    Ricci Weiß
""")
COMPANY_WORDS = _words("""
    Skagerrak Dune Fjord Tramontane Kestrel Alder Saltmarsh Copper Meridian Lantern Juniper Quay
    Basalt Heron Willow
""")
COMPANY_TRADES = _words("""
    Shipping Dairy Optics Foods Energy Textiles Robotics Travel Media Health
""")

# Letters that do not decompose into an ASCII letter and an accent.
_PLAIN = str.maketrans(
    {"Ł": "L", "ł": "l", "Ø": "O", "ø": "o", "ß": "ss", "đ": "d", "'": "", " ": "-"}
)


class SeededRandom(random.Random):
    """A random source seeded with a string."""

    def uuid(self) -> str:
        """Return a version 4 UUID."""
        return str(uuid.UUID(int=self.getrandbits(128), version=4))

    def moment(self, since: int = FIRST_DAY, until: int = LAST_DAY) -> int:
        """Return epoch seconds between two times, both inclusive."""
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
        """Return None with a probability of 1 in `one_in`, else the value."""
        return None if self.randrange(one_in) == 0 else value


def iso(seconds: int) -> str:
    """Format epoch seconds as `2025-06-30T12:00:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_ms(milliseconds: int) -> str:
    """Format epoch milliseconds as `2025-06-30T12:00:00.000Z`."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{iso(seconds)[:-1]}.{rest:03d}Z"


class Person(t.NamedTuple):
    """A person with a unique email address; `company` is an index."""

    first: str
    last: str
    email: str
    company: int

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first} {self.last}"


class Company(t.NamedTuple):
    """A customer."""

    name: str
    domain: str


class Persons(t.NamedTuple):
    """All persons and companies; a larger scale only appends to them."""

    staff: list[Person]
    customers: list[Person]
    companies: list[Company]


def invent_persons(rng: SeededRandom, *, staff: int, customers: int, companies: int) -> Persons:
    """Generate persons and companies."""
    firms = [_company(number) for number in range(companies)]
    namesakes: Counter[str] = Counter()
    employees = [_person(rng, namesakes, company=-1, domain=OUR_DOMAIN) for _ in range(staff)]
    clients = [
        _person(rng, namesakes, company=i % companies, domain=firms[i % companies].domain)
        for i in range(customers)
    ]
    return Persons(employees, clients, firms)


def slug(text: str) -> str:
    """Reduce a name to lower-case ASCII, for addresses and permalinks."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_PLAIN))
    return decomposed.encode("ascii", "ignore").decode().lower()


def _company(number: int) -> Company:
    trade, word = divmod(number, len(COMPANY_WORDS))
    generation, trade = divmod(trade, len(COMPANY_TRADES))
    name = f"{COMPANY_WORDS[word]} {COMPANY_TRADES[trade]}"
    name = f"{name} {generation + 1}" if generation else name
    return Company(name, f"{slug(name)}.example")


def _person(rng: SeededRandom, namesakes: Counter[str], *, company: int, domain: str) -> Person:
    first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
    local = f"{slug(first)}.{slug(last)}"
    namesakes[f"{local}@{domain}"] += 1
    if (number := namesakes[f"{local}@{domain}"]) > 1:
        local = f"{local}.{number}"
    return Person(first, last, f"{local}@{domain}", company)


class Dataset:
    """The records of every API, as the real services store them.

    Records are replaced, never edited in place: records embedded in others keep their values, and
    encoded pages stay valid until `changed` is called.

    Attributes:
        tables: Records by stream name, in the order their API lists them by default.
        enrollments: Enrollments by course id.
        singles: The single objects by stream name.
        extra: Records of the lists beyond the specifications by stream name, see `extra_lists`.
        clock: Time of the newest record in epoch seconds.
        steps: Number of changes.
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
        self.extra: dict[str, list[Row]] = {}
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
        """Return the random source of that name, the same for every dataset of the seed."""
        return SeededRandom(f"{self._seed}/{name}")

    def many(self, count: int, *, least: int = 3) -> int:
        """Return a count multiplied by the scale."""
        return max(least, round(count * self._scale))

    def remember(self, key: t.Hashable, make: t.Callable[[], V]) -> V:
        """Return the result of `make`, cached until the next change if the cache isn't full."""
        if key not in self._memory:
            made = make()
            if len(self._memory) >= REMEMBERED:
                self._memory.clear()
            self._memory[key] = made
        return t.cast("V", self._memory[key])

    def changed(self) -> None:
        """Clear the cache after records have changed."""
        self._memory.clear()

    def clear(self, stream: str) -> None:
        """Remove all rows of a stream; raise `ValueError` for an unknown one."""
        if stream == "learning_course_enrollments":
            self.enrollments = {course: [] for course in self.enrollments}
        elif stream not in self.tables:
            raise ValueError(f"empty names {stream!r}; it can be one of: {', '.join(self.tables)}")
        else:
            self.tables[stream] = []
            if stream == "learning_courses":
                self.enrollments = {}
