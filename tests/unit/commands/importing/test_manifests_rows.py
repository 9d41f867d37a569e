"""Rows of manifests: filters, transformations, keys, formats, and ranges of replication values."""

from __future__ import annotations

import json

import pytest

from tap_analytics.commands.importing import import_file
from tap_analytics.commands.importing.command import main


@pytest.fixture
def command(tmp_path, capsys):
    """Import a manifest by command; returns the code, the entry and the notes."""

    def run(made):
        path = tmp_path / "shop.json"
        path.write_text(json.dumps(made), "utf-8")
        code = main([str(path), "--json"])
        said = json.loads(capsys.readouterr().out)
        return code, said["apis"][0], said["notes"]

    return run


@pytest.fixture
def imported(tmp_path):
    """Import one stream; returns its resource and the notes."""

    def run(made):
        path = tmp_path / "shop.json"
        path.write_text(json.dumps(manifest(made)), "utf-8")
        found, _ = import_file(str(path))
        return found.entry["resources"][0], found.notes

    return run


def manifest(*streams):
    return {"type": "DeclarativeSource", "streams": list(streams)}


def stream(name="items", *, requester=None, retriever=None, **words):
    sender = {"type": "HttpRequester", "url_base": "https://api.shop.com/v1", "path": f"/{name}"}
    reader = {"type": "SimpleRetriever", "requester": sender | (requester or {})}
    reader |= retriever or {}
    return {"name": name, "primary_key": "id", "retriever": reader} | words


ROWS = {"extractor": {"type": "DpathExtractor", "field_path": ["data"]}}


def inline(properties):
    return {"type": "InlineSchemaLoader", "schema": {"type": "object", "properties": properties}}


def added(**fields):
    paths = [{"path": [name], "value": value} for name, value in fields.items()]
    return {"type": "AddFields", "fields": paths}


# --- ranges of replication values ---------------------------------------------------------------

SINCE = {"field_name": "since", "inject_into": "request_parameter"}
RANGE = {
    "type": "DatetimeBasedCursor",
    "cursor_field": "at",
    "datetime_format": "%Y-%m-%d",
    "start_datetime": "2024-01-01",
    "start_time_option": SINCE,
}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"lookback_window": "P1DT12H"}, {"lag": 2}),
        ({"lookback_window": "P{{ config.get('days', 0) }}D"}, {}),
        ({"lookback_window": "P{{ config.get('days', 3) }}D"}, {"lag": 3}),
        ({"lookback_window": "P{{ config['days'] }}D"}, {"lag": "P${SHOP_DAYS}D"}),
        ({"cursor_field": "meta.at"}, {"cursor_path": "meta.at"}),
        (
            {"datetime_format": "%s_as_float"},
            {
                "cursor_format": "epoch_s",
                "convert": "epoch_s",
                "initial_value": "2024-01-01T00:00:00Z",
            },
        ),
        (
            {"start_datetime": {"datetime": "31-12-2023", "datetime_format": "%d-%m-%Y"}},
            {"initial_value": "2023-12-31T00:00:00Z"},
        ),
        (
            {"start_datetime": "{{ config.get('start_date', '2020-02-02') }}"},
            {"initial_value": "2020-02-02"},
        ),
        (
            {"start_datetime": "{{ format_datetime(config.get('day', '2020-02-02'), '%s') }}"},
            {"initial_value": "2020-02-02"},
        ),
        (
            {
                "cursor_datetime_formats": ["%ms"],
                "datetime_format": "%ms",
                "lookback_window": "PT0.5S",
                "start_datetime": {"datetime": "1704067200000"},
            },
            {
                "cursor_format": "epoch_ms",
                "convert": "%ms",
                "lag": 500,
                "initial_value": "2024-01-01T00:00:00Z",
            },
        ),
    ],
)
def test_start_and_lag_of_a_range_are_taken(words, expected, command):
    code, entry, _ = command(manifest(stream(incremental_sync=RANGE | words)))

    assert code == 0
    plain = {"start_param": "since", "initial_value": "2024-01-01", "convert": "%Y-%m-%d"}
    assert entry["resources"][0]["endpoint"]["incremental"] == {
        "cursor_path": "at",
        **plain,
        **expected,
    }


