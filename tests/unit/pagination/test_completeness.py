"""A run proves that it has read everything, or says why it hasn't."""

from __future__ import annotations

import json

import pytest
from support.runs import declared, run
from support.servers import JsonApi, reply
from urllib3 import HTTPHeaderDict

from tap_analytics.pagination import (
    Cursor,
    Offset,
    Page,
    Paginator,
    PagingFacts,
    PagingState,
    StopReason,
)
from tap_analytics.pagination.completeness import Finding, Verdict, decide, worst
from tap_analytics.pagination.guard import PaginationGuard
from tap_analytics.pagination.page import describe
from tap_analytics.reporting.results import StreamResult


def rows(count, start=0, **fields):
    return [{"id": number, **fields} for number in range(start, start + count)]


def config(origin, paginator, **resource):
    return declared(origin, endpoint={"paginator": paginator}, **resource)


OFFSET = {"type": "offset", "limit": 10}
PAGE = {"type": "page_number", "limit": 10, "base_page": 1}
CURSOR = {"type": "cursor", "cursor_path": "next", "cursor_param": "from"}
LINK = {"type": "json_link"}


# --- walks that go in circles -------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("keys", ["id", []])
@pytest.mark.parametrize(
    ("paginator", "answer"),
    [
        pytest.param(OFFSET, lambda _: {"data": rows(10)}, id="ignored offset"),
        pytest.param(
            OFFSET, lambda _: {"data": rows(10), "total": 35}, id="ignored offset, total not met"
        ),
        pytest.param(PAGE, lambda _: {"data": rows(10)}, id="ignored page"),
        pytest.param(
            PAGE,
            lambda query: {"data": rows(10, min(3, int(query["page"])) * 10)},
            id="clamped last page",
        ),
        pytest.param(CURSOR, lambda _: {"data": rows(1), "next": "b"}, id="same cursor"),
        pytest.param(
            CURSOR,
            lambda query: {
                "data": rows(1, len(query.get("from", ""))),
                "next": {"": "a", "a": "bb", "bb": "a"}[query.get("from", "")],
            },
            id="cursors a, b, a",
        ),
        pytest.param(
            LINK,
            lambda query: {"data": rows(1, len(query)), "next": "?page=2"},
            id="next link to itself",
        ),
    ],
)
def test_a_stream_that_does_not_advance_is_an_error(paginator, answer, keys, concurrency):
    with JsonApi(answer) as api:
        given = config(api.origin, paginator, primary_key=keys) | {"concurrency": concurrency}
        done = run(given)
    assert "repeated" in done.failure()
    assert "/items" in done.failure()
    assert len(api.requests) < 20


@pytest.mark.parametrize("keys", ["id", []])
def test_a_total_does_not_vouch_for_pages_that_are_all_the_same(keys):
    with JsonApi(lambda _: {"data": rows(10), "total": 20}) as api:
        given = config(api.origin, OFFSET, primary_key=keys, emit_activate_version_messages=True)
        done = run(given)
    assert "repeated" in done.failure() or done.verdict() == "unverified"
    assert "ACTIVATE_VERSION" not in done.kinds


def test_a_cursor_that_is_new_each_time_but_leads_to_the_same_page_is_an_error():
    with JsonApi(
        lambda query: {"data": rows(2), "next": str(int(query.get("from", "0")) + 1)}
    ) as api:
        done = run(config(api.origin, CURSOR))
    assert "repeated" in done.failure()


def test_empty_pages_without_end_are_an_error():
    with JsonApi(lambda query: {"data": [], "next": str(int(query.get("from", "0")) + 1)}) as api:
        done = run(config(api.origin, CURSOR))
    assert "repeated" in done.failure()


def test_rows_without_keys_may_look_alike_on_pages_that_follow_each_other():
    pages = {"": "b", "b": "c", "c": None}
    with JsonApi(
        lambda query: {"data": [{"kind": "x"}], "next": pages[query.get("from", "")]}
    ) as api:
        done = run(config(api.origin, CURSOR, primary_key=[]))
    assert done.error is None
    assert len(done.records()) == 3


