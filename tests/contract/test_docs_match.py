"""The project files and the reference match `tap-analytics --about`.

`meltano.yml`, `plugin.yaml`, `.env.example` and the generated tables are held against it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
import yaml
from support.paths import ROOT

from tap_analytics.streams import APIS
from tap_analytics.tap import TapAnalytics

pytestmark = pytest.mark.xdist_group("docs_match")

PREFIX = "TAP_ANALYTICS_"
BLOCKS = ("learning", "experimentation", "wiki", "success")
#: Meltano's kind for a type; it fails on `decimal`, so a number with a fraction is a string to it.
KINDS = {"number": "string", "date-time": "date_iso8601", "enum": "options"}


def flat(properties, prefix=""):
    """Name settings by dotted path; objects that take no other than known settings are opened."""
    found = {}
    for name, schema in properties.items():
        if schema.get("additionalProperties") is False:
            found |= flat(schema["properties"], f"{prefix}{name}.")
        else:
            found[prefix + name] = schema
    return found


def holds_secrets(schema):
    inner = [*schema.get("properties", {}).values(), schema.get("items", {})]
    return schema.get("secret", False) or any(holds_secrets(part) for part in inner if part)


def kind_of(schema):
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    [kind] = [kind for kind in kinds if kind != "null"]
    for word in ("date-time", "enum"):
        if schema.get("format") == word or word in schema:
            kind = word
    return KINDS.get(kind, kind)


@pytest.fixture(scope="module")
def about(tap):
    return json.loads(tap("--about", "--format=json").stdout)


@pytest.fixture(scope="module")
def settings(about):
    return flat(about["settings"]["properties"])


@pytest.fixture(scope="module")
def project():
    return yaml.safe_load((ROOT / "meltano.yml").read_text("utf-8"))


@pytest.fixture(scope="module")
def extractor(project):
    [plugin] = project["plugins"]["extractors"]
    return plugin


# --- meltano.yml and plugin.yaml ------------------------------------------------------------


def test_meltano_lists_every_setting_once(extractor, settings):
    assert sorted(setting["name"] for setting in extractor["settings"]) == sorted(settings)


def test_meltano_describes_each_setting_as_the_tap_does(extractor, settings):
    for listed in extractor["settings"]:
        name, schema = listed["name"], settings[listed["name"]]
        block = name.split(".")[0]
        title = schema["title"].replace("`", "")

        assert listed["description"] == schema["description"], name
        assert listed["kind"] == kind_of(schema), name
        assert listed.get("sensitive", False) == holds_secrets(schema), name
        assert listed["label"] == (f"{block.title()}: {title}" if block in BLOCKS else title)
        assert listed.get("placeholder", "") == schema.get("examples", [""])[0], name
        choices = [option["value"] for option in listed.get("options", [])]
        assert choices == (schema["enum"] if listed["kind"] == "options" else []), name


def test_meltano_leaves_defaults_to_the_code(extractor):
    assert [setting["name"] for setting in extractor["settings"] if "value" in setting] == []


def test_meltano_declares_the_capabilities_the_tap_has(extractor, about):
    assert sorted(extractor["capabilities"]) == sorted(about["capabilities"])


def test_plugin_definition_is_the_extractor_of_the_project(extractor):
    plugin = yaml.safe_load((ROOT / "plugin.yaml").read_text("utf-8"))
    own = {"pip_url", "variant"}

    assert {name: value for name, value in plugin.items() if name not in own} == {
        name: value for name, value in extractor.items() if name not in own
    }


# --- .env.example ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def example():
    """The lines of `.env.example`: variable to (whether it is switched off by a `#`, its value)."""
    text = (ROOT / ".env.example").read_text("utf-8")
    lines = re.findall(r"^(# )?([A-Z0-9_]+)=(.*)$", text, flags=re.MULTILINE)
    names = [name for _, name, _ in lines]
    assert len(names) == len(set(names))
    return {name: (bool(off), value.strip("'")) for off, name, value in lines}


def variable(plugin, setting):
    return f"{plugin}_{setting}".upper().replace("-", "_").replace(".", "_")


def test_example_names_exactly_the_variables_of_all_plugins(example, settings, project):
    tap = {variable("tap-analytics", name) for name in settings}
    loaders = {
        variable(loader["name"], setting["name"])
        for loader in project["plugins"]["loaders"]
        for setting in loader.get("settings", [])
    }

    assert sorted(example) == sorted(tap | loaders)


def test_example_asks_for_what_is_required_and_for_nothing_else(example, about):
    required = {
        variable("tap-analytics", f"{block}.{name}")
        for block in BLOCKS
        for name in about["settings"]["properties"][block]["required"]
    }

    asked = {name for name, (off, _) in example.items() if name.startswith(PREFIX) and not off}

    assert asked == required


def test_example_as_it_is_switches_nothing_on(example, monkeypatch):
    for name, (off, value) in example.items():
        if not off:
            monkeypatch.setenv(name, value)

    tap = TapAnalytics(config={}, parse_env_config=True)

    assert tap.apis == {}


def test_example_shows_defaults_or_values_that_are_accepted(example, settings, monkeypatch):
    """Filled in and with every `#` removed, it is a configuration; what has a default shows it."""
    instead = {f"{api.name}.{s.name}" for api in APIS for s in api.settings if s.replaces}
    for name, (_, value) in example.items():
        if name in {variable("tap-analytics", setting) for setting in instead}:
            continue
        filled = "https://api.example.com" if name.endswith("_BASE_URL") else value or "filled-in"
        monkeypatch.setenv(name, filled)

    config = TapAnalytics(config={}, parse_env_config=True, setup_mapper=False).config

    assert [api["name"] for api in config["apis"]] == ["billing"]
    for name, schema in settings.items():
        if name in instead:
            continue
        value = config
        for part in name.split("."):
            assert part in value, name
            value = value[part]
        if schema.get("default", "") != "":
            assert value == schema["default"], name


# --- generated tables -----------------------------------------------------------------------


def test_generated_blocks_are_up_to_date():
    script = [sys.executable, str(ROOT / "scripts" / "docs.py"), "--check"]

    check = subprocess.run(script, capture_output=True, check=False, cwd=ROOT, text=True)

    assert check.returncode == 0, check.stdout + check.stderr


def test_every_stream_stands_beside_those_of_others():
    page = (ROOT / "docs/reference/coverage.md").read_text("utf-8")
    listed = re.findall(r"^\| ([●○]) `(\w+)`", page, re.MULTILINE)

    assert sorted(listed) == sorted(
        ("●" if cls.selected_by_default else "○", cls.name) for api in APIS for cls in api.streams
    )
