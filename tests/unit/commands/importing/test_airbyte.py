"""Manifests of Airbyte: what the tap has too is taken, the rest noted with its path."""

from __future__ import annotations

import json

import pytest

from tap_analytics.commands.importing import import_file
from tap_analytics.commands.importing.airbyte.page_expressions import (
    Member,
    cut_from,
    expression,
    member,
)
from tap_analytics.commands.importing.command import main


@pytest.fixture
def command(tmp_path, capsys):
    """Import a manifest by command; returns the code, the entry and the notes."""

    def run(manifest, *options):
        path = tmp_path / "shop.json"
        path.write_text(json.dumps(manifest), "utf-8")
        code = main([str(path), "--json", *options])
        said = json.loads(capsys.readouterr().out)
        return code, said["apis"][0], said["notes"]

    return run


@pytest.fixture
def imported(tmp_path):
    """Import one stream; returns its resource and the notes."""

    def run(made, **parts):
        path = tmp_path / "shop.json"
        path.write_text(json.dumps(manifest(made, **parts)), "utf-8")
        found, _ = import_file(str(path))
        return found.entry, found.notes

    return run


def manifest(*streams, **parts):
    return {"type": "DeclarativeSource", "streams": list(streams), **parts}


def stream(name="items", *, requester=None, retriever=None, **words):
    sender = {"type": "HttpRequester", "url_base": "https://api.shop.com/v1", "path": f"/{name}"}
    reader = {"type": "SimpleRetriever", "requester": sender | (requester or {})}
    return {
        "type": "DeclarativeStream",
        "name": name,
        "primary_key": "id",
        "retriever": reader | (retriever or {}),
    } | words


def paged(strategy, token="page", size="limit"):
    option = {"type": "RequestOption", "inject_into": "request_parameter"}
    paginator = {"type": "DefaultPaginator", "pagination_strategy": strategy}
    paginator |= {"page_token_option": option | {"field_name": token}} if token else {}
    paginator |= {"page_size_option": option | {"field_name": size}} if size else {}
    return {"paginator": paginator}


ROWS = {"extractor": {"type": "DpathExtractor", "field_path": ["data"]}}


#: A paginator that knows how many rows a page has, but doesn't send it.
FIVE = {"limit": 5, "limit_param": None, "stop_after_short_page": True}


def cursor(value, **words):
    return {"type": "CursorPagination", "cursor_value": value, **words}


# --- expressions ----------------------------------------------------------------------------


def member_of(text):
    node = expression(text)
    return node and member(node)


@pytest.mark.parametrize(
    ("text", "root", "path"),
    [
        ("{{ response.next }}", "response", ("next",)),
        ("{{response['meta']['next']}}", "response", ("meta", "next")),
        ("{{ response.get('links', {}).get('next') }}", "response", ("links", "next")),
        ('{{ response.get("a", {})["b"] }}', "response", ("a", "b")),
        ("{{ response.next or '' }}", "response", ("next",)),
        ("{{ response.next | default('') }}", "response", ("next",)),
        ("{{ headers['link']['next']['url'] }}", "headers", ("link", "next", "url")),
        ("{{ last_records[-1]['id'] }}", "last_records", (-1, "id")),
    ],
)
def test_expression_that_names_a_member_is_a_path(text, root, path):
    assert member_of(text) == Member(root, path)


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("{{ response['_links'].get('next', '').split('cursor=')[-1] }}", "cursor="),
        ("{{ response._links.next.split('cursor=')[-1].split('&')[0] }}", "cursor="),
        ("{{ response._links.next | regex_search('cursor=([^&]+)') }}", "cursor=([^&]+)"),
    ],
)
def test_expression_that_cuts_a_link_has_what_precedes_the_part(text, before):
    link, found = cut_from(expression(text))

    assert (member(link), found) == (Member("response", ("_links", "next")), before)


@pytest.mark.parametrize(
    "text",
    [
        "{{ response.page + 1 }}",
        "{{ now_utc() }}",
        "{{ response.next | base64decode }}",
        "{% if response.next %}{{ response.next }}{% endif %}",
        "{{ response.next }}{{ response.more }}",
        "{{ ",
        "next",
    ],
)
def test_expression_that_computes_is_none(text):
    assert member_of(text) is None


# --- pages ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("retriever", "paginator"),
    [
        ({}, "single_page"),
        ({"paginator": {"type": "NoPagination"}}, "single_page"),
        (
            paged({"type": "OffsetIncrement", "page_size": "50"}, "skip", "top"),
            {
                "type": "offset",
                "offset_param": "skip",
                "limit": 50,
                "limit_param": "top",
                "stop_after_short_page": True,
            },
        ),
        (
            paged({"type": "PageIncrement", "page_size": 20, "start_from_page": 1}),
            {
                "type": "page_number",
                "page_param": "page",
                "base_page": 1,
                "limit": 20,
                "stop_after_short_page": True,
            },
        ),
        (
            paged(
                cursor(
                    "{{ response.next }}", page_size=5, stop_condition="{{ last_page_size < 5 }}"
                ),
                "after",
            ),
            {
                "type": "cursor",
                "cursor_path": "next",
                "cursor_param": "after",
                "limit": 5,
                "stop_after_empty_page": True,
                "stop_after_short_page": True,
            },
        ),
        (paged({"type": "PageIncrement", "page_size": 5}, None, None), "single_page"),
        (
            paged({"type": "PageIncrement", "page_size": 5}, None, "size"),
            {"type": "single_page", "limit": 5, "limit_param": "size"},
        ),
        (
            paged(cursor("{{ response.page.number | int + 1 }}"), "page", None),
            {"type": "page_number", "page_param": "page"},
        ),
        (
            paged({"type": "PageIncrement"}, size=None),
            {"type": "page_number", "page_param": "page"},
        ),
        (
            paged(cursor("{{ response.meta.next }}", page_size=5), "after"),
            {"type": "cursor", "cursor_path": "meta.next", "cursor_param": "after", "limit": 5},
        ),
        (
            paged(cursor("{{ headers['X-Next'] }}"), "after", None),
            {"type": "header_cursor", "cursor_key": "X-Next", "cursor_param": "after"},
        ),
        (
            paged(cursor("{{ headers['link']['next']['url'] }}"), None, None),
            {"type": "header_link"},
        ),
        (
            paged(
                cursor(
                    "{{ headers['link'].get('next', {}).get('cursor', {}) }}",
                    stop_condition="{{ headers['link']['next']['results'] == 'false' }}",
                ),
                "cursor",
                None,
            ),
            {"type": "header_link"},
        ),
        (
            paged(cursor("{{ response.links.next.split('c=')[1] }}"), "c", None),
            {"type": "json_link", "next_url_path": "links.next"},
        ),
        (
            paged(cursor("{{ response['@odata.nextLink'] }}"), None, None),
            {"type": "json_link", "next_url_path": "['@odata.nextLink']"},
        ),
        (
            paged(cursor("{{ last_record['id'] }}"), "after", None),
            {"type": "cursor", "cursor_path": "[-1].id", "cursor_param": "after"},
        ),
        (
            paged(cursor("{{ (response.data or {}).get('next') | tojson }}"), "after", None),
            {"type": "cursor", "cursor_path": "data.next", "cursor_param": "after"},
        ),
        (
            paged(cursor("{{ response.next if response.data }}"), "after", None),
            {
                "type": "cursor",
                "cursor_path": "next",
                "cursor_param": "after",
                "has_more_path": "data",
            },
        ),
        (
            paged(cursor("{% if response.more %}{{ response.next }}{% endif %}"), "after", None),
            {
                "type": "cursor",
                "cursor_path": "next",
                "cursor_param": "after",
                "has_more_path": "more",
            },
        ),
        (
            paged(cursor("{{ response.page.number + 1 }}"), "page", None),
            {"type": "page_number", "page_param": "page"},
        ),
        (
            paged({"type": "OffsetIncrement", "page_size": 5}, "skip", "skip"),
            {"type": "offset", "offset_param": "skip"} | FIVE,
        ),
        (
            paged({"type": "PageIncrement", "inject_on_first_request": True}, size=None),
            {"type": "page_number", "page_param": "page", "base_page": 0},
        ),
    ],
)
def test_pagination_is_taken(retriever, paginator, command):
    code, entry, _ = command(manifest(stream(retriever=retriever)))

    assert code == 0
    assert entry["resources"][0]["endpoint"]["paginator"] == paginator


