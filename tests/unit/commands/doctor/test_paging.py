"""One server per wrong or unusual pagination: the doctor reports it, and its suggestion works."""

from __future__ import annotations

import json

import pytest
from support.doctor import FEW, cut, items
from support.runs import declared
from support.servers import JsonApi, reply

ROWS = items(10)
OFFSET = {"paginator": {"type": "offset", "limit": 4}}
PAGES = {"paginator": {"type": "page_number", "limit": 4}}


def numbered(rows, query, *, base, size=None, param="page"):
    """Return a page by its number."""
    limit = size or int(query.get("limit", 4))
    start = (int(query.get(param, base)) - base) * limit
    return rows[max(0, start) : max(0, start) + limit]


# --- offsets ----------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4, 8, 10])
@pytest.mark.parametrize("total", [True, False])
def test_a_server_that_uses_offset_and_limit_has_no_findings(doctor, rows, total):
    stock = items(rows)

    def answer(query):
        return {"data": cut(stock, query)} | ({"total": rows} if total else {})

    with JsonApi(answer) as api:
        report = doctor(declared(api.origin, endpoint=OFFSET))
        assert len(api.requests) <= FEW
    assert (report.code, report.patch) == (0, {}), report.texts
    assert report.stream()["total"] == (rows if total and rows else None)


@pytest.mark.parametrize("paginator", ["offset", {"type": "offset", "limit": 50}])
def test_single_page_is_never_suggested_as_a_setting(doctor, paginator):
    """A server that gives one page of many looks the same."""
    with JsonApi(lambda _: {"data": ROWS}) as api:
        report = doctor(declared(api.origin, endpoint={"paginator": paginator}))
    assert (report.code, report.patch) == (1, {})
    assert report.findings == [("wrong", "number_ignored")]
    assert "If the API returns all rows at once, declare `single_page`." in report.texts


def test_a_page_parameter_is_found_where_offset_is_ignored(doctor):
    def answer(query):
        return {"data": numbered(ROWS, query, base=1), "total": 10}

    endpoint = {"paginator": {"type": "offset", "limit": 4, "total_path": None}}
    with JsonApi(answer) as api:
        report = doctor(declared(api.origin, endpoint=endpoint))
    assert report.code == 1
    assert report.findings[0] == ("wrong", "number_ignored")
    assert report.paginator["type"] == "page_number"


def test_a_cursor_is_found_where_offset_is_ignored(doctor):
    def answer(query):
        start = int(query.get("cursor", 0))
        following = start + 4 if start + 4 < 10 else None
        return {"data": ROWS[start : start + 4], "meta": {"next_cursor": following}}

    report = doctor.check_patch(answer, rows=10, endpoint=OFFSET)
    assert report.findings[0] == ("wrong", "number_ignored")
    assert report.paginator == {
        "type": "cursor",
        "limit": 4,
        "cursor_path": "meta.next_cursor",
        "cursor_param": "cursor",
    }


@pytest.mark.parametrize("base", [0, 1])
@pytest.mark.parametrize("limit", [10, 50])
def test_an_offset_that_counts_pages_is_reported(doctor, base, limit):
    def answer(query):
        return {"data": numbered(ROWS, query, base=base, param="start")}

    paginator = {"type": "offset", "offset_param": "start", "limit": limit}
    report = doctor.check_patch(answer, rows=10, endpoint={"paginator": paginator})
    assert report.findings[0] == ("wrong", "unit")
    assert report.paginator == {
        "type": "page_number",
        "limit": limit,
        "page_param": "start",
        "base_page": base,
    }


def test_a_total_is_suggested_for_a_clamped_last_page(doctor):
    def answer(query):
        return {"data": cut(ROWS, query) or ROWS[-2:], "meta": {"total_count": 10}}

    report = doctor.check_patch(answer, rows=10, endpoint=OFFSET)
    assert ("wrong", "clamped") in report.findings
    assert report.paginator == OFFSET["paginator"] | {"total_path": "meta.total_count"}


@pytest.mark.parametrize("count", [9, 11])
def test_a_number_that_is_not_the_total_is_not_suggested(doctor, count):
    def answer(query):
        return {"data": cut(ROWS, query) or ROWS[-2:], "meta": {"total_count": count}}

    with JsonApi(answer) as api:
        report = doctor(declared(api.origin, endpoint=OFFSET))
    assert (report.code, report.patch) == (1, {})


