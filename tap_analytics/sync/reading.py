"""Reads one endpoint to its end: writes its pages as records, and reads the children of its rows.

Child requests are queued in order across pages and streams, so that all the concurrency is used.
"""

from __future__ import annotations

import functools
import typing as t
from contextlib import nullcontext
from dataclasses import dataclass

from singer_sdk.exceptions import AbortedSyncExceptionBase

from tap_analytics.config.shard import KeyGroup, RowRange
from tap_analytics.errors import TapError
from tap_analytics.records.writer import OutputClosedError
from tap_analytics.streams.scope import (
    contexts_of,
    keeps_parent,
    open_fetcher,
    open_reader,
    own_contexts,
    promises_deletes,
)
from tap_analytics.sync.checkpoint import Checkpointer
from tap_analytics.sync.filtering import filter_of, learn_notation, windows
from tap_analytics.sync.lists import ListCheckpointer, is_resumable
from tap_analytics.sync.queue import lists_ahead, prefetch_limit, read_in_order
from tap_analytics.transport.errors import BudgetSpent, Cancelled, Ignored, NotFound, Rejected

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from singer_sdk.helpers.types import Context

    from tap_analytics.pagination import PageToken
    from tap_analytics.pagination.reader import PageReader
    from tap_analytics.records.rows import DictRows, Row, RowDecoder, Rows
    from tap_analytics.streams.scope import Skip
    from tap_analytics.sync.stream import StreamSync


def read(sync: StreamSync, context: Context | None = None) -> None:
    """Read a stream to its end, of a child what belongs to one parent, with the streams below."""
    lists = ListCheckpointer(sync=sync) if is_resumable(sync) else None
    reads: Iterator[EndpointRead] = (
        EndpointRead(sync, each, window, lists)
        for each in own_contexts(sync.stream) or (context,)
        for window in windows(sync, each)
    )
    reads = reads if lists is None else lists.unread(reads)
    read_in_order(reads, limit=functools.partial(lists_ahead, sync))
    if context is None:
        _read_passes(sync)


def read_endpoint(sync: StreamSync, context: Context | None, window: PageToken | None) -> None:
    """Read an endpoint of a stream to its end, and the endpoints of child streams below it."""
    if sync.stream.failure is not None:
        raise sync.stream.failure
    if window is None:
        learn_notation(sync, context)
    EndpointSync(sync, context, window).read()


def _read_passes(sync: StreamSync) -> None:
    """Read the lists of a stream beside the first one, each of them whole."""
    stream, bookmark = sync.stream, sync.bookmark
    if isinstance(stream.part, RowRange) and stream.part.start > 0:
        return
    whole = bookmark is None or bookmark.window.stored is None
    for context in stream.passes(whole=whole):
        if sync.is_over:
            return
        asked = ", ".join(f"{name}={value}" for name, value in context.items())
        try:
            rows = open_fetcher(stream, context).sample()
        except Rejected:
            stream.logger.warning("%s: the server refuses %s; not read.", stream.name, asked)
        else:
            if stream.is_answered(context, rows):
                EndpointSync(sync, context).read()
            else:
                stream.logger.info("%s: the server ignores %s; not read.", stream.name, asked)
            stream.samples.clear()


