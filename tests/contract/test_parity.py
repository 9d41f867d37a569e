"""What the tap writes is what the SDK's own code would write of the same rows.

The tap compiles selection and schema once and writes pages in one piece; rows go out as dicts or as
raw fields. The oracle is the SDK: a stream of the same class, catalog and configuration,
`Stream._generate_record_messages` row by row, and the SDK's own msgspec writer. Lines are the same
byte for byte but for `time_extracted`. Where the tap means to differ, a test says how and why.
"""

from __future__ import annotations

import gzip
import json
import logging
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from singer_sdk.contrib.msgspec import MsgSpecWriter, decoder
from singer_sdk.exceptions import EmptySchemaTypeError
from singer_sdk.helpers._typing import conform_record_data_types
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.singerlib.encoding import SimpleSingerWriter
from support.examples import costly
from support.runs import STREAM, declared, deselect, discover, run
from support.servers import JsonApi, reply

from tap_analytics.records.rows import DictRows, StructRows
from tap_analytics.sync.output import RecordOutput
from tap_analytics.tap import TapAnalytics

LIMIT = 4
#: Bodies spelled as the writers spell: what is passed on raw is then what is encoded anew.
SPELLED = msgspec.json.Encoder(decimal_format="number").encode


# --- schemas and rows ---------------------------------------------------------------------------

NAMES = ["a", "b b", "größe", "x.y", "at", "$ref", "Ab"]
#: Neither NUL nor half a surrogate pair, which the tap replaces.
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
integers = st.integers(-(2**63), 2**63) | st.integers(-(10**30), 10**30)
decimals = st.decimals(allow_nan=False, allow_infinity=False, places=20) | st.decimals(
    -(10**6), 10**6, places=2
)
moments = st.datetimes().map(lambda moment: f"{moment.isoformat()}Z")
anything = st.recursive(
    st.none() | st.booleans() | integers | decimals | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
#: The SDK fails on a list whose schema says nothing plain of it; see below.
no_list = anything.filter(lambda value: not isinstance(value, list))


def scalar(kind, values, **words):
    return {"type": [kind, "null"], **words}, st.none() | values


SCALARS = [
    scalar("string", text),
    scalar("string", moments, format="date-time"),
    scalar("string", moments.map(lambda moment: moment[:10]), format="date"),
    scalar("integer", integers),
    scalar("number", integers | decimals),
    scalar("boolean", st.booleans()),
    ({"type": "boolean"}, st.booleans()),
    ({"type": ["string", "boolean", "null"]}, st.none() | st.booleans() | text),
    ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, text | integers),
    ({"oneOf": [{"type": "object"}, {"type": "boolean"}]}, no_list),
    ({"anyOf": [{"type": "object"}, {"type": "null"}]}, anything),
    ({"type": ["object", "null"]}, st.none() | st.dictionaries(text, anything, max_size=3)),
    ({"type": ["array", "null"]}, st.none() | st.lists(anything, max_size=3)),
    ({}, no_list),
]


def schemas(depth=2):
    """Return pairs of a JSON schema and a strategy of values that obey it."""
    scalars = st.sampled_from(SCALARS)
    return scalars if depth == 0 else scalars | nested(depth)


@st.composite
def nested(draw, depth):
    """Draw an object of declared fields, closed or open, or a list of such or of scalars."""
    inner_schema, inner = draw(objects(depth - 1))
    kind = draw(st.sampled_from(["object", "list of objects", "list"]))
    if kind == "object":
        return inner_schema, st.none() | inner
    if kind == "list of objects":
        items_schema, items = inner_schema, inner | st.none()
    else:
        items_schema, items = draw(schemas(0).filter(lambda pair: pair[0] not in UNSAID))
    schema = {"type": ["array", "null"], "items": items_schema}
    return schema, st.none() | st.lists(items, max_size=3)


#: Items of which the SDK's conforming knows only that they are objects: it fails on them.
UNSAID = ({"type": ["object", "null"]},)


@st.composite
def objects(draw, depth):
    """Draw the schema of an object and a strategy of objects, fields in one order, some absent."""
    names = draw(st.lists(st.sampled_from(NAMES), max_size=4, unique=True))
    fields = {name: draw(schemas(depth)) for name in names}
    schema = {
        "type": ["object", "null"],
        "properties": {name: found for name, (found, _) in fields.items()},
    }
    values = st.fixed_dictionaries({}, optional={name: each for name, (_, each) in fields.items()})
    if draw(st.booleans()):
        # Below the root the SDK keeps only what a schema leaves open.
        schema["additionalProperties"] = True
        surplus = st.dictionaries(text.map("extra {}".format), anything, max_size=2)
        values = st.builds(dict.__or__, values, surplus)
    return schema, values


