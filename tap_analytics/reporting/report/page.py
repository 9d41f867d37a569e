"""The page: the figures of a run, in the order in which somebody asks for them."""

from __future__ import annotations

import typing as t
from collections import Counter
from functools import cache
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from tap_analytics.reporting.report.drift_table import drift_table
from tap_analytics.reporting.report.format import count, duration, many, moment, rate, size
from tap_analytics.reporting.report.latency_chart import latency
from tap_analytics.reporting.report.markup import Markup, tag
from tap_analytics.reporting.report.requests_chart import Axis, flight
from tap_analytics.reporting.report.streams_table import stream_table
from tap_analytics.reporting.results import SHARED_CAUSES

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.reporting.report.contents import Api, Chosen, Failure, Run, Stream

#: Nothing is loaded and nothing runs, whatever the figures hold.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
SETTINGS = "Bold are values that the configuration sets; the others are the defaults."
VERDICTS = {
    "verified": "as many rows as the API's own total says",
    "consistent": "no total to compare with, but the API itself showed the end",
    "unverified": "nothing shows that these are all rows",
    "short": "fewer rows than the API's own total says",
}


def page(run: Run, *, figures: str) -> str:
    """Return the page as HTML; `figures` names the file with the same figures as JSON."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", f"{_verdict(run)} · {run.tap} · {moment(run.began)}"),
        tag("style", _style()),
    )
    body = tag(
        "body",
        _header(run),
        tag(
            "main",
            _failures(run),
            _streams(run),
            _apis(run),
            _section("drift", "SchemaDrift", drift_table(run)),
            _settings(run),
        ),
        tag(
            "footer",
            f"Written by {run.tap} {run.version} when the run ended, {moment(run.ended)}. "
            f"The same figures as JSON: {figures}",
        ),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


@cache
def _style() -> Markup:
    return Markup(Path(__file__).with_name("style.css").read_text("utf-8"))


# --- the verdict ----------------------------------------------------------------------------


def _verdict(run: Run) -> str:
    return {"complete": "Complete", "failed": "Failed", "stopped": "Stopped"}.get(
        run.status, run.status
    )


def _sentence(run: Run) -> str:
    """Say in one sentence what became of the run."""
    whole, done = len(run.streams), run.streams_complete
    streams = many(whole, "stream")
    failed = sum(stream.status == "failed" and not stream.optional for stream in run.streams)
    optional = sum(stream.optional for stream in run.streams)
    if run.status == "stopped":
        by = f"by {run.signal}" if run.signal else "where max_requests was spent,"
        return f"Stopped {by} with {done} of {streams} complete"
    if failed:
        return f"{failed} of {streams} failed"
    if run.status == "failed":
        return f"The output could not be delivered; {done} of {streams} complete"
    if optional:
        return f"{done} of {streams} complete, {optional} optional could not be read"
    if cut := sum(stream.status == "cut" for stream in run.streams):
        return f"{done} of {streams} complete, {cut} cut short by max_records"
    doubted = sum(stream.doubt is not None for stream in run.streams)
    who = "but" if doubted == whole else str(doubted)
    lacking = f", {who} may lack rows" if doubted else ""
    return f"All {streams} complete{lacking}" if whole > 1 else f"The stream is complete{lacking}"


def _header(run: Run) -> Markup:
    return tag(
        "header",
        tag("p", f"{run.tap} {run.version}", class_="kicker"),
        tag(
            "h1",
            tag("span", _verdict(run), class_=f"badge {_tone(run.status)}"),
            " ",
            tag("span", _sentence(run)),
        ),
        tag(
            "p",
            tag("time", moment(run.began), datetime=run.began),
            f", for {duration(run.seconds)}",
            class_="when",
        ),
        tag("dl", *_tiles(run), class_="tiles"),
    )


def _tiles(run: Run) -> Iterator[Markup]:
    paused = sum(api.held_seconds for api in run.apis)
    pauses = sum(api.held_times for api in run.apis)
    repeats = sum(stream.repeated_keys for stream in run.streams)
    pace = run.rows / run.seconds if run.seconds else 0
    tiles = (
        ("Rows", count(run.rows), f"{rate(pace)} a second", "rows"),
        ("Streams", f"{run.streams_complete} of {len(run.streams)}", "complete", "streams"),
        ("Requests", count(run.requests), many(run.retries, "retry", "retries"), "requests"),
        ("Received", size(run.bytes), "as sent", "bytes"),
        ("Paused", duration(paused), many(pauses, "pause") + " asked for", "paused"),
        ("Repeated keys", count(repeats), "came again", "repeats"),
        ("Exit code", str(run.exit_code), _verdict(run).lower(), "exit-code"),
    )
    for name, value, note, key in tiles:
        yield tag(
            "div",
            tag("dt", name),
            tag("dd", tag("b", value, data_figure=key), " ", tag("small", note)),
        )


def _tone(status: str) -> str:
    return {"complete": "good", "failed": "bad", "stopped": "warn"}.get(status, "plain")


# --- sections -------------------------------------------------------------------------------


def _section(name: str, title: str, *inside: Markup | str, note: str = "") -> Markup:
    return tag(
        "section",
        tag("h2", title, id=f"{name}-title"),
        tag("p", note, class_="note") if note else None,
        *inside,
        id=name,
        aria_labelledby=f"{name}-title",
    )


def _failures(run: Run) -> Markup | None:
    """Tell each cause once, with the streams it cost."""
    causes: dict[tuple[str, str], list[Stream]] = {}
    for stream in run.streams:
        if stream.error is not None:
            causes.setdefault(_cause_of(stream.api, stream.error), []).append(stream)
    if not causes:
        return None
    cards = [_cause(lost) for lost in causes.values()]
    return _section("failures", "What went wrong", tag("ol", *cards, class_="causes"))


def _cause_of(api: str, error: Failure) -> tuple[str, str]:
    """Return what tells a cause from others, as the log does."""
    shared = error.cause in SHARED_CAUSES
    return (api, error.cause or "") if shared else (error.what, error.what_to_do)


def _cause(lost: list[Stream]) -> Markup:
    error = t.cast("Failure", lost[0].error)
    only_optional = all(stream.optional for stream in lost)
    # One stream stands with its path, which tells where it was.
    names = [error.where] if len(lost) == 1 else [stream.name for stream in lost]
    return tag(
        "li",
        tag("p", error.what, class_="what"),
        tag("p", tag("b", "What to do"), " ", error.what_to_do) if error.what_to_do else None,
        tag(
            "p",
            tag("b", "Optional, not extracted" if only_optional else "Not complete"),
            " ",
            *(tag("code", name) for name in names),
        ),
        class_="optional" if only_optional else None,
    )


def _streams(run: Run) -> Markup:
    verdicts = Counter(stream.verdict for stream in run.streams if stream.verdict)
    legend = [
        tag("div", tag("dt", f"{verdicts[verdict]} {verdict}"), tag("dd", meaning))
        for verdict, meaning in VERDICTS.items()
        if verdicts[verdict]
    ]
    return _section(
        "streams",
        "Streams",
        stream_table(run),
        tag("dl", *legend, class_="legend") if legend else "",
    )


def _apis(run: Run) -> Markup | None:
    used = [api for api in run.apis if api.requests]
    if not used:
        return None
    begin = min(0.0, *(api.timeline.began_after for api in used))
    axis = Axis(begin, max(run.seconds, 0.001))
    return _section(
        "apis",
        "APIs",
        *(_api(api, axis) for api in used),
        note="The area is the average in flight, the line above it the most at once; shaded are "
        "pauses that a 429 or a Retry-After asked for, marks at the foot are requests that failed.",
    )


def _api(api: Api, axis: Axis) -> Markup:
    statuses = ", ".join(f"{each.status} ({count(each.answers)})" for each in api.statuses)
    unanswered = api.requests - api.answers
    facts = (
        many(api.requests, "request"),
        many(api.retries, "retry", "retries") if api.retries else "",
        f"answered {statuses}" if statuses else "",
        f"{unanswered} without an answer" if unanswered else "",
        size(api.bytes),
    )
    return tag(
        "article",
        tag("h3", api.name, " ", tag("span", api.origin)),
        tag("p", " · ".join(fact for fact in facts if fact), class_="facts"),
        tag("div", flight(api, axis), latency(api) if api.answers else None, class_="charts"),
        class_="api",
    )


def _settings(run: Run) -> Markup:
    scopes = groupby(run.settings, attrgetter("api"))
    cards = [
        tag(
            "article",
            tag("h3", api or "All APIs"),
            tag("dl", *map(_setting, each), class_="settings"),
        )
        for api, each in scopes
    ]
    return _section("settings", "Settings", tag("div", *cards, class_="scopes"), note=SETTINGS)


def _setting(chosen: Chosen) -> Markup:
    return tag(
        "div",
        tag("dt", chosen.name),
        tag("dd", chosen.value if chosen.is_default else tag("b", chosen.value)),
    )
