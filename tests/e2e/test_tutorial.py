"""The tutorial, command by command as it is written, in one shell and with the real loader."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.docs import DOCS, blocks
from walkthrough.postgres import binaries, free_port

# One worker installs the plugins, and runs of one project take turns.
pytestmark = [pytest.mark.outside, pytest.mark.xdist_group("meltano")]

PORT = "8123"
#: They make the environment that the tests run in.
DONE = {"scripts/setup demo", ". .venv/bin/activate"}
#: How the tap tells the end of a stream, in the page and in its log.
REPORT = re.compile(r"(\w+): ([\d,]+) rows?, ([\d,]+) pages?, (\w+), ")
#: A command in the background that says when it is ready has to be, before the next one is typed.
READY = "for _ in $(seq 300); do [ -s {0} ] && break; sleep 0.1; done; cat {0}"


def commands():
    """Return each command with the output that is shown below it."""
    shown = "".join(blocks("tutorial.md", "console"))
    parts = re.split(r"^\$ ", shown, flags=re.MULTILINE)[1:]
    return [(command, output.rstrip()) for command, _, output in (p.partition("\n") for p in parts)]


def script():
    """Yield the lines of a script that runs everything and marks where each output begins."""
    yield "set -e"
    for number, (command, _) in enumerate(commands()):
        yield f"printf '\\n@@ {number}\\n'"
        if command in DONE:
            continue
        if command.endswith(" &"):
            runs = command.removesuffix(" &").replace("scripts/", f"{DOCS.parent}/scripts/")
            into = "" if ">>" in runs else f"> background.{number}"
            yield f"{runs} {into} 2> log.{number} &"
            if into:
                yield READY.format(f"background.{number}")
        else:
            yield f"{{ {command}; }} 2> log.{number}"
        if "< question.sql" in command:
            # What another page asks of the same tables is to be a good question, too.
            yield command.replace("question.sql", "deletes.sql > /dev/null")


def pattern(output):
    """Return a pattern of an output that is shown; a line of dots stands for any lines."""
    lines = f"{output}\n".splitlines(keepends=True)
    return "".join("(?:.*\n)*?" if line == "...\n" else re.escape(line) for line in lines)


@pytest.fixture(scope="module")
def port():
    return str(free_port())


@pytest.fixture(scope="module")
def told(meltano_project, tmp_path_factory, port):
    """Run the tutorial; return (output of each command, all that was logged, names of files)."""
    folder = tmp_path_factory.mktemp("tutorial")
    (folder / "meltano.yml").write_bytes((meltano_project.folder / "meltano.yml").read_bytes())
    [settings] = blocks("tutorial.md", "dotenv")
    (folder / ".env").write_text(settings.replace(PORT, port), "utf-8")
    for name, page in (("question", "tutorial.md"), ("deletes", "how-to/deletes.md")):
        [sql] = blocks(page, "sql")
        (folder / f"{name}.sql").write_text(sql, "utf-8")
    env = meltano_project.env
    done = subprocess.run(
        ["bash", "-c", "\n".join(script()).replace(PORT, port)],
        cwd=folder,
        env=env
        | {
            "PATH": f"{Path(sys.executable).parent}:{binaries()}:{env['PATH']}",
            "MELTANO_SYS_DIR_ROOT": str(meltano_project.folder / ".meltano"),
            "MELTANO_DATABASE_URI": f"sqlite:///{folder}/meltano.db",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
    )
    logged = "\n".join(log.read_text("utf-8") for log in sorted(folder.glob("log.*")))
    assert done.returncode == 0, (done.stdout, done.stderr, logged)
    parts = re.split(r"^@@ \d+\n", done.stdout.replace(port, PORT), flags=re.MULTILINE)
    return parts[1:], logged, {path.name for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize(
    ("number", "output"),
    [
        pytest.param(number, output, id=command.partition(" -")[0].replace(" ", "_"))
        for number, (command, output) in enumerate(commands())
        if output
    ],
)
def test_a_command_says_what_is_shown(told, number, output):
    outputs, _, _ = told
    assert re.fullmatch(pattern(output), f"{outputs[number].rstrip()}\n"), outputs[number]


def test_streams_end_as_is_shown(told):
    _, logged, _ = told
    shown = REPORT.findall("\n".join(blocks("tutorial.md", "text")))
    assert shown
    assert [line for line in shown if line not in REPORT.findall(logged)] == []


def test_no_file_of_the_page_is_left(told):
    *_, files = told
    mine = {"meltano.yml", "meltano.db", "deletes.sql"}
    assert {name for name in files - mine if not name.startswith(("log.", "background."))} == set()


def test_no_state_is_left(told):
    outputs, *_ = told
    assert outputs[-1].strip() == ""
