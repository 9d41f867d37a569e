"""Convert a low-code manifest of Airbyte to an entry of `apis`.

Unsupported parts are noted with their path in the manifest; a stream is left out if the tap would
read other rows without them.
"""

from __future__ import annotations

import itertools
import typing as t
from collections import Counter

from tap_analytics.commands.importing.airbyte.api_budget import rate_of
from tap_analytics.commands.importing.airbyte.components import Manifest, name_of
from tap_analytics.commands.importing.airbyte.cursor import keep_range
from tap_analytics.commands.importing.airbyte.stream_graph import StreamGraph
from tap_analytics.commands.importing.loading import as_list
from tap_analytics.commands.importing.notes import shown

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.airbyte.components import Component, Object
    from tap_analytics.commands.importing.airbyte.declarative_stream import ImportedStream
    from tap_analytics.commands.importing.notes import Notes

_SILENT = ("version", "check", "definitions", "spec", "metadata", "schemas", "streams")


def is_manifest(value: Object) -> bool:
    """Whether an object is a manifest."""
    return value.get("type") == "DeclarativeSource" or (
        isinstance(value.get("streams"), list) and bool({"check", "definitions"} & set(value))
    )


def entry_of(value: Object, notes: Notes) -> Object:
    """Return an `apis` entry for a manifest."""
    root = Manifest(value, notes).root()
    graph = StreamGraph(notes)
    graph.add_all(root.children("streams"))
    found = _at_one_host(graph.found, notes)
    with_children = {name for each in found for name in each.ancestors.values()}
    for name in with_children:
        keep_range(graph.found[name].resource["endpoint"])
    base_url = _common([each.base_url for each in found])
    client: Object = {"base_url": base_url} if base_url else {}
    if (auth := _sign(found)) is not None:
        client["auth"] = auth
    entry: Object = {"client": client}
    if (rate := rate_of(root)) is not None:
        entry["requests_per_second"] = rate
    entry["resources"] = [_below(each, base_url) for each in found]
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


def _at_one_host(streams: dict[str, ImportedStream], notes: Notes) -> list[ImportedStream]:
    """Return the streams of the host that has most of them, without children of others."""
    hosts = Counter(_host(each.base_url) for each in streams.values())
    main = max(hosts, key=hosts.__getitem__, default="")
    found = []
    for name, each in streams.items():
        above = [streams[parent] for parent in each.ancestors.values()]
        if any(_host(one.base_url) != main for one in (each, *above)):
            what = "is left out: it has another host than the others"
            notes.add("", f"the stream '{shown(name)}' {what}.")
        else:
            found.append(each)
    return found


def _sign(streams: list[ImportedStream]) -> Object | None:
    """Return the `auth` of the client; what is signed in another way gets one of its own."""
    auths = [each.auth for each in streams]
    # An endpoint can't be unsigned below a client that signs.
    main = None if None in auths else max(auths, key=auths.count, default=None)
    for each in streams:
        if each.auth != main:
            each.resource["endpoint"]["auth"] = each.auth
    return main


def _common(urls: list[str]) -> str:
    """Return the common prefix of URLs."""
    paths = [url.rstrip("/").split("/") for url in urls]
    shared = itertools.takewhile(lambda parts: len(set(parts)) == 1, zip(*paths, strict=False))
    return "/".join(parts[0] for parts in shared)


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0] or url.partition("/")[0]


def _below(each: ImportedStream, base_url: str) -> Object:
    """Return a resource with its path relative to `base_url`."""
    rest = each.base_url.rstrip("/").removeprefix(base_url).strip("/")
    if rest:
        endpoint = each.resource["endpoint"]
        endpoint["path"] = f"/{rest}{endpoint['path']}"
    return each.resource
