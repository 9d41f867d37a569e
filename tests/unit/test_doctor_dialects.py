"""The built-in APIs: left alone where all is well, and recognised where the other dialect fits."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from doctor import FEW, merged

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


def test_the_dialect_of_the_demo_is_recognised(doctor, demo):
    report = doctor(demo.config)
    spoken = {api["name"]: api["dialect"] for api in report.data["apis"]}
    built_in = dict.fromkeys(("learning", "experimentation", "wiki", "success"), demo.dialect)
    assert spoken == {**built_in, "declared": None}


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


# --- the other dialect ------------------------------------------------------------------------


def broken(demo, name, **settings):
    """Return the configuration of one API, with settings that don't fit."""
    block = demo.config[name] | settings
    return {name: {word: value for word, value in block.items() if value is not None}}


def moved(demo, name, before, after):
    url = demo.config[name]["base_url"]
    assert url.endswith(before)
    return url.removesuffix(before) + after


def cures(doctor, config, expected):
    """Examine, apply, examine again; return the first report."""
    report = doctor(config)
    assert report.code == 1
    assert report.patch == expected, report.texts
    again = doctor(merged(config, report.patch))
    assert (again.code, again.patch) == (0, {}), again.texts
    return report


def test_the_header_of_the_real_service_is_found(doctor):
    with DemoApi() as demo:
        config = broken(demo, "experimentation", api_key_header=None)
        report = cures(doctor, config, {"experimentation": {"api_key_header": "token"}})
        refused = [asked for asked in demo.requests if asked.status == 401]
    assert len(refused) == 1
    assert "as the real service does, and the configuration fits the other one" in report.texts
    assert report.findings == [("wrong", "dialect")]
    assert report.stream("experimentation_labels")["not_checked"]


def test_the_header_of_the_specification_is_found(doctor):
    with DemoApi(dialect="spec") as demo:
        config = broken(demo, "experimentation", api_key_header="token")
        cures(doctor, config, {"experimentation": {"api_key_header": "api_key"}})


def test_header_and_version_are_found_together(doctor):
    with DemoApi() as demo:
        home = moved(demo, "experimentation", "/api/v2", "/v1")
        config = broken(demo, "experimentation", api_key_header=None, base_url=home)
        expected = {
            "api_key_header": "token",
            "base_url": demo.config["experimentation"]["base_url"],
        }
        cures(doctor, config, {"experimentation": expected})
        assert len(demo.requests) <= 3 * 9 + 3


def test_a_version_that_is_refused_within_a_success_is_found(doctor):
    with DemoApi() as demo:
        home = moved(demo, "experimentation", "/api/v2", "/api/v1")
        config = broken(demo, "experimentation", base_url=home)
        expected = {"base_url": demo.config["experimentation"]["base_url"]}
        report = cures(doctor, config, {"experimentation": expected})
    assert "INCORRECT_API_VERSION" in report.texts


@pytest.mark.parametrize("name", ["learning", "success"])
def test_a_path_that_the_address_lacks_is_found(doctor, name):
    with DemoApi() as demo:
        url = demo.config[name]["base_url"]
        config = broken(demo, name, base_url=url.rpartition("/")[0])
        report = cures(doctor, config, {name: {"base_url": url}})
        assert report.texts.count("With another `base_url` it answers.") == 1


def test_both_paths_of_the_wiki_are_found(doctor):
    with DemoApi() as demo:
        config = broken(demo, "wiki", v1_path=None, v2_path=None)
        expected = {"v1_path": "/wiki/rest/api", "v2_path": "/wiki/api/v2"}
        report = cures(doctor, config, {"wiki": expected})
    assert report.findings == [("wrong", "dialect"), ("wrong", "dialect")]


def test_the_paths_of_the_specification_are_found(doctor):
    with DemoApi(dialect="spec") as demo:
        config = broken(demo, "wiki", v1_path="/wiki/rest/api", v2_path="/wiki/api/v2")
        cures(doctor, config, {"wiki": {"v1_path": "/v1", "v2_path": "/v2"}})


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
    assert "Check that base_url is that of this API." in report.texts


def test_an_order_and_a_filter_that_are_both_refused_leave_no_request(doctor):
    fault = Fault(match={"path": "accounts"}, status=400, times=None)
    with DemoApi(faults=[fault]) as demo:
        report = doctor(broken(demo, "success"), "--stream", "success_accounts")
        assert len(demo.requests) <= 3
    assert (report.code, report.findings) == (1, [("wrong", "rejected")])