def test_a_clamped_last_page_without_total_has_no_suggestion(doctor):
    with JsonApi(lambda query: {"data": cut(ROWS, query) or ROWS[-2:]}) as api:
        report = doctor(declared(api.origin, endpoint=OFFSET))
    assert (report.code, report.patch) == (1, {})
    assert report.findings == [("wrong", "clamped")]


# --- page numbers -----------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [4, 50])
def test_a_page_number_that_counts_rows_is_reported(doctor, limit):
    def answer(query):
        start = int(query.get("from", 0))
        return {"data": ROWS[start : start + int(query["limit"])]}

    paginator = {"type": "page_number", "page_param": "from", "limit": limit}
    report = doctor.check_patch(answer, rows=10, endpoint={"paginator": paginator})
    assert report.findings[0] == ("wrong", "unit")
    assert report.paginator == {"type": "offset", "offset_param": "from", "limit": limit}


def test_a_parameter_page_that_counts_rows_is_an_offset(doctor):
    def answer(query):
        start = int(query.get("page", 0))
        return {"data": ROWS[start : start + int(query["limit"])]}

    report = doctor.check_patch(answer, rows=10, endpoint=PAGES)
    assert report.paginator == {"type": "offset", "limit": 4, "offset_param": "page"}


@pytest.mark.parametrize("rows", [3, 10])
def test_a_skipped_first_page_is_reported(doctor, rows):
    stock = items(rows)

    def answer(query):
        return {"data": numbered(stock, query, base=0)}

    endpoint = {"paginator": PAGES["paginator"] | {"base_page": 1}}
    report = doctor.check_patch(answer, rows=rows, endpoint=endpoint)
    assert report.findings[0] == ("wrong", "base_page")
    assert report.paginator == PAGES["paginator"] | {"base_page": 0}


def test_a_page_0_that_repeats_page_1_is_reported(doctor):
    def answer(query):
        return {"data": numbered(ROWS, query, base=1)}

    endpoint = {"paginator": PAGES["paginator"] | {"base_page": 0}}
    report = doctor.check_patch(answer, rows=10, endpoint=endpoint)
    assert report.findings == [("wrong", "base_page")]
    assert report.paginator == PAGES["paginator"] | {"base_page": 1}


@pytest.mark.parametrize("rows", [3, 10])
def test_a_base_page_that_is_not_declared_is_found(doctor, rows):
    stock = items(rows)

    def answer(query):
        return {"data": numbered(stock, query, base=1)}

    report = doctor.check_patch(answer, rows=rows, wrong=False, endpoint=PAGES)
    assert report.paginator == PAGES["paginator"] | {"base_page": 1}


def test_a_refused_page_0_is_reported(doctor):
    def answer(query):
        if query["page"] == "0":
            return reply(400, b'{"error": "page must be positive"}')
        return {"data": numbered(ROWS, query, base=1)}

    report = doctor.check_patch(answer, rows=10, endpoint=PAGES)
    assert report.paginator == PAGES["paginator"] | {"base_page": 1}


def test_a_refused_page_0_hides_no_wrong_selector(doctor):
    def answer(query):
        if query["page"] == "0":
            return reply(400, b'{"error": "page must be positive"}')
        return {"items": numbered(ROWS, query, base=1)}

    report = doctor.check_patch(answer, rows=10, endpoint=PAGES)
    assert report.findings == [("wrong", "base_page"), ("wrong", "selector")]


def test_an_empty_page_0_is_reported(doctor):
    def answer(query):
        return {"data": numbered(ROWS, query, base=1) if query["page"] != "0" else []}

    report = doctor.check_patch(answer, rows=10, wrong=False, endpoint=PAGES)
    assert report.paginator == PAGES["paginator"] | {"base_page": 1}


# --- limits -----------------------------------------------------------------------------------


def test_a_capped_page_size_is_reported(doctor):
    stock = items(60)

    def answer(query):
        return {"data": cut(stock, query, most=25)}

    endpoint = {"paginator": {"type": "offset", "limit": 100}}
    report = doctor.check_patch(answer, rows=60, wrong=False, endpoint=endpoint)
    assert report.findings == [("warning", "limit_capped")]
    assert report.paginator == {"type": "offset", "limit": 25}
    assert "caps pages at 25 rows" in report.texts