def by_path(value, first="items/7/info", field_path=(), **words):
    parts = paged(cursor(value, **words), None, None)
    parts["paginator"]["page_token_option"] = {"type": "RequestPath"}
    selector = {"extractor": {"type": "DpathExtractor", "field_path": [*field_path]}}
    requester = {"type": "HttpRequester", "url_base": "https://api.example.com", "path": first}
    return {**parts, "record_selector": selector, "requester": requester}


def test_a_path_that_counts_on_from_its_number_is_a_page_number(command):
    code, entry, _ = command(manifest(stream(retriever=by_path("items/{{ response.n + 1 }}/info"))))

    assert code == 0
    endpoint = entry["resources"][0]["endpoint"]
    assert endpoint["path"] == "/items/{paginator.page}/info"
    assert endpoint["paginator"] == {"type": "page_number", "base_page": 7, "page_path": "n"}


@pytest.mark.parametrize(
    "retriever",
    [
        by_path("/items/{{ response.n + 1 }}/info"),
        by_path("items/{{ response.n + 2 }}/info"),
        by_path("items/{{ response.n + 1 or 9 }}/info"),
        by_path("items/{{ last_record.n + 1 }}/info"),
        by_path("items/{{ response.n + 1 }}"),
        by_path("{{ response.n + 1 }}/info"),
        by_path("items/{{ response.n + 1 }}/info", "items/latest/info"),
        by_path("items/{{ response.n + 1 }}/info", "items/7/info?a=1"),
        by_path("items/{{ response.n + 1 }}/info", "https://other.example.com/items/7/info"),
        by_path("items/{{ response.n + 1 }}/info", field_path=["rows"]),
        by_path("items/{{ response.n + 1 }}/info", stop_condition="{{ last_page_size < 2 }}"),
        by_path("items/{{ response.n + 1 }}/info", stop_condition="{{ response.n == 9 }}"),
    ],
)
def test_a_path_that_is_counted_otherwise_is_left_out(retriever, command):
    code, _, notes = command(manifest(stream(retriever=retriever)))

    assert code == 1
    assert any("its cursor_value is" in note for note in notes)


@pytest.mark.parametrize("kind", ["OffsetIncrement", "PageIncrement"])
def test_counted_pages_have_no_notes(kind, command):
    assert command(manifest(stream(retriever=paged({"type": kind, "page_size": 5}))))[2] == []


@pytest.mark.parametrize(
    ("retriever", "reason"),
    [
        (
            paged(cursor("{{ last_record['id'] + 1 }}")),
            "its cursor_value is `{{ last_record['id'] + 1 }}`",
        ),
        (paged(cursor("{{ response.offset + 1 }}")), "but must be a member or a header"),
        (paged(cursor("{{ response.offset + response.limit }}"), "skip"), "must be a member"),
        (paged(cursor("{{ response.next or response.more }}")), "but must be a member"),
        (
            paged(cursor("""{{ '{"a": "' + response.next + '"}' }}""")),
            "but must be a member",
        ),
        (paged(cursor("{{ response.next | default('a') }}")), "but must be a member"),
        (paged(cursor("{{ response.link.split('page=')[1] }}"), "cursor"), "must be a member"),
        (paged(cursor("{{ headers['link']['next']['url'] }}")), "a link is sent as its page"),
        (paged({"type": "CustomPaginationStrategy"}), "its pagination is CustomPaginationStrategy"),
        (paged({"type": "OffsetIncrement"}, token=None), "isn't in a parameter, a header or the"),
        (
            {"record_selector": {"extractor": {"type": "CustomRecordExtractor"}}},
            "its rows are extracted by CustomRecordExtractor",
        ),
        (
            {"record_selector": {"record_filter": {"condition": "{{ record.a | hash }}"}, **ROWS}},
            "its rows are filtered by the condition `{{ record.a | hash }}`",
        ),
        (
            {"record_selector": {"record_filter": {"type": "CustomRecordFilter"}, **ROWS}},
            "its rows are filtered by a CustomRecordFilter",
        ),
        (
            {"record_selector": {"extractor": {"field_path": ["data", "**"]}}},
            "its rows are searched for at any depth",
        ),
        ({"type": "AsyncRetriever"}, "its retriever is an AsyncRetriever"),
        ({"decoder": {"type": "ZipfileDecoder"}}, "its responses are decoded by ZipfileDecoder"),
        (
            {"partition_router": {"type": "CustomPartitionRouter", "values": ["a"]}},
            "it is partitioned by CustomPartitionRouter",
        ),
    ],
)
def test_stream_whose_rows_would_be_others_is_left_out(retriever, reason, command):
    given = manifest(stream(), stream("odd", retriever=retriever))
    code, entry, notes = command(given)

    assert (code, command(given, "--partial")[0]) == (1, 0)
    assert [resource["name"] for resource in entry["resources"]] == ["items"]
    [note] = [note for note in notes if "left out" in note]
    assert note.startswith("streams[1]: the stream 'odd' is left out: ")
    assert reason in note


@pytest.mark.parametrize(
    ("requester", "reason"),
    [
        ({"query_properties": {"property_list": ["a"]}}, "name the fields of rows by query_prop"),
        (
            {"fetch_properties_from_endpoint": {"property_field_path": ["name"]}},
            "name the fields of rows by fetch_properties_from_endpoint",
        ),
        (
            {"request_parameters": {"fields": {"type": "QueryProperties", "property_list": ["a"]}}},
            "the parameter `fields` is an object, QueryProperties",
        ),
    ],
)
def test_stream_whose_requests_name_the_fields_of_rows_is_left_out(requester, reason, command):
    code, entry, notes = command(manifest(stream(), stream("odd", requester=requester)))

    assert code == 1
    assert [resource["name"] for resource in entry["resources"]] == ["items"]
    assert any("'odd' is left out" in note and reason in note for note in notes)


def test_streams_of_a_condition_are_taken_with_a_note(command):
    condition = "{{ config['beta'] }}"
    some = {"condition": condition, "streams": [stream("a"), stream("b")]}

    code, entry, notes = command(manifest(stream(), {"type": "ConditionalStreams", **some}))

    assert code == 0
    assert [resource["name"] for resource in entry["resources"]] == ["items", "a", "b"]
    assert f"streams[1]: 'a', 'b' are read in Airbyte only where `{condition}`." in notes


def test_stream_with_the_name_of_another_is_left_out(command):
    other = stream(requester={"path": "/other"})
    conditional = {"type": "ConditionalStreams", "condition": "{{ True }}", "streams": [other]}

    for second in (other, conditional):
        code, entry, notes = command(manifest(stream(), second))

        assert code == 1
        assert [each["endpoint"]["path"] for each in entry["resources"]] == ["/items"]
        assert any("the stream 'items' is left out: the one before it" in note for note in notes)


def test_setting_that_a_manifest_changes_has_no_default(command):
    changed = {"type": "ConfigAddFields", "fields": [{"path": ["region"], "value": "us"}]}
    spec = {
        "connection_specification": {"properties": {"region": {"default": "eu"}}},
        "config_normalization_rules": {"transformations": [changed]},
    }
    params = {"request_parameters": {"region": "{{ config['region'] }}"}}

    _, entry, notes = command(manifest(stream(requester=params), spec=spec))

    assert entry["resources"][0]["endpoint"]["params"] == {"region": "$SHOP_REGION"}
    assert any(note.startswith("spec.config_normalization_rules: change") for note in notes)


