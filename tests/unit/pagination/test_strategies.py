"""Every kind of paging, against servers as they are and as they should not be."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.examples import costly
from support.runs import declared, run
from support.servers import JsonApi, ScriptedServer, reply
from urllib3 import HTTPHeaderDict

from tap_analytics.pagination import (
    Auto,
    Cursor,
    HeaderCursor,
    HeaderLink,
    JsonLink,
    LinkedOffset,
    Offset,
    Page,
    PageNumber,
    Paginator,
    PagingState,
    SinglePage,
    StopReason,
    dig,
    next_link,
    whole_number,
)
from tap_analytics.transport.errors import OriginRefused


def rows(count, start=0):
    return [{"id": number} for number in range(start, start + count)]


def paged(origin, *, limit=100, **paginator):
    given = {"limit": limit, **paginator}
    return declared(origin, endpoint={"paginator": given})


def sliced(table, query, *, cap=None):
    """Return the page that an offset server with its own maximum of rows would give."""
    start, limit = int(query["offset"]), int(query["limit"])
    return table[start : start + min(limit, cap or limit)]


def page_of(payload, *, query=None, size=1, url="", **headers):
    headers = HTTPHeaderDict(headers)
    return Page(
        query=query or {}, payload=payload, headers=headers, size=size, received=size, url=url
    )


# --- by row number ----------------------------------------------------------------------------


@costly(4)
@given(
    count=st.integers(0, 60),
    limit=st.integers(1, 20),
    cap=st.integers(1, 25),
    told=st.sampled_from(["right", "text", "missing", "too small", "null"]),
    concurrency=st.sampled_from([1, 2, 8]),
)
def test_rows_by_offset_arrive_once_and_in_order(count, limit, cap, told, concurrency):
    table = rows(count)
    totals = {"right": count, "text": str(count), "too small": 0, "null": None}
    told_total = {} if told == "missing" else {"total": totals[told]}

    with JsonApi(lambda query: {"data": sliced(table, query, cap=cap)} | told_total) as api:
        config = paged(api.origin, type="offset", limit=limit) | {"concurrency": concurrency}
        done = run(config)

    assert done.error is None
    assert done.ids() == list(range(count))
    # A total of 0 beside no rows may be the page's own count.
    is_told = told in {"right", "text"} and count > 0
    assert done.verdict() == ("verified" if is_told else "consistent")


def test_a_capped_limit_skips_nothing_and_no_page_starts_behind_the_rows_received():
    table = rows(180)
    with JsonApi(lambda query: {"data": sliced(table, query, cap=50)}) as api:
        done = run(paged(api.origin, type="offset"))
    assert done.ids() == list(range(180))
    offsets = sorted(int(query["offset"]) for query in api.queries)
    assert all(start - before <= 50 for before, start in itertools.pairwise(offsets))
    assert offsets[-1] == 180
    assert {query["limit"] for query in api.queries} == {"100"}


def test_a_reached_total_is_the_end_and_requests_no_further_page():
    table = rows(200)
    with JsonApi(lambda query: {"data": sliced(table, query), "total": 200}) as api:
        done = run(paged(api.origin, type="offset"))
    assert len(done.ids()) == 200
    assert all(int(query["offset"]) < 200 for query in api.queries)
    assert len(api.requests) <= 3


def test_a_total_below_an_other_path_is_found():
    table = rows(30)
    with JsonApi(lambda query: {"data": sliced(table, query), "meta": {"count": 30}}) as api:
        done = run(paged(api.origin, type="offset", limit=10, total_path="meta.count"))
    assert done.verdict() == "verified"
    assert all(int(query["offset"]) < 30 for query in api.queries)


def test_a_short_page_without_total_is_confirmed_by_one_request():
    table = rows(3)
    with JsonApi(lambda query: {"data": sliced(table, query)}) as api:
        done = run(paged(api.origin, type="offset"))
    assert len(api.requests) == 2
    assert done.verdict() == "consistent"


def test_link_metadata_without_next_is_the_end():
    table = rows(3)
    with JsonApi(
        lambda query: {"data": sliced(table, query), "links": {"self": "/items", "next": None}}
    ) as api:
        done = run(paged(api.origin, type="offset"))
    assert len(api.requests) == 1
    assert done.ids() == [0, 1, 2]


@costly(4)
@given(
    visible=st.lists(st.booleans(), max_size=50),
    limit=st.integers(2, 10),
    concurrency=st.sampled_from([1, 8]),
)
def test_a_next_link_wins_over_counting_where_rows_are_hidden(visible, limit, concurrency):
    """A server that counts rows it doesn't show: only its links say where the next page begins."""
    table = [{"id": number} for number in range(len(visible))]

    def answer(query):
        start = int(query["offset"])
        shown = [row for row in table[start : start + limit] if visible[row["id"]]]
        more = start + limit < len(table)
        link = f"/items?offset={start + limit}&limit={limit}" if more else None
        return {"data": shown, "links": {"next": link}}

    with JsonApi(answer) as api:
        done = run(paged(api.origin, type="offset", limit=limit) | {"concurrency": concurrency})
    assert done.error is None
    assert sorted(set(done.ids())) == [number for number, shown in enumerate(visible) if shown]


