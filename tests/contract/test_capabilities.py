"""Every capability the tap declares, used for real through the command line."""

from __future__ import annotations

import copy
import gzip
import json
import re
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tap_analytics.demo import DemoApi

pytestmark = pytest.mark.xdist_group("capabilities")

DECLARED = {
    "about",
    "activate-version",
    "batch",
    "catalog",
    "discover",
    "schema-flattening",
    "state",
    "stream-maps",
    "structured-logging",
}
#: An environment with which every line of the log is a JSON object, as Meltano wants it.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"structured": {"()": "singer_sdk.logging.StructuredFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}


@pytest.fixture(scope="module")
def server():
    """A server that these tests may change."""
    with DemoApi() as running:
        yield running


@pytest.fixture(scope="module")
def catalog(server, tap):
    return json.loads(tap("--discover", config=server.config).stdout)


def only(catalog, *streams):
    """Return the entries of a few streams."""
    wanted = [entry for entry in catalog["streams"] if entry["stream"] in streams]
    assert len(wanted) == len(streams)
    return copy.deepcopy({"streams": wanted})


def complete(run):
    assert run.code == 0, run.stderr
    return run


def by_id(rows):
    return {row["id"]: row for row in rows}


def own(row):
    """Return a row of a file without the columns that are for the target."""
    return {name: value for name, value in row.items() if not name.startswith("_sdc_")}


def test_each_capability_is_declared_and_has_a_test(tap):
    about = json.loads(complete(tap("--about", "--format=json")).stdout)
    tested = {name.split("_", 2)[2] for name in globals() if name.startswith("test_capability_")}

    assert set(about["capabilities"]) == DECLARED
    assert {name.replace("_", "-") for name in tested} == DECLARED


def test_capability_about(tap):
    about = json.loads(complete(tap("--about", "--format=json")).stdout)
    text = complete(tap("--about", "--format=markdown")).text

    assert about["name"] == "tap-analytics"
    assert {"learning", "experimentation", "wiki", "success", "apis"} < set(
        about["settings"]["properties"]
    )
    assert "# `tap-analytics`" in text
    assert all(capability in text for capability in DECLARED)


def test_capability_discover(catalog, server):
    names = sorted(entry["tap_stream_id"] for entry in catalog["streams"])
    assert names == sorted([*server.streams, *server.extra_streams])
    assert all(entry["schema"]["properties"] for entry in catalog["streams"])


def test_capability_catalog(catalog, server, tap):
    chosen = only(catalog, "success_admins", "learning_people", "wiki_space")
    for entry in chosen["streams"]:
        for said in entry["metadata"]:
            if (entry["stream"], said["breadcrumb"]) in [
                ("wiki_space", []),
                ("learning_people", ["properties", "email"]),
            ]:
                said["metadata"]["selected"] = False

    run = complete(tap(config=server.config, catalog=chosen))

    assert sorted(run.by_stream("RECORD")) == ["learning_people", "success_admins"]
    [people] = run.by_stream("SCHEMA")["learning_people"]
    assert "email" not in people["schema"]["properties"]
    without_email = [
        {name: value for name, value in row.items() if name != "email"}
        for row in server.rows("learning_people", parse_float=Decimal)
    ]
    assert by_id(run.records("learning_people")) == by_id(without_email)


def test_capability_state(catalog, server, tap):
    chosen = only(catalog, "success_notes", "learning_people")
    first = complete(tap(config=server.config, catalog=chosen))
    changed = server.mutate()

    second = complete(tap(config=server.config, catalog=chosen, state=first.state))

    for stream in ("success_notes", "learning_people"):
        bookmark = first.state["bookmarks"][stream]
        key, reached = bookmark["replication_key"], bookmark["replication_key_value"]
        due = [row for row in server.rows(stream, parse_float=Decimal) if row[key] >= reached]
        assert by_id(second.records(stream)) == by_id(due)
        assert set(changed[stream]) <= set(by_id(second.records(stream)))
        assert len(second.records(stream)) < len(first.records(stream))
        assert second.state["bookmarks"][stream]["replication_key_value"] > reached


def test_capability_stream_maps(catalog, server, tap):
    maps = {
        "success_admins": {"__alias__": "colleagues", "email": None, "shout": "id.upper()"},
        "learning_courses": {"__filter__": "status == 'live'"},
        "wiki_space": None,
    }
    chosen = only(catalog, *maps)

    run = complete(tap(config=server.config | {"stream_maps": maps}, catalog=chosen))

    assert sorted(run.by_stream("RECORD")) == ["colleagues", "learning_courses"]
    admins = server.rows("success_admins", parse_float=Decimal)
    assert by_id(run.records("colleagues")) == {
        row["id"]: {name: row[name] for name in row if name != "email"}
        | {"shout": row["id"].upper()}
        for row in admins
    }
    [schema] = run.by_stream("SCHEMA")["colleagues"]
    assert schema["schema"]["properties"].keys() == run.records("colleagues")[0].keys()
    live = [row for row in server.rows("learning_courses") if row["status"] == "live"]
    assert 0 < len(live) < len(server.rows("learning_courses"))
    assert by_id(run.records("learning_courses")).keys() == by_id(live).keys()


