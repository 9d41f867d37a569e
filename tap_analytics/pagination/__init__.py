"""How a stream walks through the pages of an API.

A page token *is* the query that fetches the page, so every kind of paging reads the same. The
server's word comes first: a next link or cursor in the response wins over counting, and only its
query is taken, never its host.
"""

from __future__ import annotations

from tap_analytics.pagination.auto import Auto
from tap_analytics.pagination.linked import Cursor, HeaderCursor, HeaderLink, JsonLink, LinkedPaging
from tap_analytics.pagination.links import next_link
from tap_analytics.pagination.members import dig, whole_number
from tap_analytics.pagination.numbered import LinkedOffset, NumberedPaging, Offset, PageNumber
from tap_analytics.pagination.paginator import Paginator
from tap_analytics.pagination.paging import Confirm, End, Page, Paging, Query, Seen, SinglePage

__all__ = [
    "Auto",
    "Confirm",
    "Cursor",
    "End",
    "HeaderCursor",
    "HeaderLink",
    "JsonLink",
    "LinkedOffset",
    "LinkedPaging",
    "NumberedPaging",
    "Offset",
    "Page",
    "PageNumber",
    "Paginator",
    "Paging",
    "Query",
    "Seen",
    "SinglePage",
    "dig",
    "next_link",
    "whole_number",
]
