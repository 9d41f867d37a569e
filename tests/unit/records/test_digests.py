"""What identifies a row: its key, or its whole content, the same however the row was decoded."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from support.runs import STREAM, declared, deselect, discover, run
from support.servers import JsonApi, reply

LIMIT = 10
PAGED = {"type": "page_number", "limit": LIMIT}
OFFSET = {"type": "offset", "limit": LIMIT}
SCHEMA = {
    "type": "object",
    "properties": {
        "day": {"type": "integer"},
        "kind": {"type": ["string", "null"]},
        "at": {"type": ["object", "null"]},
    },
}
#: How a server may write the same rows.
SPELLINGS = {
    "compact": lambda payload: json.dumps(payload, separators=(",", ":"), ensure_ascii=False),
    "escaped": json.dumps,
    "pretty": lambda payload: json.dumps(payload, indent=2, ensure_ascii=False),
}


def config(origin, paginator=OFFSET, **more):
    more = {"primary_key": [], "schema": SCHEMA} | more
    return declared(origin, endpoint={"paginator": paginator}, **more)


def days(done):
    return [row["day"] for row in done.records()]


class Table:
    """Rows by `offset`, or by `page` from 1 where page 0 is page 1 as well."""

    def __init__(self, rows, *, spell=json.dumps, **members):
        self.rows = rows
        self.spell = spell
        self.members = members
        #: Row from which on the server fails.
        self.fails_from = len(rows) + 1

    def answer(self, query):
        page = max(1, int(query.get("page", 1)))
        start = int(query.get("offset", (page - 1) * LIMIT))
        if start >= self.fails_from:
            return reply(500, b"{}")
        data = self.rows[start : start + LIMIT]
        return reply(200, self.spell({"data": data, **self.members}).encode())


def rows(count):
    place = {"größe": "ü/x", "b": [1.5, None]}
    return [{"day": n, "kind": "a b", "at": place} for n in range(count)]


# --- streams without a key ----------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_page_1_that_repeats_page_0_is_dropped_however_it_is_spelled(spelling, concurrency):
    with JsonApi(Table(rows(60), spell=SPELLINGS[spelling]).answer) as api:
        done = run(config(api.origin, PAGED) | {"concurrency": concurrency})
    assert days(done) == list(range(60))


@pytest.mark.parametrize("spelled_later", SPELLINGS)
@pytest.mark.parametrize("spelled_before", SPELLINGS)
def test_a_run_that_was_cut_is_resumed_after_its_last_row(spelled_before, spelled_later):
    table = Table(rows(45), spell=SPELLINGS[spelled_before])
    with JsonApi(table.answer) as api:
        table.fails_from = 30
        cut = run(config(api.origin))
        table.fails_from, table.spell = 99, SPELLINGS[spelled_later]
        again = run(config(api.origin), state=cut.state)
    assert days(cut) == list(range(30))
    assert again.error is None, again.failure()
    assert days(again) == list(range(30, 45))


def test_twins_are_counted_where_a_run_is_resumed():
    """The last row written is the second of three that look alike: the third is yet to come."""
    written = [{"day": n, "kind": "x"} for n in (0, 1, 2, 3, 4, 5, 7, 7)]
    table = Table([{"day": 0}] * LIMIT + written)
    with JsonApi(table.answer) as api:
        table.fails_from = 18
        cut = run(config(api.origin))
        table.fails_from, table.rows = 99, [*table.rows, {"day": 7, "kind": "x"}, {"day": 8}]
        again = run(config(api.origin), state=cut.state)
    assert len(cut.records()) == 18
    assert days(again) == [7, 8]


@pytest.mark.parametrize("total", [{}, {"total": 25}], ids=["", "total"])
def test_a_column_that_is_not_selected_still_distinguishes_rows(total):
    with JsonApi(Table([{"day": n, "kind": "x"} for n in range(25)], **total).answer) as api:
        given = config(api.origin)
        done = run(given, catalog=deselect(discover(given), STREAM, "day"))
    assert done.error is None, done.failure()
    assert done.records() == [{"kind": "x"}] * 25
    assert done.verdict() == ("verified" if total else "consistent")


def test_twins_are_neither_missing_nor_repeated():
    twins = [{"day": n // 2, "kind": "x"} for n in range(25)]
    with JsonApi(Table(twins, total=25).answer) as api:
        done = run(config(api.origin))
    assert days(done) == [n // 2 for n in range(25)]
    assert done.verdict() == "verified"
    assert not done.tap.run.results[STREAM].repeated_keys


# --- keys ---------------------------------------------------------------------------------------

ANY = {"type": "object", "properties": {"id": {}, "name": {"type": ["string", "null"]}}}


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("place", [2, 13, 27])
@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"id": None}, "has null as primary key `id`"),
        ({}, "has no primary key `id`"),
        ({"id": [1]}, "has a list as primary key `id`"),
        ({"id": {"a": 1}}, "has an object as primary key `id`"),
    ],
    ids=str,
)
@pytest.mark.parametrize("primary_key", ["id", ["name", "id"]], ids=str)
def test_a_key_that_identifies_nothing_is_named_with_its_row(
    primary_key, row, words, place, concurrency
):
    table = [{"id": n, "name": f"n{n}"} for n in range(40)]
    table[place] = {"name": "x", **row}
    given = {"primary_key": primary_key, "schema": ANY, "concurrency": concurrency}
    with JsonApi(Table(table).answer) as api:
        done = run(config(api.origin, PAGED | {"base_page": 1}, **given))
    page, row = divmod(place, LIMIT)
    assert f"row {row + 1} of page={page + 1} {words}" in done.failure()
    assert done.ids() == list(range(page * LIMIT))


KEYS = [-1, -2, 0, 1, True, False, "", "1", "-1", "true", 2**61 - 1, 1.5, "1.5", 10**40]


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("primary_key", ["id", ["name", "id"]], ids=str)
@pytest.mark.parametrize("paginator", [OFFSET, PAGED | {"base_page": 1}], ids=lambda p: p["type"])
def test_keys_that_differ_in_json_are_different_keys(paginator, primary_key, concurrency):
    keys = KEYS
    table = [{"id": key, "name": "x"} for key in keys]
    given = {"primary_key": primary_key, "schema": ANY, "concurrency": concurrency}
    for limit in (1, 2, 3):
        paged = paginator | {"limit": limit}

        def answer(query, limit=limit):
            start = int(query.get("offset", (int(query.get("page", 1)) - 1) * limit))
            return {"data": table[start : start + limit], "total": len(table)}

        with JsonApi(answer) as api:
            done = run(config(api.origin, paged, **given))
        assert done.error is None, done.failure()
        assert repr(done.ids()) == repr(json.loads(json.dumps(keys), parse_float=Decimal))
        assert done.tap.run.results[STREAM].repeated_keys == 0


@pytest.mark.parametrize("pair", [(1, 1.0), (100, 1e2), (0, -0.0)], ids=str)
def test_numbers_that_are_equal_are_one_key(pair):
    with JsonApi(Table([{"id": key, "name": "x"} for key in pair]).answer) as api:
        done = run(config(api.origin, primary_key="id", schema=ANY))
    assert done.tap.run.results[STREAM].repeated_keys == 1
