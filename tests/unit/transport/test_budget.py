"""A budget is never exceeded: every request is counted first, at any concurrency."""

from __future__ import annotations

import threading
from functools import partial

import pytest
from support.servers import ScriptedServer, redirect, reply
from support.transport import UnhurriedStop, body_of, http_settings, make_transport, people

from tap_analytics.transport.connection import send_for_token
from tap_analytics.transport.errors import BudgetSpent
from tap_analytics.transport.prefetch import Prefetcher
from tap_analytics.transport.request import Request
from tap_analytics.transport.stop import RequestBudget


def test_many_threads_spend_exactly_the_budget():
    budget = RequestBudget(500)
    paid, refused = [], []

    def spend():
        for _ in range(100):
            try:
                budget.spend()
            except BudgetSpent:
                refused.append(1)
            else:
                paid.append(1)

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(paid), len(refused)) == (500, 300)
    assert (budget.used, budget.left) == (500, 0)


def test_a_grant_adds_to_the_requests_used():
    budget = RequestBudget(1)
    budget.spend()
    budget.grant(1)
    budget.spend()
    with pytest.raises(BudgetSpent, match="left of 2"):
        budget.spend()


def test_retries_count_and_there_is_no_wait_without_requests_left():
    stop = UnhurriedStop()
    with ScriptedServer([reply(500)]) as server:
        transport = make_transport(server.origin, stop=stop, budget=RequestBudget(2))
        with pytest.raises(BudgetSpent):
            transport.fetch(people(server), body_of)
    assert len(server.requests) == 2
    assert len(stop.waits) == 1


def test_redirects_count():
    with ScriptedServer([redirect("/elsewhere"), reply(200, b"there")]) as server:
        budget = RequestBudget(2)
        transport = make_transport(server.origin, budget=budget)
        assert transport.fetch(people(server), body_of) == b"there"
        assert budget.left == 0
        with pytest.raises(BudgetSpent):
            transport.fetch(people(server), body_of)
    assert len(server.requests) == 2


def test_a_redirect_without_requests_left_is_not_followed():
    with ScriptedServer([redirect("/elsewhere")]) as server:
        transport = make_transport(server.origin, budget=RequestBudget(1))
        with pytest.raises(BudgetSpent):
            transport.fetch(people(server), body_of)
    assert len(server.requests) == 1


def test_token_requests_count():
    with ScriptedServer([reply(200, b'{"access_token": "x"}')]) as server:
        http = http_settings(server.origin, budget=RequestBudget(1))
        request = Request(method="POST", url=f"{server.origin}/token")
        ask = partial(send_for_token, http, request, body_of, what="the token URL", hint="")
        assert ask() == b'{"access_token": "x"}'
        with pytest.raises(BudgetSpent):
            ask()
    assert len(server.requests) == 1


def test_one_budget_holds_for_several_transports():
    with ScriptedServer([reply()]) as one, ScriptedServer([reply()]) as other:
        budget = RequestBudget(3)
        transports = [make_transport(each.origin, budget=budget) for each in (one, other)]
        for turn in range(3):
            transports[turn % 2].fetch(people(one if turn % 2 == 0 else other), body_of)
        for transport, server in zip(transports, (one, other), strict=True):
            with pytest.raises(BudgetSpent):
                transport.fetch(people(server), body_of)
    assert len(one.requests) + len(other.requests) == 3


def test_a_prefetched_page_counts_once_and_is_available_when_no_request_is_left():
    with ScriptedServer([reply(200, b"page")]) as server:
        transport = make_transport(server.origin, budget=RequestBudget(1))
        ahead = Prefetcher(transport, concurrency=4)
        assert ahead.prefetch(("one", 1), people(server), body_of)
        while not server.requests:
            pass
        assert ahead.prefetch(("one", 2), people(server, ("page", "2")), body_of)
        assert ahead.fetch(("one", 1), people(server), body_of) == b"page"
        with pytest.raises(BudgetSpent):
            ahead.fetch(("one", 2), people(server, ("page", "2")), body_of)
    assert len(server.requests) == 1
