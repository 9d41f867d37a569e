"""What goes out of a row: selection, unknown fields, stream maps, and the exact text of values."""

from __future__ import annotations

import json
import logging
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.examples import costly
from support.runs import STREAM, declared, deselect, discover, run, select
from support.servers import JsonApi, reply

from tap_analytics.records.codec import decode_json
from tap_analytics.records.rows import DictRows, RowDecoder

NEW = {"id": 2, "name": "b", "extra": {"deep": [1]}, "price": 1}
SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "name": {"type": ["string", "null"]},
        "address": {
            "type": ["object", "null"],
            "properties": {"city": {"type": ["string", "null"]}, "zip": {"type": ["string"]}},
        },
    },
}


def pages(*given_pages):
    """Return a server of pages by offset, one row list each, as text where text is given."""

    def answer(query):
        start, before = int(query["offset"]), 0
        for page in given_pages:
            if start == before:
                if isinstance(page, bytes):
                    return reply(200, b'{"data": [' + page + b"]}")
                return {"data": page}
            before += page.count(b'"id"') if isinstance(page, bytes) else len(page)
        return {"data": []}

    return answer


def config(origin, *, schema=SCHEMA, **more):
    endpoint = {"paginator": {"type": "offset", "limit": 1}} | more.pop("endpoint", {})
    return declared(origin, endpoint=endpoint, **({"schema": schema} if schema else {}), **more)


# --- unknown fields -----------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("old_pages", [0, 1, 3])
def test_a_new_field_extends_the_schema_before_its_first_record(old_pages, concurrency):
    old = [[{"id": 100 + n, "name": "a"}] for n in range(old_pages)]
    with JsonApi(pages(*old, [NEW], [{"id": 3, "name": None}])) as api:
        done = run(config(api.origin) | {"concurrency": concurrency})
    assert done.error is None
    assert done.kinds == ["SCHEMA", *["RECORD"] * old_pages, "SCHEMA", "RECORD", "RECORD"]
    assert NEW in done.records()
    added = done.properties()
    assert added["extra"] == {
        "type": ["object", "null"],
        "properties": {"deep": {"type": ["array", "null"], "items": {"type": ["number", "null"]}}},
        "additionalProperties": True,
    }
    assert added["price"] == {"type": ["number", "null"]}
    assert added["id"] == {"type": "integer"}


@pytest.mark.parametrize("old_pages", [0, 1, 3])
def test_a_new_field_is_dropped_with_one_warning_where_it_is_to_be_ignored(old_pages, caplog):
    old = [[{"id": 100 + n, "name": "a"}] for n in range(old_pages)]
    with JsonApi(pages(*old, [NEW], [{**NEW, "id": 3}])) as api:
        done = run(config(api.origin, on_unknown_field="ignore"))
    assert done.records()[-2:] == [{"id": 2, "name": "b"}, {"id": 3, "name": "b"}]
    assert done.kinds.count("SCHEMA") == 1
    warnings = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "extra, price" in warnings[0].getMessage()


@pytest.mark.parametrize("old_pages", [0, 1, 3])
def test_a_new_field_fails_the_stream_where_it_is_not_to_come(old_pages):
    old = [[{"id": 100 + n, "name": "a"}] for n in range(old_pages)]
    with JsonApi(pages(*old, [NEW])) as api:
        done = run(config(api.origin, on_unknown_field="fail"))
    assert done.error is not None
    assert "extra, price" in done.failure()
    assert "on_unknown_field" in done.failure()
    assert 2 not in done.ids()


@pytest.mark.parametrize("policy", ["evolve", "ignore", "fail"])
def test_a_new_field_of_a_row_that_is_not_wanted_is_new_in_the_next_that_is(policy):
    old = {"id": 1, "name": "a", "at": "2020-01-01T00:00:00Z", "extra": 1}
    new = {"id": 2, "name": "b", "at": "2024-01-01T00:00:00Z", "extra": 2}
    schema = {**SCHEMA, "properties": {**SCHEMA["properties"], "at": {"type": "string"}}}
    with JsonApi(pages([old], [new])) as api:
        endpoint = {"incremental": {"cursor_path": "at"}}
        given_config = config(
            api.origin,
            schema=schema,
            endpoint=endpoint,
            start_date="2023-01-01",
            on_unknown_field=policy,
        )
        done = run(given_config)
    if policy == "fail":
        assert "extra" in done.failure()
    elif policy == "ignore":
        assert done.records() == [{name: new[name] for name in ("id", "name", "at")}]
    else:
        assert done.records() == [new]
        assert "extra" in done.properties()
        assert done.kinds == ["SCHEMA", "SCHEMA", "RECORD"]


