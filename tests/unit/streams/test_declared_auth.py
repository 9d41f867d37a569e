"""How requests of declared APIs are signed: what a server receives, and what is kept of it."""

from __future__ import annotations

import json
import logging
import stat
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import parse_qsl

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from singer_sdk.exceptions import ConfigValidationError
from support.runs import declared, run
from support.servers import ScriptedServer, reply
from support.transport import http_settings

from tap_analytics.tap import TapAnalytics
from tap_analytics.transport import jwt_bearer
from tap_analytics.transport.connection import send_for_token
from tap_analytics.transport.oauth import OAuth2RefreshToken
from tap_analytics.transport.request import Request
from tap_analytics.transport.token_file import TokenFile

ROWS = [{"id": n} for n in range(1, 31)]


class SignedApi(ScriptedServer):
    """A list of 30 rows in pages of 10, whose every answer is made by `issue` or `accept`.

    `issue(received)` answers POST requests and GETs below /login; `accept(received)` says whether a
    request for rows is signed.
    """

    def __init__(self, issue, accept):
        super().__init__(self._respond)
        self.issue, self.accept = issue, accept
        self.logins = []
        self.refusal = reply(401, b'{"message": "who is it?"}')

    def _respond(self, received):
        if received.method == "POST" or received.path.startswith("/login"):
            self.logins.append(received)
            issued = self.issue(received)
            return issued if isinstance(issued, bytes) else reply(200, json.dumps(issued).encode())
        if not self.accept(received):
            return self.refusal
        start = int(received.query["offset"])
        body = {"data": ROWS[start : start + 10], "total": len(ROWS)}
        return reply(200, json.dumps(body).encode())

    @property
    def forms(self):
        return [dict(parse_qsl(login.body.decode())) for login in self.logins]

    def config(self, auth, *, concurrency=1):
        endpoint = {"paginator": {"type": "offset", "limit": 10, "total_path": "total"}}
        config = declared(self.origin, endpoint=endpoint, concurrency=concurrency)
        config["apis"][0]["client"]["auth"] = auth
        return config

    def read(self, auth, *, concurrency=1):
        """Run, and return the run whose rows are all there."""
        done = run(self.config(auth, concurrency=concurrency))
        assert done.error is None, done.failure()
        assert done.ids() == [row["id"] for row in ROWS]
        return done


# --- refresh tokens ---------------------------------------------------------------------------


def rotation():
    """Issue access tokens, each with the next refresh token; one that was spent is refused."""
    valid = ["refresh-0"]

    def issue(received):
        form = dict(parse_qsl(received.body.decode()))
        if form.get("refresh_token") != valid[-1]:
            return reply(400, b'{"error": "invalid_grant"}')
        valid.append(f"refresh-{len(valid)}")
        return {"access_token": f"access-{len(valid) - 1}", "refresh_token": valid[-1]}

    return issue, lambda received: bearer(received) == f"access-{len(valid) - 1}"


def rotating():
    return SignedApi(*rotation())


def bearer(received):
    return received.headers.get("authorization", "").removeprefix("Bearer ")


def refreshing(api, **more):
    return {
        "type": "oauth2_refresh_token",
        "access_token_url": f"{api.origin}/token?tenant=t1",
        "client_id": "app",
        "client_secret": "the-client-secret",
        "refresh_token": "refresh-0",
        **more,
    }


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_refresh_token_gives_one_access_token_for_all_threads(concurrency):
    with SignedApi(lambda _: {"access_token": "a1"}, lambda sent: bearer(sent) == "a1") as api:
        api.read(refreshing(api, scopes=["x", "y"]), concurrency=concurrency)
        assert api.forms == [
            {
                "grant_type": "refresh_token",
                "refresh_token": "refresh-0",
                "client_id": "app",
                "client_secret": "the-client-secret",
                "scope": "x y",
            }
        ]
        assert api.logins[0].target == "/token?tenant=t1"


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_replaced_refresh_token_is_kept_for_the_next_run(tmp_path, concurrency):
    file = tmp_path / "token.json"
    with rotating() as api:
        auth = refreshing(api, refresh_token_file=str(file))
        for number in range(3):
            done = api.read(auth, concurrency=concurrency)
            assert f"refresh-{number + 1}" not in done.stdout.decode()
        assert [form["refresh_token"] for form in api.forms] == [
            *("refresh-0", "refresh-1", "refresh-2")
        ]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["refresh_token"] == "refresh-3"
    assert [path.name for path in tmp_path.iterdir()] == ["token.json"]


