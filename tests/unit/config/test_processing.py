"""What the steps of a declared resource accept and refuse, and what each does to a row."""

from __future__ import annotations

import copy

import pytest

from tap_analytics.config.declarations import parse
from tap_analytics.config.declarations.processing import sources_of
from tap_analytics.records.decoders import Csv, Json, JsonLines

NESTED = {"id": 1, "meta": {"id": 7, "by": {"name": "A"}}, "a.b": 2}


def resource(*steps, **more):
    return {"name": "items", "endpoint": "items", "processing_steps": list(steps), **more}


def entry(*resources):
    client = {"base_url": "https://api.example.com"}
    return [{"name": "shop", "client": client, "resources": list(resources)}]


def read(*steps, **more):
    apis, problems = parse(entry(resource(*steps, **more)), reserved=())
    assert problems == []
    return apis[0].resources[0]


def problem_of(*resources):
    _, problems = parse(entry(*resources), reserved=())
    (line,) = problems
    return line


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([{"filter": "@.meta.id == 7"}], NESTED),
        ([{"filter": "@.meta.id == 8"}], None),
        ([{"rename_fields": {"id": "uid"}}], {"uid": 1, "meta": NESTED["meta"], "a.b": 2}),
        (
            [{"rename_fields": {"meta.by.name": "author", "none": "x"}}],
            {"id": 1, "meta": {"id": 7, "by": {}}, "a.b": 2, "author": "A"},
        ),
        # Names can be swapped.
        (
            [{"rename_fields": {"id": "meta", "meta": "id"}}],
            {"id": NESTED["meta"], "meta": 1, "a.b": 2},
        ),
        ([{"remove_fields": ["meta.by", "a.b", "none.x"]}], {"id": 1, "meta": {"id": 7}}),
        ([{"remove_fields": "meta"}], {"id": 1, "a.b": 2}),
        (
            [
                {"remove_fields": ["meta"]},
                {"add_fields": {"n": "{record.id}", "t": "no {record.id}", "c": 5, "x": None}},
            ],
            {"id": 1, "a.b": 2, "n": 1, "t": "no 1", "c": 5, "x": None},
        ),
        # Of what a row lacks, nothing is made.
        (
            [{"remove_fields": "meta"}, {"add_fields": {"m": "a {record.meta.id}", "b": "{{b}}"}}],
            {"id": 1, "a.b": 2, "m": None, "b": "{b}"},
        ),
        (
            [{"remove_fields": "meta"}, {"add_fields": {"row": "{record}"}}],
            {"id": 1, "a.b": 2, "row": {"id": 1, "a.b": 2}},
        ),
        (
            [{"add_hashes": {"id": "{record.id}", "meta": "{record.meta.none}"}}],
            {
                "id": "c4ca4238a0b923820dcc509a6f75849b",
                "meta": "d41d8cd98f00b204e9800998ecf8427e",
                "a.b": 2,
            },
        ),
        # Objects and lists have values too.
        (
            [
                {"remove_fields": ["meta", "a.b"]},
                {"add_fields": {"o": {"id": "{record.id}", "l": ["a {record.id}", "{record.x}"]}}},
            ],
            {"id": 1, "o": {"id": 1, "l": ["a 1", None]}},
        ),
        (
            [
                {"remove_fields": ["meta", "a.b"]},
                {"add_fields": {"t": "a/b-c", "u": "a", "n": "{record.id}"}},
                {"match_fields": {"t": "([^/]+)$", "u": "/(.)", "n": "(.)", "none": "(.)"}},
            ],
            {"id": 1, "t": "b-c", "u": "", "n": None, "none": None},
        ),
        ([{"flatten_fields": ["meta.by"]}], {"id": 1, "meta": {"id": 7}, "a.b": 2, "name": "A"}),
        # One of the names is there already, and what isn't an object has no members.
        ([{"flatten_fields": ["meta", "id", "none"]}], NESTED),
        (
            [
                {"remove_fields": ["meta", "a.b"]},
                {"add_fields": {"at": "2024-01-02T03:04:05+02:00", "odd": "x"}},
                {"add_fields": {"day": "{record.at.%Y-%m-%d}", "h": "at {record.at.%H}"}},
                {"add_fields": {"odd": "{record.odd.%Y}", "no": "{record.no.%Y}"}},
            ],
            {
                "id": 1,
                "at": "2024-01-02T03:04:05+02:00",
                "odd": None,
                "day": "2024-01-02",
                "h": "at 01",
                "no": None,
            },
        ),
        # A step sees what the steps before it made.
        ([{"rename_fields": {"id": "uid"}}, {"filter": "@.id"}], None),
    ],
)
def test_steps_are_applied_in_their_order(steps, expected):
    given = copy.deepcopy(NESTED)
    row = dict(given)
    for step in read(*steps).steps:
        row = None if row is None else step.apply(row, {})
    assert row == expected
    # What a row holds may be processed again: only its top level was changed.
    assert given == NESTED


