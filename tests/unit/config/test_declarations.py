from __future__ import annotations

import ast
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.paths import FIXTURES

from tap_analytics.config.declarations import (
    CLIENT,
    ENTRY,
    DeclaredIncremental,
    ParentLink,
    parse,
)
from tap_analytics.config.declarations.auths import AUTHS, LOGIN
from tap_analytics.config.declarations.endpoint import ENDPOINT
from tap_analytics.config.declarations.incremental import INCREMENTAL
from tap_analytics.config.declarations.object_reader import UNSUPPORTED
from tap_analytics.config.declarations.paginators import PAGINATORS
from tap_analytics.config.declarations.parents import guess, plurals
from tap_analytics.config.declarations.resources import RESOURCE
from tap_analytics.config.declarations.retries import RESPONSE_ACTION, RETRY
from tap_analytics.config.settings import secrets_of
from tap_analytics.config.settings.catalog import APIS
from tap_analytics.pagination import (
    Auto,
    Cursor,
    HeaderCursor,
    HeaderLink,
    JsonLink,
    Offset,
    PageNumber,
    SinglePage,
    UnknownUnit,
)
from tap_analytics.pagination.placement import LIMIT, PAGE, in_body
from tap_analytics.transport.auth import (
    ApiKeyHeader,
    ApiKeyQuery,
    Basic,
    Bearer,
    NoAuth,
)
from tap_analytics.transport.combined import Together
from tap_analytics.transport.oauth import OAuth2ClientCredentials
from tap_analytics.transport.retry import ResponseAction, RetryPolicy

SPECS = FIXTURES / "specs"
URL = "https://api.example.com"


def api(*resources, **words):
    client = {"base_url": URL, **words.pop("client", {})}
    return {"name": "billing", "client": client, "resources": list(resources), **words}


def endpoint(**words):
    return {"name": "invoices", "endpoint": words}


def read(*entries, reserved=()):
    apis, problems = parse(entries, reserved=reserved)
    assert problems == []
    return apis


def resource(value, **words):
    """The one resource of an API, read without problems."""
    ((found,),) = (declared.resources for declared in read(api(value, **words)))
    return found


def problems_of(*entries, reserved=()):
    apis, problems = parse(entries, reserved=reserved)
    assert len(apis) < len(entries)
    assert all("\n" not in line for line in problems)
    return problems


def problem_of(*entries, reserved=()):
    (line,) = problems_of(*entries, reserved=reserved)
    return line


# --- the five documents -----------------------------------------------------------------------


def spec(name):
    """The Python dict of a document, as an entry of `apis` and with no other edit."""
    text = (SPECS / f"{name}.md").read_text()
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    code = re.sub(r'dlt\.secrets\["(\w+)"\]', r'"the \1"', code)
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    return {"name": name, **ast.literal_eval(calls[0].args[0])}


@pytest.fixture
def document(request):
    (declared,) = read(spec(request.param))
    return declared


def common(declared, attribute):
    """What all resources of an API have in common."""
    (value,) = {getattr(found, attribute) for found in declared.resources}
    return value


@pytest.mark.parametrize("document", ["learning"], indirect=True)
def test_the_learning_document(document):
    assert document.auth == ApiKeyHeader("X-Api-Key", "the api_key")
    assert document.settings["base_url"] == "https://api.example.com/v2"
    assert {found.stream: found.path for found in document.resources} == {
        "learning_people": "/people",
        "learning_courses": "/courses",
        "learning_course_enrollments": "/courses/{course_id}/enrollments",
    }
    assert common(document, "paging") == UnknownUnit(limit=100)
    assert common(document, "retry") == RetryPolicy(
        max_retries=3, backoff_factor=5, statuses=frozenset({429})
    )
    assert common(document, "data_selector") == "data"
    assert common(document, "primary_keys") == ("id",)
    *_, enrollments = document.resources
    assert enrollments.parents == (
        ParentLink(placeholder="course_id", resource="courses", field="id"),
    )


@pytest.mark.parametrize("document", ["declared"], indirect=True)
def test_the_declared_document(document):
    (found,) = document.resources
    assert document.auth == ApiKeyQuery("api_key", "the api_key")
    assert (found.stream, found.path) == ("declared_resource_name", "/v1/resource")
    assert found.paging == Offset(limit=100)
    assert found.retry == RetryPolicy()
    assert found.write_disposition == "merge"


@pytest.mark.parametrize("document", ["experimentation"], indirect=True)
def test_the_experimentation_document(document):
    assert document.auth == ApiKeyHeader("api_key", "the api_key")
    assert len(document.resources) == 9
    assert common(document, "paging") == Offset(limit=50)
    assert common(document, "data_selector") == "_data"
    paths = {found.name: found.path for found in document.resources}
    assert paths["custom_widgets"] == "/v1/accounts/current/changesets"


@pytest.mark.parametrize("document", ["wiki"], indirect=True)
def test_the_wiki_document(document):
    assert document.auth == Basic("the email", "the api_token")
    assert common(document, "paging") == Offset(offset_param="start", limit=25)
    assert [found.path for found in document.resources] == [
        *("/v1/audit", "/v2/blogposts", "/v1/group", "/v2/pages", "/v2/spaces")
    ]


@pytest.mark.parametrize("document", ["success"], indirect=True)
def test_the_success_document(document):
    assert document.auth == Basic("the secret_token", "the basic_auth_header")
    assert common(document, "paging") == Cursor(cursor_path="next", cursor_param="from", limit=100)
    assert [found.name for found in document.resources] == [
        *("accounts", "admins", "conversations", "notes", "tasks", "users")
    ]


def test_all_documents_live_in_one_configuration():
    assert len(read(*(spec(path.stem) for path in sorted(SPECS.glob("*.md"))))) == 5


# --- resources --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("invoices", "/invoices"),
        ({"name": "invoices"}, "/invoices"),
        ({"name": "invoices", "endpoint": "v2/invoices"}, "/v2/invoices"),
        ({"name": "invoices", "endpoint": {}}, "/invoices"),
        (endpoint(path="/v1/invoices/"), "/v1/invoices/"),
        (endpoint(path=""), ""),
        (endpoint(path="/{region}/invoices", params={"region": "a b"}), "/a%20b/invoices"),
    ],
)
def test_a_resource_in_short_is_the_path(value, path):
    found = resource(value)
    assert (found.stream, found.path, found.request.params) == ("billing_invoices", path, {})
    assert found.data_selector is None
    assert found.method == "GET"


def test_names_with_digits_are_fine():
    (declared,) = read(api("2024_v2", name="crm2"))
    assert declared.resources[0].stream == "crm2_2024_v2"


def test_defaults_apply_unless_a_resource_overrides_them():
    defaults = {
        "primary_key": "id",
        "write_disposition": "replace",
        "endpoint": {
            "params": {"status": "open", "expand": "lines"},
            "headers": {"X-A": "1", "X-B": "2"},
            "error_handler": {"max_retries": 7, "retry_on_status_codes": [503]},
            "data_selector": "data",
        },
    }
    own = endpoint(
        params={"status": None, "archived": False, "tag": ["a", "b"], "max": 5},
        headers={"X-A": 3, "X-C": None},
        error_handler={"max_retries": 1},
        data_selector=None,
    )
    (declared,) = read(
        api("customers", own, resource_defaults=defaults, retry={"backoff_factor": 9})
    )
    customers, invoices = declared.resources
    assert customers.request.params == {"status": "open", "expand": "lines"}
    assert customers.data_selector == "data"
    assert invoices.request.params == {
        "expand": "lines",
        "archived": "false",
        "tag": ("a", "b"),
        "max": "5",
    }
    assert invoices.request.headers == {"X-A": "3", "X-B": "2"}
    assert invoices.data_selector is None
    assert invoices.retry == RetryPolicy(max_retries=1, backoff_factor=9, statuses=frozenset({503}))
    assert invoices.write_disposition == "replace"


