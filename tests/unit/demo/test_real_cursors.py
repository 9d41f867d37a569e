"""The demo's wiki and success platform answer as their fact sheets say, in the real dialect."""

from __future__ import annotations

import base64
from collections import Counter

import pytest
from support.demo import SUCCESS, V1, V2, WIKI, query_of


@pytest.fixture
def wiki(api, session):
    return lambda path, **params: session.get(api.url + path, params=params, auth=WIKI)


@pytest.fixture
def success(api, session):
    base = api.config["success"]["base_url"]
    return lambda path, **params: session.get(base + path, params=params, auth=SUCCESS)


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
    lifted = "updatedAt"
    assert rows == [{k: v for k, v in row.items() if k != lifted} for row in api.rows(stream)]
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
    assert wiki(f"{V2}/pages", sort="colour").status_code == 400
    assert wiki(f"{V2}/comments").status_code == 404
    document = wiki(f"{V2}/pages", **{"body-format": "atlas_doc_format"}).json()["results"][0]
    assert list(document["body"]) == ["atlas_doc_format"]


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
    other = query_of(wiki(f"{V2}/pages", limit=5, sort="title").json()["_links"]["next"])["cursor"]
    assert wiki(f"{V2}/pages", cursor=other).status_code == 200
    short = base64.b64encode(b'{"sort":"title","after":["x"]}').decode()
    bad = [("nonsense", {}), ("e30=", {}), (short, {}), (good, {"sort": "title"})]
    for cursor, more in bad:
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
    elsewhere = success("/users", sortBy="createdAt").json()["next"]
    assert success("/users", **{"from": elsewhere}).status_code == 400
    assert success("/users", sortBy="name").status_code == 400
    refused = success("/surveys")
    assert refused.status_code == 404
    assert "RateLimit-Remaining" in refused.headers


def test_success_records_hold_what_makes_them_hard(success):
    users = success("/users").json()["results"]
    assert all(user["accounts"][0]["traits"] is not None for user in users)
    traits = [row["traits"] for row in success("/accounts").json()["results"]]
    assert any(row.get("crm.contract_id", 0) > 2**53 for row in traits)
    assert len({type(row.get("crm.field__c")) for row in traits}) >= 4
    due = [row["dueDate"] for row in success("/tasks").json()["results"]]
    assert None in due
    assert {len(day) for day in due if day} == {10}
