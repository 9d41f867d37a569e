"""Imported authenticators sign as Airbyte's CDK does; what handles errors reads the same rows."""

from __future__ import annotations

import json
from base64 import b64encode
from urllib.parse import parse_qsl

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from support.runs import run
from support.servers import ScriptedServer, reply

from tap_analytics.commands.importing import import_file

ROWS = [{"id": n} for n in range(1, 4)]
PEM = (
    rsa.generate_private_key(public_exponent=65537, key_size=2048)
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)
#: The settings of connectors, by the variables they become.
SETTINGS = {
    "SHOP_ID": "who",
    "SHOP_SECRET": "s3cret",
    "SHOP_REFRESH": "r1",
    "SHOP_KEY": "k9",
    "SHOP_USER": "ann",
    "SHOP_PASSWORD": "pw",
    "SHOP_PEM": PEM,
    "SHOP_MAIL": "ann@shop.test",
    "SHOP_ODD": "a+b&c=1",
}


class SignedApi(ScriptedServer):
    """Answers requests for tokens with `issued`, and those for rows that `accepted` accepts."""

    def __init__(self, accepted, issued=None):
        super().__init__(self._respond)
        self.accepted, self.issued = accepted, issued or {}
        self.logins = []

    def _respond(self, received):
        if received.path.startswith("/token"):
            self.logins.append(received)
            return reply(200, json.dumps(self.issued).encode())
        if not self.accepted(received):
            return reply(401, b"{}")
        return reply(200, json.dumps({"data": ROWS}).encode())

    @property
    def forms(self):
        return [parse_qsl(login.body.decode(), keep_blank_values=True) for login in self.logins]


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Import a manifest with one stream, and return its run; `settings` are variables."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)

    def runs(api, authenticator, *, spec=None, **requester):
        stream = described("items", api.origin, authenticator)
        retriever = stream["retriever"]
        retriever |= {"paginator": requester.pop("paginator")} if "paginator" in requester else {}
        retriever["requester"] |= requester
        manifest = {"type": "DeclarativeSource", "streams": [stream], "spec": spec or {}}
        path = tmp_path / "shop.json"
        path.write_text(json.dumps(manifest).replace("ORIGIN", api.origin))
        imported, _ = import_file(str(path))
        assert imported.missing == ()
        imported.entry["retry"] = {"backoff_factor": 0, "max_retries": 2}
        return run({"apis": [imported.entry]})

    return runs


def test_each_host_gets_the_credential_that_a_manifest_sends_it(tmp_path, monkeypatch):
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    own = SignedApi(lambda each: each.headers.get("x-key") == "k9")
    unsigned = SignedApi(lambda each: not {"x-key", "authorization"} & set(each.headers))
    with own, unsigned:
        streams = [
            described("items", own.origin, key(api_token="{{ config.key }}")),
            described("orders", own.origin, key(api_token="{{ config.key }}")),
            described("rates", unsigned.origin, None),
        ]
        path = tmp_path / "shop.json"
        path.write_text(json.dumps({"type": "DeclarativeSource", "streams": streams}))
        imported, _ = import_file(str(path))
        done = run({"apis": [imported.entry, *imported.others]})

    assert imported.headline == "3 of 3 streams"
    for name in ("shop_items", "shop_orders", "shop_2_rates"):
        assert [row["id"] for row in done.records(name)] == [1, 2, 3]


def described(name, origin, authenticator):
    sender = {"type": "HttpRequester", "url_base": origin, "path": name}
    sender |= {"authenticator": authenticator} if authenticator else {}
    rows = {"extractor": {"type": "DpathExtractor", "field_path": ["data"]}}
    retriever = {"type": "SimpleRetriever", "record_selector": rows, "requester": sender}
    return {"type": "DeclarativeStream", "name": name, "primary_key": "id", "retriever": retriever}


def has(name, value):
    return lambda received: received.headers.get(name) == value


def asks(name, value):
    return lambda received: received.query.get(name) == value


def basic(pair):
    return f"Basic {b64encode(pair.encode()).decode()}"


def key(where="header", name="X-Key", **words):
    option = {"type": "RequestOption", "inject_into": where, "field_name": name}
    return {"type": "ApiKeyAuthenticator", "inject_into": option} | words


