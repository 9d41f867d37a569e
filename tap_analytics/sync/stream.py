"""One stream in one run: its pages become records, its parents children, its end a bookmark.

Nothing is promised before it is proven: the version is activated and the bookmark moves when the
last page has been written, under the lock that keeps STATE behind its records.
"""

from __future__ import annotations

import functools
import typing as t
from contextlib import ExitStack, nullcontext
from time import monotonic

from singer_sdk.exceptions import AbortedSyncExceptionBase
from singer_sdk.metrics import Status, Tag

from tap_analytics.pagination.completeness import DuplicateKeys, Verdict
from tap_analytics.records.bookmark import SOURCE
from tap_analytics.records.notation import parse_iso
from tap_analytics.records.writer import OutputClosedError
from tap_analytics.reporting.results import StreamResult
from tap_analytics.sync.checkpoint import Checkpointer, forget, shape
from tap_analytics.sync.children import ChildQueue
from tap_analytics.sync.output import RecordOutput
from tap_analytics.sync.record_limit import RecordLimit
from tap_analytics.sync.shortfall import check_complete, find_doubt
from tap_analytics.transport.errors import BudgetSpent, Cancelled, NotFound

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from singer_sdk.helpers.types import Context
    from singer_sdk.metrics import Timer

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.pagination.reader import PageReader
    from tap_analytics.records.bookmark import Bookmark
    from tap_analytics.records.rows import RowDecoder, Rows
    from tap_analytics.reporting.run import Run


