"""The end of a process that a signal stops."""

from __future__ import annotations

import subprocess
import sys

import pytest

ENDING = """
import signal, sys, time
from tap_analytics.transport import stop

class Slow:
    def __del__(self, clock=time.monotonic):
        start = clock()
        while clock() < start + 0.3:
            pass

kept = Slow()
stop.TIME_LIMIT = 0.1
stop.Process.is_own = True
stop.Process.end_in_time(signal.SIGINT)
sys.exit(130)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no timer that ends a process")
def test_an_interpreter_that_ends_slowly_keeps_the_exit_code():
    assert subprocess.run([sys.executable, "-c", ENDING], check=False).returncode == 130
