"""Schemas from samples take what was sampled, and its likely neighbours."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tap_analytics.records.codec import decode_json
from tap_analytics.records.inference import ANYTHING, infer_schema, widen

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=6,
)
rows = st.lists(st.dictionaries(st.sampled_from(["x", "y", "z"]), values, max_size=3), max_size=5)


@given(rows)
def test_a_schema_takes_every_row_it_was_made_of(sample):
    schema = infer_schema(sample)
    validator = Draft202012Validator(schema)
    for row in sample:
        validator.validate(row)


@given(rows)
def test_everything_but_keys_may_be_null(sample):
    validator = Draft202012Validator(infer_schema(sample))
    validator.validate({name: None for row in sample for name in row})


@pytest.mark.parametrize(
    ("sample", "field"),
    [
        ([{"v": "x"}], {"type": ["string", "null"]}),
        ([{"v": 1}], {"type": ["number", "null"]}),
        ([{"v": Decimal("0.1")}], {"type": ["number", "null"]}),
        ([{"v": 1}, {"v": "x"}], {"type": ["string", "number", "null"]}),
        ([{"v": True}], {"type": ["boolean", "null"]}),
        ([{"v": None}], {"type": list(ANYTHING), "items": {}}),
        ([{"v": None}, {"v": "x"}], {"type": ["string", "null"]}),
        ([{"v": []}], {"type": ["array", "null"], "items": {}}),
        ([{"v": [1]}], {"type": ["array", "null"], "items": {"type": ["number", "null"]}}),
        (
            [{"v": {"a": 1}}],
            {
                "type": ["object", "null"],
                "properties": {"a": {"type": ["number", "null"]}},
                "additionalProperties": True,
            },
        ),
    ],
    ids=str,
)
def test_the_schema_of_a_field(sample, field):
    assert infer_schema(sample)["properties"]["v"] == field


@pytest.mark.parametrize("value", ["1e400", "-1e400", "1e-400", "9" * 400, "0.1", "1.10"])
def test_any_number_of_json_is_a_number(value):
    sample = [{"v": decode_json(value.encode())}]
    assert infer_schema(sample)["properties"]["v"] == {"type": ["number", "null"]}


def test_keys_are_always_there_and_never_null():
    schema = infer_schema([{"id": 1, "v": 1}], keys=("id", "day"))
    assert schema["properties"]["id"] == {"type": ["integer"]}
    assert schema["properties"]["day"] == {"type": ["integer", "string"]}
    assert schema["required"] == ["day", "id"]
    assert infer_schema([], keys=("id",))["properties"] == {"id": {"type": ["integer", "string"]}}


def test_a_key_that_was_null_in_a_sample_is_still_a_key():
    schema = infer_schema([{"id": None}, {"id": "x"}], keys=("id",))
    assert schema["properties"]["id"] == {"type": ["string"]}


def test_objects_stay_open():
    schema = infer_schema([{"v": {"a": {"b": 1}}}])
    Draft202012Validator(schema).validate({"v": {"a": {"b": 2.5, "c": []}, "d": 1}})


def test_what_one_sample_has_as_object_and_another_as_text_may_be_both():
    schema = infer_schema([{"v": {"a": 1}}, {"v": "x"}, {"v": [{"a": 1}]}])
    validator = Draft202012Validator(schema)
    for value in ({"a": None}, "y", [{"a": 2}, None], None):
        validator.validate({"v": value})


def test_a_schema_without_a_type_takes_anything():
    for value in ("x", 1, 0.5, True, None, [], ["x", {}], {}, {"a": []}):
        Draft202012Validator(widen({})).validate(value)


def test_a_schema_is_json():
    assert json.loads(json.dumps(infer_schema([{"v": [{}, []]}])))
