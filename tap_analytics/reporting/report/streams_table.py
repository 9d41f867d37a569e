"""The table of streams: a row each, grouped by API, with a bar for when each one ran."""

from __future__ import annotations

import typing as t
from itertools import groupby
from operator import attrgetter

from tap_analytics.reporting.report.format import count, duration, many, rate
from tap_analytics.reporting.report.markup import Markup, tag

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_analytics.reporting.report.contents import Run, Stream

HEADS = (
    "Stream",
    "Verdict",
    "Rows",
    "Rows/s",
    "PageFetcher",
    "Requests",
    "Retries",
    "Throttled",
    "Repeated keys",
    "Parents gone",
    "Time",
)
_TONES = {"verified": "good", "consistent": "good", "unverified": "warn", "short": "bad"}


def stream_table(run: Run) -> Markup:
    """Return the table; on a narrow page each row becomes a card, so its roles are told."""
    heads = (tag("th", head, scope="col", role="columnheader") for head in HEADS)
    by_api = groupby(sorted(run.streams, key=attrgetter("api", "name")), attrgetter("api"))
    groups = [(api, list(streams)) for api, streams in by_api]
    return tag(
        "table",
        tag("caption", "What became of each stream", class_="unseen"),
        tag("thead", tag("tr", *heads, role="row"), role="rowgroup"),
        *(_group(api, streams, run) for api, streams in groups),
        class_="streams",
        role="table",
    )


def _group(api: str, streams: list[Stream], run: Run) -> Markup:
    said = f"{many(len(streams), 'stream')}, {many(sum(each.rows for each in streams), 'row')}"
    title = tag("th", api, " ", tag("span", said), colspan=len(HEADS), scope="rowgroup")
    return tag(
        "tbody",
        tag("tr", title, role="row", class_="group"),
        *(_row(stream, run) for stream in streams),
        role="rowgroup",
    )


def _row(stream: Stream, run: Run) -> Markup:
    return tag(
        "tr",
        tag(
            "th",
            stream.name,
            tag("small", stream.doubt, class_="doubt") if stream.doubt else None,
            scope="row",
            role="rowheader",
        ),
        tag("td", _chip(stream), role="cell", class_="verdict"),
        *_figures(stream),
        _time(stream, run),
        role="row",
        data_stream=stream.name,
    )


def _chip(stream: Stream) -> Markup:
    if stream.status == "complete":
        word = stream.verdict or stream.status
        return tag("span", word, class_=f"chip {_TONES.get(word, 'plain')}")
    tone = {"failed": "bad", "unfinished": "warn", "cut": "warn"}.get(stream.status, "plain")
    if stream.optional:
        return tag("a", "optional, failed", href="#failures", class_="chip warn")
    if stream.error is not None:
        return tag("a", stream.status, href="#failures", class_=f"chip {tone}")
    return tag("span", stream.status, class_=f"chip {tone}")


def _figures(stream: Stream) -> Iterator[Markup]:
    at_least = "" if stream.repeated_keys_exact or not stream.repeated_keys else "≥ "
    cells: Iterable[tuple[str, float, str]] = (
        ("rows", stream.rows, count(stream.rows)),
        ("rate", stream.rows_per_second, rate(stream.rows_per_second)),
        ("pages", stream.pages, count(stream.pages)),
        ("requests", stream.requests, count(stream.requests)),
        ("retries", stream.retries, count(stream.retries)),
        ("throttled", stream.throttled_seconds, duration(stream.throttled_seconds)),
        ("repeats", stream.repeated_keys, f"{at_least}{count(stream.repeated_keys)}"),
        ("gone", stream.parents_gone, count(stream.parents_gone)),
    )
    for (key, value, text), head in zip(cells, HEADS[2:], strict=False):
        optional = key in {"retries", "throttled", "repeats", "gone"}
        tone = " noted" if value and optional else ""
        yield tag(
            "td",
            text,
            role="cell",
            class_=f"number{' zero' if not value else ''}{tone}",
            data_label=head,
            data_figure=key,
        )


def _time(stream: Stream, run: Run) -> Markup:
    whole = max(run.seconds, 0.001)
    begin = min((stream.began_after or 0.0) / whole, 1.0)
    length = min(stream.seconds / whole, 1.0 - begin)
    bar = tag("i", style=f"left:{begin:.2%};width:{max(length, 0.005):.2%}")
    return tag(
        "td",
        tag("span", duration(stream.seconds), class_="number"),
        tag(
            "span",
            bar if stream.began_after is not None else None,
            class_="track",
            aria_hidden="true",
        ),
        role="cell",
        class_="time",
    )
