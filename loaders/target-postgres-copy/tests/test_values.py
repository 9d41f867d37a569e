"""Values chosen to hurt: the table holds what target-postgres with INSERT holds."""

import json

import pytest
from conftest import raw_record, schema_message
from singer_sdk.exceptions import InvalidRecord
from sqlalchemy.exc import DataError

from target_postgres_copy.errors import LoadError

#: How target-postgres refuses a value.
REFUSALS = (InvalidRecord, DataError, ValueError)


def of(*types, **more):
    return {"type": [*types, "null"], **more}


def texts(*values):
    return [json.dumps(value, ensure_ascii=False) for value in values]


NUMBERS = [
    "5", "5.0", "1.10", "-0", "-0.0", "1e400", "1e-400", "1E5", "1e5", "1.5e-7", "0e9",
    "123456789012345678901234567890.123456789", "12345678901234567890", "-1.50e1", "null", "",
]  # fmt: skip
DATE_TIMES = texts(
    "2020-01-01T00:00:00Z", "2020-01-01T00:00:00", "2020-01-01 00:00:00+02:00", "2020-01-01",
    "2020-01-01T00:00:00.123456789Z", "2020-01-01T00:00:00.9999999+00:00", "20200101T000000Z",
    "2020-W01-1", "0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59.999999-05:00",
    "2020-01-01T00:00:00+16:00", "2020-01-01T00:00:00+23:59", "2020-01-01T00:00:00+01:02:03.5",
    "2020-01-01T10", "2020-01-01x10:00:00", "2020-01-01T10:00:00,5", "2020-01-01T00:00:00-00:00",
)  # fmt: skip
SAME = {
    "strings": (of("string"), [
        *texts("a", "", "null", "NULL", "\\.", "\\N", "\u2028", "a\r\nb\t\x01\x02", " x ", "'\"\\",
               "😀", "\x7f", "a" * 300_000, "{}", '""', '"', ","),
        '"\\ud83d\\ude00"', '"\\u0041\\/"', "null", "",
    ]),
    "integers": (of("integer"), ["5", "-5", "0", "-0", "9223372036854775807", "null", ""]),
    "small integers": ({"type": "integer", "minimum": 0, "maximum": 100}, ["5", "100", ""]),
    "numbers": (of("number"), NUMBERS),
    "decimals in strings": (
        of("string", format="x-singer.decimal", precision=10, scale=2),
        [*texts("1.10", "1.115", "NaN", " 5 ", "-0"), "null"],
    ),
    "booleans": (of("boolean"), ["true", "false", "null", ""]),
    "date-times": (of("string", format="date-time"), [*DATE_TIMES, "null", ""]),
    "usual date-times": (of("string", format="date-time"), DATE_TIMES[:3]),
    "dates": (
        of("string", format="date"), [*texts("2020-01-01", "20200101", "2020-W01-1"), "null"]
    ),
    "times": (of("string", format="time"), [
        *texts("10:00:00", "10:00", "10", "10:00:00.1234567", "10:00:00Z", "10:00:00+02:00"),
        "null",
    ]),
    "uuids": (of("string", format="uuid"), texts(
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}",
        "a0eebc999c0b4ef8bb6d6bb9bd380a11")),
    "objects": (of("object"), [
        "{}", '{"a":1.10}', '{"a":1e400}', '{"a":-0}', '{"a":-0.0}', '{"a":1,"a":2}', "null", "",
        '{"a":[null,{"b":"\\u2028\\"\\\\"}]}', '{ "a" : 1 }', '{"a":1E-7}', '{"a":"\\u00e9\\/\\n"}',
    ]),
    "objects and strings": (of("object", "string"), ['"null"', '"a\\"\\n"', "{}", "null", '""']),
    "arrays": (of("array"), ["[]", '[1,"a",null,{"b":1.10}]', "null", ""]),
    "arrays of strings": (of("array", items=of("string")), [
        "[]", '["a"]', '["a",null]', '["null","NULL",""," a "]', '["a,b","{x}","q\\"","b\\\\"]',
        '["a\\nb\\u0001"]', "[null]", '[ "a" , "b" ]', '["\\ud83d\\ude00"]', "null", "",
    ]),
    "plain arrays of strings": (of("array", items=of("string")), ["[]", '["a"]', '["b","{,}"]']),
    "arrays of integers": (
        of("array", items=of("integer")), ["[]", "[1,2]", "[1,null]", "[-0]", "[1,10000000000]"]
    ),
    "arrays of numbers": (
        of("array", items=of("number")), ["[1,2]", "[1.10,2.5]", "[1e400]", "[null,1.5]", "[1e5]"]
    ),
    "arrays of booleans": (of("array", items=of("boolean")), ["[true,false,null]", "[]"]),
    "arrays of objects": (of("array", items=of("object")), [
        '[{},{"a":1.10}]', "[]", "[null]", "[{},null]", '[{"a":"x\\"\\\\y{}"}]', "null", "",
    ]),
    "arrays of anything": (of("array", items={}), [
        '[1,"a",{},null,true,1.10]', "[[1,2],[3,4]]", "[{},[1]]", "[[[1]],[[2]]]",
    ]),
    "anything": ({}, [
        '"a"', "5", "1.10", "1e5", "-0.0", "true", "null", "", '{"a":1.10,"b":[1e400,"é"]}', "[]",
        "-0", "1e-7", '{"a":"\\u0000"}',
    ]),
    "strings and integers": (of("string", "integer"), ['"5"', "6", "-7", "null", ""]),
    "scalars": (of("string", "number", "boolean"), ["1.10", "true", "1e-7", "1e3", "-0.0", '"x"']),
    "either": ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, ["5", "null", ""]),
    "enum": (of("string", enum=["a", "b", None]), ['"a"', '"b"', "null", ""]),
    "pattern": (of("string", maxLength=3, pattern="^a"), ['"abc"', '"a"', "null"]),
    "multiples": (of("number", multipleOf=0.01), ["1.5", "3", "null"]),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_the_table_holds_what_target_postgres_holds(bench, name):
    schema, values = SAME[name]
    messages = [schema_message({"id": {"type": "integer"}, "v": schema})]
    messages += [raw_record(number, value) for number, value in enumerate(values)]
    loaded = bench.both(messages)
    assert len(loaded) == len(values)
    # Rows whose keys are there already are merged, not copied into the table itself.
    twice = [*messages, *messages[1:]]
    assert bench.rows_after(twice, batch_size_rows=len(values)) == loaded


