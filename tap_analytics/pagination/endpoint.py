"""Endpoints: the values and functions that page readers need."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from tap_analytics.pagination.strategies.strategy import PagingFacts

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from logging import Logger, LoggerAdapter

    from tap_analytics.pagination.page import FetchedPage, PageToken
    from tap_analytics.pagination.strategies.strategy import PagingStrategy
    from tap_analytics.records.rows import Row
    from tap_analytics.transport.connection import ApiConnection
    from tap_analytics.transport.request import Request, Response


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One endpoint of an API: a stream's, below one parent if the stream has parents."""

    #: The stream, and the stream with its path as messages name it.
    name: str
    label: str
    logger: Logger | LoggerAdapter[Logger]
    connection: ApiConnection
    paging: PagingStrategy
    #: Rows to request per page; None if the server decides.
    page_size: int | None
    primary_keys: Sequence[str] = ()
    #: Values that come from the parent's row; of these, the columns of rows that lack them.
    context: Mapping[str, t.Any] | None = None
    columns: Mapping[str, t.Any] = field(default_factory=dict)
    #: Whether requests have a JSON body, where an API may expect the page instead.
    has_body: bool = False
    #: Returns the request of the page that a token names.
    build: Callable[[PageToken], Request]
    #: Returns the decoded body of a response and its rows; raises the error it carries.
    parse: Callable[[Response], tuple[t.Any, list[Row]]]
    #: Whether null stands where a response should have a list of rows.
    holds_null: Callable[[t.Any, Response], bool]
    #: What the stream does to each row; None where it takes rows as they are.
    post_process: Callable[[Row], Row | None] | None = None
    #: What the run has learned of the stream's paging.
    facts: PagingFacts = field(default_factory=PagingFacts)
    #: The first page, if it was fetched for a sample, by the request it answers.
    samples: dict[Request, FetchedPage] = field(default_factory=dict)