class EndpointSync:
    """One endpoint of a stream: all of it, a pass, or what belongs to one parent."""

    def __init__(
        self, sync: StreamSync, context: Context | None, window: PageToken | None = None
    ) -> None:
        self.sync = sync
        self.context = context
        #: What filters by one of several windows.
        self.window = window
        self.seam = None if window is None else sync.seam
        #: The bookmark, without a stored value if that doesn't cover the parent; none for a pass.
        self.bookmark = None
        if sync.bookmark is not None and not sync.stream.is_whole(context):
            self.bookmark = sync.bookmark.below(context)
        self.reader = self._open_reader()
        if self.seam is not None:
            self.reader.sift = self.seam.sift
        self._children = ChildQueue(sync, context, self.reader)

    def _open_reader(self) -> PageReader:
        """Return the reader of the pages."""
        sync = self.sync
        return open_reader(
            sync.stream,
            self.context,
            bookmark=None if sync.children else self.bookmark,
            window=self.window,
            decoder=self._decoder(),
            # Parents prefetched further ahead would wait, and take the place of child requests.
            prefetch_limit=1 if sync.children else None,
            max_rows=sync.limit.remaining,
        )

    def _decoder(self) -> RowDecoder | None:
        """Return a row decoder where no value of a row is needed for parent or children."""
        if self.context is not None or self.window is not None or self.sync.children:
            return None
        key = self.sync.stream.replication_key if self.sync.bookmark is not None else None
        return self.sync.output.decoder(replication_key=key)

    def read(self) -> None:
        """Read the endpoint to its end and write its rows."""
        sync, reader = self.sync, self.reader
        checkpointer = self._checkpointer()
        sync.result.lists += 1
        repeats_before = sync.duplicates.count
        if self.seam is not None:
            self.seam.enter((self.context, reader.key_scope))
        for rows in reader:
            sync.run.stop.check()
            sync.result.pages += 1
            is_only = self.context is None and self.window is None
            sync.result.progress = reader.progress if is_only else None
            if sync.stream.primary_keys:
                keys, within = reader.distinct_keys, reader.key_scope
                if self.seam is not None:
                    keys = self.seam.counted(keys, sync.duplicates, within=within)
                new = sync.duplicates.record(keys, within=within)
                reader.guard.progress(new=new)
            is_whole = self._process(rows, checkpointer)
            unread = not is_whole or reader.paginator.end is None
            if unread and sync.limit_reached:
                sync.truncate()
                return
        repeats = sync.duplicates.count - repeats_before
        self._rescan(repeats=repeats > 0)
        sync.result.add(reader.finding(repeats=repeats))
        if reader.within is not None:
            sync.border_keys = reader.within.first_key, reader.within.next_key
        parents = None if sync.bookmark is None else sync.bookmark.parents
        if self.context is not None and parents is not None:
            parents.add(self.context)

    def _rescan(self, *, repeats: bool) -> None:
        """Write the rows that moved past the reader, where paging let them."""
        sync, reader = self.sync, self.reader
        fresh = functools.partial(sync.duplicates.fresh, within=reader.key_scope)
        whole = promises_deletes(sync.stream)
        try:
            for fetched in reader.rescan.run(whole=whole, repeats=repeats, fresh=fresh):
                sync.run.stop.check()
                sync.duplicates.record(fetched.keys, within=reader.key_scope)
                if not self._process(reader.endpoint.process(fetched.rows), peek=False):
                    sync.truncate()
                    return
        except Ignored as error:
            reader.ignore(error)

    def _process(
        self, rows: Rows, checkpointer: Checkpointer | None = None, *, peek: bool = True
    ) -> bool:
        """Limit, conform, encode and write a page of rows, then read their children.

        The reader has applied `post_process`, on which the end of reading may depend. With `peek`,
        the children of the next page are prefetched. False if the record limit leaves out rows.
        """
        rows = self._own(rows)
        sync, output = self.sync, self.sync.output
        limited = sync.limit.head(rows, self.bookmark)
        # Conforming may remove fields that children need.
        reads = self._children.of(limited)
        with nullcontext() if checkpointer is None else sync.run.writer.lock:
            if sync.stream.selected and limited:
                conformed = output.conform(limited, bookmark=self.bookmark)
                lines = output.encode(conformed)
                output.write(lines)
                sync.count(len(conformed))
            if checkpointer is not None and self.reader.keys:
                checkpointer.save()
                sync.run.state_output.write_if_due()
        self._children.read(reads, peek=peek)
        if is_cut := len(limited) < len(rows):
            sync.limit.end_dry_run()
        return not is_cut

    def _own(self, rows: Rows) -> Rows:
        """Return the rows that belong to the part of the list which the run reads."""
        stream = self.sync.stream
        if not isinstance(stream.part, KeyGroup):
            return rows
        dicts = t.cast("DictRows", rows).dicts
        return rows.filter([stream.part.takes(row, stream.primary_keys) for row in dicts])

    def _checkpointer(self) -> Checkpointer | None:
        """Return what saves the position after each page, where reading can be resumed.

        If an earlier run has saved a position that is still valid, reading resumes there.
        """
        sync, reader = self.sync, self.reader
        is_only = self.context is None and self.window is None
        is_resumable = is_only and not sync.children and reader.early_stop is None
        if not is_resumable or not sync.output.is_unbuffered or sync.limit.remaining is not None:
            return None
        checkpointer = Checkpointer(sync, reader, sync.fingerprint)
        checkpointer.restore()
        return checkpointer


