"""The page about two instances of one API, run as it is written."""

from __future__ import annotations

import shlex

import pytest
import yaml
from support.docs import blocks

from tap_analytics.demo import DemoApi

# Meltano runs four times, so this takes half a minute.
pytestmark = [pytest.mark.outside, pytest.mark.xdist_group("meltano")]

PAGE = "how-to/two-instances.md"


@pytest.fixture
def project(meltano_project, bare_project):
    """A project with the plugins of the page, which uses the installed ones."""
    meltano_project.install("target-jsonl")
    definition = yaml.safe_load((meltano_project.folder / "meltano.yml").read_text("utf-8"))
    for text in blocks(PAGE, "yaml"):
        for kind, plugins in yaml.safe_load(text)["plugins"].items():
            definition["plugins"][kind] += plugins
    (bare_project.folder / "meltano.yml").write_text(yaml.safe_dump(definition), "utf-8")
    return bare_project


def test_each_instance_has_its_tables_and_its_state(project, meltano_project, postgres):
    with DemoApi(scale=0.1) as demo:
        wiki = demo.config["wiki"]
        login = {"URL": demo.url, "EMAIL": wiki["email"], "API_TOKEN": wiki["api_token"]}
        env = postgres.env | {
            "MELTANO_SYS_DIR_ROOT": str(meltano_project.folder / ".meltano"),
            "MELTANO_DATABASE_URI": f"sqlite:///{project.folder}/meltano.db",
            **{
                f"{side}_{name}": text
                for side in ("NORTH", "SOUTH")
                for name, text in login.items()
            },
        }
        listed = ""
        for line in "".join(blocks(PAGE, "console")).splitlines():
            if line.startswith("$ meltano "):
                output = project.meltano(*shlex.split(line)[2:], env=env)
                listed = output if "state list" in line else listed
            elif line.startswith("$ mkdir -p "):
                (project.folder / line.split()[-1]).mkdir(parents=True)
            else:
                assert line in listed
        pages = len(demo.rows("wiki_pages"))

    for schema in ("wiki_north", "wiki_south"):
        assert postgres.query(f"SELECT count(*) FROM {schema}.wiki_pages") == [{"count": pages}]
    assert (project.folder / "output/north/wiki_pages.jsonl").exists()
