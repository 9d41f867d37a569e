"""Convert the paginator of a manifest."""

from __future__ import annotations

import ast
import re
import typing as t

from tap_analytics.commands.importing.airbyte.components import UnsupportedError
from tap_analytics.commands.importing.airbyte.page_expressions import (
    Member,
    constant,
    cut_from,
    expression,
    is_cut_at,
    may_be_something,
    member,
)
from tap_analytics.commands.importing.airbyte.page_options import option_of
from tap_analytics.commands.importing.airbyte.stop_condition import Ending, StopCondition
from tap_analytics.commands.importing.notes import shown
from tap_analytics.records.path import parse_path

if t.TYPE_CHECKING:
    from collections.abc import Collection

    from tap_analytics.commands.importing.airbyte.components import Component, Object
    from tap_analytics.commands.importing.airbyte.page_templates import PageTemplates

#: Names that show what a number counts.
_PAGES = re.compile(r"page|current", re.IGNORECASE)
_ROWS = re.compile(r"offset|start|skip|from", re.IGNORECASE)

#: What says which page is asked for.
_NUMBERS = ("offset", "page", "cursor")
_WORDS = ("param", "body_path")


def set_paging(
    endpoint: Object, part: Component | None, selector: str | None, page: PageTemplates
) -> None:
    """Set the `paginator` of an endpoint, and the places of its values in the request.

    `page` has read the parts of the request.

    Raises `UnsupportedError` if there is none: reading only the first page would lose rows without
    an error.
    """
    if part is None or part.kind == "NoPagination":
        endpoint["paginator"] = _with_own_limit("single_page", endpoint)
        return
    strategy = part.child("pagination_strategy")
    if strategy is None:
        raise UnsupportedError(f"its paginator {shown(part.kind)} has no pagination_strategy")
    token = part.child("page_token_option")
    if strategy.kind == "CursorPagination":
        made = _Cursor(strategy, token, selector, page).paginator(endpoint)
    elif strategy.kind in {"OffsetIncrement", "PageIncrement"}:
        made = _counted(strategy, token, endpoint, page)
    else:
        raise UnsupportedError(f"its pagination is {shown(strategy.kind)}")
    if page.is_used:
        page.place(made, endpoint)
    _set_limit(made, part.child("page_size_option"), strategy, endpoint)
    endpoint["paginator"] = _with_own_limit(made, endpoint)
    for each in (part, strategy, *((token,) if token else ())):
        each.note_unread()


def check_page(endpoint: Object, changed: Collection[str]) -> None:
    """Raise `UnsupportedError` for a cursor that is no field of the rows as they are sent.

    It may not be in the place of an end of a range either. `changed` are computed fields.
    """
    paginator, incremental = endpoint["paginator"], endpoint.get("incremental") or {}
    if not isinstance(paginator, dict):
        return
    path = str(paginator.get("cursor_path") or paginator.get("next_url_path"))
    field = path.rpartition("[-1].")[2] if "[-1]." in path else ""
    if any(f"{field}.".startswith(f"{name}.") for name in changed):
        raise UnsupportedError(f"its cursor `{shown(field)}` is a field that is computed")
    for bound in ("start_param", "end_param"):
        name = incremental.get(bound)
        if name and name in (paginator.get(f"{what}_param") for what in _NUMBERS):
            raise UnsupportedError(f"the page takes the place of the parameter `{shown(name)}`")


def _set_limit(made: Object, part: Component | None, strategy: Component, endpoint: Object) -> None:
    """Add the rows per page, and that fewer are the last ones; else the API decides."""
    size = strategy.integer("page_size") if strategy.get("page_size") is not None else None
    if size is None or size < 1:
        if part is not None:
            strategy.note("page_size", "isn't a number of rows: no limit is sent.")
        return
    option = option_of(part)
    problem = "its place isn't known"
    if option is not None:
        found = option.problem(endpoint)
        problem = f"it is {found}" if found else ""
        if option.name in {made.get(f"{what}_{at}") for what in _NUMBERS for at in _WORDS}:
            problem = "it is in the place of the page"
    if part is not None and problem:
        part.note("", f"{problem}: no limit is sent.")
    is_counted = strategy.kind != "CursorPagination"
    if problem and not is_counted:
        return
    made["limit"] = size
    if is_counted:
        made["stop_after_short_page"] = True
    if option is None or problem:
        made["limit_param"] = None
        return
    option.put("limit", made, endpoint)
    if made.get("limit_param") == "limit":
        del made["limit_param"]


