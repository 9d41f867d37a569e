"""`tap-analytics doctor`: does the configuration fit the servers, and what would fit better?"""

from __future__ import annotations

import sys
import typing as t
from contextlib import nullcontext
from itertools import count

from rich.console import Console

from tap_analytics.commands import base
from tap_analytics.commands.doctor.examination import Doctor
from tap_analytics.commands.doctor.findings import is_wrong
from tap_analytics.commands.doctor.report import as_data, parts
from tap_analytics.config.settings.checks import nearest
from tap_analytics.errors import InputError
from tap_analytics.tap import NO_API

if t.TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from tap_analytics.tap import TapAnalytics


def main(argv: Sequence[str]) -> int:
    """Examine the configured APIs; return 1 if something is wrong."""
    parser = base.parser(
        "doctor",
        "Ask each stream's server a few times, say whether the configuration fits and a run would "
        "be complete, and suggest what would.",
    )
    parser.add_argument(
        "--stream", action="append", default=[], metavar="NAME", help="examine this stream only"
    )
    return base.run(_examine, parser.parse_args(argv))


def _examine(options: argparse.Namespace) -> int:
    tap = base.open_tap(options, samples=False)
    if not tap.apis:
        raise InputError(NO_API)
    _check_names(tap, options.stream)
    status = Console(stderr=True).status("") if sys.stderr.isatty() else nullcontext()
    with status as shown:
        asked = len(options.stream) or len(tap.streams)
        done = count(1)

        def tell() -> None:
            number = next(done)
            if shown is not None:
                shown.update(f"{min(number, asked)} of {asked} streams examined")

        try:
            apis = Doctor(tap, only=options.stream, done=tell).run()
        finally:
            tap.connections.close()
    base.show(as_data(apis), *parts(apis), as_json=options.json)
    return int(is_wrong(apis))


def _check_names(tap: TapAnalytics, names: Sequence[str]) -> None:
    for name in names:
        if name not in tap.streams:
            near = nearest(name, tap.streams)
            hint = f"Did you mean {near}?" if near else f"Known: {', '.join(tap.streams)}."
            raise InputError(f"There is no stream {name}. {hint}")
