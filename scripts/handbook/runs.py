"""Metrics and state, read off a real run and its classes."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

from handbook.markdown import code, table
from tap_analytics.demo import DemoApi
from tap_analytics.pagination.completeness import Verdict
from tap_analytics.pagination.position import Checkpoint

#: What the shell says about the tap and its log is not meant for this run.
FOREIGN = ("TAP_ANALYTICS_", "SINGER_SDK_", "LOGLEVEL")


def metrics() -> str:
    """Describe every metric by its type and its tags."""
    found: dict[tuple[str, str], dict[str, t.Any]] = {}
    for point in map(json.loads, re.findall(r"METRIC: (\{.*\})", _log())):
        found.setdefault((point["metric"], point["type"]), {}).update(point["tags"])
    rows = [
        (code(metric), kind, ", ".join(map(code, sorted(tags))))
        for (metric, kind), tags in sorted(found.items())
    ]
    words = ", ".join(code(verdict.value) for verdict in Verdict)
    note = f"`verdict` is one of {words}, and null for a stream that wasn't read to its end."
    return f"{table('Metric | Type | Tags', rows)}\n\n{note}"


def position() -> str:
    """Describe the position of a stream that was cut, by the comments of its class."""
    source = inspect.getsource(Checkpoint)
    found = re.findall(r"((?: +#: .+\n)+) +(\w+): ", source)
    if [name for _, name in found] != list(Checkpoint.__struct_fields__):
        raise ValueError("explain each field of Checkpoint by a comment of its own")
    names = map(code, Checkpoint.__struct_encode_fields__)
    rows = [
        (name, re.sub(r"\s*#: ", " ", comment).strip())
        for name, (comment, _) in zip(names, found, strict=True)
    ]
    return table("Member | Meaning", rows)


def _log() -> str:
    """Run the tap against a small demo and return what it logged."""
    with DemoApi(scale=0.1) as demo, tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        config.write_text(json.dumps({"wiki": demo.config["wiki"]}), "utf-8")
        return subprocess.run(  # noqa: S603 - the tap itself
            [sys.executable, "-m", "tap_analytics", "--config", str(config)],
            capture_output=True,
            check=True,
            env={k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
            | {"LOGLEVEL": "DEBUG"},
            text=True,
        ).stderr
