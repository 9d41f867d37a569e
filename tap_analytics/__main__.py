"""The `tap-analytics` command: next to nothing is imported before an interrupt ends it quietly."""

from __future__ import annotations

# The part of `signal` that imports nothing itself, which would take its time.
import _signal  # type: ignore[import-not-found]
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command of the tap's own, or the Singer command line; ends the process."""
    # Until the tap answers signals itself, an interrupt ends the process without a traceback.
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

    from tap_analytics import commands  # noqa: PLC0415 - see above
    from tap_analytics.transport.stop import Process  # noqa: PLC0415 - see above

    Process.is_own = argv is None
    commands.run(list(sys.argv[1:] if argv is None else argv))


if __name__ == "__main__":
    main()
