"""Streams that were read to their end and yet are not whole."""

from __future__ import annotations

import typing as t

from tap_analytics.completeness import Verdict
from tap_analytics.errors import TapError
from tap_analytics.transport.errors import Missing

if t.TYPE_CHECKING:
    from tap_analytics.client import AnalyticsStream
    from tap_analytics.outcome import Outcome


class ShortError(TapError):
    """A stream that ended before the total the API gives."""


def shortfall(stream: AnalyticsStream, outcome: Outcome) -> Exception | None:
    """Return what a stream lacks, None where it lacks nothing or the settings accept it."""
    if outcome.skipped and outcome.skipped == outcome.walks:
        return Missing(
            f"{stream.label}: the endpoint answered 404 for every one of {outcome.skipped} parents",
            hint="Check the path.",
        )
    if outcome.verdict is not Verdict.SHORT:
        return None
    error = ShortError(
        f"{stream.label}: the API says there are more rows than it gave, so rows are "
        "missing. Check the paginator, and run again if rows were deleted meanwhile; "
        "`on_shortfall: warn` accepts it."
    )
    if stream.config.get("on_shortfall") != "warn":
        return error
    stream.logger.warning("%s", error)
    return None
