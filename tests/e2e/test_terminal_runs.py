"""The display of a run: the real command on a real terminal."""

from __future__ import annotations

import functools
import json
import re
import signal

import pytest
from support.processes import hurried, only, run
from support.runs import Run
from support.servers import PathApi
from support.terminal import LOG, Window

from tap_analytics.demo import DemoApi

SIZES = [(80, 24), (160, 50), (40, 10)]
#: What the live display says and nothing else does.
LIVE = "in flight"
#: Variables that ask for plain lines.
PLAIN = {
    "CI": "true",
    "TERM": "dumb",
    "SINGER_SDK_LOG_CONFIG": "nowhere.yml",
    "MELTANO_EXTRACTOR_NAME": "tap-analytics",
}
HANG = {"action": "hang", "match": {"path": "/people"}, "after": 2, "times": None}
WAIT = {"status": 429, "headers": {"Retry-After": "50"}, "match": {"path": "/people"}, "after": 2}


def paged(config, *, size=10):
    """Return a configuration whose APIs give a few rows at a time, and are read one by one."""
    blocks = {
        name: block | {"page_size": size, "requests_per_second": 0}
        for name, block in config.items()
        if isinstance(block, dict)
    }
    return config | blocks


def number(text):
    return int(text.replace(",", ""))


def figures(picture):
    """Return the rows that a picture shows by stream, the head line's under an empty name."""
    found = re.finditer(
        r"^  (?:(\w+) +|\d+:.* done, )([\d,]+)(?: |$)", "\n".join(picture), re.MULTILINE
    )
    return {match[1] or "": number(match[2]) for match in found}


def table(said):
    """Return the rows of the closing table by stream, as lists of words."""
    lines = said.splitlines()
    rules = [at for at, line in enumerate(lines) if re.fullmatch("[─-]+", line)]
    return {line.split()[0]: line.split()[1:] for line in lines[rules[-2] + 1 : rules[-1]]}


@pytest.fixture(scope="module")
def demo():
    with DemoApi(scale=0.5, latency=0.1) as running:
        yield running


@pytest.fixture(scope="module")
def plain(demo):
    """A run of the same configuration that nobody watches."""
    return run(paged(demo.config))


@pytest.fixture(scope="module")
def shown(demo):
    """Give the window and the run of a size; each is run once."""

    @functools.cache
    def run_in(columns, lines):
        window = Window(paged(demo.config), columns=columns, lines=lines)
        return window, window.end()

    return run_in


@pytest.mark.parametrize(("columns", "lines"), SIZES)
def test_a_run_is_shown_from_its_first_rows_to_the_table(shown, plain, columns, lines):
    window, done = shown(columns, lines)
    counts = {name: len(done.records(name)) for name in done.streams}

    assert done.code == 0
    assert done.streams == plain.streams
    # Nothing that was drawn wraps, and nothing of the display is left but what is told for good.
    assert max(len(line) for line in done.said if not LOG.search(line)) < columns
    assert LIVE not in done.stderr
    assert not window.screen.cursor.hidden
    assert window.screen.cursor.x == 0
    assert b"\x1b[?25l" not in window.raw
    # The pictures fit the window and their figures only grow.
    assert len(window.pictures) > 3
    assert all(picture[0] == "" for picture in window.pictures)
    drawn = [figures(picture) for picture in window.pictures]
    assert len(set(map(str, drawn))) > 3
    for name in counts.keys() & set().union(*drawn) | {""}:
        grown = [each[name] for each in drawn if name in each]
        assert grown == sorted(grown)
        assert grown[-1] <= counts.get(name, sum(counts.values()))


