"""Rows and errors in a response that claims to be a success."""

from __future__ import annotations

import pytest
from support.runs import declared, run
from support.servers import JsonApi

from tap_analytics.records.payload import (
    SelectorError,
    as_rows,
    dig_field,
    error_in,
    raise_error,
    select_jsonpath,
    select_rows,
)
from tap_analytics.streams.experimentation.stream import ExperimentationStream
from tap_analytics.transport.errors import ErrorInBody, Retriable

ROW = {"id": 1}


# --- selectors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "path", "rows"),
    [
        ([ROW], (), [ROW]),
        ([], (), []),
        (ROW, (), [ROW]),
        ({"data": [ROW]}, ("data",), [ROW]),
        ({"data": {"rows": [ROW]}}, ("data", "rows"), [ROW]),
        ({"data": ROW}, ("data",), [ROW]),
        ({"data": None}, ("data",), []),
        ({"data": []}, ("data",), []),
        (None, (), []),
    ],
    ids=str,
)
def test_rows_are_a_list_or_one_object_or_null(payload, path, rows):
    assert select_rows(payload, path) == rows


@pytest.mark.parametrize(
    ("payload", "path", "said"),
    [
        ({"items": [ROW]}, ("data",), ["`data`", "`items`"]),
        ({"items": []}, ("data",), ["`items`"]),
        ({"a": {"b": {"c": [ROW]}}}, ("data",), ["`a.b.c`"]),
        ({"data": {"rows": [ROW]}}, ("data", "items"), ["`data.items`", "`data.rows`"]),
        ([ROW], ("data",), ["`data`", "itself is a list"]),
        ({"ok": True}, ("data",), ["an object with `ok`"]),
        ({}, ("data",), ["an object with nothing"]),
        ("text", ("data",), ["is text"]),
        (7, ("data",), ["is a number"]),
        (None, ("data",), ["is null"]),
        ({"data": [ROW], "meta": {}}, (), ["the response itself", "`data`"]),
        ({"data": ["x"]}, ("data",), ["`data` holds text"]),
        ({"data": [ROW, None]}, ("data",), ["`data` holds null"]),
        ({"data": "x"}, ("data",), ["`data` is text"]),
        ({"data": True}, ("data",), ["`data` is a boolean"]),
        ({"data": 1}, ("data",), ["`data` is a number"]),
        ([[ROW]], (), ["the response holds a list"]),
    ],
    ids=str,
)
def test_a_selector_that_finds_no_rows_says_where_they_are(payload, path, said):
    with pytest.raises(SelectorError) as raised:
        select_rows(payload, path)
    for words in said:
        assert words in str(raised.value)


@pytest.mark.parametrize(
    ("expression", "payload", "rows"),
    [
        ("$.data[*]", {"data": [ROW]}, [ROW]),
        ("$.data", {"data": [ROW]}, [ROW]),
        ("$.data[*]", {"data": []}, []),
        ("$.data", {"data": []}, []),
        ("$.data", {"data": None}, []),
        ("$[*]", [ROW, ROW], [ROW, ROW]),
        ("$.data[*].inner", {"data": [{"inner": ROW}, {"inner": ROW}]}, [ROW, ROW]),
        ("$.data", {"data": ROW}, [ROW]),
        ("groups[*].items[*]", {"groups": []}, []),
        ("groups[*].items[*]", {"groups": None}, []),
        ("groups[*].items[*]", {"groups": [{"items": []}, {}]}, []),
        ("groups[*].items[*]", {"groups": [{"items": None}, {"items": [ROW]}]}, [ROW]),
        ("data[*].node", {"data": []}, []),
        ("$.a.*.items[*]", {"a": {}}, []),
        ("$.a.*.items[*]", {"a": {"x": {"items": [ROW]}, "y": {"items": [ROW]}}}, [ROW, ROW]),
        ("[*].items[*]", [], []),
        ("$..items[*]", {"a": {"items": []}}, []),
        ("['a[*]'][*]", {"a[*]": []}, []),
    ],
)
def test_a_jsonpath_selects_rows(expression, payload, rows):
    assert select_jsonpath(payload, expression) == rows


@pytest.mark.parametrize(
    "expression",
    [
        *("$.data[*]", "$.data", "$.data[*].inner", "items[*].inner[*]", "items[*].inner"),
        *("data[*].items[*]", "$..inner[*]", "['a[*]'][*]", "items.*.inner.*"),
    ],
)
def test_a_jsonpath_that_finds_nothing_is_an_error_too(expression):
    with pytest.raises(SelectorError, match="`items`"):
        select_jsonpath({"items": [ROW]}, expression)


@pytest.mark.parametrize("groups", ["", 0, False, "x", [{"item": []}], {"items": []}], ids=repr)
def test_a_wildcard_that_leads_nowhere_is_an_error(groups):
    with pytest.raises(SelectorError):
        select_jsonpath({"groups": groups}, "groups[*].items[*]")


