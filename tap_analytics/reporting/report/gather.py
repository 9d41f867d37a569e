"""Gathering the figures of a run, when the run has ended.

Text in them comes from outside: names of streams and fields, errors, settings. All of it is cleaned
in one place, where the value is complete, so that no field can be forgotten.
"""

from __future__ import annotations

import typing as t
from datetime import timedelta

import msgspec

from tap_analytics.errors import explain
from tap_analytics.reporting.report.contents import (
    Api,
    Chosen,
    Failure,
    Field,
    Latency,
    Moment,
    Status,
    Step,
    Stream,
    Timeline,
)
from tap_analytics.reporting.report.contents import (
    Run as Figures,
)
from tap_analytics.reporting.report.settings import chosen
from tap_analytics.transport import stats as recorded
from tap_analytics.transport.channel import origin_of
from tap_analytics.transport.redaction import clean_line
from tap_analytics.transport.stop import SIGNALS as ENDING

if t.TYPE_CHECKING:
    from tap_analytics.reporting.results import RunResult, StreamResult
    from tap_analytics.reporting.run import Run

SIGNALS = {each.value: each.name for each in ENDING}


def figures(run: Run, ending: RunResult) -> Figures:
    """Return the figures of a run that has ended, without secrets and control characters."""
    outcomes = sorted(run.results.values(), key=lambda outcome: outcome.name)
    streams = [_stream(run, outcome, ending) for outcome in outcomes]
    apis = [_api(run, name, ending) for name in run.apis]
    signum = run.stop.signum
    signal = None if signum is None else SIGNALS.get(signum, f"signal {signum}")
    stopped = signal is not None and ending.exit_code > 1
    spent = any(outcome.budget_exhausted for outcome in outcomes)
    failed = any(outcome.failure and not outcome.is_optional for outcome in outcomes)
    found = Figures(
        tap=run.name,
        version=run.version,
        status=(
            "stopped"
            if stopped or (spent and not failed)
            else "failed"
            if ending.exit_code
            else "complete"
        ),
        signal=signal if stopped else None,
        exit_code=ending.exit_code,
        began=ending.began.isoformat(timespec="seconds"),
        ended=(ending.began + timedelta(seconds=ending.seconds)).isoformat(timespec="seconds"),
        seconds=round(ending.seconds, 3),
        rows=sum(stream.rows for stream in streams),
        requests=sum(api.requests for api in apis),
        retries=sum(api.retries for api in apis),
        bytes=sum(api.bytes for api in apis),
        streams_complete=sum(stream.status == "complete" for stream in streams),
        streams=streams,
        apis=apis,
        settings=[
            Chosen(api=api, name=name, value=value, is_default=is_default)
            for api, name, value, is_default in chosen(run)
        ],
    )
    return msgspec.convert(_cleaned(msgspec.to_builtins(found)), Figures)


def _stream(run: Run, outcome: StreamResult, ending: RunResult) -> Stream:
    asked = run.stats_of(outcome)
    began = None if outcome.started is None else max(0.0, outcome.started - ending.started)
    # A stream that a signal met in its last page may not have taken stock.
    seconds = outcome.seconds or (0.0 if began is None else max(0.0, ending.seconds - began))
    return Stream(
        name=outcome.name,
        api=outcome.api,
        status=outcome.status,
        verdict=outcome.verdict.value if outcome.done else None,
        doubt=outcome.doubt if outcome.done else None,
        optional=outcome.is_optional,
        rows=outcome.rows,
        rows_per_second=round(outcome.rows / seconds, 1) if seconds else 0.0,
        pages=outcome.pages,
        requests=asked.requests,
        retries=asked.retries,
        bytes=asked.bytes,
        throttled_seconds=round(asked.paused.seconds, 3),
        repeated_keys=outcome.repeated,
        repeated_keys_exact=outcome.repeats_exact,
        parents_gone=outcome.parents_missing,
        type_mismatches=outcome.mismatches,
        began_after=None if began is None else round(began, 3),
        seconds=round(seconds, 3),
        error=None if outcome.failure is None else _failure(outcome.failure, outcome.label),
        drift=_drift(outcome),
    )


def _failure(error: Exception, label: str) -> Failure:
    return Failure(
        what=getattr(error, "what", "") or explain(error),
        where=label,
        what_to_do=getattr(error, "hint", ""),
        cause=getattr(error, "cause", None),
        http_status=getattr(error, "status", None),
    )


def _drift(outcome: StreamResult) -> list[Field]:
    # In copies: a stream that didn't heed a signal in time still writes here.
    drift, widened, mismatches = (
        outcome.drift,
        {**outcome.drift.widened},
        {**outcome.drift.mismatches},
    )
    return [
        *(Field(field=name, change="added", type=kind) for name, kind in [*drift.added.items()]),
        *(Field(field=name, change="dropped") for name in [*drift.dropped]),
        *(
            Field(field=name, change="widened", type=kind, values=mismatches.get(name))
            for name, kind in widened.items()
        ),
        *(
            Field(field=name, change="mismatched", values=count)
            for name, count in mismatches.items()
            if name not in widened
        ),
    ]


def _api(run: Run, name: str, ending: RunResult) -> Api:
    connection = run.connections[name]
    stats = connection.transport.stats
    flown = connection.throttle.timeline()
    return Api(
        name=name,
        title=connection.title,
        origin=origin_of(connection.base_url),
        requests=stats.requests,
        retries=stats.retries,
        answers=stats.responses,
        bytes=stats.bytes,
        statuses=[
            Status(status=status, answers=count) for status, count in sorted(stats.statuses.items())
        ],
        concurrency=connection.concurrency,
        peak=max(bucket.peak for bucket in flown.buckets),
        held_times=connection.throttle.throttled_count,
        held_seconds=round(sum(bucket.paused for bucket in flown.buckets), 3),
        latency=_latency(stats.latency),
        timeline=Timeline(
            began_after=round(flown.began - ending.started, 3),
            bucket_seconds=flown.width,
            buckets=[
                Moment(
                    sent=bucket.sent,
                    failed=bucket.failed,
                    peak=bucket.peak,
                    in_flight=round(bucket.busy / max(seconds, recorded.FINEST), 3),
                    held_seconds=round(bucket.paused, 4),
                )
                for bucket, seconds in flown.stretches()
            ],
        ),
    )


def _latency(measured: recorded.Latency) -> Latency:
    answers = sum(measured.counts)
    return Latency(
        p50=round(measured.quantile(0.5), 6),
        p95=round(measured.quantile(0.95), 6),
        max=round(measured.longest, 6),
        mean=round(measured.total / answers, 6) if answers else 0.0,
        steps=[
            Step(
                from_seconds=round(recorded.step_start(number), 6),
                to_seconds=round(recorded.step_start(number + 1), 6),
                answers=count,
            )
            for number, count in enumerate(measured.counts)
            if count
        ],
    )


def _cleaned(value: t.Any) -> t.Any:  # noqa: ANN401 - any part of the figures
    if isinstance(value, dict):
        return {name: _cleaned(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_cleaned(inner) for inner in value]
    return clean_line(value) if isinstance(value, str) else value
