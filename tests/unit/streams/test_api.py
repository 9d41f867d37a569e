"""An API as it is declared, and the connection a run has to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from support.runs import discover
from support.servers import ScriptedServer, reply

from tap_analytics.demo import DemoApi
from tap_analytics.streams import APIS
from tap_analytics.tap import TapAnalytics
from tap_analytics.transport.request import Request
from tap_analytics.transport.retry import RetryPolicy

LEARNING = APIS[0]


def tap_of(origin="http://127.0.0.1:9", **block):
    block = {"api_key": "k3y-of-nobody", "base_url": f"{origin}/v2/", **block}
    return TapAnalytics(config={"learning": block})


def connection(origin="http://127.0.0.1:9", **block):
    return tap_of(origin, **block).connections["learning"]


def test_every_stream_belongs_to_its_api_and_is_named_after_it():
    for api in APIS:
        assert {stream.api for stream in api.streams} == {api.name}
        assert all(name.startswith(f"{api.name}_") for name in api.stream_names)
    names = [name for api in APIS for name in api.stream_names]
    assert len(set(names)) == len(names)


def test_what_is_not_set_of_retries_is_the_apis_own():
    def retry(**block):
        return connection(**block).http.retry

    assert retry() == retry(retry=None) == LEARNING.retry
    given = {"max_retries": 0, "retry_on_status_codes": [418]}
    assert retry(retry=given) == RetryPolicy(
        max_retries=0, backoff_factor=LEARNING.retry.backoff_factor, statuses=frozenset({418})
    )
    assert retry(retry={"retry_on_status_codes": []}).statuses == frozenset()


@pytest.mark.parametrize(
    ("name", "size", "rate", "factor"),
    [("learning", 100, 10, 5), ("experimentation", 50, 1, 2), ("success", 100, 16, 2)],
)
def test_the_specs_numbers_are_the_defaults(name, size, rate, factor):
    api = next(api for api in APIS if api.name == name)
    assert (api.page_size, api.requests_per_second) == (size, rate)
    assert (api.retry.max_retries, api.retry.backoff_factor) == (3, factor)
    assert api.retry.statuses == {429, 500, 502, 503, 504}


@pytest.mark.parametrize("size", [None, 7])
def test_a_page_size_of_the_block_goes_before_the_apis(size):
    block = {} if size is None else {"page_size": size}
    assert connection(**block).page_size == (size or 100)


def test_a_connection_is_made_once_and_its_base_url_ends_without_a_slash():
    tap = tap_of()
    assert tap.connections["learning"] is tap.connections["learning"]
    assert tap.connections["learning"].base_url == "http://127.0.0.1:9/v2"


# --- the moment a run began ---------------------------------------------------------------------


def http_date(moment):
    return format_datetime(moment.replace(microsecond=0), usegmt=True)


def test_the_earlier_of_both_clocks_is_when_a_run_began():
    behind = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    one = connection()
    one.sync_clock(http_date(behind))
    assert one.began == behind


def test_only_the_first_response_sets_the_servers_clock():
    one = connection()
    before = one.began
    one.sync_clock(http_date(before + timedelta(hours=1)))
    one.sync_clock(http_date(before - timedelta(hours=1)))
    assert one.began == before


@pytest.mark.parametrize(
    "header",
    [
        *(None, "", "soon", "Mon, 32 Jan 2024 00:00:00 GMT", "Fri, 01 Jan 99999 00:00:00 GMT"),
        "Mon, 01 Jan 2024 00:00:00 +99999999999",
    ],
)
def test_a_date_that_cannot_be_read_is_passed_over(header):
    one = connection()
    before = one.began
    one.sync_clock(header)
    assert one.began == before
    one.sync_clock(http_date(before - timedelta(hours=1)))
    assert one.began < before


def test_a_date_before_all_dates_is_the_first_of_them():
    one = connection()
    one.sync_clock("Mon, 01 Jan 0100 00:00:00 GMT", elapsed=9.0)
    assert one.began == datetime(1970, 1, 1, tzinfo=UTC)


def test_a_date_without_a_zone_is_utc():
    one = connection()
    one.sync_clock("Mon, 01 Jan 2024 00:00:00 -0000")
    assert one.began == datetime(2024, 1, 1, tzinfo=UTC)


# --- requests -----------------------------------------------------------------------------------


def test_requests_carry_the_blocks_headers_and_the_key():
    with ScriptedServer([reply()]) as server:
        one = connection(server.origin, headers={"X-Trace": "t"})
        one.transport.fetch(Request(url=f"{one.base_url}/people"), lambda response: response.body)
        headers = server.requests[0].headers
    assert headers["x-trace"] == "t"
    assert headers["x-api-key"] == "k3y-of-nobody"
    assert headers["user-agent"].startswith("tap-analytics/")


def test_each_stream_asks_where_its_declaration_says():
    with DemoApi() as demo:
        tap = TapAnalytics(config=demo.config)
        urls = {}
        for name, stream in tap.streams.items():
            context = {"course_id": "a/b"} if stream.parent_stream_type else None
            urls[name] = stream.endpoint(context).build({}).url.removeprefix(demo.url)
    assert urls["learning_course_enrollments"] == "/learning/v2/courses/a%2Fb/enrollments"
    assert urls["wiki_audit"] == "/wiki/rest/api/audit"
    assert urls["wiki_pages"] == "/wiki/api/v2/pages"
    assert urls["experimentation_custom_widgets"].endswith("/accounts/current/changesets")
    assert urls["success_admins"] == "/resources/admins"


@pytest.mark.parametrize(
    ("api", "stream", "block", "sent"),
    [
        ("success", "success_accounts", {}, {"status": "activeOrChurned", "limit": "100"}),
        ("success", "success_accounts", {"account_status": None}, {"limit": "100"}),
        ("success", "success_accounts", {"account_status": "active"}, {"status": "active"}),
        ("success", "success_notes", {"archived": True}, {"archived": "false"}),
        (
            "success",
            "success_nps_responses",
            {"nps_target": "organization"},
            {"target": "organization"},
        ),
        ("wiki", "wiki_pages", {}, {"body-format": "storage", "limit": "25"}),
        ("wiki", "wiki_space", {"include_icon": False}, {"include-icon": "false"}),
        ("experimentation", "experimentation_accounts", {}, {"includeCurrent": "true"}),
        ("learning", "learning_people", {"page_size": 3}, {"limit": "3"}),
    ],
    ids=str,
)
def test_parameters_come_from_settings_and_null_sends_none(api, stream, block, sent):
    with DemoApi() as demo:
        tap = TapAnalytics(config={api: {**demo.config[api], **block}})
        params = dict(tap.streams[stream].endpoint(None).build({}).params)
    assert sent.items() <= params.items()
    if block.get("account_status", ...) is None:
        assert "status" not in params


def test_discovery_without_any_api_lists_all_built_in_streams():
    catalog = discover({})
    names = {name for api in APIS for name in api.stream_names}
    assert {entry["tap_stream_id"] for entry in catalog["streams"]} == names
    assert all(entry["schema"]["properties"] for entry in catalog["streams"])
