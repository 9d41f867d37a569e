"""Where the values of pages go in a request: a parameter, a header or the body.

An option of the paginator says so, or an expression of the request names `next_page_token`.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from tap_analytics.commands.importing.airbyte.request_scope import PAGE_NUMBER
from tap_analytics.commands.importing.loading import JsonValue, Object, as_list
from tap_analytics.commands.importing.notes import UnsupportedError
from tap_analytics.pagination.placement import CURSOR, OFFSET, PAGE

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.airbyte.components import Component

#: Places in a request, and the fields of an endpoint that hold what goes there.
FIELDS = {
    "request_parameter": "params",
    "header": "headers",
    "body_data": "data",
    "body_json": "json",
}
_JSON = "body_json"
#: A name in a path of the JSON body.
_NAME = re.compile(r"[^\s.$*?()\[\]{}'\"]+")

_NAMED = (
    r"next_page_token(?:\.next_page_token\b"
    r"|\[['\"]next_page_token['\"]\]|\.get\(['\"]next_page_token['\"]\))"
)
#: The token, or what stands for it on the first page, and what is added to it.
_SHIFTED = re.compile(rf"\(\s*{_NAMED}\s+or\s+['\"]?(\d*)['\"]?\s*\)\s*\+\s*(\d{{1,9}})\b")
_OR_FIRST = re.compile(rf"{_NAMED}\s+or\s+['\"]?(\d*)['\"]?")
_ALONE = re.compile(_NAMED)
_TESTED = re.compile(r"\bif\b.*\bnext_page_token\b", re.DOTALL)
_SEVERAL = "its page is sent in several ways"
_KINDS = {"OffsetIncrement": OFFSET, "PageIncrement": PAGE, "CursorPagination": CURSOR}


@dataclass(frozen=True)
class Option:
    """Where a value goes; `name` is a dotted path in a JSON body."""

    place: str
    name: str

    def problem(self, endpoint: Object) -> str | None:
        """Return why a request can't have it, after "it is"; None if it can."""
        other = {_JSON: "data", "body_data": "json"}.get(self.place, "")
        if other and endpoint.get(other) is not None:
            return f"in a body of another kind than `{other}`"
        if self.place != _JSON:
            given = endpoint.get(FIELDS[self.place]) or {}
            known = {name.lower() if self.place == "header" else name for name in given}
            name = self.name.lower() if self.place == "header" else self.name
            return f"{self.name}, which the request has already" if name in known else None
        return None

    def put(self, what: str, paginator: Object, endpoint: Object) -> None:
        """Declare the place of a value: `offset`, `page`, `cursor` or `limit`."""
        if self.place.startswith("body_"):
            endpoint.setdefault("method", "GET")
        if self.place == "request_parameter":
            paginator[f"{what}_param"] = self.name
        elif self.place == _JSON:
            paginator[f"{what}_body_path"] = self.name
        else:
            field = FIELDS[self.place]
            endpoint[field] = {**(endpoint.get(field) or {}), self.name: f"{{paginator.{what}}}"}


def is_member(name: str) -> bool:
    """Whether a name can be part of a path of the JSON body."""
    return _NAME.fullmatch(name) is not None


def option_of(part: Component | None) -> Option | None:
    """Return where a value goes; None if that can't be declared."""
    if part is None or part.kind == "RequestPath":
        return None
    place, path = part.get("inject_into"), as_list(part.value.get("field_path"))
    part.ignore("field_path")
    if place not in FIELDS:
        return None
    if path:
        names = [part.interpolated(str(each), "field_path") for each in path]
        is_known = place == _JSON and all(each and is_member(each) for each in names)
        return Option(place, ".".join(map(str, names))) if is_known else None
    name = part.text("field_name")
    is_setting = name is not None and "$" in name and part.get("field_name") != name
    if not name or is_setting or (place == _JSON and not is_member(name)):
        return None
    return Option(place, name)


# --- pages that the request names --------------------------------------------------------------