def test_nothing_that_can_be_taken_is_an_error(command):
    odd = stream(retriever={"type": "AsyncRetriever"})

    assert command(manifest(odd))[0] == 1


MORE = {"has_more_path": "more"}
LAST = {"at_end_path": "last"}
EMPTY = {"stop_after_empty_page": True}
SHORT = {"stop_after_short_page": True, "limit_param": None}


@pytest.mark.parametrize(
    ("condition", "ending", "is_later"),
    [
        ("{{ not response.next }}", {}, False),
        ("{{ response['next'] is none }}", {}, False),
        ("{{ response.next == '' or response.next is not defined }}", {}, False),
        ("{{ 'next' not in response }}", {}, False),
        ("{{ not response.get('next', {}) and response.more }}", {}, False),
        ("{{ False }}", {}, False),
        ("{{ response.next == 'null' }}", {"stop_values": ["null"]}, False),
        ("{{ not response.more }}", MORE, False),
        ("{{ response.more is false }}", MORE, False),
        ("{{ response.get('more') != true }}", MORE, False),
        ("{{ not (response.more and response.next) }}", MORE, False),
        ("{{ response.last }}", LAST, False),
        ("{{ response.last == 'True' }}", LAST, False),
        ("{{ response.more == 'N' }}", MORE, False),
        ("{{ response.next is not string }}", {}, False),
        ("{{ response.next in [None, ''] }}", {}, False),
        ("{{ response.page.number >= response.page.total - 1 }}", {}, True),
        ("{{ not response.more or response.last }}", MORE | LAST, False),
        ("{{ last_page_size == 0 }}", EMPTY, False),
        ("{{ not last_record }}", EMPTY, False),
        ("{{ response.data | length == 0 }}", EMPTY, False),
        ("{{ not response['data'] }}", EMPTY, False),
        ("{{ response.meta.count < 1 }}", EMPTY, False),
        ("{{ last_page_size < 100 }}", EMPTY | SHORT | {"limit": 100}, False),
        ("{{ 100 > last_page_size }}", EMPTY | SHORT | {"limit": 100}, False),
        ("{{ response.count <= 1 }}", EMPTY | SHORT | {"limit": 2}, False),
        ("{{ response.meta.total < 2 }}", EMPTY | SHORT | {"limit": 2}, False),
        ("{{ response.page >= response.pages }}", {}, True),
        ("{{ response.offset + response.limit >= response.total }}", {}, True),
        ("{{ response.paging.after is none }}", {}, True),
        ("{{ not response.more and not response.data }}", {}, True),
        ("{{ not response.more or not response.any }}", {}, True),
    ],
)
def test_condition_to_stop_is_declared_or_ends_later(condition, ending, is_later, command):
    pages = paged(cursor("{{ response.next }}", stop_condition=condition), "after", None)

    code, entry, notes = command(manifest(stream(retriever=pages | {"record_selector": ROWS})))

    made = {"type": "cursor", "cursor_path": "next", "cursor_param": "after"}
    assert code == 0
    assert entry["resources"][0]["endpoint"]["paginator"] == made | ending
    assert any("reading ends when a response has no cursor" in note for note in notes) == is_later


@pytest.mark.parametrize(
    "condition",
    [
        "{{ response.page > 10 }}",
        "{{ response.page + 1 > 10 }}",
        "{{ response.page > 10 - 1 }}",
        "{{ response.next is string }}",
        "{{ response.next in ['a', ''] }}",
        "{{ response.page >= config['pages'] }}",
        "{{ response.page and response.page > 10 }}",
        "{{ last_record['at'] < config['start_date'] }}",
        "{{ last_page_size > 100 }}",
        "{{ response.count <= 2 }}",
        "{{ response.pages <= 1 }}",
        "{{ response.next }}",
        "{{ response.next != 'false' }}",
        "{{ response.data }}",
        "{{ response.data != false }}",
        "{{ 'error' in response }}",
        "{{ response.state == 'done' }}",
        "{{ headers['X-More'] == 'false' }}",
        "{{ not (response.more and response.page > 10) }}",
        "{{ true }}",
        "{{ response.items() }}",
        "not response.more",
    ],
)
def test_condition_that_ends_before_the_last_page_is_not_taken(condition, command):
    pages = paged(cursor("{{ response.next }}", stop_condition=condition), "after")
    pages |= {"record_selector": ROWS}

    code, _, notes = command(manifest(stream(), stream("odd", retriever=pages)))

    assert code == 1
    assert any("'odd' is left out: its stop_condition" in note for note in notes)


def put(where, name):
    field = "field_path" if isinstance(name, list) else "field_name"
    return {"type": "RequestOption", "inject_into": where, field: name}


def placed(strategy, token, size):
    """Return a paginator of a POST whose page and limit go to places."""
    return {
        "paginator": {
            "type": "DefaultPaginator",
            "pagination_strategy": strategy,
            "page_token_option": put(*token),
            "page_size_option": put(*size),
        }
    }


OFFSET = {"type": "OffsetIncrement", "page_size": 5}


@pytest.mark.parametrize(
    ("token", "size", "paginator", "sent"),
    [
        (
            ("body_json", "from"),
            ("body_json", ["page", "size"]),
            {"offset_body_path": "from", "limit": 5, "limit_body_path": "page.size"},
            {},
        ),
        (
            ("header", "X-From"),
            ("header", "X-Size"),
            {"limit": 5},
            {"headers": {"X-From": "{paginator.offset}", "X-Size": "{paginator.limit}"}},
        ),
        (
            ("body_data", "from"),
            ("body_data", "size"),
            {"limit": 5},
            {"data": {"from": "{paginator.offset}", "size": "{paginator.limit}"}},
        ),
        (
            ("request_parameter", "from"),
            ("body_json", "size"),
            {"offset_param": "from", "limit": 5, "limit_body_path": "size"},
            {},
        ),
    ],
)
def test_page_goes_where_it_is_injected(token, size, paginator, sent, command):
    made = stream(requester={"http_method": "POST"}, retriever=placed(OFFSET, token, size))

    code, entry, _ = command(manifest(made))

    endpoint = entry["resources"][0]["endpoint"]
    assert code == 0
    assert endpoint["paginator"] == {"type": "offset", "stop_after_short_page": True} | paginator
    assert {name: endpoint[name] for name in ("headers", "data") if name in endpoint} == sent


@pytest.mark.parametrize(
    ("value", "condition"),
    [
        (
            "{{ headers.get('Link', {}).split(';')[0][1:-1] }}",
            "{{ not headers.get('Link') or 'rel=\"next\"' not in headers['Link'] }}",
        ),
        ("{{ headers['link'] | regex_search('<([^>]+)>; rel=next') }}", ""),
    ],
)
def test_link_that_is_cut_from_the_header_is_followed(value, condition, command):
    pages = paged(cursor(value, stop_condition=condition), None, None)
    pages["paginator"]["page_token_option"] = {"type": "RequestPath"}

    code, entry, _ = command(manifest(stream(retriever=pages)))

    assert code == 0
    assert entry["resources"][0]["endpoint"]["paginator"] == {"type": "header_link"}


@pytest.mark.parametrize(
    ("value", "condition"),
    [
        ("{{ headers['Link'].split(';')[0] }}", "{{ response.last }}"),
        ("{{ headers['Link'].split(';')[0] }}", ""),
        ("{{ headers['Link'].split(',')[response.next] }}", ""),
    ],
)
def test_link_of_another_relation_is_not_taken(value, condition, command):
    pages = paged(cursor(value, stop_condition=condition), None, None)
    pages["paginator"]["page_token_option"] = {"type": "RequestPath"}

    code, _, notes = command(manifest(stream(), stream("odd", retriever=pages)))

    assert code == 1
    assert any("'odd' is left out: its cursor_value is" in note for note in notes)


