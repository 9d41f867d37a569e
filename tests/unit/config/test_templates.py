"""Placeholders: what a text is read as, and what a request becomes with values."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tap_analytics.config.declarations.templates import (
    RequestParts,
    Template,
    TemplateError,
    moment_text,
    parse_json,
    parse_template,
    time_text,
)

ID, OWNER, START = "resources.items.id", "resources.items.owner.id", "incremental.start_value"


@pytest.mark.parametrize(
    "text",
    [
        *("", "plain", "a}b", "{", "{ users { id } }", '{"a": {"b": 1}}', "{name}", "{0}"),
        *("query($id: ID!) { user(id: $id) { name } }", "{}"),
    ],
)
def test_a_text_without_placeholders_is_sent_as_it_is(text):
    assert parse_template(text) == text


@pytest.mark.parametrize(
    ("text", "sent"),
    [("{{ users {{ id }} }}", "{ users { id } }"), ("a}}b", "a}b"), ("{{name}}", "{name}")],
)
def test_doubled_braces_are_braces(text, sent):
    assert parse_template(text) == sent


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        (f"{{{ID}}}", "7"),
        (f"a{{{ID}}}b{{{OWNER}}}", "a7bo/1"),
        (f"{{{{{{{ID}}}}}}}", "{7}"),
        (f"{{{{x: {{{ID}}} }}}}", "{x: 7 }"),
    ],
)
def test_placeholders_become_values(text, rendered):
    parsed = parse_template(text)
    assert isinstance(parsed, Template)
    found = RequestParts(params={"x": parsed}).render({ID: 7, OWNER: "o/1"})
    assert found.params == {"x": rendered}


@pytest.mark.parametrize(
    "form", ["date", "iso", "epoch_ms", "%Y%m%d", "%Y-%m-%dT%H:%M:%SZ", "%d.%m %H:%M"]
)
def test_moment_of_a_run_has_a_format(form):
    parsed = parse_template(f"{{now.{form}}}")

    assert isinstance(parsed, Template)
    assert parsed.sole == f"now.{form}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("now-P1D.date", "2024-03-30"),
        ("now-P1M.%Y-%m-%d", "2024-02-29"),
        ("now+PT2H.%Y-%m-%d %H:%M", "2024-04-01 00:30"),
        ("now.epoch_s", 1711924200),
        ("incremental.start_value", None),
    ],
)
def test_moment_of_a_run_is_moved_by_a_duration(name, value):
    parsed = parse_template(f"{{{name}}}")

    assert isinstance(parsed, Template)
    assert parsed.sole == name
    assert moment_text(name, datetime(2024, 3, 31, 22, 30, tzinfo=UTC)) == value


@pytest.mark.parametrize("by", ["-PD", "+P0D", "-P3000Y", "+P9000Y"])
def test_moment_is_moved_by_durations_only(by):
    with pytest.raises(TemplateError, match="isn't a duration such as P1D"):
        parse_template(f"{{now{by}.date}}")


@pytest.mark.parametrize(("form", "problem"), [("day", "'day' is unknown"), ("%Q", "directive %Q")])
def test_format_of_a_moment_that_is_none_is_refused(form, problem):
    with pytest.raises(TemplateError, match=problem):
        parse_template(f"{{now.{form}}}")


@pytest.mark.parametrize("form", ["%Y", "%d.%m.%Y", "%Y-%m-%d %H:%M", "%Y/%m"])
def test_value_of_a_parent_may_have_a_pattern_of_times(form):
    parsed = parse_template(f"x{{resources.items.at.{form}}}y")

    assert isinstance(parsed, Template)
    assert parsed.ordered == (f"resources.items.at.{form}",)


def test_wrong_pattern_behind_a_value_of_a_parent_is_refused():
    with pytest.raises(TemplateError, match=r"{resources.items.at.%Q}, whose format .* %Q"):
        parse_template("{resources.items.at.%Q}")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2024-03-31", "2024-03"),
        ("2024-03-31T22:00:00-04:00", "2024-04"),
        (1735689600, "2025-01"),
        *((odd, None) for odd in ("March", "", "1735689600", 10**13, 1.5, True, None, ["2024"])),
        ("0001-01-01T00:00:00+01:00", None),
    ],
)
def test_time_of_a_row_is_written_in_a_pattern(value, text):
    assert time_text("%Y-%m", value) == text


@pytest.mark.parametrize(
    "text",
    [
        *("{{ resources.items.id }}", "{ resources.items.id }", "{{incremental.start_value}}"),
        *("{resources.items}", "{incremental.now}", "{resource.items.id}", "{x} {resources.a.b} {"),
    ],
)
def test_what_looks_like_a_placeholder_and_is_none_is_refused(text):
    with pytest.raises(TemplateError):
        parse_template(text)


def test_short_names_are_placeholders_where_they_are_asked_for():
    assert parse_template("/a/{item_id}", short=True).names == {"item_id"}
    with pytest.raises(TemplateError):
        parse_template("/a/{", short=True)


def test_a_json_value_that_is_one_placeholder_keeps_its_type():
    body = {"a": f"{{{ID}}}", "b": [f"no. {{{ID}}}", 1, None], "{c}": True}
    parts = RequestParts(json=parse_json(body))
    assert parts.names == parts.text_names == parts.fixed_names == {ID}
    for value, text in ((7, "7"), (True, "true"), ("x", "x")):
        found = parts.render({ID: value})
        assert found.json == {"a": value, "b": [f"no. {text}", 1, None], "{c}": True}
    assert RequestParts(json=parse_json({"a": f"{{{ID}}}"})).text_names == set()


def test_values_are_encoded_in_the_path_and_nowhere_else():
    text = parse_template(f"/i/{{{ID}}}/x")
    found = RequestParts(path=text, params={"q": text}, headers={"H": text}, data={"f": (text,)})
    rendered = found.render({ID: "a/b ?é"})
    assert rendered.path == "/i/a%2Fb%20%3F%C3%A9/x"
    assert [rendered.params["q"], rendered.headers["H"]] == ["/i/a/b ?é/x"] * 2
    assert rendered.data == {"f": ("/i/a/b ?é/x",)}


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("a/b ?c", "/i/a/b%20%3Fc/x"),
        ("a", "/i/a/x"),
        ("a/../b", "/i/a%2F..%2Fb/x"),
        (None, f"/i/{{+{ID}}}/x"),
    ],
)
def test_slashes_of_a_value_stay_where_it_is_marked(value, path):
    text = parse_template(f"/i/{{+{ID}}}/x", short=True)
    assert text.names == {ID}
    assert RequestParts(path=text).render({} if value is None else {ID: value}).path == path
    with pytest.raises(TemplateError, match="keeps slashes in a path"):
        parse_template(f"{{+{ID}}}")


@pytest.mark.parametrize("value", ["/a/b", "a/b", "//a/b"])
def test_path_that_is_a_value_begins_with_one_slash(value):
    text = parse_template(f"/{{+{ID}}}/x", short=True)
    assert RequestParts(path=text).render({ID: value}).path == "/a/b/x"


def test_what_lacks_its_value_is_left_out_where_it_can_be():
    text = parse_template(f"{{{START}}}")
    parts = RequestParts(
        path=parse_template(f"/{{{START}}}", short=True),
        params={"since": text, "ids": ("1", text), "limit": "5"},
        headers={"H": text},
        json={"since": text},
        data={"f": text},
    )
    found = parts.render({})
    assert (found.params, found.headers, found.data) == ({"limit": "5"}, {}, {})
    assert (found.path, found.json) == (f"/{{{START}}}", {"since": f"{{{START}}}"})


def test_a_request_without_placeholders_is_rendered_as_it_is():
    parts = RequestParts(path="/a", params={"x": "{y}"}, json={"a": [1]})
    assert parts.render({ID: 1}) is parts
