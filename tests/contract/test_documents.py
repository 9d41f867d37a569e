"""A table of what the five documents specify, compared with their text, streams and requests.

The documents describe; where the tap does more, the table says so: a stream's key may be finer
than the document's, and every API retries five statuses whatever its document lists.
"""

from __future__ import annotations

import base64
import itertools
import math
import re
from collections import Counter, defaultdict

import pytest
from support import spec_documents as documents

from tap_analytics.demo import DemoApi
from tap_analytics.demo.expected_rows import flat
from tap_analytics.records.payload import SelectorError
from tap_analytics.tap import TapAnalytics

pytestmark = pytest.mark.xdist_group("documents")

COLUMNS = "document resource path key stream_key selector position limit auth statuses retries"
TABLE = """
learning         people              /people                            id            id                        data     page    100  header:X-Api-Key                      429                  3x5
learning         courses             /courses                           id            id                        data     page    100  header:X-Api-Key                      429                  3x5
learning         course_enrollments  /courses/{course_id}/enrollments   id            course_id,id              data     page    100  header:X-Api-Key                      429                  3x5
experimentation  accounts            /v1/accounts                       id            id                        _data    offset  50   header:api_key                        429                  3x2
experimentation  accounts_feeds      /v1/accounts/current/feeds         id            id                        _data    offset  50   header:api_key                        429                  3x2
experimentation  users               /v1/accounts/current/users         id            id                        _data    offset  50   header:api_key                        429                  3x2
experimentation  smartcode           /v1/accounts/current/smartcode     uid           uid                       _data    offset  50   header:api_key                        429                  3x2
experimentation  campaigns           /v1/accounts/current/campaigns     id            id                        _data    offset  50   header:api_key                        429                  3x2
experimentation  custom_widgets      /v1/accounts/current/changesets    id            id                        _data    offset  50   header:api_key                        429                  3x2
experimentation  thresholds          /v1/accounts/current/thresholds    uid           uid                       _data    offset  50   header:api_key                        429                  3x2
experimentation  integrations        /v1/accounts/current/integrations  uid           uid                       _data    offset  50   header:api_key                        429                  3x2
experimentation  labels              /v1/accounts/current/labels        id            id                        _data    offset  50   header:api_key                        429                  3x2
wiki             audit               /v1/audit                          creationDate  creationDate,record_hash  results  start   25   basic:email:api_token                 429,500,502,503,504  3x2
wiki             blog_posts          /v2/blogposts                      id            id                        results  start   25   basic:email:api_token                 429,500,502,503,504  3x2
wiki             group               /v1/group                          id            id                        results  start   25   basic:email:api_token                 429,500,502,503,504  3x2
wiki             pages               /v2/pages                          id            id                        results  start   25   basic:email:api_token                 429,500,502,503,504  3x2
wiki             space               /v2/spaces                         id            id                        results  start   25   basic:email:api_token                 429,500,502,503,504  3x2
success          accounts            /accounts                          id            id                        results  from    100  basic:secret_token:basic_auth_header  -                    3x2
success          admins              /admins                            id            id                        results  from    100  basic:secret_token:basic_auth_header  -                    3x2
success          conversations       /conversations                     id            id                        results  from    100  basic:secret_token:basic_auth_header  -                    3x2
success          notes               /notes                             id            id                        results  from    100  basic:secret_token:basic_auth_header  -                    3x2
success          tasks               /tasks                             id            id                        results  from    100  basic:secret_token:basic_auth_header  -                    3x2
success          users               /users                             id            id                        results  from    100  basic:secret_token:basic_auth_header  -                    3x2
declared         resource_name       /v1/resource                       id            id                        data     offset  100  query:api_key                         429,500,502,503,504  3x2
"""  # noqa: E501 - a table is read by its columns


class Row(dict):
    """A line of the table: the columns are attributes."""

    __getattr__ = dict.__getitem__

    @property
    def stream(self):
        return f"{self.document}_{self.resource}"

    @property
    def served_at(self):
        """A regular expression for the paths of its requests."""
        return re.sub(r"\{\w+\}", "[^/]+", documents.ROOTS[self.document] + self.path) + "$"


