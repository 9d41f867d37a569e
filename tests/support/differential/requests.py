"""Constructs of signing, of what a request carries, and of responses that aren't rows."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

from support.differential.construct import Construct, Description
from support.differential.server import with_headers
from support.differential.writing import dlt, into, manifest, paginator, resource, stream
from support.servers import reply

ROWS = [{"id": n} for n in range(1, 4)]
TOKEN = "s3cret/+=ü"
SECRET = {"type": "string", "airbyte_secret": True}


def spec(*names):
    specification = {"type": "object", "properties": dict.fromkeys(names, SECRET)}
    return {"type": "Spec", "connection_specification": specification}


def signed_by(header, value):
    def answer(asked):
        return {"data": ROWS} if asked.headers.get(header) == value else (401, {})

    return answer


def key_in_query(asked):
    return {"data": ROWS} if asked.query.get("key") == TOKEN else (401, {})


def client_credentials(asked):
    if asked.path == "/token":
        wanted = {"grant_type": "client_credentials", "client_id": "me", "client_secret": TOKEN}
        if not wanted.items() <= asked.form.items():
            return 400, {"error": "invalid_client"}
        return {"access_token": "t1", "expires_in": 3600, "token_type": "Bearer"}
    return signed_by("authorization", "Bearer t1")(asked)


def refresh_token(asked):
    if asked.path == "/token":
        wanted = {"grant_type": "refresh_token", "client_id": "me", "refresh_token": "r1"}
        if not wanted.items() <= asked.form.items():
            return 400, {"error": "invalid_client"}
        return {"access_token": "t1", "expires_in": 3600, "token_type": "Bearer"}
    return signed_by("authorization", "Bearer t1")(asked)


def login(asked):
    if asked.path == "/login":
        return (
            {"session": {"token": "t1"}}
            if asked.json == {"user": "ada", "password": "s3cret"}
            else (401, {})
        )
    return signed_by("x-session", "t1")(asked)


ODD = {"q": "a b&c=d", "text": "ä/ö?#%20+", "braces": "{x}"}


def odd_parameters(asked):
    return {"data": ROWS} if asked.query == ODD else (400, {})


def path_in_query(asked):
    wanted = [("/v2/items", ""), ("all", ""), ("limit", "5")]
    return {"data": ROWS} if asked.received.pairs == wanted else (400, {})


def repeated(asked):
    return {"data": ROWS} if asked.received.pairs == [("id", "1"), ("id", "2")] else (400, {})


def typed(asked):
    wanted = {"limit": "5", "deep": "true", "since": "1.5"}
    return {"data": ROWS} if {n: v.lower() for n, v in asked.query.items()} == wanted else (400, {})


BODY = {"filter": {"state": ["open", "ü"], "limit": 5, "deep": True}, "text": "a{b}"}


def slashes_and_quotes(asked):
    wanted = {"/lists/items": {"q": "a b", "mine": "ada"}, "/roots": {}}
    return {"data": ROWS} if asked.query == wanted.get(asked.path) else (400, {})


def json_body(asked):
    return {"data": ROWS} if asked.json == BODY else (400, {})


def asked_by_settings(asked):
    return {"data": ROWS} if asked.query == {"lat": "5.5"} else (400, {})


def asked_for_yesterday(asked):
    days = {str((datetime.now(UTC) - timedelta(days=1, seconds=late)).date()) for late in (0, 60)}
    given = [asked.headers.get(f"x-{name}") for name in ("from", "to", "day")]
    is_asked = days.issuperset(given) and asked.headers["x-at"] == "00:00:00"
    return {"data": ROWS} if is_asked else (400, {})


def form(asked):
    wanted = [("state", "öpen & so"), ("limit", "5")]
    given = parse_qsl(asked.received.body.decode())
    return {"data": ROWS} if sorted(given) == sorted(wanted) else (400, {})


def own_header(asked):
    return {"data": ROWS} if asked.headers.get("x-version") == "2024-01" else (400, {})


def busy(status, times=1, **headers):
    """Refuse the first requests of a page."""

    def answer(asked):
        page = asked.number("page", 1) - 1
        if asked.before < times and page == 1:
            return reply(status, b'{"error": "later"}', Content_Type="application/json", **headers)
        return {"data": [{"id": n} for n in range(page * 2 + 1, page * 2 + 3) if n < 6]}

    return answer


AGAIN = {"confirmation": r"GET /items\?page=[124]"}
UNNUMBERED = {"first page": "GET /items"}
FIVE = [{"id": n} for n in range(1, 6)]


def handler(*filters, **words):
    return {
        "error_handler": {"type": "DefaultErrorHandler", "response_filters": list(filters), **words}
    }


def on(action, *codes, **words):
    return {"type": "HttpResponseFilter", "action": action, "http_codes": list(codes), **words}


def gone(status, body):
    return lambda _: (status, body)


def busy_body(asked):
    """Say by status 200 that it is too early."""
    if asked.before < 1:
        return {"status": "PENDING"}
    return {"data": ROWS}


PAGES = paginator({"type": "PageIncrement", "page_size": 2, "start_from_page": 1}, "page")
BY_PAGE = {"type": "page_number", "base_page": 1, "total_path": None}
AUTH = ("Authorization",)


def scoped(asked):
    """Give a token for Basic credentials, a scope and an audience."""
    if asked.path == "/token":
        wanted = {"grant_type": "client_credentials", "scope": "a b", "audience": "shop"}
        return {"token": "t1"} if wanted.items() <= asked.form.items() else (400, {})
    return signed_by("authorization", "Bearer t1")(asked)


def bearer_login(asked):
    if asked.path == "/login":
        return with_headers({"token": "t1"}, **{"X-Other": "t2"})
    return signed_by("authorization", "Bearer t1")(asked)


def busy_named(asked):
    """Refuse the first request, and say in a header of its own when to come again."""
    if asked.before < 1:
        return reply(420, b"{}", Content_Type="application/json", X_Wait="0")
    return {"data": ROWS}


#: Where the CDK has the classes that others are derived from.
OF_CDK = "airbyte_cdk.sources.declarative.auth"
NO_CLASSES = "a class is code in its configuration"


def basic_client(asked):
    """Give a token for the Basic credentials of the client, and a scope."""
    if asked.path == "/token":
        is_known = asked.headers.get("authorization") == "Basic " + b64encode(b"me:s3cret").decode()
        is_complete = asked.form.get("scope") == "read write"
        return {"access_token": "t1", "expires_in": 60} if is_known and is_complete else (400, {})
    return signed_by("authorization", "Bearer t1")(asked)


def form_login(asked):
    if asked.path == "/login":
        is_known = asked.form == {"user": "ada & co", "password": "s3cret"}
        is_known = is_known and asked.headers.get("x-app") == "shop"
        return {"token": "t1"} if is_known else (401, {})
    return signed_by("authorization", "Token t1")(asked)


def basic_login(asked):
    if asked.path == "/login":
        known = "Basic " + b64encode(b"ada:s3cret").decode()
        return {"token": "t1"} if asked.headers.get("authorization") == known else (401, {})
    return {"data": ROWS} if asked.query.get("token") == "t1" else (401, {})


def two_keys(asked):
    known = {"/items": "k1", "/others": "k2"}
    return {"data": ROWS} if asked.headers.get("x-key") == known[asked.path] else (401, {})


def key_of(name):
    return {
        "authenticator": {
            "type": "ApiKeyAuthenticator",
            "api_token": f"{{{{ config['{name}'] }}}}",
            "inject_into": into("X-Key", "header"),
        }
    }


CONSTRUCTS = [
    Construct(
        name="bearer",
        server=signed_by("authorization", "Bearer s3cret"),
        headers=AUTH,
        rows={"items": ROWS},
        config={"token": "s3cret"},
        environment={"API_TOKEN": "s3cret"},
        airbyte=Description(
            source=manifest(
                stream(
                    requester={
                        "authenticator": {
                            "type": "BearerAuthenticator",
                            "api_token": "{{ config['token'] }}",
                        }
                    }
                ),
                spec=spec("token"),
            )
        ),
        dlt=Description(
            source=dlt(
                resource(paginator="single_page"),
                client={"auth": {"type": "bearer", "token": "s3cret"}},
            )
        ),
    ),
    Construct(
        name="basic",
        server=signed_by("authorization", "Basic " + b64encode(b"me:s3cret").decode()),
        headers=AUTH,
        rows={"items": ROWS},
        config={"user": "me", "password": "s3cret"},
        environment={"API_USER": "me", "API_USERNAME": "me", "API_PASSWORD": "s3cret"},
        airbyte=Description(
            source=manifest(
                stream(
                    requester={
                        "authenticator": {
                            "type": "BasicHttpAuthenticator",
                            "username": "{{ config['user'] }}",
                            "password": "{{ config['password'] }}",
                        }
                    }
                ),
                spec=spec("user", "password"),
            )
        ),
        dlt=Description(
            source=dlt(
                resource(paginator="single_page"),
                client={"auth": {"type": "http_basic", "username": "me", "password": "s3cret"}},
            )
        ),
    ),
    Construct(
        name="key-header",
        server=signed_by("x-key", "s3cret"),
        headers=("X-Key",),
        rows={"items": ROWS},
        config={"key": "s3cret"},
        environment={"API_KEY": "s3cret", "API_API_KEY": "s3cret"},
        airbyte=Description(
            source=manifest(
                stream(
                    requester={
                        "authenticator": {
                            "type": "ApiKeyAuthenticator",
                            "api_token": "{{ config['key'] }}",
                            "inject_into": into("X-Key", "header"),
                        }
                    }
                ),
                spec=spec("key"),
            )
        ),
        dlt=Description(
            source=dlt(
                resource(paginator="single_page"),
                client={
                    "auth": {
                        "type": "api_key",
                        "name": "X-Key",
                        "api_key": "s3cret",
                        "location": "header",
                    }
                },
            )
        ),
    ),
    Construct(
        name="key-query",
        server=key_in_query,
        rows={"items": ROWS},
        config={"key": TOKEN},
        environment={"API_KEY": TOKEN, "API_API_KEY": TOKEN},
        airbyte=Description(
            source=manifest(
                stream(
                    requester={
                        "authenticator": {
                            "type": "ApiKeyAuthenticator",
                            "api_token": "{{ config['key'] }}",
                            "inject_into": into("key"),
                        }
                    }
                ),
                spec=spec("key"),
            )
        ),
        dlt=Description(
            source=dlt(
                resource(paginator="single_page"),
                client={
                    "auth": {
                        "type": "api_key",
                        "name": "key",
                        "api_key": TOKEN,
                        "location": "query",
                    }
                },
            )
        ),
    ),
    Construct(
        name="client-credentials",
        server=client_credentials,
        headers=AUTH,
        rows={"items": ROWS},
        config={"client_id": "me", "client_secret": TOKEN},
        environment={"API_CLIENT_ID": "me", "API_CLIENT_SECRET": TOKEN},
        airbyte=Description(
            source=manifest(
                stream(
                    requester={
                        "authenticator": {
                            "type": "OAuthAuthenticator",
                            "token_refresh_endpoint": "ORIGIN/token",
                            "grant_type": "client_credentials",
                            "client_id": "{{ config['client_id'] }}",
                            "client_secret": "{{ config['client_secret'] }}",
                        }
                    }
                ),
                spec=spec("client_id", "client_secret"),
            )
        ),
        dlt=Description(
            source=dlt(
                resource(paginator="single_page"),
                client={
                    "auth": {
                        "type": "oauth2_client_credentials",
                        "access_token_url": "ORIGIN/token",
                        "client_id": "me",
                        "client_secret": TOKEN,
                    }
                },
            )
        ),
    ),
    Construct(
        name="refresh-token",
        server=refresh_token,
        headers=AUTH,
        rows={"items": ROWS},
        config={"client_id": "me", "client_secret": TOKEN, "refresh_token": "r1"},
        environment={"API_CLIENT_ID": "me", "API_CLIENT_SECRET": TOKEN, "API_REFRESH_TOKEN": "r1"},
        airbyte=Description(
            source=manifest(
                stream(
                    requester={
                        "authenticator": {
                            "type": "OAuthAuthenticator",
                            "token_refresh_endpoint": "ORIGIN/token",
                            "client_id": "{{ config['client_id'] }}",
                            "client_secret": "{{ config['client_secret'] }}",
                            "refresh_token": "{{ config['refresh_token'] }}",
                        }
                    }
                ),
                spec=spec("client_id", "client_secret", "refresh_token"),
            )
        ),
        dlt="no refresh tokens",
    ),
    Construct(
        name="login",
        server=login,
        headers=("X-Session",),
        rows={"items": ROWS},
        config={"user": "ada", "password": "s3cret"},
        environment={"API_USER": "ada", "API_PASSWORD": "s3cret"},
        airbyte=Description(
            source=manifest(
                stream(
                    requester={
                        "authenticator": {
                            "type": "SessionTokenAuthenticator",
                            "login_requester": {
                                "type": "HttpRequester",
                                "url_base": "ORIGIN",
                                "path": "/login",
                                "http_method": "POST",
                                "request_body_json": {
                                    "user": "{{ config['user'] }}",
                                    "password": "{{ config['password'] }}",
                                },
                            },
                            "session_token_path": ["session", "token"],
                            "expiration_duration": "PT1H",
                            "request_authentication": {
                                "type": "ApiKey",
                                "inject_into": into("X-Session", "header"),
                            },
                        }
                    }
                ),
                spec=spec("user", "password"),
            )
        ),
        dlt="no logins",
    ),
    Construct(
        name="parameters-odd",
        server=odd_parameters,
        rows={"items": ROWS},
        airbyte=Description(
            source=manifest(stream(requester={"request_parameters": ODD})),
        ),
        dlt=Description(
            source=dlt(resource(params={**ODD, "braces": "{{x}}"}, paginator="single_page"))
        ),
    ),
    Construct(
        name="parameters-empty",
        server=lambda _: {"data": ROWS},
        rows={"items": ROWS},
        airbyte=Description(
            source=manifest(stream(requester={"request_parameters": {"state": "", "z": "1"}}))
        ),
        dlt=Description(
            source=dlt(resource(params={"state": "", "z": "1"}, paginator="single_page"))
        ),
    ),
    Construct(
        name="parameters-list",
        server=repeated,
        rows={"items": ROWS},
        airbyte=Description(
            source=manifest(stream(requester={"request_parameters": {"id": "{{ ['1', '2'] }}"}}))
        ),
        dlt=Description(source=dlt(resource(params={"id": ["1", "2"]}, paginator="single_page"))),
    ),
    Construct(
        name="parameters-typed",
        server=typed,
        rows={"items": ROWS},
        airbyte=Description(
            source=manifest(
                stream(
                    requester={"request_parameters": {"limit": "5", "deep": "true", "since": "1.5"}}
                )
            )
        ),
        dlt=Description(
            source=dlt(
                resource(params={"limit": 5, "deep": True, "since": 1.5}, paginator="single_page")
            )
        ),
    ),
    Construct(
        name="parameters-in-path",
        server=repeated,
        rows={"items": ROWS},
        airbyte=Description(source=manifest(stream(path="/items?id=1&id=2"))),
        dlt=Description(source=dlt(resource(path="items?id=1&id=2", paginator="single_page"))),
    ),
    Construct(
        name="path-in-query",
        server=path_in_query,
        rows={"items": ROWS},
        airbyte=Description(
            source=manifest(
                stream(
                    path="/index.php?/v2/items&all",
                    requester={"request_parameters": {"limit": "5"}},
                )
            )
        ),
        dlt="a query in a path becomes parameters, which have names",
    ),
    Construct(
        name="slashes-and-quotes",
        server=slashes_and_quotes,
        rows={"items": ROWS, "roots": ROWS},
        airbyte=Description(
            source=manifest(
                stream(
                    path="/lists//{{ parameters['none'] }}/items",
                    requester={
                        "request_parameters": {"q": "'a b'", "mine": "\"{{ config['name'] }}\""}
                    },
                ),
                stream("roots", path="/", requester={"url_base": "ORIGIN/roots"}),
                spec=spec("name"),
            )
        ),
        dlt="its paths and parameters are sent as they are written",
        config={"name": "ada"},
        environment={"API_NAME": "ada"},
    ),
    Construct(
        name="body-json",
        server=json_body,
        rows={"items": ROWS},
        airbyte=Description(
            source=manifest(stream(requester={"http_method": "POST", "request_body_json": BODY}))
        ),
        dlt=Description(
            source=dlt(
                resource(method="POST", json={**BODY, "text": "a{{b}}"}, paginator="single_page")
            )
        ),
    ),
    Construct(
        name="body-null",
        server=lambda asked: {"data": [{"id": 1}]} if asked.json.get("b") == 1 else (400, {}),
        rows={"items": [{"id": 1}]},
        airbyte=Description(
            source=manifest(
                stream(requester={"http_method": "POST", "request_body_json": {"a": None, "b": 1}})
            )
        ),
        dlt=Description(
            source=dlt(resource(method="POST", json={"a": None, "b": 1}, paginator="single_page"))
        ),
    ),
    Construct(
        name="body-form",
        server=form,
        rows={"items": ROWS},
        airbyte=Description(
            source=manifest(
                stream(
                    requester={
                        "http_method": "POST",
                        "request_body_data": {"state": "öpen & so", "limit": "5"},
                    }
                )
            )
        ),
        dlt=Description(
            source=dlt(
                resource(
                    method="POST", data={"state": "öpen & so", "limit": 5}, paginator="single_page"
                )
            )
        ),
    ),
    Construct(
        name="header",
        server=own_header,
        headers=("X-Version",),
        rows={"items": ROWS},
        airbyte=Description(
            source=manifest(stream(requester={"request_headers": {"X-Version": "2024-01"}}))
        ),
        dlt=Description(
            source=dlt(resource(headers={"X-Version": "2024-01"}, paginator="single_page"))
        ),
    ),
    Construct(
        name="busy-429",
        server=busy(429, Retry_After="0"),
        rows={"items": FIVE},
        airbyte=Description(
            source=manifest(
                stream(
                    requester=handler(
                        on("RATE_LIMITED", 429),
                        backoff_strategies=[
                            {"type": "WaitTimeFromHeader", "header": "Retry-After"}
                        ],
                    ),
                    **PAGES,
                )
            ),
            more=AGAIN,
            fewer=UNNUMBERED,
        ),
        dlt=Description(
            source=dlt(resource(paginator=BY_PAGE)), more={"confirmation": r"GET /items\?page=[12]"}
        ),
    ),
    Construct(
        name="busy-503",
        server=busy(503),
        rows={"items": FIVE},
        airbyte=Description(
            source=manifest(
                stream(
                    requester=handler(
                        on("RETRY", 503),
                        backoff_strategies=[
                            {"type": "ConstantBackoffStrategy", "backoff_time_in_seconds": 0.01}
                        ],
                    ),
                    **PAGES,
                )
            ),
            more=AGAIN,
            fewer=UNNUMBERED,
        ),
        dlt=Description(
            source=dlt(resource(paginator=BY_PAGE)), more={"confirmation": r"GET /items\?page=[12]"}
        ),
    ),
    Construct(
        name="busy-by-content",
        server=busy_body,
        rows={"items": ROWS},
        airbyte=Description(
            source=manifest(
                stream(
                    requester=handler(
                        {
                            "type": "HttpResponseFilter",
                            "action": "RETRY",
                            "predicate": "{{ response.get('status') == 'PENDING' }}",
                        },
                        backoff_strategies=[
                            {"type": "ConstantBackoffStrategy", "backoff_time_in_seconds": 0.01}
                        ],
                    )
                )
            )
        ),
        dlt="no retries by content",
    ),
    Construct(
        name="ignored-404",
        server=gone(404, {"error": "no items"}),
        rows={"items": []},
        airbyte=Description(
            source=manifest(stream(requester=handler(on("IGNORE", 404)))),
            more={"confirmation": "GET /items"},
        ),
        dlt=Description(
            source=dlt(
                resource(
                    paginator="single_page",
                    response_actions=[{"status_code": 404, "action": "ignore"}],
                )
            ),
            more={"confirmation": "GET /items"},
        ),
        verdicts={"items": "unverified"},
    ),
    Construct(
        name="ignored-by-content",
        server=gone(400, {"error": "feature off"}),
        rows={"items": []},
        airbyte=Description(
            source=manifest(
                stream(
                    requester=handler(
                        {
                            "type": "HttpResponseFilter",
                            "action": "IGNORE",
                            "error_message_contains": "feature off",
                        }
                    )
                )
            ),
            more={"confirmation": "GET /items"},
        ),
        dlt=Description(
            source=dlt(
                resource(
                    paginator="single_page",
                    response_actions=[{"content": "feature off", "action": "ignore"}],
                )
            ),
            more={"confirmation": "GET /items"},
        ),
        verdicts={"items": "unverified"},
    ),
    Construct(
        name="client-credentials-scopes",
        server=scoped,
        headers=AUTH,
        rows={"items": ROWS},
        config={"client_id": "me", "client_secret": TOKEN},
        environment={"API_CLIENT_ID": "me", "API_CLIENT_SECRET": TOKEN},
        airbyte=Description(
            source=manifest(
                stream(
                    requester={
                        "authenticator": {
                            "type": "OAuthAuthenticator",
                            "token_refresh_endpoint": "ORIGIN/token",
                            "grant_type": "client_credentials",
                            "client_id": "{{ config['client_id'] }}",
                            "client_secret": "{{ config['client_secret'] }}",
                            "access_token_name": "token",
                            "refresh_request_body": {"scope": "a b", "audience": "shop"},
                        }
                    }
                ),
                spec=spec("client_id", "client_secret"),
            )
        ),
        dlt="the token is `access_token`",
    ),
    Construct(
        name="login-bearer",
        server=bearer_login,
        headers=AUTH,
        rows={"items": ROWS},
        airbyte=Description(
            source=manifest(
                stream(
                    requester={
                        "authenticator": {
                            "type": "SessionTokenAuthenticator",
                            "login_requester": {
                                "type": "HttpRequester",
                                "url_base": "ORIGIN",
                                "path": "/login",
                                "http_method": "POST",
                            },
                            "session_token_path": ["token"],
                            "expiration_duration": "PT1H",
                            "request_authentication": {"type": "Bearer"},
                        }
                    }
                )
            )
        ),
        dlt="no logins",
    ),
    Construct(
        name="busy-named-header",
        server=busy_named,
        rows={"items": ROWS},
        airbyte=Description(
            source=manifest(
                stream(
                    requester=handler(
                        on("RETRY", 420),
                        backoff_strategies=[{"type": "WaitTimeFromHeader", "header": "X-Wait"}],
                        max_retries=2,
                    )
                )
            )
        ),
        dlt="waits are dlt's own",
    ),
    Construct(
        name="resource-defaults",
        server=lambda asked: {"data": ROWS} if asked.query == {"a": "1", "b": "2"} else (400, {}),
        rows={"items": ROWS},
        airbyte=Description(
            source=manifest(
                {
                    "type": "DeclarativeStream",
                    "name": "items",
                    "primary_key": "id",
                    "$parameters": {"a": "1", "path": "/items"},
                    "retriever": {"$ref": "#/definitions/retriever"},
                },
                definitions={
                    "retriever": {
                        "type": "SimpleRetriever",
                        "requester": {
                            "type": "HttpRequester",
                            "url_base": "ORIGIN",
                            "request_parameters": {"a": "{{ parameters['a'] }}", "b": "2"},
                        },
                        "record_selector": {
                            "type": "RecordSelector",
                            "extractor": {"type": "DpathExtractor", "field_path": ["data"]},
                        },
                    }
                },
            )
        ),
        dlt=Description(
            source=dlt(
                {"name": "items", "endpoint": {"path": "items", "params": {"b": "2"}}},
                resource_defaults={
                    "primary_key": "id",
                    "endpoint": {
                        "data_selector": "data",
                        "params": {"a": "1"},
                        "paginator": "single_page",
                    },
                },
            )
        ),
    ),
    Construct(
        name="client-headers",
        server=own_header,
        headers=("X-Version",),
        rows={"items": ROWS},
        airbyte="headers are those of a stream",
        dlt=Description(
            source=dlt(
                resource(),
                client={"headers": {"X-Version": "2024-01"}, "paginator": "single_page"},
            )
        ),
    ),
    Construct(
        name="auth-of-one",
        server=two_keys,
        headers=("X-Key",),
        rows={"items": ROWS, "others": ROWS},
        config={"key": "k1", "other": "k2"},
        environment={
            "API_KEY": "k1",
            "API_OTHER": "k2",
            "API_KEY_2": "k2",
        },
        airbyte=Description(
            source=manifest(
                stream(requester=key_of("key")),
                stream("others", requester=key_of("other")),
                spec=spec("key", "other"),
            )
        ),
        dlt=Description(
            source=dlt(
                resource(paginator="single_page"),
                resource(
                    "others",
                    auth={"type": "api_key", "name": "X-Key", "api_key": "k2"},
                    paginator="single_page",
                ),
                client={"auth": {"type": "api_key", "name": "X-Key", "api_key": "k1"}},
            )
        ),
    ),
    Construct(
        name="client-credentials-basic",
        server=basic_client,
        headers=AUTH,
        rows={"items": ROWS},
        config={"client_id": "me", "client_secret": "s3cret"},
        environment={"API_CLIENT_ID": "me", "API_CLIENT_SECRET": "s3cret"},
        airbyte=Description(
            source=manifest(
                stream(
                    requester={
                        "authenticator": {
                            "type": "OAuthAuthenticator",
                            "token_refresh_endpoint": "ORIGIN/token",
                            "grant_type": "client_credentials",
                            "client_id": "{{ config['client_id'] }}",
                            "client_secret": "{{ config['client_secret'] }}",
                            "refresh_request_body": {"scope": "read write"},
                            "refresh_request_headers": {
                                "Authorization": (
                                    "Basic {{ (config['client_id'] ~ ':' ~"
                                    " config['client_secret']) | base64encode }}"
                                ),
                                "Content-Type": "application/x-www-form-urlencoded",
                            },
                        }
                    }
                ),
                spec=spec("client_id", "client_secret"),
            )
        ),
        dlt="the client is named in the form",
    ),
    Construct(
        name="client-of-a-class",
        server=basic_client,
        headers=AUTH,
        rows={"items": ROWS},
        config={"client_id": "me", "client_secret": "s3cret"},
        environment={"API_CLIENT_ID": "me", "API_CLIENT_SECRET": "s3cret"},
        airbyte=Description(
            source=manifest(
                stream(
                    requester={
                        "authenticator": {
                            "type": "CustomAuthenticator",
                            "class_name": f"{OF_CDK}.oauth.DeclarativeOauth2Authenticator",
                            "token_refresh_endpoint": "ORIGIN/token",
                            "grant_type": "client_credentials",
                            "client_id": "{{ config['client_id'] }}",
                            "client_secret": "{{ config['client_secret'] }}",
                            "refresh_request_body": {"scope": "read write"},
                            "refresh_request_headers": {
                                "Authorization": (
                                    "Basic {{ (config['client_id'] ~ ':' ~"
                                    " config['client_secret']) | base64encode }}"
                                )
                            },
                        }
                    }
                ),
                spec=spec("client_id", "client_secret"),
            )
        ),
        dlt=NO_CLASSES,
    ),
    Construct(
        name="password-of-a-class",
        server=signed_by("authorization", "Basic " + b64encode(b"me:s3cret").decode()),
        headers=AUTH,
        rows={"items": ROWS},
        config={"user": "me", "password": "s3cret"},
        environment={"API_USER": "me", "API_PASSWORD": "s3cret"},
        airbyte=Description(
            source=manifest(
                stream(
                    requester={
                        "authenticator": {
                            "type": "CustomAuthenticator",
                            "class_name": f"{OF_CDK}.token.BasicHttpAuthenticator",
                            "username": "{{ config['user'] }}",
                            "password": "{{ config['password'] }}",
                        }
                    }
                ),
                spec=spec("user", "password"),
            )
        ),
        dlt=NO_CLASSES,
    ),
    Construct(
        name="login-form",
        server=form_login,
        headers=("Authorization", "X-App"),
        rows={"items": ROWS},
        config={"user": "ada & co", "password": "s3cret"},
        environment={"API_USER": "ada & co", "API_PASSWORD": "s3cret"},
        airbyte=Description(
            source=manifest(
                stream(
                    requester={
                        "authenticator": {
                            "type": "SessionTokenAuthenticator",
                            "login_requester": {
                                "type": "HttpRequester",
                                "url_base": "ORIGIN",
                                "path": "/login",
                                "http_method": "POST",
                                "request_headers": {"X-App": "shop"},
                                "request_parameters": {"of": "{{ config['user'] }}"},
                                "request_body_data": {
                                    "user": "{{ config['user'] }}",
                                    "password": "{{ config['password'] }}",
                                },
                            },
                            "session_token_path": ["token"],
                            "expiration_duration": "PT1H",
                            "request_authentication": {
                                "type": "ApiKey",
                                "api_token": "Token {{ session_token }}",
                                "inject_into": into("Authorization", "header"),
                            },
                        }
                    }
                ),
                spec=spec("user", "password"),
            )
        ),
        dlt="no logins",
    ),
    Construct(
        name="login-basic",
        server=basic_login,
        headers=AUTH,
        rows={"items": ROWS},
        config={"user": "ada", "password": "s3cret"},
        environment={"API_USER": "ada", "API_PASSWORD": "s3cret"},
        airbyte=Description(
            source=manifest(
                stream(
                    requester={
                        "authenticator": {
                            "type": "SessionTokenAuthenticator",
                            "login_requester": {
                                "type": "HttpRequester",
                                "url_base": "ORIGIN",
                                "path": "/login",
                                "http_method": "POST",
                                "authenticator": {
                                    "type": "BasicHttpAuthenticator",
                                    "username": "{{ config['user'] }}",
                                    "password": "{{ config['password'] }}",
                                },
                            },
                            "session_token_path": ["token"],
                            "expiration_duration": "PT1H",
                            "request_authentication": {
                                "type": "ApiKey",
                                "inject_into": into("token"),
                            },
                        }
                    }
                ),
                spec=spec("user", "password"),
            )
        ),
        dlt="no logins",
    ),
    Construct(
        name="rate",
        server=lambda _: {"data": ROWS},
        rows={"items": ROWS},
        airbyte=Description(
            source=manifest(
                stream(
                    requester=handler(
                        backoff_strategies=[
                            {
                                "type": "WaitTimeFromHeader",
                                "header": "Retry-After",
                                "max_waiting_time_in_seconds": 5,
                            }
                        ],
                    )
                ),
                api_budget={
                    "type": "HTTPAPIBudget",
                    "policies": [
                        {
                            "type": "MovingWindowCallRatePolicy",
                            "rates": [{"type": "Rate", "limit": 10, "interval": "PT1S"}],
                            "matchers": [],
                        }
                    ],
                },
            )
        ),
        dlt="no rates",
    ),
    Construct(
        name="moments",
        server=asked_for_yesterday,
        rows={"items": ROWS},
        airbyte=Description(
            source=manifest(
                stream(
                    requester={
                        "request_headers": {
                            "X-From": "{{ day_delta(-1, format='%Y-%m-%d') }}",
                            "X-To": "{{ (now_utc() - duration('PT24H')).strftime('%Y-%m-%d') }}",
                            "X-Day": "{{ today_utc() - duration('P1D') }}",
                            "X-At": "{{ today_utc().strftime('%H:%M:%S') }}",
                        }
                    }
                )
            )
        ),
        dlt="no moments",
    ),
    Construct(
        name="settings",
        server=asked_by_settings,
        rows={"items": ROWS},
        config={"lat": "5.5"},
        environment={"API_PARAM_LAT": "5.5"},
        airbyte=Description(
            source=manifest(
                stream(
                    requester={
                        "request_parameters": {
                            "lat": "{% if -90 <= config.lat | float <= 90 %}{{ config.lat }}"
                            "{% else %}wrong{% endif %}",
                            "lang": "{{ config['lang'] }}",
                            "units": "{{ config['units'] or '' }}",
                        },
                    }
                ),
                spec={
                    "type": "Spec",
                    "connection_specification": {
                        "type": "object",
                        "required": ["lat"],
                        "properties": {"lat": {}, "lang": {}, "units": {}},
                    },
                },
            )
        ),
        dlt="no settings",
    ),
]