def test_runs_that_share_the_file_spend_each_refresh_token_once(tmp_path):
    issue, accept = rotation()
    spent = []

    def issue_once(received):
        spent.append(dict(parse_qsl(received.body.decode()))["refresh_token"])
        return issue(received)

    with SignedApi(issue_once, accept) as api:
        auths = [
            OAuth2RefreshToken(
                token_url=f"{api.origin}/token",
                client_id="app",
                refresh_token="refresh-0",
                file=TokenFile(tmp_path / "token.json"),
            )
            for _ in range(12)
        ]
        for auth in auths:
            auth.bind(partial(send_for_token, http_settings(api.origin)))
        with ThreadPoolExecutor(len(auths)) as pool:
            list(pool.map(lambda auth: auth(Request(url=api.origin)), auths))
    assert spent == [f"refresh-{number}" for number in range(len(auths))]


def test_a_newly_configured_refresh_token_wins_over_the_file(tmp_path):
    with rotating() as api:
        auth = refreshing(api, refresh_token_file=str(tmp_path / "token.json"))
        api.read(auth)
        # Revoked, and authorized again.
        api.issue, api.accept = rotation()
        done = run(api.config(auth))
        assert "authorize the client again" in done.failure()
        forms = len(api.forms)
        api.issue = lambda _: {"access_token": "new"}
        api.accept = lambda sent: bearer(sent) == "new"
        api.read(auth | {"refresh_token": "fresh"})
        assert api.forms[forms]["refresh_token"] == "fresh"


def test_a_replaced_refresh_token_without_a_file_is_reported(caplog):
    with rotating() as api:
        api.read(refreshing(api))
    (line,) = [each for each in caplog.messages if "replaced the refresh token" in each]
    assert line.startswith("shop: ")
    assert "set `refresh_token_file`" in line


@pytest.mark.parametrize("content", [None, "no JSON", '{"other": 1}'])
def test_no_token_is_spent_where_its_successor_cannot_be_kept(tmp_path, content):
    file = tmp_path / "token.json"
    if content is None:
        file = tmp_path / "missing" / "token.json"
    else:
        file.write_text(content)
    with rotating() as api:
        done = run(api.config(refreshing(api, refresh_token_file=str(file))))
        assert "no refresh token can be kept in" in done.failure()
        assert "Set `refresh_token_file`" in done.failure()
        assert api.requests == []
    if content is not None:
        assert file.read_text() == content


def test_an_expired_token_is_renewed_by_the_latest_refresh_token(tmp_path):
    with rotating() as api:
        issue = api.issue
        # Used up as soon as it is there.
        api.issue = lambda received: issue(received) | {"expires_in": 0}
        api.read(refreshing(api, refresh_token_file=str(tmp_path / "token.json")))
        sent = [form["refresh_token"] for form in api.forms]
    assert len(sent) >= 3
    assert sent == [f"refresh-{number}" for number in range(len(sent))]


def test_client_credentials_may_be_sent_as_basic_credentials():
    pair = b64encode(b"app:the%2Fsecret").decode()

    def issue(received):
        assert received.headers["authorization"] == f"Basic {pair}"
        return {"access_token": "a1"}

    with SignedApi(issue, lambda sent: bearer(sent) == "a1") as api:
        auth = {
            "type": "oauth2_client_credentials",
            "access_token_url": f"{api.origin}/token",
            "client_id": "app",
            "client_secret": "the/secret",
            "client_authentication": "header",
        }
        api.read(auth)
        assert api.forms == [{"grant_type": "client_credentials"}]


@pytest.mark.parametrize("path", ["token", "data.token"])
def test_a_token_may_have_another_name_in_the_response(path):
    with SignedApi(lambda _: {"data": {"token": "a"}, "token": "a"}, bearer) as api:
        api.read(refreshing(api, access_token_path=path))
        api.issue = lambda _: {"access_token": "a"}
        done = run(api.config(refreshing(api, access_token_path=path)))
    assert f"the token URL answered without an `{path}`" in done.failure()


# --- logins -----------------------------------------------------------------------------------

