"""What a stream does as a whole: keys, tables that exist, schemas that change, versions, files."""

import gzip
import json
import logging

import pytest
from conftest import record, schema_message
from singer_sdk.exceptions import RecordsWithoutSchemaException

from target_postgres_copy.errors import LoadError

ID = {"id": {"type": "integer"}}
NAMED = {**ID, "name": {"type": ["string", "null"]}}


def way(caplog):
    return [r.getMessage() for r in caplog.records if r.getMessage().startswith("Rows are loaded")]


def test_the_last_row_of_a_key_stays_within_and_across_batches(bench):
    rows = [{"id": number % 3, "name": str(number)} for number in range(10)]
    found = bench.both([schema_message(NAMED), *map(record, rows)], batch_size_rows=4)
    assert sorted(row["name"] for row in found) == ["7", "8", "9"]


def test_composite_keys(bench):
    keys = ["b", "a"]
    properties = {"a": {"type": "integer"}, "b": {"type": "string"}, "v": {"type": "integer"}}
    rows = [{"a": i % 2, "b": str(i % 3), "v": i} for i in range(12)]
    assert len(bench.both([schema_message(properties, keys=keys), *map(record, rows)])) == 6


def test_a_table_of_keys_alone(bench):
    rows = [record({"id": number}) for number in (1, 2, 1)]
    assert (
        len(
            bench.both(
                [schema_message(ID), *rows], add_record_metadata=False, activate_version=False
            )
        )
        == 2
    )


def test_without_keys_rows_are_appended(bench):
    rows = [record({"id": 1, "name": "a"})] * 3
    assert len(bench.both([schema_message(NAMED, keys=[]), *rows])) == 3


@pytest.mark.parametrize(
    ("schema", "spellings"),
    [
        ({"type": "number"}, ["1.0", "2", "1.00", "1.0", "1e0"]),
        (
            {"type": "string", "format": "date-time"},
            ['"2024-01-01T00:00:00Z"', '"2024-01-01T01:00:00+01:00"', '"20240101T000000Z"'],
        ),
    ],
)
def test_one_key_in_two_spellings_is_one_row(bench, schema, spellings):
    start = schema_message({"k": schema, "v": {"type": "integer"}}, keys=["k"])
    lines = [
        f'{{"type":"RECORD","stream":"x","record":{{"k":{key},"v":{number}}}}}'
        for number, key in enumerate(spellings)
    ]
    for size in (1, 100):
        found = bench.both([start, *lines], batch_size_rows=size)
        assert str(len(spellings) - 1) in [row["v"] for row in found]


@pytest.mark.parametrize(
    "index", ["", "CREATE UNIQUE INDEX ON {}.x (id)", "CREATE INDEX ON {}.x (id)"]
)
def test_a_table_that_exists_keeps_its_other_columns_and_rows(bench, index):
    prepare = [
        "CREATE SCHEMA {}",
        "CREATE TABLE {}.x (id bigint, name text, own text DEFAULT 'mine')",
        "INSERT INTO {}.x VALUES (1, 'old', 'kept'), (9, 'other', 'kept')",
        *([index] if index else []),
    ]
    rows = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 1, "name": "c"}]
    found = bench.both(
        [schema_message(NAMED), *map(record, rows)], prepare=prepare, batch_size_rows=2
    )
    assert [(r["id"], r["name"], r["own"]) for r in sorted(found, key=lambda r: r["id"])] == [
        ("1", "c", "kept"),
        ("2", "b", "mine"),
        ("9", "other", "kept"),
    ]


def test_a_table_with_rules_obeys_them(bench):
    prepare = [
        "CREATE SCHEMA {}",
        "CREATE TABLE {}.x (id bigint, name text)",
        "CREATE RULE none AS ON INSERT TO {}.x WHERE NEW.id > 1 DO INSTEAD NOTHING",
    ]
    rows = [record({"id": number, "name": "a"}) for number in range(4)]
    assert len(bench.both([schema_message(NAMED, keys=[]), *rows], prepare=prepare)) == 2


