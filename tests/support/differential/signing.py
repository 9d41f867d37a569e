"""Constructs of credentials: how requests are signed, and what is exchanged for a token."""

from __future__ import annotations

from base64 import b64encode

from support.differential.construct import Construct
from support.differential.server import with_headers
from support.differential.writing import dlt, into, manifest, resource, spec, stream

ROWS = [{"id": n} for n in range(1, 4)]
TOKEN = "s3cret/+=ü"
#: What clients are given.
BEARER = {"access_token": "t1", "expires_in": 3600, "token_type": "Bearer"}
AUTH = ("Authorization",)
#: Where the CDK has the classes that others are derived from.
OF_CDK = "airbyte_cdk.sources.declarative.auth"
NO_CLASSES = "a class is code in its configuration"


# --- the servers -----------------------------------------------------------------------------


def signed_by(header, value):
    """Answer requests with a header."""
    return lambda asked: {"data": ROWS} if asked.headers.get(header) == value else (401, {})


def signed_in_query(name, value):
    return lambda asked: {"data": ROWS} if asked.query.get(name) == value else (401, {})


def exchanging(path, is_right, token, then=None):
    """Answer a request for a token, and then those that it signs, or that bear it."""
    signed = then or signed_by("authorization", "Bearer t1")

    def answer(asked):
        if asked.path != path:
            return signed(asked)
        return token if is_right(asked) else (400, {"error": "invalid_client"})

    return answer


def asking_for(**form):
    """Return whether a form has these fields."""
    return lambda asked: form.items() <= asked.form.items()


def basic(user):
    return "Basic " + b64encode(f"{user}:s3cret".encode()).decode()


def two_keys(asked):
    known = {"/items": "k1", "/others": "k2"}
    return {"data": ROWS} if asked.headers.get("x-key") == known[asked.path] else (401, {})


BASIC_CLIENT = exchanging(
    "/token",
    lambda asked: (
        asked.headers.get("authorization") == basic("me") and asked.form["scope"] == "read write"
    ),
    {"access_token": "t1", "expires_in": 60},
)


# --- the descriptions ------------------------------------------------------------------------


def given(also=None, **values):
    """Return settings of a manifest, and the variables that an imported entry reads."""
    variables = {f"API_{name.upper()}": value for name, value in values.items()}
    return {"config": values, "environment": variables | (also or {})}


def setting(name):
    return f"{{{{ config['{name}'] }}}}"


def by_key(place, name="key"):
    word = {"type": "ApiKeyAuthenticator", "api_token": setting(name), "inject_into": place}
    return {"authenticator": word}


def by_password(kind="BasicHttpAuthenticator", **words):
    word = {"type": kind, "username": setting("user"), "password": setting("password")}
    return {"authenticator": word | words}


def by_oauth(kind="OAuthAuthenticator", **words):
    word = {"type": kind, "token_refresh_endpoint": "ORIGIN/token"}
    word |= {name: setting(name) for name in ("client_id", "client_secret")}
    return {"authenticator": word | words}


def by_login(path, use, **requester):
    """Return an authenticator that finds a token at a path, and how requests use it."""
    login = {"type": "HttpRequester", "url_base": "ORIGIN", "path": "/login"}
    word = {
        "type": "SessionTokenAuthenticator",
        "login_requester": login | {"http_method": "POST"} | requester,
        "session_token_path": [*path],
        "expiration_duration": "PT1H",
        "request_authentication": use,
    }
    return {"authenticator": word}


USER = {"user": setting("user"), "password": setting("password")}
CLIENT_IN_HEADER = {
    "Authorization": (
        "Basic {{ (config['client_id'] ~ ':' ~ config['client_secret']) | base64encode }}"
    )
}


def in_dlt(kind, **words):
    client = {"auth": {"type": kind, **words}}
    return dlt(resource(paginator="single_page"), client=client)