def _with_own_limit(made: Object | str, endpoint: Object) -> Object | str:
    """Keep a parameter called `limit` that isn't a number of rows apart from the paginator."""
    given = str(endpoint["params"].get("limit", "1"))
    is_limit = given.isascii() and given.isdigit() and int(given) > 0
    has_other = isinstance(made, dict) and {"limit_param", "limit_body_path"} & made.keys()
    if is_limit or has_other:
        return made
    return {**(made if isinstance(made, dict) else {"type": made}), "limit_param": None}


def _place(
    what: str, made: Object, token: Component | None, endpoint: Object, page: PageTemplates
) -> Object:
    """Declare where the page goes, unless the request names it itself."""
    if page.is_used and token is None:
        return made
    option = option_of(token)
    if page.is_used:
        raise UnsupportedError("its page is sent in several ways")
    if option is None:
        raise UnsupportedError("its page isn't in a parameter, a header or the body")
    if problem := option.problem(endpoint):
        raise UnsupportedError(f"its page is {problem}")
    option.put(what, made, endpoint)
    return made


def _counted(
    strategy: Component, token: Component | None, endpoint: Object, page: PageTemplates
) -> Object:
    if strategy.kind == "OffsetIncrement":
        return _place("offset", {"type": "offset"}, token, endpoint, page)
    made = _place("page", {"type": "page_number"}, token, endpoint, page)
    first = strategy.integer("start_from_page")
    if first is None and strategy.get("inject_on_first_request") is True:
        first = 0
    return made | ({} if first is None else {"base_page": first})