def test_a_table_with_another_type_is_left_to_target_postgres(bench, caplog):
    prepare = ["CREATE SCHEMA {}", "CREATE TABLE {}.x (id bigint PRIMARY KEY, name varchar(3))"]
    caplog.set_level(logging.INFO)
    rows = [record({"id": 1, "name": "abc"})]
    bench.both([schema_message(NAMED), *rows], prepare=prepare)
    assert "'name' is character varying(3) in the table, not text" in way(caplog)[0]


def test_odd_names_of_columns_and_streams(bench):
    names = ["ö", "A b", "a%b", "%(x)s", "select", "null", "a.b", ":x", "a'b"]
    properties = {**ID, **{name: {"type": "string"} for name in names}}
    row = {"id": 1, **dict.fromkeys(names, "v")}
    messages = [schema_message(properties, stream="Ü s%"), record(row, stream="Ü s%")]
    assert bench.both(messages, table="Ü s%")[0]["a%b"] == "v"


@pytest.mark.parametrize("unique", [True, False])
def test_names_that_the_statements_use_themselves(bench, unique):
    names = ["s", "t", "excluded", "user", "_sdc_deleted_at", "copy"]
    properties = {**ID, **{name: {"type": ["string", "null"]} for name in names}}
    rows = [record({"id": i % 2, **dict.fromkeys(names[:4], str(i))}) for i in range(5)]
    prepare = ["CREATE SCHEMA {}", "CREATE TABLE {}.x (id bigint, s text)"]
    messages = [schema_message(properties, keys=["id", "s"]), *rows]
    for size in (2, 10):
        found = bench.both(messages, prepare=() if unique else prepare, batch_size_rows=size)
        assert len(found) == 5


def test_names_with_quotes_and_backslashes(bench):
    properties = {**ID, 'q"uote': {"type": "string"}, "back\\slash": {"type": "integer"}}
    row = {"id": 1, 'q"uote': "v", "back\\slash": 5, "unknown": 1}
    assert bench.both([schema_message(properties), record(row)])[0]["back\\slash"] == "5"


def test_required_fields_and_keys_must_be_there(bench):
    start = schema_message(NAMED, required=["name"])
    with pytest.raises(LoadError, match="column 'name', row id=1: is missing"):
        bench.copy(bench.schema(), [start, record({"id": 1})])
    with pytest.raises(LoadError, match="column 'id', row id=missing: is missing"):
        bench.copy(bench.schema(), [schema_message(NAMED), record({"name": "a"})])


def test_unknown_fields_are_named_once_or_refused(bench, caplog):
    rows = [record({"id": 1, "more": 1}), record({"id": 2, "more": 1})]
    bench.both([schema_message(ID), *rows])
    assert caplog.messages.count("No schema for record field 'more'") == 2  # once by each loader
    with pytest.raises(LoadError, match="unknown field `more`"):
        bench.copy(bench.schema(), [schema_message(ID, additionalProperties=False), *rows])


@pytest.mark.parametrize(
    ("settings", "keywords", "reason"),
    [
        ({"stream_maps": {"x": {"name": "name.upper()"}}}, {}, "a stream map changes them"),
        ({"flattening_enabled": True, "flattening_max_depth": 1}, {}, "they are flattened"),
        ({}, {"minProperties": 1}, "the schema has 'minProperties' for whole rows"),
        ({"dialect+driver": "postgresql+psycopg2"}, {}, "COPY needs the driver psycopg"),
    ],
)
def test_what_copy_can_not_do_is_left_to_target_postgres(bench, caplog, settings, keywords, reason):
    caplog.set_level(logging.INFO)
    properties = {**NAMED, "o": {"type": "object", "properties": {"n": {"type": "integer"}}}}
    rows = [record({"id": i % 3, "name": f"a{i}", "o": {"n": i}}) for i in range(5)]
    bench.both([schema_message(properties, **keywords), *rows], **settings)
    assert way(caplog) == [f"Rows are loaded by INSERT, as in target-postgres: {reason}."]


