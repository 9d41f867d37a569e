"""The people of the demo: the staff of one company, its customers, and their employers.

All APIs share them, so that a join by email or name across their tables succeeds: learning's people
are success users, success accounts are their employers, and the staff are admins in one API,
authors in the second and users in the third.
"""

from __future__ import annotations

import typing as t
import unicodedata
from collections import Counter

if t.TYPE_CHECKING:
    from tap_analytics.demo.data.random_values import SeededRandom

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


class Person(t.NamedTuple):
    """Somebody with a mail address that is nobody else's; `company` is a position."""

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
    """Everybody, in an order that a larger scale extends and doesn't change."""

    staff: list[Person]
    customers: list[Person]
    companies: list[Company]


def invent_persons(rng: SeededRandom, *, staff: int, customers: int, companies: int) -> Persons:
    """Invent a cast of the given sizes."""
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