def test_a_field_that_is_new_twice_evolves_twice():
    with JsonApi(pages([{"id": 1, "x": 1}], [{"id": 2, "y": "t"}], [{"id": 3, "x": 2}])) as api:
        done = run(config(api.origin))
    assert done.kinds == ["SCHEMA", "SCHEMA", "RECORD", "SCHEMA", "RECORD", "RECORD"]
    assert {"x", "y"} <= set(done.properties())


@pytest.mark.parametrize("value", ["1e400", "123456789012345678901234567890", "-0.10", "[]", "{}"])
def test_a_new_field_may_hold_any_value(value):
    body = f'{{"id": 1, "new": {value}}}'.encode()
    with JsonApi(pages(body)) as api:
        done = run(config(api.origin))
    assert done.error is None
    assert "new" in done.properties()


def test_all_records_hold_what_their_schema_says():
    rows = [{"id": n, "name": "a", **({"extra": n} if n == 5 else {})} for n in range(10)]
    with JsonApi(pages(*([row] for row in rows))) as api:
        done = run(config(api.origin))
    assert done.ids() == list(range(10))
    fields = set()
    for message in done.messages:
        if message["type"] == "SCHEMA":
            fields = set(message["schema"]["properties"])
        elif message["type"] == "RECORD":
            assert set(message["record"]) <= fields


# --- selection ----------------------------------------------------------------------------------


PERSON = {"id": 1, "name": "a", "address": {"city": "x", "zip": "1", "po": None}}


@pytest.mark.parametrize("at_page", [0, 2])
def test_a_deselected_field_stays_out(at_page):
    rows = [[{**PERSON, "id": n}] for n in range(3)]
    with JsonApi(pages(*rows)) as api:
        given_config = config(api.origin)
        catalog = deselect(discover(given_config), STREAM, "name")
        done = run(given_config, catalog=catalog)
    assert done.records()[at_page] == {"id": at_page, "address": PERSON["address"]}
    assert set(done.properties()) == {"id", "address"}
    assert done.kinds.count("SCHEMA") == 1


def test_a_deselected_nested_field_stays_out():
    rows = [[{**PERSON, "id": n}] for n in range(3)]
    with JsonApi(pages(*rows)) as api:
        given_config = config(api.origin)
        catalog = deselect(discover(given_config), STREAM, "address", "zip")
        done = run(given_config, catalog=catalog)
    assert [record["address"] for record in done.records()] == [{"city": "x", "po": None}] * 3
    assert "zip" not in done.properties()["address"]["properties"]


def test_a_field_that_the_catalogs_owner_pruned_stays_out():
    with JsonApi(pages([PERSON], [{**PERSON, "id": 2, "new": 1}])) as api:
        given_config = config(api.origin)
        catalog = discover(given_config)
        del catalog["streams"][0]["schema"]["properties"]["address"]
        done = run(given_config, catalog=catalog)
    assert done.records() == [{"id": 1, "name": "a"}, {"id": 2, "name": "a", "new": 1}]
    assert "address" not in done.properties()


def test_a_deselected_field_stays_out_when_others_evolve():
    with JsonApi(pages([PERSON], [{**PERSON, "id": 2, "new": 1}], [{**PERSON, "id": 3}])) as api:
        given_config = config(api.origin)
        catalog = deselect(discover(given_config), STREAM, "name")
        catalog = deselect(catalog, STREAM, "address", "city")
        done = run(given_config, catalog=catalog)
    address = {"zip": "1", "po": None}
    assert done.records() == [
        {"id": 1, "address": address},
        {"id": 2, "address": address, "new": 1},
        {"id": 3, "address": address},
    ]
    assert "name" not in done.properties()
    assert "city" not in done.properties()["address"]["properties"]


def test_a_deselected_stream_is_neither_announced_nor_requested():
    with JsonApi(pages([PERSON])) as api:
        given_config = config(api.origin)
        catalog = select(discover(given_config))
        done = run(given_config, catalog=catalog)
    assert done.lines == []
    assert api.requests == []


def test_a_key_cannot_be_deselected():
    with JsonApi(pages([PERSON])) as api:
        given_config = config(api.origin)
        done = run(given_config, catalog=deselect(discover(given_config), STREAM, "id"))
    assert done.ids() == [1]


KEYED = ("id", "at")
AT = {"type": ["string", "null"]}
INCREMENTAL = {
    "schema": {"type": "object", "properties": {**SCHEMA["properties"], "at": AT}},
    "endpoint": {"incremental": {"cursor_path": "at"}},
}


