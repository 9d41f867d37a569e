"""What filters of a manifest make of a response is the same as by the rules of Airbyte's CDK."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from tap_analytics.commands.importing.airbyte.components import Manifest
from tap_analytics.commands.importing.airbyte.error_handling import handler_of
from tap_analytics.commands.importing.notes import Notes, UnsupportedError
from tap_analytics.records.filters import BodyFilter, RowFilter
from tap_analytics.transport.retry import ResponseAction, RetryPolicy

STATUSES = (200, 202, 400, 401, 403, 404, 409, 422, 429, 500, 503)
#: What fails in the CDK if no filter fits; it retries others, and the tap some of them.
FAILED = {400, 401, 403, 404, 405}
BODIES = (
    {"data": []},
    {"data": [], "code": 17},
    {"data": [], "message": "switched off"},
    {"code": 17, "message": "switched off"},
    {"error": {"text": "come again"}},
)
#: Predicates, and which bodies they fit.
PREDICATES = {
    "{{ response.code == 17 }}": lambda body: body.get("code") == 17,
    "{{ response.get('code') != 17 }}": lambda body: body.get("code") != 17,
    "{{ 'code' not in response }}": lambda body: "code" not in body,
    "{{ 'come again' in response.error.text }}": lambda body: "error" in body,
    "{{ 'code' in response and response.message == 'switched off' }}": lambda body: (
        {"code", "message"} <= set(body)
    ),
}
ACTIONS = ("IGNORE", "FAIL", "RETRY", "RATE_LIMITED", "SUCCESS")
FILTERS = st.fixed_dictionaries(
    {"action": st.sampled_from(ACTIONS)},
    optional={
        "http_codes": st.lists(st.sampled_from(STATUSES), min_size=1, max_size=3),
        "predicate": st.sampled_from([*PREDICATES]),
        "error_message_contains": st.just("switched off"),
    },
)
HANDLERS = st.lists(st.lists(FILTERS, max_size=3), min_size=1, max_size=3)


def fits(each, status, body):
    return (
        status in each.get("http_codes", ())
        or ("predicate" in each and PREDICATES[each["predicate"]](body))
        or ("error_message_contains" in each and "message" in body)
    )


def told_there(handlers, status, body):
    """Return the action of the CDK: that of the first filter that fits, by handler."""
    for handler in handlers:
        action = next((each["action"] for each in handler if fits(each, status, body)), None)
        if action is None:
            action = "SUCCESS" if status < 400 else "FAIL" if status in FAILED else "DEFAULT"
            action = "RATE_LIMITED" if status == 429 else action
        if action not in {"FAIL", "RATE_LIMITED"}:
            break
    if action in {"IGNORE", "SUCCESS"}:
        return "read" if status < 400 else "ignore"
    return "fail or retry" if action == "DEFAULT" else action


def told_here(handlers, status, body):
    made, actions = handlers
    known = [
        {**each, "filter": BodyFilter(RowFilter(each["filter"]))} if "filter" in each else each
        for each in actions
    ]
    policy = RetryPolicy(actions=tuple(ResponseAction(**each) for each in known)).overridden(made)
    action = policy.action_for(status, json.dumps(body).encode())
    if action is None:
        action = "retry" if status in policy.statuses else "fail"
        action = "read" if status < 400 else action
    return action


@given(handlers=HANDLERS)
def test_responses_are_told_apart_as_there(handlers):
    described = [{"type": "DefaultErrorHandler", "response_filters": each} for each in handlers]
    both = {"type": "CompositeErrorHandler", "error_handlers": described}
    root = Manifest({"error_handler": both}, Notes(api="shop")).root()
    try:
        made = handler_of(root.child("error_handler"))
    except UnsupportedError:
        return
    for status in STATUSES:
        for body in BODIES:
            there, here = told_there(handlers, status, body), told_here(made, status, body)
            if here in {"read", "ignore"} or there == "ignore":
                assert here == there, (status, body)
            elif there == "read":
                # A text that is ignored in a successful response can't be excepted from others.
                assert any("error_message_contains" in each for one in handlers for each in one)
