"""The programs that are compared: how each is installed, configured and started."""

from __future__ import annotations

import json
import sys
import typing as t
from dataclasses import dataclass

from dataset import CHILD_SCHEMA, SCHEMA
from environments import HERE, python

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Config = dict[str, t.Any]


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is to be read: a path of the mock API, page by page."""

    url: str
    size: int
    #: `offset`, `offset-no-total`, `pages`, `links` or `cursor`; several streams read `/s0` and
    #: following.
    shape: str = "offset"
    streams: int = 1
    #: Whether two rows are to be read below each row.
    children: bool = False

    @property
    def style(self) -> str:
        """How pages are asked for."""
        return "cursor" if self.streams > 1 else self.shape.partition("-")[0]


class Contender(t.Protocol):
    """Prepares a command that reads a task; files it needs go into the folder."""

    def __call__(self, task: Task, folder: Path) -> Sequence[str]:
        """Return the command."""


def _written(folder: Path, name: str, content: object) -> str:
    path = folder / name
    path.write_text(json.dumps(content), "utf-8")
    return str(path)


# --- the tap --------------------------------------------------------------------------------


def tap_config(task: Task, *, concurrency: int) -> Config:
    """Return the tap's configuration: one declared API with full schemas."""
    paginators: Mapping[str, Config] = {
        "offset": {"type": "offset", "limit": task.size},
        "pages": {"type": "page_number", "base_page": 1, "limit": task.size},
        "links": {"type": "json_link", "next_url_path": "links.next", "limit": task.size},
        "cursor": {"type": "cursor", "cursor_path": "next", "limit": task.size},
    }
    names = [task.shape] if task.streams == 1 else [f"s{n}" for n in range(task.streams)]
    endpoint: Config = {"data_selector": "data", "paginator": paginators[task.style]}
    resources: list[Config] = [
        {"name": name.replace("-", "_"), "schema": SCHEMA, "endpoint": endpoint | {"path": name}}
        for name in names
    ]
    if task.children:
        resources[0] |= {"name": "parents", "endpoint": endpoint | {"path": "parents"}}
        below = {"path": "parents/{parent_id}/children", "data_selector": "data"}
        endpoint = below | {"paginator": "single_page"}
        resources.append({"name": "children", "schema": CHILD_SCHEMA, "endpoint": endpoint})
    api = {
        "name": "bench",
        "client": {"base_url": task.url},
        "resource_defaults": {"primary_key": "id"},
        "resources": resources,
    }
    return {"apis": [api], "concurrency": concurrency}


def tap(concurrency: int) -> Contender:
    """Return the tap at a concurrency."""

    def command(task: Task, folder: Path) -> list[str]:
        config = tap_config(task, concurrency=concurrency)
        path = _written(folder, f"tap-{concurrency}.json", config)
        return [sys.executable, "-m", "tap_analytics", "--config", path]

    return command


# --- the floor ------------------------------------------------------------------------------


def bare_loop(threads: int | None = None) -> Contender:
    """Return the bare loop, on threads where it is told a number of them."""

    def command(task: Task, folder: Path) -> list[str]:
        script = str(HERE / "bare_loop.py")
        width = [] if threads is None else [str(threads)]
        return [python("bare"), script, task.url, task.style, str(task.size), *width]

    return command


# --- the field ------------------------------------------------------------------------------


def stock_tap(task: Task, folder: Path) -> list[str]:
    """Return a tap as the SDK's template writes it."""
    config = {"base_url": task.url, "shape": task.style, "page_size": task.size}
    path = _written(folder, "stock.json", config)
    return [python("stock"), str(HERE / "stock_tap.py"), "--config", path]


def rest_api_msdk(task: Task, folder: Path) -> list[str]:
    """Return tap-rest-api-msdk by offset; it flattens rows, so it gets to infer its own schema."""
    config = {
        "api_url": task.url,
        "pagination_request_style": "simple_offset_paginator",
        "pagination_response_style": "offset",
        "pagination_page_size": task.size,
        "pagination_initial_offset": 0,
        "offset_records_jsonpath": "$.data",
        "streams": [
            {
                "name": "items",
                "path": "/offset",
                "records_path": "$.data[*]",
                "primary_keys": ["id"],
            }
        ],
    }
    path = _written(folder, "msdk.json", config)
    return [python("msdk", "tap-rest-api-msdk"), "--config", path]


def airbyte(task: Task, folder: Path) -> list[str]:
    """Return the Airbyte CDK's own command for low-code manifests."""
    by_offset = {"type": "OffsetIncrement", "page_size": task.size}
    by_cursor = {
        "type": "CursorPagination",
        "page_size": task.size,
        "cursor_value": "{{ response.next }}",
        "stop_condition": "{{ not response.next }}",
    }
    into = {"type": "RequestOption", "inject_into": "request_parameter"}
    stream = {
        "type": "DeclarativeStream",
        "name": "items",
        "primary_key": ["id"],
        "schema_loader": {"type": "InlineSchemaLoader", "schema": SCHEMA},
        "retriever": {
            "type": "SimpleRetriever",
            "requester": {"type": "HttpRequester", "url_base": task.url, "path": task.shape},
            "record_selector": {
                "type": "RecordSelector",
                "extractor": {"type": "DpathExtractor", "field_path": ["data"]},
            },
            "paginator": {
                "type": "DefaultPaginator",
                "page_size_option": into | {"field_name": "limit"},
                "page_token_option": into | {"field_name": task.style},
                "pagination_strategy": by_cursor if task.style == "cursor" else by_offset,
            },
        },
    }
    manifest = {
        "version": "7.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": ["items"]},
        "streams": [stream],
        "concurrency_level": {"type": "ConcurrencyLevel", "default_concurrency": 10},
        "spec": {"type": "Spec", "connection_specification": {"type": "object"}},
    }
    described = {
        "name": "items",
        "json_schema": SCHEMA,
        "supported_sync_modes": ["full_refresh"],
    }
    modes = {"sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}
    config = _written(folder, "airbyte.json", {"__injected_declarative_manifest": manifest})
    catalog = _written(folder, "catalog.json", {"streams": [{"stream": described} | modes]})
    program = python("airbyte", "source-declarative-manifest")
    return [program, "read", "--config", config, "--catalog", catalog]


def dlt(mode: str, *, check: bool = False) -> Contender:
    """Return dlt's REST API source, iterated or extracted."""

    def command(task: Task, folder: Path) -> list[str]:
        paginators: Mapping[str, Config] = {
            "offset": {"type": "offset", "limit": task.size, "total_path": "total"},
            "cursor": {"type": "cursor", "cursor_path": "next", "cursor_param": "cursor"},
        }
        endpoint = {
            "path": task.shape,
            "data_selector": "data",
            "params": {"limit": task.size} if task.style == "cursor" else {},
            "paginator": paginators[task.style],
        }
        config = {
            "client": {"base_url": task.url},
            "resources": [{"name": "items", "primary_key": "id", "endpoint": endpoint}],
        }
        path = _written(folder, "dlt.json", config)
        script = str(HERE / "dlt_source.py")
        pipelines = str(folder / "pipelines")
        return [python("dlt"), script, path, mode, pipelines, *(["check"] if check else [])]

    return command
