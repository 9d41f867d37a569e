"""Constructs of what is read once for each row of a parent, or for each value of a list."""

from __future__ import annotations

from urllib.parse import unquote

from support.differential.construct import Construct
from support.differential.writing import (
    added,
    below,
    by_number,
    dlt,
    dlt_page,
    each_of,
    into,
    manifest,
    paginator,
    resource,
    spec,
    stream,
    transformed,
)

CUSTOMERS = [{"id": n, "key": f"k{n}", "owner": {"id": f"o{n}"}} for n in range(1, 5)]
#: The third customer has none.
ORDERS = {
    1: [{"id": 11}, {"id": 12}, {"id": 13}, {"id": 14}, {"id": 15}],
    2: [{"id": 21}],
    3: [],
    4: [{"id": 41}, {"id": 42}],
}
OF_SHOPS = [(1, 11), (1, 12), (2, 21)]
ALL = [order for each in ORDERS.values() for order in each]
#: Customers of whom only the first and the last have an owner.
PARTLY = [{"id": 1, "owner": {"id": "o1"}}, {"id": 2, "owner": None}, {"id": 3}]
PARTLY += [{"id": 5, "owner": {"id": None}}, {"id": 4, "owner": {"id": "o4"}}]
ODD = ["a/b", "c d", "e?f=g&h", "ü", "100%25", "i+j", "#k", "l;m,n"]
PAGES = paginator(by_number(2), "page")
CUSTOMER = stream("customers")
#: What the tap calls the value of a parent, where a row lacks it.
COLUMNS = ("parent_id", "customers_id", "customer", "things_id", "region", "shop", "state", "kind")


def orders_by(customer):
    """Answer all customers, and the orders of the one that a request names."""

    def answer(asked):
        if asked.path == "/customers":
            return {"data": CUSTOMERS}
        return {"data": ORDERS[int(customer(asked))]}

    return answer


shop = orders_by(lambda asked: asked.path.split("/")[2])


def owned(asked):
    if asked.path == "/customers":
        return {"data": PARTLY}
    return {"data": ORDERS[int(asked.path.split("/")[2].removeprefix("o"))]}


def paged(asked):
    rows = shop(asked)["data"]
    page = asked.number("page", 1) - 1
    return {"data": rows[page * 2 : page * 2 + 2]}


def odd(asked):
    if asked.path == "/things":
        return {"data": [{"id": name} for name in ODD]}
    _, _, rest = asked.received.path.removeprefix("/").partition("/things/")
    name = unquote(rest.removesuffix("/parts"))
    return {"data": [{"id": f"part of {name}"}]} if name in ODD else (404, {})


def odd_param(asked):
    if asked.path == "/things":
        return {"data": [{"id": name} for name in ODD]}
    name = asked.query["thing"]
    return {"data": [{"id": f"part of {name}"}]} if name in ODD else (400, {})


def twice(asked):
    if asked.path == "/customers":
        return {"data": [*CUSTOMERS, CUSTOMERS[0]]}
    return shop(asked)


def by_month(asked):
    ends = ["2023-03-31", "2024-03-31T22:00:00-04:00", 1735689600, "20250630"]
    if asked.path == "/periods":
        return {"data": [{"id": n, "ends_on": end} for n, end in enumerate(ends)]}
    months = ["/2023/03", "/2024/04", "/2025/01", "/2025/06"]
    return {"data": [{"id": months.index(asked.path)}]} if asked.path in months else (404, {})


def by_link(asked):
    """Give customers with the paths of their orders, which begin with a slash."""
    if asked.path == "/customers":
        at = asked.received.path.removesuffix("customers")
        return {"data": [{"id": n, "links": {"orders": f"{at}orders/{n}"}} for n in ORDERS]}
    return {"data": ORDERS[int(asked.path.rpartition("/")[2])]}


def of_shops(asked):
    if asked.path == "/numbers":
        return {"data": [{"id": n, "shop": shop} for shop, n in OF_SHOPS]}
    return {"data": [{"id": asked.path.strip("/").replace("/", "-")}]}


def nobody(asked):
    return {"data": []} if asked.path == "/customers" else (404, {})


