"""Completion of a stream that was read to its end.

A target deletes rows that are missing, and a bookmark skips them. So if rows may be missing, the
version isn't activated and the bookmark isn't moved, even if the settings accept that.
"""

from __future__ import annotations

import functools
import typing as t

from tap_analytics.config.shard import PartResult
from tap_analytics.errors import TapError
from tap_analytics.pagination.completeness import Finding, Verdict
from tap_analytics.records.bookmark import SOURCE
from tap_analytics.records.notation import later
from tap_analytics.reporting.numbers import plural
from tap_analytics.streams.scope import is_incremental, is_keyed_by_window
from tap_analytics.sync.checkpoint import forget
from tap_analytics.transport.errors import NotFound

if t.TYPE_CHECKING:
    from datetime import datetime

    from singer_sdk.helpers.types import TapState

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.records.bookmark import Bookmark
    from tap_analytics.reporting.results import StreamResult
    from tap_analytics.sync.stream import StreamSync


class ShortError(TapError):
    """A stream that ended before the total the API gives."""


class UnverifiedError(TapError):
    """A stream that may lack rows, if the settings make that an error."""


def conclude(sync: StreamSync, *, parent: StreamSync | None = None) -> None:
    """End a stream, and those below it: activate the version and move the bookmark.

    The position in the list is removed whatever the verdict: the next run would resume after the
    last row.
    """
    result, run = sync.result, sync.run
    above = None if parent is None else parent.result
    is_shard = run.shard is not None
    lacking = check_complete(sync.stream, result, above=above, is_shard=is_shard)
    result.failure = result.failure or lacking
    if result.failure is not None:
        with run.writer.lock:
            forget(run.state, result.name, overwrite=True)
        sync.fail(result.failure)
        return
    result.parents_filtered |= above is not None and above.parents_filtered
    result.doubt = find_doubt(sync.stream, result, above=above)
    for child in sync.children:
        child.attempt(functools.partial(conclude, child, parent=sync))
    sync.output.flush()
    with run.writer.lock:
        _write_end(sync)
    result.done = True
    sync.close()


def _write_end(sync: StreamSync) -> None:
    """Write what follows from the end of a stream: a shard's part, or the version and bookmark."""
    result, run = sync.result, sync.run
    if run.shard is not None:
        result.part = part_result(sync)
        forget(run.state, result.name, overwrite=True)
    elif result.doubt is None:
        sync.output.version.activate()
        move_bookmark(sync.stream, sync.bookmark, run.state, began=sync.began)
    elif not result.truncated:
        forget(run.state, result.name, overwrite=True)
    else:
        return
    run.state_output.write()


def part_result(sync: StreamSync) -> PartResult:
    """Return what a shard has read of a stream."""
    bookmark = sync.bookmark
    parents = None if bookmark is None else bookmark.parents
    first_key, next_key = sync.border_keys
    return PartResult(
        source=sync.stream.connection.source,
        began=sync.began.isoformat(),
        highest=None if bookmark is None else bookmark.highest,
        parents=None if parents is None else parents.to_state(),
        filtered=sorted(sync.output.version.filtered),
        first_key=first_key,
        next_key=next_key,
    )


def move_bookmark(
    stream: AnalyticsStream, bookmark: Bookmark | None, state: TapState, *, began: datetime
) -> None:
    """Move the bookmark of a stream that is whole, and give up its position in the list.

    `began` is the moment its reading began.
    """
    bookmarks = state.setdefault("bookmarks", {})
    if bookmark is None:
        forget(state, stream.name)
        return
    if is_keyed_by_window(stream):
        window = bookmark.window
        reached = stream.reached(window.start, window.end, began=began)
        reached = later(window.stored, reached, window.unit or "iso")
    else:
        reached = bookmark.close(began=began)
    if reached is None:
        bookmarks.pop(stream.name, None)
    else:
        source = stream.connection.source
        bookmarks[stream.name] = {**bookmark.to_state(reached), SOURCE: source}


def check_complete(
    stream: AnalyticsStream, result: StreamResult, *, above: StreamResult | None, is_shard: bool
) -> Exception | None:
    """Return the error of a stream that may lack rows; None if it is complete or that is accepted.

    `above` is the result of its parents: a stream is no more complete than they are.
    """
    if result.parents_skipped:
        skipped = plural(result.parents_skipped, "parent")
        stream.logger.info("%s: %s skipped, whose rows name no children", stream.label, skipped)
        if result.parents_fault is not None and not result.lists:
            return result.parents_fault
    if result.parents_missing and result.parents_missing == result.lists:
        return NotFound(
            f"{stream.label}: the endpoint answered 404 for every one of "
            f"{result.parents_missing} parents",
            hint="Check the path.",
        )
    if above is not None and not above.verdict.complete:
        missing = f"its parents, {above.name}, are {above.verdict.value}"
        result.add(Finding(Verdict.UNVERIFIED, missing))
    if result.finding.verdict.complete or result.truncated:
        return None
    if is_shard:
        return UnverifiedError(
            f"{stream.label} is unverified: {result.finding.missing}. Nothing can be concluded "
            "from such a shard: run it again."
        )
    return _check_finding(stream, result.finding)


def _check_finding(stream: AnalyticsStream, finding: Finding) -> Exception | None:
    """Return the error for a finding; where the settings accept it, log it and return None."""
    if finding.verdict is Verdict.SHORT:
        problem = (
            f"{stream.label}: {finding.missing}, so rows are missing. Check the paginator, and run "
            "again if rows were deleted meanwhile"
        )
        if stream.config.get("on_shortfall") != "warn":
            return ShortError(f"{problem}; `on_shortfall: warn` accepts it.")
        stream.logger.warning("%s.%s", problem, _consequence(stream))
        return None
    problem = f"{stream.label} is unverified: {finding.missing}."
    if stream.config.get("on_unverified") == "fail":
        return UnverifiedError(f"{problem} `on_unverified: warn` accepts it.")
    stream.logger.warning(
        "%s%s `on_unverified: fail` makes it an error.", problem, _consequence(stream)
    )
    return None


def find_doubt(
    stream: AnalyticsStream, result: StreamResult, *, above: StreamResult | None
) -> str | None:
    """Return why rows may be missing, if they may, and log a reason that isn't in the verdict.

    A parent that answered 404, or that a filter or stream map leaves out, may have rows. For a
    bookmark, the latter don't count, because it names the parents that it covers.
    """
    if result.truncated:
        return "max_records cut it short"
    if not result.verdict.complete:
        return result.finding.missing
    if result.parents_missing:
        doubt = f"{result.parents_missing} of {result.lists} parents answered 404"
    elif result.parents_filtered and not is_incremental(stream):
        doubt = "a filter or stream map left out parents, and so the rows below them"
    elif above is not None and above.doubt is not None:
        doubt = f"rows of its parents, {above.name}, may be missing"
    else:
        return None
    if consequence := _consequence(stream):
        stream.logger.warning("%s: %s.%s", stream.label, doubt, consequence)
    return doubt


def _consequence(stream: AnalyticsStream) -> str:
    """Return the consequence for a stream that may lack rows; empty if there is none."""
    if is_incremental(stream):
        return " Its bookmark stays, and the next run reads the same rows again."
    if stream.versioned and stream.selected:
        return " Nothing is deleted in the target."
    return ""
