"""BATCH files hold the records that RECORD lines would have held."""

from __future__ import annotations

import gzip
import json
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from singer_sdk.exceptions import ConfigValidationError
from support.runs import STREAM, declared, deselect, discover, run
from support.servers import JsonApi, reply

from tap_analytics.tap import TapAnalytics

ROWS = [f'{{"id": {n}, "name": "n{n}", "x": {n}.10, "big": 1{"0" * 25}}}' for n in range(7)]


def answer(query):
    start = int(query["offset"])
    return reply(200, f'{{"data": [{",".join(ROWS[start : start + 3])}]}}'.encode())


def config(api, tmp_path, *, size=100, form="gzip", **more):
    batch = {
        "encoding": {"format": "jsonl", "compression": form},
        "storage": {"root": f"file://{tmp_path}", "prefix": "b-"},
        "batch_size": size,
    }
    endpoint = {"paginator": {"type": "offset", "limit": 3}}
    return declared(api.origin, endpoint=endpoint, batch_config=batch, **more)


#: Columns that a target adds to the records it gets as lines.
OWN = ("_sdc_extracted_at", "_sdc_batched_at", "_sdc_sequence", "_sdc_table_version")


def batches(done, stream=STREAM, *, bare=True):
    """Return the records of each file that the BATCH messages of a stream name."""
    files = []
    for message in done.of("BATCH", stream):
        for url in message["manifest"]:
            data = Path(urlsplit(url).path).read_bytes()
            text = gzip.decompress(data) if message["encoding"]["compression"] else data
            rows = [json.loads(line, parse_float=Decimal) for line in text.splitlines()]
            for row in rows if bare else ():
                for name in OWN:
                    del row[name]
            files.append(rows)
    return files


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_files_hold_all_records_in_order_and_no_more_than_asked(tmp_path, size):
    with JsonApi(answer) as api:
        done = run(config(api, tmp_path, size=size))
    files = batches(done)
    assert [record["id"] for file in files for record in file] == list(range(7))
    assert max(map(len, files)) <= size
    assert done.of("RECORD") == []
    assert len(files) == -(-7 // size)


def test_numbers_in_files_are_exact(tmp_path):
    with JsonApi(answer) as api:
        done = run(config(api, tmp_path))
    first = batches(done)[0][1]
    assert first["x"] == Decimal("1.10")
    assert first["big"] == 10**25


def test_files_come_after_the_schema_they_obey(tmp_path):
    old = len(ROWS)
    ROWS.append('{"id": 99, "new": 1}')
    try:
        with JsonApi(answer) as api:
            given = config(api, tmp_path)
            # The catalog is of a time when nobody knew the new field.
            catalog = discover(given)
            catalog["streams"][0]["schema"]["properties"].pop("new", None)
            done = run(given, catalog=catalog)
    finally:
        del ROWS[old:]
    assert done.kinds == ["SCHEMA", "BATCH", "SCHEMA", "BATCH"]
    first, second = batches(done)
    assert all("new" not in record for record in first)
    assert second[-1] == {"id": 99, "new": 1}
    assert "new" in done.properties()


def test_files_hold_what_selection_and_stream_maps_leave(tmp_path):
    maps = {
        STREAM: {"__filter__": "id > 4", "title": "name"},
        "copy": {"__source__": STREAM, "id": "id", "__else__": None},
    }
    with JsonApi(answer) as api:
        given = config(api, tmp_path, stream_maps=maps)
        catalog = deselect(discover(given), STREAM, "big")
        done = run(given, catalog=catalog)
    assert batches(done) == [
        [{"id": n, "name": f"n{n}", "x": Decimal(f"{n}.10"), "title": f"n{n}"} for n in range(5, 7)]
    ]
    assert [record["id"] for file in batches(done, "copy") for record in file] == list(range(7))


def test_a_version_is_activated_after_the_last_file(tmp_path):
    with JsonApi(answer) as api:
        done = run(config(api, tmp_path, size=2, emit_activate_version_messages=True))
    assert done.kinds[-1] == "ACTIVATE_VERSION"
    version = done.of("ACTIVATE_VERSION")[0]["version"]
    assert {message["version"] for message in done.of("BATCH")} == {version}
    rows = [row for file in batches(done, bare=False) for row in file]
    assert {row["_sdc_table_version"] for row in rows} == {version}
    assert {datetime.fromisoformat(row["_sdc_extracted_at"]).utcoffset() for row in rows} == {
        timedelta(0)
    }
    assert [row["_sdc_sequence"] for row in rows] == sorted(row["_sdc_sequence"] for row in rows)


def test_rows_without_a_version_say_so(tmp_path):
    with JsonApi(answer) as api:
        done = run(config(api, tmp_path))
    assert {row["_sdc_table_version"] for row in batches(done, bare=False)[0]} == {None}


ENCODING, STORAGE = {"format": "jsonl"}, {"root": "file:///nowhere"}


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        ({"encoding": ENCODING}, "`batch_config.storage.root` is missing"),
        ({"storage": STORAGE, "encoding": {}}, "`batch_config.encoding.format` is missing"),
        (
            {"storage": STORAGE | {"x": 1}, "encoding": ENCODING},
            "`batch_config.storage` has an unknown key. Known: root, prefix, params.",
        ),
        ({"storage": STORAGE, "encoding": ENCODING, "size": 1}, "`batch_config` has an unknown"),
        *(
            ({"storage": STORAGE, "encoding": ENCODING, "batch_size": size}, "at least 1")
            for size in (0, -1, "5", 1.5, True)
        ),
    ],
    ids=repr,
)
def test_a_batch_configuration_that_is_none_is_reported(batch, said):
    with pytest.raises(ConfigValidationError) as refused:
        TapAnalytics(config={"batch_config": batch})
    [problem] = refused.value.errors
    assert said in problem


def test_a_file_that_cannot_be_written_is_reported_with_its_setting(tmp_path):
    with JsonApi(answer) as api:
        tmp_path.joinpath("file").touch()
        done = run(config(api, tmp_path / "file" / "folder"))
    assert "BatchFileError" in done.failure()
    assert "Not a directory. Check `batch_config.storage`" in done.failure()
    assert done.of("BATCH") == []


def test_a_storage_of_an_unknown_kind_is_reported_with_its_setting(tmp_path):
    with JsonApi(answer) as api:
        given = config(api, tmp_path)
        given["batch_config"]["storage"]["root"] = "nosuch://bucket"
        done = run(given)
    assert "can't be written to nosuch://bucket" in done.failure()
    assert "Check `batch_config.storage`" in done.failure()


def test_the_bookmark_moves_after_the_last_file(tmp_path):
    with JsonApi(answer) as api:
        given = config(api, tmp_path, size=2)
        given["apis"][0]["resources"][0]["endpoint"]["incremental"] = {"cursor_path": "id"}
        done = run(given)
    kinds = [message["type"] for message in done.messages]
    assert kinds == ["SCHEMA", *["BATCH"] * 4, "STATE"]
    assert done.bookmark() == 6


def test_a_stream_that_fails_announces_no_last_file(tmp_path):
    def broken(query):
        return answer(query) if query["offset"] == "0" else reply(403, b"{}")

    with JsonApi(broken) as api:
        done = run(config(api, tmp_path))
    assert done.error is not None
    assert "ACTIVATE_VERSION" not in done.kinds
    assert done.state == {}
