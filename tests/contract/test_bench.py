"""The benchmark's command finds all that it imports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.paths import ROOT


def test_the_benchmark_starts():
    *_, command = (ROOT / "scripts/bench").read_text("utf-8").splitlines()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    said = subprocess.run(
        ["bash", "-c", f"set -- --help; {command}"],
        cwd=ROOT,
        env=os.environ | {"PATH": path},
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    assert "--quick" in said
