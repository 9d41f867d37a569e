"""Constructs of what a request carries, and of responses that aren't rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

from support.differential.construct import Construct
from support.differential.writing import (
    by_number,
    dlt,
    dlt_page,
    error_handler,
    manifest,
    paginator,
    resource,
    response_filter,
    spec,
    stream,
)
from support.servers import reply

ROWS = [{"id": n} for n in range(1, 4)]
FIVE = [{"id": n} for n in range(1, 6)]
ODD = {"q": "a b&c=d", "text": "ä/ö?#%20+", "braces": "{x}"}
BODY = {"filter": {"state": ["open", "ü"], "limit": 5, "deep": True}, "text": "a{b}"}
AGAIN = {"confirmation": r"GET /items\?page=[124]"}
UNNUMBERED = {"first page": "GET /items"}
PAGES = paginator(by_number(2), "page")


# --- the servers -----------------------------------------------------------------------------


def where(is_right, rows=ROWS):
    """Answer the requests that are right."""
    return lambda asked: {"data": rows} if is_right(asked) else (400, {})


def with_query(**expected):
    return where(lambda asked: asked.query == expected)


def with_pairs(*expected):
    return where(lambda asked: asked.received.pairs == [*expected])


def slashes_and_quotes(asked):
    wanted = {"/lists/items": {"q": "a b", "mine": "ada"}, "/roots": {}}
    return asked.query == wanted.get(asked.path)


def typed(asked):
    wanted = {"limit": "5", "deep": "true", "since": "1.5"}
    return {name: value.lower() for name, value in asked.query.items()} == wanted


def asked_for_yesterday(asked):
    days = {str((datetime.now(UTC) - timedelta(days=1, seconds=late)).date()) for late in (0, 60)}
    given = [asked.headers.get(f"x-{name}") for name in ("from", "to", "day")]
    return days.issuperset(given) and asked.headers["x-at"] == "00:00:00"


def form(asked):
    given = parse_qsl(asked.received.body.decode())
    return sorted(given) == [("limit", "5"), ("state", "öpen & so")]


OWN_HEADER = where(lambda asked: asked.headers.get("x-version") == "2024-01")


def busy(status, **headers):
    """Refuse the first request for the second page."""

    def answer(asked):
        page = asked.number("page", 1) - 1
        if asked.before < 1 and page == 1:
            return reply(status, b'{"error": "later"}', Content_Type="application/json", **headers)
        return {"data": FIVE[page * 2 : page * 2 + 2]}

    return answer


def busy_body(asked):
    """Say by status 200 that it is too early."""
    return {"status": "PENDING"} if asked.before < 1 else {"data": ROWS}


def busy_named(asked):
    """Refuse the first request, and say in a header of its own when to come again."""
    if asked.before < 1:
        return reply(420, b"{}", Content_Type="application/json", X_Wait="0")
    return {"data": ROWS}


# --- the descriptions ------------------------------------------------------------------------


def waiting(header, **words):
    return [{"type": "WaitTimeFromHeader", "header": header, **words}]


SOON = [{"type": "ConstantBackoffStrategy", "backoff_time_in_seconds": 0.01}]


CONSTRUCTS = [
    Construct(
        name="parameters-odd",
        server=with_query(**ODD),
        rows={"items": ROWS},
        airbyte=manifest(stream(request_parameters=ODD)),
        dlt=dlt(resource(params={**ODD, "braces": "{{x}}"}, paginator="single_page")),
    ),
    Construct(
        name="parameters-empty",
        server=lambda _: {"data": ROWS},
        rows={"items": ROWS},
        airbyte=manifest(stream(request_parameters={"state": "", "z": "1"})),
        dlt=dlt(resource(params={"state": "", "z": "1"}, paginator="single_page")),
    ),
    Construct(
        name="parameters-list",
        server=with_pairs(("id", "1"), ("id", "2")),
        rows={"items": ROWS},
        airbyte=manifest(stream(request_parameters={"id": "{{ ['1', '2'] }}"})),
        dlt=dlt(resource(params={"id": ["1", "2"]}, paginator="single_page")),
    ),
    Construct(
        name="parameters-typed",
        server=where(typed),
        rows={"items": ROWS},
        airbyte=manifest(stream(request_parameters={"limit": "5", "deep": "true", "since": "1.5"})),
        dlt=dlt(resource(params={"limit": 5, "deep": True, "since": 1.5}, paginator="single_page")),
    ),
    Construct(
        name="parameters-in-path",
        server=with_pairs(("id", "1"), ("id", "2")),
        rows={"items": ROWS},
        airbyte=manifest(stream(path="/items?id=1&id=2")),
        dlt=dlt(resource(path="items?id=1&id=2", paginator="single_page")),
    ),
    Construct(
        name="path-in-query",
        server=with_pairs(("/v2/items", ""), ("all", ""), ("limit", "5")),
        rows={"items": ROWS},
        airbyte=manifest(
            stream(path="/index.php?/v2/items&all", request_parameters={"limit": "5"})
        ),
        dlt="a query in a path becomes parameters, which have names",
    ),
    Construct(
        name="url-in-the-query",
        server=with_query(image="https://cdn.example.com/a//b.jpg"),
        rows={"items": ROWS},
        airbyte=manifest(stream(path="/items?image=https://cdn.example.com/a//b.jpg")),
        dlt=dlt(
            resource(path="items?image=https://cdn.example.com/a//b.jpg", paginator="single_page")
        ),
    ),
    Construct(
        name="slashes-and-quotes",
        server=where(slashes_and_quotes),
        rows={"items": ROWS, "roots": ROWS},
        airbyte=manifest(
            stream(
                path="/lists//{{ parameters['none'] }}/items",
                request_parameters={"q": "'a b'", "mine": "\"{{ config['name'] }}\""},
            ),
            stream("roots", path="/", url_base="ORIGIN/roots"),
            spec=spec("name"),
        ),
        dlt="its paths and parameters are sent as they are written",
        config={"name": "ada"},
        environment={"API_NAME": "ada"},
    ),
    Construct(
        name="body-json",
        server=where(lambda asked: asked.json == BODY),
        rows={"items": ROWS},
        airbyte=manifest(stream(http_method="POST", request_body_json=BODY)),
        dlt=dlt(resource(method="POST", json={**BODY, "text": "a{{b}}"}, paginator="single_page")),
    ),
    Construct(
        name="body-null",
        server=where(lambda asked: asked.json.get("b") == 1, ROWS[:1]),
        rows={"items": ROWS[:1]},
        airbyte=manifest(stream(http_method="POST", request_body_json={"a": None, "b": 1})),
        dlt=dlt(resource(method="POST", json={"a": None, "b": 1}, paginator="single_page")),
    ),
    Construct(
        name="body-form",
        server=where(form),
        rows={"items": ROWS},
        airbyte=manifest(
            stream(http_method="POST", request_body_data={"state": "öpen & so", "limit": "5"})
        ),
        dlt=dlt(
            resource(
                method="POST", data={"state": "öpen & so", "limit": 5}, paginator="single_page"
            )
        ),
    ),
    Construct(
        name="header",
        server=OWN_HEADER,
        headers=("X-Version",),
        rows={"items": ROWS},
        airbyte=manifest(stream(request_headers={"X-Version": "2024-01"})),
        dlt=dlt(resource(headers={"X-Version": "2024-01"}, paginator="single_page")),
    ),
    Construct(
        name="busy-429",
        server=busy(429, Retry_After="0"),
        rows={"items": FIVE},
        airbyte=manifest(
            stream(
                **error_handler(
                    response_filter("RATE_LIMITED", 429), backoff_strategies=waiting("Retry-After")
                ),
                **PAGES,
            ),
            more=AGAIN,
            fewer=UNNUMBERED,
        ),
        dlt=dlt(resource(paginator=dlt_page()), more={"confirmation": r"GET /items\?page=[12]"}),
    ),
    Construct(
        name="busy-503",
        server=busy(503),
        rows={"items": FIVE},
        airbyte=manifest(
            stream(
                **error_handler(response_filter("RETRY", 503), backoff_strategies=SOON), **PAGES
            ),
            more=AGAIN,
            fewer=UNNUMBERED,
        ),
        dlt=dlt(resource(paginator=dlt_page()), more={"confirmation": r"GET /items\?page=[12]"}),
    ),
    Construct(
        name="busy-by-content",
        server=busy_body,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(
                **error_handler(
                    response_filter("RETRY", predicate="{{ response.get('status') == 'PENDING' }}"),
                    backoff_strategies=SOON,
                )
            )
        ),
        dlt="no retries by content",
    ),
    Construct(
        name="ignored-404",
        server=lambda _: (404, {"error": "no items"}),
        rows={"items": []},
        airbyte=manifest(
            stream(**error_handler(response_filter("IGNORE", 404))),
            more={"confirmation": "GET /items"},
        ),
        dlt=dlt(
            resource(
                paginator="single_page", response_actions=[{"status_code": 404, "action": "ignore"}]
            ),
            more={"confirmation": "GET /items"},
        ),
        verdicts={"items": "unverified"},
    ),
    Construct(
        name="ignored-by-content",
        server=lambda _: (400, {"error": "feature off"}),
        rows={"items": []},
        airbyte=manifest(
            stream(
                **error_handler(response_filter("IGNORE", error_message_contains="feature off"))
            ),
            more={"confirmation": "GET /items"},
        ),
        dlt=dlt(
            resource(
                paginator="single_page",
                response_actions=[{"content": "feature off", "action": "ignore"}],
            ),
            more={"confirmation": "GET /items"},
        ),
        verdicts={"items": "unverified"},
    ),
    Construct(
        name="busy-named-header",
        server=busy_named,
        rows={"items": ROWS},
        airbyte=manifest(
            stream(
                **error_handler(
                    response_filter("RETRY", 420),
                    backoff_strategies=waiting("X-Wait"),
                    max_retries=2,
                )
            )
        ),
        dlt="waits are dlt's own",
    ),
    Construct(
        name="resource-defaults",
        server=with_query(a="1", b="2"),
        rows={"items": ROWS},
        airbyte=manifest(
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
        ),
        dlt=dlt(
            {"name": "items", "endpoint": {"path": "items", "params": {"b": "2"}}},
            resource_defaults={
                "primary_key": "id",
                "endpoint": {
                    "data_selector": "data",
                    "params": {"a": "1"},
                    "paginator": "single_page",
                },
            },
        ),
    ),
    Construct(
        name="client-headers",
        server=OWN_HEADER,
        headers=("X-Version",),
        rows={"items": ROWS},
        airbyte="headers are those of a stream",
        dlt=dlt(
            resource(), client={"headers": {"X-Version": "2024-01"}, "paginator": "single_page"}
        ),
    ),
    Construct(
        name="rate",
        server=lambda _: {"data": ROWS},
        rows={"items": ROWS},
        airbyte=manifest(
            stream(
                **error_handler(
                    backoff_strategies=waiting("Retry-After", max_waiting_time_in_seconds=5)
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
        ),
        dlt="no rates",
    ),
    Construct(
        name="moments",
        server=where(asked_for_yesterday),
        rows={"items": ROWS},
        airbyte=manifest(
            stream(
                request_headers={
                    "X-From": "{{ day_delta(-1, format='%Y-%m-%d') }}",
                    "X-To": "{{ (now_utc() - duration('PT24H')).strftime('%Y-%m-%d') }}",
                    "X-Day": "{{ today_utc() - duration('P1D') }}",
                    "X-At": "{{ today_utc().strftime('%H:%M:%S') }}",
                }
            )
        ),
        dlt="no moments",
    ),
    Construct(
        name="settings",
        server=with_query(lat="5.5"),
        rows={"items": ROWS},
        config={"lat": "5.5"},
        environment={"API_PARAM_LAT": "5.5"},
        airbyte=manifest(
            stream(
                request_parameters={
                    "lat": "{% if -90 <= config.lat | float <= 90 %}{{ config.lat }}"
                    "{% else %}wrong{% endif %}",
                    "lang": "{{ config['lang'] }}",
                    "units": "{{ config['units'] or '' }}",
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
        ),
        dlt="no settings",
    ),
]
