"""Terminal output of a run: a live display, and a table at the end."""

from __future__ import annotations

import os


def in_foreground(fd: int) -> bool:
    """Whether this process is in the foreground job of a terminal."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        # Not the controlling terminal of this process: job control does not apply.
        return True