def test_a_link_header_about_something_else_does_not_end_a_stream():
    table = rows(5)

    def answer(query):
        body = json.dumps({"data": sliced(table, query)}).encode()
        return reply(200, body, Link='<https://docs.example.com/v2>; rel="deprecation"')

    with JsonApi(answer) as api:
        done = run(paged(api.origin, type="offset", limit=2))
    assert done.ids() == [0, 1, 2, 3, 4]


# --- by page number ---------------------------------------------------------------------------


def numbered(table, query, *, first, limit):
    number = int(query["page"]) - first
    return table[number * limit : (number + 1) * limit] if number >= 0 else []


@costly(4)
@given(
    count=st.integers(0, 40),
    limit=st.integers(1, 15),
    first=st.sampled_from([0, 1]),
    told=st.sampled_from(["none", "rows", "pages"]),
    concurrency=st.sampled_from([1, 8]),
)
def test_rows_by_page_number_arrive_once_where_the_base_is_given(
    count, limit, first, told, concurrency
):
    table = rows(count)
    pages = -(-count // limit)
    total = {"none": {}, "rows": {"total": count}, "pages": {"total": pages}}[told]

    with JsonApi(
        lambda query: {"data": numbered(table, query, first=first, limit=limit)} | total
    ) as api:
        config = paged(api.origin, type="page_number", limit=limit, base_page=first)
        done = run(config | {"concurrency": concurrency})

    assert done.error is None
    assert done.ids() == list(range(count))


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 25])
@pytest.mark.parametrize("first", [0, 1])
def test_rows_by_page_number_arrive_once_where_no_base_is_given(count, first):
    table = rows(count)

    def answer(query):
        page = {"page": str(max(first, int(query["page"])))}
        return {"data": numbered(table, page, first=first, limit=10)}

    with JsonApi(answer) as api:
        done = run(paged(api.origin, type="page_number", limit=10))
    assert done.ids() == list(range(count))
    assert done.error is None


def test_a_server_that_counts_from_1_may_answer_page_0_with_nothing():
    table = rows(25)
    with JsonApi(lambda query: {"data": numbered(table, query, first=1, limit=10)}) as api:
        done = run(paged(api.origin, type="page_number", limit=10))
    assert done.ids() == list(range(25)) or done.error is not None


def test_a_count_of_pages_ends_the_stream_without_another_request():
    table = rows(25)
    with JsonApi(
        lambda query: {
            "data": numbered(table, query, first=1, limit=10),
            "meta": {"total_pages": 3},
        }
    ) as api:
        paging = {"type": "page_number", "base_page": 1, "total_path": "meta.total_pages"}
        done = run(paged(api.origin, limit=10, **paging))
    assert done.ids() == list(range(25))
    # Pages 1 and 2 come again, to see whether rows have moved onto them.
    assert [query["page"] for query in api.queries] == ["1", "2", "3", "1", "2"]


def test_an_offset_whose_parameter_is_page_counts_pages_from_1():
    table = rows(25)
    with JsonApi(lambda query: {"data": numbered(table, query, first=1, limit=10)}) as api:
        done = run(paged(api.origin, type="offset", limit=10, offset_param="page"))
    assert done.ids() == list(range(25))
    assert api.queries[0]["page"] == "1"


# --- by cursor --------------------------------------------------------------------------------


def cursors(pages, name="from"):
    """Return a server of cursors: each answer holds the name of the page that comes next."""

    def answer(query):
        data, cursor = pages[query.get(name, "")]
        return {"data": data, "next": cursor}

    return answer


