"""Bodies are decoded exactly, or refused with their actual format."""

from __future__ import annotations

import json
import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_analytics.records.codec import BodyError, decode_json, other_format
from tap_analytics.records.writer import ENCODER

numbers = st.one_of(
    st.integers(-(10**40), 10**40).map(str),
    st.decimals(allow_nan=False, allow_infinity=False).map(lambda d: f"{d:E}".replace("E+", "e")),
    st.tuples(st.integers(-999, 999), st.text("0123456789", min_size=1, max_size=30)).map(
        lambda parts: f"{parts[0]}.{parts[1]}"
    ),
)
#: NUL is a matter of its own.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=10,
)


@given(numbers)
def test_numbers_keep_every_digit_from_body_to_line(text):
    value = decode_json(f'{{"n": {text}}}'.encode())["n"]
    assert Decimal(str(value)) == Decimal(text)
    written = json.loads(ENCODER.encode({"n": value}), parse_float=Decimal, parse_int=Decimal)
    assert written["n"] == Decimal(text)


@given(values, st.booleans())
def test_bodies_are_decoded_as_json_says(value, ascii_only):
    decoded = decode_json(json.dumps(value, ensure_ascii=ascii_only).encode())
    assert decoded == value
    assert json.loads(ENCODER.encode(decoded)) == value


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (rb'"\ud800"', "\ufffd"),
        (rb'"\udc00\ud800"', "\ufffd\ufffd"),
        (rb'"\ud83d\ude00"', "😀"),
        (rb'{"\udfff": ["\ud800x", {"a": "\ud800"}]}', {"\ufffd": ["\ufffdx", {"a": "\ufffd"}]}),
        (rb'["\ud800", 1.10, 12345678901234567890123, 1e400, true, null]', None),
        (rb'"\u0000"', "\ufffd"),
        (rb'{"a\u0000": ["\u0000x"]}', {"a\ufffd": ["\ufffdx"]}),
        (rb'"\\u0000"', r"\u0000"),
        (rb'"\\\u0000\\\\ud800\\\ud800"', "\\\ufffd\\\\ud800\\\ufffd"),
        (
            rb'["\ud83d\ude00\ud83d", "\ud83d\ud83d\ude00", "\uDBFF\uDFFF"]',
            ["😀\ufffd", "\ufffd😀", "\U0010ffff"],
        ),
        (b"[" * 500 + rb'"\u0000"' + b"]" * 500, ...),
    ],
)
def test_half_a_surrogate_pair_and_nul_become_a_replacement_character(body, value):
    decoded = decode_json(body)
    if value is ...:
        assert ENCODER.encode(decoded) == body.replace(rb"\u0000", "\ufffd".encode())
    elif value is None:
        assert decoded[1:] == [
            Decimal("1.10"),
            12345678901234567890123,
            Decimal("1e400"),
            True,
            None,
        ]
        assert ENCODER.encode(decoded[1]) == b"1.10"
    else:
        assert decoded == value
    ENCODER.encode(decoded).decode()


def test_a_byte_order_mark_is_passed_over():
    assert decode_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "an empty body"),
        (b" \n", "an empty body"),
        (b"<!DOCTYPE html><title>Sign in</title>", "a web page"),
        (b"<html>", "a web page"),
        (b"<?xml version='1.0'?>", "a web page"),
        (b'{"a": 1', "invalid JSON"),
        (b'[{"id": 1}, {"id"', "invalid JSON"),
        (b'"text', "invalid JSON"),
        (b'{"a": NaN}', "invalid JSON"),
        (b"NaN", "no JSON"),
        (b"Infinity", "no JSON"),
        (b"-Infinity", "no JSON"),
        (b"OK", "no JSON"),
        (b'{"a": "\xff"}', "invalid JSON"),
        (b'{"a": 1}{"b": 2}', "invalid JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "JSON nested too deeply"),
        (rb'["\ud800",' + b"[" * 100_000 + b"]" * 100_000 + b"]", "JSON nested too deeply"),
        (b"[" + b"9" * 5000 + b"," + b"[" * 100_000 + b"]" * 100_001, "JSON nested too deeply"),
        (b"[" + b"9" * 5000 + b", \x01]", "invalid JSON"),
        (rb'["\ud8\"x"]', "invalid JSON"),
        (rb'["\u0000", "\ud8\"x"]', "invalid JSON"),
        (b'{"a": 1} \x00', "invalid JSON"),
        (b"\xef\xbb\xbf\xef\xbb\xbf{}", "no JSON"),
    ],
    ids=range(23),
)
def test_what_is_not_json_is_named(body, kind):
    with pytest.raises(BodyError) as raised:
        decode_json(body)
    assert str(raised.value) == kind


@pytest.mark.parametrize(
    ("body", "content_type", "name"),
    [
        (b'{"a": 1}\n{"a": 2}\n', "application/json", "newline-delimited JSON"),
        (b'{"a": 1}\r\n\r\n{"a": 2}', "", "newline-delimited JSON"),
        (b"\xef\xbb\xbf[1]\n[2]", "text/plain", "newline-delimited JSON"),
        (b'{"a": 1}{"b": 2}', "application/json", "newline-delimited JSON"),
        (b'{"a": 1}\n' + b'{"a": 2}\n' * 99_999, "", "newline-delimited JSON"),
        (b"", "application/x-ndjson; charset=utf-8", "newline-delimited JSON"),
        (b"", "Application/JSONL", "newline-delimited JSON"),
        (b"", "application/x-json-lines", "newline-delimited JSON"),
        (b"id,name\n1,a", "text/csv", "CSV"),
        (b"", "text/tab-separated-values", "CSV"),
        (b"id,name\n1,a\n2,b", "", "CSV"),
        (b"id;name\r\n1;a\r\n", "text/plain; charset=utf-8", "CSV"),
        (b'"id"\t"name"\n1\ta\n', "application/octet-stream", "CSV"),
        (b"<a/>", "application/xml", "XML"),
        (b"<a/>", "application/atom+xml", "XML"),
        (b"id,name\n1,a", "text/html", None),
        (b"id,name", "text/plain", None),
        (b"Busy, busy.\nCome back, later, please.", "text/plain", None),
        (b'{"a": 1', "application/json", None),
        (b'{\n "a": 1,\n "b": 2', "application/json", None),
        (b'[{"a": 1},\n{"a": 2}', "application/json", None),
        (b'{"a": 1}\nOK', "", None),
        (b"<html>", "text/html", None),
        (b"", "", None),
        (b"[" * 100_000, "", None),
    ],
    ids=range(25),
)
def test_a_format_that_is_not_read_is_known(body, content_type, name):
    assert other_format(body, content_type) == name


@pytest.mark.parametrize(
    "number", ["1e99999999999999999999", "-1e-99999999999999999999", "9" * 5000, "-" + "7" * 4300]
)
@pytest.mark.parametrize("beside", [b"1", rb'"\ud800"', b"NaN"])
def test_a_number_with_an_extreme_exponent_keeps_its_digits(number, beside):
    body = b"[%s, %s]" % (number.encode(), beside)
    if beside == b"NaN":
        with pytest.raises(BodyError):
            decode_json(body)
    else:
        assert ENCODER.encode(decode_json(body)[0]).decode() == number


def test_no_number_becomes_a_float():
    found = decode_json(b"[1, 1.0, 1e3, -0.0, 1e400]")
    assert [type(value) for value in found] == [int, Decimal, Decimal, Decimal, Decimal]
    assert math.copysign(1, found[3]) == -1
