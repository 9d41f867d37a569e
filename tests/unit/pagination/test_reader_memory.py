"""Memory of the pages that were read: a few bytes each, enough to recognise every one."""

from __future__ import annotations

import tracemalloc

import pytest
from support.runs import declared, run
from support.servers import JsonApi

from tap_analytics.errors import PaginationError
from tap_analytics.pagination import Auto, Cursor, Page, PageNumber, Paginator, rescan
from tap_analytics.pagination.guard import PaginationGuard
from tap_analytics.pagination.rescan import MOST_FORMS, ReadPages, fingerprint

#: What a page may cost, at most; a page by cursor once took 800 bytes.
MOST_BYTES = 60


class PageFetcher:
    """What a walk does with its pages."""

    def __init__(self, paging):
        self.guard = PaginationGuard(paginator=Paginator(paging), label="x_y (/y)", keyed=True)
        self.read = ReadPages()

    def take(self, numbers, token):
        for number in numbers:
            query = token(number)
            mark = fingerprint([f"key {number}", number])
            self.guard.check_token(query)
            self.guard.check_page(
                Page(query=query, payload={}, headers={}, size=2, received=2), mark
            )
            self.read.add(query, mark, rows=2)


TOKENS = {
    "cursor": (Cursor(), lambda number: {"cursor": f"eyJpZCI6{number:032x}"}),
    "link": (Auto(), lambda number: {"size": "50", "page": str(number), "sort": ("a", "b")}),
    "page": (PageNumber(base_page=1), lambda number: {"page": str(number)}),
}


@pytest.mark.parametrize("kind", TOKENS)
def test_a_page_costs_a_few_bytes(kind):
    paging, token = TOKENS[kind]
    pages = PageFetcher(paging)
    tracemalloc.start()
    try:
        pages.take(range(5_000), token)
        before, _ = tracemalloc.get_traced_memory()
        pages.take(range(5_000, 15_000), token)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / 10_000 < MOST_BYTES


def test_a_cursor_is_known_again_however_many_came_in_between():
    pages = PageFetcher(Cursor())
    pages.take(range(5000), TOKENS["cursor"][1])
    with pytest.raises(PaginationError, match="repeated the cursor"):
        pages.take([17], TOKENS["cursor"][1])


@pytest.mark.parametrize(
    "tokens",
    [
        [{}, *({"offset": str(n)} for n in range(0, 90, 10))],
        [{"page": str(n), "size": "5"} for n in (1, 2, 3, 7, 10**17, 10**40, 4)],
        [{"page": "1"}, {"page": "02"}, {"page": "3"}, {"page": "4", "after": "x"}, {"page": "5"}],
        [{"page": ("1", "2")}, {"page": "2"}, {"page": "3", "b": "1"}, {"page": "3", "b": "2"}],
        [{"a": str(n), "b": str(n)} for n in range(4)],
        [{"cursor": c} for c in "aabc"],
    ],
)
def test_pages_are_found_again_by_the_tokens_they_had(tokens):
    pages = ReadPages()
    for number, token in enumerate(tokens):
        assert pages.add(token, fingerprint([number]), rows=number)
    assert [pages.token(place) for place in range(len(pages))] == tokens
    assert [list(pages.token(place)) for place in range(len(pages))] == list(map(list, tokens))
    assert all(pages.is_unchanged(place, fingerprint([place])) for place in range(len(pages)))
    assert not any(
        pages.is_unchanged(place, fingerprint([-place, 0])) for place in range(len(pages))
    )


def test_tokens_of_too_many_kinds_are_not_kept():
    pages = ReadPages()
    kept = [pages.add({"page": str(n), "a": f"a{n}"}, b"8 bytes.", rows=1) for n in range(2000)]
    assert kept == [True] * MOST_FORMS + [False] * MOST_FORMS
    assert len(pages) == MOST_FORMS


def test_pages_that_could_not_be_kept_permit_no_deletes(monkeypatch):
    """Each link says something else, so the second look can't cover the whole."""
    monkeypatch.setattr(rescan, "MOST_FORMS", 20)
    table = [{"id": n} for n in range(30)]

    def answer(query):
        start = int(query.get("page", 0))
        following = f"?page={start + 1}&seen=x{start}" if start + 1 < len(table) else None
        return {"data": table[start : start + 1], "next": following}

    with JsonApi(answer) as api:
        paginator = {"type": "auto"}
        done = run(
            declared(
                api.origin,
                endpoint={"paginator": paginator},
                emit_activate_version_messages=True,
            )
        )
    assert done.ids() == list(range(len(table)))
    assert done.verdict() == "unverified"
    assert "ACTIVATE_VERSION" not in done.kinds