@pytest.mark.parametrize(("columns", "lines"), SIZES[:2])
def test_the_table_and_the_lines_of_ended_streams_match_the_output(shown, plain, columns, lines):
    _, done = shown(columns, lines)
    rows = {name: len(done.records(name)) for name in done.streams}
    # The log of the run that nobody watched says the same.
    logged = re.findall(r"(\w+): ([\d,]+) rows?, ([\d,]+) pages?.*?, (\w+), [\d.]+ s", plain.stderr)
    told = table(done.stderr)

    assert {name: number(words[0]) for name, words in told.items()} == rows
    assert {
        (name, *map(str, map(number, words[:2])), words[2]) for name, words in told.items()
    } == {(name, *map(str, map(number, counts)), word) for name, *counts, word in logged}
    ended = re.findall(r"^✓ (\w+) +([\d,]+) ", done.stderr, re.MULTILINE)
    assert sorted((name, number(count)) for name, count in ended) == sorted(rows.items())
    [total] = re.findall(r"^(\d+) of (\d+) complete +([\d,]+) ", done.stderr, re.MULTILINE)
    assert [number(each) for each in total] == [len(rows), len(rows), sum(rows.values())]
    assert not LOG.search(done.stderr.partition("✓")[2])


def test_more_streams_than_lines_are_counted(demo):
    window = Window(paged(demo.config), lines=10)
    window.end()
    full = [picture for picture in window.pictures if " more" in "".join(picture)]

    assert full
    for picture in full:
        head = next(line for line in picture if "streams done" in line)
        [of] = re.findall(r"of (\d+) streams", head)
        [more] = re.findall(r"and (\d+) more", "".join(picture))
        streams = len([name for name in figures(picture) if name])
        assert len(picture) <= 10
        assert streams + int(more) <= int(of)


def test_a_total_is_a_bar():
    def answer(path, query):
        start = int(dict(query).get("offset", 0))
        if start > 15:
            return 60.0
        return {"data": [{"id": n} for n in range(start, start + 10)], "total": 40}

    paginator = {"type": "offset", "limit": 10, "total_path": "total"}
    endpoint = {"path": "/things", "data_selector": "data", "paginator": paginator}
    with PathApi(answer) as api:
        config = api.config({"name": "things", "endpoint": endpoint, "primary_key": "id"})
        window = Window(config | {"concurrency": 1}, columns=60)
        window.sees("47 %")
        line = next(line for line in window.screen.display if "odd_things" in line)
        window.process.send_signal(signal.SIGTERM)
        done = window.end()
    assert done.code == 143
    assert len(done.records("odd_things")) == 19
    assert re.fullmatch(r"  odd_things +19  47 % ━+[╸╺]?━+ *", line)


def test_a_requested_wait_is_shown():
    with DemoApi(scale=1, faults=[WAIT | {"times": None}]) as demo:
        window = Window(paged(only(demo.config, "learning")))
        window.sees("rate limit: ")
        window.sees_another_picture()
        window.process.send_signal(signal.SIGTERM)
        done = window.end()
    told = "\n".join(window.pictures[-1])
    [seconds] = re.findall(r"learning_people +\d+ .* rate limit: ([\d.]+) s$", told, re.MULTILINE)
    assert 0 < float(seconds) <= 51
    assert "0 in flight" in told
    assert re.search(r"^learning: \d+ requests, .* waited for the", done.stderr, re.MULTILINE)


def test_lines_of_the_log_are_printed_whole_above_the_display():
    fault = {"status": 503, "match": {"path": "/users|/notes"}, "times": 6}
    with DemoApi(scale=0.5, latency=0.04, faults=[fault]) as demo:
        window = Window(hurried(paged(only(demo.config, "success")), max_retries=9), columns=160)
        done = window.end()
    retries = [line for line in done.said if "answered 503" in line]

    assert done.code == 0
    assert len(retries) == 6
    head = r"\d{4}-[\d: ,-]+ \| WARNING  \| [\w.-]+ +\| "
    whole = rf"{head}success: GET \S+ answered 503, retry \d of 9 in \S+ s"
    assert all(re.fullmatch(whole, line) for line in retries)
    assert LIVE not in done.stderr


