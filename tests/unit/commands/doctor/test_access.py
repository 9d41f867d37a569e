"""Findings where there is no usable response, without secrets."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from support.doctor import FEW, items
from support.runs import declared, run
from support.servers import JsonApi, PathApi, ScriptedServer, redirect, reply
from walkthrough.postgres import free_port

from tap_analytics.commands.doctor.findings import merged

KEY = "pass/word+for&the=shop"
ROWS = items(10)
MORE = [{"name": name, "endpoint": {"path": f"/{name}"}} for name in ("orders", "carts")]
HTML = reply(200, b"<!doctype html><h1>Please sign in</h1>", Content_Type="text/html")


def shop(origin, **settings):
    """Return a configuration of three streams with a key in the query."""
    config = declared(origin, endpoint={"paginator": "single_page"}, children=MORE, **settings)
    auth = {"type": "api_key", "name": "key", "api_key": KEY, "location": "query"}
    config["apis"][0]["client"]["auth"] = auth
    return config


def spelled(secret):
    """The secret in every form it might be shown in."""
    return {secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode()}


def deserted():
    """Return an address without a server."""
    return f"http://127.0.0.1:{free_port()}"


@pytest.mark.parametrize(
    ("status", "code", "requests"),
    [(401, "credentials", 1), (403, "forbidden", 3), (404, "missing", 3), (500, "server", 3)],
)
def test_a_refusal_is_reported_once_per_api_without_the_secret(doctor, status, code, requests):
    body = json.dumps({"error": f"no: {KEY}"}).encode()
    with ScriptedServer([reply(status, body)]) as server:
        exit_code, text = doctor.say(shop(server.origin))
        assert len(server.requests) == requests
        report = doctor(shop(server.origin))
    assert exit_code == report.code == 1
    assert (report.findings, report.patch) == ([("wrong", code)], {})
    assert text.count(f"answered {status}") == 1
    for form in spelled(KEY):
        assert form not in text + doctor.errors + json.dumps(report.data)
    accepted = report.data["apis"][0]["credential_accepted"]
    assert accepted == (False if status == 401 else None)


def test_a_refused_connection_is_reported_once(doctor):
    code, text = doctor.say(shop(deserted()))
    assert code == 1
    assert text.count("got no connection (refused)") == 1
    assert "Check `base_url` of shop and the network." in " ".join(text.split())
    assert not spelled(KEY) & set(text.split())


def test_html_is_reported_once(doctor):
    with ScriptedServer([HTML]) as server:
        report = doctor(shop(server.origin))
        assert len(server.requests) == 3
    assert (report.code, report.findings) == (1, [("wrong", "body")])
    assert "text/html" in report.texts


IGNORES = {"response_actions": [{"status_code": 410, "action": "ignore"}]}
GONE = (410, {})
NO_ROWS = "answered 410 Gone, which `response_actions` ignores: a run reads no rows there"


@pytest.mark.parametrize(
    ("served", "paginator", "text"),
    [
        ({"/items": GONE}, "single_page", NO_ROWS),
        (
            {"/items": [{"id": 1}, {"id": 2}]},
            {"type": "offset", "limit": 2},
            "The next page has a response, which `response_actions` ignores: a run stops there",
        ),
    ],
    ids=["first page", "second page"],
)
@pytest.mark.parametrize("reaction", ["warn", "fail"])
def test_a_response_that_is_declared_to_be_ignored_is_a_warning(
    doctor, served, paginator, text, reaction
):
    """A run, too, ends well or fails by `on_unverified`."""

    def answer(path, pairs):
        return served[path] if dict(pairs).get("offset", "0") == "0" else GONE

    endpoint = {"path": "/items", "paginator": paginator, **IGNORES}
    with PathApi(answer) as api:
        config = api.config({"name": "items", "endpoint": endpoint})
        config |= {"on_unverified": reaction}
        report = doctor(config)
        ended = run(config)
    level, code = ("warning", 0) if reaction == "warn" else ("wrong", 1)
    assert (report.code, report.findings) == (code, [(level, "ignored")])
    assert text in report.texts
    assert (ended.code, ended.verdict("odd_items")) == (code, "unverified")


def test_a_list_below_a_parent_that_is_ignored_is_reported_beside_the_checks_of_another(doctor):
    served = {"/items": [{"id": 1}, {"id": 2}], "/items/1/subs": GONE, "/items/2/subs": [{"id": 3}]}
    subs = {"path": "/items/{items_id}/subs", "paginator": "single_page", **IGNORES}
    items = {"name": "items", "endpoint": {"path": "/items", "paginator": "single_page"}}
    with PathApi(lambda path, _: served[path]) as api:
        report = doctor(api.config(items, {"name": "subs", "endpoint": subs}))
    assert (report.code, report.findings) == (0, [("warning", "ignored")])
    assert (report.stream("odd_subs")["rows"], NO_ROWS in report.texts) == (1, True)


def test_an_untrusted_certificate_is_reported_once(doctor, tls):
    with ScriptedServer([reply()], tls=tls) as server:
        report = doctor(shop(server.origin))
    assert (report.code, report.findings) == (1, [("wrong", "unreachable")])
    assert "not trusted" in report.texts


def test_an_error_inside_a_successful_response_is_reported(doctor):
    with JsonApi(lambda _: {"error": "no such tenant"}) as api:
        report = doctor(declared(api.origin))
    assert (report.code, report.findings) == (1, [("wrong", "in_band")])
    assert "no such tenant" in report.texts


def test_a_redirect_to_another_host_is_reported_once(doctor):
    with ScriptedServer([redirect("https://login.example/")]) as server:
        report = doctor(shop(server.origin))
        assert len(server.requests) == 1
    assert (report.code, report.findings) == (1, [("wrong", "origin")])


def test_an_address_that_moved_to_https_is_reported(doctor):
    def answer(received):
        return redirect(f"https://127.0.0.1:{server.address[1]}{received.target}")

    with ScriptedServer(answer) as server:
        report = doctor(shop(server.origin))
    # The https address was not requested.
    assert (report.code, report.patch) == (1, {})
    assert "Use https in `base_url` of shop." in report.texts


def test_a_redirect_within_the_origin_counts_as_a_request(doctor):
    def answer(received):
        if received.target.startswith("/items/"):
            return reply(200, json.dumps({"data": ROWS}).encode())
        return redirect(received.target.replace("/items", "/items/"))

    with ScriptedServer(answer) as server:
        report = doctor(declared(server.origin, endpoint={"paginator": "single_page"}))
    assert (report.code, report.stream()["requests"]) == (0, len(server.requests))


def test_optional_streams_is_suggested_for_a_forbidden_stream(doctor):
    def answer(received):
        if received.target.startswith("/orders"):
            return reply(403, b"{}")
        return reply(
            200, json.dumps({"data": ROWS} if "items" in received.target else ROWS).encode()
        )

    with ScriptedServer(answer) as server:
        config = shop(server.origin)
        for resource in config["apis"][0]["resources"]:
            resource["endpoint"]["paginator"] = "single_page"
        report = doctor(config)
        patch = {"apis": [{"name": "shop", "optional_streams": ["shop_orders"]}]}
        assert (report.code, report.patch) == (1, patch)
        again = doctor(merged(config, report.patch))
    assert (again.code, again.patch) == (0, {})
    assert again.findings == [("warning", "forbidden")]


def test_a_path_that_repeats_the_version_of_the_address_is_found(doctor):
    def answer(received):
        if received.target.startswith("/v1/items"):
            return reply(200, json.dumps({"data": ROWS}).encode())
        return reply(404, b"{}")

    with ScriptedServer(answer) as server:
        endpoint = {"path": "/v1/items", "paginator": "single_page"}
        config = declared(f"{server.origin}/v1", endpoint=endpoint)
        report = doctor(config)
        assert report.resource == {"endpoint": {"path": "/items"}}
        again = doctor(merged(config, report.patch))
    assert (report.code, again.code, again.patch) == (1, 0, {})


# --- rates ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "pace"),
    [
        ({"RateLimit-Limit": "1000, 1000;window=60"}, 16),
        ({"RateLimit-Policy": '"burst";q=30;w=60'}, 0.5),
        ({"X-RateLimit-Limit-Minute": "1200"}, 20),
    ],
    ids=str,
)
def test_a_rate_is_suggested_from_the_rate_headers(doctor, headers, pace):
    spelt = {name.replace("-", "_"): value for name, value in headers.items()}
    body = json.dumps({"data": ROWS}).encode()
    with ScriptedServer([reply(200, body, **spelt)]) as server:
        config = declared(server.origin, endpoint={"paginator": "single_page"})
        report = doctor(config)
        assert report.code == 0
        assert report.data["apis"][0]["rate_headers"] == headers
        patch = {"apis": [{"name": "shop", "requests_per_second": pace}]}
        assert report.patch == patch
        if pace < 1:
            # At this rate a further request takes seconds, and shows nothing new.
            return
        entry = merged(config, patch)["apis"][0]
        again = doctor({"apis": [entry], "concurrency": 1}, "--stream", "shop_items")
    assert (again.code, again.patch) == (0, {})


def test_rate_headers_that_name_no_window_are_shown_only(doctor):
    body = json.dumps({"data": ROWS}).encode()
    with ScriptedServer([reply(200, body, X_RateLimit_Limit="5000")]) as server:
        config = declared(server.origin, endpoint={"paginator": "single_page"})
        report = doctor(config)
        _, text = doctor.say(config)
    assert (report.code, report.patch) == (0, {})
    assert "X-RateLimit-Limit: 5000" in text


def test_after_a_429_a_lower_rate_is_suggested(doctor):
    body = json.dumps({"data": ROWS}).encode()
    with ScriptedServer([reply(429, b"{}", Retry_After="0.01"), reply(200, body)]) as server:
        config = declared(server.origin, endpoint={"paginator": "single_page"})
        config["apis"][0]["requests_per_second"] = 20
        report = doctor(config)
        assert len(server.requests) <= FEW
    assert (report.code, report.findings) == (0, [("warning", "throttled")])
    assert report.patch == {"apis": [{"name": "shop", "requests_per_second": 10}]}


def test_a_lasting_429_is_reported_once(doctor):
    with ScriptedServer([reply(429, b"{}", Retry_After="0.01")]) as server:
        config = declared(server.origin, endpoint={"paginator": "single_page"})
        config["apis"][0]["requests_per_second"] = 20
        report = doctor(config)
        assert len(server.requests) == 3
    assert (report.code, report.findings) == (1, [("wrong", "throttled")])
    assert report.patch == {"apis": [{"name": "shop", "requests_per_second": 10}]}


def test_an_api_that_requests_a_long_pause_is_not_checked(doctor):
    with ScriptedServer([reply(429, b"{}", Retry_After="3600")]) as server:
        report = doctor(shop(server.origin))
        assert len(server.requests) == 1
    assert (report.code, report.findings) == (1, [("wrong", "throttled")])
