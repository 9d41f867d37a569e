"""Configurations of dlt, as Python: what is taken, what is rewritten, and what is left out."""

from __future__ import annotations

import pytest

from tap_analytics.commands.importing import import_file
from tap_analytics.commands.importing.command import _problems

AUTH = '"auth": {"token": dlt.secrets["token"]}'


@pytest.fixture
def imported(tmp_path):
    """Import Python code; what is taken is valid."""

    def read(code):
        path = tmp_path / "shop.py"
        path.write_text(code, "utf-8")
        found, _ = import_file(str(path))
        if found.entry["resources"]:
            assert not _problems({"apis": [found.entry]})
        return found

    return read


@pytest.fixture
def resource(imported):
    """Import one resource beside `shops`, given in Python; returns it and the notes."""

    def read(text, code=""):
        found = imported(
            f'{code}\nconfig = {{"client": {{"base_url": "https://api.shop.com", {AUTH}, '
            '"headers": {"X-Team": "1"}},'
            f' "resources": [{text}, "shops"]}}'
        )
        [first, *_] = found.entry["resources"]
        return first, found

    return read


def endpoint(text, code="", *, resource):
    made, found = resource(f'{{"name": "items", "endpoint": {{"path": "items", {text}}}}}', code)
    return made["endpoint"], found


def left_out(found, reason):
    """Check that the only resource beside `shops` is left out, and why."""
    assert found.entry["resources"] == ["shops"]
    [missing] = found.missing
    assert missing.startswith("1 of 2 streams ")
    assert any("is left out: " in note and reason in note for note in found.notes), found.notes


# --- values -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "value", "made"),
    [
        ("SIZE = 50", "SIZE * 2", 100),
        ("", "'a-{}-{n}'.format('b', n=3)", "a-b-3"),
        ("", "'/'.join(['a', 'b']).upper()", "A/B"),
        ("", "str(5)", "5"),
        ("LIMITS = {'items': [7, 8]}", "LIMITS['items'][-1]", 8),
        ("LIMITS = {'items': 7}", "LIMITS.get('shops', 9)", 9),
        ("def size(n, factor=2):\n    return n", "size(4)", 4),
        ("", "None or 'x'", "x"),
        ("from x import TEAM", "TEAM", "$SHOP_TEAM"),
        ("import x", "x.today()", "$SHOP_A"),
        ("import x", "f'{x.TEAM}-1'", "${SHOP_TEAM}-1"),
        ("import x", "x.TEAM + '/1'", "$SHOP_TEAM/1"),
        ("", "'a' if flag else 'b'", "$SHOP_A"),
        ("", "cast(str, 'x')", "x"),
    ],
)
def test_values_are_read_or_become_variables(code, value, made, resource):
    got, found = endpoint(f'"params": {{"a": {value}}}', code, resource=resource)

    assert got["params"] == {"a": made}
    assert found.missing == ()


@pytest.mark.parametrize(
    "code",
    [
        'RESOURCES = [{"name": n, "endpoint": f"v1/{n}"} for n in ("a", "b")]',
        (
            'RESOURCES = []\nfor n in ["a", "b"]:\n'
            '    RESOURCES.append({"name": n, "endpoint": f"v1/{n}"})'
        ),
        (
            'PATHS = {"a": "v1/a"}\nPATHS["b"] = "v1/b"\n'
            'RESOURCES = [{"name": n, "endpoint": path} for n, path in PATHS.items()]'
        ),
        (
            'def made(name):\n    path = f"v1/{name}"\n'
            '    return {"name": name, "endpoint": path}\n'
            'RESOURCES = [made("a"), made("b")]'
        ),
        (
            'RESOURCES = [{"name": "a", "endpoint": "v1/a"}]\n'
            'RESOURCES += [{"name": "b", "endpoint": "v1/b"}]'
        ),
        (
            'A = dict(name="a", endpoint="v1/a")\n'
            'RESOURCES = [A, {**A, "name": "b"} | {"endpoint": "v1/b"}]'
        ),
        (
            'RESOURCES = [{"name": n, "endpoint": "v1/a" if n == "a" else f"v1/{n}"} '
            'for n in ("a", "b")]'
        ),
        (
            'KNOWN = {"a", "b"}\nRESOURCES = []\nif KNOWN:\n    for n in ("a", "x", "b"):\n'
            "        if n in KNOWN:\n"
            '            RESOURCES.append({"name": n, "endpoint": f"v1/{n}"})\n'
            '        elif not n or n == "y" and KNOWN:\n'
            '            RESOURCES.append({"name": n})'
        ),
        (
            'RESOURCES = []\nfor n in ("a", "b"):\n    made = {"name": n, "endpoint": {}}\n'
            '    if n != "b":\n        made["endpoint"] = "v1/a"\n    else:\n'
            '        made["endpoint"] = f"v1/{n}"\n    RESOURCES.append(made)'
        ),
        (
            'RESOURCES = [{"name": "a"}]\nRESOURCES[0]["endpoint"] = "v1/a"\n'
            'RESOURCES.extend([{"name": "b", "endpoint": "v1/b"}])'
        ),
    ],
    ids=[
        *("comprehension", "loop", "items", "function", "sum", "unpacked", "chosen", "filtered"),
        *("changed in a loop", "changed at once"),
    ],
)
def test_resources_that_code_puts_together_are_read(code, imported):
    found = imported(
        f'{code}\nx = {{"client": {{"base_url": "https://api.shop.com", {AUTH}}}, '
        '"resources": RESOURCES}'
    )

    assert found.headline == "2 of 2 streams"
    assert found.entry["resources"] == [
        {"name": "a", "endpoint": "v1/a"},
        {"name": "b", "endpoint": "v1/b"},
    ]