def test_page_in_the_body_of_a_get_is_sent_there(command):
    made = stream(retriever=placed(OFFSET, ("body_json", "from"), ("body_json", "size")))

    code, entry, _ = command(manifest(made))

    assert code == 0
    assert entry["resources"][0]["endpoint"]["method"] == "GET"
    assert entry["resources"][0]["endpoint"]["paginator"] == {
        "type": "offset",
        "offset_body_path": "from",
        "limit": 5,
        "limit_body_path": "size",
        "stop_after_short_page": True,
    }


@pytest.mark.parametrize(
    ("token", "requester", "reason"),
    [
        (("body_json", "a.b"), {"http_method": "POST"}, "isn't in a parameter"),
        (
            ("body_data", "from"),
            {"http_method": "POST", "request_body_json": {"a": 1}},
            "in a body of another kind than `json`",
        ),
        (
            ("request_parameter", "from"),
            {"request_parameters": {"from": "1"}},
            "which the request has already",
        ),
    ],
)
def test_page_that_has_no_place_is_not_taken(token, requester, reason, command):
    pages = placed(OFFSET, token, ("request_parameter", "limit"))
    odd = stream("odd", requester=requester, retriever=pages)

    code, _, notes = command(manifest(stream(), odd))

    assert code == 1
    assert any("'odd' is left out" in note and reason in note for note in notes)


@pytest.mark.parametrize(
    ("strategy", "value", "reason"),
    [
        (OFFSET, "{{ next_page_token.next_page_token or 1 }}", "its first page is called"),
        (OFFSET, "{{ 'a' if next_page_token else 'b' }}", "the parameter `at` is computed"),
        (OFFSET, "{{ next_page_token.next_page_token * 2 }}", "the parameter `at` is computed"),
        (
            OFFSET,
            "{{ (next_page_token.next_page_token or 0) + 1 }} {{next_page_token.next_page_token}}",
            "its page is sent in several ways",
        ),
    ],
)
def test_page_that_a_request_computes_is_not_taken(strategy, value, reason, command):
    pages = {"paginator": {"type": "DefaultPaginator", "pagination_strategy": strategy}}
    odd = stream("odd", requester={"request_parameters": {"at": value}}, retriever=pages)

    code, _, notes = command(manifest(stream(), odd))

    assert code == 1
    assert any("'odd' is left out" in note and reason in note for note in notes)


def test_cursor_in_a_computed_field_of_the_last_row_is_not_taken(command):
    pages = paged(cursor("{{ last_record['at'] }}"), "after") | {"record_selector": ROWS}
    added = {"type": "AddFields", "fields": [{"path": ["at"], "value": "{{ record.time }}"}]}
    odd = stream("odd", retriever=pages, transformations=[added])

    code, _, notes = command(manifest(stream(), odd))

    assert code == 1
    assert any("its cursor `at` is a field that is computed" in note for note in notes)


def test_page_that_is_sent_twice_is_not_taken(command):
    value = "{{ next_page_token.next_page_token }}"
    odd = stream("odd", requester={"request_parameters": {"at": value}}, retriever=paged(OFFSET))

    code, _, notes = command(manifest(stream(), odd))

    assert code == 1
    assert any("'odd' is left out: its page is sent in several ways" in note for note in notes)


@pytest.mark.parametrize(
    ("size", "params"),
    [(("cookie", "size"), {}), (("request_parameter", "n"), {"n": "9"})],
)
def test_limit_that_has_no_place_is_left_to_the_api(size, params, command):
    pages = placed(OFFSET, ("request_parameter", "from"), size)

    code, entry, notes = command(
        manifest(stream(requester={"request_parameters": params}, retriever=pages))
    )

    assert code == 0
    paginator = {"type": "offset", "offset_param": "from"} | FIVE
    assert entry["resources"][0]["endpoint"]["paginator"] == paginator
    assert any("no limit is sent" in note for note in notes)


def test_parameter_called_limit_that_is_no_number_stays_a_parameter(command):
    made = stream(requester={"request_parameters": {"limit": "all"}})

    code, entry, _ = command(manifest(made))

    assert code == 0
    assert entry["resources"][0]["endpoint"]["paginator"] == {
        "type": "single_page",
        "limit_param": None,
    }


# --- requests -------------------------------------------------------------------------------


def test_body_of_a_post_is_taken(command):
    requester = {
        "http_method": "POST",
        "request_body_json": {"filter": {"$ref": "#/definitions/open"}},
        "request_parameters": {"a": 1, "b": "{{ 1 + 1 }}"},
    }

    code, entry, _ = command(
        manifest(stream(requester=requester), definitions={"open": {"state": "open"}})
    )

    assert code == 0
    assert entry["resources"][0]["endpoint"] == {
        "path": "/items",
        "method": "POST",
        "params": {"a": 1, "b": "2"},
        "json": {"filter": {"state": "open"}},
        "paginator": "single_page",
    }


@pytest.mark.parametrize(
    ("requester", "reason"),
    [
        ({"http_method": "PUT"}, "its method is PUT"),
        ({"http_method": "POST", "request_body_data": "a=1"}, "its body is a text"),
        (
            {"http_method": "POST", "request_body_json": {"a": "{{ next_page_token }}"}},
            "its body is computed",
        ),
        ({"path": "{{ now_utc() }}"}, "its path is computed"),
        ({"path": "/{{ now_utc().strftime('%Y %m') }}"}, "its path is computed"),
        (
            {"type": "CustomRequester"},
            (
                "its requests are sent by CustomRequester "
                "(`--plugin MODULE` takes it, with `get_url_params` of a class)"
            ),
        ),
    ],
)
def test_request_that_would_be_another_is_not_made(requester, reason, command):
    _, entry, notes = command(manifest(stream(), stream("odd", requester=requester)))

    assert [resource["name"] for resource in entry["resources"]] == ["items"]
    assert f"streams[1]: the stream 'odd' is left out: {reason}." in notes


def test_path_that_is_a_full_url_replaces_the_base_url(command):
    paths = {"path": "https://api.shop.com/v2/odd?a=1"}

    code, entry, _ = command(manifest(stream(), stream("odd", requester=paths)))

    assert (code, entry["client"]["base_url"]) == (0, "https://api.shop.com")
    endpoint = {"path": "/v2/odd", "params": {"a": "1"}}
    assert entry["resources"][1]["endpoint"] == endpoint


def test_path_at_another_host_is_an_entry_of_its_own(command):
    paths = {"path": "https://other.shop.com/odd"}

    code, entry, notes = command(manifest(stream(), stream("odd", requester=paths)))

    assert (code, len(entry["resources"])) == (0, 1)
    assert "the entry 'shop_2' has what is at other.shop.com: `odd`." in notes


# --- signing --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("authenticator", "auth"),
    [
        ({"type": "NoAuth"}, None),
        (
            {"type": "BearerAuthenticator", "api_token": "{{ config['key'] }}"},
            {"type": "bearer", "token": "$SHOP_KEY"},
        ),
        (
            {"type": "ApiKeyAuthenticator", "header": "X-K", "api_token": "{{ config.key }}"},
            {"type": "api_key", "name": "X-K", "api_key": "$SHOP_KEY", "location": "header"},
        ),
        (
            {
                "type": "ApiKeyAuthenticator",
                "api_token": "{{ config.key }}",
                "inject_into": {"field_name": "k", "inject_into": "request_parameter"},
            },
            {"type": "api_key", "name": "k", "api_key": "$SHOP_KEY", "location": "query"},
        ),
        (
            {"type": "BasicHttpAuthenticator", "username": "{{ config['user'] }}"},
            {"type": "http_basic", "username": "$SHOP_USER", "password": ""},
        ),
        (
            {
                "type": "OAuthAuthenticator",
                "grant_type": "client_credentials",
                "token_refresh_endpoint": "https://api.shop.com/token",
                "client_id": "{{ config['id'] }}",
                "client_secret": "{{ config['secret'] }}",
            },
            {
                "type": "oauth2_client_credentials",
                "access_token_url": "https://api.shop.com/token",
                "client_id": "$SHOP_ID",
                "client_secret": "$SHOP_SECRET",
            },
        ),
    ],
)
def test_authenticator_is_taken(authenticator, auth, command):
    code, entry, _ = command(manifest(stream(requester={"authenticator": authenticator})))

    assert code == 0
    assert entry["client"].get("auth") == auth


