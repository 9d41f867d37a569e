"""The output is valid for singer-check-tap, singer-python and JSON Schema.

singer-tools needs a jsonschema older than the SDK's, so it lives in an environment of its own, made
once in pytest's cache.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from support.paths import FIXTURES

from tap_analytics.demo import DemoApi

JUDGE = "singer-tools==0.4.1"
CATALOG = FIXTURES / "catalog"
STREAMS = DemoApi().streams
each_stream = pytest.mark.parametrize("stream", STREAMS)
pytestmark = pytest.mark.xdist_group("singer_check")

#: Reads messages with singer-python, and conforms every record to its schema as targets do.
TRANSFORM = """
import singer, sys
schemas = {}
with singer.Transformer() as transformer:
    for line in sys.stdin:
        message = singer.parse_message(line)
        if isinstance(message, singer.SchemaMessage):
            schemas[message.stream] = message.schema
        elif isinstance(message, singer.RecordMessage):
            record = transformer.transform(message.record, schemas[message.stream])
            assert record.keys() == message.record.keys(), (message.stream, record)
"""


def install(folder):
    """Make an environment with the judge, by uv where it is at hand."""
    uv = shutil.which("uv") or shutil.which("uv", path=Path(sys.executable).parent)
    python = folder / "bin" / "python"
    steps = [
        [uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder]
        if uv
        else [sys.executable, "-m", "venv", "--clear", folder],
        [uv, "pip", "install", "--quiet", "--python", python, JUDGE]
        if uv
        else [python, "-m", "pip", "install", "--quiet", JUDGE],
    ]
    for step in steps:
        done = subprocess.run(step, capture_output=True, check=False, text=True)
        if done.returncode:
            return (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    return None


@pytest.fixture(scope="session")
def judges(request):
    """The folder of the commands of the judge's environment."""
    version = f"{JUDGE}-py{sys.version_info[0]}.{sys.version_info[1]}".replace("==", "-")
    folder = Path(request.config.cache.mkdir(version))
    if not (folder / "bin" / "singer-check-tap").exists() and (reason := install(folder)):
        pytest.skip(f"{JUDGE} can't be installed here: {reason}")
    return folder / "bin"


@pytest.fixture(scope="module")
def checked(extracted, judges):
    """What the checker says of the whole output."""
    check = subprocess.run(
        [judges / "singer-check-tap"],
        capture_output=True,
        check=False,
        input=extracted.text,
        text=True,
    )
    assert check.returncode == 0, check.stderr.splitlines()[-1]
    assert "The output is valid." in check.stdout
    return check.stdout


@each_stream
def test_singer_check_tap_accepts_the_output(stream, extracted, checked):
    [counts] = re.findall(rf"\| {stream} +\| (\d+) +\| (\d+) +\|", checked)
    assert counts == (str(len(extracted.records(stream))), "1")


def test_no_nullable_object_holds_a_date_time():
    """The checker looks for times in objects even where they are null, and fails on that."""

    def objects(schema, path):
        for name, column in schema.get("properties", {}).items():
            yield f"{path}.{name}", column
            yield from objects(column, f"{path}.{name}")
        if isinstance(schema.get("items"), dict):
            yield from objects({"properties": {"[]": schema["items"]}}, path)

    def has_time(schema):
        return any(part.get("format") == "date-time" for part in schema["properties"].values())

    found = [
        path
        for file in sorted(CATALOG.glob("*.json"))
        for path, schema in objects(json.loads(file.read_text("utf-8"))["schema"], file.stem)
        if "null" in schema.get("type", ()) and "properties" in schema and has_time(schema)
    ]

    assert found == []