def test_an_entry_takes_what_every_block_takes():
    (declared,) = read(
        api(
            "invoices",
            endpoint(paginator="offset") | {"name": "paged"},
            client={"headers": {"X-A": "1", "X-B": "1"}},
            headers={"X-B": "2"},
            page_size=20,
            requests_per_second=2.5,
            retry={"max_retries": 0, "retry_on_status_codes": []},
            optional_streams=["billing_paged"],
        )
    )
    assert declared.settings["headers"] == {"X-A": "1", "X-B": "2"}
    assert declared.settings["requests_per_second"] == 2.5
    assert declared.settings["retry"] == {"max_retries": 0, "retry_on_status_codes": []}
    assert declared.settings["optional_streams"] == ["billing_paged"]
    assert [found.paging for found in declared.resources] == [Auto(limit=20), Offset(limit=20)]


@pytest.mark.parametrize(
    ("words", "keys", "disposition"),
    [
        ({}, (), "append"),
        ({"primary_key": "id"}, ("id",), "merge"),
        ({"primary_key": ["a", "b"]}, ("a", "b"), "merge"),
        ({"write_disposition": "append"}, (), "append"),
        ({"write_disposition": "replace"}, (), "replace"),
        ({"primary_key": "id", "write_disposition": "replace"}, ("id",), "replace"),
        ({"primary_key": "id", "write_disposition": {"disposition": "merge"}}, ("id",), "merge"),
    ],
)
def test_keys_and_write_dispositions(words, keys, disposition):
    found = resource({"name": "invoices", **words})
    assert (found.primary_keys, found.write_disposition) == (keys, disposition)


def test_a_resource_may_append_although_the_defaults_name_a_key():
    value = {"name": "events", "write_disposition": "append"}
    found = resource(value, resource_defaults={"primary_key": "id"})
    assert (found.primary_keys, found.write_disposition) == ((), "append")


def test_a_post_has_a_body_and_an_incremental_resource_a_start():
    found = resource(
        endpoint(
            method="post",
            json={"query": "all"},
            incremental={
                "cursor_path": "$.updated_at",
                "start_param": "since",
                "initial_value": "2026-01-01",
            },
        )
    )
    assert (found.method, found.request.json) == ("POST", {"query": "all"})
    assert found.incremental == DeclaredIncremental(
        cursor_path="updated_at", start_param="since", initial_value="2026-01-01"
    )


@pytest.mark.parametrize(
    ("parent", "child", "below", "complaint"),
    [
        ({}, {}, {}, "`incremental_dependency` needs a parent with `incremental`."),
        (
            {"incremental": {"cursor_path": "at"}},
            {"incremental": {"cursor_path": "at"}},
            {},
            "`incremental_dependency` and `incremental` say both what is new. Remove one.",
        ),
        (
            {"incremental": {"cursor_path": "at"}},
            {},
            {"path": "/b/{resources.children.id}"},
            "its parent 'children' has `incremental_dependency`, so what is below its unchanged",
        ),
    ],
    ids=["parent without a key", "key of its own", "grandchild"],
)
def test_a_dependency_needs_a_parent_that_says_what_is_new(parent, child, below, complaint):
    resources = [
        {"name": "parents", "endpoint": {"path": "/p", **parent}},
        {
            "name": "children",
            "primary_key": "id",
            "incremental_dependency": True,
            "endpoint": {"path": "/c/{resources.parents.id}", **child},
        },
        *([{"name": "below", "endpoint": below}] if below else []),
    ]
    assert complaint in problem_of(api(*resources))


def test_a_dependency_takes_the_replication_key_of_the_parent():
    key = {"cursor_path": "meta.at", "cursor_format": "epoch_s", "start_param": "since", "lag": 5}
    parents = {"name": "parents", "endpoint": {"path": "/p", "incremental": key}}
    child = {"name": "children", "incremental_dependency": True, "primary_key": "id"}
    child["endpoint"] = {"path": "/c/{resources.parents.id}"}
    ((declared,), problems) = parse([api(parents, child)], reserved=())
    assert problems == []
    assert declared.resources[1].incremental == DeclaredIncremental(
        cursor_path="_parents_meta_at", cursor_format="epoch_s", lag=5
    )


@pytest.mark.parametrize(
    "selector", ["data", "_data", "a.b-c", "$", "$.data[*].row", "x[?(@.y>1)].z"]
)
def test_a_selector_is_a_dotted_path_or_jsonpath(selector):
    assert resource(endpoint(data_selector=selector)).data_selector == selector


def test_a_schema_and_a_description_are_kept():
    schema = {"properties": {"id": {"type": "string"}, "at": {}}}
    value = endpoint(incremental={"cursor_path": "at"})
    value |= {"primary_key": "id", "schema": schema, "description": "Bills."}
    found = resource(value)
    assert (found.schema, found.description) == (schema, "Bills.")


# --- paginators -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paginator", "paging"),
    [
        (None, Auto()),
        ("auto", Auto()),
        ({"type": "auto", "limit": 10}, Auto(limit=10)),
        ("single_page", SinglePage()),
        ({"type": "offset"}, Offset()),
        (
            {"type": "offset", "limit": 5, "offset_param": "start", "limit_param": "count"},
            Offset(limit=5, offset_param="start", limit_param="count"),
        ),
        ({"type": "offset", "total_path": None}, Offset(total_path=None)),
        ({"type": "offset", "total_path": "$.meta.total"}, Offset(total_path="meta.total")),
        ({"type": "offset", "limit_param": None}, Offset(limit_param=None)),
        (
            {"type": "offset", "offset_param": "page", "limit": 5},
            UnknownUnit(limit=5),
        ),
        ({"type": "page_number"}, PageNumber()),
        (
            {"type": "page_number", "base_page": 0, "page_param": "p", "total_path": "pages"},
            PageNumber(base_page=0, page_param="p", total_path="pages"),
        ),
        ({"type": "cursor"}, Cursor()),
        ({"type": "cursor", "cursor_path": "meta.next"}, Cursor(cursor_path="meta.next")),
        (
            {"type": "cursor", "cursor_value": "{{response.meta.next}}", "cursor_param": "from"},
            Cursor(cursor_path="meta.next", cursor_param="from"),
        ),
        (
            {"type": "header_cursor", "cursor_key": "X-Next", "cursor_param": "after"},
            HeaderCursor(cursor_key="X-Next", cursor_param="after"),
        ),
        (
            {"type": "json_link", "next_url_path": "links.next"},
            JsonLink(next_url_path="links.next"),
        ),
        (
            {"type": "json_link", "next_url_path": "$.meta.next|['a|b'] | next"},
            JsonLink(next_url_path="meta.next | ['a|b'] | next"),
        ),
        ({"type": "header_link", "links_next_key": "more"}, HeaderLink(links_next_key="more")),
        (
            {"type": "offset", "offset": 1, "maximum_offset": 50, "end_status_codes": 404},
            Offset(offset=1, maximum_offset=50, end_status_codes=(404,)),
        ),
        (
            {"type": "page_number", "page": 2, "maximum_page": 9, "stop_after_empty_page": False},
            PageNumber(page=2, maximum_page=9, stop_after_empty_page=False),
        ),
        (
            {"type": "page_number", "base_page": 1, "page_path": "$.meta.page"},
            PageNumber(base_page=1, page_path="meta.page"),
        ),
        (
            {
                "type": "cursor",
                "has_more_path": "$.meta.more",
                "stop_after_empty_page": True,
                "stop_values": "-1",
                "cursor_encoding": "json",
            },
            Cursor(
                has_more_path="meta.more",
                stop_after_empty_page=True,
                stop_values=("-1",),
                cursor_encoding="json",
            ),
        ),
    ],
)
def test_every_paginator_of_the_vocabulary(paginator, paging):
    assert resource(endpoint(paginator=paginator)).paging == paging
    assert resource("invoices", client={"paginator": paginator}).paging == paging