@pytest.mark.parametrize("schema", [of("string"), of("object"), of("object", "string")])
def test_nul_is_replaced_where_target_postgres_replaces_it(bench, schema):
    values = {"object": '{"a":"x\\u0000","b":"\\\\u0000"}', "string": '"x\\u0000\\\\u0000"'}
    messages = [schema_message({"id": {"type": "integer"}, "v": schema})]
    messages += [raw_record(i, values[kind]) for i, kind in enumerate(schema["type"][:-1])]
    bench.both(messages, sanitize_null_text_characters=True)


WRONG = [
    (of("string"), '"\\u0000"', "holds a NUL character"),
    (of("string"), '"\\ud800"', "halves of surrogate pairs are not JSON"),
    (of("string"), "5", "5 is not of type string or null"),
    ({"type": "string"}, "null", "null is not of type string"),
    (of("integer"), "5.5", "5.5 is not of type integer or null"),
    (of("integer"), "9223372036854775808", "out of range for type bigint"),
    (of("integer"), "1e400", "1e400 is out of range"),
    (of("integer"), '"5"', '"5" is not of type integer or null'),
    ({"type": "integer", "minimum": 0, "maximum": 9}, "10", "greater than the maximum of 9"),
    (of("number"), "1e200000", "value overflows numeric format"),
    (of("number"), "NaN", "NaN, Infinity and halves of surrogate pairs are not JSON"),
    (of("boolean"), "1", "1 is not of type boolean or null"),
    (of("string", format="date-time"), '"now"', '"now" is not a date-time'),
    (of("string", format="date-time"), '"infinity"', '"infinity" is not a date-time'),
    (of("string", format="date-time"), '"2020-12-31T23:59:60Z"', "is not a date-time"),
    (of("string", format="date-time"), '"2020-02-30T00:00:00"', "out of range"),
    (of("string", format="date"), '"now"', '"now" is not a date'),
    (of("string", format="time"), '"allballs"', '"allballs" is not a time'),
    (of("string", format="uuid"), '"x"', "invalid input syntax for type uuid"),
    (of("object"), '{"a":"\\u0000"}', "unsupported Unicode escape sequence"),
    (of("object"), "[]", "[] is not of type object or null"),
    (of("array", items=of("string")), "[1]", "1 is not of type string or null"),
    (of("array", items=of("integer")), "[true]", "true is not of type integer or null"),
    (of("array", items={}), "[[1],[2,3]]", "arrays of different lengths"),
    (of("array", items={}), "[[1],null]", "mixes arrays and other values"),
    (of("string", "integer"), "5.5", "5.5 is not of type integer or string or null"),
    (of("string", enum=["a"]), '"c"', "'c' is not one of"),
    (of("string", pattern="^a"), '"b"', "'b' does not match"),
]


