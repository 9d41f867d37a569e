"""A run uses nothing of Linux that Windows lacks; a stand-in for a test on Windows itself."""

from __future__ import annotations

import json
import subprocess
import sys

from support.paths import ROOT

from tap_analytics.demo import DemoApi

#: Runs the tap on a system that calls itself Windows, without what Python has on POSIX only.
PROGRAM = """
import os, select, signal, sys
from tap_analytics.__main__ import main
from tap_analytics.records import writer
import tap_analytics.commands.singer

sys.platform = "win32"
for module, names in (
    (os, "tcgetpgrp getpgrp getuid geteuid"),
    (signal, "SIGHUP SIGALRM ITIMER_REAL setitimer getitimer"),
    (select, "poll PIPE_BUF"),
    (writer, "fcntl termios"),
):
    for name in names.split():
        delattr(module, name)
main()
"""


def test_a_run_needs_nothing_that_windows_lacks(tmp_path):
    with DemoApi(scale=0.1) as demo:
        config = {"success": demo.config["success"], "report_path": str(tmp_path / "report.html")}
        (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, "--config", str(tmp_path / "config.json")],
            capture_output=True,
            check=False,
            cwd=ROOT,
            text=True,
        )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith('{"type":"STATE"')
    assert (tmp_path / "report.html").exists()
