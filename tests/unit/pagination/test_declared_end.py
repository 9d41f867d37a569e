"""Ends that are declared: a flag, an empty page, a maximum, a status; and where reading begins."""

from __future__ import annotations

import json

import pytest
from support.runs import declared, run
from support.servers import JsonApi, PathApi, reply

ROWS = [{"id": number} for number in range(25)]
LIMIT = 10


def sliced(query, *, first=0):
    start = int(query["offset"]) - first
    return ROWS[start : start + LIMIT]


def numbered(query, *, rows=ROWS, base=1):
    start = (int(query["page"]) - base) * LIMIT
    return rows[start : start + LIMIT]


def by_cursor(query):
    start = int(query.get("cursor", 0))
    return {"data": ROWS[start : start + LIMIT], "next": str(start + LIMIT)}


def read(api, concurrency=1, **paginator):
    given = {"limit": LIMIT} | paginator
    return run(declared(api.origin, endpoint={"paginator": given}, concurrency=concurrency))


def outcome(done):
    return done.error, done.ids(), done.verdict()


WHOLE = (None, list(range(25)), "consistent")

# --- flags ------------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize(("yes", "no"), [(True, False), ("true", "false"), (5, 0)], ids=str)
def test_a_flag_that_was_true_ends_pages_when_it_is_false(yes, no, concurrency):
    def answer(query):
        rows = numbered(query)
        return {"data": rows, "state": {"rest": yes if rows and rows[-1]["id"] < 24 else no}}

    with JsonApi(answer) as api:
        done = read(api, concurrency, type="page_number", base_page=1, has_more_path="state.rest")
    assert outcome(done) == WHOLE
    if concurrency == 1:
        assert {query["page"] for query in api.queries} == {"1", "2", "3"}


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_flag_ends_a_list_whose_every_page_has_a_cursor(concurrency):
    def answer(query):
        found = by_cursor(query)
        return found | {"has_more": int(found["next"]) < len(ROWS)}

    with JsonApi(answer) as api:
        done = read(api, concurrency, type="cursor", has_more_path="has_more", cursor_path="next")
    assert outcome(done) == WHOLE
    assert len(api.requests) == 3


def linked(query):
    found = by_cursor(query)
    return found | {"next": f"/items?cursor={found['next']}"}


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("kind", ["cursor", "json_link", "page_number"])
def test_a_flag_of_the_last_page_ends_a_list(kind, concurrency):
    def answer(query):
        found = {"data": numbered(query)} if "page" in query else None
        found = found or (linked(query) if kind == "json_link" else by_cursor(query))
        return found | {"done": not found["data"] or found["data"][-1]["id"] == 24}

    own = {"cursor": {"cursor_path": "next"}, "page_number": {"base_page": 1}}
    with JsonApi(answer) as api:
        done = read(api, concurrency, type=kind, at_end_path="done", **own.get(kind, {}))
    assert outcome(done) == WHOLE
    if concurrency == 1:
        assert len({received.target for received in api.requests}) == 3


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_text_in_the_place_of_the_last_link_ends_a_list(concurrency):
    def answer(query):
        found = linked(query)
        return found | ({"next": "none"} if found["data"][-1]["id"] == 24 else {})

    with JsonApi(answer) as api:
        done = read(api, concurrency, type="json_link", stop_values="none")
    assert outcome(done) == WHOLE
    assert len(api.requests) == 3


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize(
    ("paginator", "answer"),
    [
        ({"type": "page_number", "base_page": 1}, lambda query: {"data": numbered(query)}),
        ({"type": "offset", "total_path": None}, lambda query: {"data": sliced(query)}),
        ({"type": "cursor", "cursor_path": "next"}, by_cursor),
    ],
    ids=["page", "offset", "cursor"],
)
def test_a_flag_that_is_always_false_loses_no_row(paginator, answer, concurrency):
    with JsonApi(lambda query: answer(query) | {"archived": False}) as api:
        done = read(api, concurrency, has_more_path="archived", **paginator)
    assert done.ids() == list(range(25))


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("advances", [True, False])
@pytest.mark.parametrize("count", [0, 3])
def test_a_flag_that_never_was_true_ends_a_cursor_behind_a_page_without_rows(
    count, advances, concurrency
):
    def answer(query):
        start = int(query.get("cursor", 0))
        found = ROWS[:count][start : start + LIMIT]
        return {"data": found, "rest": False, "next": start + (LIMIT if advances else len(found))}

    with JsonApi(answer) as api:
        done = read(api, concurrency, type="cursor", has_more_path="rest", cursor_path="next")
    assert (done.error, done.ids(), done.verdict()) == (None, [*range(count)], "consistent")
    assert len(api.requests) <= 3


