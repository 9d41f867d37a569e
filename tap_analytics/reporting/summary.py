"""The outcome of a run for machines: one JSON file, written however the run ends."""

from __future__ import annotations

import typing as t
from pathlib import Path

import msgspec

from tap_analytics.errors import explain

if t.TYPE_CHECKING:
    from tap_analytics.reporting.results import RunResult, StreamResult
    from tap_analytics.reporting.run import Run


def write_summary(run: Run, ending: RunResult) -> None:
    """Write the file of the setting `summary_path`, if it is set; a failure to is only logged."""
    path = run.config.get("summary_path")
    if path is None:
        return
    outcomes = sorted(run.results.values(), key=lambda outcome: outcome.name)
    summary = {
        "tap": run.name,
        "version": run.version,
        "exit_code": ending.exit_code,
        "seconds": round(ending.seconds, 3),
        "rows": sum(outcome.rows for outcome in outcomes),
        "streams": {outcome.name: _stream(run, outcome) for outcome in outcomes},
        "apis": {name: _api(run, name) for name in run.apis},
    }
    try:
        Path(path).write_bytes(msgspec.json.format(msgspec.json.encode(summary)) + b"\n")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no file can have that name"
        run.logger.warning(
            "The summary can't be written to %s: %s. Check `summary_path`.", path, why
        )


def _stream(run: Run, outcome: StreamResult) -> dict[str, t.Any]:
    failure = outcome.failure
    asked = run.stats_of(outcome)
    return {
        "status": outcome.status,
        "verdict": outcome.verdict.value if outcome.done else None,
        "doubt": outcome.doubt if outcome.done else None,
        "rows": outcome.rows,
        "pages": outcome.pages,
        "requests": asked.requests,
        "retries": asked.retries,
        "parents_gone": outcome.parents_missing,
        "repeated_keys": outcome.repeated,
        "repeated_keys_exact": outcome.repeats_exact,
        "type_mismatches": outcome.mismatches,
        "seconds": round(outcome.seconds, 3),
        "error": explain(failure) if failure else None,
    }


def _api(run: Run, name: str) -> dict[str, t.Any]:
    connection = run.connections[name]
    stats = connection.transport.stats
    return {
        "requests": stats.requests,
        "retries": stats.retries,
        "throttled": connection.throttle.throttled_count,
        "throttled_seconds": round(connection.throttle.throttled_seconds, 3),
    }