def test_range_is_sent_where_the_manifest_says(command):
    end = {"field_path": ["range", "to"], "inject_into": "body_json"}
    since = {"inject_into": "header", "field_name": "X-Since"}
    time = RANGE | {"start_time_option": since, "end_time_option": end}

    _, entry, _ = command(
        manifest(stream(requester={"http_method": "POST"}, incremental_sync=time))
    )

    endpoint = entry["resources"][0]["endpoint"]
    assert endpoint["headers"] == {"X-Since": "{incremental.start_value}"}
    assert endpoint["json"] == {"range": {"to": "{incremental.end_value}"}}
    assert endpoint["incremental"]["end_value"] == "now"


@pytest.mark.parametrize(
    ("limits", "start"),
    [
        ({"min_datetime": "2023-01-01"}, "2024-01-01"),
        ({"min_datetime": "2024-02-01"}, "2024-02-01"),
        ({"max_datetime": "2024-02-01"}, "2024-01-01"),
        ({"max_datetime": "2023-01-01"}, "2023-01-01"),
        ({"min_datetime": "2024-02-01", "max_datetime": "2023-01-01"}, "2023-01-01"),
        ({"min_datetime": "{{ day_delta(-30) }}"}, "2024-01-01"),
    ],
)
def test_range_begins_within_the_limits_of_its_start(limits, start, command):
    moment = {"type": "MinMaxDatetime", "datetime": "2024-01-01"} | limits

    code, entry, notes = command(
        manifest(stream(incremental_sync=RANGE | {"start_datetime": moment}))
    )

    assert code == 0
    assert entry["resources"][0]["endpoint"]["incremental"]["initial_value"] == start
    is_computed = "{{" in limits.get("min_datetime", "")
    assert any("a run may begin earlier" in note for note in notes) is is_computed


def test_limits_of_a_start_that_is_a_setting_are_noted(command):
    moment = {"datetime": "{{ config['start'] }}", "max_datetime": "{{ day_delta(-1) }}"}

    code, _, notes = command(manifest(stream(incremental_sync=RANGE | {"start_datetime": moment})))

    assert code == 0
    assert any("max_datetime: isn't applied to `start_date`" in note for note in notes)


def test_counter_begins_with_its_first_number(command):
    count = {"type": "IncrementingCountCursor", "cursor_field": "n", "start_value_option": SINCE}

    _, entry, _ = command(manifest(stream(incremental_sync=count)))

    assert entry["resources"][0]["endpoint"]["incremental"] == {
        "cursor_path": "n",
        "cursor_format": "number",
        "start_param": "since",
        "initial_value": 0,
    }


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"type": "CustomIncrementalSync"}, "its cursor is a CustomIncrementalSync"),
        ({"cursor_field": "{{ now_utc() }}"}, "its cursor_field is computed"),
        ({"lookback_window": "PT{{ config['hours'] }}H"}, "its lookback_window isn't a duration"),
        (
            {"lookback_window": "P{{ config['days'] }}D", "datetime_format": "%s"},
            "its lookback_window isn't a duration",
        ),
        ({"clamping": {"target": "MONTH"}}, "its windows begin on certain days"),
        ({"step": "a week"}, "its step isn't a duration"),
        ({"datetime_format": "%epoch_microseconds"}, "has the unknown directive %e"),
        ({"datetime_format": "%Q"}, "its datetime_format has the unknown directive %Q"),
        ({"start_datetime": {"datetime": "soon"}}, "its start_datetime `soon` is no time"),
        (
            {"start_datetime": {"datetime": "2024-01-01", "max_datetime": "{{ day_delta(-1) }}"}},
            "its start_datetime has a computed max_datetime",
        ),
        (
            {"end_time_option": SINCE | {"field_name": "to"}, "end_datetime": "{{ day_delta(1) }}"},
            "its times end after a run begins",
        ),
        ({"start_time_option": SINCE | {"inject_into": "path"}}, "is sent as path"),
    ],
)
def test_cursor_that_would_ask_for_other_rows_leaves_the_stream_out(words, reason, command):
    odd = stream("odd", incremental_sync=RANGE | words)

    code, entry, notes = command(manifest(stream(), odd))

    assert code == 1
    assert [resource["name"] for resource in entry["resources"]] == ["items"]
    assert any(reason in note for note in notes)


