"""Resuming of interrupted streams: the position in the state, and whether it is still valid.

A position names the last page whose rows are written. The next run reads that page again and looks
for the page's last row. If it is there, the stream is resumed after it, with the same version. If
not, or if anything has changed that decides which rows are read or how they are written, the stream
is restarted. State is used only for the source, the API and account, it was made from.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
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
#: Settings, of the tap and of an API, that change neither which rows are read nor how they are
#: written. Settings not listed here count, so that a new one can't be forgotten.
IRRELEVANT = frozenset(
    {
        *("apis", "base_url", "concurrency", "max_records", "max_requests", "max_response_mb"),
        *("emit_activate_version_messages", "on_shortfall", "on_unverified", "optional_streams"),
        *("report_path", "request_timeout", "requests_per_second", "resume_within_hours", "retry"),
        *("summary_path", "user_agent"),
    }
)
#: Names in `stream_map_config` of salts and the like, which must not be guessable from a digest.
_SALT = re.compile(r"seed|salt|pepper|secret|passw|token|(^|_)key$", re.IGNORECASE)
_CANONICAL = msgspec.json.Encoder(order="deterministic", enc_hook=str)


@dataclass(frozen=True, slots=True)
class Checkpointer:
    """Resumes the reader of an interrupted stream, and saves its position for the next run."""

    stream: AnalyticsStream
    reader: PageReader
    state: TapState
    fingerprint: str

    def restore(self) -> Checkpoint | None:
        """Move the reader to the position in the state and return that, if it is valid."""
        stream = self.stream
        hours = stream.config.get("resume_within_hours", 0)
        bookmark = self.state.get("bookmarks", {}).get(stream.name, {})
        position = Checkpoint.from_state(bookmark, fingerprint=self.fingerprint, hours=hours)
        if position is None:
            return None
        if not self.reader.resume(position):
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
        """Save the position after the current page in the state.

        The caller has held the writer's lock since before it wrote the page, so that no STATE is
        behind the records. A token that holds a credential, as some links do, is not saved.
        """
        position = Checkpoint(
            **self.reader.place(repeats=repeats),
            version=version,
            highest=highest,
            began=began.isoformat(),
            fingerprint=self.fingerprint,
            source=self.stream.connection.source,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        tokens = ENCODER.encode([position.token, position.checks]).decode()
        if redact(tokens) != tokens:
            return
        bookmarks = self.state.setdefault("bookmarks", {})
        bookmarks.setdefault(self.stream.name, {})[MEMBER] = position.to_state()


def has_position(bookmark: Mapping[str, t.Any]) -> bool:
    """Whether the bookmark of a stream has a position."""
    position = bookmark.get(MEMBER)
    return isinstance(position, dict) and position.get("at") is not None


def forget(state: TapState, stream: str, *, member: str = MEMBER, overwrite: bool = False) -> None:
    """Remove the position of a stream, or its mark as finished, from the state.

    The bookmark stays, so that a full refresh doesn't reset an incremental stream. Meltano may
    merge states: a removed member would stay, and a null one could take no object any more. So with
    `overwrite`, the member is replaced by one without a time, which is not used.
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


# --- validity -------------------------------------------------------------------------------


def fingerprint(state: TapState, definitions: Mapping[str, str]) -> str:
    """Return a digest of what decides which rows are read and how they are written.

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


# --- sources ---------------------------------------------------------------------


def other_sources(streams: Iterable[AnalyticsStream], state: TapState) -> Iterator[str]:
    """Yield a warning for each source of the state that isn't that of this run."""
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
