"""What is evidence of the end of a list: no row is missing under a good verdict."""

from __future__ import annotations

import itertools
import json
import random
from functools import partial

import pytest
from support.runs import STREAM, declared, run
from support.servers import JsonApi, ScriptedServer, reply

GOOD = {"verified", "consistent"}
PATHS = {"type": "cursor", "cursor_path": "next", "cursor_param": "from"}


def rows(count, start=0):
    return [{"id": number} for number in range(start, start + count)]


def nothing(start, end, count):
    return {}


def page_of(query, count, say=nothing, *, cap=1000, heeds=(), status=200):
    """Answer with a page of a list of `count` rows; `say` returns what stands beside them.

    A page begins at `from`, and at `offset` or `page` (from 1) where they are heeded.
    """
    size = min(int(query["limit"]), cap) if "limit" in query and "limit" in heeds else cap
    start = int(query.get("from", 0))
    if "offset" in query and "offset" in heeds:
        start = int(query["offset"])
    elif "page" in query and "page" in heeds:
        start = (int(query["page"]) - 1) * size
    page = rows(count)[start : start + size]
    said = dict(say(start, start + len(page), count))
    headers = said.pop("headers", {})
    return reply(status, json.dumps({"data": page} | said).encode(), **headers)


def listed(*given, **more):
    """Serve pages of a list."""
    return JsonApi(lambda query: page_of(query, *given, **more))


def read(api, paginator, **resource):
    endpoint = {"paginator": paginator} | resource.pop("endpoint", {})
    given = declared(api.origin, endpoint=endpoint, **resource)
    return run(given | {"emit_activate_version_messages": True})


def nexts(name, value):
    """Name the next page with what `value` makes of its first row, where there is a next page."""
    return lambda start, end, count: {name: value(end) if end < count else None}


def header(name, value):
    return lambda start, end, count: {"headers": {name: value(end)}} if end < count else {}


def always(**said):
    return lambda start, end, count: dict(said)