# --- windows as columns -------------------------------------------------------------------------

DAYS = RANGE | {"step": "P1D", "cursor_granularity": "P1D"}
WEEKS = DAYS | {"step": "P7D"}
SECONDS = RANGE | {"datetime_format": "%s", "start_datetime": "1704067200"}
START, END = "{{ stream_slice.start_time }}", "{{ stream_interval['end_time'] }}"


@pytest.mark.parametrize(
    ("cursor", "fields", "columns", "form"),
    [
        (DAYS, {"at": START}, {"at": "{incremental.start_value}"}, "%Y-%m-%d"),
        (WEEKS, {"at": END}, {"at": "{incremental.end_value}"}, "%Y-%m-%d"),
        (DAYS, {"at": f"'{START}'"}, {"at": "{incremental.start_value}"}, "%Y-%m-%d"),
        (
            RANGE | {"datetime_format": "%s"},
            {"at": END},
            {"at": "{incremental.end_value}"},
            "epoch_s",
        ),
        (
            DAYS | {"datetime_format": "%Y%m%d", "start_datetime": "20240101"},
            {"at": f"'{START}'"},
            {"at": "{incremental.start_value}"},
            "%Y%m%d",
        ),
    ],
)
def test_end_of_a_window_is_a_column_and_the_replication_key(
    cursor, fields, columns, form, imported
):
    resource, notes = imported(
        stream(incremental_sync=cursor, transformations=[added(**fields)], primary_key=["at", "id"])
    )

    assert resource["processing_steps"] == [{"add_fields": columns}]
    made = resource["endpoint"]["incremental"]
    assert (made["cursor_path"], made["convert"]) == ("at", form)
    assert made.get("granularity") == cursor.get("cursor_granularity")
    assert "end_value" not in made
    assert notes == ()


@pytest.mark.parametrize(
    ("cursor", "text", "key", "reason"),
    [
        # The type of the original would be another one.
        (DAYS | {"datetime_format": "%Y%m%d"}, START, "id", "its cursor `at` is computed"),
        (DAYS | {"datetime_format": "%s_as_float"}, START, "id", "its cursor `at` is computed"),
        (DAYS | {"datetime_format": "%s"}, f"'{START}'", "id", "its cursor `at` is computed"),
        (DAYS, f"from {START}", "id", "its cursor `at` is computed"),
        (DAYS | {"lookback_window": "P1D"}, START, [], "reads windows again whose rows come twice"),
        (DAYS | {"lookback_window": "P1D"}, END, "at", "reads windows again whose rows come twice"),
        (WEEKS | {"lookback_window": "P1D"}, START, "at", "reads windows again whose rows"),
        (DAYS | {"start_time_option": None}, START, "id", "windows whose start isn't sent"),
    ],
)
def test_window_that_cannot_be_a_column_leaves_the_stream_out(cursor, text, key, reason, command):
    cursor = {word: value for word, value in cursor.items() if value is not None}
    odd = stream("odd", incremental_sync=cursor, transformations=[added(at=text)], primary_key=key)

    code, entry, notes = command(manifest(stream(), odd))

    assert code == 1
    assert [resource["name"] for resource in entry["resources"]] == ["items"]
    assert any(reason in note for note in notes)


