"""One stream in one run: its output, its result and its child streams."""

from __future__ import annotations

import functools
import typing as t
from contextlib import ExitStack
from time import monotonic

from singer_sdk.metrics import Status, Tag

from tap_analytics.pagination.completeness import DuplicateKeys, Finding, Verdict
from tap_analytics.records.notation import parse_iso
from tap_analytics.records.writer import OutputClosedError
from tap_analytics.reporting.results import StreamResult
from tap_analytics.streams.scope import open_bookmark, read_children
from tap_analytics.sync.fingerprint import definition_digest, fingerprint
from tap_analytics.sync.limit import RecordLimit
from tap_analytics.sync.output import RecordOutput
from tap_analytics.sync.seam import Seam
from tap_analytics.transport.errors import Cancelled

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from singer_sdk.metrics import Timer

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.pagination.position import Checkpoint
    from tap_analytics.records.bookmark import Bookmark
    from tap_analytics.reporting.run import Run


class StreamSync:
    """A stream in a run."""

    def __init__(self, stream: AnalyticsStream, run: Run) -> None:
        self.stream = stream
        self.run = run
        self.result = run.results[stream.name] = StreamResult(
            name=stream.name,
            api=stream.api,
            label=stream.label,
            is_child=stream.parent_stream_type is not None,
            paging_facts=stream.paging_facts,
        )
        self.output = RecordOutput(stream, run.writer, self.result.drift)
        self.limit = RecordLimit(stream, self.result, run.config.get("max_records"))
        self.bookmark: Bookmark | None = None
        self.duplicates = DuplicateKeys()
        #: Where the windows of the stream meet, if it is read in windows.
        self.seam: Seam | None = None
        self.children = [StreamSync(child, run) for child in read_children(stream)]
        #: Digests of the first key of a range of rows, and of the first one after it.
        self.border_keys: tuple[str | None, str | None] = None, None
        #: Whether the SDK's dry run has ended this stream.
        self.aborted = False
        #: Whether the server's clock is known, if it sends one: a child is read after its parent.
        self.knows_clock = stream.parent_stream_type is not None
        self._metrics = ExitStack()
        self._timer: Timer | None = None

    def open(self) -> None:
        """Open bookmark, output, metrics and children."""
        stream = self.stream
        self.result.started = monotonic()
        warn = functools.partial(stream.logger.warning, "%s")
        self.bookmark = open_bookmark(stream, warn=warn)
        self._began = stream.connection.began
        if stream.meets_at is not None:
            self.seam = Seam(
                path=stream.meets_at,
                unit=stream.replication_unit,
                keyed=bool(stream.primary_keys),
                began=self._began,
            )
        self.output.open()
        self._definition = definition_digest(stream, self.run, self.output.conformer.selection)
        self._timer = self._metrics.enter_context(stream.get_sync_timer())
        self._counter = self._metrics.enter_context(stream.get_record_counter())
        for child in self.children:
            child.attempt(child.output.write_schema, child.open)
            child.result.failure = child.result.failure or child.stream.failure

    def rewind(self, saved: Checkpoint) -> None:
        """Let the run count as begun when an interrupted one began."""
        self._began, self.knows_clock = parse_iso(saved.began) or self._began, True

    def resume(self, saved: Checkpoint) -> None:
        """Continue an interrupted run: with its version, from its position."""
        self.rewind(saved)
        self.output.resume(saved.version)
        if self.bookmark is not None:
            self.bookmark.resume(saved.highest)

    def count(self, rows: int) -> None:
        """Count rows that were written."""
        if rows:
            self.result.rows += rows
            self._counter.increment(rows)

    @property
    def began(self) -> datetime:
        """When the first of the resumed runs began: by our clock or the server's, the earlier."""
        return min(self._began, self.stream.connection.began)

    @property
    def fingerprint(self) -> str:
        """A digest of what decides which rows of the tree are read and how they are written."""
        return fingerprint(self.run.state, {e.stream.name: e._definition for e in self.tree})  # noqa: SLF001 - its own class

    @property
    def tree(self) -> Iterator[StreamSync]:
        """The stream and its descendants."""
        yield self
        for child in self.children:
            yield from child.tree

    @property
    def limit_reached(self) -> bool:
        """Whether the record limit is reached, by the children if the stream isn't selected."""
        if self.limit.remaining is None:
            return False
        if self.stream.selected:
            return self.limit.remaining <= 0
        return all(child.limit_reached for child in self.children)

    @property
    def is_over(self) -> bool:
        """Whether reading has ended, with or without success."""
        return self.result.failure is not None or self.aborted or self.limit_reached

    # --- endings ----------------------------------------------------------------------------

    def truncate(self) -> None:
        """End at the record limit: the stream and the streams below it are unverified."""
        for each in self.tree:
            if not each.result.truncated:
                each.result.truncated = True
                each.result.add(Finding(Verdict.UNVERIFIED))

    def fail(self, cause: Exception) -> None:
        """Fail the stream and its children."""
        self.result.failure = self.result.failure or cause
        self.close()
        for child in self.children:
            if not child.result.done:
                child.fail(self.result.failure)

    def attempt(self, *actions: Callable[[], None]) -> None:
        """Run actions of a child stream; an error fails it, not its parent."""
        try:
            for action in actions:
                action()
        except (Cancelled, OutputClosedError):
            raise
        except Exception as error:  # noqa: BLE001 - a failing child must not stop its parent
            self.fail(error)

    def record_stats(self) -> None:
        """Update the statistics of the result."""
        result = self.result
        result.repeated_keys = self.duplicates.count
        result.repeated_keys_exact = self.duplicates.exact
        if result.started is not None:
            result.seconds = monotonic() - result.started

    def discard_prefetched(self) -> None:
        """Discard pages that won't be read, to make room for the API's other streams."""
        for each in self.tree:
            each.stream.connection.prefetcher.discard((each.stream.name,))

    def close(self) -> None:
        """Set the final statistics and release what the stream holds."""
        self.record_stats()
        self.discard_prefetched()
        self.duplicates = DuplicateKeys()
        if self._timer is not None:
            done = self.result.done
            self._timer.tags[Tag.STATUS] = Status.SUCCEEDED if done else Status.FAILED
            self._timer.tags["verdict"] = self.result.verdict.value if done else None
        self._metrics.close()
