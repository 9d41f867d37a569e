"""Runs that get a signal end at once, with its exit code, after a last STATE."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import threading
from collections import Counter
from pathlib import Path
from select import select as ready

import pytest
from support.patience import PATIENCE, until
from support.processes import COMMAND, discover, hurried, only, run, start
from support.runs import select
from support.servers import PathApi

from tap_analytics.demo import DemoApi

SIGNALS = [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
BOOKMARK = {"replication_key": "updated_at", "replication_key_value": "2020-01-01T00:00:00Z"}
STATE = {"bookmarks": {"learning_people": BOOKMARK}}
#: Nothing but these may be said about the end.
FAREWELL = "Stopped by signal"


def stopped(begun, signum, code):
    """Send a signal and check how the run ends: whole lines, STATE last, no more than a warning.

    A run that takes two seconds for it is ended without them.
    """
    begun.signal(signum)
    done = begun.end()
    assert done.code == code
    assert done.stdout.endswith(b"\n")
    assert done.messages[-1]["type"] == "STATE"
    assert done.errors == []
    assert [line for line in done.warnings if line.startswith(FAREWELL)] == done.warnings[-1:]
    return done


@pytest.mark.parametrize(("signum", "code"), SIGNALS)
def test_a_signal_ends_the_wait_that_a_server_asks_for(signum, code):
    wait = {"status": 429, "headers": {"Retry-After": "60"}, "match": {"path": "/people"}}
    with DemoApi(scale=0.2, faults=[wait | {"times": None}]) as demo:
        begun = start(demo.config, state=STATE)
        begun.said("all requests wait")
        begun.said("wiki_pages")
        done = stopped(begun, signum, code)
    assert done.bookmarks["learning_people"] == BOOKMARK["replication_key_value"]
    assert done.records("learning_people") == []


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize(("signum", "code"), SIGNALS)
def test_a_signal_ends_the_wait_for_a_server_that_hangs(signum, code, concurrency):
    hang = {"action": "hang", "match": {"path": "/people", "params": {"page": "2"}}}
    with DemoApi(scale=1, faults=[hang | {"times": None}]) as demo:
        config = only(demo.config, "learning", concurrency=concurrency)
        begun = start(config, state=STATE)
        begun.wrote('"RECORD","stream":"learning_people"')
        done = stopped(begun, signum, code)
    assert done.bookmarks["learning_people"] == BOOKMARK["replication_key_value"]
    assert 0 < len(done.records("learning_people")) < 120


def test_a_signal_ends_an_answer_that_comes_in_drops():
    drip = {"action": "drip", "size": 20, "match": {"path": "/courses"}, "times": None}
    with DemoApi(scale=0.2, faults=[drip]) as demo:
        begun = start(only(demo.config, "learning"), state=STATE)
        begun.wrote('"stream":"learning_people"')
        stopped(begun, signal.SIGTERM, 143)


def test_a_signal_ends_the_wait_for_a_token():
    auth = {"type": "oauth2_client_credentials", "client_id": "us", "client_secret": "never-told"}
    with PathApi(lambda path, query: 30.0) as api:
        config = api.config("things", auth=auth | {"access_token_url": f"{api.origin}/token"})
        begun = start(config, catalog=catalog("odd_things"))
        begun.wrote('"SCHEMA"')
        begun.signal(signal.SIGTERM)
        done = begun.end()
    assert done.code == 143
    assert FAREWELL in done.stderr
    assert "never-told" not in done.stderr


def catalog(name):
    schema = {"type": "object", "properties": {"id": {"type": "integer"}}}
    metadata = [{"breadcrumb": [], "metadata": {"selected": True}}]
    return {"streams": [{"tap_stream_id": name, "schema": schema, "metadata": metadata}]}


def test_a_signal_ends_discovery():
    with DemoApi(faults=[{"action": "hang", "times": None}]) as demo:
        begun = start(only(demo.config, "apis"), "--discover")
        begun.until(lambda: demo.requests)
        begun.signal(signal.SIGTERM)
        done = begun.end()
    assert (done.code, done.stdout, done.errors) == (143, b"", [])


@pytest.mark.parametrize("module", [" enum\n", "singer_sdk.exceptions"])
def test_an_interrupt_while_the_program_loads_leaves_no_traceback(module):
    # Measuring coverage loads modules before the program does.
    begun = start({}, env={"PYTHONPROFILEIMPORTTIME": "1", "COVERAGE_PROCESS_CONFIG": ""})
    begun.said(module)
    begun.signal(signal.SIGINT)
    done = begun.end()
    assert done.code in {130, -signal.SIGINT}
    assert [line for line in done.said if not line.startswith("import time:")] == []


def test_what_was_finished_before_the_signal_is_kept():
    hang = {"action": "hang", "match": {"path": "/pages"}, "times": None}
    with DemoApi(scale=0.2, faults=[hang]) as demo:
        config = demo.config | {"concurrency": 16}
        begun = start(config)
        begun.wrote('"wiki_blog_posts":{"replication_key"')
        begun.wrote('"success_users":{"replication_key"')
        done = stopped(begun, signal.SIGTERM, 143)
        demo.set_faults([])
        changed = demo.mutate()
        again = run(config, state=done.state)
        assert again.code == 0
        assert len(again.records("wiki_pages")) == len(demo.rows("wiki_pages"))
    assert "wiki_pages" not in done.bookmarks
    assert len(again.records("success_users")) <= len(changed["success_users"]) + 1


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_run_that_was_cut_is_resumed_after_its_last_page(concurrency):
    hang = {"action": "hang", "match": {"path": "/people|/labels"}, "after": 4, "times": None}
    settings = {"concurrency": concurrency, "emit_activate_version_messages": True}
    with DemoApi(scale=1, faults=[hang]) as demo:
        config = only(demo.config, "learning", **settings)
        config["learning"] = config["learning"] | {"page_size": 10}
        catalog = select(discover(config), "learning_people")
        begun = start(config, catalog=catalog)
        begun.wrote('"RECORD"')
        begun.until(lambda: any(request.status == 0 for request in demo.requests))
        cut = stopped(begun, signal.SIGTERM, 143)
        demo.set_faults([])
        demo.reset_counts()
        done = run(config, catalog=catalog, state=cut.state)
        asked = [request.params["page"] for request in demo.requests]
    before = [row["id"] for row in cut.records("learning_people")]
    after = [row["id"] for row in done.records("learning_people")]
    assert done.code == 0
    assert len(before) > 10
    assert asked[0] == str(len(before) // 10)
    assert len(before) + len(after) == len({*before, *after}) == 120
    assert "position" not in json.dumps(done.state)


@pytest.mark.parametrize(
    "refusal",
    [
        (400, {}),
        (404, {}),
        (410, {}),
        (500, {"error": "bad cursor"}),
        {"error": {"message": "cursor expired"}},
        {"items": []},
        {"data": [{"id": 100}], "next": None},
    ],
    ids=["400", "404", "410", "500", "an error in 200", "another shape", "another page"],
)
def test_a_cursor_that_has_expired_makes_the_run_start_again(refusal):
    first_run = True

    def answer(path, query):
        cursor = dict(query).get("cursor")
        number = int(cursor[1:]) if cursor else 0
        if first_run and number == 3:
            return 500, {}
        if not first_run and cursor and cursor.startswith("a"):
            return refusal
        following = f"{'a' if first_run else 'b'}{number + 1}" if number < 5 else None
        return {"data": [{"id": number}], "next": following}

    paginator = {"type": "cursor", "cursor_path": "next", "cursor_param": "cursor"}
    endpoint = {"path": "/things", "data_selector": "data", "paginator": paginator}
    with PathApi(answer) as api:
        config = api.config({"name": "things", "endpoint": endpoint}) | {"concurrency": 1}
        cut = run(config, catalog=catalog("odd_things"))
        first_run = False
        done = run(config, catalog=catalog("odd_things"), state=cut.state)
    assert cut.code == 1
    assert [row["id"] for row in cut.records("odd_things")] == [0, 1, 2]
    assert (done.code, done.errors) == (0, [])
    assert [row["id"] for row in done.records("odd_things")] == [0, 1, 2, 3, 4, 5]


def test_a_closed_pipe_ends_the_run_at_once_and_says_so(tmp_path):
    file = tmp_path / "config.json"
    closed = threading.Event()

    def answer(path, query):
        offset = int(dict(query)["offset"])
        assert offset < 10 or closed.wait(PATIENCE)
        return {"data": [{"id": offset + n} for n in range(10)]}

    endpoint = {"data_selector": "data", "paginator": {"type": "offset", "limit": 10}}
    with PathApi(answer) as api:
        config = api.config({"name": "things", "endpoint": endpoint}) | {"concurrency": 1}
        file.write_text(json.dumps(config), "utf-8")
        tap = subprocess.Popen(
            [COMMAND, "--config", str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert tap.stdout.readline().startswith(b'{"type":"SCHEMA"')
        tap.stdout.close()
        closed.set()
        said = tap.stderr.read().decode()
        code = tap.wait(PATIENCE)
        tap.stderr.close()
        asked = len(api.asked)
    assert code not in {0, -signal.SIGKILL}
    [warning] = [line for line in said.splitlines() if "| INFO " not in line]
    assert "| WARNING " in warning
    assert "Standard output was closed by what reads it" in warning
    # The pages have no end.
    assert asked < 5


def test_a_target_that_stopped_reading_does_not_delay_the_end(tmp_path):
    file = tmp_path / "config.json"
    reader, writer = os.pipe()
    with DemoApi(scale=5) as demo:
        file.write_text(json.dumps(hurried(demo.config)), "utf-8")
        tap = subprocess.Popen(
            [COMMAND, "--config", str(file)], stdout=writer, stderr=subprocess.PIPE
        )
        # A first line is read, then nothing: the pipe fills up and the tap has to wait.
        assert os.read(reader, 10)
        until(lambda: tap.poll() is not None or not ready([], [writer], [], 0)[1])
        tap.send_signal(signal.SIGTERM)
        code = tap.wait(PATIENCE)
        said = tap.stderr.read().decode()
        tap.stderr.close()
    os.close(reader)
    os.close(writer)
    assert code == 143
    assert "Traceback" not in said
    assert "Fatal Python error" not in said


class Stalled:
    """A run whose output goes into a pipe that nobody reads before it has ended."""

    def __init__(self, config, *, filled, note):
        self.reader, self.writer = os.pipe()
        size = fcntl.fcntl(self.writer, fcntl.F_GETPIPE_SZ)
        self.filled = os.write(self.writer, b" " * (filled if filled >= 0 else size + 1 + filled))
        chosen = {"streams": [catalog(name)["streams"][0] for name in ("odd_a", "odd_b")]}
        state = {"bookmarks": {"odd_a": {"note": "x" * note}}}
        self.begun = start(config, catalog=chosen, state=state, stdout=self.writer)

    @property
    def waits(self):
        """Whether the run answers signals, and its output takes no more."""
        status = Path(f"/proc/{self.begun.process.pid}/status").read_text("utf-8")
        caught = int(status.partition("SigCgt:")[2].split()[0], 16)
        is_open = ready([], [self.writer], [], 0)[1]
        return caught >> (signal.SIGTERM - 1) & 1 and not is_open

    def written(self):
        """Return what a target would read that goes on then: whole lines."""
        os.close(self.writer)
        with open(self.reader, "rb") as pipe:  # noqa: PTH123 - a file descriptor
            lines = pipe.read()[self.filled :]
        assert lines.endswith(b"\n") or not lines
        return [json.loads(line) for line in lines.splitlines()]


@pytest.mark.parametrize(
    ("filled", "concurrency"),
    [(0, 8), (1, 1), (-2000, 8), (-1, 1)],
    ids=["empty", "begun", "nearly full", "full"],
)
def test_a_target_that_reads_on_afterwards_gets_whole_lines(filled, concurrency):
    def answer(path, query):
        offset = int(dict(query)["offset"])
        return {"data": [{"id": offset + n, "text": "x" * 1000} for n in range(20)]}

    endpoint = {"data_selector": "data", "paginator": {"type": "offset", "limit": 20}}
    resources = [{"name": name, "endpoint": {"path": f"/{name}"} | endpoint} for name in "ab"]
    with PathApi(answer) as api:
        config = api.config(*resources) | {"concurrency": concurrency}
        # The one stops in the middle of its records, the other in the middle of a STATE.
        runs = [Stalled(config, filled=filled, note=note) for note in (10, 60_000)]
        for stalled in runs:
            stalled.begun.until(lambda stalled=stalled: stalled.waits)
        for stalled, (signum, _) in zip(runs, SIGNALS, strict=False):
            stalled.begun.signal(signum)
        for stalled, (_, code) in zip(runs, SIGNALS, strict=False):
            done = stalled.begun.end()
            assert (done.code, done.errors) == (code, [])
            check(stalled.written())


def check(messages):
    """Check that no STATE is ahead of its records, and that one is the last message."""
    rows = Counter()
    for message in messages:
        if message["type"] == "RECORD":
            rows[message["stream"]] += 1
        if message["type"] == "STATE":
            for name, mark in message["value"]["bookmarks"].items():
                assert mark.get("position", {}).get("rows", 0) <= rows[name]
    assert not messages or messages[-1]["type"] == "STATE"


def test_a_log_that_is_not_read_does_not_delay_the_end(tmp_path):
    def answer(path, query):
        return {"data": [{"id": int(dict(query)["offset"])}]}

    paginator = {"type": "offset", "limit": 1}
    endpoint = {"path": "/things", "data_selector": "data", "paginator": paginator}
    file, (reader, writer) = tmp_path / "config.json", os.pipe()
    with PathApi(answer) as api:
        file.write_text(json.dumps(api.config({"name": "things", "endpoint": endpoint})), "utf-8")
        tap = subprocess.Popen(
            [COMMAND, "--config", str(file)], stdout=subprocess.DEVNULL, stderr=writer
        )
        until(lambda: api.asked)
        fill(writer)
        tap.send_signal(signal.SIGTERM)
        try:
            assert tap.wait(PATIENCE) == 143
        finally:
            tap.kill()
            os.close(reader)
            os.close(writer)


def fill(pipe):
    """Write into a pipe until it takes nothing more."""
    own = os.open(f"/proc/self/fd/{pipe}", os.O_WRONLY | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while os.write(own, b"\n"):
            pass
    os.close(own)


def test_a_full_disk_is_reported_once_and_ends_the_run(tmp_path):
    file = tmp_path / "config.json"
    with DemoApi(scale=0.2) as demo, Path("/dev/full").open("wb") as full:
        file.write_text(json.dumps(demo.config), "utf-8")
        done = subprocess.run(
            [COMMAND, "--config", str(file)],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            text=True,
        )
    loud = [line for line in done.stderr.splitlines() if "| INFO " not in line]
    assert done.returncode == 1
    assert len(loud) == 1, loud
    assert "No space left on device" in loud[0]
    assert "| ERROR " in loud[0]