def test_an_ignored_limit_is_reported(doctor):
    def answer(query):
        return {"data": ROWS[int(query.get("offset", 0)) :][:5]}

    report = doctor.check_patch(answer, rows=10, wrong=False, endpoint=OFFSET)
    assert report.findings == [("warning", "limit_ignored")]
    assert report.paginator == {"type": "offset", "limit": 5}


def test_a_limit_among_the_parameters_stays_there(doctor):
    stock = items(60)

    def answer(query):
        return {"data": cut(stock, query, most=25)}

    endpoint = {"paginator": "offset", "params": {"limit": 100}}
    report = doctor.check_patch(answer, rows=60, wrong=False, endpoint=endpoint)
    assert report.resource == {"endpoint": {"params": {"limit": 25}}}


# --- totals -----------------------------------------------------------------------------------


def test_a_total_elsewhere_is_found(doctor):
    def answer(query):
        return {"data": cut(ROWS, query), "page": {"total_results": 10, "size": 4}}

    report = doctor.check_patch(answer, rows=10, wrong=False, endpoint=OFFSET)
    assert report.findings == [("warning", "total_path")]
    assert report.paginator == OFFSET["paginator"] | {"total_path": "page.total_results"}


def test_a_total_of_the_page_alone_is_reported(doctor):
    def answer(query):
        page = cut(ROWS, query)
        return {"data": page, "total": len(page), "count": 10}

    report = doctor.check_patch(answer, rows=10, wrong=False, endpoint=OFFSET)
    assert report.findings == [("warning", "total_wrong")]
    assert report.paginator == OFFSET["paginator"] | {"total_path": "count"}


def test_a_wrong_total_is_reported_without_suggestion(doctor):
    def answer(query):
        page = cut(ROWS, query)
        return {"data": page, "total": len(page)}

    with JsonApi(answer) as api:
        report = doctor(declared(api.origin, endpoint=OFFSET))
    assert (report.code, report.patch) == (0, {})
    assert report.findings == [("warning", "total_wrong")]


def test_a_number_that_is_ignored_is_wrong_though_page_1_may_be_page_0(doctor):
    with JsonApi(lambda _: {"data": ROWS}) as api:
        report = doctor(declared(api.origin, endpoint={"paginator": "page_number"}))
    assert (report.code, report.patch) == (1, {})
    assert report.findings == [("wrong", "number_ignored")]


# --- cursors and links ------------------------------------------------------------------------


def cursors(query, *, param="cursor", limit=4):
    """Return rows and the next cursor."""
    start = int(query.get(param, "c0")[1:])
    limit = int(query.get("limit", limit))
    following = f"c{start + limit}" if start + limit < len(ROWS) else None
    return ROWS[start : start + limit], following


CURSOR = {"paginator": {"type": "cursor", "limit": 4, "cursor_path": "next_cursor"}}


@pytest.mark.parametrize("limit", [4, 50])
def test_a_cursor_that_advances_has_no_findings(doctor, limit):
    def answer(query):
        rows, following = cursors(query)
        return {"data": rows, "next_cursor": following}

    paginator = CURSOR["paginator"] | {"limit": limit}
    with JsonApi(answer) as api:
        report = doctor(declared(api.origin, endpoint={"paginator": paginator}))
        assert len(api.requests) <= FEW
    assert (report.code, report.patch) == (0, {})
    assert report.stream()["paging"] == ("advances" if limit == 4 else "one page")


def test_a_cursor_at_another_path_is_found(doctor):
    def answer(query):
        rows, following = cursors(query)
        return {"data": rows, "paging": {"cursor": {"next": following}}}

    paginator = CURSOR["paginator"] | {"cursor_path": "next"}
    report = doctor.check_patch(answer, rows=10, endpoint={"paginator": paginator})
    assert report.findings == [("wrong", "next_missed")]
    assert report.paginator["cursor_path"] == "paging.cursor.next"


def test_a_cursor_at_another_path_is_found_where_the_first_page_has_all_rows(doctor):
    def answer(query):
        rows, following = cursors(query)
        return {"data": rows, "meta": {"next_cursor": following}}

    paginator = CURSOR["paginator"] | {"limit": 50}
    report = doctor.check_patch(answer, rows=10, endpoint={"paginator": paginator})
    assert report.paginator["cursor_path"] == "meta.next_cursor"