CUT = 20
#: Each reads 20 of 100 rows, or fails.
UNPROVEN = {
    "a typo in next_url_path": (
        {"type": "json_link", "next_url_path": "nxt"},
        partial(
            listed, 100, nexts("next", lambda end: f"/items?from={end}"), cap=CUT, heeds=["limit"]
        ),
    ),
    "a typo in cursor_path": (
        PATHS | {"cursor_path": "nextt"},
        partial(listed, 100, nexts("next", str), cap=CUT, heeds=["limit"]),
    ),
    "a typo in a header link": (
        {"type": "header_link", "links_next_key": "nxt"},
        partial(
            listed, 100, header("Link", lambda end: f'</items?from={end}>; rel="next"'), cap=CUT
        ),
    ),
    "a typo in a header cursor": (
        {"type": "header_cursor", "cursor_key": "X-Nxt", "cursor_param": "from"},
        partial(listed, 100, header("X_Next", str), cap=CUT, heeds=["limit"]),
    ),
    "a link that is an object": (
        "json_link",
        partial(listed, 100, nexts("next", lambda end: {"page": end}), cap=CUT),
    ),
    "a link that is a list": (
        "json_link",
        partial(listed, 100, nexts("next", lambda end: [end]), cap=CUT),
    ),
    "a link that is a number": ("json_link", partial(listed, 100, nexts("next", int), cap=CUT)),
    "a link that is true": (
        "json_link",
        partial(listed, 100, nexts("next", lambda _: True), cap=CUT),
    ),
    "a cursor that is an object": (
        PATHS,
        partial(listed, 100, nexts("next", lambda n: {"id": n}), cap=CUT),
    ),
    "a cursor that is a list": (PATHS, partial(listed, 100, nexts("next", lambda n: [n]), cap=CUT)),
    "a cursor that is true": (PATHS, partial(listed, 100, nexts("next", lambda _: True), cap=CUT)),
    "has_more without a cursor": (
        PATHS,
        partial(listed, 100, always(next=None, has_more=True), cap=CUT),
    ),
    "has_more and no word": (PATHS, partial(listed, 100, always(has_more=True), cap=CUT)),
    "has_more under auto": ("auto", partial(listed, 100, always(has_more=True), cap=CUT)),
    "a cursor that is a list under auto": (
        "auto",
        partial(listed, 100, nexts("next_cursor", lambda n: [n]), cap=CUT),
    ),
    "has_more beside a null link and a number that is ignored": (
        {"type": "offset", "limit": CUT},
        partial(listed, 100, always(links={"next": None}, has_more=True), cap=CUT),
    ),
    "nothing at all under auto": ("auto", partial(listed, 100, cap=CUT)),
    "a page's own count": (
        "single_page",
        partial(listed, 100, always(total=CUT, has_more=True), cap=CUT),
    ),
    "a page's own count under auto": ("auto", partial(listed, 100, always(total=CUT), cap=CUT)),
    "a page's own count by cursor": (
        PATHS | {"cursor_path": "nope", "total_path": "total"},
        partial(listed, 100, always(total=CUT), cap=CUT),
    ),
    "a page's own count, the offset ignored": (
        {"type": "offset", "limit": 50},
        partial(listed, 100, always(total=CUT), cap=CUT),
    ),
    "the word of another API, null": (
        PATHS | {"cursor_path": "prev"},
        partial(listed, 100, lambda s, e, c: {"prev": None, "next_cursor": str(e)}, cap=CUT),
    ),
    "a total that is not met, and no word": (
        PATHS | {"cursor_path": "nope", "total_path": "total"},
        partial(listed, 100, always(total=100), cap=CUT),
    ),
    "single_page and a total": ("single_page", partial(listed, 100, always(total=100), cap=CUT)),
    "single_page and a link": (
        "single_page",
        partial(listed, 100, always(next="/items?from=20"), cap=CUT),
    ),
    "single_page and links": (
        "single_page",
        partial(listed, 100, always(links={"next": {"href": "/items?from=20"}}), cap=CUT),
    ),
    "single_page and a header": (
        "single_page",
        partial(listed, 100, always(headers={"Link": '</items?from=20>; rel="next"'}), cap=CUT),
    ),
    "single_page and a cursor": (
        "single_page",
        partial(listed, 100, always(next_cursor="20"), cap=CUT),
    ),
    "single_page and has_more": (
        "single_page",
        partial(listed, 100, always(has_more=True), cap=CUT),
    ),
    "single_page and a count of pages": (
        "single_page",
        partial(listed, 100, always(meta={"total_pages": 5}), cap=CUT),
    ),
    "single_page, as full as was asked for": (
        {"type": "single_page", "limit": CUT},
        partial(listed, 100, cap=CUT),
    ),
    "an answer that is none yet": (
        {"type": "offset", "limit": 50},
        partial(listed, CUT, heeds=["offset"], status=202),
    ),
    "a part of an answer": (
        {"type": "offset", "limit": 50},
        partial(listed, CUT, heeds=["offset"], status=206),
    ),
}


@pytest.mark.parametrize("case", UNPROVEN)
def test_nothing_is_deleted_where_the_end_was_not_shown(case):
    paginator, served = UNPROVEN[case]
    with served() as api:
        done = read(api, paginator)
    assert len(done.ids()) <= CUT
    assert done.error is not None or done.verdict() == "unverified", done.verdict()
    assert "ACTIVATE_VERSION" not in done.kinds
    # Nothing that isn't text or a number is sent as what Python makes of it.
    assert not {"True", "{", "["} & {query.get("from", "")[:4] for query in api.queries}
    if done.error is None:
        finding = done.tap.run.results[STREAM].finding
        assert len(finding.missing) > 30


#: What a user may do about it is in the sentence.
SENTENCES = {
    "a typo in cursor_path": ["`cursor_path` 'nextt'", "a cursor at `next`"],
    "a typo in a header link": ["`links_next_key` 'nxt'", "a next link"],
    "a typo in a header cursor": ["`cursor_key` 'X-Nxt'", "a header `X-Next`"],
    "a typo in next_url_path": ["`next_url_path` 'nxt'", "a next link"],
    "has_more and no word": ["`has_more: true`", "`paginator`"],
    "single_page and a count of pages": ["`single_page`", "`meta.total_pages: 5`"],
    "single_page, as full as was asked for": ["`single_page`", "`limit=20`"],
    "a part of an answer": ["206"],
}


