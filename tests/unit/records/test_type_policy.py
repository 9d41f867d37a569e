"""Settings that change values: contradicting types, times in UTC, invalid characters."""

from __future__ import annotations

import pytest
from support.runs import declared, run
from support.servers import JsonApi

SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "size": {"type": ["integer", "null"]},
        "at": {"type": ["string", "null"], "format": "date-time"},
        "note": {"type": ["string", "null"]},
        "anything": {},
    },
}


def extracted(rows, **settings):
    with JsonApi(lambda _: {"data": rows}) as api:
        config = declared(api.origin, schema=SCHEMA, endpoint={"paginator": "single_page"})
        return run(config | settings)


def test_a_contradicting_value_passes_by_default():
    done = extracted([{"id": 1, "size": "n/a"}, {"id": 2, "size": 1.5}])
    assert done.error is None
    assert [row["size"] for row in done.records()] == ["n/a", 1.5]
    assert len(done.of("SCHEMA")) == 1


def test_a_contradicting_value_becomes_null_and_is_counted():
    rows = [{"id": 1, "size": "n/a"}, {"id": 2, "size": 3}, {"id": 3, "size": True}]
    done = extracted(rows, on_type_mismatch="null")
    assert [row["size"] for row in done.records()] == [None, 3, None]
    assert next(iter(done.tap.run.results.values())).mismatches == 2


def test_a_contradicting_key_is_never_nulled():
    done = extracted([{"id": "one"}], on_type_mismatch="null")
    assert done.error is not None
    assert done.records() == []


def test_a_contradicting_value_widens_the_schema_before_its_record():
    rows = [{"id": 1, "size": "n/a", "at": 17}, {"id": 2, "size": {"w": 1}}]
    done = extracted(rows, on_type_mismatch="widen")
    assert done.kinds == ["SCHEMA", "SCHEMA", "RECORD", "RECORD"]
    size, at = (done.of("SCHEMA")[1]["schema"]["properties"][name] for name in ("size", "at"))
    assert {"integer", "null", "string", "object"} == set(size["type"])
    assert {"string", "null", "integer"} == set(at["type"])
    assert "format" not in at
    assert [row["size"] for row in done.records()] == ["n/a", {"w": 1}]


def test_a_contradicting_value_fails_the_stream_if_that_is_wanted(caplog):
    done = extracted([{"id": 1, "size": "n/a"}], on_type_mismatch="fail")
    assert done.error is not None
    assert "`size` came as string" in caplog.text
    assert done.records() == []


@pytest.mark.parametrize("policy", ["widen", "null", "fail"])
def test_values_of_the_declared_types_pass_every_policy(policy):
    rows = [
        {"id": 1, "size": None, "at": "2024-01-01T00:00:00Z", "note": "", "anything": [1]},
        {"id": 2},
    ]
    done = extracted(rows, on_type_mismatch=policy)
    assert done.error is None
    assert done.records() == rows
    assert len(done.of("SCHEMA")) == 1


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2024-03-01T12:00:00+02:00", "2024-03-01T10:00:00Z"),
        ("2024-03-01T00:30:00.123456-05:30", "2024-03-01T06:00:00.123456Z"),
        ("2024-03-01T12:00:00.5Z", "2024-03-01T12:00:00.5Z"),
        ("soon", "soon"),
        (None, None),
    ],
)
def test_times_keep_their_offset_unless_utc_is_wanted(written, utc):
    rows = [{"id": 1, "at": written, "note": "2024-03-01T12:00:00+02:00"}]
    assert extracted(rows).records() == rows
    assert extracted(rows, datetimes="utc").records() == [{**rows[0], "at": utc}]


@pytest.mark.parametrize("page", [0, 1])
def test_characters_no_database_takes_are_replaced_on_every_page(page):
    def answer(query):
        start = int(query["offset"])
        note = "a\x00b" if start // 2 == page else "é"
        rows = [{"id": number, "note": note} for number in range(start, min(start + 2, 4))]
        return {"data": rows}

    with JsonApi(answer) as api:
        done = run(declared(api.origin, schema=SCHEMA, endpoint={"paginator": "offset"}))
    assert done.error is None
    notes = {row["note"] for row in done.records()}
    assert "a\ufffdb" in notes
    assert not any("\x00" in note for note in notes)