@pytest.mark.parametrize(
    ("steps", "key", "sources"),
    [
        ([], "id", ("id",)),
        ([{"filter": "@.a"}], "id", ("id",)),
        ([{"rename_fields": {"meta.id": "uid"}}], "uid", ("meta.id",)),
        ([{"rename_fields": {"a": "b"}}, {"rename_fields": {"b": "c"}}], "c", ("a",)),
        ([{"add_fields": {"key": "{record.a}-{record.b.c}"}}], "key", ("a", "b.c")),
        ([{"add_fields": {"key": "eu"}}], ["key", "id"], ("id",)),
        ([{"add_hashes": {"key": "{record.a.b}"}}], "key", ("a.b",)),
        ([{"add_fields": {"key": "{record.a.b.%Y-%m}"}}], "key", ("a.b",)),
        ([{"add_fields": {"key": "{record.a}"}}, {"match_fields": {"key": "(.)"}}], "key", ("a",)),
        ([{"flatten_fields": "a"}], "id", ("id",)),
        ([{"add_hashes": {"key": "{record}"}}], "key", ()),
        ([{"add_fields": {"of": {"id": "{record.a}", "b": ["{record.b}"]}}}], "of", ("a", "b")),
        (
            [{"add_fields": {"of": {"id": "{record.a}"}}}, {"add_fields": {"k": "{record.of.id}"}}],
            "k",
            ("a",),
        ),
        ([{"remove_fields": "id"}, {"add_fields": {"id": "{record.uid}"}}], "id", ("uid",)),
    ],
)
def test_what_makes_a_key_is_known(steps, key, sources):
    found = read(*steps, primary_key=key)
    assert sources_of(found.primary_keys, found.steps) == sources


def test_a_nested_key_becomes_a_column_unless_it_is_the_name_of_one():
    nested = read(primary_key=["meta.id", "id"])
    assert nested.primary_keys == ("meta_id", "id")
    assert sources_of(nested.primary_keys, nested.steps) == ("meta.id", "id")
    schema = {"type": "object", "properties": {"meta.id": {"type": "integer"}}}
    assert read(primary_key="meta.id", schema=schema).primary_keys == ("meta.id",)
    assert read(primary_key="meta.id", write_disposition="replace").primary_keys == ("meta_id",)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ({"filter": "@.a"}, "`processing_steps` must be a list of steps."),
        (["filter"], "`processing_steps[0]` must be an object, not text."),
        ([{"fliter": "@.a"}], "Did you mean `filter`?"),
        (
            [{"map": "code"}],
            "`processing_steps[0].map` isn't supported. Known: add_fields, add_hashes, filter, fla",
        ),
        ([{"filter": "a = 1"}], "`processing_steps[0].filter` 'a = 1' can't be read from"),
        ([{"filter": 5}], "`processing_steps[0].filter` must be a string"),
        ([{"filter": "@.a", "remove_fields": "b"}], "`processing_steps[0]` has several fields."),
        ([{"rename_fields": {"a": 1}}], "`processing_steps[0].rename_fields.a` must be the new"),
        ([{"rename_fields": {"a": "c", "b": "c"}}], "gives the name 'c' to several fields"),
        ([{"add_fields": {"a": "{other.x}"}}], "unknown placeholder {other.x}. Known: {resources."),
        ([{"add_fields": {"a": {"b": "{other.x}"}}}], "unknown placeholder {other.x}. Known: {res"),
        ([{"add_fields": {"a": "{{ record.x }}"}}], "has `{{ record.x }}`. Write {record.x}."),
        (
            [{"add_fields": {"a": "x {record}"}}],
            "has {record}, the row, in a text. Write it alone.",
        ),
        (
            [{"add_hashes": {"a": "{record.x}-{record.y}"}}],
            "`processing_steps[0].add_hashes.a` must be {record} or a field of it: {record.email}.",
        ),
        ([{"add_hashes": {"a": 5}}], "must be {record} or a field of it"),
        ([{"match_fields": {"a": "("}}], "`processing_steps[0].match_fields.a` must be a regular"),
        ([{"match_fields": {"a": "a(b)(c)"}}], "with one group, such as ([^/]+)$."),
        ([{"match_fields": {"a": "abc"}}], "with one group"),
        ([{"match_fields": {"a": 5}}], "with one group"),
        ([{"add_fields": {"a": "{record.at.%Q}"}}], "has {record.at.%Q}, whose format"),
        ([{"flatten_fields": [5]}], "must be a string or a list of strings"),
        ([{"add_fields": {"a": "{incremental.last_value}"}}], "unknown placeholder {incremental"),
        (
            [{"add_fields": {"a": "{incremental.end_value}"}}],
            "`incremental` is missing: {incremental.end_value} of `add_fields` is its value.",
        ),
        ([{"add_fields": {"a": "{resources.shops.id}"}}], "values of a parent, which the resource"),
        ([{"remove_fields": [""]}], "none of them empty"),
        ([{"remove_fields": "id"}], "`processing_steps` remove 'id', which is a key. Keep it."),
        ([{"rename_fields": {"id": "uid"}}], "remove 'id', which is a key"),
    ],
)
def test_what_a_step_refuses(steps, words):
    given = {"name": "items", "endpoint": "items", "primary_key": "id", "processing_steps": steps}
    assert words in problem_of(given)


