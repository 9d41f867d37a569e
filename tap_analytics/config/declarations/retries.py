"""The fields of `error_handler`, which are those of `retry`, and response actions."""

from __future__ import annotations

import typing as t
from http import HTTPStatus

from tap_analytics.config.declarations.fields import (
    HEADER_NAME,
    SECONDS,
    TEXT,
    Field,
    Kind,
    choice,
    integer,
    read_fields,
)
from tap_analytics.config.declarations.object_reader import ConfigPath, ObjectReader
from tap_analytics.config.settings.catalog import COMMON, MOST_RETRIES
from tap_analytics.records.filters import BodyFilter, FilterError, RowFilter
from tap_analytics.transport.retry import Action, ResponseAction

if t.TYPE_CHECKING:
    from tap_analytics.config.declarations.fields import Fields

NEVER_RETRIED = frozenset({401, 403, 404})
_STATUSES = range(400, 600)


def _statuses(reader: ObjectReader, name: str) -> frozenset[int]:
    value = reader.given[name]
    if not isinstance(value, list) or any(type(status) is not int for status in value):
        reader.error(name, "must be a list of status codes such as [429, 503].")
        return frozenset()
    for status in value:
        if status not in _STATUSES:
            reader.error(name, f"has {status}: only 400 to 599 can be retried. Remove it.")
        elif status in NEVER_RETRIED:
            reader.error(name, f"has {status}: 401, 403 and 404 are never retried. Remove it.")
    return frozenset(value)


_KINDS = {
    "max_retries": integer(0, MOST_RETRIES),
    "backoff_factor": SECONDS,
    "retry_on_status_codes": Kind("list of status codes", _statuses),
    "max_retry_after": SECONDS,
}
_MEANINGS = {each.name: each.description or "" for setting in COMMON for each in setting.parts}
RETRY: Fields = {
    **{name: Field(kind, _MEANINGS[name], in_dlt=False) for name, kind in _KINDS.items()},
    "wait_time_header": Field(
        HEADER_NAME,
        "Header of a response that says when to try again: seconds, Unix time or a date; it "
        "counts before `Retry-After`.",
        in_dlt=False,
    ),
}


def read_retry(reader: ObjectReader, name: str) -> dict[str, t.Any]:
    """Read what overrides a retry policy."""
    return read_fields(ObjectReader(reader.given[name], reader.at(name), RETRY), RETRY)


# --- responses of one kind --------------------------------------------------------------------


def _status(reader: ObjectReader, name: str) -> int | str | None:
    value = reader.given[name]
    if isinstance(value, str) and value in _CLASSES:
        return value
    return reader.integer(name, minimum=200, maximum=599)


def _body_filter(reader: ObjectReader, name: str) -> BodyFilter | None:
    expression = reader.text(name)
    try:
        return BodyFilter(RowFilter(expression)) if expression else None
    except FilterError as error:
        reader.error(name, f"'{expression}' {error} Write it like @.error.code == 17.")
        return None


#: Classes of status codes.
_CLASSES = ("2xx", "3xx", "4xx", "5xx")
RESPONSE_ACTION: Fields = {
    "status_code": Field(
        Kind("integer ≥ 200 or " + ", ".join(f"`{each}`" for each in _CLASSES), _status),
        "Status of the response, or class of it.",
    ),
    "content": Field(TEXT, "Text in its body."),
    "filter": Field(
        Kind("JSONPath filter", _body_filter),
        "What its JSON body is like, such as `@.error.code == 17`.",
        in_dlt=False,
    ),
    "action": Field(
        choice(*t.get_args(Action)),
        "`ignore` ends the list there, which is no proof that it is complete; `empty` takes the "
        "response for a page without rows; `fail` fails the stream; `retry` tries the request "
        "again. dlt has `ignore` only.",
        required=True,
        default="fail",
    ),
}


def read_actions(reader: ObjectReader, name: str) -> tuple[ResponseAction, ...]:
    """Read what is done with some responses, each described by status, body or both."""
    value = reader.given[name]
    if not isinstance(value, list):
        reader.error(name, "must be a list of objects with `action`.")
        return ()
    place = reader.place
    return tuple(_action(each, place.item(name, number)) for number, each in enumerate(value))


def _action(value: object, place: ConfigPath) -> ResponseAction:
    reader = ObjectReader(value, place, RESPONSE_ACTION)
    found = ResponseAction(**read_fields(reader, RESPONSE_ACTION))
    is_any = found.status_code in {None, HTTPStatus.OK, "2xx"}
    if reader.is_object and is_any and "content" not in reader and "filter" not in reader:
        reader.error("content", "is missing: without it every page would be meant. Add it.")
    return found
