"""The settings: for all APIs, for each API, and `apis`."""

from __future__ import annotations

import typing as t

from singer_sdk import typing as th

from tap_analytics.config.settings.setting import JsonSchema, Setting, closed

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Upper bounds of numbers.
MOST, MOST_ROWS, MOST_RETRIES = 10**15, 1_000_000, 100
#: Seconds: about thirty years.
LONGEST = 10**9
#: Settings of every API block and every declared API.
COMMON: tuple[Setting, ...] = (
    Setting(
        "page_size",
        "Rows per page to ask for, instead of the API's usual number.",
        th.IntegerType(minimum=1, maximum=MOST_ROWS),
    ),
    Setting(
        "headers",
        "Further headers of every request.",
        th.ObjectType(additional_properties=th.StringType),
        secret=True,
    ),
    Setting(
        "requests_per_second",
        "Most requests per second, in any second; 0 means no cap.",
        th.NumberType(minimum=0, maximum=MOST_ROWS),
    ),
    Setting(
        "retry",
        "When and how often a failed request is tried again.",
        th.ObjectType(
            Setting(
                "max_retries",
                "Retries after the first attempt: 3 means 4 attempts.",
                th.IntegerType(minimum=0, maximum=MOST_RETRIES),
            ),
            Setting(
                "backoff_factor",
                "Seconds of the first wait; each further wait is twice as long.",
                th.NumberType(minimum=0, maximum=LONGEST),
            ),
            Setting(
                "retry_on_status_codes",
                "HTTP status codes worth another attempt.",
                th.ArrayType(th.IntegerType(minimum=400, maximum=599)),
            ),
            Setting(
                "max_retry_after",
                "Longest wait in seconds that a response may ask for; one that asks "
                "for more fails the stream.",
                th.NumberType(minimum=0, maximum=LONGEST),
            ),
            additional_properties=False,
        ),
    ),
    Setting(
        "optional_streams",
        "Streams whose 403 or 404 is reported but doesn't fail the run.",
        th.ArrayType(th.StringType(pattern=r"\S")),
    ),
)

#: Settings for all APIs.
TOP: tuple[Setting, ...] = (
    Setting(
        "start_date",
        "Where incremental streams begin when there is no bookmark.",
        th.DateTimeType,
        example="2026-01-31T00:00:00Z",
    ),
    Setting(
        "end_date",
        "Where incremental streams end, this instant excluded: backfills by window.",
        th.DateTimeType,
        example="2026-02-28T00:00:00Z",
    ),
    Setting(
        "lookback_seconds",
        "Incremental runs read this much again before the bookmark.",
        th.IntegerType(minimum=0, maximum=LONGEST),
        default=0,
    ),
    Setting(
        "concurrency",
        "Requests in flight per API; 1 is strictly serial.",
        th.IntegerType(minimum=1, maximum=1000),
        default=8,
    ),
    Setting(
        "rate_limit_store",
        "URL of a Redis or PostgreSQL server in which all processes that use the same credentials "
        "share `requests_per_second`, and the pause after a 429.",
        th.StringType(pattern=r"^(redis|rediss|postgres|postgresql)://"),
        title="Rate limit store",
        example="redis://localhost:6379/0",
        secret=True,
    ),
    Setting(
        "max_requests",
        "Maximum number of requests of a run, over all APIs, retries included; the next run "
        "continues from there. Streams are then read one after the other.",
        th.IntegerType(minimum=1, maximum=MOST),
    ),
    Setting(
        "max_records",
        "Maximum number of records per stream, for a preview; a stream that reaches it doesn't "
        "change the state.",
        th.IntegerType(minimum=1, maximum=MOST),
    ),
    Setting(
        "request_timeout",
        "Seconds within which a whole response must have arrived.",
        th.NumberType(exclusive_minimum=0, maximum=LONGEST),
        default=60,
    ),
    Setting(
        "on_unknown_field",
        "What happens to a field that neither catalog nor schema has: it extends the schema, is "
        "dropped with a warning, or fails the stream.",
        th.StringType(allowed_values=["evolve", "ignore", "fail"]),
        default="evolve",
    ),
    Setting(
        "on_type_mismatch",
        "What happens to a value whose type contradicts the schema: it passes unchanged, widens "
        "the type, goes to a column of its own (`<column>__<type>`), becomes null, or fails the "
        "stream. By default inferred types widen, and values of declared types pass.",
        th.StringType(allowed_values=["pass", "widen", "split", "null", "fail"]),
    ),
    Setting(
        "datetimes",
        "Whether date-times keep the offset the API wrote, or are turned into UTC for "
        "targets that drop offsets, which costs speed.",
        th.StringType(allowed_values=["as_written", "utc"]),
        default="as_written",
    ),
    Setting(
        "resume_within_hours",
        "Maximum age in hours of a checkpoint to resume from; 0 disables resuming.",
        th.NumberType(minimum=0, maximum=1_000_000),
        default=24,
    ),
    Setting(
        "on_shortfall",
        "What happens to a stream with fewer rows than the total the API gives.",
        th.StringType(allowed_values=["fail", "warn"]),
        default="fail",
    ),
    Setting(
        "on_unverified",
        "What happens to a stream that was read to its end without proof that it is complete.",
        th.StringType(allowed_values=["warn", "fail"]),
        default="warn",
    ),
    Setting(
        "max_response_mb",
        "Largest response accepted, in megabytes; a larger one fails the stream.",
        th.IntegerType(minimum=1, maximum=1_000_000),
        title="Max response MB",
        default=256,
    ),
    Setting("summary_path", "File or URL to write the result of a run to, as JSON."),
    Setting(
        "report_path",
        "File to write a report on a run to: an HTML page, and the same figures as JSON beside it.",
    ),
    Setting(
        "shard",
        "The part of a sync that the run reads: one of those that `tap-analytics shards` prints. "
        "It moves no bookmark and deletes nothing; `conclude` does, when all parts are there.",
        th.CustomType({"type": "object", "additionalProperties": True}),
    ),
    Setting(
        "conclude",
        "Folder or URL that holds `shards.json` and the summaries of the shards: instead of "
        "reading, the run concludes them.",
    ),
    Setting(
        "emit_activate_version_messages",
        "Whether full-table streams carry versions, so that a target can remove deleted rows.",
        th.BooleanType,
        title="Emit `ACTIVATE_VERSION` messages",
    ),
    Setting("user_agent", "The `User-Agent` header, instead of the tap's own."),
)

