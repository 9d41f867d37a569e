"""The built-in APIs: no findings if nothing is wrong, and settings if something is."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from support.doctor import FEW, merged

from tap_analytics.demo import DemoApi, Fault


@pytest.fixture(scope="module", params=["real", "spec"])
def demo(request):
    with DemoApi(dialect=request.param) as running:
        yield running


def test_the_demo_has_no_findings(doctor, demo):
    demo.reset_counts()
    report = doctor(demo.config | broken(demo, "wiki", page_size=250))
    assert (report.code, report.patch) == (0, {}), report.texts
    assert {level for level, _ in report.findings} <= {"note"}
    results = {s["name"]: s["result"] for api in report.data["apis"] for s in api["streams"]}
    assert sorted(results) == demo.streams
    assert set(results.values()) == {"ok"}


def test_a_stream_of_the_demo_takes_few_requests(doctor, demo):
    demo.reset_counts()
    report = doctor(demo.config)
    counts = Counter(
        "enrollments" if request.path.endswith("/enrollments") else request.path
        for request in demo.requests
    )
    assert max(counts.values()) <= FEW
    assert len(counts) == len(demo.streams)
    assert report.data["requests"] == len(demo.requests)


def test_serial_means_one_request_after_the_other(doctor):
    with DemoApi(latency=0.005) as demo:
        report = doctor(demo.config | {"concurrency": 1})
        assert report.code == 0
        assert demo.in_flight_max == 1


def test_the_rate_limit_holds(doctor):
    with DemoApi(rate_limits={"learning": (4, 1.0)}) as demo:
        block = demo.config["learning"] | {"requests_per_second": 4}
        report = doctor({"learning": block})
        assert report.code == 0
        assert len(demo.requests) > 4
        assert {request.status for request in demo.requests} == {200}


# --- access -----------------------------------------------------------------------------------


def broken(demo, name, **settings):
    """Return the configuration of one API, with settings that don't fit."""
    block = demo.config[name] | settings
    return {name: {word: value for word, value in block.items() if value is not None}}


def test_a_wrong_credential_is_refused_once(doctor):
    with DemoApi() as demo:
        for name, setting in (("learning", "api_key"), ("success", "secret_token")):
            demo.reset_counts()
            report = doctor(broken(demo, name, **{setting: "not-the-one"}))
            assert len(demo.requests) == 1
            assert (report.code, report.findings) == (1, [("wrong", "credentials")])
            assert f"Check `{name}.{setting}`" in report.texts
            assert "not-the-one" not in json.dumps(report.data)
            assert report.data["apis"][0]["credential_accepted"] is False


# --- settings of the built-in APIs --------------------------------------------------------------


def test_a_page_size_that_all_streams_cap_is_reported(doctor):
    with DemoApi() as demo:
        config = broken(demo, "success", page_size=500)
        report = doctor(config)
        assert (report.code, report.patch) == (0, {"success": {"page_size": 100}})
        again = doctor(merged(config, report.patch))
    assert (again.code, again.patch) == (0, {})


def test_a_refused_order_is_reported(doctor):
    fault = Fault(match={"params": {"sortBy": "createdAt"}}, status=400, times=None)
    with DemoApi(faults=[fault]) as demo:
        report = doctor(broken(demo, "success"))
        assert report.patch == {"success": {"sort_by": None}}
        again = doctor(merged(broken(demo, "success"), report.patch))
    assert (report.code, again.code, again.patch) == (1, 0, {})


def test_a_larger_page_size_is_suggested_where_the_server_takes_it(doctor, demo):
    config = {"wiki": demo.config["wiki"]}
    report = doctor(config)
    assert (report.code, report.patch) == (0, {"wiki": {"page_size": 250}})
    again = doctor(merged(config, report.patch))
    assert (again.code, again.patch) == (0, {})


def test_optional_streams_is_suggested_for_a_forbidden_audit_log(doctor):
    fault = Fault(match={"path": "/audit$"}, status=403, times=None)
    with DemoApi(faults=[fault]) as demo:
        config = broken(demo, "wiki", page_size=250)
        report = doctor(config)
        assert report.patch == {"wiki": {"optional_streams": ["wiki_audit"]}}
        again = doctor(merged(config, report.patch))
    assert (report.code, again.code, again.patch) == (1, 0, {})


def test_a_rate_above_that_of_the_service_is_reported(doctor):
    with DemoApi(rate_limits={"success": (60, 60.0)}) as demo:
        block = {k: v for k, v in demo.config["success"].items() if k != "requests_per_second"}
        report = doctor({"success": block}, "--stream", "success_admins")
    assert report.patch == {"success": {"requests_per_second": 1}}


def test_the_rate_of_the_service_is_suggested_after_a_429(doctor):
    fault = Fault(status=429, headers={"Retry-After": "0.01"}, times=2)
    with DemoApi(faults=[fault]) as demo:
        report = doctor(broken(demo, "experimentation"), "--stream", "experimentation_labels")
    assert report.patch == {"experimentation": {"requests_per_second": 1}}


def test_the_address_of_another_api_is_reported(doctor):
    with DemoApi() as demo:
        config = broken(demo, "learning")
        fault = Fault(action="wrong_type", body={"data": [{"name": "x"}]}, times=None)
        demo.set_faults([fault])
        report = doctor(config, "--stream", "learning_people")
    assert report.code == 1
    assert ("wrong", "key_missing") in report.findings
    assert "Check that base_url belongs to this API." in report.texts


def test_a_refused_order_and_filter_are_an_error(doctor):
    fault = Fault(match={"path": "accounts"}, status=400, times=None)
    with DemoApi(faults=[fault]) as demo:
        report = doctor(broken(demo, "success"), "--stream", "success_accounts")
        assert len(demo.requests) <= 3
    assert (report.code, report.findings) == (1, [("wrong", "rejected")])
