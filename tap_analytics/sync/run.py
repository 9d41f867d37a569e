"""A run of all streams, concurrent and isolated from each other.

Each root stream has a thread that reads its responses in order; one writer writes complete
messages. At `concurrency: 1` everything is strictly sequential. The main thread only waits, so that
signals are handled at once.
"""

from __future__ import annotations

import os
import threading
import typing as t
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from time import monotonic

from singer_sdk.singerlib import StateMessage

from tap_analytics.config.shard import SchemaOnly
from tap_analytics.errors import NeverRanError, SyncFailedError
from tap_analytics.records.writer import READER_GONE, OutputClosedError
from tap_analytics.reporting.log import log_end, log_stream
from tap_analytics.reporting.progress import Progress
from tap_analytics.reporting.results import RunResult
from tap_analytics.streams.scope import is_optional
from tap_analytics.sync.budgeted import BudgetedRun
from tap_analytics.sync.completion import conclude
from tap_analytics.sync.reading import read
from tap_analytics.sync.stream import StreamSync
from tap_analytics.sync.workers import Workers
from tap_analytics.transport.errors import BudgetSpent, Cancelled

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.reporting.results import StreamResult
    from tap_analytics.reporting.run import Run


class Sync:
    """Reads streams concurrently."""

    def __init__(self, run: Run, streams: Sequence[AnalyticsStream]) -> None:
        self._run = run
        self._budgeted = BudgetedRun(run)
        # Created in advance, so that a stream that never ran counts as failed.
        self._syncs = [StreamSync(stream, run) for stream in self._budgeted.ordered(streams)]
        self._logged: set[str] = set()
        self._progress = Progress(run)
        self._workers = Workers(run.stop, tick=self._progress.tick)

    def run(self) -> None:
        """Run to the end; raises `SyncFailedError`, or `SystemExit` after a signal."""
        began, started = datetime.now(UTC), monotonic()
        with self._progress:
            # This thread handles signals, so it must not block in a write.
            self._workers.run(self._run.state_output.write)
            self._workers.run_all(self._actions())
            if not self._is_stopped:
                self._workers.run(self._write_last_state)
            end = RunResult(began=began, started=started, seconds=monotonic() - started)
            if self._is_stopped:
                self._leave(end)
            try:
                self._report(end.seconds)
            except SyncFailedError:
                self._record(replace(end, exit_code=1))
                raise
            self._record(end)

    @property
    def _is_stopped(self) -> bool:
        """Whether a signal or a closed output has ended the run."""
        return self._run.stop.signum is not None or self._workers.undelivered is not None

    def _write_last_state(self) -> None:
        with self._run.writer.lock:
            self._budgeted.conclude(self._syncs)
            self._run.state_output.write()

    # --- streams ----------------------------------------------------------------------------

    def _actions(self) -> dict[str, Callable[[], None]]:
        """Return functions that read the streams, by the name of their thread."""
        concurrency = self._run.config["concurrency"]
        one_by_one = concurrency == 1 or self._budgeted.budgeted
        tasks = [self._syncs] if one_by_one else [[sync] for sync in self._syncs]
        slots: defaultdict[str, threading.Semaphore] = defaultdict(
            lambda: threading.Semaphore(concurrency)
        )
        return {
            task[0].stream.name: partial(self._read_all, task, slots[task[0].stream.api])
            for task in tasks
            if task
        }

    def _read_all(self, syncs: Sequence[StreamSync], slot: threading.Semaphore) -> None:
        with slot:
            for sync in syncs:
                if not self._run.stop.is_set:
                    self._read(sync)

    def _read(self, sync: StreamSync) -> None:
        try:
            sync.output.write_schema()
            sync.open()
            if not self._budgeted.skip(sync):
                if not isinstance(sync.stream.part, SchemaOnly):
                    read(sync)
                conclude(sync)
        except Cancelled:
            for each in sync.tree:
                each.record_stats()
        except BudgetSpent:
            self._budgeted.stop(sync)
        except OutputClosedError:
            raise
        except Exception as error:  # noqa: BLE001 - a failing stream must not stop the others
            sync.fail(error)
        for each in sync.tree:
            if each.result.over:
                self._log_once(each.result)

    def _log_once(self, result: StreamResult) -> None:
        """Log how a stream ended when it has, or else at the end of the run."""
        if result.name not in self._logged:
            self._logged.add(result.name)
            log_stream(self._run, result)

    # --- endings ----------------------------------------------------------------------------

    def _leave(self, end: RunResult) -> t.NoReturn:
        """End after a signal with a last STATE, or where standard output takes no more."""
        run, undelivered = self._run, self._workers.undelivered
        if undelivered is not None:
            self._record(replace(end, exit_code=1))
            if str(undelivered):
                run.logger.error("%s", undelivered)
            else:
                run.logger.warning(READER_GONE)
            # Buffered output can't be delivered either: skip the flush at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            raise SystemExit(1)
        signum = t.cast("int", run.stop.signum)
        is_written = run.writer.end(
            lambda: StateMessage(value=run.state) if run.state else None, seconds=0.5
        )
        self._record(replace(end, exit_code=128 + signum))
        self._progress.conclude(end.seconds)
        if is_written:
            run.logger.warning("Stopped by signal %d after the last STATE.", signum)
            raise SystemExit(128 + signum)
        run.logger.warning(
            "Stopped by signal %d without a last STATE: the target had stopped reading.", signum
        )
        self._progress.leave()
        # A thread may be blocked in a write, so exit without waiting for it.
        os._exit(128 + signum)

    def _report(self, seconds: float) -> None:
        """Log how the streams ended; raises `SyncFailedError` if one of them is not complete."""
        syncs = sorted(
            (each for sync in self._syncs for each in sync.tree), key=lambda each: each.result.name
        )
        results = [sync.result for sync in syncs]
        for sync, result in zip(syncs, results, strict=True):
            if not result.over:
                result.failure = NeverRanError(
                    f"{result.name}: the stream ended without result or error. This is a bug: run "
                    "again with `LOGLEVEL=DEBUG`, and report what it says."
                )
            if result.failure is not None:
                result.is_optional = is_optional(sync.stream, result.failure)
            self._log_once(result)
        self._progress.conclude(seconds)
        halted = [result for result in results if result.budget_exhausted]
        unfinished = self._budgeted.message(self._syncs) if halted else None
        log_end(self._run, results, seconds, unfinished=unfinished)
        fatal = [result for result in results if result.failure and not result.is_optional]
        if incomplete := [*fatal, *halted]:
            names = ", ".join(result.name for result in incomplete)
            raise SyncFailedError(f"{len(incomplete)} of {len(results)} streams failed: {names}")

    def _record(self, end: RunResult) -> None:
        """Write summary and report, if configured."""
        if self._run.config.keys() & {"summary_path", "report_path"}:
            from tap_analytics.reporting.report import write_files  # noqa: PLC0415 - costs start-up, seldom needed

            write_files(self._run, end)
