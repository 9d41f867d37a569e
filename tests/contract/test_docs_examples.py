"""The examples of the documentation work: configurations are accepted, and the sixth API runs."""

from __future__ import annotations

import copy
import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from singer_sdk.metrics import Metric
from support.docs import DOCS, PAGES, ROOT, blocks
from support.servers import ScriptedServer, reply

from tap_analytics.config import settings
from tap_analytics.pagination.completeness import Verdict
from tap_analytics.pagination.position import Checkpoint
from tap_analytics.streams import BLOCKS, RESERVED, declared_apis
from tap_analytics.tap import TapAnalytics

HOW_TO = DOCS / "how-to"


def examples(*languages):
    return [
        pytest.param(content, id=f"{page.name}-{number}")
        for page in PAGES
        for number, content in enumerate(blocks(page, *languages))
    ]


def problems(config):
    """What the tap would say about a configuration, without a request being made."""
    schema = copy.deepcopy(TapAnalytics.config_jsonschema)
    TapAnalytics.append_builtin_config(schema)
    given = settings.clean(config, blocks=BLOCKS)
    found = settings.problems(given, schema, blocks=BLOCKS)
    return found or declared_apis(given, reserved=RESERVED)[1]


def filled(text):
    """Put values where Meltano would put those of the environment."""
    value = lambda name: "https://api.example.com" if name[1].endswith("URL") else "filled-in"  # noqa: E731 - two words
    return re.sub(r"\$([A-Z_]+)", value, text)


def logged(text):
    """What is said in a block of log lines, one after the other."""
    return [line.split(" | ", 2)[2] for line in text.splitlines()]


# --- configurations -------------------------------------------------------------------------


@pytest.mark.parametrize("text", examples("json"))
def test_json_is_a_configuration_or_what_the_tap_writes(text):
    given = json.loads(text)
    if set(given) == {"bookmarks"}:
        for stream, bookmark in given["bookmarks"].items():
            assert stream in RESERVED
            position = bookmark.pop("position", None)
            assert position is None or set(position) == set(Checkpoint.__struct_encode_fields__)
            rest = set(bookmark) - {"source"}
            assert rest in ({"replication_key", "replication_key_value"}, set())
    elif "metric" in given:
        assert Metric(given["metric"])
        assert given["tags"]["verdict"] in {verdict.value for verdict in Verdict}
    elif "support" in given:
        [problem] = problems(given)
        assert problem.startswith("Unknown setting `support`")
    else:
        assert problems(given) == []


@pytest.mark.parametrize("text", examples("yaml"))
def test_yaml_is_a_configuration_or_a_project(text):
    given = yaml.safe_load(filled(text))
    mistakes = text.startswith("# A declaration with two mistakes")
    for config in [given] if "apis" in given else project_configs(given):
        assert len(problems(config)) == (2 if mistakes else 0), problems(config)


def project_configs(project):
    """The configurations of a project's extractors; loaders must be known to this project."""
    ours = yaml.safe_load((ROOT / "meltano.yml").read_text("utf-8"))["plugins"]
    for kind, plugins in project["plugins"].items():
        for plugin in plugins:
            [base] = [own for own in ours[kind] if own["name"] == plugin["inherit_from"]]
            for rule in plugin.get("select", ()):
                assert fnmatch.filter(RESERVED, rule.partition(".")[0]), rule
            config = plugin.get("config")
            if kind == "extractors":
                yield from [config] if config else ()
            else:
                assert set(config) <= {setting["name"] for setting in base["settings"]}


@pytest.mark.parametrize("text", examples("dotenv"))
def test_dotenv_names_variables_that_exist(text):
    example = (ROOT / ".env.example").read_text("utf-8")
    given = dict(line.split("=", 1) for line in text.splitlines())
    for name in given:
        assert re.search(rf"^(# )?{name}=", example, re.MULTILINE), name
    config = settings.environment(TapAnalytics.config_jsonschema, "TAP_ANALYTICS_", given)
    assert problems(config) == []


def test_wrong_settings_are_reported_as_their_page_shows():
    page = ROOT / "docs/reference/settings.md"
    [shown] = [text for text in blocks(page, "text") if "Unknown setting" in text]
    mistakes = [{"learnin": {"api_key": "x"}}, {"learning": {"api_key": "x"}}]
    assert logged(shown) == [message for config in mistakes for message in problems(config)]


def test_mistakes_in_a_declaration_are_reported_as_its_page_shows():
    page = HOW_TO / "declare-requests.md"
    found = problems(yaml.safe_load(blocks(page, "yaml")[-1]))
    # The page leaves out the known fields, which grow with every version.
    shortened = [re.sub(r"Known: [^`]*\. Did", "Known: … Did", each) for each in found]
    assert logged(blocks(page, "text")[-1]) == shortened


# --- links ----------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_have_targets(page):
    text = page.read_text("utf-8")
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        inside = target.read_text("utf-8") if target.suffix == ".md" else ""
        headings = re.findall(r"^#+ (.+)$", inside, re.MULTILINE)
        slugs = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
        assert not anchor or anchor in slugs, link


# --- the sixth API --------------------------------------------------------------------------

TICKETS = [
    {"id": number, "subject": f"Ticket {number}", "updated_at": f"2026-01-0{number}T00:00:00Z"}
    for number in range(1, 6)
]
TOKEN = "s3cret-of-the-desk"