@pytest.mark.parametrize("case", SENTENCES)
def test_what_is_missing_is_said_with_the_words_that_would_give_it(case):
    paginator, served = UNPROVEN[case]
    with served() as api:
        missing = read(api, paginator).tap.run.results[STREAM].finding.missing
    assert all(word in missing for word in SENTENCES[case]), missing


OFFSET = {"type": "offset", "limit": 100}
PAGE = {"type": "page_number", "limit": 100, "base_page": 1}
#: A list of 100 rows by 20, what it says, how it is read, and the verdict.
WHOLE = {
    "a page's own count": (OFFSET, lambda s, e, c: {"total": e - s}, "consistent"),
    "always the same total": (OFFSET, always(total=20), "consistent"),
    "links that don't speak of pages": (OFFSET, always(links={"self": "/items"}), "consistent"),
    "links in HAL": (PAGE, always(_links={"self": {"href": "/items"}}), "consistent"),
    "a total that is right": (OFFSET, always(total=100), "verified"),
    "a total as a fraction": (OFFSET, always(total=100.0), "verified"),
    "a total as text": (OFFSET, always(total="100"), "verified"),
    "a total in a header": (OFFSET, always(headers={"X_Total_Count": "100"}), "verified"),
    "a total in another header": (
        OFFSET | {"total_header": "Total-Rows"},
        always(headers={"Total_Rows": "100"}),
        "verified",
    ),
    "a total that is met too early, on a full page": (PAGE, always(total=40), "consistent"),
    "a count of pages that is too small": (
        PAGE | {"total_path": "pages.total_pages"},
        always(pages={"total_pages": 2}),
        "consistent",
    ),
}


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("case", WHOLE)
def test_words_that_mislead_end_no_list_that_is_counted(case, concurrency):
    paginator, say, verdict = WHOLE[case]
    with listed(100, say, cap=CUT, heeds=["offset", "page", "limit"]) as api:
        done = read(api, paginator, concurrency=concurrency)
    assert done.error is None
    assert done.ids() == list(range(100))
    assert done.verdict() == verdict
    assert "ACTIVATE_VERSION" in done.kinds


@pytest.mark.parametrize(
    ("paginator", "say"),
    [
        (PATHS, nexts("next", str)),
        ("json_link", nexts("next", lambda end: f"/items?from={end}")),
        ("header_link", header("Link", lambda end: f'</items?from={end}>; rel="next"')),
        (
            {"type": "header_cursor", "cursor_key": "X-Next", "cursor_param": "from"},
            header("X_Next", str),
        ),
    ],
    ids=["cursor", "json_link", "header_link", "header_cursor"],
)
@pytest.mark.parametrize(("total", "verdict"), [(100, "verified"), (101, "short")])
def test_a_total_is_compared_with_lists_that_are_linked(paginator, say, total, verdict):
    paginator = paginator if isinstance(paginator, dict) else {"type": paginator}

    def said(start, end, count):
        return say(start, end, count) | {"meta": {"count": total}}

    with listed(100, said, cap=CUT) as api:
        done = read(api, paginator | {"total_path": "meta.count"})
    assert done.ids() == list(range(100))
    assert done.verdict() == verdict


# --- lists of one page ----------------------------------------------------------------------------

LIMITED = ["limit"]
HEADER = {"type": "header_link", "limit": 50}