LOGINS = [
    (
        {"json": {"user": "ada", "password": "the-password"}},
        {"session_token_path": "session.token"},
        lambda login: json.loads(login.body) == {"user": "ada", "password": "the-password"},
        lambda sent: bearer(sent) == "session-1",
    ),
    (
        {"data": {"user": "ada", "pass": "the password"}, "headers": {"X-App": "tap"}},
        {"session_token_path": "session.token", "name": "X-Session"},
        lambda login: (
            (login.body, login.headers["x-app"]) == (b"user=ada&pass=the+password", "tap")
        ),
        lambda sent: sent.headers.get("x-session") == "session-1",
    ),
    (
        {"auth": {"type": "basic", "username": "ada", "password": "p"}, "method": "GET"},
        {"session_token_header": "X-Token", "name": "sid", "location": "cookie"},
        lambda login: login.headers["authorization"] == f"Basic {b64encode(b'ada:p').decode()}",
        lambda sent: sent.headers.get("cookie") == "sid=session-1",
    ),
    (
        {"data": {"user": "ada"}},
        {"session_token_path": "session.token", "name": "sid", "location": "query"},
        lambda login: login.method == "POST",
        lambda sent: sent.query.get("sid") == "session-1",
    ),
    (
        {"data": {"user": "ada"}},
        {"session_token_path": "session.token", "prefix": "Token"},
        lambda login: login.target == "/login?v=2",
        lambda sent: sent.headers.get("authorization") == "Token session-1",
    ),
    (
        {"data": {"user": "ada"}},
        {"session_token_path": "session.token", "prefix": ""},
        lambda login: login.method == "POST",
        lambda sent: sent.headers.get("authorization") == "session-1",
    ),
]


def session(login):
    del login
    return reply(200, b'{"session": {"token": "session-1"}}', X_Token="session-1")


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize(("login", "token", "is_login", "is_signed"), LOGINS)
def test_the_token_of_a_login_is_sent(login, token, is_login, is_signed, concurrency):
    with SignedApi(session, is_signed) as api:
        login = {"url": f"{api.origin}/login?v=2", **login}
        api.read({"type": "session_token", "login": login, **token}, concurrency=concurrency)
        assert [is_login(each) for each in api.logins] == [True]


def session_auth(api, **more):
    login = {"url": f"{api.origin}/login", "data": {"user": "ada", "password": "p"}}
    return {"type": "session_token", "login": login, "session_token_path": "token", **more}


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_session_that_has_ended_is_begun_again(concurrency):
    with SignedApi(lambda _: {}, lambda _: True) as api:
        api.issue = lambda _: {"token": f"s{len(api.logins)}"}
        # The first session ends after a page.
        api.accept = lambda sent: (
            bearer(sent) == ("s1" if sent.query["offset"] == "0" and len(api.logins) == 1 else "s2")
        )
        api.read(session_auth(api), concurrency=concurrency)
        assert len(api.logins) == 2


def test_a_session_is_begun_again_after_the_time_given():
    with SignedApi(lambda _: {"token": "s"}, lambda _: True) as api:
        api.read(session_auth(api, default_token_expiration=0))
        assert len(api.logins) >= 3


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"other": 1}, "the login answered without a token in `token`"),
        ({"token": ["x"]}, "the login answered without a token in `token`"),
        (reply(403, b'{"message": "no"}'), "the login failed: POST /login answered 403"),
        (reply(200, b"<html>"), "the login failed: it answered no JSON object"),
    ],
)
def test_a_login_without_a_token_says_what_to_check(answer, words):
    with SignedApi(lambda _: answer, lambda _: True) as api:
        done = run(api.config(session_auth(api)))
    assert words in done.failure()
    assert "`session_token_path`" in done.failure()


def test_a_key_may_be_sent_in_a_cookie():
    with SignedApi(session, lambda sent: sent.headers.get("cookie") == "sid=k") as api:
        api.read({"type": "api_key", "name": "sid", "api_key": "k", "location": "cookie"})


# --- secrets ----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 400, 500])
def test_no_issued_token_is_shown(status, tmp_path, caplog):
    """Each answer for rows repeats all that was received and issued."""
    caplog.set_level(logging.DEBUG)
    tokens = ["canary-access-1", "canary-refresh-2", "canary-session-3", "canary-password-4"]

    def issue(received):
        if received.path == "/token":
            return {"access_token": tokens[0], "refresh_token": tokens[1]}
        return {"token": tokens[2]}

    with SignedApi(issue, lambda _: False) as api:
        oauth = refreshing(api, refresh_token_file=str(tmp_path / "token.json"))
        login = {"url": f"{api.origin}/login", "json": {"user": "ada", "pin": tokens[3]}}
        session = {"type": "session_token", "login": login, "session_token_path": "token"}
        shown = []
        for auth, known in ((oauth, tokens[:2]), (session, tokens[2:])):
            echo = json.dumps({"error": {"message": " ".join(known)}}).encode()
            api.refusal = reply(status, echo)
            done = run(api.config(auth))
            assert done.failure()
            connection = done.tap.connections["shop"]
            shown += [done.failure(), done.stdout.decode(), repr(connection.auth)]
        shown += [repr(vars(record)) for record in caplog.records]
    assert [each for each in tokens for text in shown if each in text] == []