CONSTRUCTS = [
    Construct(
        name="bearer",
        server=signed_by("authorization", "Bearer s3cret"),
        headers=AUTH,
        rows={"items": ROWS},
        **given(token="s3cret"),
        airbyte=manifest(
            stream(authenticator={"type": "BearerAuthenticator", "api_token": setting("token")}),
            spec=spec("token"),
        ),
        dlt=in_dlt("bearer", token="s3cret"),
    ),
    Construct(
        name="basic",
        server=signed_by("authorization", basic("me")),
        headers=AUTH,
        rows={"items": ROWS},
        **given(user="me", password="s3cret", also={"API_USERNAME": "me"}),
        airbyte=manifest(stream(**by_password()), spec=spec("user", "password")),
        dlt=in_dlt("http_basic", username="me", password="s3cret"),
    ),
    Construct(
        name="key-header",
        server=signed_by("x-key", "s3cret"),
        headers=("X-Key",),
        rows={"items": ROWS},
        **given(key="s3cret", also={"API_API_KEY": "s3cret"}),
        airbyte=manifest(stream(**by_key(into("X-Key", "header"))), spec=spec("key")),
        dlt=in_dlt("api_key", name="X-Key", api_key="s3cret", location="header"),
    ),
    Construct(
        name="key-query",
        server=signed_in_query("key", TOKEN),
        rows={"items": ROWS},
        **given(key=TOKEN, also={"API_API_KEY": TOKEN}),
        airbyte=manifest(stream(**by_key(into("key"))), spec=spec("key")),
        dlt=in_dlt("api_key", name="key", api_key=TOKEN, location="query"),
    ),
    Construct(
        name="client-credentials",
        server=exchanging(
            "/token",
            asking_for(grant_type="client_credentials", client_id="me", client_secret=TOKEN),
            BEARER,
        ),
        headers=AUTH,
        rows={"items": ROWS},
        **given(client_id="me", client_secret=TOKEN),
        airbyte=manifest(
            stream(**by_oauth(grant_type="client_credentials")),
            spec=spec("client_id", "client_secret"),
        ),
        dlt=in_dlt(
            "oauth2_client_credentials",
            access_token_url="ORIGIN/token",
            client_id="me",
            client_secret=TOKEN,
        ),
    ),
    Construct(
        name="refresh-token",
        server=exchanging(
            "/token",
            asking_for(grant_type="refresh_token", client_id="me", refresh_token="r1"),
            BEARER,
        ),
        headers=AUTH,
        rows={"items": ROWS},
        **given(client_id="me", client_secret=TOKEN, refresh_token="r1"),
        airbyte=manifest(
            stream(**by_oauth(refresh_token=setting("refresh_token"))),
            spec=spec("client_id", "client_secret", "refresh_token"),
        ),
        dlt="no refresh tokens",
    ),
    Construct(
        name="login",
        server=exchanging(
            "/login",
            lambda asked: asked.json == {"user": "ada", "password": "s3cret"},
            {"session": {"token": "t1"}},
            signed_by("x-session", "t1"),
        ),
        headers=("X-Session",),
        rows={"items": ROWS},
        **given(user="ada", password="s3cret"),
        airbyte=manifest(
            stream(
                **by_login(
                    ["session", "token"],
                    {"type": "ApiKey", "inject_into": into("X-Session", "header")},
                    request_body_json=USER,
                )
            ),
            spec=spec("user", "password"),
        ),
        dlt="no logins",
    ),
    Construct(
        name="client-credentials-scopes",
        server=exchanging(
            "/token",
            asking_for(grant_type="client_credentials", scope="a b", audience="shop"),
            {"token": "t1"},
        ),
        headers=AUTH,
        rows={"items": ROWS},
        **given(client_id="me", client_secret=TOKEN),
        airbyte=manifest(
            stream(
                **by_oauth(
                    grant_type="client_credentials",
                    access_token_name="token",
                    refresh_request_body={"scope": "a b", "audience": "shop"},
                )
            ),
            spec=spec("client_id", "client_secret"),
        ),
        dlt="the token is `access_token`",
    ),
    Construct(
        name="login-bearer",
        server=exchanging(
            "/login", lambda _: True, with_headers({"token": "t1"}, **{"X-Other": "t2"})
        ),
        headers=AUTH,
        rows={"items": ROWS},
        airbyte=manifest(stream(**by_login(["token"], {"type": "Bearer"}))),
        dlt="no logins",
    ),
    Construct(
        name="auth-of-one",
        server=two_keys,
        headers=("X-Key",),
        rows={"items": ROWS, "others": ROWS},
        **given(key="k1", other="k2", also={"API_KEY_2": "k2"}),
        airbyte=manifest(
            stream(**by_key(into("X-Key", "header"))),
            stream("others", **by_key(into("X-Key", "header"), "other")),
            spec=spec("key", "other"),
        ),
        dlt=dlt(
            resource(paginator="single_page"),
            resource(
                "others",
                auth={"type": "api_key", "name": "X-Key", "api_key": "k2"},
                paginator="single_page",
            ),
            client={"auth": {"type": "api_key", "name": "X-Key", "api_key": "k1"}},
        ),
    ),
    Construct(
        name="client-credentials-basic",
        server=BASIC_CLIENT,
        headers=AUTH,
        rows={"items": ROWS},
        **given(client_id="me", client_secret="s3cret"),
        airbyte=manifest(
            stream(
                **by_oauth(
                    grant_type="client_credentials",
                    refresh_request_body={"scope": "read write"},
                    refresh_request_headers={
                        **CLIENT_IN_HEADER,
                        "Content-Type": "application/x-www-form-urlencoded",
                    },
                )
            ),
            spec=spec("client_id", "client_secret"),
        ),
        dlt="the client is named in the form",
    ),
    Construct(
        name="client-of-a-class",
        server=BASIC_CLIENT,
        headers=AUTH,
        rows={"items": ROWS},
        **given(client_id="me", client_secret="s3cret"),
        airbyte=manifest(
            stream(
                **by_oauth(
                    "CustomAuthenticator",
                    class_name=f"{OF_CDK}.oauth.DeclarativeOauth2Authenticator",
                    grant_type="client_credentials",
                    refresh_request_body={"scope": "read write"},
                    refresh_request_headers=CLIENT_IN_HEADER,
                )
            ),
            spec=spec("client_id", "client_secret"),
        ),
        dlt=NO_CLASSES,
    ),
    Construct(
        name="password-of-a-class",
        server=signed_by("authorization", basic("me")),
        headers=AUTH,
        rows={"items": ROWS},
        **given(user="me", password="s3cret"),
        airbyte=manifest(
            stream(
                **by_password(
                    "CustomAuthenticator", class_name=f"{OF_CDK}.token.BasicHttpAuthenticator"
                )
            ),
            spec=spec("user", "password"),
        ),
        dlt=NO_CLASSES,
    ),
    Construct(
        name="login-form",
        server=exchanging(
            "/login",
            lambda asked: (
                asked.form == {"user": "ada & co", "password": "s3cret"}
                and asked.headers.get("x-app") == "shop"
            ),
            {"token": "t1"},
            signed_by("authorization", "Token t1"),
        ),
        headers=("Authorization", "X-App"),
        rows={"items": ROWS},
        **given(user="ada & co", password="s3cret"),
        airbyte=manifest(
            stream(
                **by_login(
                    ["token"],
                    {
                        "type": "ApiKey",
                        "api_token": "Token {{ session_token }}",
                        "inject_into": into("Authorization", "header"),
                    },
                    request_headers={"X-App": "shop"},
                    request_parameters={"of": setting("user")},
                    request_body_data=USER,
                )
            ),
            spec=spec("user", "password"),
        ),
        dlt="no logins",
    ),
    Construct(
        name="login-basic",
        server=exchanging(
            "/login",
            lambda asked: asked.headers.get("authorization") == basic("ada"),
            {"token": "t1"},
            signed_in_query("token", "t1"),
        ),
        headers=AUTH,
        rows={"items": ROWS},
        **given(user="ada", password="s3cret"),
        airbyte=manifest(
            stream(
                **by_login(
                    ["token"], {"type": "ApiKey", "inject_into": into("token")}, **by_password()
                )
            ),
            spec=spec("user", "password"),
        ),
        dlt="no logins",
    ),
]
