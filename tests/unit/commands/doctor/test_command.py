"""The command: options, output as text and as JSON, without secrets."""

from __future__ import annotations

import base64
import contextlib
import json
import re
from urllib.parse import quote

import pytest
from rich.table import Table
from rich.text import Text
from support.docs import blocks
from support.doctor import items
from support.runs import declared
from support.servers import InFlight, JsonApi, PathApi, ScriptedServer, reply

from tap_analytics.commands.base import show
from tap_analytics.commands.doctor import main
from tap_analytics.commands.doctor.findings import merged
from tap_analytics.demo import DEFAULT, DemoApi
from tap_analytics.transport import redaction

SECRETS = (
    *(DEFAULT.learning_api_key, DEFAULT.experimentation_api_key, DEFAULT.wiki_api_token),
    *(DEFAULT.success_secret_token, DEFAULT.declared_api_key),
)
FAULTS = {
    "refused": {"status": 401, "body": {"error": " ".join(SECRETS)}},
    "forbidden": {"status": 403, "body": " ".join(SECRETS)},
    "missing": {"status": 404},
    "html": {"action": "html"},
    "broken": {"action": "truncate_json"},
    "reset": {"action": "reset"},
    "odd": {"action": "wrong_type", "body": {"echo": list(SECRETS)}},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
def test_no_secret_is_shown_whatever_fails(doctor, fault, options):
    with DemoApi(faults=[{"times": None} | fault]) as demo:
        code, text = doctor.say(demo.config, *options)
    assert code == 1
    for secret in SECRETS:
        encoded = base64.b64encode(secret.encode()).decode()
        for form in (secret, quote(secret, safe=""), encoded):
            assert form not in text + doctor.errors


FORGED = "k\x1b[2J\x9b\u202e[red]x[/red]:smile:"
SHOWN = r"k\u001b[2J\u009b\u202e[red]x[/red]:smile:"


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
def test_external_names_are_shown_unchanged(doctor, options):
    with JsonApi(lambda _: {FORGED: [{"id": 1}]}) as api:
        code, text = doctor.say(declared(api.origin), *options)
    assert code == 1
    assert text.replace("\n", "").isprintable()
    shown = json.loads(text)["apis"][0]["findings"][0]["text"] if options else text
    assert SHOWN in shown


def test_a_cell_shows_its_text_without_secrets(capsys, monkeypatch):
    registry = redaction.Secrets()
    registry.add("swordfish-4711 of the sea")
    monkeypatch.setattr(redaction, "_registries", {registry})
    table = Table(box=None)
    table.add_column("key", width=60)
    table.add_row(FORGED)
    table.add_row(Text("swordfish-4711 of the sea", style="red"))
    show(None, table, as_json=False)
    assert capsys.readouterr().out.split() == ["key", SHOWN, "***"]


def test_the_text_has_a_table_the_findings_and_the_settings(doctor):
    with JsonApi(lambda _: {"items": items(3)}) as api:
        config = declared(api.origin, endpoint={"paginator": "single_page"})
        code, text = doctor.say(config)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert code == 1
    assert lines[0].startswith(f"shop at {api.origin}: ")
    assert lines[1] == "stream result rows total paging key bookmark"
    assert lines[2] == "shop_items wrong 3 none one page unique"
    assert lines[3].startswith("wrong shop_items: Found no rows at `data`;")
    assert "Suggested settings, to merge into yours:" in lines
    assert json.loads(text[text.index("{\n") : text.rindex("}") + 1]) == {
        "apis": [
            {
                "name": "shop",
                "resources": [{"name": "items", "endpoint": {"data_selector": "items"}}],
            }
        ]
    }
    assert lines[-1] == "1 stream, 3 requests: 1 problem."


def test_no_line_is_wider_than_the_output(doctor):
    with DemoApi(faults=[{"status": 404, "times": None}]) as demo:
        _, text = doctor.say(demo.config)
    assert max(map(len, text.splitlines())) <= 120


def test_the_json_has_the_figures_of_the_table(doctor):
    with JsonApi(lambda _: {"items": items(3)}) as api:
        config = declared(api.origin, endpoint={"paginator": "single_page"})
        report = doctor(config)
    assert report.data["ok"] is False
    assert report.stream() == {
        "name": "shop_items",
        "path": "/items",
        "result": "wrong",
        "requests": 3,
        "rows": 3,
        "paging": "one page",
        "total": None,
        "key": "unique",
        "bookmark": None,
        "not_checked": None,
        "findings": [
            {
                "code": "selector",
                "level": "wrong",
                "text": "Found no rows at `data`; the response holds a list at `items`.",
            }
        ],
    }


def test_streams_can_be_named(doctor):
    with DemoApi() as demo:
        report = doctor(demo.config, "--stream", "wiki_group", "--stream", "learning_people")
        paths = {request.path for request in demo.requests}
    names = [stream["name"] for api in report.data["apis"] for stream in api["streams"]]
    assert sorted(names) == ["learning_people", "wiki_group"]
    assert paths == {"/wiki/rest/api/group", "/learning/v2/people"}


@pytest.mark.parametrize(
    ("config", "options", "said"),
    [
        ({}, (), "No API is configured"),
        ({"learning": {"api_key": "x"}}, (), "`learning.base_url` is missing"),
        (
            {"learning": {"api_key": "x", "base_url": "http://127.0.0.1:9"}},
            ("--stream", "learning_peple"),
            "There is no stream learning_peple. Did you mean learning_people?",
        ),
    ],
)
def test_invalid_input_is_an_error_of_one_line(doctor, config, options, said):
    code, text = doctor.say(config, *options)
    assert (code, text) == (1, "")
    assert said in doctor.errors
    assert doctor.errors.count("\n") == 1


def test_a_schema_is_never_sampled(doctor):
    with ScriptedServer([reply(500, b"{}")]) as server:
        report = doctor(declared(server.origin))
        assert len(server.requests) == 1
    assert report.code == 1


def test_the_environment_is_read_as_configuration(monkeypatch, capsys):
    with DemoApi() as demo:
        block = demo.config["learning"]
        for name, value in block.items():
            monkeypatch.setenv(f"TAP_ANALYTICS_LEARNING_{name.upper()}", str(value))
        assert main(["--config=ENV", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [api["name"] for api in report["apis"]] == ["learning"]


def test_suggested_settings_are_merged_by_name():
    config = {
        "concurrency": 2,
        "apis": [
            {"name": "a", "resources": ["x", {"name": "y", "endpoint": "/why"}]},
            {
                "name": "b",
                "resources": [{"name": "x", "endpoint": {"paginator": {"type": "auto"}}}],
            },
        ],
    }
    patch = {
        "apis": [
            {
                "name": "a",
                "resources": [
                    {"name": "x", "primary_key": "uid"},
                    {"name": "y", "endpoint": {"data_selector": "items"}},
                ],
            },
            {"name": "b", "resources": [{"name": "x", "endpoint": {"paginator": {"type": "o"}}}]},
        ]
    }
    assert merged(config, patch) == {
        "concurrency": 2,
        "apis": [
            {
                "name": "a",
                "resources": [
                    {"name": "x", "primary_key": "uid"},
                    {"name": "y", "endpoint": {"path": "/why", "data_selector": "items"}},
                ],
            },
            {"name": "b", "resources": [{"name": "x", "endpoint": {"paginator": {"type": "o"}}}]},
        ],
    }


def test_the_example_of_the_documentation_is_the_output_of_the_doctor(doctor):
    [config], [shown] = blocks("doctor.md", "json"), blocks("doctor.md", "text")
    address = re.search(r"http://127\.0\.0\.1:\d+", config)[0]
    with DemoApi() as demo:
        code, text = doctor.say(json.loads(config.replace(address, demo.url)))
        said = text.replace(demo.url, address)
    assert code == 1
    assert [line.rstrip() for line in said.splitlines()] == shown.splitlines()


def test_streams_are_checked_concurrently_within_the_concurrency(doctor):
    in_flight = InFlight(2)

    def answer(path, pairs):
        # The first stream is checked alone: what is refused there is refused for all.
        with contextlib.nullcontext() if path == "/a" else in_flight.request():
            return {"data": [{"id": path}]}

    names = ("a", "b", "c", "d")
    endpoint = {"data_selector": "data", "paginator": "single_page"}
    with PathApi(answer) as api:
        config = api.config(*({"name": name, "endpoint": endpoint} for name in names))
        assert doctor(config | {"concurrency": 2}).code == 0
    assert in_flight.most == 2
