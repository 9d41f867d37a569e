"""Every block of the documentation is run, validated, or left out for a reason.

A new page is covered as soon as it exists: its commands are run against the demo, and whatever
can't be run has to be named here.
"""

from __future__ import annotations

import json
import os
import re
import subprocess

import pytest
import yaml
from support.docs import FENCE, PAGES, ROOT, blocks, parse
from support.processes import template

from tap_analytics.commands import COMMANDS

MARK = re.compile(r"^[ \t]*(```|~~~)", re.MULTILINE)

#: Where blocks of a language are checked; None for any page, else the pages that may have them.
CHECKED = {
    "console": None,  # here
    "text": None,  # here, as far as it is what the tap says
    "markdown": None,  # here, as the file that a command reads
    "json": None,  # test_docs_examples.py
    "mermaid": None,  # drawn by whoever shows the page
    "yaml": None,  # test_docs_examples.py
    "dotenv": None,  # test_docs_examples.py
    "python": {"docs/how-to/adding-an-api.md"},  # test_docs_examples.py
    "diff": {"docs/how-to/adding-an-api.md"},  # test_docs_examples.py
    "sql": {"docs/tutorial.md", "docs/how-to/deletes.md"},  # tests/e2e/test_tutorial.py
}
#: Pages that are run as a whole elsewhere.
WHOLE = {"docs/tutorial.md": "tests/e2e/test_tutorial.py"}
#: Commands that can't be run here, and why.
ELSEWHERE = {
    "scripts/demo": "installs packages and a database; the tutorial takes the same steps",
    "scripts/test --fast": "runs this test",
    "echo MELTANO_TAP_ANALYTICS_PIP_URL=../tap-analytics >> .env && meltano add tap-analytics "
    "--from-ref ../tap-analytics/plugin.yaml": "tests/e2e/test_meltano_project.py",
    "meltano state copy --force dev:tap-analytics-to-target-postgres "
    "dev:tap-analytics-to-target-postgres-copy": "copies the state of runs that are run elsewhere",
    "meltano state list": "tests/e2e/test_two_instances.py",
}
#: What a command line of the tap's own may be joined with.
TOOLS = {"tap-analytics", "grep", "mkdir", "cat", "head"}
LOGGED = re.compile(r"(\w+): [\d,]+ rows?, [\d,]+ pages?, (\w+), [\d.]+ s")


def name(page):
    return page.relative_to(ROOT).as_posix()


def commands(page):
    """Return the commands of a page, each on one line."""
    shown = "".join(blocks(page, "console"))
    return re.findall(r"^\$ (.+)$", shown.replace("\\\n", " "), re.MULTILINE)


def words(command):
    """Return the words of a command behind its variables and the folder of its program."""
    found = [word for word in command.split() if not re.match(r"[A-Z_]+=", word)]
    return [found[0].removeprefix(".venv/bin/"), *found[1:]]


def own(page):
    """Return the commands of a page that are run here."""
    return [command for command in commands(page) if words(command)[0] in TOOLS]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_is_of_a_kind_that_is_checked(page):
    text = page.read_text("utf-8")
    assert not MARK.search(FENCE.sub("", text)), "a fence is not closed"
    for language, content in parse(text):
        assert language in CHECKED, content
        assert CHECKED[language] is None or name(page) in CHECKED[language], content


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=name)
def test_every_command_is_run_or_known(page):
    if name(page) in WHOLE:
        return
    for command in commands(page):
        if words(command)[0] == "meltano" and command not in ELSEWHERE:
            check_meltano(words(command), page)
        else:
            assert words(command)[0] in TOOLS or command in ELSEWHERE, command


def test_no_reason_is_left_over():
    told = {command for page in PAGES for command in commands(page)}
    assert sorted(set(ELSEWHERE) - told) == []
    assert [page for page in WHOLE if not (ROOT / page).exists()] == []


