"""Files of Singer messages, which loaders read: from the tap, or of rows with another shape."""

from __future__ import annotations

import json
import typing as t

from contenders import Task, tap
from measure import mock_api, timed

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHANGE = b'"name":"Customer ', b'"name":"Consumer '
_BLOCK = 16 << 20
_WIDTH = 200

#: The types of a wide row, in turns: a schema, and the JSON of a value.
_WIDE: tuple[tuple[dict[str, t.Any], Callable[[int, int], str]], ...] = (
    ({"type": ["string", "null"]}, lambda row, at: f'"value {row * at % 9973} of {at}"'),
    ({"type": ["integer", "null"]}, lambda row, at: str(row * at)),
    ({"type": ["number", "null"]}, lambda row, at: str(row % 997 + at / 8)),
    (
        {"type": ["string", "null"], "format": "date-time"},
        lambda row, at: f'"2024-0{row % 9 + 1}-1{at % 9}T08:{row % 60:02d}:00Z"',
    ),
    ({"type": ["boolean", "null"]}, lambda row, at: ("true", "false", "null")[(row + at) % 3]),
)


def from_tap(path: Path, rows: int) -> Path:
    """Have the tap write messages, and write them again with every row changed."""
    with mock_api(rows) as url, path.open("wb") as output:
        timed(tap(8)(Task(url=url, size=1000), path.parent), output=output.fileno())
    with path.open("rb") as messages, changed(path).open("wb") as copy:
        while block := messages.readlines(_BLOCK):
            copy.write(b"".join(block).replace(*CHANGE))
    return path


def changed(path: Path) -> Path:
    """Return where the changed rows of a file are."""
    return path.with_suffix(".changed")


def wide(path: Path, rows: int) -> Path:
    """Write rows of 200 columns and about 4 kB."""
    columns = [f"column_{at}" for at in range(1, _WIDTH)]
    types = [_WIDE[at % len(_WIDE)] for at in range(1, _WIDTH)]
    properties = {name: schema for name, (schema, _) in zip(columns, types, strict=True)}

    def row(number: int) -> str:
        values = (value(number, at) for at, (_, value) in enumerate(types, 1))
        return ",".join(f'"{name}":{each}' for name, each in zip(columns, values, strict=True))

    return _write(path, "wide", properties, row, rows)


def small(path: Path, rows: int) -> Path:
    """Write rows of two columns beside their key."""
    properties = {"name": {"type": ["string", "null"]}, "amount": {"type": ["number", "null"]}}
    return _write(path, "small", properties, lambda n: f'"name":"n{n % 97}","amount":{n / 4}', rows)


def _write(
    path: Path,
    stream: str,
    properties: dict[str, t.Any],
    row: Callable[[int], str],
    rows: int,
) -> Path:
    schema = {"type": "object", "properties": {"id": {"type": "integer"}, **properties}}
    start = {"type": "SCHEMA", "stream": stream, "schema": schema, "key_properties": ["id"]}
    head = f'{{"type":"RECORD","stream":"{stream}","record":{{"id":'
    tail = '},"time_extracted":"2026-11-21T10:00:00.000000+00:00"}\n'
    with path.open("w", encoding="utf-8") as messages:
        messages.write(json.dumps(start) + "\n")
        messages.writelines(f"{head}{number},{row(number)}{tail}" for number in range(rows))
    return path
