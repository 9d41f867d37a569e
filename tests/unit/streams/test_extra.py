"""The streams beyond the specifications: every row in both dialects, and none unless selected."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from support.runs import bag, discover, run

from tap_analytics.demo import DemoApi
from tap_analytics.streams import APIS

#: Names by API, from the demo, which has rows for each.
EXTRA = DemoApi(scale=0.01).extra_streams


@pytest.fixture(scope="module", params=["real", "spec"])
def api(request):
    with DemoApi(dialect=request.param, scale=0.2) as running:
        yield running


@pytest.mark.parametrize("name", sorted({stream.split("_")[0] for stream in EXTRA}))
def test_every_row_arrives(api, name):
    chosen = [stream for stream in EXTRA if stream.startswith(f"{name}_")]
    config = {name: api.config[name], "concurrency": 1}

    done = run(config, only=(*chosen,))
    again = run(config | {"concurrency": 8}, only=(*chosen,))

    assert done.error is None
    assert done.streams.keys() == set(chosen)
    assert again.streams == done.streams
    for stream in chosen:
        rows = api.rows(stream, parse_float=Decimal)
        assert rows
        got = [{k: v for k, v in row.items() if k != "record_hash"} for row in done.records(stream)]
        assert bag(got) == bag(rows), stream


def test_none_is_read_unless_it_is_selected(api):
    done = run(api.config)

    assert sorted({message["stream"] for message in done.of("SCHEMA", None)}) == api.streams


#: The paths that the specifications name.
SPECIFIED = (
    r"/(people|courses|courses/[^/]+/enrollments|accounts|conversations|notes|tasks|users|admins|"
    r"accounts/current/\w+|audit|group|pages|blogposts|spaces|resource)$"
)


def test_a_server_that_has_no_more_than_the_specifications_is_read_without_an_error():
    missing = {"status": 404, "match": {"path": f"^(?!.*{SPECIFIED})"}, "times": None}
    with DemoApi(dialect="spec", scale=0.1, faults=[missing]) as api:
        done = run(api.config)

    assert done.error is None
    assert len({message["stream"] for message in done.of("SCHEMA", None)}) == 24


def test_those_of_the_specifications_are_selected_by_default_and_no_others():
    found = {cls.name: cls.selected_by_default for api in APIS for cls in api.streams}

    assert sorted(name for name, by_default in found.items() if not by_default) == EXTRA


def test_the_catalog_says_so(api):
    for entry in discover(api.config)["streams"]:
        root = next(said for said in entry["metadata"] if said["breadcrumb"] == [])["metadata"]
        is_extra = entry["tap_stream_id"] in EXTRA
        assert root["selected-by-default"] is not is_extra
        assert root["selected"] is not is_extra


@pytest.mark.parametrize(
    ("rules", "more"),
    [
        (["*.*"], []),
        (["*.*", "experimentation_drafts.*"], ["experimentation_drafts"]),
    ],
)
def test_the_default_rule_of_meltano_selects_none(api, monkeypatch, rules, more):
    config = {"experimentation": api.config["experimentation"]}
    catalog = discover(config)
    for entry in catalog["streams"]:
        for said in entry["metadata"]:
            said["metadata"]["selected"] = True
    monkeypatch.setenv("MELTANO_EXTRACT__SELECT", json.dumps(rules))

    done = run(config, catalog=catalog)

    usual = [stream for stream in api.streams if stream.startswith("experimentation_")]
    assert {message["stream"] for message in done.of("SCHEMA", None)} == {*usual, *more}