class _Cursor:
    """Reads a cursor, and where it ends."""

    def __init__(
        self,
        strategy: Component,
        token: Component | None,
        selector: str | None,
        page: PageTemplates,
    ) -> None:
        self._strategy = strategy
        self._token = token
        self._page = page
        self._rows = _rows_at(selector)
        self._has_rows_list = selector is None or "*" not in selector
        self._text = strategy.get("cursor_value")

    def paginator(self, endpoint: Object) -> Object:
        """Return the paginator; raises `UnsupportedError` if there is none."""
        node, tests = _unconditional(expression(self._text))
        if node is None:
            raise self._refused()
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self._sum(node, tests, endpoint)
        cut = cut_from(node)
        found = member(cut[0] if cut else node)
        if found is None or not found.path:
            raise self._refused()
        ending = self._ending(found, tests)
        made = self._linked(found, cut[1] if cut else None, endpoint)
        return made | self._end(made["type"], ending, found)

    def _refused(self) -> UnsupportedError:
        what = f"`{shown(self._text)}`" if isinstance(self._text, str) else "nothing"
        return UnsupportedError(f"its cursor_value is {what}, but must be a member or a header")

    def _linked(self, found: Member, cut: str | None, endpoint: Object) -> Object:
        is_link = self._token is None or self._token.kind == "RequestPath"
        is_link &= not self._page.is_used
        if cut is not None and not is_link:
            option = option_of(self._token)
            if option is None or not is_cut_at(cut, option.name):
                raise self._refused()
            self._strategy.note(
                "cursor_value", "extracts a part of a link; the tap follows the link itself."
            )
            is_link = True
        if is_link and self._token is not None:
            self._token.ignore("field_name", "inject_into")
        if found.root == "headers":
            return self._in_header(found, endpoint, is_link=is_link)
        path = self._in_response(found).text
        if path is None:
            raise self._refused()
        if is_link:
            return {"type": "json_link", "next_url_path": path}
        made = {"type": "cursor", "cursor_path": path}
        return _place("cursor", made, self._token, endpoint, self._page)

    def _in_response(self, found: Member) -> Member:
        """Return a member of the last row as one of the response."""
        if found.root == "response":
            return found
        path = found.path if found.root == "last_record" else found.path[1:]
        is_last = found.root == "last_record" or found.path[0] == -1
        if self._rows is None or not self._has_rows_list or not is_last or not path:
            raise self._refused()
        return Member("response", (*self._rows.path, -1, *path))

    def _in_header(self, found: Member, endpoint: Object, *, is_link: bool) -> Object:
        name, *rest = (str(each) for each in found.path)
        if name.lower() == "link":
            if not is_link and rest[1:] in ([], ["url"]):
                raise UnsupportedError("a link is sent as its page")
            key = rest[0] if rest else "next"
            return {"type": "header_link"} | ({} if key == "next" else {"links_next_key": key})
        if is_link or rest:
            raise UnsupportedError("its link is in a header other than `Link`")
        made = {"type": "header_cursor", "cursor_key": name}
        return _place("cursor", made, self._token, endpoint, self._page)

    def _sum(self, node: ast.BinOp, tests: list[ast.expr], endpoint: Object) -> Object:
        """Return the paginator of a number that a response has, and the tap counts on."""
        found, option = member(node.left), option_of(self._token)
        if found is None or found.root != "response" or not found.path or option is None:
            raise self._refused()
        names = f"{found.path[-1]} {option.name}"
        ending = self._ending(found, tests)
        total = (ending.total and ending.total.text) or None
        is_rows = bool(_ROWS.search(names))
        if constant(node.right) == 1 and _PAGES.search(names) and not is_rows:
            made: Object = {"type": "page_number"}
            # What counts pages shows it by its name.
            if total and "page" in total.rpartition(".")[2].lower():
                made["total_path"] = total
            made = _place("page", made, self._token, endpoint, self._page)
        elif is_rows and option.name != "page" and total and constant(node.right) != 1:
            # An empty page before the total may have rows that aren't shown.
            made = {"type": "offset", "total_path": total, "stop_after_empty_page": False}
            made = _place("offset", made, self._token, endpoint, self._page)
        else:
            raise self._refused()
        return made | self._flags(ending)

    # --- the end ------------------------------------------------------------------------------

    def _ending(self, found: Member, tests: list[ast.expr]) -> Ending:
        """Return where reading ends, by the condition and where the cursor has a value."""
        condition = StopCondition(cursor=found, rows=self._rows)
        ending = Ending()
        for test in tests:
            ending |= condition.read(test)
        text = self._strategy.get("stop_condition")
        if text in (None, "", False):
            return ending
        node = expression(text)
        if node is None:
            raise UnsupportedError(f"its stop_condition is `{shown(text)}`")
        return ending if constant(node) is False else ending | condition.read(node)

    def _end(self, kind: str, ending: Ending, found: Member) -> Object:
        """Return the fields of a paginator by cursor or link that say where reading ends."""
        made = self._flags(ending)
        if ending.at_empty and found.root in {"response", "headers"} and -1 not in found.path:
            made["stop_after_empty_page"] = True
        if ending.texts and kind == "header_link":
            raise UnsupportedError("its stop_condition compares the link to a text")
        if ending.texts:
            made["stop_values"] = list(ending.texts)
        return made

    def _flags(self, ending: Ending) -> Object:
        made: Object = {}
        is_later = ending.is_later
        for field, flags in (("has_more_path", ending.more), ("at_end_path", ending.last)):
            paths = {each.text for each in flags}
            if path := (next(iter(paths)) if len(paths) == 1 else None):
                made[field] = path
            is_later |= bool(paths) and path is None
        if is_later:
            self._strategy.note(
                "stop_condition", "isn't supported: reading ends when a response has no cursor."
            )
        return made


def _unconditional(node: ast.expr | None) -> tuple[ast.expr | None, list[ast.expr]]:
    """Return an expression without its condition, and the tests at which it is empty."""
    if not isinstance(node, ast.IfExp):
        return node, []
    if not may_be_something(node.orelse):
        inner, tests = _unconditional(node.body)
        return inner, [ast.UnaryOp(op=ast.Not(), operand=node.test), *tests]
    if not may_be_something(node.body):
        inner, tests = _unconditional(node.orelse)
        return inner, [node.test, *tests]
    return None, []


def _rows_at(selector: str | None) -> Member | None:
    """Return where the rows are, up to the first wildcard."""
    if selector is None:
        return Member("response")
    plain = re.split(r"\[\*\]|\.\*", selector, maxsplit=1)[0]
    path = () if plain == "$" else parse_path(plain)
    return None if path is None else Member("response", path)
