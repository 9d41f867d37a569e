"""The verdict on a stream that was read to its end, and the keys that were repeated in it."""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass, field

from tap_analytics.pagination.strategies.strategy import StopReason

if t.TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from tap_analytics.pagination.strategies.strategy import PagingState

BEYOND = "reading ended at the declared maximum, and nothing shows that no row follows"
#: Keeps the hash of a text from being a number that is a key, as that of the empty text is 0.
_TEXT = hash("text").__xor__


class Verdict(enum.Enum):
    """How certain it is that a finished stream is complete; the value is shown to users."""

    VERIFIED = "verified"
    CONSISTENT = "consistent"
    UNVERIFIED = "unverified"
    SHORT = "short"

    @property
    def complete(self) -> bool:
        """Whether missing rows may be treated as deleted."""
        return self in {Verdict.VERIFIED, Verdict.CONSISTENT}


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict and, if it isn't good, the missing evidence."""

    verdict: Verdict
    #: Which evidence was missing, and which setting or response would give it.
    missing: str | None = None
    #: Whether nothing is missing once another endpoint of the stream has named a next page.
    awaits_next: bool = False


def decide(
    seen: PagingState, end: StopReason | None, *, doubt: str | None, missing: str
) -> Finding:
    """Return the verdict, by the rules of `docs/reference/verdicts.md`.

    `doubt` overrules all other evidence; `missing` is the message if there is none.
    """
    if end is None:
        return Finding(Verdict.UNVERIFIED, "the stream was not read to its end")
    total = None if end in {StopReason.BOOKMARK, StopReason.RANGE} else seen.total
    may_lack = end in {StopReason.TOTAL, StopReason.MAXIMUM}
    if total is not None and not may_lack and seen.rows < total:
        return Finding(Verdict.SHORT, f"the API counts {total} rows and gave {seen.rows} of them")
    if doubt is not None:
        return Finding(Verdict.UNVERIFIED, doubt)
    if total is not None and seen.facts.total_proven and seen.rows >= total:
        return Finding(Verdict.VERIFIED)
    if end in {StopReason.SINGLE, StopReason.MAXIMUM}:
        return Finding(Verdict.UNVERIFIED, missing if end is StopReason.SINGLE else BEYOND)
    return Finding(Verdict.CONSISTENT)


_WORST_FIRST = (Verdict.SHORT, Verdict.UNVERIFIED, Verdict.CONSISTENT, Verdict.VERIFIED)


def worst(findings: Iterable[Finding]) -> Finding:
    """Return the first of the worst findings, preferably one with missing evidence."""
    return min(
        findings,
        key=lambda each: (_WORST_FIRST.index(each.verdict), each.missing is None),
        default=Finding(Verdict.CONSISTENT),
    )


@dataclass(slots=True)
class DuplicateKeys:
    """Counts the repeated keys of a stream.

    The count is exact for the first `budget` keys of a stream; beyond them, where memory would grow
    with the stream, it is a lower bound.
    """

    budget: int = 100_000
    count: int = 0
    exact: bool = True
    _seen: set[Hashable] = field(default_factory=set)

    def fresh(self, keys: Sequence[Hashable], *, within: Hashable = None) -> list[bool]:
        """Return which keys are new; beyond the budget, which may be new."""
        return [key not in self._seen for key in _short(keys, within)]

    def record(self, keys: Sequence[Hashable], *, within: Hashable = None) -> int:
        """Add a page's keys and return how many are new, as far as is known.

        `within` is the parent of a child stream's rows, within which keys are unique.
        """
        known, repeated = _short(keys, within), self.count
        if len(self._seen) < self.budget:
            before = len(self._seen)
            self._seen.update(known)
            self.count += len(known) - (len(self._seen) - before)
        else:
            self.exact = False
            self.count += sum(key in self._seen for key in known)
        return len(known) - (self.count - repeated)


def _short(keys: Sequence[Hashable], within: Hashable) -> list[Hashable]:
    """Return numbers unchanged, and other keys as the hash of their text.

    Numbers aren't hashed because the hashes of -1 and -2 are equal.
    """
    if within is not None:
        place = repr(within)
        return [hash(f"{place}{key!r}") for key in keys]
    kinds = set(map(type, keys))
    if kinds == {int}:
        return list(keys)
    if kinds == {str}:
        return list(map(_TEXT, map(hash, keys)))
    return [
        key if type(key) is int else _TEXT(hash(key if type(key) is str else repr(key)))
        for key in keys
    ]
