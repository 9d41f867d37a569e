"""`tap-analytics demo-api`: run the demo server."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import threading
import typing as t
from pathlib import Path

from typing_extensions import override

from tap_analytics.demo.demo_api import DemoApi
from tap_analytics.demo.dialects import DIALECTS
from tap_analytics.demo.tap_config import variables


def main(argv: t.Sequence[str]) -> int:
    """Serve until SIGINT or SIGTERM; return 1 if the server can't start."""
    options = _parser().parse_args(argv)
    stop = threading.Event()
    try:
        faults = json.loads(Path(options.faults).read_text("utf-8")) if options.faults else ()
        demo = DemoApi(
            host=options.host,
            port=options.port,
            dialect=options.dialect,
            scale=options.scale,
            seed=options.seed,
            latency=options.latency / 1000,
            faults=faults,
            rate_limits=options.rate_limits,
        )
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        with demo:
            _announce(demo, options)
            stop.wait()
    except (OSError, ValueError) as error:
        sys.stderr.write(f"demo API can't start: {error}\n")
        return 1
    return 0


def _announce(demo: DemoApi, options: argparse.Namespace) -> None:
    if options.print_config:
        lines = [json.dumps(demo.config)]
        if options.print_config == "env":
            lines = [f"{name}={shlex.quote(text)}" for name, text in variables(demo.config).items()]
        sys.stdout.writelines(f"{line}\n" for line in lines)
        sys.stdout.flush()
    if not options.quiet:
        # Standard output has only the configuration, so that it can be redirected to a file.
        stream = sys.stderr if options.print_config else sys.stdout
        stream.write(f"demo API ready at {demo.url} ({demo.dialect} dialect)\n")
        stream.flush()


class _Parser(argparse.ArgumentParser):
    """Exit with code 1 on invalid options, as the other commands do."""

    @override
    def error(self, message: str) -> t.NoReturn:
        self.print_usage(sys.stderr)
        self.exit(1, f"{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="tap-analytics demo-api",
        description="Serve the five APIs on loopback, with sample data.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=int, default=0, help="port to listen on; 0, the default, finds a free one")
    add(
        "--dialect",
        choices=sorted(DIALECTS),
        default="real",
        help="real, the default: paths, headers, paging and errors of the services as they answer "
        "today; spec: those of the written descriptions that the tap was first made for",
    )
    add("--scale", type=float, default=1.0, help="size of the data; 1 is about 2,200 records")
    add(
        "--seed",
        type=int,
        default=7,
        help="number that the data is made from; the same number makes the same data",
    )
    add("--latency", type=float, default=0.0, metavar="MS", help="time each response takes")
    add("--rate-limits", action="store_true", help="enforce the rates of the real services")
    add(
        "--faults",
        metavar="FILE",
        help="JSON list of faults, such as a status or a wait, and which requests have them",
    )
    add(
        "--print-config",
        choices=("json", "env"),
        nargs="?",
        const="json",
        help="print the tap's configuration, and nothing else, to standard output: as JSON on one "
        "line, or as the variables of a .env file",
    )
    add("--quiet", action="store_true", help="don't print the line that says it is ready")
    return parser
