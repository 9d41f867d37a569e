"""A run of the tap: what it wrote and how it ended, and runs in this process."""

from __future__ import annotations

import contextlib
import io
import json
import re
import typing as t
from collections import Counter, defaultdict
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from tap_analytics.errors import SyncFailedError
from tap_analytics.tap import TapAnalytics

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STREAM = "shop_items"
TIME_EXTRACTED = re.compile(rb',"time_extracted":"[^"]+"')
LEVEL = re.compile(r"\b(DEBUG|INFO|WARNING|ERROR|CRITICAL)\b")


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
    """What a run wrote, and how it ended; `tap` and `error` are those of a run in this process."""

    code: int
    stdout: bytes
    stderr: str = ""
    tap: TapAnalytics | None = None
    error: Exception | None = None

    def __repr__(self) -> str:
        lines = [line for line in self.stderr.splitlines() if "| INFO " not in line]
        return f"Run(code={self.code}, {len(self.stdout)} bytes, {lines[:20]}, {self.error!r})"

    @property
    def lines(self) -> list[bytes]:
        return self.stdout.splitlines()

    @cached_property
    def messages(self) -> list[dict[str, t.Any]]:
        """The Singer messages, numbers with every digit they were written with."""
        return [json.loads(line, parse_float=Decimal) for line in self.lines]

    def of(self, kind: str, stream: str | None = STREAM) -> list[dict[str, t.Any]]:
        """Return the messages of one type, of one stream or of all."""
        return [
            message
            for message in self.messages
            if message["type"] == kind and stream in {None, message.get("stream")}
        ]

    def by_stream(self, kind: str) -> dict[str, list[dict[str, t.Any]]]:
        """Return the messages of one type by stream."""
        found = defaultdict(list)
        for message in self.of(kind, None):
            found[message["stream"]].append(message)
        return found

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
        """The last STATE, as the next run would be given it; empty where there was none."""
        states = self.of("STATE", None)
        return states[-1]["value"] if states else {}

    @property
    def bookmarks(self) -> dict[str, t.Any]:
        """Replication value by stream, as the last STATE has it."""
        return bookmarks(self.state)

    def bookmark(self, stream: str = STREAM) -> t.Any:
        return self.bookmarks.get(stream)

    def failure(self, stream: str = STREAM) -> str:
        """Return why a stream failed; empty for one that did not."""
        failure = self.tap.run.results[stream].failure
        return "" if failure is None else f"{type(failure).__name__}: {failure}"

    def verdict(self, stream: str = STREAM) -> str:
        return self.tap.run.results[stream].verdict.value

    @cached_property
    def streams(self) -> dict[str, list[bytes]]:
        """The lines of each stream, without the time they were extracted at."""
        found = defaultdict(list)
        for line, message in zip(self.lines, self.messages, strict=True):
            if message["type"] != "STATE":
                found[message["stream"]].append(TIME_EXTRACTED.sub(b"", line))
        return dict(found)

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.stdout.decode()

    @property
    def said(self) -> list[str]:
        """The lines of stderr."""
        return self.stderr.splitlines()

    def level(self, name: str) -> list[str]:
        """Return the texts of one level, without time and logger."""
        return [
            line.split("|", 3)[-1].strip()
            for line in self.said
            if (found := LEVEL.search(line)) and found[0] == name
        ]

    @property
    def errors(self) -> list[str]:
        """The texts of the ERROR lines."""
        return self.level("ERROR")

    @property
    def warnings(self) -> list[str]:
        """The texts of the WARNING lines."""
        return self.level("WARNING")


def bookmarks(state: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the replication values in a state by stream, whatever else it remembers."""
    kept = state.get("bookmarks", {}).items()
    key = "replication_key_value"
    return {name: mark[key] for name, mark in kept if key in mark}


def bag(rows: Iterable[t.Any]) -> Counter[str]:
    """Return rows as a countable collection."""
    return Counter(repr(plain(row)) for row in rows)


def plain(value: t.Any) -> t.Any:
    """Sort members, and write numbers as their value: 1.0 is 1."""
    if isinstance(value, dict):
        return sorted((name, plain(inner)) for name, inner in value.items())
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return f"{Decimal(value).normalize():f}"
    return value


def run(
    config: Mapping[str, t.Any],
    *,
    state: Mapping[str, t.Any] | None = None,
    catalog: Mapping[str, t.Any] | None = None,
    only: tuple[str, ...] = (),
) -> Run:
    """Sync in this process; `only` names the streams to select."""
    if only:
        catalog = select(catalog or discover(config), *only)
    out = io.BytesIO()
    error: Exception | None = None
    with contextlib.redirect_stdout(io.TextIOWrapper(out, write_through=True)) as _:
        tap = TapAnalytics(config=dict(config), state=state, catalog=catalog)
        try:
            tap.sync_all()
        except SyncFailedError as failed:
            error = failed
        return Run(int(error is not None), out.getvalue(), tap=tap, error=error)


def discover(config: Mapping[str, t.Any]) -> dict[str, t.Any]:
    return json.loads(TapAnalytics(config=dict(config)).catalog_json_text)


def everything(config: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return a catalog in which all streams are selected, also those that aren't by default."""
    catalog = discover(config)
    return select(catalog, *(entry["tap_stream_id"] for entry in catalog["streams"]))


def select(catalog: Mapping[str, t.Any], *names: str) -> dict[str, t.Any]:
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
