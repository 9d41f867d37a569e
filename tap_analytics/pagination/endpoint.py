"""Endpoints: the values and functions that a page reader needs."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from tap_analytics.pagination.strategies.strategy import PagingFacts
from tap_analytics.records.rows import DictRows, StructRows

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from logging import Logger, LoggerAdapter

    from tap_analytics.pagination.page import FetchedPage, PageToken
    from tap_analytics.pagination.strategies.strategy import PagingStrategy
    from tap_analytics.records.rows import Row, Rows
    from tap_analytics.transport.connection import ApiConnection
    from tap_analytics.transport.request import Request, Response


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One endpoint of an API: a stream's, below one parent if the stream has parents."""

    #: The stream, and the stream with its path, for messages.
    name: str
    label: str
    logger: Logger | LoggerAdapter[Logger]
    connection: ApiConnection
    paging: PagingStrategy
    #: Rows to request per page; None if the server decides.
    page_size: int | None
    #: Fields of the rows, as they were sent, that make the primary key.
    primary_keys: Sequence[str] = ()
    #: Values that come from the parent's row; of these, the columns of rows that lack them.
    context: Mapping[str, t.Any] | None = None
    columns: Mapping[str, t.Any] = field(default_factory=dict)
    #: The values of it within which keys are unique; none for the whole stream.
    keys_within: Sequence[object] = ()
    #: The parameters of a range, which are sent where it has a start and an end.
    bounds: Sequence[str] = ()
    #: Whether requests have a JSON body, where an API may expect the page.
    has_body: bool = False
    #: Returns the request of the page that a token names.
    build: Callable[[PageToken], Request]
    #: Returns the decoded body of a response and its rows; raises the error it carries.
    parse: Callable[[Response], tuple[t.Any, list[Row]]]
    #: Whether a response has null instead of a list of rows.
    holds_null: Callable[[t.Any, Response], bool]
    #: The stream's `post_process`; None if it has none of its own.
    post_process: Callable[[Row], Row | None] | None = None
    #: What the run has learned of the stream's paging.
    facts: PagingFacts = field(default_factory=PagingFacts)
    #: The first page, if it was fetched for a sample, by the request it answers.
    samples: dict[Request, FetchedPage] = field(default_factory=dict)

    def process(self, rows: Rows) -> Rows:
        """Return rows as records: with `post_process` applied, and the `columns` they lack."""
        if isinstance(rows, StructRows):
            return rows
        dicts, columns = rows.dicts, self.columns
        if (post_process := self.post_process) is not None:
            dicts = [row for row in map(post_process, dicts) if row is not None]
            self.facts.leaves_out_rows |= len(dicts) < len(rows)
        for row in dicts if columns else ():
            for name, value in columns.items():
                row.setdefault(name, value)
        return DictRows(dicts)

    def process_copy(self, rows: Rows) -> list[Row]:
        """Return processed copies of rows that are processed again later."""
        copies = DictRows([dict(row) for row in t.cast("DictRows", rows).dicts])
        return t.cast("DictRows", self.process(copies)).dicts