@pytest.mark.parametrize(
    ("count", "heeds", "verdict", "asked"),
    [
        (7, LIMITED, "consistent", [{"limit": "50"}, {"limit": "6"}]),
        (2, LIMITED, "consistent", [{"limit": "50"}, {"limit": "1"}]),
        (7, [], "unverified", [{"limit": "50"}, {"limit": "6"}]),
        # A single row can't be cut: this list may go on on pages that nobody names.
        (1, LIMITED, "unverified", [{"limit": "50"}]),
        (0, LIMITED, "consistent", [{"limit": "50"}]),
    ],
)
def test_a_page_without_the_paging_field_is_requested_with_a_row_less(count, heeds, verdict, asked):
    word = header("Link", lambda end: f'</items?from={end}>; rel="next"')
    with listed(count, word, heeds=heeds) as api:
        done = read(api, HEADER)
    assert done.ids() == list(range(count))
    assert done.verdict() == verdict
    assert api.queries == asked


def test_a_single_row_is_proven_by_the_list_without_its_filter():
    word = header("Link", lambda end: f'</items?from={end}>; rel="next"')

    def answer(query):
        whole = page_of(query, 9, word, heeds=LIMITED)
        return reply(200, b'{"data": [{"id": 8}]}') if "since" in query else whole

    incremental = {"cursor_path": "id", "start_param": "since", "initial_value": 8}
    with JsonApi(answer) as api:
        done = read(api, HEADER, endpoint={"incremental": incremental})
    assert done.ids() == [8]
    assert done.verdict() == "consistent"
    assert api.queries[1:] == [{"limit": "1"}]


def test_a_total_that_stays_beside_fewer_rows_counts_the_list():
    with listed(7, lambda s, e, c: {"total": c}, heeds=LIMITED) as api:
        done = read(api, PATHS | {"limit": 50, "total_path": "total"})
    assert done.verdict() == "verified"
    assert api.queries == [{"limit": "50"}, {"limit": "6"}]


@pytest.mark.parametrize(
    ("heeds", "verdict", "last"),
    [
        (["offset"], "consistent", [{"offset": "6"}, {"offset": "7"}]),
        (["page"], "consistent", [{"offset": "6"}, {"page": "1"}, {"page": "2"}]),
        ([], "unverified", [{"offset": "6"}, {"page": "1"}, {"page": "2"}]),
    ],
)
def test_auto_counts_where_nothing_is_said(heeds, verdict, last):
    with listed(7, heeds=heeds, cap=7) as api:
        done = read(api, "auto")
    assert done.ids() == list(range(7))
    assert done.error is None
    assert done.verdict() == verdict
    # Where deletes depend on it, a page that was counted is looked at again.
    assert api.queries == [{}, *last, *([{}] if heeds else [])]


@pytest.mark.parametrize("heeds", ["offset", "page"])
def test_auto_reads_on_where_counting_finds_more(heeds):
    with listed(65, heeds=[heeds], cap=20) as api:
        done = read(api, "auto")
    assert done.ids() == list(range(65))
    assert done.verdict() == "consistent"


@pytest.mark.parametrize(
    "named",
    [
        nexts("next", lambda end: f"c{end}"),
        nexts("meta", lambda end: {"nextToken": end}),
        nexts("next_page_url", lambda end: f"/items?from={end}"),
        nexts("info", lambda end: {"next": {"href_of_page": f"/items?from={end}"}}),
    ],
    ids=["cursor", "number", "link", "object"],
)
@pytest.mark.parametrize("limit", [None, 20])
def test_auto_follows_unusual_names_of_a_next_page(named, limit):
    def answer(query):
        start = str(query.get("cursor", "0")).lstrip("c")
        return page_of({"from": start, **query}, 65, named, cap=20)

    with JsonApi(answer) as api:
        done = read(api, {"type": "auto"} | ({"limit": limit} if limit else {}))
    assert done.ids() == list(range(65))
    assert done.verdict() == "consistent"


@pytest.mark.parametrize(
    "said",
    [
        {"next_update": "2030-01-01"},
        {"nextSteps": "https://docs.example.com"},
        {"next_in": {"url": "/elsewhere"}, "pages": 3},
    ],
)
def test_auto_is_not_misled_by_members_that_name_no_page(said):
    with listed(20, always(**said)) as api:
        done = read(api, "auto")
    assert (done.ids(), done.error) == (list(range(20)), None)
    assert done.verdict() == "unverified"


