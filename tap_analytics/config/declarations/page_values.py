"""How the values of pages fit into a request: limit, number and cursor."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import replace

from tap_analytics.config.declarations.templates import names_in
from tap_analytics.pagination import Cursor, LinkedPaging, Offset, PageNumber
from tap_analytics.pagination.placement import (
    CURSOR,
    LIMIT,
    OFFSET,
    PAGE,
    PLACEHOLDERS,
    body_path,
    is_in_query,
    shown,
)
from tap_analytics.records.codec import kind_of

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_analytics.config.declarations.model import DeclaredResource
    from tap_analytics.config.declarations.object_reader import ObjectReader
    from tap_analytics.config.declarations.templates import Param, RequestParts
    from tap_analytics.pagination import PagingStrategy

#: By placeholder, the paginators that have its value, and their fields with its parameter.
_FIELDS: dict[str, tuple[type[PagingStrategy], str, str]] = {
    OFFSET: (Offset, "offset_param", "`offset`"),
    PAGE: (PageNumber, "page_param", "`page_number`"),
    CURSOR: (Cursor, "cursor_param", "`cursor` or `header_cursor`"),
}


def fitted(
    paging: PagingStrategy,
    request: RequestParts,
    params: dict[str, Param],
    reader: ObjectReader,
    *,
    page_size: int | None,
) -> PagingStrategy:
    """Return a paginator with its limit, and with its values at the placeholders of a request.

    A limit among `params` is taken out of them.
    """
    for name in request.names.intersection(_FIELDS):
        kind, field, known = _FIELDS[name]
        if isinstance(paging, kind):
            changed: dict[str, t.Any] = {field: name}
            paging = replace(paging, **changed)
        else:
            reader.error("paginator", f"has no {{{name}}}, which the request needs. Use {known}.")
    if LIMIT in request.names:
        paging = replace(paging, limit_param=LIMIT)
    paging = _limited(paging, params, reader, page_size=page_size)
    if LIMIT in request.names and not paging.limit:
        reader.error("paginator.limit", f"is missing: {{{LIMIT}}} is its value. Add it.")
    if CURSOR in names_in([request.path]):
        reader.error("path", f"has {{{CURSOR}}}, which the first page lacks. Use another place.")
    for name in names_in([request.json]).intersection(PLACEHOLDERS):
        field = f"{name.removeprefix('paginator.')}_body_path"
        reader.error("json", f"has {{{name}}}. Declare `{field}` of the paginator.")
    return paging


def _limited(
    paging: PagingStrategy,
    params: dict[str, Param],
    reader: ObjectReader,
    *,
    page_size: int | None,
) -> PagingStrategy:
    """Set the limit of a paginator from the parameters, or the page size of the API."""
    if paging.limit_param is None:
        return paging
    if paging.limit_param not in params:
        return paging if paging.limit else replace(paging, limit=page_size)
    limit = params.pop(paging.limit_param)
    if paging.limit:
        reader.error(f"params.{paging.limit_param}", "is the paginator's limit too. Remove one.")
    elif isinstance(limit, str) and limit.isascii() and limit.isdigit() and int(limit):
        return replace(paging, limit=int(limit))
    else:
        reader.error(f"params.{paging.limit_param}", "must be a whole number of at least 1.")
    return paging


def check_writers(resource: DeclaredResource, secret: Sequence[str], reader: ObjectReader) -> None:
    """Report query parameters and members of the body that are set twice, or can't be set."""
    paging = resource.paging
    # On the first page, a parameter may say where the cursor begins.
    first = paging.cursor_param if isinstance(paging, Cursor) else None
    writers = [(name, "params") for name in resource.request.params if name != first]
    writers += [(name, "auth" if resource.auth else "client.auth") for name in secret]
    writers += [(name, "paginator") for name in _params_of(paging)]
    if paging.limit and paging.limit_param:
        writers.append((paging.limit_param, "paginator.limit_param"))
    if resource.incremental:
        start, end = resource.incremental.start_param, resource.incremental.end_param
        bounds = (None if start == first else start, end)
        writers += [(name, "incremental") for name in bounds if name]
    sent = {name for name, _ in writers} | resource.request.params.keys()
    for name in paging.first_page_params if isinstance(paging, LinkedPaging) else ():
        if name not in sent:
            what = f"names '{name}', which is no query parameter of the first page. Remove it."
            reader.error("paginator.first_page_params", what)
    for name, times in Counter(name for name, _ in writers).items():
        if times > 1:
            who = " and ".join(f"`{writer}`" for written, writer in writers if written == name)
            what = f"query parameter '{name}'"
            if not is_in_query(name):
                what = f"`{shown(name)}` of the request"
            reader.place.report(f"{what} is written by {who}. Keep one.")
    for name, writer in writers:
        if path := body_path(name):
            _check_path(path, writer, resource, reader)


def _params_of(paging: PagingStrategy) -> Iterator[str]:
    for kind, field, _ in _FIELDS.values():
        if isinstance(paging, kind):
            yield getattr(paging, field)


def _check_path(path: str, writer: str, resource: DeclaredResource, reader: ObjectReader) -> None:
    """Report a path of the body that leads nowhere."""
    field = writer.partition(".")[0]
    if not resource.sends_body:
        reader.error(field, f"puts `{path}` into a body. Set `method`, which is POST mostly.")
    elif resource.request.data is not None:
        place = "Write {paginator.offset}, {paginator.page} or {paginator.cursor} into `data`."
        reader.error(field, f"puts `{path}` into a JSON body, but `data` is a form. {place}")
    else:
        body = resource.request.json
        for member in path.split("."):
            if isinstance(body, list) and member.isdecimal() and int(member) < len(body):
                body = body[int(member)]
                continue
            if body is not None and not isinstance(body, dict):
                reader.error(field, f"puts `{path}` into `json`, where {kind_of(body)} is.")
                return
            body = (body or {}).get(member)
