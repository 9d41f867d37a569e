"""The demo's numbered and offset lists answer as the fact sheets say, in the real dialect."""

from __future__ import annotations

import base64

import pytest
import requests
from support.demo import SUCCESS, V1, V2, WIKI, query_of

from tap_analytics.demo import DEFAULT, DemoApi
from tap_analytics.demo.site import Window, natural_limits


@pytest.fixture
def learning(api, session):
    headers = {"X-Api-Key": DEFAULT.learning_api_key}
    base = api.config["learning"]["base_url"]
    return lambda path, **params: session.get(base + path, params=params, headers=headers)


@pytest.fixture
def experimentation(api, session):
    block = api.config["experimentation"]
    headers = {block["api_key_header"]: block["api_key"]}
    return lambda path, **params: session.get(
        block["base_url"] + path, params=params, headers=headers
    )


# Learning


def test_learning_links_are_absolute_drop_the_limit_and_are_left_out(api, learning):
    first = learning("/people", limit=50).json()["links"]
    base = f"{api.url}/learning/v2/people"
    assert first == {"self": f"{base}?limit=50", "next": f"{base}?page=2"}
    second = learning("/people", limit=50, page=2).json()["links"]
    assert (second["prev"], second["next"]) == (base, f"{base}?page=3")
    last = learning("/people", limit=50, page=3)
    assert set(last.json()["links"]) == {"self", "prev"}
    assert len(last.json()["data"]) == 20


def test_learning_pages_hold_25_by_default_and_100_at_most(learning):
    assert len(learning("/people").json()["data"]) == 25
    assert len(learning("/people", limit=5000).json()["data"]) == 100
    assert learning("/people", page=99).json()["data"] == []
    assert learning("/people", page=0).status_code == 400
    assert learning("/people", limit="x").status_code == 400


def test_learning_pages_are_the_rows_before_lifting(api, learning):
    served = [
        row for page in (1, 2) for row in learning("/people", limit=100, page=page).json()["data"]
    ]
    lifted = [{**row, **row["attributes"]} for row in served]
    for row in lifted:
        del row["attributes"]
    assert lifted == api.rows("learning_people")
    assert set(served[0]) == {"type", "id", "attributes", "links", "relationships"}


def test_learning_filters_and_sorts(api, learning):
    rows = api.rows("learning_people")
    bound = sorted(row["updated_at"] for row in rows)[100]
    answer = learning(
        "/people", **{"filter[updated_at][gteq]": bound, "sort": "-updated_at"}
    ).json()
    times = [row["attributes"]["updated_at"] for row in answer["data"]]
    assert times == sorted(
        (r["updated_at"] for r in rows if r["updated_at"] >= bound), reverse=True
    )
    assert query_of(learning("/people", sort="name").json()["links"]["next"])["sort"] == "name"
    assert learning("/people", **{"filter[updated_at][gteq]": "soon"}).status_code == 400
    assert {row["disabled"] for row in rows} == {True, False}
    disabled = learning("/people", **{"filter[disabled][eq]": "True"}).json()["data"]
    assert len(disabled) == sum(row["disabled"] for row in rows)
    named = learning("/people", **{"filter[name]": rows[1]["name"].upper()}).json()["data"]
    assert rows[1]["id"] in {row["id"] for row in named}
    for name in ("filter[shoe]", "filter[name][like]", "filter", "filter[created_at][gteq]"):
        assert learning("/people", **{name: "2025-01-01T00:00:00"}).status_code == 400


def test_enrollments_are_bare_now_and_then(api, learning):
    bare = 0
    rows = []
    for course in api.rows("learning_courses"):
        for page in (1, 2):
            path = f"/courses/{course['id']}/enrollments"
            for row in learning(path, limit=100, page=page).json()["data"]:
                bare += "person_id" not in row["attributes"]
                person = row["relationships"]["person"]["data"]["id"]
                rows.append((course["id"], row["id"], person))
    expected = api.rows("learning_course_enrollments")
    assert sorted(rows) == sorted((r["course_id"], r["id"], r["person_id"]) for r in expected)
    assert 0 < bare < len(rows)
    assert learning("/courses/nowhere/enrollments").status_code == 404


