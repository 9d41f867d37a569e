"""Results of streams and runs, for progress, log, summary and exit code."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from time import monotonic

from tap_analytics.pagination import PagingFacts
from tap_analytics.pagination.completeness import Finding, Verdict, worst
from tap_analytics.records.conform import SchemaDrift
from tap_analytics.reporting.numbers import plural

if t.TYPE_CHECKING:
    from datetime import datetime

    from tap_analytics.config.shard import PartResult
    from tap_analytics.records.payload import MissingValueError

#: Causes that affect all streams of an API: reported once, with the names of the streams.
SHARED_CAUSES = frozenset({"credentials", "unreachable", "in_band", "origin"})

Status = t.Literal["complete", "cut", "failed", "unfinished"]


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """Time, duration and exit code of a run."""

    began: datetime
    #: The same moment on the monotonic clock.
    started: float
    seconds: float
    exit_code: int = 0


@dataclass(slots=True, kw_only=True)
class StreamResult:
    """Result of a stream so far; updated during the run."""

    name: str
    api: str = ""
    #: The stream and its endpoint, as messages name them.
    label: str = ""
    #: Whether it is the child of another stream.
    is_child: bool = False
    rows: int = 0
    pages: int = 0
    #: Paginated lists read: one, or one for each parent.
    lists: int = 0
    #: Parents whose child endpoint responded with 404: deleted after the parent was read.
    parents_missing: int = 0
    #: Parents without the values that name their children in a request.
    parents_skipped: int = 0
    #: The error of the first of them, if all of them lack the field.
    parents_fault: MissingValueError | None = None
    #: Whether a stream map filtered out parents, whose children were not read.
    parents_filtered: bool = False
    #: Rows read and total rows, where the API reports a total; None for a child stream, which has
    #: many lists.
    progress: tuple[int, int] | None = None
    #: Primary keys read more than once; a lower bound unless exact.
    repeated_keys: int = 0
    repeated_keys_exact: bool = True
    drift: SchemaDrift = field(default_factory=SchemaDrift)
    #: The worst finding of its lists; None before the first list is complete.
    worst: Finding | None = None
    #: Why rows may be missing, if so: then no ACTIVATE_VERSION is written and no bookmark advances.
    doubt: str | None = None
    #: The finding of a list that counts only if another list shows how the API names a next page.
    awaiting: Finding | None = None
    paging_facts: PagingFacts = field(default_factory=PagingFacts)
    #: What a shard has read of the stream; None for a run that reads all.
    part: PartResult | None = None
    failure: Exception | None = None
    #: Whether the failure is one that `optional_streams` accepts.
    is_optional: bool = False
    #: On the monotonic clock; None until the stream is started.
    started: float | None = None
    seconds: float = 0.0
    done: bool = False
    #: Whether the limit of records ended it.
    truncated: bool = False
    #: Whether the limit of requests ended it.
    budget_exhausted: bool = False

    @property
    def over(self) -> bool:
        """Whether reading has ended, for any reason."""
        return self.done or self.budget_exhausted or self.failure is not None

    @property
    def elapsed(self) -> float:
        """Seconds from the start of the stream to its end, or until now."""
        if self.seconds or self.started is None:
            return self.seconds
        return monotonic() - self.started

    @property
    def rows_per_second(self) -> float:
        """The average over the whole stream."""
        return self.rows / max(self.elapsed, 0.001)

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of its lists."""
        return self.finding.verdict

    @property
    def finding(self) -> Finding:
        """The worst verdict of its lists, and the evidence missing for a better one."""
        found = worst(filter(None, [self.worst]))
        if self.awaiting is None or self.paging_facts.names_next:
            return found
        return found if found.verdict is Verdict.SHORT else self.awaiting

    def add(self, finding: Finding) -> None:
        """Add the finding of a list."""
        if finding.awaits_next:
            self.awaiting = self.awaiting or finding
        else:
            self.worst = worst(filter(None, [self.worst, finding]))

    @property
    def status(self) -> Status:
        """How the stream ended, as the summary states it."""
        if self.done:
            return "cut" if self.truncated else "complete"
        return "failed" if self.failure else "unfinished"

    def skip_parent(self, error: MissingValueError) -> None:
        """Count a parent that no request for its children can be made from."""
        if not self.parents_skipped or self.parents_fault is not None:
            self.parents_fault = (self.parents_fault or error) if error.is_absent else None
        self.parents_skipped += 1

    @property
    def mismatches(self) -> int:
        """Values that contradicted the schema, as far as the settings have values checked."""
        return self.drift.mismatches.total()

    @property
    def notes(self) -> list[str]:
        """Short remarks on the rows."""
        notes = []
        if self.truncated:
            notes.append("cut short")
        elif self.doubt is not None:
            notes.append("may lack rows")
        if self.parents_missing:
            notes.append(f"{plural(self.parents_missing, 'parent')} gone")
        if self.parents_skipped:
            notes.append(f"{plural(self.parents_skipped, 'parent')} skipped")
        if self.repeated_keys:
            least = "" if self.repeated_keys_exact else "at least "
            notes.append(f"{least}{plural(self.repeated_keys, 'repeated key')}")
        if self.mismatches:
            notes.append(plural(self.mismatches, "type mismatch", "type mismatches"))
        return notes
