"""Pages that are requested before a response names them, and what a wrong prediction costs."""

from __future__ import annotations

import json
import threading
from itertools import islice
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.examples import costly
from support.patience import PATIENCE
from support.runs import declared, run
from support.servers import JsonApi, ScriptedServer, reply

from tap_analytics.pagination import (
    Cursor,
    HeaderLink,
    JsonLink,
    LinkedOffset,
    Page,
    PageNumber,
    Paginator,
    read_ahead,
)

WIDTH = 8
SIZE = 5
SCHEMA = {"type": "object", "properties": {"id": {"type": "integer"}}}
JSON_LINK = {"type": "json_link", "next_url_path": "links.next"}


@pytest.fixture(autouse=True)
def _prefetch_however_fast_responses_are(monkeypatch):
    monkeypatch.setattr(read_ahead, "HANDOFF", -1.0)


# --- what can be predicted ----------------------------------------------------------------------


def predicted(paging, query, following, *, size=SIZE, total=None):
    page = Page(query=query, payload={}, headers={}, size=size, received=size)
    seen = Paginator(paging).seen
    seen.rows, seen.total = 2 * size, total
    return list(islice(paging.predict(following, page, seen), 2))


@pytest.mark.parametrize("paging", [JsonLink(), HeaderLink(), PageNumber(), LinkedOffset()])
@pytest.mark.parametrize(
    ("query", "following", "named"),
    [
        ({"page": "2"}, {"page": "3"}, [{"page": "4"}, {"page": "5"}]),
        ({"page": "0"}, {"page": "1"}, [{"page": "2"}, {"page": "3"}]),
        ({"from": "10"}, {"from": "15"}, [{"from": "20"}, {"from": "25"}]),
        ({}, {"offset": "5"}, [{"offset": "10"}, {"offset": "15"}]),
        (
            {"page[number]": "2", "sort": ("a", "b")},
            {"page[number]": "3", "sort": ("a", "b")},
            [
                {"page[number]": "4", "sort": ("a", "b")},
                {"page[number]": "5", "sort": ("a", "b")},
            ],
        ),
    ],
)
def test_a_number_that_grows_by_one_or_by_the_rows_is_predicted(paging, query, following, named):
    assert predicted(paging, query, following) == named


@pytest.mark.parametrize(
    ("query", "following"),
    [
        ({"page": "2"}, {"page": "4"}),
        ({"page": "2"}, {"page": "2"}),
        ({"page": "3"}, {"page": "2"}),
        ({"page": "2"}, {"page": "3", "seed": "7"}),
        ({"page": "2", "seed": "7"}, {"page": "3"}),
        ({"page": "2", "offset": "5"}, {"page": "3", "offset": "10"}),
        ({"page": "b"}, {"page": "c"}),
        ({"page": ("1", "2")}, {"page": ("2", "3")}),
        ({"cursor": "2"}, {"cursor": "3"}),
        ({"after": "5"}, {"after": "10"}),
    ],
    ids=str,
)
def test_nothing_else_is_predicted(query, following):
    assert predicted(JsonLink(), query, following) == []


def test_an_opaque_cursor_is_never_predicted():
    assert predicted(Cursor(cursor_param="page"), {"page": "2"}, {"page": "3"}) == []


def test_nothing_is_predicted_beyond_a_total():
    assert predicted(JsonLink(), {"page": "2"}, {"page": "3"}, total=16) == [{"page": "4"}]
    assert predicted(JsonLink(), {"page": "2"}, {"page": "3"}, total=15) == []


# --- servers that link --------------------------------------------------------------------------