def test_statements_behind_the_dict_change_it(imported):
    found = imported(
        f'x = {{"client": {{"base_url": "https://api.shop.com", {AUTH}}}, "resources": ["a"]}}\n'
        'x["client"]["headers"] = {"A": "1"}\nx["client"]["headers"].update({"B": "2"})\n'
        'x["resources"].append({"name": "b"})\nx["resources"] += ["c"]\n'
        'for n in ["d", "e"]:\n    x["resources"].append({"name": n})\n'
        'x["resources"][0] = {"name": x["resources"][0], "endpoint": "v1/a"}\n'
        'x |= {"resource_defaults": {"primary_key": "id"}}\nif False:\n    x["resources"] = []'
    )

    assert found.missing == ()
    assert found.entry["client"]["headers"] == {"A": "1", "B": "2"}
    assert found.entry["resource_defaults"]["primary_key"] == "id"
    assert found.entry["resources"] == [
        {"name": "a", "endpoint": "v1/a"},
        {"name": "b"},
        "c",
        {"name": "d"},
        {"name": "e"},
    ]


@pytest.mark.parametrize(
    "code",
    [
        'y = x["resources"]\ny.append({"name": "items", "primary_key": "id"})',
        (
            'x["resources"].append({"name": "items"})\n'
            'last = x["resources"][1]\nlast["primary_key"] = "id"'
        ),
        (
            'def load():\n    own = x["resources"]\n    item = {"name": "items"}\n'
            '    item["primary_key"] = "k"\n    own.append({"name": "items", "primary_key": "id"})'
        ),
        (
            'def load(own):\n    own["resources"] = []\n'
            'x["resources"].append({"name": "items"})\nfor each in x["resources"]:\n'
            '    each["primary_key"] = "id"'
        ),
    ],
    ids=["other name", "item", "function", "each"],
)
def test_changes_by_other_names_are_read(code, imported):
    found = imported(
        f'x = {{"client": {{"base_url": "https://api.shop.com", {AUTH}}}, '
        f'"resources": [{{"name": "shops"}}]}}\n{code}'
    )

    assert found.missing == ()
    assert found.entry["resources"][1] == {"name": "items", "primary_key": "id"}


@pytest.mark.parametrize(
    "code",
    [
        'a = b\nb = a\na["x"] = 1\na.append(2)',
        'for x in x:\n    x["resources"].append("items")',
        'for a in b["c"]:\n    for b in a["d"]:\n        b["e"] = a',
    ],
)
def test_names_that_lead_in_a_circle_are_read_to_an_end(code, imported):
    found = imported(
        f'x = {{"client": {{"base_url": "https://api.shop.com", {AUTH}}}, '
        f'"resources": ["shops"]}}\n{code}'
    )

    assert found.notes


def test_dict_that_is_put_together_and_passed_to_dlt_is_read(imported):
    found = imported(
        f'BASE = {{"client": {{"base_url": "https://api.shop.com", {AUTH}}}}}\n'
        'def made(*more):\n    names = ["a"]\n    for n in ("b", "c"):\n        names.append(n)\n'
        '    return {**BASE, "resources": names}\nload("x")\nsource = rest_api_source(made())'
    )

    assert found.headline == "3 of 3 streams"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ('def more(y):\n    y["resources"] = []\nmore(x)', "the dict is changed by `more`"),
        ('for each in x["resources"]:\n    each["name"] += "s"', "resources.name is changed"),
    ],
)
def test_changes_of_the_whole_dict_that_cannot_be_read_leave_all_out(code, reason, imported):
    found = imported(
        'x = {"client": {"base_url": "https://api.shop.com"}, "resources": [{"name": "a"}]}'
        f"\n{code}"
    )

    assert found.headline == "0 of 1 streams"
    assert any(reason in note for note in found.notes)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ('if today():\n    x["resources"].append("items")', "resources is changed"),
        ('x["resources"].insert(0, "items")', "resources is changed"),
        ('x["resources"].append("items")\nx["resources"][1] += "/all"', "resources is changed"),
        ('x["resources"].extend(more())', "resources is changed"),
    ],
)
def test_changes_that_only_running_the_code_would_tell_are_named(code, reason, imported):
    found = imported(
        f'x = {{"client": {{"base_url": "https://api.shop.com", {AUTH}}}, "resources": ["shops"]}}'
        f"\n{code}"
    )

    left_out(found, reason)


def test_change_of_the_client_that_cannot_be_read_leaves_the_requests_unsigned(imported):
    found = imported(
        'x = {"client": {"base_url": "https://api.shop.com"}, "resources": ["shops"]}\n'
        'if flag:\n    x["client"]["auth"] = {"token": "t"}'
    )

    [missing] = found.missing
    assert missing.startswith("Nothing signs the requests.")


