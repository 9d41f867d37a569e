"""Every mistake in a configuration is a line of the real command, which says what to do.

`test_input.py` has the mistakes people make; here are all the others the tap knows.
"""

from __future__ import annotations

import copy
import json

import pytest
from support.checks import assert_errors, assert_no_secret
from support.processes import run

URL = "https://api.example.com"
FINE = {"api_key": "canary-key-4711", "base_url": URL}
SECRETS = ("canary-key-4711", "canary-password-4711", "canary-in-the-url")


def refused(config, *causes):
    """Check that a configuration is refused before anything is asked, whatever it holds."""
    done = run(config, env={"LOGLEVEL": "DEBUG"})
    assert_errors(done, *causes, limit=200)
    assert_no_secret(done, secrets=SECRETS)
    assert done.stdout == b""
    return done


def test_each_kind_of_setting_that_is_wrong_is_named():
    config = {
        "learning": FINE
        | {
            "api_key": 4711,
            "page_size": 2.5,
            "requests_per_second": "fast",
            "headers": {"X Team": "a", "X-Line": "a\nb", "X-Far": "東京", "X-Space": " a"},
            "retry": {"retry_on_status_codes": [200, 999], "max_retries": -1, "wait": 3},
            "optional_streams": ["learning_people", ""],
        },
        "experimentation": FINE | {"api_key": " canary-key-4711", "include_current": "maybe"},
        "wiki": {"email": "a@b.c", "api_token": "canary-key-4711", "base_url": URL}
        | {"headers": "X-Team"},
        "success": {"secret_token": "canary-key-4711", "base_url": URL, "retry": "often"},
        "apis": "none",
        "stream_maps": {"__else__": "canary-key-4711"},
        "flattening_max_depth": "deep",
        "concurrency": 0,
        "lookback_seconds": float("nan"),
        "request_timeout": float("inf"),
        "max_response_mb": "big",
        "user_agent": "tap \u2013 x",
        "start_date": "2026-02-01",
        "end_date": "2026-01-01",
        "learning.page_size": 5,
        "secret_token": "canary-key-4711",
        "zebra": True,
    }
    refused(
        config,
        ("`learning.api_key`", "must be a string", "quotes"),
        ("`learning.page_size`", "an integer"),
        ("`learning.requests_per_second`", "a number"),
        ("`learning.headers.…`", "header name"),
        ("`learning.headers.X-Line`", "control characters"),
        ("`learning.headers.X-Far`", "can't carry"),
        ("`learning.headers.X-Space`", "white space"),
        ("`learning.retry.retry_on_status_codes[0]`", "at least 400"),
        ("`learning.retry.retry_on_status_codes[1]`", "at most 599"),
        ("`learning.retry.max_retries`", "at least 0"),
        ("`learning.retry.wait`", "Known: "),
        ("`learning.optional_streams[1]`", "is empty"),
        ("`experimentation.api_key`", "white space"),
        ("`experimentation.include_current`", "true or false"),
        ("`wiki.headers`", "an object"),
        ("`success.retry`", "an object"),
        ("`apis`", "a list"),
        ("`stream_maps.__else__`", "--about"),
        ("`flattening_max_depth`", "an integer"),
        ("`concurrency`", "at least 1"),
        ("`lookback_seconds`", "an integer"),
        ("`request_timeout`", "at most"),
        ("`max_response_mb`", "an integer"),
        ("`user_agent`", "can't carry"),
        ("`end_date`", "after `start_date`"),
        ("`learning.page_size`", "Write it nested"),
        ("`secret_token`", "`success.secret_token`"),
        ("`zebra`", "Known: "),
    )


@pytest.mark.parametrize(
    ("block", "missing"),
    [
        ("learning", "`learning.api_key`"),
        ("experimentation", "`experimentation.api_key`"),
        ("wiki", "`wiki.api_token`"),
        ("success", "`success.secret_token`"),
    ],
)
def test_what_is_missing_is_reported_with_its_variable(block, missing):
    given = {"base_url": URL} | ({"email": "a@b.c"} if block == "wiki" else {})

    variable = missing.strip("`").replace(".", "_").upper()

    refused({block: given}, (missing, "is missing", f"`TAP_ANALYTICS_{variable}`"))