@st.composite
def cases(draw):
    """Draw a schema, what is deselected of it, and rows of a few pages; the first is complete."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True))
    fields = {name: draw(schemas()) for name in names}
    off = draw(st.lists(st.sampled_from(paths(fields)), max_size=2, unique=True))
    rows = []
    for number in range(draw(st.integers(0, 11))):
        present = names if number == 0 else [name for name in names if draw(st.booleans())]
        rows.append({"id": number, **{name: draw(fields[name][1]) for name in present}})
    properties = {name: found for name, (found, _) in fields.items()}
    return {"id": {"type": "integer"}} | properties, off, rows


def paths(fields):
    """Return the fields that can be deselected, two deep."""
    found = []
    for name, (schema, _) in fields.items():
        found.append((name,))
        found += [(name, inner) for inner in schema.get("properties", ())]
    return found


# --- both ways ----------------------------------------------------------------------------------


def config(origin, properties, **settings):
    schema = {"type": "object", "properties": properties}
    endpoint = {"paginator": {"type": "offset", "limit": LIMIT}}
    return declared(origin, endpoint=endpoint, schema=schema, **settings)


def serve(rows):
    """Serve rows, each of them as JSON text, a page at a time."""

    def answer(query):
        start = int(query["offset"])
        return reply(200, b'{"data":[%s]}' % b",".join(rows[start : start + LIMIT]))

    return JsonApi(answer)


def timeless(line):
    """Return a line without the moment it was extracted at."""
    return bytes(line).partition(b',"time_extracted"')[0].rstrip(b"}\n")


def told(done):
    """Return the lines of a run that speak of its stream."""
    return [line for line in done.lines if not line.startswith(b'{"type":"STATE"')]


def by_the_tap(rows, properties, off=(), **more):
    """Return a run of the tap, and what the SDK needs to do the same."""
    with serve([SPELLED(row) for row in rows]) as api:
        given_config = config(api.origin, properties, **more)
        catalog = discover(given_config)
        for path in off:
            catalog = deselect(catalog, STREAM, *path)
        done = run(given_config, catalog=catalog)
    assert done.error is None, done.failure()
    return done, (rows, given_config, catalog)


def by_the_sdk(rows, given_config, catalog):
    """Yield the SCHEMA and RECORD messages of the SDK's own way, in order."""
    stream = TapAnalytics(config=given_config, catalog=catalog).streams[STREAM]
    yield from stream._generate_schema_messages()
    for row in rows:
        # As the SDK reads it: every digit kept.
        yield from stream._generate_record_messages(decoder.decode(SPELLED(row)))


def same_lines(done, way):
    written = [timeless(MsgSpecWriter().format_message(message)) for message in by_the_sdk(*way)]
    assert [timeless(line) for line in told(done)] == written
    assert written


# --- the same -----------------------------------------------------------------------------------


@given(cases())
def test_lines_are_those_of_the_sdk_byte_for_byte(case):
    properties, off, rows = case
    same_lines(*by_the_tap(rows, properties, off))


@costly(4)
@given(cases())
def test_the_default_writer_of_the_sdk_says_the_same(case):
    """It escapes what isn't ASCII, so the messages are equal and the bytes are not."""
    properties, off, rows = case
    done, way = by_the_tap(rows, properties, off)

    def plain(line):
        message = json.loads(line, parse_float=Decimal)
        message.pop("time_extracted", None)
        return message

    written = [SimpleSingerWriter().format_message(message) for message in by_the_sdk(*way)]
    assert [plain(line) for line in told(done)] == [plain(line) for line in written]


def test_rows_of_these_tests_take_both_ways(monkeypatch):
    """The first page goes as dicts, those behind it as raw fields."""
    kinds = []
    encode = RecordOutput.encode

    def noted(self, rows):
        kinds.append(type(rows))
        return encode(self, rows)

    monkeypatch.setattr(RecordOutput, "encode", noted)
    by_the_tap([{"id": n, "a": "x"} for n in range(10)], ID | {"a": {}})
    assert kinds[0] is DictRows
    assert StructRows in kinds[1:]


# --- stream maps, flattening, files -------------------------------------------------------------