class Linking:
    """A list of pages with links; `order` has their numbers in the order of the links."""

    def __init__(self, order, *, param="page", beyond=None, extra=None, total=False):
        self.order = list(order)
        self.param = param
        self.step = SIZE if param == "offset" else 1
        self.beyond = beyond
        self.extra = extra or (lambda _number: {})
        self.total = total
        self.failing = set()

    def answer(self, query):
        number = int(query.get(self.param, self.step)) // self.step
        if number in self.failing:
            self.failing.discard(number)
            return reply(503, b"{}")
        if number not in self.order:
            return {"data": [], "links": {}} if self.beyond is None else reply(self.beyond, b"{}")
        place = self.order.index(number)
        links = {}
        if place + 1 < len(self.order):
            following = self.order[place + 1]
            query = {self.param: following * self.step, **self.extra(following)}
            links["next"] = f"/items?{urlencode(query)}"
        rows = [{"id": number * SIZE + n} for n in range(SIZE)]
        total = {"total": len(self.order) * SIZE} if self.total else {}
        return {"data": rows, "links": links, **total}

    def run(self, concurrency, *, paginator=JSON_LINK, failing=(), **endpoint):
        """Return a run and the queries it sent."""
        self.failing = set(failing)
        resource = {"schema": SCHEMA, "endpoint": {"paginator": paginator, **endpoint}}
        with JsonApi(self.answer) as api:
            done = run(declared(api.origin, concurrency=concurrency, **resource))
        return done, api.queries


