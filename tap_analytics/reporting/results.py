"""What became of a stream in a run, as progress, summary and exit code tell it."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, field
from time import monotonic

from tap_analytics.pagination.completeness import Finding, Verdict, worst
from tap_analytics.pagination.endpoint import Shown
from tap_analytics.records.drift import SchemaDrift

if t.TYPE_CHECKING:
    from datetime import datetime

#: Causes that an API's streams share: told once, with the streams they cost.
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
    """What became of a stream; its extraction keeps it true while the run goes on."""

    name: str
    #: Name of its API.
    api: str = ""
    #: The stream and its endpoint, as messages name them.
    label: str = ""
    #: Whether its rows hang on parents.
    is_child: bool = False
    rows: int = 0
    pages: int = 0
    #: Parents whose child endpoint answered 404: gone since the parent was read.
    parents_missing: int = 0
    walks: int = 0
    #: Whether a stream map left out parents, whose rows were not read.
    spared: bool = False
    #: Rows of the list that lie behind the reader, and rows in all, where the API says how many;
    #: None for a child, whose lists are many.
    share: tuple[int, int] | None = None
    #: Keys that came more than once; a lower bound if it isn't exact.
    repeated: int = 0
    repeats_exact: bool = True
    drift: SchemaDrift = field(default_factory=SchemaDrift)
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    #: For each verdict, which evidence the first walk that earned it lacked, if any.
    missing: dict[Verdict, str] = field(default_factory=dict)
    #: Why rows may be missing, if they may: nothing is deleted then, and no bookmark moves.
    doubt: str | None = None
    #: What a walk lacked that a word of paging, seen in another walk, makes up for.
    awaiting: Finding | None = None
    shown: Shown = field(default_factory=Shown)
    failure: Exception | None = None
    #: Whether the failure is one that `optional_streams` forgives.
    is_optional: bool = False
    #: On the monotonic clock; None until the stream's turn comes.
    started: float | None = None
    seconds: float = 0.0
    done: bool = False
    #: Whether a preview had its fill before the end.
    cut: bool = False
    #: Whether the requests of the run were spent before the end.
    budget_exhausted: bool = False

    @property
    def over(self) -> bool:
        """Whether the stream has come to its end, good or bad, or to that of the budget."""
        return self.done or self.budget_exhausted or self.failure is not None

    @property
    def elapsed(self) -> float:
        """Seconds since the stream's turn came, until its end if it has come to one."""
        if self.seconds or self.started is None:
            return self.seconds
        return monotonic() - self.started

    @property
    def verdict(self) -> Verdict:
        """The verdict of the whole stream: the worst of its walks."""
        return self.finding.verdict

    @property
    def finding(self) -> Finding:
        """The verdict of the whole stream, and which evidence was missing for a better one."""
        verdict = worst(self.verdicts)
        if self.awaiting is not None and not self.shown.spoken and verdict is not Verdict.SHORT:
            return self.awaiting
        return Finding(verdict, self.missing.get(verdict))

    def add(self, finding: Finding) -> None:
        """Take note of what one walk has shown."""
        if finding.awaits_word:
            self.awaiting = self.awaiting or finding
            return
        self.verdicts[finding.verdict] += 1
        if finding.missing is not None:
            self.missing.setdefault(finding.verdict, finding.missing)

    @property
    def status(self) -> Status:
        """How the stream ended, in a word."""
        if self.done:
            return "cut" if self.cut else "complete"
        return "failed" if self.failure else "unfinished"

    @property
    def mismatches(self) -> int:
        """Values that contradicted the schema, as far as the settings have them looked for."""
        return self.drift.mismatches.total()
