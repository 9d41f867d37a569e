"""The tables of streams and of fields in which rows and schemas disagreed."""

from __future__ import annotations

import typing as t
from itertools import groupby
from operator import attrgetter

from tap_analytics.reporting.numbers import duration, plural, rate
from tap_analytics.reporting.report.html import Markup, cell, row, table, tag, text_rows

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.reporting.report.summary import StreamSummary, Summary

#: The columns of figures by their keys, with those that stand out where they aren't zero.
FIGURES = {
    "rows": "Rows",
    "rate": "Rows/s",
    "pages": "Pages",
    "requests": "Requests",
    "retries": "Retries",
    "throttled": "Throttled",
    "repeats": "Repeated keys",
    "gone": "Parents gone",
}
NOTED = {"retries", "throttled", "repeats", "gone"}
HEADS = ("Stream", "Verdict", *FIGURES.values(), "Time")
TONES = {
    "verified": "good",
    "consistent": "good",
    "short": "bad",
    "failed": "bad",
    "unverified": "warn",
    "unfinished": "warn",
    "cut": "warn",
    "optional, failed": "warn",
}
#: Fields of one stream that the page shows; the JSON has all.
FIELDS = 50
CHANGES = {
    "added": "new, added to the schema",
    "dropped": "new, left out",
    "widened": "type widened",
    "mismatched": "values became null",
}


def streams_table(run: Summary) -> Markup:
    """Return a row for each stream, grouped by API, with a bar for when it ran."""
    streams = sorted(run.streams.values(), key=attrgetter("api", "name"))
    groups = (
        _group(api, list(members), max(run.seconds, 0.001))
        for api, members in groupby(streams, attrgetter("api"))
    )
    return table(HEADS, *groups, class_="streams", title="What became of each stream")


def _group(api: str, streams: list[StreamSummary], seconds: float) -> Iterator[Markup]:
    rows = plural(sum(each.rows for each in streams), "row")
    note = tag("span", f"{plural(len(streams), 'stream')}, {rows}")
    head = tag("th", api, " ", note, colspan=len(HEADS), scope="rowgroup")
    yield tag("tr", head, role="row", class_="group")
    for each in streams:
        yield row(
            each.name,
            cell(_chip(each), class_="verdict"),
            *_figures(each),
            _time(each, seconds),
            note=tag("small", each.doubt, class_="doubt") if each.doubt else None,
            data_stream=each.name,
        )


def _chip(stream: StreamSummary) -> Markup:
    is_complete = stream.status == "complete"
    text = (stream.verdict if is_complete else None) or stream.status
    if stream.optional and not is_complete:
        text = "optional, failed"
    link = "#failures" if stream.failure is not None else None
    return tag("a" if link else "span", text, href=link, class_=f"chip {TONES.get(text, 'plain')}")


def _figures(stream: StreamSummary) -> Iterator[Markup]:
    at_least = "" if stream.repeated_keys_exact or not stream.repeated_keys else "≥ "
    figures = {
        "rows": f"{stream.rows:,}",
        "rate": rate(stream.rows_per_second),
        "pages": f"{stream.pages:,}",
        "requests": f"{stream.requests:,}",
        "retries": f"{stream.retries:,}",
        "throttled": duration(stream.throttled_seconds) if stream.throttled_seconds else "0",
        "repeats": f"{at_least}{stream.repeated_keys:,}",
        "gone": f"{stream.parents_gone:,}",
    }
    for key, head in FIGURES.items():
        text = figures[key]
        tone = " zero" if text == "0" else " noted" if key in NOTED else ""
        yield cell(text, head, class_=f"number{tone}", data_figure=key)


def _time(stream: StreamSummary, seconds: float) -> Markup:
    bar = None
    if stream.began_after is not None:
        begin = min(stream.began_after / seconds, 1.0)
        width = max(min(stream.seconds / seconds, 1.0 - begin), 0.005)
        bar = tag("i", style=f"left:{begin:.2%};width:{width:.2%}")
    text = tag("span", duration(stream.seconds), class_="number")
    track = tag("span", bar, class_="track", aria_hidden="true")
    return tag("td", text, track, role="cell", class_="time")


def drift_table(run: Summary) -> Markup:
    """Return a row for each field, in the columns that hold anything."""
    rows = [("Stream", "Field", "What happened", "Type", "Values")]
    for stream in run.streams.values():
        for each in stream.drift[:FIELDS]:
            change = CHANGES.get(each.change, each.change)
            values = "" if each.values is None else f"{each.values:,}"
            rows.append((stream.name, each.field, change, each.type or "", values))
        if more := len(stream.drift[FIELDS:]):
            rows.append((stream.name, f"{more} more fields", "in the JSON", "", ""))
    columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
    heads, *cells = zip(*columns, strict=True)
    return table(heads, text_rows(heads, cells), class_="drift", title="Drift")
