from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from singer_sdk import typing as th
from singer_sdk.tap_base import Tap

from tap_analytics.config.settings import (
    COMMON,
    TOP,
    Setting,
    block_schema,
    clean,
    config_schema,
    environment,
    problems,
    secrets_of,
    unknown_variables,
)

BASE_URL = Setting(
    name="base_url",
    description="Address of the API.",
    example="https://api.example.com/v2",
)


def key(name):
    return Setting(name=name, description="A key.", secret=True, required=True)


BLOCKS = {
    "learning": (key("api_key"), BASE_URL),
    "experimentation": (
        key("api_key"),
        Setting(name="account_id", default="current", description="Account."),
        BASE_URL,
        Setting(
            name="include_current",
            type_=th.BooleanType,
            default=True,
            nullable=True,
            description="Whether to include the account itself.",
        ),
    ),
    "wiki": (
        Setting(name="email", required=True, description="Login."),
        key("api_token"),
        BASE_URL,
        Setting(
            name="body_format",
            default="storage",
            nullable=True,
            type_=th.StringType(allowed_values=["storage", "atlas_doc_format"]),
            description="Format of bodies.",
        ),
    ),
    "success": (
        key("secret_token"),
        Setting(
            name="basic_auth_header",
            secret=True,
            default="",
            description="Password.",
        ),
        BASE_URL,
    ),
}
SCHEMA = config_schema({name: block_schema(name, name, own, {}) for name, own in BLOCKS.items()})
LEARNING = {"api_key": "k3y", "base_url": "https://api.example.com/v2"}


def found(config, schema=SCHEMA):
    return problems(clean(config, blocks=BLOCKS), schema, blocks=BLOCKS)


def with_learning(**settings):
    return {"learning": {**LEARNING, **settings}}


# --- schema -----------------------------------------------------------------------------------


def test_the_schema_is_a_json_schema_in_which_every_object_of_known_keys_is_closed():
    Draft202012Validator.check_schema(SCHEMA)

    def closed(fragment):
        if fragment.get("required") or "retry" in fragment.get("properties", {}):
            assert fragment["additionalProperties"] is False
        return [closed(inner) for inner in fragment.get("properties", {}).values()]

    closed(SCHEMA)
    assert SCHEMA["additionalProperties"] is False
    assert SCHEMA["properties"]["learning"]["required"] == ["api_key", "base_url"]


def test_credentials_are_secret_and_everything_has_title_and_description():
    for name, own in BLOCKS.items():
        properties = SCHEMA["properties"][name]["properties"]
        assert list(properties) == [setting.name for setting in (*own, *COMMON)]
        for setting in own:
            fragment = properties[setting.name]
            assert fragment.get("secret", False) is setting.secret
            assert fragment["title"]
            assert fragment["description"]
    assert SCHEMA["properties"]["learning"]["properties"]["base_url"]["title"] == "Base URL"
    auth = SCHEMA["properties"]["apis"]["items"]["properties"]["client"]["properties"]["auth"]
    assert all(auth["properties"][word]["secret"] for word in ("api_key", "password", "token"))


def test_defaults_of_the_whole_configuration_are_those_of_the_design():
    defaults = {setting.name: setting.default for setting in TOP}
    assert defaults["concurrency"] == 8
    assert defaults["request_timeout"] == 60
    assert defaults["lookback_seconds"] == 0
    assert defaults["on_unknown_field"] == "evolve"
    assert defaults["emit_activate_version_messages"] is None


# --- clean ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "block",
    [
        {},
        None,
        "",
        {"api_key": "", "base_url": None},
        {"api_key": "  "},
        {"headers": {}, "retry": {"max_retries": ""}, "optional_streams": []},
        {"retry": ""},
    ],
)
def test_a_block_without_a_value_is_absent(block):
    config = {"learning": block, "start_date": "", "end_date": None, "apis": []}
    assert clean(config, blocks=BLOCKS) == {}


def test_environment_variables_are_converted_to_the_type_of_the_setting():
    config = {
        "concurrency": "4",
        "request_timeout": "2.5",
        "emit_activate_version_messages": "True",
        "apis": '[{"name": "billing"}]',
        "experimentation": {
            **LEARNING,
            "account_id": 123,
            "include_current": "no",
            "page_size": "50",
            "optional_streams": '["experimentation_users"]',
            "retry": {"max_retries": "5", "retry_on_status_codes": "[429]"},
            "headers": '{"X-Team": "data"}',
        },
    }
    assert clean(config, blocks=BLOCKS) == {
        "concurrency": 4,
        "request_timeout": 2.5,
        "emit_activate_version_messages": True,
        "apis": [{"name": "billing"}],
        "experimentation": {
            **LEARNING,
            "account_id": "123",
            "include_current": False,
            "page_size": 50,
            "optional_streams": ["experimentation_users"],
            "retry": {"max_retries": 5, "retry_on_status_codes": [429]},
            "headers": {"X-Team": "data"},
        },
    }