def test_a_stream_map_onto_a_stream_that_is_there_keeps_the_order(bench):
    maps = {"stream_maps": {"y": {"__alias__": "x"}}}
    messages = [schema_message(NAMED), schema_message(NAMED, stream="y")]
    messages += [record({"id": 1, "name": str(i)}, stream="xy"[i % 2]) for i in range(6)]
    assert bench.rows_after(messages, **maps)[0]["name"] == "5"


def test_interleaved_streams_in_any_spelling(bench):
    messages = [schema_message(NAMED), schema_message(NAMED, stream="y")]
    for number in range(20):
        line = record({"id": number, "name": "a" * number}, stream="xy"[number % 2])
        reordered = dict(reversed(line.items()))
        messages.append([line, json.dumps(line), json.dumps(reordered)][number % 3])
    messages.append("  ")
    schema = bench.schema()
    bench.copy(schema, messages)
    assert [len(bench.rows(schema, table)) for table in "xy"] == [10, 10]


def test_a_schema_that_changes_in_mid_stream(bench):
    wider = {**NAMED, "age": {"type": ["integer", "null"]}}
    messages = [
        schema_message(NAMED),
        record({"id": 1, "name": "a"}),
        record({"id": 2, "name": "b"}),
        schema_message(wider),
        record({"id": 1, "name": "c", "age": 5}),
        schema_message(NAMED),
        record({"id": 2, "name": "d"}),
        schema_message(NAMED),
        record({"id": 3, "name": "e"}),
    ]
    found = bench.rows_after(messages)
    assert sorted((r["id"], r["name"], r["age"] or "") for r in found) == [
        ("1", "c", "5"),
        ("2", "d", ""),
        ("3", "e", ""),
    ]


@pytest.mark.parametrize("size", [7, 100, 400])
def test_blocks_may_end_anywhere(bench, monkeypatch, size):
    monkeypatch.setattr("target_postgres_copy.reader.BLOCK_BYTES", size)
    wider = {**NAMED, "age": {"type": ["integer", "null"]}}
    messages = [schema_message(NAMED)]
    messages += [record({"id": i, "name": "é" * i}) for i in range(20)]
    messages += [schema_message(wider)]
    messages += [record({"id": i, "name": "b", "age": i}) for i in range(10, 30)]
    schema = bench.schema()
    bench.copy(schema, messages)
    ages = [row["age"] for row in bench.rows(schema)]
    assert (len(ages), ages.count(None)) == (30, 10)
    with pytest.raises(LoadError, match=f"line {len(messages) + 1} is not a message"):
        bench.copy(bench.schema(), [*messages, "}"])


@pytest.mark.parametrize("hard", [True, False])
def test_versions(bench, hard):
    first = [
        schema_message(NAMED),
        *(record({"id": i, "name": "a"}, version=1) for i in range(3)),
        {"type": "ACTIVATE_VERSION", "stream": "x", "version": 1},
    ]
    second = [
        schema_message(NAMED),
        *(record({"id": i, "name": "b"}, version=2) for i in range(2)),
        {"type": "ACTIVATE_VERSION", "stream": "x", "version": 2},
    ]
    schema, theirs = bench.schema(), bench.schema()
    for messages in (first, second):
        bench.copy(schema, messages, hard_delete=hard)
        bench.insert(theirs, messages, hard_delete=hard)

    def left(name):
        rows = bench.rows(name)
        return [{**row, "_sdc_deleted_at": bool(row["_sdc_deleted_at"])} for row in rows]

    assert left(schema) == left(theirs)
    gone = [row["id"] for row in bench.rows(schema) if row["_sdc_deleted_at"]]
    assert gone == ([] if hard else ["2"])
    assert len(bench.rows(schema)) == (2 if hard else 3)
    bench.copy(schema, first, hard_delete=hard)
    assert len(bench.rows(schema)) == 3