# Experimentation


def test_campaigns_come_wrapped_and_capped(api, experimentation):
    pages = [
        experimentation("/accounts/current/campaigns", limit=100, offset=offset).json()["_data"]
        for offset in (0, 25, 50, 75)
    ]
    assert [len(page["partialCollection"]) for page in pages] == [25, 25, 10, 0]
    assert [page["totalCount"] for page in pages] == [60] * 4
    assert pages[3] == {"partialCollection": {}, "totalCount": 60, "offset": 75}
    served = {row["id"] for page in pages for row in page["partialCollection"]}
    assert served == {row["id"] for row in api.rows("experimentation_campaigns")}


def test_campaigns_of_a_status_come_bare(experimentation):
    running = experimentation("/accounts/current/campaigns", status="RUNNING").json()["_data"]
    assert {row["status"] for row in running} == {"RUNNING"}
    assert experimentation("/accounts/current/campaigns", status="running").status_code == 400
    deleted = experimentation("/accounts/current/campaigns", status="DELETED").json()["_data"]
    assert deleted
    assert all(row["isDeleted"] for row in deleted)
    tests = experimentation("/accounts/current/campaigns", type="ab").json()["_data"]
    assert tests["totalCount"] == 10


def test_the_main_account_has_to_be_asked_for(api, experimentation):
    without = experimentation("/accounts").json()["_data"]
    everything = experimentation("/accounts", includeCurrent="true").json()["_data"]
    assert len(without) == len(everything) - 1
    assert everything == api.rows("experimentation_accounts")
    assert not any(row["isMainAccount"] for row in without)
    active = experimentation("/accounts", status="active").json()["_data"]
    assert active == [row for row in without if row["isActive"]]
    assert experimentation("/accounts", status="asleep").status_code == 400


def test_everything_belongs_to_the_main_account(api, experimentation):
    main, other, *_ = (row["id"] for row in api.rows("experimentation_accounts"))
    users = api.rows("experimentation_users")
    assert experimentation(f"/accounts/{main}/users").json() == {"_data": users}
    assert experimentation(f"/accounts/{other}/users").json() == {"_data": []}
    assert experimentation("/accounts/1/users").status_code == 404
    assert experimentation("/accounts/current/funnels").status_code == 404


def test_feeds_are_newest_first_and_filtered_by_time(api, experimentation):
    rows = api.rows("experimentation_accounts_feeds")
    answer = experimentation("/accounts/current/feeds", limit=500).json()["_data"]
    assert answer == rows[::-1][:100]
    bound = rows[-5]["when"]
    recent = experimentation("/accounts/current/feeds", startTime=bound, limit=100).json()["_data"]
    assert recent == [row for row in rows[::-1] if row["when"] >= bound]
    early = experimentation("/accounts/current/feeds", endTime=rows[3]["when"]).json()["_data"]
    assert early == [row for row in rows[::-1] if row["when"] <= rows[3]["when"]]


def test_single_objects_have_no_uid_and_don_t_page(api, experimentation):
    for resource in ("smartcode", "thresholds", "integrations"):
        answer = experimentation(f"/accounts/current/{resource}", offset=50).json()["_data"]
        assert [answer | {"uid": "current"}] == api.rows(f"experimentation_{resource}")


def test_empty_labels_and_changesets_have_no_data_key():
    streams = ("experimentation_labels", "experimentation_custom_widgets")
    with DemoApi(empty=streams) as bare:
        base = f"{bare.url}/experimentation/api/v2/accounts/current"
        for resource in ("labels", "changesets"):
            headers = {"token": DEFAULT.experimentation_api_key}
            assert requests.get(f"{base}/{resource}", headers=headers).json() == {}


