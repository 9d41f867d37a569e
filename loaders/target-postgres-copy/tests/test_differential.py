"""Generated messages: both loaders leave the same tables behind."""

from decimal import Decimal

import pytest
import simplejson
from conftest import schema_message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
NUMBERS = st.one_of(
    INTEGERS,
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**40), max_value=10**40),
    st.builds("{}e{}".format, st.integers(-99, 99), st.integers(-400, 400)).map(Decimal),
)
#: JSON as PostgreSQL can hold it.
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), NUMBERS, TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=3)
MOMENTS = st.datetimes(timezones=st.one_of(st.none(), st.timezones())).map(
    lambda moment: moment.isoformat()
)


def of(*types, **more):
    return {"type": [*types, "null"], **more}


TYPES = {
    "text": (of("string"), TEXT),
    "integer": (of("integer"), INTEGERS),
    "number": (of("number"), NUMBERS),
    "boolean": (of("boolean"), st.booleans()),
    "moment": (of("string", format="date-time"), MOMENTS),
    "day": (of("string", format="date"), st.dates().map(str)),
    "time": (of("string", format="time"), st.times().map(str)),
    "uuid": (of("string", format="uuid"), st.uuids().map(str)),
    "object": (of("object"), OBJECTS),
    "list": (of("array"), st.lists(JSON, max_size=3)),
    "texts": (of("array", items=of("string")), st.lists(st.one_of(TEXT, st.none()), max_size=3)),
    "objects": (of("array", items=of("object")), st.lists(OBJECTS, max_size=3)),
    "any": ({}, JSON),
}
SCHEMA = {name: schema for name, (schema, _) in TYPES.items()}
ROW = st.fixed_dictionaries(
    {"k": st.integers(0, 5), "l": st.sampled_from(["", "a", "\\", "null"])},
    optional={name: st.one_of(st.none(), values) for name, (_, values) in TYPES.items()},
)
MESSAGE = st.fixed_dictionaries(
    {"record": ROW},
    optional={"time_extracted": MOMENTS, "version": st.sampled_from([None, 1, 2])},
)


@pytest.fixture(scope="module")
def module_bench(server):
    from conftest import Bench  # noqa: PLC0415 - the class, for a longer life

    bench = Bench(server)
    yield bench
    bench.db.close()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
@given(
    messages=st.lists(MESSAGE, min_size=1, max_size=12),
    keys=st.sampled_from([["k"], ["k", "l"], []]),
    size=st.sampled_from([1, 3, 10_000]),
    canonical=st.booleans(),
)
def test_generated_rows_are_the_same(module_bench, messages, keys, size, canonical):
    properties = {"k": {"type": "integer"}, "l": {"type": "string"}, **SCHEMA}
    separators = (",", ":") if canonical else (", ", ": ")
    form = {"separators": separators, "ensure_ascii": canonical, "use_decimal": True}
    lines = [
        simplejson.dumps({"type": "RECORD", "stream": "x", **message}, **form)
        for message in messages
    ]
    start = schema_message(properties, keys=keys)
    module_bench.both([start, *lines], batch_size_rows=size)
