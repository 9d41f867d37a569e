"""The report for people: a table per API, sentences below it, and the settings to change."""

from __future__ import annotations

import json
import typing as t

from rich.table import Table
from rich.text import Text

from tap_analytics.commands.doctor.findings import Level, Result, is_wrong, patch_of

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from tap_analytics.commands.doctor.findings import ApiReport, Finding, StreamReport

_STYLES = {
    Result.OK: "green",
    Result.WARNING: "yellow",
    Result.WRONG: "bold red",
    Result.UNCHECKED: "dim",
    Level.WRONG: "bold red",
    Level.WARNING: "yellow",
    Level.NOTE: "dim",
}
_CREDENTIAL = {
    True: "credential accepted",
    False: "credential refused",
    None: "credential not checked",
}


def as_data(apis: Sequence[ApiReport]) -> dict[str, t.Any]:
    """Return the report for programs."""
    return {
        "ok": not is_wrong(apis),
        "requests": sum(stream.requests for api in apis for stream in api.streams),
        "apis": [_api_data(api) for api in apis],
        "patch": patch_of(apis),
    }


def _api_data(api: ApiReport) -> dict[str, t.Any]:
    return {
        "name": api.name,
        "base_url": api.base_url,
        "credential_accepted": api.credential,
        "rate_headers": api.rate_headers,
        "findings": [
            _finding_data(finding) | {"streams": names} for finding, names in api.everything
        ],
        "streams": [_stream_data(stream) for stream in api.streams],
    }


def _stream_data(stream: StreamReport) -> dict[str, t.Any]:
    return {
        "name": stream.name,
        "path": stream.path,
        "result": stream.result.value,
        "requests": stream.requests,
        "rows": stream.rows,
        "paging": stream.paging or None,
        "total": stream.total,
        "key": stream.key or None,
        "bookmark": stream.bookmark or None,
        "not_checked": stream.unchecked or None,
        "findings": [_finding_data(finding) for finding in stream.findings],
    }


def _finding_data(finding: Finding) -> dict[str, t.Any]:
    return {"code": finding.code, "level": finding.level.value, "text": finding.text}


def parts(apis: Sequence[ApiReport]) -> Iterator[RenderableType]:
    """Yield what is printed, one thing after the other."""
    for api in apis:
        yield _heading(api)
        yield _table(api)
        yield _sentences(api)
        yield ""
    if patch := patch_of(apis):
        yield Text("Suggested settings, to be laid over yours:", style="bold")
        yield Text(json.dumps(patch, indent=2, ensure_ascii=False), no_wrap=True)
        yield ""
    yield _summary(apis)


def _heading(api: ApiReport) -> Text:
    told = [_CREDENTIAL[api.credential] if api.has_credential else "no credential is sent"]
    told += [f"{name}: {value}" for name, value in api.rate_headers.items()]
    return Text.assemble((api.name, "bold"), f" at {api.base_url}: {'; '.join(told)}.")


def _table(api: ApiReport) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("stream", overflow="fold")
    table.add_column("result")
    table.add_column("rows", justify="right")
    table.add_column("total", justify="right")
    for name in ("paging", "key", "bookmark"):
        table.add_column(name)
    for stream in api.streams:
        table.add_row(
            stream.name,
            Text(stream.result.value, style=_STYLES[stream.result]),
            "" if stream.rows is None else str(stream.rows),
            _total(stream),
            stream.paging,
            stream.key,
            stream.bookmark,
        )
    return table


def _total(stream: StreamReport) -> str:
    if stream.total is not None:
        return str(stream.total)
    return "none" if stream.rows else ""


def _sentences(api: ApiReport) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    everything = sorted(api.everything, key=lambda each: list(Level).index(each[0].level))
    for finding, names in everything:
        _add(grid, api, finding.level, names, finding.text)
    unchecked: dict[str, list[str]] = {}
    for stream in api.streams:
        if stream.unchecked:
            unchecked.setdefault(stream.unchecked, []).append(stream.name)
    for reason, names in unchecked.items():
        _add(grid, api, Level.NOTE, names, f"Not checked: {reason}.")
    return grid


def _add(grid: Table, api: ApiReport, level: Level, names: Sequence[str], text: str) -> None:
    where = "All streams" if 1 < len(names) == len(api.streams) else ", ".join(names)
    shown = f"{where}: {text}" if where else text
    grid.add_row(Text(level.value, style=_STYLES[level]), Text(shown))


def _summary(apis: Sequence[ApiReport]) -> Text:
    streams = [stream for api in apis for stream in api.streams]
    requests = sum(stream.requests for stream in streams)
    levels = [finding.level for api in apis for finding, _ in api.everything]
    found = [
        _count(levels.count(level), level.value if level is Level.WARNING else "fault")
        for level in (Level.WRONG, Level.WARNING)
        if level in levels
    ]
    asked = f"{_count(len(streams), 'stream')}, {_count(requests, 'request')}"
    return Text(f"{asked}: {', '.join(found) if found else 'all is well'}.", style="bold")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