def test_names_are_those_of_the_function_around_the_dict(imported):
    found = imported(f"""
BASE = "https://old.shop.com"

def other(size=5):
    path, BASE = "other", "https://other.shop.com"

def source(token, size=10, since="2020-01-01"):
    BASE = "https://api.shop.com"
    config: RESTAPIConfig = {{
        "client": {{"base_url": BASE, {AUTH}}},
        "resources": [{{"name": "items", "endpoint": {{"params": {{"n": size, "s": since}}}}}}],
    }}
    if True:
        config["resources"] = config["resources"]

source("t", since="2024-01-01")
""")

    assert found.entry["client"]["base_url"] == "https://api.shop.com"
    [items] = found.entry["resources"]
    assert items["endpoint"]["params"] == {"n": 10, "s": "2024-01-01"}


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("more_items()", "is a call of `more_items`"),
        ("make_resource", "is the name `make_resource`"),
        ("*others", "is the name `others`"),
        ('{**common, "name": "items"}', "is the name `common`"),
        ('{"name": "items", "endpoint": make()}', "resources[0].endpoint is a call of `make`"),
        ('{"name": "items", "endpoint": {"params": {**common}}}', "is the name `common`"),
        ('{"name": "items", "endpoint": {"paginator": Pages(2)}}', "is a call of `Pages`"),
        ('{"name": "items", "endpoint": {"path": "https://b.com/x"}}', "outside of `base_url`"),
        ('{"name": "items", "endpoint": {"method": "PUT"}}', "its method is PUT"),
        ('{"name": "items", "endpoint": {"data_map": 1}}', "`data_map` of `endpoint` isn't"),
        ('{"name": "items", "data_map": 1}', "`data_map` of `resource` isn't supported"),
        ('{"name": "items", "endpoint": "x/{id}"}', "`{id}` in its path has no value"),
        ('{"name": "items", "endpoint": "x/{resources.gone.id}"}', "so is its parent 'gone'"),
        ('{"name": "shops"}', "another resource has its name"),
        ('{"endpoint": "x"}', "it has no name"),
    ],
)
def test_resource_that_would_need_code_is_left_out(item, reason, imported):
    found = imported(
        f'x = {{"client": {{"base_url": "https://api.shop.com", {AUTH}}}, '
        f'"resources": [{item}, "shops"]}}'
        if item != '{"name": "shops"}'
        else f'x = {{"client": {{"base_url": "https://api.shop.com", {AUTH}}}, '
        f'"resources": ["shops", {item}]}}'
    )

    left_out(found, reason)


def test_children_of_a_resource_that_is_left_out_are_left_out(imported):
    found = imported(
        f'x = {{"client": {{"base_url": "https://api.shop.com", {AUTH}}}, "resources": ["shops", '
        '{"name": "a", "endpoint": {"paginator": Pages()}}, '
        '{"name": "b", "endpoint": "a/{resources.a.id}/b"}, '
        '{"name": "c", "endpoint": {"path": "c", "params": {"b": "{resources.b.id}"}}}]}'
    )

    assert found.headline == "1 of 4 streams"
    assert "resource 'c': is left out: so is its parent 'b'." in found.notes


def test_paginator_of_the_client_that_needs_code_leaves_out_what_has_no_other(imported):
    found = imported(
        f'x = {{"client": {{"base_url": "https://api.shop.com", {AUTH}, "paginator": Pages()}}, '
        '"resources": ["items", {"name": "shops", "endpoint": {"paginator": "single_page"}}]}'
    )

    assert [each["name"] for each in found.entry["resources"]] == ["shops"]
    assert any("client.paginator is a call of `Pages`" in note for note in found.notes)


@pytest.mark.parametrize(
    "parts",
    [
        '"resource_defaults": DEFAULTS, "client": {"base_url": "https://a.b"}',
        '**more, "client": {"base_url": "https://a.b"}',
        '"resource_defaults": {**more}, "client": {"base_url": "https://a.b"}',
        '"resource_defaults": {"endpoint": {"paginator": Pages()}}, "client": {"base_url": "x"}',
        '"client": {"base_url": "https://a.b", "paginator": {"type": "mine", "size": size()}}',
    ],
)
def test_defaults_that_need_code_leave_all_resources_out(parts, imported):
    found = imported(f'x = {{{parts}, "resources": ["items", "shops"]}}')

    assert found.entry["resources"] == []
    assert found.headline == "0 of 2 streams"


@pytest.mark.parametrize(
    "client",
    [
        "CLIENT",
        '{"headers": {**HEADERS}}',
        '{"headers": [*HEADERS]}',
        '{"headers": {"A": {**HEADERS}}}',
    ],
)
def test_client_that_needs_code_signs_nothing(client, imported):
    found = imported(f'x = {{"client": {client}, "resources": ["items"]}}')

    [missing] = found.missing
    assert missing.startswith("Nothing signs the requests.")
    assert found.entry["client"] == {"base_url": "$SHOP_BASE_URL"}


def test_sketch_is_passed_over(imported):
    found = imported(
        'sketch = {"client": {"base_url": ...}, "resources": [...]}\n'
        f'x = {{"client": {{"base_url": "https://a.b", {AUTH}}}, "resources": ["items"]}}'
    )

    assert found.headline == "1 of 1 streams"


def test_names_get_letters_digits_and_underscores_everywhere(imported):
    found = imported(
        f'x = {{"client": {{"base_url": "https://api.shop.com", {AUTH}}}, "resources": '
        '["big-shops", {"name": "big shops", "endpoint": "b"}, {"name": "items", "endpoint": '
        '{"path": "items/{resources.big-shops.id}", "paginator": "single_page"}}]}'
    )

    assert found.entry["resources"][:2] == [
        {"name": "big_shops", "endpoint": "big-shops"},
        {"name": "big_shops_2", "endpoint": "b"},
    ]
    assert found.entry["resources"][2]["endpoint"]["path"] == "items/{+resources.big_shops.id}"