@pytest.mark.parametrize(("schema", "value", "reason"), WRONG)
def test_a_wrong_value_ends_the_run_with_stream_column_and_row(bench, schema, value, reason):
    name = bench.schema()
    good = {"string": '"aé\\n\\r"', "object": '{"a":1}'}.get(schema["type"][0], "")
    messages = [
        schema_message({"id": {"type": "integer"}, "v": schema}),
        *([raw_record(1, good)] if good and schema in (of("string"), of("object")) else []),
        raw_record(2, value),
        raw_record(3, ""),
    ]
    with pytest.raises(LoadError) as raised:
        bench.copy(name, messages)
    assert "stream 'x', column 'v', row id=2: " in str(raised.value)
    assert reason in str(raised.value)
    assert bench.rows(name) == []
    if value != "NaN":
        with pytest.raises(REFUSALS):
            bench.insert(bench.schema(), messages)


@pytest.mark.parametrize(
    ("schema", "value", "stored"),
    [
        (of("integer"), "5.0", "5"),
        (of("integer"), "1e2", "100"),
        (of("array", items=of("integer")), "[1.0]", "{1}"),
        (of("array", items=of("number")), "[1,2.5]", "{1,2.5}"),
        (of("array", items=of("string", "integer")), '["a",1]', "{a,1}"),
    ],
)
def test_what_target_postgres_refuses_without_need_is_stored(bench, schema, value, stored):
    messages = [schema_message({"id": {"type": "integer"}, "v": schema}), raw_record(1, value)]
    name = bench.schema()
    bench.copy(name, messages)
    assert bench.values(name) == [stored]
    with pytest.raises(Exception, match=r"not of type|mixed types"):
        bench.insert(bench.schema(), messages)


def test_without_validation_only_nulls_and_rules_are_let_through(bench):
    properties = {"id": {"type": "integer"}, "v": {"type": "string", "pattern": "^a"}}
    start = schema_message(properties, required=["v"])
    good = [start, raw_record(1, "null"), raw_record(2, '"b"'), raw_record(3, "")]
    assert len(bench.both(good, validate_records=False)) == 3
    with pytest.raises(LoadError, match="5 is not of type string or null"):
        bench.copy(bench.schema(), [start, raw_record(1, "5")], validate_records=False)


def test_a_server_elsewhere_reads_date_times_as_for_target_postgres(bench):
    bench.db.execute("ALTER ROLE postgres SET timezone = 'Europe/Berlin'")
    try:
        messages = [
            schema_message(
                {
                    "id": {"type": "integer"},
                    "v": of("string", format="date-time"),
                    "t": of("string", format="time"),
                }
            ),
            # 02:30 doesn't exist on that day, and exists twice on the other one.
            *(
                raw_record(number, value)
                for number, value in enumerate(
                    [
                        *DATE_TIMES,
                        *texts("2024-03-31T02:30:00", "2024-10-27T02:30:00"),
                        *texts("2024-03-31T00:30:00Z", "2024-10-27T01:30:00.5+00:00"),
                    ]
                )
            ),
        ]
        rows = bench.both(messages)
        assert "2024-03-31 02:30:00" in [row["v"] for row in rows]
        keyed = [schema_message({"v": of("string", format="date-time")}, keys=["v"])]
        same = ("2024-01-01T00:00:00Z", "2024-01-01 01:00:00")
        keyed += [{"type": "RECORD", "stream": "x", "record": {"v": value}} for value in same]
        assert len(bench.rows_after(keyed)) == 1
    finally:
        bench.db.execute("ALTER ROLE postgres RESET timezone")
