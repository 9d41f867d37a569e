"""A report on a run: one page to look at, and the same figures as JSON beside it."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import msgspec

from tap_analytics.errors import explain
from tap_analytics.reporting.report.gather import figures
from tap_analytics.reporting.report.page import page

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.reporting.report.contents import Run as Figures
    from tap_analytics.reporting.results import RunResult
    from tap_analytics.reporting.run import Run

_PAGES = frozenset({".html", ".htm", ".xhtml"})


def write_report(run: Run, ending: RunResult) -> None:
    """Write the files of the setting `report_path`; a failure to is only logged."""
    path = Path(run.config["report_path"])
    try:
        for file, content in _files(path, figures(run, ending)):
            if _is_summary(file, run):
                run.logger.warning("The report's JSON is left out: `summary_path` names %s.", file)
                continue
            _write(file, content)
    except OSError as error:
        run.logger.warning(
            "The report can't be written to %s: %s. Check `report_path`.", path, error.strerror
        )
    except Exception as error:  # noqa: BLE001 - no fault of a report may cost a run its ending
        run.logger.warning("The report can't be made: %s", explain(error))
    else:
        run.logger.info("The report of the run is in %s.", path)


def _files(path: Path, run: Figures) -> Iterator[tuple[Path, bytes]]:
    """Yield the files of a report with their contents."""
    figures_in_json = msgspec.json.encode(run) + b"\n"
    suffix = path.suffix.lower()
    if suffix == ".json":
        yield path, figures_in_json
        return
    beside = path.with_suffix(".json") if suffix in _PAGES else path.with_name(f"{path.name}.json")
    yield path, page(run, figures=beside.name).encode()
    yield beside, figures_in_json


def _is_summary(file: Path, run: Run) -> bool:
    summary = run.config.get("summary_path")
    return summary is not None and file.resolve() == Path(summary).resolve()


def _write(path: Path, content: bytes) -> None:
    """Put a whole file in the place of the one before, if there was one."""
    target = path.resolve()
    if target.exists() and not target.is_file():
        raise FileExistsError(0, "it is there and no ordinary file")
    draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        draft.write_bytes(content)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