# --- authentication ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("auth", "made"),
    [
        ('"bearer"', {"type": "bearer", "token": "$SHOP_TOKEN"}),
        ('{"token": key}', {"type": "bearer", "token": "$SHOP_KEY"}),
        ("BearerTokenAuth(token=key) if key else None", {"type": "bearer", "token": "$SHOP_KEY"}),
        ("APIKeyAuth(api_key=key)", {"name": "Authorization", "api_key": "$SHOP_KEY"}),
        ('APIKeyAuth("k", key, "query")', {"name": "k", "location": "query"}),
        ('HttpBasicAuth("me", key)', {"type": "http_basic", "password": "$SHOP_KEY"}),
        ('"http_basic"', {"username": "$SHOP_USERNAME", "password": "$SHOP_PASSWORD"}),
        (
            (
                'OAuth2ClientCredentials(access_token_url="https://a.b/t", client_id=key, '
                "client_secret=key, session=s)"
            ),
            {"type": "oauth2_client_credentials", "access_token_url": "https://a.b/t"},
        ),
        (
            (
                'OAuthJWTAuth(client_id="c", private_key=key, auth_endpoint="https://a.b/t", '
                'scopes=["x"])'
            ),
            {"type": "oauth_jwt", "auth_endpoint": "https://a.b/t", "scopes": ["x"]},
        ),
    ],
)
@pytest.mark.parametrize("place", ["client", "endpoint"])
def test_authentication_is_taken_in_every_form(auth, made, place, imported):
    by_place = {place: f'"auth": {auth}', ("client", "endpoint")[place == "client"]: ""}
    found = imported(
        f'x = {{"client": {{"base_url": "https://api.shop.com", {by_place["client"]}}}, '
        f'"resources": [{{"name": "items", "endpoint": {{"path": "i", {by_place["endpoint"]}}}}}]}}'
    )

    owner = found.entry["client"] if place == "client" else found.entry["resources"][0]["endpoint"]
    assert made.items() <= owner["auth"].items()
    assert found.missing == ()


@pytest.mark.parametrize(
    "auth",
    [
        "Signed(key)",
        '{"type": "magic"}',
        "{**creds}",
        'OAuthJWTAuth(client_id="c", private_key=k, auth_endpoint="https://a.b/t", headers={})',
    ],
)
def test_authentication_that_needs_code_is_missing(auth, imported):
    found = imported(
        f'x = {{"client": {{"base_url": "https://api.shop.com", "auth": {auth}}}, '
        '"resources": ["items"]}'
    )

    assert "auth" not in found.entry["client"]
    [missing] = found.missing
    assert missing.startswith("Nothing signs the requests.")


# --- requests ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ('"params": {"a": True, "b": [False, 1]}', {"params": {"a": "True", "b": ["False", 1]}}),
        (
            '"path": "o/{org}/x y", "params": {"org": "a/b"}',
            {"path": "o/a/b/x%20y"},
        ),
        ('"path": "https://api.shop.com/v1/x?a=1"', {"path": "/v1/x", "params": {"a": "1"}}),
        (
            (
                '"path": "x/{the-id}/y", "params": {"the-id": {"type": "resolve", '
                '"resource": "shops", "field": "owner[\'id\']"}}'
            ),
            {"path": "x/{+resources.shops.owner.id}/y"},
        ),
        (
            '"path": "x/{resources.shops.id}"',
            {"path": "x/{+resources.shops.id}", "data_selector": "$", "paginator": "single_page"},
        ),
        ('"params": {"id": "FILL_ME_IN"}', {"params": {"id": "$SHOP_ID"}}),
        ('"data_selector": "", "headers": {}, "auth": None', {}),
        (
            '"method": "post", "json": {"q": "{resources.shops.id}", "day": today()}',
            {"method": "post", "json": {"q": "{resources.shops.id}", "day": "$SHOP_DAY"}},
        ),
        (
            (
                '"response_actions": [{"status_code": 404, "action": "ignore"}, '
                '{"content": "none", "action": "ignore"}, '
                '{"status_code": "500", "action": "ignore"}]'
            ),
            {
                "response_actions": [
                    {"status_code": 404, "action": "ignore"},
                    {"content": "none", "action": "ignore"},
                ]
            },
        ),
    ],
)
def test_requests_are_those_that_dlt_sends(given, made, resource):
    got, _ = endpoint(given, resource=resource)

    assert got == {"path": "items"} | made


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ('"response_actions": [log]', "its `response_actions` need code"),
        ('"response_actions": [{"status_code": 200, "action": log}]', "need code"),
        ('"headers": {"x-team": None}', "its header `x-team` is removed"),
        ('"paginator": {"type": "offset", "limit": -1}', "`limit` of its paginator is -1"),
        ('"data": "raw"', "its `data` isn't an object of fields"),
        ('"path": "x/{resources.shops.tags[*].id}"', "isn't a plain path"),
        ('"path": "/{resources.shops.url}"', "which may be a URL"),
        (
            (
                '"path": "{a}", "params": {"a": {"type": "resolve", "resource": "shops", '
                '"field": "url"}}'
            ),
            "which may be a URL",
        ),
        ('"params": {"a": {"type": "resolve", "resource": "shops", "field": "id"}}', "in the path"),
        ('"paginator": {"type": "own", "size": 5}', "the type 'own' of its paginator isn't known"),
        ('"paginator": {"type": "json_link", "next_url_path": "a[?(@.b)]"}', "with a search"),
        ('"paginator": {"type": "offset", "limit": 5, "steps": 2}', "`steps` of `its paginator`"),
    ],
)
def test_requests_that_cannot_be_the_same_are_left_out(given, reason, resource):
    _, found = resource(f'{{"name": "items", "endpoint": {{"path": "items", {given}}}}}')

    left_out(found, reason)


