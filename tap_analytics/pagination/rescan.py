"""Reads numbered pages again to find rows that have moved.

Numbered pages don't overlap: a row deleted before the current page moves another row onto a page
that was read already. So pages are read again after the last one; those with changed keys contain
the moved rows.
"""

from __future__ import annotations

import operator
import typing as t
from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import chain

from tap_analytics.pagination.guard import NOT_RESCANNED, ROWS_MOVED
from tap_analytics.pagination.strategies.metadata import whole_number
from tap_analytics.pagination.strategies.strategy import StopReason
from tap_analytics.records.digests import digest
from tap_analytics.records.writer import ENCODER

if t.TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

    from tap_analytics.pagination.fetcher import PageFetcher
    from tap_analytics.pagination.guard import PaginationGuard
    from tap_analytics.pagination.overlap import PageSource
    from tap_analytics.pagination.page import FetchedPage, Fresh, PageToken
    from tap_analytics.pagination.position import Pairs
    from tap_analytics.pagination.strategies.strategy import PagingState

#: Maximum number of pages that are all read again.
FEW = 16
#: Maximum number of pages whose tokens differ from the one before in more than a number.
MOST_FORMS = 1000
#: Maximum number of digits of a number in a token.
_DIGITS = 18


def fingerprint(keys: Sequence[Hashable]) -> bytes:
    """Return a digest of a page's keys."""
    return digest(ENCODER.encode(keys))