@pytest.mark.parametrize(
    ("authenticator", "url"),
    [
        (
            {
                "type": "LegacySessionTokenAuthenticator",
                "header": "X-Session",
                "login_url": "session",
                "session_token_response_key": "id",
            },
            "${SHOP_HOST}session",
        ),
        (
            {
                "type": "SessionTokenAuthenticator",
                "login_requester": {"url_base": "{{ config['host'] }}", "path": "session"},
                "session_token_path": ["id"],
                "request_authentication": {"type": "Bearer"},
            },
            "$SHOP_HOST/session",
        ),
    ],
)
def test_login_may_be_at_an_address_of_the_configuration(authenticator, url, command):
    requester = {"url_base": "{{ config['host'] }}", "authenticator": authenticator}

    code, entry, _ = command(manifest(stream(requester=requester)))

    assert code == 0
    assert entry["client"]["auth"]["login"]["url"] == url


def keyed(name):
    option = {"type": "RequestOption", "inject_into": "body_data", "field_name": name}
    return {
        "type": "ApiKeyAuthenticator",
        "api_token": "{{ config['key'] }}",
        "inject_into": option,
    }


def test_key_in_a_form_is_a_field_of_each_request(command):
    sender = {"http_method": "POST", "authenticator": keyed("apiKey")}

    code, entry, _ = command(manifest(stream(requester=sender)))

    assert (code, entry["client"]) == (0, {"base_url": "https://api.shop.com/v1"})
    assert entry["resources"][0]["endpoint"]["data"] == {"apiKey": "$SHOP_KEY"}


@pytest.mark.parametrize(
    ("name", "body"), [("apiKey", {"request_body_json": {"a": 1}}), ("who", {})]
)
def test_key_that_a_body_has_no_place_for_is_noted(name, body, command):
    sender = {"http_method": "POST", "authenticator": keyed(name), **body}

    code, _, notes = command(manifest(stream(requester=sender)))

    assert code == 1
    assert any("its key is sent in body_data, so requests carry no credential" in n for n in notes)


def test_authenticator_that_is_not_taken_is_noted(command):
    odd = {"type": "JwtAuthenticator", "secret_key": "k9-very-secret-0451"}

    given = manifest(stream(requester={"authenticator": odd}))
    code, entry, notes = command(given)

    assert (code, command(given, "--partial")[0]) == (1, 0)
    assert "auth" not in entry["client"]
    [note] = notes
    assert note.startswith("streams[0].retriever.requester.authenticator: JwtAuthenticator isn't")


def test_authenticator_that_needs_code_is_named(command):
    odd = {"type": "CustomAuthenticator", "class_name": "source_shop.components.Signer"}
    # An address of its own, and a word that isn't one of OAuth.
    odd |= {"client_id": "a", "client_secret": "b", "token_refresh_endpoint": "c", "host": "d"}

    code, entry, notes = command(manifest(stream(requester={"authenticator": odd})))

    assert code == 1
    assert "auth" not in entry["client"]
    [note] = notes
    assert "source_shop.components.Signer needs code (a login is `{type: session_token" in note


def selective(*names):
    known = {
        "oauth": {"type": "OAuthAuthenticator", "token_refresh_endpoint": "https://a.shop.com"},
        "key": {"type": "BearerAuthenticator", "api_token": "{{ config['key'] }}"},
        "user": {"type": "BasicHttpAuthenticator", "username": "{{ config['user'] }}"},
        "code": {"type": "CustomAuthenticator"},
    }
    return {
        "type": "SelectiveAuthenticator",
        "authenticator_selection_path": ["login", "kind"],
        "authenticators": {name: known[name] for name in names},
    }


@pytest.mark.parametrize(
    ("names", "default", "taken", "others"),
    [
        (("oauth", "key", "user"), None, "bearer", "`oauth`, `user`"),
        (("oauth", "key", "user"), "user", "http_basic", "`oauth`, `key`"),
        (("code", "oauth"), None, "oauth2_client_credentials", "`code`"),
        (("code", "user"), "code", "http_basic", "`code`"),
    ],
)
def test_of_several_authenticators_one_is_taken(names, default, taken, others, command):
    kind = {"type": "string"} | ({"default": default} if default else {})
    properties = {"login": {"type": "object", "properties": {"kind": kind}}}
    spec = {"connection_specification": {"properties": properties}}
    made = stream(requester={"authenticator": selective(*names)})

    code, entry, notes = command(manifest(made, spec=spec))

    assert code == 0
    assert entry["client"]["auth"]["type"] == taken
    assert any(f"{others} would need another `auth`" in note for note in notes)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"client_id_name": "app"}, "its client_id_name is `app`"),
        ({"refresh_request_headers": {"X-App": "a"}}, "`X-App` of its refresh_request_headers"),
        ({"refresh_request_body": {"a": {"b": 1}}}, "`a` of its refresh_request_body is computed"),
        ({"send_refresh_request_as_query_params": True}, "`send_refresh_request_as_query_params`"),
        ({"refresh_token_updater": {"refresh_token_name": "next"}}, "refresh tokens are in `next`"),
        ({"use_profile_assertion": True}, "its profile_assertion isn't a JwtAuthenticator"),
    ],
)
def test_request_for_a_token_that_would_be_another_is_not_taken(words, reason, command):
    made = {
        "type": "OAuthAuthenticator",
        "token_refresh_endpoint": "https://api.shop.com/token",
        "client_id": "{{ config['id'] }}",
        "client_secret": "{{ config['secret'] }}",
        "refresh_token": "{{ config['refresh'] }}",
    }

    code, entry, notes = command(manifest(stream(requester={"authenticator": made | words})))

    assert code == 1
    assert "auth" not in entry["client"]
    assert any(reason in note and "carry no credential" in note for note in notes)


# --- references, parameters, the configuration -------------------------------------------------


def test_parameters_are_handed_down_through_references(command):
    base = stream()
    base.pop("name")
    base["retriever"]["requester"]["path"] = "{{ parameters.path }}/{{ parameters['kind'] }}"
    derived = {"$ref": "#/definitions/base", "$parameters": {"name": "shops", "path": "/all"}}
    derived["$parameters"] |= {"kind": "open", "key": "code"}
    base["primary_key"] = ["{{ parameters.key }}"]

    _, entry, _ = command(manifest(derived, definitions={"base": base}))

    [shops] = entry["resources"]
    assert (shops["name"], shops["endpoint"]["path"]) == ("shops", "/all/open")
    assert shops["primary_key"] == "code"


def test_configuration_has_its_default_or_a_variable(command):
    requester = {
        "url_base": "https://{{ config['site'] }}.shop.com{{ config['root'] }}/eu",
        "request_parameters": {"state": "{{ config['state'] }}", "n": "{{ config.get('n', 5) }}"},
    }
    spec = {"connection_specification": {"properties": {"state": {"default": "open"}}}}
    spec["connection_specification"]["properties"]["root"] = {"default": "/v1/"}

    code, entry, notes = command(manifest(stream(requester=requester), spec=spec))

    assert code == 0
    assert entry["client"]["base_url"] == "https://$SHOP_SITE.shop.com/v1/eu"
    assert entry["resources"][0]["endpoint"]["params"] == {"state": "open", "n": "5"}
    assert "`config.site` becomes $SHOP_SITE." in notes