# --- several ----------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 8])
def test_several_keys_are_sent_at_once_and_a_refused_token_among_them_is_renewed(concurrency):
    def is_signed(sent):
        keys = sent.headers.get("x-app"), sent.headers.get("cookie"), sent.query.get("k")
        return (*keys, bearer(sent)) == ("app", "sid=s", "q", f"s{min(2, len(api.logins))}")

    with SignedApi(lambda _: {"token": f"s{len(api.logins)}"}, is_signed) as api:
        keys = {"X-App": ("app", "header"), "sid": ("s", "cookie"), "k": ("q", "query")}
        auth = [
            {"type": "api_key", "name": name, "api_key": key, "location": location}
            for name, (key, location) in keys.items()
        ]
        api.read([*auth, session_auth(api)], concurrency=concurrency)
        assert len(api.logins) == 1
        # The first session has ended.
        api.logins.clear()
        api.accept = lambda sent: bearer(sent) == "s2"
        api.read([*auth, session_auth(api)], concurrency=concurrency)
        assert len(api.logins) == 2


def resources(*auths):
    """Return resources of one row each, by their authentication; None for the usual one."""
    return [
        {
            "name": f"r{number}",
            "endpoint": {"path": f"/r{number}", "paginator": "single_page", "auth": auth},
            "primary_key": "id",
        }
        for number, auth in enumerate(auths)
    ]


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_resource_may_be_signed_in_its_own_way(concurrency):
    def answer(sent):
        if sent.method == "POST":
            return reply(200, b'{"token": "session"}')
        return reply(200, b'{"id": 1}')

    with ScriptedServer(answer) as api:
        login = session_auth(api)
        key = {"type": "api_key", "name": "k", "api_key": "q", "location": "query"}
        given = {
            "name": "shop",
            "client": {"base_url": api.origin, "auth": {"type": "bearer", "token": "usual"}},
            "resources": resources(None, key, login, dict(login)),
        }
        done = run({"apis": [given], "concurrency": concurrency})
        assert done.error is None
        sent = {each.path: each for each in api.requests}
        # Equal authentications are one.
        assert [each.path for each in api.requests].count("/login") == 1
    assert bearer(sent["/r0"]) == "usual"
    assert (bearer(sent["/r1"]), sent["/r1"].query) == ("", {"k": "q"})
    assert bearer(sent["/r2"]) == bearer(sent["/r3"]) == "session"


@pytest.mark.parametrize("key_of", ["client", "resource"])
def test_a_next_link_loses_the_credentials_of_its_own_stream_alone(key_of):
    """The other stream's key has the name of a cursor here."""
    key = {"type": "api_key", "name": "after", "api_key": "canary", "location": "query"}

    def answer(sent):
        after = dict(sent.pairs).get("after")
        if sent.path == "/r1":
            return reply(200, b'{"id": 1}')
        page = {"data": [{"id": 1 if after is None else 2}]}
        return reply(
            200, json.dumps(page | ({"next": "/r0?after=x"} if not after else {})).encode()
        )

    with ScriptedServer(answer) as api:
        client = {"base_url": api.origin, "auth": {"type": "bearer", "token": "usual"}}
        first, second = resources(None, None)
        if key_of == "client":
            client["auth"] = key
            first["endpoint"]["auth"] = {"type": "bearer", "token": "own"}
        else:
            second["endpoint"]["auth"] = key
        first["endpoint"] |= {"paginator": "json_link", "data_selector": "data"}
        first["endpoint"]["paginator"] = {"type": "json_link", "next_url_path": "next"}
        given = {"name": "shop", "client": client, "resources": [first, second]}
        done = run({"apis": [given]})
    assert done.ids("shop_r0") == [1, 2]
    assert done.ids("shop_r1") == [1]


def test_the_accounts_of_all_authentications_are_the_source_of_a_state():
    with ScriptedServer([reply(200, b'{"id": 1}')]) as api:
        basic = {"type": "basic", "username": "ada", "password": "p1"}
        given = {
            "name": "shop",
            "client": {"base_url": api.origin, "auth": basic},
            "resources": resources(
                None, basic | {"username": "bob"}, {"type": "bearer", "token": "t"}
            ),
        }
        done = run({"apis": [given]})
    assert done.tap.connections["shop"].source["account"] == "ada bob"