_SECRET: JsonSchema = {"type": "string", "secret": True}
_OBJECT: JsonSchema = {"type": ["object", "null"]}

#: Resources are read and checked in `declarations`.
_COMMON = closed(COMMON)["properties"]
_RETRY = {**_COMMON["retry"]["properties"], "wait_time_header": {"type": "string"}}
_DECLARED_API: JsonSchema = {
    "type": "object",
    "required": ["name", "client", "resources"],
    "properties": {
        "name": {"type": "string", "description": "First part of the API's stream names."},
        "client": {
            "type": "object",
            "required": ["base_url"],
            "properties": {
                "base_url": {"type": "string", "format": "uri"},
                "headers": {**_OBJECT, "secret": True},
                "auth": {
                    "type": ["object", "array", "null"],
                    "properties": dict.fromkeys(
                        (
                            *("api_key", "username", "password", "token"),
                            *("client_secret", "refresh_token"),
                            *("private_key", "private_key_passphrase"),
                        ),
                        _SECRET,
                    ),
                },
                "paginator": {"type": ["string", "object", "null"]},
            },
            "additionalProperties": False,
        },
        "resource_defaults": _OBJECT,
        "resources": {"type": "array", "items": {"type": ["string", "object"]}},
        **_COMMON,
        "retry": {**_COMMON["retry"], "properties": _RETRY},
    },
    "additionalProperties": False,
}

#: Declared APIs.
APIS = Setting(
    "apis",
    "Further REST APIs, described in the vocabulary of dlt's REST source.",
    th.ArrayType(th.CustomType(_DECLARED_API)),
    title="Declared APIs",
)


def block_schema(
    name: str, title: str, settings: Sequence[Setting], defaults: Mapping[str, t.Any]
) -> JsonSchema:
    """Return the schema of the block of an API: its own settings and the common ones.

    `defaults` are the API's defaults of the common settings.
    """
    schema = {
        "title": title,
        "description": f"Settings of the `{name}` streams, which are on when one has a value.",
        **closed((*settings, *COMMON)),
    }
    _set_defaults(schema["properties"], defaults)
    return schema


def _set_defaults(properties: JsonSchema, defaults: Mapping[str, t.Any]) -> None:
    for name, default in defaults.items():
        if isinstance(default, dict):
            _set_defaults(properties[name]["properties"], default)
        elif default is not None:
            properties[name]["default"] = default


def config_schema(blocks: Mapping[str, JsonSchema]) -> JsonSchema:
    """Return the schema of the whole configuration; `blocks` come from `block_schema`, by name."""
    return {
        "type": "object",
        "properties": {**blocks, **closed((APIS, *TOP))["properties"]},
        "additionalProperties": False,
    }