@pytest.mark.parametrize("key", ["at", "id"])
def test_lookback_is_taken_where_rows_of_windows_are_replaced(key, imported):
    cursor = DAYS | {"lookback_window": "P3D"}
    resource, _ = imported(
        stream(incremental_sync=cursor, transformations=[added(at=START)], primary_key=key)
    )

    assert resource["endpoint"]["incremental"]["lag"] == 3


def test_stream_below_rows_of_windows_is_left_out(command):
    parent = stream(incremental_sync=DAYS, transformations=[added(at=START)])
    router = {
        "type": "SubstreamPartitionRouter",
        "parent_stream_configs": [
            {"stream": parent, "parent_key": "id", "partition_field": "item_id"}
        ],
    }
    requester = {"path": "items/{{ stream_partition.item_id }}/parts"}
    child = stream("parts", requester=requester, retriever={"partition_router": router})

    _, entry, notes = command(manifest(parent, child))

    assert [resource["name"] for resource in entry["resources"]] == ["items"]
    assert any("its parent has rows of windows" in note for note in notes)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("{{ record['meta']['at'].split('.')[0] }}", "meta.at"),
        ('{{ record.meta["at"].split("+")[0] }}', "meta.at"),
        ("{{ format_datetime(record['changed'], '%Y-%m-%d') }}", "changed"),
    ],
)
def test_cursor_that_is_written_anew_is_that_of_the_field(text, path, imported):
    resource, _ = imported(stream(incremental_sync=RANGE, transformations=[added(at=text)]))

    assert resource["endpoint"]["incremental"]["cursor_path"] == path
    assert "processing_steps" not in resource


@pytest.mark.parametrize(
    "text",
    [
        "{{ record['meta']['at'].split('.')[1] }}",
        "{{ format_datetime(record['changed'], '%Y', '%d.%m.%Y') }}",
        "{{ record['meta']['at'] | hash }}",
    ],
)
def test_cursor_that_is_another_time_leaves_the_stream_out(text, command):
    odd = stream("odd", incremental_sync=RANGE, transformations=[added(at=text)])

    _, entry, notes = command(manifest(stream(), odd))

    assert [resource["name"] for resource in entry["resources"]] == ["items"]
    assert any("its cursor `at` is computed" in note for note in notes)


# --- filters and transformations ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "expression"),
    [
        ("{{ record.status == 'open' }}", "@.status == 'open'"),
        ("{{ record['a b'] != 'x' }}", "!(@['a b'] == 'x')"),
        ("{{ record.kind in ['a', \"b's\"] }}", "@.kind == 'a' || @.kind == 'b\\'s'"),
        ("{{ record.gone is not none }}", "!(@.gone == null)"),
        ("{{ record.get('gone') is not none }}", "!(@.gone == null || !@.gone)"),
        ("{{ 'x' in record }}", "@.x"),
        ("{{ record.a == 'x' and not record.b == 'y' }}", "@.a == 'x' && !(@.b == 'y')"),
        ("{{ record.id == config.get('only', 7) }}", "@.id == 7"),
        ("{{ record.kind in config.kinds or not config.kinds }}", None),
        ("{{ record.id == 1 if config.get('one') else true }}", None),
    ],
)
def test_condition_is_a_filter(condition, expression, imported):
    rows = {"record_filter": {"type": "RecordFilter", "condition": condition}, **ROWS}

    resource, _ = imported(stream(retriever={"record_selector": rows}))

    steps = None if expression is None else [{"filter": expression}]
    assert resource.get("processing_steps") == steps


@pytest.mark.parametrize("is_last", [None, True])
def test_order_of_filter_and_transformations_is_kept(is_last, imported):
    rows = {"record_filter": {"condition": "{{ record.x == 1 }}"}, **ROWS}
    rows |= {} if is_last is None else {"transform_before_filtering": is_last}
    remove = {"type": "RemoveFields", "field_pointers": [["x"]]}

    resource, _ = imported(stream(retriever={"record_selector": rows}, transformations=[remove]))

    steps = [{"filter": "@.x == 1 || @.x == true"}, {"remove_fields": ["x"]}]
    assert resource["processing_steps"] == (steps[::-1] if is_last else steps)