ID = {"id": {"type": "integer"}}
MAPS = {
    "a field is computed, one renamed, one dropped": {
        STREAM: {"twice": "id * 2", "label": "name", "name": None}
    },
    "rows are filtered": {STREAM: {"__filter__": "id % 2 == 0"}},
    "only some fields, under another name": {
        STREAM: {"id": "id", "name": "name", "__else__": None, "__alias__": "things"}
    },
    "one stream becomes two": {
        STREAM: {"__filter__": "id < 3"},
        "copies": {"__source__": STREAM, "name": "name or 'nobody'"},
    },
    "a key of its own": {STREAM: {"hash": "md5(name or '')", "__key_properties__": ["hash"]}},
}
PLACE = {"x": {"type": ["number", "null"]}, "y": {"type": ["object", "null"]}}
SHAPED = ID | {
    "name": {"type": ["string", "null"]},
    "size": {"type": ["number", "null"]},
    "place": {
        "type": ["object", "null"],
        "properties": PLACE | {"in": {"type": ["object", "null"], "properties": PLACE}},
    },
    "tags": {"type": ["array", "null"], "items": {"type": "string"}},
}


@st.composite
def shaped_rows(draw):
    """Draw rows of one shape: numbered, with every field."""
    inner = {"x": st.none() | decimals | integers, "y": st.just({"z": "é"})}
    place = {
        "x": decimals,
        "y": st.none(),
        "in": st.none() | st.fixed_dictionaries(inner),
    }
    fields = {
        "name": st.none() | text,
        "size": decimals,
        "place": st.none() | st.fixed_dictionaries(place),
        "tags": st.lists(text, max_size=3),
    }
    found = draw(st.lists(st.fixed_dictionaries(fields), max_size=9))
    return [
        {"id": number, **{name: row[name] for name in fields}} for number, row in enumerate(found)
    ]


@pytest.mark.parametrize("maps", MAPS)
@costly(12)
@given(rows=shaped_rows())
def test_stream_maps_make_what_the_sdk_makes(maps, rows):
    same_lines(*by_the_tap(rows, SHAPED, stream_maps=MAPS[maps]))


@pytest.mark.parametrize("depth", [0, 1, 3])
@costly(12)
@given(rows=shaped_rows())
def test_flattening_makes_what_the_sdk_makes(depth, rows):
    flat = {"flattening_enabled": True, "flattening_max_depth": depth}
    same_lines(*by_the_tap(rows, SHAPED, **flat))


@pytest.mark.parametrize("maps", [{}, *MAPS.values()], ids=["none", *MAPS])
@costly(25)
@given(rows=shaped_rows())
def test_files_hold_the_records_of_the_sdk(maps, rows, tmp_path_factory):
    batch = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": f"file://{tmp_path_factory.mktemp('batch')}"},
        "batch_size": 3,
    }
    done, way = by_the_tap(rows, SHAPED, batch_config=batch, stream_maps=maps)
    wanted, found = {}, {}
    for message in by_the_sdk(*way):
        if message.type == "RECORD":
            wanted.setdefault(message.stream, []).append(SPELLED(message.record))
    for message in done.messages:
        for url in message.get("manifest", ()):
            data = gzip.decompress(Path(urlsplit(url).path).read_bytes())
            # What stands behind the record's own columns is for the target.
            own = [line.partition(b',"_sdc_')[0] + b"}" for line in data.splitlines()]
            found.setdefault(message["stream"], []).extend(own)
    assert found == wanted


# --- meant to differ ----------------------------------------------------------------------------


def both(rows, properties, **more):
    """Return the records of the tap and those of the SDK."""
    done, way = by_the_tap(rows, properties, **more)
    theirs = [message.record for message in by_the_sdk(*way) if message.type == "RECORD"]
    return done.records(), theirs


def test_a_field_that_is_not_declared_extends_the_schema_instead_of_vanishing():
    """The SDK drops it with a warning; here `on_unknown_field` decides."""
    rows = [{"id": n, "new": "x"} for n in range(6)]
    ours, theirs = both(rows, ID)
    assert ours == rows
    assert theirs == [{"id": n} for n in range(6)]
    ours, theirs = both(rows, ID, on_unknown_field="ignore")
    assert ours == theirs


def test_a_field_that_is_not_declared_below_the_root_is_kept():
    """Nested objects stay open: what an API adds there is data as well."""
    rows = [{"id": n, "a": {"known": 1, "new": 2}} for n in range(6)]
    properties = ID | {"a": {"type": "object", "properties": {"known": {"type": "integer"}}}}
    ours, theirs = both(rows, properties)
    assert ours == rows
    assert theirs == [{"id": n, "a": {"known": 1}} for n in range(6)]


