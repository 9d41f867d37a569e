"""Resuming of interrupted streams: the position in the state, and whether it is still valid.

A position names the last page whose rows are written. The next run reads that page again and looks
for the row that ended it: if the row is there, the stream is resumed after it, under the same
version; if not, or if anything has changed that decides which rows are wanted or how they go out,
it is restarted. State belongs to the source it was made from, and is not used for another one.
"""

from __future__ import annotations

import re
import typing as t
from datetime import UTC, datetime

import msgspec
from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL

from tap_analytics.pagination.position import MEMBER, Checkpoint
from tap_analytics.records.bookmark import SOURCE
from tap_analytics.records.digests import digest_of
from tap_analytics.records.writer import ENCODER
from tap_analytics.transport.redaction import redact

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from singer_sdk.helpers.types import TapState

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.pagination.reader import PageReader
    from tap_analytics.records.conform import Selection
    from tap_analytics.reporting.run import Run

#: Member of a stream's bookmark that says it was read to its end by a run with a budget.
FINISHED = "finished"
#: Settings, of the tap and of an API, that decide neither which rows are wanted nor how they go
#: out. What is not listed counts, so that no new setting is forgotten.
INDIFFERENT = frozenset(
    {
        *("apis", "base_url", "concurrency", "max_records", "max_requests", "max_response_mb"),
        *("emit_activate_version_messages", "on_shortfall", "on_unverified", "optional_streams"),
        *("report_path", "request_timeout", "requests_per_second", "resume_within_hours", "retry"),
        *("summary_path", "user_agent"),
    }
)
#: Names in `stream_map_config` of what hashes are made with, which nobody is to find by trying.
_SALT = re.compile(r"seed|salt|pepper|secret|passw|token|(^|_)key$", re.IGNORECASE)
_CANONICAL = msgspec.json.Encoder(order="deterministic", enc_hook=str)


class Checkpointer:
    """Resumes the reader of a stream where it was cut, and saves its position for the next run."""

    def __init__(
        self, stream: AnalyticsStream, reader: PageReader, state: TapState, fingerprint: str
    ) -> None:
        self._stream = stream
        self._reader = reader
        self._state = state
        self._fingerprint = fingerprint

    def restore(self) -> Checkpoint | None:
        """Move the reader after the position in the state and return it, if it is valid."""
        stream = self._stream
        hours = stream.config.get("resume_within_hours", 0)
        bookmark = self._state.get("bookmarks", {}).get(stream.name, {})
        position = Checkpoint.from_state(bookmark, fingerprint=self._fingerprint, hours=hours)
        if position is None:
            return None
        if not self._reader.resume(position):
            stream.logger.warning("The saved position no longer exists; restarting the stream.")
            return None
        stream.logger.info("Resuming after row %d.", position.rows)
        return position

    def save(
        self,
        *,
        version: int | None,
        highest: t.Any,  # noqa: ANN401 - a value of the replication key
        began: datetime,
        repeats: int,
    ) -> None:
        """Put the page in hand into the state.

        The caller holds the writer's lock since before it wrote the page, so that no STATE says
        less than the target has. A token that holds a credential, as some links do, stays out.
        """
        position = Checkpoint(
            **self._reader.place(repeats=repeats),
            version=version,
            highest=highest,
            began=began.isoformat(),
            fingerprint=self._fingerprint,
            source=self._stream.connection.source,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        tokens = ENCODER.encode([position.token, position.checks]).decode()
        if redact(tokens) != tokens:
            return
        bookmarks = self._state.setdefault("bookmarks", {})
        bookmarks.setdefault(self._stream.name, {})[MEMBER] = position.to_state()


def has_position(bookmark: Mapping[str, t.Any]) -> bool:
    """Whether the bookmark of a stream has a position in use."""
    position = bookmark.get(MEMBER)
    return isinstance(position, dict) and position.get("at") is not None


def forget(state: TapState, stream: str, *, member: str = MEMBER, overwrite: bool = False) -> None:
    """Take the position of a stream, or its mark as finished, out of the state.

    A bookmark stays: a full refresh now and then does not cost an incremental stream its place.
    Where Meltano merges states, a member that is not there would stay, and one that is null could
    take no object any more: one that must not be used is overwritten, by one that has no time.
    """
    bookmarks = state.get("bookmarks", {})
    bookmark = bookmarks.get(stream, {})
    if member not in bookmark:
        return
    if overwrite:
        bookmark[member] = {"at": None}
        return
    del bookmark[member]
    if not bookmark:
        del bookmarks[stream]


# --- what holds -------------------------------------------------------------------------------


def fingerprint(state: TapState, definitions: Mapping[str, str]) -> str:
    """Return a digest of what decides which rows are wanted and how they go out, as it is now.

    Settings and catalog are those the run began with: the next one begins with the same, whatever
    fields are found meanwhile, which `definitions` has by stream. Bookmarks are those in the state.
    """
    bookmarks, places = state.get("bookmarks", {}), {MEMBER, FINISHED, SOURCE}
    stored = [
        {name: value for name, value in bookmarks.get(stream, {}).items() if name not in places}
        for stream in definitions
    ]
    return _digest_of([[*definitions.values()], stored])


def definition_digest(stream: AnalyticsStream, run: Run, selection: Selection) -> str:
    """Return a digest of the settings and catalog that affect the rows of one stream.

    It stands in the state, so no secret takes part in it: one that is short could be found by
    trying. Another key of the same account therefore changes nothing.
    """
    connection = stream.connection
    request = stream.endpoint(None).build(stream.paging.start())
    schema = {} if stream.is_sampled else {"schema": stream.effective_schema}
    headers = [*(connection.settings.get("headers") or {}).items(), *request.headers]
    parts = {
        "tap": run.version,
        "source": connection.source,
        "settings": _deciding(stream.config, besides=run.apis),
        "api": _deciding(connection.settings, besides={"headers"}),
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


def _deciding(settings: Mapping[str, t.Any], *, besides: Collection[str]) -> dict[str, t.Any]:
    left_out = INDIFFERENT.union(besides)
    found = {name: value for name, value in settings.items() if name not in left_out}
    if isinstance(maps := found.get("stream_map_config"), dict):
        found["stream_map_config"] = {
            name: None if _SALT.search(name) else value for name, value in maps.items()
        }
    return found


def _digest_of(settings: object) -> str:
    return digest_of(redact(_CANONICAL.encode(settings).decode()))


# --- where state was made ---------------------------------------------------------------------


def other_sources(streams: Iterable[AnalyticsStream], state: TapState) -> Iterator[str]:
    """Yield a line for each source other than that of this run which the state was made from."""
    found: dict[tuple[str, str], list[str]] = {}
    for stream in streams:
        bookmark = state.get("bookmarks", {}).get(stream.name, {})
        keyed = stream.replication_method == REPLICATION_INCREMENTAL
        made = bookmark if keyed and SOURCE in bookmark else bookmark.get(MEMBER)
        there = made.get(SOURCE) if isinstance(made, dict) else None
        here = stream.connection.source
        if there not in (None, here):
            found.setdefault((_named(there), _named(here)), []).append(stream.name)
    for (made_from, read), names in found.items():
        yield (
            f"The state of {', '.join(names)} was made from {made_from} and is not used: this run "
            f"reads {read}, from the start."
        )


def _named(source: object) -> str:
    if not isinstance(source, dict) or not source.get("account"):
        return str(source.get("base_url") if isinstance(source, dict) else source)
    return f"{source.get('base_url')} (account {source['account']})"