def check_meltano(given, page):
    """Hold a command of Meltano's against the project; tests/e2e runs those with its loaders."""
    project = yaml.safe_load((ROOT / "meltano.yml").read_text("utf-8"))["plugins"]
    shown = [yaml.safe_load(content) for content in blocks(page, "yaml")]
    plugins = [project, *(block["plugins"] for block in shown if "plugins" in block)]
    known = {plugin["name"] for block in plugins for listed in block.values() for plugin in listed}
    if given[1] == "run":
        named = [word for word in given[2:] if not word.startswith("--")]
        options = [word.partition("=")[0] for word in given[2:] if word.startswith("--")]
        assert set(named) <= known, given
        assert set(options) <= {"--full-refresh", "--state-id-suffix"}, given
    elif given[1] == "invoke":
        [tap] = project["extractors"]
        plugin, _, command = given[2].partition(":")
        assert plugin == tap["name"], given
        assert command in tap["commands"], given
    else:
        pytest.fail(f"nobody checks {given}")


# --- running --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "page", [page for page in PAGES if own(page) and name(page) not in WHOLE], ids=name
)
def test_the_commands_of_a_page_work_one_after_the_other(page, demos, tmp_path, tmp_path_factory):
    config = demos["real"].config
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    values = {name: json.dumps(value).strip('"') for name, value in config.items()}
    lines = [f"TAP_ANALYTICS_{name.upper()}='{value}'" for name, value in values.items()]
    (tmp_path / ".env").write_text("\n".join(lines), "utf-8")
    shown = blocks(page, "markdown")
    read = [word for command in own(page) for word in words(command) if word.endswith(".md")]
    for file, content in zip(dict.fromkeys(read), shown, strict=True):
        (tmp_path / file).write_text(content, "utf-8")
    clean = {
        k: v for k, v in os.environ.items() if not k.startswith(("TAP_ANALYTICS_", "COVERAGE"))
    }
    programs = tmp_path_factory.mktemp("bin")
    control = template().program(programs)
    done = subprocess.run(
        ["bash", "-c", "\n".join(["set -euo pipefail", *own(page)])],
        cwd=tmp_path,
        env={**clean, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        pass_fds=[control],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_commands_of_the_tap_exist():
    for page in PAGES:
        for command, *rest in [re.split(r"\s+", c) for c in commands(page)]:
            if command == "tap-analytics" and not rest[0].startswith("-"):
                assert rest[0] in COMMANDS, rest


@pytest.fixture(scope="module")
def logged(demos, tap):
    """(stream, verdict) of every stream of the real dialect."""
    return set(LOGGED.findall(tap(config=demos["real"].config).stderr))


def told(page):
    """Return (stream, verdict) of the lines about ended streams that a page shows."""
    return {line for text in blocks(page, "text") for line in LOGGED.findall(text)}


@pytest.mark.parametrize("page", [page for page in PAGES if told(page)], ids=name)
def test_a_stream_ends_as_a_run_reports_it(page, logged):
    """The lines that are shown differ from those of a run in nothing but numbers."""
    assert sorted(told(page) - logged) == []


def test_a_stream_that_is_made_a_full_table_activates_its_version(demos, tap):
    """Meltano puts a stream's metadata into its entry of the catalog, with underscores."""
    shown = blocks("how-to/deletes.md", "yaml")
    projects = [yaml.safe_load(text)["plugins"] for text in shown if "metadata:" in text]
    [plugin] = [plugin for project in projects for plugin in project["extractors"]]
    config = demos["real"].config | plugin["config"]
    catalog = json.loads(tap("--discover", config=config).stdout)
    wanted = plugin["metadata"]
    catalog["streams"] = [each for each in catalog["streams"] if each["tap_stream_id"] in wanted]
    for entry in catalog["streams"]:
        entry |= {k.replace("-", "_"): v for k, v in wanted[entry["tap_stream_id"]].items()}

    activated = tap(config=config, catalog=catalog).by_stream("ACTIVATE_VERSION")

    assert set(activated) == set(wanted) == {"learning_people"}
