"""Convert the paginator of a manifest."""

from __future__ import annotations

import typing as t

from tap_analytics.commands.importing.airbyte.cursor_pagination import CursorPagination
from tap_analytics.commands.importing.airbyte.page_placement import Option, option_of
from tap_analytics.commands.importing.notes import UnsupportedError, shown

if t.TYPE_CHECKING:
    from collections.abc import Collection

    from tap_analytics.commands.importing.airbyte.components import Component
    from tap_analytics.commands.importing.airbyte.page_placement import PageTemplates
    from tap_analytics.commands.importing.loading import Object

#: What says which page is asked for.
_NUMBERS = ("offset", "page", "cursor")
_WORDS = ("param", "body_path")
_SINGLE: Object = {"type": "single_page"}
_COUNTED = {"OffsetIncrement", "PageIncrement"}
_LINKED = {"cursor", "header_cursor", "json_link", "header_link"}


def set_paging(
    endpoint: Object, part: Component | None, selector: str | None, page: PageTemplates
) -> None:
    """Set the `paginator` of an endpoint, and the places of its values in the request.

    `page` has read the parts of the request. Raises `UnsupportedError` if there is none: reading
    only the first page would lose rows without an error.
    """
    if part is None or part.kind == "NoPagination":
        endpoint["paginator"] = _with_own_limit("single_page", endpoint)
        return
    strategy = part.child("pagination_strategy")
    if strategy is None:
        raise UnsupportedError(f"its paginator {shown(part.kind)} has no pagination_strategy")
    # `page` has it.
    part.ignore("page_token_option")
    cursor = None
    if strategy.kind == "CursorPagination":
        cursor = CursorPagination(strategy, selector, page, endpoint)
        made = cursor.paginator()
    else:
        made = _counted(part, strategy, endpoint, page)
    _place(page, made, endpoint)
    if made != _SINGLE or part.get("page_size_option") is not None:
        _set_limit(made, part.child("page_size_option"), strategy, endpoint)
    if cursor is not None:
        cursor.last_page.set_short(made)
    endpoint["paginator"] = _with_own_limit("single_page" if made == _SINGLE else made, endpoint)
    for each in filter(None, (part, strategy, page.token)):
        each.note_unread()


def _place(page: PageTemplates, made: Object, endpoint: Object) -> None:
    """Declare the page that the request names, and the parameters of the first one.

    Raises `UnsupportedError` if there can be none of these.
    """
    if page.is_used:
        page.place(made, endpoint)
    if page.first_params and made["type"] not in _LINKED:
        raise UnsupportedError("its later pages have other parameters")
    if page.first_params:
        made["first_page_params"] = page.first_params


def drop_later(endpoint: Object, params: Collection[str]) -> None:
    """Declare that parameters are sent on the first page only, where pages are named so."""
    paginator = endpoint["paginator"]
    if isinstance(paginator, dict) and paginator["type"] in _LINKED:
        # A cursor may take the place of a parameter, which is sent then.
        names = [name for name in params if name != paginator.get("cursor_param")]
        if found := [*dict.fromkeys([*paginator.get("first_page_params", ()), *names])]:
            paginator["first_page_params"] = found


def _is_single(part: Component, strategy: Component, page: PageTemplates, endpoint: Object) -> bool:
    """Whether all requests are the same: CDK ends behind the first page that isn't full.

    With a number of rows in a POST, it may be a queue, which gives others each time.
    """
    sizes = {None} if endpoint.get("method") == "POST" else {None, "request_parameter"}
    size = part.child("page_size_option")
    is_plain = (size.get("inject_into") if size else part.get("page_size_option")) in sizes
    is_sent = part.get("page_token_option") is not None or page.is_used
    return is_plain and not is_sent and bool(strategy.get("page_size"))


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
        # The cursor of later pages may take the place of the start.
        numbers = _NUMBERS if bound == "end_param" else ("offset", "page")
        if name and name in (paginator.get(f"{what}_param") for what in numbers):
            raise UnsupportedError(f"the page takes the place of the parameter `{shown(name)}`")


def _set_limit(made: Object, part: Component | None, strategy: Component, endpoint: Object) -> None:
    """Add the rows per page, and that fewer are the last ones; else the API decides."""
    size = strategy.integer("page_size") if strategy.get("page_size") is not None else None
    if size is None or size < 1:
        if part is not None:
            strategy.note("page_size", "isn't a number of rows: no limit is sent.")
        return
    option = option_of(part)
    problem = _limit_problem(option, made, endpoint)
    if part is not None and problem:
        part.note("", f"{problem}: no limit is sent.")
    is_counted = strategy.kind != "CursorPagination"
    if problem and not is_counted:
        return
    made["limit"] = size
    if is_counted and made != {**_SINGLE, "limit": size}:
        made["stop_after_short_page"] = True
    if option is None or problem:
        made["limit_param"] = None
        return
    option.put("limit", made, endpoint)
    if made.get("limit_param") == "limit":
        del made["limit_param"]


def _limit_problem(option: Option | None, made: Object, endpoint: Object) -> str | None:
    """Return why no limit can be sent; None if it can."""
    if option is None:
        return "its place isn't known"
    if option.name in {made.get(f"{what}_{at}") for what in _NUMBERS for at in _WORDS}:
        return "it is in the place of the page"
    found = option.problem(endpoint)
    return found and f"it is {found}"


def _with_own_limit(made: Object | str, endpoint: Object) -> Object | str:
    """Keep a parameter called `limit` that isn't a number of rows apart from the paginator."""
    given = str(endpoint["params"].get("limit", "1"))
    is_limit = given.isascii() and given.isdigit() and int(given) > 0
    has_other = isinstance(made, dict) and {"limit_param", "limit_body_path"} & made.keys()
    if is_limit or has_other:
        return made
    return {**(made if isinstance(made, dict) else {"type": made}), "limit_param": None}


def _counted(
    part: Component,
    strategy: Component,
    endpoint: Object,
    page: PageTemplates,
) -> Object:
    """Return the paginator of counted rows or pages; raises `UnsupportedError` for other kinds."""
    if strategy.kind not in _COUNTED:
        raise UnsupportedError(f"its pagination is {shown(strategy.kind)}")
    if _is_single(part, strategy, page, endpoint):
        strategy.note("", "sends its page nowhere, so there is one page.")
        return {**_SINGLE}
    if strategy.kind == "OffsetIncrement":
        return page.placed("offset", {"type": "offset"}, endpoint)
    made = page.placed("page", {"type": "page_number"}, endpoint)
    first = strategy.integer("start_from_page")
    if first is None and strategy.get("inject_on_first_request") is True:
        first = 0
    return made | ({} if first is None else {"base_page": first})