def test_literal_secret_in_a_path_becomes_a_variable(resource):
    text = '"path": "v1/{api_key}/items", "params": {"api_key": "k9-very-secret-0451"}'
    got, found = endpoint(text, resource=resource)

    assert "k9-very" not in str(got) + str(found.notes)
    assert got["params"] == {"api_key": "$SHOP_API_KEY"}


@pytest.mark.parametrize(
    ("paginator", "made"),
    [
        ('"json_response"', "json_link"),
        ("JSONResponsePaginator(next_url_path='a.b')", {"next_url_path": "a.b"}),
        ("HeaderLinkPaginator()", {"type": "header_link"}),
        ("SinglePagePaginator()", {"type": "single_page"}),
        (
            "JSONResponseCursorPaginator('next', cursor_body_path='after')",
            {"cursor_path": "next", "cursor_body_path": "after"},
        ),
        ("HeaderCursorPaginator('X-Next', 'after')", {"cursor_key": "X-Next"}),
        (
            "OffsetPaginator(10, total_path=None, stop_after_empty_page=True)",
            {"limit": 10, "total_path": None, "stop_after_empty_page": True},
        ),
        ("OffsetPaginator(limit=size())", {"type": "offset"}),
        ("PageNumberPaginator(1, total_path='pages')", {"base_page": 1, "total_path": "pages"}),
        (
            "PageNumberPaginator(base_page=1, total_path='last')",
            {"total_path": "last", "end_status_codes": [404]},
        ),
        ("{'type': 'offset', 'limit': 5, 'total_path': 'data.[*].total'}", {"total_path": None}),
        ("{'type': 'page_number', 'has_more_path': 'more'}", {"has_more_path": "more"}),
    ],
)
def test_paginators_are_taken_in_every_form(paginator, made, resource):
    code = '"method": "POST", "json": {}, ' if "body" in paginator else ""
    got, found = endpoint(f'{code}"paginator": {paginator}', resource=resource)

    assert found.missing == ()
    if isinstance(made, str):
        assert got["paginator"] == made
    else:
        assert made.items() <= got["paginator"].items()


def test_slash_at_the_end_of_the_address_is_kept_for_an_empty_path(imported):
    found = imported(
        f'x = {{"client": {{"base_url": "https://api.shop.com/v1/", {AUTH}}}, "resources": '
        '[{"name": "items", "endpoint": {"path": ""}}]}'
    )

    assert found.entry["resources"] == [{"name": "items", "endpoint": {"path": "/"}}]


def test_defaults_are_merged_as_dlt_does(imported):
    found = imported(
        f'x = {{"client": {{"base_url": "https://api.shop.com", {AUTH}}}, "resource_defaults": '
        '{"primary_key": "id", "endpoint": {"method": "POST", "headers": {"A": "1"}, '
        '"json": {"a": 1}, "params": {"p": 1}}}, "resources": ["shops", {"name": "items", '
        '"endpoint": {"headers": {"B": "2"}, "json": {"b": 2}, "params": {"q": 2}}}]}'
    )

    shops, items = [each["endpoint"] for each in found.entry["resources"]]
    assert found.entry["resource_defaults"]["primary_key"] == "id"
    assert (shops["headers"], shops["json"], shops["params"]) == ({"A": "1"}, {"a": 1}, {"p": 1})
    assert (items["headers"], items["json"]) == ({"B": "2"}, {"a": 1, "b": 2})
    assert items["params"] == {"p": 1, "q": 2}


@pytest.mark.parametrize("limit", ["-1", "all", "$SIZE"])
def test_limit_that_is_no_size_is_sent_as_it_is(limit, resource):
    got, found = endpoint(f'"params": {{"limit": "{limit}"}}', resource=resource)

    assert got["params"] == {"limit": limit}
    assert got["paginator"] == {"type": "auto", "limit_param": None}
    assert found.missing == ()


# --- rows -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "made"),
    [
        ('lambda r: r["a"] == "x"', '@.a == "x"'),
        ('lambda r: r["a"]["b-c"] != 1.5', '@.a["b-c"] != 1.5'),
        ('lambda r: r.get("n", {}) > 1', None),
        ('lambda r: r["n"] >= -1 and not r["gone"] is True', "(@.n >= -1 && !(@.gone == true))"),
        ('lambda r: r.get("a") is None', "(!@.a || @.a == null)"),
        ('lambda r: r["a"] is not None', "(@.a && @.a != null)"),
        (
            'lambda r: r["a"] in ("x", None)',
            '(@.a == "x" || (!@.a || @.a == null))',
        ),
        ('lambda r: r["a"] not in ["x", "y"]', '(@.a != "x" && @.a != "y")'),
        ("keep", '@.a == "x"'),
        (
            'lambda r: not r["open"]',
            "!((@.open == true || @.open < 0 || @.open > 0 || length(@.open) > 0))",
        ),
        ('lambda r: r.get("n") == 1', "(@.n == 1 || @.n == true)"),
        ('lambda r: r["n"] != 0', "(@.n != 0 && @.n != false)"),
        ('lambda r: len(r["a"]) > 0', None),
        ("other", None),
    ],
)
def test_filters_in_python_are_taken_where_jsonpath_says_the_same(function, made, resource):
    code = 'def keep(row):\n    """Keep x."""\n    return row["a"] == "x"'
    text = f'{{"name": "items", "processing_steps": [{{"filter": {function}}}]}}'
    got, found = resource(text, code)

    if made is None:
        left_out(found, "its `filter` needs code")
    else:
        assert got["processing_steps"] == [{"filter": made}]