# --- assertions -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem_of(key, passphrase=None):
    encryption = NoEncryption()
    if passphrase is not None:
        encryption = BestAvailableEncryption(passphrase.encode())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode()


def asserting(api, pem, **more):
    return {
        "type": "oauth_jwt",
        "auth_endpoint": f"{api.origin}/token",
        "client_id": "service@example.com",
        "private_key": pem,
        **more,
    }


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_signed_assertion_is_exchanged_for_a_token(key, concurrency):
    with SignedApi(lambda _: {"access_token": "a1"}, lambda sent: bearer(sent) == "a1") as api:
        more = {"scopes": ["x", "y"], "subject": "ada@example.com", "key_id": "k1"}
        api.read(asserting(api, pem_of(key), **more), concurrency=concurrency)
        (form,) = api.forms
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert jwt.get_unverified_header(form["assertion"]) == {
        "alg": "RS256",
        "typ": "JWT",
        "kid": "k1",
    }
    claims = jwt.decode(
        form["assertion"], key.public_key(), ["RS256"], audience=f"{api.origin}/token"
    )
    assert claims["iss"] == "service@example.com"
    assert claims["sub"] == "ada@example.com"
    assert claims["scope"] == "x y"
    assert claims["exp"] - claims["iat"] == 3600


@pytest.mark.parametrize(
    ("passphrase", "escaped"), [("the passphrase", False), (None, True), ("the passphrase", True)]
)
def test_a_key_may_be_encrypted_and_its_line_breaks_escaped(key, passphrase, escaped):
    pem = pem_of(key, passphrase)
    pem = pem.replace("\n", "\\n") if escaped else pem
    with SignedApi(lambda _: {"access_token": "a1"}, lambda sent: bearer(sent) == "a1") as api:
        api.read(asserting(api, pem, private_key_passphrase=passphrase, audience="them"))
        claims = jwt.decode(api.forms[0]["assertion"], key.public_key(), ["RS256"], audience="them")
    assert claims["sub"] == "service@example.com"


def test_each_token_takes_an_assertion_of_its_own(key):
    with SignedApi(lambda _: {"access_token": "a", "expires_in": 0}, lambda _: True) as api:
        api.read(asserting(api, pem_of(key)))
        sent = {form["assertion"] for form in api.forms}
    assert len(sent) == len(api.forms) >= 3


def test_a_private_key_and_assertions_are_shown_nowhere(key, caplog):
    caplog.set_level(logging.DEBUG)
    with SignedApi(lambda _: b"", lambda _: False) as api:
        # The token URL repeats what it gets.
        api.issue = lambda received: reply(
            400,
            json.dumps({"error": dict(parse_qsl(received.body.decode()))["assertion"]}).encode(),
        )
        pem = pem_of(key)
        done = run(api.config(asserting(api, pem)))
        (form,) = api.forms
    shown = [caplog.text, done.failure(), repr(done.tap.connections["shop"].auth)]
    hidden = [form["assertion"], form["assertion"][-60:], pem.splitlines()[3]]
    assert [each for each in hidden for text in shown if each in text] == []
    assert "Check `auth_endpoint`" in done.failure()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"private_key": "canary"}, "`client.auth.private_key` can't sign by RS256"),
        ({"private_key": None}, "`client.auth.private_key` is missing"),
        ({"algorithm": "ES256"}, "`client.auth.private_key` can't sign by ES256"),
        ({"algorithm": "HS256"}, "`client.auth.algorithm` is unknown"),
        ({"private_key_passphrase": "of another"}, "`private_key_passphrase` its own"),
        ({"auth_endpoint": "x"}, "`client.auth.auth_endpoint` must start with https://"),
    ],
)
def test_a_key_that_cannot_sign_is_a_problem_of_the_configuration(key, more, words):
    with pytest.raises(ConfigValidationError) as error, SignedApi(lambda _: {}, bool) as api:
        TapAnalytics(config=api.config(asserting(api, pem_of(key)) | more))
    (line,) = error.value.errors
    assert words in line
    assert "canary" not in line


def test_a_missing_package_names_the_extra(key, monkeypatch):
    monkeypatch.setattr(jwt_bearer, "is_installed", lambda: False)
    with pytest.raises(ConfigValidationError) as error, SignedApi(lambda _: {}, bool) as api:
        TapAnalytics(config=api.config(asserting(api, pem_of(key))))
    assert "install `tap-analytics[jwt]`" in error.value.errors[0]