ROWS = [Row(zip(COLUMNS.split(), line.split(), strict=True)) for line in TABLE.strip().splitlines()]
STATUSES = (429, 500, 502, 503, 504)
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.stream)


# --- the documents --------------------------------------------------------------------------


def test_table_names_every_resource_of_every_document():
    described = [
        (document, resource["name"])
        for document in documents.ROOTS
        for resource in documents.configuration(document)["resources"]
    ]

    assert [(row.document, row.resource) for row in ROWS] == described


@each_row
def test_document_describes_the_endpoint(row):
    written = documents.configuration(row.document)
    [resource] = [given for given in written["resources"] if given["name"] == row.resource]
    endpoint = resource["endpoint"]
    paginator = endpoint["paginator"]
    default_key = written["resource_defaults"]["primary_key"]

    assert endpoint["path"] == row.path
    assert endpoint["data_selector"] == row.selector
    assert paginator["limit"] == int(row.limit)
    assert paginator.get("cursor_param", paginator.get("offset_param", "offset")) == row.position
    assert (documents.prose_key(row.document, row.resource) or default_key) == row.key


@each_row
def test_document_describes_the_auth(row):
    auth = documents.configuration(row.document)["client"]["auth"]
    kind, *names = row.auth.split(":")

    if kind == "basic":
        secrets = documents.SECRETS[row.document]
        assert auth == {
            "type": "basic",
            "username": secrets[names[0]],
            "password": secrets[names[1]],
        }
    else:
        assert (auth["type"], auth["location"], [auth["name"]]) == ("api_key", kind, names)


@each_row
def test_document_describes_the_retries(row):
    told = documents.prose_retries(row.document)
    written = documents.configuration(row.document)
    [resource] = [given for given in written["resources"] if given["name"] == row.resource]
    handler = resource["endpoint"].get("error_handler")

    if row.statuses == "-":
        assert (told, handler) == (None, None)
        return
    statuses = {int(status) for status in row.statuses.split(",")}
    retries, factor = map(int, row.retries.split("x"))
    assert told == (statuses, retries, factor)
    assert handler is None or handler == {
        "retry_on_status_codes": sorted(statuses),
        "max_retries": retries,
        "backoff_factor": factor,
    }


# --- the streams ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server():
    """A server of the documents' own kind, which the tests of this module have for themselves."""
    with DemoApi(dialect="spec") as running:
        yield running


@pytest.fixture(scope="module")
def streams(server):
    return TapAnalytics(config=server.config, parse_env_config=False).streams


@each_row
def test_stream_declares_what_the_document_asks_for(row, streams, server):
    stream = streams[row.stream]
    context = {"course_id": "{course_id}"} if "{course_id}" in row.path else None
    request = stream.endpoint(context).build(stream.paging.start())
    path = request.url.removeprefix(server.url).replace("%7B", "{").replace("%7D", "}")

    assert path == documents.ROOTS[row.document] + row.path
    assert request.method == "GET"
    assert ",".join(stream.primary_keys) == row.stream_key
    assert stream.select({row.selector: [{"id": "1"}]}) == [{"id": "1"}]
    with pytest.raises(SelectorError):
        stream.select({"elsewhere": [{"id": "1"}]})


@each_row
def test_stream_retries_as_the_document_asks(row, streams):
    stream = streams[row.stream]
    policy = stream.retry or stream.connection.http.retry
    retries, factor = map(int, row.retries.split("x"))

    assert policy.max_retries == retries
    assert list(itertools.islice(policy.waits(), 3)) == [factor, 2 * factor, 4 * factor]
    assert policy.statuses == set(STATUSES)


# --- the requests ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def asked(server, tap):
    """The requests of one strictly serial run, by path and in their order."""
    server.reset_counts()
    run = tap(config=server.config | {"concurrency": 1})
    assert run.code == 0, run.stderr
    by_path = defaultdict(list)
    for request in server.requests:
        by_path[request.path].append(request)
    return by_path


def of_row(asked, row):
    return {path: said for path, said in asked.items() if re.fullmatch(row.served_at, path)}


