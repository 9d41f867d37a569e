"""Pagination, and the verification that no page is missing.

A page token *is* the query that fetches the page, so all kinds of paging share one reader. A next
link or cursor in a response has priority over numbers; only its query is used, never its host.
"""

from tap_analytics.pagination.page import Page as Page
from tap_analytics.pagination.page import PageToken as PageToken
from tap_analytics.pagination.paginator import Paginator as Paginator
from tap_analytics.pagination.strategies.auto import Auto as Auto
from tap_analytics.pagination.strategies.linked import Cursor as Cursor
from tap_analytics.pagination.strategies.linked import HeaderCursor as HeaderCursor
from tap_analytics.pagination.strategies.linked import HeaderLink as HeaderLink
from tap_analytics.pagination.strategies.linked import JsonLink as JsonLink
from tap_analytics.pagination.strategies.linked import LinkedPaging as LinkedPaging
from tap_analytics.pagination.strategies.metadata import dig as dig
from tap_analytics.pagination.strategies.metadata import next_link as next_link
from tap_analytics.pagination.strategies.metadata import whole_number as whole_number
from tap_analytics.pagination.strategies.numbered import LinkedOffset as LinkedOffset
from tap_analytics.pagination.strategies.numbered import NumberedStrategy as NumberedStrategy
from tap_analytics.pagination.strategies.numbered import Offset as Offset
from tap_analytics.pagination.strategies.numbered import PageNumber as PageNumber
from tap_analytics.pagination.strategies.strategy import Confirm as Confirm
from tap_analytics.pagination.strategies.strategy import PagingFacts as PagingFacts
from tap_analytics.pagination.strategies.strategy import PagingState as PagingState
from tap_analytics.pagination.strategies.strategy import PagingStrategy as PagingStrategy
from tap_analytics.pagination.strategies.strategy import SinglePage as SinglePage
from tap_analytics.pagination.strategies.strategy import StopReason as StopReason
from tap_analytics.pagination.strategies.unknown_unit import UnknownUnit as UnknownUnit
