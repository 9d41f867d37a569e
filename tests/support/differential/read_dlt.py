"""Read tasks by name on standard input by dlt's REST source, and write their rows as JSON."""

import gzip
import json
import os
import sys
import tempfile
from pathlib import Path

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

import dlt
from dlt.common.json import json as fast_json
from dlt.sources.rest_api import rest_api_source


def extracted(folder, table):
    """Yield the rows that an extraction left in its files."""
    for path in sorted(folder.rglob(f"{table}.*.typed-jsonl*")):
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as lines:
            for line in lines:
                rows = fast_json.typed_loadb(line)
                yield from rows if isinstance(rows, list) else [rows]


def read(name, source, streams, folder):
    """Return the rows of each resource, and the type of the error."""
    error = ""
    try:
        pipeline = dlt.pipeline(name, pipelines_dir=str(folder), destination="filesystem")
        pipeline.extract(rest_api_source(source))
    except Exception as failure:  # noqa: BLE001 - whatever a tool fails with
        error = type(failure).__name__
        sys.stderr.write(f"{name}: {failure}\n")
    return {"rows": {each: list(extracted(folder, each)) for each in streams}, "error": error}


def main():
    tasks = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        found = {
            name: read(name, task["source"], task["streams"], Path(folder, name))
            for name, task in tasks.items()
        }
    sys.stdout.write("\n" + fast_json.dumps(found))


main()
