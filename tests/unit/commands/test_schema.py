"""The diagram of streams: what is declared, of built-in and of declared APIs, without a request."""

from __future__ import annotations

import json
import re

import pytest

from tap_analytics.commands.schema import main
from tap_analytics.demo import DemoApi
from tap_analytics.streams import APIS
from tap_analytics.streams.relations import relations

#: There is no server, so a request fails the command.
NOWHERE = "http://127.0.0.1:9"
FORGE = {
    "name": "forge",
    "client": {"base_url": NOWHERE, "auth": {"type": "bearer", "token": "s3cret-token"}},
    "resource_defaults": {"primary_key": "id"},
    "resources": [
        {"name": "projects", "endpoint": {"incremental": {"cursor_path": "changed"}}},
        {
            "name": "members",
            "primary_key": ["key", 'Member "No."\n'],
            "endpoint": {
                "path": "/projects/{key}/members",
                "params": {"key": {"type": "resolve", "resource": "projects", "field": "slug"}},
            },
        },
        {"name": "log", "write_disposition": "append", "primary_key": []},
    ],
}
#: The lines that Mermaid's grammar of such diagrams allows.
LINE = re.compile(
    r"erDiagram"
    r"| {4}\w+( \{)?"
    r'| {8}[A-Za-z_][\w-]* [A-Za-z_][\w-]*( PK| FK| PK, FK)?( "[^"]+")?'
    r"| {4}\}"
    r'| {4}\w+ (\|\||\|o|\}o)(--|\.\.)o\{ \w+ : "[^"]+"'
)
BUILT_IN = [relation.name for relation in relations(APIS)]


@pytest.fixture
def schema(tmp_path, monkeypatch, capsys):
    """Run the command in a folder without `.env`; a configuration becomes a file."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, config=None):
        if config is not None:
            (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
            arguments = (*arguments, "--config", "config.json")
        code = main(arguments)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def dig(value, path):
    """Yield the values at a dotted path, through lists."""
    if isinstance(value, list):
        for each in value:
            yield from dig(each, path)
    elif path and isinstance(value, dict):
        yield from dig(value.get(path[0]), path[1:])
    elif not path and value is not None:
        yield value


def test_without_a_configuration_all_built_in_streams_are_shown(schema):
    code, out, err = schema()
    assert (code, err) == (0, "")
    assert re.findall(r"^    (\w+) \{$", out, re.MULTILINE) == BUILT_IN


def test_only_configured_apis_are_shown(schema):
    config = {"wiki": {"email": "me@example.com", "api_token": "s3cret", "base_url": NOWHERE}}
    _, out, _ = schema("--json", config=config)
    assert {stream["api"] for stream in json.loads(out)["streams"]} == {"wiki"}


@pytest.mark.parametrize("arguments", [(), ("--columns",)])
@pytest.mark.parametrize("config", [None, {"apis": [FORGE]}], ids=["built-in", "declared"])
def test_every_line_is_valid_mermaid(schema, arguments, config):
    _, out, _ = schema(*arguments, config=config)
    assert [line for line in out.splitlines() if not LINE.fullmatch(line)] == []


def test_a_declared_api_is_shown_without_secrets(schema):
    code, out, _ = schema(config={"apis": [FORGE]})
    assert code == 0
    assert out == (
        "erDiagram\n"
        "    forge_projects {\n"
        '        string_or_number changed "bookmark"\n'
        "        integer_or_string id PK\n"
        "    }\n"
        "    forge_members {\n"
        "        integer_or_string key PK, FK\n"
        "        integer_or_string Member__No___ PK \"Member 'No.'\"\n"
        "    }\n"
        "    forge_log\n"
        '    forge_projects ||--o{ forge_members : "key"\n'
    )


def test_json_names_parents_and_references(schema):
    _, out, _ = schema("--json", config={"apis": [FORGE]})
    projects, members, _ = json.loads(out)["streams"]
    assert projects["replication_key"] == "changed"
    assert members["parent"] == "forge_projects"
    assert members["references"] == [
        {"column": "key", "stream": "forge_projects", "field": "slug", "many": False}
    ]


def test_columns_of_a_schema_that_is_given_are_known(schema):
    given = {"properties": {"id": {"type": "integer"}, "at": {"type": ["string", "null"]}}}
    resource = {"name": "events", "primary_key": "id", "schema": given}
    _, out, _ = schema("--columns", config={"apis": [{**FORGE, "resources": [resource]}]})
    assert "        integer id PK\n        string at\n" in out


def test_an_invalid_configuration_is_one_line_and_exit_code_1(schema):
    code, out, err = schema(config={"learnin": {}})
    assert (code, out) == (1, "")
    assert err == "error: Unknown setting `learnin`. Did you mean `learning`?\n"


# --- what is declared -----------------------------------------------------------------------


@pytest.mark.parametrize("relation", relations(APIS), ids=lambda relation: relation.name)
def test_references_lead_from_a_column_to_the_key_of_a_stream_of_the_same_api(relation):
    others = {each.name: each for each in relations(APIS)}
    for reference in relation.references:
        there = others[reference.stream]
        assert reference.root in {column.name for column in relation.columns}
        assert there.keys == (reference.field,)
        assert there.api == relation.api


def test_references_are_valid_in_the_demo():
    with DemoApi() as demo:
        found = {
            (relation.name, reference.column): (
                set(dig(demo.rows(relation.name), reference.column.split("."))),
                {row[reference.field] for row in demo.rows(reference.stream)},
            )
            for relation in relations(APIS)
            for reference in relation.references
        }
    assert {name for name, (held, keys) in found.items() if not held <= keys} == set()
    # A field of older responses, which the demo doesn't send.
    assert {name for name, (held, _) in found.items() if not held} == {
        ("success_tasks", "createdById")
    }
