"""The tables of streams and of schema drift."""

from __future__ import annotations

import typing as t
from itertools import groupby
from operator import attrgetter

from tap_analytics.reporting.numbers import duration, plural, rate
from tap_analytics.reporting.report.markup import Markup, html, table, text_table

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_analytics.reporting.report.summary import StreamSummary, Summary


def _repeats(stream: StreamSummary) -> str:
    is_exact = stream.repeated_keys_exact or not stream.repeated_keys
    return f"{'' if is_exact else '≥ '}{stream.repeated_keys:,}"


def _throttled(stream: StreamSummary) -> str:
    return duration(stream.throttled_seconds) if stream.throttled_seconds else "0 s"


#: The columns of figures: key, header and function that returns the text.
FIGURES: tuple[tuple[str, str, Callable[[StreamSummary], str]], ...] = (
    ("rows", "Rows", lambda stream: f"{stream.rows:,}"),
    ("rate", "Rows/s", lambda stream: rate(stream.rows_per_second)),
    ("pages", "Pages", lambda stream: f"{stream.pages:,}"),
    ("requests", "Requests", lambda stream: f"{stream.requests:,}"),
    ("retries", "Retries", lambda stream: f"{stream.retries:,}"),
    ("throttled", "Throttled", _throttled),
    ("repeats", "Repeated keys", _repeats),
    ("gone", "Parents gone", lambda stream: f"{stream.parents_gone:,}"),
)
#: Keys highlighted where they aren't zero.
NOTED = {"retries", "throttled", "repeats", "gone"}
HEADS = ("Stream", "Verdict", *(head for _, head, _ in FIGURES), "Time")
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
#: Maximum number of fields per stream on the page; the JSON has all of them.
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
    return table(HEADS, *groups, kind="streams", title="Result of each stream")


def _group(api: str, streams: list[StreamSummary], seconds: float) -> Iterator[Markup]:
    yield html(
        '<tr role="row" class="group"><th colspan="{}" scope="rowgroup">{} <span>{}, {}</span></th>'
        "</tr>",
        len(HEADS),
        api,
        plural(len(streams), "stream"),
        plural(sum(each.rows for each in streams), "row"),
    )
    for each in streams:
        yield html(
            '<tr role="row" data-stream="{0}"><th scope="row" role="rowheader">{0}{1}</th>'
            '<td role="cell" class="verdict">{2}</td>{3}<td role="cell" class="time">'
            '<span class="number">{4}</span><span class="track" aria-hidden="true">{5}</span></td>'
            "</tr>",
            each.name,
            html('<small class="doubt">{}</small>', each.doubt) if each.doubt else None,
            _chip(each),
            _figures(each),
            duration(each.seconds),
            _bar(each, seconds),
        )


def _chip(stream: StreamSummary) -> Markup:
    text = stream.status
    if text == "complete":
        text = stream.verdict or text
    elif stream.optional:
        text = "optional, failed"
    tone = TONES.get(text, "plain")
    if stream.failure is not None:
        return html('<a href="#failures" class="chip {}">{}</a>', tone, text)
    return html('<span class="chip {}">{}</span>', tone, text)


def _figures(stream: StreamSummary) -> Iterator[Markup]:
    for key, head, text_of in FIGURES:
        text = text_of(stream)
        tone = "zero" if text in {"0", "0 s"} else "noted" if key in NOTED else ""
        yield html(
            '<td role="cell" class="number {}" data-label="{}" data-figure="{}">{}</td>',
            *(tone, head, key, text),
        )


def _bar(stream: StreamSummary, seconds: float) -> Markup | None:
    if stream.began_after is None:
        return None
    begin = min(stream.began_after / seconds, 1.0)
    width = max(min(stream.seconds / seconds, 1.0 - begin), 0.005)
    return html('<i style="left:{};width:{}"></i>', f"{begin:.2%}", f"{width:.2%}")


def drift_table(run: Summary) -> Markup:
    """Return a row for each field, without empty columns."""
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
    return text_table(heads, cells, kind="drift", title="Drift")
