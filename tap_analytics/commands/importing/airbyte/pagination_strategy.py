"""Convert the paginator of a manifest."""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace

from tap_analytics.commands.importing.airbyte.components import UnsupportedError
from tap_analytics.commands.importing.airbyte.expressions import Reference, reference, references
from tap_analytics.commands.importing.notes import shown

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.airbyte.components import Component, Object

#: A member name allowed in a dotted path.
_DOTTED = re.compile(r"[\w.-]+")
_MEMBER = re.compile(r"[^\s.$*?@()\[\]{}'\"]+")


def paginator_of(part: Component | None, selector: str | None) -> Object | str:
    """Return the equivalent `paginator`.

    Raises `UnsupportedError` if there is none: reading only the first page would lose rows without
    an error.
    """
    if part is None or part.kind == "NoPagination":
        return "single_page"
    strategy = part.child("pagination_strategy")
    if strategy is None:
        raise UnsupportedError(f"its paginator {shown(part.kind)} has no pagination_strategy")
    token = part.child("page_token_option")
    made = _by_kind(strategy, token, selector)
    size = strategy.integer("page_size") if strategy.get("page_size") is not None else None
    option = part.child("page_size_option")
    if option is not None and size is not None:
        name = option.text("field_name")
        if option.get("inject_into") == "request_parameter" and name:
            made["limit"] = size
            made |= {} if name == "limit" else {"limit_param": name}
        else:
            option.note("", "isn't a query parameter: no limit is sent.")
    elif option is not None:
        strategy.note("page_size", "isn't a number: no limit is sent.")
    for each in (part, strategy, *((token,) if token else ())):
        each.note_unread()
    return made


def _by_kind(strategy: Component, token: Component | None, selector: str | None) -> Object:
    if strategy.kind == "CursorPagination":
        return _cursor(strategy, token, selector)
    if strategy.kind not in {"OffsetIncrement", "PageIncrement"}:
        raise UnsupportedError(f"its pagination is {shown(strategy.kind)}")
    name = _parameter(token)
    if strategy.kind == "OffsetIncrement":
        return {"type": "offset", "offset_param": name}
    made: Object = {"type": "page_number", "page_param": name}
    if (first := strategy.integer("start_from_page")) is not None:
        made["base_page"] = first
    return made


def _parameter(token: Component | None) -> str:
    """Return the query parameter that carries the page."""
    name = None if token is None else token.text("field_name")
    if token is None or not name or token.get("inject_into") != "request_parameter":
        raise UnsupportedError("its page isn't a query parameter")
    return name


def _cursor(strategy: Component, token: Component | None, selector: str | None) -> Object:
    text = strategy.get("cursor_value")
    found = _in_last_row(reference(text) if isinstance(text, str) else None, selector)
    if found is None or found.root not in {"response", "headers"} or not found.path:
        what = f"`{shown(text)}`" if isinstance(text, str) else "nothing"
        raise UnsupportedError(f"its cursor_value is {what}, but must be a member or a header")
    _stop(strategy, found)
    is_link = token is None or token.kind == "RequestPath" or found.is_cut
    if found.is_cut:
        strategy.note("cursor_value", "extracts a part of a link; the tap follows the link itself.")
    if found.root == "headers":
        return _in_header(found, token, is_link=is_link)
    if not all(_MEMBER.fullmatch(name) for name in found.path) or found.path[0] == "-1":
        raise UnsupportedError(f"its cursor_value `{shown(text)}` isn't a dotted path")
    path = "".join(map(_step, found.path)).removeprefix(".")
    if is_link:
        if token is not None:
            token.ignore("field_name", "inject_into")
        return {"type": "json_link", "next_url_path": path}
    return {"type": "cursor", "cursor_path": path, "cursor_param": _parameter(token)}


def _in_last_row(found: Reference | None, selector: str | None) -> Reference | None:
    """Return a member of the last row as one of the response."""
    if found is None or found.root not in {"last_record", "last_records"}:
        return found
    path = found.path if found.root == "last_record" else found.path[1:]
    is_last = found.root == "last_record" or found.path[:1] == ("-1",)
    if not is_last or not path or not selector or not _DOTTED.fullmatch(selector):
        return None
    return replace(found, root="response", path=(*selector.split("."), "-1", *path))


def _step(member: str) -> str:
    return f"[{member}]" if member.removeprefix("-").isdecimal() else f".{member}"


def _in_header(found: Reference, token: Component | None, *, is_link: bool) -> Object:
    if found.path[0].lower() == "link":
        key = found.path[1] if len(found.path) > 1 else "next"
        return {"type": "header_link"} | ({} if key == "next" else {"links_next_key": key})
    if is_link or len(found.path) > 1:
        raise UnsupportedError("its link is in a header other than `Link`")
    parameter = _parameter(token)
    return {"type": "header_cursor", "cursor_key": found.path[0], "cursor_param": parameter}


def _stop(strategy: Component, cursor: Reference) -> None:
    """Ignore a condition that only tests for the cursor; note any other."""
    condition = strategy.get("stop_condition")
    if not isinstance(condition, str):
        return
    inner = re.sub(r"\{\{\s*not\s+|\{\{\s*", "{{ ", condition.strip())
    inner = re.sub(r"\s+(?:is\s+(?:not\s+)?(?:none|None)|==\s*\S+)\s*\}\}$", " }}", inner)
    named = references(inner)
    if len(named) == 1 and named[0] is not None and named[0].path == cursor.path:
        return
    strategy.note("stop_condition", "isn't supported: reading ends when a response has no cursor.")
