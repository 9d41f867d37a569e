"""The settings the tap itself knows: for all APIs, for each API, and the `apis` a user declares."""

from __future__ import annotations

import typing as t

from tap_analytics.config.settings.setting import JsonSchema, Setting, closed

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Bounds of what makes sense, so that no number is too large to count, to wait or to add with.
MOST, MOST_ROWS, MOST_RETRIES = 10**15, 1_000_000, 100
#: Seconds: about thirty years.
LONGEST = 10**9
#: What every API block and every declared API takes.
COMMON: tuple[Setting, ...] = (
    Setting(
        "page_size",
        "integer",
        "Rows per page to ask for, instead of the API's usual number.",
        minimum=1,
        maximum=MOST_ROWS,
    ),
    Setting(
        "headers",
        "object",
        "Further headers of every request.",
        secret=True,
        inside={"additionalProperties": {"type": "string"}},
    ),
    Setting(
        "requests_per_second",
        "number",
        "Most requests per second, in any second; 0 means no cap.",
        minimum=0,
        maximum=MOST_ROWS,
    ),
    Setting(
        "retry",
        "object",
        "When and how often a failed request is tried again.",
        parts=(
            Setting(
                "max_retries",
                "integer",
                "Retries after the first attempt: 3 means 4 attempts.",
                minimum=0,
                maximum=MOST_RETRIES,
            ),
            Setting(
                "backoff_factor",
                "number",
                "Seconds of the first wait; each further wait is twice as long.",
                minimum=0,
                maximum=LONGEST,
            ),
            Setting(
                "retry_on_status_codes",
                "array",
                "HTTP status codes worth another attempt.",
                inside={"items": {"type": "integer", "minimum": 400, "maximum": 599}},
            ),
            Setting(
                "max_retry_after",
                "number",
                "Longest wait in seconds that a response may ask for; one that asks "
                "for more fails the stream.",
                minimum=0,
                maximum=LONGEST,
            ),
        ),
    ),
    Setting(
        "optional_streams",
        "array",
        "Streams whose 403 or 404 is reported but doesn't fail the run.",
        inside={"items": {"type": "string", "pattern": r"\S"}},
    ),
)

#: What holds for all APIs.
TOP: tuple[Setting, ...] = (
    Setting(
        "start_date",
        "date-time",
        "Where incremental streams begin when there is no bookmark.",
        example="2026-01-31T00:00:00Z",
    ),
    Setting(
        "end_date",
        "date-time",
        "Where incremental streams end, this instant excluded: backfills by window.",
        example="2026-02-28T00:00:00Z",
    ),
    Setting(
        "lookback_seconds",
        "integer",
        "Incremental runs read this much again before the bookmark.",
        default=0,
        minimum=0,
        maximum=LONGEST,
    ),
    Setting(
        "concurrency",
        "integer",
        "Requests in flight per API; 1 is strictly serial.",
        default=8,
        minimum=1,
        maximum=1000,
    ),
    Setting(
        "max_requests",
        "integer",
        "Most requests a run sends, over all APIs, retries included; the next run goes "
        "on where they were spent. Streams are read one after the other then.",
        minimum=1,
        maximum=MOST,
    ),
    Setting(
        "max_records",
        "integer",
        "Most records of each stream, for a preview: a stream that is cut short by it "
        "leaves no trace in the state.",
        minimum=1,
        maximum=MOST,
    ),
    Setting(
        "request_timeout",
        "number",
        "Seconds within which a whole response must have arrived.",
        default=60,
        above=0,
        maximum=LONGEST,
    ),
    Setting(
        "on_unknown_field",
        "string",
        "What happens to a field that neither catalog nor schema knows: "
        "it extends the schema, is dropped with a warning, or fails the stream.",
        default="evolve",
        choices=("evolve", "ignore", "fail"),
    ),
    Setting(
        "on_type_mismatch",
        "string",
        "What happens to a value whose type contradicts the schema: it passes unseen, "
        "widens the type, goes to a column of its own (`<column>__<type>`), becomes null, or fails "
        "the stream. By default types that were inferred widen, and values of declared ones pass.",
        choices=("pass", "widen", "split", "null", "fail"),
    ),
    Setting(
        "datetimes",
        "string",
        "Whether date-times keep the offset the API wrote, or are turned into UTC for "
        "targets that drop offsets, which costs speed.",
        default="as_written",
        choices=("as_written", "utc"),
    ),
    Setting(
        "resume_within_hours",
        "number",
        "Age up to which a run that was cut is taken up where it ended; 0 never.",
        default=24,
        minimum=0,
        maximum=1_000_000,
    ),
    Setting(
        "on_shortfall",
        "string",
        "What a stream does that ends before the total the API gives.",
        default="fail",
        choices=("fail", "warn"),
    ),
    Setting(
        "on_unverified",
        "string",
        "What a stream does that is read to its end while nothing shows that these are all rows.",
        default="warn",
        choices=("warn", "fail"),
    ),
    Setting(
        "max_response_mb",
        "integer",
        "Largest response taken, in megabytes; a larger one fails the stream.",
        title="Max response MB",
        default=256,
        minimum=1,
        maximum=1_000_000,
    ),
    Setting("summary_path", "string", "File to write the outcome of a run to, as JSON."),
    Setting(
        "report_path",
        "string",
        "File to write a report on a run to: a page to look at, and the same figures "
        "as JSON beside it.",
    ),
    Setting(
        "emit_activate_version_messages",
        "boolean",
        "Whether full-table streams carry versions, so that a target can remove "
        "rows that are gone.",
        title="Emit `ACTIVATE_VERSION` messages",
    ),
    Setting("user_agent", "string", "The `User-Agent` header, instead of the tap's own."),
)

_SECRET: JsonSchema = {"type": "string", "secret": True}
_OBJECT: JsonSchema = {"type": ["object", "null"]}

#: Where to find the words of a resource: they are read, and checked, in `declarations`.
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
                    **_OBJECT,
                    "properties": dict.fromkeys(
                        ("api_key", "username", "password", "token", "client_secret"), _SECRET
                    ),
                },
                "paginator": {"type": ["string", "object", "null"]},
            },
            "additionalProperties": False,
        },
        "resource_defaults": _OBJECT,
        "resources": {"type": "array", "items": {"type": ["string", "object"]}},
        **closed(COMMON)["properties"],
    },
    "additionalProperties": False,
}

#: APIs the user describes.
APIS = Setting(
    "apis",
    "array",
    "Further REST APIs, described in the vocabulary of dlt's REST source.",
    title="Declared APIs",
    inside={"items": _DECLARED_API},
)


def block_schema(name: str, title: str, settings: Sequence[Setting]) -> JsonSchema:
    """Return the schema of an API's block: its own settings and those every block takes."""
    return {
        "type": "object",
        "title": title,
        "description": f"Settings of the `{name}` streams, which are on when one has a value.",
        **closed((*settings, *COMMON)),
    }


def config_schema(blocks: Mapping[str, JsonSchema]) -> JsonSchema:
    """Return the schema of the whole configuration; `blocks` come from `block_schema`, by name."""
    return {
        "type": "object",
        "properties": {**blocks, **closed((APIS, *TOP))["properties"]},
        "additionalProperties": False,
    }