def test_every_list_says_what_it_holds(extracted):
    """Readers of schemas look `items` up wherever a type allows a list."""

    def silent(schema, path):
        if "array" in schema.get("type", ()) and "items" not in schema:
            yield path
        inner = {**schema.get("properties", {}), "[]": schema.get("items", {})}
        for name, column in inner.items():
            if column:
                yield from silent(column, f"{path}.{name}")

    said = extracted.by_stream("SCHEMA")

    assert [p for stream, [last] in said.items() for p in silent(last["schema"], stream)] == []


def test_singer_python_reads_the_messages_and_conforms_the_records(extracted, judges):
    read = subprocess.run(
        [judges / "python", "-c", TRANSFORM],
        capture_output=True,
        check=False,
        input=extracted.text,
        text=True,
    )

    assert read.returncode == 0, read.stderr[-2000:]


def test_singer_python_reads_the_catalog(demo, judges, tap):
    script = (
        "import json, singer, sys; given = json.load(sys.stdin); "
        "read = singer.Catalog.from_dict(given); "
        "print(*[entry.tap_stream_id for entry in read.streams], sep='\\n')"
    )
    catalog = tap("--discover", config=demo.config).text

    read = subprocess.run(
        [judges / "python", "-c", script],
        capture_output=True,
        check=True,
        input=catalog,
        text=True,
    )

    assert sorted(read.stdout.split()) == sorted([*STREAMS, *demo.extra_streams])


# --- JSON Schema ----------------------------------------------------------------------------

FORMATS = FormatChecker()
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


@FORMATS.checks("date-time", raises=ValueError)
def is_date_time(value):
    if not isinstance(value, str):
        return True
    return bool(RFC_3339.fullmatch(value)) and datetime.fromisoformat(value) is not None


@pytest.mark.parametrize(
    "wrong", ["2026-13-01T00:00:00Z", "2026-01-31", "2026-01-31T00:00:00", "yesterday"]
)
def test_the_format_of_times_is_really_judged(wrong):
    validator = Draft202012Validator({"format": "date-time"}, format_checker=FORMATS)

    assert not validator.is_valid(wrong)
    assert validator.is_valid("2026-01-31T00:00:00.123Z")


@each_stream
def test_records_are_what_their_schema_says(stream, extracted):
    [schema] = [message["schema"] for message in extracted.by_stream("SCHEMA")[stream]]
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema, format_checker=FORMATS)

    assert extracted.records(stream)
    for record in extracted.records(stream):
        wrong = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(record)]
        assert wrong == []
        assert record.keys() <= schema["properties"].keys()


@each_stream
def test_keys_are_there_and_tell_every_record_apart(stream, extracted):
    """Audit events that are alike byte for byte are one row, so they may come twice."""
    [message] = extracted.by_stream("SCHEMA")[stream]
    names, rows = message["key_properties"], extracted.records(stream)

    keys = [tuple(row[name] for name in names) for row in rows]
    told_apart = {json.dumps(row, default=str, sort_keys=True) for row in rows}

    assert names
    assert None not in {value for key in keys for value in key}
    assert len(set(keys)) == (len(told_apart) if stream == "wiki_audit" else len(keys))


@each_stream
def test_schema_comes_before_the_records(stream, extracted):
    kinds = [said["type"] for said in extracted.messages if said.get("stream") == stream]

    assert kinds == ["SCHEMA", *["RECORD"] * len(extracted.records(stream))]


def test_times_of_extraction_are_times(extracted):
    for messages in extracted.by_stream("RECORD").values():
        for moment in {message["time_extracted"] for message in messages}:
            assert is_date_time(moment)


def test_state_speaks_of_incremental_streams_only(extracted, demo):
    schemas = {stream: said[0] for stream, said in extracted.by_stream("SCHEMA").items()}
    incremental = {
        stream: schema["bookmark_properties"]
        for stream, schema in schemas.items()
        if schema.get("bookmark_properties")
    }

    assert sorted(schemas) == demo.streams
    assert {
        stream: [bookmark["replication_key"]]
        for stream, bookmark in extracted.state["bookmarks"].items()
    } == incremental
