"""The fields of `error_handler`, which are those of `retry`."""

from __future__ import annotations

import typing as t

from tap_analytics.config.declarations.fields import SECONDS, Field, Kind, integer, read_fields
from tap_analytics.config.declarations.object_reader import ObjectReader
from tap_analytics.config.settings.catalog import COMMON, MOST_RETRIES

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
RETRY: Fields = {name: Field(kind, _MEANINGS[name], in_dlt=False) for name, kind in _KINDS.items()}


def read_retry(reader: ObjectReader, name: str) -> dict[str, t.Any]:
    """Read what overrides a retry policy."""
    return read_fields(ObjectReader(reader.given[name], reader.at(name), RETRY), RETRY)
