"""Convert a low-code manifest of Airbyte to entries of `apis`, one for each host.

Unsupported parts are noted with their path in the manifest; a stream is left out if the tap would
read other rows without them.

`stream_graph` puts streams below their parents, `declarative_stream` reads one: its requests
(`request_parts`, `request_body`), pages (`pagination_strategy`), parents and lists of values
(`partition_router`), range (`cursor`), rows (`extraction`, `transformations`), failures
(`error_handling`) and credentials (`authenticators`). `jinja_texts` evaluates the texts in these.
"""

from __future__ import annotations

import itertools
import math
import typing as t

from tap_analytics.commands.importing.airbyte.components import Component, Manifest
from tap_analytics.commands.importing.airbyte.cursor import keep_range
from tap_analytics.commands.importing.airbyte.stream_graph import StreamGraph
from tap_analytics.commands.importing.airbyte.stream_parts import name_of
from tap_analytics.commands.importing.loading import Object, as_list
from tap_analytics.commands.importing.notes import shown
from tap_analytics.records.duration import Duration

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.commands.importing.airbyte.declarative_stream import ImportedStream
    from tap_analytics.commands.importing.notes import Notes

_SILENT = ("version", "check", "definitions", "spec", "metadata", "schemas", "streams")
#: The words of the number of requests and of the time, by kind of policy.
_FIXED, _MOVING = ("call_limit", "period"), ("limit", "interval")
#: What the tap finds out by itself, from usual headers and from 429.
_SILENT_BUDGET = ("status_codes_for_ratelimit_hit",)


def is_manifest(value: Object) -> bool:
    """Whether an object is a manifest."""
    return value.get("type") == "DeclarativeSource" or (
        isinstance(value.get("streams"), list) and bool({"check", "definitions"} & set(value))
    )


def entries_of(value: Object, notes: Notes) -> list[Object]:
    """Return the `apis` entries for a manifest, that of most streams first."""
    root = Manifest(value, notes).root()
    graph = StreamGraph(notes)
    listed = root.children("streams")
    streams = [*_with_conditional(listed, notes)]
    graph.add_all(streams)
    hosts = _by_host(graph.found, notes)
    for each in itertools.chain(*hosts):
        for name in each.ancestors.values():
            keep_range(graph.found[name].resource["endpoint"])
    entries = [_entry(found) for found in hosts]
    if (rate := _rate_of(root)) is not None:
        # A budget is one for all hosts.
        entries = [entry | {"requests_per_second": rate / len(entries)} for entry in entries]
    resources = [each for entry in entries for each in entry["resources"]]
    _count(root, streams, resources, notes)
    notes.described += len(streams) - len(listed)
    if root.get("concurrency_level") is not None:
        root.note("concurrency_level", "isn't supported: set `concurrency`.")
    root.note_unread(silent=_SILENT)
    return entries


def _entry(found: list[ImportedStream]) -> Object:
    """Return the entry of the streams of one host, signed as they are."""
    base_url = _common([each.base_url for each in found])
    client: Object = {"base_url": base_url} if base_url else {}
    if (auth := _sign(found)) is not None:
        client["auth"] = auth
    return {"client": client, "resources": [_below(each, base_url) for each in found]}


def _with_conditional(streams: list[Component], notes: Notes) -> Iterator[Component]:
    """Yield the streams of a manifest, also those that it has under a condition only."""
    for each in streams:
        if each.kind != "ConditionalStreams":
            yield each
            continue
        found = each.children("streams")
        names = ", ".join(f"'{shown(name_of(stream))}'" for stream in found)
        condition = shown(each.get("condition"))
        notes.add(each.path, f"{names} are read in Airbyte only where `{condition}`.")
        yield from found


def _count(
    root: Component, streams: list[Component], resources: list[Object], notes: Notes
) -> None:
    """Count the streams of a manifest, and those that became resources."""
    names = {resource["name"] for resource in resources}
    notes.taken = len(names.intersection(map(name_of, streams)))
    others = len(as_list(root.get("dynamic_streams")))
    if others:
        root.note("dynamic_streams", "isn't supported: its streams are left out.")
    notes.described = len(as_list(root.get("streams"))) + others


def _by_host(streams: dict[str, ImportedStream], notes: Notes) -> list[list[ImportedStream]]:
    """Return the streams of each host, without those that are read below streams of others."""
    hosts: dict[str, list[ImportedStream]] = {}
    for name, each in streams.items():
        host = _host(each.base_url)
        above = [streams[parent] for parent in each.ancestors.values()]
        if any(_host(one.base_url) != host for one in above):
            notes.add("", f"the stream '{shown(name)}' is left out: its parent has another host.")
        else:
            hosts.setdefault(host, []).append(each)
    return sorted(hosts.values(), key=len, reverse=True) or [[]]


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


# --- the budget -----------------------------------------------------------------------------


def _rate_of(root: Component) -> float | None:
    """Return the requests per second that all policies allow; None without a limit."""
    budget = root.child("api_budget")
    if budget is None:
        return None
    policies = budget.children("policies")
    found = [rate for policy in policies for rate in _rates(policy)]
    if any(policy.get("matchers") for policy in policies) and found:
        budget.note("policies", "are for some requests each: the lowest rate counts for all.")
    budget.note_unread(silent=_SILENT_BUDGET)
    return min(found, default=None)


def _rates(policy: Component) -> Iterator[float]:
    if policy.kind == "UnlimitedCallRatePolicy":
        return
    is_fixed = policy.kind == "FixedWindowCallRatePolicy"
    words = _FIXED if is_fixed else _MOVING
    for part in [policy] if is_fixed else policy.children("rates"):
        limit = part.integer(words[0])
        duration = Duration.parse(part.text(words[1]) or "")
        if not limit or duration is None or duration.months:
            part.note("", "isn't a rate: set `requests_per_second`.")
            continue
        rate = limit / duration.rest.total_seconds()
        yield math.floor(rate * 1000) / 1000 if rate >= 1 else round(rate, 6)
