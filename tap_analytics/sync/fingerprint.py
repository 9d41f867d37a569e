"""Digests of what decides which rows are read and how they are written.

A run resumes, or skips, only what an earlier one has read with the same digest.
"""

from __future__ import annotations

import re
import typing as t

import msgspec

from tap_analytics.pagination.position import MEMBER
from tap_analytics.records.bookmark import SOURCE
from tap_analytics.records.digests import digest_of
from tap_analytics.transport.redaction import redact

if t.TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from singer_sdk.helpers.types import TapState

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.records.conform import Selection
    from tap_analytics.reporting.run import Run

#: Member of a stream's bookmark that says it was read to its end by a run with a budget.
FINISHED = "finished"
#: Settings, of the tap and of an API, that change neither which rows are read nor how they are
#: written. Settings not listed here count, so that a new one can't be forgotten.
IRRELEVANT = frozenset(
    {
        *("apis", "base_url", "concurrency", "max_records", "max_requests", "max_response_mb"),
        *("emit_activate_version_messages", "on_shortfall", "on_unverified", "optional_streams"),
        *("rate_limit_store", "report_path", "request_timeout", "requests_per_second"),
        *("resume_within_hours", "retry"),
        *("summary_path", "user_agent"),
    }
)
#: Names in `stream_map_config` of salts and the like, which must not be guessable from a digest.
_SALT = re.compile(r"seed|salt|pepper|secret|passw|token|(^|_)key$", re.IGNORECASE)
_CANONICAL = msgspec.json.Encoder(order="deterministic", enc_hook=str)


def fingerprint(state: TapState, definitions: Mapping[str, str]) -> str:
    """Return the digest of a tree of streams, from their bookmarks and definitions.

    `definitions` are digests by stream, made when the run began: fields found later don't count.
    """
    bookmarks, excluded = state.get("bookmarks", {}), {MEMBER, FINISHED, SOURCE}
    stored = [
        {name: value for name, value in bookmarks.get(stream, {}).items() if name not in excluded}
        for stream in definitions
    ]
    return _digest_of([[*definitions.values()], stored])


def definition_digest(stream: AnalyticsStream, run: Run, selection: Selection) -> str:
    """Return a digest of the settings and catalog that affect the rows of one stream.

    It is saved in the state, so it includes no secret: a short one could be guessed. Another key of
    the same account therefore changes nothing.
    """
    connection = stream.connection
    request = stream.endpoint(None).build(stream.paging.start())
    schema = {} if stream.is_sampled else {"schema": stream.effective_schema}
    headers = [*(connection.settings.get("headers") or {}).items(), *request.headers]
    parts = {
        "tap": run.version,
        "source": connection.source,
        "settings": _relevant(stream.config, besides=run.apis),
        "api": _relevant(connection.settings, besides={"headers"}),
        "stream": [stream.name, stream.selected, stream.primary_keys],
        "replication": [stream.replication_method, stream.replication_key, stream.versioned],
        "columns": sorted(selection.known),
        "deselected": sorted(crumb for crumb, kept in stream.mask.items() if not kept),
        "definition": {**schema, **stream.declaration},
        "paging": repr(stream.paging),
        "request": [request.method, request.target, (request.body or b"").decode()],
        "headers": [f"{name}: {value}" for name, value in headers],
    }
    return _digest_of(parts)


def _relevant(settings: Mapping[str, t.Any], *, besides: Collection[str]) -> dict[str, t.Any]:
    excluded = IRRELEVANT.union(besides)
    found = {name: value for name, value in settings.items() if name not in excluded}
    if isinstance(maps := found.get("stream_map_config"), dict):
        found["stream_map_config"] = {
            name: None if _SALT.search(name) else value for name, value in maps.items()
        }
    return found


def _digest_of(settings: object) -> str:
    return digest_of(redact(_CANONICAL.encode(settings).decode()))