ENCODED = "Basic {{ (config['user'] ~ ':' ~ config['password']) | base64encode }}"
JOINED = "Basic {{ [config.user, config.password] | join(':') | base64encode }}"


@pytest.mark.parametrize(
    ("authenticator", "accepted"),
    [
        (key(api_token="{{ config['key'] }}"), has("x-key", "k9")),
        (key(api_token="Token {{ config.key }}"), has("x-key", "Token k9")),
        (key("request_parameter", "k", api_token="{{ config['key'] }}"), asks("k", "k9")),
        (key(name="Authorization", api_token=ENCODED), has("authorization", basic("ann:pw"))),
        (key(name="Authorization", api_token=JOINED), has("authorization", basic("ann:pw"))),
        (
            {"type": "BearerAuthenticator", "api_token": "{{ config['key'] }}"},
            has("authorization", "Bearer k9"),
        ),
        (
            {"type": "BasicHttpAuthenticator", "username": "{{ config['user'] }}/token"},
            has("authorization", basic("ann/token:")),
        ),
        (
            {"type": "BasicHttpAuthenticator", "username": "{{ config.user }}:{{ config.key }}"},
            has("authorization", basic("ann:k9:")),
        ),
        (
            {
                "type": "BasicHttpAuthenticator",
                "username": "{{ config['user'] }}",
                "password": "{{ config['password'] }}",
            },
            has("authorization", basic("ann:pw")),
        ),
        (
            {
                "type": "RateLimitedMultipleTokenAuthenticator",
                "tokens": "{{ config['key'] }}",
                "auth_method": "token",
            },
            has("authorization", "token k9"),
        ),
    ],
)
def test_key_is_sent_where_the_manifest_says(authenticator, accepted, read):
    with SignedApi(accepted) as api:
        done = read(api, authenticator)
    assert done.ids() == [1, 2, 3], done.failure()


def test_keys_in_headers_and_parameters_sign(read):
    def accepted(received):
        return received.headers.get("x-key") == "Key k9" and received.query.get("user") == "ann"

    words = {
        "request_headers": {"X-Key": "Key {{ config['key'] }}"},
        "request_parameters": {"user": "{{ config['user'] }}"},
    }
    with SignedApi(accepted) as api:
        assert read(api, None, **words).ids() == [1, 2, 3]


# --- OAuth --------------------------------------------------------------------------------------

CLIENT = {"client_id": "{{ config['id'] }}", "client_secret": "{{ config['secret'] }}"}
PAIR = [("client_id", "who"), ("client_secret", "s3cret")]
GRANT = [("grant_type", "refresh_token"), ("refresh_token", "r1")]


def oauth(**words):
    made = {"type": "OAuthAuthenticator", "token_refresh_endpoint": "ORIGIN/token"}
    return made | CLIENT | {"refresh_token": "{{ config['refresh'] }}"} | words


def credentials(**words):
    made = {"type": "OAuthAuthenticator", "token_refresh_endpoint": "ORIGIN/token"}
    return made | CLIENT | words


