"""Lines of JSON, tables of CSV and XML are decoded whole, or not at all."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tap_analytics.records.codec import BodyError
from tap_analytics.records.decoders import Csv, Json, JsonLines, decoder_of, marks_end
from tap_analytics.records.xml import Xml

TYPED = {
    "n": {"type": ["integer", "null"]},
    "x": {"type": "number"},
    "ok": {"type": ["boolean", "null"]},
    "either": {"type": ["string", "integer"]},
    "any": {},
}


@pytest.mark.parametrize(
    ("body", "values"),
    [
        (b'{"a": 1}\n{"a": 2.50}\n', [{"a": 1}, {"a": Decimal("2.50")}]),
        (b'{"a": 1}\r\n\r\n{"a": 2}', [{"a": 1}, {"a": 2}]),
        (b"\xef\xbb\xbf[1]\n", [[1]]),
        (b'{"a": "\\u2028 \xe2\x80\xa8"}', [{"a": "\u2028 \u2028"}]),
        (b"", []),
        (b"\n\n", []),
        (b'\x1e{"a": 1}\n\x1e{"a": 2}\n', [{"a": 1}, {"a": 2}]),
    ],
)
def test_lines_of_json(body, values):
    assert JsonLines().decode(body) == values


@pytest.mark.parametrize(
    ("body", "path", "value"),
    [
        (b"<a><b/></a>", (), {"a": {"b": None}}),
        (b"<a> \n </a>", ("a", "b", "c"), {"a": {"b": {"c": []}}}),
        (b"<a><b/></a>", ("a", "b"), {"a": {"b": []}}),
        (b"<a><b>1</b></a>", ("a", "c"), {"a": {"b": "1"}}),
        (b"<a>x<b>1</b>y</a>", (), {"a": {"b": "1", "#text": "xy"}}),
        (b'<a n="1"><n>2</n><n/></a>', (), {"a": {"@n": "1", "n": ["2", None]}}),
        ('<?xml version="1.0" encoding="utf-16"?><a>ä</a>'.encode("utf-16"), (), {"a": "ä"}),
    ],
)
def test_elements_of_xml(body, path, value):
    assert Xml(path=path).decode(body) == value


ENTITIES = b'<!DOCTYPE a [<!ENTITY e "ha"><!ENTITY f "&e;&e;">]><a>&f;</a>'


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<a><b></a>", "mismatched tag"),
        (b"<a>", "no element found"),
        (b"", "no element found"),
        (b'{"a": 1}', "not well-formed"),
        (ENTITIES, "declares entities"),
        (b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/hosts">]><a>&e;</a>', "declares entities"),
    ],
)
def test_xml_that_is_refused(body, words):
    with pytest.raises(BodyError, match=words):
        Xml().decode(body)


@pytest.mark.parametrize(
    ("body", "words"),
    [(b'{"a": 1}\n{"a": ', "invalid JSON in line 2"), (b"\nBusy", "no JSON in line 2")],
)
def test_a_line_that_is_no_json_is_named(body, words):
    with pytest.raises(BodyError, match=words):
        JsonLines().decode(body)


@pytest.mark.parametrize(
    ("decoder", "body", "rows"),
    [
        (Csv(), b"id,name\r\n1,A\r\n2,\r\n", [{"id": "1", "name": "A"}, {"id": "2", "name": ""}]),
        (Csv(), b'\xef\xbb\xbfid,name\n1,"a ""b"", c\nd"', [{"id": "1", "name": 'a "b", c\nd'}]),
        (Csv(delimiter=";"), b"id;x\n1;2,5\n\n", [{"id": "1", "x": "2,5"}]),
        (Csv(encoding="latin-1"), b"id\n\xe9\n", [{"id": "\xe9"}]),
        (Csv(encoding="utf-16"), "id\né\n".encode("utf-16"), [{"id": "é"}]),
        (Csv(), b"id\na\0b\n", [{"id": "a\ufffdb"}]),
        (Csv(), b"id\n" + b"x" * 200_000, [{"id": "x" * 200_000}]),
        (Csv(), b"id,name\n", []),
        (Csv(required=["id"]), b"", []),
    ],
)
def test_a_table(decoder, body, rows):
    assert decoder.decode(body) == rows


@pytest.mark.parametrize(
    ("column", "text", "value"),
    [
        ("n", "12", 12),
        ("n", "-7", -7),
        ("n", "", None),
        ("n", "1_000", "1_000"),
        ("n", "twelve", "twelve"),
        ("x", "0.10", Decimal("0.10")),
        ("x", "1e3", Decimal("1e3")),
        ("x", "NaN", "NaN"),
        ("x", "", ""),
        ("ok", "TRUE", True),
        ("ok", "false", False),
        ("ok", "yes", "yes"),
        ("either", "12", "12"),
        ("any", "12", "12"),
        ("other", "12", "12"),
    ],
)
def test_values_have_the_type_of_the_schema_where_they_fit(column, text, value):
    body = f"id,{column}\n1,{text}\n".encode()
    [row] = Csv(properties=TYPED).decode(body)
    assert (row[column], type(row[column])) == (value, type(value))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"id,name\n1,a\n2\n", "row 2 has 1 fields, not 2"),
        (b"id,name\n1,a,b\n", "row 1 has 3 fields, not 2"),
        (b'id,name\n1,"a\n', "CSV that can't be read"),
        (b"id,id\n1,2\n", "'id' in several columns"),
        (b"id,\n1,2\n", "no name for a column"),
        (b"Too many requests\n", "whose header has no `id`"),
        (b'{"error": "no"}', "no CSV"),
        (b"<html>", "no CSV"),
        (b"id\n\xe9\n", "text that isn't utf-8"),
    ],
)
def test_what_is_no_table_is_refused(body, words):
    with pytest.raises(BodyError, match=words):
        Csv(required=["id"]).decode(body)


@pytest.mark.parametrize(
    ("content_type", "decoder"),
    [
        ("application/json; charset=utf-8", Json()),
        ("", Json()),
        ("text/plain", Json()),
        ("application/x-ndjson", JsonLines()),
        ("application/jsonl; charset=utf-8", JsonLines()),
        ("text/csv", Csv()),
        ('text/CSV; header=present; charset="iso-8859-1"', Csv(encoding="iso-8859-1")),
        ("text/tab-separated-values", Csv(delimiter="\t")),
    ],
)
def test_the_media_type_names_the_decoder(content_type, decoder):
    assert decoder_of(content_type) == decoder


@pytest.mark.parametrize(
    ("headers", "marked"),
    [
        ({"Content-Length": "3"}, True),
        ({"Transfer-Encoding": "Chunked"}, True),
        ({"Content-Encoding": "gzip"}, True),
        ({"Content-Type": "application/gzip"}, True),
        ({"Content-Type": "text/csv"}, False),
    ],
)
def test_the_end_of_a_response_is_marked_or_not(headers, marked):
    assert marks_end(headers) is marked
