"""Runs of the whole tap in this process, and APIs of a few lines on loopback to run it against."""

from __future__ import annotations

import contextlib
import io
import json
import typing as t
from collections import defaultdict
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from scripted_server import ScriptedServer, reply

from tap_analytics.errors import SyncFailedError
from tap_analytics.tap import TapAnalytics

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scripted_server import Received

STREAM = "shop_items"


class JsonApi(ScriptedServer):
    """Answers each request with what a function makes of its query: JSON, or bytes as they are."""

    def __init__(self, answer: Callable[[dict[str, str]], t.Any]) -> None:
        super().__init__(lambda received: self._reply(answer(query_of(received))))

    @staticmethod
    def _reply(answered: t.Any) -> bytes:
        return (
            answered if isinstance(answered, bytes) else reply(200, json.dumps(answered).encode())
        )

    @property
    def queries(self) -> list[dict[str, str]]:
        """The queries of all requests, in the order of their arrival."""
        return [query_of(received) for received in self.requests]

    @property
    def paths(self) -> list[str]:
        return [urlsplit(received.target).path for received in self.requests]


def query_of(received: Received) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(received.target).query, keep_blank_values=True))


def declared(origin: str, *, concurrency: int = 1, **resource: t.Any) -> dict[str, t.Any]:
    """Return a configuration with one declared API; `resource` is laid over its `items`."""
    endpoint = {"path": "/items", "data_selector": "data"} | resource.pop("endpoint", {})
    children = resource.pop("children", [])
    top = {name: resource.pop(name) for name in list(resource) if name in TOP}
    items = {"name": "items", "endpoint": endpoint, "primary_key": "id"} | resource
    shop = {
        "name": "shop",
        "client": {"base_url": origin},
        "retry": {"max_retries": 1, "backoff_factor": 0},
        "resources": [items, *children],
    }
    return {"apis": [shop], "concurrency": concurrency, **top}


TOP = (
    *("start_date", "end_date", "lookback_seconds", "on_unknown_field", "stream_maps"),
    *("stream_map_config", "batch_config", "flattening_enabled", "flattening_max_depth"),
    *("emit_activate_version_messages", "request_timeout", "on_shortfall", "on_unverified"),
)


@dataclass(frozen=True)
class Run:
    """What a run put out, and how it ended."""

    tap: TapAnalytics
    lines: list[bytes]
    error: Exception | None

    @property
    def messages(self) -> list[dict[str, t.Any]]:
        return [json.loads(line) for line in self.lines]

    def of(self, kind: str, stream: str = STREAM) -> list[dict[str, t.Any]]:
        """Return the messages of one type and stream."""
        return [m for m in self.messages if m["type"] == kind and m.get("stream") == stream]

    def records(self, stream: str = STREAM) -> list[dict[str, t.Any]]:
        return [message["record"] for message in self.of("RECORD", stream)]

    def ids(self, stream: str = STREAM) -> list[t.Any]:
        return [record["id"] for record in self.records(stream)]

    def properties(self, stream: str = STREAM) -> dict[str, t.Any]:
        """Return the properties of the last SCHEMA of a stream."""
        return self.of("SCHEMA", stream)[-1]["schema"]["properties"]

    @property
    def kinds(self) -> list[str]:
        """The types of the messages that belong to streams, in order."""
        return [message["type"] for message in self.messages if message["type"] != "STATE"]

    @property
    def state(self) -> dict[str, t.Any]:
        """The last STATE, as the next run would be given it."""
        states = [message["value"] for message in self.messages if message["type"] == "STATE"]
        return states[-1] if states else {}

    def bookmark(self, stream: str = STREAM) -> t.Any:
        return self.state.get("bookmarks", {}).get(stream, {}).get("replication_key_value")

    def failure(self, stream: str = STREAM) -> str:
        """Return why a stream failed; empty for one that did not."""
        failure = self.tap.run.results[stream].failure
        return "" if failure is None else f"{type(failure).__name__}: {failure}"

    def verdict(self, stream: str = STREAM) -> str:
        return self.tap.run.results[stream].verdict.value

    def timeless(self) -> dict[str, list[bytes]]:
        """Return the lines of each stream without STATE and without `time_extracted`."""
        by_stream = defaultdict(list)
        for line in self.lines:
            message = json.loads(line)
            if message["type"] != "STATE":
                by_stream[message["stream"]].append(line.partition(b',"time_extracted"')[0])
        return dict(by_stream)


def run(
    config: Mapping[str, t.Any],
    *,
    state: Mapping[str, t.Any] | None = None,
    catalog: Mapping[str, t.Any] | None = None,
    only: tuple[str, ...] = (),
) -> Run:
    """Sync in this process; `only` names the streams to select."""
    if only:
        catalog = select(catalog or discover(config), only)
    out = io.BytesIO()
    error: Exception | None = None
    with contextlib.redirect_stdout(io.TextIOWrapper(out, write_through=True)) as _:
        tap = TapAnalytics(config=dict(config), state=state, catalog=catalog)
        try:
            tap.sync_all()
        except SyncFailedError as failed:
            error = failed
        return Run(tap, out.getvalue().splitlines(), error)


def discover(config: Mapping[str, t.Any]) -> dict[str, t.Any]:
    return json.loads(TapAnalytics(config=dict(config)).catalog_json_text)


def select(catalog: Mapping[str, t.Any], names: tuple[str, ...]) -> dict[str, t.Any]:
    """Return a catalog in which only these streams are selected."""
    catalog = json.loads(json.dumps(catalog))
    for entry in catalog["streams"]:
        root = next(part for part in entry["metadata"] if part["breadcrumb"] == [])
        root["metadata"]["selected"] = entry["tap_stream_id"] in names
    return catalog


def deselect(catalog: Mapping[str, t.Any], stream: str, *path: str) -> dict[str, t.Any]:
    """Return a catalog in which a field of a stream, however deep, is deselected."""
    catalog = json.loads(json.dumps(catalog))
    crumb = [part for name in path for part in ("properties", name)]
    entry = next(each for each in catalog["streams"] if each["tap_stream_id"] == stream)
    found = [part for part in entry["metadata"] if part["breadcrumb"] == crumb]
    if not found:
        found = [{"breadcrumb": crumb, "metadata": {}}]
        entry["metadata"] += found
    found[0]["metadata"]["selected"] = False
    return catalog
