"""Rows that move while a list is read by page number, which can't overlap: found, or reported."""

from __future__ import annotations

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.examples import costly
from support.runs import STREAM, declared, run
from support.servers import JsonApi, ScriptedServer, reply

from tap_analytics.pagination.rescan import FEW

LIMIT = 10


class Paged:
    """A list that is served by page number from 1, and changes when told to."""

    def __init__(self, count, *, total=False, after=None):
        self.table = list(range(count))
        self.stable = set(self.table)
        self.total = total
        #: What happens after the n-th answer: a function of this object.
        self.after = after or {}
        self.answers = 0

    def answer(self, query):
        start = (int(query["page"]) - 1) * LIMIT
        body = {"data": [{"id": number} for number in self.table[start : start + LIMIT]]}
        if self.total:
            body["total"] = len(self.table)
        self.answers += 1
        if change := self.after.get(self.answers):
            change(self)
        return body

    def delete(self, position):
        if self.table:
            self.stable.discard(self.table.pop(position % len(self.table)))

    def insert(self, position):
        self.table.insert(position % (len(self.table) + 1), 1000 + self.answers)


def config(origin, *, concurrency=1, **top):
    paginator = {"type": "page_number", "base_page": 1, "limit": LIMIT}
    if top.pop("total", False):
        paginator["total_path"] = "total"
    return declared(origin, endpoint={"paginator": paginator}, concurrency=concurrency, **top)


def read(paged, **top):
    with JsonApi(paged.answer) as api:
        done = run(config(api.origin, total=paged.total, **top))
    return done, [int(query["page"]) for query in api.queries]


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("after", [1, 2, 3, 4])
@pytest.mark.parametrize("versions", [False, True])
def test_a_row_that_moved_past_the_reader_is_found(after, concurrency, versions):
    paged = Paged(45, after={after: lambda api: api.delete(3)})
    done, _ = read(paged, concurrency=concurrency, emit_activate_version_messages=versions)
    assert done.error is None
    assert paged.stable <= set(done.ids())


def test_rows_that_moved_permit_no_deletes():
    paged = Paged(45, after={2: lambda api: api.delete(3)})
    done, _ = read(paged, emit_activate_version_messages=True)
    assert done.verdict() == "unverified"
    assert not done.of("ACTIVATE_VERSION")


def test_rows_that_moved_are_reported_with_the_consequence(caplog):
    caplog.set_level(logging.INFO)
    paged = Paged(45, after={2: lambda api: api.delete(3)})
    read(paged)
    told = "\n".join(record.getMessage() for record in caplog.records)
    assert "2 of 5 pages have changed" in told
    assert "New rows found on them: 1; requests to read them again: 4." in told


def test_a_list_that_stands_still_is_proven_and_no_row_is_written_twice(caplog):
    caplog.set_level(logging.INFO)
    paged = Paged(45)
    done, pages = read(paged, emit_activate_version_messages=True)
    assert done.ids() == list(range(45))
    assert done.verdict() == "consistent"
    assert len(done.of("ACTIVATE_VERSION")) == 1
    assert pages == [1, 2, 3, 4, 5, 6, 1, 2, 3, 4]
    assert "Read 4 of 5 pages again: no row has moved." in caplog.text


def test_a_single_page_is_not_read_again():
    _, pages = read(Paged(7))
    assert pages == [1, 2]


def test_a_single_page_that_is_full_is_read_again():
    paged = Paged(11, after={1: lambda api: api.delete(0)})
    done, pages = read(paged)
    assert pages == [1, 2, 1]
    assert paged.stable <= set(done.ids())


def test_a_last_page_that_is_full_is_read_again():
    # A row of the last page is deleted, and the only one behind it moves onto that page.
    paged = Paged(2 * LIMIT + 1, after={2: lambda api: api.delete(LIMIT + 3)})
    done, pages = read(paged, emit_activate_version_messages=True)
    assert pages == [1, 2, 3, 1, 2]
    assert paged.stable <= set(done.ids())
    assert done.verdict() == "unverified"
    assert not done.of("ACTIVATE_VERSION")


def test_a_long_list_is_probed_in_the_middle():
    count = (FEW + 10) * LIMIT - 5
    done, pages = read(Paged(count))
    assert done.ids() == list(range(count))
    assert pages[FEW + 11 :] == [13]


