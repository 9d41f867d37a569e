"""`tap-analytics doctor`: check the configuration against the servers and suggest settings."""

from __future__ import annotations

import json
import logging
import sys
import typing as t
from contextlib import nullcontext
from itertools import count

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tap_analytics.commands import base
from tap_analytics.commands.doctor.doctor import Doctor
from tap_analytics.commands.doctor.findings import LEVELS, is_wrong, patch_of
from tap_analytics.config.settings.checks import nearest
from tap_analytics.errors import InputError
from tap_analytics.reporting.numbers import plural

if t.TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from tap_analytics.commands.doctor.findings import ApiReport, Finding, StreamReport
    from tap_analytics.tap import TapAnalytics


def main(argv: Sequence[str]) -> int:
    """Check the configured APIs; return 1 if something is wrong."""
    parser = base.parser(
        "doctor",
        "Check each stream with a few requests: whether the configuration fits the API and a run "
        "would be complete. Suggests settings where not.",
    )
    parser.add_argument(
        "--stream", action="append", default=[], metavar="NAME", help="check only this stream"
    )
    return base.run(_examine, parser.parse_args(argv))


def _examine(options: argparse.Namespace) -> int:
    tap = base.open_tap(options, samples=False)
    # Warnings of a trial are in the report; each trial would log them again.
    logging.getLogger("tap-analytics").setLevel(logging.ERROR)
    tap.require_api()
    _check_names(tap, options.stream)
    by_default = [each for each in tap.streams.values() if each.selected_by_default]
    expected, number = len(options.stream or by_default), count(1)
    status = Console(stderr=True).status("") if sys.stderr.isatty() else nullcontext()
    with status as shown:

        def show_progress() -> None:
            text = f"{min(next(number), expected)} of {expected} streams checked"
            if shown is not None:
                shown.update(text)

        try:
            apis = Doctor(tap, only=options.stream, done=show_progress).run()
        finally:
            tap.connections.close()
    base.show(_data(apis), *_parts(apis), as_json=options.json)
    return int(is_wrong(apis))


def _check_names(tap: TapAnalytics, names: Sequence[str]) -> None:
    for name in names:
        if name not in tap.streams:
            near = nearest(name, tap.streams)
            hint = f"Did you mean {near}?" if near else f"Known: {', '.join(tap.streams)}."
            raise InputError(f"There is no stream {name}. {hint}")


# --- as data ----------------------------------------------------------------------------------


def _data(apis: Sequence[ApiReport]) -> dict[str, t.Any]:
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
            _finding_data(finding) | {"streams": names} for finding, names in api.all_findings
        ],
        "streams": [_stream_data(stream) for stream in api.streams],
    }


def _stream_data(stream: StreamReport) -> dict[str, t.Any]:
    return {
        "name": stream.name,
        "path": stream.path,
        "result": stream.result,
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
    return {"code": finding.code, "level": finding.level, "text": finding.text}


# --- as text ----------------------------------------------------------------------------------

_STYLES = {
    "ok": "green",
    "warning": "yellow",
    "wrong": "bold red",
    "not checked": "dim",
    "note": "dim",
}
_CREDENTIAL = {
    True: "credential accepted",
    False: "credential refused",
    None: "credential not checked",
}


def _parts(apis: Sequence[ApiReport]) -> Iterator[RenderableType]:
    for api in apis:
        yield _heading(api)
        yield _table(api)
        yield _sentences(api)
        yield ""
    if patch := patch_of(apis):
        yield Text("Suggested settings, to merge into yours:", style="bold")
        yield Text(json.dumps(patch, indent=2, ensure_ascii=False), no_wrap=True)
        yield ""
    yield _summary(apis)


def _heading(api: ApiReport) -> Text:
    known = [_CREDENTIAL[api.credential] if api.has_credential else "no credential is sent"]
    known += [f"{name}: {value}" for name, value in api.rate_headers.items()]
    return Text.assemble((api.name, "bold"), f" at {api.base_url}: {'; '.join(known)}.")


def _table(api: ApiReport) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("stream", overflow="fold")
    table.add_column("result")
    for name in ("rows", "total"):
        table.add_column(name, justify="right")
    for name in ("paging", "key", "bookmark"):
        table.add_column(name)
    for stream in api.streams:
        total = stream.total if stream.total is not None else "none" if stream.rows else ""
        table.add_row(
            stream.name,
            Text(stream.result, style=_STYLES[stream.result]),
            "" if stream.rows is None else str(stream.rows),
            str(total),
            stream.paging,
            stream.key,
            stream.bookmark,
        )
    return table


def _sentences(api: ApiReport) -> Table:
    lines = [(finding.level, finding.text, names) for finding, names in api.all_findings]
    lines.sort(key=lambda line: LEVELS.index(line[0]))
    unchecked: dict[str, list[str]] = {}
    for stream in api.streams:
        if stream.unchecked:
            unchecked.setdefault(stream.unchecked, []).append(stream.name)
    lines += [("note", f"Not checked: {why}.", names) for why, names in unchecked.items()]
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for level, text, names in lines:
        where = "All streams" if 1 < len(names) == len(api.streams) else ", ".join(names)
        grid.add_row(
            Text(level, style=_STYLES[level]),
            Text(f"{where}: {text}" if where else text),
        )
    return grid


def _summary(apis: Sequence[ApiReport]) -> Text:
    streams = [stream for api in apis for stream in api.streams]
    levels = [finding.level for api in apis for finding, _ in api.all_findings]
    counts = (("wrong", "problem"), ("warning", "warning"))
    found = [plural(levels.count(level), noun) for level, noun in counts if level in levels]
    requests = plural(sum(stream.requests for stream in streams), "request")
    verdict = ", ".join(found) or "no problems found"
    return Text(f"{plural(len(streams), 'stream')}, {requests}: {verdict}.", style="bold")
