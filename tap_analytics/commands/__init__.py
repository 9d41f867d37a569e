"""The command line: the Singer command, and the tap's own commands beside it.

One of its own is a module with a `main(argv)` that returns the exit code, imported when it is run.
All of them take the same configuration.
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
#: Names of the levels of a log, and the variables that hold one.
LEVELS = ("DEBUG", "INFO", "WARN", "WARNING", "ERROR", "FATAL", "CRITICAL", "NOTSET")
LEVEL_VARIABLES = ("TAP_ANALYTICS_LOGLEVEL", "LOGLEVEL")
#: The option of glibc's `mallopt` that bounds the number of heaps.
M_ARENA_MAX = -8


def run(arguments: list[str]) -> None:
    """Run a command of the tap's own, or the Singer command; ends the process."""
    _check_environment()
    if arguments == ["--version"]:
        _print_version()
    elif arguments and arguments[0] in COMMANDS:
        sys.exit(import_module(COMMANDS[arguments[0]]).main(arguments[1:]))
    else:
        _run_singer(arguments)


def _print_version() -> None:
    """Answer before the SDK is imported, which takes most of the time."""
    try:
        sys.stdout.write(
            f"tap-analytics v{version('tap-analytics')}, Meltano SDK v{version('singer-sdk')}\n"
        )
        sys.stdout.flush()
    except OSError as error:
        _say(f"ERROR: Standard output can't be written: {error.strerror}.")
        # What is buffered can't be written either, and must not be tried at exit.
        os._exit(1)


def _run_singer(arguments: list[str]) -> None:
    # glibc gives each thread a heap of its own, which never shrinks.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
    # Imports allocate much and free nothing: looking for garbage meanwhile is time lost.
    gc.disable()
    tap = import_module("tap_analytics.commands.singer").SingerTap
    gc.freeze()
    gc.enable()
    try:
        command = tap.cli
    except Exception as error:  # noqa: BLE001 - whatever a user's logging configuration leads to
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        _say(f"ERROR: `SINGER_SDK_LOG_CONFIG` can't be used: {reason}. Correct it, or unset it.")
        sys.exit(1)
    command.epilog = (
        f"Its own commands are {', '.join(COMMANDS)}; each tells its options with --help."
    )
    command(arguments)


def _check_environment() -> None:
    """Correct, or refuse, streams and variables that a process may be started with."""
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
