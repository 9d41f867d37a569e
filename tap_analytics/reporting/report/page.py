"""The report of a run as an HTML page."""

from __future__ import annotations

import typing as t
from collections import Counter
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from rich.filesize import decimal

from tap_analytics.reporting.numbers import duration, plural, rate
from tap_analytics.reporting.report.charts import Axis, latency_chart, requests_chart
from tap_analytics.reporting.report.markup import Markup, html
from tap_analytics.reporting.report.tables import drift_table, streams_table
from tap_analytics.reporting.results import SHARED_CAUSES

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.reporting.report.summary import (
        ApiSummary,
        Charts,
        Failure,
        StreamSummary,
        Summary,
        UsedSetting,
    )

FOLDER = Path(__file__).parent
TONES = {"complete": "good", "failed": "bad", "stopped": "warn"}
VERDICTS = {
    "verified": "as many rows as the API's own total says",
    "consistent": "no total to compare with, but the API itself showed the end",
    "unverified": "nothing shows that these are all rows",
    "short": "fewer rows than the API's own total says",
}
CHARTS_NOTE = (
    "The area is the average in flight, the line above it the most at once; shaded are pauses "
    "after a 429 or a Retry-After, marks at the bottom are requests that failed."
)
SETTINGS_NOTE = "Values in bold are set by the configuration; the others are defaults."


def page(run: Summary, *, json: str) -> str:
    """Return the page as HTML; `json` names the file with the same figures."""
    return html(
        (FOLDER / "page.html").read_text("utf-8"),
        title=f"{run.status.capitalize()} · {run.tap} · {_moment(run.began)}",
        style=Markup((FOLDER / "style.css").read_text("utf-8")),
        tap=run.tap,
        version=run.version,
        tone=TONES.get(run.status, "plain"),
        status=run.status.capitalize(),
        headline=_headline(run),
        began=run.began,
        moment=_moment(run.began),
        duration=duration(run.seconds),
        tiles=_tiles(run),
        sections=(_failures(run), _streams(run), _apis(run), _drift(run), _settings(run)),
        ended=_moment(run.ended),
        json=json,
    )


def _moment(iso: str) -> str:
    return f"{datetime.fromisoformat(iso):%d %B %Y, %H:%M:%S} UTC".lstrip("0")


def _headline(run: Summary) -> str:
    """Return one sentence on the result of the run."""
    streams = run.streams.values()
    whole, done = plural(len(streams), "stream"), run.streams_complete
    if run.status == "stopped":
        by = f"by {run.signal}" if run.signal else "at the limit max_requests,"
        return f"Stopped {by} with {done} of {whole} complete"
    if failed := sum(each.status == "failed" and not each.optional for each in streams):
        return f"{failed} of {whole} failed"
    if run.status == "failed":
        return f"The output could not be delivered; {done} of {whole} complete"
    if optional := sum(each.optional for each in streams):
        return f"{done} of {whole} complete, {optional} optional could not be read"
    if cut := sum(each.status == "cut" for each in streams):
        return f"{done} of {whole} complete, {cut} cut short by max_records"
    doubted = sum(each.doubt is not None for each in streams)
    who = "but" if doubted == len(streams) else str(doubted)
    lacking = f", {who} may lack rows" if doubted else ""
    return f"{f'All {whole}' if len(streams) > 1 else 'The stream is'} complete{lacking}"


def _tiles(run: Summary) -> Iterator[Markup]:
    paused = sum(api.throttled_seconds for api in run.apis.values())
    pauses = plural(sum(api.throttled for api in run.apis.values()), "pause")
    repeats = sum(stream.repeated_keys for stream in run.streams.values())
    complete = f"{run.streams_complete} of {len(run.streams)}"
    for tile in (
        ("Rows", "rows", f"{run.rows:,}", f"{rate(run.rows / max(run.seconds, 0.001))} a second"),
        ("Streams", "streams", complete, "complete"),
        ("Requests", "requests", f"{run.requests:,}", plural(run.retries, "retry", "retries")),
        ("Received", "bytes", decimal(run.bytes), "as sent"),
        ("Paused", "paused", duration(paused), f"in {pauses}"),
        ("Repeated keys", "repeats", f"{repeats:,}", "read more than once"),
        ("Exit code", "exit-code", run.exit_code, run.status),
    ):
        yield html(
            '<div><dt>{}</dt><dd><b data-figure="{}">{}</b> <small>{}</small></dd></div>', *tile
        )


