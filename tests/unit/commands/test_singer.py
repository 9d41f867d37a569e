"""The Singer command: one line for invalid input, and the right exit code."""

from __future__ import annotations

import io
import json
import logging
import re
import signal
import sys

import click
import pytest
from support.runs import declared, discover
from support.servers import JsonApi, reply

from tap_analytics import __main__ as cli
from tap_analytics.commands import COMMANDS
from tap_analytics.commands.singer import SingerTap
from tap_analytics.config.files import read_config, read_json
from tap_analytics.errors import InputError
from tap_analytics.records.writer import OutputClosedError
from tap_analytics.streams import BLOCKS
from tap_analytics.tap import TapAnalytics


def command(*arguments):
    """Run the command line in this process and return its exit code."""
    with pytest.raises(SystemExit) as ended:
        SingerTap.cli(list(arguments))
    return ended.value.code


@pytest.fixture(autouse=True)
def quiet_after():
    """Remove the log handlers and signal handlers that the command installs."""
    root, own = logging.getLogger(), logging.getLogger("tap-analytics")
    before = [(logger, logger.handlers[:], logger.level) for logger in (root, own)]
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for logger, found, level in before:
        logger.handlers[:] = found
        logger.setLevel(level)
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def file(tmp_path):
    def write(content, name="config.json"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    return write


def error_lines(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]


ONE_PAGE = {"paginator": "single_page"}


# --- help ---------------------------------------------------------------------------------------


def test_help_names_the_tap_s_own_commands(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])

    assert ended.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"Additional commands: {', '.join(COMMANDS)};" in shown


# --- endings ------------------------------------------------------------------------------------


def test_a_complete_run_ends_with_0(file, capsys, caplog):
    with JsonApi(lambda _: {"data": [{"id": 1}]}) as api:
        assert command("--config", file(declared(api.origin, endpoint=ONE_PAGE))) == 0
    kinds = [json.loads(line)["type"] for line in capsys.readouterr().out.splitlines()]
    assert kinds[:2] == ["SCHEMA", "RECORD"]
    assert error_lines(caplog) == []


def test_a_failed_stream_ends_with_1_and_one_line(file, capsys, caplog):
    with JsonApi(lambda _: reply(403, b"{}")) as api:
        assert command("--config", file(declared(api.origin, endpoint=ONE_PAGE))) == 1
    assert len(error_lines(caplog)) == 1
    assert capsys.readouterr().out


def test_discovery_writes_a_catalog(file, capsys):
    with JsonApi(lambda _: {"data": [{"id": 1}]}) as api:
        config = declared(api.origin, endpoint=ONE_PAGE)
        assert command("--config", file(config), "--discover") == 0
        assert json.loads(capsys.readouterr().out) == discover(config)


def test_a_run_takes_catalog_and_state(file, capsys):
    rows = [{"id": n, "at": f"2024-01-0{n}"} for n in (1, 2, 3)]
    with JsonApi(lambda _: {"data": rows}) as api:
        endpoint = {**ONE_PAGE, "incremental": {"cursor_path": "at"}}
        config = declared(api.origin, endpoint=endpoint)
        bookmark = {"replication_key": "at", "replication_key_value": "2024-01-02"}
        line = {"type": "STATE", "value": {"bookmarks": {"shop_items": bookmark}}}
        code = command(
            *("--config", file(config)),
            *("--catalog", file(discover(config), "catalog.json")),
            *("--state", file(line, "state.json")),
        )
    records = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert code == 0
    assert [m["record"]["id"] for m in records if m["type"] == "RECORD"] == [2, 3]


@pytest.mark.parametrize("form", [[], ["--format=json"], ["--format=markdown"]], ids=str)
def test_about_describes_the_tap(form, capsys):
    assert command("--about", *form) == 0
    assert "tap-analytics" in capsys.readouterr().out