def test_a_deletion_in_the_record_and_metadata_of_the_message(bench):
    row = {"id": 1, "_sdc_deleted_at": "2024-01-01T00:00:00Z", "_sdc_sequence": 5}
    messages = [
        schema_message(ID),
        record(row, time_extracted="2024-02-01T01:00:00.5+01:00", version=7),
    ]
    assert bench.both(messages) == [
        {
            "id": "1",
            "_sdc_deleted_at": "2024-01-01 00:00:00",
            "_sdc_extracted_at": "2024-02-01 00:00:00.5",
            "_sdc_table_version": "7",
        }
    ]
    without = bench.both(messages, add_record_metadata=False, activate_version=False)
    assert without == [{"id": "1"}]


def test_times_and_numbers_of_a_run_are_filled_in(bench):
    schema = bench.schema()
    bench.copy(schema, [schema_message(ID), record({"id": 1})])
    found = bench.db.execute(
        "SELECT now() - _sdc_received_at < '1 minute', now() - _sdc_batched_at < '1 minute', "
        "abs(extract(epoch FROM now()) * 1000 - _sdc_sequence) < 60000, "
        f"abs(_sdc_sequence - _sdc_sync_started_at) < 60000 FROM {schema}.x"
    ).fetchone()
    assert found == (True, True, True, True)


def batch_message(path, compression=None, **more):
    encoding = {"format": "jsonl", **({"compression": compression} if compression else {})}
    return {
        "type": "BATCH", "stream": "x", "encoding": encoding, "manifest": [path.as_uri()], **more
    }  # fmt: skip


def batch_file(path, rows, compression=None):
    content = "\n".join(map(json.dumps, rows)).encode()
    path.write_bytes(gzip.compress(content) if compression else content)
    return path


@pytest.mark.parametrize("compression", ["gzip", None])
def test_batch_files(bench, tmp_path, compression):
    rows = [{"id": i % 50, "name": f"a{i}"} for i in range(120)]
    path = batch_file(tmp_path / "rows", rows, compression)
    messages = [
        schema_message(NAMED),
        record({"id": 1, "name": "before"}),
        batch_message(path, compression),
        record({"id": 2, "name": "after"}),
        {"type": "STATE", "value": {"done": True}},
    ]
    schema = bench.schema()
    assert bench.copy(schema, messages, batch_size_rows=30) == '{"done": true}\n'
    names = {row["id"]: row["name"] for row in bench.rows(schema)}
    assert (len(names), names["1"], names["2"], names["19"]) == (50, "a101", "after", "a119")


def test_files_without_a_version_get_the_one_that_is_activated(bench, tmp_path):
    schema = bench.schema()
    bench.copy(schema, [schema_message(NAMED), record({"id": 9, "name": "old"}, version=1)])
    path = batch_file(tmp_path / "rows", [{"id": i, "name": "new"} for i in range(3)])
    activate = {"type": "ACTIVATE_VERSION", "stream": "x", "version": 2}
    messages = [schema_message(NAMED), batch_message(path), activate]
    bench.copy(schema, messages, hard_delete=True)
    assert [(r["id"], r["_sdc_table_version"]) for r in bench.rows(schema)] == [
        ("0", "2"),
        ("1", "2"),
        ("2", "2"),
    ]


def test_files_that_name_their_metadata_keep_it(bench, tmp_path):
    row = {
        "id": 1,
        "_sdc_extracted_at": "2024-01-01T00:00:00Z",
        "_sdc_received_at": "2024-01-02T00:00:00Z",
        "_sdc_sequence": 5,
        "_sdc_table_version": 3,
    }
    path = batch_file(tmp_path / "rows", [row, {"id": 2}])
    schema = bench.schema()
    bench.copy(schema, [schema_message(ID), batch_message(path, version=4)])
    found = bench.db.execute(
        "SELECT _sdc_extracted_at::text, _sdc_received_at::text, _sdc_sequence, "
        f"_sdc_table_version, _sdc_batched_at IS NOT NULL FROM {schema}.x ORDER BY id"
    ).fetchall()
    assert found[0] == ("2024-01-01 00:00:00", "2024-01-02 00:00:00", 5, 3, True)
    assert (found[1][0], found[1][3], found[1][4]) == (None, 4, True)


