"""Convert the bodies of requests."""

from __future__ import annotations

import itertools
import json
import re
import typing as t

from tap_analytics.commands.importing.airbyte.jinja_texts import has_expressions
from tap_analytics.commands.importing.airbyte.jinja_values import (
    Later,
    Placeholder,
    Value,
    laters_in,
    literal,
    with_templates,
)
from tap_analytics.commands.importing.airbyte.request_parts import query_params
from tap_analytics.commands.importing.loading import JsonValue, as_object, without_nulls
from tap_analytics.commands.importing.notes import UnsupportedError, shown

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.airbyte.components import Component
    from tap_analytics.commands.importing.airbyte.request_parts import RequestParts
    from tap_analytics.commands.importing.loading import Object

_KINDS = {
    "RequestBodyJsonObject": "json",
    "RequestBodyGraphQL": "json",
    "RequestBodyUrlEncodedForm": "form",
    "RequestBodyPlainText": "form",
}
_COMPUTED = "its body is computed"
#: Stands for a placeholder while a text is read as JSON or as a literal of Python.
_MARK = "\ue000{}\ue001"
_MARKED = re.compile("\ue000(\\d+)\ue001")


def method_and_body(parts: RequestParts) -> Object:
    """Return the `method` of an endpoint and its body, as `json` or `data`.

    Raises `UnsupportedError`.
    """
    method = (parts.requester.text("http_method") or "GET").upper()
    if method not in {"GET", "POST"}:
        raise UnsupportedError(f"its method is {shown(method)}")
    kind, body = _given_body(parts.requester)
    if method == "GET" and not body:
        return {}
    if kind == "form" and isinstance(body, str):
        kind, body = _text_body(body, parts.requester)
    if kind == "form":
        return {"method": method, "data": _form(body, parts)}
    found = _json_text(body, parts) if isinstance(body, str) else _json(body, parts)
    return {"method": method} | ({"json": found} if found else {})


def _given_body(requester: Component) -> tuple[str, t.Any]:
    """Return the kind of the body, and its value."""
    part = requester.child("request_body")
    form, body = requester.get("request_body_data"), requester.get("request_body_json")
    if part is None:
        kind, given = ("json", body) if form is None else ("form", form)
        return kind, requester.manifest.unfolded(given)
    if part.kind not in _KINDS:
        raise UnsupportedError(f"its body is a {shown(part.kind)}")
    return _KINDS[part.kind], part.manifest.unfolded(part.get("value"))


def _text_body(text: str, requester: Component) -> tuple[str, t.Any]:
    """Return what a text is by the media type in its headers."""
    headers = as_object(requester.get("request_headers"))
    kinds = [str(value) for name, value in headers.items() if name.lower() == "content-type"]
    if any("json" in each for each in kinds):
        return "json", text
    if any("form-urlencoded" in each for each in kinds):
        return "form", query_params(text)
    raise UnsupportedError("its body is a text")


def _form(body: Value, parts: RequestParts) -> Object:
    return without_nulls(
        {
            name: parts.entry(name, value, "body", f"the field `{shown(name)}`")
            for name, value in as_object(body).items()
        }
    )


def _json(value: Value, parts: RequestParts) -> JsonValue:
    """Return a JSON value, in which texts that are literals are their values."""
    if isinstance(value, list):
        return [_json(each, parts) for each in value]
    if isinstance(value, dict):
        if any(map(has_expressions, value)):
            raise UnsupportedError(_COMPUTED)
        return without_nulls({name: _json(inner, parts) for name, inner in value.items()})
    if not isinstance(value, str):
        return value
    found = _value(value, parts)
    if isinstance(found, Later):
        if any(each.is_parents and each.form for each in found.placeholders):
            # A time of digits only would be a number there.
            raise UnsupportedError(_COMPUTED)
        return _list_of(found) or found.template()
    return with_templates(literal(found) if found != "" else None)


def _json_text(text: str, parts: RequestParts) -> JsonValue:
    """Return a JSON body that is written as a text."""
    text, names = _marked(_value(text, parts))
    try:
        found = json.loads(text)
    except (ValueError, TypeError):
        found = literal(text)
    if not isinstance(found, dict):
        raise UnsupportedError("its body isn't a JSON object")
    return _unmarked(found, names)


def _value(text: str, parts: RequestParts) -> Value:
    """Return the value of a text; raises `UnsupportedError` for parts of times: numbers there."""
    value = parts.value(text, "request_body", "its body")
    if any(part.is_part for later in laters_in(value) for part in later.placeholders):
        raise UnsupportedError(_COMPUTED)
    return value


# --- placeholders in texts that are read ------------------------------------------------------


def _marked(value: Value, mark: str = _MARK) -> tuple[t.Any, list[Placeholder]]:
    """Return a text with marks in the places of placeholders, and these."""
    if not isinstance(value, Later):
        return value, []
    names = [part for part in value.parts if isinstance(part, Placeholder)]
    marks = (mark.format(number) for number in itertools.count())
    return "".join(p if isinstance(p, str) else next(marks) for p in value.parts), names


def _unmarked(value: JsonValue, names: list[Placeholder]) -> JsonValue:
    """Return a JSON value in which marks are placeholders again."""
    if isinstance(value, dict):
        return {str(name): _unmarked(inner, names) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_unmarked(each, names) for each in value]
    if not isinstance(value, str) or not _MARKED.search(value):
        return with_templates(value)
    pieces = _MARKED.split(value)
    parts = [names[int(each)] if index % 2 else each for index, each in enumerate(pieces)]
    return Later(tuple(part for part in parts if part != "")).template()


def _list_of(value: Later) -> JsonValue:
    """Return a text that is a list of Python, whose values without quotes keep their type."""
    for mark in (_MARK, f'"{_MARK}"'):
        text, names = _marked(value, mark)
        if isinstance(found := literal(text), list):
            return _unmarked(found, names)
    return None