@pytest.mark.parametrize(
    ("function", "made"),
    [
        (
            'lambda r: {**r, "a": 1, "b": r["c"]["d"]}',
            [{"add_fields": {"a": 1, "b": "{record.c.d}"}}],
        ),
        (
            "change",
            [
                {"add_fields": {"mail": "-"}},
                {"remove_fields": ["a", "b"]},
                {"remove_fields": ["c"]},
            ],
        ),
        ('lambda r: {"a": 1, **r}', None),
        ('lambda r: {**r, "a": "{x}"}', None),
        ('lambda r: {**r, "a.b": 1}', None),
        ('lambda r: {**r, "a": r["a"].lower()}', None),
        ("shift", None),
        ("rest", None),
    ],
)
def test_changes_of_rows_in_python_are_taken_where_fields_are_set_and_removed(
    function, made, resource
):
    code = (
        'def change(row):\n    """Clean."""\n    row["mail"] = "-"\n'
        '    del row["a"], row["b"]\n    row.pop("c", None)\n    return row\n'
        'def shift(row):\n    row["a"] += 1\n    return row\n'
        'def rest(row):\n    row["a"] = 1\n    return row["a"]'
    )
    text = f'{{"name": "items", "processing_steps": [{{"map": {function}}}]}}'
    got, found = resource(text, code)

    if made is None:
        left_out(found, "its `map` needs code")
    else:
        assert got["processing_steps"] == made


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ('source.resources["items"].add_map(clean)', "its `add_map` needs code"),
        ('source.items.add_filter(lambda row: row["open"] % 2)', "its `filter` needs code"),
        ('rows = source.resources["items"]\nrows.add_limit(1).add_yield_map(clean)', "add_yield"),
        ('source.items.apply_hints(incremental=dlt.sources.incremental("at"))', "apply_hints"),
    ],
)
def test_rows_that_code_behind_the_dict_changes_are_left_out(code, reason, imported):
    found = imported(
        f'x = {{"client": {{"base_url": "https://api.shop.com", {AUTH}}}, '
        f'"resources": ["items", "shops"]}}\nsource = rest_api_source(x)\n{code}\n'
        "other_source().add_map(clean)"
    )

    left_out(found, reason)


def test_code_that_changes_all_resources_leaves_them_out(imported):
    found = imported(
        f'x = {{"client": {{"base_url": "https://api.shop.com", {AUTH}}}, '
        '"resources": ["items", "shops"]}\nsource = rest_api_source(x)\n'
        "for rows in source.resources.values():\n    rows.add_map(clean)"
    )

    assert found.entry["resources"] == []


def test_filter_behind_the_dict_is_one_of_its_steps(imported):
    found = imported(
        f'x = {{"client": {{"base_url": "https://api.shop.com", {AUTH}}}, '
        '"resources": ["items"]}\nsource = rest_api_source(x)\n'
        "source.items.add_filter(lambda row: row['id'] > 3)"
    )

    assert found.entry["resources"] == [
        {"name": "items", "processing_steps": [{"filter": "@.id > 3"}]}
    ]


def test_rows_that_are_mapped_are_left_out(resource):
    _, found = resource('{"name": "items", "processing_steps": [{"map": lambda r: r}]}')

    left_out(found, "its `map` needs code")


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ('"write_disposition": "merge"', {}),
        ('"write_disposition": mode()', {}),
        ('"primary_key": ("a", "b")', {"primary_key": ["a", "b"]}),
        ('"primary_key": KEY', {"primary_key": "$SHOP_KEY"}),
        (
            '"write_disposition": "replace", "incremental": {"cursor_path": "at"}',
            {"endpoint": {"incremental": {"cursor_path": "at"}}},
        ),
        (
            (
                '"table_name": lambda r: r["t"], "columns": {}, "parallelized": True, '
                '"schema_contract": "freeze", "max_table_nesting": 0'
            ),
            {},
        ),
    ],
)
def test_loading_is_left_to_the_target(given, made, resource):
    got, found = resource(f'{{"name": "items", {given}}}')

    assert got == {"name": "items"} | made
    assert found.missing == ()


# --- incremental ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "made"),
    [
        ("str", {}),
        ("lambda at: int(at)", {}),
        ("lambda at: at[:10]", {"convert": "date"}),
        ("lambda at: pendulum.parse(at).to_date_string()", {"convert": "date"}),
        ("lambda at: pendulum.parse(at).format('DD/MM/YYYY')", {"convert": "%d/%m/%Y"}),
        ("lambda at: int(pendulum.parse(at).timestamp())", {"convert": "epoch_s"}),
        ("lambda at: int(pendulum.parse(at).timestamp() * 1000)", {"convert": "epoch_ms"}),
        ("lambda at: pendulum.parse(at).format('dddd')", None),
        ("lambda at: f'>{at}'", None),
        ("to_day", {"convert": "date"}),
        ("unknown", None),
    ],
)
def test_functions_that_convert_are_taken_where_a_format_says_the_same(function, made, resource):
    code = "def to_day(value):\n    return value.split('T')[0]"
    incremental = (
        '{"cursor_path": "$.at", "start_param": "since", "row_order": "asc", "lag": 5, '
        f'"initial_value": "2024-01-01T00:00:00Z", "convert": {function}}}'
    )
    text = f'{{"name": "items", "endpoint": {{"path": "items", "incremental": {incremental}}}}}'
    got, found = resource(text, code)

    if made is None:
        left_out(found, "its `incremental.convert` is")
        return
    assert got["endpoint"]["incremental"] == {
        "cursor_path": "at",
        "start_param": "since",
        "lag": 5,
        "initial_value": "2024-01-01T00:00:00Z",
        **made,
    }


