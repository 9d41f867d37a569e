"""Where the values of a page token go in a request, if not into the query.

The name of a value says it: `json:` and a path of the JSON body, with the value as JSON; or a
placeholder that stands in the path, a parameter, a header or a form.
"""

from __future__ import annotations

import typing as t

from tap_analytics.records.codec import decode_json

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_analytics.pagination.page import PageToken

_BODY = "json:"
#: Placeholders of the values of pages.
OFFSET, PAGE, CURSOR, LIMIT = (
    f"paginator.{name}" for name in ("offset", "page", "cursor", "limit")
)
PLACEHOLDERS = (OFFSET, PAGE, CURSOR, LIMIT)


def in_body(path: str) -> str:
    """Return the name of a value at a dotted path of the JSON body."""
    return f"{_BODY}{path}"


def body_path(name: str) -> str | None:
    """Return the dotted path of a value in the JSON body; None for one that goes elsewhere."""
    return name.removeprefix(_BODY) if name.startswith(_BODY) else None


def shown(name: str) -> str:
    """Return a name of a value as messages show it."""
    return body_path(name) or name


def is_in_query(name: str) -> bool:
    """Whether a value is a query parameter."""
    return name not in PLACEHOLDERS and not name.startswith(_BODY)


def split_body(token: PageToken) -> tuple[PageToken, dict[str, t.Any]]:
    """Return the values of a token but for those of the JSON body, and these by path, decoded."""
    rest: PageToken = {}
    body: dict[str, t.Any] = {}
    for name, value in token.items():
        path = body_path(name)
        if path is None:
            rest[name] = value
        else:
            body[path] = decode_json(str(value).encode())
    return rest, body


def placed(body: t.Any, path: Sequence[str], value: t.Any) -> t.Any:  # noqa: ANN401 - any JSON value
    """Return a copy of a JSON body with a value at a path; missing objects are made.

    A number on the way leads to an item of a list that has it.
    """
    if not path:
        return value
    if isinstance(body, list):
        at = int(path[0])
        return [*body[:at], placed(body[at], path[1:], value), *body[at + 1 :]]
    outer = body if isinstance(body, dict) else {}
    return {**outer, path[0]: placed(outer.get(path[0]), path[1:], value)}
