"""The demo's real dialect answers as the fact sheets say the services do."""

from __future__ import annotations

import base64
from collections import Counter
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tap_analytics.demo import DEFAULT, DemoApi

WIKI = (DEFAULT.wiki_email, DEFAULT.wiki_api_token)
SUCCESS = (DEFAULT.success_secret_token, "")
V1, V2 = "/wiki/rest/api", "/wiki/api/v2"


@pytest.fixture(scope="module")
def api():
    with DemoApi() as running:
        yield running


@pytest.fixture(scope="module")
def session():
    with requests.Session() as opened:
        yield opened


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


@pytest.fixture
def wiki(api, session):
    return lambda path, **params: session.get(api.url + path, params=params, auth=WIKI)


@pytest.fixture
def success(api, session):
    base = api.config["success"]["base_url"]
    return lambda path, **params: session.get(base + path, params=params, auth=SUCCESS)


def query_of(link):
    return {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}


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
    assert learning("/people", **{"filter[shoe]": "1"}).status_code == 400


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


def test_the_main_account_has_to_be_asked_for(api, experimentation):
    without = experimentation("/accounts").json()["_data"]
    everything = experimentation("/accounts", includeCurrent="true").json()["_data"]
    assert len(without) == len(everything) - 1
    assert everything == api.rows("experimentation_accounts")
    assert not any(row["isMainAccount"] for row in without)


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


# Wiki


@pytest.mark.parametrize("resource", ["pages", "blogposts", "spaces"])
def test_wiki_lists_are_read_by_cursor_alone(api, wiki, resource):
    asked = {"body-format": "storage", "description-format": "plain", "include-icon": "true"}
    asked |= {"limit": "7", "start": "100"}
    rows, cursor = [], {}
    while True:
        answer = wiki(f"{V2}/{resource}", **asked, **cursor)
        rows += answer.json()["results"]
        link = answer.json()["_links"].get("next")
        if link is None:
            break
        assert answer.links["next"]["url"] == link
        assert set(query_of(link)) == {"limit", "cursor"}
        cursor = {"cursor": query_of(link)["cursor"]}
    stream = {"pages": "wiki_pages", "blogposts": "wiki_blog_posts", "spaces": "wiki_space"}[
        resource
    ]
    expected = api.rows(stream)
    assert [{"updatedAt": row.get("updatedAt"), **row} for row in expected] == [
        {"updatedAt": row.get("version", {}).get("createdAt"), **row} for row in rows
    ] or rows == expected
    assert "Link" not in answer.headers


def test_wiki_links_are_spelled_three_ways(api, wiki):
    links = {
        name: wiki(f"{V2}/{name}", limit=1).json()["_links"]["next"].partition("?")[0]
        for name in ("pages", "blogposts", "spaces")
    }
    assert links == {
        "pages": "/wiki/api/v2/pages",
        "blogposts": "/api/v2/blogposts",
        "spaces": f"{api.url}/wiki/api/v2/spaces",
    }


def test_wiki_bodies_descriptions_and_icons_come_when_asked(wiki):
    assert {str(r["body"]) for r in wiki(f"{V2}/pages").json()["results"]} == {"{}"}
    spaces = wiki(f"{V2}/spaces").json()["results"]
    assert {(s["description"], s["icon"]) for s in spaces} == {(None, None)}
    asked = wiki(f"{V2}/pages", **{"body-format": "storage"}).json()["results"]
    assert all(row["body"]["storage"]["representation"] == "storage" for row in asked)
    shown = wiki(f"{V2}/spaces", **{"description-format": "plain", "include-icon": "true"})
    assert any(row["description"] and row["icon"] for row in shown.json()["results"])
    assert wiki(f"{V2}/pages", **{"body-format": "view"}).status_code == 400


@pytest.mark.parametrize("order", ["id", "-id", "created-date", "modified-date", "-modified-date"])
def test_wiki_pages_are_sorted_over_all_pages(api, wiki, order):
    rows, params = [], {"sort": order, "limit": 60}
    while params:
        body = wiki(f"{V2}/pages", **params).json()
        rows += body["results"]
        params = query_of(body["_links"].get("next", ""))
    places = {
        "id": ["id"],
        "created-date": ["createdAt"],
        "modified-date": ["version", "createdAt"],
    }
    keys = []
    for row in rows:
        value = row
        for name in places[order.removeprefix("-")]:
            value = value[name]
        keys.append(value)
    assert keys == sorted(keys, reverse=order.startswith("-"))
    assert len({row["id"] for row in rows}) == 140


def test_a_bad_cursor_is_refused(wiki):
    good = query_of(wiki(f"{V2}/pages", limit=5).json()["_links"]["next"])["cursor"]
    for cursor, more in (("nonsense", {}), ("e30=", {}), (good, {"sort": "title"})):
        answer = wiki(f"{V2}/pages", cursor=cursor, **more)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["code"] == "INVALID_REQUEST_PARAMETER"


