"""The figures of a run as a value: what the page shows and the JSON file holds."""

from __future__ import annotations

import msgspec


class Failure(msgspec.Struct, kw_only=True):
    """Why a stream isn't complete: what, where and what to do about it."""

    what: str
    where: str
    what_to_do: str
    cause: str | None
    http_status: int | None


class Field(msgspec.Struct, kw_only=True):
    """A field in which the rows and the schema disagreed; `values` counts where there is one."""

    field: str
    #: "added", "dropped", "widened" or "mismatched".
    change: str
    type: str | None = None
    values: int | None = None


class Stream(msgspec.Struct, kw_only=True):
    """What became of a stream."""

    name: str
    api: str
    #: "complete", "cut" (short, by max_records), "failed" or "unfinished".
    status: str
    #: What a complete stream can say of its completeness.
    verdict: str | None
    #: Why rows may be missing, so that nothing was deleted and no bookmark moved.
    doubt: str | None
    #: Whether the failure is one the settings accept.
    optional: bool
    rows: int
    rows_per_second: float
    pages: int
    requests: int
    retries: int
    bytes: int
    throttled_seconds: float
    repeated_keys: int
    repeated_keys_exact: bool
    parents_gone: int
    type_mismatches: int
    #: Seconds from the beginning of the run; None for a stream whose turn never came.
    began_after: float | None
    seconds: float
    error: Failure | None
    drift: list[Field]


class Moment(msgspec.Struct, kw_only=True):
    """A stretch of time, as long as `bucket_seconds` of its timeline."""

    sent: int
    failed: int
    peak: int
    #: On average, over the stretch.
    in_flight: float
    held_seconds: float


class Timeline(msgspec.Struct, kw_only=True):
    """Requests in flight over time."""

    #: Seconds from the beginning of the run; below zero where schemas were sampled before it.
    began_after: float
    bucket_seconds: float
    buckets: list[Moment]


class Step(msgspec.Struct, kw_only=True):
    """Answers that took so long, the upper end excluded."""

    from_seconds: float
    to_seconds: float
    answers: int


class Latency(msgspec.Struct, kw_only=True):
    """How long answers took; quantiles are right to within a step."""

    p50: float
    p95: float
    max: float
    mean: float
    steps: list[Step]


class Status(msgspec.Struct, kw_only=True):
    """How often an HTTP status was answered."""

    status: int
    answers: int


class Api(msgspec.Struct, kw_only=True):
    """What an API was asked, and how it answered."""

    name: str
    title: str
    origin: str
    requests: int
    retries: int
    answers: int
    bytes: int
    statuses: list[Status]
    concurrency: int
    peak: int
    held_times: int
    held_seconds: float
    latency: Latency
    timeline: Timeline


class Chosen(msgspec.Struct, kw_only=True):
    """A setting that shaped the run; one for all APIs names none."""

    api: str
    name: str
    value: str
    is_default: bool


class Run(msgspec.Struct, kw_only=True):
    """A run and everything the report tells of it."""

    tap: str
    version: str
    #: "complete", "failed" or "stopped".
    status: str
    signal: str | None
    exit_code: int
    began: str
    ended: str
    seconds: float
    rows: int
    requests: int
    retries: int
    bytes: int
    streams_complete: int
    streams: list[Stream]
    apis: list[Api]
    settings: list[Chosen]
