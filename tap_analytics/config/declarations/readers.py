"""Readers of authentication, pagination, retries and incremental settings."""

from __future__ import annotations

import re
import typing as t

from tap_analytics.config.declarations.model import DeclaredIncremental
from tap_analytics.config.declarations.object_reader import ConfigPath, ObjectReader, scalar
from tap_analytics.config.settings.catalog import MOST_RETRIES
from tap_analytics.config.settings.checks import header_problem, url_problem
from tap_analytics.pagination import (
    Auto,
    Cursor,
    HeaderCursor,
    HeaderLink,
    JsonLink,
    Offset,
    PageNumber,
    PagingStrategy,
    SinglePage,
)
from tap_analytics.records.notation import UNITS
from tap_analytics.transport.auth import (
    ApiKeyHeader,
    ApiKeyQuery,
    Authenticator,
    Basic,
    Bearer,
    NoAuth,
    OAuth2ClientCredentials,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_analytics.records.notation import Unit
    from tap_analytics.transport.retry import RetryPolicy

# --- paginator ------------------------------------------------------------------------------

#: Settings of the total.
_TOTALS = ("total_path", "total_header")
PAGINATORS: dict[str, tuple[type[PagingStrategy], tuple[str, ...]]] = {
    "auto": (Auto, _TOTALS),
    "cursor": (Cursor, ("cursor_path", "cursor_param", "cursor_value", *_TOTALS)),
    "header_cursor": (HeaderCursor, ("cursor_key", "cursor_param", *_TOTALS)),
    "header_link": (HeaderLink, ("links_next_key", *_TOTALS)),
    "json_link": (JsonLink, ("next_url_path", *_TOTALS)),
    "offset": (Offset, ("offset_param", *_TOTALS)),
    "page_number": (PageNumber, ("page_param", "base_page", *_TOTALS)),
    "single_page": (SinglePage, _TOTALS),
}
#: Fields for which null differs from a missing field.
_NONE_ALLOWED = {"limit_param", *_TOTALS}
_CURSOR_VALUE = re.compile(r"\{\{\s*response\.([\w-]+(?:\.[\w-]+)*)\s*\}\}")


def read_paging(value: object, place: ConfigPath) -> PagingStrategy:
    """Read a paginator, an object or just its type; the default is `auto`."""
    if value is None:
        return Auto()
    given = {"type": value} if isinstance(value, str) else value
    known = given if isinstance(given, dict) else ()
    kind = ObjectReader(given, place, known).choice("type", PAGINATORS)
    if kind is None:
        return Auto()
    paging_class, own = PAGINATORS[kind]
    reader = ObjectReader(given, place, ("type", "limit", "limit_param", *own))
    found = {field: _paging_field(reader, field) for field in ("limit", "limit_param", *own)}
    given_fields = {
        field: value
        for field, value in found.items()
        if value is not None or (field in _NONE_ALLOWED and field in reader.given)
    }
    if "cursor_value" in given_fields:
        if "cursor_path" in given_fields:
            reader.error("cursor_value", "and `cursor_path` say the same. Remove one.")
        given_fields["cursor_path"] = given_fields.pop("cursor_value")
    return _pages(t.cast("t.Any", paging_class)(**given_fields))


def _paging_field(reader: ObjectReader, field: str) -> str | int | None:
    if field == "limit":
        return reader.integer(field, minimum=1)
    if field == "base_page":
        return reader.integer(field, minimum=0)
    if field == "cursor_value":
        return _cursor_value(reader)
    text = reader.dotted(field) if field.endswith("_path") else reader.text(field)
    if text and field == "total_header" and (problem := header_problem(text, None)):
        reader.error(field, f"'{text}' {problem}")
    return text


def _cursor_value(reader: ObjectReader) -> str | None:
    value = reader.text("cursor_value")
    path = _CURSOR_VALUE.fullmatch(value.strip()) if value else None
    if value and path is None:
        reader.error("cursor_value", 'must read like "{{ response.next }}".')
    return path[1] if path else None


def _pages(paging: PagingStrategy) -> PagingStrategy:
    """Convert an offset with the parameter `page` to page numbers from 1."""
    if not isinstance(paging, Offset) or paging.offset_param != "page":
        return paging
    limits = {field: getattr(paging, field) for field in ("limit", "limit_param", *_TOTALS)}
    return PageNumber(page_param="page", base_page=1, **limits)


# --- auth -----------------------------------------------------------------------------------


def _api_key(reader: ObjectReader) -> Authenticator:
    name = reader.text("name", required=True) or ""
    key = reader.credential("api_key")
    location = reader.choice("location", ("header", "query"), default="header")
    if location == "query":
        return ApiKeyQuery(name, key)
    if name and (text := header_problem(name, None)):
        reader.error("name", text)
    return ApiKeyHeader(name, key)


def _basic(reader: ObjectReader) -> Authenticator:
    username = reader.credential("username")
    if ":" in username:
        reader.error("username", "must not contain ':', which ends a user name.")
    if "password" not in reader.given:
        reader.missing("password")
        return NoAuth()
    return Basic(username, reader.credential("password", may_be_empty=True))


def _bearer(reader: ObjectReader) -> Authenticator:
    return Bearer(reader.credential("token"))


def _oauth2(reader: ObjectReader) -> Authenticator:
    known = [field for field in ("access_token_url", "token_url") if field in reader]
    if len(known) > 1:
        reader.error("token_url", "and `access_token_url` say the same. Remove one.")
    field = known[0] if known else "access_token_url"
    url = reader.text(field, required=True) or ""
    if url and (text := url_problem(url)):
        reader.error(field, text)
    form = {}
    for name, value in reader.object("access_token_request_data").items():
        content = scalar(value)
        if content is None:
            reader.error(f"access_token_request_data.{name}", "must be a string.")
        else:
            form[name] = content
    return OAuth2ClientCredentials(
        token_url=url,
        client_id=reader.credential("client_id"),
        client_secret=reader.credential("client_secret"),
        scopes=reader.texts("scopes"),
        form=form,
    )


_BASIC_FIELDS = ("username", "password")
_OAUTH2_FIELDS = (
    *("access_token_url", "token_url", "client_id", "client_secret"),
    *("scopes", "access_token_request_data"),
)
AUTHS: dict[str, tuple[Callable[[ObjectReader], Authenticator], tuple[str, ...]]] = {
    "api_key": (_api_key, ("name", "api_key", "location")),
    "basic": (_basic, _BASIC_FIELDS),
    "http_basic": (_basic, _BASIC_FIELDS),
    "bearer": (_bearer, ("token",)),
    "oauth2_client_credentials": (_oauth2, _OAUTH2_FIELDS),
}
_AUTH_FIELDS = frozenset(field for _, own in AUTHS.values() for field in own)


def read_auth(value: object, place: ConfigPath) -> Authenticator:
    """Read `auth`; if given it must be complete."""
    if value is None:
        return NoAuth()
    known = value if isinstance(value, dict) else ()
    kind = ObjectReader(value, place, known, shown=_AUTH_FIELDS).choice("type", AUTHS)
    if kind is None:
        return NoAuth()
    reader, own = AUTHS[kind]
    return reader(ObjectReader(value, place, ("type", *own), shown=_AUTH_FIELDS))


# --- retry and incremental --------------------------------------------------------------------

RETRY_FIELDS = ("max_retries", "backoff_factor", "retry_on_status_codes", "max_retry_after")
INCREMENTAL_FIELDS = ("cursor_path", "cursor_format", "start_param", "initial_value")
NEVER_RETRIED = frozenset({401, 403, 404})
_STATUSES = range(400, 600)


def read_retry(value: object, place: ConfigPath, *, over: RetryPolicy) -> RetryPolicy:
    """Read a retry policy, with the defaults of another one."""
    reader = ObjectReader(value, place, RETRY_FIELDS)
    statuses = reader.given.get("retry_on_status_codes")
    return over.overridden(
        {
            "max_retries": reader.integer("max_retries", minimum=0, maximum=MOST_RETRIES),
            "backoff_factor": reader.number("backoff_factor", minimum=0),
            "retry_on_status_codes": None if statuses is None else _statuses(statuses, reader),
            "max_retry_after": reader.number("max_retry_after", minimum=0),
        }
    )


def _statuses(value: object, reader: ObjectReader) -> frozenset[int]:
    field = "retry_on_status_codes"
    if not isinstance(value, list) or any(type(status) is not int for status in value):
        reader.error(field, "must be a list of status codes such as [429, 503].")
        return frozenset()
    for status in value:
        if status not in _STATUSES:
            reader.error(field, f"has {status}: only 400 to 599 can be retried. Remove it.")
        elif status in NEVER_RETRIED:
            reader.error(field, f"has {status}: 401, 403 and 404 are never retried. Remove it.")
    return frozenset(value)


def read_incremental(value: object, place: ConfigPath) -> DeclaredIncremental | None:
    """Read the replication key, and how the API filters by it."""
    if value is None:
        return None
    reader = ObjectReader(value, place, INCREMENTAL_FIELDS)
    path = reader.dotted("cursor_path")
    if path is None and "cursor_path" not in reader:
        reader.missing("cursor_path")
    if path and "." in path:
        reader.error("cursor_path", f"'{path}' must be a column: the top level of the rows.")
    known = reader.choice("cursor_format", UNITS, "") or None
    initial = reader.given.get("initial_value")
    if isinstance(initial, bool) or not isinstance(initial, (str, int, float, type(None))):
        reader.error("initial_value", "must be a string or a number.")
        initial = None
    return DeclaredIncremental(
        cursor_path=path or "",
        cursor_format=t.cast("Unit | None", known),
        start_param=reader.text("start_param"),
        initial_value=initial,
    )
