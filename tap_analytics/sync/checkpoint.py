"""Resuming of interrupted streams: the position in the state, and whether it is still valid.

A position names the last page whose rows are written. The next run reads that page again and looks
for the page's last row. If it is there, the stream is resumed after it, with the same version. If
not, or if anything has changed that decides which rows are read or how they are written, the stream
is restarted. State is used only for the source, the API and account, it was made from.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime

from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL

from tap_analytics.errors import InputError
from tap_analytics.pagination.position import MEMBER, Checkpoint
from tap_analytics.records.bookmark import SOURCE
from tap_analytics.records.writer import ENCODER
from tap_analytics.transport.redaction import redact

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from singer_sdk.helpers.types import TapState

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.config.shard import Shard
    from tap_analytics.pagination.reader import PageReader
    from tap_analytics.sync.stream import StreamSync


@dataclass(frozen=True, slots=True)
class Checkpointer:
    """Resumes the reader of an interrupted stream, and saves its position for the next run."""

    sync: StreamSync
    reader: PageReader
    fingerprint: str

    def restore(self) -> None:
        """Resume the stream at the position in the state, if there is one that is still valid."""
        sync, logger = self.sync, self.sync.stream.logger
        hours = sync.stream.config.get("resume_within_hours", 0)
        bookmark = sync.run.state.get("bookmarks", {}).get(sync.stream.name, {})
        position = Checkpoint.from_state(bookmark, fingerprint=self.fingerprint, hours=hours)
        if position is None:
            return
        if not self.reader.resume(position):
            logger.warning("The saved position no longer exists; restarting the stream.")
            return
        logger.info("Resuming after row %d.", position.rows)
        sync.resume(position)

    def save(self) -> None:
        """Save the position after the current page in the state.

        The caller has held the writer's lock since before it wrote the page, so that no STATE is
        behind the records. A token that holds a credential, as some links do, is not saved.
        """
        sync = self.sync
        position = Checkpoint(
            **self.reader.place(repeats=sync.duplicates.count),
            version=sync.output.version.number,
            highest=None if sync.bookmark is None else sync.bookmark.highest,
            began=sync.began.isoformat(),
            fingerprint=self.fingerprint,
            source=sync.stream.connection.source,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        tokens = ENCODER.encode([position.token, position.checks]).decode()
        if redact(tokens) != tokens:
            return
        bookmarks = sync.run.state.setdefault("bookmarks", {})
        bookmarks.setdefault(sync.stream.name, {})[MEMBER] = position.to_state()


def begin_with(state: TapState, shard: Shard, *, known: Collection[str]) -> None:
    """Replace the bookmarks of a state by those the sync begins with; positions stay.

    Raises `InputError` for a shard with streams that are not `known`.
    """
    if unknown := shard.streams.keys() - known:
        streams = ", ".join(sorted(unknown))
        raise InputError(
            f"The shard reads streams this tap doesn't have: {streams}. Run it with the "
            "configuration and the catalog that `tap-analytics shards` was given."
        )
    own = state.get("bookmarks", {})
    positions = {name: mark[MEMBER] for name, mark in own.items() if MEMBER in mark}
    names = shard.bookmarks.keys() | positions.keys()
    state["bookmarks"] = {
        name: {
            **shard.bookmarks.get(name, {}),
            **({MEMBER: positions[name]} if name in positions else {}),
        }
        for name in names
    }


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