def test_epochs_that_are_sent_as_days_say_what_rows_have(resource):
    function = "lambda at: pendulum.from_timestamp(int(at)).to_date_string()"
    got, _ = endpoint(
        f'"incremental": {{"cursor_path": "at", "initial_value": 1, "convert": {function}}}',
        resource=resource,
    )

    assert got["incremental"]["cursor_format"] == "epoch_s"
    assert got["incremental"]["convert"] == "date"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ('"last_value_func": min', "`incremental.last_value_func`"),
        ('"on_cursor_value_missing": "skip"', "`incremental.on_cursor_value_missing` is skip"),
        (
            '"range_start": "open", "initial_value": "$START"',
            "`incremental.range_start` is open at",
        ),
        ('"cursor_path": "changes[*].at"', "isn't by a column of the rows"),
    ],
)
def test_cursor_that_reads_other_rows_is_left_out(words, reason, resource):
    text = f'"incremental": {{"cursor_path": "at", {words}}}'
    _, found = resource(f'{{"name": "items", "endpoint": {{"path": "items", {text}}}}}')

    left_out(found, reason)


@pytest.mark.parametrize(
    "given",
    [
        'dlt.sources.incremental("at", initial_value="2024")',
        'dlt.sources.incremental[str]("at", "2024", last_value_func=max)',
        '{"type": "incremental", "cursor_path": "at", "initial_value": "2024"}',
    ],
)
def test_cursor_among_the_parameters_starts_there(given, resource):
    got, _ = endpoint(f'"params": {{"since": {given}}}', resource=resource)

    assert got == {
        "path": "items",
        "incremental": {"cursor_path": "at", "initial_value": "2024", "start_param": "since"},
    }


@pytest.mark.parametrize(
    ("words", "steps"),
    [
        ('"on_cursor_value_missing": "exclude"', ['(@["a-t"] && @["a-t"] != null)']),
        ('"range_start": "open"', []),
        ('"range_start": "open", "initial_value": 5', ['@["a-t"] != 5']),
        (
            '"range_start": "open", "on_cursor_value_missing": "exclude", "initial_value": "x"',
            ['(@["a-t"] && @["a-t"] != null)', '@["a-t"] != "x"'],
        ),
    ],
)
@pytest.mark.parametrize("is_default", [False, True])
def test_rows_that_a_range_leaves_out_are_filtered_behind_other_steps(
    words, steps, is_default, imported
):
    first, incremental = '{"filter": "@.open"}', f'{{"cursor_path": "a-t", {words}}}'
    given = f'"processing_steps": [{first}], "endpoint": {{"incremental": {incremental}}}'
    own = f'"resources": [{{"name": "items", {given}}}, {{"name": "shops"}}]'
    if is_default:
        own = (
            f'"resource_defaults": {{"endpoint": {{"incremental": {incremental}}}}}, '
            f'"resources": [{{"name": "items", "processing_steps": [{first}]}}, "shops"]'
        )
    found = imported(f'x = {{"client": {{"base_url": "https://api.shop.com", {AUTH}}}, {own}}}')

    items, shops = found.entry["resources"]
    made = [{"filter": "@.open"}, *({"filter": step} for step in steps)]
    assert items["processing_steps"] == made
    assert found.missing == ()
    if is_default and steps:
        assert shops["processing_steps"] == made[1:]


def test_cursor_of_the_last_item_of_a_list_and_an_end_that_is_included_are_taken(resource):
    text = (
        '"incremental": {"cursor_path": "changes[-1].at", "end_value": "2024", '
        '"range_end": "closed", "on_cursor_value_missing": "include"}'
    )
    got, _ = endpoint(text, resource=resource)

    assert got["incremental"] == {
        "cursor_path": "changes[-1].at",
        "end_value": "2024",
        "range_end": "closed",
    }


@pytest.mark.parametrize(
    ("hint", "made"),
    [
        (
            'dlt.sources.incremental("to", initial_value=9)',
            {"cursor_path": "to", "initial_value": 9},
        ),
        ("dlt.sources.incremental(initial_value=9)", None),
        ("start", None),
    ],
)
def test_incremental_that_is_set_behind_the_dict_takes_the_place_of_its_own(hint, made, imported):
    incremental = '{"cursor_path": "at", "initial_value": 1, "start_param": "since"}'
    found = imported(
        f'x = {{"client": {{"base_url": "https://api.shop.com", {AUTH}}}, "resources": ["shops", '
        f'{{"name": "items", "endpoint": {{"incremental": {incremental}}}}}]}}\n'
        f"source = rest_api_source(x)\nif later:\n"
        '    source.shops.apply_hints(incremental=dlt.sources.incremental("at"))\n'
        f"source.items.apply_hints(incremental={hint})"
    )

    assert any("'shops' under a condition is left out" in note for note in found.notes)
    if made is None:
        left_out(found, "`apply_hints` needs code")
    else:
        _, items = found.entry["resources"]
        assert items["endpoint"]["incremental"] == {**made, "start_param": "since"}


