"""The tap's own commands, beside the Singer command line; all of them take the same configuration.

A command is a module with a `main(argv)` that returns the exit code. It is imported when it is run.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys
from importlib import import_module
from importlib.metadata import version

#: Command name to its module.
COMMANDS = {
    "demo-api": "tap_analytics.demo.cli",
    "doctor": "tap_analytics.commands.doctor",
    "import": "tap_analytics.commands.importing.command",
    "schema": "tap_analytics.commands.schema",
    "plan": "tap_analytics.commands.plan",
}
#: What `--help` says of the tap's own commands.
OWN = f"Its own commands are {', '.join(COMMANDS)}; each tells its options with --help."
#: Names of the levels of a log, and the variables that hold one.
LEVELS = ("DEBUG", "INFO", "WARN", "WARNING", "ERROR", "FATAL", "CRITICAL", "NOTSET")
LEVEL_VARIABLES = ("TAP_ANALYTICS_LOGLEVEL", "LOGLEVEL")
#: The option of glibc's `mallopt` that bounds the number of heaps.
M_ARENA_MAX = -8


def run(arguments: list[str]) -> None:
    """Run a command of the tap's own, or the Singer command line; ends the process."""
    _check_surroundings()
    if arguments == ["--version"]:
        # Answered before the SDK is imported, which takes most of the time.
        sdk = version("singer-sdk")
        try:
            sys.stdout.write(f"tap-analytics v{version('tap-analytics')}, Meltano SDK v{sdk}\n")
            sys.stdout.flush()
        except OSError as error:
            _say(f"ERROR: Standard output can't be written: {error.strerror}.")
            # What is left can't be written either, and must not be tried at exit.
            os._exit(1)
        return
    if arguments and arguments[0] in COMMANDS:
        sys.exit(import_module(COMMANDS[arguments[0]]).main(arguments[1:]))
    _share_one_heap()
    # Imports allocate much and free nothing: looking for garbage meanwhile is time lost.
    gc.disable()
    tap = import_module("tap_analytics.tap").TapAnalytics
    gc.freeze()
    gc.enable()
    try:
        command = tap.cli
    except Exception as error:  # noqa: BLE001 - whatever a user's logging configuration leads to
        told = " ".join(f"{type(error).__name__}: {error}".split())
        _say(f"ERROR: `SINGER_SDK_LOG_CONFIG` can't be used: {told}. Correct it, or unset it.")
        sys.exit(1)
    command.epilog = OWN
    command(arguments)


def _check_surroundings() -> None:
    """Put right, or refuse, what a process may be given that nothing can work with."""
    if sys.stderr is None:
        # A file opened later must not be taken for standard error.
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - for good
    if sys.stdout is None:
        _say("ERROR: Standard output is closed, and that is where the result goes. Open it.")
        sys.exit(1)
    for name in LEVEL_VARIABLES:
        if os.environ.get(name) and os.environ[name].upper() not in LEVELS:
            del os.environ[name]
            _say(f"WARNING: `{name}` names no level and is ignored. Known: {', '.join(LEVELS)}.")


def _say(line: str) -> None:
    """Write a line before there is a log to write it to."""
    sys.stderr.write(f"{line}\n")


def _share_one_heap() -> None:
    """Keep the threads' pages in one heap: glibc gives each thread its own, which never shrinks."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