@pytest.mark.parametrize("keys", [[-1, -2], [0, 2**61 - 1], [1, "1"], ["a", "b", "a1"]], ids=str)
def test_pages_of_one_row_are_distinguished_by_their_keys(keys):
    def answer(query):
        start = int(query["offset"])
        return {"data": [{"id": key} for key in keys[start : start + 1]]}

    with JsonApi(answer) as api:
        done = run(config(api.origin, OFFSET | {"limit": 1}))
    assert done.error is None
    assert done.ids() == keys


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("paginator", [OFFSET, PAGE])
@pytest.mark.parametrize("count", [20, 25])
def test_a_response_that_is_an_empty_list_ends_lists_without_a_selector(
    count, paginator, concurrency
):
    def answer(query):
        start = int(query.get("offset", 0)) or (int(query.get("page", 1)) - 1) * 10
        return rows(count)[start : start + 10]

    with JsonApi(answer) as api:
        endpoint = {"data_selector": None, "paginator": paginator}
        done = run(declared(api.origin, endpoint=endpoint, concurrency=concurrency))
    assert (done.ids(), done.verdict()) == ([*range(count)], "consistent")


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize(("counts_from", "base"), [(0, 0), (1, 1), (0, None), (1, None)])
def test_pages_that_skip_what_is_above_the_limit_of_a_server_are_an_error(
    counts_from, base, concurrency
):
    def answer(query):
        limit, number = int(query["limit"]), int(query["page"]) - counts_from
        return {"data": rows(95)[max(number, 0) * limit :][: min(limit, 5)]}

    with JsonApi(answer) as api:
        paginator = {"type": "page_number", "limit": 10, "base_page": base}
        done = run(config(api.origin, paginator, concurrency=concurrency))
    assert "counts pages of the 10 it was asked for, so it skips rows" in done.failure()
    assert "Set `limit` to 5." in done.failure()


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("kind", ["capped", "left out", "few"])
def test_pages_that_are_smaller_than_the_limit_are_no_error_without_skipped_rows(kind, concurrency):
    def answer(query):
        limit, number = int(query["limit"]), int(query["page"]) - 1
        size = min(limit, 5) if kind == "capped" else limit
        found = rows(14 if kind == "few" else 95)[number * size : (number + 1) * size]
        return {"data": [row for row in found if kind != "left out" or row["id"] % 4]}

    with JsonApi(answer) as api:
        done = run(config(api.origin, PAGE, concurrency=concurrency))
    expected = [row["id"] for row in rows(14 if kind == "few" else 95)]
    assert done.ids() == [key for key in expected if kind != "left out" or key % 4]
    assert (done.error, done.verdict()) == (None, "consistent")


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("paginator", [CURSOR, PAGE])
@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ({"success": False}, "unverified"),
        ({"ok": False}, "unverified"),
        ({"status": "ERROR"}, "unverified"),
        ({"success": True, "ok": None, "status": "done"}, "consistent"),
    ],
    ids=str,
)
def test_a_page_without_rows_that_says_it_failed_proves_no_end(
    said, verdict, paginator, concurrency
):
    def answer(query):
        start = int(query.get("from", 0)) or (int(query.get("page", 1)) - 1) * 10
        if start >= 20:
            return {"data": [], "next": None} | said
        return {"data": rows(10, start), "next": str(start + 10), "success": True}

    with JsonApi(answer) as api:
        done = run(config(api.origin, paginator, concurrency=concurrency))
    assert (done.ids(), done.verdict()) == ([*range(20)], verdict)


