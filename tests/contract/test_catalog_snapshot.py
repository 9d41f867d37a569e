"""The discovered catalog is what was reviewed: one JSON file per stream in `fixtures/catalog`.

After a wanted change, `python tests/support/catalog.py` writes them anew.
"""

from __future__ import annotations

import json

import pytest
from singer_sdk.singerlib import Catalog
from support.catalog import FOLDER, discovered, rendered

pytestmark = pytest.mark.xdist_group("catalog_snapshot")

REVIEWED = {path.stem: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.json"))}
BUILT_IN = sorted(stream for stream in REVIEWED if not stream.startswith("declared_"))


@pytest.fixture(scope="module")
def found(demo):
    return discovered(demo.config)


def test_every_stream_is_reviewed_and_no_other(found, demo):
    assert sorted(found) == sorted(REVIEWED) == sorted([*demo.streams, *demo.extra_streams])


@pytest.mark.parametrize("stream", REVIEWED)
def test_entry_is_as_reviewed_in_both_dialects(found, stream):
    assert found[stream] == REVIEWED[stream]


@pytest.mark.parametrize("stream", BUILT_IN)
def test_entry_is_the_same_without_any_configuration(unconfigured, stream):
    assert unconfigured[stream] == REVIEWED[stream]


def test_without_configuration_every_built_in_stream_is_listed(unconfigured):
    assert sorted(unconfigured) == BUILT_IN


@pytest.fixture(scope="module")
def unconfigured():
    return discovered({})


@pytest.mark.parametrize("stream", REVIEWED)
def test_entry_keeps_the_contract_of_every_stream(stream):
    entry = json.loads(REVIEWED[stream])
    schema, keys = entry["schema"], entry["key_properties"]
    root = next(said for said in entry["metadata"] if said["breadcrumb"] == [])["metadata"]

    assert stream == entry["tap_stream_id"] == entry["stream"]
    assert schema["type"] == "object"
    assert keys == root["table-key-properties"]
    assert sorted(schema["required"]) == sorted(keys)
    for name, column in schema["properties"].items():
        assert ("null" in column.get("type", ["null"])) == (name not in keys), name
    replication_key = entry.get("replication_key")
    assert entry["replication_method"] == ("INCREMENTAL" if replication_key else "FULL_TABLE")
    assert replication_key is None or replication_key in schema["properties"]


@pytest.mark.parametrize("stream", BUILT_IN)
def test_every_column_is_described(stream):
    columns = json.loads(REVIEWED[stream])["schema"]["properties"]

    undescribed = [name for name, column in columns.items() if not column.get("description")]

    assert undescribed == []


def test_command_line_prints_the_same_catalog(demo, found, tap):
    run = tap("--discover", config=demo.config)

    assert run.code == 0, run.stderr
    printed = json.loads(run.stdout)["streams"]
    assert {entry["tap_stream_id"]: rendered(entry) for entry in printed} == found


def test_catalog_is_accepted_back_as_it_was_printed(demo, tap):
    catalog = json.loads(tap("--discover", config=demo.config).stdout)

    again = tap("--discover", config=demo.config, catalog=catalog)

    assert Catalog.from_dict(json.loads(again.stdout)) == Catalog.from_dict(catalog)