#: An address that is none, and words of what is said of it.
URLS = {
    "api.example.com/v2": "https://",
    "ftp://api.example.com": "https://",
    "https://": "no host",
    "https://user:canary-in-the-url@api.example.com": "credentials",
    "https://api.example.com/v2?key=canary-in-the-url": "query",
    "https://api.example.com:port": "host or port",
    "https://<site>.example.com": "host",
    "https://api.example.com/v2 ": "white space",
}


def test_an_address_that_is_none_is_reported_for_every_api():
    def entry(number, url):
        client = {"base_url": url}
        return {"name": f"own{number}", "client": client, "resources": ["things"]}

    apis = [entry(number, url) for number, url in enumerate(URLS)]
    causes = [
        (f"'own{number}'", "`client.base_url`", words) for number, words in enumerate(URLS.values())
    ]

    refused({"apis": apis}, *causes)


# --- declarations ---------------------------------------------------------------------------


def endpoint(**words):
    """Return the parts of an entry for an endpoint of these words."""
    return {"resources": [{"name": "things", "endpoint": {"path": "/things"} | words}]}


def resource(**words):
    return {"resources": [{"name": "things"} | words]}


def auth(**words):
    return {"client": {"base_url": URL, "auth": words}}


OAUTH = {"client_id": "us", "client_secret": "canary-password-4711", "access_token_url": URL}
PARENTS = [
    {"name": "users"},
    {"name": "teams"},
    {"name": "parts", "endpoint": "/users/{user_id}/teams/{team_id}/parts"},
]
RESOLVE = {"type": "resolve", "resource": "people", "field": "id"}
INCREMENTAL = {"cursor_path": "changed"}
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}}
#: A mistake laid over an entry, and the words that must be named.
MISTAKES = [
    ({"clients": {}}, "`clients`"),
    ({"page_size": 0}, "`page_size`"),
    ({"requests_per_second": -1}, "`requests_per_second`"),
    ({"headers": {"X Team": "a"}}, "`headers.…`"),
    ({"headers": {"X-Team": []}}, "`headers.X-Team`"),
    ({"headers": "X-Team"}, "`headers`"),
    ({"retry": {"max_retries": "3"}}, "`retry.max_retries`"),
    ({"retry": {"retry_on_status_codes": [200]}}, "`retry.retry_on_status_codes`"),
    ({"retry": {"retry_on_status_codes": [404]}}, "404"),
    ({"retry": {"retry_on_status_codes": 429}}, "[429, 503]"),
    ({"optional_streams": [5]}, "`optional_streams`"),
    ({"resource_defaults": {"primary_key": [1]}}, "`resource_defaults.primary_key`"),
    ({"client": None}, "`client`"),
    ({"client": "x"}, "`client`"),
    ({"client": {"base_url": 5}}, "`client.base_url`"),
    ({"client": {"base_url": URL, "session": {}}}, "`client.session`"),
    ({"resources": [5]}, "resources[0]"),
    ({"resources": [{"endpoint": "x"}]}, "`name`"),
    ({"resources": ["a b"]}, "`name`"),
    (auth(token="canary-password-4711"), "`client.auth.type`"),
    (auth(type="bearer", token="canary-password-4711\n"), "`client.auth.token`"),
    (auth(type="bearer", token=" "), "`client.auth.token`"),
    (auth(type="bearer", token=["canary-password-4711"]), "`client.auth.token`"),
    (auth(type="api_key", api_key="canary-password-4711"), "`client.auth.name`"),
    (auth(type="api_key", name="a b", api_key="canary-password-4711"), "`client.auth.name`"),
    (
        auth(type="api_key", name="k", api_key="canary-password-4711", location="body"),
        "`client.auth.location`",
    ),
    (auth(type="basic", username="a:b", password="canary-password-4711"), "`client.auth.username`"),
    (auth(type="basic", username="canary-password-4711"), "`client.auth.password`"),
    (
        auth(type="oauth2_client_credentials", **OAUTH, token_url=URL),
        "`client.auth.token_url`",
    ),
    (
        auth(type="oauth2_client_credentials", **OAUTH | {"access_token_url": "here"}),
        "`client.auth.access_token_url`",
    ),
    (
        auth(type="oauth2_client_credentials", **OAUTH, access_token_request_data={"a": {}}),
        "`client.auth.access_token_request_data.a`",
    ),
    (endpoint(method="PUT"), "`method`"),
    (endpoint(json={"a": 1}), "`json`"),
    (endpoint(method="POST", json="a"), "`json`"),
    (endpoint(method="POST", json={"a": "{{ incremental.start }}"}), "`json`"),
    (endpoint(path="https://elsewhere.example.com/things"), "`path`"),
    (endpoint(path="/things?a=1"), "`path`"),
    (endpoint(path="/the things"), "`path`"),
    (endpoint(path="/things/{}"), "`path`"),
    (endpoint(path="/things/{owner_id}"), "`path`"),
    (endpoint(params={"a": [[1]]}), "`params.a`"),
    (endpoint(params={"a": "{{ incremental.start }}"}), "`params.a`"),
    (endpoint(params={"since": INCREMENTAL | {"type": "incremental"}}), "`params.since.type`"),
    (endpoint(params={"owner": RESOLVE}), "`params.owner`"),
    (endpoint(path="/{owner}", params={"owner": RESOLVE}), "`params.owner.resource`"),
    (endpoint(data_selector="a..[b"), "`data_selector`"),
    (endpoint(incremental={}), "`incremental.cursor_path`"),
    (endpoint(incremental={"cursor_path": "meta..changed"}), "`incremental.cursor_path`"),
    (endpoint(incremental=INCREMENTAL | {"initial_value": []}), "`incremental.initial_value`"),
    (endpoint(incremental=INCREMENTAL | {"lag": "5"}), "`incremental.lag`"),
    (endpoint(paginator=5), "`paginator`"),
    (endpoint(paginator={"type": "cursor", "limit": 0}), "`paginator.limit`"),
    (endpoint(paginator={"type": "cursor", "cursor_path": "a b"}), "`paginator.cursor_path`"),
    (
        endpoint(paginator={"type": "cursor", "cursor_value": "next"}),
        "`paginator.cursor_value`",
    ),
    (
        endpoint(
            paginator={
                "type": "cursor",
                "cursor_value": "{{ response.next }}",
                "cursor_path": "next",
            }
        ),
        "`paginator.cursor_value`",
    ),
    (endpoint(paginator="offset", params={"offset": "0"}), "'offset'"),
    (endpoint(paginator={"type": "offset", "limit": 5}, params={"limit": 5}), "`params.limit`"),
    (endpoint(paginator="offset", params={"limit": "all"}), "`params.limit`"),
    (resource(endpoint=[]), "`endpoint`"),
    (resource(primary_key=[]) | {"zebra": 1}, "`zebra`"),
    (resource(write_disposition="merge"), "`write_disposition`"),
    (resource(write_disposition="skip"), "`write_disposition`"),
    (
        resource(write_disposition={"disposition": "append", "strategy": "scd2"}),
        "`write_disposition.strategy`",
    ),
    (resource(write_disposition="append", primary_key="id"), "`primary_key`"),
    (
        resource(write_disposition="replace", endpoint={"path": "/x", "incremental": INCREMENTAL}),
        "`incremental`",
    ),
    (resource(schema={"type": 5}), "`schema`"),
    (resource(schema={}), "`schema`"),
    (resource(schema=SCHEMA, primary_key="id"), "`schema`"),
    ({"resources": PARENTS}, "`path`"),
]


def test_each_mistake_of_a_declaration_is_one_line_that_names_its_place():
    def entry(number, mistake):
        plain = {"client": {"base_url": URL}, "resources": ["things"]}
        return plain | copy.deepcopy(mistake) | {"name": f"own{number}"}

    apis = [entry(number, mistake) for number, (mistake, _) in enumerate(MISTAKES)]
    causes = [
        (f"apis[{number}] 'own{number}'", named) for number, (_, named) in enumerate(MISTAKES)
    ]

    done = refused({"apis": apis}, *causes)

    assert "canary" not in json.dumps(done.errors)
