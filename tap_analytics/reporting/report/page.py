"""The page: the summary of a run, in the order in which somebody asks for it."""

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
from tap_analytics.reporting.report.html import Markup, tag
from tap_analytics.reporting.report.tables import drift_table, streams_table
from tap_analytics.reporting.results import SHARED_CAUSES

if t.TYPE_CHECKING:
    from tap_analytics.reporting.report.summary import (
        ApiSummary,
        Charts,
        Failure,
        StreamSummary,
        Summary,
        UsedSetting,
    )

#: Nothing is loaded and nothing runs, whatever the summary holds.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
TONES = {"complete": "good", "failed": "bad", "stopped": "warn"}
VERDICTS = {
    "verified": "as many rows as the API's own total says",
    "consistent": "no total to compare with, but the API itself showed the end",
    "unverified": "nothing shows that these are all rows",
    "short": "fewer rows than the API's own total says",
}
CHARTS_NOTE = (
    "The area is the average in flight, the line above it the most at once; shaded are pauses that "
    "a 429 or a Retry-After asked for, marks at the foot are requests that failed."
)
SETTINGS_NOTE = "Bold are values that the configuration sets; the others are the defaults."


def page(run: Summary, *, json: str) -> str:
    """Return the page as HTML; `json` names the file with the same figures."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", f"{run.status.capitalize()} · {run.tap} · {_moment(run.began)}"),
        tag("style", Markup(Path(__file__).with_name("style.css").read_text("utf-8"))),
    )
    sections = _failures(run), _streams(run), _apis(run), _drift(run), _settings(run)
    footer = (
        f"Written by {run.tap} {run.version} when the run ended, {_moment(run.ended)}. "
        f"The same figures as JSON: {json}"
    )
    body = tag("body", _header(run), tag("main", *sections), tag("footer", footer))
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _moment(iso: str) -> str:
    return f"{datetime.fromisoformat(iso):%d %B %Y, %H:%M:%S} UTC".lstrip("0")


# --- the header -------------------------------------------------------------------------------


def _header(run: Summary) -> Markup:
    badge = tag("span", run.status.capitalize(), class_=f"badge {TONES.get(run.status, 'plain')}")
    return tag(
        "header",
        tag("p", f"{run.tap} {run.version}", class_="kicker"),
        tag("h1", badge, " ", tag("span", _headline(run))),
        tag(
            "p",
            tag("time", _moment(run.began), datetime=run.began),
            f", for {duration(run.seconds)}",
            class_="when",
        ),
        _tiles(run),
    )


def _headline(run: Summary) -> str:
    """Say in one sentence what became of the run."""
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


def _tiles(run: Summary) -> Markup:
    paused = sum(api.throttled_seconds for api in run.apis.values())
    pauses = plural(sum(api.throttled for api in run.apis.values()), "pause")
    repeats = sum(stream.repeated_keys for stream in run.streams.values())
    complete = f"{run.streams_complete} of {len(run.streams)}"
    tiles = (
        ("Rows", f"{run.rows:,}", f"{rate(run.rows / max(run.seconds, 0.001))} a second", "rows"),
        ("Streams", complete, "complete", "streams"),
        ("Requests", f"{run.requests:,}", plural(run.retries, "retry", "retries"), "requests"),
        ("Received", decimal(run.bytes), "as sent", "bytes"),
        ("Paused", duration(paused), f"{pauses} asked for", "paused"),
        ("Repeated keys", f"{repeats:,}", "came again", "repeats"),
        ("Exit code", str(run.exit_code), run.status, "exit-code"),
    )
    return tag(
        "dl",
        *(
            tag(
                "div",
                tag("dt", name),
                tag("dd", tag("b", value, data_figure=key), " ", tag("small", note)),
            )
            for name, value, note, key in tiles
        ),
        class_="tiles",
    )


# --- sections ---------------------------------------------------------------------------------


def _section(name: str, title: str, *inside: Markup | None, note: str = "") -> Markup:
    return tag(
        "section",
        tag("h2", title, id=f"{name}-title"),
        tag("p", note, class_="note") if note else None,
        *inside,
        id=name,
        aria_labelledby=f"{name}-title",
    )


def _failures(run: Summary) -> Markup | None:
    """Return each cause once, with the streams that failed by it."""
    causes: dict[tuple[str, str], list[tuple[StreamSummary, Failure]]] = {}
    for stream in run.streams.values():
        if (failure := stream.failure) is not None:
            shared = failure.cause in SHARED_CAUSES
            cause = (
                (stream.api, failure.cause or "") if shared else (failure.what, failure.what_to_do)
            )
            causes.setdefault(cause, []).append((stream, failure))
    if not causes:
        return None
    cards = tag("ol", *map(_cause, causes.values()), class_="causes")
    return _section("failures", "What went wrong", cards)


def _cause(failed: list[tuple[StreamSummary, Failure]]) -> Markup:
    failure = failed[0][1]
    optional = all(stream.optional for stream, _ in failed)
    # A single stream is shown with its path, which says where it was.
    names = [failure.where] if len(failed) == 1 else [stream.name for stream, _ in failed]
    to_do = failure.what_to_do
    return tag(
        "li",
        tag("p", failure.what, class_="what"),
        tag("p", tag("b", "What to do"), " ", to_do) if to_do else None,
        tag(
            "p",
            tag("b", "Optional, not extracted" if optional else "Not complete"),
            " ",
            *(tag("code", name) for name in names),
        ),
        class_="optional" if optional else None,
    )


def _streams(run: Summary) -> Markup:
    verdicts = Counter(stream.verdict for stream in run.streams.values())
    legend = [
        tag("div", tag("dt", f"{verdicts[verdict]} {verdict}"), tag("dd", meaning))
        for verdict, meaning in VERDICTS.items()
        if verdicts[verdict]
    ]
    return _section(
        "streams",
        "Streams",
        streams_table(run),
        tag("dl", *legend, class_="legend") if legend else None,
    )


def _apis(run: Summary) -> Markup | None:
    used = [(api, run.charts[name]) for name, api in run.apis.items() if api.requests]
    if not used:
        return None
    begin = min(0.0, *(charts.timeline.began_after for _, charts in used))
    axis = Axis(begin, max(run.seconds, 0.001))
    return _section("apis", "APIs", *(_api(*each, axis) for each in used), note=CHARTS_NOTE)


def _api(api: ApiSummary, charts: Charts, axis: Axis) -> Markup:
    statuses = ", ".join(f"{status} ({count:,})" for status, count in api.statuses.items())
    unanswered = api.requests - api.responses
    facts = (
        plural(api.requests, "request"),
        plural(api.retries, "retry", "retries") if api.retries else "",
        f"answered {statuses}" if statuses else "",
        f"{unanswered:,} without a response" if unanswered else "",
        decimal(api.bytes),
    )
    drawn = [requests_chart(api, charts.timeline, axis)]
    if charts.latency:
        drawn.append(latency_chart(api, charts.latency))
    return tag(
        "article",
        tag("h3", api.name, " ", tag("span", api.origin)),
        tag("p", " · ".join(filter(None, facts)), class_="facts"),
        tag("div", *drawn, class_="charts"),
        class_="api",
    )


def _drift(run: Summary) -> Markup:
    if not any(stream.drift for stream in run.streams.values()):
        return _section("drift", "Drift", note="The rows brought no field that the schemas lack.")
    return _section("drift", "Drift", drift_table(run))


def _settings(run: Summary) -> Markup:
    cards = [
        tag(
            "article",
            tag("h3", api or "All APIs"),
            tag("dl", *map(_setting, used), class_="settings"),
        )
        for api, used in groupby(run.settings, attrgetter("api"))
    ]
    return _section("settings", "Settings", tag("div", *cards, class_="scopes"), note=SETTINGS_NOTE)


def _setting(used: UsedSetting) -> Markup:
    value = used.value if used.is_default else tag("b", used.value)
    return tag("div", tag("dt", used.name), tag("dd", value))
