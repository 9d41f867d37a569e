"""Write what was measured into `docs/performance.md`: a table, a list of figures, three plots."""

from __future__ import annotations

import typing as t
from statistics import median

import load_report
from comparisons import TIMES, Row, faster, slower, table, verdict, walls
from environments import HERE
from plot import Axes, bars
from works import CONCURRENCIES, WAITING, works

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

DOCS = HERE.parents[1] / "docs"

#: Part to what was measured: {"measured": date, "cores": …, "python": …, "result": …}.
Results = t.Mapping[str, t.Mapping[str, t.Any]]
FLOOR = 200 * WAITING


def write(results: Results) -> None:
    """Write the generated blocks of the page, except for what wasn't measured, and the plots."""
    page = DOCS / "performance.md"
    content = page.read_text("utf-8")
    blocks = {
        "setting": setting(results),
        "table": table(rows(results)),
        "postgres": postgres(results),
        "loading": load_report.block(results),
    }
    for name, made in blocks.items():
        if not (lines := list(made)):
            continue
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        before, _, rest = content.partition(begin)
        after = rest.partition(end)[2]
        content = "\n".join([before + begin, "", *lines, "", end + after])
    page.write_text(content, "utf-8")
    folder = DOCS / "performance"
    folder.mkdir(exist_ok=True)
    for name, picture in plots(results).items():
        (folder / f"{name}.svg").write_text(picture, "utf-8")


def setting(results: Results) -> Iterator[str]:
    """Tell when, and on what."""
    days = sorted({part["measured"] for part in results.values()})
    cores = sorted({part["cores"] for part in results.values()})
    pythons = sorted({part["python"] for part in results.values()})
    yield (
        f"Measured on {' to '.join(dict.fromkeys((days[0], days[-1])))}, on a machine with "
        f"{' or '.join(map(str, cores))} cores, under Python {' and '.join(pythons)}."
    )


# --- the table ------------------------------------------------------------------------------


def rows(results: Results) -> Iterator[Row]:
    """Compare everything that was measured."""
    known = {name: part["result"] for name, part in results.items()}
    for name, make in {
        "throughput": throughput,
        "small pages": small_pages,
        "latency": latency,
        "latency, cursor": by_cursor,
        "latency, links": by_link,
        "children": children,
        "streams": streams,
        "pipeline": pipeline,
        "memory": memory,
        "start-up": start_up,
        "growth": growth,
    }.items():
        if name in known:
            yield from make(known[name])


def throughput(runs: Mapping[str, t.Any]) -> Iterator[Row]:
    yield from field("throughput", runs, aims=(14, 12, 3.5, 6.5, None), bare=1.4)


def small_pages(runs: Mapping[str, t.Any]) -> Iterator[Row]:
    yield from field("small pages", runs, aims=(9, None, None, None), bare=1.7)


def field(
    name: str, runs: Mapping[str, t.Any], *, aims: Sequence[float | None], bare: float
) -> Iterator[Row]:
    """Compare the tap with everybody else on one work."""
    work = works()[name]
    title = f"{work.rows:,} records, {work.title}"
    others = [other for other in runs if other not in {"tap", "bare loop"}]
    for other, aim in zip(others, aims, strict=True):
        yield faster(title, other, runs[other], runs["tap"], aim=aim)
    yield slower(title, "the bare loop's time", runs["tap"], runs["bare loop"], aim=bare)


def latency(runs: Mapping[str, t.Any]) -> Iterator[Row]:
    title = f"{works()['latency'].title}, `concurrency` 16"
    own = runs["tap, 16 at once"]
    yield faster(title, f"the serial floor of {FLOOR:g} s", [{"wall": FLOOR}] * 3, own, aim=9)
    bare = runs["bare loop, 16 threads"]
    yield slower(title, "the time of a bare loop on 16 threads", own, bare, aim=1.2)
    for other in ("stock SDK tap", "Airbyte CDK", "dlt, iterated", "dlt, extracted"):
        yield faster(title, other, runs[other], own, aim=None)
    count = own[0]["requests"]
    yield verdict(title, "requests", f"{count}, serial reading takes 200", "≤ 206", ok=count <= 206)
    for name in ("no total", "numbered pages"):
        count = runs[f"tap, 16, {name}"][0]["requests"]
        label = "requests, offset without a total" if name == "no total" else f"requests, {name}"
        yield verdict(title, label, f"{count}, serial reading takes 201", "≤ 217", ok=count <= 217)


def by_cursor(runs: Mapping[str, t.Any]) -> Iterator[Row]:
    title = works()["latency, cursor"].title
    yield slower(title, "the bare loop's time", runs["tap"], runs["bare loop"], aim=1.05)


def by_link(runs: Mapping[str, t.Any]) -> Iterator[Row]:
    title = works()["latency, links"].title
    one, many = runs["tap, 1 at once"], runs["tap, 8 at once"]
    yield faster(title, "one after the other", one, many, aim=5)
    count = many[0]["requests"]
    yield verdict(title, "requests", f"{count}, serial reading takes 300", "≤ 307", ok=count <= 307)


def children(runs: Mapping[str, t.Any]) -> Iterator[Row]:
    title = f"{works()['children'].title}, `concurrency` 16"
    one, many = runs["tap, 1 at once"], runs["tap, 16 at once"]
    yield faster(title, "one after the other", one, many, aim=12)