def test_an_integral_float_is_an_integer_and_other_values_are_unchanged():
    config = {"concurrency": 8.0, "request_timeout": "soon", "lookback_seconds": "1.5"}
    assert clean(config, blocks=BLOCKS) == {
        "concurrency": 8,
        "request_timeout": "soon",
        "lookback_seconds": 1.5,
    }
    assert isinstance(clean(config, blocks=BLOCKS)["concurrency"], int)


@pytest.mark.parametrize("null", [None, "null"])
def test_an_explicit_null_of_a_nullable_setting_means_send_none(null):
    block = {**LEARNING, "include_current": null, "account_id": None}
    assert clean({"experimentation": block}, blocks=BLOCKS) == {
        "experimentation": {**LEARNING, "include_current": None}
    }
    assert clean({"experimentation": {"include_current": null}}, blocks=BLOCKS) == {}


def test_a_block_may_be_json_and_unknown_settings_are_kept():
    config = {"learning": '{"api_key": "k", "api_kye": ""}', "stream_maps": {}, "concurency": ""}
    assert clean(config, blocks=BLOCKS) == {
        "learning": {"api_key": "k", "api_kye": ""},
        "stream_maps": {},
        "concurency": "",
    }


def test_cleaning_copies_and_keeps_an_empty_list_of_statuses():
    config = with_learning(retry={"retry_on_status_codes": []}, page_size="3")
    before = copy.deepcopy(config)
    assert clean(config, blocks=BLOCKS)["learning"]["retry"] == {"retry_on_status_codes": []}
    assert config == before


NAMES = [*SCHEMA["properties"], "retry", "api_key", "base_url", "page_size", "headers", "zebra"]
SCALARS = [None, True, 0, -1, 8.0, 1.5, float("nan"), "", " ", "null", "8", "{}", "[1]", "x\n", "@"]
json_values = st.recursive(
    st.sampled_from(SCALARS),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(NAMES), json_values, max_size=4))
def test_cleaning_any_json_is_idempotent_and_its_problems_are_lines(config):
    once = clean(config, blocks=BLOCKS)
    assert repr(clean(once, blocks=BLOCKS)) == repr(once)
    lines = problems(once, SCHEMA, blocks=BLOCKS)
    assert all(line and "\n" not in line for line in lines)
    secrets_of(config, blocks=BLOCKS)


# --- problems ---------------------------------------------------------------------------------


def test_good_configurations_have_no_problems():
    assert found({}) == []
    assert found(with_learning()) == []
    full = with_learning(
        page_size=10,
        headers={"X-Team": "data"},
        requests_per_second=0.5,
        retry={"max_retries": 0, "backoff_factor": 0, "retry_on_status_codes": [429, 503]},
        optional_streams=["learning_people"],
    )
    full |= {"start_date": "2026-01-31", "end_date": "2026-02-01T00:00:00+01:00"}
    full |= {"concurrency": 1, "request_timeout": 0.5, "user_agent": "acme/1"}
    full |= {"apis": [{"anything": "is read elsewhere"}, "too"], "on_unknown_field": "fail"}
    assert found(full) == []
    assert found({"experimentation": {**LEARNING, "include_current": None}}) == []
    assert (
        found({"wiki": {"email": "a@b.c", "api_token": "t", "base_url": "http://[::1]:80"}}) == []
    )


