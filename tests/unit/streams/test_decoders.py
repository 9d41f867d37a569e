"""Bodies of lines and tables, compressed files among them: rows, paging, proof."""

from __future__ import annotations

import gzip
import json

import pytest
from support.runs import STREAM, declared, run
from support.servers import ScriptedServer, cut, reply

from tap_analytics.tap import TapAnalytics

ROWS = [{"id": n, "name": f"n{n}"} for n in range(1, 26)]
TEXT = [{"id": str(row["id"]), "name": row["name"]} for row in ROWS]


def lines(rows):
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def table(rows, delimiter=","):
    cells = [["id", "name"], *([str(row["id"]), row["name"]] for row in rows)]
    return "".join(delimiter.join(row) + "\r\n" for row in cells).encode()


def config(origin, **endpoint):
    return declared(origin, endpoint={"data_selector": None, "paginator": "single_page"} | endpoint)


def open_ended(body, **headers):
    """A whole answer that ends where the connection does."""
    head = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(["HTTP/1.1 200 OK", "Connection: close", *head, "", ""]).encode() + body


@pytest.mark.parametrize(
    ("answer", "decoder", "rows"),
    [
        (reply(200, lines(ROWS), Content_Type="application/x-ndjson"), None, ROWS),
        (reply(200, lines(ROWS), Content_Type="text/plain"), "jsonl", ROWS),
        (reply(200, table(ROWS), Content_Type="text/csv"), None, TEXT),
        (reply(200, table(ROWS, ";")), {"type": "csv", "delimiter": ";"}, TEXT),
        (reply(200, table(ROWS, "\t")), {"type": "csv", "delimiter": "\\t"}, TEXT),
        # A file that is compressed, and a transfer that is compressed.
        (reply(200, gzip.compress(lines(ROWS)), Content_Type="application/gzip"), "jsonl", ROWS),
        (
            reply(200, gzip.compress(table(ROWS)), Content_Type="application/octet-stream"),
            "csv",
            TEXT,
        ),
        (
            reply(200, gzip.compress(json.dumps(ROWS).encode()), Content_Type="application/x-gzip"),
            None,
            ROWS,
        ),
        (
            reply(
                200, gzip.compress(table(ROWS)), Content_Type="text/csv", Content_Encoding="gzip"
            ),
            None,
            TEXT,
        ),
        (reply(200, json.dumps(ROWS).encode(), Content_Type="text/csv"), "json", ROWS),
    ],
    ids=range(10),
)
def test_one_whole_body(answer, decoder, rows):
    with ScriptedServer([answer]) as api:
        done = run(config(api.origin, decoder=decoder))
    assert done.error is None
    assert done.records() == rows
    assert done.verdict() == "consistent"


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_pages_are_read_by_number(kind):
    encode, rows = (lines, ROWS) if kind == "jsonl" else (table, TEXT)

    def answer(received):
        asked = dict(part.split("=") for part in received.target.partition("?")[2].split("&"))
        start, limit = int(asked["offset"]), int(asked["limit"])
        return reply(200, encode(ROWS[start : start + limit]), X_Total_Count=str(len(ROWS)))

    paginator = {"type": "offset", "limit": 4}
    found = []
    for width in (1, 8):
        with ScriptedServer(answer) as api:
            given = config(api.origin, decoder=kind, paginator=paginator)
            done = run(given | {"concurrency": width})
        assert done.records() == rows
        found.append(done.streams)
    assert found[0] == found[1]
    assert done.verdict() == "verified"


def test_lines_that_wrap_their_rows():
    wrapped = [{"result": {"items": ROWS[:2]}}, {"result": {"items": ROWS[2:5]}}]
    with ScriptedServer([reply(200, lines(wrapped))]) as api:
        for selector in ("result.items", "result.items[*]"):
            done = run(config(api.origin, decoder="jsonl", data_selector=selector))
            assert done.records() == ROWS[:5]


def test_values_of_a_table_have_the_types_of_the_schema():
    properties = {"id": {"type": "integer"}, "name": {"type": ["string", "null"]}}
    with ScriptedServer([reply(200, table(ROWS), Content_Type="text/csv")]) as api:
        given = config(api.origin)
        given["apis"][0]["resources"][0]["schema"] = {"type": "object", "properties": properties}
        done = run(given)
    assert done.records() == ROWS


