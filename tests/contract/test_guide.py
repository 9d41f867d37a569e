"""Each shape of the guide to declared APIs, checked and read from a server that behaves so.

The declaration is taken from the page as it stands, with the server's address in it. A server
refuses what such an API refuses: requests without the credential, pages that are too large, ranges
that are too long, tokens that were used before.
"""

from __future__ import annotations

import base64
import json
import re
import typing as t
from dataclasses import dataclass, field
from datetime import date, timedelta
from urllib.parse import parse_qs

import pytest
import yaml
from support.docs import DOCS, parse
from support.runs import run
from support.servers import ScriptedServer, reply

from tap_analytics.commands.doctor.doctor import Doctor
from tap_analytics.tap import TapAnalytics

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from support.servers import Received

PAGE = DOCS / "how-to" / "declare-an-api.md"
SECTION = re.compile(r"^## (.+)\n((?:(?!^## ).*\n?)*)", re.MULTILINE)
ADDRESS = re.compile(r"https://[a-z]+\.example\.com")
#: Values of the variables that the declarations name.
SECRETS = {
    name: f"value-of-{name.lower()}"
    for name in (
        *("BILLING_KEY", "FORGE_TOKEN", "PAY_KEY", "SHOP_TOKEN", "TRACKER_TOKEN", "CRM_TOKEN"),
        *("BOOKS_CLIENT_SECRET", "BOOKS_REFRESH_TOKEN", "FLEET_PASSWORD", "ADS_KEY", "STOCK_TOKEN"),
    )
}
#: Declarations in the page, by heading.
DECLARED = {
    heading: content
    for heading, text in SECTION.findall(PAGE.read_text("utf-8"))
    for language, content in parse(text)
    if language == "yaml"
}


#: Rows per page where a request names no number.
USUAL = 20