@pytest.mark.parametrize(
    ("transformations", "steps"),
    [
        (
            [added(a="shop", b="7", c="{{ 'x' }}")],
            [{"add_fields": {"a": "shop", "b": 7, "c": "x"}}],
        ),
        ([added(a="{{ record.x.y }}")], [{"add_fields": {"a": "{record.x.y}"}}]),
        (
            [added(a="{{ record.get('x', {}).get('y') }}", b="{{ (record.x or {}).get('y') }}")],
            [{"add_fields": {"a": "{record.x.y}", "b": "{record.x.y}"}}],
        ),
        (
            [added(a="{{ record['keys'][0] }}", b="{{ record.a }}-{{ record.n }}")],
            [
                {"add_fields": {"a": "{record.keys[0]}"}},
                {"add_fields": {"b": "{record.a}-{record.n}"}},
            ],
        ),
        (
            [added(a="{{ record['a b'] }}", b="{{ record.x['c.d']['e'] }}")],
            [{"add_fields": {"a": "{record.['a b']}", "b": "{record.x['c.d'].e}"}}],
        ),
        (
            [
                added(x="{{ record.z }}"),
                added(a="{{ {'i': record.x, 'l': [record['y'], '5']} }}"),
            ],
            [
                {"add_fields": {"x": "{record.z}"}},
                {"add_fields": {"a": {"i": "{record.x}", "l": ["{record.y}", "5"]}}},
            ],
        ),
        (
            [{"type": "RemoveFields", "field_pointers": [["a"], ["b", "c"], ["d.e"]]}],
            [{"remove_fields": ["a", "b.c", "d.e"]}],
        ),
    ],
)
def test_transformation_is_a_step(transformations, steps, imported):
    resource, _ = imported(stream(transformations=transformations))

    assert resource["processing_steps"] == steps


FLATTEN = {"type": "DpathFlattenFields", "field_path": ["a", "b"], "delete_origin_value": True}
HOUR = "{{ str_to_datetime(record.at).strftime('%Y-%m-%d %H') }}"
NAMED = "{{ record['url'] | regex_search(\"/(\\d+-[a-z]{2})$\") }}"
SHORT = '{{ record.url.replace("https://a.com/v2", "") }}'


@pytest.mark.parametrize(
    ("transformations", "steps"),
    [
        ([added(id=HOUR)], [{"add_fields": {"id": "{record.at.%Y-%m-%d %H}"}}]),
        (
            [added(id=NAMED)],
            [{"add_fields": {"id": "{record.url}"}}, {"match_fields": {"id": r"/(\d+-[a-z]{2})$"}}],
        ),
        (
            [added(id=SHORT)],
            [
                {"add_fields": {"id": "{record.url}"}},
                {
                    "match_fields": {
                        "id": r"\A(?:https://a\.com/v2)?((?:(?!https://a\.com/v2)[\s\S])*)\Z"
                    }
                },
            ],
        ),
        (
            [added(id="{{ record['url'][:10] }}")],
            [{"add_fields": {"id": "{record.url}"}}, {"match_fields": {"id": r"\A([\s\S]{0,10})"}}],
        ),
        (
            [added(id=r"{{ record.url | regex_search('\$USD(\d+)$') }}")],
            [{"add_fields": {"id": "{record.url}"}}, {"match_fields": {"id": r"\$$USD(\d+)$"}}],
        ),
        ([added(x="a"), FLATTEN], [{"add_fields": {"x": "a"}}, {"flatten_fields": ["a.b"]}]),
    ],
)
def test_key_may_be_made_of_texts_and_times(transformations, steps, imported):
    columns = inline({"id": {"type": ["string", "null"]}, "url": {"type": "string"}})
    resource, notes = imported(stream(transformations=transformations, schema_loader=columns))

    assert resource["processing_steps"] == steps, notes
    assert resource["primary_key"] == "id"