@pytest.mark.parametrize(
    ("paginator", "paging"),
    [
        (
            {"type": "offset", "offset_body_path": "a.b", "limit_body_path": "c", "limit": 5},
            Offset(offset_param=in_body("a.b"), limit_param=in_body("c"), limit=5),
        ),
        ({"type": "page_number", "page_body_path": "p"}, PageNumber(page_param=in_body("p"))),
        ({"type": "cursor", "cursor_body_path": "c"}, Cursor(cursor_param=in_body("c"))),
    ],
)
def test_values_of_pages_in_the_body(paginator, paging):
    found = resource(endpoint(method="POST", paginator=paginator)).paging
    assert found == paging


def test_placeholders_are_where_a_paginator_puts_its_values():
    headers = {"X-Page": "{paginator.page}", "X-Size": "{paginator.limit}"}
    found = resource(endpoint(headers=headers, paginator={"type": "page_number", "limit": 5}))
    assert found.paging == PageNumber(page_param=PAGE, limit_param=LIMIT, limit=5)


def test_the_most_specific_paginator_applies():
    defaults = {"endpoint": {"paginator": "header_link"}}
    (declared,) = read(
        api(
            "a",
            {"name": "b", "endpoint": {"paginator": "single_page"}},
            {"name": "c", "endpoint": {"paginator": None}},
            client={"paginator": "cursor"},
            resource_defaults=defaults,
        )
    )
    assert [found.paging for found in declared.resources] == [HeaderLink(), SinglePage(), Auto()]


@pytest.mark.parametrize(
    ("paginator", "params", "page_size", "limit"),
    [
        ({"type": "cursor"}, {}, None, None),
        ({"type": "cursor", "limit": 5}, {}, 20, 5),
        ({"type": "cursor"}, {}, 20, 20),
        ({"type": "cursor"}, {"limit": 7}, 20, 7),
        ({"type": "cursor", "limit_param": None}, {}, 20, None),
    ],
)
def test_a_limit_is_sent_only_where_one_is_given(paginator, params, page_size, limit):
    found = resource(endpoint(paginator=paginator, params=params), page_size=page_size)
    assert found.paging.limit == limit
    assert found.request.params == {}


# --- responses --------------------------------------------------------------------------------


def test_response_actions_and_the_header_to_wait_by_are_part_of_the_retry_policy():
    defaults = {
        "endpoint": {
            "response_actions": [{"status_code": 404, "action": "ignore"}],
            "error_handler": {"wait_time_header": "X-Wait"},
        }
    }
    own = endpoint(response_actions=[{"content": "busy", "action": "retry"}])
    ((first, second),) = (
        found.resources for found in read(api("a", own, resource_defaults=defaults))
    )
    assert first.retry.actions == (ResponseAction(action="ignore", status_code=404),)
    assert second.retry.actions == (ResponseAction(action="retry", content="busy"),)
    assert first.retry.wait_time_header == second.retry.wait_time_header == "X-Wait"


@pytest.mark.parametrize(
    ("actions", "complaint"),
    [
        ({"status_code": 404}, "`response_actions` must be a list of objects with `action`."),
        (["ignore"], "`response_actions[0]` must be an object, not text."),
        ([{"status_code": 404}], "`response_actions[0].action` is missing."),
        (
            [{"status_code": 404, "action": "skip"}],
            "`response_actions[0].action` 'skip' is unknown. Known: empty, fail, ignore, retry.",
        ),
        ([{"action": "ignore"}], "`response_actions[0].content` is missing: without it every page"),
        ([{"status_code": 200, "action": "fail"}], "`response_actions[0].content` is missing: wi"),
        (
            [{"status_code": 99, "action": "ignore", "content": "x"}],
            "`response_actions[0].status_code` must be a whole number of at least 200, not 99.",
        ),
        ([{"status_code": "2xx", "action": "fail"}], "`response_actions[0].content` is missing: w"),
        (
            [{"status_code": "9xx", "content": "x", "action": "fail"}],
            "`response_actions[0].status_code` must be a whole number of at least 200, not text.",
        ),
        (
            [{"status_code": 404, "filter": "@.a = 1", "action": "fail"}],
            "`response_actions[0].filter` '@.a = 1' can't be read from `= 1` on. Write it like",
        ),
        (
            [{"filter": "@.errors[?@.code == 1]", "action": "retry"}],
            "`response_actions[0].filter` '@.errors[?@.code == 1]' can't be read from `[?@",
        ),
    ],
)
def test_response_actions_say_what_they_mean(actions, complaint):
    assert complaint in problem_of(api(endpoint(response_actions=actions)))


def test_a_header_to_wait_by_is_a_header_name():
    line = problem_of(api(endpoint(error_handler={"wait_time_header": "a b"})))
    assert "`error_handler.wait_time_header` 'a b' isn't a header name" in line


# --- auth -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        (None, NoAuth()),
        (
            {"type": "api_key", "name": "X-Key", "api_key": "k", "location": "header"},
            ApiKeyHeader("X-Key", "k"),
        ),
        ({"type": "api_key", "name": "X-Key", "api_key": "k"}, ApiKeyHeader("X-Key", "k")),
        (
            {"type": "api_key", "name": "key", "api_key": "k", "location": "query"},
            ApiKeyQuery("key", "k"),
        ),
        ({"type": "basic", "username": "u", "password": ""}, Basic("u", "")),
        ({"type": "http_basic", "username": "u", "password": "p"}, Basic("u", "p")),
        ({"type": "bearer", "token": "t"}, Bearer("t")),
    ],
)
def test_every_kind_of_credentials(auth, expected):
    (declared,) = read(api("invoices", client={"auth": auth}))
    assert declared.auth == expected


@pytest.mark.parametrize("word", ["access_token_url", "token_url"])
def test_client_credentials(word):
    auth = {
        "type": "oauth2_client_credentials",
        word: "https://id.example.com/token",
        "client_id": "app",
        "client_secret": "s",
        "scopes": "read",
        "access_token_request_data": {"audience": "api", "kinds": ["a", "b"]},
    }
    (declared,) = read(api("invoices", client={"auth": auth}))
    assert isinstance(declared.auth, OAuth2ClientCredentials)
    assert declared.auth.token_url == "https://id.example.com/token"
    assert declared.auth.scopes == ("read",)
    assert declared.auth.form == {"audience": "api", "kinds": ("a", "b")}


REFRESH = {
    "type": "oauth2_refresh_token",
    "access_token_url": "https://id.example.com/token?tenant=a",
    "client_id": "app",
    "refresh_token": "hunter2",
}
LOGIN_AUTH = {"type": "session_token", "login": {"url": URL}, "session_token_path": "token"}


def test_a_private_key_may_still_be_a_variable():
    auth = {"type": "oauth_jwt", "auth_endpoint": URL, "client_id": "a", "private_key": "$KEY"}
    (declared,) = read(api("invoices", client={"auth": auth}))
    assert declared.auth.key is None