# --- selectors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        ({"items": [{"id": 1}]}, "`items`"),
        ({"data": {"items": [{"id": 1}]}, "x": 1}, "`data.items`"),
        ([{"id": 1}], "leave it out for a bare list"),
        ({"status": "ok"}, "`status`"),
    ],
    ids=["elsewhere", "deeper", "the list itself", "nowhere"],
)
def test_a_selector_that_finds_nothing_names_the_place_of_the_rows(body, hint):
    with JsonApi(lambda _: body) as api:
        endpoint = {"data_selector": "data.rows", "paginator": "single_page"}
        done = run(declared(api.origin, endpoint=endpoint))
    assert "`data.rows`" in done.failure()
    assert hint in done.failure()


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("count", [0, 20, 25])
@pytest.mark.parametrize("selector", ["data.rows", "data.rows[*]"])
@pytest.mark.parametrize("outer", [{}, {"data": {}}, {"data": None}, {"kind": "list"}], ids=str)
def test_a_list_that_is_left_out_is_empty_where_it_is_declared(outer, selector, count, concurrency):
    def answer(query):
        start = int(query["offset"])
        page = [{"id": number} for number in range(count)][start : start + 10]
        return {"data": {"rows": page}} if page else outer

    with JsonApi(answer) as api:
        endpoint = {"data_selector": selector, "paginator": OFFSET | {"limit": 10}}
        strict = run(declared(api.origin, endpoint=endpoint, concurrency=concurrency))
        endpoint["on_missing_rows"] = "empty"
        done = run(declared(api.origin, endpoint=endpoint, concurrency=concurrency))
    assert (done.error, done.ids(), done.verdict()) == (None, [*range(count)], "consistent")
    assert "`on_missing_rows: empty`" in strict.failure()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"message": "quota"}}, "answered 200 with an error: error: quota"),
        ([{"id": 1}], "the response itself is a list"),
        ({"data": {"rows": "none"}}, "is text where a list of rows is expected"),
        ("none", "the response is text"),
    ],
)
def test_what_is_no_list_that_is_left_out_fails_the_stream(body, words):
    with JsonApi(lambda _: body) as api:
        endpoint = {"data_selector": "data.rows", "on_missing_rows": "empty"}
        done = run(declared(api.origin, endpoint=endpoint | {"paginator": "single_page"}))
    assert words in done.failure()


def test_an_empty_list_is_an_answer():
    with JsonApi(lambda _: {"data": []}) as api:
        done = run(config(api.origin, OFFSET))
    assert done.error is None
    assert done.kinds == ["SCHEMA"]
    assert done.verdict() == "consistent"


# --- totals -------------------------------------------------------------------------------------


def sliced(table, query):
    start = int(query["offset"])
    return table[start : start + int(query["limit"])]


def test_fewer_rows_than_the_total_fail_the_run():
    with JsonApi(lambda query: {"data": sliced(rows(15), query), "total": 16}) as api:
        done = run(config(api.origin, OFFSET))
    assert done.ids() == list(range(15))
    assert done.error is not None
    assert done.verdict() == "short"
    assert "rows are missing" in done.failure()


def test_a_total_that_only_the_first_page_gives_is_compared_with_the_rows():
    def answer(query):
        total = {"total": 30} if query["offset"] == "0" else {}
        return {"data": sliced(rows(15), query)} | total

    with JsonApi(answer) as api:
        done = run(config(api.origin, OFFSET))
    assert done.verdict() == "short"
    assert done.error is not None


def shrinking(table):
    """Answer from a table that loses a row of its first page once that was read."""

    def answer(query):
        body = {"data": sliced(table, query), "total": len(table)}
        if query["offset"] == "0":
            # What follows moves up, past the reader.
            del table[0]
        return body

    return answer


def test_a_total_that_shrinks_meanwhile_permits_no_deletes():
    with JsonApi(shrinking(rows(30))) as api:
        # Without keys nothing tells where pages meet, and the lower total is reached.
        given = config(api.origin, OFFSET, primary_key=[], emit_activate_version_messages=True)
        done = run(given)
    assert set(range(30)) - set(done.ids()) == {10}
    assert done.verdict() == "unverified"
    assert not done.of("ACTIVATE_VERSION")


def test_a_total_that_shrinks_is_no_reason_for_unverified_where_pages_overlap():
    with JsonApi(shrinking(rows(30))) as api:
        done = run(config(api.origin, OFFSET, emit_activate_version_messages=True))
    assert done.ids() == list(range(30))
    assert done.verdict() == "consistent"
    assert len(done.of("ACTIVATE_VERSION")) == 1


def test_a_page_that_repeats_the_first_does_not_count_towards_the_total():
    def answer(query):
        start = (max(1, int(query["page"])) - 1) * 10
        return {"data": rows(30)[start : start + 10][: 20 - start], "total": 30}

    with JsonApi(answer) as api:
        # Where pages are counted from is not told: page 1 comes as page 0, too.
        done = run(config(api.origin, {"type": "page_number", "limit": 10, "total_path": "total"}))
    assert done.ids() == list(range(20))
    assert done.verdict() == "short"