@pytest.mark.parametrize(
    ("authenticator", "form", "issued"),
    [
        (oauth(), [*GRANT, *PAIR], {}),
        (
            oauth(grant_type="refresh_token", scopes=["read", "all"]),
            [*GRANT, *PAIR, ("scopes", "read"), ("scopes", "all")],
            {},
        ),
        (
            oauth(
                refresh_request_body={
                    "scope": "all",
                    "grant_type": "no",
                    "user": "{{ config.user }}",
                }
            ),
            [*GRANT, *PAIR, ("scope", "all"), ("user", "ann")],
            {},
        ),
        (oauth(access_token_name="", expires_in_name="expires_at"), [*GRANT, *PAIR], {}),
        (oauth(access_token_name="token"), [*GRANT, *PAIR], {"token": "t1"}),
        (
            oauth(
                refresh_request_headers={
                    "Authorization": "Basic {{ (config.id ~ ':' ~ config.secret) | base64encode }}",
                    "Content-Type": "application/x-www-form-urlencoded",
                }
            ),
            GRANT,
            {},
        ),
        (
            credentials(grant_type="client_credentials", refresh_request_body={"a": 1}),
            [("grant_type", "client_credentials"), *PAIR, ("a", "1")],
            {},
        ),
        (
            credentials(
                grant_type="account", refresh_request_body={"account": "{{ config.user }}"}
            ),
            [("grant_type", "account"), *PAIR, ("account", "ann")],
            {},
        ),
        (
            # What the body lacks is in the query of the URL.
            credentials(refresh_token="", token_refresh_endpoint="ORIGIN/token?grant_type=x"),
            [("grant_type", "refresh_token"), ("refresh_token", ""), *PAIR],
            {},
        ),
    ],
)
def test_token_is_requested_with_the_form_of_the_manifest(authenticator, form, issued, read):
    answer = issued or {"access_token": "t1", "expires_in": 3600}
    with SignedApi(has("authorization", "Bearer t1"), answer) as api:
        done = read(api, authenticator)
    assert done.ids() == [1, 2, 3], done.failure()
    assert [sorted(each) for each in api.forms] == [sorted(form)]
    [login] = api.logins
    is_in_header = form == GRANT
    assert login.headers.get("authorization") == (basic("who:s3cret") if is_in_header else None)
    assert login.query == dict(parse_qsl(authenticator["token_refresh_endpoint"].partition("?")[2]))


def written(**words):
    return {"type": "CustomAuthenticator", "class_name": "source_shop.components.Signer"} | words


@pytest.mark.parametrize(
    ("words", "form"),
    [
        (oauth(), GRANT),
        (credentials(grant_type="client_credentials"), [("grant_type", "client_credentials")]),
        (
            CLIENT
            | {
                "login_endpoint": "ORIGIN/token",
                "grant_type": "account",
                "user": "{{ config.user }}",
            },
            [("grant_type", "account"), ("user", "ann")],
        ),
    ],
)
def test_class_with_the_words_of_oauth_sends_the_client_in_a_header(words, form, read):
    with SignedApi(has("authorization", "Bearer t1"), {"access_token": "t1"}) as api:
        done = read(api, written(**{**words, "type": "CustomAuthenticator"}))
    assert done.ids() == [1, 2, 3], done.failure()
    [login] = api.logins
    assert login.headers["authorization"] == basic("who:s3cret")
    assert api.forms == [form]


@pytest.mark.parametrize(
    ("authenticator", "accepted"),
    [
        (
            written(username="{{ config['user'] }}", password="{{ config['password'] }}"),
            has("authorization", basic("ann:pw")),
        ),
        (
            # Of those it chooses from, the first for which nobody registers an application.
            {
                "class_name": "source_shop.components.Chooses",
                "login": oauth(),
                "token": {"type": "BearerAuthenticator", "api_token": "{{ config['key'] }}"},
            },
            has("authorization", "Bearer k9"),
        ),
    ],
)
def test_class_with_the_words_of_an_authenticator_signs_as_that(authenticator, accepted, read):
    with SignedApi(accepted) as api:
        done = read(api, authenticator)
    assert done.ids() == [1, 2, 3], done.failure()


