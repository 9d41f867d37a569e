"""What a run's own page reader makes of the first pages, as configured or as suggestions have it.

The rule of evidence that decides about a run decides here as well, and a suggestion is made only
where the pages read with it are no worse than those read without.
"""

from __future__ import annotations

import typing as t
from contextlib import suppress
from dataclasses import dataclass

from tap_analytics.commands.doctor.findings import merged
from tap_analytics.commands.doctor.recorder import BudgetSpent
from tap_analytics.errors import TapError, explain
from tap_analytics.pagination.completeness import DuplicateKeys, Verdict
from tap_analytics.streams.declared import DeclaredStream, declare
from tap_analytics.streams.scope import open_bookmark, open_reader
from tap_analytics.transport.errors import Cancelled, TransportError

if t.TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.pagination import StopReason
    from tap_analytics.records.payload import Row
    from tap_analytics.records.rows import DictRows

#: Pages with rows that are read, unless the stream ends before.
PAGES = 2
_SO_FAR = (Verdict.UNVERIFIED, Verdict.CONSISTENT)
_BEST_LAST = (Verdict.SHORT, Verdict.UNVERIFIED, Verdict.CONSISTENT, Verdict.VERIFIED)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What the first pages came to."""

    #: Different rows.
    rows: int = 0
    #: Rows whose key is missing, or that came before.
    unkeyed: int = 0
    #: Why the stream ended, if it did, its verdict, and what was missing for a better one, or
    #: already speaks against one.
    end: StopReason | None = None
    verdict: Verdict | None = None
    missing: str = ""
    failure: str = ""

    @property
    def is_good(self) -> bool:
        """Whether nothing was seen for which a run would fail, or doubt that it is complete."""
        return not (self.failure or self.unkeyed or self.missing)

    def is_no_worse(self, other: Trial) -> bool:
        """Whether a run had better be like this than like the other."""
        return self._rank >= other._rank and self.rows >= other.rows

    @property
    def _rank(self) -> int:
        if self.failure or self.unkeyed:
            return 0
        return _BEST_LAST.index(self.verdict or _SO_FAR[not self.missing])


def tried(stream: AnalyticsStream, context: Context | None) -> Trial:
    """Read the first pages of a stream as a run reads them; the stream stays as it is."""
    bookmark = None if stream.child_streams else open_bookmark(stream)
    stream = _prepared(stream, context)
    walk = open_reader(stream, context, bookmark=bookmark)
    rows: list[Row] = []
    filled, repeats = 0, DuplicateKeys()
    failure = ""
    pages = t.cast("Generator[DictRows]", iter(walk))
    try:
        for page in pages:
            rows += page.dicts
            filled += len(page) > 0
            repeats.record(walk.distinct_keys, within=walk.key_scope)
            goes_on = walk.paginator.end is None and walk.paginator.confirming is None
            if goes_on and filled >= PAGES:
                break
    except Cancelled:
        raise
    except BudgetSpent:
        pass
    except Exception as error:  # noqa: BLE001 - whatever it is, a run would meet it as well
        failure = explain(error)
    finally:
        pages.close()
    keys: Sequence[str] = stream.primary_keys
    lacking = sum(any(row.get(key) is None for key in keys) for row in rows)
    end = None if failure else walk.paginator.end
    found = walk.finding
    # A page that begins a row early is as good as one that does not.
    early = walk.paginator.seen.overlap if end is None and not failure else 0
    return Trial(
        rows=len(rows) - repeats.count + early,
        unkeyed=lacking + (repeats.count if keys else 0),
        end=end,
        verdict=None if end is None else found.verdict,
        missing=(walk.proof.standing_doubt if end is None else found.missing) or "",
        failure=failure,
    )


def _prepared(stream: AnalyticsStream, context: Context | None) -> AnalyticsStream:
    """Return the stream with the key that a run takes where rows lack one that is only assumed."""
    if not isinstance(stream, DeclaredStream) or not stream.resource.assumes_keys:
        return stream
    prepared = changed(stream, {}) or stream
    if prepared.resource.schema is None:
        with suppress(TapError, TransportError, BudgetSpent):
            prepared.settle_keys(open_reader(prepared, context).sample())
    return prepared


def changed(stream: AnalyticsStream, words: Mapping[str, t.Any]) -> DeclaredStream | None:
    """Return a declared stream with words laid over its resource; None where they don't fit."""
    [api] = [entry for entry in stream.config["apis"] if entry["name"] == stream.api]
    name = stream.name.removeprefix(f"{stream.api}_")
    apis, problems = declare(
        [merged(api, {"resources": [{"name": name, **words}]})], reserved=frozenset()
    )
    kinds = [kind for each in apis for kind in each.streams if vars(kind)["name"] == stream.name]
    if problems or not kinds:
        return None
    return t.cast("type[DeclaredStream]", kinds[0])(t.cast("Tap", stream._tap))  # noqa: SLF001 - the SDK gives streams no public way to their tap
