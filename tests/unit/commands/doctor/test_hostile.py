"""Misleading servers: the doctor agrees with a run, and suggests nothing worse."""

from __future__ import annotations

import json

import pytest
from support import runs
from support.doctor import items
from support.runs import declared
from support.servers import JsonApi, reply

from tap_analytics.commands.doctor.findings import merged

ROWS = items(60)
OFFSET = {"type": "offset", "limit": 20}
CURSOR = {"type": "cursor", "cursor_path": "next"}


def sliced(query, cap=20):
    start = int(query.get("offset", 0))
    return ROWS[start : start + min(cap, int(query.get("limit", 20)))]


def page(query):
    start = (int(query.get("page", 1)) - 1) * 20
    return ROWS[start : start + 20] if start >= 0 else []


def cursors(query, param="cursor"):
    start = int(query.get(param, "c0")[1:])
    return ROWS[start : start + 20], f"c{start + 20}" if start + 20 < 60 else None


def by(word, param="cursor"):
    """Return a server that names the next page in an unusual field."""

    def answer(query):
        rows, following = cursors(query, param)
        return {"data": rows, **word(following)}

    return answer


def with_headers(header):
    def answer(query):
        rows, following = cursors(query)
        given = header(following) if following else {}
        return reply(200, json.dumps({"data": rows}).encode(), **given)

    return answer


def answered(status):
    return lambda query: reply(status, json.dumps({"data": sliced(query)}).encode())


def link(following):
    return following and f"/items?cursor={following}"


def nodes(query):
    rows, following = cursors(query, "after")
    edges = [{"cursor": str(row["id"]), "node": row} for row in rows]
    return {"data": edges, "pageInfo": {"endCursor": following}}


def in_turn(each=1):
    """Return a server with two replicas in turn, each with another order."""
    queries = []

    def answer(query):
        queries.append(query)
        rows = ROWS[::-1] if (len(queries) - 1) // each % 2 else ROWS
        start = int(query.get("offset", (int(query.get("page", 1)) - 1) * 20))
        return {"data": rows[start : start + 20]}

    return answer


AFTER = {"type": "cursor", "cursor_path": "pageInfo.endCursor", "cursor_param": "after"}
#: By name: the server, the paginator, whether a suggestion makes a run complete, and more keys.
SERVERS = {
    "next_url_path": (
        by(lambda at: {"next": link(at)}),
        {"type": "json_link", "next_url_path": "nxt"},
        True,
    ),
    "cursor_path": (by(lambda at: {"next": at}), CURSOR | {"cursor_path": "nxt"}, True),
    "a cursor at a place nobody guesses": (by(lambda at: {"zz": at}), CURSOR, False),
    "cursor_param": (by(lambda at: {"next": at}), CURSOR | {"cursor_param": "from"}, True),
    "cursor_key": (
        with_headers(lambda at: {"X_Next_Cursor": at}),
        {"type": "header_cursor", "cursor_key": "X-Nxt"},
        True,
    ),
    "links_next_key": (
        with_headers(lambda at: {"Link": f'<{link(at)}>; rel="next"'}),
        {"type": "header_link", "links_next_key": "nxt"},
        True,
    ),
    "more, with a cursor": (by(lambda at: {"has_more": bool(at)}), CURSOR, False),
    "more, with auto": (by(lambda at: {"has_more": bool(at)}), "auto", False),
    "more, with single_page": (by(lambda at: {"has_more": bool(at)}), "single_page", False),
    "nothing, with auto": (lambda _: {"data": ROWS}, "auto", False),
    "nothing, with a link": (lambda _: {"data": ROWS}, "json_link", False),
    "nothing, with a header": (lambda _: {"data": ROWS}, "header_link", False),
    "next is an object": (by(lambda at: {"next": at and {"to": at}}), "json_link", False),
    "next is a list": (by(lambda at: {"next": [at]}), "json_link", False),
    "next is true": (by(lambda at: {"next": bool(at)}), CURSOR, False),
    "a total of the page": (
        lambda query: {"data": sliced(query), "total": len(sliced(query))},
        OFFSET,
        True,
    ),
    "a total of the page, capped": (
        lambda query: {"data": sliced(query, 7), "total": len(sliced(query, 7))},
        OFFSET,
        True,
    ),
    "a total of the page, with auto": (
        lambda query: {"data": sliced(query), "total": 20, "offset": int(query.get("offset", 0))},
        "auto",
        True,
    ),
    "a link to itself": (
        lambda query: {"data": sliced(query), "links": {"self": "/items"}},
        OFFSET,
        True,
    ),
    "a link to itself, by page": (
        lambda query: {"data": page(query), "_links": {"self": {"href": "/items"}}},
        {"type": "page_number", "base_page": 1},
        True,
    ),
    "a cap": (lambda query: {"data": sliced(query, 7)}, OFFSET, True),
    "an ignored offset": (lambda _: {"data": ROWS[:20]}, OFFSET, False),
    "an offset of another name": (
        lambda query: {"data": ROWS[int(query.get("start", 0)) :][:20]},
        OFFSET,
        False,
    ),
    "202": (answered(202), OFFSET, False),
    "206": (answered(206), OFFSET, False),
    "null on the second page": (
        lambda query: {
            "data": None if query.get("cursor") == "c20" else cursors(query)[0],
            "next": cursors(query)[1],
        },
        CURSOR,
        False,
    ),
    "clamped, with auto": (
        lambda query: {"data": page(query) or ROWS[-20:]},
        "auto",
        False,
    ),
    "null beside a total": (lambda _: {"data": None, "total": 60}, OFFSET, False),
    "no row beside a total": (lambda _: {"data": [], "total": 60}, OFFSET, False),
    "replicas in turn": (in_turn(), OFFSET, False),
    "a wrapped node": (nodes, AFTER, True, {"data_selector": "data"}),
    "a wrapped node and a wrong word": (nodes, AFTER, True, {"data_selector": "dta[*].node"}),
    "a wrapped node and another name": (nodes, AFTER, True, {"data_selector": "data[*].item"}),
}
RANKS = ["short", "unverified", "consistent", "verified"]


