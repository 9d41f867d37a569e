"""How a stream walks through the pages of an API.

A page token *is* the query that fetches the page, so every kind of paging reads the same. The
server's word comes first: a next link or cursor in the response wins over counting, and only its
query is taken, never its host.
"""

from __future__ import annotations

from tap_analytics.pagination.page import Page, PageToken
from tap_analytics.pagination.paginator import Paginator
from tap_analytics.pagination.strategies.auto import Auto
from tap_analytics.pagination.strategies.linked import (
    Cursor,
    HeaderCursor,
    HeaderLink,
    JsonLink,
    LinkedPaging,
)
from tap_analytics.pagination.strategies.metadata import dig, next_link, whole_number
from tap_analytics.pagination.strategies.numbered import (
    LinkedOffset,
    NumberedStrategy,
    Offset,
    PageNumber,
)
from tap_analytics.pagination.strategies.strategy import (
    Confirm,
    PagingFacts,
    PagingState,
    PagingStrategy,
    SinglePage,
    StopReason,
)

__all__ = [
    "Auto",
    "Confirm",
    "Cursor",
    "HeaderCursor",
    "HeaderLink",
    "JsonLink",
    "LinkedOffset",
    "LinkedPaging",
    "NumberedStrategy",
    "Offset",
    "Page",
    "PageNumber",
    "PageToken",
    "Paginator",
    "PagingFacts",
    "PagingState",
    "PagingStrategy",
    "SinglePage",
    "StopReason",
    "dig",
    "next_link",
    "whole_number",
]