def test_about_shows_the_defaults_of_each_api(capsys):
    assert command("--about", "--format=json") == 0
    settings = json.loads(capsys.readouterr().out)["settings"]["properties"]
    rates = {name: settings[name]["properties"]["requests_per_second"] for name in BLOCKS}
    assert {name: rate["default"] for name, rate in rates.items()} == {
        "learning": 10,
        "experimentation": 1,
        "wiki": 0,
        "success": 16,
    }
    retry = settings["learning"]["properties"]["retry"]["properties"]
    assert (retry["backoff_factor"]["default"], retry["max_retries"]["default"]) == (5, 3)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--no-such-option"], "--no-such-option"),
        (["--config", "/no/such/file.json"], "/no/such/file.json"),
        (["--config", '{"learning": {"api_key": "s3cret-inline"}}'], "not JSON itself"),
        (["--state", "/no/such/state.json"], "/no/such/state.json"),
        (["surplus"], "surplus"),
    ],
    ids=str,
)
def test_an_invalid_command_line_is_one_line(arguments, said, caplog, capsys):
    assert command(*arguments) == 1
    (line,) = error_lines(caplog)
    assert said in line
    assert "\n" not in line
    assert "s3cret" not in line
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"lerning": {}}, "learning"),
        ({"learning": {"api_key": "k"}}, "base_url"),
        ({"concurrency": 0}, "concurrency"),
        ({}, "No API is configured"),
        ("{", "not JSON"),
        ("[]", "JSON object"),
        ("", "not JSON"),
    ],
    ids=str,
)
def test_an_invalid_setting_is_named(config, said, file, caplog):
    assert command("--config", file(config)) == 1
    (line,) = error_lines(caplog)
    assert said in line


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (click.Abort(), 130),
        (KeyboardInterrupt(), 130),
        (OutputClosedError(), 1),
        (BrokenPipeError(), 1),
        (InputError("say it"), 1),
        (ValueError("odd"), 1),
    ],
    ids=repr,
)
def test_whatever_ends_a_run_ends_the_process_with_its_code(error, code, monkeypatch, caplog):
    def fail(self):
        raise error

    monkeypatch.setattr(TapAnalytics, "sync_all", fail)
    assert command() == code
    assert all("Traceback" not in line for line in error_lines(caplog))
    closed = isinstance(error, OutputClosedError | BrokenPipeError)
    assert ("Standard output was closed" in caplog.text) == closed


def test_exceptions_reach_a_caller_outside_standalone_mode(monkeypatch):
    def fail(self):
        raise ValueError("odd")

    monkeypatch.setattr(TapAnalytics, "sync_all", fail)
    with pytest.raises(ValueError, match="odd"):
        SingerTap.cli([], standalone_mode=False)
    monkeypatch.setattr(TapAnalytics, "sync_all", lambda self: None)
    assert SingerTap.cli([], standalone_mode=False) == 0


@pytest.mark.parametrize("policy", ["evolve", "ignore", "fail"])
def test_external_names_cannot_forge_a_log_line(policy, file, capfd):
    forged = "x\n2026-01-01 00:00:00,000 | ERROR    | tap-analytics | all lost\x1b[2J\u2028\u202e"
    with JsonApi(lambda _: {"data": [{"id": 1, forged: 1}]}) as api:
        config = declared(
            api.origin,
            endpoint=ONE_PAGE,
            schema={"type": "object", "properties": {"id": {"type": "integer"}}},
            on_unknown_field=policy,
        )
        assert command("--config", file(config)) == int(policy == "fail")
    said = capfd.readouterr().err
    assert r"all lost\u001b[2J" in said
    assert said.replace("\n", "").isprintable()
    assert all(re.match(r"\d{4}-.{18} \| (INFO|WARN|ERR)", line) for line in said.splitlines())
    assert said.count("\n2026-01-01 00:00:00,000") == 0


# --- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("", {}),
        ("  \n", {}),
        ("{}", {}),
        ('{"bookmarks": {}}', {"bookmarks": {}}),
        ('{"bookmarks": {"a": {"x": 1}}}', {"bookmarks": {"a": {"x": 1}}}),
        ('{"type": "STATE", "value": {"bookmarks": {}}}', {"bookmarks": {}}),
        ('{"type": "STATE", "value": null}', {}),
    ],
)
def test_a_state_is_read(text, content):
    assert read_json(io.StringIO(text), "state") == content


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "must hold a JSON object; it holds JSON of type array"),
        ('"x"', "of type string"),
        ('{"bookmarks": []}', "bookmarks"),
        ('{"bookmarks": null}', "bookmarks"),
        ('{"bookmarks": {"a": 1}}', "bookmarks"),
        ('{"other": 1}', "bookmarks"),
    ],
)
def test_an_invalid_state_is_reported(text, said):
    with pytest.raises(InputError, match=said):
        read_json(io.StringIO(text), "state")