@pytest.mark.parametrize(
    ("body", "made"),
    [
        (
            (
                "    def build_access_token_request(self):\n        pair: str = b64encode(\n"
                '        f"{self.client_id}:{self.client_secret}".encode()).decode()\n'
                '        return {"url": "https://id.shop.com/t", "headers": {"Authorization": '
                'f"Basic {pair}"}, "data": self.access_token_request_data}'
            ),
            "https://id.shop.com/t",
        ),
        ("    def build_access_token_request(self):\n        return {}", None),
        ("    def parse_access_token(self, response):\n        return response['t']", None),
    ],
)
def test_credentials_of_a_client_that_code_sends_in_a_header_are_taken(body, made, imported):
    found = imported(
        f"class Own(OAuth2ClientCredentials):\n{body}\n"
        'x = {"client": {"base_url": "https://api.shop.com", "auth": Own(client_id="me", '
        'client_secret=dlt.secrets["s"], access_token_request_data={"grant_type": "own"})}, '
        '"resources": ["items"]}'
    )

    assert bool(found.missing) == (made is None)
    if made is not None:
        assert found.entry["client"]["auth"] == {
            "type": "oauth2_client_credentials",
            "client_id": "me",
            "client_secret": "$SHOP_S",
            "access_token_request_data": {"grant_type": "own"},
            "client_authentication": "header",
            "access_token_url": made,
        }


def test_resource_whose_name_is_empty_gets_one(imported):
    found = imported(
        f'x = {{"client": {{"base_url": "https://api.shop.com", {AUTH}}}, "resources": '
        '[{"name": "", "endpoint": {"path": "items"}}, {"name": ""}]}'
    )

    assert found.entry["resources"] == [{"name": "rows", "endpoint": {"path": "items"}}]
    left = [note for note in found.notes if "left out" in note]
    assert left == ["resource 'rows': is left out: another resource has its name."]


@pytest.mark.parametrize("defaults", ["", '"method": "POST"'])
def test_body_without_a_method_is_sent_by_get_or_the_method_of_the_defaults(defaults, imported):
    found = imported(
        f'x = {{"client": {{"base_url": "https://api.shop.com", {AUTH}}}, "resource_defaults": '
        f'{{"endpoint": {{{defaults}}}}}, "resources": ["shops", {{"name": "items", "endpoint": '
        '{"path": "items", "json": {"a": 1}}}]}'
    )

    _, items = found.entry["resources"]
    made = {} if defaults else {"method": "GET"}
    assert items["endpoint"] == {"path": "items", "json": {"a": 1}, **made}


@pytest.mark.parametrize(
    ("client", "given", "made"),
    [
        ("", '"paginator": "auto"', {"paginator": "auto"}),
        ("", '"paginator": None', {"paginator": "auto"}),
        ('"paginator": "header_link"', '"paginator": {}', {"paginator": "header_link"}),
        ('"paginator": "header_link"', '"paginator": None', {"paginator": "header_link"}),
        ("", '"data_selector": None', {"data_selector": "auto"}),
        ("", "", {}),
    ],
)
def test_null_and_auto_over_defaults_are_what_dlt_makes_of_them(client, given, made, imported):
    found = imported(
        f'x = {{"client": {{"base_url": "https://api.shop.com", {AUTH}, {client}}}, '
        '"resource_defaults": {"endpoint": {"paginator": "single_page", "data_selector": "data"}}, '
        f'"resources": ["shops", {{"name": "items", "endpoint": {{"path": "items", {given}}}}}]}}'
    )

    assert found.entry["resources"][1]["endpoint"] == {"path": "items", **made}


def test_auto_is_left_out_where_it_is_a_paginator_that_cannot_be_read(imported):
    found = imported(
        f'x = {{"client": {{"base_url": "https://api.shop.com", {AUTH}, "paginator": Own()}}, '
        '"resources": [{"name": "items", "endpoint": {"paginator": "auto"}}, '
        '{"name": "shops", "endpoint": {"paginator": "single_page"}}]}'
    )

    assert [each["name"] for each in found.entry["resources"]] == ["shops"]


@pytest.mark.parametrize(
    "code",
    [
        "for each in rest_api_resources(x):\n    each.add_map(clean)",
        "found = rest_api_resources(x)\nfound[1].add_map(clean)",
        "done = [each.add_map(clean) for each in rest_api_resources(x)]",
        "if today():\n    rest_api_source(x).items.add_filter(lambda row: row['a'] == 1)",
        "rest_api_source(x).with_resources('items').items.add_map(clean)",
    ],
)
def test_steps_of_resources_that_code_finds_otherwise_leave_them_out(code, imported):
    found = imported(
        f'x = {{"client": {{"base_url": "https://api.shop.com", {AUTH}}}, '
        f'"resources": ["items"]}}\n{code}'
    )

    assert found.headline == "0 of 1 streams"
    assert any("needs code" in note for note in found.notes)


def test_comprehensions_of_several_loops_and_of_dicts_are_read(imported):
    found = imported(
        'PATHS = {f"{a}_{b}": f"{a}/{b}" for a in ("x", "y") if a != "y" for b in ("1", "2")}\n'
        f'x = {{"client": {{"base_url": "https://api.shop.com", {AUTH}}}, "resources": '
        '[{"name": name, "endpoint": path} for name, path in PATHS.items()]}'
    )

    assert found.entry["resources"] == [
        {"name": "x_1", "endpoint": "x/1"},
        {"name": "x_2", "endpoint": "x/2"},
    ]


@pytest.mark.parametrize(
    "config", ['{**BASE, "resources": ["a", "b"]}', 'BASE | {"resources": ["a", "b"]}', "made()"]
)
def test_dict_that_is_passed_to_dlt_counts_before_those_it_is_made_of(config, imported):
    found = imported(
        f'BASE = {{"client": {{"base_url": "https://api.shop.com", {AUTH}}}, "resources": ["a"]}}\n'
        'BASE["resources"] += [] if BASE else []\n'
        'def made():\n    return {**BASE, "client": BASE["client"], "resources": ["a", "b"]}\n'
        f'config = {config}\nconfig["resources"].append("c")\nsource = rest_api_source(config)'
    )

    assert found.entry["resources"] == ["a", "b", "c"]