def test_a_flag_that_stays_true_contradicts_the_end():
    with JsonApi(lambda query: {"data": numbered(query), "rest": "yes"}) as api:
        done = read(api, type="page_number", base_page=1, has_more_path="rest")
    assert (done.ids(), done.verdict()) == (list(range(25)), "unverified")


# --- empty pages ------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_cursor_that_never_ends_stops_behind_two_empty_pages(concurrency):
    with JsonApi(by_cursor) as api:
        done = read(api, concurrency, type="cursor", cursor_path="next", stop_after_empty_page=True)
    assert outcome(done) == WHOLE
    with JsonApi(linked) as api:
        done = read(api, concurrency, type="json_link", stop_after_empty_page=True)
    assert outcome(done) == WHOLE


def test_rows_behind_an_empty_page_with_a_cursor_are_read():
    def answer(query):
        start = int(query.get("cursor", 0))
        shown = [] if start == LIMIT else ROWS[start : start + LIMIT]
        return {"data": shown, "next": str(start + LIMIT)}

    with JsonApi(answer) as api:
        done = read(api, type="cursor", cursor_path="next", stop_after_empty_page=True)
    assert done.ids() == [*range(10), *range(20, 25)]


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("kind", ["page_number", "offset"])
def test_an_empty_page_is_passed_while_a_flag_says_that_more_follow(kind, concurrency):
    def answer(query):
        start = int(query["offset"]) if kind == "offset" else int(query["page"]) * LIMIT
        shown = [row for row in ROWS[start : start + LIMIT] if not 10 <= row["id"] < 20]
        return {"data": shown, "rest": start + LIMIT < len(ROWS)}

    with JsonApi(answer) as api:
        own = {"base_page": 0} if kind == "page_number" else {"total_path": None}
        own |= {"stop_after_empty_page": False, "has_more_path": "rest"}
        done = read(api, concurrency, type=kind, **own)
    assert outcome(done) == (None, [*range(10), *range(20, 25)], "consistent")


# --- short pages ------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("kind", ["page_number", "offset"])
@pytest.mark.parametrize("behind", [404, 400, "repeats"])
def test_a_refusal_or_a_repetition_behind_a_short_page_is_the_end(behind, kind, concurrency):
    def answer(query):
        rows = numbered(query) if kind == "page_number" else sliced(query)
        if not rows and behind != "repeats":
            return reply(behind, b"{}")
        return {"data": rows or ROWS[20:]}

    own = {"base_page": 1} if kind == "page_number" else {}
    with JsonApi(answer) as api:
        done = read(api, concurrency, type=kind, stop_after_short_page=True, **own)
    assert outcome(done) == WHOLE


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("count", [1, 9, 11, 25])
def test_a_cursor_that_repeats_the_last_row_ends_behind_a_short_page(count, concurrency):
    def answer(query):
        rows = ROWS[int(query["since"]) : count][:LIMIT] or ROWS[count - 1 : count]
        return {"data": rows, "until": rows[-1]["id"] + 1}

    with JsonApi(answer) as api:
        made = {"params": {"since": 0}, "paginator": {"type": "cursor", "cursor_param": "since"}}
        made["paginator"] |= {"cursor_path": "until", "limit": LIMIT, "stop_after_short_page": True}
        done = run(declared(api.origin, endpoint=made, concurrency=concurrency))
    assert (done.error, done.ids()) == (None, list(range(count)))
    assert done.verdict() == ("consistent" if count >= LIMIT else "unverified")
    assert api.queries[0]["since"] == "0"


