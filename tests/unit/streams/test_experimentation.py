"""Workspaces of the experimentation platform, in rows and keys where they are wanted."""

from __future__ import annotations

from decimal import Decimal

import pytest
from singer_sdk.exceptions import ConfigValidationError
from support.runs import bag, discover, run

from tap_analytics.demo import DemoApi
from tap_analytics.demo.data.experimentation import MAIN_ACCOUNT
from tap_analytics.streams import APIS
from tap_analytics.tap import TapAnalytics

STREAMS = [name for api in APIS for name in api.stream_names if name.startswith("experimentation_")]


@pytest.fixture(scope="module")
def api():
    with DemoApi(scale=0.2) as running:
        yield running


def configured(api, **settings):
    return {"experimentation": api.config["experimentation"] | settings}


def test_a_workspace_is_part_of_every_row_and_key(api):
    done = run(configured(api, workspace_id=MAIN_ACCOUNT), only=(*STREAMS,))

    assert done.error is None
    own = {"workspace_id": MAIN_ACCOUNT}
    for stream in STREAMS:
        rows = api.rows(stream, parse_float=Decimal)
        usual = [r | own | ({"uid": str(MAIN_ACCOUNT)} if "uid" in r else {}) for r in rows]
        schema = done.of("SCHEMA", stream)[-1]
        assert bag(done.records(stream)) == bag(usual), stream
        assert schema["key_properties"][0] == "workspace_id"
        assert schema["schema"]["properties"]["workspace_id"]["type"] == ["integer"]
    below = [one.path for one in api.requests if "/accounts/" in one.path]
    assert below
    assert not [path for path in below if f"/accounts/{MAIN_ACCOUNT}/" not in path]


def test_rows_and_keys_are_as_ever_without_one(api):
    catalog = discover(configured(api))

    for entry in catalog["streams"]:
        assert "workspace_id" not in entry["key_properties"]
        assert "workspace_id" not in entry["schema"]["properties"]


def test_a_bookmark_is_that_of_its_workspace():
    with DemoApi(scale=0.2) as api:
        feeds = "experimentation_accounts_feeds"
        first = run(configured(api), only=(feeds,))
        again = run(configured(api, workspace_id=MAIN_ACCOUNT), state=first.state, only=(feeds,))

        assert len(again.records(feeds)) == len(first.records(feeds))


def test_an_account_beside_a_workspace_is_refused(api):
    with pytest.raises(ConfigValidationError) as refused:
        TapAnalytics(config=configured(api, workspace_id=1, account_id="current"))

    [line] = refused.value.errors
    assert line.startswith("`experimentation.workspace_id` is given beside `account_id`")