def test_a_cursor_parameter_of_another_name_is_found(doctor):
    def answer(query):
        rows, following = cursors(query, param="page_token")
        return {"data": rows, "next_page_token": following}

    paginator = {"type": "cursor", "limit": 4, "cursor_path": "next_page_token"}
    report = doctor.check_patch(answer, rows=10, endpoint={"paginator": paginator})
    assert report.findings == [("wrong", "cursor_ignored")]
    assert report.paginator == paginator | {"cursor_param": "page_token"}


def test_a_repeated_cursor_is_reported(doctor):
    def answer(query):
        start = 4 if "cursor" in query else 0
        return {"data": ROWS[start : start + 4], "next_cursor": "again"}

    with JsonApi(answer) as api:
        report = doctor(declared(api.origin, endpoint=CURSOR))
    assert (report.code, report.patch) == (1, {})
    assert report.findings == [("wrong", "cursor_repeated")]


def test_a_cursor_that_does_advance_is_found_beside_one_that_does_not(doctor):
    def answer(query):
        rows, following = cursors(query, param="after")
        # The wrong one advances once, and then no further.
        rows = ROWS[4:8] if "cursor" in query else rows
        following = "c8" if "cursor" in query else following
        return {"data": rows, "next_cursor": "same", "paging": {"after": following}}

    report = doctor.check_patch(answer, rows=10, endpoint=CURSOR)
    assert report.findings == [("wrong", "cursor_repeated")]
    assert report.paginator["cursor_path"] == "paging.after"


def test_an_ignored_cursor_is_reported(doctor):
    with JsonApi(lambda _: {"data": ROWS[:4], "next_cursor": "on"}) as api:
        report = doctor(declared(api.origin, endpoint=CURSOR))
        assert len(api.requests) == 3
    assert (report.code, report.findings) == (1, [("wrong", "cursor_ignored")])


@pytest.mark.parametrize("paginator", ["single_page", {"type": "json_link"}, "header_link"])
@pytest.mark.parametrize(
    ("place", "path"),
    [
        (lambda link: {"paging": {"next_url": link}}, "paging.next_url"),
        (lambda link: {"@odata.nextLink": link}, "['@odata.nextLink']"),
    ],
    ids=["other name", "name with a dot"],
)
def test_a_link_at_another_place_is_found(doctor, paginator, place, path):
    def answer(query):
        rows, following = cursors(query)
        link = None if following is None else f"/items?cursor={following}"
        return {"data": rows, **place(link)}

    report = doctor.check_patch(answer, rows=10, endpoint={"paginator": paginator})
    assert ("wrong", "next_missed") in report.findings
    assert report.paginator == {"type": "json_link", "next_url_path": path}


def test_a_link_in_a_header_is_found(doctor):
    def answer(query):
        rows, following = cursors(query)
        link = f'</items?cursor={following}>; rel="next"' if following else ""
        body = str({"data": rows}).replace("'", '"').encode()
        return reply(200, body, **({"Link": link} if link else {}))

    report = doctor.check_patch(answer, rows=10, endpoint={"paginator": "single_page"})
    assert report.paginator == {"type": "header_link", "links_next_key": "next"}


def test_a_link_to_another_host_is_reported(doctor):
    body = {"data": ROWS[:4], "next": "https://elsewhere.example/items?page=2"}
    with JsonApi(lambda _: body) as api:
        report = doctor(declared(api.origin, endpoint={"paginator": "json_link"}))
    assert (report.code, report.findings) == (1, [("wrong", "link")])
    assert "elsewhere.example" in report.texts


def test_a_malformed_link_is_reported(doctor):
    with JsonApi(lambda _: {"data": ROWS[:4], "next": "http://[nowhere?page=2"}) as api:
        report = doctor(declared(api.origin, endpoint={"paginator": "json_link"}))
    assert (report.code, report.findings) == (1, [("wrong", "link")])


def test_pages_of_a_stream_declared_as_a_single_one_are_found(doctor):
    def answer(query):
        return {"data": numbered(ROWS, query, base=1, size=4)}

    report = doctor.check_patch(answer, rows=10, endpoint={"paginator": "single_page"})
    assert report.findings == [("wrong", "next_missed")]
    assert report.paginator == {"type": "page_number", "base_page": 1, "page_param": "page"}


def test_offsets_of_a_stream_declared_as_a_single_page_are_found(doctor):
    def answer(query):
        return {"data": ROWS[int(query.get("offset", 0)) :][:4]}

    report = doctor.check_patch(answer, rows=10, endpoint={"paginator": "single_page"})
    assert report.paginator == {"type": "offset"}