def unselected(catalog):
    """Deselect the keys where the catalog says nothing of their inclusion."""
    for part in catalog["streams"][0]["metadata"]:
        if part["breadcrumb"][1:] and part["breadcrumb"][1] in KEYED:
            part["metadata"] = {"selected": False}


def unsupported(catalog):
    for part in catalog["streams"][0]["metadata"]:
        if part["breadcrumb"][1:] and part["breadcrumb"][1] in KEYED:
            part["metadata"] = {"inclusion": "unsupported"}


def pruned(catalog):
    for name in KEYED:
        del catalog["streams"][0]["schema"]["properties"][name]


def without_metadata(catalog):
    catalog["streams"][0]["metadata"] = []
    pruned(catalog)


def without_key_properties(catalog):
    del catalog["streams"][0]["key_properties"]


def without_any_keys(catalog):
    entry = catalog["streams"][0]
    del entry["key_properties"]
    del entry["metadata"][-1]["metadata"]["table-key-properties"]


@pytest.mark.parametrize("maps", [{}, {STREAM: {"twice": "name * 2"}}], ids=["raw", "mapped"])
@pytest.mark.parametrize(
    "change",
    [
        unselected,
        unsupported,
        pruned,
        without_metadata,
        without_key_properties,
        without_any_keys,
    ],
)
def test_the_keys_of_a_stream_are_always_selected(change, maps):
    rows = [
        [{"id": n, "at": f"2024-01-0{n + 1}", "name": "x"} | ({"new": 1} if n == 2 else {})]
        for n in range(4)
    ]
    with JsonApi(pages(*rows)) as api:
        given_config = config(api.origin, **INCREMENTAL)
        catalog = discover(given_config)
        assert catalog["streams"][0]["metadata"][-1]["breadcrumb"] == []
        change(catalog)
        done = run(given_config | {"stream_maps": maps}, catalog=catalog)
    assert done.error is None
    assert done.ids() == [0, 1, 2, 3]
    assert [row["at"] for row in done.records()] == [row[0]["at"] for row in rows]
    assert done.bookmark() == "2024-01-04"
    schemas = done.of("SCHEMA")
    assert len(schemas) == 2
    for message in schemas:
        assert message["key_properties"] == ["id"]
        assert {"id", "at", "name"} <= set(message["schema"]["properties"])
        assert message["bookmark_properties"] == ["at"]


def test_a_catalog_may_say_that_a_stream_has_no_key():
    with JsonApi(pages([PERSON], [{**PERSON, "new": 1}])) as api:
        given_config = config(api.origin)
        catalog = discover(given_config)
        catalog["streams"][0]["key_properties"] = []
        del catalog["streams"][0]["metadata"][-1]["metadata"]["table-key-properties"]
        done = run(given_config, catalog=catalog)
    assert not any(message.get("key_properties") for message in done.of("SCHEMA"))
    assert len(done.records()) == 2


def test_a_catalog_that_asks_for_incremental_reading_gets_the_streams_own_bookmark():
    with JsonApi(pages([{"id": 1, "at": "2024-01-01"}])) as api:
        given_config = config(api.origin, **INCREMENTAL)
        catalog = discover(given_config)
        entry = catalog["streams"][0]
        del entry["replication_key"]
        del entry["metadata"][-1]["metadata"]["replication-key"]
        entry["replication_method"] = "INCREMENTAL"
        done = run(given_config, catalog=catalog)
    assert done.bookmark() == "2024-01-01"


def test_a_row_without_its_key_fails_the_stream():
    with JsonApi(pages([{"id": 1}], [{"name": "x"}])) as api:
        done = run(config(api.origin))
    assert "`id`" in done.failure()
    assert done.ids() == [1]


# --- stream maps and flattening -----------------------------------------------------------------


MAPPED = [[{"id": n, "name": name}] for n, name in enumerate("abc", start=1)]


