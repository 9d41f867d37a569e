"""A sync in shards: together they write what one run writes, and conclude as it does."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from singer_sdk.exceptions import ConfigValidationError
from support.examples import costly
from support.runs import bag, declared, discover, run, select
from support.servers import JsonApi

from tap_analytics.commands import conclude, shards
from tap_analytics.commands.plan.sync_plan import SyncPlan
from tap_analytics.config.shard import (
    KeyGroup,
    RowRange,
    Shard,
    ShardedSync,
    TimeRange,
    ValueGroup,
    Whole,
)
from tap_analytics.demo import DemoApi
from tap_analytics.errors import InputError
from tap_analytics.sync.shards import ShardError
from tap_analytics.tap import TapAnalytics

SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "at": {"type": "string", "format": "date-time"},
    },
}
LIMIT = 10


def divide(config, count, *, state=None):
    """Return the shards that the command would print."""
    tap = TapAnalytics(config=dict(config), state=state, setup_mapper=False)
    return shards.divide(tap, SyncPlan(tap).estimates, count=count)


def plain(shard):
    return msgspec.to_builtins(shard)


class Folder:
    """A folder with shards and their summaries."""

    def __init__(self, path, config, made):
        self.path = Path(path)
        self.config = config
        self.made = made
        (self.path / "shards.json").write_bytes(msgspec.json.encode(made))

    def read(self, shard, *, state=None, catalog=None, **settings):
        summary = str(self.path / f"{shard.id}.json")
        given = {**self.config, "shard": plain(shard), "summary_path": summary, **settings}
        return run(given, state=state, catalog=catalog)

    def read_all(self):
        return [self.read(shard) for shard in self.made.shards]

    def conclude(self, *, catalog=None):
        return run({**self.config, "conclude": str(self.path)}, catalog=catalog)


@pytest.fixture
def folder(tmp_path):
    return lambda config, made: Folder(tmp_path, config, made)


def rows_of(*runs):
    """Return the records of runs by stream, each once."""
    found = {}
    for one in runs:
        for stream, records in one.by_stream("RECORD").items():
            found.setdefault(stream, Counter()).update(bag(each["record"] for each in records))
    return found


def once(rows):
    return {stream: set(counted) for stream, counted in rows.items() if counted}


# --- any split of the demo ----------------------------------------------------------------------


@pytest.fixture(scope="module", params=["real", "spec"])
def whole(request):
    with DemoApi(dialect=request.param, scale=0.2) as demo:
        config = {**demo.config, "emit_activate_version_messages": True, "concurrency": 2}
        yield config, run(config)


@costly(50)
@given(count=st.integers(1, 16), data=st.data())
def test_any_split_in_any_order_gives_what_one_run_gives(whole, count, data):
    config, expected = whole
    made = divide(config, count)
    order = data.draw(st.permutations(made.shards))
    cut = data.draw(st.sampled_from(made.shards))
    with TemporaryDirectory() as path:
        folder = Folder(path, config, made)
        runs = []
        for shard in order:
            state = None
            if shard == cut:
                first = folder.read(shard, max_requests=data.draw(st.integers(1, 8)))
                runs.append(first)
                state = first.state
            runs.append(folder.read(shard, state=state))
            assert runs[-1].error is None
        concluded = folder.conclude()
    assert once(rows_of(*runs)) == once(rows_of(expected))
    assert concluded.error is None
    assert concluded.state == expected.state
    activated = {one["stream"] for one in concluded.of("ACTIVATE_VERSION", None)}
    assert activated == {one["stream"] for one in expected.of("ACTIVATE_VERSION", None)}
    assert not [one for each in runs for one in each.of("ACTIVATE_VERSION", None)]


# --- ranges of rows -----------------------------------------------------------------------------


class Listing:
    """A list that a server pages by number; `change` is called before each request."""

    def __init__(self, rows, *, total=True):
        self.rows = [{"id": number} for number in range(rows)]
        self.total = total
        self.requests = 0
        self.changes = {}

    def answer(self, query):
        for change in self.changes.pop(self.requests, ()):
            change(self.rows)
        self.requests += 1
        start = int(query["offset"]) if "offset" in query else (int(query["page"]) - 1) * LIMIT
        page = self.rows[start : start + int(query.get("limit", LIMIT))]
        return {"data": page} | ({"total": len(self.rows)} if self.total else {})


PAGINATORS = {
    "offset": {"type": "offset", "limit": LIMIT},
    "page": {"type": "page_number", "base_page": 1, "limit": LIMIT, "total_path": "total"},
}


def listed(api, paginator, **settings):
    resource = {"schema": SCHEMA, "endpoint": {"paginator": PAGINATORS[paginator]}}
    return declared(api.origin, **resource, emit_activate_version_messages=True, **settings)


@pytest.mark.parametrize("paginator", PAGINATORS)
@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_counted_list_is_read_in_ranges(folder, paginator, concurrency):
    with JsonApi(Listing(137).answer) as api:
        config = listed(api, paginator, concurrency=concurrency)
        made = divide(config, 3)
        parts = [shard.streams["shop_items"] for shard in made.shards]
        assert [(part.start, part.end) for part in parts] == [(0, 50), (50, 100), (100, None)]
        work = folder(config, made)
        runs = work.read_all()
        concluded = work.conclude()
    assert [run.ids() for run in runs] == [
        [*range(50)],
        [*range(50, 100)],
        [*range(100, 137)],
    ]
    assert concluded.error is None
    (activated,) = concluded.of("ACTIVATE_VERSION")
    versions = {one["version"] for run in runs for one in run.of("RECORD")}
    assert versions == {activated["version"]} == {made.version}


def test_a_shard_that_was_cut_continues_and_meets_its_neighbours(folder):
    with JsonApi(Listing(300).answer) as api:
        config = listed(api, "offset")
        made = divide(config, 2)
        work = folder(config, made)
        first, second = made.shards
        cut = work.read(second, max_requests=4)
        assert cut.error
        rest = work.read(second, state=cut.state)
        runs = [work.read(first), cut, rest]
        concluded = work.conclude()
    assert concluded.error is None
    ids = [each for run in runs for each in run.ids()]
    assert sorted(ids) == [*range(300)]


def test_a_shard_that_is_not_proven_fails_and_starts_anew(folder):
    with JsonApi(Listing(300).answer) as api:
        config = listed(api, "page")
        made = divide(config, 2)
        work = folder(config, made)
        work.read(made.shards[1])
        cut = work.read(made.shards[0], max_requests=4)
        # Pages that an earlier process has read can't be looked at again for rows that moved.
        rest = work.read(made.shards[0], state=cut.state)
        assert "unverified" in rest.failure()
        again = work.read(made.shards[0], state=rest.state)
        concluded = work.conclude()
    assert again.ids() == [*range(150)]
    assert concluded.error is None


@pytest.mark.parametrize("paginator", PAGINATORS)
@costly(10)
@given(
    rows=st.integers(1, 120),
    count=st.integers(2, 5),
    changes=st.lists(st.tuples(st.integers(0, 40), st.booleans(), st.integers(0, 130)), max_size=3),
)
def test_what_is_concluded_lacks_no_row_that_was_always_there(paginator, rows, count, changes):
    listing = Listing(rows)
    with JsonApi(listing.answer) as api, TemporaryDirectory() as path:
        config = listed(api, paginator)
        work = Folder(path, config, divide(config, count))
        stable = set(range(rows))
        began = listing.requests
        for at, deletes, place in changes:

            def change(found, deletes=deletes, place=place):
                place = min(place, len(found))
                if not deletes:
                    found.insert(place, {"id": 1000 + len(found) + place})
                elif place < len(found):
                    stable.discard(found.pop(place)["id"])

            listing.changes.setdefault(began + at, []).append(change)
        got = {each for run in work.read_all() for each in run.ids()}
        concluded = work.conclude()
    if concluded.error is None:
        assert stable <= got


def test_rows_that_moved_between_two_shards_are_reported(folder, caplog):
    listing = Listing(100)
    with JsonApi(listing.answer) as api:
        config = listed(api, "offset")
        made = divide(config, 2)
        work = folder(config, made)
        first, second = made.shards
        work.read(first)
        del listing.rows[3]
        work.read(second)
        failed = work.conclude()
        assert failed.error
        assert failed.messages == []
        assert "rows moved between the shards 1-of-2 and 2-of-2" in caplog.text
        work.read(first)
        again = work.conclude()
    assert again.error is None


# --- windows of time ----------------------------------------------------------------------------


def test_events_are_read_in_windows_where_the_api_filters_by_both_ends(folder):
    with DemoApi(scale=2) as demo:
        wiki = {name: demo.config[name] for name in ("wiki", "concurrency") if name in demo.config}
        config = {**wiki, "start_date": "2020-01-01T00:00:00Z"}
        catalog = select(discover(config), "wiki_audit")
        expected = run(config, catalog=catalog)
        tap = TapAnalytics(config=dict(config), catalog=catalog, setup_mapper=False)
        made = shards.divide(tap, SyncPlan(tap).estimates, count=3)
        parts = [shard.streams["wiki_audit"] for shard in made.shards]
        assert [type(part) for part in parts] == [TimeRange] * 3
        work = folder(config, made)
        runs = [work.read(shard, catalog=catalog) for shard in made.shards]
        concluded = work.conclude(catalog=catalog)
    assert rows_of(*runs) == rows_of(expected)
    assert concluded.state == expected.state


# --- lists of values ----------------------------------------------------------------------------


def test_lists_of_values_are_divided_among_the_shards(folder):
    regions = ["eu", "us", "asia", "africa", "oceania"]

    def answer(query):
        number = regions.index(query["region"])
        rows = [{"id": 100 * number + each} for each in range(25)]
        start = int(query["offset"])
        return {"data": rows[start : start + LIMIT]}

    with JsonApi(answer) as api:
        endpoint = {"params": {"region": "{partitions.region}"}, "paginator": PAGINATORS["offset"]}
        config = declared(
            api.origin,
            endpoint=endpoint,
            schema=SCHEMA,
            partitions={"region": regions},
            emit_activate_version_messages=True,
        )
        expected = run(config)
        made = divide(config, 3)
        parts = [shard.streams["shop_items"] for shard in made.shards]
        assert sorted(part.group for part in parts) == [0, 1, 2]
        work = folder(config, made)
        runs = work.read_all()
        concluded = work.conclude()
    assert rows_of(*runs) == rows_of(expected)
    assert concluded.error is None
    assert concluded.kinds == ["SCHEMA", "ACTIVATE_VERSION"]


# --- what can't be concluded --------------------------------------------------------------------


@pytest.fixture
def two(folder):
    """Two shards of a list, which were both read."""
    with JsonApi(Listing(100).answer) as api:
        config = listed(api, "offset")
        work = folder(config, divide(config, 2))
        work.read_all()
        yield work


def summary_of(work, shard):
    path = work.path / f"{shard.id}.json"
    return path, json.loads(path.read_bytes())


def test_both_parts_are_concluded(two):
    assert two.conclude().kinds == ["SCHEMA", "ACTIVATE_VERSION"]


def test_a_missing_summary_is_named(two, caplog):
    summary_of(two, two.made.shards[1])[0].unlink()
    failed = two.conclude()
    assert failed.error
    assert failed.messages == []
    assert "Shard 2-of-2 has no summary" in caplog.text


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda it: it.update(exit_code=1), "Shard 2-of-2 ended with exit code 1"),
        (lambda it: it["shard"].update(run="other"), "Shard 2-of-2 has no summary"),
        (lambda it: it["streams"].clear(), "shard 2-of-2 did not read it"),
        (
            lambda it: it["streams"]["shop_items"].update(verdict="unverified", doubt="why"),
            "did not prove it: why",
        ),
        (lambda it: it["streams"]["shop_items"].update(status="cut"), "did not complete it"),
        (
            lambda it: it["streams"]["shop_items"]["part"]["source"].update(account="b"),
            "another source",
        ),
        (lambda it: it["streams"]["shop_items"]["part"].update(first_key="00"), "don't meet"),
    ],
)
def test_a_shard_that_shows_less_is_named(two, caplog, change, told):
    path, summary = summary_of(two, two.made.shards[1])
    change(summary)
    path.write_text(json.dumps(summary))
    failed = two.conclude()
    assert failed.error
    assert failed.messages == []
    assert told in caplog.text


def test_the_last_summary_of_a_shard_counts(two):
    _, summary = summary_of(two, two.made.shards[1])
    earlier = {**summary, "ended": "2020-01-01T00:00:00+00:00", "exit_code": 1}
    (two.path / "first-attempt.json").write_text(json.dumps(earlier))
    assert two.conclude().error is None


PARTS = [
    [RowRange(start=0, end=50, number=0), RowRange(start=60, end=None, number=60)],
    [RowRange(start=10, end=50, number=10), RowRange(start=50, end=None, number=50)],
    [RowRange(start=0, end=50, number=0), RowRange(start=50, end=90, number=50)],
    [TimeRange(start=None, end="2026-02-01"), TimeRange(start="2026-02-02", end=None)],
    [KeyGroup(group=0, of=2), KeyGroup(group=0, of=2)],
    [KeyGroup(group=0, of=3), KeyGroup(group=1, of=3)],
    [ValueGroup(group=0, of=3), ValueGroup(group=2, of=3)],
    [Whole(), Whole()],
    [Whole(), KeyGroup(group=1, of=2)],
]


@pytest.mark.parametrize("parts", PARTS)
def test_shards_that_do_not_cover_a_stream_once_are_refused(two, caplog, parts):
    changed = [
        msgspec.structs.replace(shard, streams={"shop_items": part})
        for shard, part in zip(two.made.shards, parts, strict=True)
    ]
    made = msgspec.structs.replace(two.made, shards=changed)
    (two.path / "shards.json").write_bytes(msgspec.json.encode(made))
    assert two.conclude().error
    assert "don't cover it once" in caplog.text


def test_files_that_can_not_be_read_are_named(two):
    (two.path / "3-of-2.json").write_text("{")
    with pytest.raises(ShardError, match="can't be read"):
        two.conclude()
    for path in two.path.glob("*.json"):
        path.unlink()
    with pytest.raises(ShardError, match=r"has no shards.json"):
        two.conclude()


# --- the commands and the setting ---------------------------------------------------------------


@pytest.fixture
def config_file(two, tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "config.json"
    path.write_text(json.dumps(two.config))
    return str(path)


def test_the_command_prints_shards_that_the_setting_takes(two, config_file, capsys):
    assert shards.main(["--config", config_file, "--count", "2"]) == 0
    made = msgspec.json.decode(capsys.readouterr().out, type=ShardedSync)
    assert [shard.id for shard in made.shards] == ["1-of-2", "2-of-2"]
    assert Shard.from_setting(plain(made.shards[0])) == made.shards[0]


def test_the_command_writes_a_configuration_for_each_shard(config_file, tmp_path):
    folder = tmp_path / "run"
    command = ["--config", config_file, "--count", "2", "--folder", str(folder)]
    assert shards.main(command) == 0
    given = json.loads(Path(config_file).read_text())
    for shard in ("1-of-2", "2-of-2"):
        own = json.loads((folder / "configs" / f"{shard}.json").read_text())
        assert run({**given, **own}).error is None
    assert conclude.main([str(folder), "--config", config_file]) == 0


def test_the_first_shard_makes_the_tables_and_reads_nothing():
    with DemoApi(scale=0.1) as demo:
        made = divide(demo.config, 4)
        demo.reset_counts()
        prepared = run({**demo.config, "shard": plain(made.prepare)})
        assert prepared.error is None
        assert set(prepared.kinds) == {"SCHEMA"}
        assert sorted(one["stream"] for one in prepared.of("SCHEMA", None)) == sorted(demo.streams)
        # The schema of the declared stream is one of a sample.
        assert demo.counts.total() == 1


def test_the_command_concludes(two, config_file, capsysbinary):
    assert conclude.main([str(two.path), "--config", config_file]) == 0
    lines = [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
    assert [line["type"] for line in lines] == ["SCHEMA", "ACTIVATE_VERSION"]


@pytest.mark.parametrize("count", ["0", "-1", "x", "100000"])
def test_a_count_that_is_none_is_refused(config_file, count, capsys):
    with pytest.raises(SystemExit, match="1"):
        shards.main(["--config", config_file, "--count", count])
    assert "from 1 to 10000" in capsys.readouterr().err


def test_a_shard_of_streams_the_tap_does_not_have_is_refused(two):
    shard = msgspec.structs.replace(two.made.shards[0], streams={"shop_other": Whole()})
    with pytest.raises(InputError, match="shop_other"):
        two.read(shard)


def test_a_shard_that_is_none_is_refused(two):
    with pytest.raises(ConfigValidationError) as refused:
        run({**two.config, "shard": {"run": "a"}})
    (line,) = refused.value.errors
    assert "`shard`: Object missing required field" in line
