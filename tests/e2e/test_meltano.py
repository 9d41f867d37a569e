"""Real Meltano, real loaders: their tables are compared with those of the demo, value by value."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from support.processes import only

from tap_analytics.demo import DemoApi

# One worker installs the plugins, and runs of one project take turns.
pytestmark = pytest.mark.xdist_group("meltano")

KEY_COLUMNS = ("course_id", "id", "uid", "creationDate", "record_hash")
#: Streams whose API can tell what changed, by filter or by order.
INCREMENTAL = {
    "learning_people",
    "learning_courses",
    "experimentation_accounts_feeds",
    "wiki_audit",
    "wiki_pages",
    "wiki_blog_posts",
    "success_accounts",
    "success_conversations",
    "success_notes",
    "success_tasks",
    "success_users",
}
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d(:?\d\d)?)?")
REPORT = re.compile(r"(\w+): ([\d,]+) rows?, [\d,]+ pages?")


class Destination:
    #: The value that the loader can't tell from null.
    lost = None
    #: What the loader makes of a number.
    number = Decimal


class IntoPostgres(Destination):
    loader = "target-postgres"

    def __init__(self, project, postgres, folder):
        self.server = postgres
        self.schema = f"s_{folder.name.replace('-', '_')}"
        self.env = postgres.env | {"TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": self.schema}

    def rows(self, stream):
        """Return the rows that have not been marked as deleted."""
        return self.server.query(
            f'SELECT * FROM "{self.schema}"."{stream}" WHERE _sdc_deleted_at IS NULL'
        )


class IntoPostgresCopy(IntoPostgres):
    loader = "target-postgres-copy"


class IntoJsonl(Destination):
    loader = "target-jsonl"

    def __init__(self, project, postgres, folder):
        self.folder = folder / "jsonl"
        self.env = {"TARGET_JSONL_DESTINATION_PATH": str(self.folder)}

    def rows(self, stream):
        """Return a row of each key: the files only grow."""
        latest = {}
        for line in (self.folder / f"{stream}.jsonl").read_text("utf-8").splitlines():
            row = json.loads(line, parse_float=Decimal)
            latest[tuple(str(row.get(column)) for column in KEY_COLUMNS)] = row
        return list(latest.values())


class IntoDuckDb(Destination):
    loader = "target-duckdb"
    # It loads through CSV, which has no empty text, into doubles.
    lost = ""
    number = float
    #: The driver is in the loader's environment, so the loader's Python asks.
    ask = (
        "import duckdb, sys; "
        "found = duckdb.connect(sys.argv[1], read_only=True).execute(sys.argv[2]).fetchall(); "
        "print('[' + ','.join(row for (row,) in found) + ']')"
    )

    def __init__(self, project, postgres, folder):
        self.file = folder / "analytics.duckdb"
        self.python = project.python(self.loader)
        self.env = {"TARGET_DUCKDB_FILEPATH": str(self.file)}

    def rows(self, stream):
        sql = f"SELECT to_json(q)::varchar FROM tap_analytics.{stream} q"
        asked = [self.python, "-c", self.ask, self.file, sql]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout, parse_float=Decimal)


@pytest.fixture(
    params=[
        IntoPostgres,
        pytest.param(IntoPostgresCopy, marks=pytest.mark.outside),
        pytest.param(IntoJsonl, marks=pytest.mark.outside),
        pytest.param(IntoDuckDb, marks=pytest.mark.outside),
    ],
    ids=lambda into: into.loader,
)
def destination(request, meltano_project, postgres, tmp_path):
    return request.param(meltano_project, postgres, tmp_path)


@pytest.fixture
def state(tmp_path):
    """Give the test a state of its own."""
    return {"MELTANO_DATABASE_URI": f"sqlite:///{tmp_path}/meltano.db"}


def test_what_lands_is_what_the_apis_hold_now_and_after_a_day(
    meltano_project, destination, state, settings
):
    with DemoApi() as api:
        env = settings(api.config) | destination.env | state
        first = report(meltano_project.load(destination.loader, env=env))
        assert len(first) == 24
        assert_holds(destination, api)

        if isinstance(destination, IntoJsonl):
            return
        changed = api.mutate()
        assert set(changed) >= INCREMENTAL
        second = report(meltano_project.load(destination.loader, env=env))
        assert_holds(destination, api)
        for stream in INCREMENTAL:
            # The changed rows, and those re-read because they stand at the bookmark.
            assert len(changed[stream]) <= second[stream] < first[stream], stream


@pytest.mark.outside
@pytest.mark.parametrize("destination", [IntoPostgres, IntoPostgresCopy], indirect=True)
def test_a_full_refresh_brings_every_row_again(meltano_project, destination, state, settings):
    with DemoApi() as api:
        env = settings(api.config) | destination.env | state
        meltano_project.load(destination.loader, env=env)
        api.mutate()
        full = report(meltano_project.load(destination.loader, "--full-refresh", env=env))
        assert_holds(destination, api)
        # Two audit events are byte-identical: read twice, they are one row.
        rows = {stream: len(api.rows(stream)) for stream in api.streams}
        assert full == rows | {"wiki_audit": rows["wiki_audit"] + 1}


def batches(folder):
    """Return the setting that has rows travel in files."""
    encoding = {"format": "jsonl", "compression": "gzip"}
    return {"encoding": encoding, "storage": {"root": f"file://{folder}"}, "batch_size": 50}


def test_rows_that_come_in_files_are_deleted_when_they_are_gone(warehouse, tmp_path):
    with DemoApi() as api:
        config = only(api.config, "success") | {"batch_config": batches(tmp_path)}
        config["emit_activate_version_messages"] = True
        for change in (dict, lambda: api.mutate(delete=True)):
            change()
            assert warehouse.load(config) == 0
            assert warehouse.ids("success_admins") == sorted(
                row["id"] for row in api.rows("success_admins")
            )
    rows = warehouse.rows("success_admins")
    assert rows
    assert len({row["_sdc_table_version"] for row in rows}) == 1
    assert None not in {row["_sdc_extracted_at"] for row in rows}


@pytest.mark.outside
def test_a_loader_without_batch_says_so(meltano_project, tmp_path, state, settings):
    destination = IntoDuckDb(meltano_project, None, tmp_path)
    with DemoApi() as api:
        env = settings(only(api.config, "success")) | destination.env | state
        env["TAP_ANALYTICS_BATCH_CONFIG"] = json.dumps(batches(tmp_path))
        said = meltano_project.load(destination.loader, env=env, fails=True)
        assert "Unknown message type BATCH" in said


def test_a_stream_that_fails_fails_the_run(meltano_project, postgres, tmp_path, state, settings):
    destination = IntoPostgres(meltano_project, postgres, tmp_path)
    with DemoApi() as api:
        env = settings(only(api.config, "wiki")) | destination.env | state
        env["TAP_ANALYTICS_WIKI_API_TOKEN"] = "no-longer-valid"
        said = meltano_project.load(destination.loader, env=env, fails=True)
        assert "wiki_pages" in said
        assert "no-longer-valid" not in said


@pytest.mark.outside
def test_the_streams_beyond_the_specifications_land_where_they_are_selected(
    meltano_project, postgres, state, settings, tmp_path
):
    destination = IntoPostgres(meltano_project, postgres, tmp_path)
    with DemoApi(scale=0.2) as api:
        rules = json.dumps([f"{stream}.*" for stream in api.extra_streams])
        env = settings(api.config) | destination.env | state | {"TAP_ANALYTICS__SELECT": rules}
        read = report(meltano_project.load(destination.loader, env=env))
        assert_holds(destination, api, api.extra_streams)

    assert read.keys() >= set(api.extra_streams)


def report(said):
    """Return the number of rows that the tap says it read, by stream."""
    return {stream: int(rows.replace(",", "")) for stream, rows in REPORT.findall(said)}


def assert_holds(destination, api, streams=None):
    for stream in streams or api.streams:
        rows = api.rows(stream, parse_float=Decimal)
        expected = sorted(shown(row, destination) for row in rows)
        actual = sorted(shown(row, destination) for row in destination.rows(stream))
        for wanted, found in zip(expected, actual, strict=False):
            assert found == wanted, stream
        assert len(actual) == len(expected), stream


def shown(row, destination):
    """Spell a row so that equal values look equal, whatever the loader's types and letter case."""
    values = {
        name.lower(): canonical(value, destination.number)
        for name, value in row.items()
        if value is not None
        and value != destination.lost
        and not name.startswith("_sdc_")
        and name != "record_hash"
    }
    return json.dumps(values, sort_keys=True, ensure_ascii=False)


def canonical(value, number):
    if isinstance(value, dict):
        return {name: canonical(inner, number) for name, inner in value.items()}
    if isinstance(value, list):
        return [canonical(inner, number) for inner in value]
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return f"{Decimal(number(value)).normalize():f}"
    if isinstance(value, str) and TIMESTAMP.fullmatch(value):
        comparable = datetime.fromisoformat(value)
        aware = comparable if comparable.tzinfo else comparable.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat()
    return value