def test_several_authentications_sign_together():
    auth = [{"type": "bearer", "token": "t"}, {"type": "api_key", "name": "X", "api_key": "k"}]
    (declared,) = read(api("invoices", client={"auth": auth}))
    assert declared.auth == Together((Bearer("t"), ApiKeyHeader("X", "k")))


@pytest.mark.parametrize(
    ("auth", "complaint"),
    [
        ([], "`client.auth` is empty."),
        (["x"], "`client.auth[0]` must be an object, not text."),
        ([{"type": "bearer"}], "`client.auth[0].token` is missing."),
        (
            [{"type": "bearer", "token": "hunter2"}, REFRESH],
            "`client.auth[1]` is written where `client.auth[0]` is.",
        ),
        (
            [
                {"type": "api_key", "name": "X-Key", "api_key": "a"},
                {"type": "api_key", "name": "x-key", "api_key": "b"},
            ],
            "`client.auth[1]` is written where `client.auth[0]` is.",
        ),
    ],
)
def test_authentications_that_sign_together_are_complete_and_in_different_places(auth, complaint):
    line = problem_of(api("invoices", client={"auth": auth}))
    assert complaint in line
    assert "hunter2" not in line


def test_the_auth_of_a_resource_takes_the_place_of_the_clients():
    own = endpoint(auth={"type": "bearer", "token": "own"})
    (declared,) = read(api("customers", own, client={"auth": {"type": "bearer", "token": "t"}}))
    assert [found.auth for found in declared.resources] == [None, Bearer("own")]
    assert declared.auth.of("billing_customers") == Bearer("t")
    assert declared.auth.of("billing_invoices") == Bearer("own")


def test_equal_authentications_of_an_api_are_one_and_share_its_token():
    defaults = {"endpoint": {"auth": REFRESH}}
    first = endpoint(auth=dict(REFRESH)) | {"name": "a"}
    (declared,) = read(api(first, "b", resource_defaults=defaults, client={"auth": REFRESH}))
    signers = {id(declared.auth.of(each.stream)) for each in declared.resources}
    assert len(signers) == 1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ({"auth": {"type": "bearer"}}, "resource 'invoices': `auth.token` is missing."),
        (
            {
                "auth": {"type": "api_key", "name": "k", "api_key": "x", "location": "query"},
                "params": {"k": 1},
            },
            "query parameter 'k' is written by `params` and `auth`. Keep one.",
        ),
    ],
)
def test_the_auth_of_a_resource_is_checked_as_the_clients(words, complaint):
    assert complaint in problem_of(api(endpoint(**words)))


@pytest.mark.parametrize(
    ("auth", "complaint"),
    [
        ({}, "`client.auth.type` is missing."),
        ("bearer", "`client.auth` must be an object, not text."),
        ({"type": "bearr", "token": "hunter2"}, "Did you mean `bearer`?"),
        ({"type": "bearer"}, "`client.auth.token` is missing."),
        ({"type": "bearer", "token": ""}, "`client.auth.token` is empty."),
        (
            {"type": "bearer", "token": "hunter2\n"},
            "`client.auth.token` contains control characters",
        ),
        ({"type": "bearer", "token": " hunter2"}, "`client.auth.token` begins or ends with white"),
        (
            {"type": "bearer", "token": ["hunter2"]},
            "`client.auth.token` must be a string, not a list.",
        ),
        (
            {"type": "bearer", "token": "hunter2", "api_key": "hunter2"},
            "`client.auth.api_key` is unk",
        ),
        ({"type": "api_key", "api_key": "hunter2"}, "`client.auth.name` is missing."),
        (
            {"type": "api_key", "api_key": "hunter2", "name": "X Key"},
            "`client.auth.name` isn't a header name",
        ),
        (
            {"type": "api_key", "api_key": "hunter2", "name": "k", "location": "body"},
            "`client.auth.location` is unknown. Known: cookie, header, param, query.",
        ),
        (
            {"type": "api_key", "api_key": "hunter2;", "name": "k", "location": "cookie"},
            "`client.auth.api_key` must not contain ';'",
        ),
        (REFRESH | {"refresh_token": ""}, "`client.auth.refresh_token` is empty."),
        (REFRESH | {"access_token_url": "https://x#y"}, "must not have a fragment"),
        (REFRESH | {"client_authentication": "url"}, "Known: body, header."),
        (REFRESH | {"default_token_expiration": -1}, "must be a number of at least 0"),
        (LOGIN_AUTH | {"login": None}, "`client.auth.login` is missing."),
        (LOGIN_AUTH | {"login": {"json": {}}}, "`client.auth.login.url` is missing."),
        (
            LOGIN_AUTH | {"login": {"url": URL, "json": {"p": "hunter2"}, "data": {}}},
            "`client.auth.login.data` and `json` are bodies both.",
        ),
        (
            LOGIN_AUTH | {"login": {"url": URL, "json": {"p": "hunter2"}, "method": "GET"}},
            "`client.auth.login.json` is a body",
        ),
        (
            LOGIN_AUTH | {"login": {"url": URL, "auth": REFRESH}},
            "`client.auth.login.auth.type` is unknown. Known: api_key, basic, bearer, http_basic.",
        ),
        (LOGIN_AUTH | {"session_token_path": None}, "`client.auth.session_token_path` is missing."),
        (LOGIN_AUTH | {"session_token_header": "X"}, "and `session_token_path` say both."),
        (LOGIN_AUTH | {"name": "X Key"}, "`client.auth.name` isn't a header name"),
        (
            LOGIN_AUTH | {"location": "hunter2"},
            "`client.auth.location` is unknown. Known: cookie, header, query.",
        ),
        ({"type": "basic", "username": "u"}, "`client.auth.password` is missing."),
        (
            {"type": "basic", "username": "", "password": "hunter2"},
            "`client.auth.username` is empty.",
        ),
        ({"type": "basic", "username": "u:v", "password": "hunter2"}, "must not contain ':'"),
        (
            {
                "type": "oauth2_client_credentials",
                "token_url": "id.example.com",
                "client_id": "app",
                "client_secret": "hunter2",
            },
            "`client.auth.token_url` must start with https://",
        ),
        (
            {
                "type": "oauth2_client_credentials",
                "client_id": "app",
                "client_secret": "hunter2",
            },
            "`client.auth.access_token_url` is missing.",
        ),
        (
            {
                "type": "oauth2_client_credentials",
                "access_token_url": "https://id.example.com/token",
                "token_url": "https://id.example.com/token",
                "client_id": "app",
                "client_secret": "hunter2",
            },
            "`client.auth.token_url` and `access_token_url` say the same. Remove one.",
        ),
        (
            {
                "type": "oauth2_client_credentials",
                "token_url": "https://id.example.com/token",
                "client_id": "app",
                "client_secret": "hunter2",
                "access_token_request_data": {"audience": [{"api": 1}]},
            },
            "`client.auth.access_token_request_data.audience` must be a string, or a li",
        ),
        ({"type": "hunter2"}, "`client.auth.type` is unknown. Known: api_key,"),
        (
            {"type": "bearer", "token": "t", "hunter2": ""},
            "A field of `client.auth`, not shown as it may be a credential, is unknown.",
        ),
        (
            {"type": "api_key", "name": "X", "api_key": "k", "location": "hunter2"},
            "`client.auth.location` is unknown. Known: cookie, header, param, query.",
        ),
    ],
)
def test_credentials_that_are_given_must_be_complete_and_are_never_shown(auth, complaint):
    line = problem_of(api("invoices", client={"auth": auth}))
    assert line.startswith("apis[0] 'billing': ")
    assert complaint in line
    assert "hunter2" not in line


