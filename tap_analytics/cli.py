"""The `tap-analytics` command: the Singer command line, and the tap's own commands beside it."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import signal
import sys
import typing as t
from importlib import import_module
from importlib.metadata import version

from tap_analytics.commands import COMMANDS

if t.TYPE_CHECKING:
    from collections.abc import Sequence

#: What `--help` says of the tap's own commands.
OWN = f"Its own commands are {', '.join(COMMANDS)}; each tells its options with --help."
#: The option of glibc's `mallopt` that bounds the number of heaps.
M_ARENA_MAX = -8


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command of the tap's own, or the Singer command line; ends the process."""
    # Until the tap answers signals itself, an interrupt ends the process without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    arguments = list(sys.argv[1:] if argv is None else argv)
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
    from tap_analytics.tap import TapAnalytics  # noqa: PLC0415 - see above

    gc.freeze()
    gc.enable()
    command = TapAnalytics.cli
    command.epilog = OWN
    command(arguments)


def _share_one_heap() -> None:
    """Keep the threads' pages in one heap: glibc gives each thread its own, which never shrinks."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


if __name__ == "__main__":
    main()
