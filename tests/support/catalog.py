"""Writes the discovered catalog to `tests/fixtures/catalog`, one JSON file per stream, for review.

Run `python tests/support/catalog.py` after a change to a schema, and look at the diff.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path

from tap_analytics.demo import DemoApi
from tap_analytics.tap import TapAnalytics

FOLDER = Path(__file__).parent.parent / "fixtures" / "catalog"
INNERMOST = re.compile(r"[\[{][^\[\]{}]*[\]}]")
BREAK = re.compile(r"\n\s*")


def rendered(entry):
    """Return an entry as JSON text whose innermost lists and objects take one line each."""
    text = json.dumps(entry, indent=2)
    return INNERMOST.sub(lambda inner: BREAK.sub(" ", inner[0]), text) + "\n"


def discovered(config):
    """Return the text of every catalog entry by stream name."""
    with contextlib.redirect_stdout(io.StringIO()) as stdout:
        TapAnalytics(config=config, parse_env_config=False).run_discovery()
    streams = json.loads(stdout.getvalue())["streams"]
    return {entry["tap_stream_id"]: rendered(entry) for entry in streams}


def main():
    with DemoApi() as demo:
        entries = discovered(demo.config)
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.json"):
        path.unlink()
    for stream, text in entries.items():
        (FOLDER / f"{stream}.json").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