@pytest.mark.parametrize(
    ("catalog", "said"),
    [
        ({}, "no list of `streams`"),
        ({"streams": {}}, "no list of `streams`"),
        ({"streams": [1]}, r"streams\[0\] is not an object"),
        ({"streams": [{"schema": {}}]}, "`tap_stream_id`"),
        ({"streams": [{"tap_stream_id": "a"}]}, "`schema`"),
        ({"streams": [{"tap_stream_id": "a", "schema": {"properties": 5}}]}, "`properties`"),
        ({"streams": [{"tap_stream_id": "a", "schema": {}, "metadata": {}}]}, "metadata"),
        ({"streams": [{"tap_stream_id": "a", "schema": {}, "metadata": [{}]}]}, "breadcrumbs"),
    ],
    ids=str,
)
def test_an_invalid_catalog_is_reported(catalog, said):
    with pytest.raises(InputError, match=said):
        read_json(io.StringIO(json.dumps(catalog)), "catalog")


def test_a_catalog_is_read():
    catalog = discover({})
    assert read_json(io.StringIO(json.dumps(catalog)), "catalog") == catalog
    assert read_json(None, "catalog") is None


def test_a_file_that_is_not_text_is_reported(tmp_path):
    path = tmp_path / "state.json"
    path.write_bytes(b"\xff\xfe{")
    with path.open(encoding="utf-8") as opened, pytest.raises(InputError, match="UTF-8"):
        read_json(opened, "state")
    with pytest.raises(InputError, match=r"state\.json"):
        read_config([str(path)])


def test_later_configurations_override_earlier_ones(file):
    first = file({"concurrency": 1, "start_date": "2024-01-01"}, "a.json")
    second = file({"concurrency": 2}, "b.json")
    read = read_config([first, second, "ENV"])
    assert read.config == {"concurrency": 2, "start_date": "2024-01-01"}
    assert read.parse_env
    assert not read_config([first]).parse_env


@pytest.mark.parametrize("name", ["billing.yaml", "billing.yml"])
def test_a_configuration_may_be_yaml_with_the_values_of_json(name, tmp_path):
    path = tmp_path / name
    path.write_text(
        "apis:\n- name: no\n  client: &client {base_url: https://a.example, auth: }\n"
        "  other: {<<: *client, start: 2024-01-31, at: 12:30, on: yes, code: 010}\n"
        "  values: [1, -2.5, 1e3, true, null, ~, 'x', 1_000, .5]\n  1: key\n"
    )
    client = {"base_url": "https://a.example", "auth": None}
    other = {"start": "2024-01-31", "at": "12:30", "on": "yes", "code": "010"}
    values = [1, -2.5, 1000.0, True, None, None, "x", "1_000", ".5"]
    api = {"name": "no", "client": client, "other": client | other, "values": values, "1": "key"}
    assert read_config([str(path)]).config == {"apis": [api]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("apis: s3cret\n bad: [s3cret", r"billing\.yaml is not YAML: check line 2"),
        ("- s3cret", "must hold an object"),
        ("", "must hold an object"),
        ("apis: !!python/name:os.system s3cret", "is not YAML: check line 1"),
        ("apis: !!binary czNjcmV0", "has values that JSON doesn't have"),
        ("apis: &a [*a]", "has values that JSON doesn't have"),
        ("apis: \x00s3cret", "has values that JSON doesn't have"),
        ("apis: " + "[" * 3000, "nested too deeply|check line 1"),
    ],
)
def test_yaml_that_is_no_configuration_is_reported_without_its_content(text, words, tmp_path):
    path = tmp_path / "billing.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=words) as raised:
        read_config([str(path)])
    assert "s3cret" not in str(raised.value)


def test_json_that_is_yaml_is_told_how_to_name_the_file(tmp_path):
    path = tmp_path / "billing.json"
    path.write_text("apis: []")
    with pytest.raises(InputError, match=r"the name of a YAML file ends in \.yaml"):
        read_config([str(path)])


def test_configurations_are_merged_deeply(file, monkeypatch):
    first = file({"learning": {"api_key": "k", "page_size": 5, "retry": {"max_retries": 1}}})
    second = file({"learning": {"base_url": "https://a.example", "page_size": 6}}, "b.json")
    monkeypatch.setenv("TAP_ANALYTICS_LEARNING_RETRY_BACKOFF_FACTOR", "3")
    monkeypatch.setenv("TAP_ANALYTICS_LEARNING_API_KEY", "")
    read = read_config([first, second, "ENV"])
    tap = TapAnalytics(config=read.config, parse_env_config=read.parse_env)
    assert tap.config["learning"] == {
        "api_key": "k",
        "base_url": "https://a.example",
        "page_size": 6,
        "retry": {"max_retries": 1, "backoff_factor": 3},
    }