def test_a_wrong_value_in_a_file_names_its_column(bench, tmp_path):
    path = batch_file(tmp_path / "rows", [{"id": 1, "name": 5}])
    with pytest.raises(LoadError, match="column 'name', row id=1: 5 is not of type"):
        bench.copy(bench.schema(), [schema_message(NAMED), batch_message(path)])
    path.write_text("not json")
    with pytest.raises(LoadError, match="is not a record"):
        bench.copy(bench.schema(), [schema_message(NAMED), batch_message(path)])


def test_files_of_a_stream_that_copy_can_not_load(bench, tmp_path):
    path = batch_file(tmp_path / "rows", [{"id": 1, "name": "a"}])
    messages = [schema_message(NAMED, minProperties=1), batch_message(path)]
    assert len(bench.both(messages)) == 1


def test_lines_that_are_no_messages_are_named(bench):
    start = schema_message(ID)
    with pytest.raises(LoadError, match=r"line 3, stream 'x', not a valid record"):
        bench.copy(
            bench.schema(), [start, record({"id": 1}), '{"type":"RECORD","stream":"x","record":5}']
        )
    with pytest.raises(LoadError, match="line 2 is not a message"):
        bench.copy(bench.schema(), [start, '{"type":'])
    with pytest.raises(LoadError, match="line 2: 'NONE' is no type"):
        bench.copy(bench.schema(), [start, '{"type":"NONE"}'])
    deep = f'{{"type":"RECORD","stream":"x","record":{{"id":1,"v":{"[" * 99_999}{"]" * 99_999}}}}}'
    with pytest.raises(
        LoadError, match="line 2, stream 'x', not a valid record: maximum recursion"
    ):
        bench.copy(bench.schema(), [start, deep])
    for kind in ("ACTIVATE_VERSION", "BATCH"):
        with pytest.raises(LoadError, match=f"stream 'y': {kind} came before its SCHEMA"):
            bench.copy(bench.schema(), [start, {"type": kind, "stream": "y", "version": 1}])
    with pytest.raises(RecordsWithoutSchemaException):
        bench.copy(bench.schema(), [record({"id": 1})])


def test_the_server_names_a_row_behind_texts_of_many_lines(bench):
    properties = {**NAMED, "o": {"type": "object"}}
    rows = [record({"id": i, "name": "a\nb\n\n\x01c\r"}) for i in range(5)]
    messages = [
        schema_message(properties),
        *rows,
        record({"id": 7, "o": {"a": "\0"}, "name": "\n"}),
    ]
    with pytest.raises(LoadError, match="stream 'x', column 'o', row id=7: unsupported Unicode"):
        bench.copy(bench.schema(), messages)


def test_a_key_that_is_null_is_refused_by_the_table(bench):
    properties = {"id": {"type": ["integer", "null"]}}
    with pytest.raises(LoadError, match="column 'id', row id=null: null value"):
        bench.copy(bench.schema(), [schema_message(properties), record({"id": None})])


def test_state_keeps_its_numbers(bench):
    state = '{"type":"STATE","value":{"a":1.10,"b":"é"}}'
    assert (
        bench.copy(bench.schema(), [schema_message(ID), state]) == '{"a": 1.10, "b": "\\u00e9"}\n'
    )


def test_a_first_load_leaves_no_dead_rows(bench):
    schema = bench.schema()
    rows = [record({"id": number, "name": "a"}) for number in range(500)]
    bench.copy(schema, [schema_message(NAMED), *rows], batch_size_rows=100)
    bench.db.execute("SELECT pg_stat_clear_snapshot()")
    bench.wait_for(
        f"SELECT n_tup_ins FROM pg_stat_user_tables WHERE schemaname = '{schema}'", expected=500
    )
    found = bench.db.execute(
        "SELECT n_tup_upd, n_dead_tup FROM pg_stat_user_tables WHERE schemaname = %s", (schema,)
    ).fetchone()
    assert found == (0, 0)