@pytest.mark.parametrize(
    ("config", "line"),
    [
        (
            with_learning(api_kye="x"),
            "Unknown setting `learning.api_kye`. Did you mean `learning.api_key`?",
        ),
        ({"concurency": 3}, "Unknown setting `concurency`. Did you mean `concurrency`?"),
        (
            {"learning.api_key": "x"},
            'Unknown setting `learning.api_key`. Write it nested: {"learning": {"api_key": …}}.',
        ),
        (
            {"api_token": "x"},
            "Unknown setting `api_token`. Did you mean `wiki.api_token`?",
        ),
        (
            with_learning(retry={"max_retry": 1}),
            (
                "Unknown setting `learning.retry.max_retry`. "
                "Did you mean `learning.retry.max_retries`?"
            ),
        ),
        (
            with_learning(retry={"zzz": 1}),
            (
                "Unknown setting `learning.retry.zzz`. "
                "Known: max_retries, backoff_factor, retry_on_status_codes, max_retry_after."
            ),
        ),
        (
            {"concurrency": "eight"},
            '`concurrency` must be an integer, not the string "eight".',
        ),
        ({"concurrency": True}, "`concurrency` must be an integer, not true."),
        ({"concurrency": 0}, "`concurrency` must be at least 1, not 0."),
        ({"request_timeout": 0}, "`request_timeout` must be more than 0, not 0."),
        ({"request_timeout": "NaN"}, "`request_timeout` must be a finite number, not nan."),
        ({"lookback_seconds": -1}, "`lookback_seconds` must be at least 0, not -1."),
        (
            {"on_unknown_field": "drop"},
            '`on_unknown_field` must be one of "evolve", "ignore", "fail".',
        ),
        (with_learning(page_size=0), "`learning.page_size` must be at least 1, not 0."),
        (
            with_learning(requests_per_second=-1),
            "`learning.requests_per_second` must be at least 0, not -1.",
        ),
        (
            with_learning(retry={"retry_on_status_codes": [429, 99]}),
            "`learning.retry.retry_on_status_codes[1]` must be at least 400, not 99.",
        ),
        (
            with_learning(optional_streams=["a", " "]),
            "`learning.optional_streams[1]` is empty. Remove it or write a value.",
        ),
        (
            with_learning(optional_streams="people"),
            (
                "`learning.optional_streams` must be a list, not text. "
                "Written as text it must be valid JSON of that kind."
            ),
        ),
        (
            with_learning(api_key=5),
            "`learning.api_key` must be a string, not a number. Put it in quotes.",
        ),
        (
            {"learning": {"api_key": "k"}},
            (
                "`learning.base_url` is missing: write the address of the API, such as "
                "https://api.example.com/v2, there or in `TAP_ANALYTICS_LEARNING_BASE_URL`."
            ),
        ),
        (
            {"learning": {"base_url": "https://x.y"}},
            (
                "`learning.api_key` is missing: write its value, there or in "
                "`TAP_ANALYTICS_LEARNING_API_KEY`."
            ),
        ),
        (
            with_learning(headers={"X Team": "data"}),
            (
                "`learning.headers.…` isn't a header name. "
                "Write it with letters, digits and hyphens only."
            ),
        ),
        (
            with_learning(headers={"X-Team": "a\r\nb"}),
            (
                "`learning.headers.X-Team` contains control characters, such as a line break. "
                "Copy it again."
            ),
        ),
        (
            {"user_agent": "tap \u2013 x"},
            (
                "`user_agent` contains characters that a header can't carry. "
                "Write it in Latin letters."
            ),
        ),
        (
            {"start_date": "yesterday"},
            (
                "`start_date` must be a date such as 2026-01-31 or 2026-01-31T00:00:00Z, "
                'not "yesterday".'
            ),
        ),
        (
            {"start_date": "2026-01-31", "end_date": "2026-01-31T01:00:00+01:00"},
            "`end_date` (2026-01-31T01:00:00+01:00) must be after `start_date` (2026-01-31).",
        ),
        ({"apis": {"name": "x"}}, "`apis` must be a list, not an object."),
    ],
)
def test_a_problem_is_one_line_that_names_the_setting(config, line):
    assert found(config) == [line]


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("api.example.com/v2", "must start with https://"),
        ("ftp://api.example.com", "must start with https://"),
        ("https://", "names no host"),
        ("https:///v2", "names no host"),
        ("https://user:hunter2@api.example.com", "must not carry credentials"),
        ("https://api.example.com/v2?key=hunter2", "must not have a query"),
        ("https://api.example.com/v2#", "must not have a query or a fragment"),
        ("https://api.example.com:port", "isn't a valid URL"),
        ("https://[::1", "isn't a valid URL"),
        ("https://<site>.example.com", "has an impossible host"),
        ("https://bücher..example.com", "has an impossible host"),
        ("https://\u2603.example.com", "has an impossible host"),
        ("https://api.example.com/v2 ", "contains white space"),
        ("https://api.example.com/\n", "contains white space"),
    ],
)
def test_an_invalid_address_is_refused_without_being_shown(url, complaint):
    (line,) = found(with_learning(base_url=url))
    assert line.startswith(f"`learning.base_url` {complaint}")
    assert "hunter2" not in line


