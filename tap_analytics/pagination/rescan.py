"""A second look at pages that were read by number, where nothing else shows that rows have moved.

Pages by number don't overlap: a row that is deleted in front of the reader pulls another one past
it, onto a page that has been read. So pages are read again when the walk is over: one whose keys
have changed brings the rows that moved onto it.
"""

from __future__ import annotations

import operator
import typing as t
from array import array
from bisect import bisect_right
from dataclasses import dataclass, field

from tap_analytics.pagination import StopReason, whole_number
from tap_analytics.records.digests import digest
from tap_analytics.records.writer import ENCODER

if t.TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence
    from logging import Logger, LoggerAdapter

    from tap_analytics.pagination import PageToken, Paginator
    from tap_analytics.pagination.page import FetchedPage

#: A walk of up to so many pages is looked at again as a whole, for it costs little.
FEW = 16


#: Pages whose tokens differ from the one before in more than a number, at most.
MOST_FORMS = 1000
#: Digits of the largest number that is kept as one.
_DIGITS = 18


def fingerprint(keys: Sequence[Hashable]) -> bytes:
    """Return a digest of a page's keys."""
    return digest(ENCODER.encode(keys))


@dataclass(slots=True)
class ReadPages:
    """The pages that were read, in 16 bytes each where their tokens differ in a number only."""

    #: Rows of the last one.
    last: int = 0
    _numbers: array[int] = field(default_factory=lambda: array("q"))
    _prints: array[int] = field(default_factory=lambda: array("q"))
    #: A position, a token like that of the page there, and the parameter with the page's number.
    _forms: list[tuple[int, PageToken, str]] = field(default_factory=list)
    _token: PageToken = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._prints)

    def add(self, token: PageToken, fingerprint: bytes, *, rows: int) -> bool:
        """Take note of a page; False if there are too many tokens of too many kinds."""
        _, form, param = self._forms[-1] if self._forms else (0, {}, "")
        number = _number(token.get(param, ""))
        if number is None or {**token, param: form[param]} != form:
            if len(self._forms) == MOST_FORMS:
                return False
            param = self._varying(token)
            number = _number(token.get(param, ""))
            self._forms.append((len(self), token, param))
        self._numbers.append(number or 0)
        self._prints.append(_short(fingerprint))
        self._token, self.last = token, rows
        return True

    def token(self, position: int) -> PageToken:
        """Return the token of a page."""
        index = bisect_right(self._forms, position, key=operator.itemgetter(0)) - 1
        _, form, param = self._forms[index]
        return {**form, param: str(self._numbers[position])} if param else form

    def sample(self) -> list[tuple[PageToken, str]]:
        """Return a few pages before the last one, evenly spread, for a later run to look at."""
        before = range(len(self) - 1)
        step = max(1, -(-len(before) // FEW))
        return [
            (self.token(place), self._prints[place].to_bytes(8, "big", signed=True).hex())
            for place in before[::step]
        ]

    def is_like(self, position: int, fingerprint: bytes) -> bool:
        """Whether a page has the fingerprint it had."""
        return self._prints[position] == _short(fingerprint)

    def _varying(self, token: PageToken) -> str:
        """Return the only parameter that differs from the token before, if it is a number."""
        before = self._token
        names = [name for name, value in token.items() if before.get(name) != value]
        is_one = before.keys() == token.keys() and len(names) == 1
        return names[0] if is_one and _number(token[names[0]]) is not None else ""


def _number(value: str | tuple[str, ...]) -> int | None:
    """Return the number that a parameter's value is written as, None for any other."""
    found = whole_number(value) if len(value) <= _DIGITS else None
    return found if str(found) == value else None


def _short(fingerprint: bytes) -> int:
    return int.from_bytes(fingerprint[:8], "big", signed=True)


@dataclass(slots=True, kw_only=True)
class Rescan:
    """The pages of one walk in order, and the second look at them.

    A long walk is probed in the middle, where most moves show, unless deletes depend on it. Where a
    page has changed, those after it are looked at as well until one has not, for the rows that
    moved lie there.
    """

    paginator: Paginator
    fetch: Callable[[PageToken], FetchedPage]
    want: Callable[[PageToken], bool]
    #: Pages to read ahead at most.
    breadth: int
    logger: Logger | LoggerAdapter[Logger]
    pages: ReadPages = field(default_factory=ReadPages)
    #: Whether pages were read that are not among them, by an earlier run for one.
    partial: bool = False
    #: What the second look has cost and found.
    requests: int = 0
    changed: int = 0

    def remember(self, token: PageToken, fingerprint: bytes, *, rows: int) -> None:
        """Take note of a page that came whole and has rows."""
        self.partial |= not self.pages.add(token, fingerprint, rows=rows)

    def pages_to_read(self, *, whole: bool) -> Sequence[int]:
        """Return the positions of the pages that are looked at, if none of them has changed."""
        end = self._end(whole=whole)
        return range(end) if whole or end <= FEW else (end // 2,)

    def run(self, *, whole: bool) -> Iterator[FetchedPage]:
        """Yield the pages that have changed since they were read."""
        end, chosen = self._end(whole=whole), self.pages_to_read(whole=whole)
        reached = 0
        for index, position in enumerate(chosen):
            if position < reached:
                continue
            for following in chosen[index : index + self.breadth]:
                self.want(self.pages.token(following))
            reached = position
            while reached < end and (page := self._changed(reached)) is not None:
                yield page
                reached += 1
            reached += 1

    def _end(self, *, whole: bool) -> int:
        """Return the number of pages that rows may have moved onto.

        Nothing moves onto the last page if it showed that the list ended there.
        """
        if not self.pages:
            return 0
        seen, last = self.paginator.seen, self.pages.last
        if self.paginator.end is not StopReason.EMPTY:
            ended = True
        elif len(self.pages) > 1:
            ended = last < seen.max_rows
        elif seen.page_size is None:
            # Whether a single page is a full one, nobody knows.
            ended = not whole
        else:
            ended = last < seen.page_size
        return len(self.pages) - ended

    def _changed(self, position: int) -> FetchedPage | None:
        fetched = self.fetch(self.pages.token(position))
        self.requests += 1
        if self.pages.is_like(position, fingerprint(fetched.keys)):
            return None
        self.changed += 1
        return fetched

    def report(self, *, found: int, loud: bool) -> None:
        """Log what the second look has found, and what it cost."""
        if self.changed:
            self.logger.warning(
                "Rows moved while they were read by page number: %d of %d pages have changed. "
                "New rows found on them: %d; requests it took to look again: %d.",
                *(self.changed, len(self.pages), found, self.requests),
            )
        elif loud and self.requests:
            self.logger.info(
                "Looked again at %d of %d pages: nothing has moved meanwhile.",
                *(self.requests, len(self.pages)),
            )
