"""The demo as a server: HTTP strictly read, requests counted, and the command."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys

import pytest
import requests
from dotenv import dotenv_values
from support.demo import HEADERS, PEOPLE, get, head, talk
from support.patience import PATIENCE, until

from tap_analytics.config.settings import environment, unknown_variables
from tap_analytics.demo import DEFAULT, DemoApi
from tap_analytics.demo.cli import main
from tap_analytics.demo.tap_config import tap_config
from tap_analytics.tap import TapAnalytics

# HTTP


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (head(f"{PEOPLE}?limit=%zz"), b"400"),
        (head(f"{PEOPLE}?limit=%"), b"400"),
        (head("/learning/v2/%ff"), b"400"),
        (head(f"{PEOPLE}?limit=1&limit=2"), b"400"),
        (head(f"{PEOPLE}?limit=1&&page=1"), b"400"),
        (head(f"{PEOPLE}?na me=1"), b"400"),
        (head(f"{PEOPLE}#top"), b"400"),
        (head(more="X-Api-Key: twice\r\n"), b"400"),
        (head(more="no colon\r\n"), b"400"),
        (head(more="Content-Length: many\r\n"), b"400"),
        (head(more="Transfer-Encoding: chunked\r\n"), b"411"),
        (head(more="Content-Length: 99999999\r\n"), b"413"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /" + b"x" * 70_000, b"431"),
    ],
)
def test_a_client_s_mistake_is_an_error_and_closes_the_connection(api, data, status):
    answer = talk(api, data)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b'"error"' in answer


def test_one_connection_serves_many_requests_in_order(api):
    pages = b"".join(head(f"{PEOPLE}?limit=1&page={page}") for page in range(1, 41))
    answer = talk(api, pages + head(f"{PEOPLE}?limit=1&page=999", more="Connection: close\r\n"))
    assert answer.count(b"HTTP/1.1 200 OK") == 41
    assert [asked.params["page"] for asked in api.requests[:3]] == ["1", "2", "3"]
    assert b"HTTP/1.1 200" in talk(api, head(version="1.0"))


def test_a_request_may_arrive_in_pieces(api):
    host, _, port = api.url.removeprefix("http://").partition(":")
    data = head(more="Connection: close\r\n")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as peer:
        for start in range(0, len(data), 7):
            peer.sendall(data[start : start + 7])
        assert peer.recv(15) == b"HTTP/1.1 200 OK"


def test_unknown_paths_and_methods_are_refused(api):
    for path in ("/nowhere", "/learning/v2/lessons", "/learning/v3/people", "/wiki-spec/v1/audit"):
        answer = get(api, path)
        assert answer.status_code == 404
        assert answer.json()
    answer = requests.post(api.url + PEOPLE, headers=HEADERS, json={})
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")
    assert requests.head(api.url + PEOPLE, headers=HEADERS).content == b""


def test_every_answer_has_a_date_and_a_length(api):
    answer = get(api)
    assert answer.headers["Date"].endswith("GMT")
    assert int(answer.headers["Content-Length"]) == len(answer.content)


# Counting


def test_requests_are_counted_and_remembered(api):
    get(api, params={"limit": 3, "filter[updated_at][gteq]": "2023-01-01T00:00:00+00:00"})
    get(api, headers={})
    assert api.counts == {("GET", PEOPLE): 2}
    first, second = api.requests
    assert first.params == {"limit": "3", "filter[updated_at][gteq]": "2023-01-01T00:00:00+00:00"}
    assert first.headers["x-api-key"] == DEFAULT.learning_api_key
    assert (first.status, second.status) == (200, 401)
    assert first.at <= second.at
    assert api.in_flight_max == 1
    api.reset_counts()
    assert not api.counts
    assert api.requests == []


def test_latency_lets_requests_wait_side_by_side():
    with DemoApi(latency=2 * PATIENCE, scale=0.1) as slow, contextlib.ExitStack() as stack:
        host, _, port = slow.url.removeprefix("http://").partition(":")
        for _ in range(6):
            peer = stack.enter_context(socket.create_connection((host, int(port))))
            peer.sendall(head())
        until(lambda: slow.in_flight_max == 6)
        assert slow.counts == {("GET", PEOPLE): 6}


# The demo's own paths


def test_the_demo_s_own_paths(api):
    get(api)
    base = f"{api.url}/_demo"
    stats = requests.get(f"{base}/stats", params={"requests": "true"}).json()
    assert stats["counts"] == {f"GET {PEOPLE}": 1}
    assert stats["requests"][0]["status"] == 200
    assert DEFAULT.learning_api_key not in json.dumps(stats)
    assert requests.get(f"{base}/rows/wiki_space").json() == api.rows("wiki_space")
    assert requests.get(f"{base}/config").json() == api.config
    faults = [{"action": "status", "status": 500}]
    assert requests.post(f"{base}/faults", json=faults).json() == {"faults": 1}
    assert get(api).status_code == 500
    assert requests.post(f"{base}/reset").status_code == 200
    assert not api.counts


def test_the_demo_s_own_paths_refuse_what_they_don_t_know(api):
    base = f"{api.url}/_demo"
    assert requests.get(f"{base}/rows/nothing").status_code == 404
    assert requests.get(f"{base}/mutate").status_code == 404
    for path, body in (("faults", {}), ("faults", [{"action": "x"}]), ("mutate", {"when": 1})):
        answer = requests.post(f"{base}/{path}", json=body)
        assert answer.status_code == 400
        assert answer.json()["error"]
    assert requests.post(f"{base}/mutate", data="{").status_code == 400


def test_a_change_over_http_is_seen_in_pages_already_served():
    with DemoApi(scale=0.1) as api:
        params = {"sort": "-updated_at", "limit": 100}
        before = get(api, params=params).json()["data"]
        body = {"at": "2026-01-01T00:00:00Z", "delete": True}
        changes = requests.post(f"{api.url}/_demo/mutate", json=body).json()
        after = get(api, params=params).json()["data"]
        changed = {row["id"] for row in after if row not in before}
        assert changed == set(changes["changed"]["learning_people"])
        gone = {row["id"] for row in before} - {row["id"] for row in after}
        assert gone == set(changes["deleted"]["learning_people"])


# Start and stop


def test_a_stopped_server_is_gone_and_can_start_again():
    api = DemoApi(scale=0.1)
    with pytest.raises(RuntimeError, match="start it first"):
        _ = api.url
    api.start()
    first = api.url
    assert get(api).status_code == 200
    api.stop()
    with pytest.raises(requests.ConnectionError):
        requests.get(first, timeout=PATIENCE)
    with api:
        assert get(api).status_code == 200


def test_an_unknown_dialect_is_an_error():
    with pytest.raises(ValueError, match="real, spec"):
        DemoApi(dialect="klingon")


def test_importing_the_demo_loads_no_third_party_package():
    code = (
        "import sys, tap_analytics.demo; "
        "print([n for n in ('singer_sdk', 'requests', 'msgspec', 'urllib3') if n in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_a_signal(number, tmp_path):
    faults = tmp_path / "faults.json"
    faults.write_text('[{"status": 504}]', "utf-8")
    options = ["--dialect", "spec", "--scale", "0.1", "--faults", str(faults), "--print-config"]
    command = [sys.executable, "-m", "tap_analytics.demo", *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True) as process:
        config, ready = json.loads(process.stdout.readline()), process.stderr.readline()
        url = config["learning"]["base_url"]
        assert ready == f"demo API ready at {url.removesuffix('/learning/v2')} (spec dialect)\n"
        statuses = [requests.get(f"{url}/people", headers=HEADERS).status_code for _ in range(2)]
        process.send_signal(number)
        assert process.wait(PATIENCE) == 0
        assert process.stdout.read() == ""
    assert statuses == [504, 200]


def test_the_command_prints_variables_that_are_its_configuration(tmp_path):
    command = [sys.executable, "-m", "tap_analytics.demo", "--print-config", "env", "--quiet"]
    variables = tmp_path / ".env"
    with variables.open("w") as file, subprocess.Popen(command, stdout=file) as process:
        until(lambda: variables.read_text("utf-8").endswith("\n"))
        process.terminate()
    schema = TapAnalytics.config_jsonschema
    found = environment(schema, "TAP_ANALYTICS_", dotenv_values(variables))
    assert unknown_variables(schema, "TAP_ANALYTICS_", dotenv_values(variables)) == []
    url = found["learning"]["base_url"].removesuffix("/learning/v2")
    assert found == tap_config(url, dialect="real", credentials=DEFAULT)


def test_the_command_says_why_it_can_t_start(api, tmp_path, capsys):
    broken = tmp_path / "faults.json"
    broken.write_text('[{"action": "explode"}]', "utf-8")
    assert main(["--faults", str(broken)]) == 1
    assert "explode" in capsys.readouterr().err
    assert main(["--port", api.url.rpartition(":")[2]]) == 1
    assert "can't start" in capsys.readouterr().err


def test_bad_options_end_with_exit_code_1(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--port", "x"])
    assert ended.value.code == 1
    assert "--port" in capsys.readouterr().err
