"""One stream in one run: its pages become records, its parents children, its end a bookmark.

Nothing is promised before it is proven: the version is activated and the bookmark moves when the
last page has been written, under the lock that keeps STATE behind its records.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from itertools import compress
from time import monotonic

from singer_sdk.exceptions import AbortedSyncExceptionBase
from singer_sdk.metrics import Status, Tag
from singer_sdk.streams.core import Stream

from tap_analytics.completeness import Repeats, Verdict, worst
from tap_analytics.errors import TapError
from tap_analytics.incremental import NewestFirst, parse_iso
from tap_analytics.records import Conformer, RecordLines, Selection
from tap_analytics.resume import MEMBER, Position, digest, now
from tap_analytics.rows import Codec
from tap_analytics.sinks import BatchSink, LineSink
from tap_analytics.transport.errors import Interrupted, Missing
from tap_analytics.walk import Walk
from tap_analytics.writer import PipeClosedError

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from singer_sdk.helpers.types import Context
    from singer_sdk.metrics import Timer

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.rows import DictRows, Rows


class ShortError(TapError):
    """A stream that ended before the total the API gives."""


class MissingKeyError(TapError):
    """A row without its primary key, which no target could place."""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of a stream in a run."""

    name: str
    rows: int = 0
    pages: int = 0
    #: Parents whose child endpoint answered 404: gone since the parent was read.
    skipped: int = 0
    walks: int = 0
    #: Keys that came more than once; a lower bound if it isn't exact.
    repeated: int = 0
    repeats_exact: bool = True
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    failure: Exception | None = None
    #: On the monotonic clock; None until the stream's turn comes.
    started: float | None = None
    seconds: float = 0.0
    done: bool = False

    @property
    def verdict(self) -> Verdict:
        """The verdict of the whole stream: the worst of its walks."""
        return worst(self.verdicts)


