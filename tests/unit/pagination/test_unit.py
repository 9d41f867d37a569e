"""An offset called `page`: rows, or pages from 0 or from 1, as the first two pages show."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.examples import costly
from support.runs import STREAM, declared, run
from support.servers import JsonApi, PathApi, reply

LIMIT = 10
UNITS = ["rows", "pages from 0", "pages from 1", "page 0 is page 1", "page 0 is refused"]


def page_of(unit, rows, number, limit=LIMIT):
    """Return the rows of a page; None for a number that the server refuses."""
    if unit == "rows":
        return rows[number : number + limit]
    if unit == "page 0 is refused" and number == 0:
        return None
    if unit == "page 0 is page 1":
        number = max(number, 1)
    index = number if unit == "pages from 0" else number - 1
    return rows[index * limit : (index + 1) * limit] if index >= 0 else []


def server(unit, count, **more):
    rows = [{"id": number} for number in range(count)]

    def answer(query):
        found = page_of(unit, rows, int(query["page"]))
        return reply(400, b"{}") if found is None else {"data": found, **more}

    return JsonApi(answer)


def read(api, concurrency=1, **more):
    paginator = {"type": "offset", "offset_param": "page", "limit": LIMIT}
    endpoint = {"paginator": paginator}
    return run(declared(api.origin, endpoint=endpoint, concurrency=concurrency), **more)


@costly(12)
@given(
    unit=st.sampled_from(UNITS),
    count=st.integers(0, 45),
    told=st.booleans(),
    concurrency=st.sampled_from([1, 8]),
)
def test_every_row_arrives_once_whatever_page_counts(unit, count, told, concurrency):
    with server(unit, count, **({"total": count} if told else {})) as api:
        done = read(api, concurrency)
    assert done.error is None
    assert done.ids() == list(range(count))
    assert done.verdict() == ("verified" if told and count else "consistent")


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("count", [1, 2, 9, 10, 11, 20, 25])
def test_lists_of_every_length_are_whole(unit, count):
    with server(unit, count) as api:
        done = read(api)
    assert (done.error, done.ids(), done.verdict()) == (None, list(range(count)), "consistent")


def test_pages_that_share_rows_in_another_order_are_an_error():
    with JsonApi(
        lambda query: {
            "data": [{"id": n} for n in ((1, 2, 3) if query["page"] == "0" else (3, 1, 9))]
        }
    ) as api:
        done = read(api)
    assert "`page` 0 and 1 have some rows in common, so it can't be told" in done.failure()


@pytest.mark.parametrize("unit", UNITS)
def test_the_unit_is_found_out_once_for_all_parents(unit):
    def answer(path, pairs):
        if path == "/items":
            return {"data": [{"id": number} for number in range(3)]}
        first = int(path.split("/")[2]) * 100
        rows = [{"id": number} for number in range(first, first + 5)]
        found = page_of(unit, rows, int(dict(pairs)["page"]))
        return (400, {}) if found is None else {"data": found}

    paginator = {"type": "offset", "offset_param": "page", "limit": LIMIT}
    endpoint = {"path": "/items/{item_id}/parts", "data_selector": "data", "paginator": paginator}
    child = {"name": "parts", "primary_key": "id", "endpoint": endpoint}
    with PathApi(answer) as api:
        given = declared(api.origin, endpoint={"paginator": "single_page"}, children=[child])
        done = run(given)
    assert done.error is None
    assert done.ids("shop_parts") == [n + at for n in (0, 100, 200) for at in range(5)]
    zero = [path for path, pairs in api.asked if ("page", "0") in pairs and path != "/items"]
    counts_from_zero = unit in {"rows", "pages from 0"}
    assert (zero.count("/items/2/parts") == 0) == (not counts_from_zero)


@pytest.mark.parametrize("unit", UNITS)
def test_a_run_continues_with_the_unit_that_was_found(unit):
    rows = [{"id": number} for number in range(45)]
    fails = [True]

    def answer(query):
        found = page_of(unit, rows, int(query["page"]))
        if found and found[-1]["id"] >= 40 and fails:
            return reply(500, b"{}")
        return reply(400, b"{}") if found is None else {"data": found}

    with JsonApi(answer) as api:
        first = read(api)
        fails.clear()
        second = read(api, state=json.loads(json.dumps(first.state)))
    assert first.error is not None
    assert second.error is None
    assert {*first.ids(STREAM), *second.ids(STREAM)} == set(range(45))