class Refusal(Exception):  # noqa: N818 - a response of a server, not an error of a test
    """A response that isn't 200."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def require(holds: object, status: int = 400) -> None:
    if not holds:
        raise Refusal(status)


def bearer(received: Received, secret: str) -> None:
    require(received.headers.get("authorization") == f"Bearer {SECRETS[secret]}", 401)


def numbered(count: int, **more: t.Any) -> list[dict[str, t.Any]]:
    return [{"id": number, **more} for number in range(1, count + 1)]


def changing(count: int) -> list[dict[str, t.Any]]:
    """Return rows that changed a day one after the other."""
    days = (date(2026, 1, 1) + timedelta(number) for number in range(count))
    return [{"id": n, "updated_at": f"{day}T12:00:00Z"} for n, day in enumerate(days, start=1)]


def number(text: str | None, default: int) -> int:
    return default if text is None else int(text)


# --- the servers ------------------------------------------------------------------------------

CUSTOMERS = changing(130)


def billing(received: Received) -> t.Any:
    """Cap pages at 50 rows, whatever the limit."""
    require(received.headers.get("x-api-key") == SECRETS["BILLING_KEY"], 401)
    query = received.query
    require(received.path == "/v1/customers" and query.get("sort") == "id", 404)
    found = [row for row in CUSTOMERS if row["updated_at"] >= query.get("updated_since", "")]
    start = number(query.get("offset"), 0)
    page = found[start : start + min(50, number(query.get("limit"), USUAL))]
    return {"data": page, "meta": {"total": len(found)}}


REPOSITORIES = numbered(230)


def forge(received: Received) -> t.Any:
    bearer(received, "FORGE_TOKEN")
    require(received.headers["accept"] == "application/vnd.forge+json", 415)
    require(received.path == "/orgs/acme/repos", 404)
    size = number(received.query.get("per_page"), USUAL)
    page = number(received.query.get("page"), 1)
    links = [f'<{received.path}?per_page={size}&page=1>; rel="first"']
    if page * size < len(REPOSITORIES):
        links += [f'<{received.path}?per_page={size}&page={page + 1}>; rel="next"']
    body = json.dumps(REPOSITORIES[(page - 1) * size : page * size]).encode()
    return reply(200, body, Link=", ".join(links))


CHARGES = [{"id": f"ch_{number:03}"} for number in range(205)]
DISPUTES = numbered(120)


def pay(received: Received) -> t.Any:
    expected = base64.b64encode(f"{SECRETS['PAY_KEY']}:".encode()).decode()
    require(received.headers.get("authorization") == f"Basic {expected}", 401)
    query = received.query
    size = number(query.get("limit"), USUAL)
    require(size <= 100)
    if received.path == "/disputes":
        start = int(query.get("cursor", "c0")[1:])
        following = f"c{start + size}" if start + size < len(DISPUTES) else None
        return {"data": DISPUTES[start : start + size], "meta": {"next_cursor": following}}
    require(received.path == "/v1/charges", 404)
    after = query.get("starting_after", "")
    found = [row for row in CHARGES if row["id"] > after]
    return {"data": found[:size], "has_more": len(found) > size}


ORDERS = numbered(150, total="9.90")


def shop(received: Received) -> t.Any:
    """Answer GraphQL; `endCursor` is on the last page as well."""
    require(received.headers.get("x-access-token") == SECRETS["SHOP_TOKEN"], 401)
    require((received.method, received.path) == ("POST", "/graphql"), 405)
    asked = json.loads(received.body)
    values = asked.get("variables", {})
    first, after = values.get("n", USUAL), values.get("after")
    require("orders(first: $n, after: $after)" in asked["query"] and first <= 100)
    start = 0 if after is None else int(base64.b64decode(after))
    nodes = ORDERS[start : start + first]
    end = base64.b64encode(str(start + len(nodes)).encode()).decode()
    info = {"hasNextPage": start + first < len(ORDERS), "endCursor": end}
    return {"data": {"orders": {"nodes": nodes, "pageInfo": info}}}


TICKETS = changing(130)
PLACES = (("from", 0), ("size", USUAL))


def tracker(received: Received) -> t.Any:
    bearer(received, "TRACKER_TOKEN")
    require((received.method, received.path) == ("POST", "/tickets/search"), 405)
    asked = json.loads(received.body)
    since = asked["filter"]["changed_after"]
    require(asked["sort"] == ["id"])
    found = [row for row in TICKETS if row["updated_at"] >= since]
    start, size = (asked.get("page", {}).get(name, usual) for name, usual in PLACES)
    return {"results": found[start : start + size], "total": len(found)}


COMPANIES = numbered(70)
NOTES = {
    company["id"]: [{"number": n} for n in range(1, company["id"] % 60 + 2)]
    for company in COMPANIES
    if company["id"] != 33
}


def crm(received: Received) -> t.Any:
    """Notes of company 33 are gone, as if it had been deleted meanwhile."""
    bearer(received, "CRM_TOKEN")
    query = received.query
    rows = {"/companies": lambda: COMPANIES, "/notes": lambda: NOTES.get(int(query["company"]))}
    found = rows[received.path]()
    require(found is not None, 404)
    page, size = number(query.get("page"), 1), number(query.get("limit"), USUAL)
    return {"items": found[(page - 1) * size : page * size], "total": len(found)}


INVOICES = [{"Id": number, "Sum": "1.50"} for number in range(1, 241)]


@dataclass
class Books:
    """Replaces the refresh token with each use, and refuses one that was used."""

    refresh_token: str = SECRETS["BOOKS_REFRESH_TOKEN"]
    uses: int = 0

    def __call__(self, received: Received) -> t.Any:
        if received.path == "/oauth/token":
            return self._exchange(parse_qs(received.body.decode()))
        require(received.headers.get("authorization") == f"Bearer access-{self.uses}", 401)
        require((received.path, received.query["$top"]) == ("/v2/invoices", "100"), 404)
        start = number(received.query.get("$skip"), 0)
        link = f"http://{received.headers['host']}/v2/invoices?$top=100&$skip={start + 100}"
        more = {"@odata.nextLink": link} if start + 100 < len(INVOICES) else {}
        return {"value": INVOICES[start : start + 100], **more}

    def _exchange(self, form: dict[str, list[str]]) -> t.Any:
        expected = ("the-client", SECRETS["BOOKS_CLIENT_SECRET"], self.refresh_token)
        given = tuple(form[name][0] for name in ("client_id", "client_secret", "refresh_token"))
        require(given == expected)
        self.uses += 1
        self.refresh_token = f"refresh-{self.uses}"
        tokens = {"access_token": f"access-{self.uses}", "refresh_token": self.refresh_token}
        return {**tokens, "token_type": "bearer", "expires_in": 3600}


VEHICLES = numbered(250)


@dataclass
class Fleet:
    """Ends the first session after two requests."""

    sessions: int = 0
    left: int = 0

    def __call__(self, received: Received) -> t.Any:
        if received.path == "/session":
            given = {"user": "ada", "password": SECRETS["FLEET_PASSWORD"]}
            require(received.method == "POST" and json.loads(received.body) == given, 403)
            self.sessions, self.left = self.sessions + 1, 100 if self.sessions else 2
            return {"session": {"token": f"session-{self.sessions}"}}
        is_open = received.headers.get("x-session") == f"session-{self.sessions}" and self.left
        require(is_open, 401)
        self.left -= 1
        query = received.query
        page, size = number(query.get("page"), 0), number(query.get("limit"), USUAL)
        content = VEHICLES[page * size : (page + 1) * size]
        return {"content": content, "page": {"totalPages": -(-len(VEHICLES) // size)}}


REPORTS = [
    {"date": str(date(2026, 1, 1) + timedelta(day)), "campaign": campaign, "clicks": day}
    for day in range(151)
    for campaign in ("a", "b")
]


def ads(received: Received) -> t.Any:
    """Refuse ranges of more than 31 days, the last one included."""
    require(received.query["key"] == SECRETS["ADS_KEY"], 401)
    first, last = (date.fromisoformat(received.query[name]) for name in ("from", "to"))
    require(timedelta() <= last - first <= timedelta(days=30))
    return [row for row in REPORTS if first <= date.fromisoformat(row["date"]) <= last]


LEVELS = [{"sku": f"S{n}", "name": f"Größe {n}", "count": n or None} for n in range(40)]


def stock(received: Received) -> t.Any:
    bearer(received, "STOCK_TOKEN")
    lines = ["sku;name;count", *(f"{r['sku']};{r['name']};{r['count'] or ''}" for r in LEVELS)]
    return reply(200, "\r\n".join(lines).encode("latin-1"), Content_Type="application/octet-stream")


# --- the shapes -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shape:
    """How a server of one shape behaves, and what a run brings."""

    server: Callable[[], Callable[[Received], t.Any]]
    rows: dict[str, list[dict[str, t.Any]]]
    verdict: str
    #: Rows of the next run, where they are fewer.
    later: dict[str, list[dict[str, t.Any]]] = field(default_factory=dict)


def notes_with_company() -> list[dict[str, t.Any]]:
    return [{"_companies_id": each, **note} for each, notes in NOTES.items() for note in notes]


SHAPES = {
    "Offset and total": Shape(
        lambda: billing,
        {"billing_customers": CUSTOMERS},
        "verified",
        later={"billing_customers": CUSTOMERS[-1:]},
    ),
    "Link header": Shape(lambda: forge, {"forge_repositories": REPOSITORIES}, "consistent"),
    "Cursor in the response": Shape(
        lambda: pay, {"pay_disputes": DISPUTES, "pay_charges": CHARGES}, "consistent"
    ),
    "GraphQL": Shape(lambda: shop, {"shop_orders": ORDERS}, "consistent"),
    "Search by POST": Shape(
        lambda: tracker,
        {"tracker_tickets": TICKETS},
        "verified",
        later={"tracker_tickets": TICKETS[-1:]},
    ),
    "Children by parameter": Shape(
        lambda: crm, {"crm_companies": COMPANIES, "crm_notes": notes_with_company()}, "verified"
    ),
    "Refresh token": Shape(Books, {"books_invoices": INVOICES}, "consistent"),
    "Session login": Shape(Fleet, {"fleet_vehicles": VEHICLES}, "consistent"),
    "Windows": Shape(
        lambda: ads,
        {"ads_reports": REPORTS},
        "consistent",
        later={"ads_reports": REPORTS[-2:]},
    ),
    "CSV": Shape(lambda: stock, {"stock_levels": LEVELS}, "consistent"),
}


def test_every_declaration_of_the_guide_has_a_server():
    assert set(DECLARED) == set(SHAPES)


def serve(behaviour: Callable[[Received], t.Any]) -> ScriptedServer:
    def answer(received: Received) -> bytes:
        try:
            made = behaviour(received)
        except Refusal as refusal:
            return reply(refusal.status, b'{"message": "refused"}')
        return made if isinstance(made, bytes) else reply(200, json.dumps(made).encode())

    return ScriptedServer(answer)


def by_key(rows: list[dict[str, t.Any]]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


@pytest.mark.parametrize("heading", SHAPES)
@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_shape_of_the_guide_passes_the_doctor_and_brings_all_rows(
    heading, concurrency, monkeypatch, tmp_path
):
    shape = SHAPES[heading]
    monkeypatch.chdir(tmp_path)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    with serve(shape.server()) as server:
        text = ADDRESS.sub(server.origin, DECLARED[heading])
        config = {**yaml.safe_load(text), "concurrency": concurrency}
        checked = Doctor(TapAnalytics(config=config)).run()
        done = run(config)
        later = run(config, state=done.state)

    findings = [finding for api in checked for finding, _ in api.all_findings]
    assert [finding.text for finding in findings if finding.level == "wrong"] == []
    for each, expected in ((done, shape.rows), (later, shape.rows | shape.later)):
        assert each.error is None, each.error
        assert {name: each.verdict(name) for name in expected} == dict.fromkeys(
            expected, shape.verdict
        )
        for name, rows in expected.items():
            assert by_key(each.records(name)) == by_key(rows)