@pytest.mark.parametrize(
    ("body", "decoder", "verdict"),
    [
        (lines(ROWS), "jsonl", "unverified"),
        (table(ROWS), "csv", "unverified"),
        (json.dumps(ROWS).encode(), "json", "consistent"),
    ],
)
def test_lines_whose_end_is_not_marked_may_be_cut_off(body, decoder, verdict):
    with ScriptedServer([cut(open_ended(body))]) as api:
        done = run(config(api.origin, decoder=decoder))
    assert len(done.records()) == len(ROWS)
    assert done.verdict() == verdict


@pytest.mark.parametrize(
    ("answer", "decoder", "words"),
    [
        (reply(200, lines(ROWS)[:-4]), "jsonl", "invalid JSON in line 25"),
        (reply(200, table(ROWS)[:-6]), "csv", "CSV whose row 25 has 1 fields, not 2"),
        (reply(200, b"Please wait."), "csv", "CSV whose header has no `id`"),
        (reply(200, b"<html>Log in</html>"), "csv", "no CSV"),
        (reply(200, b"<html>Log in</html>"), "jsonl", "a web page in line 1"),
        (reply(200, b'[{"id": 1}]'), "jsonl", "holds a list where rows"),
        (
            reply(200, b"id\n1\n", Content_Type="text/csv; charset=none"),
            None,
            "text that isn't none",
        ),
        (
            reply(200, gzip.compress(table(ROWS))[:-9], Content_Type="application/gzip"),
            "csv",
            "truncated compressed body",
        ),
    ],
    ids=range(8),
)
def test_a_body_that_cannot_be_read_whole_fails_the_stream(answer, decoder, words):
    with ScriptedServer(lambda _: answer) as api:
        done = run(config(api.origin, decoder=decoder))
    assert words in done.failure()
    assert done.records() == []


def test_an_empty_body_has_no_rows():
    for kind in ("jsonl", "csv"):
        with ScriptedServer([reply(200, b"")]) as api:
            done = run(config(api.origin, decoder=kind))
        assert (done.records(), done.failure(), done.verdict()) == ([], "", "consistent")


def test_a_compressed_file_is_bounded_like_any_body():
    body = gzip.compress(b'{"id": 1}\n' * 300_000)
    with ScriptedServer(lambda _: reply(200, body, Content_Type="application/gzip")) as api:
        done = run(config(api.origin, decoder="jsonl") | {"max_response_mb": 1})
    assert "sent more than 1 MiB" in done.failure()


@pytest.mark.parametrize(
    ("decoder", "headers", "accept"),
    [
        (None, {}, "application/json"),
        ("csv", {}, "text/csv, */*;q=0.1"),
        ("jsonl", {}, "application/x-ndjson, application/jsonl, */*;q=0.1"),
        ("csv", {"accept": "text/plain"}, "text/plain"),
    ],
)
@pytest.mark.parametrize("place", ["endpoint", "api"])
def test_the_format_is_asked_for(decoder, headers, accept, place):
    with ScriptedServer([reply(200, b"[]" if decoder is None else b"")]) as api:
        given = config(
            api.origin, decoder=decoder, **({"headers": headers} if place == "endpoint" else {})
        )
        given["apis"][0]["headers"] = headers if place == "api" else {}
        run(given)
        assert api.requests[0].headers["accept"] == accept


def test_another_decoder_is_another_definition():
    """What was read with one isn't resumed with the other."""
    found = set()
    for kind in (None, "json", "jsonl", "csv", "xml"):
        stream = TapAnalytics(config=config("http://127.0.0.1:9", decoder=kind)).streams[STREAM]
        found.add(stream.declaration["decoder"])
    assert len(found) == 5


@pytest.mark.parametrize("width", [1, 8])
def test_keys_that_no_table_has_come_from_the_parent_or_a_list_of_values(width):
    def answer(received):
        if received.path == "/items":
            return reply(200, b'[{"id": 1}, {"id": 2}]')
        return reply(200, f"n\n{received.query['region']}\n".encode(), Content_Type="text/csv")

    lines_of = {
        "name": "lines",
        "endpoint": {
            "path": "/items/{item_id}/lines",
            "params": {"region": "{partitions.region}"},
            "paginator": "single_page",
        },
        "partitions": {"region": ["eu", "us"]},
        "primary_key": ["item_id", "region", "n"],
    }
    with ScriptedServer(answer) as api:
        endpoint = {"data_selector": None, "paginator": "single_page"}
        given = declared(api.origin, endpoint=endpoint, children=[lines_of], concurrency=width)
        done = run(given)
    assert done.error is None
    assert done.records("shop_lines") == [
        {"n": region, "item_id": item, "region": region}
        for item in (1, 2)
        for region in ("eu", "us")
    ]