def test_of_a_long_list_all_is_read_again_where_deletes_depend_on_it():
    count = (FEW + 10) * LIMIT - 5
    _, pages = read(Paged(count), emit_activate_version_messages=True)
    assert pages[FEW + 11 :] == list(range(1, FEW + 10))


def test_from_a_changed_page_in_the_middle_the_rows_that_moved_are_followed():
    count = (FEW + 10) * LIMIT - 5
    paged = Paged(count, after={16: lambda api: api.delete(3)})
    done, pages = read(paged)
    assert paged.stable <= set(done.ids())
    assert done.verdict() == "unverified"
    assert pages[FEW + 11 :] == [13, 14, 15, 16, 17]


def test_a_total_vouches_for_the_pages():
    done, pages = read(Paged(45, total=True))
    assert done.verdict() == "verified"
    assert len(pages) == len(set(pages))


def test_a_total_does_not_vouch_for_deletes():
    def swap(api):
        api.delete(3)
        api.insert(len(api.table))

    paged = Paged(45, total=True, after={2: swap})
    done, _ = read(paged, emit_activate_version_messages=True)
    assert paged.stable <= set(done.ids())
    assert done.verdict() == "unverified"


def test_a_total_that_falls_has_the_pages_read_again():
    paged = Paged(45, total=True, after={2: lambda api: api.delete(3)})
    done, _ = read(paged, emit_activate_version_messages=True)
    assert paged.stable <= set(done.ids())
    assert done.verdict() == "unverified"
    assert not done.of("ACTIVATE_VERSION")


def test_a_total_that_falls_has_the_pages_read_again_though_nothing_is_deleted():
    paged = Paged(45, total=True, after={2: lambda api: api.delete(3)})
    done, _ = read(paged)
    assert paged.stable <= set(done.ids())
    assert done.verdict() == "unverified"


def test_where_a_total_fell_all_of_a_long_list_is_read_again():
    # Behind the middle, where a probe would find nothing.
    count = (FEW + 10) * LIMIT - 5
    last = FEW + 6
    paged = Paged(count, total=True, after={last: lambda api: api.delete((last - 1) * LIMIT)})
    done, _ = read(paged)
    assert paged.stable <= set(done.ids())
    assert done.verdict() == "unverified"


def test_parents_are_read_again_where_deletes_of_their_children_depend_on_them():
    count = (FEW + 10) * LIMIT - 5
    paged = Paged(count)

    def answer(query):
        return paged.answer(query) if "page" in query else {"data": [], "next": None}

    below = {"path": "/items/{item_id}/parts", "data_selector": "data", "paginator": "json_link"}
    given = {"incremental": {"cursor_path": "id"}}
    with JsonApi(answer) as api:
        made = config(
            api.origin,
            children=[{"name": "parts", "endpoint": below, "primary_key": "id"}],
            emit_activate_version_messages=True,
        )
        made["apis"][0]["resources"][0]["endpoint"] |= given
        run(made)
    pages = [int(query["page"]) for query in api.queries if "page" in query]
    assert pages[FEW + 11 :] == list(range(1, FEW + 10))


def test_rows_that_came_twice_have_the_pages_read_again_whatever_the_total_says():
    def swap(api):
        # As many rows as before: a total that falls would tell as well.
        api.delete(5)
        api.insert(len(api.table))

    paged = Paged(45, total=True, after={2: lambda api: api.insert(0), 3: swap})
    done, _ = read(paged)
    assert paged.stable <= set(done.ids())
    assert done.verdict() == "unverified"


def test_children_of_a_parent_that_moved_past_the_reader_are_read():
    courses = Paged(25, after={1: lambda api: api.delete(2)})

    def answer(query):
        if "page" in query:
            return courses.answer(query)
        return {"data": [{"id": "lesson"}]}

    lessons = {
        "name": "lessons",
        "endpoint": {
            "path": "/items/{item_id}/lessons",
            "data_selector": "data",
            "paginator": "single_page",
        },
        "primary_key": ["item_id", "id"],
    }
    with JsonApi(answer) as api:
        done = run(config(api.origin, children=[lessons]))
    parents = {row["item_id"] for row in done.records("shop_lessons")}
    assert {str(number) for number in courses.stable} <= {str(parent) for parent in parents}