@pytest.mark.parametrize(
    ("maps", "expected"),
    [
        (
            {STREAM: {"title": "name", "name": None}},
            {STREAM: [{"id": n, "title": c} for n, c in enumerate("abc", start=1)]},
        ),
        ({STREAM: {"__filter__": "name != 'b'"}}, {STREAM: [{"id": 1, "name": "a"}, MAPPED[2][0]]}),
        ({STREAM: {"__alias__": "things"}}, {"things": [page[0] for page in MAPPED]}),
        (
            {"copy": {"__source__": STREAM, "id": "id", "__else__": None}},
            {
                STREAM: [page[0] for page in MAPPED],
                "copy": [{"id": n} for n in range(1, 4)],
            },
        ),
        ({STREAM: None}, {}),
        ({"__else__": None}, {}),
    ],
    ids=["rename", "filter", "alias", "duplicate", "remove", "else"],
)
def test_stream_maps_see_conformed_rows(maps, expected):
    schema = {**SCHEMA, "properties": {k: SCHEMA["properties"][k] for k in ("id", "name")}}
    with JsonApi(pages(*MAPPED)) as api:
        done = run(config(api.origin, schema=schema, stream_maps=maps))
    found = {m["stream"] for m in done.messages if m["type"] == "RECORD"}
    assert {stream: done.records(stream) for stream in found} == expected
    for stream in expected:
        announced = done.properties(stream)
        assert all(set(record) <= set(announced) for record in done.records(stream))


def test_a_new_field_passes_through_stream_maps():
    with JsonApi(pages([{"id": 1, "name": "a"}], [{"id": 2, "name": "b", "new": 7}])) as api:
        done = run(config(api.origin, stream_maps={STREAM: {"title": "name"}}))
    assert done.records()[-1] == {"id": 2, "name": "b", "new": 7, "title": "b"}
    assert "new" in done.properties()
    assert "title" in done.properties()


def test_nested_objects_are_flattened_where_asked():
    with JsonApi(pages([PERSON], [{**PERSON, "id": 2, "more": {"deep": 1}}])) as api:
        done = run(config(api.origin, flattening_enabled=True, flattening_max_depth=2))
    assert done.error is None
    flat = {"name": "a", "address__city": "x", "address__zip": "1"}
    for number, record in enumerate(done.records(), start=1):
        assert {**record, **flat, "id": number} == record
    assert done.records()[1]["more__deep"] == 1
    assert {"address__city", "more__deep"} <= set(done.properties())


# --- exact text ---------------------------------------------------------------------------------


EXACT = ["0.1", "1.10", "100000000000000000000001", "1E+400", "-0.0", "0.30000000000000004"]


@pytest.mark.parametrize("maps", [{}, {STREAM: {"copy": "name"}}], ids=["plain", "mapped"])
@pytest.mark.parametrize("number", EXACT)
@pytest.mark.parametrize("place", ["first page", "second page"])
def test_numbers_go_out_with_every_digit(number, place, maps):
    row = f'{{"id": 1, "name": "a", "address":{{"n":{number}}}}}'.encode()
    other = b'{"id": 2, "name": "b"}'
    with JsonApi(pages(*((row, other) if place == "first page" else (other, row)))) as api:
        done = run(config(api.origin, stream_maps=maps))
    line = next(line for line in done.lines if b'"id":1,' in line)
    assert f'"n":{number}}}'.encode() in line


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"\ud800"', "\ufffd"),
        (r'"a\udfffb"', "a\ufffdb"),
        (r'"\ud83d\ude00"', "😀"),
        (r'"a\u0000b"', "a\ufffdb"),
        (r'"\\u0000"', r"\u0000"),
        (r'"\u2028"', "\u2028"),
        (r'"a\nb"', "a\nb"),
        ('"\u2028\u0085\x7f"', "\u2028\u0085\x7f"),
        ('"Zoë"', "Zoë"),
        (r'"\\ud800"', r"\ud800"),
    ],
    ids=ascii,
)
@pytest.mark.parametrize("first", [True, False])
def test_text_goes_out_as_it_came_and_as_valid_utf8(text, value, first):
    row = f'{{"id": 1, "name": {text}}}'.encode()
    other = b'{"id": 2, "name": "b"}'
    with JsonApi(pages(*((row, other) if first else (other, row)))) as api:
        done = run(config(api.origin))
    assert {record["id"]: record["name"] for record in done.records()}[1] == value
    for line in done.lines:
        json.dumps(json.loads(line.decode()), ensure_ascii=False).encode()


def test_a_pretty_printed_body_keeps_one_line_per_record():
    body = json.dumps({"data": [{"id": 1, "address": {"city": "x", "n": [1, 2]}}]}, indent=2)
    empty = b'{"data": []}'
    with JsonApi(
        lambda query: reply(200, body.encode() if query["offset"] == "0" else empty)
    ) as api:
        done = run(config(api.origin))
    assert done.kinds == ["SCHEMA", "RECORD"]
    assert done.records() == [{"id": 1, "address": {"city": "x", "n": [1, 2]}}]


def test_one_page_is_one_write_and_one_moment(writes):
    rows = [{"id": n} for n in range(100)]
    with JsonApi(pages(rows)) as api:
        done = run(config(api.origin))
    assert len({message["time_extracted"] for message in done.of("RECORD")}) == 1
    # The schema, the page, and at most one state.
    assert len(writes) <= 3


