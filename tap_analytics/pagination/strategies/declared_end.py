"""Where reading ends by the declaration: at a flag, at an empty page, at the largest number."""

from __future__ import annotations

import typing as t

from tap_analytics.pagination.strategies.linked import LinkedPaging
from tap_analytics.pagination.strategies.numbered import NumberedStrategy
from tap_analytics.pagination.strategies.strategy import Confirm, StopReason

if t.TYPE_CHECKING:
    from tap_analytics.pagination.page import Page, PageToken
    from tap_analytics.pagination.strategies.strategy import PagingState, PagingStrategy

Following: t.TypeAlias = "PageToken | Confirm | StopReason"


def with_declared_end(
    paging: PagingStrategy, page: Page, seen: PagingState, *, confirming: Confirm | None
) -> Following:
    """Return what follows a page, which `confirming` asked for to confirm the end."""
    following = paging.next_token(page, seen)
    if not page.received:
        following = _after_nothing(paging, following, page, seen, confirming=confirming)
    following = _after_short(paging, following, page, seen)
    following = _at_flag(paging, following, page, seen, confirming=confirming)
    is_beyond = isinstance(paging, NumberedStrategy) and paging.is_beyond(_token_of(following))
    return StopReason.MAXIMUM if is_beyond else following


def _token_of(following: Following) -> PageToken:
    if isinstance(following, StopReason):
        return {}
    return following.query if isinstance(following, Confirm) else following


def _after_nothing(
    paging: PagingStrategy,
    following: Following,
    page: Page,
    seen: PagingState,
    *,
    confirming: Confirm | None,
) -> Following:
    """Return what follows a page without rows; one that names another page is read once more."""
    if paging.stop_after_empty_page is None:
        return following
    if isinstance(paging, NumberedStrategy):
        says_more = paging.has_more(page) or seen.rows < (seen.total or 0) or paging.maximum
        goes_on = not paging.stop_after_empty_page and following is StopReason.EMPTY and says_more
        return paging.skipped(page, seen) if goes_on else following
    token = _token_of(following)
    if not isinstance(paging, LinkedPaging) or not paging.stop_after_empty_page or not token:
        return following
    is_confirmed = confirming is not None or token == page.query
    return StopReason.EMPTY if is_confirmed else Confirm(token, StopReason.EMPTY)


def _after_short(
    paging: PagingStrategy, following: Following, page: Page, seen: PagingState
) -> Following:
    """Return what follows a page with fewer rows than the limit, which may be the last one.

    If the server never sent as many rows as the limit, it may allow fewer, which proves nothing.
    """
    is_short = 0 < page.received < (seen.page_size or 0)
    is_short &= seen.pages == 1 or page.received < seen.max_rows
    if not (is_short and paging.stop_after_short_page and isinstance(following, dict)):
        return following
    if paging.has_more(page) or seen.rows < (seen.total or 0):
        return following
    if isinstance(paging, NumberedStrategy) and not paging.named(page):
        following = {paging.number_param: str(paging.beyond(page, seen))}
    is_sure = seen.max_rows >= (seen.page_size or 0)
    end = StopReason.EMPTY if is_sure else StopReason.SINGLE
    return end if following == page.query else Confirm(following, end, is_number=False)


def _at_flag(
    paging: PagingStrategy,
    following: Following,
    page: Page,
    seen: PagingState,
    *,
    confirming: Confirm | None,
) -> Following:
    """Return what follows a page whose flag is false.

    A flag that never was true may be the wrong one: it ends reading once the next page confirms it,
    by having no rows either, or because there is no other.
    """
    if paging.has_more(page) is not False:
        return following
    if isinstance(following, StopReason):
        return StopReason.FLAG if following is StopReason.SINGLE else following
    token = _token_of(following)
    is_confirmed = token == page.query or (confirming is not None and not page.received)
    is_proven = is_confirmed or seen.facts.flag_seen or paging.has_known_flag
    return StopReason.FLAG if is_proven else Confirm(token, StopReason.FLAG)