def test_groups_are_clamped_to_ten_with_a_link_relative_to_the_context(api, wiki):
    first = wiki(f"{V1}/group", limit=25).json()
    assert (first["start"], first["limit"], first["size"]) == (0, 10, 10)
    assert first["_links"]["next"] == "/rest/api/group?limit=10&next=true&start=10"
    assert first["_links"]["context"] == "/wiki"
    assert first["_links"]["base"] == f"{api.url}/wiki"
    rest = wiki(f"{V1}/group", start=10).json()
    assert "next" not in rest["_links"]
    assert first["results"] + rest["results"] == api.rows("wiki_group")


def test_audit_is_newest_first_between_inclusive_bounds(api, wiki):
    events = wiki(f"{V1}/audit").json()["results"]
    times = [int(event["creationDate"]) for event in events]
    assert times == sorted(times, reverse=True)
    assert len(events) == 90
    assert type(events[-1]["creationDate"]) is str
    assert max(Counter(map(str, events)).values()) == 2
    bounds = {"startDate": times[60], "endDate": times[30]}
    between = wiki(f"{V1}/audit", **bounds).json()["results"]
    assert between == [e for e in events if times[60] <= int(e["creationDate"]) <= times[30]]


# Success


def read_all(success, resource, **params):
    rows, cursor = [], None
    while True:
        body = success(f"/{resource}", **params, **({"from": cursor} if cursor else {})).json()
        rows += body["results"]
        assert body["atEnd"] == (body["next"] is None)
        if (cursor := body["next"]) is None:
            return rows
        assert cursor.endswith("=")


def test_success_accounts_are_active_unless_asked(api, success):
    active = read_all(success, "accounts")
    everybody = read_all(success, "accounts", status="activeOrChurned", limit=40)
    assert len(active) == 130
    assert len(everybody) == 150
    assert {row["id"] for row in everybody} == {row["id"] for row in api.rows("success_accounts")}
    assert len(read_all(success, "accounts", status="churned")) == 20
    assert success("/accounts", status="all").status_code == 400


@pytest.mark.parametrize("resource", ["accounts", "conversations", "notes", "tasks", "users"])
@pytest.mark.parametrize("order", [None, "updatedAt", "createdAt"])
def test_success_lists_are_sorted_newest_first(success, resource, order):
    rows = read_all(success, resource, limit=33, **({"sortBy": order} if order else {}))
    times = [row[order or "updatedAt"] for row in rows]
    assert times == sorted(times, reverse=True)
    assert len({row["id"] for row in rows}) == len(rows)


def test_success_admins_are_not_sorted(api, success):
    assert success("/admins", sortBy="updatedAt").status_code == 400
    rows = read_all(success, "admins", limit=3)
    assert sorted(map(str, rows)) == sorted(map(str, api.rows("success_admins")))


def test_success_pages_hold_a_hundred_at_most_and_tell_the_rate(success):
    answer = success("/users", limit=5000)
    assert len(answer.json()["results"]) == 100
    assert answer.headers["RateLimit-Limit"] == "1000, 1000;window=60"
    assert answer.headers["RateLimit-Remaining"].isdigit()
    assert answer.headers["RateLimit-Reset"] == "0"
    assert success("/users", **{"from": "bm9uc2Vuc2U="}).status_code == 400


def test_success_records_hold_what_makes_them_hard(success):
    users = success("/users").json()["results"]
    assert all(user["accounts"][0]["traits"] is not None for user in users)
    traits = [row["traits"] for row in success("/accounts").json()["results"]]
    assert any(row.get("crm.contract_id", 0) > 2**53 for row in traits)
    assert len({type(row.get("crm.field__c")) for row in traits}) >= 4
    due = [row["dueDate"] for row in success("/tasks").json()["results"]]
    assert None in due
    assert {len(day) for day in due if day} == {10}


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


def test_rates_are_limited_only_when_told_to(api, learning):
    assert {learning("/people", page=page).status_code for page in range(1, 16)} == {200}
    with DemoApi(rate_limits=True) as strict:
        headers = {"X-Api-Key": DEFAULT.learning_api_key}
        url = f"{strict.url}/learning/v2/courses"
        statuses = [requests.get(url, headers=headers).status_code for _ in range(12)]
        assert statuses[:10] == [200] * 10
        assert 429 in statuses[10:]
        url = f"{strict.url}/experimentation/api/v2/accounts"
        headers = {"token": DEFAULT.experimentation_api_key}
        answers = [requests.get(url, headers=headers) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 429]
        assert answers[1].json()["_errors"][0]["code"] == 429


def test_a_rate_can_be_set_and_its_reset_is_in_seconds():
    with DemoApi(rate_limits={"success": (2, 30)}) as strict:
        url = f"{strict.url}/resources/admins"
        answers = [requests.get(url, auth=SUCCESS) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert [a.headers["RateLimit-Remaining"] for a in answers] == ["1", "0", "0"]
        assert answers[2].headers["RateLimit-Reset"] in {"29", "30"}
