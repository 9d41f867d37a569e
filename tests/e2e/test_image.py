"""The steps of the container image, run without an engine: what they install starts."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest
import yaml
from support.paths import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
BUILD, FINAL = DOCKERFILE.rsplit("\nFROM ", 1)
STEPS = re.findall(r"^RUN (.+)$", BUILD, re.MULTILINE)
COPIED = re.findall(r"^COPY (.+) \S+$", BUILD, re.MULTILINE)


def test_the_image_runs_without_rights():
    assert FINAL.index("useradd") < FINAL.index("USER tap") < FINAL.index("ENTRYPOINT")


def test_the_image_has_the_versions_of_the_project():
    plugins = yaml.safe_load((ROOT / "meltano.yml").read_text("utf-8"))["plugins"]["loaders"]
    pinned = {plugin["name"]: plugin["pip_url"].split() for plugin in plugins}

    for name in ("target-postgres", "target-jsonl"):
        [step] = [step for step in STEPS if f"/opt/{name}/" in step]
        assert pinned[name][0] in step.split()


@pytest.mark.soak
@pytest.mark.parametrize("name", ["tap-analytics", "target-jsonl"])
def test_the_steps_install_a_program_that_starts(tmp_path, name):
    for source in " ".join(COPIED).split():
        there = ROOT / source
        (shutil.copytree if there.is_dir() else shutil.copy)(there, tmp_path / source)
    [step] = [step for step in STEPS if f"/opt/{name}/" in step]
    step = step.replace("/opt/", f"{tmp_path}/").replace("python -m", f"{sys.executable} -m")

    subprocess.run(["bash", "-c", step], cwd=tmp_path, check=True, capture_output=True)

    program = tmp_path / name / "bin" / name
    said = subprocess.run(
        [program, "--help"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert "usage" in said.stdout.lower()
