"""What a document's text tells, laid over what its dict says.

The dict wins where the two disagree on how to ask. The text wins on keys, which a dict often gives
for all resources at once.
"""

from __future__ import annotations

import typing as t

from tap_analytics.importing.fields import schema_of
from tap_analytics.importing.notes import listed, shown
from tap_analytics.importing.prose import Prose, Told, plain, read

if t.TYPE_CHECKING:
    from tap_analytics.importing.notes import Notes

Object = dict[str, t.Any]


def merge(entry: Object, text: str, notes: Notes) -> None:
    """Lay what the text of a document tells over the entry made of its dict."""
    given = entry["resources"]
    # A name alone is a resource as well.
    named = [{"name": each} if isinstance(each, str) else each for each in given]
    resources = {
        plain(resource["name"]): resource
        for resource in named
        if isinstance(resource, dict) and isinstance(resource.get("name"), str)
    }
    told = read(text, resources)
    defaults = entry.get("resource_defaults")
    default_key = defaults.get("primary_key") if isinstance(defaults, dict) else None
    for name, said in told.resources.items():
        _merge_key(resources[name], said, default_key, notes)
        _merge_incremental(resources[name], said, notes)
        _merge_fields(resources[name], said, default_key, notes)
    entry["resources"] = [
        old if new == {"name": old} else new for old, new in zip(given, named, strict=True)
    ]
    _merge_retry(entry, list(resources.values()), told, notes)
    if told.rate and "requests_per_second" not in entry:
        entry["requests_per_second"] = told.rate
        notes.add(f"line {told.rate_line}", f"requests_per_second {told.rate:g} is of the text.")


def _merge_key(resource: Object, said: Told, default: object, notes: Notes) -> None:
    keys: str | list[str] = said.keys[0] if len(said.keys) == 1 else said.keys
    if not keys or keys == resource.get("primary_key", default):
        return
    instead = "the dict has another for all" if default else "the dict has none"
    if "primary_key" in resource:
        instead = "its dict has another"
    resource["primary_key"] = keys
    where = f"resource '{resource['name']}'"
    notes.add(where, f"the key is {listed(said.keys)}, as line {said.line} says; {instead}.")


def _merge_incremental(resource: Object, said: Told, notes: Notes) -> None:
    if said.cursor is None:
        return
    endpoint = resource.setdefault("endpoint", {"path": resource["name"]})
    if isinstance(endpoint, str):
        endpoint = resource["endpoint"] = {"path": endpoint}
    if not isinstance(endpoint, dict) or "incremental" in endpoint:
        return
    endpoint["incremental"] = {"cursor_path": said.cursor}
    if said.start_param:
        endpoint["incremental"]["start_param"] = said.start_param
    where = f"resource '{resource['name']}'"
    notes.add(where, f"`{shown(said.cursor)}` tells what is new, as line {said.cursor_line} says.")


def _merge_fields(resource: Object, said: Told, default: object, notes: Notes) -> None:
    if not said.fields or "schema" in resource:
        return
    key = resource.get("primary_key", default)
    needed = {key} if isinstance(key, str) else set(key if isinstance(key, list) else ())
    endpoint = resource.get("endpoint")
    incremental = endpoint.get("incremental") if isinstance(endpoint, dict) else None
    if isinstance(incremental, dict):
        needed.add(str(incremental.get("cursor_path")))
    schema = schema_of(said.fields, needed)
    where = f"resource '{resource['name']}'"
    if schema is None:
        notes.add(where, "the text names fields, not all their types: they are read off the rows.")
        return
    resource["schema"] = schema
    notes.add(where, f"its {len(said.fields)} columns are those of the text.")


def _merge_retry(entry: Object, resources: list[Object], told: Prose, notes: Notes) -> None:
    endpoints = [resource.get("endpoint") for resource in resources]
    handlers = [
        endpoint["error_handler"]
        for endpoint in endpoints
        if isinstance(endpoint, dict) and isinstance(endpoint.get("error_handler"), dict)
    ]
    held = entry.get("retry") if isinstance(entry.get("retry"), dict) else {}
    new = {word: value for word, value in told.retry.items() if word not in (held or {})}
    words = {word for handler in handlers for word in handler}
    if missing := {word: value for word, value in new.items() if word not in words}:
        entry["retry"] = {**(held or {}), **missing}
        notes.add(f"line {told.retry_line}", f"`retry` has {listed(missing)} of the text.")
    for word, value in new.items():
        if any(word in handler and handler[word] != value for handler in handlers):
            notes.add(
                f"line {told.retry_line}",
                f"the text and the dict differ on {word}; the dict's is taken.",
            )
    if not told.retry and not handlers and not held:
        notes.add("retries", "neither the dict nor the text sets any; the tap's own hold.")