@pytest.mark.parametrize(
    "bad", ["hunter2\n", "hun\x00ter2", " hunter2", "hunter2\t", "hunter2\x85"]
)
def test_a_credential_that_cannot_be_sent_is_refused_without_being_shown(bad):
    (line,) = found(with_learning(api_key=bad))
    assert line.startswith("`learning.api_key` ")
    assert "hunter2" not in line
    assert "ter2" not in line


def test_all_problems_are_reported_in_the_order_of_the_schema():
    config = {
        "zebra": 1,
        "concurrency": 0,
        "start_date": "x",
        "wiki": {"email": "a@b.c"},
        "learning": {"page_size": 0, "nope": 1, "api_key": "k\n"},
    }
    names = [line.split("`")[1] for line in found(config)]
    assert names == [
        "learning.api_key",
        "learning.base_url",
        "learning.page_size",
        "learning.nope",
        "wiki.api_token",
        "wiki.base_url",
        "start_date",
        "concurrency",
        "zebra",
    ]
    assert found(dict(reversed(config.items()))) == found(config)


def test_a_blank_required_credential_is_a_problem():
    config = {"learning": {"api_key": "", "base_url": "https://x.y"}, "wiki": None}
    assert problems(config, SCHEMA, blocks=BLOCKS) == [
        "`learning.api_key` is empty. Write its value."
    ]


def test_a_setting_may_take_the_place_of_others():
    token = Setting("token", "Bearer.", secret=True, replaces=("email", "api_token"))
    blocks = {"wiki": (*BLOCKS["wiki"], token)}
    schema = copy.deepcopy(SCHEMA)
    schema["properties"]["wiki"]["properties"]["token"] = {"type": "string"}

    def said(**block):
        return problems({"wiki": {"base_url": "https://x.y"} | block}, schema, blocks=blocks)

    assert said(token="t") == []
    assert len(said()) == 2
    assert said(token="t", email="a@b.c") == [
        "`wiki.token` is given beside `email`, which it replaces. Remove one."
    ]


def test_settings_that_the_sdk_adds_are_checked():
    schema = copy.deepcopy(SCHEMA)
    Tap.append_builtin_config(schema)
    assert found({"stream_maps": {"a": None}, "flattening_enabled": True}, schema) == []
    assert found({"stream_maps": {"__else__": "hunter2"}}, schema) == [
        "`stream_maps.__else__` isn't valid. Run `tap-analytics --about` to see what it takes."
    ]
    (line,) = found({"flattening_max_depth": "deep"}, schema)
    assert line == '`flattening_max_depth` must be an integer or null, not the string "deep".'


# --- environment ------------------------------------------------------------------------------


def test_the_environment_gives_dotted_settings_whole_objects_and_both():
    environ = {
        "TAP_ANALYTICS_LEARNING_API_KEY": "k3y",
        "TAP_ANALYTICS_LEARNING_RETRY_MAX_RETRIES": "5",
        "TAP_ANALYTICS_LEARNING_RETRY": '{"backoff_factor": 1, "max_retries": 1}',
        "TAP_ANALYTICS_WIKI": '{"email": "a@b.c", "api_token": "t"}',
        "TAP_ANALYTICS_WIKI_API_TOKEN": "newer",
        "TAP_ANALYTICS_SUCCESS": "",
        "TAP_ANALYTICS_SUCCESS_SECRET_TOKEN": "s",
        "TAP_ANALYTICS_CONCURRENCY": "2",
        "TAP_ANALYTICS_APIS": '[{"name": "billing"}]',
        "TAP_ANALYTICS_LOGLEVEL": "DEBUG",
        "TAP_OTHER_START_DATE": "2026-01-01",
    }
    assert environment(SCHEMA, "TAP_ANALYTICS_", environ) == {
        "learning": {"api_key": "k3y", "retry": {"max_retries": 5, "backoff_factor": 1}},
        "wiki": {"email": "a@b.c", "api_token": "newer"},
        "success": {"secret_token": "s"},
        "concurrency": 2,
        "apis": [{"name": "billing"}],
    }


def test_settings_that_the_sdk_adds_are_read_from_the_environment():
    schema = copy.deepcopy(SCHEMA)
    Tap.append_builtin_config(schema)
    environ = {"T_FLATTENING_ENABLED": "true", "T_STREAM_MAPS": '{"learning_people": null}'}
    assert environment(schema, "t_", environ) == {
        "flattening_enabled": True,
        "stream_maps": {"learning_people": None},
    }


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("START_DAT", "START_DATE"),
        ("ONSHORTFALL", "ON_SHORTFALL"),
        ("LEARNING_APIKEY", "LEARNING_API_KEY"),
        ("LEARNING_RETRY_MAX_RETRYS", "LEARNING_RETRY_MAX_RETRIES"),
    ],
)
def test_an_unknown_variable_is_reported_with_the_nearest_setting(name, near):
    [line] = unknown_variables(SCHEMA, "TAP_ANALYTICS_", {f"TAP_ANALYTICS_{name}": "hunter2"})
    assert line == (
        f"The variable `TAP_ANALYTICS_{name}` names no setting and is ignored. "
        f"Did you mean `TAP_ANALYTICS_{near}`?"
    )


