"""dlt's REST API source over the same rows: iterated, or extracted to files as a pipeline does.

    python dlt_source.py CONFIG.json iterate|extract FOLDER [check]

Rows go nowhere when iterated. With `check`, they go to standard output as RECORD lines, as do
the rows that `extract` left in its files.
"""

from __future__ import annotations

import gzip
import json
import sys
import typing as t
from pathlib import Path

import dlt
from dlt.common.json import json as fast_json
from dlt.sources.rest_api import rest_api_source

if t.TYPE_CHECKING:
    from collections.abc import Iterator


def iterate(config: dict[str, t.Any]) -> Iterator[dict[str, t.Any]]:
    """Yield every row of every resource."""
    source = rest_api_source(config)
    for resource in source.selected_resources.values():
        yield from resource


def extract(config: dict[str, t.Any], folder: Path) -> None:
    """Extract into a new pipeline below a folder."""
    pipeline = dlt.pipeline("bench", pipelines_dir=str(folder), destination="filesystem")
    pipeline.extract(rest_api_source(config))


def extracted(folder: Path) -> Iterator[dict[str, t.Any]]:
    """Yield the rows that an extraction left in its files."""
    for path in folder.rglob("items.*.typed-jsonl*"):
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as lines:
            for line in lines:
                rows = fast_json.typed_loadb(line)
                yield from rows if isinstance(rows, list) else [rows]


def main() -> None:
    config_path, mode, folder, *check = sys.argv[1:]
    config = json.loads(Path(config_path).read_text("utf-8"))
    rows: Iterator[dict[str, t.Any]] = iter(())
    if mode == "iterate":
        rows = iterate(config)
    else:
        extract(config, Path(folder))
        if check:
            rows = extracted(Path(folder))
    for row in rows:
        if check:
            line = {"type": "RECORD", "stream": "items", "record": row}
            sys.stdout.write(fast_json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