REGULAR = range(1, 31)
SERVERS = {
    "regular": Linking(REGULAR),
    "offsets": Linking(REGULAR, param="offset"),
    "jumps": Linking([*range(1, 9), 40, 41, 42, 43, *range(9, 20)]),
    "skips a page": Linking([number for number in REGULAR if number != 12]),
    "changes a parameter": Linking(REGULAR, extra=lambda number: {"v": 1 + number // 15}),
    "ends early": Linking(range(1, 10)),
    "404 after the end": Linking(REGULAR, beyond=404),
    "400 after the end": Linking(REGULAR, beyond=400),
    "500 after the end": Linking(REGULAR, beyond=500),
    "403 after the end": Linking(REGULAR, beyond=403),
    "links to the same page": Linking([*range(1, 10), 9]),
    "links back": Linking([*range(1, 10), 4]),
    "two pages": Linking([1, 2]),
}


@pytest.mark.parametrize(
    ("name", "paginator"),
    [*((name, JSON_LINK) for name in SERVERS), ("regular", None), ("jumps", None)],
    ids=lambda value: value if isinstance(value, str) else "json_link" if value else "auto",
)
def test_links_are_read_the_same_at_any_concurrency(name, paginator):
    server = SERVERS[name]
    serial, needed = server.run(1, paginator=paginator)
    faults = {2, 5, 6, 17}
    for concurrency in (WIDTH, 16):
        done, queries = server.run(concurrency, paginator=paginator, failing=faults)
        assert done.streams == serial.streams
        assert (done.failure(), done.verdict()) == (serial.failure(), serial.verdict())
        retries = len(faults.intersection(server.order))
        # What was prefetched when the first prediction proved wrong, and at the end.
        assert len(queries) <= len(needed) + retries + 2 * (concurrency - 1)


@costly(8)
@given(
    runs=st.lists(st.tuples(st.integers(1, 60), st.integers(1, 9)), min_size=1, max_size=5),
    param=st.sampled_from(["page", "offset", "from", "cursor"]),
    beyond=st.sampled_from([None, 404, 500]),
    failing=st.sets(st.integers(1, 60), max_size=4),
)
def test_links_in_any_order_are_read_the_same_at_any_concurrency(runs, param, beyond, failing):
    order = dict.fromkeys(first + n for first, count in runs for n in range(count))
    server = Linking([1, *(number for number in order if number != 1)], param=param, beyond=beyond)
    serial, _ = server.run(1)
    done, _ = server.run(WIDTH, failing=failing)
    assert serial.error is None
    assert len(serial.ids()) == len(server.order) * SIZE
    assert done.streams == serial.streams


def test_links_are_requested_before_they_are_received():
    """Each page is held back until the one after the next is requested."""
    server, requested = Linking(REGULAR), {number: threading.Event() for number in range(1, 40)}
    unpredicted = []

    def script(received):
        number = int(received.query.get("page", 1))
        requested[number].set()
        body = reply(200, json.dumps(server.answer(received.query)).encode())

        def step(connection):
            if 4 < number < 26 and not requested[number + 2].wait(PATIENCE):
                unpredicted.append(number)
            connection.sendall(body)
            return True

        return step

    with ScriptedServer(script) as api:
        resource = {"schema": SCHEMA, "endpoint": {"paginator": JSON_LINK}}
        done = run(declared(api.origin, concurrency=WIDTH, **resource))
    assert len(done.ids()) == 30 * SIZE
    assert unpredicted == []


def test_a_total_bounds_the_predictions():
    server = Linking(REGULAR, total=True)
    paginator = JSON_LINK | {"total_path": "total"}
    _, needed = server.run(1, paginator=paginator)
    done, queries = server.run(WIDTH, paginator=paginator)
    assert len(done.ids()) == 30 * SIZE
    assert sorted(map(str, queries)) == sorted(map(str, needed))


@pytest.mark.parametrize("count", [1, 2])
def test_a_list_too_short_to_predict_costs_no_more_than_it_does_serially(count):
    server = Linking(range(1, count + 1))
    assert server.run(WIDTH)[1] == server.run(1)[1]


def test_auto_predicts_no_offset_that_it_counts_itself():
    """Without a limit, pages may have any number of rows."""
    table = [{"id": number} for number in range(100)]

    def answer(query):
        start = int(query.get("offset", 0))
        return {"data": table[start : start + 3 + start % 7], "offset": start}

    counts = {}
    for concurrency in (1, WIDTH):
        with JsonApi(answer) as api:
            resource = {"schema": SCHEMA, "endpoint": {"paginator": "auto"}}
            done = run(declared(api.origin, concurrency=concurrency, **resource))
        assert len(done.ids()) == 100
        counts[concurrency] = len(api.requests)
    assert counts[WIDTH] == counts[1]


def test_after_a_wrong_prediction_nothing_is_predicted_for_the_stream():
    # Regular for a while, then every other page, then regular again.
    order = [*range(1, 9), *range(10, 30, 2), *range(40, 80)]
    server = Linking(order, beyond=404)
    done, queries = server.run(WIDTH)
    assert len(done.ids()) == len(order) * SIZE
    unneeded = {int(query.get("page", 1)) for query in queries}.difference(order)
    assert unneeded <= set(range(9, 9 + WIDTH))


def test_a_wrong_prediction_below_one_parent_counts_for_all():
    """Each parent's list of children jumps in the same place."""
    children = Linking([1, 2, 3, 4, 20, 21], beyond=404)
    counts = {}
    for concurrency in (1, WIDTH):

        def answer(received):
            if "children" not in received.path:
                return reply(200, json.dumps({"data": [{"id": n} for n in range(12)]}).encode())
            answered = children.answer(received.query)
            is_raw = isinstance(answered, bytes)
            return answered if is_raw else reply(200, json.dumps(answered).encode())

        child = {
            "name": "children",
            "primary_key": ["item_id", "id"],
            "schema": {
                "type": "object",
                "properties": {"id": {"type": "integer"}, "item_id": {"type": "integer"}},
            },
            "endpoint": {
                "path": "/items/{item_id}/children",
                "data_selector": "data",
                "paginator": JSON_LINK,
            },
        }
        with ScriptedServer(answer) as api:
            config = declared(
                api.origin,
                concurrency=concurrency,
                schema=SCHEMA,
                endpoint={"paginator": "single_page"},
                children=[child],
            )
            done = run(config)
        assert len(done.records("shop_children")) == 12 * 6 * SIZE
        counts[concurrency] = len(api.requests)
    assert counts[WIDTH] <= counts[1] + 2 * WIDTH


# --- what a link leaves out ---------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, WIDTH])
@pytest.mark.parametrize(
    "paginator",
    [JSON_LINK | {"limit": 5}, {"type": "page_number", "limit": 5}, {"type": "auto", "limit": 5}],
    ids=lambda paginator: paginator["type"],
)
def test_parameters_that_a_link_drops_are_sent_again_and_those_it_has_win(paginator, concurrency):
    server = Linking(REGULAR, extra=lambda _number: {"sort": "id"})
    endpoint = {"params": {"q": "x", "sort": "name"}}
    done, queries = server.run(concurrency, paginator=paginator, **endpoint)
    assert {*range(SIZE, 31 * SIZE)} <= set(done.ids())
    assert {(query.get("q"), query.get("limit")) for query in queries} == {("x", "5")}
    sorts = {int(query.get("page", 1)): query["sort"] for query in queries}
    assert sorts[1] == "name"
    assert {sorts[number] for number in REGULAR if number > 1} == {"id"}