def test_a_second_page_that_fails_is_reported(doctor):
    def answer(query):
        if "cursor" in query:
            return reply(400, b'{"error": "bad cursor"}')
        return {"data": ROWS[:4], "next_cursor": "on"}

    with JsonApi(answer) as api:
        report = doctor(declared(api.origin, endpoint=CURSOR))
    assert (report.code, report.findings) == (1, [("wrong", "next_failed")])
    assert "bad cursor" in report.texts


# --- auto -------------------------------------------------------------------------------------


def by_cursor(query):
    rows, following = cursors(query)
    return {"data": rows, "meta": {"next_cursor": following}}


def by_link(query):
    rows, following = cursors(query)
    return {"data": rows, "links": {"next": following and f"/items?cursor={following}"}}


def by_offset(query):
    start = int(query.get("offset", 0))
    return {"data": ROWS[start : start + 4], "offset": start, "total": 10}


def by_page(query):
    number = int(query.get("page", 1))
    return {"data": numbered(ROWS, query, base=1), "page": number, "total": 10}


@pytest.mark.parametrize(
    ("answer", "paginator"),
    [
        (
            by_cursor,
            {"type": "cursor", "cursor_path": "meta.next_cursor", "cursor_param": "cursor"},
        ),
        (by_link, {"type": "json_link", "next_url_path": "links.next"}),
        (by_offset, {"type": "offset"}),
        (by_page, {"type": "page_number", "base_page": 1, "total_path": "total"}),
    ],
    ids=["cursor", "link", "offset", "page"],
)
def test_the_paginator_found_by_auto_is_suggested(doctor, answer, paginator):
    report = doctor.check_patch(answer, rows=10, wrong=False)
    assert report.findings == [("warning", "auto")]
    assert report.paginator == paginator


def test_a_paginator_that_auto_misses_is_reported(doctor):
    report = doctor.check_patch(
        lambda query: {"data": numbered(ROWS, query, base=0, size=4)}, rows=10
    )
    assert report.findings == [("wrong", "next_missed")]
    assert report.paginator == {"type": "page_number", "base_page": 0, "page_param": "page"}


def test_rows_with_changing_fields_are_no_further_pages(doctor):
    times = iter(range(1000))
    with JsonApi(lambda _: {"data": [{"n": n, "time": next(times)} for n in range(3)]}) as api:
        config = declared(api.origin, endpoint={"paginator": "single_page"})
        del config["apis"][0]["resources"][0]["primary_key"]
        report = doctor(config)
    assert (report.code, report.patch) == (0, {})


@pytest.mark.parametrize("paginator", ["single_page", "auto", CURSOR["paginator"]])
def test_fewer_rows_than_the_total_are_reported(doctor, paginator):
    with JsonApi(lambda _: {"data": ROWS[:4], "total": 10}) as api:
        report = doctor(declared(api.origin, endpoint={"paginator": paginator}))
    assert (report.code, report.patch) == (1, {})
    assert "10" in report.texts


def test_offsets_are_found_for_rows_without_a_key_by_the_total(doctor):
    rows = [{"n": number} for number in range(10)]
    with JsonApi(lambda query: {"data": cut(rows, query, most=4), "total": 10}) as api:
        report = doctor(declared(api.origin, endpoint={"paginator": "single_page"}))
    assert report.paginator == {"type": "offset"}


def test_a_page_number_in_the_response_is_suggested(doctor):
    def answer(query):
        return {"data": cut(ROWS, query), "offset": int(query.get("offset", 0)), "total": 10}

    paginator = {"type": "page_number", "limit": 50}
    report = doctor.check_patch(answer, rows=10, endpoint={"paginator": paginator})
    assert report.findings == [("wrong", "number_ignored")]
    assert report.paginator["type"] == "offset"


def test_a_cursor_in_a_header_is_found(doctor):
    def answer(query):
        rows, following = cursors(query)
        body = json.dumps({"data": rows}).encode()
        return reply(200, body, **({"X_Next_Cursor": following} if following else {}))

    report = doctor.check_patch(answer, rows=10, endpoint={"paginator": "single_page"})
    assert report.paginator == {
        "type": "header_cursor",
        "cursor_key": "X-Next-Cursor",
        "cursor_param": "cursor",
    }