@dataclass(frozen=True, slots=True)
class EndpointRead:
    """An endpoint of a stream to read: all of it, or what belongs to one context."""

    sync: StreamSync
    context: Context | None
    window: PageToken | None = None
    #: Saves that it was read.
    lists: ListCheckpointer | None = None

    def prefetch(self) -> bool:
        """Request the first page without waiting for it; False if there is no room."""
        sync, context = self.sync, self.context
        if sync.is_over:
            return True
        bookmark = filter_of(sync, context)
        fetcher = open_fetcher(sync.stream, context, bookmark=bookmark, window=self.window)
        return fetcher.prefetch(fetcher.first)

    def run(self) -> None:
        """Read the endpoint to its end, if the stream is still read."""
        if self.sync.limit_reached:
            self.sync.truncate()
        if not self.sync.is_over:
            self._read()
        if self.lists is not None:
            self.lists.save(self)
        if self.sync.is_over:
            self.sync.discard_prefetched()

    def _read(self) -> None:
        read_endpoint(self.sync, self.context, self.window)


class ChildRead(EndpointRead):
    """An endpoint of a child stream to read: that of one parent."""

    __slots__ = ()

    def _read(self) -> None:
        """Read the endpoint; a failure ends the child stream, not its parent."""
        child, pages = self.sync, self.sync.result.pages
        try:
            super()._read()
        except (Cancelled, BudgetSpent, OutputClosedError):
            raise
        except NotFound as error:
            if child.result.pages > pages:
                child.result.failure = error
                return
            child.result.parents_missing += 1
            child.stream.logger.info(
                "Parent not found (404), skipped: %s", dict(self.context or {})
            )
        except AbortedSyncExceptionBase:
            child.aborted = True
            child.truncate()
        except Exception as error:  # noqa: BLE001 - a failing child must not stop its parent
            child.result.failure = error


@dataclass(slots=True)
class ChildQueue:
    """Reads the children of the rows of one endpoint in order, and prefetches the next ones."""

    _parent: StreamSync
    _context: Context | None
    _reader: PageReader
    #: How many of the next reads have been prefetched.
    _prefetched: int = 0

    def of(self, rows: Rows) -> list[ChildRead]:
        """Return the reads below a page of parents, without parents that stream maps leave out."""
        reads: list[ChildRead] = []
        if not self._parent.children:
            return reads
        parents = t.cast("DictRows", rows).dicts
        kept = self._kept(parents)
        is_filtered = len(kept) < len(parents) or self._reader.endpoint.facts.leaves_out_rows
        for child in self._parent.children:
            child.result.parents_filtered |= is_filtered
            try:
                reads += self._below(child, kept, child.result.skip_parent)
            except TapError as error:
                child.result.failure = child.result.failure or error
        return reads

    def read(self, reads: Sequence[ChildRead], *, peek: bool) -> None:
        """Read the endpoints below a page; with `peek`, those of the next page are prefetched."""
        queue = [*reads]
        for position, each in enumerate(reads):
            limit = prefetch_limit(self._parent)
            end = position + 1 + limit
            self._prefetched = max(self._prefetched, position + 1)
            if peek and end > len(queue) and limit > 1:
                queue += self._upcoming()
                peek = False
            while self._prefetched < min(end, len(queue)) and queue[self._prefetched].prefetch():
                self._prefetched += 1
            each.run()
        self._prefetched = max(0, self._prefetched - len(reads))

    def _upcoming(self) -> list[ChildRead]:
        """Return the reads below the parents of the next page; its errors are raised with it."""
        try:
            rows, children = self._kept(self._reader.peek()), self._parent.children
            return [each for child in children for each in self._below(child, rows, None)]
        except Cancelled:
            raise
        except Exception:  # noqa: BLE001 - raised when the page is read
            return []

    def _below(self, child: StreamSync, rows: list[Row], skip: Skip | None) -> Iterator[ChildRead]:
        for row in () if child.is_over else rows:
            for context in contexts_of(child.stream, self._parent.stream, row, self._context, skip):
                for window in windows(child, context):
                    yield ChildRead(child, context, window)

    def _kept(self, parents: Sequence[Row]) -> list[Row]:
        """Return the parents that no stream map leaves out."""
        stream = self._parent.stream
        own = [row for row in parents if stream.part.takes(row, stream.primary_keys)]
        return [row for row in own if keeps_parent(stream, row)]