def test_auto_counts_pages_from_0_where_a_response_counts_them():
    def answer(query):
        start = 20 * int(query.get("page", 0))
        return page_of({"from": start}, 65, always(pages=4), cap=20)

    with JsonApi(answer) as api:
        done = read(api, "auto")
    assert done.ids() == list(range(65))
    assert done.verdict() == "consistent"


def test_auto_is_not_misled_by_a_server_that_filters_by_unknown_parameters():
    with JsonApi(lambda query: {"data": [] if query else rows(7)}) as api:
        done = read(api, "auto")
    assert done.verdict() == "unverified"


# --- children -------------------------------------------------------------------------------------


def family(origin, paginator):
    child = {
        "name": "parts",
        "endpoint": {
            "path": "/items/{item_id}/parts",
            "data_selector": "data",
            "paginator": paginator,
        },
        "primary_key": ["item_id", "id"],
        "schema": {"type": "object", "properties": {"id": {"type": "integer"}}},
    }
    items = {"paginator": "single_page"}
    schema = child["schema"]
    return declared(origin, endpoint=items, schema=schema, children=[child]) | {
        "emit_activate_version_messages": True
    }


def parents(counts, answer):
    """Serve parents, and below each a list of so many rows."""

    def respond(received):
        parts = received.target.partition("?")[0].split("/")
        if len(parts) == 2:
            return reply(200, json.dumps({"data": rows(len(counts))}).encode())
        return answer(counts[int(parts[2])], received.query)

    return ScriptedServer(respond)


LINKED = header("Link", lambda end: f'</items?from={end}>; rel="next"')


@pytest.mark.parametrize(
    ("counts", "verdict", "more"),
    [
        # The second parent's page is cut, and speaks for all.
        ([1, 5, 1, 0, 3], "consistent", 1),
        # The second parent has two pages, and speaks for all, the first one included.
        ([1, 15, 5, 7], "consistent", 1),
        ([1, 1, 0, 1], "unverified", 0),
        ([0, 0, 0], "consistent", 0),
    ],
)
def test_the_word_of_one_parent_speaks_for_all(counts, verdict, more):
    with parents(
        counts, lambda count, query: page_of(query, count, LINKED, heeds=LIMITED, cap=10)
    ) as api:
        done = run(family(api.origin, HEADER))
    assert len(done.ids("shop_parts")) == sum(counts)
    assert done.verdict("shop_parts") == verdict
    assert bool(done.of("ACTIVATE_VERSION", "shop_parts")) == (verdict in GOOD)
    assert len(api.requests) == 1 + len(counts) + more


def test_a_paging_field_that_is_never_seen_is_probed_once():
    with parents([5, 5, 5, 5], lambda count, query: page_of(query, count)) as api:
        done = run(family(api.origin, HEADER))
    assert done.verdict("shop_parts") == "unverified"
    assert len(api.requests) == 1 + 4 + 1


def test_links_to_pages_before_are_evidence_for_pages_below_all_parents():
    """As of the learning platform: a first page links to itself alone, a later one to `prev`."""

    def answer(count, query):
        page = int(query["page"])
        found = rows(count)[(page - 1) * 10 : page * 10]
        links = {"self": "/"} | ({"prev": "/"} if page > 1 else {})
        if page * 10 < count:
            links["next"] = f"/items/0/parts?page={page + 1}"
        return reply(200, json.dumps({"data": found, "links": links}).encode())

    counts = [3, 4, 0, 12, 5, 10]
    with parents(counts, answer) as api:
        done = run(family(api.origin, {"type": "page_number", "base_page": 1, "limit": 10}))
    assert len(done.ids("shop_parts")) == sum(counts)
    assert done.verdict("shop_parts") == "consistent"
    # One more for the first parent, and one behind the full page of the last; the fourth has two
    # pages; the last two have a page that is looked at again, for deletes depend on it.
    assert len(api.requests) == 1 + len(counts) + 1 + 1 + 1 + 2


