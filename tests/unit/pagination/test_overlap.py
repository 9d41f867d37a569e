"""Lists that change between two requests, read by row number: nothing is lost, nothing misjudged.

The walk is the real one; the server is a list in this process, so that thousands of walks take
seconds. What holds for every walk: a row that was there all the time arrives, or the run fails.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tap_analytics.errors import PaginationError
from tap_analytics.pagination import Offset, Page
from tap_analytics.pagination.completeness import Verdict
from tap_analytics.pagination.endpoint import Endpoint
from tap_analytics.pagination.fetcher import PageFetcher
from tap_analytics.pagination.page import FetchedPage
from tap_analytics.pagination.reader import PageReader
from tap_analytics.records.rows import DictRows

#: More requests than any of these walks may need.
PATIENCE = 3000


def endpoint(limit, fetch):
    """Return as much of an endpoint as a reader of pages looks at; tokens are its requests."""
    return Endpoint(
        name="list",
        label="list",
        logger=logging.getLogger(__name__),
        connection=SimpleNamespace(
            concurrency=1,
            prefetcher=SimpleNamespace(
                fetch=lambda key, token, decode: fetch(token), discard=lambda owner: None
            ),
            auth=SimpleNamespace(of=lambda _: SimpleNamespace(param_names=())),
        ),
        paging=Offset(limit=limit),
        page_size=limit,
        primary_keys=("id",),
        build=lambda token: token,
        parse=None,
        holds_null=None,
    )


@dataclass
class Server:
    """A list that moves after each answer, and what of it was there all the time."""

    count: int
    limit: int
    cap: int | None = None
    #: Which answers name the total: none, the first, all.
    total: str = "none"
    link: bool = False
    #: What happens after each answer: inserts (True) and deletes, each at a part of the list.
    moves: list = field(default_factory=list)
    asked: list = field(default_factory=list)

    def __post_init__(self):
        self.rows = list(range(self.count))
        self.stable = set(self.rows)
        self.fresh = self.count
        self.pending = list(self.moves)

    def slice(self, start):
        return self.rows[start : start + min(self.limit, self.cap or self.limit)]

    def take(self, query):
        assert len(self.asked) < PATIENCE, "no end"
        start = int(query.get("offset", 0))
        keys = self.slice(start)
        body = {}
        if self.total == "all" or (self.total == "first" and not self.asked):
            body["total"] = len(self.rows)
        if self.link:
            end = start + len(keys)
            link = f"/items?offset={end}&limit={self.limit}" if end < len(self.rows) else None
            body["links"] = {"next": link}
        self.asked.append(start)
        for is_insert, place in self.pending.pop(0) if self.pending else ():
            self.move(place, is_insert=is_insert)
        size = len(keys)
        page = Page(
            query=query, payload=body, headers={}, size=size, received=size, url="http://h/"
        )
        rows = DictRows([{"id": key} for key in keys])
        return FetchedPage(page=page, rows=rows, elapsed=0.0)

    def move(self, place, *, is_insert):
        if is_insert:
            self.rows.insert(int(place * (len(self.rows) + 1)), self.fresh)
            self.fresh += 1
        elif self.rows:
            self.stable.discard(self.rows.pop(int(place * len(self.rows))))

    def read(self):
        """Walk over the list; return the rows, the error, the verdict."""
        reader = PageReader(PageFetcher(endpoint=endpoint(self.limit, self.take)))
        found = []
        try:
            for rows in reader:
                found += [row["id"] for row in rows.dicts]
        except PaginationError as error:
            return found, str(error), None
        return found, "", reader.finding().verdict


# Fewer at the end of the list: what matters happens in front of the reader.
place = st.floats(0, 1, exclude_max=True).map(lambda x: x * x)
move = st.tuples(st.booleans(), place)


def moving(*, at_most, pages, totals):
    """Return servers whose list moves so often after each answer, with pages of so many rows."""
    return st.builds(
        Server,
        count=st.sampled_from([0, 1, 4, 17, 60, 150]),
        limit=st.integers(pages, 12),
        cap=st.none() | st.integers(pages, 12),
        total=st.sampled_from(totals),
        link=st.booleans(),
        moves=st.lists(st.lists(move, max_size=at_most), max_size=40),
    )


def check_nothing_is_lost(server):
    found, error, verdict = server.read()
    assert error or verdict is Verdict.SHORT or server.stable <= set(found), server.asked
    assert len(found) == len(set(found))


def check_no_error(server):
    found, error, verdict = server.read()
    assert error == ""
    assert server.stable <= set(found)
    assert len(found) == len(set(found))
    assert verdict is not Verdict.SHORT


# Where a first page alone names a total, rows deleted later make it look short.
quick = given(server=moving(at_most=4, pages=3, totals=["none", "first", "all"]))
slow = given(server=moving(at_most=1, pages=4, totals=["none", "all"]))
FRONT, BACK = (True, 0.0), (True, 0.99)


@example(server=Server(1, 11, moves=[[FRONT]] * 3)).via("a first page of one row comes again")
@example(server=Server(40, 10, total="first", moves=[[BACK], [BACK]])).via("a total that grows")
@example(server=Server(12, 3, moves=[[FRONT, FRONT], [], [(False, 0.0)]])).via("a page comes twice")
@example(
    server=Server(4, 4, moves=[[(False, 0.0)], [(True, 0.56), FRONT, FRONT], [(False, 0.0)] * 3])
).via("a list that shrinks and grows, as if it knew whole pages only")
@quick
def test_no_row_is_lost_without_an_error_however_rows_move(server):
    check_nothing_is_lost(server)


@example(server=Server(20, 10, moves=[[FRONT]] * 200)).via("rows are inserted without end")
@slow
def test_rows_that_move_one_at_a_time_end_in_no_error(server):
    check_no_error(server)


class Sorted(Server):
    """A list in the order of the last change: a row that changes jumps to an end of it."""

    def move(self, place, *, is_insert):
        if self.rows:
            row = self.rows.pop(int(place * len(self.rows)))
            self.stable.discard(row)
            self.rows.insert(0 if is_insert else len(self.rows), row)


@given(
    count=st.sampled_from([17, 60, 150]),
    limit=st.integers(4, 25),
    total=st.sampled_from(["none", "all"]),
    newest_first=st.booleans(),
    places=st.lists(st.lists(st.floats(0, 1, exclude_max=True), max_size=1), max_size=40),
)
def test_rows_that_jump_to_an_end_of_the_list_hide_no_other(
    *, count, limit, total, newest_first, places
):
    moves = [[(newest_first, place) for place in some] for some in places]
    check_nothing_is_lost(Sorted(count, limit, total=total, moves=moves))


# --- servers that go in circles -----------------------------------------------------------------

LIMIT = 10
ROWS = list(range(60))
CIRCLES = {
    "ignores the offset": lambda start, number: ROWS[:LIMIT],
    "answers the last page beyond the end": lambda start, number: (
        ROWS[start : start + LIMIT] or ROWS[-LIMIT:]
    ),
    "never goes past the last page": lambda start, number: ROWS[min(start, 50) :][:LIMIT],
    "gives two pages in turn": lambda start, number: ROWS[number % 2 * LIMIT :][:LIMIT],
    "gives two pages by number": lambda start, number: ROWS[start % 2 * LIMIT :][:LIMIT],
    "gives three pages in turn": lambda start, number: ROWS[number % 3 * LIMIT :][:LIMIT],
}


class Circular(Server):
    """A server that answers as it likes."""

    def __init__(self, answer, total):
        super().__init__(len(ROWS), LIMIT, total=total)
        self.answer = answer

    def slice(self, start):
        return self.answer(start, len(self.asked))


@pytest.mark.parametrize("case", CIRCLES)
def test_a_server_that_pages_in_cycles_is_reported_within_a_few_requests(case):
    server = Circular(CIRCLES[case], "none")
    found, error, _ = server.read()
    assert "the server repeated a page" in error
    assert len(found) == len(set(found))
    # What a walk over all there is would need, and a handful.
    assert len(server.asked) <= -(-len(set(found)) // (LIMIT - 1)) + 5
    assert len(server.asked) <= 12