def test_refresh_tokens_that_are_replaced_are_kept_in_a_file(read, tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP_REFRESH_TOKEN_FILE", str(tmp_path / "refresh"))
    updater = {"refresh_token_name": "refresh_token", "refresh_token_config_path": ["refresh"]}
    issued = {"access_token": "t1", "refresh_token": "r2"}
    with SignedApi(has("authorization", "Bearer t1"), issued) as api:
        for _ in range(2):
            assert read(api, oauth(refresh_token_updater=updater)).ids() == [1, 2, 3]
        assert [dict(form)["refresh_token"] for form in api.forms] == ["r1", "r2"]


def test_service_account_signs_the_assertion_of_the_manifest(read):
    token = {
        "type": "JwtAuthenticator",
        "secret_key": "{{ config['pem'] }}",
        "algorithm": "RS256",
        "token_duration": 600,
        "jwt_payload": {"iss": "{{ config['mail'] }}", "aud": "https://token.shop.test"},
        "additional_jwt_payload": {"scope": "read all"},
        "jwt_headers": {"kid": "{{ config['id'] }}", "typ": "JWT"},
    }
    made = {
        "type": "OAuthAuthenticator",
        "token_refresh_endpoint": "ORIGIN/token",
        "use_profile_assertion": True,
        "profile_assertion": token,
    }
    with SignedApi(has("authorization", "Bearer t1"), {"access_token": "t1"}) as api:
        done = read(api, made)
    assert done.ids() == [1, 2, 3], done.failure()
    [form] = map(dict, api.forms)
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    claims = jwt.decode(form["assertion"], options={"verify_signature": False})
    assert (claims["iss"], claims["aud"]) == ("ann@shop.test", "https://token.shop.test")
    assert claims["scope"] == "read all"
    assert jwt.get_unverified_header(form["assertion"])["kid"] == "who"


# --- logins -------------------------------------------------------------------------------------


def session(sent, **login):
    requester = {"type": "HttpRequester", "url_base": "ORIGIN", "path": "/token"} | login
    return {
        "type": "SessionTokenAuthenticator",
        "login_requester": requester,
        "session_token_path": ["data", "key"],
        "expiration_duration": "PT1H",
        "request_authentication": sent,
    }


def placed(name, where="header", **words):
    option = {"type": "RequestOption", "inject_into": where, "field_name": name}
    return {"type": "ApiKey", "inject_into": option} | words


BEARER = {"type": "Bearer"}
FIELDS = {"user": "{{ config['user'] }}", "password": "{{ config['password'] }}"}
FILLED = {"user": "ann", "password": "pw"}


@pytest.mark.parametrize(
    ("sent", "login", "accepted", "asked"),
    [
        (
            BEARER,
            {"http_method": "POST", "request_body_json": FIELDS},
            has("authorization", "Bearer t1"),
            lambda login: json.loads(login.body) == FILLED,
        ),
        (
            placed("X-Session"),
            {"http_method": "POST", "request_body_data": FIELDS},
            has("x-session", "t1"),
            lambda login: dict(parse_qsl(login.body.decode())) == FILLED,
        ),
        (
            placed("Authorization"),
            {"request_headers": {"X-User": "{{ config['user'] }}"}},
            has("authorization", "t1"),
            lambda login: (login.method, login.headers["x-user"]) == ("GET", "ann"),
        ),
        (
            placed("Authorization", api_token="Token {{ session_token }}"),
            {"authenticator": {"type": "BasicHttpAuthenticator", "username": "{{ config.user }}"}},
            has("authorization", "Token t1"),
            has("authorization", basic("ann:")),
        ),
        (
            placed("session", "request_parameter"),
            {"url_base": "ORIGIN/token?a=b", "path": "", "request_parameters": {"c": "d e"}},
            asks("session", "t1"),
            lambda login: login.query == {"a": "b", "c": "d e"},
        ),
        (
            {"type": "Bearer"},
            {"http_method": "POST", "request_parameters": {"who": "{{ config['odd'] }}"}},
            has("authorization", "Bearer t1"),
            lambda login: (login.method, login.query) == ("POST", {"who": "a+b&c=1"}),
        ),
    ],
)
def test_token_of_a_login_is_sent(sent, login, accepted, asked, read):
    with SignedApi(accepted, {"data": {"key": "t1"}}) as api:
        done = read(api, session(sent, **login))
    assert done.ids() == [1, 2, 3], done.failure()
    assert [asked(each) for each in api.logins] == [True]


def test_token_of_a_login_whose_lifetime_is_no_duration_is_sent(read):
    with SignedApi(has("authorization", "Bearer t1"), {"data": {"key": "t1"}}) as api:
        done = read(api, session(BEARER) | {"expiration_duration": "7200"})
    assert done.ids() == [1, 2, 3], done.failure()
    assert len(api.logins) == 1


def test_login_of_old_manifests_is_sent_to_the_address_of_the_api(read):
    made = {
        "type": "LegacySessionTokenAuthenticator",
        "username": "{{ config['user'] }}",
        "password": "{{ config['password'] }}",
        "header": "X-Session",
        "login_url": "token/new",
        "validate_session_url": "token/me",
        "session_token_response_key": "id",
    }
    with SignedApi(has("x-session", "t1"), {"id": "t1"}) as api:
        done = read(api, made, url_base=f"{api.origin}/")
    assert done.ids() == [1, 2, 3], done.failure()
    [login] = api.logins
    assert (login.method, login.path) == ("POST", "/token/new")
    assert json.loads(login.body) == {"username": "ann", "password": "pw"}


# --- errors -------------------------------------------------------------------------------------


class OddApi(ScriptedServer):
    """Pages of two rows; page 2 is answered by each of `odd` once before."""

    def __init__(self, *odd):
        super().__init__(self._respond)
        self.odd = list(odd)

    def _respond(self, received):
        page = int(received.query.get("page", 1))
        if page == 2 and self.odd:
            status, body = self.odd[0]
            self.odd = self.odd[1:]
            return reply(status, json.dumps(body).encode())
        rows = [{"id": n} for n in range(page * 2 - 1, min(page * 2, 5) + 1)]
        return reply(200, json.dumps({"data": rows}).encode())


def filters(*given):
    return {"type": "DefaultErrorHandler", "response_filters": list(given)}


ALL = [1, 2, 3, 4, 5]
BUSY = {"code": 17, "data": []}


@pytest.mark.parametrize(
    ("handler", "odd", "ids", "reason"),
    [
        # Ignored responses have no rows and end the list.
        (filters({"action": "IGNORE", "http_codes": [404]}), [(404, {})], [1, 2], ""),
        (filters({"action": "IGNORE", "http_codes": [500]}), [(500, {})], [1, 2], ""),
        (
            filters({"action": "IGNORE", "error_message_contains": "switched off"}),
            [(422, {"error": {"message": "It is switched off here"}})],
            [1, 2],
            "",
        ),
        (
            filters({"action": "IGNORE", "error_message_contains": "switched off"}),
            [(422, {"error": {"message": "no"}})],
            None,
            "answered 422",
        ),
        (
            filters({"action": "IGNORE", "predicate": "{{ response.code == 17 }}"}),
            [(400, BUSY)],
            [1, 2],
            "",
        ),
        # But the rows of successful ones are read.
        (
            filters({"action": "IGNORE", "predicate": "{{ response.code == 17 }}"}),
            [(200, {"code": 17, "data": [{"id": 3}, {"id": 4}]})],
            [*ALL],
            "",
        ),
        # What is retried comes again.
        (filters({"action": "RETRY", "http_codes": [403]}), [(403, {}), (403, {})], ALL, ""),
        (
            filters({"action": "RETRY", "predicate": "{{ response.get('code') == 17 }}"}),
            [(200, BUSY)],
            ALL,
            "",
        ),
        (
            filters({"action": "RATE_LIMITED", "error_message_contains": "too many"}),
            [(400, {"message": "too many requests"})],
            ALL,
            "",
        ),
        # What fails doesn't end with fewer rows.
        (
            filters({"action": "FAIL", "predicate": "{{ 'code' in response }}"}),
            [(200, BUSY)],
            None,
            "answered 200",
        ),
        (
            filters({"action": "FAIL", "error_message_contains": "invalid"}),
            [(200, {"error": "key is invalid", "data": []})],
            None,
            "answered 200",
        ),
        (
            filters({"action": "FAIL", "error_message_contains": "invalid"}),
            [(200, {"data": [{"id": 3, "text": "invalid"}, {"id": 4}]})],
            [*ALL],
            "",
        ),
        (
            filters(
                {"action": "FAIL", "error_message_contains": "broken"},
                {"action": "IGNORE", "http_codes": [400]},
            ),
            [(400, {"message": "broken"})],
            None,
            "answered 400",
        ),
    ],
)
def test_unusual_responses_are_read_as_there(handler, odd, ids, reason, read):
    option = {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "page"}
    strategy = {"type": "PageIncrement", "page_size": 2, "start_from_page": 1}
    strategy["inject_on_first_request"] = True
    pages = {"type": "DefaultPaginator", "pagination_strategy": strategy}
    pages["page_token_option"] = option
    with OddApi(*(odd if ids is ALL else odd * 20)) as api:
        done = read(api, None, paginator=pages, error_handler=handler)
    assert reason in done.failure()
    assert bool(done.failure()) == bool(reason)
    if ids is not None:
        assert done.ids() == ids
