"""Create the summary of a run that has ended.

Names of streams and fields, errors and settings are untrusted input: secrets and control characters
are removed from all strings in one place, when the summary is complete.
"""

from __future__ import annotations

import signal
import typing as t
from datetime import timedelta

import msgspec

from tap_analytics.config import settings
from tap_analytics.errors import explain
from tap_analytics.reporting.report.summary import (
    ApiSummary,
    Charts,
    Failure,
    FieldDrift,
    Latency,
    StreamSummary,
    Summary,
    UsedSetting,
)
from tap_analytics.transport.origin import origin_of
from tap_analytics.transport.redaction import clean_line

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_analytics.reporting.results import RunResult, StreamResult
    from tap_analytics.reporting.run import Run

#: Settings without an effect on the extraction.
HIDDEN = frozenset({"conclude", "report_path", "shard", "summary_path"})


def summarize(run: Run, ending: RunResult) -> Summary:
    """Return the summary of a run, without secrets and control characters."""
    results = sorted(run.results.values(), key=lambda result: result.name)
    streams = {result.name: _stream(run, result, ending) for result in results}
    apis = {name: _api(run, name) for name in run.apis}
    signum = run.stop.signum if ending.exit_code > 1 else None
    stopped = signum is not None or _is_out_of_requests(results)
    summary = Summary(
        tap=run.name,
        version=run.version,
        exit_code=ending.exit_code,
        seconds=round(ending.seconds, 3),
        rows=sum(stream.rows for stream in streams.values()),
        status="stopped" if stopped else "failed" if ending.exit_code else "complete",
        signal=signal.Signals(signum).name if signum else None,
        began=ending.began.isoformat(timespec="seconds"),
        ended=(ending.began + timedelta(seconds=ending.seconds)).isoformat(timespec="seconds"),
        requests=sum(api.requests for api in apis.values()),
        retries=sum(api.retries for api in apis.values()),
        bytes=sum(api.bytes for api in apis.values()),
        streams_complete=sum(stream.status == "complete" for stream in streams.values()),
        streams=streams,
        apis=apis,
        settings=list(_settings(run)),
        shard=None if run.shard is None else run.shard.name,
        charts={name: _charts(run, name, ending.started) for name in run.apis},
    )
    return msgspec.convert(_cleaned(msgspec.to_builtins(summary)), Summary)


def _is_out_of_requests(results: Iterable[StreamResult]) -> bool:
    """Whether streams are incomplete because of `max_requests`, and not of a failure."""
    fatal = any(result.failure and not result.is_optional for result in results)
    return not fatal and any(result.budget_exhausted for result in results)


def _cleaned(value: t.Any) -> t.Any:  # noqa: ANN401 - any part of the summary
    if isinstance(value, dict):
        return {_cleaned(name): _cleaned(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_cleaned(inner) for inner in value]
    return clean_line(value) if isinstance(value, str) else value


# --- streams ----------------------------------------------------------------------------------


def _stream(run: Run, result: StreamResult, ending: RunResult) -> StreamSummary:
    stats = run.stats_of(result)
    began = None if result.started is None else max(0.0, result.started - ending.started)
    # A stream interrupted by a signal may not have recorded its duration.
    seconds = result.seconds or (0.0 if began is None else max(0.0, ending.seconds - began))
    failure = result.failure
    return StreamSummary(
        name=result.name,
        api=result.api,
        status=result.status,
        verdict=result.verdict.value if result.done else None,
        doubt=result.doubt if result.done else None,
        rows=result.rows,
        pages=result.pages,
        requests=stats.requests,
        retries=stats.retries,
        parents_gone=result.parents_missing,
        parents_skipped=result.parents_skipped,
        repeated_keys=result.repeated_keys,
        repeated_keys_exact=result.repeated_keys_exact,
        type_mismatches=result.mismatches,
        seconds=round(seconds, 3),
        error=None if failure is None else explain(failure),
        failure=None if failure is None else _failure(failure, result.label),
        optional=result.is_optional,
        rows_per_second=round(result.rows / seconds, 1) if seconds else 0.0,
        bytes=stats.bytes,
        throttled_seconds=round(stats.paused.seconds, 3),
        began_after=None if began is None else round(began, 3),
        drift=list(_drift(result)),
        part=result.part,
    )


def _failure(error: Exception, label: str) -> Failure:
    return Failure(
        what=getattr(error, "what", "") or explain(error),
        where=label,
        what_to_do=getattr(error, "hint", ""),
        cause=getattr(error, "cause", None),
        http_status=getattr(error, "status", None),
    )


def _drift(result: StreamResult) -> Iterator[FieldDrift]:
    # Copies, because the thread of a stream may still be running after a signal.
    drift = result.drift
    widened, mismatches = {**drift.widened}, {**drift.mismatches}
    for name, kind in {**drift.added}.items():
        yield FieldDrift(field=name, change="added", type=kind)
    for name in {**drift.dropped}:
        yield FieldDrift(field=name, change="dropped")
    for name, kind in widened.items():
        yield FieldDrift(field=name, change="widened", type=kind, values=mismatches.get(name))
    for name in mismatches.keys() - widened:
        yield FieldDrift(field=name, change="mismatched", values=mismatches[name])


# --- APIs -------------------------------------------------------------------------------------


def _api(run: Run, name: str) -> ApiSummary:
    connection = run.connections[name]
    stats, throttle = connection.transport.stats, connection.throttle
    buckets = throttle.timeline().buckets
    latency = stats.latency
    return ApiSummary(
        name=name,
        title=connection.title,
        origin=origin_of(connection.base_url),
        requests=stats.requests,
        retries=stats.retries,
        throttled=throttle.throttled_count,
        throttled_seconds=round(sum(bucket.paused for bucket in buckets), 3),
        responses=stats.responses,
        bytes=stats.bytes,
        statuses=dict(sorted(stats.statuses.items())),
        concurrency=connection.concurrency,
        peak=max(bucket.peak for bucket in buckets),
        latency=Latency(
            p50=round(latency.quantile(0.5), 6),
            p95=round(latency.quantile(0.95), 6),
            max=round(latency.longest, 6),
            mean=round(latency.total / max(stats.responses, 1), 6),
        ),
    )


def _charts(run: Run, name: str, started: float) -> Charts:
    connection = run.connections[name]
    timeline = connection.throttle.timeline()
    counts = connection.transport.stats.latency.counts
    return Charts(
        began_after=round(timeline.began - started, 3),
        bucket_seconds=timeline.width,
        buckets=timeline.buckets,
        latency={step: count for step, count in enumerate(counts) if count},
    )


# --- settings ---------------------------------------------------------------------------------


def _settings(run: Run) -> Iterator[UsedSetting]:
    """Yield the settings for all APIs, then those of each.

    Values not known to be harmless are left out: credentials, headers and the SDK's own objects.
    """
    for setting in settings.TOP:
        value = run.config.get(setting.name)
        if value is not None and not setting.secret and setting.name not in HIDDEN:
            yield _used("", setting.name, value, is_default=value == setting.default)
    known = {setting.name for setting in settings.TOP} | {"apis", *run.apis}
    for name in sorted(run.config.keys() - known):
        if run.config[name] not in ({}, [], False, ""):
            yield _used("", name, "set", is_default=False)
    for api in run.apis:
        for name, value, is_default in run.connections[api].public_settings:
            yield _used(api, name, value, is_default=is_default)


def _used(api: str, name: str, value: object, *, is_default: bool) -> UsedSetting:
    return UsedSetting(api=api, name=name, value=_text(value), is_default=is_default)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None else str(value)