def deep(asked):
    parts = asked.path.strip("/").split("/")
    if len(parts) == 1:
        return {"data": [{"id": "eu"}, {"id": "us"}]}
    if len(parts) == 3:
        return {"data": [{"id": f"{parts[1]}-{n}"} for n in (1, 2)]}
    return {"data": [{"id": f"{parts[1]}/{parts[3]}/{n}"} for n in (1, 2)]}


SHOPS = [{"id": f"{region}-{n}"} for region in ("eu", "us") for n in (1, 2)]
SALES = [{"id": f"{each['id'][:2]}/{each['id']}/{n}"} for each in SHOPS for n in (1, 2)]


def region(asked):
    return {"data": [{"id": f"{asked.path} {n}"} for n in (1, 2)]}


def kinds(asked):
    state, kind = asked.query["state"], asked.query["kind"]
    return {"data": [{"id": f"{state} {kind}"}]}


def customer_and_state(asked):
    if asked.path == "/customers":
        return {"data": CUSTOMERS[:2]}
    return {"data": [{"id": f"{asked.path[1:]} {asked.query['state']}"}]}


def two(asked):
    if asked.path in {"/customers", "/firms"}:
        return {"data": [{"id": f"{asked.path[1]}{n}"} for n in (1, 2)]}
    return {"data": [{"id": f"order of {asked.path.split('/')[2]}"}]}


def firms(asked):
    """Answer firms, the people of each, and their orders; none for people of another firm."""
    _, firm, _, person = (asked.path.strip("/").split("/") + [""] * 3)[:4]
    if not firm:
        return {"data": [{"id": "a"}, {"id": "b"}]}
    if not person:
        return {"data": [{"id": f"{firm}{n}"} for n in (1, 2)]}
    return {"data": [{"id": f"order of {person}"}] if person.startswith(firm) else []}


FIRMS = stream("firms")
PEOPLE = stream("people", "/firms/{{ stream_partition.firm }}/people", **below(FIRMS, field="firm"))
#: People with an object of what their orders are read for.
OF_FIRMS = PEOPLE | transformed(
    added(of="{{ {'firm': stream_slice.firm, 'person': record['id']} }}")
)
#: Where a customer's orders are, in a manifest and for dlt.
PATH = "/customers/{{ stream_partition.parent_id }}/orders"
DLT_PATH = "customers/{resources.customers.id}/orders"
#: Orders of each firm's people.
OF_PEOPLE = [{"id": f"order of {each}"} for each in ("a1", "a2", "b1", "b2")]


def below_customers(path="orders", *, more=None, loses="", **endpoint):
    """Return a configuration of dlt."""
    orders = resource("orders", path, paginator="single_page", **endpoint)
    return dlt(resource("customers", paginator="single_page"), orders, more=more or {}, loses=loses)