def test_a_number_of_pages_is_suggested_for_a_clamped_last_page(doctor):
    def answer(query):
        page = numbered(ROWS, query, base=0) or ROWS[-2:]
        return {"data": page, "meta": {"total_pages": 3}}

    paginator = PAGES["paginator"] | {"base_page": 0}
    report = doctor.check_patch(answer, rows=10, endpoint={"paginator": paginator})
    assert report.findings == [("wrong", "clamped")]
    assert report.paginator == paginator | {"total_path": "meta.total_pages"}


def test_a_link_back_to_the_first_page_is_reported(doctor):
    with JsonApi(lambda _: {"data": ROWS[:4], "next": "/items?page=2"}) as api:
        report = doctor(declared(api.origin, endpoint={"paginator": "json_link"}))
    assert (report.code, report.findings) == (1, [("wrong", "cursor_ignored")])


def test_rows_on_two_pages_are_reported(doctor):
    """A run would be unverified."""

    def answer(query):
        begun = "cursor" in query
        return {"data": ROWS[3:8] if begun else ROWS[:4], "next_cursor": None if begun else "on"}

    with JsonApi(answer) as api:
        report = doctor(declared(api.origin, endpoint=CURSOR))
    assert (report.code, report.findings) == (1, [("wrong", "overlap")])


def test_an_ignored_limit_on_a_short_list_is_noted(doctor):
    def answer(query):
        return {"data": ROWS[int(query.get("offset", 0)) :]}

    paginator = {"type": "offset", "limit": 50}
    with JsonApi(answer) as api:
        report = doctor(declared(api.origin, endpoint={"paginator": paginator}))
    assert (report.code, report.findings) == (0, [("note", "limit_ignored")])


def test_an_ignored_offset_with_a_working_limit_has_no_suggestion(doctor):
    with JsonApi(lambda query: {"data": ROWS[: int(query["limit"])]}) as api:
        endpoint = {"paginator": {"type": "offset", "limit": 50}}
        report = doctor(declared(api.origin, endpoint=endpoint))
    assert (report.code, report.patch) == (1, {})
    assert "Look up the pagination in the API's documentation" in report.texts


def test_auto_on_the_only_page_is_noted(doctor):
    with JsonApi(lambda _: {"data": ROWS, "links": {"next": None}}) as api:
        report = doctor(declared(api.origin))
    assert (report.code, report.findings) == (0, [("note", "auto")])


@pytest.mark.parametrize("base", [0, 1])
def test_a_clamped_last_page_is_reported_with_any_base_page(doctor, base):
    with JsonApi(lambda query: {"data": numbered(ROWS, query, base=base) or ROWS[-2:]}) as api:
        endpoint = {"paginator": PAGES["paginator"] | {"base_page": base}}
        report = doctor(declared(api.origin, endpoint=endpoint))
    assert (report.code, report.findings, report.patch) == (1, [("wrong", "clamped")], {})


def test_a_paginator_that_never_ends_is_not_suggested(doctor):
    with JsonApi(lambda query: {"data": cut(ROWS, query) or ROWS[-2:]}) as api:
        report = doctor(declared(api.origin, endpoint=PAGES))
    assert (report.code, report.findings) == (1, [("wrong", "number_ignored")])
    assert report.patch == {}


def test_a_total_of_rows_is_not_suggested_for_clamped_page_numbers(doctor):
    def answer(query):
        return {"data": numbered(ROWS, query, base=0) or ROWS[-2:], "total": 10}

    endpoint = {"paginator": PAGES["paginator"] | {"base_page": 0, "total_path": "total"}}
    with JsonApi(answer) as api:
        report = doctor(declared(api.origin, endpoint=endpoint))
    assert (report.code, report.findings, report.patch) == (1, [("wrong", "clamped")], {})


@pytest.mark.parametrize("base", [0, 1])
def test_an_offset_whose_unit_a_run_finds_out_is_no_finding(doctor, base):
    def answer(query):
        number = int(query["page"]) - base
        return {"data": numbered(ROWS, query, base=base) if number >= 0 else []}

    endpoint = {"paginator": {"type": "offset", "offset_param": "page", "limit": 4}}
    with JsonApi(answer) as api:
        report = doctor(declared(api.origin, endpoint=endpoint))
    assert (report.code, report.patch) == (0, {}), report.texts
