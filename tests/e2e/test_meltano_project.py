"""The project files as Meltano itself reads them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tap_analytics.demo import DemoApi

pytestmark = pytest.mark.xdist_group("meltano")

PLAIN = "send_anonymous_usage_stats: false\ncli: {disable_version_check: true}\n"


def test_lint_is_clean_and_leaves_the_file_alone(repository, bare_project):
    definition = (repository / "meltano.yml").read_bytes()
    own = bare_project.folder / "meltano.yml"
    own.write_bytes(definition)
    said = bare_project.meltano("compile", "--lint")
    assert "warning" not in said.lower(), said
    assert "Failed to validate" not in said
    assert own.read_bytes() == definition


@pytest.mark.outside
def test_the_command_of_the_readme_installs_the_tap_in_another_project(repository, bare_project):
    project = bare_project
    (project.folder / "meltano.yml").write_text(PLAIN, "utf-8")
    readme = (repository / "README.md").read_text("utf-8")
    [command] = re.findall(r"^\$ (echo MELTANO_TAP.*)$", readme, re.MULTILINE)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    subprocess.run(
        ["bash", "-c", command.replace("../tap-analytics", str(repository))],
        cwd=project.folder,
        env=project.env | {"PATH": path},
        capture_output=True,
        check=True,
    )
    said = project.meltano("invoke", "tap-analytics", "--about", "--format=json")

    about = json.loads(said[said.index("{\n") : said.rindex("}") + 1])
    assert about["name"] == "tap-analytics"
    assert (project.folder / ".meltano/extractors/tap-analytics/venv/bin/tap-analytics").exists()
    assert "[warning" not in said


@pytest.mark.outside
def test_the_tap_passes_meltanos_own_test(meltano_project, settings):
    with DemoApi() as api:
        said = meltano_project.meltano("config", "test", "tap-analytics", env=settings(api.config))
    assert "configuration is valid" in said


def test_secrets_are_hidden_in_the_list_of_settings(meltano_project):
    env = {
        "TAP_ANALYTICS_LEARNING_API_KEY": "s3cret-key",
        "TAP_ANALYTICS_APIS": '[{"client": {"auth": {"token": "s3cret-token"}}}]',
    }
    said = meltano_project.meltano("config", "list", "tap-analytics", env=env)
    assert "learning.api_key" in said
    assert "s3cret" not in said


@pytest.mark.outside
def test_the_diagram_is_a_command_of_the_plugin(meltano_project, settings):
    with DemoApi() as api:
        env = settings({"wiki": api.config["wiki"]})
        said = meltano_project.meltano("invoke", "tap-analytics:schema", env=env)
    assert 'wiki_space |o..o{ wiki_pages : "spaceId"' in said
    assert "success_accounts" not in said