@pytest.mark.parametrize(
    ("transformations", "words"),
    [
        # Of another type than text there.
        ([added(id="{{ str_to_datetime(record.at).strftime('%Y') }}")], {}),
        ([added(id="{{ str_to_datetime(record.at).strftime('at %Y') }}")], {}),
        ([added(id="{{ str_to_datetime(record.at) }}")], {}),
        ([added(id="{{ str_to_datetime(record.at) }} UTC")], {}),
        ([added(id="{{ str_to_datetime(record.at)[:10] }}")], {}),
        ([added(id="{{ str_to_datetime(record.at) | string }}")], {}),
        ([added(id=NAMED)], {"schema_loader": inline({"id": {"type": "integer"}})}),
        ([added(url="x", id=NAMED)], {}),
        ([added(id="{{ record.url | regex_search('a') }}")], {}),
        ([added(id="{{ record.url | regex_search('(a)(b)') }}")], {}),
        ([added(id="{{ record.url | regex_search('(a') }}")], {}),
        ([added(id="{{ record.url.replace('-', '') }}")], {}),
        ([FLATTEN | {"delete_origin_value": False}], {}),
        ([FLATTEN | {"replace_record": True}], {}),
        ([FLATTEN | {"key_transformation": {"prefix": "a_"}}], {}),
        ([FLATTEN | {"field_path": ["a", "*"]}], {}),
        ([FLATTEN | {"field_path": ["{{ config['a'] }}"]}], {}),
        ([added(x="{{ now_utc() }}"), FLATTEN], {}),
        ([FLATTEN], {"incremental_sync": RANGE}),
    ],
)
def test_key_that_would_be_another_one_leaves_the_stream_out(transformations, words, command):
    odd = stream("odd", transformations=transformations, **words)
    _, entry, notes = command(manifest(stream(), odd))

    assert [resource["name"] for resource in entry["resources"]] == ["items"], notes


def test_field_that_others_would_be_computed_from_is_kept(imported):
    changes = [
        added(names="{{ record.tags | map(attribute='name') | list }}"),
        {"type": "RemoveFields", "field_pointers": [["tags", "nodes"], ["other"]]},
    ]
    resource, notes = imported(stream(transformations=changes))

    assert resource["processing_steps"] == [{"remove_fields": ["other"]}]
    assert any("`tags.nodes` can't be said, or others are computed" in each for each in notes)


def test_key_that_is_a_hash_of_the_row_is_taken(imported):
    fields = {"copy": "{{ record }}", "uid": "{{record|hash('md5')}}", "from": "shop"}
    resource, _ = imported(stream(primary_key="uid", transformations=[added(**fields)]))

    assert resource["primary_key"] == "uid"
    assert resource["processing_steps"] == [
        {"add_fields": {"copy": "{record}"}},
        {"add_hashes": {"uid": "{record}"}},
        {"add_fields": {"from": "shop"}},
    ]


def test_hashes_of_fields_are_steps(imported):
    fields = {"a": "{{ record['a-b'] | hash }}", "mail": '{{ record.mail | hash("md5") }}'}
    resource, _ = imported(stream(transformations=[added(**fields)]))

    assert resource["processing_steps"] == [
        {"add_hashes": {"a": "{record.['a-b']}"}},
        {"add_hashes": {"mail": "{record.mail}"}},
    ]


