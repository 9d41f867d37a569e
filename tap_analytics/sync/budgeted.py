"""A sync in instalments: what a run whose requests are spent leaves to the next one.

A stream that was cut has its position in the state. One that was read to its end is marked there,
so that the next run spends nothing on it before the others have been read. Streams run one after
the other, those begun first and those with children last: side by side, each might get less than
it takes to get any further.
"""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime, timedelta

from tap_analytics.pagination.completeness import Verdict, worst
from tap_analytics.pagination.position import MEMBER as POSITION
from tap_analytics.records.notation import parse_iso
from tap_analytics.sync.checkpoint import FINISHED, fingerprint, has_position

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.reporting.run import Run
    from tap_analytics.sync.stream import StreamSync


class BudgetedRun:
    """Which streams a run with a budget leaves out, and what it leaves behind."""

    def __init__(self, run: Run) -> None:
        self.run = run
        #: Whether the run has a budget of requests.
        self.budgeted = run.config.get("max_requests") is not None
        #: Whether the run goes on where another was cut, and leaves a place to go on from.
        self.resumable = "max_records" not in run.config and run.config["resume_within_hours"] > 0
        self._passed: set[str] = set()
        #: Rows behind which each stream goes on.
        self._places = self._rows_by_stream()

    def ordered(self, streams: Sequence[AnalyticsStream]) -> list[AnalyticsStream]:
        """Return streams in the order in which a budget gets furthest."""
        return sorted(streams, key=self._rank) if self.budgeted else [*streams]

    def completed_verdict(self, extraction: StreamSync) -> Verdict | None:
        """Return the verdict of a stream that an earlier instalment has read to its end, if so."""
        if not (self.budgeted and self.resumable):
            return None
        name = extraction.stream.name
        mark = self._bookmarks.get(name, {}).get(FINISHED)
        if not isinstance(mark, dict) or mark.get("shape") != fingerprint(extraction):
            return None
        at = parse_iso(str(mark.get("at")))
        hours = self.run.config["resume_within_hours"]
        if at is None or datetime.now(UTC) - at > timedelta(hours=hours):
            return None
        verdict = next((one for one in Verdict if one.value == mark.get("verdict")), None)
        if verdict is not None:
            self._passed.add(name)
            self.run.logger.info("%s was read to its end by an earlier run and is left out.", name)
        return verdict

    def conclude(self, extractions: Iterable[StreamSync]) -> None:
        """Mark the streams that the next run may leave out; none, if this run is through."""
        if not self.resumable:
            return
        roots = {extraction.stream.name: extraction for extraction in extractions}
        outcomes = {name: [each.outcome for each in root.tree] for name, root in roots.items()}
        goes_on = any(one.budget_exhausted for tree in outcomes.values() for one in tree)
        finished = {
            name for name, tree in outcomes.items() if goes_on and all(one.done for one in tree)
        }
        for name in finished - self._passed:
            bookmarks = self.run.state.setdefault("bookmarks", {})
            bookmarks.setdefault(name, {})[FINISHED] = {
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "shape": fingerprint(roots[name]),
                "verdict": worst(one.verdict for one in outcomes[name]).value,
            }
        failed = any(one.failure for tree in outcomes.values() for one in tree)
        marked = [name for name, bookmark in self._bookmarks.items() if FINISHED in bookmark]
        for name in set(marked) - finished:
            self._unmark(name, overwrite=goes_on or failed)

    def _unmark(self, name: str, *, overwrite: bool) -> None:
        """Take a mark back.

        Where Meltano merges states, a member that is not there would stay, and one that is null
        could take no object any more: a mark that is taken back has no time.
        """
        if overwrite:
            self._bookmarks[name][FINISHED] = {"at": None}
            return
        del self._bookmarks[name][FINISHED]
        if not self._bookmarks[name]:
            del self._bookmarks[name]

    def message(self, extractions: Collection[StreamSync]) -> str:
        """Tell which streams are not finished, and what the next run will make of it."""
        trees = [
            [*extraction.tree] for extraction in extractions if extraction.outcome.budget_exhausted
        ]
        halted = _names(each for tree in trees for each in tree if each.outcome.budget_exhausted)
        limit = self.run.budget.limit
        told = f"The run's requests are spent (max_requests: {limit}) [not finished: {halted}]."
        if not self.resumable:
            return (
                f"{told} With max_records, or resume_within_hours at 0, no run goes on from "
                "another: raise max_requests."
            )
        again = _names(each for tree in trees if self._begins_again(tree[0]) for each in tree)
        if not any(map(self._is_further, extractions)):
            why = f", for {again} can't be taken up in the middle" if again else ""
            return (
                f"{told} The next run would end where this one did{why}: raise max_requests; "
                "`tap-analytics plan` tells what it takes."
            )
        but = f", but begins anew with {again}: max_requests must be enough for it" if again else ""
        return f"{told} The next run goes on from here{but}."

    def _begins_again(self, extraction: StreamSync) -> bool:
        """Whether a stream that was begun has no position to go on from."""
        begun = extraction.outcome.pages > 0
        return begun and not has_position(self._bookmarks.get(extraction.stream.name, {}))

    def _is_further(self, extraction: StreamSync) -> bool:
        """Whether the next run begins further on with a stream than this one did."""
        name = extraction.stream.name
        if extraction.outcome.done:
            return name not in self._passed
        return self._rows_by_stream().get(name, 0) > self._places.get(name, 0)

    def _rows_by_stream(self) -> dict[str, int]:
        marks = self._bookmarks.items()
        found = {name: mark[POSITION].get("rows") for name, mark in marks if has_position(mark)}
        return {name: rows for name, rows in found.items() if isinstance(rows, int)}

    @property
    def _bookmarks(self) -> dict[str, dict[str, t.Any]]:
        found: dict[str, dict[str, t.Any]] = self.run.state.get("bookmarks", {})
        return found

    def _rank(self, stream: AnalyticsStream) -> tuple[bool, bool]:
        begun = has_position(self._bookmarks.get(stream.name, {}))
        return not begun, stream.has_selected_descendents


def _names(extractions: Iterable[StreamSync]) -> str:
    return ", ".join(extraction.outcome.name for extraction in extractions)
