"""Inferred types: pages are split as fast as those of declared types, and other values widen."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from support.runs import STREAM, declared, discover, run
from support.servers import JsonApi, reply

from tap_analytics.records.rows import DictRows, StructRows
from tap_analytics.records.type_policy import struct_of, taking
from tap_analytics.records.writer import ENCODER
from tap_analytics.sync.output import RecordOutput

LIMIT = 5
VALUES = {
    "integer": 1,
    "fraction": 1.5,
    "string": "a",
    "boolean": True,
    "object": {"a": 1},
    "array": [1],
    "null": None,
    "nested": {"a": [{"b": 1}]},
    "other object": {"a": "x"},
    "other array": ["x", None],
    "other nested": {"a": [{"b": 1}, {"b": "x"}]},
}


def config(origin, **more):
    return declared(origin, endpoint={"paginator": {"type": "offset", "limit": LIMIT}}, **more)


def serve(rows, **members):
    def answer(query):
        start = int(query["offset"])
        body = {"data": rows[start : start + LIMIT], **members}
        return reply(200, json.dumps(body, separators=(",", ":")).encode())

    return JsonApi(answer)


def valid(done, stream=STREAM):
    """Check that each record is as the last schema before it says; return the schemas."""
    schemas, validator = [], None
    for message in done.messages:
        if message["type"] == "SCHEMA":
            schemas.append(message["schema"]["properties"])
            validator = Draft202012Validator(message["schema"])
        elif message["type"] == "RECORD":
            validator.validate(message["record"])
    return schemas


def ways(monkeypatch):
    """Note in what form pages are written."""
    kinds, encode = [], RecordOutput.encode

    def noted(self, rows):
        kinds.append(type(rows))
        return encode(self, rows)

    monkeypatch.setattr(RecordOutput, "encode", noted)
    return kinds


@pytest.mark.parametrize("catalog", [False, True])
@pytest.mark.parametrize("concurrency", [1, 8])
def test_pages_of_inferred_types_are_split_like_those_of_declared_ones(
    concurrency, catalog, monkeypatch
):
    kinds = ways(monkeypatch)
    rows = [{"id": n, "v": "x", "o": {"a": [n, None]}} for n in range(30)]
    rows[17]["v"] = 7
    with serve(rows, total=30) as api:
        given_config = config(api.origin, concurrency=concurrency)
        done = run(given_config, catalog=discover(given_config) if catalog else None)
    assert done.records() == rows
    # The first page teaches, and one contradicts.
    assert kinds.count(StructRows) >= 5
    assert kinds.count(DictRows) == 2
    assert [found["v"]["type"] for found in valid(done)] == [
        ["string", "null"],
        ["string", "null", "integer"],
    ]


@pytest.mark.parametrize("second", VALUES)
@pytest.mark.parametrize("first", VALUES)
def test_whatever_comes_later_every_record_is_as_its_schema_says(first, second):
    rows = [{"id": n, "v": VALUES[first if n < 2 * LIMIT else second]} for n in range(4 * LIMIT)]
    with serve(rows) as api:
        done = run(config(api.origin))
    assert done.error is None, done.failure()
    assert done.records() == rows
    assert len(valid(done)) <= 2


@pytest.mark.parametrize("place", [3, 13])
def test_a_field_that_extended_a_declared_schema_widens_as_well(place):
    rows = [{"id": n, "new": n} for n in range(20)]
    rows[place]["new"] = "x"
    schema = {"type": "object", "properties": {"id": {"type": "integer"}}}
    with serve(rows) as api:
        done = run(config(api.origin, schema=schema))
    assert done.records() == rows
    found = [each.get("new", {}).get("type") for each in valid(done)]
    first, wider = ["number", "null"], ["number", "null", "string"]
    mixed = ["string", "number", "null"]
    assert found == ([None, mixed] if place < LIMIT else [None, first, wider])


def test_a_declared_type_does_not_widen_by_itself():
    rows = [{"id": n, "v": n if n < 8 else "x"} for n in range(20)]
    schema = {"properties": {"id": {"type": "integer"}, "v": {"type": ["integer", "null"]}}}
    with serve(rows) as api:
        done = run(config(api.origin, schema=schema))
    assert done.records() == rows
    assert len(done.of("SCHEMA")) == 1


@pytest.mark.parametrize("policy", ["pass", "null", "fail"])
def test_what_the_setting_says_counts_for_inferred_types_as_well(policy):
    rows = [{"id": n, "v": n if n != 8 else "x"} for n in range(20)]
    with serve(rows) as api:
        done = run(config(api.origin) | {"on_type_mismatch": policy})
    assert len(done.of("SCHEMA")) == 1
    if policy == "fail":
        assert "`v` came as string" in done.failure()
        assert done.ids() == list(range(LIMIT))
    else:
        nulled = {"id": 8, "v": None if policy == "null" else "x"}
        assert done.records() == [*rows[:8], nulled, *rows[9:]]


def test_values_are_split_off_to_columns_of_their_own():
    rows = [{"id": n, "v": n, "w": "a"} for n in range(20)]
    rows[7]["v"], rows[8]["v"], rows[13]["v"], rows[14]["w"] = "x", {"a": 1}, "y", [1]
    with serve(rows) as api:
        done = run(config(api.origin) | {"on_type_mismatch": "split"})
    found = valid(done)
    assert [set(each) for each in found] == [
        {"id", "v", "w"},
        {"id", "v", "w", "v__string", "v__object"},
        {"id", "v", "w", "v__string", "v__object", "w__array"},
    ]
    assert found[0]["v"] == found[-1]["v"]
    split = {
        7: {"v": None, "v__string": "x"},
        8: {"v": None, "v__object": {"a": 1}},
        13: {"v": None, "v__string": "y"},
        14: {"w": None, "w__array": [1]},
    }
    assert done.records() == [row | split.get(row["id"], {}) for row in rows]


def test_a_key_is_never_split():
    rows = [{"id": n if n != 7 else "x"} for n in range(20)]
    with serve(rows) as api:
        done = run(config(api.origin) | {"on_type_mismatch": "split"})
    assert "`id` came as string" in done.failure()


# --- both checks --------------------------------------------------------------------------------

scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.decimals(-9, 9, places=1) | st.text()
names = st.sampled_from(["a", "b", "größe", "$ref"])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
kinds = st.lists(
    st.sampled_from(["string", "number", "integer", "boolean", "object", "array", "null"]),
    min_size=1,
    max_size=4,
    unique=True,
)
schemas = st.recursive(
    st.just({}) | st.builds(lambda given: {"type": given}, kinds),
    lambda inner: st.fixed_dictionaries(
        {"type": kinds},
        optional={"properties": st.dictionaries(names, inner, max_size=3), "items": inner},
    ),
    max_leaves=6,
)


@given(schemas, values)
def test_a_struct_takes_what_does_not_widen(schema, value):
    wide = taking(schema, value)
    body = b'[{"v":%s}]' % ENCODER.encode(value)
    decode = msgspec.json.Decoder(list[struct_of({"v": schema})]).decode
    try:
        decode(body)
        fits = True
    except msgspec.ValidationError:
        fits = False
    assert fits is (wide is schema)
    assert taking(wide, value) is wide
    plain = json.loads(body, parse_float=float)[0]["v"]
    Draft202012Validator(wide).validate(plain)
