"""Convert the paging of a manifest by cursor or link."""

from __future__ import annotations

import ast
import re
import typing as t
from dataclasses import replace

from tap_analytics.commands.importing.airbyte.page_expressions import (
    Member,
    Wrapped,
    constant,
    cut_from,
    expression,
    is_cut_at,
    may_be_something,
    member,
    members_in,
    numbered_path,
    wrapped_in,
)
from tap_analytics.commands.importing.airbyte.page_placement import is_member, option_of
from tap_analytics.commands.importing.airbyte.stop_condition import Ending, StopCondition
from tap_analytics.commands.importing.loading import member_at
from tap_analytics.commands.importing.notes import UnsupportedError, shown
from tap_analytics.records.path import parse_path

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.airbyte.components import Component
    from tap_analytics.commands.importing.airbyte.page_placement import PageTemplates
    from tap_analytics.commands.importing.loading import Object

#: Names that show what a number counts.
_PAGES = re.compile(r"page|current", re.IGNORECASE)
_ROWS = re.compile(r"offset|start|skip|from", re.IGNORECASE)
_LATER = "isn't supported: reading ends when a response has no cursor."


class CursorPagination:
    """Reads a cursor; `page` has read the parts of the request."""

    def __init__(
        self,
        strategy: Component,
        selector: str | None,
        page: PageTemplates,
        endpoint: Object,
    ) -> None:
        self._strategy = strategy
        self._page = page
        self._endpoint = endpoint
        self._rows = _rows_at(selector)
        self._has_rows_list = selector is None or "*" not in selector
        self._text = strategy.get("cursor_value")
        self.last_page = LastPage(strategy, self._rows)

    def paginator(self) -> Object:
        """Return the paginator; raises `UnsupportedError` if there is none."""
        if made := self._numbered():
            return made
        node, tests = _unconditional(expression(self._text))
        if node is None:
            raise self._refused()
        if self._is_next_link(node):
            return {"type": "header_link"}
        if wrapped := wrapped_in(node):
            return self._wrapped(wrapped, tests)
        if links := self._links(node):
            return self._first_link(links, tests)
        node = _sum_of(node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self._sum(node, tests)
        cut = cut_from(node)
        found = member(cut[0] if cut else node)
        if found is None or not found.path:
            raise self._refused()
        ending = self.last_page.ending(found, tests)
        made = self._linked(found, cut[1] if cut else None)
        return made | self.last_page.fields(made["type"], ending, found)

    def _numbered(self) -> Object | None:
        """Return the paginator of a page number in the path, which each response has itself.

        A response has to be one row: no page is empty then.
        """
        is_path = self._page.token is not None and self._page.token.kind == "RequestPath"
        is_path &= self._page.is_below_base and not self._page.is_used
        found = numbered_path(self._text, self._endpoint["path"]) if is_path else None
        # The path of later pages has no query.
        if found is None or self._endpoint.get("params") or self._rows != Member("response"):
            return None
        ending = self.last_page.ending(found.number, [])
        if ending.texts or ending.short is not None:
            raise self._refused()
        self._endpoint["path"] = found.path
        made = {"type": "page_number", "base_page": found.first, "page_path": found.number.text}
        return made | self.last_page.flags(ending)

    def _is_next_link(self, node: ast.expr) -> bool:
        """Whether the URL of the next page is cut from the text of the `Link` header."""
        if (
            self._page.token is None
            or self._page.token.kind != "RequestPath"
            or member(node) is not None
        ):
            return False
        found = members_in(node)
        condition = expression(self._strategy.get("stop_condition"))
        others = members_in(condition) if condition else []
        texts = [str(self._strategy.get(word)) for word in ("cursor_value", "stop_condition")]
        is_of_header = bool(found) and all(map(_is_link_header, (*found, *others)))
        return is_of_header and any("next" in text for text in texts)

    def _refused(self) -> UnsupportedError:
        what = f"`{shown(self._text)}`" if isinstance(self._text, str) else "nothing"
        return UnsupportedError(f"its cursor_value is {what}, but must be a member or a header")

    def _linked(self, found: Member, cut: str | None) -> Object:
        is_link = self._page.token is None or self._page.token.kind == "RequestPath"
        is_link &= not self._page.is_used
        if cut is not None and not is_link:
            option = option_of(self._page.token)
            if option is None or not is_cut_at(cut, option.name):
                raise self._refused()
            self._strategy.note(
                "cursor_value", "extracts a part of a link; the tap follows the link itself."
            )
            is_link = True
        if is_link and self._page.token is not None:
            self._page.token.ignore("field_name", "inject_into")
        if found.root == "headers":
            made = _header_place(found, is_link=is_link)
            is_placed = made["type"] == "header_link"
            return made if is_placed else self._page.placed("cursor", made, self._endpoint)
        path = self._in_response(found).text
        if path is None:
            raise self._refused()
        if is_link:
            return {"type": "json_link", "next_url_path": path}
        made = {"type": "cursor", "cursor_path": path}
        return self._page.placed("cursor", made, self._endpoint)

    def _wrapped(self, wrapped: Wrapped, tests: list[ast.expr]) -> Object:
        """Return the paginator of a cursor that is sent as a member of an object."""
        found, option = member(wrapped.node), option_of(self._page.token)
        if found is None or found.root != "response" or not found.text or self._page.is_used:
            raise self._refused()
        if option is None or option.place != "body_json" or not all(map(is_member, wrapped.path)):
            raise self._refused()
        outer = tuple(option.name.split("."))
        for path, value in wrapped.others.items():
            # The others have to be in each request.
            if repr(member_at(self._endpoint.get("json"), (*outer, *path))) != repr(value):
                raise self._refused()
        if problem := option.problem(self._endpoint):
            raise UnsupportedError(f"its page is {problem}")
        ending = self.last_page.ending(found, tests)
        made = {"type": "cursor", "cursor_path": found.text}
        name = ".".join((*outer, *wrapped.path))
        replace(option, name=name).put("cursor", made, self._endpoint)
        return made | self.last_page.fields("cursor", ending, found)

    def _links(self, node: ast.expr) -> list[Member]:
        """Return the links of which the first with a value is followed; none for others."""
        is_link = self._page.token is not None and self._page.token.kind == "RequestPath"
        if not isinstance(node, ast.BoolOp) or not isinstance(node.op, ast.Or) or not is_link:
            return []
        found = [member(each) for each in node.values if may_be_something(each)]
        links = [each for each in found if each and each.root == "response" and each.text]
        return links if len(links) == len(found) > 1 and not self._page.is_used else []

    def _first_link(self, links: list[Member], tests: list[ast.expr]) -> Object:
        """Return the paginator of the first link of several."""
        ending = self.last_page.ending(links[0], tests)
        if replace(ending, is_cursor=False, is_later=False) != Ending():
            raise self._refused()
        made = self._linked(links[0], None)
        return made | {"next_url_path": " | ".join(str(each.text) for each in links)}

    def _in_response(self, found: Member) -> Member:
        """Return a member of the last row as one of the response."""
        if found.root == "response":
            return found
        path = found.path if found.root == "last_record" else found.path[1:]
        is_last = found.root == "last_record" or found.path[0] == -1
        if self._rows is None or not self._has_rows_list or not is_last or not path:
            raise self._refused()
        return Member("response", (*self._rows.path, -1, *path))

    def _sum(self, node: ast.BinOp, tests: list[ast.expr]) -> Object:
        """Return the paginator of a number that a response has, and the tap counts on."""
        found, option = member(node.left), option_of(self._page.token)
        if found is None or found.root != "response" or not found.path or option is None:
            raise self._refused()
        names = f"{found.path[-1]} {option.name}"
        ending = self.last_page.ending(found, tests)
        total = (ending.total and ending.total.text) or None
        is_rows = bool(_ROWS.search(names))
        if constant(node.right) == 1 and _PAGES.search(names) and not is_rows:
            made: Object = {"type": "page_number"}
            # What counts pages shows it by its name.
            if total and "page" in total.rpartition(".")[2].lower():
                made["total_path"] = total
            made = self._page.placed("page", made, self._endpoint)
        elif is_rows and option.name != "page" and total and constant(node.right) != 1:
            # An empty page before the total may have rows that aren't shown.
            made = {"type": "offset", "total_path": total, "stop_after_empty_page": False}
            made = self._page.placed("offset", made, self._endpoint)
        else:
            raise self._refused()
        return made | self.last_page.flags(ending)


class LastPage:
    """Reads where paging by a cursor ends, besides a page without one."""

    def __init__(self, strategy: Component, rows: Member | None) -> None:
        self._strategy = strategy
        self._rows = rows
        #: Rows of which a page with fewer is the last, as in `Ending`.
        self._short: int | None = None

    def ending(self, found: Member, tests: list[ast.expr]) -> Ending:
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

    def fields(self, kind: str, ending: Ending, found: Member) -> Object:
        """Return the fields of a paginator by cursor or link that say where reading ends."""
        made = self.flags(ending)
        if ending.at_empty and found.root in {"response", "headers"} and -1 not in found.path:
            made["stop_after_empty_page"] = True
        if ending.texts and kind == "header_link":
            raise UnsupportedError("its stop_condition compares the link to a text")
        if ending.texts:
            made["stop_values"] = list(ending.texts)
        return made

    def set_short(self, made: Object) -> None:
        """Say that a page with fewer rows than the limit is the last, if the condition does."""
        if self._short is None:
            return
        size = self._strategy.integer("page_size") or self._short
        if self._short in {0, size} and size > 0:
            made["stop_after_short_page"] = True
            if "limit" not in made:
                made |= {"limit": size, "limit_param": None}
        else:
            self._strategy.note("stop_condition", _LATER)

    def flags(self, ending: Ending) -> Object:
        """Return the members of a response that say whether more follows."""
        made: Object = {}
        self._short, is_later = ending.short, ending.is_later
        for field, flags in (("has_more_path", ending.more), ("at_end_path", ending.last)):
            paths = {each.text for each in flags}
            if path := (next(iter(paths)) if len(paths) == 1 else None):
                made[field] = path
            is_later |= bool(paths) and path is None
        if is_later:
            self._strategy.note("stop_condition", _LATER)
        return made


def _is_link_header(found: Member) -> bool:
    return found.root == "headers" and [str(each).lower() for each in found.path] == ["link"]


def _header_place(found: Member, *, is_link: bool) -> Object:
    """Return the paginator of a link or a cursor in a header, without its place."""
    name, *rest = (str(each) for each in found.path)
    if name.lower() == "link":
        if not is_link and rest[1:] in ([], ["url"]):
            raise UnsupportedError("a link is sent as its page")
        key = rest[0] if rest else "next"
        return {"type": "header_link"} | ({} if key == "next" else {"links_next_key": key})
    if is_link or rest:
        raise UnsupportedError("its link is in a header other than `Link`")
    return {"type": "header_cursor", "cursor_key": name}


def _sum_of(node: ast.expr) -> ast.expr:
    """Return `x | int + 1` as `(x | int) + 1`: a filter binds closer than an operator in Jinja."""
    match node:
        case ast.BinOp(left=left, op=ast.BitOr(), right=ast.BinOp(op=ast.Add()) as right):
            value = ast.BinOp(left=left, op=ast.BitOr(), right=right.left)
            return ast.BinOp(left=value, op=right.op, right=right.right)
    return node


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
