"""meltano.yml, plugin.yaml and .env.example say what the tap itself says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tap_analytics.tap import TapAnalytics

ROOT = Path(__file__).resolve().parents[2]
#: Free-form objects: what is inside is the user's.
WHOLE = {"stream_maps", "stream_map_config", "faker_config", "batch_config"}
#: Meltano fails on `kind: decimal`, and the tap reads numbers from text.
KINDS = {"number": "string"}


@pytest.fixture(scope="module")
def about():
    return TapAnalytics._get_about_info()


@pytest.fixture(scope="module")
def meltano():
    return yaml.safe_load((ROOT / "meltano.yml").read_text("utf-8"))


@pytest.fixture(scope="module")
def extractor(meltano):
    (found,) = meltano["plugins"]["extractors"]
    return found


def leaves(properties, prefix=""):
    """Return the settings of a JSON schema by dotted name."""
    found = {}
    for name, fragment in properties.items():
        if "properties" in fragment and name not in WHOLE:
            found |= leaves(fragment["properties"], f"{prefix}{name}.")
        else:
            found[prefix + name] = fragment
    return found


def kind_of(fragment):
    if fragment.get("enum"):
        return "options"
    if fragment.get("format") == "date-time":
        return "date_iso8601"
    types = fragment.get("type", "object")
    (kind,) = {types} if isinstance(types, str) else set(types) - {"null"}
    return KINDS.get(kind, kind)


def test_every_setting_is_there_with_kind_and_description(about, extractor):
    expected = {
        name: (kind_of(fragment), fragment["description"])
        for name, fragment in leaves(about.settings["properties"]).items()
    }
    actual = {
        setting["name"]: (setting["kind"], setting["description"])
        for setting in extractor["settings"]
    }
    assert expected == actual


def test_labels_are_the_titles_and_unique(about, extractor):
    labels = {setting["name"]: setting["label"] for setting in extractor["settings"]}
    for name, fragment in leaves(about.settings["properties"]).items():
        assert labels[name].endswith(fragment["title"].replace("`", "")), name
    assert len(set(labels.values())) == len(labels)


def test_secrets_are_sensitive(about, extractor):
    secret = {
        name
        for name, fragment in leaves(about.settings["properties"]).items()
        if fragment.get("secret")
    }
    sensitive = {s["name"] for s in extractor["settings"] if s.get("sensitive")}
    # The list of declared APIs holds the credentials of each.
    assert sensitive == secret | {"apis"}


def test_options_are_the_allowed_values(about, extractor):
    allowed = leaves(about.settings["properties"])
    for setting in extractor["settings"]:
        if setting["kind"] == "options":
            values = [option["value"] for option in setting["options"]]
            assert values == allowed[setting["name"]]["enum"]


def test_defaults_live_in_the_code_alone(extractor):
    assert [setting["name"] for setting in extractor["settings"] if "value" in setting] == []


def test_capabilities_are_those_of_the_tap(about, extractor):
    assert set(extractor["capabilities"]) == {capability.value for capability in about.capabilities}


def test_plugin_yaml_is_the_same_definition(extractor):
    plugin = yaml.safe_load((ROOT / "plugin.yaml").read_text("utf-8"))
    for word in ("name", "namespace", "label", "description", "executable", "capabilities"):
        assert plugin[word] == extractor[word], word
    assert plugin["settings"] == extractor["settings"]


def test_env_example_names_every_variable(meltano):
    text = (ROOT / ".env.example").read_text("utf-8")
    named = re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=", text, re.MULTILINE)
    expected = [
        f"{plugin['name']}_{setting['name']}".upper().replace("-", "_").replace(".", "_")
        for plugins in meltano["plugins"].values()
        for plugin in plugins
        for setting in plugin["settings"]
    ]
    assert sorted(named) == sorted(expected)


def test_env_example_copied_as_it_is_turns_no_api_on():
    lines = (ROOT / ".env.example").read_text("utf-8").splitlines()
    filled = [line for line in lines if re.match(r"TAP_\w+=.", line)]
    assert filled == []