class StreamSync:
    """Runs a stream and, page by page, the child streams below it."""

    def __init__(self, stream: AnalyticsStream, run: Run) -> None:
        self.stream = stream
        self.run = run
        self.outcome = StreamResult(
            name=stream.name,
            api=stream.api,
            label=stream.label,
            is_child=stream.parent_stream_type is not None,
            shown=stream.shown,
        )
        self.outlet = RecordOutput(stream, self.run.writer, self.outcome.drift)
        self.metrics = ExitStack()
        self.timer: Timer | None = None
        self.repeats = DuplicateKeys()
        self.visits = ChildQueue(self)
        #: Whether the SDK's dry run has had its fill of this stream.
        self.aborted = False
        most = stream.config.get("max_records")
        self.preview = None if most is None else RecordLimit(most, self.outcome, stream.selected)
        self.run.results[stream.name] = self.outcome
        self.children = [StreamSync(child, run) for child in stream.read_children]

    # --- opening ----------------------------------------------------------------------------

    def write_schema(self) -> None:
        """Write the schema of a selected stream, rows or no rows."""
        self.outlet.write_schema()

    def open(self) -> None:
        """Find the bookmark, open the way out of the rows, announce the children's schemas."""
        stream = self.stream
        self.outcome.started = monotonic()
        self.bookmark = stream.open_bookmark(tell=functools.partial(stream.logger.warning, "%s"))
        self.began = stream.connection.began
        self.outlet.open()
        self.shape = shape(self)
        self.timer = self.metrics.enter_context(stream.get_sync_timer())
        self.counter = self.metrics.enter_context(stream.get_record_counter())
        for child in self.children:
            child.attempt(child.write_schema, child.open)
            child.outcome.failure = child.outcome.failure or child.stream.failure

    # --- running ----------------------------------------------------------------------------

    def read(self, context: Context | None) -> None:
        """Read one endpoint to its end and write what the run wants of it."""
        stream, limit = self.stream, self.stream.ABORT_AT_RECORD_COUNT
        if stream.failure is not None:
            raise stream.failure
        self._learn_notation(context)
        self.bounds = self._bounds_in(context)
        walk = self._walk(context)
        self.visits = ChildQueue(self)
        resumption = self._resumption(walk, context)
        self.outcome.walks += 1
        repeated = self.repeats.count
        for rows in walk:
            self.run.stop.check()
            self.outcome.pages += 1
            self.outcome.share = walk.progress if context is None else None
            if stream.primary_keys:
                new = self.repeats.record(walk.distinct_keys, within=walk.key_scope)
                walk.proof.progress(new=new)
            kept = rows if limit is None else rows.head(max(0, limit - self.outcome.rows))
            if self.preview is not None:
                key = stream.replication_key
                kept = self.preview.wanted(kept, bookmark=self.bounds, key=key)
            with nullcontext() if resumption is None else self.run.writer.lock:
                self._deliver(kept, context, walk=walk)
                if resumption is not None and walk.keys:
                    self._note(resumption)
            if len(kept) < len(rows):
                stream._check_max_record_limit(self.outcome.rows)  # noqa: SLF001 - the SDK's dry run ends a stream so
            unread = len(kept) < len(rows) or walk.paginator.end is None
            if unread and self.limit_reached:
                self.truncate()
                return
        walk.proof.repeats = self.repeats.count - repeated
        self._look_again(walk, context, repeats=walk.proof.repeats > 0)
        self.outcome.add(walk.finding)
        if context is not None and self.bookmark is not None and self.bookmark.parents is not None:
            self.bookmark.parents.add(context)

    def _learn_notation(self, context: Context | None) -> None:
        """Look at the first page where a server would be asked for a date, and nothing says how."""
        stream, bookmark = self.stream, self.bookmark
        if bookmark is None or bookmark.asked or self.children or not stream.keeps_replication_key:
            return
        if stream.window(bookmark.start_date, bookmark.end_date):
            rows = stream.open_reader(context).sample()
            bookmark.learn(row.get(bookmark.key) for row in rows)

    def _bounds_in(self, context: Context | None) -> Bookmark | None:
        """Return the bookmark as far as it holds for an endpoint."""
        return None if self.bookmark is None else self.bookmark.below(context)

    def _look_again(self, walk: PageReader, context: Context | None, *, repeats: bool) -> None:
        """Write the rows that moved past the reader, where paging let them."""
        fresh = functools.partial(self.repeats.fresh, within=walk.key_scope)
        promised = self.stream.promises_deletes
        for rows in walk.rescan(whole=promised, repeats=repeats, fresh=fresh):
            self.run.stop.check()
            self.repeats.record(walk.keys, within=walk.key_scope)
            self._deliver(rows, context)

    def _resumption(self, walk: PageReader, context: Context | None) -> Checkpointer | None:
        """Go on where an earlier run was cut, if the walk is of the kind that can."""
        plain = context is None and not self.children and walk.early_stop is None
        if not plain or not self.outlet.writes_at_once or self.preview is not None:
            return None
        resumption = Checkpointer(self, walk)
        if position := resumption.restore():
            self.began = parse_iso(position.began) or self.began
            self.outlet.resume(position.version)
            if self.bookmark is not None:
                self.bookmark.resume(position.highest)
        return resumption

    def _note(self, resumption: Checkpointer) -> None:
        """Keep the place of the page that was written."""
        highest = None if self.bookmark is None else self.bookmark.highest
        began = min(self.began, self.stream.connection.began)
        version, repeats = self.outlet.version, self.repeats.count
        resumption.save(version=version, highest=highest, began=began, repeats=repeats)
        self.run.state_output.write_if_due()

    def _walk(self, context: Context | None) -> PageReader:
        """Return the walk over an endpoint, which reads no further ahead than is of use."""
        return self.stream.open_reader(
            context,
            bookmark=None if self.children else self._bounds_in(context),
            decoder=self._codec(context),
            # The room is the children's: parents that are read far ahead would only wait for them.
            prefetch_limit=1 if self.children else None,
            max_rows=None if self.preview is None else self.preview.remaining,
        )

    def _codec(self, context: Context | None) -> RowDecoder | None:
        """Return a codec where neither parent nor children look into the rows."""
        if context is not None or self.children:
            return None
        key = self.stream.replication_key if self.bookmark is not None else None
        return self.outlet.codec(replication_key=key)

    def _deliver(
        self, rows: Rows, context: Context | None, *, walk: PageReader | None = None
    ) -> None:
        """Write the rows the run wants, then read the children of all of them.

        Where the rows come from a walk, the children of its next page are warmed meanwhile.
        """
        visits = self.visits.below(rows, context)
        if self.stream.selected and rows:
            self._count(self.outlet.write(rows, bookmark=self.bounds))
        self.visits.read(visits, context, walk=walk)

    def _count(self, rows: int) -> None:
        if rows:
            self.outcome.rows += rows
            self.counter.increment(rows)

    # --- children ---------------------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        """Whether nothing more of the stream is read, for better or worse."""
        return self.outcome.failure is not None or self.aborted or self.limit_reached

    def prefetch(self, context: Context) -> bool:
        """Ask for the first page below a parent; False if there is no room."""
        return self._walk(context).prefetch()

    def read_child(self, context: Context) -> None:
        """Read this child stream below one parent; a failure ends it, not its parent."""
        if self.limit_reached:
            self.truncate()
        if self.is_over:
            return
        pages = self.outcome.pages
        try:
            self.read(context)
        except (Cancelled, BudgetSpent, OutputClosedError):
            raise
        except NotFound as error:
            if self.outcome.pages > pages:
                self.outcome.failure = error
                return
            self.outcome.parents_missing += 1
            self.stream.logger.info("A parent is gone (404) and skipped: %s", dict(context))
        except AbortedSyncExceptionBase:
            self.aborted = True
            self.truncate()
        except Exception as error:  # noqa: BLE001 - a failing child must not stop its parent
            self.outcome.failure = error

    def discard(self) -> None:
        """Forget what was warmed and won't be read: the room is that of the API's other streams."""
        for each in self.tree:
            each.stream.connection.lookahead.discard((each.stream.name,))

    @property
    def prefetch_limit(self) -> int:
        """How many parents to warm: none where a request may turn out to be one too many."""
        connection = self.stream.connection
        return 0 if self.preview is not None or connection.budget_low else connection.concurrency

    # --- previews ---------------------------------------------------------------------------

    @property
    def limit_reached(self) -> bool:
        """Whether a preview has had its fill; a stream that isn't written is read for others."""
        if self.preview is None:
            return False
        if self.preview.written:
            return self.preview.remaining <= 0
        return all(child.limit_reached for child in self.children)

    def truncate(self) -> None:
        """End before the end: nothing is proven of the stream, nor of what hangs on it."""
        if not self.outcome.cut:
            self.outcome.cut = True
            self.outcome.verdicts[Verdict.UNVERIFIED] += 1
        for child in self.children:
            child.truncate()

    # --- concluding -------------------------------------------------------------------------

    @property
    def tree(self) -> Iterator[StreamSync]:
        """The stream and all that hang on it."""
        yield self
        for child in self.children:
            yield from child.tree

    def skip(self, verdict: Verdict) -> None:
        """Leave out a stream that an earlier run, which this one goes on with, has read."""
        for each in self.tree:
            each.outcome.verdicts[verdict] += 1
            if not verdict.complete:
                each.outcome.doubt = "an earlier run read it and could not show that it is whole"
            each.outcome.done = True
            each.close()

    def stop_for_budget(self) -> None:
        """Stop where the run's requests are spent: neither complete nor failed."""
        for each in self.tree:
            each.outcome.budget_exhausted = each.outcome.failure is None and not each.outcome.done
            each.close()

    def fail(self, cause: Exception) -> None:
        """Mark what this failure costs: the stream and the children that hang on it."""
        outcome = self.outcome
        outcome.failure = outcome.failure or cause
        self.close()
        for child in self.children:
            if not child.outcome.done:
                child.fail(outcome.failure)

    def attempt(self, *steps: Callable[[], None]) -> None:
        """Take steps of a child stream; what goes wrong there is no fault of its parent."""
        try:
            for step in steps:
                step()
        except (Cancelled, OutputClosedError):
            raise
        except Exception as error:  # noqa: BLE001 - a failing child must not stop its parent
            self.fail(error)

    def interrupt(self) -> None:
        """Take stock of a stream that is stopped on its way, and of its children."""
        for each in self.tree:
            each.record_stats()

    def record_stats(self) -> None:
        """Settle the figures so far."""
        self.outcome.repeated, self.outcome.repeats_exact = self.repeats.count, self.repeats.exact
        if self.outcome.started is not None:
            self.outcome.seconds = monotonic() - self.outcome.started

    def close(self) -> None:
        """Settle the figures for good."""
        self.record_stats()
        self.discard()
        self.repeats = DuplicateKeys()
        if self.timer is not None:
            done = self.outcome.done
            self.timer.tags[Tag.STATUS] = Status.SUCCEEDED if done else Status.FAILED
            self.timer.tags["verdict"] = self.outcome.verdict.value if self.outcome.done else None
        self.metrics.close()

    def conclude(self, *, parent: StreamSync | None = None) -> None:
        """End a run that was read to its end: activate the version and move the bookmark.

        Neither is done where rows may be missing. The position in the list is given up whatever
        the verdict: the next run would go on behind the last row.
        """
        outcome, stream = self.outcome, self.stream
        above = None if parent is None else parent.outcome
        outcome.failure = outcome.failure or check_complete(stream, outcome, above=above)
        if outcome.failure is not None:
            with self.run.writer.lock:
                forget(self.run.state, stream.name, overwrite=True)
            self.fail(outcome.failure)
            return
        find_doubt(stream, outcome, above=above)
        for child in self.children:
            child.attempt(functools.partial(child.conclude, parent=self))
        self.outlet.flush()
        with self.run.writer.lock:
            if outcome.doubt is None:
                self.outlet.activate_version()
                self._move_bookmark()
            elif not outcome.cut:
                forget(self.run.state, stream.name, overwrite=True)
                self.run.state_output.write()
        outcome.done = True
        self.close()

    def _move_bookmark(self) -> None:
        bookmarks = self.run.state.setdefault("bookmarks", {})
        began = min(self.began, self.stream.connection.began)
        bookmark = self.bookmark
        reached = None if bookmark is None else bookmark.close(began=began)
        if bookmark is not None and reached is not None:
            bookmarks[self.stream.name] = {
                **bookmark.to_state(reached),
                SOURCE: self.stream.connection.source,
            }
        elif bookmark is not None:
            bookmarks.pop(self.stream.name, None)
        else:
            forget(self.run.state, self.stream.name)
        self.run.state_output.write()