def streams(runs: Mapping[str, t.Any]) -> Iterator[Row]:
    title = works()["streams"].title
    one, many = runs["tap, 1 at once"], runs["tap, 8 at once"]
    yield faster(title, "one after the other", one, many, aim=5)


def pipeline(ways: Mapping[str, t.Any]) -> Iterator[Row]:
    way = ways["as installed"]
    share = way["tap"] / (way["tap"] + way["target"])
    title = f"{way['rows']:,} records into target-postgres"
    shown = f"{100 * share:.1f} % of the processor time of tap and target"
    yield verdict(title, "the tap's part", shown, "< 5 %", ok=share < 0.05)


def memory(by_rows: Mapping[str, t.Any]) -> Iterator[Row]:
    title = "Peak memory, pages of 1000, `concurrency` 16"
    for rows_read, runs in by_rows.items():
        peak = max(run["peak"] for run in runs)
        label = f"{int(rows_read):,} records"
        yield verdict(title, label, f"{peak:.0f} MiB", "≤ 100 MiB", ok=peak <= 100)


def start_up(runs: Mapping[str, t.Any]) -> Iterator[Row]:
    title = "Start-up"
    bare = runs["import singer_sdk"]
    for option, aim in {"--version": 0.25, "--discover": 1.3}.items():
        label = f"`{option}`, and a bare import of the SDK"
        yield slower(title, label, runs[option], bare, aim=aim, digits=2)


def growth(grown: Mapping[str, t.Any]) -> Iterator[Row]:
    for name, sizes in grown.items():
        (wall, output, _), (wall_10, output_10, state) = (
            tuple(sizes[size].values()) for size in ("small", "large")
        )
        longer, more = wall_10 / wall, output_10 / output
        shown = (
            f"{longer:.1f} {TIMES} the time, {more:.1f} {TIMES} the output; STATE has {state} bytes"
        )
        ok = longer <= 11 and more <= 11
        yield verdict("Ten times as many", name, shown, f"≤ 11 {TIMES}", ok=ok)


# --- the rest -------------------------------------------------------------------------------


def postgres(results: Results) -> Iterator[str]:
    """Lay out the ways into PostgreSQL."""
    if "pipeline" not in results:
        return
    yield "| target-postgres | Seconds | Records/s | CPU of the tap | CPU of the target |"
    yield "| --- | --- | --- | --- | --- |"
    for name, way in results["pipeline"]["result"].items():
        rate = way["rows"] / way["wall"]
        figures = f"{way['wall']:.0f} | {rate:,.0f} | {way['tap']:.1f} s | {way['target']:.0f} s"
        yield f"| {name} | {figures} |"


def plots(results: Results) -> dict[str, str]:
    """Draw speed against the field, time against concurrency and memory against rows."""
    known = {name: part["result"] for name, part in results.items()}
    drawn = {}
    if "throughput" in known:
        drawn["field"] = against_the_field(known["throughput"])
    if "loading" in known:
        drawn["loading"] = load_report.plot(load_report.kinds(results))
    if "latency" in known:
        drawn["concurrency"] = against_concurrency(known["latency"])
    if "memory" in known:
        drawn["memory"] = against_rows(known["memory"])
    return drawn


def against_the_field(runs: Mapping[str, t.Any]) -> str:
    work = works()["throughput"]
    rates = {name: work.rows / median(walls(each)) for name, each in runs.items()}
    rates["tap-analytics"] = rates.pop("tap")
    ordered = dict(sorted(rates.items(), key=lambda pair: -pair[1]))
    title = f"Records per second: {work.rows:,}, {work.title}"
    return bars(title, ordered, own="tap-analytics", unit="/s")


def against_concurrency(runs: Mapping[str, t.Any]) -> str:
    times = {float(width): median(walls(runs[f"tap, {width} at once"])) for width in CONCURRENCIES}
    axes = Axes(
        {float(width): str(width) for width in CONCURRENCIES},
        {value: f"{value:g}" for value in (0.5, 1, 2, 5, 10, 20, 50)},
        log=True,
        unit="seconds",
    )
    ideal = {float(width): FLOOR / width for width in CONCURRENCIES}
    axes.line(ideal, kind="mark", label="waiting alone")
    axes.line(times, kind="line", label="tap-analytics")
    axes.dot(16, median(walls(runs["bare loop, 16 threads"])), "bare loop")
    others = {
        median(walls(runs[name])): name.partition(",")[0]
        for name in ("stock SDK tap", "Airbyte CDK", "dlt, extracted")
    }
    label = ", ".join(others[wall] for wall in sorted(others, reverse=True))
    for wall in sorted(others, reverse=True):
        axes.dot(1, wall, label)
        label = ""
    return axes.picture(works()["latency"].title, "requests at once")


def against_rows(by_rows: Mapping[str, t.Any]) -> str:
    peaks = {float(count): max(run["peak"] for run in runs) for count, runs in by_rows.items()}
    axes = Axes(
        {count: f"{count:,.0f}" for count in peaks},
        {float(value): str(value) for value in range(0, 121, 20)},
        log=False,
        unit="MiB",
    )
    axes.line(dict.fromkeys(peaks, 100.0), kind="mark", label="aim")
    axes.line(peaks, kind="line", label="peak memory")
    return axes.picture("Peak memory, pages of 1000 records, concurrency 16", "records")
