"""Hostile JSON: the row passes, or the stream fails with one clear line, with every decoder."""

from __future__ import annotations

import json

import pytest
from support.runs import STREAM, declared, run
from support.servers import JsonApi, reply

from tap_analytics.errors import is_expected
from tap_analytics.sync.output import RecordOutput

PAGES = 4
ID = {"type": "object", "properties": {"id": {"type": "integer"}, "a": {}}}


def deep(levels, inside=b"1"):
    return b"[" * levels + inside + b"]" * levels


#: Values of a field that pass, with what goes out.
PASSING = {
    "NUL": (rb'"a\u0000b"', "a\ufffdb"),
    "NUL in a name": (rb'{"a\u0000": "\\u0000"}', {"a\ufffd": r"\u0000"}),
    "half a pair": (rb'["\ud800", "x\udfff", "\ud83d\ude00"]', ["\ufffd", "x\ufffd", "😀"]),
    "NUL in the deep": (deep(500, rb'"\u0000"'), ...),
    "deep": (deep(500), ...),
    "deep objects": (b'{"a":' * 500 + b"1" + b"}" * 500, ...),
    "large numbers": (b"[1e400, -1e-400, %s]" % (b"9" * 400), ["1E400", "-1E-400", "9" * 400]),
    "larger numbers": (b"[%s]" % (b"9" * 5000), ["9" * 5000]),
    "largest numbers": (b"[1e99999999999999999999]", ["1E99999999999999999999"]),
    "zeros": (b"[0, -0.0, 0e0, 1.10]", ["0", "-0.0", "0", "1.10"]),
    "blanks": (b' \t{ "b" :\n[ ] }\r\n', {"b": []}),
    "duplicate members": (b'{"b": 1, "b": 2}', {"b": "2"}),
    "line separators": ('"\u2028\u0085\x7f"'.encode(), "\u2028\u0085\x7f"),
    "empty names": (b'{"": {"": 0}}', {"": {"": "0"}}),
}
#: Rows that don't, with the words that say why.
FAILING = {
    "too deep": (b'{"id": 9, "a": %s}' % deep(100_000), "JSON nested too deeply"),
    "NUL as it is": (b'{"id": 9, "a": "\x00"}', "invalid JSON"),
    "a line break in text": (b'{"id": 9, "a": "\n"}', "invalid JSON"),
    "no UTF-8": (b'{"id": 9, "a": "\xff"}', "invalid JSON"),
    "NaN": (b'{"id": 9, "a": NaN}', "invalid JSON"),
    "a half escape": (rb'{"id": 9, "a": "\u12"}', "invalid JSON"),
    "cut": (b'{"id": 9, "a": "', "invalid JSON"),
    "more behind": (b'{"id": 9}]} x [{"id": 10}', "invalid JSON"),
    "numbers as rows": (b"1", "holds a number"),
    "lists as rows": (b'["id"]', "holds a list"),
    "no key": (b'{"a": 1}', "has no primary key `id`"),
    "an endless key": (b'{"id": 1e99999999999999999999}', "a number too large"),
}


def outcome(api, *, concurrency, raw, monkeypatch):
    """Return records, numbers as text, and the failure of a run, decoding to dicts unless `raw`."""
    paginator = {"type": "offset", "limit": 1, "total_path": "total"}
    with monkeypatch.context() as patch:
        if not raw:
            patch.setattr(RecordOutput, "decoder", lambda *_, **__: None)
        given = declared(api.origin, schema=ID, endpoint={"paginator": paginator})
        done = run(given | {"concurrency": concurrency})
    failure = done.tap.run.results[STREAM].failure
    assert failure is None or is_expected(failure)

    def spelled(text):
        return text.upper().replace("+", "").removesuffix("E0")

    records = [
        json.loads(line, parse_int=spelled, parse_float=spelled)["record"]
        for line in done.lines
        if line.startswith(b'{"type":"RECORD"')
    ]
    return records, str(failure or "").replace(api.origin, "")


def alike(answer, monkeypatch):
    """Return what a server's answers lead to, which is the same whichever way they go."""
    found = []
    with JsonApi(answer) as api:
        for concurrency in (1, 8):
            for raw in (True, False):
                way = {"concurrency": concurrency, "raw": raw, "monkeypatch": monkeypatch}
                found.append(outcome(api, **way))
    assert all(each == found[0] for each in found)
    return found[0]


def outcomes(row, place, monkeypatch):
    """Return what a page with this row leads to: one outcome, whichever way it goes."""

    def answer(query):
        start = int(query["offset"])
        # The page begins with the row before, if there is one.
        rows = [row if n == place else b'{"id": %d}' % n for n in range(start, PAGES)][:2]
        return reply(200, b'{"data": [%s], "total": %d}' % (b", ".join(rows), PAGES))

    return alike(answer, monkeypatch)


@pytest.mark.parametrize("place", [0, 2])
@pytest.mark.parametrize("name", PASSING)
def test_a_hostile_value_passes(name, place, monkeypatch):
    written, value = PASSING[name]
    records, failure = outcomes(b'{"id": %d, "a": %s}' % (place, written), place, monkeypatch)
    assert failure == ""
    assert [record["id"] for record in records] == [str(n) for n in range(PAGES)]
    if value is not ...:
        assert records[place]["a"] == value


@pytest.mark.parametrize("place", [0, 2])
@pytest.mark.parametrize("name", FAILING)
def test_a_hostile_row_fails_its_stream_with_one_clear_line(name, place, monkeypatch):
    row, words = FAILING[name]
    records, failure = outcomes(row, place, monkeypatch)
    assert words in failure
    assert len(failure.splitlines()) == 1
    assert [record["id"] for record in records] == [str(n) for n in range(place)]


@pytest.mark.parametrize(
    "around",
    [b"\xef\xbb\xbf%s", b"\r\n %s \n", b'%s{"data": []}', b"%s,", b"\x00%s", b"\xff\xfe%s"],
)
def test_what_stands_around_a_body_counts_on_every_page_alike(around, monkeypatch):
    for page in (0, 1):

        def answer(query, page=page):
            start = int(query["offset"])
            rows = [{"id": n} for n in range(start, PAGES)][:2]
            body = json.dumps({"data": rows, "total": PAGES}).encode()
            return reply(200, around.replace(b"%s", body) if start == page else body)

        found = alike(answer, monkeypatch)
        passes = around[:1] in {b"\xef", b"\r"}
        assert (found[1] == "") is passes


@pytest.mark.parametrize("name", PASSING)
def test_a_schema_is_inferred_of_a_hostile_value(name):
    written = PASSING[name][0]
    with JsonApi(lambda _: reply(200, b'{"data": [{"id": 1, "a": %s}]}' % written)) as api:
        done = run(declared(api.origin, endpoint={"paginator": "single_page"}))
    assert done.error is None, done.failure()
    kinds = [line[:16] for line in done.lines if b'"STATE"' not in line]
    assert kinds == [b'{"type":"SCHEMA"', b'{"type":"RECORD"']
    assert set(json.loads(done.lines[0])["schema"]["properties"]) == {"id", "a"}