@pytest.mark.parametrize("behind", ["refuses", "repeats"])
@pytest.mark.parametrize(("count", "ending"), [(7, "unverified"), (20, None)])
def test_a_short_page_alone_proves_nothing_and_a_full_one_is_not_the_last(count, ending, behind):
    def answer(query):
        rows = numbered(query, rows=ROWS[:count])
        if not rows and behind == "refuses":
            return reply(404, b"{}")
        return {"data": rows or ROWS[:count][-LIMIT:]}

    with JsonApi(answer) as api:
        done = read(api, type="page_number", base_page=1, stop_after_short_page=True)
    assert done.ids() == list(range(count))
    assert (done.verdict() if done.error is None else None) == ending


@pytest.mark.parametrize("concurrency", [1, 8])
def test_rows_behind_short_pages_of_a_capped_limit_are_read(concurrency):
    def answer(query):
        start = (int(query["page"]) - 1) * 4
        return {"data": ROWS[start : start + 4]}

    with JsonApi(answer) as api:
        done = read(api, concurrency, type="page_number", base_page=1, stop_after_short_page=True)
    assert outcome(done) == WHOLE


def test_a_short_list_below_one_parent_says_nothing_of_those_below_others():
    lists = {"1": ROWS[:3], "2": ROWS}

    def answer(path, pairs):
        if path == "/items":
            return {"data": [{"id": 1}, {"id": 2}] if dict(pairs)["page"] == "1" else []}
        start = (int(dict(pairs)["page"]) - 1) * 4
        return {"data": lists[path[-1]][start : start + 4]} if start < 24 else (404, {})

    pages = {"type": "page_number", "base_page": 1, "limit": 10, "stop_after_short_page": True}
    path = {"path": "/parts/{resources.items.id}", "data_selector": "data", "paginator": pages}
    parts = {"name": "parts", "endpoint": path, "include_from_parent": ["id"]}
    with PathApi(answer) as api:
        done = run(declared(api.origin, endpoint={"paginator": pages}, children=[parts]))
    found = [(row["_items_id"], row["id"]) for row in done.records("shop_parts")]
    assert found == [(1, n) for n in range(3)] + [(2, n) for n in range(24)]


# --- page 0 -----------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("status", [400, 404, 422])
@pytest.mark.parametrize("schema", [None, {"properties": {"id": {"type": "integer"}}}])
def test_pages_begin_at_1_where_page_0_is_refused(schema, status, concurrency):
    def answer(query):
        if query["page"] == "0":
            return reply(status, b"{}")
        return {"data": numbered(query)}

    paginator = {"type": "page_number", "limit": LIMIT}
    own = {"schema": schema} if schema else {}
    with JsonApi(answer) as api:
        made = declared(api.origin, endpoint={"paginator": paginator}, **own)
        done = run(made | {"concurrency": concurrency})
    assert outcome(done) == WHOLE


def test_page_1_that_is_refused_too_is_an_error():
    with JsonApi(lambda _: reply(404, b"{}")) as api:
        done = read(api, type="page_number")
    assert "NotFound" in done.failure()


# --- maximum and first number -----------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize(
    ("paginator", "answer"),
    [
        ({"type": "offset", "maximum_offset": 20}, sliced),
        ({"type": "page_number", "base_page": 1, "maximum_page": 3}, numbered),
    ],
    ids=["offset", "page"],
)
def test_a_maximum_ends_reading_and_proves_nothing(paginator, answer, concurrency):
    with JsonApi(lambda query: {"data": answer(query), "total": 25}) as api:
        done = read(api, concurrency, **paginator)
    assert outcome(done) == (None, list(range(20)), "unverified")
    asked = {query.get("offset") or query["page"] for query in api.queries}
    assert asked == ({"0", "10"} if paginator["type"] == "offset" else {"1", "2"})


def test_a_maximum_behind_a_reached_total_is_no_doubt():
    with JsonApi(lambda query: {"data": sliced(query), "total": 25}) as api:
        done = read(api, type="offset", maximum_offset=100)
    assert outcome(done) == (None, list(range(25)), "verified")


@pytest.mark.parametrize("total", [None, 25], ids=["no total", "total"])
@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_first_row_of_number_one_loses_no_row(total, concurrency):
    with JsonApi(lambda query: {"data": sliced(query, first=1), "total": total}) as api:
        done = read(api, concurrency, type="offset", offset=1)
    assert (done.error, done.ids()) == (None, list(range(25)))
    assert done.verdict() == ("verified" if total else "consistent")
    assert api.queries[0]["offset"] == "1"


