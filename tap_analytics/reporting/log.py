"""Log lines at the end of a stream and of a run."""

from __future__ import annotations

import logging
import typing as t
from collections import defaultdict

from tap_analytics.errors import explain, is_expected
from tap_analytics.pagination.completeness import Verdict
from tap_analytics.reporting.numbers import duration, plural
from tap_analytics.reporting.results import SHARED_CAUSES
from tap_analytics.transport.errors import TransportError

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tap_analytics.reporting.results import StreamResult
    from tap_analytics.reporting.run import Run

#: A failed run logs at most this many errors.
ERROR_LINES = 8
#: Beginnings of messages of the SDK that repeat what the tap logs.
_DETAILS = ("METRIC: ", "Skipping parse of env", "Parsing env var", "Added '")


def log_less(*loggers: logging.Logger) -> None:
    """Log the SDK's details at DEBUG.

    A logger with handlers of its own, as a configuration may give metrics, is left unchanged.
    """
    for logger in loggers:
        if not logger.handlers:
            logger.addFilter(_demote)


def _demote(record: logging.LogRecord) -> bool:
    if record.levelno == logging.INFO and str(record.msg).startswith(_DETAILS):
        record.levelno, record.levelname = logging.DEBUG, "DEBUG"
        return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)
    return True


def log_stream(run: Run, result: StreamResult) -> None:
    """Log the result of a stream."""
    if result.failure is None:
        if result.done or result.pages:
            run.logger.info("%s", _summary(result))
    elif not is_expected(result.failure):
        run.logger.debug("%s failed.", result.name, exc_info=result.failure)


def log_end(
    run: Run, results: Sequence[StreamResult], seconds: float, *, unfinished: str | None
) -> None:
    """Log failures and totals; `unfinished` is the message of a run that used up `max_requests`."""
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
    for line in requests_of_apis(run):
        run.logger.info("%s", line)
    rows = plural(sum(result.rows for result in results), "row")
    done = sum(result.done and not result.truncated for result in results)
    run.logger.info(
        "%d of %s complete, %s in %.1f s.", done, plural(len(results), "stream"), rows, seconds
    )


def requests_of_apis(run: Run) -> Iterator[str]:
    """Yield a line for each API that requests were sent to."""
    for name, connection in sorted(run.connections.items()):
        stats, throttle = connection.transport.stats, connection.throttle
        if not stats.requests:
            continue
        line = f"{name}: {plural(stats.requests, 'request')}"
        if stats.retries:
            line += f", {plural(stats.retries, 'retry', 'retries')}"
        if throttle.throttled_count:
            waited = throttle.throttled_seconds - throttle.paused_for
            line += f", {duration(waited)} waited for the rate limit"
        yield line


def _log_failures(run: Run, failed: Iterable[StreamResult], *, lines: int) -> None:
    """Log each cause once with the streams it failed, in at most `lines` lines."""
    names: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    errors: dict[tuple[str, str], str] = {}
    for result in failed:
        failure = t.cast("Exception", result.failure)
        cause = "", str(failure)
        if isinstance(failure, TransportError) and failure.cause in SHARED_CAUSES:
            cause = result.api, failure.cause
        errors.setdefault(cause, explain(failure))
        names[cause].append(result.name)
    shown = list(errors) if len(errors) <= lines else list(errors)[: lines - 1]
    for cause in shown:
        run.logger.error("%s [not extracted: %s]", errors[cause], ", ".join(names[cause]))
    if more := len(errors) - len(shown):
        path = run.config.get("summary_path")
        where = f"see {path}" if path else "set `summary_path` to write all of them to a file"
        run.logger.error("%d more failures: %s.", more, where)


def _summary(result: StreamResult) -> str:
    notes = [*result.notes, *(["not finished"] if result.budget_exhausted else [])]
    verdict = result.verdict if result.done else Verdict.UNVERIFIED
    counts = plural(result.rows, "row"), plural(result.pages, "page")
    parts = *counts, *notes, verdict.value
    return f"{result.name}: {', '.join(parts)}, {result.seconds:.1f} s"