def test_a_wrong_version_is_an_error_inside_200(api, session):
    headers = {"token": DEFAULT.experimentation_api_key}
    answer = session.get(f"{api.url}/experimentation/api/v1/accounts", headers=headers)
    assert answer.status_code == 200
    assert answer.json()["API_ERROR"] == "INCORRECT_API_VERSION"


# Declared


def test_declared_rows_come_with_a_total(api, session):
    url = f"{api.url}/declared/v1/resource"
    key = {"api_key": DEFAULT.declared_api_key}
    bodies = [session.get(url, params={**key, "offset": at}).json() for at in (0, 100, 200, 300)]
    assert [body["offset"] for body in bodies] == [0, 100, 200, 300]
    assert [(body["total"], body["limit"]) for body in bodies] == [(250, 100)] * 4
    assert [row for body in bodies for row in body["data"]] == api.rows("declared_resource_name")


# Credentials


def test_wrong_credentials_are_refused_in_the_words_of_each_api(api, session):
    key = {"X-Api-Key": "wrong"}
    asked = {
        "/learning/v2/people": ({"headers": key}, "errors"),
        "/experimentation/api/v2/accounts": ({"headers": {"token": "wrong"}}, "_errors"),
        f"{V1}/group": ({"auth": (WIKI[0], "wrong")}, "message"),
        f"{V2}/pages": ({"auth": ("wrong", WIKI[1])}, "errors"),
        "/resources/users": ({"auth": ("wrong", "")}, "error"),
        "/declared/v1/resource": ({"params": {"api_key": "wrong"}}, "error"),
    }
    for path, (options, word) in asked.items():
        for shown in (options, {}):
            answer = session.get(api.url + path, **shown)
            assert answer.status_code == 401, path
            assert word in answer.json()


def test_success_looks_at_the_user_name_only(api, session):
    for password in ("", "anything"):
        url = f"{api.url}/resources/admins"
        assert session.get(url, auth=(SUCCESS[0], password)).status_code == 200
    broken = {"Authorization": "Basic " + base64.b64encode(b"\xff").decode()}
    assert session.get(url, headers=broken).status_code == 401


# Rates


def test_rates_are_limited_only_when_asked_to(learning):
    assert {learning("/people", page=page).status_code for page in range(1, 16)} == {200}
    with DemoApi(rate_limits={"learning": (10, 60), "experimentation": (1, 60)}) as strict:
        headers = {"X-Api-Key": DEFAULT.learning_api_key}
        url = f"{strict.url}/learning/v2/courses"
        statuses = [requests.get(url, headers=headers).status_code for _ in range(12)]
        assert statuses == [200] * 10 + [429] * 2
        url = f"{strict.url}/experimentation/api/v2/accounts"
        headers = {"token": DEFAULT.experimentation_api_key}
        answers = [requests.get(url, headers=headers) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 429]
        assert answers[1].json()["_errors"][0]["code"] == 429


def test_the_rates_of_the_services_are_known():
    rates = {"learning": (10, 1.0), "experimentation": (1, 1.0), "success": (1000, 60.0)}
    assert natural_limits("real") == natural_limits("spec") == rates


def test_a_rate_s_window_slides():
    window = Window(2, 1.0)
    assert [window.wait(now) for now in (0.0, 0.5, 0.75)] == [0.0, 0.0, 0.25]
    assert [window.wait(now) for now in (1.0, 1.25, 1.5)] == [0.0, 0.25, 0.0]


def test_a_rate_can_be_set_and_its_reset_is_in_seconds():
    with DemoApi(rate_limits={"success": (2, 60)}) as strict:
        url = f"{strict.url}/resources/admins"
        answers = [requests.get(url, auth=SUCCESS) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert [a.headers["RateLimit-Remaining"] for a in answers] == ["1", "0", "0"]
        assert [a.headers["RateLimit-Limit"] for a in answers] == ["2, 2;window=60"] * 3
        assert 0 < int(answers[2].headers["RateLimit-Reset"]) <= 60