@dataclass(slots=True)
class ReadPages:
    """The pages that were read, in 16 bytes each if their tokens differ only in a number."""

    #: Rows of the last page.
    last: int = 0
    _numbers: array[int] = field(default_factory=lambda: array("q"))
    _prints: array[int] = field(default_factory=lambda: array("q"))
    #: From which position on tokens differ from this one only in the number of this parameter.
    _forms: list[tuple[int, PageToken, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._prints)

    def add(self, token: PageToken, fingerprint: bytes, *, rows: int) -> bool:
        """Add a page; False if too many tokens differ in more than a number."""
        _, form, param = self._forms[-1] if self._forms else (0, {}, "")
        number = _number(token.get(param, ""))
        if number is None or {**token, param: form[param]} != form:
            if len(self._forms) == MOST_FORMS:
                return False
            changed = [name for name, value in token.items() if form.get(name) != value]
            param = next((name for name in changed if _number(token[name]) is not None), "")
            number = _number(token.get(param, ""))
            self._forms.append((len(self), token, param))
        self._numbers.append(number or 0)
        self._prints.append(_short(fingerprint))
        self.last = rows
        return True

    def token(self, position: int) -> PageToken:
        """Return the token of a page."""
        index = bisect_right(self._forms, position, key=operator.itemgetter(0)) - 1
        _, form, param = self._forms[index]
        return {**form, param: str(self._numbers[position])} if param else form

    def sample(self) -> tuple[tuple[Pairs, str], ...]:
        """Return tokens and fingerprints of a few pages before the last one, evenly spread."""
        before = range(len(self) - 1)
        step = max(1, -(-len(before) // FEW))
        return tuple(
            (tuple(self.token(at).items()), self._prints[at].to_bytes(8, "big", signed=True).hex())
            for at in before[::step]
        )

    def is_unchanged(self, position: int, fingerprint: bytes) -> bool:
        """Whether a page has the same fingerprint as before."""
        return self._prints[position] == _short(fingerprint)


def _number(value: str | tuple[str, ...]) -> int | None:
    """Return the number in a parameter, None if it is written in another way than `str` does."""
    found = whole_number(value) if len(value) <= _DIGITS else None
    return found if str(found) == value else None


def _short(fingerprint: bytes) -> int:
    return int.from_bytes(fingerprint[:8], "big", signed=True)


@dataclass(slots=True, kw_only=True)
class Rescan:
    """Reads pages of one endpoint again, to find rows that moved while they were read.

    Of many pages only the one in the middle is read again, where most moves show, unless the
    target is to delete missing rows. After a changed page the next ones are read as well, up to
    one that is unchanged, because the moved rows are there.
    """

    fetcher: PageFetcher
    source: PageSource
    guard: PaginationGuard
    _pages: ReadPages = field(default_factory=ReadPages)
    #: Whether other pages were read too, such as those of an earlier run.
    _partial: bool = False
    _requests: int = 0
    _changed: int = 0

    @property
    def _seen(self) -> PagingState:
        return self.guard.paginator.seen

    @property
    def _is_linked(self) -> bool:
        """Whether pages overlap, or the server names the next one."""
        paginator = self.guard.paginator
        return bool(self._seen.overlap) or not paginator.paging.is_numbered(paginator.token)

    @property
    def checks(self) -> tuple[tuple[Pairs, str], ...]:
        """Tokens and fingerprints of a few pages, which a resumed run reads again."""
        return () if self._is_linked else self._pages.sample()

    def remember(self, token: PageToken, fingerprint: bytes, *, rows: int) -> None:
        """Remember a page with rows, all of them new."""
        self._partial |= not self._pages.add(token, fingerprint, rows=rows)

    def restore(self, checks: Iterable[tuple[Pairs, str]], *, rows: int) -> None:
        """Remember the `checks` of an earlier run."""
        self._partial = True
        for token, mark in checks:
            self.remember(dict(token), bytes.fromhex(mark), rows=rows)

    def cost(self, *, whole: bool) -> int:
        """Return the number of requests if nothing has moved."""
        whole = whole or self._is_suspect(repeats=False)
        return len(self.pages_to_read(whole=whole)) if self._may_have_moved(whole=whole) else 0

    def run(self, *, whole: bool, repeats: bool, fresh: Fresh) -> Iterator[FetchedPage]:
        """Yield the new rows on pages that have changed since they were read.

        `fresh` returns which keys are new to the stream, `repeats` tells whether keys were received
        more than once. Nothing is read again if the total was reached, unless it fell or keys were
        repeated. `whole` reads all pages, total or not: one row deleted and another one inserted
        leave a total unchanged.
        """
        moved = self._moved(whole=whole, repeats=repeats, fresh=fresh)
        for fetched in chain(self.source.inserted(fresh), moved):
            self.guard.paginator.add_rows(fetched.page.size)
            yield fetched

    def _moved(self, *, whole: bool, repeats: bool, fresh: Fresh) -> Iterator[FetchedPage]:
        whole = whole or self._is_suspect(repeats=repeats)
        if not self._may_have_moved(whole=whole):
            return
        budget, found = self.fetcher.endpoint.connection.budget, 0
        chosen = self.pages_to_read(whole=whole)
        if self._partial and budget is not None and budget.left < len(chosen):
            # The next run would have no more requests for it than this one.
            self.guard.doubt_because(NOT_RESCANNED)
            return
        try:
            for fetched in self._changed_pages(chosen, self._end(whole=whole)):
                kept = fetched.filter(fresh(fetched.keys))
                found += kept.page.size
                yield kept
        finally:
            self.fetcher.discard()
        if self._changed:
            self.guard.doubt_because(ROWS_MOVED)
        elif whole and self._partial:
            self.guard.doubt_because(NOT_RESCANNED)
        self._report(found)

    def pages_to_read(self, *, whole: bool) -> Sequence[int]:
        """Return the positions of the pages to read again if none has changed."""
        end = self._end(whole=whole)
        return range(end) if whole or end <= FEW else (end // 2,)

    def _is_suspect(self, *, repeats: bool) -> bool:
        """Whether a total was given that doesn't show that no row is missing."""
        seen = self._seen
        return seen.total is not None and (seen.total_fell or repeats or seen.rows < seen.total)

    def _may_have_moved(self, *, whole: bool) -> bool:
        """Whether rows may have moved onto pages that were read already."""
        if not self.guard.keyed or self._is_linked or not (self._pages or self._partial):
            return False
        return self._seen.total is None or whole

    def _changed_pages(self, chosen: Sequence[int], end: int) -> Iterator[FetchedPage]:
        reached, width = 0, self.fetcher.endpoint.connection.concurrency
        for index, position in enumerate(chosen):
            if position < reached:
                continue
            for following in chosen[index : index + width]:
                self.fetcher.prefetch(self._pages.token(following))
            reached = position
            while reached < end and (page := self._changed_page(reached)) is not None:
                yield page
                reached += 1
            reached += 1

    def _end(self, *, whole: bool) -> int:
        """Return the number of pages that rows may have moved onto.

        Nothing moves onto the last page if it showed that the list ended there.
        """
        if not self._pages:
            return 0
        seen, last = self._seen, self._pages.last
        if self.guard.paginator.end is StopReason.RANGE:
            ended = False
        elif self.guard.paginator.end is not StopReason.EMPTY:
            ended = True
        elif len(self._pages) > 1:
            ended = last < seen.max_rows
        elif seen.page_size is None:
            # Whether a single page is full is unknown.
            ended = not whole
        else:
            ended = last < seen.page_size
        return len(self._pages) - ended

    def _changed_page(self, position: int) -> FetchedPage | None:
        fetched = self.fetcher.fetch(self._pages.token(position))
        self._requests += 1
        if self._pages.is_unchanged(position, fingerprint(fetched.keys)):
            return None
        self._changed += 1
        return fetched

    def _report(self, found: int) -> None:
        endpoint = self.fetcher.endpoint
        if self._changed:
            endpoint.logger.warning(
                "Rows moved while they were read by page number: %d of %d pages have changed. "
                "New rows found on them: %d; requests to read them again: %d.",
                *(self._changed, len(self._pages), found, self._requests),
            )
        elif endpoint.context is None and self._requests:
            endpoint.logger.info(
                "Read %d of %d pages again: no row has moved.",
                *(self._requests, len(self._pages)),
            )