# --- sections ---------------------------------------------------------------------------------


def _section(name: str, title: str, *inside: Markup, note: str = "") -> Markup:
    return html(
        '<section id="{0}" aria-labelledby="{0}-title"><h2 id="{0}-title">{1}</h2>{2}{3}</section>',
        name,
        title,
        html('<p class="note">{}</p>', note) if note else None,
        inside,
    )


def _failures(run: Summary) -> Markup | None:
    """Return each cause once, with the streams it failed."""
    causes: dict[tuple[str | None, str], list[tuple[StreamSummary, Failure]]] = {}
    for stream in run.streams.values():
        if (failure := stream.failure) is not None:
            shared = failure.cause in SHARED_CAUSES
            cause = (failure.cause, stream.api) if shared else (failure.what, failure.what_to_do)
            causes.setdefault(cause, []).append((stream, failure))
    if not causes:
        return None
    cards = html('<ol class="causes">{}</ol>', map(_cause, causes.values()))
    return _section("failures", "What went wrong", cards)


def _cause(failed: list[tuple[StreamSummary, Failure]]) -> Markup:
    failure = failed[0][1]
    optional = all(stream.optional for stream, _ in failed)
    to_do = failure.what_to_do
    # A single stream is shown with its path.
    names = [failure.where] if len(failed) == 1 else [stream.name for stream, _ in failed]
    return html(
        '<li class="{}"><p class="what">{}</p>{}<p><b>{}</b> {}</p></li>',
        "optional" if optional else "",
        failure.what,
        html("<p><b>What to do</b> {}</p>", to_do) if to_do else None,
        "Optional, not extracted" if optional else "Not complete",
        (html("<code>{}</code>", name) for name in names),
    )


def _streams(run: Summary) -> Markup:
    verdicts = Counter(stream.verdict for stream in run.streams.values())
    legend = [
        html("<div><dt>{} {}</dt><dd>{}</dd></div>", verdicts[verdict], verdict, meaning)
        for verdict, meaning in VERDICTS.items()
        if verdicts[verdict]
    ]
    legend = [html('<dl class="legend">{}</dl>', legend)] if legend else []
    return _section("streams", "Streams", streams_table(run), *legend)


def _apis(run: Summary) -> Markup | None:
    used = [(api, run.charts[name]) for name, api in run.apis.items() if api.requests]
    if not used:
        return None
    begin = min(0.0, *(charts.began_after for _, charts in used))
    axis = Axis(begin, max(run.seconds, 0.001))
    return _section("apis", "APIs", *(_api(*each, axis) for each in used), note=CHARTS_NOTE)


def _api(api: ApiSummary, charts: Charts, axis: Axis) -> Markup:
    statuses = ", ".join(f"{status} ({count:,})" for status, count in api.statuses.items())
    unanswered = api.requests - api.responses
    facts = (
        plural(api.requests, "request"),
        plural(api.retries, "retry", "retries") if api.retries else "",
        f"responses {statuses}" if statuses else "",
        f"{unanswered:,} without a response" if unanswered else "",
        decimal(api.bytes),
    )
    return html(
        '<article class="api"><h3>{} <span>{}</span></h3><p class="facts">{}</p>'
        '<div class="charts">{}{}</div></article>',
        api.name,
        api.origin,
        " · ".join(filter(None, facts)),
        requests_chart(api, charts, axis),
        latency_chart(api, charts.latency) if charts.latency else None,
    )


def _drift(run: Summary) -> Markup:
    if not any(stream.drift for stream in run.streams.values()):
        return _section("drift", "Drift", note="No row had a field that its schema lacks.")
    return _section("drift", "Drift", drift_table(run))


def _settings(run: Summary) -> Markup:
    cards = (
        html(
            '<article><h3>{}</h3><dl class="settings">{}</dl></article>',
            api or "All APIs",
            map(_setting, used),
        )
        for api, used in groupby(run.settings, attrgetter("api"))
    )
    scopes = html('<div class="scopes">{}</div>', cards)
    return _section("settings", "Settings", scopes, note=SETTINGS_NOTE)


def _setting(used: UsedSetting) -> Markup:
    value = used.value if used.is_default else html("<b>{}</b>", used.value)
    return html("<div><dt>{}</dt><dd>{}</dd></div>", used.name, value)
