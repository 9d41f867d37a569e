"""The command line: the Singer command and the additional commands.

An additional command is a module with `main(argv)`, which returns the exit code; it is imported
when it is run. All of them take the same configuration.
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
    "shards": "tap_analytics.commands.shards",
    "conclude": "tap_analytics.commands.conclude",
}
#: Names of log levels, and the environment variables that set one.
LEVELS = ("DEBUG", "INFO", "WARN", "WARNING", "ERROR", "FATAL", "CRITICAL", "NOTSET")
LEVEL_VARIABLES = ("TAP_ANALYTICS_LOGLEVEL", "LOGLEVEL")
#: The option of glibc's `mallopt` that bounds the number of heaps.
M_ARENA_MAX = -8


def run(arguments: list[str]) -> None:
    """Run an additional command or the Singer command; ends the process."""
    _check_environment()
    if arguments == ["--version"]:
        _print_version()
    elif arguments and arguments[0] in COMMANDS:
        sys.exit(import_module(COMMANDS[arguments[0]]).main(arguments[1:]))
    else:
        _run_singer(arguments)


def _print_version() -> None:
    """Print the version without importing the SDK, which is slow."""
    try:
        sys.stdout.write(
            f"tap-analytics v{version('tap-analytics')}, Meltano SDK v{version('singer-sdk')}\n"
        )
        sys.stdout.flush()
    except OSError as error:
        _print_error(f"ERROR: Standard output can't be written: {error.strerror}.")
        # Buffered output can't be written either: skip the flush at exit.
        os._exit(1)


def _run_singer(arguments: list[str]) -> None:
    # glibc gives each thread its own heap, which never shrinks.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
    # Imports allocate much and free nothing, so garbage collection would only cost time.
    gc.disable()
    tap = import_module("tap_analytics.commands.singer").SingerTap
    gc.freeze()
    gc.enable()
    try:
        command = tap.cli
    except Exception as error:  # noqa: BLE001 - a logging configuration can raise anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        _print_error(
            f"ERROR: `SINGER_SDK_LOG_CONFIG` can't be used: {reason}. Correct it, or unset it."
        )
        sys.exit(1)
    command.epilog = f"Additional commands: {', '.join(COMMANDS)}; see the --help of each."
    command(arguments)


def _check_environment() -> None:
    """Correct or refuse closed standard streams and invalid log levels."""
    if sys.stderr is None:
        # Otherwise a file opened later gets the descriptor of standard error.
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - for good
    if sys.stdout is None:
        _print_error("ERROR: Standard output is closed, but the result is written to it. Open it.")
        sys.exit(1)
    for name in LEVEL_VARIABLES:
        if os.environ.get(name) and os.environ[name].upper() not in LEVELS:
            del os.environ[name]
            _print_error(
                f"WARNING: `{name}` is not a log level and is ignored. Known: {', '.join(LEVELS)}."
            )


def _print_error(line: str) -> None:
    """Write a line to standard error before logging is configured."""
    sys.stderr.write(f"{line}\n")