@pytest.mark.parametrize("end", [None, "", False, 0])
def test_a_cursor_is_followed_until_there_is_none(end):
    pages = {"": (rows(2), "b="), "b=": (rows(2, 2), "c&d"), "c&d": (rows(1, 4), end)}
    with JsonApi(cursors(pages)) as api:
        done = run(
            paged(api.origin, type="cursor", limit=2, cursor_path="next", cursor_param="from")
        )
    assert done.ids() == [0, 1, 2, 3, 4]
    assert [query.get("from") for query in api.queries] == [None, "b=", "c&d"]
    assert done.verdict() == "consistent"


def test_the_cursor_in_the_words_of_the_specs_is_the_same():
    pages = {"": (rows(1), "b"), "b": (rows(1, 1), None)}
    with JsonApi(cursors(pages)) as api:
        spoken = {"type": "cursor", "cursor_value": "{{ response.next }}", "cursor_param": "from"}
        done = run(paged(api.origin, **spoken))
    assert done.ids() == [0, 1]
    assert api.queries[1]["from"] == "b"


def test_empty_pages_in_between_end_nothing():
    pages = {"": ([], "b"), "b": (rows(1), "c"), "c": ([], "d"), "d": (rows(1, 1), None)}
    with JsonApi(cursors(pages)) as api:
        done = run(paged(api.origin, type="cursor", cursor_path="next", cursor_param="from"))
    assert done.ids() == [0, 1]
    assert done.error is None


def test_a_number_is_a_cursor_too():
    pages = {"": (rows(1), 17), "17": (rows(1, 1), None)}
    with JsonApi(cursors(pages)) as api:
        done = run(paged(api.origin, type="cursor", cursor_path="next", cursor_param="from"))
    assert done.ids() == [0, 1]


def test_a_flag_of_the_end_wins_over_a_cursor():
    paging = Cursor(cursor_path="next", at_end_path="atEnd")
    assert (
        paging.next_token(page_of({"next": "b", "atEnd": True}), PagingState(pages=1))
        is StopReason.CURSOR
    )
    assert paging.next_token(page_of({"next": "b", "atEnd": False}), PagingState(pages=1)) == {
        "cursor": "b"
    }


@pytest.mark.parametrize("member", ["next", "nxt"])
def test_a_cursor_path_that_leads_nowhere_beside_a_full_page_proves_nothing(member):
    def answer(query):
        return {"data": rows(3), member: None}

    with JsonApi(answer) as api:
        done = run(paged(api.origin, type="cursor", cursor_path="next", limit=3))
    assert done.error is None
    assert done.verdict() == ("consistent" if member == "next" else "unverified")


def test_a_cursor_may_come_in_a_header():
    table = {"": (rows(1), {"X_Next": "b"}), "b": (rows(1, 1), {})}

    def answer(query):
        data, headers = table[query.get("at", "")]
        return reply(200, json.dumps({"data": data}).encode(), **headers)

    with JsonApi(answer) as api:
        done = run(paged(api.origin, type="header_cursor", cursor_key="x-next", cursor_param="at"))
    assert done.ids() == [0, 1]


# --- by link ----------------------------------------------------------------------------------


def linked(pages, name="page"):
    def answer(query):
        data, link = pages[query.get(name, "")]
        return {"data": data, "paging": {"forward": link}}

    return answer


def test_a_link_in_the_body_is_followed():
    pages = {"": (rows(1), "/items?page=2&limit=1"), "2": (rows(1, 1), "")}
    with JsonApi(linked(pages)) as api:
        done = run(paged(api.origin, type="json_link", next_url_path="paging.forward", limit=1))
    assert done.ids() == [0, 1]
    assert done.verdict() == "consistent"


def test_a_foreign_link_is_an_error_and_nothing_is_sent_there():
    with ScriptedServer([reply()]) as foreign:
        pages = {"": (rows(1), f"{foreign.origin}/items?page=2"), "2": (rows(1, 1), None)}
        with JsonApi(linked(pages)) as api:
            done = run(paged(api.origin, type="json_link", next_url_path="paging.forward"))
        assert foreign.requests == []
    assert len(api.requests) == 1
    assert foreign.origin in done.failure()
    assert "base_url" in done.failure()


