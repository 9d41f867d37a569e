"""Every fault the demo knows does to the client what its name says."""

from __future__ import annotations

import pytest
import requests
from support.demo import get, head, talk

from tap_analytics.demo import DemoApi, Fault


def test_a_fault_meets_the_requests_it_matches_and_then_stops(api):
    api.set_faults(
        [
            {
                "match": {"path": "people$", "params": {"page": "2"}},
                "after": 1,
                "times": 2,
                "status": 502,
            }
        ]
    )
    statuses = [get(api, params={"page": page}).status_code for page in (1, 2, 2, 2, 2, 1)]
    assert statuses == [200, 200, 502, 502, 200, 200]
    assert [asked.status for asked in api.requests] == statuses


def test_a_fault_may_last_and_look_at_method_and_absent_params(api):
    api.set_faults([Fault(match={"method": "GET", "params": {"page": None}}, times=None)])
    assert [get(api, params=p).status_code for p in ({}, {"page": "1"}, {})] == [503, 200, 503]


def test_status_carries_headers_and_a_body(api):
    api.set_faults([Fault(status=429, headers={"Retry-After": "7"}, body={"slow": "down"})])
    answer = get(api)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert answer.json() == {"slow": "down"}


@pytest.mark.parametrize("action", ["cut", "reset", "reset_mid"])
def test_a_broken_connection_is_an_error_and_the_next_request_is_fine(api, action):
    api.set_faults([Fault(action=action)])
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        get(api)
    assert get(api).status_code == 200


def test_cut_sends_so_many_bytes_of_an_announced_whole(api):
    whole = get(api).content
    api.set_faults([Fault(action="cut", size=40)])
    answer = talk(api, head())
    assert f"Content-Length: {len(whole)}".encode() in answer
    assert answer.partition(b"\r\n\r\n")[2] == whole[:40]


def test_reset_is_a_reset_and_not_an_end(api):
    api.set_faults([Fault(action="reset")])
    with pytest.raises(ConnectionResetError):
        talk(api, head())
    assert api.requests[-1].status == 0


def test_spoiled_bodies_arrive_with_status_200(api):
    actions = ("truncate_json", "empty", "html", "wrong_type", "in_band", "gzip_cut")
    whole = get(api).content
    api.set_faults([Fault(action=action) for action in actions])
    truncated, empty, html, wrong, in_band = (get(api) for _ in actions[:-1])
    assert whole.startswith(truncated.content)
    assert 0 < len(truncated.content) < len(whole)
    assert (empty.status_code, empty.content) == (200, b"")
    assert html.headers["Content-Type"].startswith("text/html")
    assert isinstance(wrong.json(), str)
    assert (in_band.status_code, list(in_band.json())) == (200, ["errors"])
    with pytest.raises(requests.JSONDecodeError):
        get(api).json()


def test_late_and_dripping_answers_are_whole(api):
    whole = get(api).content
    api.set_faults([Fault(action="delay", seconds=0.05), Fault(action="drip", size=200_000)])
    assert get(api).content == whole
    dripped = talk(api, head() + head(more="Connection: close\r\n"))
    assert dripped.count(whole) == 2


def test_a_hanging_answer_never_comes(api):
    api.set_faults([Fault(action="hang")])
    with pytest.raises(requests.ReadTimeout):
        get(api, timeout=0.2)


def test_redirects_to_other_hosts_or_in_cycles(api):
    api.set_faults([Fault(action="redirect", url="http://other.example/x")])
    answer = get(api, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, "http://other.example/x")
    api.set_faults([Fault(action="redirect_loop", times=None)])
    with pytest.raises(requests.TooManyRedirects):
        get(api)


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"action": "explode"}, "truncate_json"),
        ({"match": {"host": "x"}}, "params"),
        ({"actoin": "cut"}, "action"),
        ({"match": {"path": "("}}, "regular expression"),
        ({"times": "often"}, "times"),
        ("cut", "object"),
    ],
)
def test_a_fault_that_is_not_understood_is_an_error(given, word):
    with pytest.raises(ValueError, match=word):
        DemoApi(faults=[given])