FLATTENING = {
    "flattening_enabled": True,
    "flattening_max_depth": 1,
    "flattening_separator": "__",
}


@pytest.fixture(scope="module")
def flattened(server, tap):
    return complete(tap(config=server.config | FLATTENING))


def test_capability_schema_flattening(flattened, server):
    pages = by_id(server.rows("wiki_pages"))
    [message] = flattened.by_stream("SCHEMA")["wiki_pages"]
    columns = message["schema"]["properties"]

    assert "version" not in columns
    assert columns["version__createdAt"]["type"] == ["string", "null"]
    assert by_id(flattened.records("wiki_pages")).keys() == pages.keys()
    for row in flattened.records("wiki_pages"):
        assert not any(isinstance(value, dict) for value in row.values())
        assert row["version__createdAt"] == pages[row["id"]]["version"]["createdAt"]


@pytest.mark.parametrize("stream", DemoApi().streams)
def test_flattened_values_all_have_a_column(stream, flattened):
    """What has no column in the schema is dropped by a target; nothing of value may be."""
    [message] = flattened.by_stream("SCHEMA")[stream]
    nothing = (None, [], "[]")

    valued = {name for row in flattened.records(stream) for name in row if row[name] not in nothing}

    assert sorted(valued - message["schema"]["properties"].keys()) == []


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_capability_batch(compression, catalog, server, tap, tmp_path):
    batches = {
        "encoding": {"format": "jsonl", "compression": compression},
        "storage": {"root": tmp_path.as_uri(), "prefix": "rows-"},
        "batch_size": 100,
    }
    streams = ("success_users", "declared_resource_name", "learning_course_enrollments")

    run = complete(
        tap(
            config=server.config | {"batch_config": batches},
            catalog=only(catalog, *streams, "learning_courses"),
        )
    )

    assert run.by_stream("RECORD") == {}
    for stream in streams:
        files = [file for batch in run.by_stream("BATCH")[stream] for file in batch["manifest"]]
        lines = [line for file in files for line in read(file, compression).splitlines()]
        rows = [own(json.loads(line, parse_float=Decimal)) for line in lines]
        expected = server.rows(stream, parse_float=Decimal)
        assert len(files) == -(-len(expected) // 100)
        assert len(rows) == len(expected)
        assert by_id(rows) == by_id(expected)


def read(file, compression):
    assert "rows-" in file
    data = Path(urlsplit(file).path).read_bytes()
    return (gzip.decompress(data) if compression == "gzip" else data).decode()


def test_capability_activate_version(server, tap):
    config = server.config | {"emit_activate_version_messages": True}

    run = complete(tap(config=config))

    told = run.by_stream("ACTIVATE_VERSION")
    full_table = {
        stream
        for stream, [message] in run.by_stream("SCHEMA").items()
        if not message.get("bookmark_properties")
    }
    assert told.keys() == full_table
    for stream in server.streams:
        own = [said for said in run.messages if said.get("stream") == stream]
        records = own[1:-1] if stream in told else own[1:]
        versions = [message["version"] for message in told[stream]]
        assert {record.get("version") for record in records} == set(versions or [None])
        assert [said["type"] for said in own[-1:]] == ["ACTIVATE_VERSION" if versions else "RECORD"]


def test_capability_structured_logging(catalog, server, tap, tmp_path):
    path = tmp_path / "logging.json"
    path.write_text(json.dumps(LOGGING), "utf-8")
    chosen = only(catalog, "success_admins")

    run = complete(
        tap(
            config=server.config,
            catalog=chosen,
            env={"SINGER_SDK_LOG_CONFIG": str(path), "LOGLEVEL": "DEBUG"},
        )
    )

    lines = [json.loads(line) for line in run.stderr.splitlines()]
    assert {"level", "ts", "message", "logger_name"} <= set.intersection(*map(set, lines))
    counted = [
        line["metric_info"]["value"]
        for line in lines
        if line.get("metric_info", {}).get("metric") == "record_count"
    ]
    assert sum(counted) == len(server.rows("success_admins"))


def test_a_log_without_a_configuration_of_its_own_is_lines_with_a_level(catalog, server, tap):
    run = complete(tap(config=server.config, catalog=only(catalog, "success_admins")))

    level = re.compile(r"\b(DEBUG|INFO|WARNING|ERROR)\b")
    assert run.stderr
    assert all(level.search(line) for line in run.stderr.splitlines())


def test_a_catalog_without_the_parent_yields_the_children(catalog, server, tap):
    """A catalog may be pruned to what is wanted; a parent it leaves out is merely not selected."""
    chosen = only(catalog, "learning_course_enrollments")

    run = complete(tap(config=server.config, catalog=chosen))

    expected = server.rows("learning_course_enrollments", parse_float=Decimal)
    assert run.by_stream("RECORD").keys() == {"learning_course_enrollments"}
    assert by_id(run.records("learning_course_enrollments")) == by_id(expected)