# --- parents ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("placeholder", "sibling", "field"),
    [
        ("customer_id", "customers", "id"),
        ("customers_id", "customers", "id"),
        ("company_id", "companies", "id"),
        ("address_id", "addresses", "id"),
        ("child_id", "children", "id"),
        ("person_external_id", "people", "external_id"),
        ("group_id", "group", "id"),
        ("groups_id", "group", "id"),
        ("analysis_id", "analyses", "id"),
        ("shelf_no", "shelves", "no"),
        ("day_id", "days", "id"),
        ("sales_order_id", "sales_orders", "id"),
    ],
)
def test_a_placeholder_finds_its_resource_by_singular_or_plural_name(placeholder, sibling, field):
    child = {"name": "things", "endpoint": f"/x/{{{placeholder}}}/things"}
    (declared,) = read(api(child, sibling))
    parent, found = declared.resources
    assert parent.name == sibling
    assert found.parents == (ParentLink(placeholder=placeholder, resource=sibling, field=field),)


def test_the_longest_name_wins_and_a_tie_or_a_stranger_is_left_open():
    assert guess("course_group_id", ["courses", "course_groups"]).resource == "course_groups"
    assert guess("course_group_id", ["courses"]).field == "group_id"
    assert guess("box_id", ["boxs", "boxes"]) is None
    assert guess("box_id", ["box", "boxes"]).resource == "box"
    assert guess("org_slug", ["organisations"]) is None
    assert guess("courses", ["courses"]) is None
    assert guess("_id", ["courses"]) is None
    assert "heroes" in plurals("hero")


def test_a_parameter_may_say_where_a_placeholder_comes_from():
    child = endpoint(
        path="/orgs/{org}/invoices",
        params={"org": {"type": "resolve", "resource": "organisations", "field": "meta.slug"}},
    )
    (declared,) = read(api(child, "organisations"))
    found = declared.resources[1]
    assert found.parents == (
        ParentLink(placeholder="org", resource="organisations", field="meta.slug"),
    )
    assert found.request.params == {}


def test_a_grandchild_gets_everything_from_its_parent():
    lines = {"name": "lines", "endpoint": "/c/{customer_id}/i/{invoice_id}/lines"}
    invoices = {
        "name": "invoices",
        "endpoint": {
            "path": "/c/{owner}/invoices",
            "params": {"owner": {"type": "resolve", "resource": "customers", "field": "id"}},
        },
    }
    taxes = {"name": "taxes", "endpoint": "/c/{customer_id}/i/{invoice_id}/l/{line_id}/taxes"}
    (declared,) = read(api(taxes, lines, invoices, "customers"))
    assert [found.name for found in declared.resources] == [
        *("customers", "invoices", "lines", "taxes")
    ]
    *_, line, tax = declared.resources
    assert line.parents == (
        ParentLink(placeholder="customer_id", resource="invoices", field="owner"),
        ParentLink(placeholder="invoice_id", resource="invoices", field="id"),
    )
    assert tax.parents == (
        ParentLink(placeholder="customer_id", resource="lines", field="customer_id"),
        ParentLink(placeholder="invoice_id", resource="lines", field="invoice_id"),
        ParentLink(placeholder="line_id", resource="lines", field="id"),
    )


def test_parents_come_first_and_the_rest_keeps_its_order():
    (declared,) = read(api("z", {"name": "y", "endpoint": "/a/{a_id}"}, "x", "a"))
    assert [found.name for found in declared.resources] == ["z", "a", "y", "x"]


def test_placeholders_without_a_source_are_reported_with_the_siblings():
    line = problem_of(api({"name": "a", "endpoint": "/{org_slug}/a"}, "orgs2", "b"))
    assert line == (
        "apis[0] 'billing', resource 'a': `path`: no resource fits {org_slug}. Write `params: "
        "{org_slug: {type: resolve, resource: …, field: …}}`. Resources: b, orgs2."
    )


def test_circular_parents_are_reported_with_the_circle():
    entries = api(
        {"name": "a", "endpoint": "/{c_id}/a"},
        {"name": "b", "endpoint": "/{a_id}/b"},
        {"name": "c", "endpoint": "/{b_id}/c"},
    )
    line = problem_of(entries)
    assert line.endswith(
        "resource 'a': its parents are circular: a → c → b → a. Take out a placeholder."
    )
    own = endpoint(
        path="/{x}", params={"x": {"type": "resolve", "resource": "invoices", "field": "id"}}
    )
    assert problem_of(api(own)).endswith("circular: invoices → invoices. Take out a placeholder.")


def test_two_lines_of_parents_are_refused():
    line = problem_of(api("a", "b", {"name": "c", "endpoint": "/{a_id}/{b_id}"}))
    assert "Keep to one line of parents." in line


