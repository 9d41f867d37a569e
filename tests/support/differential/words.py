"""The vocabulary of declared APIs: all its words, and those that an entry uses."""

from __future__ import annotations

import typing as t

from handbook.declarations import OBJECTS

from tap_analytics.config.declarations.paginators import SHARED

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Members of an entry that are described under another name.
_NAMES = {"retry": "error_handler", "resource_defaults": "resources"}
#: What placeholders begin with.
_SCOPES = ("resources", "partitions", "incremental", "paginator", "record")

#: Words that aren't compared, by the reason.
NOT_COMPARED = {
    "what neither tool has": {
        *("apis.headers", "apis.optional_streams", "apis.page_size", "apis.retry"),
        *("auth.session_token_header", "auth.scopes", "endpoint.map_key"),
        *("paginator.total_header", "resources.description", "resources.plugin"),
    },
    "another name of the same": {"auth.basic", "auth.token_url", "paginator.cursor_value"},
    "what is so without the word": {"decoder.json"},
    "keys of service accounts, for which the environments lack packages": {
        *("auth.oauth_jwt", "auth.auth_endpoint", "auth.algorithm", "auth.audience"),
        *("auth.key_id", "auth.private_key", "auth.private_key_passphrase", "auth.subject"),
    },
    "kept in a file of the tap's own": {"auth.refresh_token_file"},
    "not taken by an import": {
        *("endpoint.on_missing_rows", "processing_steps.rename_fields"),
        "paginator.cursor_encoding",
    },
    "more is read by an import": {"resources.incremental_dependency"},
}


def all_words() -> set[str]:
    """Return the words as `endpoint.path`, `auth.bearer` or `{resources`."""
    found = {f"paginator.{word}" for word in SHARED} | {f"{{{scope}" for scope in _SCOPES}
    for section, content in OBJECTS.items():
        for name, each in content.items():
            found.add(f"{section}.{name}")
            found |= {f"{section}.{word}" for word in getattr(each, "fields", ())}
    return found


def used_words(entry: Mapping[str, t.Any]) -> set[str]:
    """Return the words of an entry, and others like them."""
    return set(_used("apis", entry))


def _used(section: str, value: t.Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _used(section, each)
    elif isinstance(value, dict):
        for name, each in value.items():
            yield f"{section}.{each if name == 'type' else name}"
            yield from _used(_NAMES.get(name, name), each)
    elif isinstance(value, str):
        yield f"{section}.{value}"
        yield from (f"{{{scope}" for scope in _SCOPES if f"{{{scope}." in value)