@pytest.mark.parametrize(
    ("key", "keys", "words"),
    [
        ({"lag": 3}, None, "`incremental.lag` reads windows again whose rows would come twice"),
        ({"lag": 3}, ["until"], "`incremental.lag` reads windows again"),
        ({"lag": 3, "step": "P7D"}, ["at"], "`incremental.lag` reads windows again"),
        ({"lag": 3}, ["at"], None),
        ({"lag": 3, "step": "P7D"}, ["id"], None),
        (
            {"start_param": None, "step": None},
            None,
            "`incremental` needs `start_param`, or {incremental.start",
        ),
        ({"cursor_format": "number", "step": None}, None, "but `cursor_format` is 'number'."),
    ],
)
def test_what_windows_as_columns_need(key, keys, words):
    incremental = {"cursor_path": "at", "start_param": "since", "step": "P1D", **key}
    incremental = {name: value for name, value in incremental.items() if value is not None}
    incremental |= {"granularity": "P1D"} if "step" in incremental else {}
    columns = {"at": "{incremental.start_value}", "until": "{incremental.end_value}"}
    given = resource({"add_fields": columns})
    given |= {"endpoint": {"path": "items", "incremental": incremental}}
    given["primary_key"] = keys or []
    if words is None:
        assert read({"add_fields": columns}, endpoint=given["endpoint"], primary_key=keys)
    else:
        assert words in problem_of(given)


def test_what_has_a_window_as_its_replication_key_has_no_children():
    incremental = {"cursor_path": "at", "start_param": "since", "step": "P1D"}
    parent = resource({"add_fields": {"at": "{incremental.start_value}"}})
    parent |= {"endpoint": {"path": "items", "incremental": incremental}}
    child = {"name": "parts", "endpoint": "items/{resources.items.id}/parts"}
    assert "its parent 'items' has a replication key from `add_fields`" in problem_of(parent, child)


def test_a_replication_key_is_not_removed():
    incremental = {"path": "items", "incremental": {"cursor_path": "at"}}
    given = resource({"remove_fields": "at"}) | {"endpoint": incremental}
    assert "remove 'at', which is a key" in problem_of(given)


def test_values_of_a_parent_that_is_unknown():
    child = resource({"add_fields": {"a": "{resources.shop.id}"}})
    child["endpoint"] = "items/{shops_id}"
    assert "'shop' is unknown" in problem_of("shops", child)


