"""The summary of a run, written to `summary_path` and `report_path`.

docs/reference/summary.md explains each member. Their names are public and must not change.
"""

from __future__ import annotations

import msgspec

from tap_analytics.config.shard import PartResult, ShardName  # noqa: TC001 - part of the schema
from tap_analytics.transport.stats import Bucket  # noqa: TC001 - part of the schema


class Failure(msgspec.Struct, kw_only=True):
    """Why a stream isn't complete."""

    what: str
    where: str
    what_to_do: str
    cause: str | None
    http_status: int | None


class FieldDrift(msgspec.Struct, kw_only=True):
    """A field whose rows and schema differ."""

    field: str
    #: "added", "dropped", "widened" or "mismatched".
    change: str
    type: str | None = None
    values: int | None = None


class StreamSummary(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The result of a stream."""

    name: str
    api: str
    #: "complete", "cut" (short, by max_records), "failed" or "unfinished".
    status: str
    verdict: str | None
    doubt: str | None
    rows: int
    pages: int
    requests: int
    retries: int
    parents_gone: int
    parents_skipped: int
    repeated_keys: int
    repeated_keys_exact: bool
    type_mismatches: int
    seconds: float
    error: str | None
    failure: Failure | None
    #: Whether the failure is one that `optional_streams` accepts.
    optional: bool
    rows_per_second: float
    bytes: int
    throttled_seconds: float
    #: Seconds from the start of the run; None for a stream that was not started.
    began_after: float | None
    drift: list[FieldDrift]
    #: What a shard has read, for `tap-analytics conclude`; None for a run that is no shard.
    part: PartResult | None = None


class Latency(msgspec.Struct, kw_only=True):
    """Seconds from request to complete response; quantiles are accurate to within 9 %."""

    p50: float
    p95: float
    max: float
    mean: float


class ApiSummary(msgspec.Struct, kw_only=True):
    """The requests to an API and its responses."""

    name: str
    title: str
    origin: str
    requests: int
    retries: int
    throttled: int
    throttled_seconds: float
    responses: int
    bytes: int
    statuses: dict[int, int]
    concurrency: int
    #: Maximum number of requests in flight at once.
    peak: int
    latency: Latency


class UsedSetting(msgspec.Struct, kw_only=True):
    """A setting in effect; `api` is empty for a setting of all APIs."""

    api: str
    name: str
    value: str
    is_default: bool


class Charts(msgspec.Struct, kw_only=True):
    """Data of the charts of an API: requests in flight over time, and responses by latency."""

    #: Seconds from the start of the run; negative where schemas were sampled before it.
    began_after: float
    bucket_seconds: float
    buckets: list[Bucket]
    #: Number of responses by step of `transport.stats.Latency`.
    latency: dict[int, int]


class Summary(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The result of a run."""

    tap: str
    version: str
    exit_code: int
    seconds: float
    rows: int
    #: "complete", "failed" or "stopped".
    status: str
    signal: str | None
    began: str
    ended: str
    requests: int
    retries: int
    bytes: int
    streams_complete: int
    streams: dict[str, StreamSummary]
    apis: dict[str, ApiSummary]
    settings: list[UsedSetting]
    #: Only of a run that reads a shard.
    shard: ShardName | None = None
    #: By API; only in the report.
    charts: dict[str, Charts] = {}