CONSTRUCTS = [
    Construct(
        name="parent-path",
        columns=COLUMNS,
        server=shop,
        rows={"orders": ALL},
        airbyte=manifest(
            stream("orders", "/customers/{{ stream_slice.parent_id }}/orders", **below(CUSTOMER))
        ),
        dlt=below_customers(DLT_PATH),
    ),
    Construct(
        name="parent-resolve",
        columns=COLUMNS,
        server=shop,
        rows={"orders": ALL},
        airbyte="the same as parent-path",
        dlt=below_customers(
            "customers/{customer}/orders",
            params={"customer": {"type": "resolve", "resource": "customers", "field": "id"}},
        ),
    ),
    Construct(
        name="parent-parameter",
        columns=COLUMNS,
        server=orders_by(lambda asked: asked.query["customer"]),
        rows={"orders": ALL},
        airbyte=manifest(stream("orders", **below(CUSTOMER, request_option=into("customer")))),
        dlt=below_customers(params={"customer": "{resources.customers.id}"}),
    ),
    Construct(
        name="parent-parameter-expression",
        columns=COLUMNS,
        server=orders_by(lambda asked: asked.query["customer"]),
        rows={"orders": ALL},
        airbyte=manifest(
            stream(
                "orders",
                request_parameters={"customer": "{{ stream_partition['parent_id'] }}"},
                **below(CUSTOMER),
            )
        ),
        dlt="the same as parent-parameter",
    ),
    Construct(
        name="parent-nested",
        columns=COLUMNS,
        server=orders_by(lambda asked: asked.query["owner"].removeprefix("o")),
        rows={"orders": ALL},
        airbyte=manifest(
            stream("orders", **below(CUSTOMER, "owner/id", request_option=into("owner")))
        ),
        dlt=below_customers(params={"owner": "{resources.customers.owner.id}"}),
    ),
    Construct(
        name="parent-null",
        columns=COLUMNS,
        server=owned,
        rows={"orders": [*ORDERS[1], *ORDERS[4]]},
        airbyte=manifest(
            stream(
                "orders",
                "/owners/{{ stream_slice.parent_id }}/orders",
                **below(CUSTOMER, "owner/id"),
            )
        ),
        dlt=below_customers(
            "owners/{resources.customers.owner.id}/orders",
            more={"the parent behind that row": "GET /owners/o4/orders"},
            loses="it fails for a row without the field",
        ),
    ),
    Construct(
        name="parent-header",
        columns=COLUMNS,
        server=orders_by(lambda asked: asked.headers["x-customer"]),
        headers=("X-Customer",),
        rows={"orders": ALL},
        airbyte=manifest(
            stream(
                "orders",
                request_headers={"X-Customer": "{{ stream_partition.parent_id }}"},
                **below(CUSTOMER),
            )
        ),
        dlt=below_customers(headers={"X-Customer": "{resources.customers.id}"}),
    ),
    Construct(
        name="parent-body",
        columns=COLUMNS,
        server=orders_by(lambda asked: asked.json["filter"]["customer"]),
        rows={"orders": ALL},
        airbyte=manifest(
            stream(
                "orders",
                http_method="POST",
                request_body_json={"filter": {"customer": "{{ stream_partition.parent_id }}"}},
                **below(CUSTOMER),
            )
        ),
        dlt=below_customers(
            method="POST", json={"filter": {"customer": "{resources.customers.id}"}}
        ),
    ),
    Construct(
        name="parent-paged",
        columns=COLUMNS,
        server=paged,
        rows={"orders": ALL},
        airbyte=manifest(
            stream("orders", PATH, **below(stream("customers", **PAGES)), **PAGES),
            more={"confirmation": r"GET /customers(/\d/orders)?\?page=[124]"},
            fewer={"first page": r"GET /customers(/\d/orders)?"},
        ),
        dlt=dlt(
            resource("customers", paginator=dlt_page()),
            resource("orders", DLT_PATH, paginator=dlt_page()),
            more={"confirmation": r"GET /customers(/\d/orders)?\?page=[12]"},
        ),
    ),
    Construct(
        name="parent-characters-path",
        columns=COLUMNS,
        server=odd,
        rows={"parts": [{"id": f"part of {name}"} for name in ODD]},
        airbyte=manifest(
            stream(
                "parts", "/things/{{ stream_partition.parent_id }}/parts", **below(stream("things"))
            ),
            more={"encoded": r"GET /things/(%23k|100%2525|a%2Fb|e%3Ff%3Dg%26h)/parts"},
            fewer={"not encoded": r"GET /things/(|100%25/parts|a/b/parts|e\?f=g&h%2Fparts=)"},
            loses="values aren't encoded in a path",
        ),
        dlt=dlt(
            resource("things", paginator="single_page"),
            resource("parts", "things/{resources.things.id}/parts", paginator="single_page"),
            more={"encoded": r"GET /things/[^/]+/parts"},
            fewer={"not encoded": r"GET /things/(a/b/parts|e\?f=g&h%2Fparts=)"},
            loses="values aren't encoded in a path, so it fails",
        ),
    ),
    Construct(
        name="parent-characters-parameter",
        columns=COLUMNS,
        server=odd_param,
        rows={"parts": [{"id": f"part of {name}"} for name in ODD]},
        airbyte=manifest(stream("parts", **below(stream("things"), request_option=into("thing")))),
        dlt=dlt(
            resource("things", paginator="single_page"),
            resource("parts", params={"thing": "{resources.things.id}"}, paginator="single_page"),
        ),
    ),
    Construct(
        name="parent-twice",
        columns=COLUMNS,
        server=twice,
        rows={"orders": [*ALL, *ORDERS[1]]},
        verdicts={"orders": "unverified"},
        airbyte=manifest(stream("orders", PATH, **below(CUSTOMER))),
        dlt=below_customers(DLT_PATH),
    ),
    Construct(
        name="parent-none",
        columns=COLUMNS,
        server=nobody,
        rows={"orders": []},
        airbyte=manifest(stream("orders", PATH, **below(CUSTOMER))),
        dlt=below_customers(DLT_PATH),
    ),
    Construct(
        name="grandparent",
        columns=COLUMNS,
        server=deep,
        rows={"sales": SALES},
        airbyte=manifest(
            stream(
                "sales",
                "/regions/{{ stream_partition.parent_slice.region }}"
                "/shops/{{ stream_partition.shop }}/sales",
                **below(
                    stream(
                        "shops",
                        "/regions/{{ stream_partition.region }}/shops",
                        **below(stream("regions"), field="region"),
                    ),
                    field="shop",
                ),
            )
        ),
        dlt="only values of the parent",
    ),
    Construct(
        name="parent-time",
        columns=COLUMNS,
        server=by_month,
        rows={"pay": [{"id": n} for n in range(4)]},
        airbyte=manifest(
            stream(
                "pay",
                "/{{ format_datetime(stream_partition.ends, '%Y') }}"
                "/{{ format_datetime(stream_slice['ends'], '%m') }}",
                **below(stream("periods"), key="ends_on", field="ends"),
            )
        ),
        dlt="values of parents as they are",
    ),
    Construct(
        name="parent-taken-apart",
        server=of_shops,
        rows={"parts": [{"id": f"{shop}-{n}", "shop_id": shop} for shop, n in OF_SHOPS]},
        columns=COLUMNS,
        airbyte=manifest(
            stream(
                "parts",
                "/{{ stream_partition.key.split('-')[0] }}"
                "/{{ stream_partition['key'].split('-')[1] }}",
                **below(
                    stream(
                        "numbers",
                        **transformed(
                            added(key="{{ record.shop }}-{{ record['id'] }}"),
                            added(number="{{ record.id }}"),
                            {"type": "RemoveFields", "field_pointers": [["id"]]},
                        ),
                        primary_key="number",
                    ),
                    "key",
                    "key",
                ),
                **transformed(added(shop_id="{{ stream_partition.key.split('-')[0] }}")),
            )
        ),
        dlt="values of parents as they are",
    ),
    Construct(
        name="parent-link",
        server=by_link,
        rows={"orders": ALL},
        columns=COLUMNS,
        airbyte=manifest(
            stream(
                "orders",
                path="",
                url_base="{{ 'ORIGIN'.split('/parent-link')[0] }}"
                "{{ stream_partition.links['orders'] }}",
                **below(CUSTOMER, "links", "links"),
            )
        ),
        dlt="it joins no path that begins with a slash",
    ),
    Construct(
        name="parent-object",
        columns=COLUMNS,
        server=firms,
        rows={
            "people": [
                {"id": f"{firm}{n}", "of": {"firm": firm, "person": f"{firm}{n}"}}
                for firm in "ab"
                for n in (1, 2)
            ],
            "orders": OF_PEOPLE,
        },
        airbyte=manifest(
            OF_FIRMS,
            stream(
                "orders",
                "/firms/{{ stream_partition.parent.firm }}"
                "/people/{{ stream_partition.parent.person }}",
                **below(OF_FIRMS, "of", field="parent"),
            ),
            fewer={"firms for each stream": r"GET /firms"},
        ),
        dlt="only values of rows as they were sent",
    ),
    Construct(
        name="parent-fields",
        columns=COLUMNS,
        server=shop,
        rows={
            "orders": [
                {**order, "_customers_id": customer, "_customers_key": f"k{customer}"}
                for customer, orders in ORDERS.items()
                for order in orders
            ]
        },
        airbyte=manifest(
            stream(
                "orders",
                PATH,
                **transformed(
                    added(
                        _customers_id="{{ stream_partition.parent_id }}",
                        _customers_key="{{ stream_slice.extra_fields['key'] }}",
                    )
                ),
                **below(CUSTOMER, extra_fields=[["key"]]),
            )
        ),
        dlt=below_customers(DLT_PATH, resource={"include_from_parent": ["id", "key"]}),
    ),
    Construct(
        name="list-path",
        columns=COLUMNS,
        server=region,
        rows={"items": [{"id": f"/{name}/items {n}"} for name in ("eu", "us") for n in (1, 2)]},
        airbyte=manifest(
            stream(
                path="/{{ stream_partition.region }}/items",
                partition_router=each_of("region", "eu", "us"),
            )
        ),
        dlt="no lists of values",
    ),
    Construct(
        name="list-of-one-compared",
        columns=COLUMNS,
        server=region,
        rows={"items": [{"id": f"/me/items {n}"} for n in (1, 2)]},
        airbyte=manifest(
            stream(
                path="{{ 'me/items' if stream_slice['region'] == 'me' else "
                "'shops/' ~ stream_slice['region'] ~ '/items' }}",
                partition_router=each_of("region", "me"),
            )
        ),
        dlt="no lists of values",
    ),
    Construct(
        name="lists",
        columns=COLUMNS,
        server=kinds,
        rows={"items": [{"id": f"{state} {kind}"} for state in ("open", "so ü&") for kind in "ab"]},
        airbyte=manifest(
            stream(
                partition_router=[
                    each_of("state", "open", "so ü&", option=into("state")),
                    each_of("kind", "a", "b", option=into("kind")),
                ]
            )
        ),
        dlt="no lists of values",
    ),
    Construct(
        name="list-and-parent",
        columns=COLUMNS,
        server=customer_and_state,
        rows={"items": [{"id": f"c/{n} {state}"} for n in (1, 2) for state in ("open", "shut")]},
        airbyte=manifest(
            stream(
                path="/c/{{ stream_partition.parent_id }}",
                partition_router=[
                    below(CUSTOMER)["partition_router"],
                    each_of("state", "open", "shut", option=into("state")),
                ],
            )
        ),
        dlt="no lists of values",
    ),
    Construct(
        name="parents-two",
        columns=COLUMNS,
        server=two,
        rows={"orders": [{"id": f"order of {each}"} for each in ("c1", "c2", "f1", "f2")]},
        airbyte=manifest(
            stream(
                "orders",
                "/owners/{{ stream_partition.parent_id }}",
                partition_router={
                    "type": "SubstreamPartitionRouter",
                    "parent_stream_configs": [
                        below(stream(name))["partition_router"]["parent_stream_configs"][0]
                        for name in ("customers", "firms")
                    ],
                },
            ),
            left_out="it is read below the rows of 2 parents",
        ),
        dlt="one parent",
    ),
    Construct(
        name="parents-crossed",
        columns=("firms_id", "people_id", "firm", "person", "parent_id"),
        server=firms,
        rows={"orders": OF_PEOPLE},
        airbyte=manifest(
            stream(
                "orders",
                "/firms/{{ stream_partition.firm }}/people/{{ stream_partition.person }}",
                partition_router=[
                    below(each, field=field)["partition_router"]
                    for each, field in ((FIRMS, "firm"), (PEOPLE, "person"))
                ],
            ),
            fewer={
                "people of other firms": r"GET /firms/(a/people/b|b/people/a)[12]",
                "firms for each router": r"GET /firms",
            },
        ),
        dlt="one parent",
    ),
    Construct(
        name="list-characters",
        columns=COLUMNS,
        server=lambda asked: {"data": [{"id": asked.path}]},
        rows={"items": [{"id": "/a%20b/items"}, {"id": "/%C3%BC/items"}]},
        airbyte=manifest(
            stream(
                path="/{{ stream_partition.region }}/items",
                partition_router=each_of("region", "a b", "ü"),
            )
        ),
        dlt="no lists of values",
    ),
    Construct(
        name="list-of-settings",
        columns=COLUMNS,
        server=region,
        config={"regions": ["eu", "us"]},
        rows={"items": [{"id": f"/{name}/items {n}"} for name in ("eu", "us") for n in (1, 2)]},
        airbyte=manifest(
            stream(
                path="/{{ stream_partition.region }}/items",
                partition_router={
                    "type": "ListPartitionRouter",
                    "cursor_field": "region",
                    "values": "{{ config['regions'] }}",
                },
            ),
            spec=spec(
                regions={"type": "array", "items": {"type": "string"}, "default": ["eu", "us"]}
            ),
        ),
        dlt="no lists of values",
    ),
]