@pytest.mark.parametrize(
    ("selector", "is_right"),
    [("a.b.*", True), ("*", True), ("a.b", False), ("a[*]", False), (None, False)],
)
def test_the_key_of_a_map_needs_a_map(selector, is_right):
    endpoint = {"path": "items", "data_selector": selector, "map_key": "code"}
    _, problems = parse(entry({"name": "items", "endpoint": endpoint}), reserved=())
    assert bool(problems) is not is_right
    assert is_right or "`map_key` needs a `data_selector` that ends in `.*`" in problems[0]


def test_a_list_that_is_left_out_needs_a_selector():
    endpoint = {"path": "items", "on_missing_rows": "empty"}
    _, problems = parse(entry({"name": "items", "endpoint": endpoint}), reserved=())
    assert "`on_missing_rows` needs a `data_selector`" in problems[0]


@pytest.mark.parametrize(
    ("decoder", "expected"),
    [
        ("jsonl", JsonLines()),
        ({"type": "json"}, Json()),
        ({"type": "csv", "delimiter": "\\t"}, Csv(delimiter="\t")),
        (
            {"type": "csv", "delimiter": "|", "encoding": "latin1"},
            Csv(delimiter="|", encoding="iso8859-1"),
        ),
    ],
)
def test_a_decoder(decoder, expected):
    endpoint = {"path": "items", "decoder": decoder}
    apis, problems = parse(entry({"name": "items", "endpoint": endpoint}), reserved=())
    assert problems == []
    assert apis[0].resources[0].decoder == expected


@pytest.mark.parametrize(
    ("decoder", "words"),
    [
        ("yaml", "`decoder.type` 'yaml' is unknown. Known: csv, json, jsonl, xml."),
        ({"type": "jsonl", "delimiter": ","}, "`decoder.delimiter` is unknown"),
        ({"type": "csv", "delimiter": "ab"}, "`decoder.delimiter` must be one character"),
        ({"type": "csv", "delimiter": "\n"}, "`decoder.delimiter` must be one character"),
        ({"type": "csv", "encoding": "utf-9"}, "`decoder.encoding` 'utf-9' is unknown"),
    ],
)
def test_what_a_decoder_refuses(decoder, words):
    assert words in problem_of({"name": "items", "endpoint": {"path": "items", "decoder": decoder}})


@pytest.mark.parametrize(
    ("selector", "outer", "expression"),
    [
        ("data.items[?(@.open == true)]", "data.items", "(@.open == true)"),
        ("$.data[?@.n > 1]", "$.data", "@.n > 1"),
        ("$[?(@.open)]", None, "(@.open)"),
        ("[?(@.open)]", None, "(@.open)"),
        ("data[?@.open || @.n >= 2]", "data", "@.open || @.n >= 2"),
        ("data[*].rows[?(@.open)]", "data[*].rows", "(@.open)"),
        # What the filter expressions don't have is left to the selector.
        ("data[?(@.a =~ 'x')]", "data[?(@.a =~ 'x')]", None),
        ("data[?(@.a)].rows", "data[?(@.a)].rows", None),
        ("data[*]", "data[*]", None),
    ],
)
def test_a_filter_in_the_selector_is_a_step(selector, outer, expression):
    endpoint = {"path": "items", "data_selector": selector}
    apis, problems = parse(entry({"name": "items", "endpoint": endpoint}), reserved=())
    assert problems == []
    [found] = apis[0].resources
    assert found.data_selector == outer
    assert [step.filter.expression for step in found.steps] == ([expression] if expression else [])


def test_the_steps_of_the_defaults_are_those_of_resources_without_their_own():
    defaults = {"processing_steps": [{"remove_fields": "links"}]}
    own = {"name": "b", "processing_steps": [{"filter": "@.open"}]}
    none = {"name": "c", "processing_steps": []}
    [api] = parse([entry("a", own, none)[0] | {"resource_defaults": defaults}], reserved=())[0]
    found = {each.name: [type(step).__name__ for step in each.steps] for each in api.resources}
    assert found == {"a": ["RemoveFields"], "b": ["KeepRows"], "c": []}


def test_wrong_steps_of_the_defaults_are_told_once():
    defaults = {"processing_steps": [{"filter": "a = 1"}]}
    _, [line] = parse([entry("a", "b")[0] | {"resource_defaults": defaults}], reserved=())
    assert "`resource_defaults.processing_steps[0].filter` 'a = 1'" in line
