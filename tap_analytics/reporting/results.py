"""What became of the streams of a run, as progress, log, summary and exit code show it."""

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

#: Causes that an API's streams share: reported once, with the streams that failed by them.
SHARED_CAUSES = frozenset({"credentials", "unreachable", "in_band", "origin"})

Status = t.Literal["complete", "cut", "failed", "unfinished"]


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """When a run was, and how it ended."""

    began: datetime
    #: The same moment on the monotonic clock.
    started: float
    seconds: float
    exit_code: int = 0


@dataclass(slots=True, kw_only=True)
class StreamResult:
    """What has become of a stream so far; updated while the run goes on."""

    name: str
    #: Name of its API.
    api: str = ""
    #: The stream and its endpoint, as messages name them.
    label: str = ""
    #: Whether its rows are read below those of a parent.
    is_child: bool = False
    rows: int = 0
    pages: int = 0
    #: Lists read: one, or one for each parent.
    lists: int = 0
    #: Parents whose child endpoint answered 404: gone since the parent was read.
    parents_missing: int = 0
    #: Whether a stream map left out parents, whose rows were not read.
    parents_filtered: bool = False
    #: Rows of the list that were read, and rows in all, where the API says how many; None for a
    #: child, whose lists are many.
    progress: tuple[int, int] | None = None
    #: Keys that came more than once; a lower bound if it isn't exact.
    repeated_keys: int = 0
    repeated_keys_exact: bool = True
    drift: SchemaDrift = field(default_factory=SchemaDrift)
    #: The worst finding of its lists; None before the first list has ended.
    worst: Finding | None = None
    #: Why rows may be missing, if they may: nothing is deleted then, and no bookmark moves.
    doubt: str | None = None
    #: The finding of a list that is proven if another list shows how the API names a next page.
    awaiting: Finding | None = None
    paging_facts: PagingFacts = field(default_factory=PagingFacts)
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
        """Whether nothing more is read, for whatever reason."""
        return self.done or self.budget_exhausted or self.failure is not None

    @property
    def elapsed(self) -> float:
        """Seconds since the stream was started, until its end if it has ended."""
        if self.seconds or self.started is None:
            return self.seconds
        return monotonic() - self.started

    @property
    def rows_per_second(self) -> float:
        """The average rate."""
        return self.rows / max(self.elapsed, 0.001)

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of its lists."""
        return self.finding.verdict

    @property
    def finding(self) -> Finding:
        """The worst verdict of its lists, and which evidence was missing for a better one."""
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
        """How the stream ended, in a word."""
        if self.done:
            return "cut" if self.truncated else "complete"
        return "failed" if self.failure else "unfinished"

    @property
    def mismatches(self) -> int:
        """Values that contradicted the schema, as far as the settings have them looked for."""
        return self.drift.mismatches.total()

    @property
    def notes(self) -> list[str]:
        """What else there is to say of the rows, in a few words each."""
        notes = []
        if self.truncated:
            notes.append("cut short")
        elif self.doubt is not None:
            notes.append("may lack rows")
        if self.parents_missing:
            notes.append(f"{plural(self.parents_missing, 'parent')} gone")
        if self.repeated_keys:
            least = "" if self.repeated_keys_exact else "at least "
            notes.append(f"{least}{plural(self.repeated_keys, 'repeated key')}")
        if self.mismatches:
            notes.append(plural(self.mismatches, "type mismatch", "type mismatches"))
        return notes
