"""Runs with a request limit: what a run that reaches it leaves to the next one.

An interrupted stream has its position in the state. A completed one is marked there, so that the
next run skips it until the others are complete. Streams run one after the other, those begun first
and those with children last: concurrent streams might each get too few requests to make progress.
"""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime

from tap_analytics.pagination.completeness import Finding, Verdict, worst
from tap_analytics.pagination.position import MEMBER as POSITION
from tap_analytics.pagination.position import still_holds
from tap_analytics.sync.checkpoint import forget, has_position
from tap_analytics.sync.fingerprint import FINISHED

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.reporting.run import Run
    from tap_analytics.sync.stream import StreamSync


class BudgetedRun:
    """Order, skipped streams and marks of a run with a request limit."""

    def __init__(self, run: Run) -> None:
        self._run = run
        #: Whether the run has a request limit.
        self.budgeted = run.config.get("max_requests") is not None
        #: Whether the run resumes an interrupted one, and can be resumed itself.
        self.resumable = "max_records" not in run.config and run.config["resume_within_hours"] > 0
        self._skipped: set[str] = set()
        #: How far each stream was read when the run began.
        self._resumed_at = self._read_by_stream()

    def ordered(self, streams: Sequence[AnalyticsStream]) -> list[AnalyticsStream]:
        """Return streams in the order in which they are read."""
        return sorted(streams, key=self._rank) if self.budgeted else [*streams]

    def _rank(self, stream: AnalyticsStream) -> tuple[bool, bool]:
        begun = has_position(self._bookmarks.get(stream.name, {}))
        return not begun, stream.has_selected_descendents

    def skip(self, sync: StreamSync) -> bool:
        """Skip a stream if an earlier run has completed it; False if it has to be read."""
        verdict = self._completed_verdict(sync)
        if verdict is None:
            return False
        self._skipped.add(sync.stream.name)
        self._run.logger.info("%s was completed by an earlier run; skipped.", sync.stream.name)
        for each in sync.tree:
            each.result.add(Finding(verdict))
            if not verdict.complete:
                each.result.doubt = "an earlier run read it and could not show that it is whole"
            each.result.done = True
            each.close()
        return True

    @staticmethod
    def stop(sync: StreamSync) -> None:
        """End a stream at the request limit: neither complete nor failed."""
        for each in sync.tree:
            each.result.budget_exhausted = each.result.failure is None and not each.result.done
            each.close()

    def _completed_verdict(self, sync: StreamSync) -> Verdict | None:
        if not (self.budgeted and self.resumable):
            return None
        mark = self._bookmarks.get(sync.stream.name, {}).get(FINISHED)
        hours = self._run.config["resume_within_hours"]
        if not still_holds(mark, fingerprint=sync.fingerprint, hours=hours):
            return None
        return next((one for one in Verdict if one.value == mark.get("verdict")), None)

    def conclude(self, syncs: Iterable[StreamSync]) -> None:
        """Mark the streams that the next run may skip; none if all are complete."""
        if not self.resumable:
            return
        roots = {sync.stream.name: sync for sync in syncs}
        results = {name: [each.result for each in root.tree] for name, root in roots.items()}
        is_cut = any(one.budget_exhausted for tree in results.values() for one in tree)
        finished = {
            name for name, tree in results.items() if is_cut and all(one.done for one in tree)
        }
        for name in finished - self._skipped:
            bookmarks = self._run.state.setdefault("bookmarks", {})
            bookmarks.setdefault(name, {})[FINISHED] = {
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "shape": roots[name].fingerprint,
                "verdict": worst(one.finding for one in results[name]).verdict.value,
            }
        failed = any(one.failure for tree in results.values() for one in tree)
        marked = [name for name, bookmark in self._bookmarks.items() if FINISHED in bookmark]
        for name in set(marked) - finished:
            forget(self._run.state, name, member=FINISHED, overwrite=is_cut or failed)

    def message(self, syncs: Collection[StreamSync]) -> str:
        """Return which streams are not finished, and what the next run does with them."""
        trees = [[*sync.tree] for sync in syncs if sync.result.budget_exhausted]
        cut = _names(each for tree in trees for each in tree if each.result.budget_exhausted)
        reached = (
            f"Request limit reached (max_requests: {self._run.budget.limit}) [not finished: {cut}]."
        )
        if not self.resumable:
            return (
                f"{reached} With max_records, or resume_within_hours at 0, no run resumes another: "
                "raise max_requests."
            )
        restarted = _names(each for tree in trees if self._restarts(tree[0]) for each in tree)
        if not any(map(self._has_progressed, syncs)):
            why = f", because {restarted} can't be resumed" if restarted else ""
            return (
                f"{reached} The next run would end at the same point{why}: raise max_requests; "
                "`tap-analytics plan` shows how many are needed."
            )
        but = f", but restarts {restarted}: max_requests must be enough for it" if restarted else ""
        return f"{reached} The next run resumes here{but}."

    def _restarts(self, sync: StreamSync) -> bool:
        """Whether a stream that was begun has no position to resume from."""
        begun = sync.result.pages > 0
        return begun and not has_position(self._bookmarks.get(sync.stream.name, {}))

    def _has_progressed(self, sync: StreamSync) -> bool:
        """Whether this run made progress with a stream."""
        name = sync.stream.name
        if sync.result.done:
            return name not in self._skipped
        return self._read_by_stream().get(name, 0) > self._resumed_at.get(name, 0)

    def _read_by_stream(self) -> dict[str, int]:
        """Return rows and lists up to the position of each stream; a list may be empty."""
        marks = [(n, mark[POSITION]) for n, mark in self._bookmarks.items() if has_position(mark)]
        counts = {name: [mark.get("rows"), mark.get("lists", 0)] for name, mark in marks}
        return {
            name: sum(found)
            for name, found in counts.items()
            if all(isinstance(each, int) for each in found)
        }

    @property
    def _bookmarks(self) -> dict[str, dict[str, t.Any]]:
        found: dict[str, dict[str, t.Any]] = self._run.state.get("bookmarks", {})
        return found


def _names(syncs: Iterable[StreamSync]) -> str:
    return ", ".join(sync.result.name for sync in syncs)
