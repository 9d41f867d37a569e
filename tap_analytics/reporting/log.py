"""What the log says of the streams of a run that has ended."""

from __future__ import annotations

import typing as t
from collections import defaultdict

from tap_analytics.errors import explain, is_expected
from tap_analytics.pagination.completeness import Verdict
from tap_analytics.reporting.results import SHARED_CAUSES
from tap_analytics.transport.errors import TransportError

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_analytics.reporting.results import StreamResult
    from tap_analytics.reporting.run import Run

#: A failed run logs at most this many errors.
ERROR_LINES = 8


def log_stream(run: Run, result: StreamResult) -> None:
    """Log how a stream ended."""
    if result.failure is None:
        if result.done or result.pages:
            run.logger.info("%s", _summary(result))
    elif not is_expected(result.failure):
        run.logger.debug("%s failed.", result.name, exc_info=result.failure)


def log_end(
    run: Run, results: Sequence[StreamResult], seconds: float, *, unfinished: str | None
) -> None:
    """Log failures and what else a user should know; `unfinished` says what the budget cut."""
    failed = [result for result in results if result.failure is not None]
    for result in failed:
        if result.is_optional:
            run.logger.warning("Optional stream %s not extracted: %s", result.name, result.failure)
    fatal = [result for result in failed if not result.is_optional]
    _log_failures(run, fatal, lines=ERROR_LINES if unfinished is None else ERROR_LINES - 1)
    if unfinished is not None:
        run.logger.error("%s", unfinished)
    if cut := [result.name for result in results if result.truncated]:
        run.logger.warning(
            "Cut short after %d records (max_records), which leaves bookmarks and versions as they "
            "were: %s.",
            run.config["max_records"],
            ", ".join(cut),
        )
    rows = sum(result.rows for result in results)
    done = sum(result.done and not result.truncated for result in results)
    run.logger.info(
        "%d of %d streams complete, %d rows in %.1f s.", done, len(results), rows, seconds
    )


def _log_failures(run: Run, failed: Sequence[StreamResult], *, lines: int) -> None:
    """Log each cause once, in at most so many lines."""
    groups: dict[tuple[str, str], list[StreamResult]] = defaultdict(list)
    for result in failed:
        groups[_cause(result)].append(result)
    errors = [_failure_line(group) for group in groups.values()]
    shown = errors if len(errors) <= lines else errors[: lines - 1]
    for line in shown:
        run.logger.error("%s", line)
    if more := len(errors) - len(shown):
        if path := run.config.get("summary_path"):
            run.logger.error("%d more failures: see %s.", more, path)
        else:
            run.logger.error(
                "%d more failures: set `summary_path` to have them all in a file.", more
            )


def _cause(result: StreamResult) -> tuple[str, str]:
    failure = result.failure
    if isinstance(failure, TransportError) and failure.cause in SHARED_CAUSES:
        return result.api, failure.cause
    return str(failure), ""


def _failure_line(group: Sequence[StreamResult]) -> str:
    names = ", ".join(result.name for result in group)
    return f"{explain(t.cast('Exception', group[0].failure))} [not extracted: {names}]"


def _summary(result: StreamResult) -> str:
    notes = [*result.notes, *(["not finished"] if result.budget_exhausted else [])]
    verdict = result.verdict if result.done else Verdict.UNVERIFIED
    parts = f"{result.rows} rows", f"{result.pages} pages", *notes, verdict.value
    return f"{result.name}: {', '.join(parts)}, {result.seconds:.1f} s"