def support_rows(path, query):
    """Return the rows of an address of the API that the worked example describes."""
    if path == "/tickets":
        return [row for row in TICKETS if row["updated_at"] >= query.get("updated_since", "")]
    ticket = int(path.split("/")[2])
    return [{"id": number, "text": f"On {ticket}"} for number in range(1, ticket + 1)]


def answer(received):
    """Answer a request with a page of two rows."""
    if received.headers["authorization"] != f"Bearer {TOKEN}":
        return reply(401, b'{"error": "who are you?"}')
    start = int(received.query.get("cursor", 0))
    rows = support_rows(received.path.removeprefix("/api/v1"), received.query)
    following = str(start + 2) if start + 2 < len(rows) else None
    page = {"items": rows[start : start + 2], "next_cursor": following}
    return reply(200, json.dumps(page).encode())


@pytest.fixture(scope="module")
def support_desk():
    with ScriptedServer(answer) as server:
        yield server


@pytest.fixture(scope="module")
def six_apis(tmp_path_factory):
    """A copy of the package with the module and the registry lines of the page, nothing else."""
    page = HOW_TO / "adding-an-api.md"
    folder = tmp_path_factory.mktemp("six")
    package = folder / "tap_analytics"
    shutil.copytree(ROOT / "tap_analytics", package, ignore=shutil.ignore_patterns("__pycache__"))
    module, _ = blocks(page, "python")
    (package / "streams" / "support.py").write_text(module, "utf-8")
    registry = package / "streams" / "__init__.py"
    text = registry.read_text("utf-8")
    for difference in blocks(page, "diff"):
        lines = difference.splitlines()
        old = "\n".join(line[1:] for line in lines if not line.startswith("+"))
        assert text.count(old) == 1, old
        new = "\n".join(line[1:] for line in lines if not line.startswith("-"))
        text = text.replace(old, new)
    registry.write_text(text, "utf-8")
    return folder


@pytest.fixture(scope="module")
def support(six_apis, support_desk):
    """Run the tap with the sixth API, configured as the page shows."""
    [example] = blocks(HOW_TO / "adding-an-api.md", "json")
    config = json.loads(example)
    base_url = f"{support_desk.origin}/api/v1"
    config["support"] |= {"token": TOKEN, "base_url": base_url}
    (six_apis / "config.json").write_text(json.dumps(config), "utf-8")
    foreign = ("COVERAGE_", "TAP_ANALYTICS_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    environment["PYTHONPATH"] = str(six_apis)

    def run(*arguments):
        support_desk.requests.clear()
        tap = [sys.executable, "-W", "error", "-m", "tap_analytics", *arguments]
        ended = subprocess.run(
            tap, capture_output=True, check=False, cwd=six_apis, env=environment, text=True
        )
        assert ended.returncode == 0, ended.stderr
        assert TOKEN not in ended.stdout + ended.stderr
        return ended.stdout

    return run


def extracted(stdout):
    """(the records by stream, the last state)."""
    messages = [json.loads(line) for line in stdout.splitlines()]
    rows = {message["stream"]: [] for message in messages if message["type"] == "SCHEMA"}
    for message in messages:
        if message["type"] == "RECORD":
            rows[message["stream"]].append(message["record"])
    return rows, [message["value"] for message in messages if message["type"] == "STATE"][-1]


def test_the_sixth_api_runs_whole_and_then_incrementally(support, six_apis, support_desk):
    rows, state = extracted(support("--config=config.json"))
    assert rows["support_tickets"] == TICKETS
    assert rows["support_comments"] == [
        {"ticket_id": ticket, "id": number, "text": f"On {ticket}"}
        for ticket in range(1, 6)
        for number in range(1, ticket + 1)
    ]

    (six_apis / "state.json").write_text(json.dumps(state), "utf-8")
    later, _ = extracted(support("--config=config.json", "--state=state.json"))
    assert later["support_tickets"] == TICKETS[-1:]
    assert later["support_comments"] == rows["support_comments"]
    assert not any("updated_since" in request.query for request in support_desk.requests)


def test_without_its_children_the_server_is_asked_for_changes_only(support, six_apis, support_desk):
    catalog = json.loads(support("--config=config.json", "--discover"))
    [tickets] = [
        entry for entry in catalog["streams"] if entry["tap_stream_id"] == "support_tickets"
    ]
    (six_apis / "catalog.json").write_text(json.dumps({"streams": [tickets]}), "utf-8")
    bookmark = {"replication_key": "updated_at", "replication_key_value": "2026-01-04T00:00:00Z"}
    state = {"bookmarks": {"support_tickets": bookmark}}
    (six_apis / "state.json").write_text(json.dumps(state), "utf-8")

    files = ("--catalog=catalog.json", "--state=state.json")
    rows, _ = extracted(support("--config=config.json", *files))

    assert rows == {"support_tickets": TICKETS[3:]}
    assert [r for r in support_desk.requests if "updated_since=2026-01-04" in r.target]


def test_the_diagram_shows_the_sixth_api(support):
    drawn = support("schema", "--config=config.json")
    assert '    support_tickets ||--o{ support_comments : "ticket_id"' in drawn.splitlines()


def test_about_knows_the_sixth_api(support):
    about = json.loads(support("--about", "--format=json"))
    assert set(about["settings"]["properties"]["support"]["required"]) == {"token", "base_url"}