def test_a_count_of_pages_or_of_the_rows_of_a_page_is_no_total():
    with JsonApi(lambda query: {"data": sliced(rows(25), query), "total": 3}) as api:
        done = run(config(api.origin, OFFSET))
    assert done.ids() == list(range(25))
    assert done.verdict() == "consistent"


# --- verdicts and versions ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paginator", "body", "verdict", "activates"),
    [
        (OFFSET, {"total": 3}, "verified", True),
        (OFFSET, {"links": {"next": None}}, "consistent", True),
        (CURSOR, {"next": None}, "consistent", True),
        ("single_page", {"total": 3}, "consistent", True),
        ("single_page", {}, "consistent", True),
        ("auto", {}, "unverified", False),
        (OFFSET, {"total": 4, "links": {"next": None}}, "short", False),
    ],
    ids=["total", "link", "cursor", "single with total", "single", "auto", "short"],
)
def test_only_proof_of_the_whole_activates_a_version(paginator, body, verdict, activates):
    def answer(query):
        return {"data": rows(3) if query.get("offset", "0") == "0" else []} | body

    with JsonApi(answer) as api:
        done = run(config(api.origin, paginator, emit_activate_version_messages=True))
    assert done.verdict() == verdict
    assert bool(done.of("ACTIVATE_VERSION")) == activates
    if activates:
        assert done.kinds == ["SCHEMA", "RECORD", "RECORD", "RECORD", "ACTIVATE_VERSION"]
        version = done.of("ACTIVATE_VERSION")[0]["version"]
        assert {record["version"] for record in done.of("RECORD")} == {version}


def test_a_stream_that_fails_midway_activates_nothing():
    with JsonApi(lambda query: {"data": rows(10), "total": 30}) as api:
        done = run(config(api.origin, OFFSET, emit_activate_version_messages=True))
    assert done.error is not None
    assert "ACTIVATE_VERSION" not in done.kinds


def test_the_worst_list_decides_about_a_stream():
    verified, consistent, unverified, short = map(Finding, Verdict)
    reason = Finding(Verdict.UNVERIFIED, "first reason")

    assert worst([verified, consistent]) == consistent
    assert worst([unverified, verified]) == unverified
    assert worst([short, reason]) == short
    assert worst([unverified, reason, Finding(Verdict.UNVERIFIED, "second")]) == reason
    assert worst([verified]) == verified
    assert worst([]) == consistent


def test_only_two_verdicts_are_complete():
    assert [verdict.value for verdict in Verdict if verdict.complete] == ["verified", "consistent"]


# --- the parts --------------------------------------------------------------------------------


def guard_of(paging, *, keyed=True):
    return PaginationGuard(paginator=Paginator(paging), label="x_y (/y)", keyed=keyed)


def page_of(query, size):
    return Page(query=query, payload={}, headers=HTTPHeaderDict(), size=size, received=size)


def test_a_stream_that_has_not_ended_is_unverified():
    assert guard_of(Offset()).finding().verdict is Verdict.UNVERIFIED


def test_a_stream_that_stopped_at_the_bookmark_is_not_compared_with_the_total():
    seen = PagingState(rows=5, total=100, facts=PagingFacts(total_proven=True))
    assert decide(seen, StopReason.BOOKMARK, doubt=None, missing="").verdict is Verdict.CONSISTENT
    assert decide(seen, StopReason.EMPTY, doubt=None, missing="").verdict is Verdict.SHORT


def test_an_end_that_no_response_has_shown_proves_nothing():
    findings = {end: decide(PagingState(), end, doubt=None, missing="") for end in StopReason}
    unverified = [end for end, found in findings.items() if not found.verdict.complete]
    assert set(unverified) == {StopReason.SINGLE, StopReason.MAXIMUM}


def test_empty_pages_are_counted_in_a_row_only():
    guard = guard_of(Cursor())
    for turn in range(400):
        size = int(turn % 99 == 0)
        assert guard.check_page(page_of({"cursor": str(turn)}, size), b"%d" % turn)


