"""A run of all streams: side by side, isolated from each other, ended truthfully.

Each root stream has a thread that reads its responses in order; one writer puts whole messages
out. At `concurrency: 1` everything happens strictly one after the other. The main thread only
waits, so that a signal is answered at once.
"""

from __future__ import annotations

import os
import threading
import typing as t
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic

from singer_sdk.singerlib import StateMessage

from tap_analytics.errors import NeverRanError, SyncFailedError, explain, is_expected
from tap_analytics.pagination.completeness import Verdict
from tap_analytics.records.writer import OutputClosedError
from tap_analytics.reporting.progress import Progress
from tap_analytics.reporting.results import SHARED_CAUSES, RunResult
from tap_analytics.reporting.summary import write_summary
from tap_analytics.sync.budgeted import BudgetedRun
from tap_analytics.sync.stream import StreamSync
from tap_analytics.transport.errors import BudgetSpent, Cancelled, TransportError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.reporting.results import StreamResult
    from tap_analytics.reporting.run import Run

#: A failed run prints at most this many error lines.
ERROR_LINES = 8
#: Seconds that streams have after a signal to finish the page in hand.
GRACE = 1.0


class Sync:
    """Runs the selected streams of a tap."""

    def __init__(self, run: Run, streams: Sequence[AnalyticsStream]) -> None:
        self._run = run
        self._instalments = BudgetedRun(run)
        self.streams = self._instalments.ordered(streams)
        # Made up front, so that a stream that never came to run counts as failed, not as absent.
        self._extractions = {stream.name: StreamSync(stream, run) for stream in self.streams}
        self._streams = {
            each.stream.name: each.stream
            for root in self._extractions.values()
            for each in root.tree
        }
        self._undelivered: OutputClosedError | None = None
        self._progress = Progress(run)

    def run(self) -> None:
        """Run to the end; raises `SyncFailedError`, or `SystemExit` after a signal."""
        began, started = datetime.now(UTC), monotonic()
        with self._progress:
            # This thread writes nothing: it is the one that answers signals.
            self._beside(self._run.state_output.write)
            self._await(self._start())
            self._end(began, started)

    def _end(self, began: datetime, started: float) -> None:
        if not self._is_cut:
            self._beside(self._write_last_state)
        seconds = monotonic() - started
        ending = RunResult(began=began, started=started, seconds=seconds)
        if self._is_cut:
            self._leave(ending)
        try:
            self._report(seconds)
        except SyncFailedError:
            self._record(replace(ending, exit_code=1))
            raise
        self._record(ending)

    @property
    def _is_cut(self) -> bool:
        """Whether the run was ended from outside."""
        return self._run.stop.signum is not None or self._undelivered is not None

    def _write_last_state(self) -> None:
        with self._run.writer.lock:
            self._instalments.conclude(self._extractions.values())
            self._run.state_output.write()

    def _record(self, ending: RunResult) -> None:
        """Write the files about the run that are asked for."""
        write_summary(self._run, ending)
        if self._run.config.get("report_path"):
            from tap_analytics.reporting.report import write_report  # noqa: PLC0415 - costs start-up, seldom needed

            write_report(self._run, ending)

    # --- threads ----------------------------------------------------------------------------

    def _beside(self, action: Callable[[], None]) -> None:
        """Have a thread write, and wait for it."""
        failed: list[Exception] = []

        def act() -> None:
            try:
                action()
            except Cancelled:
                pass
            except OutputClosedError as error:
                self._cut(error)
            except Exception as error:  # noqa: BLE001 - raised again where it belongs
                failed.append(error)

        thread = threading.Thread(target=act, name="state", daemon=True)
        thread.start()
        self._await([thread])
        if failed:
            raise failed[0]

    def _cut(self, error: OutputClosedError) -> None:
        """End all streams: nothing can be delivered any more."""
        self._undelivered = self._undelivered or error
        self._run.stop.set()

    def _start(self) -> list[threading.Thread]:
        concurrency = self._run.config["concurrency"]
        if concurrency == 1 or self._instalments.budgeted:
            tasks: list[Sequence[AnalyticsStream]] = [self.streams]
        else:
            tasks = [[stream] for stream in self.streams]
        gates: defaultdict[str, threading.Semaphore] = defaultdict(
            lambda: threading.Semaphore(concurrency)
        )
        threads = [
            threading.Thread(
                target=self._run_all,
                args=(task, gates[task[0].api]),
                name=task[0].name,
                daemon=True,
            )
            for task in tasks
            if task
        ]
        for thread in threads:
            thread.start()
        return threads

    def _await(self, threads: Sequence[threading.Thread]) -> None:
        """Wait for the threads in slices, so that signals and progress get their turn."""
        deadline: float | None = None
        for thread in threads:
            while thread.is_alive():
                thread.join(0.05)
                self._progress.tick()
                if self._run.stop.is_set:
                    deadline = deadline or monotonic() + GRACE
                    if monotonic() > deadline:
                        return

    def _run_all(self, streams: Sequence[AnalyticsStream], gate: threading.Semaphore) -> None:
        with gate:
            for stream in streams:
                if not self._run.stop.is_set:
                    self._read(stream)

    def _read(self, stream: AnalyticsStream) -> None:
        extraction = self._extractions[stream.name]
        try:
            extraction.write_schema()
            extraction.open()
            if (verdict := self._instalments.completed_verdict(extraction)) is not None:
                extraction.skip(verdict)
                return
            extraction.read(None)
            extraction.conclude()
        except Cancelled:
            extraction.interrupt()
        except BudgetSpent:
            extraction.stop_for_budget()
        except OutputClosedError as error:
            self._cut(error)
        except Exception as error:  # noqa: BLE001 - a failing stream must not stop the others
            extraction.fail(error)

    # --- endings ----------------------------------------------------------------------------

    def _leave(self, ending: RunResult) -> t.NoReturn:
        """End after a signal with a last STATE, or where standard output takes no more."""
        if self._undelivered is not None:
            self._record(replace(ending, exit_code=1))
            if str(self._undelivered):
                self._run.logger.error("%s", self._undelivered)
            # What is buffered can't be delivered either, and must not be tried at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            raise SystemExit(1)
        signum = t.cast("int", self._run.stop.signum)
        is_told = self._run.writer.end(self._last_message, seconds=0.5)
        self._record(replace(ending, exit_code=128 + signum))
        self._progress.conclude(ending.seconds)
        if is_told:
            self._run.logger.warning("Stopped by signal %d after the last STATE.", signum)
            raise SystemExit(128 + signum)
        self._run.logger.warning(
            "Stopped by signal %d without a last STATE: the target had stopped reading.", signum
        )
        self._progress.leave()
        # A thread may wait in a write: nothing at exit may wait for it.
        os._exit(128 + signum)

    def _last_message(self) -> StateMessage | None:
        return StateMessage(value=self._run.state) if self._run.state else None

    def _report(self, seconds: float) -> None:
        outcomes = sorted(self._run.results.values(), key=lambda outcome: outcome.name)
        for outcome in outcomes:
            self._settle(outcome)
        failed = [outcome for outcome in outcomes if outcome.failure is not None]
        for outcome in failed:
            outcome.is_optional = self._forgives(outcome)
        self._progress.conclude(seconds)
        fatal = [outcome for outcome in failed if not outcome.is_optional]
        for outcome in failed:
            if outcome.is_optional:
                self._run.logger.warning(
                    "Optional stream %s not extracted: %s", outcome.name, outcome.failure
                )
        halted = [outcome for outcome in outcomes if outcome.budget_exhausted]
        self._log_failures(fatal, lines=ERROR_LINES - 1 if halted else ERROR_LINES)
        if halted:
            self._run.logger.error("%s", self._instalments.message(self._extractions.values()))
        if cut := [outcome.name for outcome in outcomes if outcome.cut]:
            self._run.logger.warning("%s", self._preview_line(cut))
        rows = sum(outcome.rows for outcome in outcomes)
        done = sum(outcome.done and not outcome.cut for outcome in outcomes)
        self._run.logger.info(
            "%d of %d streams complete, %d rows in %.1f s.", done, len(outcomes), rows, seconds
        )
        if incomplete := [*fatal, *halted]:
            names = ", ".join(outcome.name for outcome in incomplete)
            raise SyncFailedError(f"{len(incomplete)} of {len(outcomes)} streams failed: {names}")

    def _settle(self, outcome: StreamResult) -> None:
        """Log how a stream ended, if it did; one that didn't has failed."""
        if not outcome.over:
            outcome.failure = NeverRanError(
                f"{outcome.name}: the stream came to no end, and no error says why. Run again "
                "with `LOGLEVEL=DEBUG`, and report what it says."
            )
        if outcome.failure is None:
            if outcome.done or outcome.pages:
                self._run.logger.info("%s", _line(outcome))
        elif not is_expected(outcome.failure):
            self._run.logger.debug("%s failed.", outcome.name, exc_info=outcome.failure)

    def _preview_line(self, names: Sequence[str]) -> str:
        most = self._run.config["max_records"]
        return (
            f"Cut short after {most} records (max_records), which leaves bookmarks "
            f"and versions as they were: {', '.join(names)}."
        )

    def _forgives(self, outcome: StreamResult) -> bool:
        return self._streams[outcome.name].forgives(outcome.failure)

    def _log_failures(self, failed: Sequence[StreamResult], *, lines: int) -> None:
        """Log each cause once, in at most so many lines."""
        groups: dict[tuple[str, str], list[StreamResult]] = defaultdict(list)
        for outcome in failed:
            groups[self._cause(outcome)].append(outcome)
        told = [self._failure_line(group) for group in groups.values()]
        shown = told if len(told) <= lines else told[: lines - 1]
        for line in shown:
            self._run.logger.error("%s", line)
        if len(told) > len(shown):
            more = len(told) - len(shown)
            if path := self._run.config.get("summary_path"):
                self._run.logger.error("%d more failures: see %s.", more, path)
            else:
                self._run.logger.error(
                    "%d more failures: set `summary_path` to have them all in a file.", more
                )

    @staticmethod
    def _cause(outcome: StreamResult) -> tuple[str, str]:
        failure = outcome.failure
        if isinstance(failure, TransportError) and failure.cause in SHARED_CAUSES:
            return outcome.api, failure.cause
        return outcome.name if failure is None else str(failure), ""

    @staticmethod
    def _failure_line(group: Sequence[StreamResult]) -> str:
        names = ", ".join(outcome.name for outcome in group)
        return f"{explain(t.cast('Exception', group[0].failure))} [not extracted: {names}]"


def _line(outcome: StreamResult) -> str:
    notes = f", {outcome.parents_missing} parents gone" if outcome.parents_missing else ""
    notes += ", cut short" if outcome.cut else ", not finished" if outcome.budget_exhausted else ""
    if outcome.repeated:
        at_least = "" if outcome.repeats_exact else "at least "
        keys = "key" if outcome.repeated == 1 else "keys"
        notes += f", {at_least}{outcome.repeated} repeated {keys}"
    return (
        f"{outcome.name}: {outcome.rows} rows, {outcome.pages} pages{notes}, "
        f"{(outcome.verdict if outcome.done else Verdict.UNVERIFIED).value}, "
        f"{outcome.seconds:.1f} s"
    )
