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


def test_the_demo_has_nothing_to_be_said_about(doctor, demo):
    demo.reset_counts()
    report = doctor(demo.config)
    assert (report.code, report.patch) == (0, {}), report.texts
    assert {level for level, _ in report.findings} <= {"note"}
    results = {s["name"]: s["result"] for api in report.data["apis"] for s in api["streams"]}
    assert sorted(results) == demo.streams
    assert set(results.values()) == {"ok"}


def test_no_stream_of_the_demo_is_asked_more_than_a_few_times(doctor, demo):
    demo.reset_counts()
    report = doctor(demo.config)
    asked = Counter(
        "enrollments" if asked.path.endswith("/enrollments") else asked.path
        for asked in demo.requests
    )
    assert max(asked.values()) <= FEW
    assert len(asked) == len(demo.streams)
    assert report.data["requests"] == len(demo.requests)


def test_serial_means_one_request_after_the_other(doctor):
    with DemoApi(latency=0.005) as demo:
        report = doctor(demo.config | {"concurrency": 1})
        assert report.code == 0
        assert demo.in_flight_max == 1


def test_streams_are_asked_side_by_side_within_the_width(doctor):
    with DemoApi(latency=0.02) as demo:
        only = {name: demo.config[name] for name in ("success",)}
        assert doctor(only | {"concurrency": 2}).code == 0
        assert demo.in_flight_max == 2


def test_the_pace_holds(doctor):
    with DemoApi(rate_limits={"learning": (2, 1.0)}) as demo:
        block = demo.config["learning"] | {"requests_per_second": 2}
        report = doctor({"learning": block})
        assert report.code == 0
        assert {asked.status for asked in demo.requests} == {200}


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


def test_a_page_size_that_all_streams_cap_is_told(doctor):
    with DemoApi() as demo:
        config = broken(demo, "success", page_size=500)
        report = doctor(config)
        assert (report.code, report.patch) == (0, {"success": {"page_size": 100}})
        again = doctor(merged(config, report.patch))
    assert (again.code, again.patch) == (0, {})


def test_an_order_that_is_refused_is_told(doctor):
    fault = Fault(match={"params": {"sortBy": "createdAt"}}, status=400, times=None)
    with DemoApi(faults=[fault]) as demo:
        report = doctor(broken(demo, "success"))
        assert report.patch == {"success": {"sort_by": None}}
        again = doctor(merged(broken(demo, "success"), report.patch))
    assert (report.code, again.code, again.patch) == (1, 0, {})


def test_an_audit_log_that_is_forbidden_may_be_optional(doctor):
    fault = Fault(match={"path": "/audit$"}, status=403, times=None)
    with DemoApi(faults=[fault]) as demo:
        config = broken(demo, "wiki")
        report = doctor(config)
        assert report.patch == {"wiki": {"optional_streams": ["wiki_audit"]}}
        again = doctor(merged(config, report.patch))
    assert (report.code, again.code, again.patch) == (1, 0, {})


def test_a_pace_the_service_does_not_allow_is_told(doctor):
    with DemoApi(rate_limits={"success": (60, 60.0)}) as demo:
        block = {k: v for k, v in demo.config["success"].items() if k != "requests_per_second"}
        report = doctor({"success": block}, "--stream", "success_admins")
    assert report.patch == {"success": {"requests_per_second": 1}}


def test_a_rate_that_is_exceeded_leads_to_the_pace_of_the_service(doctor):
    fault = Fault(status=429, headers={"Retry-After": "0.01"}, times=2)
    with DemoApi(faults=[fault]) as demo:
        report = doctor(broken(demo, "experimentation"), "--stream", "experimentation_labels")
    assert report.patch == {"experimentation": {"requests_per_second": 1}}


def test_an_address_of_another_api_is_told(doctor):
    with DemoApi() as demo:
        config = broken(demo, "learning")
        fault = Fault(action="wrong_type", body={"data": [{"name": "x"}]}, times=None)
        demo.set_faults([fault])
        report = doctor(config, "--stream", "learning_people")
    assert report.code == 1
    assert ("wrong", "key_missing") in report.findings
    assert "Check that base_url belongs to this API." in report.texts


def test_an_order_and_a_filter_that_are_both_refused_leave_no_request(doctor):
    fault = Fault(match={"path": "accounts"}, status=400, times=None)
    with DemoApi(faults=[fault]) as demo:
        report = doctor(broken(demo, "success"), "--stream", "success_accounts")
        assert len(demo.requests) <= 3
    assert (report.code, report.findings) == (1, [("wrong", "rejected")])
