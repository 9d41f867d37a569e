"""After an unverified run no row is deleted in the target, and none is skipped by the next run.

The first run of each test is complete: PostgreSQL has a hundred rows. The second gets fewer.
"""

from __future__ import annotations

import pytest
from support.servers import PathApi

pytestmark = pytest.mark.xdist_group("meltano")

COUNT, LIMIT = 100, 20
OLD, NEW = "2024-01-01T00:00:00Z", "2024-06-01T00:00:00Z"


def row(number):
    return {"id": number, "at": NEW if number < COUNT // 2 else OLD}


def rows(page, shift=0):
    start = (page - 1) * LIMIT + shift
    return [row(number) for number in range(start, min(start + LIMIT, COUNT))]


class Shop:
    """A hundred items by page number, and one part below each."""

    def __init__(self):
        self.api = PathApi(self.answer)
        self.bad_day = lambda path, page: None
        self.looks = 0

    def answer(self, path, query):
        page = int(dict(query).get("page", 1))
        if (odd := self.bad_day(path, page)) is not None:
            return odd
        if path == "/items":
            return {"data": rows(page), "total": COUNT}
        own = [row(int(path.split("/")[2]))]
        return {"data": own if page == 1 else [], "total": 1}

    def twenty_rows_that_move(self, path, page):
        """Show 20 rows of 100, which are others at the second look."""
        if path != "/items":
            return None
        self.looks += 1
        return {"data": rows(page, shift=self.looks // 2) if page == 1 else []}

    def config(self, *, incremental=False, children=False, **top):
        pages = {"type": "page_number", "base_page": 1, "limit": LIMIT, "total_path": "total"}
        endpoint = {"path": "/items", "data_selector": "data", "paginator": pages}
        if incremental:
            endpoint["incremental"] = {"cursor_path": "at"}
        below = {"path": "/items/{item_id}/parts", "data_selector": "data", "paginator": pages}
        resources = [{"name": "items", "endpoint": endpoint}]
        if children:
            resources.append({"name": "parts", "endpoint": below})
        return self.api.config(*resources) | {"emit_activate_version_messages": True} | top


@pytest.fixture
def shop():
    shop = Shop()
    with shop.api:
        yield shop


def short(path, page):
    """Give two pages, and say that there are more."""
    return {"data": rows(page) if page < 3 else [], "total": COUNT}


CASES = {
    "unverified": ("twenty_rows_that_move", {}, 0, "is unverified"),
    "short, accepted": (short, {"on_shortfall": "warn"}, 0, "so rows are missing"),
    "not all parents came": (
        "twenty_rows_that_move",
        {"children": True},
        0,
        "its parents, odd_items, are unverified",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_no_row_is_deleted_without_proof(case, shop, warehouse):
    bad_day, settings, code, said = CASES[case]
    streams = ["odd_items", "odd_parts"][: 1 + settings.get("children", False)]
    assert warehouse.load(shop.config(**settings)) == 0
    shop.bad_day = getattr(shop, bad_day) if isinstance(bad_day, str) else bad_day
    assert warehouse.load(shop.config(**settings)) == code
    assert said in warehouse.said
    for stream in streams:
        assert warehouse.ids(stream) == list(range(COUNT)), stream
    shop.bad_day = lambda path, page: None
    assert warehouse.load(shop.config(**settings)) == 0
    for stream in streams:
        assert warehouse.ids(stream) == list(range(COUNT)), stream


def test_no_row_is_skipped_after_a_run_without_proof(shop, warehouse):
    config = shop.config(incremental=True)
    shop.bad_day = shop.twenty_rows_that_move
    assert warehouse.load(config) == 0
    assert len(warehouse.ids("odd_items")) < COUNT
    shop.bad_day = lambda path, page: None
    assert warehouse.load(config) == 0
    assert warehouse.ids("odd_items") == list(range(COUNT))
