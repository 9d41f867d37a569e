"""A PostgreSQL server and a Meltano project with its plugins, one of each per session."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.paths import ROOT
from support.warehouse import Warehouse
from walkthrough.postgres import Postgres

from tap_analytics.demo.tap_config import variables

MELTANO = Path(sys.executable).with_name("meltano")
#: Nothing that this shell says about plugins or Meltano may reach the runs.
FOREIGN = ("TAP_ANALYTICS_", "TARGET_", "MELTANO_", "COVERAGE_")


@dataclasses.dataclass(frozen=True)
class Project:
    """A copy of the repository's project: same settings and loaders, a folder of its own."""

    folder: Path

    @property
    def env(self):
        own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        backend = os.environ.get("MELTANO_VENV_BACKEND", "uv")
        # A port where nobody listens: whatever asks the Hub fails.
        return own | {
            "MELTANO_VENV_BACKEND": backend,
            "MELTANO_HUB_URL": "http://127.0.0.1:9",
            "NO_COLOR": "1",
        }

    def meltano(self, *arguments, env=None, fails=False):
        """Run Meltano in the project and return what it said on stdout and stderr."""
        done = subprocess.run(
            [MELTANO, *arguments],
            cwd=self.folder,
            env=self.env | (env or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        said = f"{done.stdout}\n{done.stderr}"
        assert (done.returncode != 0) == fails, said
        return said

    def install(self, *plugins):
        """Install plugins, each of which takes seconds."""
        self.meltano("install", *plugins)

    def load(self, loader, *options, env, fails=False):
        """Run the pipeline into a loader, which is installed if it is not yet."""
        if not self.python(loader).exists():
            self.install(loader)
        arguments = ("run", "--no-install", *options, "tap-analytics", loader)
        return self.meltano(*arguments, env=env, fails=fails)

    def python(self, loader):
        """Return the Python that a loader is installed in."""
        return self.folder / ".meltano" / "loaders" / loader / "venv" / "bin" / "python"


@pytest.fixture(scope="session")
def postgres():
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def meltano_project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    definition = (ROOT / "meltano.yml").read_text("utf-8")
    assert definition.count("pip_url: -e .\n") == 1
    own = definition.replace("pip_url: -e .\n", f"pip_url: -e {ROOT}\n")
    own = own.replace("pip_url: -e loaders/", f"pip_url: -e {ROOT}/loaders/")
    (folder / "meltano.yml").write_text(own, "utf-8")
    project = Project(folder)
    project.install("tap-analytics", "target-postgres")
    return project


@pytest.fixture
def warehouse(meltano_project, postgres, tmp_path):
    """A schema of its own; a version that is activated deletes what did not come with it."""
    return Warehouse(meltano_project, postgres, tmp_path, hard_delete="true")


@pytest.fixture(scope="session")
def repository():
    return ROOT


@pytest.fixture
def bare_project(tmp_path):
    """Give the test a folder to put a project's definition into."""
    return Project(tmp_path)


@pytest.fixture
def settings():
    return variables