def synced(config):
    """Return the verdict of a run and its rows."""
    done = runs.run(config)
    rows = done.records()
    keys = [row.get("id") for row in rows]
    is_keyed = None not in keys and len(set(keys)) == len(keys)
    rank = RANKS.index(done.verdict()) if done.error is None and is_keyed else -1
    return rank, len(set(keys) - {None})


@pytest.mark.parametrize("name", SERVERS)
def test_the_doctor_agrees_with_a_run_and_suggests_nothing_worse(doctor, name):
    answer, paginator, cured, *words = SERVERS[name]
    with JsonApi(answer) as api:
        endpoint = {"paginator": paginator} | (words[0] if words else {})
        config = declared(api.origin, endpoint=endpoint)
        report = doctor(config)
        rank, rows = synced(config)
        if rank < RANKS.index("consistent") or rows < len(ROWS):
            assert report.code == 1, "a run is not whole, and the doctor finds no problem"
        wrong = [
            finding for finding in report.texts.splitlines() if "`" in finding or "run" in finding
        ]
        assert report.code == 0 or wrong, report.texts
        after = merged(config, report.patch)
        if report.patch:
            better, more = synced(after)
            assert (better >= rank, more >= rows) == (True, True), report.patch
        else:
            better, more = rank, rows
        assert ((better, more) >= (RANKS.index("consistent"), 60)) == cured, report.texts


def test_neither_a_single_page_nor_rows_without_key_are_suggested(doctor):
    """Both would declare what nothing shows."""
    for answer, paginator, _, *words in SERVERS.values():
        with JsonApi(answer) as api:
            endpoint = {"paginator": paginator} | (words[0] if words else {})
            said = json.dumps(doctor(declared(api.origin, endpoint=endpoint)).patch)
        assert "single_page" not in said
        assert '"primary_key": null' not in said


def test_a_smaller_limit_reveals_the_field_of_the_next_page(doctor):
    def answer(query):
        start, limit = int(query.get("at", 0)), int(query["limit"])
        following = start + limit if start + limit < 60 else None
        return {"data": ROWS[start : start + limit]} | (
            {"meta": {"next_at": 1}} if following else {}
        )

    with JsonApi(answer) as api:
        paginator = CURSOR | {"limit": 100}
        report = doctor(declared(api.origin, endpoint={"paginator": paginator}))
        limits = {int(query["limit"]) for query in api.queries}
    assert report.code == 1
    assert min(limits) < 60


@pytest.mark.parametrize(
    ("each", "paginator"), [(1, OFFSET), (2, {"type": "page_number", "base_page": 1})]
)
def test_a_page_that_differs_on_a_second_request_is_reported(doctor, each, paginator):
    with JsonApi(in_turn(each)) as api:
        report = doctor(declared(api.origin, endpoint={"paginator": paginator}))
    assert (report.code, report.findings) == (1, [("wrong", "unstable")])