def test_of_a_link_only_the_query_is_taken_and_credentials_in_it_are_made_anew():
    link = "/elsewhere/entirely?page=2&key=of-another"
    pages = {"": (rows(1), link), "2": (rows(1, 1), None)}
    with JsonApi(linked(pages)) as api:
        config = paged(api.origin, type="json_link", next_url_path="paging.forward")
        auth = {"type": "api_key", "name": "key", "api_key": "s3cret-own", "location": "query"}
        config["apis"][0]["client"]["auth"] = auth
        done = run(config)
    assert done.ids() == [0, 1]
    assert set(api.paths) == {"/items"}
    assert api.queries[1] == {"limit": "100", "page": "2", "key": "s3cret-own"}


def test_a_link_header_is_followed():
    links = {"": '</items?page=2>; rel="next", </items?page=9>; rel="last"', "2": ""}

    def answer(query):
        number = query.get("page", "")
        body = json.dumps({"data": rows(1, int(number or 1) - 1)}).encode()
        return reply(200, body, Link=links[number]) if links[number] else reply(200, body)

    with JsonApi(answer) as api:
        done = run(paged(api.origin, type="header_link"))
    assert done.ids() == [0, 1]


@pytest.mark.parametrize(
    "header",
    [
        "</items?page=2>; rel=next",
        '</items?page=2>; rel="next last"',
        '</items?page=2>; title="a"; rel="next"',
        '</items?page=1>; rel="prev", </items?page=2>; rel="next"',
    ],
)
def test_a_next_link_is_found_in_every_spelling_of_the_header(header):
    assert HeaderLink().next_token(page_of([], Link=header), None) == {"page": "2"}
    assert next_link(page_of([], Link=header)) == (True, "/items?page=2")


def test_parameters_that_a_link_names_twice_are_both_sent():
    pages = {None: (rows(1), "/items?status=new&status=old&page=2"), "2": (rows(1, 1), None)}

    def answer(query):
        data, link = pages[query.get("page")]
        return {"data": data, "next": link}

    with JsonApi(answer) as api:
        run(paged(api.origin, type="json_link"))
        assert "status=new&status=old" in api.requests[1].target


def test_parameters_declared_as_a_list_are_sent_one_by_one():
    with JsonApi(lambda _: {"data": rows(1)}) as api:
        endpoint = {"params": {"status": ["new", "old"]}, "paginator": "single_page"}
        run(declared(api.origin, endpoint=endpoint))
        assert "status=new&status=old" in api.requests[0].target


# --- as the first response shows it -----------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "sent"),
    [
        ({"next": "/items?page=2"}, {"next": None}, {"page": "2"}),
        ({"links": {"next": "?page=2"}}, {"links": {}}, {"page": "2"}),
        ({"_links": {"next": {"href": "?start=1"}}}, {"_links": {}}, {"start": "1"}),
        ({"paging": {"next": "?c=1"}}, {"paging": {}}, {"c": "1"}),
        ({"next_cursor": "b"}, {"next_cursor": None}, {"cursor": "b"}),
        ({"meta": {"next_cursor": "b"}}, {"meta": {}}, {"cursor": "b"}),
        ({"paging": {"next": {"after": "b"}}}, {}, {"after": "b"}),
        ({"nextPageToken": "b"}, {}, {"pageToken": "b"}),
        ({"offset": 0, "total": 2}, {"offset": 1, "total": 2}, {"offset": "1"}),
        ({"page": 1, "total": 2}, {"page": 2, "total": 2}, {"page": "2"}),
        ({"page": 0, "total": 2}, {"page": 1, "total": 2}, {"page": "1"}),
    ],
)
def test_auto_follows_what_the_response_shows(first, second, sent):
    def answer(query):
        if not query:
            return {"data": rows(1)} | first
        return {"data": rows(1, 1) if query == sent else []} | second

    with JsonApi(answer) as api:
        done = run(declared(api.origin, endpoint={"paginator": "auto"}))
    assert done.ids() == [0, 1]
    assert done.error is None
    assert api.queries[:2] == [{}, sent]


@pytest.mark.parametrize("last", [{"next": None}, {"links": {"next": None}}, {"next_cursor": None}])
def test_auto_takes_a_null_next_for_the_end(last):
    name = next(iter(last))
    link = {"next": "?page=2", "links": {"next": "?page=2"}, "next_cursor": "b"}[name]

    def answer(query):
        return {"data": rows(1, 1)} | last if query else {"data": rows(1), name: link}

    with JsonApi(answer) as api:
        done = run(declared(api.origin, endpoint={"paginator": "auto"}))
    assert done.ids() == [0, 1]
    assert done.verdict() == "consistent"


