"""The tap's own commands, beside the Singer command line; all of them take the same configuration.

A command is a module with a `main(argv)` that returns the exit code. It is imported when it is run.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
from importlib import import_module
from importlib.metadata import version

#: Command name to its module.
COMMANDS = {
    "demo-api": "tap_analytics.demo.cli",
    "demo-postgres": "tap_analytics.demo.database",
    "doctor": "tap_analytics.commands.doctor",
    "import": "tap_analytics.commands.import_",
    "schema": "tap_analytics.commands.schema",
    "plan": "tap_analytics.commands.plan",
}
#: What `--help` says of the tap's own commands.
OWN = f"Its own commands are {', '.join(COMMANDS)}; each tells its options with --help."
#: The option of glibc's `mallopt` that bounds the number of heaps.
M_ARENA_MAX = -8


def run(arguments: list[str]) -> None:
    """Run a command of the tap's own, or the Singer command line; ends the process."""
    if arguments == ["--version"]:
        # Answered before the SDK is imported, which takes most of the time.
        sdk = version("singer-sdk")
        sys.stdout.write(f"tap-analytics v{version('tap-analytics')}, Meltano SDK v{sdk}\n")
        return
    if arguments and arguments[0] in COMMANDS:
        sys.exit(import_module(COMMANDS[arguments[0]]).main(arguments[1:]))
    _share_one_heap()
    # Imports allocate much and free nothing: looking for garbage meanwhile is time lost.
    gc.disable()
    tap = import_module("tap_analytics.tap").TapAnalytics
    gc.freeze()
    gc.enable()
    command = tap.cli
    command.epilog = OWN
    command(arguments)


def _share_one_heap() -> None:
    """Keep the threads' pages in one heap: glibc gives each thread its own, which never shrinks."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