# --- problems ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (endpoint(paginator="ofset"), "`paginator.type` 'ofset' is unknown. Known: auto, cursor,"),
        (endpoint(paginator="ofset"), "single_page. Did you mean `offset`?"),
        (endpoint(paginator=5), "`paginator` must be an object, not a number."),
        (endpoint(paginator={}), "`paginator.type` is missing."),
        (endpoint(paginator={"type": "cursor", "limit": 0}), "`paginator.limit` must be a whole"),
        (
            endpoint(paginator={"type": "offset", "limit": True}),
            "`paginator.limit` must be a whole",
        ),
        (
            endpoint(paginator={"type": "offset", "offset_param": "page", "offset": 1}),
            "`paginator.offset` counts rows, but `page` may count pages. Use the type page_number.",
        ),
        (
            endpoint(paginator={"type": "offset", "offset": -1}),
            "`paginator.offset` must be a whole number of at least 0",
        ),
        (
            endpoint(paginator={"type": "offset", "maximum_value": 1}),
            "`paginator.maximum_value` isn't supported.",
        ),
        (
            endpoint(paginator={"type": "page_number", "maximum_page": "9"}),
            "`paginator.maximum_page` must be a whole number of at least 0",
        ),
        (
            endpoint(paginator={"type": "offset", "end_status_codes": [404, 500]}),
            "`paginator.end_status_codes` must be a list of 400, 404, 410, 416, 422.",
        ),
        (
            endpoint(paginator={"type": "cursor", "stop_after_empty_page": "no"}),
            "`paginator.stop_after_empty_page` must be true or false, not text.",
        ),
        (
            endpoint(paginator={"type": "cursor", "has_more_path": "a[*]"}),
            "`paginator.has_more_path` 'a[*]' must be a dotted path such as meta.next.",
        ),
        (
            endpoint(paginator={"type": "cursor", "cursor_encoding": "base64"}),
            "`paginator.cursor_encoding` 'base64' is unknown. Known: json.",
        ),
        (
            endpoint(paginator={"type": "offset", "cursor_path": "x"}),
            "`paginator.cursor_path` is unknown.",
        ),
        (
            endpoint(paginator={"type": "cursor", "cursor_value": "{{ request.next }}"}),
            '`paginator.cursor_value` must read like "{{ response.next }}".',
        ),
        (
            endpoint(paginator={"type": "offset", "offset_body_path": "a", "offset_param": "b"}),
            "`paginator.offset_body_path` and `offset_param` say the same. Remove one.",
        ),
        (
            endpoint(paginator={"type": "offset", "offset_body_path": "a"}),
            "`paginator` puts `a` into a body. Set `method`, which is POST mostly.",
        ),
        (
            endpoint(method="POST", data={}, paginator={"type": "offset", "offset_body_path": "a"}),
            "`paginator` puts `a` into a JSON body, but `data` is a form. Write {paginator.offset}",
        ),
        (
            endpoint(
                method="POST",
                json={"a": []},
                paginator={"type": "cursor", "cursor_body_path": "a.b"},
            ),
            "`paginator` puts `a.b` into `json`, where a list is.",
        ),
        (
            endpoint(
                method="POST",
                json={"a": [{}]},
                paginator={"type": "cursor", "cursor_body_path": "a.1"},
            ),
            "`paginator` puts `a.1` into `json`, where a list is.",
        ),
        (
            endpoint(
                method="POST",
                paginator={
                    "type": "offset",
                    "limit": 5,
                    "offset_body_path": "a",
                    "limit_body_path": "a",
                },
            ),
            "`a` of the request is written by `paginator` and `paginator.limit_param`. Keep one.",
        ),
        (
            endpoint(method="POST", json={"a": "{paginator.page}"}, paginator="page_number"),
            "`json` has {paginator.page}. Declare `page_body_path` of the paginator.",
        ),
        (
            endpoint(headers={"X-Page": "{paginator.page}"}, paginator="offset"),
            "`paginator` has no {paginator.page}, which the request needs. Use `page_number`.",
        ),
        (
            endpoint(headers={"X-Size": "{paginator.limit}"}, paginator="offset"),
            "`paginator.limit` is missing: {paginator.limit} is its value. Add it.",
        ),
        (
            endpoint(path="/items/{paginator.cursor}", paginator="cursor"),
            "`path` has {paginator.cursor}, which the first page lacks. Use another place.",
        ),
        (
            endpoint(
                paginator={
                    "type": "cursor",
                    "cursor_value": "{{ response.next }}",
                    "cursor_path": "next",
                }
            ),
            "`paginator.cursor_value` and `cursor_path` say the same.",
        ),
        (
            endpoint(paginator={"type": "json_link", "next_url_path": "@odata.nextLink"}),
            "`paginator.next_url_path` '@odata.nextLink' must be a dotted path",
        ),
        (
            endpoint(paginator={"type": "json_link", "next_url_path": "next | "}),
            "`paginator.next_url_path` '' must be a dotted path",
        ),
        (
            endpoint(
                params={"sort": "at"},
                paginator={"type": "json_link", "first_page_params": ["sort", "order"]},
            ),
            "`paginator.first_page_params` names 'order', which is no query parameter",
        ),
        (
            endpoint(error_handler={"max_retries": -1}),
            "`error_handler.max_retries` must be a whole",
        ),
        (endpoint(error_handler={"backoff_factor": -1}), "backoff_factor` must be a number of at"),
        (
            endpoint(error_handler={"retry_on_status_codes": [200]}),
            "`error_handler.retry_on_status_codes` has 200: only 400 to 599 can be retried.",
        ),
        (
            endpoint(error_handler={"retry_on_status_codes": [404]}),
            "401, 403 and 404 are never retried.",
        ),
        (
            endpoint(error_handler={"retry_on_status_codes": "429"}),
            "must be a list of status codes",
        ),
        (endpoint(error_handler={"retries": 1}), "`error_handler.retries` is unknown."),
        (endpoint(method="PUT"), "`method` 'PUT' isn't supported. Known: GET, POST."),
        (endpoint(json={}), "`json` is a body. Set `method` to POST or, where"),
        (endpoint(method="POST", json="x"), "`json` must be an object or a list, not text."),
        (endpoint(method="POST", data="x"), "`data` must be an object, not text."),
        (endpoint(data={"a": 1}), "`data` is a body. Set `method` to POST or, where"),
        (endpoint(method="POST", data={}, json={}), "`data` and `json` are bodies both."),
        (endpoint(method="POST", data={"a": {}}), "`data.a` must be a string, a number,"),
        (endpoint(schema_contract={}), "`schema_contract` isn't supported."),
        (endpoint(data_selector_required=True), "`data_selector_required` isn't supported."),
        (
            endpoint(pth="/x"),
            "`pth` is unknown. Known: auth, data, data_selector, decoder,",
        ),
        (endpoint(data_selector="a..[b"), "`data_selector` 'a..[b' is neither a dotted path nor"),
        (
            endpoint(path="https://elsewhere.example.com/x"),
            "`path` must be relative to `client.base_u",
        ),
        (endpoint(path="/x?y=1"), "`path` must not have a query or a fragment."),
        (endpoint(path="/x?/y#z"), "`path` must not have a query or a fragment."),
        (endpoint(path="/x y"), "`path` contains white space"),
        (endpoint(path="/{x"), "`path` '/{x' has braces that aren't a placeholder. Write them"),
        (
            endpoint(path="/{resources.customers.id}"),
            "`{resources.customers.id}`: 'customers' is unknown. Known: none.",
        ),
        (
            endpoint(params={"a": "{resources.customers}"}),
            "`params.a` has the unknown placeholder {resources.customers}. Known: {reso",
        ),
        (
            endpoint(headers={"X-A": "{increment.start_value}"}),
            "`headers.X-A` has the unknown placeholder {increment.start_value}.",
        ),
        (
            endpoint(method="POST", json={"a": ["{ {resources.b.id} }"]}),
            "`json` has braces that aren't a placeholder. Write them as {{ and }}.",
        ),
        (endpoint(path=5), "`path` must be a string, not a number."),
        (
            endpoint(params={"a": {"type": "resolve", "resource": "b"}}),
            "`params.a.field` is missing.",
        ),
        (
            endpoint(method="POST", json={"since": "{{ incremental.start_value }}"}),
            "`json` has `{{ incremental.start_value }}`. Write {incremental.start_value}.",
        ),
        (endpoint(params={"a": {"resource": "b", "field": "id"}}), "`params.a.type` is missing."),
        (
            endpoint(params={"a": [[1]]}),
            "`params.a` must be a string, a number, a boolean or a list",
        ),
        (
            endpoint(params={"since": {"type": "incremental", "cursor_path": "at"}}),
            "Write `incremental: {cursor_path: at, start_param: since}`.",
        ),
        (
            endpoint(params={"since": "{incremental.start_value}"}),
            "`incremental` is missing: {incremental.start_value} is its value. Add it.",
        ),
        (
            {"name": "invoices", "include_from_parent": ["id"]},
            "`include_from_parent` needs a parent.",
        ),
        (
            endpoint(params={"x": {"type": "resolve", "resource": "y", "field": "id"}}),
            "`params.x` resolves a placeholder that the path doesn't have.",
        ),
        (
            endpoint(
                path="/{x}",
                params={"x": {"type": "resolve", "resource": "invocies", "field": "id"}},
            ),
            "`params.x.resource` 'invocies' is unknown. Known: none.",
        ),
        (
            endpoint(params={"offset": 5}, paginator="offset"),
            "query parameter 'offset' is written by `params` and `paginator`. Keep one.",
        ),
        (
            endpoint(params={"limit": 5}, paginator={"type": "offset", "limit": 5}),
            "`params.limit` is the paginator's limit too. Remove one.",
        ),
        (endpoint(params={"limit": "all"}), "`params.limit` must be a whole number of at least 1."),
        (endpoint(headers={"X A": "1"}), "`headers.…` isn't a header name"),
        (endpoint(headers={"X-A": []}), "headers.X-A` must be a string, not a list."),
        (endpoint(incremental={}), "`incremental.cursor_path` is missing."),
        (
            endpoint(incremental={"cursor_path": "at", "row_order": "asc"}),
            "`incremental.row_order` isn't supported.",
        ),
        (
            endpoint(incremental={"cursor_path": "at", "lag": -1}),
            "`incremental.lag` must be a number of at least 0, not -1.",
        ),
        (
            endpoint(incremental={"cursor_path": "at", "lag": "3"}),
            "`incremental.lag` '3' isn't a duration. Write it like P1M, P7D or PT1H.",
        ),
        (
            endpoint(incremental={"cursor_path": "at", "lag": "P1M"}),
            "`incremental.lag` must be of one length, such as P7D or PT1H.",
        ),
        (
            endpoint(incremental={"cursor_path": "at", "lag": "P1D", "cursor_format": "number"}),
            "`incremental.lag` is a duration, but `cursor_format` is 'number'. Write a number.",
        ),
        (
            endpoint(incremental={"cursor_path": "at", "convert": "days"}),
            "`incremental.convert` 'days' is unknown. Known: iso, date, epoch_s, epoch_ms, %Y-",
        ),
        (
            endpoint(incremental={"cursor_path": "at", "convert": "%Y-%m-%Q"}),
            "`incremental.convert` has the unknown directive %Q.",
        ),
        (
            endpoint(incremental={"cursor_path": "at", "convert": "%Y-%m"}),
            "`incremental.convert` must name a day, or a part of one.",
        ),
        (
            endpoint(incremental={"cursor_path": "n", "convert": "date", "initial_value": 5}),
            "`incremental.initial_value` 5 isn't a time that `convert` can write.",
        ),
        (
            endpoint(
                incremental={"cursor_path": "n", "cursor_format": "number", "end_value": "now"}
            ),
            "`incremental.end_value` 'now' is a time, but `cursor_format` is 'number'.",
        ),
        (
            endpoint(incremental={"cursor_path": "n", "end_value": "now-2 days"}),
            "`incremental.end_value` 'now-2 days' is neither `now` nor such as `now-P1D`.",
        ),
        (
            endpoint(
                params={"until": "x"}, incremental={"cursor_path": "at", "end_param": "until"}
            ),
            "query parameter 'until' is written by `params` and `incremental`. Keep one.",
        ),
        (
            endpoint(incremental={"cursor_path": "at", "initial_value": True}),
            "`incremental.initial_value` must be a string or a number.",
        ),
        (
            endpoint(path="/{partitions.region}"),
            "`partitions` has no 'region', which {partitions.region} names. Known: none.",
        ),
        (
            endpoint() | {"partitions": {"region": ["eu"]}},
            "`partitions.region` has no use: the request doesn't name {partitions.region}.",
        ),
        (
            endpoint(path="/{partitions.r}") | {"partitions": {"r": ["eu", "eu"]}},
            "`partitions.r` has a value twice. Remove one.",
        ),
        (
            endpoint(path="/{partitions.r}") | {"partitions": {"r": [True]}},
            "`partitions.r` must have texts or whole numbers, at least one and none empty.",
        ),
        (
            endpoint(path="/{partitions.r}") | {"partitions": {"r": ""}},
            "`partitions.r` must have texts or whole numbers, at least one and none empty.",
        ),
        (
            endpoint(path="/{partitions.r}") | {"partitions": {"r": {}}},
            "`partitions.r` must be a list of values, not an object.",
        ),
        (
            endpoint(incremental={"cursor_path": "at", "start_param": "since", "step": "monthly"}),
            "`incremental.step` 'monthly' isn't a duration. Write it like P1M, P7D or PT1H.",
        ),
        (
            endpoint(incremental={"cursor_path": "at", "step": "P1M"}),
            "`incremental.step` needs `start_param`, or {incremental.start_value} in the request.",
        ),
        (
            endpoint(
                path="/{incremental.start_value.%Y}/{incremental.start_value.%m}",
                incremental={"cursor_path": "at", "step": "P1D"},
            ),
            "`incremental.step` must be whole days, months or years",
        ),
        (
            endpoint(
                path="/{incremental.start_value.%d}",
                incremental={"cursor_path": "at", "cursor_format": "number"},
            ),
            "`incremental.cursor_format` is 'number', but {incremental.start_value.%d} is a part",
        ),
        (
            endpoint(path="/{incremental.start_value.%Y}"),
            "`incremental` is missing: {incremental.start_value} is its value. Add it.",
        ),
        (
            endpoint(path="/{incremental.start_value.%H}", incremental={"cursor_path": "at"}),
            "has {incremental.start_value.%H}, whose format has the unknown directive %H.",
        ),
        (
            endpoint(path="/{incremental.start_value.%Y}", incremental={"cursor_path": "at"})
            | {"processing_steps": [{"add_fields": {"from": "{incremental.start_value}"}}]},
            "`incremental` needs `start_param`, or {incremental.start_value} in the request.",
        ),
        (
            endpoint(incremental={"cursor_path": "at", "granularity": "PT1S"}),
            "`incremental.granularity` has no use without `step`.",
        ),
        (
            endpoint(
                incremental={
                    "cursor_path": "at",
                    "start_param": "since",
                    "step": "P1M",
                    "granularity": "P2D",
                }
            ),
            "`incremental.granularity` must divide a day, such as P1D, PT1H or PT1S.",
        ),
        (
            endpoint(
                incremental={
                    "cursor_path": "n",
                    "start_param": "since",
                    "step": "P1M",
                    "cursor_format": "number",
                }
            ),
            "`incremental.step` is a time, but `cursor_format` is 'number'. Remove one.",
        ),
        ({"name": "invoices", "endpoint": []}, "`endpoint` must be an object, not a list."),
        ({"name": "invoices", "columns": {}}, "`columns` isn't supported."),
        ({"name": "invoices", "selected": False}, "`selected` isn't supported."),
        ({"name": "invoices", "primary_kye": "id"}, "Did you mean `primary_key`?"),
        ({"name": "invoices", "primary_key": [1]}, "`primary_key` must be a string or a list"),
        (
            {"name": "invoices", "write_disposition": "skip"},
            "`write_disposition` 'skip' is unknown.",
        ),
        (
            {"name": "invoices", "write_disposition": "merge"},
            "'merge' needs a key. Add `primary_key`.",
        ),
        (
            {
                "name": "invoices",
                "primary_key": "id",
                "write_disposition": {"disposition": "merge", "strategy": "scd2"},
            },
            "`write_disposition.strategy` isn't supported",
        ),
        (
            {"name": "invoices", "primary_key": "id", "write_disposition": "append"},
            "`primary_key` has no use with `write_disposition` 'append'. Remove one.",
        ),
        (
            endpoint(incremental={"cursor_path": "at"}) | {"write_disposition": "replace"},
            "`incremental` reads a part, but `write_disposition` 'replace' needs all rows.",
        ),
        (
            {"name": "invoices", "schema": {"type": 5}},
            "`schema` isn't a JSON schema. Correct `schema.type`.",
        ),
        ({"name": "invoices", "schema": {}}, "`schema` must describe the columns"),
        (
            {"name": "invoices", "primary_key": "id", "schema": {"properties": {"x": {}}}},
            "`schema` has no property 'id', which is a key of the stream.",
        ),
    ],
)
def test_a_problem_of_a_resource_is_one_line_that_names_the_place(value, complaint):
    line = problem_of(api(value))
    assert line.startswith("apis[0] 'billing', resource 'invoices': ")
    assert complaint in line


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        (5, "apis[0]: the entry must be an object, not a number."),
        (api(), "apis[0] 'billing': `resources` must be a list with at least one resource."),
        (api("a", name=""), "apis[0]: `name` is empty."),
        (api("a", name="my-api"), "apis[0] 'my-api': `name` 'my-api' must have letters, digits"),
        (api("a", clent={}), "`clent` is unknown."),
        (api("a b"), "resource 'a b': `name` 'a b' must have letters, digits and '_' only."),
        (api({"endpoint": "x"}), "apis[0] 'billing', resources[0]: `name` is missing."),
        (api("a", 5), "apis[0] 'billing', resources[1]: the entry must be an object"),
        (api("a", client={"base_url": None}), "`client.base_url` is missing."),
        (api("a", client={"base_url": "ftp://x"}), "`client.base_url` must start with https://"),
        (api("a", client={"session": {}}), "`client.session` isn't supported."),
        (
            api("a", client={"headers": {"A": "x\n"}}),
            "`client.headers.A` contains control characters",
        ),
        (api("a", client={"paginator": "x"}), "`client.paginator.type` 'x' is unknown."),
        (api("a", page_size=0), "`page_size` must be a whole number of at least 1, not 0."),
        (api("a", requests_per_second=-1), "`requests_per_second` must be a number of at least 0"),
        (api("a", retry={"max_retries": "3"}), "`retry.max_retries` must be a whole number of at"),
        (
            api("a", optional_streams=["a"]),
            "`optional_streams` 'a' isn't a stream of this API. Known: billing_a.",
        ),
        (
            api("a", {"name": "b"}, resource_defaults={"endpoint": {"path": "x"}}),
            "`resource_defaults.endpoint.path` is unknown.",
        ),
        (
            api("a", "b", resource_defaults={"primary_key": 5}),
            "apis[0] 'billing': `resource_defaults.primary_key` must be a string",
        ),
        (api("a", "A"), "resource 'A': `name` 'A' is given to two resources. Rename one."),
        (
            api(
                {"name": "a", "endpoint": {"params": {"key": "x"}}},
                client={
                    "auth": {"type": "api_key", "name": "key", "api_key": "k", "location": "query"}
                },
            ),
            "query parameter 'key' is written by `params` and `client.auth`. Keep one.",
        ),
    ],
)
def test_a_problem_of_an_api_is_reported_once(entry, complaint):
    assert complaint in problem_of(entry)