def test_auto_without_any_sign_of_paging_tries_to_count_and_claims_nothing():
    with JsonApi(lambda _: {"data": rows(3)}) as api:
        done = run(declared(api.origin, endpoint={"paginator": "auto"}))
    assert done.ids() == [0, 1, 2]
    assert api.queries == [{}, {"offset": "2"}, {"page": "1"}, {"page": "2"}]
    assert done.verdict() == "unverified"


def test_a_single_page_is_requested_once():
    with JsonApi(lambda _: {"data": rows(3), "total": 3}) as api:
        done = run(declared(api.origin, endpoint={"paginator": "single_page"}))
    assert len(api.requests) == 1
    assert done.verdict() == "consistent"


# --- the parts --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "count"),
    [(7, 7), ("8", 8), (0, 0), (-1, None), ("-2", None), ("7.0", None), ("\u0667", None)],
)
def test_a_count_is_a_number_or_digits(value, count):
    assert whole_number(value) == count


@pytest.mark.parametrize("value", [True, None, 7.5, [], {}, ""])
def test_anything_else_is_no_count(value):
    assert whole_number(value) is None


def test_dig_goes_through_objects_only():
    assert dig({"a": {"b": 1}}, "a.b") == 1
    assert dig({"a": [1]}, "a.b") is None
    assert dig([], "a") is None
    assert dig({"a": None}, "a.b") is None


@pytest.mark.parametrize("start", ["", "/items", "//api.example:443", "https://API.example"])
def test_the_query_of_a_link_is_decoded_once(start):
    page = page_of({}, url="https://api.example/items")
    query = page.follow(f"{start}?cursor=a%3D%26b&empty=&s=a+b#f")
    assert query == {"cursor": "a=&b", "empty": "", "s": "a b"}


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/items?page=2",
        "//evil.example/items?page=2",
        "http://api.example/items?page=2",
        "https://api.example:8443/items?page=2",
        "https://key@api.example/items?page=2",
    ],
)
def test_a_link_to_another_origin_is_refused(link):
    with pytest.raises(OriginRefused):
        page_of({}, url="https://api.example/items").follow(link)


@pytest.mark.parametrize(
    "payload",
    [{}, {"next": "abc"}, {"next": 3}, {"next": ""}, {"paging": {"cursors": {}}}, [], None],
    ids=str,
)
def test_what_is_no_link_metadata(payload):
    assert next_link(page_of(payload)) == (False, None)


@pytest.mark.parametrize(
    ("paging", "first", "following", "named"),
    [
        (Offset(limit=10), {"offset": "0"}, {"offset": "10"}, [{"offset": "20"}, {"offset": "30"}]),
        (
            PageNumber(limit=10, base_page=1, total_path="total"),
            {"page": "1"},
            {"page": "2"},
            [{"page": "3"}, {"page": "4"}],
        ),
    ],
)
def test_numbered_pages_are_named_ahead_as_far_as_the_total_goes(paging, first, following, named):
    paginator = Paginator(paging)
    page = page_of({"total": 35}, query=first, size=10)
    assert paginator.get_next(page) == following
    assert list(paging.predict(following, page, paginator.seen)) == named


@pytest.mark.parametrize("paging", [Cursor(), HeaderCursor(), JsonLink(), SinglePage(), Auto()])
def test_pages_without_numbers_cannot_be_named_ahead(paging):
    assert list(paging.predict({"cursor": "b"}, page_of({}), Paginator(paging).seen)) == []


def test_nothing_is_named_behind_an_opaque_token_or_an_empty_page():
    paginator = Paginator(PageNumber())
    assert list(paginator.paging.predict({"cursor": "x"}, page_of({}), paginator.seen)) == []
    empty = page_of({}, size=0)
    assert list(paginator.paging.predict({"page": "2"}, empty, paginator.seen)) == []


def test_where_a_server_may_page_by_cursor_the_first_request_names_no_offset():
    assert LinkedOffset(offset_param="start").start() == {}
    assert Offset(offset_param="start").start() == {"start": "0"}


def test_the_paginator_keeps_the_sdks_protocol():
    paginator = Paginator(Offset(limit=2))
    page = page_of({}, query={"offset": "0"}, size=2)
    assert paginator.current_value == {"offset": "0"}
    assert paginator.get_next(page) == {"offset": "2"} == paginator.current_value
    assert not paginator.finished
    assert paginator.get_next(page_of({}, query={"offset": "2"}, size=0)) is None
    assert paginator.finished
    assert paginator.end is StopReason.EMPTY
    assert paginator.count == 2
