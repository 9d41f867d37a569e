"""What a person at a terminal sees of a run: a live display, and a table at the end."""

from __future__ import annotations

import os


def in_foreground(fd: int) -> bool:
    """Whether a terminal belongs to this process's job."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        # It is not the terminal that controls this process, so it has no jobs.
        return True