def test_names_of_streams_and_apis_must_not_collide():
    first, second = api("c", name="a_b"), api("b_c", name="a")
    assert problem_of(first, second) == (
        "apis[1] 'a', resource 'b_c': its stream 'a_b_c' has the name of a stream of "
        "apis[0] 'a_b'. Rename it."
    )
    assert problem_of(api("people", name="Learning"), reserved=["learning_people"]) == (
        "apis[0] 'Learning', resource 'people': its stream 'Learning_people' has the name of "
        "a built-in stream. Rename it."
    )
    assert problem_of(api("x"), api("y")) == (
        "apis[1] 'billing': has the name of apis[0] 'billing'. Give it another."
    )


def test_all_problems_come_at_once_and_good_apis_are_read_all_the_same():
    bad = {"name": "bad", "client": {"base_url": "x", "auth": {}}, "resources": [], "zebra": 1}
    apis, problems = parse([bad, api("invoices")], reserved=())
    assert [declared.name for declared in apis] == ["billing"]
    assert [line.partition(": ")[2].split()[0] for line in problems] == [
        *("`zebra`", "`client.auth.type`", "`client.base_url`", "`resources`")
    ]
    assert parse("x", reserved=()) == ((), [])


def test_a_problem_in_the_defaults_does_not_spoil_the_rest_of_them():
    defaults = {"primary_key": "id", "endpoint": {"method": "PUT"}}
    value = {"name": "a", "write_disposition": "merge"}
    line = problem_of(api(value, resource_defaults=defaults))
    assert line == (
        "apis[0] 'billing': `resource_defaults.endpoint.method` 'PUT' isn't supported. "
        "Known: GET, POST."
    )