# --- raw fields ---------------------------------------------------------------------------------


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
rows_of_any_kind = st.lists(
    st.fixed_dictionaries(
        {"id": st.integers()}, optional={"name": json_values, "off": json_values, "b": json_values}
    ),
    max_size=4,
)


@costly(4)
@given(rows_of_any_kind, rows_of_any_kind, st.booleans())
def test_raw_fields_are_the_fields_that_decoding_finds(first, second, ascii_only):
    codec = RowDecoder(
        path=("data",),
        typed={"id"},
        known={"id", "name"},
        refused={"off"},
        members={"next"},
        keeps_unknown=True,
    )
    codec.learn(first)
    body = json.dumps({"next": "x", "data": second}, ensure_ascii=ascii_only)
    decoded = codec.decode(body.encode())
    if decoded is None:
        assert any(set(row) - {"id", "name", "off"} for row in second)
        return
    envelope, rows = decoded
    wanted = [{name: row[name] for name in row if name != "off"} for row in second]
    assert envelope == {"next": "x"}
    assert rows.column("id") == [row["id"] for row in second]
    assert [json.loads(line) for line in rows.encode().split(b"\n")[:-1]] == wanted
    assert len(rows.head(1)) == min(1, len(second))
    assert rows.filter([False] * len(second)).column("id") == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b'{"data": null}',
        b'{"data": {"id": 1}}',
        b'{"data": [1]}',
        b'{"data": [{"id": 1, "brand_new": 2}]}',
        b'{"data": [{"id": 1,\n"name": 2}]}',
        b'{"data": [{"id": 1, "name": NaN}]}',
        b'{"data": [{"id": 1, "name": "\xff"}]}',
        b'{"data": [{"id": 1, "name": "\xed\xa0\x80"}]}',
        b'{"data": [{"id": 1}',
        b'\xef\xbb\xbf{"data": []}',
        b"<html>",
    ],
)
def test_a_page_that_does_not_fit_is_left_to_the_decoder(body):
    codec = RowDecoder(
        path=("data",),
        typed={"id"},
        known={"id", "name"},
        refused=(),
        members=(),
        keeps_unknown=True,
    )
    codec.learn([{"id": 1}])
    assert codec.decode(body) is None


def test_nothing_is_decoded_raw_before_the_first_page():
    codec = RowDecoder(path=(), typed=(), known=(), refused=(), members=(), keeps_unknown=True)
    assert codec.decode(b"[]") is None
    codec.learn([])
    envelope, rows = codec.decode(b"[]")
    # A list, with no members beside the rows.
    assert envelope == []
    assert len(rows) == 0


def test_rows_answer_alike_whichever_way_they_were_decoded():
    body = b'{"data": [{"id": 1, "at": 1.10, "name": null}, {"id": 2}]}'
    codec = RowDecoder(
        path=("data",),
        typed={"id", "at"},
        known={"id", "at", "name"},
        refused=(),
        members=(),
        keeps_unknown=True,
    )
    codec.learn([{"id": 0, "at": 0, "name": ""}])
    raw, dicts = codec.decode(body)[1], DictRows(decode_json(body)["data"])
    for name in ("id", "at"):
        assert raw.column(name) == dicts.column(name)
    assert raw.encode() == dicts.encode()
    assert len(raw) == len(dicts)
    assert raw.filter([False, True]).encode() == dicts.filter([False, True]).encode()
    assert raw.head(1).encode() == dicts.head(1).encode()


def test_threads_share_a_codec():
    codec = RowDecoder(
        path=("data",), typed={"id"}, known={"id"}, refused=(), members=(), keeps_unknown=True
    )
    codec.learn([{"id": 0}])
    found = {}

    def read(number):
        found[number] = codec.decode(f'{{"data": [{{"id": {number}}}]}}'.encode())[1].column("id")

    threads = [threading.Thread(target=read, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: [number] for number in range(8)}


@pytest.mark.parametrize("name", ['a "quoted" name', "back\\slash", "tab\there", "lone \ud800"])
def test_rows_with_names_that_no_struct_can_have_are_read_as_dicts(name):
    pages = [[{"id": 1, name: "a"}], [{"id": 2, name: "b"}], []]

    def answer(query):
        return {"data": pages[int(query.get("offset", 0))]}

    with JsonApi(answer) as api:
        done = run(declared(api.origin, schema=SCHEMA, endpoint={"paginator": "offset"}))
    assert done.error is None
    assert done.ids() == [1, 2]