def test_addresses_of_one_host_become_one_address_and_longer_paths(command):
    second = {"url_base": "https://api.shop.com/v2/eu"}
    other = {"url_base": "https://files.shop.com/v1"}

    _, entry, notes = command(
        manifest(stream(), stream("orders", requester=second), stream("files", requester=other))
    )

    paths = [resource["endpoint"] for resource in entry["resources"]]
    assert entry["client"]["base_url"] == "https://api.shop.com"
    assert paths == ["/v1/items", "/v2/eu/orders"]
    assert "the entry 'shop_2' has what is at files.shop.com: `files`." in notes


def test_address_with_a_path_in_it_is_taken_apart(command):
    whole = {"url_base": "", "url": "https://api.shop.com/v1/all?state=open", "path": ""}

    code, entry, _ = command(manifest(stream(requester=whole)))

    assert code == 0
    assert entry["client"]["base_url"] == "https://api.shop.com"
    assert entry["resources"][0]["endpoint"]["path"] == "/v1/all"
    assert entry["resources"][0]["endpoint"]["params"] == {"state": "open"}


# --- parents --------------------------------------------------------------------------------


def child(parent, **words):
    config = {"type": "ParentStreamConfig", "parent_key": "id", "partition_field": "item"}
    router = {
        "type": "SubstreamPartitionRouter",
        "parent_stream_configs": [config | {"stream": parent} | words],
    }
    path = "items/{{ stream_slice['item'] }}/parts"
    return stream("parts", requester={"path": path}, retriever={"partition_router": router})


def test_parent_fills_the_path_of_its_children(command):
    code, entry, notes = command(manifest(child(stream())))

    assert code == 0
    items, parts = entry["resources"]
    assert items["name"] == "items"
    assert parts["endpoint"] == "/items/{+resources.items.id}/parts"
    assert any("the parent 'items' becomes a resource" in note for note in notes)


def test_child_of_what_is_left_out_is_left_out(command):
    odd = stream(retriever={"type": "AsyncRetriever"})

    _, entry, notes = command(manifest(stream("shops"), odd, child(odd)))

    assert [resource["name"] for resource in entry["resources"]] == ["shops"]
    assert "the stream 'parts' is left out: its parent is left out." in notes


# --- rows, keys, columns ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "selector"),
    [
        ([], "$"),
        (["data"], "data"),
        (["data", "rows"], "data.rows"),
        (["data", "*", "rows"], "$['data'][*]['rows']"),
        (["odata.value"], "$['odata.value']"),
    ],
)
def test_field_path_is_the_selector(path, selector, command):
    extractor = {"type": "DpathExtractor", "field_path": path}
    made = stream(retriever={"record_selector": {"extractor": extractor}})

    code, entry, _ = command(manifest(made))

    assert code == 0
    assert entry["resources"][0]["endpoint"].get("data_selector") == selector


def inline(properties, **words):
    return {"type": "InlineSchemaLoader", "schema": {"type": "object", "properties": properties}}


def test_schema_is_taken_with_columns_that_may_be_null(command):
    columns = {
        "id": {"type": ["null", "integer"]},
        "name": {"type": "string"},
        "at": {"type": "object", "properties": {"format": "date-time"}},
        "shop": {"type": "object", "required": ["a"], "properties": {"a": {"type": "number"}}},
    }

    code, entry, _ = command(manifest(stream(schema_loader=inline(columns))))

    assert code == 0
    assert entry["resources"][0]["schema"]["properties"] == {
        "id": {"type": ["integer"]},
        "name": {"type": ["string", "null"]},
        "at": {"type": ["object", "null"], "properties": {}},
        "shop": {"type": ["object", "null"], "properties": {"a": {"type": ["number", "null"]}}},
    }


def added(**fields):
    paths = [{"path": name.split("__"), "value": value} for name, value in fields.items()]
    return {"type": "AddFields", "fields": paths}


@pytest.mark.parametrize(
    ("key", "columns"),
    [
        ("id", {"id": {"type": ["null", "object"]}}),
        ("a.id", {"a": {"type": "object", "properties": {"id": {"type": "array"}}}}),
    ],
)
def test_a_key_that_is_an_object_or_a_list_is_left_out(key, columns, command):
    words = {"primary_key": [key.split(".")], "schema_loader": inline(columns)}
    code, entry, notes = command(manifest(stream(**words)))

    assert code == 0
    assert "primary_key" not in entry["resources"][0]
    note = f"streams[0].primary_key: `{key}` is an object or a list: rows are appended."
    assert note in notes


@pytest.mark.parametrize(
    ("words", "note"),
    [
        (
            {"schema_loader": {"type": "JsonFileSchemaLoader"}},
            "JsonFileSchemaLoader isn't supported",
        ),
        ({"schema_loader": inline({"name": {}})}, "lacks `id`"),
        ({"schema_loader": inline({"id": {"type": "text"}})}, "isn't a JSON schema"),
        (
            {"transformations": [{"type": "RemoveFields", "field_pointers": [["a", "*"]]}]},
            "`a.*` can't be said, or others are computed from them: rows keep these fields",
        ),
        (
            {"transformations": [added(x="{{ record.x | hash('sha1') }}")]},
            "`x` would have to be computed: left as rows have it",
        ),
        (
            {"transformations": [added(x="{{ record.y | urlencode }}")]},
            "`x` would have to be computed: left as rows have it",
        ),
        (
            {"transformations": [added(id="{{ generate_uuid() }}")]},
            "primary_key: `id` is another in each run: rows are appended",
        ),
        (
            {
                "transformations": [added(at="{{ now_utc() }}")],
                "incremental_sync": {"type": "DatetimeBasedCursor", "cursor_field": "at"},
            },
            "filters neither requests nor rows: every run reads all rows",
        ),
    ],
)
def test_what_is_not_taken_of_a_stream_is_noted(words, note, command):
    code, entry, notes = command(manifest(stream(**words)))

    assert code == 0
    assert "schema" not in entry["resources"][0]
    assert any(note in each for each in notes)


# --- what is new, what fails --------------------------------------------------------------------


def test_cursor_that_may_be_null_stays_so(command):
    at = {"type": ["string", "null"], "format": "date-time"}
    loader = inline({"id": {"type": ["integer", "null"]}, "at": at})
    time = {"type": "DatetimeBasedCursor", "cursor_field": "at"}
    time["is_client_side_incremental"] = True

    code, entry, _ = command(manifest(stream(incremental_sync=time, schema_loader=loader)))

    assert code == 0
    properties = entry["resources"][0]["schema"]["properties"]
    assert properties == {"id": {"type": ["integer"]}, "at": at}


def test_cursor_over_time_is_taken(command):
    time = {
        "type": "DatetimeBasedCursor",
        "cursor_field": "at",
        "datetime_format": "%s",
        "start_datetime": {"type": "MinMaxDatetime", "datetime": "2024-01-01T00:00:00Z"},
        "start_time_option": {"field_name": "since", "inject_into": "request_parameter"},
        "end_time_option": {"field_name": "until", "inject_into": "request_parameter"},
        "step": "P1M",
        "cursor_granularity": "PT1S",
        "lookback_window": "P1D",
    }

    code, entry, notes = command(manifest(stream(incremental_sync=time)))

    assert code == 0
    assert entry["resources"][0]["endpoint"]["incremental"] == {
        "cursor_path": "at",
        "cursor_format": "epoch_s",
        "start_param": "since",
        "end_param": "until",
        "initial_value": "2024-01-01T00:00:00Z",
        "convert": "%s",
        "lag": 86400,
        "step": "P1M",
        "granularity": "PT1S",
    }
    assert notes == []


