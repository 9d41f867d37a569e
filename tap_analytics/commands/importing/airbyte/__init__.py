"""Convert a low-code manifest of Airbyte to an entry of `apis`.

Unsupported parts are noted with their path in the manifest; a stream is left out if the tap would
read other rows without them.
"""

from __future__ import annotations

import itertools
import re
import typing as t

from tap_analytics.commands.importing.airbyte.components import (
    Manifest,
    UnsupportedError,
    name_of,
)
from tap_analytics.commands.importing.airbyte.declarative_stream import ImportedStream, read_stream
from tap_analytics.commands.importing.loading import as_list
from tap_analytics.commands.importing.notes import shown

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.airbyte.components import Component, Object
    from tap_analytics.commands.importing.notes import Notes

_SILENT = ("version", "check", "definitions", "spec", "metadata", "schemas", "streams")
#: A simple ISO 8601 duration such as `PT1S` or `PT1M`, and the seconds of its units.
_DURATION = re.compile(r"PT(\d{1,6})([SMH])", re.ASCII)
_UNITS = {"S": 1.0, "M": 60.0, "H": 3600.0}


def is_manifest(value: Object) -> bool:
    """Whether an object is a manifest."""
    return value.get("type") == "DeclarativeSource" or (
        isinstance(value.get("streams"), list) and bool({"check", "definitions"} & set(value))
    )


def entry_of(value: Object, notes: Notes) -> Object:
    """Return an `apis` entry for a manifest."""
    root = Manifest(value, notes).root()
    found = _all_streams(root, notes)
    base_url = _common([each.base_url for each in found])
    client: Object = {"base_url": base_url} if base_url else {}
    if found and found[0].auth:
        client["auth"] = found[0].auth
    entry: Object = {"client": client}
    if (rate := _rate(root)) is not None:
        entry["requests_per_second"] = rate
    entry["resources"] = [
        resource for each in found if (resource := _below(each, found[0], base_url, notes))
    ]
    _count(root, entry["resources"], notes)
    if root.get("concurrency_level") is not None:
        root.note("concurrency_level", "isn't supported: set `concurrency`.")
    root.note_unread(silent=_SILENT)
    return entry


def _count(root: Component, resources: list[Object], notes: Notes) -> None:
    """Count the streams of a manifest, and those that became resources."""
    names = {resource["name"] for resource in resources}
    notes.taken = len(names.intersection(map(name_of, root.children("streams"))))
    others = len(as_list(root.get("dynamic_streams")))
    if others:
        root.note("dynamic_streams", "isn't supported: its streams are left out.")
    notes.described = len(as_list(root.get("streams"))) + others


def _all_streams(root: Component, notes: Notes) -> list[ImportedStream]:
    """Return the supported streams, with parents that aren't streams of the manifest themselves."""
    found: dict[str, ImportedStream] = {}
    refused: dict[str, str] = {}
    waiting = [(stream, False) for stream in root.children("streams")]
    listed_names = {name_of(stream) for stream, _ in waiting}
    for stream, is_parent in waiting:
        name = name_of(stream)
        if name in found or name in refused or (is_parent and name in listed_names):
            continue
        with notes.pending(name):
            if is_parent:
                stream.note("", f"the parent '{shown(name)}' becomes a resource.")
            try:
                found[name] = read_stream(stream)
            except UnsupportedError as error:
                refused[name] = f"{stream.path}: the stream '{shown(name)}' is left out: {error}."
                continue
        waiting += [(parent, True) for parent in found[name].parents]
    _drop_orphans(found, refused)
    notes.settle(refused)
    return list(found.values())


def _drop_orphans(found: dict[str, ImportedStream], refused: dict[str, str]) -> None:
    def is_orphan(each: ImportedStream) -> bool:
        return any(name_of(parent) in refused for parent in each.parents)

    while orphans := [name for name, each in found.items() if is_orphan(each)]:
        for name in orphans:
            del found[name]
            refused[name] = f"the stream '{shown(name)}' is left out: its parent is left out."


def _common(urls: list[str]) -> str:
    """Return the common prefix of the URLs with the host of the first."""
    if not urls:
        return ""
    first = _host(urls[0])
    paths = [url.rstrip("/").split("/") for url in urls if _host(url) == first]
    shared = itertools.takewhile(lambda parts: len(set(parts)) == 1, zip(*paths, strict=False))
    return "/".join(parts[0] for parts in shared)


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0] or url.partition("/")[0]


def _below(
    each: ImportedStream, first: ImportedStream, base_url: str, notes: Notes
) -> Object | None:
    """Return a resource with its path relative to `base_url`; None for another host or auth."""
    where = f"the stream '{shown(each.name)}'"
    if _host(each.base_url) != _host(first.base_url):
        notes.add("", f"{where} is left out: it has another host than the first.")
        return None
    if each.auth != first.auth:
        notes.add("", f"{where} is left out: it has another authenticator than the first.")
        return None
    rest = each.base_url.rstrip("/").removeprefix(base_url).strip("/")
    if rest:
        endpoint = each.resource["endpoint"]
        endpoint["path"] = f"/{rest}{endpoint['path']}"
    return each.resource


def _rate(root: Component) -> float | None:
    """Return the requests per second of `api_budget`, if it has a rate."""
    budget = root.child("api_budget")
    found = []
    for policy in budget.children("policies") if budget else ():
        for rate in policy.children("rates"):
            limit, interval = rate.integer("limit"), _DURATION.fullmatch(str(rate.get("interval")))
            if limit and interval and (seconds := int(interval[1]) * _UNITS[interval[2]]):
                found.append(round(limit / seconds, 3))
    if budget is not None and not found:
        budget.note("", "isn't supported: set `requests_per_second`.")
    return min(found) if found else None
