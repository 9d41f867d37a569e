"""Terminal output of a run: a live display, and a table at the end."""

from __future__ import annotations

import os
import sys


def in_foreground(fd: int) -> bool:
    """Whether this process is in the foreground job of a terminal."""
    if sys.platform == "win32":
        return True
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        # Not the controlling terminal of this process: job control does not apply.
        return True
