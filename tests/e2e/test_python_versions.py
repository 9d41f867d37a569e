"""Every pinned package has a wheel for the newest Python that the tap supports."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support.paths import ROOT

NEWEST = "3.14"


@pytest.mark.outside
def test_every_pinned_package_has_a_wheel_for_the_newest_python(tmp_path):
    platform = ["--only-binary", ":all:", "--python-version", NEWEST, "--target", str(tmp_path)]
    wanted = ["-r", str(ROOT / "constraints.txt")]
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps"]

    done = subprocess.run(
        [*command, *platform, *wanted], capture_output=True, check=False, text=True
    )

    assert done.returncode == 0, done.stderr


def test_the_newest_python_is_the_one_that_is_declared():
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    workflow = (ROOT / ".github/workflows/test.yml").read_text("utf-8")

    assert f"Python :: {NEWEST}" in project
    assert f'"{NEWEST}"' in workflow