def test_a_variable_unlike_any_setting_is_reported_with_where_they_are_listed():
    [line] = unknown_variables(SCHEMA, "TAP_ANALYTICS_", {"TAP_ANALYTICS_QQQ": "hunter2"})
    assert line.endswith("is ignored. `tap-analytics --about` lists them.")


@pytest.mark.parametrize(
    ("name", "inherited"),
    [
        ("TAP_ANALYTICS_START_DATE", False),
        ("TAP_ANALYTICS_LEARNING_HEADERS_X_TEAM", False),
        ("TAP_ANALYTICS_LOGLEVEL", False),
        ("TAP_ANALYTICS__SELECT", False),
        ("TAP_ANALYTICS_NORTH__LOAD_SCHEMA", False),
        ("TAP_ANALYTICS_NORTH_WIKI_BASE_URL", True),
        ("TAP_OTHER_START_DAT", False),
    ],
)
def test_variables_of_settings_meltano_and_the_sdk_are_not_reported(name, inherited):
    environ = {name: "1"}
    assert unknown_variables(SCHEMA, "TAP_ANALYTICS_", environ, inherited=inherited) == []


def test_broken_json_is_a_problem_that_does_not_show_it():
    environ = {
        "TAP_ANALYTICS_LEARNING": '{"api_key": "hunter2"',
        "TAP_ANALYTICS_LEARNING_BASE_URL": "https://x.y",
    }
    (line,) = found(environment(SCHEMA, "TAP_ANALYTICS_", environ))
    assert line == (
        "`learning` must be an object, not text. "
        "Written as text it must be valid JSON of that kind."
    )


# --- secrets ----------------------------------------------------------------------------------


def test_secrets_of_blocks_headers_and_declared_apis_are_found():
    config = {
        "learning": {**LEARNING, "headers": {"Authorization": "Bearer h3ader", "Accept": "json"}},
        "wiki": {"email": "a@b.c", "api_token": "t0ken", "api_tokn": "misspelt"},
        "success": {"secret_token": "s3cret", "base_url": "https://u:p%40ss@x.y"},
        "apis": [
            {
                "client": {
                    "auth": {"type": "api_key", "name": "k", "api_key": "d3clared"},
                    "headers": {"X-Api-Key": "cl1ent"},
                },
                "headers": {"Cookie": "c00kie"},
                "resource_defaults": {"endpoint": {"params": {"access_token": "qu3ry"}}},
                "resources": [
                    "plain",
                    {"name": "r", "endpoint": {"json": {"password": "b0dy", "limit": 5}}},
                ],
            },
            {
                "client": {
                    "base_url": "https://l0gin@x.y",
                    "auth": {"type": "basic", "username": "us3r", "password": ""},
                }
            },
            {
                "client": {
                    "auth": {
                        "type": "oauth2_client_credentials",
                        "token_url": "https://id.example.com",
                        "client_id": "app",
                        "client_secret": "cs",
                        "access_token_request_data": {
                            "refresh_token": "r3fresh",
                            "x": "y",
                            "assertion": ["s1gned", "s2gned"],
                        },
                    }
                }
            },
        ],
    }
    secrets = secrets_of(config, blocks=BLOCKS)
    assert set(secrets.values) == {
        *("k3y", "Bearer h3ader", "h3ader", "t0ken", "misspelt", "s3cret", "p%40ss", "p@ss"),
        *("d3clared", "cl1ent", "c00kie", "qu3ry", "b0dy", "us3r", "cs", "r3fresh", "l0gin"),
        *("s1gned", "s2gned"),
    }
    pairs = set(secrets.basic)
    assert {("a@b.c", "t0ken"), ("s3cret", ""), ("us3r", ""), ("app", "cs")} <= pairs


def test_a_malformed_configuration_has_no_secrets():
    config = {"learning": "text", "wiki": {"api_token": 5}, "apis": [1, {"client": {"auth": "x"}}]}
    assert not secrets_of(config, blocks=BLOCKS).values
    assert not secrets_of({}, blocks=BLOCKS).basic