@pytest.mark.parametrize(("value", "forced"), [(0, False), (7, True), ("no", True), ("", True)])
def test_a_value_that_is_no_boolean_is_not_made_one(value, forced):
    """The SDK makes "no" True; here it passes as it came, unless `on_type_mismatch` says else."""
    rows = [{"id": n, "a": value} for n in range(6)]
    ours, theirs = both(rows, ID | {"a": {"type": ["boolean", "null"]}})
    assert ours == rows
    assert theirs == [{"id": n, "a": forced} for n in range(6)]


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"oneOf": [{"type": "array"}, {"type": "null"}]},
        {"type": "array", "items": {"type": "object"}},
    ],
    ids=["nothing said", "one of", "objects without properties"],
)
def test_a_list_that_the_sdk_fails_on_goes_out(schema):
    """Such schemas are valid; the SDK's conforming raises at the first list."""
    rows = [{"id": n, "a": [{"b": n}]} for n in range(6)]
    done, way = by_the_tap(rows, ID | {"a": schema})
    assert done.records() == rows
    with pytest.raises((EmptySchemaTypeError, ValueError, KeyError)):
        list(by_the_sdk(*way))


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_refused_rather_than_nulled(word):
    """JSON has no such words; the SDK writes null, which says that there was no value."""
    value, schema = {"a": json.loads(word)}, {"properties": {"a": {"type": "number"}}}
    level, logger = TypeConformanceLevel.RECURSIVE, logging.getLogger(__name__)
    assert conform_record_data_types("s", value, schema, level, logger) == {"a": None}
    with serve([b'{"id": 1, "a": %s}' % word.encode()]) as api:
        done = run(config(api.origin, ID | {"a": {"type": "number"}}))
    assert done.records() == []
    assert "JSON" in done.failure()


@pytest.mark.parametrize("spelled", [rb"a\u0000b", rb"a\ud800b"], ids=["NUL", "half a pair"])
def test_what_no_database_takes_becomes_a_replacement_character(spelled):
    """The SDK's default writer hands it on, and the target fails on it."""
    with serve([b'{"id": %d, "a": "%s"}' % (n, spelled) for n in range(6)]) as api:
        done = run(config(api.origin, ID | {"a": {"type": "string"}}))
    assert [row["a"] for row in done.records()] == ["a\N{REPLACEMENT CHARACTER}b"] * 6
    handed_on = SimpleSingerWriter().format_message(next(by_the_sdk_of(b'"%s"' % spelled)))
    assert spelled.decode() in handed_on


def by_the_sdk_of(spelled):
    """Yield the RECORD that the SDK makes of a field spelled like this."""
    properties = ID | {"a": {"type": "string"}}
    stream = TapAnalytics(config=config("http://127.0.0.1:9", properties)).streams[STREAM]
    yield from stream._generate_record_messages({"id": 1, "a": json.loads(spelled)})


def test_a_number_keeps_its_spelling_where_the_row_is_passed_on_raw():
    """Equal as numbers: the SDK spells 1e5 anew, as 1E+5, and the tap does on a first page."""
    spelled = [b"1e5", b"1E+5", b"-0.0", b"1.50", b"0.1e-7", b"1" * 33 + b".1"]
    properties = ID | {"a": {"type": "number"}}
    with serve([b'{"id":%d,"a":%s}' % pair for pair in enumerate(spelled * 2)]) as api:
        done = run(config(api.origin, properties))
    lines = [line for line in told(done) if line.startswith(b'{"type":"RECORD"')]
    values = [json.loads(line, parse_float=Decimal)["record"]["a"] for line in lines]
    assert values == [Decimal(each.decode()) for each in spelled * 2]
    assert b'"a":1E+5}' in lines[0]
    assert b'"a":1e5}' in lines[6]


def test_fields_keep_the_order_of_the_first_page():
    """Pages are written in one order, rows of the SDK each in their own; members have none."""
    rows = [{"id": n, "a": 1, "b": 2} for n in range(LIMIT)]
    rows += [{"b": 2, "a": 1, "id": n} for n in range(LIMIT, 7)]
    ours, theirs = both(rows, ID | {"a": {"type": "integer"}, "b": {"type": "integer"}})
    assert ours == theirs == rows
    assert [list(row) for row in ours[LIMIT:]] == [["id", "a", "b"]] * 3
    assert [list(row) for row in theirs[LIMIT:]] == [["b", "a", "id"]] * 3
