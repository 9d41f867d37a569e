"""The floor of a load: decode with orjson, COPY into typed columns, and nothing else.

    python load_bare.py CONNECTION SCHEMA < messages

No key, no check, no `_sdc_` columns, no state, one stream: what it takes is what no loader in
Python can undercut by much.
"""

from __future__ import annotations

import sys
import typing as t

import orjson
import psycopg

TYPES = {
    "string": "text",
    "integer": "bigint",
    "number": "numeric",
    "boolean": "boolean",
    "object": "jsonb",
    "array": "jsonb",
}
BLOCK = 4 << 20


def sql_type(schema: dict[str, t.Any]) -> str:
    """Return the type of a column."""
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    return "timestamptz" if schema.get("format") == "date-time" else TYPES[kinds[0]]


def field(value: object) -> str:
    """Write a value for COPY."""
    if value is None:
        return "\\N"
    if isinstance(value, str):
        text = value
    elif isinstance(value, (dict, list)):
        text = orjson.dumps(value).decode()
    else:
        return str(value)
    if "\\" in text or "\n" in text or "\t" in text:
        return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")
    return text


def main() -> None:
    connection, schema = sys.argv[1:]
    database = psycopg.connect(connection, autocommit=True)
    properties = orjson.loads(sys.stdin.buffer.readline())["schema"]["properties"]
    columns = ", ".join(f'"{name}" {sql_type(each)}' for name, each in properties.items())
    database.execute(f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.rows ({columns})")
    while lines := sys.stdin.buffer.readlines(BLOCK):
        rows = []
        for message in map(orjson.loads, lines):
            if message["type"] == "RECORD":
                record = message["record"]
                rows.append("\t".join([field(record.get(name)) for name in properties]))
        with database.cursor().copy(f"COPY {schema}.rows FROM STDIN") as copy:
            copy.write("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