def test_a_total_that_a_first_number_seems_to_reach_is_not_the_end():
    rows = [{"id": number} for number in range(11)]
    with JsonApi(
        lambda query: {"data": rows[int(query["offset"]) - 1 :][:LIMIT], "total": 11}
    ) as api:
        done = read(api, type="offset", offset=1)
    assert outcome(done) == (None, list(range(11)), "verified")


def test_pages_begin_with_the_declared_one():
    with JsonApi(lambda query: {"data": numbered(query)}) as api:
        done = read(api, type="page_number", base_page=1, page=2)
    assert outcome(done) == (None, list(range(10, 25)), "consistent")


# --- statuses ---------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize(
    ("count", "codes", "answered", "verdict"),
    [
        (25, [404], (404, {}), "consistent"),
        (20, [404], (404, {}), "consistent"),
        (25, 400, (400, {}), "consistent"),
        (25, [404], (400, {}), None),
        (25, [], (404, {}), None),
        (25, [404], (404, {"total": 26}), "short"),
    ],
    ids=["404", "full page", "400", "another status", "not declared", "total"],
)
def test_a_declared_status_behind_the_last_page_is_the_end(
    count, codes, answered, verdict, concurrency
):
    status, more = answered

    def answer(query):
        rows = numbered(query, rows=ROWS[:count])
        if not rows:
            return reply(status, b'{"detail": "Invalid page."}')
        return {"data": rows, **more}

    with JsonApi(answer) as api:
        own = {"base_page": 1, "total_path": "total"}
        done = read(api, concurrency, type="page_number", end_status_codes=codes, **own)
    assert done.ids() == list(range(count))
    assert (done.error is None) == (verdict == "consistent")
    if verdict:
        assert done.verdict() == verdict


def test_a_declared_status_of_the_first_page_is_an_error():
    with JsonApi(lambda _: reply(404, json.dumps({"detail": "Not found."}).encode())) as api:
        done = read(api, type="page_number", base_page=1, end_status_codes=[404])
    assert done.error is not None


# --- the number of a page in its response -----------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_response_without_its_number_ends_reading_and_proves_nothing(concurrency):
    def answer(query):
        page = int(query["page"])
        return {"data": numbered(query), **({"page": page} if page < 2 else {})}

    with JsonApi(answer) as api:
        done = read(api, concurrency, type="page_number", base_page=1, page_path="page")
    assert outcome(done) == (None, list(range(20)), "unverified")


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_response_with_another_number_is_an_error(concurrency, caplog):
    def answer(query):
        page = int(query["page"])
        return {"data": numbered(query), "meta": {"page": page if page < 2 else page + 1}}

    with JsonApi(answer) as api:
        done = read(api, concurrency, type="page_number", base_page=1, page_path="meta.page")
    assert "page 2 has the number 3 in `meta.page`" in caplog.text
    assert done.ids() == list(range(10))


# --- a response that is itself the row --------------------------------------------------------


@pytest.mark.parametrize(
    ("paginator", "members"),
    [
        ({"type": "cursor", "cursor_path": "next", "cursor_param": "id"}, {"next": ...}),
        (
            {
                "type": "cursor",
                "cursor_path": "next",
                "cursor_param": "id",
                "has_more_path": "more",
            },
            {"next": ..., "more": True},
        ),
        ({"type": "json_link", "next_url_path": "next"}, {"next": "/items?id={}"}),
    ],
)
def test_a_row_that_is_the_response_says_what_is_next(paginator, members):
    def answer(query):
        number = int(query.get("id", 1))
        following = {"next": None, "more": False} if number == 4 else members
        link = str(following["next"] or "").format(number + 1)
        value = number + 1 if following["next"] is ... else link or None
        return {"id": number, **following, "next": value}

    endpoint = {"paginator": paginator, "data_selector": "$"}
    with JsonApi(answer) as api:
        done = run(declared(api.origin, endpoint=endpoint))

    assert outcome(done) == (None, [1, 2, 3, 4], "consistent")