# --- rows that speak against a good end -----------------------------------------------------------


def by_page(pages, **more):
    def answer(query):
        number = int(query["page"])
        return {"data": pages[number - 1] if number <= len(pages) else []} | more

    return JsonApi(answer)


def test_keys_that_come_again_are_no_proof():
    with by_page([rows(10), rows(10, 10), rows(9, 21) + rows(1, 3)]) as api:
        done = read(api, {"type": "page_number", "base_page": 1, "limit": 10})
    assert done.verdict() == "unverified"
    assert "1 key was received more than once" in done.tap.run.results[STREAM].finding.missing
    assert "ACTIVATE_VERSION" not in done.kinds


def test_a_cursor_whose_rows_come_in_a_random_order_is_no_proof():
    pages = {"": (rows(10), "a"), "a": (rows(10, 5), "b"), "b": (rows(10, 20), None)}

    def answer(query):
        found, cursor = pages[query.get("from", "")]
        return {"data": found, "next": cursor}

    with JsonApi(answer) as api:
        done = read(api, PATHS)
    assert done.verdict() == "unverified"


@pytest.mark.parametrize(
    "paginator",
    [{"type": "page_number", "base_page": 1}, PATHS, {"type": "offset"}],
    ids=["page", "cursor", "offset"],
)
def test_the_same_rows_in_another_order_each_time_end_in_an_error(paginator):
    turns = itertools.count(1)

    def answer(query):
        turn = next(turns)
        found = rows(12)
        random.Random(turn).shuffle(found)
        return {"data": found, "next": str(turn)}

    with JsonApi(answer) as api:
        done = read(api, paginator)
    assert "repeated" in done.failure() or "rows keep shifting" in done.failure()
    assert len(api.requests) < 100


def test_replicas_that_differ_are_no_proof():
    turns = itertools.count()

    def answer(query):
        found = [row for row in rows(40) if row["id"] != 5 or next(turns) % 2 == 0]
        return {"data": found[int(query["offset"]) :][:10]}

    with JsonApi(answer) as api:
        done = read(api, {"type": "offset", "limit": 10})
    assert done.error is not None or done.verdict() == "unverified"
    assert "ACTIVATE_VERSION" not in done.kinds


def test_page_0_that_is_page_1_as_well_repeats_no_key():
    def answer(query):
        number = max(1, int(query["page"]))
        return {"data": rows(25)[(number - 1) * 10 : number * 10], "total": 25}

    with JsonApi(answer) as api:
        done = read(api, {"type": "page_number", "limit": 10, "total_path": "total"})
    assert done.ids() == list(range(25))
    assert done.verdict() == "verified"


@pytest.mark.parametrize("count", [0, 12])
def test_null_behind_rows_is_no_empty_page(count):
    def answer(query):
        found = rows(count)[int(query["offset"]) :][:10]
        return {"data": found or None}

    with JsonApi(answer) as api:
        done = read(api, {"type": "offset", "limit": 10})
    assert done.ids() == list(range(count))
    assert done.verdict() == ("unverified" if count else "consistent")


@pytest.mark.parametrize("total_path", ["meta.total_pages", None])
def test_an_empty_page_in_the_middle_is_no_end(total_path):
    pages = [rows(10), [], rows(10, 10)]
    with by_page(pages, meta={"total_pages": 3}) as api:
        done = read(
            api, {"type": "page_number", "base_page": 1, "limit": 10, "total_path": total_path}
        )
    assert done.verdict() == "unverified"
    assert "`meta.total_pages: 3`" in done.tap.run.results[STREAM].finding.missing
    assert total_path is None or done.ids() == list(range(20))


def test_an_object_that_is_the_response_has_members_and_no_paging_fields():
    body = {"id": 7, "total": 99, "next": "/items?page=2", "has_more": True}
    with JsonApi(lambda _: body) as api:
        endpoint = {"paginator": "single_page", "data_selector": None}
        done = read(api, "single_page", endpoint=endpoint)
    assert done.error is None
    assert done.verdict() == "consistent"
