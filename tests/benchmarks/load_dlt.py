"""dlt's way into PostgreSQL with the same messages, set to its best.

    python load_dlt.py CONNECTION SCHEMA append|merge FOLDER < messages

The best of what was tried: CSV instead of INSERT, no child tables, two processes that normalize,
small uncompressed files, and blocks of rows that orjson has decoded.
"""

from __future__ import annotations

import os
import sys
import typing as t

os.environ |= {
    "NORMALIZE__WORKERS": "2",
    "LOAD__WORKERS": "4",
    "DATA_WRITER__FILE_MAX_ITEMS": "25000",
    "DATA_WRITER__DISABLE_COMPRESSION": "true",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
}

import dlt
import orjson

if t.TYPE_CHECKING:
    from collections.abc import Iterator

TYPES = {
    "string": "text",
    "integer": "bigint",
    "number": "decimal",
    "boolean": "bool",
    "object": "json",
    "array": "json",
}
BLOCK = 4 << 20


def hint(schema: dict[str, t.Any]) -> dict[str, str]:
    """Return the type of a column."""
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    is_time = schema.get("format") == "date-time"
    return {"data_type": "timestamp" if is_time else TYPES[kinds[0]]}


def records() -> Iterator[list[dict[str, t.Any]]]:
    """Yield blocks of rows."""
    while lines := sys.stdin.buffer.readlines(BLOCK):
        yield [m["record"] for m in map(orjson.loads, lines) if m["type"] == "RECORD"]


def main() -> None:
    connection, schema, disposition, folder = sys.argv[1:]
    properties = orjson.loads(sys.stdin.buffer.readline())["schema"]["properties"]
    rows = dlt.resource(
        records,
        name="rows",
        primary_key="id",
        write_disposition=t.cast("t.Any", disposition),
        columns=t.cast("t.Any", {name: hint(each) for name, each in properties.items()}),
        max_table_nesting=0,
    )
    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=folder,
        destination=dlt.destinations.postgres(credentials=connection),
        dataset_name=schema,
    )
    pipeline.run(rows, loader_file_format="csv")


if __name__ == "__main__":
    main()