@each_row
def test_requests_show_the_documents_credentials_and_page_size(row, asked):
    kind, *names = row.auth.split(":")
    secrets = documents.SECRETS[row.document]
    requests = [request for said in of_row(asked, row).values() for request in said]

    assert requests
    for request in requests:
        assert (request.method, request.status) == ("GET", 200)
        assert request.params["limit"] == row.limit
        if kind == "query":
            assert request.params[names[0]] == secrets["api_key"]
        elif kind == "header":
            assert request.headers[names[0].lower()] == secrets["api_key"]
        else:
            pair = ":".join(secrets[name] for name in names)
            token = base64.b64encode(pair.encode()).decode()
            assert request.headers["authorization"] == f"Basic {token}"


@each_row
def test_requests_page_as_the_document_says(row, asked, server):
    held = Counter(record.get("course_id") for record in flat(server.dataset, row.stream))
    path = documents.ROOTS[row.document] + row.path
    counts = {path: held.total()}
    if "{course_id}" in path:
        courses = [course["id"] for course in flat(server.dataset, "learning_courses")]
        counts = {path.replace("{course_id}", course): held[course] for course in courses}

    # The trash is read by passes of their own, one request each where a server has none.
    walked = {
        path: [
            request.params.get(row.position)
            for request in said
            if request.params.get("status") != "trashed"
        ]
        for path, said in of_row(asked, row).items()
    }

    assert walked.keys() == counts.keys()
    for path, positions in walked.items():
        check_positions(row, positions, rows=counts[path])


def check_positions(row, positions, *, rows):
    """Hold the pages asked for, strictly in order, against what a list of `rows` rows takes."""
    limit = int(row.limit)
    pages = math.ceil(rows / limit)
    if row.position == "from":
        assert positions[0] is None
        assert len(positions) == max(pages, 1)
        assert len(set(positions)) == len(positions)
    elif row.position == "page":
        # Nothing says that a short page is the last, so one request more makes sure; and nothing
        # but a second look shows whether rows have moved onto the pages before it.
        again = range(1, pages + (rows == pages * limit > 0))
        assert positions == [str(number) for number in (*range(1, pages + 2), *again)]
    else:
        walk = offsets(rows, limit, told_total=row.document == "declared")
        assert [int(position or 0) for position in positions] == list(walk)


def offsets(rows, limit, *, told_total):
    """Yield where pages begin: a row early after a full one, and past the end to make sure.

    A first page that is short already is followed a row early, which proves the end as well.
    """
    if 1 < rows < limit and not told_total:
        yield from (0, rows - 1)
        return
    at = 0
    while True:
        yield at
        size = max(0, min(limit, rows - at))
        if not size or (told_total and at + size == rows):
            return
        at += size - 1 if size == limit else size


# --- the retries ----------------------------------------------------------------------------


def unhurried(config):
    """Return a configuration whose retries don't wait."""
    retry = {"retry": {"backoff_factor": 0}}
    blocks = {name: block | retry for name, block in config.items() if name != "apis"}
    return blocks | {"apis": [entry | retry for entry in config["apis"]], "concurrency": 1}


def failing(status, *, times):
    return [{"match": {"path": row.served_at}, "status": status, "times": times} for row in ROWS]


@pytest.mark.parametrize("status", STATUSES)
def test_every_stream_survives_as_many_failures_as_it_has_retries(status, server, asked, tap):
    server.reset_counts()
    server.set_faults(failing(status, times=3))

    run = tap(config=unhurried(server.config))

    server.set_faults(())
    assert run.code == 0, run.stderr
    for row in ROWS:
        attempts = sum(
            count for (_, path), count in server.counts.items() if re.fullmatch(row.served_at, path)
        )
        assert attempts == sum(map(len, of_row(asked, row).values())) + 3, row.stream


def test_every_api_fails_after_its_last_retry(server, tap):
    server.reset_counts()
    server.set_faults(failing(503, times=None))

    run = tap(config=unhurried(server.config))

    server.set_faults(())
    assert run.code == 1
    assert run.by_stream("RECORD") == {}
    attempts = defaultdict(list)
    for row in ROWS:
        if "{" not in row.path:
            asked = server.counts["GET", documents.ROOTS[row.document] + row.path]
            attempts[row.document].append(asked)
    # The first stream of an API has all its attempts; by then the API is known to be down.
    assert {name: max(counts) for name, counts in attempts.items()} == dict.fromkeys(attempts, 4)
    assert min(map(min, attempts.values())) >= 1
