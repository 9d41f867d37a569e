"""The demo's spec dialect does what the specs say, and nothing besides."""

from __future__ import annotations

import pytest
import requests

from tap_analytics.demo import DEFAULT, DemoApi

AUTH = {
    "learning": {"headers": {"X-Api-Key": DEFAULT.learning_api_key}},
    "experimentation": {"headers": {"api_key": DEFAULT.experimentation_api_key}},
    "wiki": {"auth": (DEFAULT.wiki_email, DEFAULT.wiki_api_token)},
    "success": {"auth": (DEFAULT.success_secret_token, DEFAULT.success_basic_auth_header)},
}
#: Stream, host of the spec's dict, path as the dict has it, selector, limit, offset parameter.
OFFSETS = [
    ("experimentation_accounts", "/experimentation", "/v1/accounts", "_data", 50, "offset"),
    ("wiki_audit", "/wiki-spec", "/v1/audit", "results", 25, "start"),
    ("wiki_group", "/wiki-spec", "/v1/group", "results", 25, "start"),
    ("wiki_pages", "/wiki-spec", "/v2/pages", "results", 25, "start"),
    ("wiki_blog_posts", "/wiki-spec", "/v2/blogposts", "results", 25, "start"),
    ("wiki_space", "/wiki-spec", "/v2/spaces", "results", 25, "start"),
] + [
    (
        f"experimentation_{name}",
        "/experimentation",
        f"/v1/accounts/current/{path}",
        "_data",
        50,
        "offset",
    )
    for name, path in {
        "accounts_feeds": "feeds",
        "users": "users",
        "smartcode": "smartcode",
        "campaigns": "campaigns",
        "custom_widgets": "changesets",
        "thresholds": "thresholds",
        "integrations": "integrations",
        "labels": "labels",
    }.items()
]


@pytest.fixture(scope="module")
def api():
    with DemoApi(dialect="spec") as running:
        yield running


def get(api, name, path, **params):
    answer = requests.get(f"{api.url}{path}", params=params, **AUTH[name])
    answer.raise_for_status()
    return answer.json()


@pytest.mark.parametrize("resource", OFFSETS, ids=lambda resource: resource[0])
def test_offsets_reach_every_row_once_in_id_order(api, resource):
    stream, host, path, selector, limit, offset = resource
    rows, start = [], 0
    name = stream.partition("_")[0]
    while page := get(api, name, host + path, **{"limit": limit, offset: start})[selector]:
        rows += page
        start += limit
    expected = api.rows(stream)
    if stream == "wiki_audit":
        assert len(rows) == len(expected) + 1
        assert [int(row["creationDate"]) for row in rows] == sorted(
            int(row["creationDate"]) for row in rows
        )
    else:
        if stream in {"wiki_pages", "wiki_blog_posts"}:
            assert {row.pop("updatedAt") == row["version"]["createdAt"] for row in expected} == {
                True
            }
        assert rows == expected
        key = "id" if "id" in rows[0] else "uid"
        assert [row[key] for row in rows] == sorted(row[key] for row in rows)


def test_single_objects_are_a_list_of_one_with_a_uid(api):
    (row,) = get(api, "experimentation", "/experimentation/v1/accounts/current/smartcode")["_data"]
    assert row["uid"]
    assert [row] == api.rows("experimentation_smartcode")


def test_learning_counts_pages_from_one_and_is_flat(api):
    pages = [
        get(api, "learning", "/learning/v2/people", limit=100, page=page) for page in (1, 2, 3)
    ]
    assert [len(page["data"]) for page in pages] == [100, 20, 0]
    assert [set(page) for page in pages] == [{"data"}] * 3
    rows = [row for page in pages for row in page["data"]]
    assert rows == api.rows("learning_people")
    assert {"email", "updated_at"} < set(rows[0])
    assert not {"attributes", "links", "relationships"} & set(rows[0])


def test_enrollments_know_course_and_person(api):
    rows = []
    for course in get(api, "learning", "/learning/v2/courses")["data"]:
        path = f"/learning/v2/courses/{course['id']}/enrollments"
        for page in (1, 2):
            rows += get(api, "learning", path, page=page)["data"]
    assert rows
    assert all(row["course_id"] and row["person_id"] for row in rows)
    expected = api.rows("learning_course_enrollments")
    assert sorted(rows, key=str) == sorted(expected, key=str)


@pytest.mark.parametrize("name", ["accounts", "admins", "conversations", "notes", "tasks", "users"])
def test_success_is_read_by_next_until_it_is_null(api, name):
    rows, cursor = [], {}
    while True:
        body = get(api, "success", f"/success/{name}", **cursor)
        assert set(body) == {"results", "next"}
        rows += body["results"]
        if body["next"] is None:
            break
        cursor = {"from": body["next"]}
    assert rows == api.rows(f"success_{name}")


def test_parameters_the_specs_do_not_name_are_ignored(api):
    for name, path, params in (
        (
            "learning",
            "/learning/v2/people",
            {"sort": "-name", "filter[updated_at][gteq]": "2030-01-01"},
        ),
        ("experimentation", "/experimentation/v1/accounts", {"includeCurrent": "false"}),
        ("wiki", "/wiki-spec/v2/pages", {"sort": "-modified-date", "cursor": "x"}),
        ("success", "/success/admins", {"sortBy": "createdAt"}),
        ("success", "/success/accounts", {"status": "active"}),
    ):
        assert get(api, name, path, **params) == get(api, name, path)


def test_what_the_specs_do_not_know_is_not_there(api):
    for name, path in (
        ("wiki", "/wiki-spec/v2/comments"),
        ("learning", "/learning/v2/courses/nowhere/enrollments"),
        ("experimentation", "/experimentation/v1/accounts/1/users"),
    ):
        assert requests.get(api.url + path, **AUTH[name]).status_code == 404
    bad = requests.get(f"{api.url}/success/users?from=Im5vIg==", **AUTH["success"])
    assert bad.status_code == 400


def test_passwords_and_header_names_are_those_of_the_specs(api):
    secret = DEFAULT.success_secret_token
    assert requests.get(f"{api.url}/success/admins", auth=(secret, "")).status_code == 401
    headers = {"token": DEFAULT.experimentation_api_key}
    path = "/experimentation/v1/accounts"
    assert requests.get(api.url + path, headers=headers).status_code == 401
    assert requests.get(f"{api.url}/resources/admins", auth=(secret, "")).status_code == 404


def test_the_configuration_fits_the_dialect(api):
    config = api.config
    assert config["experimentation"]["base_url"] == f"{api.url}/experimentation/v1"
    assert "api_key_header" not in config["experimentation"]
    assert config["wiki"]["base_url"] == f"{api.url}/wiki-spec"
    assert config["success"]["basic_auth_header"] == DEFAULT.success_basic_auth_header
    assert config["apis"][0]["client"]["base_url"] == f"{api.url}/declared"