class Extraction:
    """Runs a stream and, page by page, the child streams below it."""

    def __init__(self, stream: AnalyticsStream) -> None:
        self.stream = stream
        self.tap = stream._tap  # noqa: SLF001 - the SDK gives streams no public way to their tap
        self.outcome = Outcome(name=stream.name)
        self.metrics = ExitStack()
        self.timer: Timer | None = None
        self.repeats = Repeats()
        #: Whether a stream map left out parents, whose rows were not read.
        self.spared = False
        #: Whether the walk can be taken up again where it is cut.
        self.resumable = False
        self.shape = ""
        #: Whether the SDK's dry run has had its fill of this stream.
        self.aborted = False
        self.tap.outcomes[stream.name] = self.outcome
        self.children = [
            Extraction(t.cast("AnalyticsStream", child))
            for child in stream.child_streams
            if child.selected or child.has_selected_descendents
        ]

    # --- opening ----------------------------------------------------------------------------

    def announce(self) -> None:
        """Write the schema of a selected stream, rows or no rows."""
        if self.stream.selected:
            self.stream._write_schema_message()  # noqa: SLF001 - the SDK's own way to announce a schema

    def open(self) -> None:
        """Compile the way of a row, find the bookmark, announce the children's schemas."""
        stream = self.stream
        self.outcome.started = monotonic()
        if stream.versioned:
            stream._stream_version = stream._initialized_at  # noqa: SLF001 - as the SDK's sync() sets it
        self.bookmark = stream.open_bookmark()
        self.began = stream.connection.began
        self.conformer = Conformer(
            stream=stream.name,
            selection=self._compile(),
            policy=stream.config.get("on_unknown_field", "evolve"),
            logger=stream.logger,
            evolve=self._evolve,
        )
        self.sink = self._new_sink()
        self.timer = self.metrics.enter_context(stream.get_sync_timer())
        self.counter = self.metrics.enter_context(stream.get_record_counter())
        for child in self.children:
            child.announce()
            child.open()

    def _compile(self) -> Selection:
        return Selection.compile(
            effective=self.stream.effective_schema,
            declared=self.stream.schema,
            mask=self.stream.mask,
        )

    def _new_sink(self) -> LineSink:
        stream, writer = self.stream, self.tap.message_writer
        if not stream.selected:
            # Read for its children only, it may not even be in the catalog.
            return LineSink(RecordLines(stream.name, (), None), writer)
        lines = RecordLines(stream.name, stream.stream_maps, stream._stream_version)  # noqa: SLF001 - as the SDK's record messages carry it
        config = stream.get_batch_config(stream.config)
        if config is None:
            return LineSink(lines, writer)
        return BatchSink(lines, writer, tap_name=self.tap.name, config=config)

    def _evolve(self, properties: Mapping[str, t.Any]) -> Selection:
        """Extend the stream's schema by new fields and announce it, before their first record."""
        self.sink.flush()
        self.stream.extend_schema(properties)
        self.announce()
        self.sink = self._new_sink()
        return self._compile()

    # --- running ----------------------------------------------------------------------------

    def run(self, context: Context | None) -> None:
        """Read one endpoint to its end and write what the run wants of it."""
        stream, limit = self.stream, self.stream.ABORT_AT_RECORD_COUNT
        if stream.failure is not None:
            raise stream.failure
        walk = self._walk(context)
        self._resume(walk, context)
        self.outcome.walks += 1
        for rows in walk:
            self.tap.stop.check()
            self.outcome.pages += 1
            if stream.primary_keys:
                self.repeats.note(walk.keys, within=walk.owner if context else None)
            kept = rows if limit is None else rows.head(max(0, limit - self.outcome.rows))
            with self.tap.message_writer.lock if self.resumable else nullcontext():
                self._deliver(kept, context)
                self._note_position(walk)
            if len(kept) < len(rows):
                stream._check_max_record_limit(self.outcome.rows)  # noqa: SLF001 - the SDK's dry run ends a stream so
        self.outcome.verdicts[walk.verdict] += 1

    def _resume(self, walk: Walk, context: Context | None) -> None:
        """Go on where an earlier run was cut, if the walk is of the kind that can."""
        stream = self.stream
        plain = context is None and not self.children and walk.order is None
        self.resumable = plain and stream.selected and type(self.sink) is LineSink
        if not self.resumable:
            return
        self.shape = digest(
            [
                repr(walk.request(stream.paging.start())),
                list(stream.primary_keys),
                stream.replication_method,
                sorted(self.conformer.selection.known),
                repr(stream.config.get("stream_maps")),
            ]
        )
        hours = stream.config.get("resume_within_hours", 0)
        bookmark = self.tap.state.get("bookmarks", {}).get(stream.name, {})
        position = Position.from_state(bookmark, shape=self.shape, hours=hours)
        if position is None:
            return
        if not walk.resume(position):
            stream.logger.warning("The place where the last run ended is gone; starting again.")
            return
        self.began = parse_iso(position.began) or self.began
        if self.bookmark is not None:
            self.bookmark.go_on(position.highest)
        if position.version is not None and stream.versioned:
            stream._stream_version = position.version  # noqa: SLF001 - as the SDK's sync() sets it
            self.sink = self._new_sink()
        stream.logger.info("Going on behind row %d of the last run.", position.rows)

    def _note_position(self, walk: Walk) -> None:
        """Put the page that was written into the state; the lock is held since before the write."""
        if not self.resumable or walk.last_key is None:
            return
        seen = walk.paginator.seen
        position = Position(
            token=walk.token,
            seam=digest(walk.last_key),
            rows=seen.rows,
            pages=seen.pages,
            version=self.stream._stream_version,  # noqa: SLF001 - as the SDK's sync() sets it
            highest=None if self.bookmark is None else self.bookmark.highest,
            began=self.began.isoformat(),
            shape=self.shape,
            at=now(),
        )
        bookmarks = self.tap.state.setdefault("bookmarks", {})
        bookmarks.setdefault(self.stream.name, {})[MEMBER] = position.to_state()
        self.tap.write_state_now_and_then()

    def _walk(self, context: Context | None) -> Walk:
        """Choose filter and order: everything if children need every parent, else what changed."""
        stream, bookmark = self.stream, self.bookmark
        sorting, order, window = stream.ordering(newest=False), None, {}
        if bookmark is not None and not self.children:
            window = stream.window(bookmark.start, bookmark.end)
            newest = stream.ordering(newest=True)
            if bookmark.stored is not None and newest and newest == stream.newest_first:
                sorting = newest
                order = NewestFirst(t.cast("str", stream.replication_key), bookmark)
        codec = self._codec(context)
        return Walk(stream, context, window=window, order=order, sorting=sorting, codec=codec)

    def _codec(self, context: Context | None) -> Codec | None:
        """Return a codec for a stream whose rows nobody looks into, None for the others."""
        stream, selection = self.stream, self.conformer.selection
        path = stream.plain_path
        looked_at = (
            context is not None
            or self.children
            or selection.nested
            or not self.sink.passes_on
            or not stream.selected
            or stream.ABORT_AT_RECORD_COUNT is not None
            or type(stream).post_process is not Stream.post_process
        )
        if path is None or looked_at:
            return None
        key = stream.replication_key if self.bookmark is not None else None
        return Codec(
            path=path,
            typed={*stream.primary_keys, *([key] if key else [])},
            known=selection.known,
            refused=selection.refused,
            members=stream.paging.members,
            keeps_unknown=self.conformer.policy == "evolve",
        )

    def _deliver(self, rows: Rows, context: Context | None) -> None:
        """Write the rows the run wants, then read the children of all of them."""
        parents = [
            child.contexts(self.stream, t.cast("DictRows", rows), context)
            for child in self.children
        ]
        if self.stream.selected and rows:
            self._write(rows)
        for child, contexts in zip(self.children, parents, strict=True):
            child.run_parents(contexts)

    def _write(self, rows: Rows) -> None:
        """Write what the run wants of a page; a new field is met in whatever row it comes."""
        for key in self.stream.primary_keys:
            if None in rows.column(key):
                raise MissingKeyError(
                    f"{self.stream.label}: a row came without its primary key `{key}`. Check the "
                    "path, the selector and the primary key."
                )
        bookmark = self.bookmark
        if bookmark is None:
            self.conformer.conform(rows)
        else:
            values = rows.column(t.cast("str", self.stream.replication_key))
            wanted = [bookmark.wants(value) for value in values]
            self.conformer.conform(rows)
            rows = rows.keep(wanted)
            bookmark.observe(compress(values, wanted))
        if rows:
            self.sink.write(rows)
            self.outcome.rows += len(rows)
            self.counter.increment(len(rows))

    # --- children ---------------------------------------------------------------------------

    def contexts(
        self, parent: AnalyticsStream, rows: DictRows, context: Context | None
    ) -> list[Context]:
        """Return the contexts below a page of parents; one a stream map filters out has none."""
        if self.outcome.failure is not None:
            return []
        passes = parent.stream_maps[0].get_filter_result if parent.selected else bool
        kept = [row for row in rows.dicts if passes(row)]
        self.spared |= len(kept) < len(rows)
        try:
            return [
                below for row in kept for below in self.stream.contexts_below(parent, row, context)
            ]
        except TapError as error:
            self.outcome.failure = error
            return []

    def run_parents(self, contexts: Sequence[Context]) -> None:
        """Read this child stream for a page of parents, while those that come next are warmed."""
        ahead = self.stream.connection.concurrency
        self.outcome.failure = self.outcome.failure or self.stream.failure
        for position, context in enumerate(contexts):
            if self.outcome.failure is not None or self.aborted:
                return
            for later in contexts[position + 1 : position + ahead]:
                self._walk(later).warm()
            self._run_parent(context)

    def _run_parent(self, context: Context) -> None:
        pages = self.outcome.pages
        try:
            self.run(context)
        except (Interrupted, PipeClosedError):
            raise
        except Missing as error:
            if self.outcome.pages > pages:
                self.outcome.failure = error
                return
            self.outcome.skipped += 1
            self.stream.logger.info("A parent is gone (404) and skipped: %s", dict(context))
        except AbortedSyncExceptionBase:
            self.aborted = True
        except Exception as error:  # noqa: BLE001 - a failing child must not stop its parent
            self.outcome.failure = error

    # --- concluding -------------------------------------------------------------------------

    def abandon(self, cause: Exception) -> None:
        """Mark what this failure costs: the stream and the children that hang on it."""
        outcome = self.outcome
        outcome.failure = outcome.failure or cause
        self._close()
        for child in self.children:
            child.abandon(outcome.failure)

    def _close(self) -> None:
        self.outcome.repeated, self.outcome.repeats_exact = self.repeats.count, self.repeats.exact
        self.repeats = Repeats()
        if self.outcome.started is not None:
            self.outcome.seconds = monotonic() - self.outcome.started
        if self.timer is not None:
            failed = self.outcome.failure is not None
            self.timer.tags[Tag.STATUS] = Status.FAILED if failed else Status.SUCCEEDED
        self.metrics.close()

    def conclude(self, *, parents_proven: bool = True) -> None:
        """End a run that was read to its end: activate the version and move the bookmark.

        Where the parents are not proven to be all, rows of a child that did not come may belong
        to a parent that did not come: they are not taken for deleted.
        """
        outcome = self.outcome
        outcome.failure = outcome.failure or self._shortfall()
        if outcome.failure is not None:
            self.abandon(outcome.failure)
            return
        proven = parents_proven and outcome.verdict.complete
        for child in self.children:
            # Children of parents that a stream map leaves out were not read: they are not gone.
            child.conclude(parents_proven=proven and not child.spared)
        self._close()
        outcome.done = True
        self.sink.flush()
        with self.tap.message_writer.lock:
            if proven and self.stream.selected:
                self.stream.activate_version()
            self._move_bookmark()

    def _shortfall(self) -> Exception | None:
        outcome, stream = self.outcome, self.stream
        if outcome.skipped and outcome.skipped == outcome.walks:
            return Missing(
                f"{stream.label}: the endpoint answered 404 for every one of "
                f"{outcome.skipped} parents",
                hint="Check the path.",
            )
        if outcome.verdict is not Verdict.SHORT:
            return None
        error = ShortError(
            f"{stream.label}: the API says there are more rows than it gave, so rows are "
            "missing. Check the paginator, and run again if rows were deleted meanwhile; "
            "`on_shortfall: warn` accepts it."
        )
        if stream.config.get("on_shortfall") != "warn":
            return error
        stream.logger.warning("%s", error)
        return None

    def _move_bookmark(self) -> None:
        bookmarks = self.tap.state.setdefault("bookmarks", {})
        began = min(self.began, self.stream.connection.began)
        reached = None if self.bookmark is None else self.bookmark.close(began=began)
        if reached is not None:
            bookmarks[self.stream.name] = {
                "replication_key": self.stream.replication_key,
                "replication_key_value": reached,
            }
        elif MEMBER in bookmarks.get(self.stream.name, {}):
            del bookmarks[self.stream.name]
        self.tap.write_state()