def test_output_of_a_target_on_the_same_terminal_stays_above_the_display():
    with DemoApi(scale=1, faults=[HANG]) as demo:
        window = Window(paged(only(demo.config, "learning")))
        window.sees(LIVE)
        for count in range(3):
            window.sees_another_picture()
            window.type(f"target: {count} files written\n")
        window.sees_another_picture()
        window.process.send_signal(signal.SIGTERM)
        done = window.end()

    said = [line for line in done.said if "files written" in line]
    assert said == [f"target: {count} files written" for count in range(3)]
    assert LIVE not in done.stderr


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_a_clean_terminal(signum, code):
    with DemoApi(scale=1, latency=0.02, faults=[HANG]) as demo:
        window = Window(paged(only(demo.config, "learning")))
        window.sees("learning_people ")
        window.process.send_signal(signum)
        done = window.end()

    assert done.code == code
    assert done.messages[-1]["type"] == "STATE"
    assert LIVE not in done.stderr
    assert not window.screen.cursor.hidden
    told = table(done.stderr)
    assert "stopped" in told["learning_people"]
    assert number(told["learning_people"][0]) == len(done.records("learning_people"))
    assert f"Stopped by signal {signum:d} after the last STATE." in done.said[-1]


def test_a_stopped_terminal_delays_neither_rows_nor_signals():
    with DemoApi(scale=1, faults=[HANG]) as demo:
        window = Window(paged(only(demo.config, "learning")), env={"LOGLEVEL": "DEBUG"})
        window.sees(LIVE)
        window.stop()
        enrollments = demo.rows("learning_course_enrollments")
        window.wrote(b'"RECORD","stream":"learning_course_enrollments"', len(enrollments))
        window.process.send_signal(signal.SIGTERM)
        done = window.end()

    assert done.code == 143
    assert done.messages[-1]["type"] == "STATE"
    assert len(done.records("learning_course_enrollments")) == len(enrollments)


def test_a_closed_pipe_leaves_a_clean_terminal():
    with DemoApi(scale=1, latency=0.1) as demo:
        window = Window(paged(only(demo.config, "success")), stdout="pipe")
        window.process.stdout.readline()
        window.sees(LIVE)
        window.process.stdout.close()
        done = window.end()

    assert done.code == 1
    assert LIVE not in done.stderr
    assert not window.screen.cursor.hidden
    assert "Traceback" not in done.stderr


def test_a_failure_is_a_line_in_the_table_and_an_error_below_it():
    faults = [
        {"status": 403, "match": {"path": "/notes"}, "times": None},
        {"status": 403, "match": {"path": "/tasks"}, "times": None},
    ]
    with DemoApi(scale=0.5, latency=0.04, faults=faults) as demo:
        config = paged(only(demo.config, "success"))
        config["success"] = config["success"] | {"optional_streams": ["tasks"]}
        done = Window(config).end()
    told = table(done.stderr)

    assert done.code == 1
    assert told["success_notes"][2:3] + told["success_notes"][-2:] == ["failed", "answered", "403"]
    assert "optional" in told["success_tasks"]
    assert re.search(r"^✗ success_notes +0 +0/s  failed: answered 403$", done.stderr, re.MULTILINE)
    assert "| ERROR " in done.said[-1]
    assert "403 Forbidden" in done.said[-1]


def test_a_window_may_change_its_size():
    with DemoApi(scale=1, faults=[HANG]) as demo:
        window = Window(paged(only(demo.config, "learning")), columns=120, lines=40)
        window.sees(LIVE)
        window.resize(60, 12)
        window.sees_another_picture()
        before = len(window.pictures)
        window.sees_another_picture()
        window.process.send_signal(signal.SIGTERM)
        done = window.end()

    assert LIVE not in done.stderr
    assert max(len(line) for picture in window.pictures[before:] for line in picture) < 60
    assert max(len(line) for line in done.said[-9:] if not LOG.search(line)) < 60


# --- plain, or with less ------------------------------------------------------------------------