def test_an_empty_list_above_a_wildcard_ends_a_stream():
    def answer(query):
        start = int(query["offset"])
        return {"groups": [{"items": [{"id": start}]}] if start < 3 else []}

    with JsonApi(answer) as api:
        paged = {"data_selector": "groups[*].items[*]", "paginator": {"type": "offset", "limit": 1}}
        done = run(declared(api.origin, endpoint=paged))
    assert done.error is None, done.failure()
    assert done.ids() == [0, 1, 2]


def test_many_members_are_not_all_reported():
    with pytest.raises(SelectorError) as raised:
        select_rows({f"m{n}": n for n in range(50)}, ("data",))
    assert "`m7`" in str(raised.value)
    assert "`m8`" not in str(raised.value)


def test_a_field_is_found_by_its_name_before_its_path():
    row = {"a.b": 1, "a": {"b": 2, "c": {"d": 3}}, "l": [1]}
    assert dig_field(row, "a.b") == 1
    assert dig_field(row, "a.c.d") == 3
    assert dig_field(row, "a.x") is None
    assert dig_field(row, "l.x") is None
    assert dig_field(row, "missing") is None


def test_rows_are_not_copied():
    rows = [ROW]
    assert as_rows(rows, "data") is rows


# --- errors in a success --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "has_rows", "code", "message"),
    [
        ({"_errors": [{"code": 401, "message": "no"}]}, True, 401, "_errors: no"),
        ({"_errors": [{"code": "429", "message": "slow"}]}, False, 429, "_errors: slow"),
        (
            {"API_ERROR": "INCORRECT_API_VERSION", "API_ERROR_DESCRIPTION": "use v2"},
            True,
            None,
            "API_ERROR: INCORRECT_API_VERSION (use v2)",
        ),
        ({"API_ERROR": "OOPS"}, False, None, "API_ERROR: OOPS"),
        ({"errors": [{"status": "503", "title": "down"}]}, False, 503, "errors: down"),
        ({"errors": [{"status": "503", "code": "down", "detail": "x"}]}, False, 503, "errors: x"),
        ({"errors": {"name": "x"}}, False, None, "errors: {'name': 'x'}"),
        ({"error": "nope"}, False, None, "error: nope"),
        ({"error": {"description": "nope"}}, False, None, "error: nope"),
    ],
    ids=str,
)
def test_an_error_inside_a_success_is_found(payload, has_rows, code, message):
    assert error_in(payload, has_rows=has_rows) == (code, message)


@pytest.mark.parametrize(
    ("payload", "has_rows"),
    [
        ({"errors": [], "data": []}, False),
        ({"error": None}, False),
        ({"_errors": []}, False),
        ({"errors": [{"title": "partly"}]}, True),
        ({"error": "of a row's own"}, True),
        ([{"error": "x"}], False),
        (None, False),
    ],
    ids=str,
)
def test_what_is_no_error(payload, has_rows):
    assert error_in(payload, has_rows=has_rows) is None
    raise_error(payload, has_rows=has_rows, label="x")


@pytest.mark.parametrize(
    ("code", "kind", "cause"),
    [
        (429, Retriable, "throttled"),
        (500, Retriable, "server"),
        (503, Retriable, "server"),
        (401, ErrorInBody, "credentials"),
        (400, ErrorInBody, "in_band"),
        (None, ErrorInBody, "in_band"),
    ],
)
def test_the_code_decides_whether_another_attempt_may_help(code, kind, cause):
    with pytest.raises(kind, match="x_y answered 200 with an error: _errors: no") as raised:
        raise_error({"_errors": [{"code": code, "message": "no"}]}, has_rows=False, label="x_y")
    assert raised.value.cause == cause
    assert raised.value.status == code


def test_a_wrong_version_points_to_the_base_url():
    with pytest.raises(ErrorInBody, match="`base_url`: it carries the API's version"):
        raise_error({"API_ERROR": "INCORRECT_API_VERSION"}, has_rows=False, label="x")


def test_a_long_message_is_cut():
    _, message = error_in({"error": "x" * 1000}, has_rows=False)
    assert len(message) < 250


# --- the envelope that has five shapes ------------------------------------------------------------


def select(payload):
    return ExperimentationStream.select(object.__new__(ExperimentationStream), payload)


@pytest.mark.parametrize(
    ("payload", "rows"),
    [
        ({"_data": [ROW]}, [ROW]),
        ({"_data": {"partialCollection": [ROW], "totalCount": 1, "offset": 0}}, [ROW]),
        ({"_data": ROW}, [ROW]),
        ({"_data": None}, []),
        ({"_data": []}, []),
        ({}, []),
        ({"_metadata": {}}, []),
        ({"_data": {"partialCollection": {}, "totalCount": 0}}, []),
        ({"_data": {"partialCollection": None, "totalCount": 0}}, []),
    ],
    ids=str,
)
def test_the_rows_of_an_experimentation_response(payload, rows):
    assert select(payload) == rows


@pytest.mark.parametrize("payload", [[ROW], "x", None, {"_data": "x"}, {"data": [ROW]}], ids=str)
def test_anything_else_is_a_loud_error(payload):
    with pytest.raises(SelectorError):
        select(payload)
