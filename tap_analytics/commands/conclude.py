"""`tap-analytics conclude`: write what follows from all shards of a sync, as Singer messages."""

from __future__ import annotations

import typing as t

from tap_analytics.commands import base
from tap_analytics.config.files import read_json_file
from tap_analytics.sync.shards import conclude_shards

if t.TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    """Write the messages; return 1 if a shard is missing, failed or not proven."""
    parser = base.parser("conclude", "Conclude the shards of a sync.", with_json=False)
    parser.add_argument(
        "folder", help="folder or URL with shards.json and the summaries of the shards"
    )
    parser.add_argument("--catalog", metavar="FILE", help="the catalog that the shards had")
    parser.add_argument("--state", metavar="FILE", help="the state that the sync began with")
    return base.run(_conclude, parser.parse_args(argv))


def _conclude(options: argparse.Namespace) -> int:
    tap = base.open_tap(
        options,
        catalog=read_json_file(options.catalog, "catalog"),
        state=read_json_file(options.state, "state"),
    )
    conclude_shards(tap.run, tap.streams.values(), options.folder)
    return 0