def test_a_token_is_shown_at_a_readable_length():
    assert describe({}) == "the first page"
    assert describe({"page": "2", "limit": "10"}) == "page=2, limit=10"
    assert len(describe({"cursor": "x" * 500})) == 80


def test_a_finding_says_which_evidence_is_missing():
    assert guard_of(Offset()).finding().missing == "the stream was not read to its end"
    outcome = StreamResult(name="x_y")
    outcome.add(Finding(Verdict.CONSISTENT))
    outcome.add(Finding(Verdict.UNVERIFIED, "first"))
    outcome.add(Finding(Verdict.UNVERIFIED, "second"))
    assert outcome.finding == Finding(Verdict.UNVERIFIED, "first")


# --- rows that move while they are read by row number ---------------------------------------------


def moving(change, *, after=1):
    """Return a server of 60 rows that change once, after so many answers."""
    table, asked = rows(60), []

    def answer(query):
        start = int(query["offset"])
        page = table[start : start + int(query["limit"])]
        asked.append(query)
        if len(asked) == after:
            change(table)
        return {"data": page}

    return answer


def jump(table):
    """Move a row that is yet to be read to the front."""
    table.insert(0, table.pop(40))


def hide(table):
    """Move a row that is yet to be read among those that have been."""
    table.insert(5, table.pop(40))


def shuffle(table):
    table.sort(key=lambda row: (row["id"] * 37 + 30) % 60)


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("after", [1, 2, 3])
@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (lambda table: table.insert(0, {"id": 100}), "consistent"),
        (jump, "consistent"),
        (hide, "unverified"),
        (shuffle, "unverified"),
    ],
    ids=["a new row in front", "a row jumps to the front", "among those read", "shuffled"],
)
def test_rows_that_moved_are_found_or_doubted(change, verdict, after, concurrency):
    with JsonApi(moving(change, after=after)) as api:
        given = config(api.origin, OFFSET, emit_activate_version_messages=True)
        done = run(given | {"concurrency": concurrency})
    missing = set(range(60)) - set(done.ids())
    assert done.verdict() == verdict or done.error
    assert not missing or not done.of("ACTIVATE_VERSION")
    assert bool(done.of("ACTIVATE_VERSION")) == (verdict == "consistent")


@pytest.mark.parametrize("other", [rows(60)[::-1], rows(60)[20:] + rows(20)])
def test_replicas_that_answer_in_turn_are_never_trusted(other):
    asked = []

    def answer(query):
        asked.append(query)
        start = int(query["offset"])
        return {"data": (rows(60) if len(asked) % 2 else other)[start : start + 10]}

    with JsonApi(answer) as api:
        done = run(config(api.origin, OFFSET, emit_activate_version_messages=True))
    assert done.error or done.verdict() == "unverified"
    assert "ACTIVATE_VERSION" not in done.kinds


# --- words that say more than they seem to --------------------------------------------------------


@pytest.mark.parametrize("nothing", [[], {}], ids=str)
@pytest.mark.parametrize("paginator", [CURSOR, LINK], ids=["cursor", "link"])
def test_an_empty_object_or_list_where_a_next_page_is_named_shows_no_end(paginator, nothing):
    with JsonApi(lambda _: {"data": rows(10), "next": nothing}) as api:
        done = run(config(api.origin, paginator, emit_activate_version_messages=True))
    assert done.verdict() == "unverified"
    assert "ACTIVATE_VERSION" not in done.kinds


@pytest.mark.parametrize("base", [1, None])
@pytest.mark.parametrize("path", ["pages", "meta.num_pages"])
def test_a_declared_count_of_pages_contradicts_an_empty_page(path, base):
    def answer(query):
        number = int(query["page"])
        holder, _, name = path.rpartition(".")
        word = {holder: {name: 4}} if holder else {name: 4}
        return {"data": rows(10, number * 10) if number in {1, 3, 4} else [], **word}

    paginator = PAGE | {"base_page": base, "total_path": path}
    with JsonApi(answer) as api:
        done = run(config(api.origin, paginator, emit_activate_version_messages=True))
    assert done.error or done.verdict() == "unverified"
    assert "ACTIVATE_VERSION" not in done.kinds