@pytest.mark.parametrize(
    ("given", "form", "made"),
    [
        ("P1D", "%s", "PT1S"),
        ("P1D", "%Y-%m-%dT%H:%M:%S.%fZ", "PT0.000001S"),
        ("P1D", "%Y-%m-%d %H:%M", "PT60S"),
        ("P1D", "%Y-%m-%d", "P1D"),
        ("PT0.000001S", "%Y-%m-%d", "PT0.000001S"),
    ],
)
def test_granularity_is_no_longer_than_what_is_sent(given, form, made, command):
    time = {
        "type": "DatetimeBasedCursor",
        "cursor_field": "at",
        "datetime_format": form,
        "start_datetime": {"type": "MinMaxDatetime", "datetime": "2024-01-01T00:00:00Z"},
        "start_time_option": {"field_name": "since", "inject_into": "request_parameter"},
        "end_time_option": {"field_name": "until", "inject_into": "request_parameter"},
        "step": "P1M",
        "cursor_granularity": given,
    }

    _, entry, notes = command(manifest(stream(incremental_sync=time)))

    assert entry["resources"][0]["endpoint"]["incremental"]["granularity"] == made
    assert any("cursor_granularity" in note for note in notes) == (made != given)


def test_ends_of_an_interval_among_the_parameters_are_those_of_requests(command):
    time = {"type": "DatetimeBasedCursor", "cursor_field": "at", "start_datetime": "2024-01-01"}
    requester = {
        "request_parameters": {
            "from": "{{ stream_interval['start_time'] }}",
            "to": "{{ stream_interval.end_time }}",
        }
    }

    _, entry, notes = command(manifest(stream(requester=requester, incremental_sync=time)))

    endpoint = entry["resources"][0]["endpoint"]
    assert "params" not in endpoint
    assert endpoint["incremental"] == {
        "cursor_path": "at",
        "start_param": "from",
        "end_param": "to",
        "initial_value": "2024-01-01",
        "end_value": "now",
    }
    assert notes == []


@pytest.mark.parametrize(
    ("end", "value", "note"),
    [
        ("{{ now_utc() }}", "now", ""),
        ("{{ day_delta(-2, format='%Y-%m-%d') }}", "now-P2D", ""),
        ("{{ (now_utc() - duration('PT5M')).strftime('%Y-%m-%d') }}", "now-PT5M", ""),
        ("{{ config.get('end_date', now_utc() - duration('PT5M')) }}", "now-PT5M", ""),
        ("{{ config.start_date or day_delta(-30) }}", "now", "is before a run begins"),
        ("{{ day_delta(-2 * 7) }}", "now", "is before a run begins"),
        ("{{ today_utc().strftime('%Y-%m') }}", "now", "is before a run begins"),
    ],
)
def test_range_that_ends_before_a_run_begins(end, value, note, command):
    time = {
        "type": "DatetimeBasedCursor",
        "cursor_field": "at",
        "start_datetime": "2024-01-01",
        "end_datetime": {"type": "MinMaxDatetime", "datetime": end},
        "end_time_option": {"field_name": "until", "inject_into": "request_parameter"},
    }

    _, entry, notes = command(manifest(stream(incremental_sync=time)))

    assert entry["resources"][0]["endpoint"]["incremental"]["end_value"] == value
    assert note in "".join(notes)
    assert bool(note) == bool(notes)


def test_filter_in_another_notation_is_sent_in_it(command):
    time = {
        "type": "DatetimeBasedCursor",
        "cursor_field": "at",
        "datetime_format": "%Y-%m-%d",
        "cursor_datetime_formats": ["%s"],
        "start_time_option": {"field_name": "since", "inject_into": "request_parameter"},
    }

    _, entry, notes = command(manifest(stream(incremental_sync=time)))

    endpoint = entry["resources"][0]["endpoint"]
    # A placeholder, because the request always has a start.
    assert endpoint["params"] == {"since": "{incremental.start_value}"}
    assert endpoint["incremental"] == {
        "cursor_path": "at",
        "cursor_format": "epoch_s",
        "convert": "%Y-%m-%d",
    }
    assert notes == []


def test_waits_and_retries_are_taken(command):
    waits = [
        {"type": "ConstantBackoffStrategy", "backoff_time_in_seconds": "3"},
        {"type": "WaitTimeFromHeader", "header": "Retry-After", "max_waiting_time_in_seconds": 60},
        {"type": "WaitUntilTimeFromHeader", "header": "X-Wait", "regex": "[0-9]+"},
        {"type": "WaitTimeFromHeader", "header": "X-Other"},
        {"type": "ExponentialBackoffStrategy", "factor": 9},
    ]
    handlers = [
        {"type": "DefaultErrorHandler", "max_retries": 7, "backoff_strategies": waits},
        {"type": "DefaultErrorHandler", "max_retries": 2},
        {"type": "CustomErrorHandler", "class_name": "source_shop.components.Handler"},
    ]
    handler = {"type": "CompositeErrorHandler", "error_handlers": handlers}

    code, entry, notes = command(manifest(stream(requester={"error_handler": handler})))

    assert code == 0
    assert entry["resources"][0]["endpoint"]["error_handler"] == {
        "max_retries": 7,
        "backoff_factor": 3,
        "max_retry_after": 60,
        "wait_time_header": "X-Wait",
    }
    where = "streams[0].retriever.requester.error_handler.error_handlers"
    assert notes == [
        f"{where}[0].backoff_strategies[0]: each wait is twice the one before: 3, 6, 12 s.",
        f"{where}[0].backoff_strategies[2].regex: isn't supported: the header must be a number.",
        f"{where}[0].backoff_strategies[3].header: isn't supported: `Retry-After` is read.",
        f"{where}[0].backoff_strategies[4]: `factor` isn't supported.",
        f"{where}[2]: source_shop.components.Handler isn't supported: failures fail the stream.",
    ]


@pytest.mark.parametrize(("given", "taken"), [(-1, 0), ("7", 7), (10_000, 100)])
def test_retries_are_those_that_the_tap_allows(given, taken, command):
    handler = {"type": "DefaultErrorHandler", "max_retries": given}

    code, entry, _ = command(manifest(stream(requester={"error_handler": handler})))

    assert code == 0
    assert entry["resources"][0]["endpoint"]["error_handler"] == {"max_retries": taken}


def filters(*given):
    return {"type": "DefaultErrorHandler", "response_filters": list(given)}


def when(action, *codes, **words):
    return {"action": action, "http_codes": list(codes)} | words


BUSY = {"predicate": "{{ response.get('code') == 17 }}"}
OFF = {"error_message_contains": "switched off"}
MESSAGE = (
    "@.message || @.messages || @.error || @.errors || @.failures || @.failure || @.detail || @.err"
    " || @.error_message || @.msg || @.reason || @.status_message"
)


