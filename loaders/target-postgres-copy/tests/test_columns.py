"""A column converted at once is the same as its values converted one by one."""

import json

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from target_postgres_copy.errors import BadValue, Unsupported, shown
from target_postgres_copy.planning import Policy, plan

POLICY = Policy(validate=True, sanitize=False)
PLAIN = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S", "Z"]), max_size=4)
STRINGS = st.one_of(
    PLAIN, st.text(max_size=4), st.sampled_from(["", "null", "\\.", '"', "\\", "\x01\x02", "{}"])
)
MOMENTS = st.one_of(
    st.datetimes().map(lambda moment: moment.isoformat()),
    st.sampled_from(["2024-01-01T00:00:00Z", "2024-01-01 00:00:00.1234567+02:00", "20240101"]),
)
NOTHING = st.sampled_from(["", "null"])


def as_json(values):
    return st.one_of(values.map(lambda value: json.dumps(value, ensure_ascii=False)), NOTHING)


CASES = {
    "text": ({"type": ["string", "null"]}, sa.TEXT(), as_json(STRINGS)),
    "uuid": ({"type": ["string", "null"], "format": "uuid"}, UUID(), as_json(st.uuids().map(str))),
    "date-time": (
        {"type": ["string", "null"], "format": "date-time"}, sa.TIMESTAMP(), as_json(MOMENTS)
    ),
    "integer": (
        {"type": ["integer", "null"]},
        sa.BIGINT(),
        st.one_of(as_json(st.integers(-(10**20), 10**20)), st.sampled_from(["-0", "5.0", "1e3"])),
    ),
    "number": (
        {"type": ["number", "null"]}, sa.DECIMAL(), as_json(st.floats(allow_nan=False).filter(
            lambda number: abs(number) != float("inf")))
    ),
    "boolean": ({"type": ["boolean", "null"]}, sa.BOOLEAN(), as_json(st.booleans())),
    "jsonb": ({"type": ["object", "null"]}, JSONB(), as_json(st.dictionaries(STRINGS, STRINGS))),
    "array of objects": (
        {"type": ["array", "null"], "items": {"type": ["object", "null"]}},
        ARRAY(JSONB()),
        as_json(st.lists(st.dictionaries(
            STRINGS, st.one_of(STRINGS, st.lists(STRINGS, max_size=1))), max_size=3)),
    ),
    "array": (
        {"type": ["array", "null"], "items": {"type": ["string", "null"]}},
        ARRAY(sa.TEXT()),
        as_json(st.lists(st.one_of(STRINGS, st.none()), max_size=3)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_run_of_values_gives_the_fields_of_single_ones(name, data):
    schema, sql_type, values = CASES[name]
    planned = plan("v", schema, sql_type, POLICY)
    read = planned.reader()
    given_values = [
        value.encode(errors="surrogatepass") for value in data.draw(st.lists(values, min_size=1))
    ]
    try:
        alone = [read(value)[0] for value in given_values]
    except BadValue:
        with pytest.raises(BadValue):
            read(b"\n".join(given_values))
        return
    assert read(b"\n".join(given_values)) == alone


def test_values_of_another_type_are_refused_wherever_they_stand():
    for schema, sql_type, _ in CASES.values():
        read = plan("v", schema, sql_type, POLICY).reader()
        for wrong in (b'"x"', b"5.5", b"true", b'["a"]', b'{"a":1}'):
            try:
                read(wrong)
            except BadValue:
                for lines in ([wrong, b"null"], [b"null", wrong], [wrong, wrong]):
                    with pytest.raises(BadValue, match=r"not|badly"):
                        read(b"\n".join(lines))


@pytest.mark.parametrize(
    ("schema", "sql_type"),
    [
        ({"type": "string", "format": "date-time"}, sa.TEXT()),
        ({"type": ["boolean", "integer"]}, sa.BIGINT()),
        ({"type": "string", "contentEncoding": "base16"}, sa.LargeBinary()),
        ({"type": "array"}, ARRAY(UUID())),
        ({"type": "string", "enum": [{"$ref": "#/x"}]}, sa.TEXT()),
        (True, sa.TEXT()),
    ],
)
def test_a_type_that_only_target_postgres_knows_is_left_to_it(schema, sql_type):
    with pytest.raises(Unsupported):
        plan("v", schema, sql_type, POLICY)


def test_messages_show_values_on_one_line_and_shortened():
    assert shown(b"a\n\x1b[0m\xff") == r"a\n\x1b[0m\xff"
    assert shown("x" * 100) == "x" * 60 + "…"
