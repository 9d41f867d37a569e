#!/usr/bin/env python3
"""Write what the documentation shows of the code: tables and diagrams.

A block stands between `<!-- name:begin -->` and `<!-- name:end -->`; everything else is prose and
stays. With `--check` nothing is written: the difference is shown and the exit code is 1.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from pathlib import Path

from handbook.commands import commands, singer
from handbook.declarations import declarations
from handbook.runs import metrics, position
from handbook.settings import settings
from handbook.streams import columns, diagrams, streams

ROOT = Path(__file__).resolve().parents[1]
#: The blocks of each page; a block has the name of the function that writes it.
PAGES = {
    "docs/reference/settings.md": (settings,),
    "docs/reference/declared-api.md": (declarations,),
    "docs/reference/streams.md": (streams, diagrams, columns),
    "docs/reference/commands.md": (singer, commands),
    "docs/reference/metrics.md": (metrics,),
    "docs/reference/state.md": (position,),
}


def main() -> int:
    """Bring the pages up to date, or check that they are; return the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare, and fail if it differs")
    options = parser.parse_args()
    outdated = 0
    for name, blocks in PAGES.items():
        before = after = (ROOT / name).read_text("utf-8")
        for block in blocks:
            after = with_block(after, block.__name__, block())
        if not options.check:
            (ROOT / name).write_text(after, "utf-8")
        elif before != after:
            outdated = 1
            texts = (before.splitlines(keepends=True), after.splitlines(keepends=True))
            sys.stdout.writelines(difflib.unified_diff(*texts, name, f"{name}, by scripts/docs"))
    return outdated


def with_block(text: str, name: str, block: str) -> str:
    """Return a text with the content of one block replaced; a missing block is a `ValueError`."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"there must be one block {begin} … {end}")
    return pattern.sub(lambda _: f"{begin}\n\n{block}\n\n{end}", text)


if __name__ == "__main__":
    sys.exit(main())