def test_defaults_may_have_values_that_a_resource_completes():
    defaults = {"endpoint": {"params": {"since": "{incremental.start_value}"}}}
    items = {"name": "items", "endpoint": {"incremental": {"cursor_path": "at"}}}
    (declared,) = read(api(items, resource_defaults=defaults))
    assert declared.resources[0].request.names == {"incremental.start_value"}
    assert "resource 'a': `incremental` is missing" in problem_of(
        api("a", resource_defaults=defaults)
    )


# --- one vocabulary ---------------------------------------------------------------------------

VARIANTS = (*PAGINATORS.values(), *AUTHS.values())
TABLES = (
    *(ENTRY, CLIENT, RESOURCE, ENDPOINT, INCREMENTAL, RETRY, RESPONSE_ACTION, LOGIN),
    *(variant.fields for variant in VARIANTS),
)


def test_the_schema_of_the_setting_has_the_fields_of_an_entry():
    schema = APIS.to_dict()["apis"]["items"]
    assert set(schema["properties"]) == set(ENTRY)
    assert {name for name, field in ENTRY.items() if field.required} <= set(schema["required"])
    assert set(schema["properties"]["client"]["properties"]) == set(CLIENT)


def test_every_credential_is_a_secret_of_the_setting_and_is_redacted():
    secret = {
        name
        for auth in AUTHS.values()
        for name, field in auth.fields.items()
        if field.kind.name == "credential" and name != "client_id"
    }
    client = APIS.to_dict()["apis"]["items"]["properties"]["client"]
    assert secret == set(client["properties"]["auth"]["properties"])
    auth = {name: f"the {name}" for name in secret}
    found = secrets_of({"apis": [api("a", client={"auth": auth})]}, blocks={})
    assert set(auth.values()) <= set(found.values)


@pytest.mark.parametrize(
    "login",
    [
        {"json": {"user": "ada", "user_pin": "hidden"}},
        {"json": {"a": [{"b": "hidden"}]}},
        {"data": {"grant_type": "password", "key": "hidden"}},
        {"headers": {"X-Token": "hidden"}},
        {"auth": {"type": "bearer", "token": "hidden"}},
        {"url": "https://api.example.com/login?key=hidden"},
    ],
)
def test_what_a_login_sends_is_redacted_but_for_its_public_names(login):
    auth = LOGIN_AUTH | {"login": {"url": URL, **login}}
    found = secrets_of({"apis": [api("a", client={"auth": auth})]}, blocks={})
    assert {"hidden"} == {*found.values}


def test_what_is_said_to_be_unsupported_is_no_field():
    assert UNSUPPORTED.isdisjoint(name for table in TABLES for name in table)


def test_every_field_says_what_it_means():
    meanings = [field.meaning for table in TABLES for field in table.values()]
    assert all(text.endswith(".") and text[0] in string.ascii_uppercase + "`" for text in meanings)


WORDS = [
    *("name", "client", "resources", "endpoint", "path", "params", "paginator", "type", "auth"),
    *("resource_defaults", "incremental", "cursor_path", "schema", "json", "headers", "limit"),
    *("error_handler", "retry_on_status_codes", "write_disposition", "primary_key", "zebra"),
    *("data", "method", "include_from_parent", "start_param", "initial_value"),
]
SCALARS = [None, True, 0, -1, 1.5, float("nan"), "", "x", "/{x_id}", "offset", "bearer", "merge"]
SCALARS += ["{incremental.start_value}", "{resources.xs.id}", "{{", "{x.y}", "POST", "updated_at"]
json_values = st.recursive(
    st.sampled_from(SCALARS),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(json_values, json_values, json_values)
def test_any_json_gets_lines_not_exceptions(value, defaults, client):
    entries = [
        {"name": "x", "client": client, "resources": [value, "xs"], "resource_defaults": defaults},
        {"name": "y", "client": {"base_url": URL}, "resources": [value], "retry": defaults},
        value,
    ]
    apis, problems = parse(entries, reserved=())
    assert problems
    assert all(line.startswith("apis[") and "\n" not in line for line in problems)
    assert len(apis) <= 1