@pytest.mark.parametrize(
    "word", [{"total_count": 11}, {"meta": {"total": 11}}, {"pagination": {"totalCount": "11"}}]
)
def test_a_larger_total_at_a_usual_place_contradicts_single_page(word):
    with JsonApi(lambda _: {"data": rows(10), **word}) as api:
        done = run(config(api.origin, "single_page", emit_activate_version_messages=True))
    assert done.verdict() == "unverified"
    assert "11" in done.tap.run.results["shop_items"].finding.missing
    assert "ACTIVATE_VERSION" not in done.kinds


@pytest.mark.parametrize("word", [{"next": "abc"}, {"next": 2}, {"next_cursor": "abc"}])
def test_a_cursor_at_a_usual_place_contradicts_single_page(word):
    with JsonApi(lambda _: {"data": rows(10), **word}) as api:
        done = run(config(api.origin, "single_page", emit_activate_version_messages=True))
    assert done.verdict() == "unverified"
    assert "ACTIVATE_VERSION" not in done.kinds


def test_a_cursor_in_a_header_contradicts_single_page():
    body = json.dumps({"data": rows(10)}).encode()
    with JsonApi(lambda _: reply(200, body, X_Next_Cursor="abc")) as api:
        done = run(config(api.origin, "single_page", emit_activate_version_messages=True))
    assert done.verdict() == "unverified"
    assert "ACTIVATE_VERSION" not in done.kinds


@pytest.mark.parametrize("paginator", [OFFSET, PAGE | {"total_path": "total"}])
def test_a_total_that_fell_is_not_trusted_without_a_request_behind_it(paginator):
    """Of two replicas that answer in turn, one lags behind."""
    asked = []

    def answer(query):
        asked.append(query)
        table = rows(45) if len(asked) % 2 else rows(35)
        page = int(query.get("page", 1)) - 1
        start = int(query.get("offset", page * 10))
        return {"data": table[start : start + 10], "total": len(table)}

    with JsonApi(answer) as api:
        done = run(config(api.origin, paginator, emit_activate_version_messages=True))
    missing = set(range(45)) - set(done.ids())
    assert not missing or "ACTIVATE_VERSION" not in done.kinds


# --- pages that look like an end ------------------------------------------------------------------


def paged(query, count=45, base=1):
    start = (int(query["page"]) - base) * 10
    return rows(count)[start : start + 10] if start >= 0 else []


def test_a_link_without_a_next_page_is_no_end_where_the_size_of_a_full_page_is_unknown():
    paginator = {"type": "page_number", "base_page": 1}
    with JsonApi(lambda query: {"data": paged(query), "next": None}) as api:
        done = run(config(api.origin, paginator))
    assert done.ids() == list(range(45))
    assert done.verdict() == "consistent"


@pytest.mark.parametrize("base", [0, None])
@pytest.mark.parametrize("word", [{}, {"next": None}], ids=["nothing", "next"])
def test_an_empty_page_0_is_no_end_before_page_1_was_requested(base, word):
    with JsonApi(lambda query: {"data": paged(query), **word}) as api:
        done = run(config(api.origin, PAGE | {"base_page": base}))
    assert done.ids() == list(range(45))


def test_a_count_of_pages_is_kept_in_mind():
    """The page that lacks its rows counts the pages, and those after it don't."""

    def answer(query):
        start = int(query.get("from", 0))
        following = str(start + 10) if start + 10 < 45 else None
        if start == 10:
            return {"data": [], "next": following, "total_pages": 5}
        return {"data": rows(45)[start : start + 10], "next": following}

    with JsonApi(answer) as api:
        done = run(config(api.origin, CURSOR, emit_activate_version_messages=True))
    assert done.verdict() == "unverified"
    assert "ACTIVATE_VERSION" not in done.kinds


def test_pages_that_look_alike_are_unverified_where_rows_have_no_key():
    pages = {"": "b", "b": "c", "c": None}

    def answer(query):
        at = query.get("from", "")
        return {"data": rows(10, 20 if at == "c" else 0), "next": pages[at]}

    with JsonApi(answer) as api:
        given = config(api.origin, CURSOR, primary_key=[], emit_activate_version_messages=True)
        done = run(given)
    assert done.verdict() == "unverified"
    assert "ACTIVATE_VERSION" not in done.kinds
