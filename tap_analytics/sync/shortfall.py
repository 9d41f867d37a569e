"""Streams that were read to their end and may yet lack rows: what is said of them, and left undone.

A target deletes what didn't come, and a bookmark leaves behind what should have come. So neither
follows where rows may be missing, whether or not the settings accept it.
"""

from __future__ import annotations

import typing as t

from tap_analytics.errors import TapError
from tap_analytics.pagination.completeness import Finding, Verdict
from tap_analytics.transport.errors import NotFound

if t.TYPE_CHECKING:
    from tap_analytics.client import AnalyticsStream
    from tap_analytics.reporting.results import StreamResult


class ShortError(TapError):
    """A stream that ended before the total the API gives."""


class UnverifiedError(TapError):
    """A stream that may lack rows, where the settings want that to be shown."""


def check_complete(
    stream: AnalyticsStream, outcome: StreamResult, *, above: StreamResult | None
) -> Exception | None:
    """Return what a stream lacks; None where it lacks nothing, or the settings accept it.

    `above` is what became of its parents: a stream shows no more than they do.
    """
    if outcome.parents_missing and outcome.parents_missing == outcome.walks:
        return NotFound(
            f"{stream.label}: the endpoint answered 404 for every one of "
            f"{outcome.parents_missing} parents",
            hint="Check the path.",
        )
    if above is not None and not above.verdict.complete:
        missing = f"its parents, {above.name}, are {above.verdict.value}"
        outcome.add(Finding(Verdict.UNVERIFIED, missing))
    finding = outcome.finding
    if finding.verdict.complete or outcome.cut:
        return None
    if finding.verdict is Verdict.SHORT:
        said = (
            f"{stream.label}: {finding.missing}, so rows are missing. Check the paginator, and run "
            "again if rows were deleted meanwhile"
        )
        if stream.config.get("on_shortfall") != "warn":
            return ShortError(f"{said}; `on_shortfall: warn` accepts it.")
        stream.logger.warning("%s.%s", said, consequence(stream))
        return None
    said = f"{stream.label} is unverified: {finding.missing}."
    if stream.config.get("on_unverified") == "fail":
        return UnverifiedError(f"{said} `on_unverified: warn` accepts it.")
    stream.logger.warning(
        "%s%s `on_unverified: fail` makes it an error.", said, consequence(stream)
    )
    return None


def find_doubt(
    stream: AnalyticsStream, outcome: StreamResult, *, above: StreamResult | None
) -> None:
    """Find out why rows may be missing, if they may, and say what no verdict has said.

    Rows below a parent that answered 404, or that a stream map leaves out, may be there. A bookmark
    doesn't mind those left out, for it names the parents that it covers.
    """
    outcome.spared |= above is not None and above.spared
    if outcome.cut:
        outcome.doubt = "max_records cut it short"
    elif not outcome.verdict.complete:
        outcome.doubt = outcome.finding.missing
    elif outcome.parents_missing:
        outcome.doubt = f"{outcome.parents_missing} of {outcome.walks} parents answered 404"
    elif outcome.spared and not stream.is_incremental:
        outcome.doubt = "a stream map left out parents, and so the rows below them"
    elif above is not None and above.doubt is not None:
        outcome.doubt = f"rows of its parents, {above.name}, may be missing"
    left_undone = consequence(stream)
    if outcome.doubt and outcome.verdict.complete and left_undone:
        stream.logger.warning("%s: %s.%s", stream.label, outcome.doubt, left_undone)


def consequence(stream: AnalyticsStream) -> str:
    """Tell what is left undone for a stream that may lack rows; empty where nothing is."""
    if stream.is_incremental:
        return " Its bookmark stays, and the next run reads the same rows again."
    if stream.versioned and stream.selected:
        return " Nothing is deleted in the target."
    return ""
