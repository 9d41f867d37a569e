"""Paginators of dlt: objects, names of types, and classes read as objects."""

from __future__ import annotations

import typing as t

from tap_analytics.commands.importing.notes import UnsupportedError, shown
from tap_analytics.commands.importing.unread import Unread, check_read, check_words
from tap_analytics.config.declarations.paginators import PAGINATORS
from tap_analytics.records.path import parse_path

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.loading import Object
    from tap_analytics.commands.importing.notes import Notes

#: Former dlt names of paginators.
_ALIASES = {"json_response": "json_link", "page": "page_number"}
#: Arguments whose null means something.
_NULLABLE = {"total_path", "limit_param", "total_header"}
_PATHS = ("cursor_path", "has_more_path", "next_url_path", "total_path")
#: By type, the argument with its parameter, and the name of that without it.
_NUMBERS = {
    "cursor": ("cursor_param", "cursor"),
    "header_cursor": ("cursor_param", "cursor"),
    "offset": ("offset_param", "offset"),
    "page_number": ("page_param", "page"),
}


def read_paginator(
    paginator: object, where: str, notes: Notes, *, is_foreign: bool = True
) -> object:
    """Return a paginator of the tap, an object or its type. Raises `UnsupportedError`."""
    if isinstance(paginator, Unread):
        raise UnsupportedError(str(paginator))
    given: t.Any = {"type": paginator} if isinstance(paginator, str) else paginator
    if not isinstance(given, dict):
        return paginator
    made = _renamed({"type": "auto", **given}, where, notes)
    _check_limit(made, where, notes)
    check_read(made)
    kind = made["type"]
    if not isinstance(kind, str) or kind not in PAGINATORS:
        if is_foreign:
            raise UnsupportedError(f"the type '{shown(kind)}' of {where} isn't known to the tap")
        return paginator
    check_words(made, ("type", *PAGINATORS[kind].fields), where)
    _check_paths(made, where, notes)
    if kind == "offset" and made.get("offset_param") == "page":
        notes.add(where, "the first two pages show what `offset_param: page` counts.")
    if is_foreign and kind == "page_number" and not _counts_pages(made):
        made.setdefault("end_status_codes", [404])
    return kind if isinstance(paginator, str) else made


def _renamed(given: Object, where: str, notes: Notes) -> Object:
    """Return a paginator without nulls that say nothing, by its present type."""
    made = {word: value for word, value in given.items() if value is not None or word in _NULLABLE}
    before = made.get("type")
    made["type"] = kind = _ALIASES.get(before, before) if isinstance(before, str) else before
    if before != kind:
        notes.add(where, f"the type '{before}' is called '{kind}'.")
        if "next_key" in made:
            made["next_url_path"] = made.pop("next_key")
    return made


def _check_limit(made: Object, where: str, notes: Notes) -> None:
    limit = made.get("limit")
    if isinstance(limit, Unread):
        # Rows don't depend on it.
        notes.add("", f"{made.pop('limit')}: the size of pages is left to the server.")
    elif isinstance(limit, int) and limit < 1:
        raise UnsupportedError(f"the `limit` of {where} is {limit}")


def _counts_pages(made: Object) -> bool:
    """Whether the tap sees the last page by a total, which for dlt counts pages."""
    total = made.get("total_path")
    if not isinstance(total, str) or not total:
        return True
    return "page" in total.rpartition(".")[2].lower() and made.get("base_page") is not None


def _check_paths(made: Object, where: str, notes: Notes) -> None:
    for word in _PATHS:
        path = made.get(word)
        if isinstance(path, str) and path:
            made[word] = path = path.strip()
            if parse_path(path) is None and word == "total_path":
                made[word] = None
                notes.add("", f"{where}: `total_path` is a search: pages are read to the last.")
            elif parse_path(path) is None:
                raise UnsupportedError(f"`{word}` of {where} is a JSONPath with a search")


def written_params(paginator: object) -> dict[str, bool]:
    """Return the query parameters that a paginator sets, and whether on the first page too."""
    given: Object = {"type": paginator} if isinstance(paginator, str) else {}
    given = paginator if isinstance(paginator, dict) else given
    kind = given.get("type")
    found: dict[str, bool] = {}
    if isinstance(kind, str) and kind in _NUMBERS:
        field, name = _NUMBERS[kind]
        if not given.get(field.replace("_param", "_body_path")):
            found[str(given.get(field) or name)] = field != "cursor_param"
    if given.get("limit") and not given.get("limit_body_path"):
        found[str(given.get("limit_param") or "limit")] = True
    return found


def limit_param(paginator: object) -> str | None:
    """Return the parameter that the tap takes for the size of pages."""
    given = paginator if isinstance(paginator, dict) else {}
    name = given.get("limit_param", "limit")
    return name if isinstance(name, str) and not given.get("limit_body_path") else None


def without_limit(paginator: object) -> Object:
    """Return a paginator that leaves the limit to the parameters."""
    given: Object = {"type": paginator} if isinstance(paginator, str) else {"type": "auto"}
    return {**(paginator if isinstance(paginator, dict) else given), "limit_param": None}