def test_no_color_turns_colours_off(demo):
    config = paged(only(demo.config, "success"))
    coloured, without = Window(config), Window(config, env={"NO_COLOR": "1"})
    shown, plain = coloured.end(), without.end()

    assert re.search(rb"\x1b\[[\d;]+m", coloured.raw)
    assert not re.search(rb"\x1b\[[\d;]*m", without.raw)
    assert without.pictures
    assert table(plain.stderr).keys() == table(shown.stderr).keys()


def test_an_ascii_terminal_gets_ascii_marks(demo):
    env = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    window = Window(paged(only(demo.config, "experimentation")), env=env)
    done = window.end()

    assert done.code == 0
    assert window.raw.isascii()
    assert b"\\u" not in window.raw
    assert re.search(r"^\+ experimentation_campaigns ", done.stderr, re.MULTILINE)
    assert "experimentation_campaigns" in table(done.stderr)


@pytest.mark.parametrize("name", PLAIN)
def test_environment_variables_ask_for_plain_lines(demo, name):
    config = only(demo.config, "learning")
    window = Window(config, env={name: PLAIN[name]})
    done = window.end()

    assert done.code == 0
    assert window.raw
    assert b"\x1b" not in window.raw
    assert all(LOG.search(line) for line in done.said)
    assert re.search(r"learning_people: \d+ rows, \d+ pages, consistent", done.stderr)


def test_a_structured_log_has_only_objects(demo, tmp_path):
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"structured": {"()": "singer_sdk.logging.StructuredFormatter"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
    }
    path = tmp_path / "logging.json"
    path.write_text(json.dumps(config), "utf-8")
    window = Window(only(demo.config, "learning"), env={"SINGER_SDK_LOG_CONFIG": str(path)})
    done = window.end()

    assert done.code == 0
    assert all("message" in json.loads(line) for line in done.said)


def test_nothing_is_drawn_where_messages_go_to_the_terminal():
    with DemoApi(scale=0.05, latency=0.2) as demo:
        window = Window(only(demo.config, "experimentation"), stdout="window")
        window.end()
    lines = window.raw.replace(b"\r\n", b"\n").splitlines()
    messages = [line for line in lines if not LOG.search(line.decode())]

    assert b"\x1b" not in window.raw
    assert Run(0, b"\n".join(messages), "").records("experimentation_users")


def test_a_background_job_draws_nothing(demo):
    window = Window(only(demo.config, "success"), background=True)
    done = window.end()

    assert done.code == 0
    assert b"\x1b" not in window.raw
    assert re.search(r"success_users: \d+ rows", done.stderr)


def test_a_log_level_shows_the_log_above_the_display(demo):
    window = Window(paged(only(demo.config, "success")), env={"LOGLEVEL": "INFO"})
    done = window.end()

    assert window.pictures
    assert re.search(r"\| INFO .* success_users: \d+ rows", done.stderr)
    assert "success_users" in table(done.stderr)


@pytest.mark.parametrize("columns", [80, 40])
def test_no_secret_is_shown(columns):
    with DemoApi(scale=0.5, latency=0.02) as demo:
        config = only(demo.config, "apis", concurrency=1)
        [api] = config["apis"]
        name = api["resources"][0]["name"]
        api["client"]["auth"] = {"type": "bearer", "token": name}
        api["client"]["base_url"] += "/nowhere"
        window = Window(config, columns=columns)
        done = window.end()

    assert done.code == 1
    assert name[-8:].encode() not in window.raw.replace(b"\r\n", b"")
    assert [name for name in table(done.stderr) if "***" in name]


def test_rich_is_not_loaded_off_a_terminal(demo):
    done = run(only(demo.config, "learning"), env={"PYTHONPROFILEIMPORTTIME": "1"})

    assert "tap_analytics.reporting.progress" in done.stderr
    assert not re.search(r"\| +(rich|tap_analytics\.reporting\.terminal\.display)\b", done.stderr)