def test_rows_that_moved_below_one_parent_are_distinguished_from_those_below_another():
    """Both lists have the same keys, and a row of the second moves past the reader."""
    lists = {"/items/1/lessons": Paged(15), "/items/2/lessons": Paged(15)}
    lists["/items/2/lessons"].after = {1: lambda api: api.delete(3)}

    def answer(received):
        path, query = received.target.partition("?")[0], received.query
        if path == "/items":
            body = {"data": [{"id": 1}, {"id": 2}] if query["page"] == "1" else []}
        else:
            body = lists[path].answer(query)
        return reply(200, json.dumps(body).encode())

    pages = {"type": "page_number", "base_page": 1, "limit": LIMIT}
    endpoint = {"path": "/items/{item_id}/lessons", "data_selector": "data", "paginator": pages}
    lessons = {"name": "lessons", "endpoint": endpoint, "primary_key": ["item_id", "id"]}
    with ScriptedServer(answer) as api:
        done = run(config(api.origin, children=[lessons]))
    found = [(row["item_id"], row["id"]) for row in done.records("shop_lessons")]
    wanted = [(1, number) for number in range(15)] + [(2, number) for number in range(15)]
    assert sorted(found) == wanted
    assert done.verdict("shop_lessons") == "unverified"


@costly(4)
@given(
    count=st.integers(0, 60),
    total=st.booleans(),
    changes=st.dictionaries(
        st.integers(1, 8),
        st.tuples(st.sampled_from(["insert", "delete"]), st.integers(0, 60)),
        max_size=5,
    ),
)
def test_a_row_is_there_or_the_verdict_says_that_it_may_not_be(count, total, changes):
    after = {
        number: lambda api, kind=kind, where=where: getattr(api, kind)(where)
        for number, (kind, where) in changes.items()
    }
    paged = Paged(count, total=total, after=after)
    done, _ = read(paged, emit_activate_version_messages=True)
    complete = paged.stable <= set(done.ids())
    assert complete or done.error is not None or done.verdict(STREAM) == "unverified"
    assert complete or not done.of("ACTIVATE_VERSION")


SCHEMA = {"type": "object", "properties": {"id": {"type": "integer"}}}


@costly(4)
@given(
    count=st.integers(20, 60),
    total=st.booleans(),
    versions=st.booleans(),
    after=st.integers(1, 6),
    between=st.lists(st.tuples(st.sampled_from(["insert", "delete"]), st.integers(0, 60))),
    changes=st.dictionaries(
        st.integers(1, 8),
        st.tuples(st.sampled_from(["insert", "delete"]), st.integers(0, 60)),
        max_size=3,
    ),
)
def test_a_row_that_moved_before_a_cut_is_there_or_the_verdict_says_so(
    *, count, total, versions, after, between, changes
):
    moves = {
        number: lambda api, kind=kind, where=where: getattr(api, kind)(where)
        for number, (kind, where) in changes.items()
    }
    paged = Paged(count, total=total, after=moves)
    left = after

    def answer(query):
        nonlocal left
        left -= 1
        return paged.answer(query) if left >= 0 else reply(403)

    with JsonApi(answer) as api:
        top = {"total": total, "schema": SCHEMA, "emit_activate_version_messages": versions}
        given_config = config(api.origin, **top)
        first = run(given_config)
        left = 10**6
        for kind, where in between:
            getattr(paged, kind)(where)
        last = run(given_config, state=first.state) if first.error else first
    complete = paged.stable <= {*first.ids(), *last.ids()}
    assert complete or last.error is not None or last.verdict() == "unverified"
    assert complete or not last.of("ACTIVATE_VERSION")


@pytest.mark.parametrize(
    "move",
    [lambda api: api.delete(3), lambda api: api.insert(0)],
    ids=["a row is pulled past the reader", "a row comes twice"],
)
def test_rows_that_moved_between_pages_before_a_cut_are_reported_after_it(move):
    """Nothing after the cut shows it: the pages read by then have to be read again."""
    paged = Paged(57, after={2: move})
    left = 4

    def answer(query):
        nonlocal left
        left -= 1
        return paged.answer(query) if left >= 0 else reply(403)

    with JsonApi(answer) as api:
        first = run(config(api.origin, schema=SCHEMA))
        left = 10**6
        last = run(config(api.origin, schema=SCHEMA), state=first.state)
    assert (first.error is None, last.error) == (False, None)
    assert last.ids()[0] > first.ids()[-1] - 10
    assert last.verdict() == "unverified"
