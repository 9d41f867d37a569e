from __future__ import annotations

import json

import pytest
from singer_sdk.exceptions import ConfigValidationError
from support.runs import declared, run
from support.servers import JsonApi, ScriptedServer, reply

from tap_analytics.config.settings.variables import Expansion
from tap_analytics.tap import TapAnalytics
from tap_analytics.transport.redaction import redact

VARIABLES = {"KEY": "s3cret", "HOST": "api.example.com", "A_1": "one", "DOLLAR": "$KEY"}


def expanded(value, *, whole_only=False):
    expansion = Expansion(environment=lambda: VARIABLES, whole_only=whole_only)
    return expansion.expand(value, "apis"), expansion.problems


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("$KEY", "s3cret"),
        ("${KEY}", "s3cret"),
        ("https://$HOST/v1", "https://api.example.com/v1"),
        ("${KEY}s", "s3crets"),
        ("$A_1-$KEY", "one-s3cret"),
        ("$$KEY", "$KEY"),
        ("$${KEY}", "${KEY}"),
        # Values aren't expanded again.
        ("$DOLLAR", "$KEY"),
        *((same, same) for same in ("$", "$5", "$.data", "$KEYs", "$key", "${key}", "a$", "$$")),
        ("query($first: Int)", "query($first: Int)"),
    ],
)
def test_capital_names_behind_a_dollar_are_variables(text, becomes):
    assert expanded(text) == (becomes, [])
    assert expanded([{"a": [text, 1, None]}]) == ([{"a": [becomes, 1, None]}], [])


@pytest.mark.parametrize("text", ["$NONE", "${NONE}", "x${NONE}y"])
def test_a_variable_that_is_not_set_is_named_with_its_place(text):
    _, problems = expanded([{"client": {"auth": {"token": text}}}])
    place = "apis[0].client.auth.token"
    hint = "Set it; in a text that has a dollar sign itself, write two."
    assert problems == [f"`{place}` names the variable NONE, which isn't set. {hint}"]


def test_only_whole_variables_are_expanded_where_meltano_has_expanded_the_others():
    given = ["$KEY", "pa$KEY", "$$KEY", "$NONE", "pa$NONE"]
    found, (problem,) = expanded(given, whole_only=True)
    assert found[:3] == ["s3cret", "pa$KEY", "$KEY"]
    assert found[4] == "pa$NONE"
    assert "NONE" in problem


@pytest.mark.parametrize("whole_only", [False, True])
def test_optional_variable_that_is_not_set_leaves_out_its_entry(whole_only):
    given = {"a": "${KEY:-}", "b": "${NONE:-}", "c": ["${NONE:-}", "x${NONE:-}", "$${NONE:-}"]}
    assert expanded(given, whole_only=whole_only) == (
        {"a": "s3cret", "c": ["x", "${NONE:-}"]},
        [],
    )


def config(origin):
    given = declared(origin, endpoint={"paginator": "single_page", "params": {"of": "$SHOP_USER"}})
    client = given["apis"][0]["client"]
    client["base_url"] = "${SHOP_ADDRESS}"
    client["headers"] = {"X-Token": "Token $SHOP_TOKEN"}
    client["auth"] = {"type": "bearer", "token": "$SHOP_KEY"}
    return given


@pytest.mark.parametrize("is_meltano", [False, True])
def test_a_run_sends_the_values_and_shows_no_secret(monkeypatch, is_meltano):
    secrets = {"SHOP_TOKEN": "canary-token", "SHOP_KEY": "canary-key"}
    monkeypatch.delenv("MELTANO_EXTRACTOR_NAME", raising=False)
    with JsonApi(lambda _: {"data": [{"id": 1}]}) as api:
        for name, value in {**secrets, "SHOP_ADDRESS": api.origin, "SHOP_USER": "ada"}.items():
            monkeypatch.setenv(name, value)
        given = config(api.origin)
        if is_meltano:
            monkeypatch.setenv("MELTANO_EXTRACTOR_NAME", "tap-analytics")
            given["apis"][0]["client"]["headers"] = {"X-Token": "Token canary-token"}
        done = run(given)
    assert done.ids() == [1]
    (sent,) = api.requests
    assert sent.headers["x-token"] == "Token canary-token"
    assert sent.headers["authorization"] == "Bearer canary-key"
    assert sent.query == {"of": "ada"}
    assert redact("canary-key canary-token ada") == "*** *** ada"


def test_a_variable_that_is_not_set_fails_the_configuration_alone(monkeypatch):
    monkeypatch.delenv("MELTANO_EXTRACTOR_NAME", raising=False)
    with pytest.raises(ConfigValidationError) as error:
        TapAnalytics(config=config("http://127.0.0.1:9"))
    assert [line.partition(",")[0] for line in error.value.errors] == [
        "`apis[0].client.base_url` names the variable SHOP_ADDRESS",
        "`apis[0].client.headers.X-Token` names the variable SHOP_TOKEN",
        "`apis[0].client.auth.token` names the variable SHOP_KEY",
        "`apis[0].resources[0].endpoint.params.of` names the variable SHOP_USER",
    ]


def test_variables_are_read_from_a_dotenv_file_and_an_empty_one_is_not_set(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOP_EMPTY", "")
    (tmp_path / ".env").write_text("SHOP_KEY=from-file\n")
    with ScriptedServer([reply(200, json.dumps({"data": []}).encode())]) as api:
        given = declared(api.origin, endpoint={"paginator": "single_page"})
        client = given["apis"][0]["client"]
        client["auth"] = {"type": "bearer", "token": "$SHOP_KEY"}
        assert run(given).error is None
        assert api.requests[0].headers["authorization"] == "Bearer from-file"
        client["auth"]["token"] = "$SHOP_EMPTY"
        with pytest.raises(ConfigValidationError):
            TapAnalytics(config=given)