@pytest.mark.parametrize(
    "words",
    [
        # The row, or the field, has another text in the CDK.
        {"transformations": [added(a="{{ record.b }}", uid="{{ record | hash }}")]},
        {"transformations": [added(a="{{ now_utc() }}", uid="{{ record | hash }}")]},
        {"transformations": [added(a="{{ record.b }}", uid="{{ record.a | hash }}")]},
        {"transformations": [added(a="{{ now_utc() }}", uid="{{ record.a | hash }}")]},
        {
            "transformations": [
                {"type": "RemoveFields", "field_pointers": [["a", "*"]]},
                added(uid="{{ record | hash }}"),
            ]
        },
        {
            "transformations": [added(uid="{{ record | hash }}")],
            "retriever": {"decoder": {"type": "CsvDecoder"}},
        },
        # The column of a nested key precedes the steps.
        {
            "transformations": [added(uid="{{ record | hash }}")],
            "primary_key": [["meta", "id"], ["uid"]],
        },
        {"transformations": [added(uid="{{ record | hash }}")], "incremental_sync": RANGE},
        {"transformations": [added(uid="{{ record.items | hash }}")]},
        {"transformations": [added(uid="{{ record.a.b | hash }}")]},
        {"transformations": [added(uid="{{ record.a | hash('md5', 'salt') }}")]},
    ],
)
def test_hash_of_what_the_tap_has_otherwise_is_no_key(words, command):
    given = {"primary_key": "uid"} | words

    _, entry, notes = command(manifest(stream(), stream("odd", **given)))

    assert [resource["name"] for resource in entry["resources"]] == ["items"]
    assert any("its key `uid` is computed" in note for note in notes)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"transformations": [{"type": "KeysToLower"}]}, "its rows are changed by KeysToLower"),
        (
            {"transformations": [added(id="{{ record.a | hash('sha1') }}")]},
            "its key `id` is computed by a transformation",
        ),
        (
            {"transformations": [added(at="{{ record.a | hash }}")], "incremental_sync": RANGE},
            "its cursor `at` is computed by a transformation",
        ),
        ({"primary_key": "{{ now_utc() }}"}, "its primary_key is computed"),
    ],
)
def test_stream_whose_key_or_columns_cannot_be_said_is_left_out(words, reason, command):
    code, entry, notes = command(manifest(stream(), stream("odd", **words)))

    assert code == 1
    assert [resource["name"] for resource in entry["resources"]] == ["items"]
    assert any(reason in note for note in notes)


def test_schema_of_transformed_rows_is_taken(imported):
    columns = {
        "id": {"type": "integer"},
        "owner": {"type": ["object", "null"], "properties": {"id": {"type": "integer"}}},
        "copy": {"type": "string"},
        "hash": {"type": "string"},
    }
    transformations = [added(copy="{{ record.owner.id }}", hash="{{ record.id | hash('sha1') }}")]
    transformations[0]["fields"][0]["value_type"] = "string"

    resource, _ = imported(stream(transformations=transformations, schema_loader=inline(columns)))

    properties = resource["schema"]["properties"]
    assert properties["copy"] == {"type": ["string", "null", "integer"]}
    assert sorted(properties) == ["copy", "id", "owner"]


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ("id", "id"),
        (["a", "b"], ["a", "b"]),
        ([["a"], ["b"]], ["a", "b"]),
        ([["a", "b"]], "a.b"),
        ([["a", "b"], "c"], ["a.b", "c"]),
    ],
)
def test_key_may_be_nested(given, key, imported):
    resource, _ = imported(stream(primary_key=given))

    assert resource["primary_key"] == key


@pytest.mark.parametrize(
    ("decoder", "expected"),
    [
        ({"type": "JsonDecoder"}, None),
        ({"type": "JsonlDecoder"}, "jsonl"),
        ({"type": "CsvDecoder"}, "csv"),
        ({"type": "CsvDecoder", "delimiter": ";"}, {"type": "csv", "delimiter": ";"}),
        ({"type": "GzipDecoder", "decoder": {"type": "JsonlDecoder"}}, "jsonl"),
    ],
)
def test_format_of_the_response_is_taken(decoder, expected, imported):
    resource, _ = imported(stream(retriever={"decoder": decoder}))

    endpoint = resource["endpoint"]
    assert (endpoint.get("decoder") if isinstance(endpoint, dict) else None) == expected
