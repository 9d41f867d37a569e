"""The pages of one stream under examination: what was read, how pages compare, what follows."""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass, field, fields

from tap_analytics.commands.doctor.findings import warning, wrong
from tap_analytics.commands.doctor.recorder import BudgetSpent
from tap_analytics.config.declarations.readers import PAGINATORS
from tap_analytics.records.payload import SelectorError
from tap_analytics.streams.declared import DeclaredStream
from tap_analytics.transport.errors import TransportError

if t.TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from tap_analytics.commands.doctor.findings import Finding, StreamReport
    from tap_analytics.commands.doctor.inquiry import Answer, Probe
    from tap_analytics.commands.doctor.trial import Trial
    from tap_analytics.pagination import PageToken, PagingStrategy


#: Numbers no list reaches.
FAR_ROW, FAR_PAGE = 10**9, 10**6


class Relation(enum.Enum):
    """How a page relates to the first one."""

    NEW = "all its rows are new"
    SAME = "it has the rows of the first page and no others"
    OVERLAP = "some of its rows were on the first page"
    EMPTY = "it has no rows"


def relation(first: Sequence[Hashable], second: Sequence[Hashable]) -> Relation:
    """Compare two pages by what tells their rows apart."""
    if not second:
        return Relation.EMPTY
    known = set(first)
    common = sum(key in known for key in second)
    if not common:
        return Relation.NEW
    return Relation.SAME if common == len(second) else Relation.OVERLAP


@dataclass(kw_only=True)
class Pager:
    """The first page of a stream, and those that are asked for to see how paging goes."""

    inquiry: Probe
    first: Answer
    report: StreamReport
    #: What a run would make of the first pages.
    now: Trial
    #: Further pages with rows that the first one lacked.
    further: list[Answer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.paginator = self.inquiry.stream.get_new_paginator()
        self.paginator.seen.page_size = self.inquiry.limit
        #: The token the tap would ask for next, None where it would stop.
        self.following: PageToken | None = self._clean(self.paginator.receive(self.first.page))
        if self.paginator.confirming is not None:
            self.following = None

    @property
    def paging(self) -> PagingStrategy:
        """How the stream is paged, as configured."""
        return self.inquiry.stream.paging

    @property
    def is_named(self) -> bool:
        """Whether the response itself names the next page."""
        return self.paging.named(self.first.page) is not None

    @property
    def is_declared(self) -> bool:
        """Whether the paging is a setting."""
        return isinstance(self.inquiry.stream, DeclaredStream)

    @property
    def size(self) -> int:
        """The rows of the first page."""
        return len(self.first.rows)

    @property
    def asked(self) -> int | None:
        """The rows that were asked for."""
        return self.inquiry.limit

    @property
    def is_full(self) -> bool:
        """Whether the first page has as many rows as were asked for, or nobody asked for any."""
        return self.asked is None or self.size >= self.asked

    @property
    def is_keyed(self) -> bool:
        """Whether rows are told apart by keys, not by their content."""
        keys = self.inquiry.stream.primary_keys
        return bool(keys) and all(key in row for row in self.first.rows for key in keys)

    @property
    def seen(self) -> int:
        """The number of different rows that have been seen."""
        return len({key for answer in (self.first, *self.further) for key in answer.ids})

    def find(self, finding: Finding) -> None:
        """Add a finding."""
        self.report.findings.append(finding)

    def is_stable(self) -> bool:
        """Whether the first page, asked for again, is the same; tell so if it isn't."""
        again = self.inquiry.ask(self.first.page.query, anew=True)
        if again.ids == self.first.ids:
            return True
        text = (
            "The first page came with other rows, or in another order, when it was asked for "
            "again, so rows can be missed. Ask for a stable order in `params`."
        )
        self.find(wrong("unstable", text))
        return False

    def find_overlap(self, answer: Answer) -> None:
        """Tell that the second page has rows of the first one beside new ones."""
        if not self.is_stable():
            return
        known = set(self.first.ids)
        count = sum(key in known for key in answer.ids)
        rows = "1 row" if count == 1 else f"{count} rows"
        text = f"{rows} of the second page came on the first one too: the pages overlap."
        self.find(warning("overlap", text))

    def ask(self, query: PageToken) -> Answer:
        """Return a page; one with rows that are new is kept."""
        return self.kept(self.inquiry.ask(query))

    def kept(self, answer: Answer) -> Answer:
        """Return a page, and keep it if it has rows that are new."""
        if self.relation(answer) in {Relation.NEW, Relation.OVERLAP}:
            self.further.append(answer)
        return answer

    def probe(self, query: PageToken) -> Answer | None:
        """Return a page that may be refused; None then, or where no request is left."""
        try:
            return self.ask(query)
        except (TransportError, SelectorError, BudgetSpent):
            return None

    def relation(self, answer: Answer) -> Relation:
        """Compare a page with the first one."""
        return relation(self.first.ids, answer.ids)

    def next_of(self, answer: Answer) -> PageToken | None:
        """Return the token that the tap would ask for after a page, on a walk of its own."""
        paginator = self.inquiry.stream.get_new_paginator()
        paginator.seen.page_size = self.inquiry.limit
        return self._clean(paginator.receive(answer.page))

    def _clean(self, query: PageToken | None) -> PageToken | None:
        # A link may repeat the credential; the next request is signed anew.
        secret = self.inquiry.stream.connection.auth.param_names
        return None if query is None else {k: v for k, v in query.items() if k not in secret}


_COMMON = ("limit", "limit_param")


def limit_in_params(stream: DeclaredStream) -> bool:
    """Whether the limit is written among the resource's parameters, not in its paginator."""
    api = next(entry for entry in stream.config["apis"] if entry["name"] == stream.api)
    own: dict[str, t.Any] = next(
        (r for r in api["resources"] if _named(r, stream.resource.name)), {}
    )
    endpoints = ((api.get("resource_defaults") or {}).get("endpoint"), own.get("endpoint"))
    params = [endpoint.get("params") for endpoint in endpoints if isinstance(endpoint, dict)]
    return any(stream.paging.limit_param in (given or {}) for given in params)


def _named(resource: object, name: str) -> bool:
    return isinstance(resource, dict) and resource.get("name") == name


def clause_of(paging: PagingStrategy) -> dict[str, t.Any]:
    """Return the words of a declaration that come to this paging, defaults left out."""
    kind, own = next(
        (kind, own) for kind, (known, own) in PAGINATORS.items() if known is type(paging)
    )
    defaults = {each.name: each.default for each in fields(type(paging))}
    words = (*_COMMON, *(word for word in own if word in defaults))
    given = {word: getattr(paging, word) for word in words}
    return {"type": kind} | {k: v for k, v in given.items() if v != defaults[k]}


def changed_clause(
    stream: DeclaredStream, changes: Sequence[Mapping[str, t.Any]]
) -> dict[str, t.Any]:
    """Return the paginator with changes laid over it; another type keeps the limit alone."""
    clause = clause_of(stream.paging)
    if limit_in_params(stream):
        clause.pop("limit", None)
    for change in changes:
        if change.get("type", clause["type"]) != clause["type"]:
            clause = {word: clause[word] for word in _COMMON if word in clause}
        clause = {**clause, **change}
        known = ("type", *_COMMON, *PAGINATORS[clause["type"]][1])
        clause = {word: value for word, value in clause.items() if word in known}
    return {"type": clause.pop("type"), **clause}
