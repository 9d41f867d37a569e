"""Resuming of streams that are read as several lists: one for each value, or for each window.

The position of such a stream names the last list that was read to its end, if all lists up to it
were complete. The next run leaves these out and reads the list after it from its start.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, islice

from tap_analytics.pagination.completeness import Finding, Verdict
from tap_analytics.pagination.position import MEMBER, Checkpoint
from tap_analytics.records.digests import digest_of

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from singer_sdk.helpers.types import Context

    from tap_analytics.pagination import PageToken
    from tap_analytics.sync.stream import StreamSync


class OneList(t.Protocol):
    """A list of a stream: what belongs to a context, in a window."""

    @property
    def context(self) -> Context | None:
        """The values of placeholders."""

    @property
    def window(self) -> PageToken | None:
        """The parameters of the window."""


L = t.TypeVar("L", bound=OneList)


def is_resumable(sync: StreamSync) -> bool:
    """Whether the next run can begin with a later list of a stream.

    Not where a row may come in two lists without being known by its key. Without one, rows of
    windows that are read once are other rows.
    """
    stream = sync.stream
    columns = stream.parent_columns(next(iter(stream.contexts), None))
    is_known = bool(stream.primary_keys) and columns.keys() <= {*stream.primary_keys}
    return (
        (stream.is_divided or stream.meets_at is not None)
        and not sync.children
        and sync.run.shard is None
        and sync.output.is_unbuffered
        and sync.limit.remaining is None
        and (is_known or (stream.is_final and not stream.primary_keys))
    )


@dataclass(slots=True, kw_only=True)
class ListCheckpointer:
    """Leaves out the lists that an interrupted run has read, and saves how far this one has."""

    sync: StreamSync
    #: Lists that are read, and the rows that earlier runs have written.
    lists: int = 0
    rows: int = 0

    def unread(self, lists: Iterable[L]) -> Iterator[L]:
        """Return the lists that are still to be read."""
        sync, every = self.sync, iter(lists)
        hours = sync.stream.config.get("resume_within_hours", 0)
        bookmark = sync.run.state.get("bookmarks", {}).get(sync.stream.name, {})
        position = Checkpoint.from_state(bookmark, fingerprint=self.sync.fingerprint, hours=hours)
        if position is None or not position.lists:
            return every
        if sync.stream.has_window_key:
            # The last window ended then.
            sync.rewind(position)
        read = [*islice(every, position.lists)]
        if len(read) < position.lists or _name(read[-1]) != position.last_key_digest:
            sync.stream.logger.warning(
                "The saved position no longer exists; restarting the stream."
            )
            return chain(read, every)
        self._resume(position, read)
        return every

    def _resume(self, position: Checkpoint, read: Iterable[OneList]) -> None:
        sync = self.sync
        sync.stream.logger.info("Resuming after list %d, row %d.", position.lists, position.rows)
        sync.resume(position)
        sync.result.add(Finding(Verdict(position.verdict)))
        facts = sync.stream.paging_facts
        facts.total_proven |= position.total_proven
        facts.names_next |= position.names_next
        self.lists, self.rows = position.lists, position.rows
        parents = None if sync.bookmark is None else sync.bookmark.parents
        for each in read:
            if parents is not None and each.context is not None:
                parents.add(each.context)

    def save(self, done: OneList) -> None:
        """Save that a list was read to its end, if it is complete, and those before it."""
        sync = self.sync
        self.lists += 1
        if sync.is_over or not sync.result.verdict.complete:
            return
        position = self._position(done)
        with sync.run.writer.lock:
            bookmarks = sync.run.state.setdefault("bookmarks", {})
            bookmarks.setdefault(sync.stream.name, {})[MEMBER] = position.to_state()
            sync.run.state_output.write_if_due()

    def _position(self, done: OneList) -> Checkpoint:
        sync, facts = self.sync, self.sync.stream.paging_facts
        return Checkpoint(
            token=(),
            last_key_digest=_name(done),
            lists=self.lists,
            rows=self.rows + sync.result.rows,
            pages=sync.result.pages,
            version=sync.output.version.number,
            total=None,
            total_proven=facts.total_proven,
            names_next=facts.names_next,
            doubt=None,
            verdict=sync.result.verdict.value,
            checks=(),
            highest=None if sync.bookmark is None else sync.bookmark.highest,
            began=sync.began.isoformat(),
            fingerprint=sync.fingerprint,
            filtered=done.window is not None,
            source=sync.stream.connection.source,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
        )


def _name(one: OneList) -> str:
    """Return a digest that names a list in the state."""
    return digest_of([[*(values or {}).items()] for values in (one.context, one.window)])
