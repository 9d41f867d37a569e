"""What a run tells machines: metrics, the summary file and the state, read off a real run."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
import tempfile
import typing as t
from functools import cache
from pathlib import Path

from handbook.markdown import code, table
from tap_analytics.demo import DemoApi
from tap_analytics.pagination.completeness import Verdict
from tap_analytics.pagination.position import Checkpoint

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: What the shell says about the tap and its log is not meant for this run.
FOREIGN = ("TAP_ANALYTICS_", "SINGER_SDK_", "LOGLEVEL")
#: What each member of the summary says. One that a run writes and nobody explains is an error.
SUMMARY = {
    "tap": "`tap-analytics`.",
    "version": "Version of the tap.",
    "exit_code": "What the process ended with.",
    "seconds": "Time of the whole run.",
    "rows": "Rows of all streams.",
    "streams.NAME.status": "`complete`, `failed`, or `unfinished` if the run was ended before.",
    "streams.NAME.verdict": "The verdict of a complete stream, else null.",
    "streams.NAME.doubt": "Why rows of a complete stream may be missing, so that nothing was "
    "deleted in the target and its bookmark stayed, else null.",
    "streams.NAME.rows": "Rows written.",
    "streams.NAME.pages": "Pages read.",
    "streams.NAME.requests": "HTTP requests made for it, retries among them.",
    "streams.NAME.retries": "Requests that were tried again.",
    "streams.NAME.parents_gone": "Parents that were gone (404) when their children were read.",
    "streams.NAME.repeated_keys": "Rows whose key had already come in this run.",
    "streams.NAME.repeated_keys_exact": "Whether that count is exact; else it is a lower bound.",
    "streams.NAME.type_mismatches": "Values that contradicted the schema, if they are looked for.",
    "streams.NAME.seconds": "Time of the stream.",
    "streams.NAME.error": "The line that tells why the stream failed, else null.",
    "apis.NAME.requests": "Requests sent.",
    "apis.NAME.retries": "Requests that were sent again.",
    "apis.NAME.throttled": "Answers that asked to wait, such as 429.",
    "apis.NAME.throttled_seconds": "Time spent waiting for them.",
}


def metrics() -> Iterator[str]:
    """Describe every metric by its type and its tags."""
    found: dict[tuple[str, str], dict[str, t.Any]] = {}
    for point in map(json.loads, re.findall(r"METRIC: (\{.*\})", _run()["log"])):
        found.setdefault((point["metric"], point["type"]), {}).update(point["tags"])
    rows = [
        (code(metric), kind, ", ".join(map(code, sorted(tags))))
        for (metric, kind), tags in sorted(found.items())
    ]
    yield from table(("Metric", "Type", "Tags"), rows)
    yield ""
    words = ", ".join(code(verdict.value) for verdict in Verdict)
    yield f"`verdict` is one of {words}, and null for a stream that wasn't read to its end."


def summary() -> Iterator[str]:
    """Describe every member of the summary file."""
    written = dict.fromkeys(_members(_run()["summary"]))
    if set(written) != set(SUMMARY):
        raise ValueError(f"explain what has changed: {set(written) ^ set(SUMMARY)}")
    yield from table(("Member", "Meaning"), ((code(name), SUMMARY[name]) for name in written))


def position() -> Iterator[str]:
    """Describe the position of a stream that was cut, by the comments of its class."""
    source = inspect.getsource(Checkpoint)
    found = re.findall(r"((?: +#: .+\n)+) +(\w+): ", source)
    rows = [(code(name), re.sub(r"\s*#: ", " ", comment).strip()) for comment, name in found]
    if [name for name, _ in rows] != [code(name) for name in Checkpoint.__dataclass_fields__]:
        raise ValueError("explain each field of Position by a comment of its own")
    yield from table(("Member", "Meaning"), rows)


def _members(summary: Mapping[str, t.Any], prefix: str = "") -> Iterator[str]:
    """Name the members of a summary; streams and APIs stand for each other."""
    for name, value in summary.items():
        if prefix in {"streams.", "apis."}:
            yield from _members(value, f"{prefix}NAME.")
        elif isinstance(value, dict):
            yield from _members(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


@cache
def _run() -> Mapping[str, t.Any]:
    """Run the tap against a small demo; return what it logged and its summary."""
    with DemoApi(scale=0.1) as demo, tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        wiki = {"wiki": demo.config["wiki"], "summary_path": f"{folder}/summary.json"}
        config.write_text(json.dumps(wiki), "utf-8")
        done = subprocess.run(  # noqa: S603 - the tap itself
            [sys.executable, "-m", "tap_analytics", "--config", str(config)],
            capture_output=True,
            check=True,
            env={k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)},
            text=True,
        )
        read = json.loads((Path(folder) / "summary.json").read_text("utf-8"))
        return {"log": done.stderr, "summary": read}