@pytest.mark.parametrize("way", ["ENV", "Meltano"])
def test_a_misspelled_variable_is_reported(way, file, monkeypatch, caplog):
    path = file({"learning": {"base_url": "https://a.example"}})
    monkeypatch.setenv("TAP_ANALYTICS_LEARNING_APIKEY", "hunter2")
    assert command("--config", path, "--discover") == 1
    assert "APIKEY" not in caplog.text
    if way == "Meltano":
        monkeypatch.setenv("MELTANO_EXTRACTOR_NAME", "tap-analytics")
    assert command("--config", path, *["--config=ENV"] * (way == "ENV"), "--discover") == 1
    assert "Did you mean `TAP_ANALYTICS_LEARNING_API_KEY`?" in caplog.text
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("levels", [101, 900, 100_000])
@pytest.mark.parametrize("way", ["file", "text", "ENV"])
def test_too_deep_nesting_is_reported(levels, way, file, monkeypatch, caplog):
    nested = "[" * levels + "]" * levels
    if way == "ENV":
        monkeypatch.setenv("TAP_ANALYTICS_APIS", nested)
    text = json.dumps({"apis": nested}) if way == "text" else f'{{"apis": {nested}}}'
    assert command("--config", "ENV" if way == "ENV" else file(text)) == 1
    (line,) = error_lines(caplog)
    assert "`apis`" in line or (levels == 100_000 and "nested too deeply" in line)
    assert len(line) < 300


@pytest.mark.parametrize("value", ["1e10", "1e400", "-1e400", "NaN", "Infinity", "9" * 4000])
@pytest.mark.parametrize(
    ("setting", "config"),
    [
        ("concurrency", '{"concurrency": VALUE}'),
        ("request_timeout", '{"request_timeout": VALUE}'),
        ("resume_within_hours", '{"resume_within_hours": VALUE}'),
        ("lookback_seconds", '{"lookback_seconds": VALUE}'),
        ("learning.retry.max_retries", '{"learning": {"retry": {"max_retries": VALUE}}}'),
        ("retry.backoff_factor", '{"apis": [{"retry": {"backoff_factor": VALUE}}]}'),
        ("page_size", '{"apis": [{"page_size": VALUE}]}'),
    ],
)
def test_a_huge_number_is_reported_by_its_name(setting, config, value, file, caplog):
    assert command("--config", file(config.replace("VALUE", value))) == 1
    [line] = [line for line in error_lines(caplog) if f"{setting}`" in line]
    assert len(line) < 200


@pytest.mark.parametrize("name", ["LOGLEVEL", "TAP_ANALYTICS_LOGLEVEL"])
@pytest.mark.parametrize("level", ["nonsense", "10", "\n"])
def test_an_invalid_log_level_is_ignored_and_reported(name, level, monkeypatch, capsys):
    monkeypatch.setenv(name, level)
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    assert ended.value.code == 0
    assert f"WARNING: `{name}` is not a log level" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["[", "[]", "version: 2", "version: 1\nhandlers: {a: 1}"])
def test_an_invalid_logging_configuration_is_reported(content, file, monkeypatch, capsys):
    monkeypatch.setenv("SINGER_SDK_LOG_CONFIG", file(content, "log.yaml"))
    with pytest.raises(SystemExit) as ended:
        cli.main(["--about"])
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (1, "")
    assert said.err.startswith("ERROR: `SINGER_SDK_LOG_CONFIG` can't be used: ")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--version"], ["--discover"], ["schema"]], ids=str)
def test_a_closed_output_is_reported(arguments, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout", None)
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 1
    assert "Standard output is closed" in capsys.readouterr().err


def test_a_closed_standard_error_changes_nothing(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr", None)
    cli.main(["--version"])
    sys.stderr.close()
    assert capsys.readouterr().out.startswith("tap-analytics v")


def test_a_directory_as_configuration_is_an_error(tmp_path):
    with pytest.raises(InputError, match="can't be read"):
        read_config([str(tmp_path)])


# --- the way in -----------------------------------------------------------------------------------


def test_the_version_is_printed_without_imports(capsys):
    cli.main(["--version"])
    assert capsys.readouterr().out.startswith("tap-analytics v")


def test_the_additional_commands_run_beside_the_singer_command(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["demo-api", "--help"])
    assert ended.value.code == 0
    assert "demo-api" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    assert ended.value.code == 0
    assert "--discover" in capsys.readouterr().out