@pytest.mark.parametrize(
    ("handlers", "actions", "retried"),
    [
        # By status.
        ([filters(when("RETRY", 418, 500))], [], [418, 429, 500, 502, 503, 504]),
        ([filters(when("RATE_LIMITED", 403))], [{"status_code": 403, "action": "retry"}], None),
        ([filters(when("FAIL", 400, 500))], [], [429, 502, 503, 504]),
        (
            [filters(when("IGNORE", 404, 500))],
            [{"status_code": each, "action": "ignore"} for each in (404, 500)],
            None,
        ),
        ([filters(when("SUCCESS", 403))], [{"status_code": 403, "action": "ignore"}], None),
        # The rows of successful responses are read all the same.
        ([filters(when("IGNORE", 200, **BUSY), when("FAIL", 200))], None, None),
        ([filters(when("RETRY", 202))], [{"status_code": 202, "action": "retry"}], None),
        # The first that fits counts.
        (
            [filters(when("IGNORE", 404), when("RETRY", 404, 409))],
            [{"status_code": 404, "action": "ignore"}],
            [409, 429, 500, 502, 503, 504],
        ),
        # By the body.
        (
            [filters(when("IGNORE", **OFF))],
            [
                {"status_code": "4xx", "content": "switched off", "action": "ignore"},
                {"status_code": "5xx", "content": "switched off", "action": "ignore"},
            ],
            None,
        ),
        (
            [filters(when("RETRY", **BUSY))],
            [
                {"status_code": each, "filter": "@.code == 17", "action": "retry"}
                for each in ("2xx", "4xx", "5xx")
            ],
            None,
        ),
        (
            [filters(when("FAIL", **BUSY))],
            [{"status_code": "2xx", "filter": "@.code == 17", "action": "fail"}],
            None,
        ),
        (
            [filters(when("FAIL", error_message_contains='say "no"'))],
            [
                {
                    "status_code": "2xx",
                    "content": 'say \\"no\\"',
                    "filter": MESSAGE,
                    "action": "fail",
                },
            ],
            None,
        ),
        (
            [filters(when("FAIL", **OFF), when("IGNORE", 400))],
            [
                {"status_code": 400, "content": "switched off", "action": "fail"},
                {"status_code": 400, "action": "ignore"},
                {
                    "status_code": "2xx",
                    "content": "switched off",
                    "filter": MESSAGE,
                    "action": "fail",
                },
            ],
            None,
        ),
        (
            [filters(when("FAIL", 400), when("IGNORE", **OFF))],
            [
                {"status_code": 400, "action": "fail"},
                {"status_code": "4xx", "content": "switched off", "action": "ignore"},
                {"status_code": "5xx", "content": "switched off", "action": "ignore"},
            ],
            None,
        ),
        # A failure is passed on to the next handler, what is retried isn't.
        (
            [filters(when("FAIL", 404)), filters(when("IGNORE", 404, 500))],
            [{"status_code": 404, "action": "ignore"}],
            None,
        ),
        ([filters(when("FAIL", **BUSY)), filters(when("FAIL", 404))], [], None),
        ([filters(), filters(when("RETRY", 403))], [{"status_code": 403, "action": "retry"}], None),
    ],
)
def test_responses_are_handled_alike(handlers, actions, retried, command):
    handler = {"type": "CompositeErrorHandler", "error_handlers": handlers}
    handler = handler if len(handlers) > 1 else handlers[0]

    code, entry, _ = command(manifest(stream(requester={"error_handler": handler})))

    endpoint = entry["resources"][0]
    endpoint = endpoint if isinstance(endpoint, str) else endpoint["endpoint"]
    assert code == 0
    if actions is not None:
        assert endpoint.get("response_actions", []) == actions
    assert endpoint.get("error_handler", {}).get("retry_on_status_codes") == retried


@pytest.mark.parametrize(
    ("predicate", "expression"),
    [
        ("'error' in response", "@.error"),
        ("'no such key' in response", "@['no such key']"),
        ("response.code == 'E1'", "@.code == 'E1'"),
        ("response['error-code'] == 1.5", "@['error-code'] == 1.5"),
        ("response.get('ok') == false", "(@.ok == 0 || @.ok == false)"),
        ("response.get('error', {}).get('code') != 7", "!(@.error.code == 7)"),
        ("response.error.code != 7", "@.error && !(@.error.code == 7)"),
        ("response.errors[0].code == 7", "@.errors[0].code == 7"),
        ("'error' in response and response.error.code in [3, 4]",
         "@.error && (@.error.code == 3 || @.error.code == 4)"),
        ("response.get('is_transient', false) or response.get('code') == 3",
         "(@.is_transient == true || @.code == 3)"),
        ("'code' not in response", "!(@.code)"),
    ],
)  # fmt: skip
def test_predicate_is_a_filter_of_bodies(predicate, expression, command):
    handler = filters(when("FAIL", predicate=f"{{{{ {predicate} }}}}"))

    _, entry, _ = command(manifest(stream(requester={"error_handler": handler})))

    [action] = entry["resources"][0]["endpoint"]["response_actions"]
    assert action == {"status_code": "2xx", "filter": expression, "action": "fail"}


def test_phrase_in_a_member_of_the_body_is_content(command):
    handler = filters(when("RETRY", 409, predicate="{{ 'come again' in response.error.text }}"))

    _, entry, _ = command(manifest(stream(requester={"error_handler": handler})))

    told = {"content": "come again", "filter": "@.error.text", "action": "retry"}
    actions = [{"status_code": each} | told for each in ("2xx", "4xx", "5xx")]
    first = {"status_code": 409, "action": "retry"}
    assert entry["resources"][0]["endpoint"]["response_actions"] == [first, *actions]


@pytest.mark.parametrize(
    "predicate",
    [
        "{{ response.errors }}",
        "{{ response.count > 3 }}",
        "{{ 'code' in response.error }}",
        "{{ response.a | length == 1 }}",
        "{{ response.a.b == 1 or response.c.d == 2 }}",
        "{{ response.a == response.b }}",
        "{{ response.items == 1 }}",
        "response.code == 1",
    ],
)
def test_stream_whose_responses_are_told_otherwise_is_left_out(predicate, command):
    odd = stream("odd", requester={"error_handler": filters(when("RETRY", predicate=predicate))})
    kept = {"error_handler": filters(when("IGNORE", predicate=predicate))}

    code, entry, notes = command(manifest(stream(requester=kept), odd))

    assert code == 1
    assert [each["name"] for each in entry["resources"]] == ["items"]
    assert any("predicate: isn't supported: such a response fails" in note for note in notes)
    assert any("the stream 'odd' is left out: a response is told by `" in note for note in notes)


def moving(*rates):
    rates = [{"limit": limit, "interval": interval} for limit, interval in rates]
    return {"type": "MovingWindowCallRatePolicy", "rates": rates, "matchers": []}


@pytest.mark.parametrize(
    ("policies", "rate"),
    [
        ([moving((600, "PT1M"), (20, "PT1S"))], 10),
        ([moving((600, "PT1M")), moving((3, "PT1S"))], 3),
        ([moving((1, "PT1H"))], 0.000278),
        ([moving((200, "PT1M"))], 3.333),
        ([{"type": "FixedWindowCallRatePolicy", "call_limit": 30, "period": "PT10S"}], 3),
        ([{"type": "UnlimitedCallRatePolicy", "matchers": []}], None),
    ],
)
def test_budget_is_the_rate(policies, rate, command):
    budget = {"type": "HTTPAPIBudget", "policies": policies}

    code, entry, notes = command(manifest(stream(), api_budget=budget))

    assert (code, entry.get("requests_per_second"), notes) == (0, rate, [])


def test_rate_of_some_requests_counts_for_all(command):
    matched = moving((1, "PT1S")) | {"matchers": [{"url_path_pattern": "/orders"}]}
    budget = {"type": "HTTPAPIBudget", "policies": [matched, moving((9, "P1Y"))]}

    _, entry, notes = command(manifest(stream(), api_budget=budget))

    assert entry["requests_per_second"] == 1
    assert notes == [
        "api_budget.policies[1].rates[0]: isn't a rate: set `requests_per_second`.",
        "api_budget.policies: are for some requests each: the lowest rate counts for all.",
    ]


def test_unread_words_are_noted(command):
    requester = {
        "request_headers": {"A": "b", "User-Agent": "{{ generate_uuid() }}"},
        "surprise": 1,
    }

    code, entry, notes = command(
        manifest(stream(requester=requester, more=True), dynamic_streams=[{"type": "X"}])
    )

    assert code == 1
    assert entry["resources"][0]["endpoint"]["headers"] == {"A": "b"}
    assert notes == [
        "streams[0].retriever.requester.request_headers.User-Agent: is computed: left out.",
        "streams[0]: `more` isn't supported.",
        "streams[0].retriever.requester: `surprise` isn't supported.",
        "dynamic_streams: isn't supported: its streams are left out.",
    ]