@dataclass
class PageTemplates:
    """Replaces the page in texts of a request by the tap's placeholder."""

    #: Where the page goes by an option of the paginator.
    token: Component | None = None
    #: The placeholder; empty without a paginator.
    name: str = ""
    #: What the first page is called; empty for a cursor.
    first: str = ""
    is_used: bool = False
    #: Whether the path is joined to the base URL.
    is_below_base: bool = True
    #: Parameters that are sent on the first page only.
    first_params: list[str] = field(default_factory=list)
    #: The parameter that is the cursor on later pages.
    cursor_param: str = ""
    #: What is added to the page where it is sent.
    _shifts: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, paginator: Component | None) -> PageTemplates:
        """Return the templates for a paginator."""
        strategy = paginator and paginator.child("pagination_strategy")
        if paginator is None or strategy is None or strategy.kind not in _KINDS:
            return cls()
        first = "" if strategy.kind == "CursorPagination" else "0"
        if strategy.kind == "PageIncrement":
            first = str(strategy.integer("start_from_page") or 0)
        return cls(paginator.child("page_token_option"), _KINDS[strategy.kind], first)

    def is_tested(self, text: object) -> bool:
        """Whether a text may be another on the first page, of pages by cursor."""
        return self.name in {"", CURSOR} and isinstance(text, str) and bool(_TESTED.search(text))

    def read(self, text: str) -> str:
        """Return a text in which the page has a name that its scope knows."""
        if not self.name or not _ALONE.search(text):
            return text
        if self.cursor_param:
            raise UnsupportedError(_SEVERAL)
        self.is_used = True
        text = _SHIFTED.sub(self._replaced, text)
        text = _OR_FIRST.sub(self._replaced, text)
        if _ALONE.search(text):
            self._shifts.add(0)
            text = _ALONE.sub(PAGE_NUMBER, text)
        quoted = re.fullmatch(r"'([^'\"]*)'", text)
        # A text in quotes is a literal, which is sent without them.
        return quoted[1] if quoted and self.name != CURSOR else text

    def _replaced(self, found: re.Match[str]) -> str:
        if found[1] != self.first:
            raise UnsupportedError("its first page is called otherwise in its request")
        self._shifts.add(int(found[2]) if found.re is _SHIFTED else 0)
        return PAGE_NUMBER

    def changes(self, name: str, later: object) -> bool:
        """Whether a parameter may be that on later pages: none, or the cursor.

        Raises `UnsupportedError` where the request has the cursor already.
        """
        if later is None:
            self.first_params.append(name)
        elif later != f"{{{CURSOR}}}":
            return False
        elif self.is_used:
            raise UnsupportedError(_SEVERAL)
        else:
            self.is_used, self.cursor_param = True, name
        return True

    def placed(self, what: str, made: Object, endpoint: Object) -> Object:
        """Declare where the page goes, unless the request names it itself."""
        if self.is_used and self.token is None:
            return made | ({"cursor_param": self.cursor_param} if self.cursor_param else {})
        option = option_of(self.token)
        if self.is_used:
            raise UnsupportedError(_SEVERAL)
        if option is None:
            raise UnsupportedError("its page isn't in a parameter, a header or the body")
        if problem := option.problem(endpoint):
            raise UnsupportedError(f"its page is {problem}")
        option.put(what, made, endpoint)
        return made

    def place(self, paginator: Object, endpoint: Object) -> None:
        """Declare the page in the JSON body, and with which number it begins."""
        what = self.name.rpartition(".")[2]
        body, paths = _without(endpoint.get("json"), f"{{{self.name}}}", ())
        if len(self._shifts) > 1 or len(paths) > 1 or f"{{{self.name}}}" in str(body):
            raise UnsupportedError(_SEVERAL)
        if paths:
            endpoint["json"] = body
            paginator[f"{what}_body_path"] = ".".join(paths[0])
        shift = max(self._shifts, default=0)
        if shift and what == "offset":
            paginator["offset"] = shift
        elif shift:
            paginator["base_page"] = int(self.first or 0) + shift


def _without(
    body: JsonValue,
    value: str,
    path: tuple[str, ...],
) -> tuple[t.Any, list[tuple[str, ...]]]:
    """Return a JSON body without the members that have a value, and their paths."""
    if not isinstance(body, dict):
        return body, []
    kept: Object = {}
    found: list[tuple[str, ...]] = []
    for name, inner in body.items():
        if inner == value and is_member(name):
            found.append((*path, name))
            continue
        kept[name], below = _without(inner, value, (*path, name))
        if below and not is_member(name):
            raise UnsupportedError("its page is in a member with a dot in its name")
        found += below
    return kept, found
