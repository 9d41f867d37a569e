"""What became of a stream in a run, as progress, summary and exit code tell it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tap_analytics.completeness import Verdict, worst


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of a stream; its extraction keeps it true while the run goes on."""

    name: str
    rows: int = 0
    pages: int = 0
    #: Parents whose child endpoint answered 404: gone since the parent was read.
    skipped: int = 0
    walks: int = 0
    #: Keys that came more than once; a lower bound if it isn't exact.
    repeated: int = 0
    repeats_exact: bool = True
    #: Values that contradicted the schema, if `on_type_mismatch` has them looked for.
    mismatches: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    failure: Exception | None = None
    #: On the monotonic clock; None until the stream's turn comes.
    started: float | None = None
    seconds: float = 0.0
    done: bool = False
    #: Whether a preview had its fill before the end.
    cut: bool = False
    #: Whether the requests of the run were spent before the end.
    halted: bool = False

    @property
    def verdict(self) -> Verdict:
        """The verdict of the whole stream: the worst of its walks."""
        return worst(self.verdicts)
