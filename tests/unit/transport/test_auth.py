from __future__ import annotations

import json
import threading
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from urllib.parse import parse_qsl

import pytest
import requests
from support.patience import PATIENCE
from support.servers import ScriptedServer, reply

from tap_analytics.transport.auth import (
    ApiKeyCookie,
    ApiKeyHeader,
    ApiKeyQuery,
    Basic,
    Bearer,
    NoAuth,
)
from tap_analytics.transport.errors import CredentialsRefused
from tap_analytics.transport.oauth import OAuth2ClientCredentials
from tap_analytics.transport.request import Request

PLAIN = Request(
    url="https://api.example.com/people",
    params=(("page", "1"),),
    headers=(("Accept", "application/json"),),
)
SIMPLE = [
    ApiKeyHeader("X-Api-Key", "s3cret"),
    ApiKeyQuery("api_key", "s3cret"),
    ApiKeyCookie("api_key", "s3cret"),
    Basic("ada", "s3cret"),
    Bearer("s3cret"),
    NoAuth(),
]


@pytest.mark.parametrize("auth", SIMPLE, ids=lambda auth: type(auth).__name__)
def test_signing_twice_has_the_effect_of_once(auth):
    once = auth(PLAIN)
    assert auth(once) == once
    assert once.url == PLAIN.url
    assert once.params[:1] == PLAIN.params
    assert once.headers[:1] == PLAIN.headers
    assert auth.renew() is False


@pytest.mark.parametrize("auth", SIMPLE, ids=lambda auth: type(auth).__name__)
def test_no_authenticator_shows_its_secret(auth):
    assert "s3cret" not in repr(auth)
    assert "s3cret" not in str(auth)


def test_a_header_key_replaces_one_whatever_its_case():
    stale = Request(url=PLAIN.url, headers=(("x-api-key", "old"), ("Accept", "*/*")))
    signed = ApiKeyHeader("X-Api-Key", "new")(stale)
    assert signed.headers == (("Accept", "*/*"), ("X-Api-Key", "new"))


def test_a_query_key_replaces_the_one_of_a_next_link():
    stale = Request(url=PLAIN.url, params=(("api_key", "old"), ("offset", "100")))
    auth = ApiKeyQuery("api_key", "new")
    assert auth(stale).params == (("offset", "100"), ("api_key", "new"))
    assert auth.param_names == ("api_key",)
    assert Bearer("x").param_names == ()


@pytest.mark.parametrize(
    ("username", "password"), [("ada", "pass:word"), ("zoë", "gehëim ☃"), ("token", "")]
)
def test_basic_credentials_are_utf_8(username, password):
    auth = Basic(username, password)
    name, value = auth(PLAIN).headers[-1]
    scheme, _, token = value.partition(" ")
    assert (name, scheme) == ("Authorization", "Basic")
    assert b64decode(token).decode() == f"{username}:{password}"


def test_a_key_outside_of_ascii_can_be_sent_as_a_header():
    _, value = ApiKeyHeader("X-Api-Key", "schlüssel☃")(PLAIN).headers[-1]
    assert value.encode("latin-1").decode() == "schlüssel☃"


# --- OAuth2 -----------------------------------------------------------------------------------


class TokenServer(ScriptedServer):
    """Issues the tokens t1, t2, … and records the forms it receives."""

    def __init__(self):
        super().__init__(self._issue)
        self.answer = {"expires_in": 3600}
        self.url = f"{self.origin}/token"

    @property
    def forms(self):
        return [dict(parse_qsl(received.body.decode())) for received in self.requests]

    def _issue(self, received):
        token = {"access_token": f"t{len(self.requests)}", **self.answer}
        given = {name: value for name, value in token.items() if value is not None}
        return reply(200, json.dumps(given).encode())


@pytest.fixture
def server():
    with TokenServer() as server:
        yield server


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def send(request, read, **_):
    headers = dict(request.headers)
    with requests.request(
        request.method, request.target, data=request.body, headers=headers, timeout=PATIENCE
    ) as response:
        return read(SimpleNamespace(body=response.content, headers=response.headers))


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def oauth(server, clock):
    auth = OAuth2ClientCredentials(
        token_url=server.url,
        client_id="app",
        client_secret="s3cret",
        scopes=("read", "list"),
        form={"audience": "api"},
        clock=clock,
    )
    auth.bind(send)
    return auth


def bearer(request):
    return dict(request.headers)["Authorization"].removeprefix("Bearer ")


def test_a_token_is_requested_once_with_the_first_request(server, oauth):
    assert server.forms == []
    assert [bearer(oauth(PLAIN)) for _ in range(3)] == ["t1", "t1", "t1"]
    assert server.forms == [
        {
            "grant_type": "client_credentials",
            "client_id": "app",
            "client_secret": "s3cret",
            "scope": "read list",
            "audience": "api",
        }
    ]


def test_a_token_is_renewed_a_minute_before_it_expires(oauth, clock):
    oauth(PLAIN)
    clock.now += 3539.9
    assert bearer(oauth(PLAIN)) == "t1"
    clock.now += 0.1
    assert bearer(oauth(PLAIN)) == "t2"


def test_a_short_lived_token_is_used_for_half_its_lifetime(server, oauth, clock):
    server.answer = {"expires_in": "60"}
    oauth(PLAIN)
    clock.now += 29.9
    assert bearer(oauth(PLAIN)) == "t1"
    clock.now += 0.1
    assert bearer(oauth(PLAIN)) == "t2"


def test_a_token_without_expiry_is_used_until_it_is_refused(server, oauth, clock):
    server.answer = {}
    oauth(PLAIN)
    clock.now += 1e9
    assert bearer(oauth(PLAIN)) == "t1"
    assert oauth.renew() is True
    assert bearer(oauth(PLAIN)) == "t2"


def test_many_threads_get_one_token(server, oauth):
    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(lambda _: bearer(oauth(PLAIN)), range(40)))
    assert tokens == {"t1"}
    assert len(server.forms) == 1


def test_a_refused_token_is_renewed_once_for_all_threads(server, oauth):
    signed = threading.Barrier(8)

    def refused(_):
        oauth(PLAIN)
        signed.wait(PATIENCE)
        return oauth.renew(), bearer(oauth(PLAIN))

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(refused, range(8))) == {(True, "t2")}
    assert len(server.forms) == 2


def test_renewal_fails_if_the_token_is_the_same_or_none_was_sent(server, oauth):
    assert oauth.renew() is False
    server.answer = {"access_token": "same"}
    oauth(PLAIN)
    assert oauth.renew() is False


def test_tokens_are_registered_as_secrets_before_they_are_used(server, oauth):
    registered = []
    oauth.bind(send, register=registered.append)
    oauth(PLAIN)
    assert registered == ["t1"]
    assert "s3cret" not in repr(oauth)
    assert "t1" not in repr(oauth).replace(server.url, "")


@pytest.mark.parametrize("answer", [{"access_token": None}, {"access_token": ""}])
def test_a_response_without_a_token_says_what_to_check(server, oauth, answer):
    server.answer = answer
    with pytest.raises(
        CredentialsRefused, match=r"access_token.*Check `access_token_url`, `client_id`"
    ):
        oauth(PLAIN)


def test_a_request_before_bind_is_an_error():
    auth = OAuth2ClientCredentials(token_url="x", client_id="a", client_secret="b")
    with pytest.raises(RuntimeError, match="bind"):
        auth(PLAIN)
