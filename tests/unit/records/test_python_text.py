"""Texts of values as Python writes them."""

from __future__ import annotations

import hashlib

import pytest

from tap_analytics.records.codec import decode_json
from tap_analytics.records.python_text import copied, md5


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('"a\'b"', "a'b"),
        ("null", "None"),
        ("true", "True"),
        ("-0", "0"),
        ("1.50", "1.5"),
        ("-0.0", "-0.0"),
        ("1E5", "100000.0"),
        ("1e-400", "0.0"),
        ("123456789.123456789123", "123456789.12345679"),
        ("18446744073709551615", "18446744073709551615"),
        ("18446744073709551616", "1.8446744073709552e+19"),
        ("-9223372036854775809", "-9.223372036854776e+18"),
        (
            '{"b": [1.10, {"\u00e9": "it\'s\\n"}], "a": false, "b2": "\u2028"}',
            """{'b': [1.1, {'\u00e9': "it's\\n"}], 'a': False, 'b2': '\\u2028'}""",
        ),
    ],
)
def test_hash_is_that_of_the_text_of_python(body, text):
    expected = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    assert md5(decode_json(body.encode())) == expected


@pytest.mark.parametrize("body", ["1e400", "1" * 400, "1e99999999999999999999"])
def test_number_beyond_floating_point_has_no_hash(body):
    with pytest.raises(ValueError, match="too large"):
        md5(decode_json(body.encode()))


def test_copy_shares_nothing():
    given = {"a": [{"b": 1}]}
    made = copied(given)
    made["a"][0]["b"] = 2
    assert given == {"a": [{"b": 1}]}
