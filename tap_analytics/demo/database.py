"""The command that serves a throw-away PostgreSQL until it is told to stop."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import typing as t

from tap_analytics.demo.postgres import Postgres, PostgresError


def main(argv: t.Sequence[str]) -> int:
    """Serve until SIGINT or SIGTERM; return 0 then, and 1 if no server could be started."""
    _parser().parse_args(argv)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with Postgres() as database:
            for name, value in database.env.items():
                sys.stdout.write(f"{name}={value}\n")
            sys.stdout.flush()
            sys.stderr.write(f"PostgreSQL is ready. To look inside: {database.command}\n")
            stop.wait()
    except PostgresError as error:
        sys.stderr.write(f"PostgreSQL can't start: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog="tap-analytics demo-postgres",
        description="Serve an empty PostgreSQL on loopback, gone with all its rows when it ends. "
        "Prints the variables that point target-postgres to it, as lines of `.env`.",
    )
