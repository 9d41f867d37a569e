"""Filter expressions keep what RFC 9535 says, and tell where they can't be read."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from tap_analytics.records.filters import FilterError, RowFilter

ROW = {
    "status": "open",
    "amount": Decimal("12.50"),
    "count": 3,
    "flag": True,
    "gone": None,
    "owner": {"name": "O'Neil", "a b": 1},
    "tags": ["x", "y"],
}


@pytest.mark.parametrize(
    ("expression", "kept"),
    [
        ("@.status == 'open'", True),
        ('@.status == "open"', True),
        ("$[?(@.status == 'open')]", True),
        ("$[?@.status == 'closed']", False),
        ("@.status != 'open'", False),
        ("@.amount >= 12.5 && @.amount < 1.3e1", True),
        ("@.amount==12.5", True),
        ("@.amount > -1", True),
        ("@.count <= 3", True),
        ("3 == @.count", True),
        # Values of different types aren't equal and have no order.
        ("@.count == '3'", False),
        ("@.flag == 1", False),
        ("@.count < 'a'", False),
        ("@.count > 'a'", False),
        ("@.flag == true", True),
        # Null is a value, a field that isn't there is none.
        ("@.gone == null", True),
        ("@.missing == null", False),
        ("@.missing == @.absent", True),
        ("@.missing != 'a'", True),
        ("@.missing < 1", False),
        ("@.missing <= @.absent", True),
        ("@.gone", True),
        ("@.missing", False),
        ("!@.missing", True),
        ("@.owner.name == 'O\\'Neil'", True),
        ("@['owner']['a b'] == 1", True),
        ("@.tags[0] == 'x'", True),
        ("@.tags[-1] == 'y'", True),
        ("@.tags[2]", False),
        ("@.status.length", False),
        ("@.tags.x", False),
        ("@.amount >= 12.5 & @.amount < 1.3e1", True),
        # && binds more strongly than ||.
        ("@.flag || @.missing && @.missing", True),
        ("(@.flag || @.missing) && @.missing", False),
        ("!(@.status == 'open' || @.status == 'new')", False),
        ("@", True),
        ("length(@.tags) == 2 && length(@.status) == 4 && length(@.owner) > 1", True),
        ("length(@.count) >= 0", False),
        ("length( @.missing ) == 0", False),
    ],
)
def test_an_expression_keeps_a_row(expression, kept):
    assert RowFilter(expression).keeps(ROW) is kept


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("status == 'open'", "can't be read from `status == 'open'` on"),
        ("@.status = 'open'", "can't be read from `= 'open'` on"),
        ("@.status == ", "ends where a path"),
        ("@.status == )", "has `)` where a path"),
        ("(@.status", "lacks a `)`"),
        ("@.a @.b", "has `@.b` where `&&` or `||`"),
        ("'open'", "compared with nothing"),
        ("@.a == 'x", "can't be read from `'x` on"),
        ("count(@.a) > 1", "can't be read from"),
        ("", "ends where"),
        ("(" * 10_000 + "@.a" + ")" * 10_000, "is nested too deeply"),
    ],
)
def test_what_cannot_be_read_is_reported(expression, words):
    with pytest.raises(FilterError, match=re.escape(words)):
        RowFilter(expression)
