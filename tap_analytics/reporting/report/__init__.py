"""Files about a run: the summary as JSON; the report as an HTML page, with its JSON beside it."""

from __future__ import annotations

import os
import typing as t
from functools import cache
from pathlib import Path

import msgspec
from msgspec.structs import replace

from tap_analytics.errors import explain
from tap_analytics.reporting.report.page import page
from tap_analytics.reporting.report.summarize import summarize

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_analytics.reporting.report.summary import Summary
    from tap_analytics.reporting.results import RunResult
    from tap_analytics.reporting.run import Run

PAGES = frozenset({".html", ".htm", ".xhtml"})


def write_files(run: Run, ending: RunResult) -> None:
    """Write the files that `summary_path` and `report_path` name; failures are only logged."""
    summary = cache(lambda: summarize(run, ending))
    # If both name the same file, the report is written last: it has all members of the summary.
    _attempt(run, "summary", lambda path: _write_summary(path, replace(summary(), charts={})))
    if _attempt(run, "report", lambda path: _write_report(Path(path), summary())):
        run.logger.info("The report of the run is in %s.", run.config["report_path"])


def _attempt(run: Run, name: str, write: Callable[[str], object]) -> bool:
    path = run.config.get(f"{name}_path")
    if path is None:
        return False
    try:
        write(path)
    except Exception as error:  # noqa: BLE001 - an error in a report must not fail the run
        why = f"{error.strerror}. Check `{name}_path`." if isinstance(error, OSError) else ""
        run.logger.warning("The %s can't be written to %s: %s", name, path, why or explain(error))
        return False
    return True


def _write_summary(path: str, summary: Summary) -> None:
    if "://" not in path:
        Path(path).write_bytes(_json(summary))
        return
    # Slow to import, and seldom needed.
    import fsspec  # noqa: PLC0415

    with fsspec.open(path, "wb") as file:
        file.write(_json(summary))


def _write_report(path: Path, summary: Summary) -> None:
    suffix = path.suffix.lower()
    if suffix == ".json":
        _replace(path, _json(summary))
        return
    beside = path.with_suffix(".json") if suffix in PAGES else path.with_name(f"{path.name}.json")
    _replace(path, page(summary, json=beside.name).encode())
    _replace(beside, _json(summary))


def _json(summary: Summary) -> bytes:
    return msgspec.json.format(msgspec.json.encode(summary)) + b"\n"


def _replace(path: Path, content: bytes) -> None:
    """Write a file atomically, replacing an existing one."""
    target = path.resolve()
    if target.exists() and not target.is_file():
        raise FileExistsError(0, "it exists and is no regular file")
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
